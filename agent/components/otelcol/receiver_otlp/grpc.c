/* OTLP over gRPC: three unary methods. Status codes as the specification has them: what may be tried again is
 * UNAVAILABLE or RESOURCE_EXHAUSTED with RetryInfo, everything else is final. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/otelcol/receiver_otlp/otlp.h"
#include "agent/model/otlp_write.h"

enum { RETRY_MS = 1000, STOP_MS = 500, LONGEST_WAIT_MS = 10000, UNKNOWN_WAIT_MS = 9000 };

struct grpc_listener {
    struct core *core; /* owned reference */
    struct rpc_server *server;
    struct otel_auth *auth;
    bool include_metadata;
};

static const struct rpc_method methods[] = {
    {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", (void *)(uintptr_t)OTLP_TRACES},
    {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", (void *)(uintptr_t)OTLP_METRICS},
    {"/opentelemetry.proto.collector.logs.v1.LogsService/Export", (void *)(uintptr_t)OTLP_LOGS},
};

static enum otlp_signal signal_of(const struct rpc_call *call)
{
    return (enum otlp_signal)(uintptr_t)rpc_call_method_cookie(call);
}

static struct slice header_of(void *self, const char *name)
{
    return rpc_call_metadata(self, name);
}

static void count_refused(struct grpc_listener *l, enum otlp_signal signal)
{
    metric_inc(l->core->refused[TRANSPORT_GRPC][signal]);
}

static void on_admit(void *self, struct rpc_call *call)
{
    struct grpc_listener *l = self;
    const struct otel_request request = {.header = header_of, .self = call};
    enum otlp_signal signal = signal_of(call);
    struct error err = {0};

    if (!atomic_load(&l->core->is_wired[signal])) {
        rpc_call_reply(call, RPC_UNIMPLEMENTED, "this signal has no consumer here (output)", (struct slice){0}, 0);
        return;
    }
    if (l->auth != NULL && l->auth->verify(l->auth->self, &request, &err) != OK) {
        count_refused(l, signal);
        rpc_call_reply(call, RPC_UNAUTHENTICATED, err.text, (struct slice){0}, 0);
        return;
    }
    switch (admission_ask(l->core->admission, 0)) {
    case ADMIT:
        return;
    case REFUSE_MEMORY:
        rpc_call_reply(call, RPC_RESOURCE_EXHAUSTED, "memory is short; try again", (struct slice){0}, RETRY_MS);
        break;
    case REFUSE_SINK:
    case REFUSE_PAUSED:
        rpc_call_reply(call, RPC_UNAVAILABLE, "nothing is taken right now; try again", (struct slice){0}, RETRY_MS);
        break;
    }
    count_refused(l, signal);
}

static void keep_metadata(struct request *r, const struct rpc_call *call)
{
    struct slice name, value;
    uint32_t n = 0;

    while (n < 256 && rpc_call_metadata_at(call, n, &name, &value))
        n++;
    r->metadata = arena_try_array(&r->metadata_arena, n, sizeof *r->metadata);
    for (uint32_t i = 0; r->metadata != NULL && i < n && rpc_call_metadata_at(call, i, &name, &value); i++)
        r->metadata[r->n_metadata++] =
            (struct label){arena_copy(&r->metadata_arena, name), arena_copy(&r->metadata_arena, value)};
}

static void on_request(void *self, struct rpc_call *call, char *take_payload, size_t len)
{
    struct grpc_listener *l = self;
    struct request *r = request_new(l->core, TRANSPORT_GRPC, signal_of(call));
    int64_t left_ms = rpc_call_deadline_ms(call);

    r->rpc = call;
    r->body = take_payload;
    r->body_len = len;
    /* answered a second before the client gives up, so that it hears "try again" and not nothing */
    r->wait_ms = left_ms < 0 ? UNKNOWN_WAIT_MS : left_ms - 1000 < LONGEST_WAIT_MS ? left_ms - 1000 : LONGEST_WAIT_MS;
    if (l->include_metadata)
        keep_metadata(r, call);
    metric_observe(l->core->bytes[TRANSPORT_GRPC], (double)len);
    request_submit(r);
}

void grpc_answer(struct request *r, const struct ticket_result *result)
{
    struct buf body;

    if (result->abandoned != 0) {
        rpc_call_reply(r->rpc, RPC_UNAVAILABLE, "not delivered; try again", (struct slice){0}, RETRY_MS);
        return;
    }
    buf_init(&body, 64 * 1024);
    if (result->worst_rejected != 0 &&
        otlp_response_write(&body, result->worst_rejected, slice_str(result->worst_text)) != OK)
        buf_reset(&body);
    rpc_call_reply(r->rpc, RPC_OK, NULL, buf_slice(&body), 0);
    buf_release(&body);
}

void grpc_refuse(struct request *r, enum refusal why, const char *text)
{
    switch (why) {
    case REFUSED_BROKEN:
        rpc_call_reply(r->rpc, RPC_INVALID_ARGUMENT, text, (struct slice){0}, 0);
        break;
    case REFUSED_TOO_LARGE:
        rpc_call_reply(r->rpc, RPC_RESOURCE_EXHAUSTED, text, (struct slice){0}, 0);
        break;
    case REFUSED_ENCODING:
        rpc_call_reply(r->rpc, RPC_UNIMPLEMENTED, text, (struct slice){0}, 0);
        break;
    case REFUSED_MEMORY:
        rpc_call_reply(r->rpc, RPC_RESOURCE_EXHAUSTED, text, (struct slice){0}, RETRY_MS);
        break;
    case REFUSED_BUSY:
        rpc_call_reply(r->rpc, RPC_UNAVAILABLE, text, (struct slice){0}, RETRY_MS);
        break;
    case REFUSED_AUTH:
        rpc_call_reply(r->rpc, RPC_UNAUTHENTICATED, text, (struct slice){0}, 0);
        break;
    }
}

/* 0 stays the library's default. */
static uint64_t ms(int64_t ns)
{
    return ns > 0 ? (uint64_t)(ns / NS_PER_MS) : 0;
}

enum code grpc_listener_start(struct grpc_listener **out, struct core *core, const struct otlp_grpc_args *args,
                              struct error *err)
{
    struct grpc_listener *l = mem_zalloc(sizeof *l);
    const struct rpc_handler handler = {.self = l, .on_admit = on_admit, .on_request = on_request};
    struct tls_options tls;
    struct rpc_server_options options = {
        .listen = args->endpoint,
        .max_recv_bytes = args->max_recv_msg_size,
        .n_threads = 4, /* one thread lets a flood of resets starve everybody (docs/security.md) */
        .max_concurrent_streams =
            (unsigned)(args->max_concurrent_streams < 100000 ? args->max_concurrent_streams : 100000),
        .keepalive_time_ms = ms(args->keepalive.parameters.time_ns),
        .keepalive_timeout_ms = ms(args->keepalive.parameters.timeout_ns),
        .min_ping_interval_ms = ms(args->keepalive.enforcement.min_time_ns),
        .permit_pings_without_calls = args->keepalive.enforcement.permit_without_stream,
        .max_connection_age_ms = ms(args->keepalive.parameters.max_connection_age_ns),
        .max_connection_age_grace_ms = ms(args->keepalive.parameters.max_connection_age_grace_ns),
        .max_connection_idle_ms = ms(args->keepalive.parameters.max_connection_idle_ns),
    };
    enum code rc;

    *out = NULL;
    core_ref(core);
    l->core = core;
    l->auth = args->auth;
    l->include_metadata = args->include_metadata;
    if (args->tls != NULL) {
        otlp_server_tls(args->tls, &tls);
        options.tls = &tls;
    }
    rc = rpc_server_start(&l->server, &options, methods, sizeof methods / sizeof *methods, &handler, err);
    if (rc != OK) {
        grpc_listener_stop(l);
        return rc;
    }
    *out = l;
    return OK;
}

void grpc_listener_stop(struct grpc_listener *l)
{
    if (l == NULL)
        return;
    rpc_server_stop(l->server, STOP_MS);
    core_unref(l->core);
    mem_free(l);
}
