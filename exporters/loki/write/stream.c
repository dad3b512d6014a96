#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/loki_write.h"
#include "exporters/loki/write/write.h"

/* Loki's defaults for what one label may hold (limits_config). */
enum { LABEL_NAME_BYTES_MAX = 1024, LABEL_VALUE_BYTES_MAX = 2048, STREAM_TEXT_BYTES = 1024 * 1024 };

/* ---- label sets as Loki sees them ---- */

void stream_unref(struct stream *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    labels_unref(s->labels);
    mem_free((void *)(uintptr_t)s->text.ptr); /* copies of ours behind const */
    mem_free((void *)(uintptr_t)s->tenant.ptr);
    mem_free(s);
}

static enum code final_labels(struct loki_write *c, const struct labels *labels, struct arena *arena,
                              const struct labels **out)
{
    struct labels_builder b;
    enum code rc = OK;

    labels_builder_init(&b, arena, labels);
    for (size_t i = 0; i < c->n_external && rc == OK; i++)
        if (labels_get(labels, c->external[i].name).len == 0)
            rc = labels_builder_set(&b, c->external[i].name, c->external[i].value);
    for (uint32_t i = 0; i < labels->n; i++)
        if (slice_starts(labels->pairs[i].name, SLICE_LIT("__")))
            labels_builder_del(&b, labels->pairs[i].name);
    *out = rc == OK ? labels_build(&b) : NULL;
    return *out != NULL ? OK : NOMEM;
}

static void check_limits(struct loki_write *c, const struct labels *final, struct stream *s)
{
    s->reason = DROP_LABEL_LIMIT;
    s->is_refused = c->max_label_names != 0 && final->n > c->max_label_names;
    for (uint32_t i = 0; i < final->n; i++)
        if (final->pairs[i].name.len > LABEL_NAME_BYTES_MAX || final->pairs[i].value.len > LABEL_VALUE_BYTES_MAX)
            s->is_refused = true;
    if (final->n == 0) { /* Loki: at least one label pair is required per stream */
        s->is_refused = true;
        s->reason = DROP_INVALID;
    }
}

static struct stream *stream_make(struct loki_write *c, const struct labels *labels)
{
    struct stream *s = mem_zalloc(sizeof *s);
    struct slice tenant = labels_get(labels, SLICE_LIT("__tenant_id__"));
    const struct labels *final = NULL;
    struct arena arena;
    struct buf text;
    size_t len;

    atomic_init(&s->refs, 1);
    s->labels = labels_ref(labels);
    if (tenant.len != 0)
        s->tenant = slice_make(mem_strndup(tenant), tenant.len);
    arena_init(&arena, 0);
    buf_init(&text, STREAM_TEXT_BYTES);
    if (final_labels(c, labels, &arena, &final) != OK || loki_labels_write(final, &text) != OK) {
        stream_unref(s);
        s = NULL;
    } else {
        check_limits(c, final, s);
        s->text.ptr = buf_take(&text, &len);
        s->text.len = len;
    }
    buf_release(&text);
    labels_unref(final);
    arena_release(&arena);
    return s;
}

struct stream *stream_get(struct loki_write *c, const struct labels *labels)
{
    size_t place = (size_t)(labels->hash % STREAM_CACHE);
    struct stream *s, *old = NULL;

    pthread_mutex_lock(&c->cache_lock);
    s = c->cache[place];
    if (s != NULL && s->labels == labels) {
        atomic_fetch_add(&s->refs, 1);
    } else {
        old = s;
        s = stream_make(c, labels);
        c->cache[place] = s;
        if (s != NULL)
            atomic_fetch_add(&s->refs, 1);
    }
    pthread_mutex_unlock(&c->cache_lock);
    stream_unref(old);
    return s;
}

void stream_cache_release(struct loki_write *c)
{
    for (size_t i = 0; i < STREAM_CACHE; i++)
        stream_unref(c->cache[i]);
}

/* ---- a batch ---- */

/* Everything encoding needs, on one arena; entries sorted by label set, in order within it. */
struct plan {
    struct loki_write *c;
    struct log_batch *batch;
    uint32_t n_labels; /* of the batch when it was planned */
    struct arena arena;
    struct stream **streams;   /* by label index; NULL: no entry uses it */
    uint32_t *first;           /* by label index, one more: where its entries begin in order */
    uint32_t *order;           /* entry numbers */
    struct ticket **tickets;   /* by entry; NULL when one span covers all */
    struct record_span *spans; /* scratch of one append */
};

static struct ticket *ticket_of(const struct plan *p, uint32_t entry)
{
    if (p->tickets != NULL)
        return p->tickets[entry];
    return p->batch->base.n_spans != 0 ? p->batch->base.spans[0].ticket : NULL;
}

