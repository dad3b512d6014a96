#include "agent/base/mem.h"
#include "agent/delivery/endpoint_int.h"

static struct metric *counter(struct endpoint *e, const char *name, const char *help)
{
    return metrics_counter(e->cfg.metrics, name, help, e->labels, e->cfg.n_labels + 1);
}

/* Series are shared by name and labels, so a successor goes on where its predecessor stood. */
void books_init(struct endpoint *e)
{
    size_t n = e->cfg.n_labels;

    if (e->cfg.metrics == NULL)
        return;
    e->labels = mem_array(n + 2, sizeof *e->labels); /* one more for the reason */
    for (size_t i = 0; i < n; i++)
        e->labels[i] = (struct metric_label){mem_strdup(e->cfg.labels[i].name), mem_strdup(e->cfg.labels[i].value)};
    e->labels[n] = (struct metric_label){"endpoint", e->cfg.id};
    e->m_enqueued = counter(e, "hyagent_endpoint_enqueued_total", "Items handed to this endpoint.");
    e->m_acknowledged = counter(e, "hyagent_endpoint_acknowledged_total", "Items the far side said it has taken.");
    e->m_retries = counter(e, "hyagent_endpoint_retries_total", "Requests that were or will be sent again.");
    e->m_queued =
        metrics_gauge(e->cfg.metrics, "hyagent_endpoint_queued", "Items waiting or in flight.", e->labels, n + 1);
    e->m_queued_bytes = metrics_gauge(e->cfg.metrics, "hyagent_endpoint_queued_bytes",
                                      "Bytes of memory that waiting records take.", e->labels, n + 1);
}

static void free_text(const char *s)
{
    char *owned;

    memcpy(&owned, &s, sizeof owned);
    mem_free(owned);
}

void books_release(struct endpoint *e)
{
    struct metric *series[] = {e->m_enqueued, e->m_acknowledged, e->m_queued, e->m_queued_bytes, e->m_retries};

    for (size_t i = 0; i < sizeof series / sizeof series[0]; i++)
        metric_unref(series[i]);
    for (size_t i = 0; i < DROP_REASON_COUNT; i++)
        metric_unref(e->m_dropped[i]);
    for (size_t i = 0; e->labels != NULL && i < e->cfg.n_labels; i++) {
        free_text(e->labels[i].name);
        free_text(e->labels[i].value);
    }
    mem_free(e->labels);
}

static void add(struct metric *m, double n)
{
    if (m != NULL)
        metric_add(m, n);
}

void books_enqueued(struct endpoint *e, uint64_t n, size_t bytes)
{
    atomic_fetch_add_explicit(&e->queued_bytes, bytes, memory_order_relaxed);
    add(e->m_queued_bytes, (double)bytes);
    if (n == 0)
        return;
    atomic_fetch_add_explicit(&e->enqueued, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->queued, n, memory_order_relaxed);
    add(e->m_enqueued, (double)n);
    add(e->m_queued, (double)n);
}

void books_bytes(struct endpoint *e, size_t before, size_t after)
{
    atomic_fetch_add_explicit(&e->queued_bytes, after - before, memory_order_relaxed); /* wraps as it should */
    add(e->m_queued_bytes, (double)after - (double)before);
}

static void leave_queue(struct endpoint *e, uint64_t n)
{
    atomic_fetch_sub_explicit(&e->queued, n, memory_order_relaxed);
    add(e->m_queued, -(double)n);
}

/* The part of the record's bytes that n of its items are, on average. */
static size_t share(const struct record *r, uint64_t n)
{
    return n >= r->n_items ? r->payload_len : (size_t)((double)r->payload_len * (double)n / (double)r->n_items);
}

void books_acknowledged(struct endpoint *e, const struct record *r, uint64_t n)
{
    if (n == 0)
        return;
    leave_queue(e, n);
    atomic_fetch_add_explicit(&e->acknowledged, n, memory_order_relaxed);
    add(e->m_acknowledged, (double)n);
    if (e->cfg.observer.acknowledged != NULL)
        e->cfg.observer.acknowledged(e->cfg.observer.ctx, r->tenant, r->kind, n, share(r, n));
}

