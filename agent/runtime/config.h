/* agent/runtime/config.h - a configuration as a graph: one or more files parsed into blocks, what each block refers to,
 * and an order in which every block stands after those it needs. Knows the component types it is handed, runs nothing.
 */
#ifndef AGENT_RUNTIME_CONFIG_H
#define AGENT_RUNTIME_CONFIG_H
#include "agent/base/map.h"
#include "agent/river/ast.h"
#include "agent/runtime/component.h"

/* Ends with NULL. */
typedef const struct component_type *const *component_types;

struct config_text {
    const char *name; /* file name as people know it */
    struct slice text;
};

struct config_block {
    const struct ast_block *ast;
    const struct source *source;
    const struct component_type *type;
    struct slice id; /* in its module: "loki.write.x", or "logging" */
    size_t *needs;   /* blocks it refers to, each once */
    size_t n_needs;
    unsigned mark; /* while sorting */
};

struct config {
    unsigned refs; /* control loop only */
    struct arena arena;
    struct config_block *blocks;
    size_t n, cap;
    size_t *order; /* all blocks, those needed first */
    size_t n_ordered;
    struct map by_id; /* id -> number of the block, from 1 */
    char hash[65];    /* SHA-256 of the texts, hex */
};

struct config_options {
    component_types types;
    enum stability stability; /* the least stable that is allowed */
};

/* Parses and resolves. INVALID: every reason is in diags, *out is NULL. The caller owns one reference. */
MUST_USE enum code config_load(struct config **out, const struct config_options *options,
                               const struct config_text *texts, size_t n_texts, struct diags *diags);
struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* NULL is fine */
/* The block of the longest id that the first parts of a reference spell; *n_used says how many. NULL: none. */
struct config_block *config_find(const struct config *c, const struct slice *parts, size_t n, size_t *n_used);
const struct config_block *config_block_by_id(const struct config *c, struct slice id);
const struct component_type *component_type_find(component_types types, struct slice name);
const char *stability_name(enum stability stability); /* "generally-available", … */
#endif
