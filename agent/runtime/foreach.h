/* agent/runtime/foreach.h - the arguments of a foreach block, and the ids of its items. */
#ifndef AGENT_RUNTIME_FOREACH_H
#define AGENT_RUNTIME_FOREACH_H
#include "agent/base/map.h"
#include "agent/river/schema.h"

struct foreach_args {
    const struct value *collection; /* a list, or null: no items */
    struct slice var, id;
    bool hash_string_id, enable_metrics;
    const struct ast_block *template;
};

enum { FOREACH_ID_BYTES = 128 };

/* Items are told apart by what they are, so that one more at the front moves none; equal ones are counted. */
struct foreach_ids {
    struct map counts;
};

void foreach_ids_init(struct foreach_ids *ids);
void foreach_ids_release(struct foreach_ids *ids);
/* "foreach_ITEM_1" as Alloy names it: texts and numbers by themselves with _ for what no name holds, the rest (and what
 * is too long) by a SHA-256. */
void foreach_id(struct foreach_ids *ids, const struct foreach_args *args, const struct value *item,
                char out[FOREACH_ID_BYTES]);
#endif
