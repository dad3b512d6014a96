/* agent/model/otlp_to_prom.h - OTLP metrics as Prometheus samples: the OpenTelemetry specification "Prometheus and
 * OpenMetrics Compatibility", with the switches of otelcol.exporter.prometheus. Stateless. */
#ifndef AGENT_MODEL_OTLP_TO_PROM_H
#define AGENT_MODEL_OTLP_TO_PROM_H
#include "agent/model/batch.h"

struct otlp_to_prom_options {
    bool include_target_info;              /* true by default */
    bool include_scope_info;               /* otel_scope_info series; false */
    bool include_scope_labels;             /* otel_scope_name, otel_scope_version; true */
    bool add_metric_suffixes;              /* unit and _total; true */
    bool resource_to_telemetry_conversion; /* resource attributes as labels of every series; false */
};

struct otlp_to_prom_result {
    uint32_t samples;
    uint32_t dropped_delta;       /* data points of delta temporality */
    uint32_t dropped_unsupported; /* a metric without data, an exponential histogram out of range */
    uint32_t dropped_invalid;     /* a series without a usable name */
};

struct otlp_to_prom_options otlp_to_prom_defaults(void);
/* Makes a new sample batch (one reference; NULL with NOMEM or CORRUPT) whose labels it owns. Tickets: every kept data
 * point's go into one child ticket over the new batch's items; those of dropped points are settled under destination.
 * in is only read. */
MUST_USE enum code otlp_to_prom(const struct otlp_batch *in, const struct otlp_to_prom_options *options,
                                const char *destination, struct sample_batch **out, struct otlp_to_prom_result *result,
                                struct error *err);
/* The metric's Prometheus name: sanitized, with unit and type suffixes where add_suffixes. On the arena. */
struct slice otlp_prom_name(struct arena *a, struct slice name, struct slice unit, enum metric_type type,
                            bool add_suffixes);
/* The UCUM unit as Prometheus writes it ("By/s" -> "bytes_per_second"); empty when there is none. On the arena. */
struct slice otlp_prom_unit(struct arena *a, struct slice unit);
#endif
