/* agent/runtime/change.h - between change.c and runtime.c. */
#ifndef AGENT_RUNTIME_CHANGE_H
#define AGENT_RUNTIME_CHANGE_H
#include "agent/runtime/runtime_int.h"

/* Evaluates and decodes all of config with the exports of what runs (rt may be NULL). INVALID: see diags. */
MUST_USE enum code change_check(struct runtime *rt, struct config *config, enum stability stability,
                                struct diags *diags);
/* Metrics and state after a load, good or failed. */
void runtime_loaded(struct runtime *rt, const struct load_result *result);
void load_request_free(struct load_request *request);
/* Begins the stop that was asked for, once. True: nothing else may begin. */
bool runtime_stop_now(struct runtime *rt);
#endif
