#include "exporters/loki/write/write.h"

#define Q(member) offsetof(struct loki_queue_args, member)
static const struct river_field queue_fields[] = {
    {.name = "capacity",
     .kind = RIVER_BYTES,
     .offset = Q(capacity),
     .def = "0",
     .doc = "The most this endpoint may queue; 0: its share of memory."},
    {.name = "drain_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = Q(drain_timeout_ns),
     .def = "\"1m\"",
     .doc = "Accepted: --shutdown.timeout bounds the end of all components."},
    RIVER_FIELDS_END,
};
static const struct river_block queue_block = {.name = "queue_config",
                                               .fields = queue_fields,
                                               .size = sizeof(struct loki_queue_args),
                                               .doc = "The endpoint's queue."};

static const struct river_enum on_full[] = {{"drop_oldest", ON_FULL_DROP_OLDEST}, {"block", ON_FULL_BLOCK}, {NULL, 0}};
static const struct river_enum durability[] = {
    {"default", DURABILITY_DEFAULT}, {"memory", DURABILITY_MEMORY}, {NULL, 0}};

#define E(member) offsetof(struct loki_endpoint_args, member)
static const struct river_field endpoint_fields[] = {
    {.name = "name",
     .kind = RIVER_STRING,
     .offset = E(name),
     .doc = "Identifies this endpoint in metrics and on disk."},
    {.name = "url",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = E(url),
     .doc = "Where to push, with its path: http://loki:3100/loki/api/v1/push."},
    {.name = "batch_wait",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = E(batch_wait_ns),
     .def = "\"1s\"",
     .doc = "The longest an entry waits for others before it is sent."},
    {.name = "batch_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_HAS_MIN,
     .min = 1,
     .offset = E(batch_size),
     .def = "\"1MiB\"",
     .doc = "A push is sent when it has grown to this, before compression."},
    {.name = "remote_timeout",
     .kind = RIVER_DURATION,
     .offset = E(remote_timeout_ns),
     .def = "\"10s\"",
     .doc = "Time for one push."},
    {.name = "headers", .kind = RIVER_STRING_MAP, .offset = E(headers), .doc = "Headers sent with every push."},
    {.name = "min_backoff_period",
     .kind = RIVER_DURATION,
     .offset = E(min_backoff_ns),
     .def = "\"500ms\"",
     .doc = "Wait before the first retry."},
    {.name = "max_backoff_period",
     .kind = RIVER_DURATION,
     .offset = E(max_backoff_ns),
     .def = "\"5m\"",
     .doc = "The longest wait between retries."},
    {.name = "max_backoff_retries",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = E(max_backoff_retries),
     .def = "10",
     .present = RIVER_PRESENT_AT(struct loki_endpoint_args, has_max_backoff_retries),
     .doc =
         "Give up, counted, after so many retries; 0: never. Only when it is written: by itself hyagent keeps trying "
         "until the queue's cap."},
    {.name = "tenant_id",
     .kind = RIVER_STRING,
     .offset = E(tenant_id),
     .doc = "X-Scope-OrgID of entries without the label __tenant_id__."},
    {.name = "retry_on_http_429",
     .kind = RIVER_BOOL,
     .offset = E(retry_on_http_429),
     .def = "true",
     .doc = "Retry when Loki says 429."},
    {.kind = RIVER_FLATTEN, .offset = E(http), .block = &http_args_block},
    {.name = "queue_config",
     .kind = RIVER_BLOCK,
     .offset = E(queue),
     .block = &queue_block,
     .doc = "The endpoint's queue."},
    {.name = "on_full",
     .kind = RIVER_ENUM,
     .offset = E(on_full),
     .choices = on_full,
     .def = "\"drop_oldest\"",
     .doc = "At the queue's cap: drop_oldest (counted), or block the sources that reach this endpoint."},
    {.name = "durability",
     .kind = RIVER_ENUM,
     .offset = E(durability),
     .choices = durability,
     .def = "\"default\"",
     .doc = "memory: clients are answered when their entries are in memory, and may lose them."},
    {.name = "max_age",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = E(max_age_ns),
     .def = "\"0s\"",
     .doc = "Entries that waited longer are dropped, counted; 0s: never."},
    RIVER_FIELDS_END,
};

static enum code endpoint_validate(const void *args, struct river_problems *problems)
{
    const struct loki_endpoint_args *a = args;
    struct error err = {0};
    enum code rc = http_args_check(&a->http, problems);

    if (sink_check_url(a->url, &err) != OK)
        rc = river_problem(problems, "url", "%s", err.text);
    if (a->max_backoff_ns < a->min_backoff_ns)
        rc = river_problem(problems, "max_backoff_period", "must not be shorter than min_backoff_period");
    return rc;
}

static const struct river_block endpoint_block = {.name = "endpoint",
                                                  .fields = endpoint_fields,
                                                  .size = sizeof(struct loki_endpoint_args),
                                                  .doc = "A Loki to push to.",
                                                  .validate = endpoint_validate};

#define W(member) offsetof(struct loki_wal_args, member)
static const struct river_field wal_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = W(enabled),
     .def = "false",
     .doc = "Accepted: delivery decides by itself where entries wait."},
    {.name = "max_segment_age",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = W(max_segment_age_ns),
     .def = "\"1h\"",
     .doc = "Accepted, see enabled."},
    {.name = "min_read_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = W(min_read_frequency_ns),
     .def = "\"250ms\"",
     .doc = "Accepted, see enabled."},
    {.name = "max_read_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = W(max_read_frequency_ns),
     .def = "\"1s\"",
     .doc = "Accepted, see enabled."},
    {.name = "drain_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = W(drain_timeout_ns),
     .def = "\"30s\"",
     .doc = "Accepted, see enabled."},
    RIVER_FIELDS_END,
};
static const struct river_block wal_block = {
    .name = "wal", .fields = wal_fields, .size = sizeof(struct loki_wal_args), .doc = "Accepted, without effect."};

#define A(member) offsetof(struct loki_write_args, member)
static const struct river_field fields[] = {
    {.name = "endpoint",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = A(endpoints),
     .block = &endpoint_block,
     .doc = "A Loki to push to."},
    {.name = "external_labels",
     .kind = RIVER_STRING_MAP,
     .offset = A(external_labels),
     .doc = "Labels added to every stream that does not have them."},
    {.name = "max_streams",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = A(max_streams),
     .def = "0",
     .doc = "The most streams of one batch; entries of further ones are dropped, counted. 0: no bound."},
    {.name = "max_line_size",
     .kind = RIVER_BYTES,
     .offset = A(max_line_size),
     .def = "\"256KiB\"",
     .doc = "Longer lines, which Loki refuses, are dropped here, counted; 0: no bound."},
    {.name = "max_label_names",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 0,
     .offset = A(max_label_names),
     .def = "15",
     .doc = "Streams with more labels, which Loki refuses, are dropped here, counted; 0: no bound."},
    {.name = "wal", .kind = RIVER_BLOCK, .offset = A(wal), .block = &wal_block, .doc = "Accepted, without effect."},
    RIVER_FIELDS_END,
};
const struct river_block loki_write_block = {.name = "loki.write",
                                             .fields = fields,
                                             .size = sizeof(struct loki_write_args),
                                             .doc = "Pushes log entries to Loki."};
