/* prometheus.remote_write: samples by remote write 1.0. */
#include "exporters/prometheus/remote_write/remote_write.h"
#include "agent/base/mem.h"
#include "agent/runtime/relabel_args.h"

enum { REQUEST_BYTES = 1024 * 1024 };

static enum code add_endpoint(struct remote_write *c, const struct rw_endpoint_args *a, size_t n_planned,
                              struct error *err)
{
    const struct slice urls[TRANSPORT_KINDS] = {a->url};
    struct endpoint_cfg cfg = {
        .protocol = &protocol_prometheus,
        .compression = WIRE_SNAPPY,
        .batch_bytes = REQUEST_BYTES,
        .batch_wait_ms = a->queue.batch_send_deadline_ns / NS_PER_MS,
        .batch_items = (uint32_t)a->queue.max_samples_per_send,
        .max_items = (uint32_t)a->queue.max_samples_per_send,
        .timeout_ms = (uint64_t)(a->remote_timeout_ns / NS_PER_MS),
        .backoff_min_ms = a->queue.min_backoff_ns / NS_PER_MS,
        .backoff_max_ms = a->queue.max_backoff_ns / NS_PER_MS,
        .retry_on_429 = a->queue.retry_on_http_429,
        .on_full = (enum on_full)a->on_full,
        .durability = (enum durability)a->durability,
        .max_age_ms = a->queue.sample_age_limit_ns / NS_PER_MS,
        .max_in_flight = (unsigned)a->queue.max_shards,
    };
    struct rw_endpoint *e = rw_endpoint_new();
    struct transport transport;

    if (relabel_rules_of(&a->write_relabel, &e->rules, err) != OK ||
        sink_http(&c->sink, sink_loop(&c->sink, a->name, a->url), urls, &a->http, &a->headers, &transport, err) != OK) {
        rw_endpoint_free(e);
        return INVALID;
    }
    e->send_exemplars = a->send_exemplars;
    e->send_native_histograms = a->send_native_histograms;
    e->send_metadata = a->metadata.send;
    e->metadata_interval_ms = a->metadata.send_interval_ns / NS_PER_MS;
    cfg.observer = rw_observer(c->host, a->name, a->url, &a->queue);
    c->endpoints[c->n_endpoints++] = e;
    return sink_add(&c->sink, &cfg, a->name, a->url, n_planned, &transport, err);
}

static void remote_write_free(struct remote_write *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++)
        rw_endpoint_free(c->endpoints[i]);
    arena_release(&c->arena);
    mem_free(c);
}

static void nothing(void *arg)
{
    (void)arg;
}

static enum code remote_write_create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct rw_args *a = args;
    const struct rw_endpoint_args *endpoints = a->endpoints.items;
    struct remote_write *c = mem_zalloc(sizeof *c);

    *out = NULL;
    c->host = host;
    sink_init(&c->sink, host);
    arena_init(&c->arena, 0);
    c->external = arena_zalloc(&c->arena, (a->external_labels.n + 1) * sizeof *c->external);
    for (size_t i = 0; i < a->external_labels.n; i++)
        c->external[c->n_external++] = (struct label){arena_copy(&c->arena, a->external_labels.items[i].name),
                                                      arena_copy(&c->arena, a->external_labels.items[i].value)};
    for (size_t i = 0; i < a->endpoints.n; i++)
        if (c->n_endpoints == SINK_ENDPOINTS_MAX || add_endpoint(c, &endpoints[i], a->endpoints.n, err) != OK) {
            sink_close(&c->sink, nothing, NULL);
            remote_write_free(c);
            return INVALID;
        }
    c->receiver =
        (struct receiver){.kind = RECEIVES_METRICS, .is_sink = true, .self = c, .push.metrics = remote_write_push};
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void remote_write_drain(void *self, loop_fn done, void *arg)
{
    sink_drain(&((struct remote_write *)self)->sink, done, arg);
}

struct closing {
    struct remote_write *c;
    loop_fn done;
    void *arg;
};

static void closed(void *arg)
{
    struct closing closing = *(struct closing *)arg;

    mem_free(arg);
    remote_write_free(closing.c);
    closing.done(closing.arg);
}

static void remote_write_close(void *self, loop_fn done, void *arg)
{
    struct remote_write *c = self;
    struct closing *closing = mem_alloc(sizeof *closing);

    *closing = (struct closing){c, done, arg};
    sink_close(&c->sink, closed, closing);
}

static void *remote_write_give(void *self)
{
    return sink_give_state(&((struct remote_write *)self)->sink);
}

static void remote_write_take(void *self, void *take_state)
{
    sink_take_state(&((struct remote_write *)self)->sink, take_state);
}

static void remote_write_debug(void *self, struct buf *json)
{
    sink_write_debug(&((struct remote_write *)self)->sink, json);
}

static const struct component_export exports[] = {
    {"receiver", "MetricsReceiver", "Takes samples for the endpoints."},
    {NULL, NULL, NULL},
};

const struct component_type component_prometheus_remote_write = {
    .name = "prometheus.remote_write",
    .stability = STABILITY_GA,
    .doc = "Sends samples by Prometheus remote write.",
    .args = &remote_write_block,
    .exports = exports,
    .holds = HOLDS_NONE,
    .is_sink = true,
    .create = remote_write_create,
    .drain = remote_write_drain,
    .close = remote_write_close,
    .give_state = remote_write_give,
    .take_state = remote_write_take,
    .free_state = sink_free_state,
    .write_debug = remote_write_debug,
};
