#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/delivery/endpoint_int.h"

struct unit *unit_new(struct endpoint_queue *q, struct record *take)
{
    struct unit *u = mem_zalloc(sizeof *u);

    list_init(&u->node);
    u->queue = q;
    u->record = take;
    u->first_ms = env_mono_ms(&q->endpoint->env);
    buf_init(&u->body, LIMIT_BATCH_BYTES * 2);
    return u;
}

void unit_free(struct unit *u)
{
    if (u->search != NULL && --u->search->refs == 0)
        mem_free(u->search);
    record_free(u->record);
    buf_release(&u->body);
    mem_free(u);
}

static bool waits_behind(const struct endpoint_queue *q)
{
    return q->n_slots != 0 || !list_is_empty(&q->ready) || !list_is_empty(&q->pieces) || !list_is_empty(&q->early);
}

/* Cuts the open record when somebody waits for it and nothing stands before it, when its time is over, or in any case.
 */
static void cut_if(struct endpoint_queue *q, bool is_due, bool is_forced)
{
    struct list cut;
    struct record *r;

    list_init(&cut);
    pthread_mutex_lock(&q->lock);
    if (q->open != NULL && q->open->n_items != 0 && (is_forced || is_due || q->is_waited))
        queue_cut_open(q, &cut);
    pthread_mutex_unlock(&q->lock);
    if (list_is_empty(&cut))
        return;
    r = CONTAINER_OF(cut.next, struct record, node);
    list_remove(&r->node);
    record_finish(q->endpoint, r);
    queue_append(r);
}

static bool open_is_due(const struct endpoint_queue *q, int64_t now_ms)
{
    int64_t since = atomic_load(&q->open_since_ms);

    return since != 0 && now_ms - (since - 1) >= atomic_load(&q->endpoint->batch_wait_ms);
}

void endpoint_cut_all(struct endpoint *e, bool only_due)
{
    unsigned n = atomic_load_explicit(&e->n_queues, memory_order_acquire);
    int64_t now_ms = env_mono_ms(&e->env);

    for (unsigned i = 0; i < n; i++)
        if (!only_due || open_is_due(e->queues[i], now_ms))
            cut_if(e->queues[i], only_due, !only_due);
}

void queue_drop_record(struct endpoint_queue *q, struct record *take, enum outcome outcome, enum drop_reason reason,
                       const char *text)
{
    struct endpoint *e = q->endpoint;

    books_dropped(e, take, take->n_items, reason);
    books_bytes(e, take->charged, 0);
    record_spans_settle(&take->spans, 0, take->n_items, e->cfg.id, outcome, reason, text);
    record_free(take);
}

static struct record *first_record(const struct list *l)
{
    return list_is_empty(l) ? NULL : CONTAINER_OF(l->next, struct record, node);
}

static struct record *pop_ready(struct endpoint_queue *q)
{
    struct record *r = first_record(&q->ready);

    if (r != NULL) {
        list_remove(&r->node);
        atomic_fetch_sub_explicit(&q->endpoint->records, 1, memory_order_relaxed);
    }
    return r;
}

static bool is_too_old(const struct endpoint *e, const struct record *r)
{
    return e->cfg.max_age_ms > 0 && env_wall_ms(&e->env) - r->created_ms > e->cfg.max_age_ms;
}

static void prune_old(struct endpoint_queue *q)
{
    struct record *r;

    while ((r = first_record(&q->ready)) != NULL && is_too_old(q->endpoint, r))
        queue_drop_record(q, pop_ready(q), SETTLED_DROPPED, DROP_TOO_OLD, NULL);
}

/* ---- the cap: the oldest goes, wherever in this endpoint it waits ---- */

static void older_unit(const struct list *units, struct unit **oldest, struct record **best)
{
    LIST_EACH (it, units) {
        struct unit *u = CONTAINER_OF(it, struct unit, node);

        if (u->handle == NULL && (*best == NULL || u->record->created_ms < (*best)->created_ms)) {
            *oldest = u;
            *best = u->record;
        }
    }
}

static bool drop_oldest(struct endpoint *e)
{
    struct record *best = NULL;
    struct unit *unit = NULL;
    struct endpoint_queue *owner = NULL;
    unsigned n = atomic_load_explicit(&e->n_queues, memory_order_acquire);

    for (unsigned i = 0; i < n; i++) {
        struct endpoint_queue *q = e->queues[i];
        struct record *before = best, *r = first_record(&q->ready);

        older_unit(&q->slots, &unit, &best);
        older_unit(&q->pieces, &unit, &best);
        if (r != NULL && (best == NULL || r->created_ms < best->created_ms)) {
            best = r;
            unit = NULL;
        }
        if (best != before)
            owner = q;
    }
    if (best == NULL)
        return false;
    if (unit == NULL) {
        best = pop_ready(owner);
    } else {
        unit->record = NULL;
        queue_release(owner, unit);
    }
    queue_drop_record(owner, best, SETTLED_DROPPED, DROP_QUEUE_FULL, NULL);
    return true;
}

