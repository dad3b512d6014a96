#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/delivery/endpoint_int.h"

static void schedule_and_unref(struct endpoint *e)
{
    endpoint_schedule(e);
    endpoint_unref(e);
}

/* ---- flush ---- */

struct flush_start {
    struct endpoint *endpoint;
    struct flush_wait *wait;
    int64_t deadline_ms;
};

static void end_flushes(struct endpoint *e, int64_t now_ms, bool is_all)
{
    bool is_empty = atomic_load(&e->queued) == 0;

    LIST_EACH_SAFE (it, &e->flushes) {
        struct flush_wait *wait = CONTAINER_OF(it, struct flush_wait, node);

        if (!is_all && !is_empty && now_ms < wait->until_ms)
            continue;
        list_remove(it);
        wait->done(wait->arg);
        mem_free(wait);
    }
}

/* What waits only for its backoff is tried at once. */
static void forget_backoff(struct endpoint *e, int64_t now_ms)
{
    unsigned n = atomic_load_explicit(&e->n_queues, memory_order_acquire);

    for (unsigned i = 0; i < n; i++)
        LIST_EACH (it, &e->queues[i]->slots) {
            struct unit *u = CONTAINER_OF(it, struct unit, node);

            if (u->handle == NULL && !u->is_far_wait && u->due_ms > now_ms)
                u->due_ms = now_ms;
        }
}

static void start_flush(void *arg)
{
    struct flush_start *start = arg;
    struct endpoint *e = start->endpoint;
    int64_t now_ms = env_mono_ms(&e->env);

    start->wait->until_ms = now_ms + start->deadline_ms;
    list_add_tail(&e->flushes, &start->wait->node);
    mem_free(start);
    if (e->is_closed) {
        end_flushes(e, now_ms, true);
    } else {
        endpoint_cut_all(e, false);
        forget_backoff(e, now_ms);
    }
    schedule_and_unref(e);
}

void endpoint_flush(struct endpoint *e, int64_t deadline_ms, void (*done)(void *arg), void *arg)
{
    struct flush_start *start = mem_zalloc(sizeof *start);

    start->endpoint = e;
    start->deadline_ms = deadline_ms;
    start->wait = mem_zalloc(sizeof *start->wait);
    start->wait->done = done;
    start->wait->arg = arg;
    atomic_fetch_add(&e->refs, 1);
    e->env.post(e->env.self, start_flush, start);
}

/* ---- taking everything out: hand-over and close ---- */

static struct record *take_out(struct unit *u)
{
    struct endpoint *e = u->queue->endpoint;
    struct record *r = u->record;

    if (u->handle != NULL) {
        e->env.transport.cancel(e->env.transport.self, u->handle);
        e->in_flight--;
    }
    list_remove(&u->node);
    u->record = NULL;
    unit_free(u);
    return r;
}

static void take_units(struct list *units, struct list *out)
{
    while (!list_is_empty(units)) {
        struct record *r = take_out(CONTAINER_OF(units->next, struct unit, node));

        list_add_tail(out, &r->node);
    }
}

static void take_records(struct list *records, struct list *out)
{
    LIST_EACH_SAFE (it, records) {
        list_remove(it);
        list_add_tail(out, it);
    }
}

/* Everything of this endpoint, queue after queue, each in order; the open records too. */
static void take_all(struct endpoint *e, struct list *out)
{
    unsigned n = atomic_load_explicit(&e->n_queues, memory_order_acquire);

    endpoint_cut_all(e, false);
    for (unsigned i = 0; i < n; i++) {
        struct endpoint_queue *q = e->queues[i];

        take_units(&q->slots, out);
        q->n_slots = 0;
        take_units(&q->pieces, out);
        take_records(&q->ready, out);
        take_records(&q->early, out);
        atomic_store(&q->is_busy, false);
    }
    atomic_store(&e->records, 0);
}

static void abandon(struct endpoint *e, struct list *records)
{
    int64_t n_items = 0;

    LIST_EACH_SAFE (it, records) {
        struct record *r = CONTAINER_OF(it, struct record, node);
        struct endpoint_queue *q = r->queue;

        n_items += r->n_items;
        list_remove(it);
        queue_drop_record(q, r, SETTLED_ABANDONED, DROP_SHUTDOWN, NULL);
    }
    if (n_items != 0)
        log_warn(e->cfg.component, "could not be sent before shutdown, counted as dropped",
                 log_str("endpoint", e->cfg.id), log_int("items", n_items),
                 log_str("reason", drop_reason_name(DROP_SHUTDOWN)));
}

