/* The tracing block: checked like any other and then without effect, for hyagent makes no spans of its own yet. */
#include "agent/base/log.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/idle.h"

struct jaeger_args {
    struct slice url;
    int64_t max_operations, refresh_interval_ns;
};

struct sampler_args {
    struct jaeger_args *jaeger_remote;
};

struct tracing_args {
    double sampling_fraction;
    struct river_capsules write_to;
    struct sampler_args *sampler;
};

static const struct river_field jaeger_fields[] = {
    {.name = "url",
     .kind = RIVER_STRING,
     .offset = offsetof(struct jaeger_args, url),
     .def = "\"http://127.0.0.1:5778/sampling\"",
     .doc = "where the sampling strategy is asked for"},
    {.name = "max_operations",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = offsetof(struct jaeger_args, max_operations),
     .def = "256",
     .doc = "operations with a sampling of their own"},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = offsetof(struct jaeger_args, refresh_interval_ns),
     .def = "\"1m\"",
     .doc = "how often it is asked for"},
    RIVER_FIELDS_END,
};

static const struct river_block jaeger_block = {
    .name = "jaeger_remote",
    .fields = jaeger_fields,
    .size = sizeof(struct jaeger_args),
    .doc = "Sampling as a Jaeger collector says.",
};

static const struct river_field sampler_fields[] = {
    {.name = "jaeger_remote",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct sampler_args, jaeger_remote),
     .block = &jaeger_block,
     .doc = "sampling as a Jaeger collector says"},
    RIVER_FIELDS_END,
};

static const struct river_block sampler_block = {
    .name = "sampler",
    .fields = sampler_fields,
    .size = sizeof(struct sampler_args),
    .doc = "A sampler besides the fraction.",
};

static const struct river_field tracing_fields[] = {
    {.name = "sampling_fraction",
     .kind = RIVER_FLOAT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX,
     .min = 0,
     .max = 1,
     .offset = offsetof(struct tracing_args, sampling_fraction),
     .def = "0.1",
     .doc = "share of the own traces that is kept"},
    {.name = "write_to",
     .kind = RIVER_CAPSULE_LIST,
     .offset = offsetof(struct tracing_args, write_to),
     .capsule = &capsule_otel_consumer,
     .doc = "where the own traces go"},
    {.name = "sampler",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct tracing_args, sampler),
     .block = &sampler_block,
     .doc = "a sampler besides the fraction"},
    RIVER_FIELDS_END,
};

static enum code check(const void *args, struct river_problems *problems)
{
    (void)args;
    river_problem_warn(problems, NULL, "\"tracing\" has no effect: hyagent does not make spans of its own yet");
    return OK;
}

static const struct river_block tracing_block = {
    .name = "tracing",
    .fields = tracing_fields,
    .size = sizeof(struct tracing_args),
    .doc = "Accepted and checked, without effect: hyagent does not make spans of its own yet.",
    .validate = check,
};

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    log_warn("tracing", "the tracing block has no effect: hyagent does not make spans of its own yet");
    return idle_create(out, host, args, err);
}

const struct component_type component_tracing = {
    .name = "tracing",
    .stability = STABILITY_GA,
    .doc = "The agent's own traces; accepted, without effect yet.",
    .args = &tracing_block,
    .is_singleton = true,
    .create = create,
    .update = idle_update,
    .close = idle_close,
};