static void enforce_cap(struct endpoint *e)
{
    unsigned times =
        e->cfg.on_full == ON_FULL_BLOCK ? 2 : 1; /* a closed gate stops intake, what is under way still comes */
    bool is_over = books_over_cap(e, times);

    while (books_over_cap(e, times) && drop_oldest(e))
        ;
    if (is_over)
        log_warn(e->cfg.component, "queue is full: dropping the oldest", log_str("endpoint", e->cfg.id),
                 log_int("queue_bytes", (int64_t)e->cfg.queue_bytes),
                 log_str("do", "see why the destination does not take it, or give the agent more memory"));
    books_gate(e);
}

/* ---- appending in order of number ---- */

static void append_ready(struct endpoint_queue *q, struct record *r)
{
    q->next_append++;
    if (r->payload == NULL) { /* there was no memory to compress it */
        queue_drop_record(q, r, SETTLED_DROPPED, DROP_MEMORY, NULL);
        return;
    }
    atomic_store(&q->is_busy, true);
    atomic_fetch_add_explicit(&q->endpoint->records, 1, memory_order_relaxed);
    list_add_tail(&q->ready, &r->node);
}

void queue_append(struct record *r)
{
    struct endpoint_queue *q = r->queue;
    struct list *at = &q->early;

    if (r->number != q->next_append) {
        while (at->prev != &q->early && CONTAINER_OF(at->prev, struct record, node)->number > r->number)
            at = at->prev;
        list_add_tail(at, &r->node); /* in front of at */
        return;
    }
    append_ready(q, r);
    while ((r = first_record(&q->early)) != NULL && r->number == q->next_append) {
        list_remove(&r->node);
        append_ready(q, r);
    }
}

void queue_add_posted(void *record)
{
    struct record *r = record;
    struct endpoint_queue *q = r->queue;
    struct endpoint *e = q->endpoint;

    if (e->is_closed) {
        queue_drop_record(q, r, SETTLED_ABANDONED, DROP_SHUTDOWN, NULL);
        return;
    }
    queue_append(r);
    enforce_cap(e);
    endpoint_schedule(e);
}

/* ---- sending ---- */

/* Frees u and its slot or place among the pieces. */
void queue_release(struct endpoint_queue *q, struct unit *u)
{
    bool had_slot = false;

    LIST_EACH (it, &q->slots)
        had_slot = had_slot || it == &u->node;
    list_remove(&u->node);
    if (had_slot)
        q->n_slots--;
    unit_free(u);
}

static void drop_unbuildable(struct endpoint_queue *q, struct unit *u, const char *why)
{
    struct endpoint *e = q->endpoint;
    struct record *r = u->record;

    log_error(e->cfg.component, "a request could not be made", log_str("endpoint", e->cfg.id), log_str("error", why));
    u->record = NULL;
    queue_release(q, u);
    queue_drop_record(q, r, SETTLED_DROPPED, DROP_MEMORY, why);
}

static bool send_unit(struct endpoint_queue *q, struct unit *u, int64_t now_ms)
{
    struct endpoint *e = q->endpoint;
    struct error err = {0};

    if (!u->is_built) {
        enum code rc = e->cfg.protocol->build(u->record, e->cfg.compression, e->cfg.compression_level,
                                              u->record->tenant, &u->body, &u->request, &err);
        if (rc != OK) {
            drop_unbuildable(q, u, err.text);
            return false;
        }
        u->request.timeout_ms = e->cfg.timeout_ms;
        u->is_built = true;
    }
    e->in_flight++;
    u->started_ms = now_ms;
    u->handle = e->env.transport.send(e->env.transport.self, &u->request, unit_answered, u);
    return true;
}

/* The next records of the queue as one request: neighbours that may be joined are. */
static struct unit *take_ready(struct endpoint_queue *q)
{
    struct endpoint *e = q->endpoint;
    const struct merge_limits limits = {atomic_load(&e->soft_bytes), atomic_load(&e->max_items)};
    struct record *r, *next;
    size_t charged;

    prune_old(q);
    r = pop_ready(q);
    if (r == NULL)
        return NULL;
    charged = r->charged;
    while ((next = first_record(&q->ready)) != NULL && e->cfg.protocol->merge(r, next, &limits) == OK) {
        charged += next->charged;
        record_free(pop_ready(q));
    }
    r->charged = record_charge(r);
    books_bytes(e, charged, r->charged);
    return unit_new(q, r);
}

