/* agent/runtime/alloy_names.h - the block names Alloy 1.12 knows. What hyagent lacks of them is refused by name. */
#ifndef AGENT_RUNTIME_ALLOY_NAMES_H
#define AGENT_RUNTIME_ALLOY_NAMES_H
#include "agent/base/slice.h"
#include "agent/river/diag.h"

enum alloy_kind {
    ALLOY_COMPONENT,
    ALLOY_CONFIG_BLOCK,
    ALLOY_MODULES,  /* declare, import.*, foreach and what belongs to them */
    ALLOY_REMOVED,  /* older versions of Alloy had it */
    ALLOY_EXCLUDED, /* profiles, front-end and eBPF: not what hyagent is for */
};

struct alloy_name {
    const char *name;
    enum alloy_kind kind;
    const char *instead; /* what to do without it; NULL for what hyagent has */
};

const struct alloy_name *alloy_name_find(struct slice name); /* NULL: Alloy has none of that name */
const struct alloy_name *alloy_name_at(size_t i);            /* in order of name; NULL past the last */
/* Reports that hyagent lacks a block of Alloy's, and what to use instead. False: Alloy has none of that name either. */
bool alloy_name_refuse(struct diags *diags, const struct source *source, struct span at, struct slice name);
#endif
