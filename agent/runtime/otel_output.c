#include "agent/runtime/otel_output.h"

#define OUT(member) offsetof(struct otel_output_args, member)
static const struct river_field output_fields[] = {
    {.name = "metrics",
     .kind = RIVER_CAPSULE_LIST,
     .offset = OUT(metrics),
     .capsule = &capsule_otel_consumer,
     .doc = "Consumers to send metrics to."},
    {.name = "logs",
     .kind = RIVER_CAPSULE_LIST,
     .offset = OUT(logs),
     .capsule = &capsule_otel_consumer,
     .doc = "Consumers to send logs to."},
    {.name = "traces",
     .kind = RIVER_CAPSULE_LIST,
     .offset = OUT(traces),
     .capsule = &capsule_otel_consumer,
     .doc = "Consumers to send traces to."},
    RIVER_FIELDS_END,
};
const struct river_block otel_output_block = {.name = "output",
                                              .fields = output_fields,
                                              .size = sizeof(struct otel_output_args),
                                              .doc = "Where to send received telemetry."};

static const struct river_field debug_fields[] = {
    {.name = "disable_high_cardinality_metrics",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct otel_debug_metrics_args, disable_high_cardinality_metrics),
     .def = "true",
     .doc = "Accepted for Alloy, without effect."},
    {.name = "level",
     .kind = RIVER_STRING,
     .offset = offsetof(struct otel_debug_metrics_args, level),
     .def = "\"detailed\"",
     .doc = "Accepted for Alloy, without effect."},
    RIVER_FIELDS_END,
};
const struct river_block otel_debug_metrics_block = {.name = "debug_metrics",
                                                     .fields = debug_fields,
                                                     .size = sizeof(struct otel_debug_metrics_args),
                                                     .doc = "Accepted for Alloy, without effect."};

enum code otel_output_set(struct otel_output *out, struct host *host, const struct otel_output_args *args,
                          struct error *err)
{
    const struct {
        enum otlp_signal signal;
        const char *name;
        const struct river_capsules *list;
    } rows[] = {
        {OTLP_TRACES, "output.traces", &args->traces},
        {OTLP_METRICS, "output.metrics", &args->metrics},
        {OTLP_LOGS, "output.logs", &args->logs},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum code rc = host_fanout(host, rows[i].name, RECEIVES_OTLP, rows[i].list->items, rows[i].list->n,
                                   &out->to[rows[i].signal], err);

        if (rc != OK)
            return rc;
        out->is_wired[rows[i].signal] = rows[i].list->n != 0;
    }
    return OK;
}

void otel_output_push(const struct otel_output *out, struct otlp_batch *take)
{
    fanout_push_otlp(out->to[take->signal], take);
}
