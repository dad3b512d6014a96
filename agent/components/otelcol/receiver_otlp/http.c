/* OTLP over HTTP: POST of protobuf or JSON; answers and errors in the request's own encoding. 429 and 503 may be tried
 * again, every other error is final. */
#include "agent/base/mem.h"
#include "agent/components/otelcol/receiver_otlp/otlp.h"
#include "agent/io/codec.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_write.h"
#include <stdio.h>

enum { RETRY_S = 1, WAIT_MS = 9000 };

struct http_listener {
    struct core *core; /* owned reference */
    struct http_server *server;
    struct otel_auth *auth;
    bool include_metadata;
    size_t max_bytes;
    char *paths[3]; /* by signal; owned */
    bool takes[CODEC_LZ4 + 1];
    bool has_cors;
    char **origins; /* owned */
    size_t n_origins;
    char *allowed_headers; /* "X-Requested-With, ..."; owned */
    int64_t max_age_s;
};

static bool find_signal(const struct http_listener *l, struct slice path, enum otlp_signal *out)
{
    for (int s = 0; s < 3; s++) {
        if (!slice_eq_str(path, l->paths[s]))
            continue;
        *out = (enum otlp_signal)s;
        return true;
    }
    return false;
}

/* "application/json; charset=utf-8" is JSON. False: neither encoding. */
static bool read_media_type(struct slice header, bool *is_json)
{
    struct slice type, rest;

    (void)slice_cut(header, ';', &type, &rest);
    type = slice_trim(type);
    *is_json = slice_eq_nocase(type, SLICE_LIT("application/json"));
    return *is_json || slice_eq_nocase(type, SLICE_LIT("application/x-protobuf"));
}

static bool origin_matches(const char *pattern, struct slice origin)
{
    struct slice rest = origin, head, tail, p = slice_str(pattern);

    if (!slice_cut(p, '*', &head, &tail))
        return slice_eq_nocase(p, origin);
    if (!slice_starts(rest, head))
        return false;
    rest = slice_from(rest, head.len);
    while (slice_cut(tail, '*', &head, &tail)) {
        size_t at = slice_find_slice(rest, head);

        if (at == rest.len && head.len != 0)
            return false;
        rest = slice_from(rest, at + head.len);
    }
    return slice_ends(rest, head);
}

static bool is_origin_allowed(const struct http_listener *l, struct slice origin)
{
    for (size_t i = 0; i < l->n_origins; i++)
        if (origin_matches(l->origins[i], origin))
            return true;
    return false;
}

/* The answer to a browser that asks whether it may send (CORS preflight). */
static void answer_preflight(const struct http_listener *l, struct http_call *call)
{
    struct slice origin = http_call_header(call, "Origin");
    char age[24];
    struct http_header headers[5] = {
        {.name = SLICE_LIT("Access-Control-Allow-Origin"), .value = origin},
        {.name = SLICE_LIT("Access-Control-Allow-Methods"), .value = SLICE_LIT("POST")},
        {.name = SLICE_LIT("Access-Control-Allow-Headers"), .value = slice_str(l->allowed_headers)},
        {.name = SLICE_LIT("Vary"), .value = SLICE_LIT("Origin")},
    };
    size_t n = 4;

    if (!is_origin_allowed(l, origin)) {
        http_reply_text(call, 403, "this origin may not send here (cors.allowed_origins)");
        return;
    }
    if (l->max_age_s > 0) {
        (void)snprintf(age, sizeof age, "%lld", (long long)l->max_age_s);
        headers[n++] = (struct http_header){.name = SLICE_LIT("Access-Control-Max-Age"), .value = slice_str(age)};
    }
    http_reply(call, &(struct http_reply){.status = 204, .headers = headers, .n_headers = n});
}

/* An error as google.rpc.Status in the request's encoding; code is the gRPC one. */
static void reply_error(struct http_call *call, bool is_json, int status, int32_t code, const char *text,
                        unsigned retry_after_s, const char *origin)
{
    const struct http_header cors[] = {
        {.name = SLICE_LIT("Access-Control-Allow-Origin"), .value = slice_str(origin)},
        {.name = SLICE_LIT("Vary"), .value = SLICE_LIT("Origin")},
    };
    struct buf body;
    enum code rc;

    buf_init(&body, 64 * 1024);
    rc = is_json ? otlp_json_status(code, slice_str(text), &body) : otlp_status_write(&body, code, slice_str(text), -1);
    http_reply(call, &(struct http_reply){
                         .status = status,
                         .media_type = is_json ? SLICE_LIT("application/json") : SLICE_LIT("application/x-protobuf"),
                         .headers = cors,
                         .n_headers = origin != NULL ? 2 : 0,
                         .retry_after_s = retry_after_s,
                         .body = rc == OK ? buf_slice(&body) : (struct slice){0},
                     });
    buf_release(&body);
}

