/* loki.write: log entries to Loki's push API, snappy protobuf. */
#include "exporters/loki/write/write.h"
#include "agent/base/mem.h"

enum { LOKI_IN_FLIGHT = 16 };

static enum code add_endpoint(struct loki_write *c, const struct loki_endpoint_args *a, size_t n_planned,
                              struct error *err)
{
    const struct slice urls[TRANSPORT_KINDS] = {a->url};
    struct endpoint_cfg cfg = {
        .protocol = &protocol_loki,
        .compression = WIRE_SNAPPY,
        .batch_bytes = a->batch_size,
        .batch_wait_ms = a->batch_wait_ns / NS_PER_MS,
        .timeout_ms = (uint64_t)(a->remote_timeout_ns / NS_PER_MS),
        .backoff_min_ms = a->min_backoff_ns / NS_PER_MS,
        .backoff_max_ms = a->max_backoff_ns / NS_PER_MS,
        .max_retries = a->has_max_backoff_retries ? (unsigned)a->max_backoff_retries : 0,
        .retry_on_429 = a->retry_on_http_429,
        .queue_bytes = a->queue.capacity,
        .on_full = (enum on_full)a->on_full,
        .durability = (enum durability)a->durability,
        .max_age_ms = a->max_age_ns / NS_PER_MS,
        .max_in_flight = LOKI_IN_FLIGHT,
    };
    struct transport transport;

    if (sink_http(&c->sink, sink_loop(&c->sink, a->name, a->url), urls, &a->http, &a->headers, &transport, err) != OK)
        return INVALID;
    cfg.observer = loki_observer(c->host, a->url);
    c->tenants[c->sink.n] = arena_copy(&c->arena, a->tenant_id);
    return sink_add(&c->sink, &cfg, a->name, a->url, n_planned, &transport, err);
}

static void loki_write_free(struct loki_write *c)
{
    stream_cache_release(c);
    pthread_mutex_destroy(&c->cache_lock);
    arena_release(&c->arena);
    mem_free(c);
}

static void nothing(void *arg)
{
    (void)arg;
}

static enum code loki_write_create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct loki_write_args *a = args;
    const struct loki_endpoint_args *endpoints = a->endpoints.items;
    struct loki_write *c = mem_zalloc(sizeof *c);

    *out = NULL;
    c->host = host;
    sink_init(&c->sink, host);
    arena_init(&c->arena, 0);
    pthread_mutex_init(&c->cache_lock, NULL);
    c->max_streams = (uint32_t)a->max_streams;
    c->max_label_names = (uint32_t)a->max_label_names;
    c->max_line_bytes = a->max_line_size;
    c->external = arena_zalloc(&c->arena, (a->external_labels.n + 1) * sizeof *c->external);
    for (size_t i = 0; i < a->external_labels.n; i++)
        c->external[c->n_external++] = (struct label){arena_copy(&c->arena, a->external_labels.items[i].name),
                                                      arena_copy(&c->arena, a->external_labels.items[i].value)};
    for (size_t i = 0; i < a->endpoints.n; i++)
        if (add_endpoint(c, &endpoints[i], a->endpoints.n, err) != OK) {
            sink_close(&c->sink, nothing, NULL);
            loki_write_free(c);
            return INVALID;
        }
    c->receiver = (struct receiver){.kind = RECEIVES_LOGS, .is_sink = true, .self = c, .push.logs = loki_write_push};
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void loki_write_drain(void *self, loop_fn done, void *arg)
{
    struct loki_write *c = self;

    sink_drain(&c->sink, done, arg);
}

struct closing {
    struct loki_write *c;
    loop_fn done;
    void *arg;
};

static void closed(void *arg)
{
    struct closing closing = *(struct closing *)arg;

    mem_free(arg);
    loki_write_free(closing.c);
    closing.done(closing.arg);
}

static void loki_write_close(void *self, loop_fn done, void *arg)
{
    struct loki_write *c = self;
    struct closing *closing = mem_alloc(sizeof *closing);

    *closing = (struct closing){c, done, arg};
    sink_close(&c->sink, closed, closing);
}

static void *loki_write_give(void *self)
{
    return sink_give_state(&((struct loki_write *)self)->sink);
}

static void loki_write_take(void *self, void *take_state)
{
    sink_take_state(&((struct loki_write *)self)->sink, take_state);
}

static void loki_write_debug(void *self, struct buf *json)
{
    sink_write_debug(&((struct loki_write *)self)->sink, json);
}

static const struct component_export exports[] = {
    {"receiver", "LogsReceiver", "Takes log entries for the endpoints."},
    {NULL, NULL, NULL},
};

const struct component_type component_loki_write = {
    .name = "loki.write",
    .stability = STABILITY_GA,
    .doc = "Pushes log entries to Loki.",
    .args = &loki_write_block,
    .exports = exports,
    .holds = HOLDS_NONE,
    .is_sink = true,
    .create = loki_write_create,
    .drain = loki_write_drain,
    .close = loki_write_close,
    .give_state = loki_write_give,
    .take_state = loki_write_take,
    .free_state = sink_free_state,
    .write_debug = loki_write_debug,
};
