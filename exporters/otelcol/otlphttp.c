/* otelcol.exporter.otlphttp: OTLP over HTTP, protobuf bodies. */
#include "agent/base/mem.h"
#include "agent/runtime/otel_output.h"
#include "agent/runtime/otlp_push.h"

struct compression_params_args {
    int64_t level;
};
struct cookies_args {
    bool enabled;
};

struct client_args {
    struct slice endpoint, proxy_url;
    int compression; /* enum codec */
    struct compression_params_args *compression_params;
    struct otel_client_tls_args tls;
    uint64_t read_buffer_size, write_buffer_size;
    int64_t timeout_ns;
    struct river_map headers;
    int64_t max_idle_conns, max_idle_conns_per_host, max_conns_per_host;
    int64_t idle_conn_timeout_ns, http2_read_idle_timeout_ns, http2_ping_timeout_ns;
    bool disable_keep_alives;
    struct otel_auth *auth;
    struct cookies_args cookies;
};

struct otlphttp_args {
    struct client_args client;
    struct otel_queue_args queue;
    struct otel_retry_args retry;
    struct otel_debug_metrics_args debug_metrics;
    struct slice traces_endpoint, metrics_endpoint, logs_endpoint, encoding;
};

static const struct river_field params_fields[] = {
    {.name = "level",
     .kind = RIVER_INT,
     .flags = RIVER_REQUIRED | RIVER_HAS_MIN | RIVER_HAS_MAX,
     .min = -1,
     .max = 22,
     .offset = offsetof(struct compression_params_args, level),
     .doc = "The codec's level."},
    RIVER_FIELDS_END,
};
static const struct river_block params_block = {.name = "compression_params",
                                                .fields = params_fields,
                                                .size = sizeof(struct compression_params_args),
                                                .doc = "Settings of the compression."};
static const struct river_field cookies_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct cookies_args, enabled),
     .def = "false",
     .doc = "Keep cookies; hyagent never does."},
    RIVER_FIELDS_END,
};
static const struct river_block cookies_block = {
    .name = "cookies", .fields = cookies_fields, .size = sizeof(struct cookies_args), .doc = "Cookies of the server."};

static const struct river_enum compressions[] = {
    {"gzip", CODEC_GZIP},       {"zstd", CODEC_ZSTD}, {"snappy", CODEC_SNAPPY}, {"zlib", CODEC_ZLIB},
    {"deflate", CODEC_DEFLATE}, {"none", CODEC_NONE}, {"", CODEC_NONE},         {NULL, 0}};

#define C(member) offsetof(struct client_args, member)
static const struct river_field client_fields[] = {
    {.name = "endpoint",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = C(endpoint),
     .doc = "URL of the server; /v1/traces, /v1/metrics and /v1/logs are appended."},
    {.name = "proxy_url", .kind = RIVER_STRING, .offset = C(proxy_url), .doc = "Proxy for the requests."},
    {.name = "compression",
     .kind = RIVER_ENUM,
     .offset = C(compression),
     .choices = compressions,
     .def = "\"gzip\"",
     .doc = "gzip, zstd, snappy, zlib, deflate or none."},
    {.name = "compression_params",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = C(compression_params),
     .block = &params_block,
     .doc = "Settings of the compression."},
    {.name = "tls",
     .kind = RIVER_BLOCK,
     .offset = C(tls),
     .block = &otel_http_client_tls_block,
     .doc = "TLS to the server."},
    {.name = "read_buffer_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_NO_EFFECT,
     .offset = C(read_buffer_size),
     .def = "0",
     .doc = "Accepted: the library chooses."},
    {.name = "write_buffer_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_NO_EFFECT,
     .offset = C(write_buffer_size),
     .def = "\"512KiB\"",
     .doc = "Accepted: the library chooses."},
    {.name = "timeout",
     .kind = RIVER_DURATION,
     .offset = C(timeout_ns),
     .def = "\"30s\"",
     .doc = "Time for one request."},
    {.name = "headers", .kind = RIVER_STRING_MAP, .offset = C(headers), .doc = "Headers sent with every request."},
    {.name = "max_idle_conns",
     .kind = RIVER_INT,
     .flags = RIVER_NO_EFFECT,
     .offset = C(max_idle_conns),
     .def = "100",
     .doc = "Accepted: connections are kept for at most 60 s."},
    {.name = "max_idle_conns_per_host",
     .kind = RIVER_INT,
     .flags = RIVER_NO_EFFECT,
     .offset = C(max_idle_conns_per_host),
     .def = "0",
     .doc = "Accepted, see max_idle_conns."},
    {.name = "max_conns_per_host",
     .kind = RIVER_INT,
     .flags = RIVER_NO_EFFECT,
     .offset = C(max_conns_per_host),
     .def = "0",
     .doc = "Accepted: num_consumers bounds the requests in flight."},
    {.name = "idle_conn_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = C(idle_conn_timeout_ns),
     .def = "\"90s\"",
     .doc = "Accepted, see max_idle_conns."},
    {.name = "disable_keep_alives",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = C(disable_keep_alives),
     .def = "false",
     .doc = "Accepted, see max_idle_conns."},
    {.name = "http2_read_idle_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = C(http2_read_idle_timeout_ns),
     .def = "\"0s\"",
     .doc = "Accepted: timeout bounds every request."},
    {.name = "http2_ping_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_NO_EFFECT,
     .offset = C(http2_ping_timeout_ns),
     .def = "\"15s\"",
     .doc = "Accepted: timeout bounds every request."},
    {.name = "auth",
     .kind = RIVER_CAPSULE,
     .offset = C(auth),
     .capsule = &capsule_otel_auth,
     .doc = "handler of an otelcol.auth component."},
    {.name = "cookies",
     .kind = RIVER_BLOCK,
     .offset = C(cookies),
     .block = &cookies_block,
     .doc = "Cookies of the server."},
    RIVER_FIELDS_END,
};

