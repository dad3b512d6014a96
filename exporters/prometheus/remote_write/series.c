#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/remote_write.h"
#include "exporters/prometheus/remote_write/remote_write.h"

enum { METADATA_FAMILIES_MAX = 20000, BLOCK_BYTES_MAX = 1024 * 1024, SPANS_MAX = 64 };

struct rw_endpoint *rw_endpoint_new(void)
{
    struct rw_endpoint *e = mem_zalloc(sizeof *e);

    pthread_mutex_init(&e->metadata_lock, NULL);
    map_init(&e->metadata, METADATA_FAMILIES_MAX);
    e->shards = mem_array(SERIES_SHARDS, sizeof *e->shards);
    for (size_t i = 0; i < SERIES_SHARDS; i++)
        pthread_mutex_init(&e->shards[i].lock, NULL);
    return e;
}

static void clear_entry(struct series_entry *s)
{
    labels_unref(s->labels);
    mem_free(s->block);
    *s = (struct series_entry){0};
}

void rw_endpoint_free(struct rw_endpoint *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < SERIES_SHARDS; i++) {
        for (size_t j = 0; j < SERIES_PER_SHARD; j++)
            clear_entry(&e->shards[i].entries[j]);
        pthread_mutex_destroy(&e->shards[i].lock);
    }
    mem_free(e->shards);
    map_release(&e->metadata, NULL);
    pthread_mutex_destroy(&e->metadata_lock);
    relabel_rules_unref(e->rules);
    mem_free(e);
}

/* ---- one label set ---- */

/* External labels where the set has none of that name, then the endpoint's rules. NOMEM, or FULL: a rule drops it. */
static enum code final_labels(const struct remote_write *c, const struct rw_endpoint *e, const struct labels *labels,
                              struct labels_builder *b, struct arena *arena)
{
    bool keep = true;

    labels_builder_init(b, arena, labels);
    for (size_t i = 0; i < c->n_external; i++)
        if (labels_get(labels, c->external[i].name).len == 0 &&
            labels_builder_set(b, c->external[i].name, c->external[i].value) != OK)
            return NOMEM;
    if (relabel_apply(e->rules, b, &keep) != OK)
        return NOMEM;
    return keep ? OK : FULL;
}

static void encode(const struct remote_write *c, const struct rw_endpoint *e, const struct labels *labels,
                   struct series_entry *out)
{
    const struct labels *final = NULL;
    struct labels_builder b;
    struct arena arena;
    struct buf block;
    enum code rc;

    *out = (struct series_entry){.labels = labels_ref(labels), .reason = DROP_MEMORY};
    arena_init(&arena, 0);
    buf_init(&block, BLOCK_BYTES_MAX);
    rc = final_labels(c, e, labels, &b, &arena);
    if (rc == FULL)
        out->reason = DROP_RULE;
    if (rc == OK)
        final = labels_build(&b);
    if (final != NULL && rw_labels_refusal(final->pairs, final->n, true) != NULL)
        out->reason = DROP_INVALID;
    else if (final != NULL && rw_labels_write(&block, final->pairs, final->n) == OK)
        out->block = buf_take(&block, &out->block_len);
    labels_unref(final);
    buf_release(&block);
    arena_release(&arena);
}

/* The shard is locked. */
static const struct series_entry *series_of(const struct remote_write *c, const struct rw_endpoint *e,
                                            struct series_shard *shard, const struct labels *labels)
{
    struct series_entry *s = &shard->entries[(labels->hash / SERIES_SHARDS) % SERIES_PER_SHARD];

    if (s->labels == labels && (s->block != NULL || s->reason != DROP_MEMORY))
        return s;
    clear_entry(s);
    encode(c, e, labels, s);
    return s;
}

/* ---- a batch ---- */

struct writing {
    const struct remote_write *c;
    struct rw_endpoint *e;
    const struct sample_batch *batch;
    struct record_writer w;
    uint32_t span, span_left; /* where in the batch's spans the next sample stands */
};

/* Takes n samples' spans, in order. */
static uint32_t take_spans(struct writing *w, uint32_t n, struct record_span *out, uint32_t cap)
{
    const struct batch *b = &w->batch->base;
    uint32_t n_out = 0;

    while (n > 0 && n_out < cap) {
        struct ticket *t = w->span < b->n_spans ? b->spans[w->span].ticket : NULL;
        uint32_t some = w->span < b->n_spans && w->span_left < n ? w->span_left : n;

        if (some > 0)
            out[n_out++] = (struct record_span){t, some};
        n -= some;
        w->span_left -= w->span < b->n_spans ? some : 0;
        if (w->span_left == 0 && ++w->span < b->n_spans)
            w->span_left = b->spans[w->span].n;
    }
    return n_out;
}

