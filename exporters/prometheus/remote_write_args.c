#include "agent/runtime/relabel_args.h"
#include "exporters/prometheus/remote_write.h"

#define Q(member) offsetof(struct rw_queue_args, member)
static const struct river_field queue_fields[] = {
    {.name = "capacity", .kind = RIVER_INT, .flags = RIVER_NO_EFFECT, .offset = Q(capacity), .def = "10000",
     .doc = "Accepted: the cap is the endpoint's share of memory."},
    {.name = "max_shards", .kind = RIVER_INT, .flags = RIVER_HAS_MIN | RIVER_HAS_MAX, .min = 1, .max = 1000,
     .offset = Q(max_shards), .def = "50", .doc = "The most requests in flight at once."},
    {.name = "min_shards", .kind = RIVER_INT, .flags = RIVER_NO_EFFECT, .offset = Q(min_shards), .def = "1",
     .doc = "Accepted: requests in flight adapt by themselves."},
    {.name = "max_samples_per_send", .kind = RIVER_INT, .flags = RIVER_HAS_MIN, .min = 1,
     .offset = Q(max_samples_per_send), .def = "2000", .doc = "The most samples of one request."},
    {.name = "batch_send_deadline", .kind = RIVER_DURATION, .flags = RIVER_HAS_MIN, .min = 0,
     .offset = Q(batch_send_deadline_ns), .def = "\"5s\"", .doc = "The longest a sample waits for others."},
    {.name = "min_backoff", .kind = RIVER_DURATION, .offset = Q(min_backoff_ns), .def = "\"30ms\"",
     .doc = "Wait before the first retry."},
    {.name = "max_backoff", .kind = RIVER_DURATION, .offset = Q(max_backoff_ns), .def = "\"5s\"",
     .doc = "The longest wait between retries."},
    {.name = "retry_on_http_429", .kind = RIVER_BOOL, .offset = Q(retry_on_http_429), .def = "true",
     .doc = "Retry when the destination says 429."},
    {.name = "sample_age_limit", .kind = RIVER_DURATION, .flags = RIVER_HAS_MIN, .min = 0,
     .offset = Q(sample_age_limit_ns), .def = "\"0s\"",
     .doc = "Samples that waited longer are dropped, counted; 0s: never."},
    RIVER_FIELDS_END,
};
static const struct river_block queue_block = {.name = "queue_config", .fields = queue_fields,
                                               .size = sizeof(struct rw_queue_args), .doc = "The endpoint's queue."};

#define M(member) offsetof(struct rw_metadata_args, member)
static const struct river_field metadata_fields[] = {
    {.name = "send", .kind = RIVER_BOOL, .offset = M(send), .def = "true", .doc = "Send metadata of metric families."},
    {.name = "send_interval", .kind = RIVER_DURATION, .offset = M(send_interval_ns), .def = "\"1m\"",
     .doc = "How often a family's metadata is sent."},
    {.name = "max_samples_per_send", .kind = RIVER_INT, .flags = RIVER_NO_EFFECT, .offset = M(max_samples_per_send),
     .def = "2000", .doc = "Accepted: metadata goes along with the samples."},
    RIVER_FIELDS_END,
};
static const struct river_block metadata_block = {.name = "metadata_config", .fields = metadata_fields,
                                                  .size = sizeof(struct rw_metadata_args),
                                                  .doc = "Metadata of metric families."};

enum { MESSAGE_V1 };
static const struct river_enum messages[] = {{"prometheus.WriteRequest", MESSAGE_V1}, {NULL, 0}};
static const struct river_enum on_full[] = {
    {"drop_oldest", ON_FULL_DROP_OLDEST}, {"block", ON_FULL_BLOCK}, {NULL, 0}};
static const struct river_enum durability[] = {{"default", DURABILITY_DEFAULT}, {"memory", DURABILITY_MEMORY}, {NULL, 0}};

