/* agent/io/signals.h - SIGHUP, SIGTERM, SIGINT delivered as calls on the control loop; SIGPIPE ignored. Messages to the
 * service manager without libsystemd (sd_notify(3): datagrams to $NOTIFY_SOCKET). */
#ifndef AGENT_IO_SIGNALS_H
#define AGENT_IO_SIGNALS_H
#include "agent/base/error.h"

struct loops;
struct signals;

typedef void (*signal_fn)(void *arg, int signum);

/* Before loops_run or on the control loop. */
MUST_USE enum code signals_new(struct signals **out, struct loops *loops, signal_fn fn, void *arg, struct error *err);
void signals_free(struct signals *s); /* NULL is fine; on the control loop, or after loops_run returned */

/* "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...", "STATUS=...". Without $NOTIFY_SOCKET: OK, does nothing.
 */
MUST_USE enum code sd_notify_send(const char *state, struct error *err);
#endif
