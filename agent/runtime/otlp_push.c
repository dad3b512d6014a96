#include "agent/runtime/otlp_push.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_scan.h"
#include "agent/model/otlp_write.h"

enum {
    REQUEST_BYTES = 3 * 1024 * 1024, /* gRPC servers take 4 MiB unless told otherwise */
    SPANS_MAX = 64,
};

/* ---- headers ---- */

void otel_header_lower(char *name)
{
    for (; *name != '\0'; name++)
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name + ('a' - 'A'));
}

void otlp_headers_init(struct otlp_headers *h, const struct river_map *headers, struct otel_auth *auth)
{
    *h = (struct otlp_headers){.auth = auth};
    arena_init(&h->arena, 0);
    h->items = arena_zalloc(&h->arena, (headers->n + 1) * sizeof *h->items);
    for (size_t i = 0; i < headers->n && h->n < OTEL_AUTH_HEADERS_MAX; i++) {
        char *name = arena_strndup(&h->arena, headers->items[i].name);

        otel_header_lower(name);
        h->items[h->n++] = (struct otel_header){slice_str(name), arena_copy(&h->arena, headers->items[i].value)};
    }
}

void otlp_headers_release(struct otlp_headers *h)
{
    arena_release(&h->arena);
}

enum code otlp_headers_get(const struct otlp_headers *h, struct otel_headers *out, struct error *err)
{
    out->n = 0;
    for (size_t i = 0; i < h->n; i++)
        out->items[out->n++] = h->items[i];
    if (h->auth == NULL)
        return OK;
    if (h->auth->add_headers == NULL)
        return error_set(err, INVALID, "%s cannot authenticate clients", h->auth->id);
    return h->auth->add_headers(h->auth->self, out, err);
}

/* ---- batches ---- */

struct pushing {
    const struct otlp_batch *batch;
    struct record_writer w;
    uint32_t span, span_left;
};

/* Ends one append of n items: their tickets in order, in runs of at most SPANS_MAX, the last with the bytes. */
static void add_items(struct pushing *p, uint32_t n)
{
    const struct batch *b = &p->batch->base;
    uint32_t n_spans = 0, cap = b->n_spans - p->span + 1;
    struct record_span few[SPANS_MAX] = {{0}}, *spans = few;

    if (cap > SPANS_MAX)
        spans = mem_array(cap, sizeof *spans);
    while (n > 0) {
        bool is_known = p->span < b->n_spans;
        uint32_t some = is_known && p->span_left < n ? p->span_left : n;

        if (some != 0)
            spans[n_spans++] = (struct record_span){is_known ? b->spans[p->span].ticket : NULL, some};
        n -= some;
        if (!is_known)
            break;
        p->span_left -= some;
        if (p->span_left == 0 && ++p->span < b->n_spans)
            p->span_left = b->spans[p->span].n;
    }
    endpoint_items_spans(&p->w, spans, n_spans);
    if (spans != few)
        mem_free(spans);
}

static void add_whole(struct pushing *p, const struct otlp_resource *r)
{
    if (otlp_request_add(p->w.out, r->bytes) != OK)
        p->w.out->is_full = true; /* endpoint_items_spans then refuses them */
    add_items(p, r->n_items);
}

/* A resource over the limits goes in pieces, without being decoded. */
static void add_pieces(struct pushing *p, const struct otlp_resource *r, uint32_t max_items, size_t max_bytes)
{
    struct otlp_cut cut;
    struct buf piece;
    uint32_t n, left = r->n_items;

    buf_init(&piece, LIMIT_BATCH_BYTES);
    otlp_cut_init(&cut, p->batch->signal, r->bytes);
    while (left > 0 && otlp_cut_next(&cut, max_items, max_bytes, &piece, &n) == OK && n > 0) {
        if (otlp_request_add(p->w.out, buf_slice(&piece)) != OK)
            p->w.out->is_full = true;
        n = n < left ? n : left;
        add_items(p, n);
        left -= n;
        buf_reset(&piece);
    }
    if (left > 0) { /* no memory for the rest */
        p->w.out->is_full = true;
        add_items(p, left);
    }
    buf_release(&piece);
}

