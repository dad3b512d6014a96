#include "agent/io/http_server.h"
#include "agent/base/budget.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/http_server_int.h"
#include "agent/io/listen.h"
#include "agent/io/tls_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEPER_MS = 500, TLS_CHECK_MS = 10000, STOP_WAIT_MS = 2000 };

int64_t http_server_now_ms(void)
{
    return clock_mono_ns(clock_system()) / NS_PER_MS;
}

/* What libmicrohttpd takes from the heap for one connection. */
static size_t conn_bytes(const struct http_server *s)
{
    return s->options.max_header_bytes * 2;
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **private,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_daemon *d = arg;
    struct http_server *s = d->server;
    struct http_conn *conn = *private;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        http_server_ask_for_certificate(d, mhd);
        info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        conn = mem_zalloc(sizeof *conn);
        list_init(&conn->link);
        conn->fd = info != NULL ? info->connect_fd : -1;
        conn->since_ms = http_server_now_ms();
        budget_charge(conn_bytes(s));
        pthread_mutex_lock(&s->lock);
        list_add_tail(&s->conns, &conn->link);
        s->counts.open_connections++;
        pthread_mutex_unlock(&s->lock);
        *private = conn;
    } else if (conn != NULL) {
        pthread_mutex_lock(&s->lock); /* after this the descriptor is closed: nobody may shut it down any more */
        list_remove(&conn->link);
        s->counts.open_connections--;
        pthread_mutex_unlock(&s->lock);
        budget_release(conn_bytes(s));
        mem_free(conn);
        *private = NULL;
    }
}

static void on_log(void *arg, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void on_log(void *arg, const char *format, va_list args)
{
    char text[512];

    (void)arg;
    if (!log_is_traced("http"))
        return;
    vsnprintf(text, sizeof text, format, args);
    log_debug(NULL, "libmicrohttpd", log_slice("text", slice_trim(slice_str(text))));
}

static void daemon_free(struct http_daemon *d)
{
    if (d == NULL)
        return;
    if (d->mhd != NULL)
        MHD_stop_daemon(d->mhd);
    http_server_release_tls(d);
    mem_free(d);
}

static enum code start_mhd(struct http_daemon *d, struct error *err)
{
    struct http_server *s = d->server;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem items[8];
    char *priorities = s->tls != NULL ? http_server_tls_priorities(s->tls) : NULL;
    size_t n = 0;
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);

    if (s->tls != NULL) {
        flags |= MHD_USE_TLS;
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, d->cert};
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, d->key};
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priorities};
        if (d->client_ca != NULL)
            items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, d->client_ca};
    }
    if (s->options.n_threads > 1)
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, s->options.n_threads, NULL};
    if (s->options.max_connections_per_ip != 0)
        items[n++] =
            (struct MHD_OptionItem){MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->options.max_connections_per_ip, NULL};
    items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    d->mhd = fd < 0 ? NULL
                    : MHD_start_daemon(flags, 0, NULL, NULL, http_call_on_access, d,              /* */
                                       MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,                  /* */
                                       MHD_OPTION_LISTEN_SOCKET, fd,                              /* */
                                       MHD_OPTION_NOTIFY_COMPLETED, http_call_on_completed, NULL, /* */
                                       MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,            /* */
                                       MHD_OPTION_CONNECTION_LIMIT, s->options.max_connections,   /* */
                                       MHD_OPTION_CONNECTION_TIMEOUT, s->options.idle_timeout_s,  /* */
                                       MHD_OPTION_CONNECTION_MEMORY_LIMIT, conn_bytes(s),         /* */
                                       MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    mem_free(priorities);
    if (d->mhd != NULL)
        return OK;
    if (fd >= 0)
        close(fd);
    return error_set(err, IO, "cannot start an HTTP server%s",
                     s->tls != NULL ? ": the certificate and the key do not fit, or are no PEM" : "");
}

static enum code daemon_new(struct http_server *s, struct error *err)
{
    struct http_daemon *d = mem_zalloc(sizeof *d);
    enum code rc = OK;

    list_init(&d->link);
    d->server = s;
    if (s->tls != NULL)
        rc = http_server_load_tls(d, s->tls, err);
    if (rc == OK) {
        pthread_mutex_lock(&s->lock); /* its first request waits here until d->mhd is known */
        rc = start_mhd(d, err);
        if (rc == OK)
            list_add_head(&s->daemons, &d->link);
        pthread_mutex_unlock(&s->lock);
    }
    if (rc != OK)
        daemon_free(d);
    return rc;
}

static void close_slow(struct http_server *s, int64_t now_ms)
{
    LIST_EACH (it, &s->conns) {
        struct http_conn *conn = CONTAINER_OF(it, struct http_conn, link);
        int64_t allowed_ms =
            (int64_t)(conn->is_in_body ? s->options.body_timeout_s : s->options.idle_timeout_s) * MS_PER_S;

        if (!conn->is_busy && now_ms - conn->since_ms > allowed_ms + KEEPER_MS)
            shutdown(conn->fd, SHUT_RDWR); /* libmicrohttpd sees the end and cleans up */
    }
}