static struct metric *dropped_series(struct endpoint *e, enum drop_reason reason)
{
    size_t n = e->cfg.n_labels;
    struct metric *m;

    pthread_mutex_lock(&e->gate_lock);
    if (e->m_dropped[reason] == NULL) {
        e->labels[n + 1] = (struct metric_label){"reason", drop_reason_name(reason)};
        e->m_dropped[reason] = metrics_counter(e->cfg.metrics, "hyagent_endpoint_dropped_total",
                                               "Items this endpoint did not deliver, by reason.", e->labels, n + 2);
    }
    m = e->m_dropped[reason];
    pthread_mutex_unlock(&e->gate_lock);
    return m;
}

/* r NULL: never in a record; on any loop, so the observer is not told. */
void books_dropped(struct endpoint *e, const struct record *r, uint64_t n, enum drop_reason reason)
{
    if (n == 0)
        return;
    leave_queue(e, n);
    atomic_fetch_add_explicit(&e->dropped[reason], n, memory_order_relaxed);
    if (e->cfg.metrics != NULL)
        metric_add(dropped_series(e, reason), (double)n);
    if (r != NULL && e->cfg.observer.dropped != NULL)
        e->cfg.observer.dropped(e->cfg.observer.ctx, r->tenant, r->kind, n, share(r, n), reason);
}

/* The items change owners: what they were counted as enqueued goes along, the shared series stay as they are. */
void books_move(struct endpoint *from, struct endpoint *to, const struct record *r)
{
    uint64_t n = r->n_items;

    atomic_fetch_sub_explicit(&from->enqueued, n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&from->queued, n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&from->queued_bytes, r->charged, memory_order_relaxed);
    atomic_fetch_add_explicit(&to->enqueued, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&to->queued, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&to->queued_bytes, r->charged, memory_order_relaxed);
}

bool books_over_cap(const struct endpoint *e, unsigned times)
{
    if (atomic_load_explicit(&e->queued_bytes, memory_order_relaxed) > e->cfg.queue_bytes * times)
        return true;
    return e->cfg.queue_requests != 0 &&
           atomic_load_explicit(&e->records, memory_order_relaxed) > e->cfg.queue_requests * times;
}

/* on_full = block: closed at the cap, open again below seven eighths of it. */
void books_gate(struct endpoint *e)
{
    size_t used;

    if (e->cfg.on_full != ON_FULL_BLOCK || e->cfg.gate == NULL)
        return;
    pthread_mutex_lock(&e->gate_lock);
    used = atomic_load_explicit(&e->queued_bytes, memory_order_relaxed);
    if (!e->is_gate_closed && books_over_cap(e, 1)) {
        e->is_gate_closed = true;
        gate_close(e->cfg.gate);
    } else if (e->is_gate_closed && !books_over_cap(e, 1) && used <= e->cfg.queue_bytes / 8 * 7) {
        e->is_gate_closed = false;
        gate_open(e->cfg.gate);
    }
    pthread_mutex_unlock(&e->gate_lock);
}

bool endpoint_has_room(const struct endpoint *e)
{
    return e->cfg.on_full != ON_FULL_BLOCK || !books_over_cap(e, 1);
}

void endpoint_books(struct endpoint *e, struct endpoint_books *out)
{
    out->enqueued = atomic_load(&e->enqueued);
    out->acknowledged = atomic_load(&e->acknowledged);
    out->queued = atomic_load(&e->queued);
    out->queued_bytes = atomic_load(&e->queued_bytes);
    out->records = atomic_load(&e->records);
    for (size_t i = 0; i < DROP_REASON_COUNT; i++)
        out->dropped[i] = atomic_load(&e->dropped[i]);
}
