/* agent/runtime/evaluate.h - a block's arguments and a component's exports as values that keep alive what they use. */
#ifndef AGENT_RUNTIME_EVALUATE_H
#define AGENT_RUNTIME_EVALUATE_H
#include "agent/runtime/config.h"

/* What a component exports, as one object. Immutable; counted on the control loop. */
struct exports {
    unsigned refs;
    uint64_t owner;      /* its host's serial */
    uint64_t mark;       /* of whoever looks for it among others */
    bool is_placeholder; /* of a component that does not run yet: only receivers mean anything */
    struct arena arena;
    struct value value;
};

struct exports_used {
    struct exports **items; /* owned references */
    size_t n, cap;
};

/* A block's arguments: decoded, and as one value to compare. */
struct evaluation {
    struct arena arena;
    void *args;
    struct value body;
    struct value shown;       /* body with secrets masked by the table */
    struct exports_used used; /* their values are pointed to */
    struct config *config;    /* its tree's literals too; owned reference */
};

/* What the type exports before it said anything: empty texts and lists. stand_ins: receivers and the like point to
 * something of the right kind that is never used, so that a dry run decodes. */
struct exports *exports_zero(const struct component_type *type, bool stand_ins);
/* Stand-ins of one whose optional secrets are secrets (component_type.exports_secrets). */
struct exports *exports_zero_secret(const struct component_type *type);
/* A copy of old with name set to v. */
struct exports *exports_with(const struct exports *old, struct slice name, const struct value *v);
struct exports *exports_ref(struct exports *e);
void exports_unref(struct exports *e); /* NULL is fine */
void exports_used_add(struct exports_used *u, struct exports *e);
void exports_used_release(struct exports_used *u);

struct evaluator {
    struct config *config;
    enum stability stability;
    /* Borrowed: exports of a block's component. NULL: not known yet, then whatever uses them is not either. */
    struct exports *(*exports_of)(void *self, const struct config_block *block);
    void *self;
    struct exports_used *seen; /* gets what was looked up, also when it failed; may be NULL */
    struct slice waits_for;    /* set when evaluate_block answers AGAIN: id of what is not known yet */
    bool is_check;             /* `validate`: what an unset environment variable leaves wrong is no error */
    bool is_borrowing;         /* takes no references: all is looked at while nobody can change it (rt->lock is held) */
    uint64_t work;             /* of all evaluations so far, at most LIMIT_CONFIG_WORK_BYTES */
    struct name_values *values; /* own memory: evaluator_release */
};

void evaluator_release(struct evaluator *ev);

/* INVALID: what is wrong is in diags, *out NULL. With a placeholder among the looked up, errors of arguments that use
 * it are not reported: they cannot be known yet (then *out is NULL and the code AGAIN, when nothing else is wrong). */
MUST_USE enum code evaluate_block(struct evaluator *ev, const struct config_block *block, struct evaluation **out,
                                  struct diags *diags);
/* What a custom component was given (defaults where it was not) or what it exports: body and shown are one object, null
 * for what is not known yet. Every error of it is in diags; then the code is INVALID and *out NULL. */
enum module_values { MODULE_ARGUMENTS, MODULE_EXPORTS };
MUST_USE enum code evaluate_module(struct evaluator *ev, const struct config_scope *scope, enum module_values which,
                                   struct evaluation **out, struct diags *diags);
/* Looks for errors in all that custom components are given and export, used or not. */
MUST_USE enum code evaluate_all_modules(struct evaluator *ev, struct diags *diags);
void evaluation_free(void *evaluation); /* NULL is fine */
#endif