/* The daemon that may be stopped now, out of the list; NULL: none. */
static struct http_daemon *take_retired(struct http_server *s, int64_t now_ms)
{
    LIST_EACH (it, &s->daemons) {
        struct http_daemon *d = CONTAINER_OF(it, struct http_daemon, link);
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        bool is_idle = info != NULL && info->num_connections == 0;
        bool is_old = now_ms - d->retired_ms > (int64_t)s->options.idle_timeout_s * MS_PER_S;

        if (d->retired_ms == 0 || d->active != 0 || (!is_idle && !is_old))
            continue;
        d->is_closing = true;
        list_remove(&d->link);
        return d;
    }
    return NULL;
}

/* NULL: none could be started. */
static struct http_daemon *present(struct http_server *s)
{
    if (list_is_empty(&s->daemons))
        return NULL;
    return CONTAINER_OF(s->daemons.next, struct http_daemon, link);
}

/* No new connections; s->fd still listens, so that they wait. */
static void quiesce(struct http_daemon *d)
{
    int fd = d != NULL ? MHD_quiesce_daemon(d->mhd) : -1;

    if (fd >= 0)
        close(fd);
}

/* What is in flight is answered; streams end, for their readers to come again. */
static void retire(struct http_daemon *d)
{
    struct http_server *s;

    if (d == NULL)
        return;
    s = d->server;
    pthread_mutex_lock(&s->lock);
    d->retired_ms = http_server_now_ms();
    LIST_EACH_SAFE (it, &s->waiting) {
        struct http_call *c = CONTAINER_OF(it, struct http_call, link);

        if (c->daemon == d && c->stream != NULL)
            http_stream_end_locked(c);
    }
    pthread_mutex_unlock(&s->lock);
}

/* The new daemon listens before the old one stops: no connection is refused between. */
static void renew_certificate(struct http_server *s)
{
    struct http_daemon *old = present(s);
    struct error err = {0};

    if (daemon_new(s, &err) != OK) {
        log_error(NULL, "a changed certificate cannot be used, the old one stays", log_str("error", err.text),
                  log_int("port", s->port));
        return;
    }
    quiesce(old);
    retire(old);
    log_info(NULL, "the certificate was read again", log_int("port", s->port));
}

static void check_certificate(struct http_server *s)
{
    uint64_t stamp;

    pthread_mutex_lock(&s->tls_lock);
    stamp = s->tls != NULL ? tls_stamp(s->tls) : 0;
    if (stamp != s->tls_stamp)
        renew_certificate(s);
    s->tls_stamp = stamp;
    pthread_mutex_unlock(&s->tls_lock);
}

enum code http_server_set_tls(struct http_server *s, const struct tls_options *tls, struct error *err)
{
    struct tls_options *old_tls, *new_tls;
    struct http_daemon *old;
    enum code rc = tls != NULL ? http_server_check_tls(tls, err) : OK;

    if (rc != OK)
        return rc;
    pthread_mutex_lock(&s->tls_lock);
    if (tls_options_equal(s->tls, tls)) {
        pthread_mutex_unlock(&s->tls_lock);
        return OK;
    }
    new_tls = tls != NULL ? tls_options_copy(tls) : NULL;
    old = present(s);
    old_tls = s->tls;
    quiesce(old); /* first: who connects meanwhile waits, and is not greeted by the wrong one */
    s->tls = new_tls;
    rc = daemon_new(s, err);
    if (rc != OK) {
        struct error again = {0};

        s->tls = old_tls;
        old_tls = new_tls;
        if (daemon_new(s, &again) != OK)
            log_error(NULL, "the HTTP server cannot go on listening", log_str("error", again.text),
                      log_int("port", s->port));
    }
    s->tls_stamp = s->tls != NULL ? tls_stamp(s->tls) : 0;
    retire(old);
    pthread_mutex_unlock(&s->tls_lock);
    tls_options_free(old_tls);
    return rc;
}