static struct slice header_of(void *self, const char *name)
{
    return http_call_header(self, name);
}

static void refuse_at_head(struct http_listener *l, struct http_call *call, enum otlp_signal signal, bool is_json,
                           int status, int32_t code, const char *text, unsigned retry_after_s)
{
    metric_inc(l->core->refused[TRANSPORT_HTTP][signal]);
    reply_error(call, is_json, status, code, text, retry_after_s, NULL);
}

static void on_headers(void *self, struct http_call *call)
{
    struct http_listener *l = self;
    const struct otel_request request = {.header = header_of, .self = call};
    struct slice method = http_call_method(call);
    enum otlp_signal signal;
    struct error err = {0};
    enum codec codec;
    bool is_json;

    if (!find_signal(l, http_call_path(call), &signal) || !atomic_load(&l->core->is_wired[signal])) {
        http_reply_text(call, 404,
                        "no such path: OTLP is taken at /v1/traces, /v1/metrics and /v1/logs, where the signal "
                        "has a consumer");
        return;
    }
    if (l->has_cors && slice_eq_str(method, "OPTIONS") && http_call_header(call, "Origin").len != 0) {
        answer_preflight(l, call);
        return;
    }
    if (!slice_eq_str(method, "POST")) {
        http_reply(call, &(struct http_reply){
                             .status = 405,
                             .media_type = SLICE_LIT("text/plain"),
                             .headers = &(struct http_header){.name = SLICE_LIT("Allow"), .value = SLICE_LIT("POST")},
                             .n_headers = 1,
                             .body = SLICE_LIT("405 method not allowed, supported: [POST]\n")});
        return;
    }
    if (!read_media_type(http_call_header(call, "Content-Type"), &is_json)) {
        metric_inc(l->core->refused[TRANSPORT_HTTP][signal]);
        http_reply_text(call, 415, "415 unsupported media type, supported: [application/json, application/x-protobuf]");
        return;
    }
    if (!codec_from_name(http_call_header(call, "Content-Encoding"), &codec) || !l->takes[codec]) {
        refuse_at_head(l, call, signal, is_json, 415, RPC_UNIMPLEMENTED, "this Content-Encoding is not taken here", 0);
        return;
    }
    if (l->auth != NULL && l->auth->verify(l->auth->self, &request, &err) != OK) {
        refuse_at_head(l, call, signal, is_json, 401, RPC_UNAUTHENTICATED, err.text, 0);
        return;
    }
    switch (admission_ask(l->core->admission, 0)) {
    case ADMIT:
        return;
    case REFUSE_MEMORY:
        refuse_at_head(l, call, signal, is_json, 503, RPC_RESOURCE_EXHAUSTED, "memory is short; try again", RETRY_S);
        return;
    case REFUSE_SINK:
    case REFUSE_PAUSED:
        refuse_at_head(l, call, signal, is_json, 503, RPC_UNAVAILABLE, "nothing is taken right now; try again",
                       RETRY_S);
        return;
    }
}

static void keep_metadata(struct request *r, const struct http_call *call)
{
    struct http_header h;
    uint32_t n = 0;

    while (n < 256 && http_call_header_at(call, n, &h))
        n++;
    r->metadata = arena_try_array(&r->metadata_arena, n, sizeof *r->metadata);
    for (uint32_t i = 0; r->metadata != NULL && i < n && http_call_header_at(call, i, &h); i++)
        r->metadata[r->n_metadata++] =
            (struct label){arena_copy(&r->metadata_arena, h.name), arena_copy(&r->metadata_arena, h.value)};
}

static void on_request(void *self, struct http_call *call)
{
    struct http_listener *l = self;
    struct slice origin = http_call_header(call, "Origin");
    enum otlp_signal signal = OTLP_TRACES;
    struct request *r;

    (void)find_signal(l, http_call_path(call), &signal);
    r = request_new(l->core, TRANSPORT_HTTP, signal);
    r->http = call;
    r->max_bytes = l->max_bytes;
    r->wait_ms = WAIT_MS;
    (void)read_media_type(http_call_header(call, "Content-Type"), &r->is_json);
    if (l->has_cors && origin.len != 0 && origin.len < 1024 && is_origin_allowed(l, origin))
        r->allow_origin = arena_strndup(&r->metadata_arena, origin);
    if (l->include_metadata)
        keep_metadata(r, call);
    metric_observe(l->core->bytes[TRANSPORT_HTTP], (double)http_call_body(call).len);
    request_submit(r);
}

