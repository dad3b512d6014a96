/* agent/runtime/dry_run_int.h - a dry run and its stand-ins (dry_run.c, stand_in.c). */
#ifndef AGENT_RUNTIME_DRY_RUN_INT_H
#define AGENT_RUNTIME_DRY_RUN_INT_H
#include "agent/runtime/dry_run.h"
#include "agent/runtime/runtime_int.h"

/* What a component is told to export. */
struct told {
    struct list link; /* in dry_run.told */
    char *id;         /* owned */
    struct arena arena;
    struct slice export;
    struct value value;
};

struct stand_in_type {
    struct component_type type; /* the original's name, table and exports; first */
    struct list link;           /* in dry_run.types */
    const struct component_type *original;
    struct dry_run *of;
};

struct dry_run {
    struct dry_run_options options;
    struct loops *loops;
    struct metrics *metrics;
    struct runtime *rt;
    struct tap tap;
    struct list types; /* struct stand_in_type: made when first needed */
    struct list told;
    struct fanout given; /* where dry_run_give pushes to a component that is no source */
    struct ledger ledger;
    bool is_loaded;
};

/* runtime_options.substitute: the type itself, or its stand-in. */
const struct component_type *stand_in_for(void *dry_run, const struct component_type *type);
void stand_ins_free(struct dry_run *d);
bool stand_in_is(const struct dry_run *d, const struct component_type *type);
/* The fanout of a source's stand-in for such a batch; NULL: it sends no such thing. */
struct fanout *stand_in_fanout(void *self, const struct batch *b);
const void *stand_in_args(void *self);
/* INVALID: not what an export of that type holds. secret texts are made of strings. */
MUST_USE enum code stand_in_value(struct arena *arena, const struct component_export *export, const struct value *v,
                                  struct value *out, struct error *err);
#endif