static void *keep(void *arg)
{
    struct http_server *s = arg;
    int64_t checked_ms = http_server_now_ms();

    pthread_setname_np(pthread_self(), "http keeper");
    pthread_mutex_lock(&s->lock);
    while (!s->is_stopping) {
        int64_t now_ms = http_server_now_ms();
        struct timespec until;
        struct http_daemon *d;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += KEEPER_MS * NS_PER_MS;
        until.tv_sec += until.tv_nsec / NS_PER_S;
        until.tv_nsec %= NS_PER_S;
        pthread_cond_timedwait(&s->changed, &s->lock, &until);
        close_slow(s, now_ms);
        d = take_retired(s, now_ms);
        pthread_mutex_unlock(&s->lock);
        daemon_free(d);
        if (now_ms - checked_ms >= TLS_CHECK_MS) {
            checked_ms = now_ms;
            check_certificate(s);
        }
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void http_server_unref(struct http_server *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    tls_options_free(s->tls);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->tls_lock);
    mem_free(s);
}

static void set_defaults(struct http_server_options *o)
{
    o->max_header_bytes = o->max_header_bytes != 0 ? o->max_header_bytes : LIMIT_HTTP_HEADER_BYTES;
    o->max_body_bytes = o->max_body_bytes != 0 ? o->max_body_bytes : LIMIT_HTTP_BODY_BYTES;
    o->max_connections = o->max_connections != 0 ? o->max_connections : 16384;
    o->idle_timeout_s = o->idle_timeout_s != 0 ? o->idle_timeout_s : 60;
    o->body_timeout_s = o->body_timeout_s != 0 ? o->body_timeout_s : 60;
    o->n_threads = o->n_threads != 0 ? o->n_threads : 1;
}

enum code http_server_start(struct http_server **out, const struct http_server_options *options,
                            const struct http_handler *handler, struct error *err)
{
    struct http_server *s;
    pthread_condattr_t attr;
    enum code rc;

    *out = NULL;
    if (options->tls != NULL && (rc = tls_options_check(options->tls, true, err)) != OK)
        return rc;
    s = mem_zalloc(sizeof *s);
    s->refs = 1;
    s->fd = -1;
    s->handler = *handler;
    s->options = *options;
    set_defaults(&s->options);
    s->tls = options->tls != NULL ? tls_options_copy(options->tls) : NULL;
    s->tls_stamp = s->tls != NULL ? tls_stamp(s->tls) : 0;
    pthread_mutex_init(&s->tls_lock, NULL);
    list_init(&s->daemons);
    list_init(&s->conns);
    list_init(&s->waiting);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    rc = listen_open(&s->fd, &s->port, options->listen, err);
    if (rc == OK)
        rc = daemon_new(s, err);
    if (rc == OK && pthread_create(&s->keeper, NULL, keep, s) != 0)
        rc = error_set(err, IO, "cannot start a thread");
    if (rc != OK) {
        http_server_free(s);
        return rc;
    }
    s->has_keeper = true;
    *out = s;
    return OK;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

struct http_server_counts http_server_counts(const struct http_server *s)
{
    struct http_server *self = (struct http_server *)(uintptr_t)s;
    struct http_server_counts counts;

    pthread_mutex_lock(&self->lock);
    counts = self->counts;
    pthread_mutex_unlock(&self->lock);
    return counts;
}

void http_server_drain(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_draining = true;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    LIST_EACH (it, &s->daemons) {
        struct http_daemon *d = CONTAINER_OF(it, struct http_daemon, link);
        int fd = d->retired_ms == 0 ? MHD_quiesce_daemon(d->mhd) : -1;

        if (fd >= 0)
            close(fd);
    }
    pthread_mutex_unlock(&s->lock);
}

static void answer_waiting(struct http_server *s)
{
    while (!list_is_empty(&s->waiting)) {
        struct http_call *c = CONTAINER_OF(s->waiting.next, struct http_call, link);

        if (c->stream != NULL)
            http_stream_end_locked(c);
        else
            http_call_answer_locked(c, MHD_HTTP_SERVICE_UNAVAILABLE, http_call_text_response("stopping"));
    }
}

/* Lets the answers go out. */
static void wait_for_calls(struct http_server *s)
{
    int64_t end_ms = http_server_now_ms() + STOP_WAIT_MS;
    struct timespec until = {end_ms / MS_PER_S, (end_ms % MS_PER_S) * NS_PER_MS};

    while (s->active != 0 && pthread_cond_timedwait(&s->changed, &s->lock, &until) == 0)
        ;
}

void http_server_free(struct http_server *s)
{
    struct list daemons;

    if (s == NULL)
        return;
    http_server_drain(s);
    pthread_mutex_lock(&s->lock);
    s->is_stopping = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->has_keeper)
        pthread_join(s->keeper, NULL);
    pthread_mutex_lock(&s->lock);
    answer_waiting(s);
    wait_for_calls(s);
    list_init(&daemons);
    while (!list_is_empty(&s->daemons)) {
        struct http_daemon *d = CONTAINER_OF(s->daemons.next, struct http_daemon, link);

        d->is_closing = true;
        list_remove(&d->link);
        list_add_tail(&daemons, &d->link);
    }
    answer_waiting(s);
    pthread_mutex_unlock(&s->lock);
    LIST_EACH_SAFE (it, &daemons) {
        daemon_free(CONTAINER_OF(it, struct http_daemon, link));
    }
    http_server_unref(s);
}