static void push(void *self, struct otlp_batch *take)
{
    struct otlp_exporter *c = self;
    struct endpoint *e = c->sink.items[0];
    uint32_t max_items = endpoint_max_items(e);
    size_t max_bytes = endpoint_batch_bytes(e);
    struct pushing p = {.batch = take, .span_left = take->base.n_spans != 0 ? take->base.spans[0].n : 0};

    ledger_out(host_ledger(c->host), take->n_items);
    /* The metadata of the request that brought a batch is for the components before this one: its credentials, length
     * and host are not the next one's. */
    endpoint_begin(e, (struct slice){0}, take->base.affinity, take->signal, (struct slice){0}, &p.w);
    for (uint32_t i = 0; i < take->n; i++) {
        const struct otlp_resource *r = &take->resources[i];

        if (r->n_items == 0)
            continue; /* an empty envelope carries nothing */
        if ((max_items != 0 && r->n_items > max_items) || (r->bytes.len > max_bytes && r->n_items > 1))
            add_pieces(&p, r, max_items, max_bytes);
        else
            add_whole(&p, r);
    }
    endpoint_end(&p.w);
    batch_unref(&take->base);
}

/* ---- metrics under Alloy's names ---- */

enum { SIGNALS = 3 };

struct otlp_metrics {
    struct metric *sent[SIGNALS], *failed[SIGNALS], *duration, *size;
};

static void request(void *ctx, struct slice tenant, unsigned kind, int status, size_t bytes, double seconds)
{
    struct otlp_metrics *m = ctx;

    (void)tenant;
    (void)kind;
    (void)status;
    metric_observe(m->duration, seconds * MS_PER_S);
    metric_observe(m->size, (double)bytes);
}

static void acknowledged(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes)
{
    struct otlp_metrics *m = ctx;

    (void)tenant;
    (void)bytes;
    metric_add(m->sent[kind < SIGNALS ? kind : 0], (double)n_items);
}

static void dropped(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes,
                    enum drop_reason reason)
{
    struct otlp_metrics *m = ctx;

    (void)tenant;
    (void)bytes;
    (void)reason;
    metric_add(m->failed[kind < SIGNALS ? kind : 0], (double)n_items);
}

static void free_metrics(void *ctx)
{
    struct otlp_metrics *m = ctx;

    for (size_t i = 0; i < SIGNALS; i++) {
        metric_unref(m->sent[i]);
        metric_unref(m->failed[i]);
    }
    metric_unref(m->duration);
    metric_unref(m->size);
    mem_free(m);
}