static void rewind_spans(struct writing *w)
{
    w->span = 0;
    w->span_left = w->batch->base.n_spans != 0 ? w->batch->base.spans[0].n : 0;
}

static void write_metadata(struct writing *w)
{
    struct rw_endpoint *e = w->e;
    int64_t now_ms = clock_mono_ns(host_clock(w->c->host)) / NS_PER_MS;

    if (!e->send_metadata || w->batch->n_metadata == 0)
        return;
    pthread_mutex_lock(&e->metadata_lock);
    for (uint32_t i = 0; i < w->batch->n_metadata; i++) {
        const struct metric_metadata *m = &w->batch->metadata[i];
        intptr_t sent = (intptr_t)map_get(&e->metadata, m->family);

        if (sent != 0 && now_ms + 1 - sent < e->metadata_interval_ms)
            continue;
        if (map_put(&e->metadata, m->family, (void *)(intptr_t)(now_ms + 1), NULL) != OK ||
            rw_metadata_write(w->w.out, m) != OK) {
            endpoint_undo(&w->w); /* no room: metadata is no item, the samples go first */
            break;
        }
    }
    pthread_mutex_unlock(&e->metadata_lock);
}

/* Writes n samples of one label set. */
static void write_run(struct writing *w, uint32_t first, uint32_t n, const struct record_span *spans, uint32_t n_spans)
{
    const struct sample *samples = &w->batch->samples[first];
    const struct labels *labels = samples->labels;
    struct series_shard *shard = &w->e->shards[labels->hash % SERIES_SHARDS];
    enum drop_reason reason = DROP_UNSUPPORTED;
    bool is_sent = samples->kind == SAMPLE_FLOAT || w->e->send_native_histograms;

    if (is_sent) {
        const struct series_entry *s;

        pthread_mutex_lock(&shard->lock);
        s = series_of(w->c, w->e, shard, labels);
        is_sent = s->block != NULL;
        reason = s->reason;
        if (is_sent &&
            rw_series_write(w->w.out, slice_make(s->block, s->block_len), samples, n, w->e->send_exemplars) != OK)
            w->w.out->is_full = true; /* endpoint_items_spans then refuses them */
        pthread_mutex_unlock(&shard->lock);
    }
    if (is_sent)
        endpoint_items_spans(&w->w, spans, n_spans);
    else
        endpoint_items_drop(&w->w, spans, n_spans, reason);
}

static uint32_t run_length(const struct sample_batch *b, uint32_t first)
{
    uint32_t n = 1;

    while (first + n < b->n && n < SPANS_MAX && b->samples[first + n].labels == b->samples[first].labels &&
           b->samples[first + n].kind == b->samples[first].kind)
        n++;
    return n;
}

/* The samples of one partition: all, or (partition >= 0) those whose series falls into it. */
static void write_partition(struct writing *w, uint64_t affinity, int partition)
{
    struct endpoint *endpoint = NULL;
    bool is_first = true;

    for (size_t i = 0; i < w->c->n_endpoints; i++)
        if (w->c->endpoints[i] == w->e)
            endpoint = w->c->sink.items[i];
    rewind_spans(w);
    endpoint_begin(endpoint, (struct slice){0}, affinity, 0, (struct slice){0}, &w->w);
    for (uint32_t i = 0; i < w->batch->n;) {
        uint32_t n = run_length(w->batch, i);
        struct record_span spans[SPANS_MAX];
        uint32_t n_spans = take_spans(w, n, spans, SPANS_MAX);

        if (partition < 0 || w->batch->samples[i].labels->hash % LIMIT_PARTITIONS == (unsigned)partition) {
            if (is_first)
                write_metadata(w);
            is_first = false;
            write_run(w, i, n, spans, n_spans);
        }
        i += n;
    }
    endpoint_end(&w->w);
}

static void refuse_all(const struct remote_write *c, struct sample_batch *batch)
{
    ledger_dropped(host_ledger(c->host), DROP_NO_RECEIVER, batch->n);
    batch_settle(&batch->base, host_id(c->host), SETTLED_DROPPED, DROP_NO_RECEIVER, NULL);
    batch_unref(&batch->base);
}

void remote_write_push(void *self, struct sample_batch *take)
{
    struct remote_write *c = self;

    if (c->sink.n == 0) {
        refuse_all(c, take);
        return;
    }
    if (c->sink.n > 1)
        batch_owe(&take->base, (uint32_t)c->sink.n - 1);
    ledger_out(host_ledger(c->host), take->n);
    for (size_t i = 0; i < c->sink.n; i++) {
        struct writing w = {.c = c, .e = c->endpoints[i], .batch = take};

        if (take->base.affinity != 0)
            write_partition(&w, take->base.affinity, -1);
        else
            for (int p = 0; p < LIMIT_PARTITIONS; p++)
                write_partition(&w, (uint64_t)p, p);
    }
    batch_unref(&take->base);
}
