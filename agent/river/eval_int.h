/* agent/river/eval_int.h - what the evaluator, its operators and the standard library share. */
#ifndef AGENT_RIVER_EVAL_INT_H
#define AGENT_RIVER_EVAL_INT_H
#include "agent/river/eval.h"

/* Counts bytes of work; INVALID (reported) past LIMIT_RIVER_WORK_BYTES. */
MUST_USE enum code eval_charge(struct river_context *ctx, const struct source *source, struct span at, uint64_t bytes);
enum code eval_no_memory(struct river_context *ctx, const struct source *source, struct span at);
enum code eval_error(struct river_context *ctx, const struct source *source, struct span at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

MUST_USE enum code eval_binary(struct river_context *ctx, const struct source *source, const struct expr *e,
                               const struct value *left, const struct value *right, struct value *out);
MUST_USE enum code eval_unary(struct river_context *ctx, const struct source *source, const struct expr *e,
                              const struct value *right, struct value *out);
/* == of the language: numbers by value, functions never equal. */
bool eval_equal(const struct value *a, const struct value *b);

/* Resolves parts[0..n) in the standard library. False: not a name of it. *n_used and *out as a scope's lookup;
 * *deprecated is the new name of a deprecated one, else NULL. A known namespace with an unknown member sets *n_used to
 * 1 and *out to null. */
bool stdlib_lookup(const struct river_host *host, const struct slice *parts, size_t n, size_t *n_used,
                   struct value *out, const char **deprecated);
/* Offers every name for a mistyped one: of the namespace, or (empty) top-level ones. */
void stdlib_offer(struct nearest *nearest, struct slice namespace);

/* --- arguments of functions: each reports what does not fit --- */
MUST_USE enum code arg_text(struct river_call *call, size_t i, struct slice *out);
MUST_USE enum code arg_bool(struct river_call *call, size_t i, bool *out);
MUST_USE enum code arg_array(struct river_call *call, size_t i);
/* Element k of array argument i as a string. */
MUST_USE enum code arg_item_text(struct river_call *call, size_t i, size_t k, struct slice *out);
/* A string in ctx's arena made by the function; NOMEM reported. */
MUST_USE enum code call_result_text(struct river_call *call, struct buf *text, struct value *out);
enum code call_no_memory(struct river_call *call);

/* Texts of values as strings want them: number, null, optional secret. False: v has no such text. */
MUST_USE enum code value_text(struct arena *arena, const struct value *v, struct slice *out, bool *is_text);
#endif
