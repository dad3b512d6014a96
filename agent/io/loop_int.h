/* agent/io/loop_int.h - inside agent/io: how loops and timers are made, for real time (loop.c) and virtual time
 * (loop_virtual.c). */
#ifndef AGENT_IO_LOOP_INT_H
#define AGENT_IO_LOOP_INT_H
#include "agent/base/clock.h"
#include "agent/io/loop.h"
#include <pthread.h>
#include <uv.h>

struct post {
    loop_fn fn;
    void *arg;
};

struct posts {
    struct post *at; /* owned */
    size_t len, cap;
};

struct loop {
    uv_loop_t uv; /* of real time only, as wake */
    uv_async_t wake;
    pthread_mutex_t lock;
    struct posts incoming; /* under lock */
    struct posts running;  /* the loop's own: what it took from incoming */
    struct loops *owner;
    unsigned index;
    pthread_t thread;
    bool has_thread;
};

struct virtual_time {
    struct clock clock;
    int64_t wall_ns, mono_ns;
    struct list timers; /* started ones: the next to run first, of equal ones the one started first */
};

struct loops {
    struct loop *workers; /* n of them; owned */
    struct loop control;
    unsigned n;
    struct virtual_time *time; /* owned; NULL: real time */
};

struct timer {
    uv_timer_t uv; /* its data is the timer; real time only */
    loop_fn fn;
    void *arg;
    struct loop *loop;
    struct list link; /* virtual time only, as the next two: in its timers while started */
    int64_t due_ns;   /* of the monotonic clock */
    int64_t repeat_ns;
};

/* Runs what was posted so far, as this loop; false: nothing was. */
bool loop_run_posts(struct loop *l);
/* What loop_current says from now on, on this thread. */
void loop_set_current(struct loop *l);

/* loop_virtual.c */
struct virtual_time *virtual_time_new(int64_t wall_ns);
void virtual_timer_start(struct timer *t, uint64_t after_ms, uint64_t repeat_ms);
#endif
