/* agent/river/eval.h - expressions to values. */
#ifndef AGENT_RIVER_EVAL_H
#define AGENT_RIVER_EVAL_H
#include "agent/river/ast.h"
#include "agent/river/diag.h"
#include "agent/river/value.h"

/* Where names come from. A lookup is given the whole dotted reference, so that "loki.write.main.receiver" can be
 * answered by the longest component id in it: it sets *n_used to how many parts *out stands for (1 or more); the rest
 * are then ordinary field accesses. False: not known here, the parent is asked, at last the standard library. */
struct scope {
    const struct scope *parent; /* NULL: then the standard library */
    bool (*lookup)(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out);
    void *self;
};

/* What the standard library reads from outside. All strings are borrowed for the life of the values. */
struct river_host {
    /* False: unset. */
    bool (*env)(void *self, struct slice name, struct slice *out);
    void *self;
    const char *hostname, *os, *arch, *version; /* constants.*; os and arch in Go's words, version "v1.2.3" */
};
/* This process's environment and machine. */
const struct river_host *river_host_system(void);

enum {
    RIVER_ALLOW_EXPERIMENTAL = 1, /* --stability.level=experimental */
};

/* Everything an evaluation needs; lives on the caller's stack. Set what is needed of the first five, leave the
 * rest zero. */
struct river_context {
    struct arena *arena; /* results and what they point to */
    struct diags *diags;
    const struct scope *scope;     /* may be NULL */
    const struct river_host *host; /* NULL: river_host_system() */
    unsigned flags;
    const char *referred; /* a scope's lookup may set it: the component type whose exports it gave */
    uint64_t work;        /* bytes touched so far, at most LIMIT_RIVER_WORK_BYTES: no file may take for ever */
};

/* Evaluates one expression of source. The value may point into the tree, the scope's values and ctx->arena: value_copy
 * what is kept longer. (river_decode and river_body_value copy all into ctx->arena.) On INVALID the reason is in diags.
 * NOMEM: the arena is full (diagnosed too). sys.env of an unset variable is "" plus a DIAG_ONLY_VALIDATE warning. */
MUST_USE enum code river_eval(struct river_context *ctx, const struct source *source, const struct expr *expr,
                              struct value *out);

/* A body as one canonical value, to compare two evaluations (value_equal) and to show them: an array of statements,
 * attributes sorted by name, then blocks in order: {name, type = "attr", value} and {name, type = "block", label,
 * body = [...]}. Secrets are kept. All errors of the body are reported. */
MUST_USE enum code river_body_value(struct river_context *ctx, const struct ast_body *body, struct value *out);
/* That value in the form of Alloy's API, secrets masked. */
void river_body_value_json(struct buf *out, const struct value *body_value);

/* --- functions --- */

struct river_call {
    struct river_context *ctx;
    const struct source *source;
    const struct expr *expr; /* the call: as.call.args[i] is where argument i stands; NULL in tests */
    const struct river_function *function;
    const struct value *args;
    size_t n_args;
};

struct river_function {
    const char *name; /* "string.format" */
    const char *signature, *doc;
    size_t min_args, max_args; /* SIZE_MAX: any number */
    bool is_experimental;
    enum code (*call)(struct river_call *call, struct value *out);
};

/* Reports an error at argument i (or the call, past the last) and returns INVALID. */
enum code river_call_error(struct river_call *call, size_t i, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* True when the standard library has a namespace, function or deprecated alias of this first name. */
bool stdlib_has(struct slice first_name);
/* For docs and completion: NULL past the last. */
const struct river_function *stdlib_function_at(size_t i);
/* Offers the full names of all functions and constants. */
void stdlib_offer_all(struct nearest *nearest);
const char *stdlib_constant_at(size_t i); /* "hostname": constants.hostname */
/* An old name of a function and what to write now. False past the last. */
bool stdlib_deprecated_at(size_t i, const char **old, const char **now);
#endif
