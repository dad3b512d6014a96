#include "agent/delivery/endpoint.h"
#include "agent/base/hash.h"
#include "agent/base/mem.h"
#include "agent/delivery/endpoint_int.h"
#include "agent/io/codec.h"

enum { TENANT_KEY_BYTES = LIMIT_TENANT_BYTES + 1 };

static struct endpoint_queue *queue_new(struct endpoint *e, unsigned partition)
{
    struct endpoint_queue *q = mem_zalloc(sizeof *q);

    q->endpoint = e;
    q->partition = partition;
    pthread_mutex_init(&q->lock, NULL);
    buf_init(&q->buf, LIMIT_BATCH_BYTES + e->cfg.max_bytes);
    list_init(&q->ready);
    list_init(&q->early);
    list_init(&q->slots);
    list_init(&q->pieces);
    return q;
}

static void queue_free(struct endpoint_queue *q)
{
    record_free(q->open);
    buf_release(&q->buf);
    pthread_mutex_destroy(&q->lock);
    mem_free(q);
}

struct endpoint *endpoint_new(const struct endpoint_cfg *cfg, const struct delivery_env *env)
{
    struct endpoint *e = mem_zalloc(sizeof *e);

    e->cfg = *cfg;
    e->env = *env;
    e->cfg.component = mem_strdup(cfg->component);
    e->cfg.id = mem_strdup(cfg->id);
    if (e->cfg.max_bytes < e->cfg.batch_bytes)
        e->cfg.max_bytes = e->cfg.batch_bytes;
    if (e->cfg.max_in_flight == 0)
        e->cfg.max_in_flight = 1;
    if (e->cfg.gate != NULL)
        gate_ref(e->cfg.gate);
    e->max_slots = cfg->protocol->one_queue ? e->cfg.max_in_flight : 1;
    e->limit =
        e->cfg.max_in_flight < IN_FLIGHT_START || cfg->protocol->one_queue ? e->cfg.max_in_flight : IN_FLIGHT_START;
    atomic_init(&e->refs, 1);
    atomic_init(&e->batch_items, cfg->batch_items);
    atomic_init(&e->max_items, cfg->max_items);
    atomic_init(&e->soft_bytes, e->cfg.max_bytes);
    atomic_init(&e->batch_wait_ms, cfg->batch_wait_ms);
    pthread_mutex_init(&e->map_lock, NULL);
    pthread_mutex_init(&e->gate_lock, NULL);
    map_init(&e->tenants, 0);
    list_init(&e->flushes);
    books_init(e);
    return e;
}

void endpoint_unref(struct endpoint *e)
{
    unsigned n = atomic_load(&e->n_queues);

    if (atomic_fetch_sub(&e->refs, 1) != 1)
        return;
    for (unsigned i = 0; i < n; i++)
        queue_free(e->queues[i]);
    map_release(&e->tenants, mem_free);
    books_release(e);
    if (e->cfg.gate != NULL)
        gate_unref(e->cfg.gate);
    pthread_mutex_destroy(&e->map_lock);
    pthread_mutex_destroy(&e->gate_lock);
    e->env.timer_free(e->timer);
    if (e->env.transport.free != NULL)
        e->env.transport.free(e->env.transport.self);
    if (e->cfg.observer.free != NULL)
        e->cfg.observer.free(e->cfg.observer.ctx);
    if (e->closed != NULL)
        e->closed(e->closed_arg);
    if (e->env.free != NULL)
        e->env.free(e->env.self);
    mem_free((void *)(uintptr_t)e->cfg.component); /* copies of ours behind const */
    mem_free((void *)(uintptr_t)e->cfg.id);
    mem_free(e);
}

const char *endpoint_id(const struct endpoint *e)
{
    return e->cfg.id;
}

size_t endpoint_batch_bytes(const struct endpoint *e)
{
    size_t soft = atomic_load_explicit(&e->soft_bytes, memory_order_relaxed);

    return soft < e->cfg.batch_bytes ? soft : e->cfg.batch_bytes;
}

uint32_t endpoint_max_items(const struct endpoint *e)
{
    return atomic_load_explicit(&e->max_items, memory_order_relaxed);
}

void endpoint_hint(struct endpoint *e, uint32_t batch_items, int64_t batch_wait_ms, uint32_t max_items)
{
    uint32_t items = atomic_load(&e->batch_items), most = atomic_load(&e->max_items);
    int64_t wait_ms = atomic_load(&e->batch_wait_ms);

    if (batch_items != 0 && (items == 0 || batch_items < items))
        atomic_store(&e->batch_items, batch_items);
    if (batch_wait_ms != 0 && (wait_ms == 0 || batch_wait_ms < wait_ms))
        atomic_store(&e->batch_wait_ms, batch_wait_ms);
    if (max_items != 0 && (most == 0 || max_items < most))
        atomic_store(&e->max_items, max_items);
}

/* ---- queues ---- */