static enum code client_validate(const void *args, struct river_problems *problems)
{
    const struct client_args *a = args;

    if (a->cookies.enabled)
        return river_problem(problems, "cookies", "hyagent keeps no cookies");
    if (a->auth != NULL && a->auth->id != NULL && a->auth->add_headers == NULL)
        return river_problem(problems, "auth", "%s cannot authenticate clients", a->auth->id);
    return OK;
}

static const struct river_block client_block = {.name = "client",
                                                .fields = client_fields,
                                                .size = sizeof(struct client_args),
                                                .doc = "The HTTP client.",
                                                .validate = client_validate};

#define A(member) offsetof(struct otlphttp_args, member)
static const struct river_field fields[] = {
    {.name = "client",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REQUIRED,
     .offset = A(client),
     .block = &client_block,
     .doc = "The HTTP client."},
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
    {.name = "traces_endpoint",
     .kind = RIVER_STRING,
     .offset = A(traces_endpoint),
     .doc = "URL for traces instead of client.endpoint + /v1/traces."},
    {.name = "metrics_endpoint",
     .kind = RIVER_STRING,
     .offset = A(metrics_endpoint),
     .doc = "URL for metrics instead of client.endpoint + /v1/metrics."},
    {.name = "logs_endpoint",
     .kind = RIVER_STRING,
     .offset = A(logs_endpoint),
     .doc = "URL for logs instead of client.endpoint + /v1/logs."},
    {.name = "encoding",
     .kind = RIVER_STRING,
     .offset = A(encoding),
     .def = "\"proto\"",
     .doc = "proto; sending json is not available yet."},
    RIVER_FIELDS_END,
};

static enum code check_url(struct slice url, const char *name, struct river_problems *problems)
{
    struct error err = {0};

    if (url.len == 0 || sink_check_url(url, &err) == OK)
        return OK;
    return river_problem(problems, name, "%s", err.text);
}

/* Is client.endpoint, which Alloy reads when it sends, good for those signals that have no endpoint of their own? */
static enum code check_client_url(const struct otlphttp_args *a, struct error *err)
{
    if (a->traces_endpoint.len != 0 && a->metrics_endpoint.len != 0 && a->logs_endpoint.len != 0)
        return OK;
    return sink_check_url(a->client.endpoint, err);
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct otlphttp_args *a = args;
    struct error err = {0};
    enum code rc = check_url(a->traces_endpoint, "traces_endpoint", problems);

    if (check_client_url(a, &err) != OK) /* it starts all the same, unhealthy, as it would in Alloy */
        river_problem_warn(problems, "client", "endpoint: %s: this component will not run", err.text);
    if (check_url(a->metrics_endpoint, "metrics_endpoint", problems) != OK)
        rc = INVALID;
    if (check_url(a->logs_endpoint, "logs_endpoint", problems) != OK)
        rc = INVALID;
    if (slice_eq_str(a->encoding, "json"))
        rc = river_problem(problems, "encoding", "sending JSON is not available yet: use \"proto\"");
    else if (!slice_eq_str(a->encoding, "proto"))
        rc = river_problem(problems, "encoding", "must be \"proto\"");
    return rc;
}

