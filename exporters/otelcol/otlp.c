/* otelcol.exporter.otlp: OTLP over gRPC. */
#include "agent/base/mem.h"
#include "agent/runtime/otel_output.h"
#include "agent/runtime/otlp_push.h"

struct keepalive_args {
    int64_t ping_wait_ns, ping_response_timeout_ns;
    bool ping_without_stream;
};

struct client_args {
    struct slice endpoint, balancer_name, authority;
    int compression; /* enum codec */
    struct otel_client_tls_args tls;
    struct keepalive_args *keepalive;
    uint64_t read_buffer_size, write_buffer_size;
    bool wait_for_ready;
    struct river_map headers;
    struct otel_auth *auth;
};

struct otlp_args {
    int64_t timeout_ns;
    struct otel_queue_args queue;
    struct otel_retry_args retry;
    struct otel_debug_metrics_args debug_metrics;
    struct client_args client;
};

#define K(member) offsetof(struct keepalive_args, member)
static const struct river_field keepalive_fields[] = {
    {.name = "ping_wait",
     .kind = RIVER_DURATION,
     .offset = K(ping_wait_ns),
     .def = "\"0s\"",
     .doc = "Ping the server after so long without traffic; 0s: never."},
    {.name = "ping_response_timeout",
     .kind = RIVER_DURATION,
     .offset = K(ping_response_timeout_ns),
     .def = "\"0s\"",
     .doc = "Close the connection when a ping is not answered in this time."},
    {.name = "ping_without_stream",
     .kind = RIVER_BOOL,
     .offset = K(ping_without_stream),
     .doc = "Ping without requests in flight, too."},
    RIVER_FIELDS_END,
};
static const struct river_block keepalive_block = {.name = "keepalive",
                                                   .fields = keepalive_fields,
                                                   .size = sizeof(struct keepalive_args),
                                                   .doc = "Keeps the connection alive."};

/* gRPC core sends identity, gzip and deflate; others are refused by name. */
static const struct river_enum compressions[] = {
    {"gzip", CODEC_GZIP}, {"deflate", CODEC_DEFLATE}, {"none", CODEC_NONE}, {"", CODEC_NONE}, {NULL, 0}};

#define C(member) offsetof(struct client_args, member)
static const struct river_field client_fields[] = {
    {.name = "endpoint",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = C(endpoint),
     .doc = "host:port of the server; with http:// in front without TLS."},
    {.name = "compression",
     .kind = RIVER_ENUM,
     .offset = C(compression),
     .choices = compressions,
     .def = "\"gzip\"",
     .doc = "gzip, deflate or none."},
    {.name = "tls",
     .kind = RIVER_BLOCK,
     .offset = C(tls),
     .block = &otel_client_tls_block,
     .doc = "TLS to the server."},
    {.name = "keepalive",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = C(keepalive),
     .block = &keepalive_block,
     .doc = "Keeps the connection alive."},
    {.name = "read_buffer_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_NO_EFFECT,
     .offset = C(read_buffer_size),
     .def = "0",
     .doc = "Accepted: gRPC sizes its buffers itself; what is sent is the same."},
    {.name = "write_buffer_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_NO_EFFECT,
     .offset = C(write_buffer_size),
     .def = "\"512KiB\"",
     .doc = "Accepted, see read_buffer_size."},
    {.name = "wait_for_ready",
     .kind = RIVER_BOOL,
     .offset = C(wait_for_ready),
     .def = "false",
     .doc = "Wait for a connection instead of failing, and retrying, at once."},
    {.name = "headers", .kind = RIVER_STRING_MAP, .offset = C(headers), .doc = "Headers sent with every request."},
    {.name = "balancer_name",
     .kind = RIVER_STRING,
     .offset = C(balancer_name),
     .def = "\"round_robin\"",
     .doc = "How requests go to several addresses: round_robin or pick_first."},
    {.name = "authority", .kind = RIVER_STRING, .offset = C(authority), .doc = "The :authority header."},
    {.name = "auth",
     .kind = RIVER_CAPSULE,
     .offset = C(auth),
     .capsule = &capsule_otel_auth,
     .doc = "handler of an otelcol.auth component."},
    RIVER_FIELDS_END,
};
static const struct river_block client_block = {
    .name = "client", .fields = client_fields, .size = sizeof(struct client_args), .doc = "The gRPC client."};

