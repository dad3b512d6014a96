/* agent/runtime/idle.h - what the runtime calls of a block whose arguments are read by somebody else, or by nobody: it
 * runs nothing of its own. */
#ifndef AGENT_RUNTIME_IDLE_H
#define AGENT_RUNTIME_IDLE_H
#include "agent/runtime/component.h"

enum code idle_create(void **out, struct host *host, const void *args, struct error *err);
enum code idle_update(void *self, const void *args, struct error *err);
void idle_close(void *self, loop_fn done, void *arg);
#endif