/* "t" and the tenant; "o" for those that share the last place. */
static struct tenant_queues *tenant_of(struct endpoint *e, struct slice tenant)
{
    char key[TENANT_KEY_BYTES + 1] = "t";
    struct slice name = SLICE_LIT("o");
    struct tenant_queues *t = NULL;

    if (tenant.len <= LIMIT_TENANT_BYTES) {
        if (tenant.len != 0)
            memcpy(key + 1, tenant.ptr, tenant.len);
        t = map_get(&e->tenants, slice_make(key, tenant.len + 1));
        if (t != NULL)
            return t;
        if (map_count(&e->tenants) < LIMIT_TENANT_QUEUES)
            name = slice_make(key, tenant.len + 1);
    }
    t = map_get(&e->tenants, name);
    if (t == NULL) {
        t = mem_zalloc(sizeof *t);
        BUG_ON(map_put(&e->tenants, name, t, NULL) != OK); /* bounded and small */
    }
    return t;
}

struct endpoint_queue *endpoint_queue_of(struct endpoint *e, struct slice tenant, unsigned partition)
{
    struct tenant_queues *t;
    struct endpoint_queue *q;
    unsigned n;

    pthread_mutex_lock(&e->map_lock);
    t = tenant_of(e, e->cfg.protocol->one_queue ? (struct slice){0} : tenant);
    q = t->partition[partition];
    if (q == NULL) {
        q = queue_new(e, partition);
        t->partition[partition] = q;
        n = atomic_load(&e->n_queues);
        BUG_ON(n >= QUEUES_MAX);
        e->queues[n] = q;
        atomic_store_explicit(&e->n_queues, n + 1, memory_order_release);
    }
    pthread_mutex_unlock(&e->map_lock);
    return q;
}

/* ---- the open record: under its queue's lock ---- */

void queue_cut_open(struct endpoint_queue *q, struct list *cut)
{
    struct record *r = q->open;

    q->open = NULL;
    q->is_waited = false;
    atomic_store(&q->open_since_ms, 0);
    if (r == NULL || r->n_items == 0) {
        record_free(r);
        buf_reset(&q->buf);
        return;
    }
    r->payload = buf_take(&q->buf, &r->payload_len);
    buf_init(&q->buf, LIMIT_BATCH_BYTES + q->endpoint->cfg.max_bytes);
    r->plain_len = r->payload_len;
    r->number = q->next_number++;
    r->queue = q;
    r->partition = q->partition;
    list_add_tail(cut, &r->node);
}

/* Puts a cut record into the form its endpoint sends. Without memory for that it goes on without a payload, so that the
 * numbers stay whole; its items are dropped where the queue takes it. */
void record_finish(struct endpoint *e, struct record *r)
{
    if (e->cfg.protocol->codec == RECORD_SNAPPY && r->codec == RECORD_PLAIN) {
        struct buf packed;

        buf_init(&packed, r->plain_len + r->plain_len / 2 + RECORD_OVERHEAD_BYTES);
        if (codec_compress(CODEC_SNAPPY, 0, slice_make(r->payload, r->payload_len), &packed, NULL) != OK) {
            buf_release(&packed);
            mem_free(r->payload);
            r->payload = NULL;
            r->payload_len = 0;
        } else {
            mem_free(r->payload);
            r->payload = buf_take(&packed, &r->payload_len);
        }
        r->codec = RECORD_SNAPPY;
    }
    r->charged = record_charge(r);
    books_bytes(e, r->plain_len, r->charged);
}

void endpoint_begin(struct endpoint *e, struct slice tenant, uint64_t affinity, unsigned kind, struct slice metadata,
                    struct record_writer *w)
{
    unsigned partition = e->cfg.protocol->one_queue ? 0 : (unsigned)(affinity % LIMIT_PARTITIONS);
    struct endpoint_queue *q = endpoint_queue_of(e, tenant, partition);

    *w = (struct record_writer){.endpoint = e, .queue = q, .out = &q->buf};
    list_init(&w->cut);
    pthread_mutex_lock(&q->lock);
    if (q->open != NULL &&
        (q->open->kind != kind || !slice_eq(q->open->tenant, tenant) || !slice_eq(q->open->metadata, metadata)))
        queue_cut_open(q, &w->cut);
    if (q->open == NULL)
        q->open = record_new(kind, RECORD_PLAIN, tenant, metadata);
    w->start = q->buf.len;
}

void endpoint_undo(struct record_writer *w)
{
    w->out->len = w->start;
    w->out->is_full = false;
}

void endpoint_cut(struct record_writer *w)
{
    struct endpoint_queue *q = w->queue;
    struct record *next;

    if (q->open->n_items == 0)
        return;
    next = record_new(q->open->kind, RECORD_PLAIN, q->open->tenant, q->open->metadata);
    queue_cut_open(q, &w->cut);
    q->open = next;
    w->start = 0;
}

static bool fits(const struct record_writer *w, uint32_t n)
{
    struct endpoint *e = w->endpoint;
    uint32_t most = atomic_load_explicit(&e->max_items, memory_order_relaxed);

    return w->out->len <= atomic_load_explicit(&e->soft_bytes, memory_order_relaxed) &&
           (most == 0 || w->queue->open->n_items + n <= most);
}

