/* agent/runtime/relabel_args.h - the `rule` blocks that discovery.relabel, prometheus.relabel, loki.relabel and
 * write_relabel_config share. */
#ifndef AGENT_RUNTIME_RELABEL_ARGS_H
#define AGENT_RUNTIME_RELABEL_ARGS_H
#include "agent/model/relabel.h"
#include "agent/river/schema.h"

struct relabel_rule_args {
    struct river_strings source_labels;
    struct slice separator, regex, target_label, replacement, action;
    uint64_t modulus;
};

extern const struct river_block relabel_rule_block;       /* name "rule" */
extern const struct river_block relabel_write_rule_block; /* name "write_relabel_config" */

/* struct river_blocks rules; a row for a table. */
#define RELABEL_RULES_FIELD(offset_)                                                                                   \
    {                                                                                                                  \
        .name = "rule", .kind = RIVER_BLOCK, .flags = RIVER_REPEATED, .offset = (offset_),                             \
        .block = &relabel_rule_block, .doc = "A relabelling rule; they are applied in order."                          \
    }

/* Compiles the blocks (of struct relabel_rule_args). The caller owns the reference. INVALID as relabel_rules_new. */
MUST_USE enum code relabel_rules_of(const struct river_blocks *blocks, struct relabel_rules **out, struct error *err);
#endif
