#include "agent/components/otelcol/receiver_otlp/otlp.h"
#include "agent/io/codec.h"
#include <stddef.h>

void otlp_server_tls(const struct otel_server_tls_args *args, struct tls_options *out)
{
    *out = (struct tls_options){
        .cert_file = args->cert_file,
        .cert_pem = args->cert_pem,
        .key_file = args->key_file,
        .key_pem = args->key_pem.text,
        .client_ca_file = args->client_ca_file,
        .include_system_ca = args->include_system_ca,
        .min_version = (enum tls_version)args->min_version,
        .max_version = (enum tls_version)args->max_version,
    };
}

#define ENF(member) offsetof(struct otlp_enforcement_args, member)
#define PAR(member) offsetof(struct otlp_parameters_args, member)
static const struct river_field enforcement_fields[] = {
    {.name = "min_time",
     .kind = RIVER_DURATION,
     .offset = ENF(min_time_ns),
     .def = "\"5m\"",
     .doc = "The shortest time between two pings of a client."},
    {.name = "permit_without_stream",
     .kind = RIVER_BOOL,
     .offset = ENF(permit_without_stream),
     .def = "false",
     .doc = "Whether a client may ping while it has no call open."},
    RIVER_FIELDS_END,
};
static const struct river_field parameters_fields[] = {
    {.name = "max_connection_age",
     .kind = RIVER_DURATION,
     .offset = PAR(max_connection_age_ns),
     .doc = "Connections end after this time; unset: never."},
    {.name = "max_connection_age_grace",
     .kind = RIVER_DURATION,
     .offset = PAR(max_connection_age_grace_ns),
     .doc = "Time for open calls after max_connection_age; unset: no limit."},
    {.name = "max_connection_idle",
     .kind = RIVER_DURATION,
     .offset = PAR(max_connection_idle_ns),
     .doc = "Connections without a call end after this time; unset: never."},
    {.name = "time",
     .kind = RIVER_DURATION,
     .offset = PAR(time_ns),
     .def = "\"2h\"",
     .doc = "How often a quiet client is pinged."},
    {.name = "timeout",
     .kind = RIVER_DURATION,
     .offset = PAR(timeout_ns),
     .def = "\"20s\"",
     .doc = "How long it may take to answer a ping."},
    RIVER_FIELDS_END,
};
static const struct river_block enforcement_block = {.name = "enforcement_policy",
                                                     .fields = enforcement_fields,
                                                     .size = sizeof(struct otlp_enforcement_args),
                                                     .doc = "How often clients may ping."};
static const struct river_block parameters_block = {.name = "server_parameters",
                                                    .fields = parameters_fields,
                                                    .size = sizeof(struct otlp_parameters_args),
                                                    .doc = "Pings to clients and the age of connections."};

static const struct river_field keepalive_fields[] = {
    {.name = "enforcement_policy",
     .kind = RIVER_BLOCK,
     .offset = offsetof(struct otlp_keepalive_args, enforcement),
     .block = &enforcement_block,
     .doc = "How often clients may ping."},
    {.name = "server_parameters",
     .kind = RIVER_BLOCK,
     .offset = offsetof(struct otlp_keepalive_args, parameters),
     .block = &parameters_block,
     .doc = "Pings to clients and the age of connections."},
    RIVER_FIELDS_END,
};
static const struct river_block keepalive_block = {.name = "keepalive",
                                                   .fields = keepalive_fields,
                                                   .size = sizeof(struct otlp_keepalive_args),
                                                   .doc = "Pings and the age of connections."};