static bool plan_tickets(struct plan *p)
{
    const struct batch *b = &p->batch->base;
    uint32_t at = 0;

    if (b->n_spans <= 1)
        return true;
    p->tickets = arena_try_array(&p->arena, p->batch->n, sizeof(struct ticket *));
    if (p->tickets == NULL)
        return false;
    for (uint32_t i = 0; i < b->n_spans; i++)
        for (uint32_t n = 0; n < b->spans[i].n && at < p->batch->n; n++)
            p->tickets[at++] = b->spans[i].ticket;
    return true;
}

static bool plan_streams(struct plan *p)
{
    uint32_t n_labels = p->batch->base.n_labels;

    p->streams = arena_try_array(&p->arena, n_labels + 1, sizeof(struct stream *));
    p->first = arena_try_array(&p->arena, n_labels + 2, sizeof *p->first);
    p->order = arena_try_array(&p->arena, p->batch->n + 1, sizeof *p->order);
    p->spans = arena_try_array(&p->arena, p->batch->n + 1, sizeof *p->spans);
    if (p->streams == NULL || p->first == NULL || p->order == NULL || p->spans == NULL)
        return false;
    for (uint32_t i = 0; i < p->batch->n; i++)
        p->first[p->batch->entries[i].labels + 1]++;
    for (uint32_t i = 0; i < n_labels; i++) {
        if (p->first[i + 1] != 0)
            p->streams[i] = stream_get(p->c, p->batch->base.labels[i]);
        if (p->first[i + 1] != 0 && p->streams[i] == NULL)
            return false;
        p->first[i + 1] += p->first[i];
    }
    return true;
}

/* Counting sort: first[i] is moved to the end of its run while filling, and put back. */
static void plan_order(struct plan *p)
{
    for (uint32_t i = 0; i < p->batch->n; i++)
        p->order[p->first[p->batch->entries[i].labels]++] = i;
    for (uint32_t i = p->batch->base.n_labels; i > 0; i--)
        p->first[i] = p->first[i - 1];
    p->first[0] = 0;
}

static void plan_release(struct plan *p)
{
    for (uint32_t i = 0; p->streams != NULL && i < p->n_labels; i++)
        stream_unref(p->streams[i]);
    arena_release(&p->arena);
}

/* ---- what Loki would refuse ---- */

static bool is_refused(const struct plan *p, uint32_t entry, enum drop_reason reason)
{
    const struct log_entry *e = &p->batch->entries[entry];

    switch (reason) {
    case DROP_LINE_TOO_LONG:
        return p->c->max_line_bytes != 0 && e->line.len > p->c->max_line_bytes;
    case DROP_LABEL_LIMIT:
    case DROP_INVALID:
        return p->streams[e->labels]->is_refused && p->streams[e->labels]->reason == reason;
    case DROP_STREAM_LIMIT: {
        uint32_t streams = 0;

        for (uint32_t i = 0; p->c->max_streams != 0 && i < e->labels; i++)
            streams += p->first[i + 1] != p->first[i];
        return p->c->max_streams != 0 && streams >= p->c->max_streams;
    }
    default:
        return false;
    }
}

static const enum drop_reason refusals[] = {DROP_LINE_TOO_LONG, DROP_INVALID, DROP_LABEL_LIMIT, DROP_STREAM_LIMIT};

static bool has_refused(const struct plan *p)
{
    for (size_t r = 0; r < sizeof refusals / sizeof refusals[0]; r++)
        for (uint32_t i = 0; i < p->batch->n; i++)
            if (is_refused(p, i, refusals[r]))
                return true;
    return false;
}

/* ---- encoding ---- */

struct writing {
    struct plan *plan;
    size_t endpoint;
    struct record_writer w;
    bool is_begun;
    struct slice tenant;
    uint64_t affinity;
};

static void writing_end(struct writing *w)
{
    if (w->is_begun)
        endpoint_end(&w->w);
    w->is_begun = false;
}

static void writing_begin(struct writing *w, const struct stream *s)
{
    struct plan *p = w->plan;
    struct slice tenant = s->tenant.len != 0 ? s->tenant : p->c->tenants[w->endpoint];
    uint64_t affinity = p->batch->base.affinity != 0 ? p->batch->base.affinity : s->labels->hash;

    if (w->is_begun && affinity == w->affinity && slice_eq(tenant, w->tenant))
        return;
    writing_end(w);
    endpoint_begin(p->c->sink.items[w->endpoint], tenant, affinity, 0, (struct slice){0}, &w->w);
    w->is_begun = true;
    w->tenant = tenant;
    w->affinity = affinity;
}

