/* agent/io/listen.h - listening sockets for agent/io's own servers. */
#ifndef AGENT_IO_LISTEN_H
#define AGENT_IO_LISTEN_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdint.h>

/* Binds and listens at "host:port" (":port": all addresses of both families). *port is the actual one. IO: the address
 * cannot be had, named. */
MUST_USE enum code listen_open(int *fd, uint16_t *port, struct slice listen, struct error *err);
#endif
