/* otelcol.processor.batch: a hint to the sinks behind it (docs/architecture.md: cut early, merge late). Nothing waits
 * here: batches pass at once, cut to send_batch_max_size where that is set, and the sinks take timeout and sizes. */
#include "agent/base/mem.h"
#include "agent/model/otlp_scan.h"
#include "agent/runtime/component.h"
#include "agent/runtime/otel_output.h"
#include <stdatomic.h>
#include <stddef.h>

struct args {
    int64_t timeout_ns;
    uint64_t send_batch_size, send_batch_max_size;
    struct river_strings metadata_keys;
    uint64_t metadata_cardinality_limit;
    struct otel_output_args output;
    struct otel_debug_metrics_args debug_metrics;
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct otel_output output;
    _Atomic uint64_t max_items;    /* 0: no cap */
    struct metric *size, *by_size; /* owned references */
};

static void push(void *self, struct otlp_batch *take)
{
    struct component *c = self;
    uint64_t max = atomic_load_explicit(&c->max_items, memory_order_relaxed);
    struct otlp_batch *b = take;

    metric_observe(c->size, take->n_items);
    if (max != 0 && take->n_items > max) {
        b = otlp_batch_own(take);
        /* a cut that finds no memory passes the batch on whole: sinks cut by bytes anyway */
        if (b != NULL && otlp_batch_cut(b, (uint32_t)(max < UINT32_MAX ? max : UINT32_MAX), 0) == OK)
            metric_inc(c->by_size);
    }
    otel_output_push(&c->output, b != NULL ? b : take);
}

static enum code set_args(struct component *c, const struct args *a, struct error *err)
{
    atomic_store(&c->max_items, a->send_batch_max_size);
    host_set_batch_hint(c->host, (struct batch_hint){.send_items = a->send_batch_size,
                                                     .max_items = a->send_batch_max_size,
                                                     .timeout_ns = a->timeout_ns});
    return otel_output_set(&c->output, c->host, &a->output, err);
}

static enum code update(void *self, const void *args, struct error *err)
{
    return set_args(self, args, err);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    metric_unref(c->size);
    metric_unref(c->by_size);
    mem_free(c);
    done(arg);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    static const double sizes[] = {10,   25,   50,   75,   100,  250,  500,   750,   1000,  2000,  3000,
                                   4000, 5000, 6000, 7000, 8000, 9000, 10000, 20000, 30000, 50000, 100000};
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .self = c, .push = {.otlp = push}};
    c->size = host_histogram(host, "otelcol_processor_batch_batch_send_size", "Number of units in the batch", sizes,
                             sizeof sizes / sizeof *sizes, NULL, 0);
    c->by_size = host_counter(host, "otelcol_processor_batch_batch_size_trigger_send_total",
                              "Number of times the batch was sent due to a size trigger", NULL, 0);
    rc = set_args(c, args, err);
    if (rc != OK) {
        metric_unref(c->size);
        metric_unref(c->by_size);
        mem_free(c);
        return rc;
    }
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;

    if (a->send_batch_max_size != 0 && a->send_batch_max_size < a->send_batch_size)
        return river_problem(problems, "send_batch_max_size", "must be 0 or at least send_batch_size (%llu)",
                             (unsigned long long)a->send_batch_size);
    return OK;
}

#define ARG(member) offsetof(struct args, member)
static const struct river_field fields[] = {
    {.name = "timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .offset = ARG(timeout_ns),
     .def = "\"200ms\"",
     .doc = "How long the sinks behind may wait to fill a request."},
    {.name = "send_batch_size",
     .kind = RIVER_UINT,
     .offset = ARG(send_batch_size),
     .def = "2000",
     .doc = "Items after which the sinks behind send without waiting."},
    {.name = "send_batch_max_size",
     .kind = RIVER_UINT,
     .offset = ARG(send_batch_max_size),
     .def = "3000",
     .doc = "Most items of one request; 0: no limit."},
    {.name = "metadata_keys",
     .kind = RIVER_STRING_LIST,
     .flags = RIVER_NO_EFFECT,
     .offset = ARG(metadata_keys),
     .doc = "Accepted for Alloy: nothing that is sent depends on the metadata of a request."},
    {.name = "metadata_cardinality_limit",
     .kind = RIVER_UINT,
     .flags = RIVER_NO_EFFECT,
     .offset = ARG(metadata_cardinality_limit),
     .def = "1000",
     .doc = "Accepted for Alloy: tenants' queues are bounded at the sinks."},
    OTEL_OUTPUT_FIELD(ARG(output)),
    OTEL_DEBUG_METRICS_FIELD(ARG(debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.processor.batch",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "How the sinks behind it fill their requests."};

static const struct component_export exports[] = {
    {"input", "otelcol.Consumer", "Takes traces, metrics and logs."},
    {0},
};

const struct component_type component_otelcol_processor_batch = {
    .name = "otelcol.processor.batch",
    .stability = STABILITY_GA,
    .doc = "Says how large and how late the requests of the sinks behind it may be.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .close = close_component,
};
