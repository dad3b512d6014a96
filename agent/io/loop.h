/* agent/io/loop.h - worker loops (libuv). All pipeline code runs on them; N = cores by default, plus one control loop
 * (configuration, discovery, admin) that never pushes telemetry. A timer, file or connection belongs to one loop and is
 * touched only there. Only loop_post and loops_barrier may be called from other threads. */
#ifndef AGENT_IO_LOOP_H
#define AGENT_IO_LOOP_H
#include "agent/base/error.h"
#include "agent/base/list.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loops;

typedef void (*loop_fn)(void *arg);

/* Starts n worker threads and makes the control loop (run by the caller through loops_run). n 0: one per core. */
MUST_USE enum code loops_new(struct loops **out, unsigned n, struct error *err);
/* Runs the control loop on this thread until loops_stop. */
void loops_run(struct loops *loops);
void loops_stop(struct loops *loops); /* from any thread */
/* After loops_run returned: ends the worker threads once what is posted has run, frees all. NULL is fine. */
void loops_free(struct loops *loops);
unsigned loops_count(const struct loops *loops);
struct loop *loops_worker(struct loops *loops, unsigned i); /* i is taken modulo the count */
struct loop *loops_control(struct loops *loops);

/* Runs fn(arg) on the loop: in order of posting, after the present callback. Never fails, never runs fn inline. */
void loop_post(struct loop *loop, loop_fn fn, void *arg);
struct loop *loop_current(void);           /* the loop of this thread, or NULL */
unsigned loop_index(const struct loop *l); /* 0..N-1; N for the control loop */
int64_t loop_now_ms(struct loop *loop);    /* monotonic, cached per iteration */
/* Runs done(arg) on the control loop once every worker has passed an idle point: what was unlinked before the call is
 * then unseen by any loop and may be freed. */
void loops_barrier(struct loops *loops, loop_fn done, void *arg);

/* Timers: on their own loop only. */
struct timer;
struct timer *timer_new(struct loop *loop, loop_fn fn, void *arg);
void timer_start(struct timer *t, uint64_t after_ms, uint64_t repeat_ms); /* restarts; repeat 0: once */
void timer_stop(struct timer *t);
void timer_free(struct timer *t); /* NULL is fine; fn does not run again */

/* -- virtual time, for pipeline tests and dry runs ------------------------------------------------------------------
 * Loops without threads and descriptors: n workers and the control loop all run on the caller's thread, inside
 * loops_turn and loops_pass. The clock stands still while anything is posted and then jumps to the next timer.
 * poll_new answers IO there. loops_free frees them as others; loops_run is not for them. */
struct clock;
struct loops *loops_new_virtual(unsigned n, int64_t wall_ns);
const struct clock *loops_clock(const struct loops *loops);
/* Runs all that is posted; then the next timer due until then (loops_clock's monotonic ns), its time having come.
 * False: there is none, nothing is left to do until then. */
bool loops_turn(struct loops *loops, int64_t until_ns);
/* Lets ns pass (0: only what is posted and due). FULL: more than LIMIT_VIRTUAL_TIMERS ran, the clock stands where it
 * came to. */
MUST_USE enum code loops_pass(struct loops *loops, int64_t ns, struct error *err);

/* Readiness of a descriptor (inotify, sockets): fn(arg) when it can be read. On the loop only. */
struct poll_handle;
MUST_USE enum code poll_new(struct poll_handle **out, struct loop *loop, int fd, loop_fn fn, void *arg,
                            struct error *err);
void poll_free(struct poll_handle *p); /* does not close fd */
/* For agent/io itself: the uv_loop_t. */
void *loop_uv(struct loop *loop);
#endif