#define G(member) offsetof(struct otlp_grpc_args, member)
static const struct river_field grpc_fields[] = {
    {.name = "endpoint",
     .kind = RIVER_STRING,
     .flags = RIVER_NOT_EMPTY,
     .offset = G(endpoint),
     .def = "\"0.0.0.0:4317\"",
     .doc = "host:port to listen on."},
    {.name = "transport",
     .kind = RIVER_STRING,
     .offset = G(transport),
     .def = "\"tcp\"",
     .doc = "\"tcp\"; unix sockets are not built."},
    {.name = "max_recv_msg_size",
     .kind = RIVER_BYTES,
     .offset = G(max_recv_msg_size),
     .def = "\"4MiB\"",
     .doc = "The largest message, inflated."},
    {.name = "max_concurrent_streams",
     .kind = RIVER_UINT,
     .offset = G(max_concurrent_streams),
     .doc = "Calls at once over one connection; 0: 1024."},
    {.name = "read_buffer_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_NO_EFFECT,
     .offset = G(read_buffer_size),
     .def = "\"512KiB\"",
     .doc = "Accepted for Alloy: gRPC sizes its buffers itself, within a quota."},
    {.name = "write_buffer_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_NO_EFFECT,
     .offset = G(write_buffer_size),
     .doc = "Accepted for Alloy: gRPC sizes its buffers itself, within a quota."},
    {.name = "include_metadata",
     .kind = RIVER_BOOL,
     .offset = G(include_metadata),
     .def = "false",
     .doc = "Keeps the request's metadata for components behind."},
    {.name = "keepalive",
     .kind = RIVER_BLOCK,
     .offset = G(keepalive),
     .block = &keepalive_block,
     .doc = "Pings and the age of connections."},
    {.name = "tls",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = G(tls),
     .block = &otel_server_tls_block,
     .doc = "Serves TLS."},
    {.name = "auth",
     .kind = RIVER_CAPSULE,
     .offset = G(auth),
     .capsule = &capsule_otel_auth,
     .doc = "The handler of an otelcol.auth component: requests must carry its credentials."},
    RIVER_FIELDS_END,
};

#define C(member) offsetof(struct otlp_cors_args, member)
static const struct river_field cors_fields[] = {
    {.name = "allowed_origins",
     .kind = RIVER_STRING_LIST,
     .offset = C(allowed_origins),
     .doc = "Origins that may send from a browser; * stands for any run of characters."},
    {.name = "allowed_headers",
     .kind = RIVER_STRING_LIST,
     .offset = C(allowed_headers),
     .def = "[\"X-Requested-With\"]",
     .doc = "Headers a browser may send, besides the simple ones."},
    {.name = "max_age",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .offset = C(max_age_s),
     .doc = "Seconds a browser may remember the answer to its question."},
    RIVER_FIELDS_END,
};
static const struct river_block cors_block = {
    .name = "cors", .fields = cors_fields, .size = sizeof(struct otlp_cors_args), .doc = "Requests from browsers."};

#define H(member) offsetof(struct otlp_http_args, member)
static const struct river_field http_fields[] = {
    {.name = "endpoint",
     .kind = RIVER_STRING,
     .flags = RIVER_NOT_EMPTY,
     .offset = H(endpoint),
     .def = "\"0.0.0.0:4318\"",
     .doc = "host:port to listen on."},
    {.name = "max_request_body_size",
     .kind = RIVER_BYTES,
     .offset = H(max_request_body_size),
     .def = "\"20MiB\"",
     .doc = "The largest body, as sent and inflated."},
    {.name = "include_metadata",
     .kind = RIVER_BOOL,
     .offset = H(include_metadata),
     .def = "false",
     .doc = "Keeps the request's headers for components behind."},
    {.name = "keep_alives_enabled",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = H(keep_alives_enabled),
     .def = "true",
     .doc = "Accepted for Alloy: clients decide whether a connection serves more than one request."},
    {.name = "compression_algorithms",
     .kind = RIVER_STRING_LIST,
     .offset = H(compression_algorithms),
     .def = "[\"\", \"gzip\", \"zstd\", \"zlib\", \"snappy\", \"deflate\", \"lz4\"]",
     .doc = "Content-Encodings that are taken."},
    {.name = "traces_url_path",
     .kind = RIVER_STRING,
     .offset = H(traces_url_path),
     .def = "\"/v1/traces\"",
     .doc = "Path of traces."},
    {.name = "metrics_url_path",
     .kind = RIVER_STRING,
     .offset = H(metrics_url_path),
     .def = "\"/v1/metrics\"",
     .doc = "Path of metrics."},
    {.name = "logs_url_path",
     .kind = RIVER_STRING,
     .offset = H(logs_url_path),
     .def = "\"/v1/logs\"",
     .doc = "Path of logs."},
    {.name = "cors",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = H(cors),
     .block = &cors_block,
     .doc = "Requests from browsers."},
    {.name = "tls",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = H(tls),
     .block = &otel_server_tls_block,
     .doc = "Serves TLS."},
    {.name = "auth",
     .kind = RIVER_CAPSULE,
     .offset = H(auth),
     .capsule = &capsule_otel_auth,
     .doc = "The handler of an otelcol.auth component: requests must carry its credentials."},
    RIVER_FIELDS_END,
};

