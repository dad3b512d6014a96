/* Draining and closing many components: those above before those below, because what a component lets go of goes down.
 */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/runtime_int.h"

struct steps {
    struct runtime *rt;
    enum steps_kind kind;
    struct host **hosts; /* highest first */
    size_t n, next;
    size_t n_waiting;
    struct host **level; /* those of the present level that are waited for */
    size_t n_level;
    int64_t middle_at_ms, total_at_ms;
    struct timer *timer;
    bool is_complete;
    void (*done)(void *arg, bool is_complete);
    void *arg;
};

enum { CLOSE_RETRY_MS = 5 };

static void next_level(struct steps *s);

static void answered(struct steps *s)
{
    if (--s->n_waiting == 0)
        next_level(s);
}

/* May come late, even after its host is gone: what was drained can belong to the successor by then. */
static void drained(void *arg)
{
    struct drain_wait *w = arg;
    struct steps *s = w->of;

    if (w->host != NULL)
        w->host->drain_wait = NULL;
    list_remove(&w->link);
    mem_free(w);
    if (s != NULL)
        answered(s);
}

static void begin_drain(struct steps *s, struct host *h)
{
    struct drain_wait *w;

    if (h->self == NULL || !h->is_started || h->type->drain == NULL || h->drain_wait != NULL)
        return;
    w = mem_zalloc(sizeof *w);
    *w = (struct drain_wait){.host = h, .of = s};
    list_add_tail(&h->rt->drain_waits, &w->link);
    h->drain_wait = w;
    s->level[s->n_level++] = h;
    s->n_waiting++;
    h->type->drain(h->self, drained, w);
}

/* Nobody waits for it any more. */
static void forget_drain(struct host *h)
{
    if (h->drain_wait == NULL)
        return;
    h->drain_wait->host = NULL;
    h->drain_wait->of = NULL;
    h->drain_wait = NULL;
}

static void free_host(void *arg)
{
    host_free(arg);
}

static void closed(void *arg)
{
    struct host_step *step = arg;
    struct host *h = step->host;
    struct steps *s = step->of;

    step->of = NULL;
    host_remove(h);
    pthread_mutex_lock(&h->rt->lock);
    h->self = NULL;
    pthread_mutex_unlock(&h->rt->lock);
    forget_drain(h);
    if (s != NULL)
        for (size_t i = 0; i < s->n_level; i++)
            if (s->level[i] == h)
                s->level[i] = NULL;
    h->rt->n_closing--;
    runtime_barrier(h->rt, free_host, h);
    if (s != NULL)
        answered(s);
}

static void close_unused(void *arg)
{
    struct host *h = arg;

    if (atomic_load(&h->users) != 0) {
        timer_start(h->close_timer, CLOSE_RETRY_MS, 0);
        return;
    }
    timer_free(h->close_timer);
    h->close_timer = NULL;
    if (h->self == NULL)
        closed(&h->close_step);
    else
        h->type->close(h->self, closed, &h->close_step);
}

static void begin_close(struct steps *s, struct host *h)
{
    h->close_step.of = s;
    s->level[s->n_level++] = h;
    s->n_waiting++;
    pthread_mutex_lock(&h->rt->lock);
    h->is_closing = true;
    pthread_mutex_unlock(&h->rt->lock);
    h->rt->n_closing++;
    h->close_timer = timer_new(loops_control(h->rt->options.loops), close_unused, h);
    close_unused(h);
}

/* The time is over: whoever has not answered is not waited for any more. */
static void out_of_time(void *arg)
{
    struct steps *s = arg;

    for (size_t i = 0; i < s->n_level; i++) {
        struct host *h = s->level[i];

        if (h == NULL)
            continue;
        if (s->kind == STEPS_DRAIN && h->drain_wait != NULL && h->drain_wait->of == s) {
            h->drain_wait->of = NULL;
        } else if (s->kind == STEPS_CLOSE && h->close_step.of == s) {
            h->close_step.of = NULL;
            log_warn(h->id, "component takes long to close");
        } else {
            continue;
        }
        s->is_complete = false;
        s->n_waiting--;
    }
    if (s->n_waiting == 0)
        next_level(s);
}

static void finish(struct steps *s)
{
    void (*done)(void *, bool) = s->done;
    void *arg = s->arg;
    bool is_complete = s->is_complete;

    timer_free(s->timer);
    mem_free(s->level);
    mem_free(s->hosts);
    mem_free(s);
    done(arg, is_complete);
}

static int64_t mono_ms(const struct runtime *rt)
{
    return clock_mono_ns(rt->options.clock) / NS_PER_MS;
}

static void next_level(struct steps *s)
{
    unsigned height;
    int64_t left_ms;

    if (s->next == s->n) {
        finish(s);
        return;
    }
    height = s->hosts[s->next]->height;
    left_ms = (height > 0 ? s->middle_at_ms : s->total_at_ms) - mono_ms(s->rt);
    s->n_level = 0;
    s->n_waiting = 1; /* this function: answers may come at once */
    timer_start(s->timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
    while (s->next < s->n && s->hosts[s->next]->height == height)
        (s->kind == STEPS_DRAIN ? begin_drain : begin_close)(s, s->hosts[s->next++]);
    answered(s);
}

void steps_run(struct runtime *rt, enum steps_kind kind, struct host *const *hosts, size_t n, int64_t middle_ms,
               int64_t total_ms, void (*done)(void *arg, bool is_complete), void *arg)
{
    struct steps *s = mem_zalloc(sizeof *s);
    int64_t now_ms = mono_ms(rt);

    *s = (struct steps){.rt = rt, .kind = kind, .n = n, .done = done, .arg = arg, .is_complete = true};
    s->hosts = mem_array(n + 1, sizeof(struct host *));
    s->level = mem_array(n + 1, sizeof(struct host *));
    s->middle_at_ms = now_ms + middle_ms;
    s->total_at_ms = now_ms + total_ms;
    s->timer = timer_new(loops_control(rt->options.loops), out_of_time, s);
    for (size_t i = 0; i < n; i++) { /* by insertion: there are few */
        size_t at = i;

        while (at > 0 && s->hosts[at - 1]->height < hosts[i]->height) {
            s->hosts[at] = s->hosts[at - 1];
            at--;
        }
        s->hosts[at] = hosts[i];
    }
    next_level(s);
}
