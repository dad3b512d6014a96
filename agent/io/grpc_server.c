#include "agent/io/grpc_server.h"
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/io/grpc_server_int.h"
#include "agent/io/http_url.h"
#include "agent/io/tsan.h"
#include <grpc/support/time.h>
#include <stdio.h>
#include <time.h>

enum { DEFAULT_RECV_BYTES = 4 * 1024 * 1024, DEFAULT_QUOTA_BYTES = 64 * 1024 * 1024 };

static void take_events(struct rpc_thread *t)
{
    struct rpc_server *s = t->server;

    for (;;) {
        grpc_event event = grpc_completion_queue_next(t->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return;
        tsan_acquire(event.tag);
        if (event.tag != s) {
            rpc_call_on_event(event.tag, event.success != 0);
            continue;
        }
        pthread_mutex_lock(&s->lock);
        s->is_shut_down = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
    }
}

static void *run_thread(void *arg)
{
    pthread_setname_np(pthread_self(), "grpc server");
    take_events(arg);
    return NULL;
}

void rpc_server_unref(struct rpc_server *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    map_release(&s->methods, mem_free);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static void set_defaults(struct rpc_server_options *o)
{
    o->max_recv_bytes = o->max_recv_bytes != 0 ? o->max_recv_bytes : DEFAULT_RECV_BYTES;
    o->max_concurrent_streams = o->max_concurrent_streams != 0 ? o->max_concurrent_streams : 1024;
    o->waiting_calls = o->waiting_calls != 0 ? o->waiting_calls : 16;
    o->max_calls = o->max_calls != 0 ? o->max_calls : 4096;
    o->quota_bytes = o->quota_bytes != 0 ? o->quota_bytes : DEFAULT_QUOTA_BYTES;
    o->n_threads = o->n_threads != 0 ? o->n_threads : 1;
}

static void add_if(struct rpc_args *a, const char *key, uint64_t value)
{
    if (value != 0)
        rpc_args_int(a, key, value);
}

static void fill_args(struct rpc_args *a, const struct rpc_server_options *o, grpc_resource_quota *quota)
{
    rpc_args_init(a);
    /* The library would inflate before it looks at the limit. */
    rpc_args_int(a, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    rpc_args_int(a, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, o->max_recv_bytes);
    rpc_args_int(a, GRPC_ARG_MAX_CONCURRENT_STREAMS, o->max_concurrent_streams);
    rpc_args_int(a, GRPC_ARG_ALLOW_REUSEPORT, 0); /* a port in use is an error, not a shared one */
    add_if(a, GRPC_ARG_KEEPALIVE_TIME_MS, o->keepalive_time_ms);
    if (o->keepalive_time_ms > 0)
        rpc_args_int(a, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* go on pinging; the library stops after two */
    add_if(a, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, o->keepalive_timeout_ms);
    add_if(a, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, o->min_ping_interval_ms);
    rpc_args_int(a, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, o->permit_pings_without_calls ? 1 : 0);
    add_if(a, GRPC_ARG_MAX_CONNECTION_AGE_MS, o->max_connection_age_ms);
    add_if(a, GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, o->max_connection_age_grace_ms);
    add_if(a, GRPC_ARG_MAX_CONNECTION_IDLE_MS, o->max_connection_idle_ms);
    a->at[a->args.num_args++] = (grpc_arg){
        .type = GRPC_ARG_POINTER,
        .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
        .value.pointer = {quota, grpc_resource_quota_arg_vtable()},
    };
}

/* ":4317" is all addresses for us; the library wants them written out. */
static enum code bind_port(struct rpc_server *s, grpc_server_credentials *creds, struct slice listen, struct error *err)
{
    struct slice host;
    uint16_t port;
    enum code rc = http_listen_parse(listen, &host, &port, err);
    bool is_ipv6;
    char *address;
    int actual;

    if (rc != OK)
        return rc;
    is_ipv6 = slice_find(host, ':') != host.len;
    address = host.len == 0
                  ? mem_printf("[::]:%u", (unsigned)port)
                  : mem_printf("%s%.*s%s:%u", is_ipv6 ? "[" : "", SLICE_ARG(host), is_ipv6 ? "]" : "", (unsigned)port);
    actual = grpc_server_add_http2_port(s->grpc, address, creds);
    if (actual == 0 && host.len == 0) { /* a machine without IPv6 */
        mem_free(address);
        address = mem_printf("0.0.0.0:%u", (unsigned)port);
        actual = grpc_server_add_http2_port(s->grpc, address, creds);
    }
    mem_free(address);
    if (actual <= 0)
        return error_set(err, IO,
                         "cannot listen on %.*s: the address is in use or not ours, or the certificate and key "
                         "are not usable",
                         SLICE_ARG(listen));
    s->port = (uint16_t)actual;
    return OK;
}

static enum code start_threads(struct rpc_server *s, struct error *err)
{
    for (unsigned i = 0; i < s->options.n_threads; i++) {
        if (pthread_create(&s->threads[i].thread, NULL, run_thread, &s->threads[i]) != 0)
            return error_set(err, IO, "cannot start a thread");
        s->threads[i].is_started = true;
        for (unsigned k = 0; k < s->options.waiting_calls; k++)
            rpc_call_ask(&s->threads[i]);
    }
    return OK;
}

static void create(struct rpc_server *s)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("hyagent");
    struct rpc_args args;

    grpc_resource_quota_resize(quota, s->options.quota_bytes);
    fill_args(&args, &s->options, quota);
    s->grpc = grpc_server_create(&args.args, NULL);
    grpc_resource_quota_unref(quota);
    for (unsigned i = 0; i < s->options.n_threads; i++) {
        s->threads[i].server = s;
        s->threads[i].queue = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(s->grpc, s->threads[i].queue, NULL);
    }
}

static struct rpc_server *server_new(const struct rpc_server_options *options, const struct rpc_method *methods,
                                     size_t n_methods, const struct rpc_handler *handler)
{
    struct rpc_server *s = mem_zalloc(sizeof *s);
    pthread_condattr_t attr;

    s->refs = 1;
    s->handler = *handler;
    s->options = *options;
    set_defaults(&s->options);
    list_init(&s->waiting);
    map_init(&s->methods, 0);
    for (size_t i = 0; i < n_methods; i++) {
        struct rpc_method_entry *entry = mem_alloc(sizeof *entry);
        void *previous = NULL;

        entry->cookie = methods[i].cookie;
        BUG_ON(map_put(&s->methods, slice_str(methods[i].path), entry, &previous) != OK || previous != NULL);
    }
    s->threads = mem_array(s->options.n_threads, sizeof *s->threads);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

enum code rpc_server_start(struct rpc_server **out, const struct rpc_server_options *options,
                           const struct rpc_method *methods, size_t n_methods, const struct rpc_handler *handler,
                           struct error *err)
{
    grpc_server_credentials *creds = NULL;
    struct rpc_server_tls *tls = NULL;
    struct rpc_server *s;
    enum code rc;

    *out = NULL;
    rpc_library_init();
    rc = rpc_server_credentials(&creds, &tls, options->tls, err);
    if (rc != OK) {
        grpc_shutdown();
        return rc;
    }
    s = server_new(options, methods, n_methods, handler);
    s->tls = tls;
    create(s);
    rc = bind_port(s, creds, options->listen, err);
    grpc_server_credentials_release(creds);
    if (rc == OK) {
        grpc_server_start(s->grpc);
        rc = start_threads(s, err);
    }
    if (rc != OK) {
        rpc_server_stop(s, 0);
        return rc;
    }
    *out = s;
    return OK;
}

uint16_t rpc_server_port(const struct rpc_server *s)
{
    return s->port;
}

struct rpc_server_counts rpc_server_counts(const struct rpc_server *s)
{
    struct rpc_server *self = (struct rpc_server *)(uintptr_t)s;
    struct rpc_server_counts counts;

    pthread_mutex_lock(&self->lock);
    counts = self->counts;
    pthread_mutex_unlock(&self->lock);
    return counts;
}

static void wait_for_calls(struct rpc_server *s, uint64_t deadline_ms)
{
    int64_t end_ns = clock_mono_ns(clock_system()) + (int64_t)deadline_ms * NS_PER_MS;
    struct timespec until = {end_ns / NS_PER_S, end_ns % NS_PER_S};

    while (s->active != 0 && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0)
        ;
}

static void answer_waiting(struct rpc_server *s)
{
    while (!list_is_empty(&s->waiting)) {
        struct rpc_call *c = CONTAINER_OF(s->waiting.next, struct rpc_call, link);

        rpc_call_answer_locked(c, RPC_UNAVAILABLE, "stopping", slice_make(NULL, 0), 0);
    }
}

/* Where no thread runs yet, the queue's events are taken here. */
static void end_threads(struct rpc_server *s)
{
    for (unsigned i = 0; i < s->options.n_threads; i++)
        grpc_completion_queue_shutdown(s->threads[i].queue);
    for (unsigned i = 0; i < s->options.n_threads; i++) {
        if (s->threads[i].is_started)
            pthread_join(s->threads[i].thread, NULL);
        else
            take_events(&s->threads[i]);
    }
}

void rpc_server_stop(struct rpc_server *s, uint64_t deadline_ms)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_mutex_unlock(&s->lock);
    tsan_release(s);
    grpc_server_shutdown_and_notify(s->grpc, s->threads[0].queue, s);
    pthread_mutex_lock(&s->lock);
    wait_for_calls(s, deadline_ms);
    answer_waiting(s);
    wait_for_calls(s, s->active != 0 ? 200 : 0); /* the answers go out */
    s->is_closed = true;
    pthread_mutex_unlock(&s->lock);
    grpc_server_cancel_all_calls(s->grpc);
    pthread_mutex_lock(&s->lock);
    while (s->threads[0].is_started && !s->is_shut_down)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    end_threads(s);
    grpc_server_destroy(s->grpc);
    for (unsigned i = 0; i < s->options.n_threads; i++)
        grpc_completion_queue_destroy(s->threads[i].queue);
    mem_free(s->threads);
    rpc_server_tls_free(s->tls);
    rpc_server_unref(s);
    grpc_shutdown();
}
