#include "agent/io/dns.h"
#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <pthread.h>
#include <sys/time.h>
#include <uv.h>

enum { TIMEOUT_MS = 2000, TRIES = 2, TICK_MS = 1000 };

struct dns {
    struct loop *loop;
    ares_channel channel;
    struct timer *timer;
    struct list sockets;
    bool is_ending;
};

struct dns_socket {
    struct list link;
    uv_poll_t uv;
    struct dns *dns;
    ares_socket_t fd;
};

struct question {
    struct dns *dns;
    enum dns_type type;
    dns_fn fn;
    void *arg;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int library_code;

static void start_library(void)
{
    library_code = ares_library_init(ARES_LIB_INIT_ALL); /* with malloc: gRPC may use it already */
}

/* ---- the loop drives c-ares ---- */

static void set_timer(struct dns *d)
{
    struct timeval most = {TICK_MS / 1000, 0}, room, *next = ares_timeout(d->channel, &most, &room);

    timer_start(d->timer, (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1, 0);
}

static void on_timer(void *arg)
{
    struct dns *d = arg;

    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (!list_is_empty(&d->sockets))
        set_timer(d);
}

static void on_socket_event(uv_poll_t *handle, int status, int events)
{
    struct dns_socket *s = handle->data;
    struct dns *d = s->dns;
    bool can_read = status < 0 || (events & UV_READABLE) != 0, can_write = status < 0 || (events & UV_WRITABLE) != 0;

    ares_process_fd(d->channel, can_read ? s->fd : ARES_SOCKET_BAD, can_write ? s->fd : ARES_SOCKET_BAD);
}

static void free_socket(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static struct dns_socket *find_socket(struct dns *d, ares_socket_t fd)
{
    LIST_EACH (it, &d->sockets) {
        struct dns_socket *s = CONTAINER_OF(it, struct dns_socket, link);

        if (s->fd == fd)
            return s;
    }
    return NULL;
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct dns *d = arg;
    struct dns_socket *s = find_socket(d, fd);
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);

    if (events == 0) {
        if (s == NULL)
            return;
        list_remove(&s->link);
        uv_close((uv_handle_t *)&s->uv, free_socket);
        return;
    }
    if (s == NULL) {
        s = mem_zalloc(sizeof *s);
        s->dns = d;
        s->fd = fd;
        list_init(&s->link);
        if (uv_poll_init_socket(loop_uv(d->loop), &s->uv, fd) != 0) {
            mem_free(s); /* the question ends by its timeout */
            return;
        }
        s->uv.data = s;
        list_add_tail(&d->sockets, &s->link);
    }
    if (uv_poll_start(&s->uv, events, on_socket_event) == 0)
        set_timer(d);
}

enum code dns_new(struct dns **out, struct loop *loop, const struct dns_options *options, struct error *err)
{
    struct ares_options ares = {
        .timeout = (int)(options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS),
        .tries = (int)(options->tries != 0 ? options->tries : TRIES),
        .sock_state_cb = on_socket_state,
    };
    struct dns *d;
    int rc;

    *out = NULL;
    pthread_once(&once, start_library);
    if (library_code != ARES_SUCCESS)
        return error_set(err, IO, "no DNS: %s", ares_strerror(library_code));
    d = mem_zalloc(sizeof *d);
    d->loop = loop;
    list_init(&d->sockets);
    ares.sock_state_cb_data = d;
    rc = ares_init_options(&d->channel, &ares, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (rc != ARES_SUCCESS) {
        mem_free(d);
        return error_set(err, IO, "the DNS configuration cannot be used: %s", ares_strerror(rc));
    }
    d->timer = timer_new(loop, on_timer, d);
    if (options->servers != NULL && (rc = ares_set_servers_ports_csv(d->channel, options->servers)) != ARES_SUCCESS) {
        dns_free(d);
        return error_set(err, INVALID, "\"%s\" are no DNS servers: %s", options->servers, ares_strerror(rc));
    }
    *out = d;
    return OK;
}

void dns_free(struct dns *d)
{
    if (d == NULL)
        return;
    d->is_ending = true;
    ares_destroy(d->channel); /* calls back every question and closes every socket */
    while (!list_is_empty(&d->sockets)) {
        struct dns_socket *s = CONTAINER_OF(d->sockets.next, struct dns_socket, link);

        list_remove(&s->link);
        uv_close((uv_handle_t *)&s->uv, free_socket);
    }
    timer_free(d->timer);
    mem_free(d);
}

/* ---- answers ---- */

struct records {
    struct arena arena;
    struct dns_record *items;
    size_t n;
};

static void add(struct records *to, const char *name, uint16_t port)
{
    struct slice s = slice_str(name);

    if (to->n == LIMIT_DNS_RECORDS)
        return;
    while (s.len != 0 && s.ptr[s.len - 1] == '.')
        s.len--;
    to->items[to->n++] = (struct dns_record){arena_copy(&to->arena, s), port};
}

static int read_addresses(struct records *to, enum dns_type type, const unsigned char *bytes, int len)
{
    struct ares_addrttl *v4 = arena_zalloc(&to->arena, LIMIT_DNS_RECORDS * sizeof *v4);
    struct ares_addr6ttl *v6 = arena_zalloc(&to->arena, LIMIT_DNS_RECORDS * sizeof *v6);
    char text[INET6_ADDRSTRLEN];
    int n = LIMIT_DNS_RECORDS;
    int rc =
        type == DNS_A ? ares_parse_a_reply(bytes, len, NULL, v4, &n) : ares_parse_aaaa_reply(bytes, len, NULL, v6, &n);

    for (int i = 0; rc == ARES_SUCCESS && i < n; i++) {
        const void *address = type == DNS_A ? (const void *)&v4[i].ipaddr : (const void *)&v6[i].ip6addr;

        if (inet_ntop(type == DNS_A ? AF_INET : AF_INET6, address, text, sizeof text) != NULL)
            add(to, text, 0);
    }
    return rc;
}

static int read_services(struct records *to, const unsigned char *bytes, int len)
{
    struct ares_srv_reply *all = NULL;
    int rc = ares_parse_srv_reply(bytes, len, &all);

    for (const struct ares_srv_reply *r = all; rc == ARES_SUCCESS && r != NULL; r = r->next)
        add(to, r->host, r->port);
    if (all != NULL)
        ares_free_data(all);
    return rc;
}

static int read_exchanges(struct records *to, const unsigned char *bytes, int len)
{
    struct ares_mx_reply *all = NULL;
    int rc = ares_parse_mx_reply(bytes, len, &all);

    for (const struct ares_mx_reply *r = all; rc == ARES_SUCCESS && r != NULL; r = r->next)
        add(to, r->host, 0);
    if (all != NULL)
        ares_free_data(all);
    return rc;
}

static int read_name_servers(struct records *to, const unsigned char *bytes, int len)
{
    struct hostent *host = NULL;
    int rc = ares_parse_ns_reply(bytes, len, &host);

    for (char **at = rc == ARES_SUCCESS ? host->h_aliases : NULL; at != NULL && *at != NULL; at++)
        add(to, *at, 0);
    if (host != NULL)
        ares_free_hostent(host);
    return rc;
}

static int read_answer(struct records *to, enum dns_type type, const unsigned char *bytes, int len)
{
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        return read_addresses(to, type, bytes, len);
    case DNS_SRV:
        return read_services(to, bytes, len);
    case DNS_MX:
        return read_exchanges(to, bytes, len);
    case DNS_NS:
        return read_name_servers(to, bytes, len);
    }
    return ARES_EBADQUERY;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct question *q = arg;
    struct records found = {0};
    struct dns_answer answer = {.code = OK};

    (void)timeouts;
    if (q->dns->is_ending) {
        mem_free(q);
        return;
    }
    arena_init(&found.arena, 0);
    found.items = arena_zalloc(&found.arena, LIMIT_DNS_RECORDS * sizeof *found.items);
    if (status == ARES_SUCCESS)
        status = read_answer(&found, q->type, bytes, len);
    if (status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA) {
        answer.code = IO;
        answer.error = ares_strerror(status);
    } else {
        answer.records = found.items;
        answer.n = found.n;
    }
    q->fn(q->arg, &answer);
    arena_release(&found.arena);
    mem_free(q);
}

void dns_ask(struct dns *d, const char *name, enum dns_type type, dns_fn fn, void *arg)
{
    static const int types[] = {
        [DNS_A] = ns_t_a, [DNS_AAAA] = ns_t_aaaa, [DNS_SRV] = ns_t_srv, [DNS_MX] = ns_t_mx, [DNS_NS] = ns_t_ns};
    struct question *q = mem_zalloc(sizeof *q);

    *q = (struct question){d, type, fn, arg};
    ares_search(d->channel, name, ns_c_in, types[type], on_answer, q);
}