static struct unit *due_in_backoff(const struct endpoint_queue *q, int64_t now_ms)
{
    LIST_EACH (it, &q->slots) {
        struct unit *u = CONTAINER_OF(it, struct unit, node);

        if (u->handle == NULL && u->due_ms <= now_ms)
            return u;
    }
    return NULL;
}

/* Starts one request of this queue; false when there is none to start now. */
static bool start_next(struct endpoint_queue *q, int64_t now_ms)
{
    struct unit *u = due_in_backoff(q, now_ms);

    if (u != NULL) {
        if (!is_too_old(q->endpoint, u->record))
            return send_unit(q, u, now_ms);
        struct record *r = u->record;

        u->record = NULL;
        queue_release(q, u);
        queue_drop_record(q, r, SETTLED_DROPPED, DROP_TOO_OLD, NULL);
        return start_next(q, now_ms);
    }
    if (q->n_slots >= q->endpoint->max_slots || now_ms < q->not_before_ms)
        return false;
    if (!list_is_empty(&q->pieces)) {
        u = CONTAINER_OF(q->pieces.next, struct unit, node);
        list_remove(&u->node);
    } else {
        u = take_ready(q);
    }
    if (u == NULL)
        return false;
    list_add_tail(&q->slots, &u->node);
    q->n_slots++;
    return send_unit(q, u, now_ms);
}

/* When this queue has to be looked at again without anything else happening. */
static int64_t next_due(const struct endpoint_queue *q)
{
    struct endpoint *e = q->endpoint;
    int64_t due = INT64_MAX, since = atomic_load(&q->open_since_ms);
    const struct record *r = first_record(&q->ready);

    if (since != 0)
        due = since - 1 + atomic_load(&e->batch_wait_ms);
    LIST_EACH (it, &q->slots) {
        const struct unit *u = CONTAINER_OF(it, struct unit, node);

        if (u->handle == NULL && u->due_ms < due)
            due = u->due_ms;
    }
    if ((r != NULL || !list_is_empty(&q->pieces)) && q->n_slots < e->max_slots && q->not_before_ms < due)
        due = q->not_before_ms;
    if (r != NULL && e->cfg.max_age_ms > 0) {
        int64_t old = env_mono_ms(&e->env) + r->created_ms + e->cfg.max_age_ms + 1 - env_wall_ms(&e->env);

        due = old < due ? old : due;
    }
    return due;
}

void endpoint_stop_timer(struct endpoint *e)
{
    if (e->timer != NULL)
        e->env.timer_stop(e->timer);
}

static void set_timer(struct endpoint *e, int64_t now_ms)
{
    unsigned n = atomic_load_explicit(&e->n_queues, memory_order_acquire);
    int64_t due = endpoint_next_end_ms(e);

    for (unsigned i = 0; i < n && e->successor == NULL; i++) {
        int64_t d = next_due(e->queues[i]);

        /* what only waits for a place among the requests in flight is started by the next answer */
        if (d <= now_ms && e->in_flight >= e->limit)
            continue;
        due = d < due ? d : due;
    }
    if (due == INT64_MAX) {
        endpoint_stop_timer(e);
        return;
    }
    if (e->timer == NULL)
        e->timer = e->env.timer_new(e->env.self, endpoint_arm, e);
    e->env.timer_start(e->timer, due > now_ms ? (uint64_t)(due - now_ms) : 0);
}

void endpoint_schedule(struct endpoint *e)
{
    unsigned n = atomic_load_explicit(&e->n_queues, memory_order_acquire);
    int64_t now_ms = env_mono_ms(&e->env);
    bool may_send = !e->is_closed && e->successor == NULL && !atomic_load(&e->is_held);

    if (e->is_closed)
        return;
    atomic_fetch_add(&e->refs, 1);
    for (unsigned i = 0; i < n; i++) {
        struct endpoint_queue *q = e->queues[(e->next_queue + i) % n];

        prune_old(q);
        while (may_send && e->in_flight < e->limit && start_next(q, now_ms))
            ;
        atomic_store(&q->is_busy, waits_behind(q));
        if (!waits_behind(q) && may_send) {
            cut_if(q, false, false);
            while (e->in_flight < e->limit && start_next(q, now_ms))
                ;
            atomic_store(&q->is_busy, waits_behind(q));
        }
    }
    e->next_queue++;
    books_gate(e);
    endpoint_check_ends(e, now_ms);
    if (!e->is_closed && (may_send || e->successor != NULL))
        set_timer(e, now_ms);
    endpoint_unref(e);
}

/* The timer, or a record was opened. */
void endpoint_arm(void *endpoint)
{
    struct endpoint *e = endpoint;

    if (e->is_closed)
        return;
    endpoint_cut_all(e, true);
    enforce_cap(e);
    endpoint_schedule(e);
}
