/* agent/runtime/change.h - between change.c and runtime.c. */
#ifndef AGENT_RUNTIME_CHANGE_H
#define AGENT_RUNTIME_CHANGE_H
#include "agent/runtime/runtime_int.h"

struct hosts {
    struct host **items; /* owned array */
    size_t n, cap;
};

struct change {
    struct runtime *rt;
    struct load_request *request; /* owned; NULL: only an evaluation */
    struct config **previous;     /* owned: until the change is over */
    size_t n_previous;
    struct diags diags;
    struct load_result result;
    struct hosts retiring, fresh;
    struct admission **paused; /* owned references */
    size_t n_paused, cap_paused;
    bool is_full; /* all are evaluated, not only those whose needs changed */
    unsigned n_rounds;
};

/* Every component to its block of the new configuration, which the change takes over; those without one retire. */
void change_move_to(struct change *c, struct config *take_config);

/* --- change_expand.c --- */

/* change_load with what runs. On failure shape says what it depended on, too. */
MUST_USE enum code change_load_running(struct runtime *rt, const struct config_texts *texts, struct config **out,
                                       struct config_shape *shape, struct diags *diags);
/* Expands the kept texts again if what shapes them has changed. True: there is a new graph to walk. A failure leaves
 * the old one, says so in the log and makes the import or foreach unhealthy. */
bool change_expand(struct change *c);
/* What an earlier failure said about imports and foreach blocks is over. */
void change_modules_are_good(struct runtime *rt);

/* --- change_check.c --- */

/* config_load, and evaluates and decodes all of it with the exports of what runs (rt may be NULL). INVALID: everything
 * that is wrong is in diags, *out is NULL. */
MUST_USE enum code change_load(struct runtime *rt, struct config **out, const struct config_options *options,
                               const struct config_text *texts, size_t n, struct diags *diags);

/* --- runtime.c --- */

/* Metrics and state after a load, good or failed. */
void runtime_loaded(struct runtime *rt, const struct load_result *result);
void load_request_free(struct load_request *request);
/* Begins the stop that was asked for, once. True: nothing else may begin. */
bool runtime_stop_now(struct runtime *rt);
#endif
