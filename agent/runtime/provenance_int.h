/* agent/runtime/provenance_int.h - what provenance.c and provenance_origin.c share. */
#ifndef AGENT_RUNTIME_PROVENANCE_INT_H
#define AGENT_RUNTIME_PROVENANCE_INT_H
#include "agent/river/eval.h"
#include "agent/runtime/evaluate.h"
#include "agent/runtime/provenance.h"

/* What a component of its own stands for while nothing runs: an export that others pass on by pointer. */
struct stand_in {
    struct receiver receiver; /* first: what capsules of receivers point to */
    size_t block;
    const char *name;
};

struct described {
    struct exports *exports; /* made when needed; owned */
    struct arguments arguments;
    bool is_done;
};

/* Where the value of an expression comes from. */
struct origin {
    struct slice text;    /* in the description's arena */
    const size_t *blocks; /* components it uses exports of, each once; in the arena */
    size_t n_blocks;
    bool is_known;   /* nothing in it waits for a component to run */
    bool is_private; /* from an environment variable whose name says that it holds a secret */
};

/* An argument or export of a module: worked out once. */
struct named {
    struct origin origin;
    struct value value;
    bool has_origin, has_value, is_open; /* open: being worked out */
};

struct description {
    struct config *config;
    struct arena arena;
    enum stability stability;
    struct described *blocks;    /* one per block of config; owned */
    struct named *names;         /* one per name of config; owned */
    struct stand_in **stand_ins; /* in the arena; array owned */
    size_t n_stand_ins, cap_stand_ins;
    struct slice *secrets; /* in the arena; array owned */
    size_t n_secrets, cap_secrets;
    unsigned height; /* of all expressions being worked out, one inside the other */
};

/* Borrowed; made when needed. */
const struct exports *description_exports(struct description *d, size_t block);
struct origin origin_of(struct description *d, const struct config_scope *scope, const struct source *source,
                        const struct expr *expr);
/* INVALID: it cannot be evaluated without running. */
MUST_USE enum code description_eval(struct description *d, const struct config_scope *scope,
                                    const struct source *source, const struct expr *expr, struct value *out);
#endif