static void close_now(struct endpoint *e)
{
    struct list records;

    list_init(&records);
    take_all(e, &records);
    e->is_closed = true;
    endpoint_stop_timer(e);
    abandon(e, &records);
    end_flushes(e, 0, true);
    pthread_mutex_lock(&e->gate_lock);
    if (e->is_gate_closed) {
        e->is_gate_closed = false;
        gate_open(e->cfg.gate);
    }
    pthread_mutex_unlock(&e->gate_lock);
    endpoint_unref(e); /* the owner's */
}

struct close_start {
    struct endpoint *endpoint;
    void (*done)(void *arg);
    void *arg;
};

static void start_close(void *arg)
{
    struct close_start *start = arg;
    struct endpoint *e = start->endpoint;

    e->is_closing = true;
    e->closed = start->done;
    e->closed_arg = start->arg;
    mem_free(start);
    if (e->successor == NULL) /* else when the hand-over is done */
        close_now(e);
}

void endpoint_close(struct endpoint *e, void (*done)(void *arg), void *arg)
{
    struct close_start *start = mem_zalloc(sizeof *start);

    *start = (struct close_start){e, done, arg};
    e->env.post(e->env.self, start_close, start);
}

/* ---- hand-over ---- */

struct handover {
    struct endpoint *old, *successor;
    struct list records;
};

/* The last one first, so that each goes to the front of its queue. */
static void adopt(void *arg)
{
    struct handover *h = arg;
    struct endpoint *e = h->successor;

    LIST_EACH (it, &h->records) {
        struct record *r = CONTAINER_OF(it, struct record, node);

        r->queue = endpoint_queue_of(e, r->tenant, r->partition);
    }
    if (e->is_closed)
        abandon(e, &h->records);
    while (!list_is_empty(&h->records)) {
        struct record *r = CONTAINER_OF(h->records.prev, struct record, node);
        struct endpoint_queue *q = r->queue;

        list_remove(&r->node);
        if (r->payload == NULL) { /* there had been no memory to compress it */
            queue_drop_record(q, r, SETTLED_DROPPED, DROP_MEMORY, NULL);
            continue;
        }
        list_add_head(&q->ready, &r->node);
        atomic_fetch_add_explicit(&e->records, 1, memory_order_relaxed);
        atomic_store(&q->is_busy, true);
    }
    mem_free(h);
    atomic_store(&e->is_held, false);
    endpoint_arm(e);
    endpoint_unref(e);
}

static void hand_over(struct endpoint *e)
{
    struct handover *h = mem_zalloc(sizeof *h);

    h->successor = e->successor;
    e->successor = NULL;
    list_init(&h->records);
    take_all(e, &h->records);
    LIST_EACH (it, &h->records)
        books_move(e, h->successor, CONTAINER_OF(it, struct record, node));
    endpoint_stop_timer(e);
    books_gate(e);
    h->successor->env.post(h->successor->env.self, adopt, h);
    if (e->is_closing)
        close_now(e);
}

static void start_handover(void *arg)
{
    struct handover *h = arg;
    struct endpoint *e = h->old;

    e->successor = h->successor;
    e->handover_ms = env_mono_ms(&e->env) + HANDOVER_MS;
    mem_free(h);
    schedule_and_unref(e);
}

void endpoint_succeed(struct endpoint *successor, struct endpoint *old)
{
    struct handover *h = mem_zalloc(sizeof *h);

    atomic_store(&successor->is_held, true);
    atomic_fetch_add(&successor->refs, 1);
    atomic_fetch_add(&old->refs, 1);
    h->old = old;
    h->successor = successor;
    old->env.post(old->env.self, start_handover, h);
}

/* ---- what ends by time or by being empty ---- */

int64_t endpoint_next_end_ms(const struct endpoint *e)
{
    int64_t due = e->successor != NULL ? e->handover_ms : INT64_MAX;

    LIST_EACH (it, &e->flushes) {
        const struct flush_wait *wait = CONTAINER_OF(it, struct flush_wait, node);

        due = wait->until_ms < due ? wait->until_ms : due;
    }
    return due;
}

void endpoint_check_ends(struct endpoint *e, int64_t now_ms)
{
    end_flushes(e, now_ms, false);
    if (e->successor != NULL && (e->in_flight == 0 || now_ms >= e->handover_ms))
        hand_over(e);
}