#define A(member) offsetof(struct otlp_args, member)
static const struct river_field fields[] = {
    {.name = "timeout",
     .kind = RIVER_DURATION,
     .offset = A(timeout_ns),
     .def = "\"5s\"",
     .doc = "Time for one request."},
    {.name = "sending_queue",
     .kind = RIVER_BLOCK,
     .offset = A(queue),
     .block = &otel_queue_block,
     .doc = "The queue in front of the destination."},
    {.name = "retry_on_failure",
     .kind = RIVER_BLOCK,
     .offset = A(retry),
     .block = &otel_retry_block,
     .doc = "What happens when a request fails for now."},
    OTEL_DEBUG_METRICS_FIELD(A(debug_metrics)),
    {.name = "client",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REQUIRED,
     .offset = A(client),
     .block = &client_block,
     .doc = "The gRPC client."},
    RIVER_FIELDS_END,
};

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct otlp_args *a = args;
    struct slice name = a->client.balancer_name;

    if (a->client.auth != NULL && a->client.auth->id != NULL && a->client.auth->add_headers == NULL)
        return river_problem(problems, "client", "auth: %s cannot authenticate clients", a->client.auth->id);
    if (!slice_eq_str(name, "round_robin") && !slice_eq_str(name, "pick_first") && name.len != 0)
        return river_problem(problems, "client", "balancer_name must be round_robin or pick_first");
    return otel_grpc_tls_check(a->client.tls.min_version, a->client.tls.max_version, problems);
}

static const struct river_block args_block = {.name = "otelcol.exporter.otlp",
                                              .fields = fields,
                                              .size = sizeof(struct otlp_args),
                                              .doc = "Sends OTLP over gRPC.",
                                              .validate = validate};

/* "http://host:4317" and "https://host:4317" are written, too; the scheme says whether there is TLS. */
static struct slice target_of(struct slice endpoint, bool *is_plain)
{
    if (slice_starts(endpoint, SLICE_LIT("http://"))) {
        *is_plain = true;
        endpoint = slice_from(endpoint, sizeof "http://" - 1);
    } else if (slice_starts(endpoint, SLICE_LIT("https://"))) {
        endpoint = slice_from(endpoint, sizeof "https://" - 1);
    } else {
        return endpoint;
    }
    return slice_head(endpoint, slice_find(endpoint, '/'));
}

static enum code prepare(void *ctx, struct rpc_metadata *items, size_t *n, size_t cap, struct arena *arena,
                         struct error *err)
{
    struct otel_headers headers = {.arena = arena};
    enum code rc = otlp_headers_get(ctx, &headers, err);

    for (size_t i = 0; rc == OK && i < headers.n && *n < cap; i++)
        items[(*n)++] = (struct rpc_metadata){headers.items[i].name, headers.items[i].value};
    return rc;
}

static void free_headers(void *ctx)
{
    otlp_headers_release(ctx);
    mem_free(ctx);
}

static enum code open_channel(struct rpc_channel **out, const struct client_args *a, struct error *err)
{
    bool is_plain = a->tls.insecure;
    struct tls_options tls;
    struct rpc_channel_options options = {
        .target = target_of(a->endpoint, &is_plain),
        .authority = a->authority,
        .balancer = a->balancer_name,
        .compression = (enum codec)a->compression,
        .read_buffer_bytes = a->read_buffer_size,
        .write_buffer_bytes = a->write_buffer_size,
    };

    if (a->keepalive != NULL) {
        options.keepalive_time_ms = (uint64_t)(a->keepalive->ping_wait_ns / NS_PER_MS);
        options.keepalive_timeout_ms = (uint64_t)(a->keepalive->ping_response_timeout_ns / NS_PER_MS);
        options.keepalive_without_calls = a->keepalive->ping_without_stream;
    }
    otel_client_tls_options(&a->tls, &tls);
    options.tls = is_plain ? NULL : &tls;
    return rpc_channel_new(out, &options, err);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct otlp_args *a = args;
    struct transport_grpc_cfg grpc = {
        .compression = (enum codec)a->client.compression,
        .methods =
            {
                [OTLP_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                [OTLP_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
                [OTLP_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            },
        .wait_for_ready = a->client.wait_for_ready,
        .prepare = prepare,
        .free_ctx = free_headers,
    };
    struct endpoint_cfg cfg = {.protocol = &protocol_otlp_grpc, .compression = otlp_compression(a->client.compression)};
    struct sink place;
    struct transport transport;

    *out = NULL;
    if (open_channel(&grpc.channel, &a->client, err) != OK)
        return INVALID;
    sink_init(&place, host);
    grpc.loop = sink_loop(&place, (struct slice){0}, a->client.endpoint);
    grpc.ctx = mem_zalloc(sizeof(struct otlp_headers));
    otlp_headers_init(grpc.ctx, &a->client.headers, a->client.auth);
    transport_grpc(&transport, &grpc);
    otlp_endpoint_cfg(&cfg, host, &a->queue, &a->retry, a->timeout_ns);
    return otlp_exporter_new(out, host, &cfg, a->client.endpoint, &transport, err);
}

const struct component_type component_otelcol_exporter_otlp = {
    .name = "otelcol.exporter.otlp",
    .stability = STABILITY_GA,
    .doc = "Sends traces, metrics and logs by OTLP over gRPC.",
    .args = &args_block,
    .exports = otlp_exporter_exports,
    .holds = HOLDS_NONE,
    .is_sink = true,
    .create = create,
    .start = otlp_exporter_start,
    .drain = otlp_exporter_drain,
    .close = otlp_exporter_close,
    .give_state = otlp_exporter_give,
    .take_state = otlp_exporter_take,
    .free_state = sink_free_state,
    .write_debug = otlp_exporter_debug,
};