static struct endpoint_observer observe(struct host *host)
{
    static const double ms[] = {5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
    static const double sizes[] = {128, 1024, 8192, 65536, 262144, 1048576, 4194304};
    static const struct {
        const char *sent, *failed;
    } names[SIGNALS] = {
        [OTLP_TRACES] = {"otelcol_exporter_sent_spans_total", "otelcol_exporter_send_failed_spans_total"},
        [OTLP_METRICS] = {"otelcol_exporter_sent_metric_points_total",
                          "otelcol_exporter_send_failed_metric_points_total"},
        [OTLP_LOGS] = {"otelcol_exporter_sent_log_records_total", "otelcol_exporter_send_failed_log_records_total"},
    };
    struct otlp_metrics *m = mem_zalloc(sizeof *m);

    for (size_t i = 0; i < SIGNALS; i++) {
        m->sent[i] = host_counter(host, names[i].sent, "Items the destination has taken.", NULL, 0);
        m->failed[i] = host_counter(host, names[i].failed, "Items that were not delivered.", NULL, 0);
    }
    m->duration = host_histogram(host, "rpc_client_duration_milliseconds", "How long requests took.", ms,
                                 sizeof ms / sizeof ms[0], NULL, 0);
    m->size = host_histogram(host, "rpc_client_request_size_bytes", "Bytes of requests as sent.", sizes,
                             sizeof sizes / sizeof sizes[0], NULL, 0);
    return (struct endpoint_observer){
        .ctx = m, .request = request, .acknowledged = acknowledged, .dropped = dropped, .free = free_metrics};
}

/* ---- the component ---- */

enum wire_compression otlp_compression(int codec)
{
    switch ((enum codec)codec) {
    case CODEC_GZIP:
        return WIRE_GZIP;
    case CODEC_ZLIB:
        return WIRE_ZLIB;
    case CODEC_DEFLATE:
        return WIRE_DEFLATE;
    case CODEC_ZSTD:
        return WIRE_ZSTD;
    case CODEC_SNAPPY:
        return WIRE_SNAPPY;
    case CODEC_NONE:
    case CODEC_SNAPPY_FRAMED:
    case CODEC_LZ4:
        return WIRE_NONE;
    }
    return WIRE_NONE;
}

static void apply_batch(struct endpoint_cfg *cfg, const struct otel_queue_batch_args *b)
{
    if (b == NULL)
        return;
    cfg->batch_wait_ms = b->flush_timeout_ns / NS_PER_MS;
    if (b->sizer == OTEL_SIZER_ITEMS) {
        cfg->batch_items = (uint32_t)b->min_size;
        cfg->max_items = (uint32_t)b->max_size;
    } else {
        cfg->batch_bytes = b->min_size > 0 ? (size_t)b->min_size : cfg->batch_bytes;
        cfg->max_bytes = b->max_size > 0 ? (size_t)b->max_size : 0;
    }
}

void otlp_endpoint_cfg(struct endpoint_cfg *cfg, struct host *host, const struct otel_queue_args *queue,
                       const struct otel_retry_args *retry, int64_t timeout_ns)
{
    cfg->batch_bytes = REQUEST_BYTES;
    cfg->timeout_ms = (uint64_t)(timeout_ns / NS_PER_MS);
    cfg->backoff_min_ms = retry->initial_interval_ns / NS_PER_MS;
    cfg->backoff_max_ms = retry->max_interval_ns / NS_PER_MS;
    cfg->backoff_multiplier = retry->multiplier;
    cfg->max_elapsed_ms = retry->has_max_elapsed_time ? retry->max_elapsed_time_ns / NS_PER_MS : 0;
    cfg->no_retry = !retry->enabled;
    cfg->retry_on_429 = true;
    cfg->max_in_flight = (unsigned)queue->num_consumers;
    cfg->on_full = queue->block_on_overflow ? ON_FULL_BLOCK : ON_FULL_DROP_OLDEST;
    if (queue->has_queue_size && queue->sizer == OTEL_SIZER_BYTES)
        cfg->queue_bytes = (size_t)queue->queue_size;
    else if (queue->has_queue_size)
        cfg->queue_requests = (uint64_t)queue->queue_size;
    apply_batch(cfg, queue->batch);
    cfg->observer = observe(host);
}

enum code otlp_exporter_new(void **out, struct host *host, struct endpoint_cfg *cfg, struct slice endpoint,
                            const struct transport *take_transport, struct error *err)
{
    struct otlp_exporter *c = mem_zalloc(sizeof *c);

    *out = NULL;
    c->host = host;
    sink_init(&c->sink, host);
    if (sink_add(&c->sink, cfg, (struct slice){0}, endpoint, 1, take_transport, err) != OK) {
        mem_free(c);
        return INVALID;
    }
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .is_sink = true, .self = c, .push.otlp = push};
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

/* Everything is wired: what batch processors reach this exporter is known now. */
void otlp_exporter_start(void *self)
{
    struct otlp_exporter *c = self;
    struct batch_hint hint = host_batch_hint(c->host);

    endpoint_hint(c->sink.items[0], (uint32_t)hint.send_items, hint.timeout_ns / NS_PER_MS, (uint32_t)hint.max_items);
}

void otlp_exporter_drain(void *self, loop_fn done, void *arg)
{
    sink_drain(&((struct otlp_exporter *)self)->sink, done, arg);
}

struct closing {
    struct otlp_exporter *c;
    loop_fn done;
    void *arg;
};

static void closed(void *arg)
{
    struct closing closing = *(struct closing *)arg;

    mem_free(arg);
    mem_free(closing.c);
    closing.done(closing.arg);
}

void otlp_exporter_close(void *self, loop_fn done, void *arg)
{
    struct otlp_exporter *c = self;
    struct closing *closing = mem_alloc(sizeof *closing);

    *closing = (struct closing){c, done, arg};
    sink_close(&c->sink, closed, closing);
}

void *otlp_exporter_give(void *self)
{
    return sink_give_state(&((struct otlp_exporter *)self)->sink);
}

void otlp_exporter_take(void *self, void *take_state)
{
    sink_take_state(&((struct otlp_exporter *)self)->sink, take_state);
}

void otlp_exporter_debug(void *self, struct buf *json)
{
    sink_write_debug(&((struct otlp_exporter *)self)->sink, json);
}

const struct component_export otlp_exporter_exports[] = {
    {"input", "otelcol.Consumer", "Takes traces, metrics and logs for the destination."},
    {NULL, NULL, NULL},
};
