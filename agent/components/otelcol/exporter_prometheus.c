/* otelcol.exporter.prometheus: OTLP metrics become Prometheus samples. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_to_prom.h"
#include "agent/runtime/component.h"
#include "agent/runtime/otel_output.h"
#include <stddef.h>

struct args {
    struct river_capsules forward_to;
    struct otlp_to_prom_options options;
    int64_t gc_frequency_ns;
    struct otel_debug_metrics_args debug_metrics;
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct fanout *to;
    struct otlp_to_prom_options options; /* a change makes a new component */
};

static void refuse(struct component *c, struct otlp_batch *b, enum outcome outcome, enum drop_reason reason,
                   const char *text)
{
    ledger_dropped(host_ledger(c->host), reason, b->n_items);
    batch_settle(&b->base, c->receiver.owner, outcome, reason, text);
    batch_unref(&b->base);
}

static void push(void *self, struct otlp_batch *take)
{
    struct component *c = self;
    struct ledger *ledger = host_ledger(c->host);
    struct otlp_to_prom_result result = {0};
    struct sample_batch *samples;
    struct error err = {0};
    uint32_t dropped;
    enum code rc;

    if (take->signal != OTLP_METRICS) {
        log_warn(host_id(c->host), "only metrics become samples: traces and logs are dropped",
                 log_str("do", "send them to another exporter (output.traces, output.logs)"));
        refuse(c, take, SETTLED_REJECTED, DROP_UNSUPPORTED, "this exporter takes metrics only");
        return;
    }
    rc = otlp_to_prom(take, &c->options, c->receiver.owner, &samples, &result, &err);
    if (rc != OK) {
        refuse(c, take, rc == NOMEM ? SETTLED_ABANDONED : SETTLED_REJECTED, rc == NOMEM ? DROP_MEMORY : DROP_CORRUPT,
               err.text);
        return;
    }
    dropped = result.dropped_delta + result.dropped_unsupported + result.dropped_invalid;
    ledger_dropped(ledger, DROP_STALE_DELTA, result.dropped_delta);
    ledger_dropped(ledger, DROP_UNSUPPORTED, result.dropped_unsupported);
    ledger_dropped(ledger, DROP_INVALID, result.dropped_invalid);
    if (result.dropped_delta != 0)
        log_warn(host_id(c->host), "data points of delta temporality cannot be written to Prometheus: dropped",
                 log_int("points", result.dropped_delta),
                 log_str("do", "set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative at the sender"));
    /* the points that were kept end here (merged into samples); the samples begin here (created) */
    ledger_merged(ledger, take->n_items - dropped);
    ledger_created(ledger, samples->n);
    batch_unref(&take->base);
    fanout_push_metrics(c->to, samples);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->options = a->options;
    rc = host_fanout(host, "forward_to", RECEIVES_METRICS, a->forward_to.items, a->forward_to.n, &c->to, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .self = c, .push = {.otlp = push}};
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    mem_free(self);
    done(arg);
}

#define ARG(member) offsetof(struct args, member)
static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = ARG(forward_to),
     .capsule = &capsule_metrics_receiver,
     .doc = "Where to send the samples."},
    {.name = "include_target_info",
     .kind = RIVER_BOOL,
     .offset = ARG(options.include_target_info),
     .def = "true",
     .doc = "Also write target_info, with the resource's attributes."},
    {.name = "include_scope_info",
     .kind = RIVER_BOOL,
     .offset = ARG(options.include_scope_info),
     .def = "false",
     .doc = "Also write otel_scope_info."},
    {.name = "include_scope_labels",
     .kind = RIVER_BOOL,
     .offset = ARG(options.include_scope_labels),
     .def = "true",
     .doc = "Labels otel_scope_name and otel_scope_version on every series."},
    {.name = "add_metric_suffixes",
     .kind = RIVER_BOOL,
     .offset = ARG(options.add_metric_suffixes),
     .def = "true",
     .doc = "Put unit and type behind the name (_seconds, _total)."},
    {.name = "resource_to_telemetry_conversion",
     .kind = RIVER_BOOL,
     .offset = ARG(options.resource_to_telemetry_conversion),
     .def = "false",
     .doc = "The resource's attributes as labels of every series."},
    {.name = "gc_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = ARG(gc_frequency_ns),
     .def = "\"5m\"",
     .doc = "Accepted for Alloy: nothing is kept between batches."},
    OTEL_DEBUG_METRICS_FIELD(ARG(debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.exporter.prometheus",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .doc = "OTLP metrics as Prometheus samples."};

static const struct component_export exports[] = {
    {"input", "otelcol.Consumer", "Takes metrics."},
    {0},
};

const struct component_type component_otelcol_exporter_prometheus = {
    .name = "otelcol.exporter.prometheus",
    .stability = STABILITY_GA,
    .doc = "Turns OTLP metrics into Prometheus samples.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
