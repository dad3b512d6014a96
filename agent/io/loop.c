#include "agent/io/loop.h"
#include "agent/base/mem.h"
#include "agent/io/loop_int.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

struct barrier {
    atomic_uint left;
    struct loops *loops;
    loop_fn done;
    void *arg;
};

struct poll_handle {
    uv_poll_t uv;
    loop_fn fn;
    void *arg;
};

static _Thread_local struct loop *current;

/* Runs what was posted so far; what is posted meanwhile waits for the next turn, so that I/O gets its share. */
bool loop_run_posts(struct loop *l)
{
    struct posts taken;

    pthread_mutex_lock(&l->lock);
    taken = l->incoming;
    l->incoming = l->running;
    l->incoming.len = 0;
    l->running = taken;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->running.len; i++)
        l->running.at[i].fn(l->running.at[i].arg);
    return taken.len != 0;
}

static void on_wake(uv_async_t *wake)
{
    loop_run_posts(wake->data);
}

void loop_post(struct loop *l, loop_fn fn, void *arg)
{
    bool was_empty;

    pthread_mutex_lock(&l->lock);
    was_empty = l->incoming.len == 0;
    if (l->incoming.len == l->incoming.cap) {
        l->incoming.cap = l->incoming.cap == 0 ? 64 : l->incoming.cap * 2;
        l->incoming.at = mem_realloc(l->incoming.at, l->incoming.cap * sizeof *l->incoming.at);
    }
    l->incoming.at[l->incoming.len++] = (struct post){fn, arg};
    if (was_empty && l->owner->time == NULL) /* under the lock: the loop cannot be freed between */
        uv_async_send(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

static enum code loop_init(struct loop *l, struct loops *owner, unsigned index, struct error *err)
{
    int rc;

    l->owner = owner;
    l->index = index;
    pthread_mutex_init(&l->lock, NULL);
    if (owner->time != NULL)
        return OK;
    rc = uv_loop_init(&l->uv);
    if (rc != 0)
        return error_set(err, IO, "cannot make an event loop: %s", uv_strerror(rc));
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc != 0) {
        uv_loop_close(&l->uv);
        return error_set(err, IO, "cannot make an event loop: %s", uv_strerror(rc));
    }
    l->wake.data = l;
    return OK;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Its thread has ended: everything here is the caller's. */
static void loop_release(struct loop *l)
{
    if (l->owner->time == NULL) {
        current = l;
        uv_walk(&l->uv, close_handle, NULL);
        while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
            ;
        BUG_ON(uv_loop_close(&l->uv) != 0);
        current = NULL;
    }
    pthread_mutex_destroy(&l->lock);
    mem_free(l->incoming.at);
    mem_free(l->running.at);
}

static void *run_worker(void *arg)
{
    struct loop *l = arg;
    char name[16];

    snprintf(name, sizeof name, "loop %u", l->index % 1000);
    pthread_setname_np(pthread_self(), name);
    current = l;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    current = NULL;
    return NULL;
}

static void stop_loop(void *arg)
{
    struct loop *l = arg;

    uv_stop(&l->uv);
}

static enum code start_thread(struct loop *l, struct error *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all); /* signals are the control loop's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&l->thread, NULL, run_worker, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_set(err, IO, "cannot start a thread: %s", uv_strerror(-rc));
    l->has_thread = true;
    return OK;
}

/* Loops without threads: n workers and the control loop. */
static enum code init_all(struct loops *loops, unsigned n, struct error *err)
{
    enum code rc;

    loops->workers = mem_array(n, sizeof *loops->workers);
    rc = loop_init(&loops->control, loops, n, err);
    if (rc != OK)
        return rc;
    for (unsigned i = 0; i < n && rc == OK; i++) {
        rc = loop_init(&loops->workers[i], loops, i, err);
        if (rc == OK)
            loops->n++;
    }
    if (rc != OK && loops->n == 0)
        loop_release(&loops->control);
    return rc;
}

enum code loops_new(struct loops **out, unsigned n, struct error *err)
{
    struct loops *loops = mem_zalloc(sizeof *loops);
    enum code rc;

    *out = NULL;
    if (n == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        n = cores > 0 && cores < 1024 ? (unsigned)cores : 1;
    }
    rc = init_all(loops, n, err);
    if (rc != OK && loops->n == 0) { /* not even a control loop is left */
        mem_free(loops->workers);
        mem_free(loops);
        return rc;
    }
    for (unsigned i = 0; i < n && rc == OK; i++)
        rc = start_thread(&loops->workers[i], err);
    if (rc != OK) {
        loops_free(loops);
        return rc;
    }
    *out = loops;
    return OK;
}

struct loops *loops_new_virtual(unsigned n, int64_t wall_ns)
{
    struct loops *loops = mem_zalloc(sizeof *loops);

    BUG_ON(n == 0);
    loops->time = virtual_time_new(wall_ns);
    BUG_ON(init_all(loops, n, NULL) != OK); /* nothing of it can fail */
    return loops;
}

void loops_run(struct loops *loops)
{
    current = &loops->control;
    uv_run(&loops->control.uv, UV_RUN_DEFAULT);
    current = NULL;
}

void loops_stop(struct loops *loops)
{
    loop_post(&loops->control, stop_loop, &loops->control);
}

static bool run_left_posts(struct loop *l)
{
    bool ran;

    current = l;
    ran = loop_run_posts(l);
    current = NULL;
    return ran;
}

void loops_free(struct loops *loops)
{
    bool ran = true;

    if (loops == NULL)
        return;
    for (unsigned i = 0; i < loops->n; i++)
        if (loops->workers[i].has_thread)
            loop_post(&loops->workers[i], stop_loop, &loops->workers[i]);
    for (unsigned i = 0; i < loops->n; i++)
        if (loops->workers[i].has_thread)
            pthread_join(loops->workers[i].thread, NULL);
    /* What was posted to a loop after it had stopped (completions that travel back) runs here, in turn. */
    while (ran) {
        ran = run_left_posts(&loops->control);
        for (unsigned i = 0; i < loops->n; i++)
            ran = run_left_posts(&loops->workers[i]) || ran;
    }
    for (unsigned i = 0; i < loops->n; i++)
        loop_release(&loops->workers[i]);
    loop_release(&loops->control);
    mem_free(loops->workers);
    mem_free(loops->time);
    mem_free(loops);
}

unsigned loops_count(const struct loops *loops)
{
    return loops->n;
}

struct loop *loops_worker(struct loops *loops, unsigned i)
{
    return &loops->workers[i % loops->n];
}

struct loop *loops_control(struct loops *loops)
{
    return &loops->control;
}

struct loop *loop_current(void)
{
    return current;
}

void loop_set_current(struct loop *l)
{
    current = l;
}

unsigned loop_index(const struct loop *l)
{
    return l->index;
}

int64_t loop_now_ms(struct loop *loop)
{
    if (loop->owner->time != NULL)
        return loop->owner->time->mono_ns / NS_PER_MS;
    return (int64_t)uv_now(&loop->uv);
}

void *loop_uv(struct loop *loop)
{
    BUG_ON(loop->owner->time != NULL); /* nothing from outside comes in there */
    return &loop->uv;
}

static void pass_barrier(void *arg)
{
    struct barrier *b = arg;

    if (atomic_fetch_sub_explicit(&b->left, 1, memory_order_acq_rel) != 1)
        return;
    loop_post(&b->loops->control, b->done, b->arg);
    mem_free(b);
}

void loops_barrier(struct loops *loops, loop_fn done, void *arg)
{
    struct barrier *b = mem_alloc(sizeof *b);

    *b = (struct barrier){.left = loops->n, .loops = loops, .done = done, .arg = arg};
    for (unsigned i = 0; i < loops->n; i++)
        loop_post(&loops->workers[i], pass_barrier, b);
}

static void on_timer(uv_timer_t *handle)
{
    struct timer *t = handle->data;

    t->fn(t->arg);
}

struct timer *timer_new(struct loop *loop, loop_fn fn, void *arg)
{
    struct timer *t = mem_zalloc(sizeof *t);

    t->fn = fn;
    t->arg = arg;
    t->loop = loop;
    list_init(&t->link);
    if (loop->owner->time != NULL)
        return t;
    uv_timer_init(&loop->uv, &t->uv);
    t->uv.data = t;
    return t;
}

void timer_start(struct timer *t, uint64_t after_ms, uint64_t repeat_ms)
{
    if (t->loop->owner->time != NULL) {
        virtual_timer_start(t, after_ms, repeat_ms);
        return;
    }
    uv_update_time(t->uv.loop); /* the callback we are in may have taken long */
    uv_timer_start(&t->uv, on_timer, after_ms, repeat_ms);
}

void timer_stop(struct timer *t)
{
    if (t->loop->owner->time != NULL)
        list_remove(&t->link);
    else
        uv_timer_stop(&t->uv);
}

static void free_timer(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    if (t->loop->owner->time == NULL) {
        uv_close((uv_handle_t *)&t->uv, free_timer);
        return;
    }
    list_remove(&t->link);
    mem_free(t);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct poll_handle *p = handle->data;

    (void)status; /* an error shows when fn reads */
    (void)events;
    p->fn(p->arg);
}

enum code poll_new(struct poll_handle **out, struct loop *loop, int fd, loop_fn fn, void *arg, struct error *err)
{
    struct poll_handle *p;
    int rc;

    *out = NULL;
    if (loop->owner->time != NULL)
        return error_set(err, IO, "cannot wait for descriptor %d: in virtual time nothing comes from outside", fd);
    p = mem_zalloc(sizeof *p);
    rc = uv_poll_init(&loop->uv, &p->uv, fd);
    if (rc != 0) {
        mem_free(p);
        return error_set(err, IO, "cannot wait for descriptor %d: %s", fd, uv_strerror(rc));
    }
    p->uv.data = p;
    p->fn = fn;
    p->arg = arg;
    rc = uv_poll_start(&p->uv, UV_READABLE | UV_DISCONNECT, on_readable);
    if (rc != 0) {
        poll_free(p);
        return error_set(err, IO, "cannot wait for descriptor %d: %s", fd, uv_strerror(rc));
    }
    *out = p;
    return OK;
}

static void free_poll(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void poll_free(struct poll_handle *p)
{
    if (p != NULL)
        uv_close((uv_handle_t *)&p->uv, free_poll);
}
