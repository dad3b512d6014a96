/* agent/delivery/driver.h - the real environment of an endpoint: agent/io's loops and clients. */
#ifndef AGENT_DELIVERY_DRIVER_H
#define AGENT_DELIVERY_DRIVER_H
#include "agent/delivery/env.h"
#include "agent/io/loop.h"

/* clock NULL: the system's. transport is moved in. The env is freed with its endpoint. */
void driver_env(struct delivery_env *out, struct loop *owner, const struct clock *clock, struct transport transport);
#endif
