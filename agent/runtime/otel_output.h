/* agent/runtime/otel_output.h - the `output` and `debug_metrics` blocks that otelcol components share. */
#ifndef AGENT_RUNTIME_OTEL_OUTPUT_H
#define AGENT_RUNTIME_OTEL_OUTPUT_H
#include "agent/runtime/component.h"

struct otel_output_args {
    struct river_capsules metrics, logs, traces;
};
extern const struct river_block otel_output_block;
extern const struct river_block otel_debug_metrics_block; /* accepted, without effect: struct otel_debug_metrics_args */

struct otel_debug_metrics_args {
    bool disable_high_cardinality_metrics;
    struct slice level;
};

/* The two rows every otelcol component's table ends with. */
#define OTEL_OUTPUT_FIELD(offset_)                                                                                     \
    {                                                                                                                  \
        .name = "output", .kind = RIVER_BLOCK, .flags = RIVER_REQUIRED, .offset = (offset_),                           \
        .block = &otel_output_block, .doc = "Where to send received telemetry."                                        \
    }
#define OTEL_DEBUG_METRICS_FIELD(offset_)                                                                              \
    {                                                                                                                  \
        .name = "debug_metrics", .kind = RIVER_BLOCK, .flags = RIVER_NO_EFFECT, .offset = (offset_),                   \
        .block = &otel_debug_metrics_block, .doc = "Accepted for Alloy: the agent's own metrics have one level."       \
    }

/* One fanout per signal, index enum otlp_signal. */
struct otel_output {
    struct fanout *to[3];
    bool is_wired[3]; /* at least one consumer: a receiver answers UNIMPLEMENTED for a signal that has none */
};

/* Sets or replaces the three fanouts of the component. */
MUST_USE enum code otel_output_set(struct otel_output *out, struct host *host, const struct otel_output_args *args,
                                   struct error *err);
/* Pushes to the signal's fanout; takes the reference. */
void otel_output_push(const struct otel_output *out, struct otlp_batch *take);
#endif