static const struct river_block args_block = {.name = "otelcol.exporter.otlphttp",
                                              .fields = fields,
                                              .size = sizeof(struct otlphttp_args),
                                              .doc = "Sends OTLP over HTTP.",
                                              .validate = validate};

struct http_client_state {
    struct otlp_headers headers;
    struct tls_options *tls;
    struct slice proxy_url; /* in headers' arena */
};

static enum code prepare(void *ctx, struct http_request *request, struct arena *arena, struct error *err)
{
    struct http_client_state *s = ctx;
    struct otel_headers own = {.arena = arena};
    struct http_header *all;
    enum code rc = otlp_headers_get(&s->headers, &own, err);

    if (rc != OK)
        return rc;
    all = arena_alloc(arena, (request->n_headers + own.n + 1) * sizeof *all);
    if (request->n_headers != 0)
        memcpy(all, request->headers, request->n_headers * sizeof *all);
    for (size_t i = 0; i < own.n; i++) /* they may carry keys: never to another host */
        all[request->n_headers + i] = (struct http_header){own.items[i].name, own.items[i].value, true};
    request->headers = all;
    request->n_headers += own.n;
    request->tls = s->tls;
    request->proxy_url = s->proxy_url;
    request->proxy_from_environment = s->proxy_url.len == 0; /* as Go's client does */
    request->follow_redirects = true;
    request->http2 = true;
    return OK;
}

static void free_state(void *ctx)
{
    struct http_client_state *s = ctx;

    tls_options_free(s->tls);
    otlp_headers_release(&s->headers);
    mem_free(s);
}

/* client.endpoint with its trailing slash cut off, then the signal's path; or the signal's own URL. */
static char *signal_url(struct slice own, struct slice endpoint, const char *path)
{
    if (own.len != 0)
        return mem_strndup(own);
    while (endpoint.len != 0 && endpoint.ptr[endpoint.len - 1] == '/')
        endpoint.len--;
    return mem_printf("%.*s%s", SLICE_ARG(endpoint), path);
}

static enum code make(void **out, struct host *host, const struct otlphttp_args *a, struct error *err)
{
    struct http_client_state *s = mem_zalloc(sizeof *s);
    struct transport_http_cfg http = {.prepare = prepare, .ctx = s, .free_ctx = free_state, .clock = host_clock(host)};
    struct endpoint_cfg cfg = {.protocol = &protocol_otlp_http, .compression = otlp_compression(a->client.compression)};
    char *urls[TRANSPORT_KINDS] = {
        [OTLP_TRACES] = signal_url(a->traces_endpoint, a->client.endpoint, "/v1/traces"),
        [OTLP_METRICS] = signal_url(a->metrics_endpoint, a->client.endpoint, "/v1/metrics"),
        [OTLP_LOGS] = signal_url(a->logs_endpoint, a->client.endpoint, "/v1/logs"),
    };
    struct tls_options tls;
    struct sink place;
    struct transport transport;

    sink_init(&place, host);
    otlp_headers_init(&s->headers, &a->client.headers, a->client.auth);
    s->proxy_url = arena_copy(&s->headers.arena, a->client.proxy_url);
    otel_client_tls_options(&a->client.tls, &tls);
    s->tls = tls_options_copy(&tls);
    http.loop = sink_loop(&place, (struct slice){0}, a->client.endpoint);
    http.client = host_http(host, http.loop);
    for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
        http.urls[i] = slice_str(urls[i]);
    transport_http(&transport, &http);
    for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
        mem_free(urls[i]);
    if (a->client.compression_params != NULL)
        cfg.compression_level = (int)a->client.compression_params->level;
    otlp_endpoint_cfg(&cfg, host, &a->queue, &a->retry, a->client.timeout_ns);
    return otlp_exporter_new(out, host, &cfg, a->client.endpoint, &transport, err);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct otlphttp_args *a = args;
    struct error why = {0};

    if (check_client_url(a, &why) != OK)
        return error_set(err, INVALID, "client.endpoint \"%.*s\": %s", SLICE_ARG(a->client.endpoint), why.text);
    return make(out, host, a, err);
}

const struct component_type component_otelcol_exporter_otlphttp = {
    .name = "otelcol.exporter.otlphttp",
    .stability = STABILITY_GA,
    .doc = "Sends traces, metrics and logs by OTLP over HTTP.",
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
