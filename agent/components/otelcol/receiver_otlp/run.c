/* otelcol.receiver.otlp: the component. A change of output or of one listener leaves the other listener's socket alone.
 */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/otelcol/receiver_otlp/otlp.h"

struct component {
    struct host *host;
    struct core *core;
    struct otel_output output;
    const struct otlp_args *args; /* the newest */
    struct grpc_listener *grpc;
    struct http_listener *http;
    struct buf grpc_settings, http_settings; /* what the listeners were started with, to see a change */
    bool is_started, is_stopped;
    loop_fn closed;
    void *closed_arg;
};

/* --- what a listener was started with ----------------------------------------------------------------------------- */

static void note_slice(struct buf *b, struct slice s)
{
    (void)buf_printf(b, "%zu:", s.len);
    (void)buf_add(b, s);
}

static void note_strings(struct buf *b, const struct river_strings *list)
{
    (void)buf_printf(b, "[%zu]", list->n);
    for (size_t i = 0; i < list->n; i++)
        note_slice(b, list->items[i]);
}

static void note_tls(struct buf *b, const struct otel_server_tls_args *tls)
{
    if (tls == NULL)
        return;
    (void)buf_printf(b, "tls %d %d %d ", tls->min_version, tls->max_version, tls->include_system_ca);
    note_slice(b, tls->cert_file);
    note_slice(b, tls->cert_pem);
    note_slice(b, tls->key_file);
    note_slice(b, tls->key_pem.text);
    note_slice(b, tls->client_ca_file);
}

static void note_grpc(struct buf *b, const struct otlp_grpc_args *a)
{
    const struct otlp_parameters_args *p = &a->keepalive.parameters;

    buf_init(b, 1024 * 1024);
    note_slice(b, a->endpoint);
    (void)buf_printf(b, " %llu %llu %d %p ", (unsigned long long)a->max_recv_msg_size,
                     (unsigned long long)a->max_concurrent_streams, a->include_metadata, (void *)a->auth);
    (void)buf_printf(b, "%lld %d %lld %lld %lld %lld %lld ", (long long)a->keepalive.enforcement.min_time_ns,
                     a->keepalive.enforcement.permit_without_stream, (long long)p->max_connection_age_ns,
                     (long long)p->max_connection_age_grace_ns, (long long)p->max_connection_idle_ns,
                     (long long)p->time_ns, (long long)p->timeout_ns);
    note_tls(b, a->tls);
}

static void note_http(struct buf *b, const struct otlp_http_args *a)
{
    buf_init(b, 1024 * 1024);
    note_slice(b, a->endpoint);
    (void)buf_printf(b, " %llu %d %d %p ", (unsigned long long)a->max_request_body_size, a->include_metadata,
                     a->keep_alives_enabled, (void *)a->auth);
    note_strings(b, &a->compression_algorithms);
    note_slice(b, a->traces_url_path);
    note_slice(b, a->metrics_url_path);
    note_slice(b, a->logs_url_path);
    if (a->cors != NULL) {
        (void)buf_printf(b, "cors %lld ", (long long)a->cors->max_age_s);
        note_strings(b, &a->cors->allowed_origins);
        note_strings(b, &a->cors->allowed_headers);
    }
    note_tls(b, a->tls);
}

/* --- listeners ---------------------------------------------------------------------------------------------------- */

static void say_failed(struct component *c, const char *what, struct slice endpoint, const char *text)
{
    host_set_health(c->host, HEALTH_UNHEALTHY, "cannot listen for OTLP over %s on %.*s: %s", what, SLICE_ARG(endpoint),
                    text);
    log_error(host_id(c->host), "cannot listen", log_str("protocol", what), log_slice("endpoint", endpoint),
              log_str("err", text), log_str("do", "end the other program, or give another endpoint and reload"));
}

/* Starts, restarts or ends one listener as the arguments ask; true: it runs as asked. */
static bool sync_grpc(struct component *c)
{
    const struct otlp_grpc_args *a = c->args->grpc;
    struct buf wanted = {0};
    struct error err = {0};
    bool is_ok = true;

    if (a != NULL)
        note_grpc(&wanted, a);
    if (c->grpc != NULL && (a == NULL || !slice_eq(buf_slice(&wanted), buf_slice(&c->grpc_settings)))) {
        grpc_listener_stop(c->grpc);
        c->grpc = NULL;
    }
    if (a != NULL && c->grpc == NULL && grpc_listener_start(&c->grpc, c->core, a, &err) != OK) {
        say_failed(c, "gRPC", a->endpoint, err.text);
        is_ok = false;
    }
    buf_release(&c->grpc_settings);
    c->grpc_settings = wanted;
    return is_ok;
}

static bool sync_http(struct component *c)
{
    const struct otlp_http_args *a = c->args->http;
    struct buf wanted = {0};
    struct error err = {0};
    bool is_ok = true;

    if (a != NULL)
        note_http(&wanted, a);
    if (c->http != NULL && (a == NULL || !slice_eq(buf_slice(&wanted), buf_slice(&c->http_settings)))) {
        http_listener_stop(c->http);
        c->http = NULL;
    }
    if (a != NULL && c->http == NULL && http_listener_start(&c->http, c->core, a, &err) != OK) {
        say_failed(c, "HTTP", a->endpoint, err.text);
        is_ok = false;
    }
    buf_release(&c->http_settings);
    c->http_settings = wanted;
    return is_ok;
}

static void sync_listeners(struct component *c)
{
    bool is_grpc_ok = sync_grpc(c), is_http_ok = sync_http(c);

    if (is_grpc_ok && is_http_ok)
        host_set_health(c->host, HEALTH_HEALTHY, "receiving");
}

/* --- the component ------------------------------------------------------------------------------------------------ */

static enum code set_output(struct component *c, const struct otlp_args *args, struct error *err)
{
    enum code rc = otel_output_set(&c->output, c->host, &args->output, err);

    for (int s = 0; s < 3; s++)
        atomic_store(&c->core->is_wired[s], rc == OK && c->output.is_wired[s]);
    return rc;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->args = args;
    c->core = core_new(host, &c->output);
    rc = set_output(c, args, err);
    if (rc != OK) {
        core_unref(c->core);
        mem_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    sync_listeners(c);
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;
    enum code rc = set_output(c, args, err);

    if (rc != OK)
        return rc;
    c->args = args;
    if (c->is_started && !c->is_stopped)
        sync_listeners(c);
    return OK;
}

static void stop_intake(void *self)
{
    struct component *c = self;

    c->is_stopped = true;
    admission_pause(c->core->admission); /* gRPC refuses from here on: UNAVAILABLE, try again */
    if (c->http != NULL)
        http_listener_drain(c->http);
}

static void finish(void *arg)
{
    struct component *c = arg;
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    core_unref(c->core);
    buf_release(&c->grpc_settings);
    buf_release(&c->http_settings);
    mem_free(c);
    done(done_arg);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    c->closed = done;
    c->closed_arg = arg;
    grpc_listener_stop(c->grpc);
    http_listener_stop(c->http);
    core_close(c->core, finish, c);
}

const struct component_type component_otelcol_receiver_otlp = {
    .name = "otelcol.receiver.otlp",
    .stability = STABILITY_GA,
    .doc = "Receives traces, metrics and logs by OTLP over gRPC and HTTP.",
    .args = &otlp_args_block,
    .recovers = RECOVERS_CLIENTS,
    .is_source = true,
    .create = create,
    .start = start,
    .update = update,
    .stop_intake = stop_intake,
    .close = close_component,
};