void http_answer(struct request *r, const struct ticket_result *result)
{
    const struct http_header cors[] = {
        {.name = SLICE_LIT("Access-Control-Allow-Origin"), .value = slice_str(r->allow_origin)},
        {.name = SLICE_LIT("Vary"), .value = SLICE_LIT("Origin")},
    };
    struct buf body;
    enum code rc;

    if (result->abandoned != 0) {
        reply_error(r->http, r->is_json, 503, RPC_UNAVAILABLE, "not delivered; try again", RETRY_S, r->allow_origin);
        return;
    }
    buf_init(&body, 64 * 1024);
    rc = r->is_json ? otlp_json_response(r->signal, result->worst_rejected, slice_str(result->worst_text), &body)
                    : otlp_response_write(&body, result->worst_rejected, slice_str(result->worst_text));
    if (rc != OK)
        buf_reset(&body);
    http_reply(r->http,
               &(struct http_reply){
                   .status = 200,
                   .media_type = r->is_json ? SLICE_LIT("application/json") : SLICE_LIT("application/x-protobuf"),
                   .headers = cors,
                   .n_headers = r->allow_origin != NULL ? 2 : 0,
                   .body = buf_slice(&body),
               });
    buf_release(&body);
}

void http_refuse(struct request *r, enum refusal why, const char *text)
{
    static const struct {
        int status;
        int32_t code;
        unsigned retry_after_s;
    } rows[] = {
        [REFUSED_BROKEN] = {400, RPC_INVALID_ARGUMENT, 0},
        [REFUSED_TOO_LARGE] = {413, RPC_RESOURCE_EXHAUSTED, 0},
        [REFUSED_ENCODING] = {415, RPC_UNIMPLEMENTED, 0},
        [REFUSED_BUSY] = {503, RPC_UNAVAILABLE, RETRY_S},
        [REFUSED_MEMORY] = {503, RPC_RESOURCE_EXHAUSTED, RETRY_S},
        [REFUSED_AUTH] = {401, RPC_UNAUTHENTICATED, 0},
    };

    reply_error(r->http, r->is_json, rows[why].status, rows[why].code, text, rows[why].retry_after_s, r->allow_origin);
}

static void copy_cors(struct http_listener *l, const struct otlp_cors_args *cors)
{
    struct buf headers;

    if (cors == NULL)
        return;
    l->has_cors = true;
    l->max_age_s = cors->max_age_s;
    l->origins = mem_array(cors->allowed_origins.n, sizeof(char *));
    for (size_t i = 0; i < cors->allowed_origins.n; i++)
        l->origins[l->n_origins++] = mem_strndup(cors->allowed_origins.items[i]);
    buf_init(&headers, 64 * 1024);
    (void)buf_add_str(&headers, "Content-Type, Content-Encoding");
    for (size_t i = 0; i < cors->allowed_headers.n; i++) {
        (void)buf_add_str(&headers, ", ");
        (void)buf_add(&headers, cors->allowed_headers.items[i]);
    }
    l->allowed_headers = buf_take(&headers, NULL);
}

enum code http_listener_start(struct http_listener **out, struct core *core, const struct otlp_http_args *args,
                              struct error *err)
{
    struct http_listener *l = mem_zalloc(sizeof *l);
    const struct http_handler handler = {.self = l, .on_headers = on_headers, .on_request = on_request};
    struct tls_options tls;
    struct http_server_options options = {.listen = args->endpoint, .max_body_bytes = args->max_request_body_size};
    enum codec codec;
    enum code rc;

    *out = NULL;
    core_ref(core);
    l->core = core;
    l->auth = args->auth;
    l->include_metadata = args->include_metadata;
    l->max_bytes = args->max_request_body_size;
    l->paths[OTLP_TRACES] = mem_strndup(args->traces_url_path);
    l->paths[OTLP_METRICS] = mem_strndup(args->metrics_url_path);
    l->paths[OTLP_LOGS] = mem_strndup(args->logs_url_path);
    l->takes[CODEC_NONE] = true;
    for (size_t i = 0; i < args->compression_algorithms.n; i++)
        if (codec_from_name(args->compression_algorithms.items[i], &codec))
            l->takes[codec] = true;
    l->takes[CODEC_SNAPPY_FRAMED] = l->takes[CODEC_SNAPPY_FRAMED] || l->takes[CODEC_SNAPPY];
    copy_cors(l, args->cors);
    if (args->tls != NULL) {
        otlp_server_tls(args->tls, &tls);
        options.tls = &tls;
    }
    rc = http_server_start(&l->server, &options, &handler, err);
    if (rc != OK) {
        http_listener_stop(l);
        return rc;
    }
    *out = l;
    return OK;
}

void http_listener_drain(struct http_listener *l)
{
    http_server_drain(l->server);
}

void http_listener_stop(struct http_listener *l)
{
    if (l == NULL)
        return;
    http_server_free(l->server);
    for (int s = 0; s < 3; s++)
        mem_free(l->paths[s]);
    for (size_t i = 0; i < l->n_origins; i++)
        mem_free(l->origins[i]);
    mem_free(l->origins);
    mem_free(l->allowed_headers);
    core_unref(l->core);
    mem_free(l);
}