#define E(member) offsetof(struct rw_endpoint_args, member)
static const struct river_field endpoint_fields[] = {
    {.name = "name", .kind = RIVER_STRING, .offset = E(name), .doc = "Identifies this endpoint in metrics and on disk."},
    {.name = "url", .kind = RIVER_STRING, .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY, .offset = E(url),
     .doc = "Where to write, with its path: http://prometheus:9090/api/v1/write."},
    {.name = "remote_timeout", .kind = RIVER_DURATION, .offset = E(remote_timeout_ns), .def = "\"30s\"",
     .doc = "Time for one request."},
    {.name = "headers", .kind = RIVER_STRING_MAP, .offset = E(headers), .doc = "Headers sent with every request."},
    {.name = "send_exemplars", .kind = RIVER_BOOL, .offset = E(send_exemplars), .def = "true",
     .doc = "Send exemplars with their samples."},
    {.name = "send_native_histograms", .kind = RIVER_BOOL, .offset = E(send_native_histograms), .def = "false",
     .doc = "Send native histograms; else they are dropped, counted `unsupported`."},
    {.name = "protobuf_message", .kind = RIVER_ENUM, .offset = E(protobuf_message), .choices = messages,
     .def = "\"prometheus.WriteRequest\"", .doc = "Remote write 1.0; 2.0 is not available yet."},
    {.kind = RIVER_FLATTEN, .offset = E(http), .block = &http_args_http1_block},
    {.name = "queue_config", .kind = RIVER_BLOCK, .offset = E(queue), .block = &queue_block,
     .doc = "The endpoint's queue."},
    {.name = "metadata_config", .kind = RIVER_BLOCK, .offset = E(metadata), .block = &metadata_block,
     .doc = "Metadata of metric families."},
    {.name = "write_relabel_config", .kind = RIVER_BLOCK, .flags = RIVER_REPEATED, .offset = E(write_relabel),
     .block = &relabel_write_rule_block, .doc = "A relabelling rule for this endpoint; they are applied in order."},
    {.name = "sigv4", .kind = RIVER_BODY, .flags = RIVER_REFUSED, .offset = E(sigv4),
     .doc = "AWS Signature Version 4; hyagent does not have it"},
    {.name = "azuread", .kind = RIVER_BODY, .flags = RIVER_REFUSED, .offset = E(azuread),
     .doc = "Azure AD authentication; hyagent does not have it"},
    {.name = "on_full", .kind = RIVER_ENUM, .offset = E(on_full), .choices = on_full, .def = "\"drop_oldest\"",
     .doc = "At the queue's cap: drop_oldest (counted), or block the sources that reach this endpoint."},
    {.name = "durability", .kind = RIVER_ENUM, .offset = E(durability), .choices = durability, .def = "\"default\"",
     .doc = "memory: clients are answered when their samples are in memory, and may lose them."},
    RIVER_FIELDS_END,
};

static enum code endpoint_validate(const void *args, struct river_problems *problems)
{
    const struct rw_endpoint_args *a = args;
    struct error err = {0};
    enum code rc = http_args_check(&a->http, problems);

    if (sink_check_url(a->url, &err) != OK)
        rc = river_problem(problems, "url", "%s", err.text);
    return rc;
}

static const struct river_block endpoint_block = {.name = "endpoint", .fields = endpoint_fields,
                                                  .size = sizeof(struct rw_endpoint_args),
                                                  .doc = "A destination that takes remote write.",
                                                  .validate = endpoint_validate};

#define W(member) offsetof(struct rw_wal_args, member)
static const struct river_field wal_fields[] = {
    {.name = "truncate_frequency", .kind = RIVER_DURATION, .flags = RIVER_NO_EFFECT, .offset = W(truncate_frequency_ns),
     .def = "\"2h\"", .doc = "Accepted: delivery keeps what is not acknowledged, and nothing else."},
    {.name = "min_keepalive_time", .kind = RIVER_DURATION, .flags = RIVER_NO_EFFECT,
     .offset = W(min_keepalive_time_ns), .def = "\"5m\"", .doc = "Accepted, see truncate_frequency."},
    {.name = "max_keepalive_time", .kind = RIVER_DURATION, .flags = RIVER_NO_EFFECT,
     .offset = W(max_keepalive_time_ns), .def = "\"8h\"", .doc = "Accepted, see truncate_frequency."},
    RIVER_FIELDS_END,
};
static const struct river_block wal_block = {.name = "wal", .fields = wal_fields, .size = sizeof(struct rw_wal_args),
                                             .doc = "Accepted, without effect."};

static const struct river_field fields[] = {
    {.name = "external_labels", .kind = RIVER_STRING_MAP, .offset = offsetof(struct rw_args, external_labels),
     .doc = "Labels added to every series that does not have them."},
    {.name = "endpoint", .kind = RIVER_BLOCK, .flags = RIVER_REPEATED, .offset = offsetof(struct rw_args, endpoints),
     .block = &endpoint_block, .doc = "A destination that takes remote write."},
    {.name = "wal", .kind = RIVER_BLOCK, .offset = offsetof(struct rw_args, wal), .block = &wal_block,
     .doc = "Accepted, without effect."},
    RIVER_FIELDS_END,
};
const struct river_block remote_write_block = {.name = "prometheus.remote_write", .fields = fields,
                                               .size = sizeof(struct rw_args),
                                               .doc = "Sends samples by Prometheus remote write 1.0."};