static enum code check_tls(const struct otel_server_tls_args *tls, struct river_problems *problems)
{
    struct tls_options options;
    struct error err = {0};

    if (tls == NULL)
        return OK;
    otlp_server_tls(tls, &options);
    if (tls_options_check(&options, true, &err) == OK)
        return OK;
    return river_problem(problems, "tls", "%s", err.text);
}

static enum code check_grpc(const void *args, struct river_problems *problems)
{
    const struct otlp_grpc_args *a = args;

    if (!slice_eq_str(a->transport, "tcp"))
        return river_problem(problems, "transport", "only \"tcp\" is built");
    if (a->max_recv_msg_size == 0 || a->max_recv_msg_size > LIMIT_BATCH_BYTES)
        return river_problem(problems, "max_recv_msg_size", "must be between 1 byte and 64MiB");
    if (a->auth != NULL && a->auth->id != NULL && a->auth->verify == NULL)
        return river_problem(problems, "auth", "%s cannot check requests, only sign them", a->auth->id);
    if (a->tls != NULL && otel_grpc_tls_check(a->tls->min_version, a->tls->max_version, problems) != OK)
        return INVALID;
    return check_tls(a->tls, problems);
}

static enum code check_http(const void *args, struct river_problems *problems)
{
    const struct otlp_http_args *a = args;
    const struct slice paths[] = {a->traces_url_path, a->metrics_url_path, a->logs_url_path};
    const char *const names[] = {"traces_url_path", "metrics_url_path", "logs_url_path"};
    enum codec codec;

    if (a->max_request_body_size == 0 || a->max_request_body_size > LIMIT_BATCH_BYTES)
        return river_problem(problems, "max_request_body_size", "must be between 1 byte and 64MiB");
    for (size_t i = 0; i < 3; i++)
        if (paths[i].len == 0 || paths[i].ptr[0] != '/')
            return river_problem(problems, names[i], "must begin with /");
    for (size_t i = 0; i < a->compression_algorithms.n; i++)
        if (!codec_from_name(a->compression_algorithms.items[i], &codec))
            return river_problem(problems, "compression_algorithms",
                                 "\"%.*s\" is not known; there are gzip, zstd, zlib, "
                                 "snappy, deflate and lz4",
                                 SLICE_ARG(a->compression_algorithms.items[i]));
    if (a->auth != NULL && a->auth->id != NULL && a->auth->verify == NULL)
        return river_problem(problems, "auth", "%s cannot check requests, only sign them", a->auth->id);
    return check_tls(a->tls, problems);
}

static const struct river_block grpc_block = {.name = "grpc",
                                              .fields = grpc_fields,
                                              .size = sizeof(struct otlp_grpc_args),
                                              .validate = check_grpc,
                                              .doc = "Listens for OTLP over gRPC."};
static const struct river_block http_block = {.name = "http",
                                              .fields = http_fields,
                                              .size = sizeof(struct otlp_http_args),
                                              .validate = check_http,
                                              .doc = "Listens for OTLP over HTTP, protobuf and JSON."};

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct otlp_args *a = args;

    if (a->grpc == NULL && a->http == NULL)
        river_problem_warn(problems, NULL, "neither grpc nor http is given: nothing is received");
    return OK;
}

#define ARG(member) offsetof(struct otlp_args, member)
static const struct river_field fields[] = {
    {.name = "grpc",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = ARG(grpc),
     .block = &grpc_block,
     .doc = "Listens for OTLP over gRPC."},
    {.name = "http",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = ARG(http),
     .block = &http_block,
     .doc = "Listens for OTLP over HTTP, protobuf and JSON."},
    OTEL_OUTPUT_FIELD(ARG(output)),
    OTEL_DEBUG_METRICS_FIELD(ARG(debug_metrics)),
    RIVER_FIELDS_END,
};
const struct river_block otlp_args_block = {.name = "otelcol.receiver.otlp",
                                            .fields = fields,
                                            .size = sizeof(struct otlp_args),
                                            .validate = validate,
                                            .doc = "Receives traces, metrics and logs by OTLP over gRPC and HTTP."};
