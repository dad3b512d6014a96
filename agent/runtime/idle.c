#include "agent/runtime/idle.h"

enum code idle_create(void **out, struct host *host, const void *args, struct error *err)
{
    (void)args;
    (void)err;
    *out = host;
    return OK;
}

enum code idle_update(void *self, const void *args, struct error *err)
{
    (void)self;
    (void)args;
    (void)err;
    return OK;
}

void idle_close(void *self, loop_fn done, void *arg)
{
    (void)self;
    done(arg);
}