/* What was appended last begins a record of its own. */
static enum code move_to_next(struct record_writer *w)
{
    struct buf next;

    buf_init(&next, w->out->max);
    if (buf_add(&next, slice_from(buf_slice(w->out), w->start)) != OK) {
        buf_release(&next);
        return NOMEM;
    }
    w->out->len = w->start;
    endpoint_cut(w);
    buf_release(w->out);
    *w->out = next;
    return OK;
}

static enum code reserve_spans(struct record_writer *w, uint32_t n_spans)
{
    if (record_spans_reserve(&w->queue->open->spans, n_spans) != OK)
        return NOMEM;
    return w->endpoint->cfg.durability == DURABILITY_MEMORY ? record_spans_reserve(&w->answered, n_spans) : OK;
}

static void add_span(struct record_writer *w, struct record_span span)
{
    struct endpoint_queue *q = w->queue;
    struct record_spans *to = &q->open->spans;
    bool is_waited = span.ticket != NULL && ticket_is_waited(span.ticket);
    enum code rc;

    if (is_waited && w->endpoint->cfg.durability == DURABILITY_MEMORY) {
        rc = record_spans_add(&w->answered, span.ticket, span.n);
        BUG_ON(rc != OK); /* reserved */
        span.ticket = NULL;
    } else if (is_waited) {
        q->is_waited = true;
    }
    rc = record_spans_add(to, span.ticket, span.n);
    BUG_ON(rc != OK);
    q->open->n_items += span.n;
}

static void refuse_spans(struct record_writer *w, const struct record_span *spans, uint32_t n_spans,
                         enum outcome outcome, enum drop_reason reason)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < n_spans; i++) {
        n += spans[i].n;
        if (spans[i].ticket != NULL)
            ticket_settle(spans[i].ticket, w->endpoint->cfg.id, spans[i].n, outcome, reason, NULL);
    }
    books_enqueued(w->endpoint, n, 0);
    books_dropped(w->endpoint, NULL, n, reason);
}

void endpoint_items_drop(struct record_writer *w, const struct record_span *spans, uint32_t n_spans,
                         enum drop_reason reason)
{
    endpoint_undo(w);
    refuse_spans(w, spans, n_spans, SETTLED_DROPPED, reason);
}

enum code endpoint_items_spans(struct record_writer *w, const struct record_span *spans, uint32_t n_spans)
{
    struct endpoint *e = w->endpoint;
    struct endpoint_queue *q = w->queue;
    uint32_t n = 0, most = atomic_load_explicit(&e->batch_items, memory_order_relaxed);

    for (uint32_t i = 0; i < n_spans; i++)
        n += spans[i].n;
    if (w->out->is_full || (q->open->n_items != 0 && !fits(w, n) && move_to_next(w) != OK) ||
        reserve_spans(w, n_spans) != OK) {
        endpoint_undo(w);
        refuse_spans(w, spans, n_spans, SETTLED_ABANDONED, DROP_MEMORY);
        return NOMEM;
    }
    if (q->open->n_items == 0) {
        q->open->created_ms = env_wall_ms(&e->env);
        atomic_store(&q->open_since_ms, env_mono_ms(&e->env) + 1);
        w->must_arm = true;
    }
    for (uint32_t i = 0; i < n_spans; i++)
        add_span(w, spans[i]);
    books_enqueued(e, n, w->out->len - w->start);
    w->start = w->out->len;
    if (w->out->len >= e->cfg.batch_bytes || w->out->len >= atomic_load(&e->soft_bytes) ||
        (most != 0 && q->open->n_items >= most))
        endpoint_cut(w);
    return OK;
}

enum code endpoint_items(struct record_writer *w, struct ticket *ticket, uint32_t n)
{
    struct record_span span = {ticket, n};

    return endpoint_items_spans(w, &span, 1);
}

void endpoint_end(struct record_writer *w)
{
    struct endpoint *e = w->endpoint;
    struct endpoint_queue *q = w->queue;
    bool is_open;

    endpoint_undo(w); /* what was appended without endpoint_items */
    if (q->open->n_items == 0 || (q->is_waited && !atomic_load(&q->is_busy)))
        queue_cut_open(q, &w->cut);
    is_open = q->open != NULL;
    pthread_mutex_unlock(&q->lock);
    w->queue = NULL;
    LIST_EACH_SAFE (it, &w->cut) {
        struct record *r = CONTAINER_OF(it, struct record, node);

        list_remove(it);
        record_finish(e, r);
        e->env.post(e->env.self, queue_add_posted, r);
    }
    if (is_open && w->must_arm)
        e->env.post(e->env.self, endpoint_arm, e);
    books_gate(e);
    for (uint32_t i = 0; i < w->answered.n; i++)
        ticket_settle(w->answered.items[i].ticket, e->cfg.id, w->answered.items[i].n, SETTLED_DURABLE, DROP_RULE, NULL);
    record_spans_release(&w->answered);
}