static void append(struct writing *w, const struct stream *s, const uint32_t *order, uint32_t n)
{
    struct plan *p = w->plan;
    uint32_t n_spans = 0;

    if (loki_stream_write_entries(w->w.out, s->text, p->batch->entries, order, n) != OK)
        w->w.out->is_full = true; /* endpoint_items_spans then refuses them */
    for (uint32_t i = 0; i < n; i++) {
        struct ticket *t = ticket_of(p, order[i]);

        if (n_spans == 0 || p->spans[n_spans - 1].ticket != t)
            p->spans[n_spans++] = (struct record_span){t, 0};
        p->spans[n_spans - 1].n++;
    }
    endpoint_items_spans(&w->w, p->spans, n_spans);
}

/* One stream's entries, in pieces of at most the batch size. */
static void write_stream(struct writing *w, uint32_t label, size_t piece_bytes)
{
    struct plan *p = w->plan;
    const struct stream *s = p->streams[label];
    uint32_t at = p->first[label], end = p->first[label + 1];

    writing_begin(w, s);
    while (at < end) {
        uint32_t n = 0;
        size_t bytes = s->text.len;

        while (at + n < end && (n == 0 || bytes + loki_entry_size(&p->batch->entries[p->order[at + n]]) <= piece_bytes))
            bytes += loki_entry_size(&p->batch->entries[p->order[at + n++]]);
        append(w, s, p->order + at, n);
        at += n;
    }
}

static void write_all(struct plan *p)
{
    for (size_t e = 0; e < p->c->sink.n; e++) {
        struct writing w = {.plan = p, .endpoint = e};

        for (uint32_t i = 0; i < p->batch->base.n_labels; i++)
            if (p->first[i + 1] != p->first[i])
                write_stream(&w, i, endpoint_batch_bytes(p->c->sink.items[e]));
        writing_end(&w);
    }
}

static void refuse_all(struct loki_write *c, struct log_batch *batch, enum drop_reason reason, enum outcome outcome)
{
    ledger_dropped(host_ledger(c->host), reason, batch->n);
    batch_settle(&batch->base, host_id(c->host), outcome, reason, NULL);
    batch_unref(&batch->base);
}

static bool plan_make(struct plan *p, struct loki_write *c, struct log_batch *batch)
{
    *p = (struct plan){.c = c, .batch = batch, .n_labels = batch->base.n_labels};
    arena_init(&p->arena, 0);
    if (plan_streams(p) && plan_tickets(p)) {
        plan_order(p);
        return true;
    }
    plan_release(p);
    return false;
}

/* Drops what Loki would refuse, one reason after the other, each counted. NULL: the batch is settled already. */
static struct log_batch *keep_allowed(struct loki_write *c, struct log_batch *batch)
{
    struct log_batch *own = log_batch_own(batch);

    if (own == NULL) { /* the reference is still ours */
        refuse_all(c, batch, DROP_MEMORY, SETTLED_ABANDONED);
        return NULL;
    }
    batch = own;
    for (size_t r = 0; r < sizeof refusals / sizeof refusals[0]; r++) {
        struct plan p;
        uint8_t *keep;

        if (!plan_make(&p, c, batch)) {
            refuse_all(c, batch, DROP_MEMORY, SETTLED_ABANDONED);
            return NULL;
        }
        keep = arena_try_alloc(&p.arena, batch->n + 1);
        for (uint32_t i = 0; keep != NULL && i < batch->n; i++)
            keep[i] = !is_refused(&p, i, refusals[r]);
        if (keep != NULL)
            ledger_dropped(host_ledger(c->host), refusals[r],
                           log_batch_keep(batch, keep, host_id(c->host), refusals[r]));
        plan_release(&p);
    }
    return batch;
}

void loki_write_push(void *self, struct log_batch *take)
{
    struct loki_write *c = self;
    struct log_batch *batch = take;
    struct plan p;

    if (c->sink.n == 0) {
        refuse_all(c, batch, DROP_NO_RECEIVER, SETTLED_DROPPED);
        return;
    }
    if (!plan_make(&p, c, batch)) {
        refuse_all(c, batch, DROP_MEMORY, SETTLED_ABANDONED);
        return;
    }
    if (has_refused(&p)) {
        plan_release(&p);
        batch = keep_allowed(c, batch);
        if (batch == NULL || batch->n == 0 || !plan_make(&p, c, batch)) {
            if (batch != NULL && batch->n != 0)
                refuse_all(c, batch, DROP_MEMORY, SETTLED_ABANDONED);
            else if (batch != NULL)
                batch_unref(&batch->base);
            return;
        }
    }
    if (c->sink.n > 1)
        batch_owe(&batch->base, (uint32_t)c->sink.n - 1);
    ledger_out(host_ledger(c->host), batch->n);
    write_all(&p);
    plan_release(&p);
    batch_unref(&batch->base);
}
