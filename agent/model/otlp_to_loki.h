/* agent/model/otlp_to_loki.h - OTLP log records as Loki entries, as otelcol.exporter.loki does it: hints in attributes
 * (loki.attribute.labels, loki.resource.labels, loki.format, loki.tenant) choose labels and the line's form; the labels
 * exporter="OTLP", job, instance and level are set by default. */
#ifndef AGENT_MODEL_OTLP_TO_LOKI_H
#define AGENT_MODEL_OTLP_TO_LOKI_H
#include "agent/model/batch.h"

struct otlp_to_loki_result {
    uint32_t entries;
    uint32_t dropped_invalid; /* no label left, or an unknown loki.format */
};

/* Makes a new log batch (one reference; NULL with NOMEM or CORRUPT). Tickets: as otlp_to_prom. The tenant hint becomes
 * the label __tenant_id__. now_ns: the time of records that have none. */
MUST_USE enum code otlp_to_loki(const struct otlp_batch *in, const char *destination, int64_t now_ns,
                                struct log_batch **out, struct otlp_to_loki_result *result, struct error *err);
#endif
