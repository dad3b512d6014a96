#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/codec.h"
#include "agent/io/http_server_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { DISCARD_FACTOR = 2, FIRST_BODY_BYTES = 64 * 1024 };

struct collect {
    struct http_call *call;
    struct http_header *at;
    size_t n;
};

static enum MHD_Result count_one(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    size_t *n = arg;

    (void)kind;
    (void)key;
    (void)value;
    ++*n;
    return MHD_YES;
}

static enum MHD_Result copy_one(void *arg, enum MHD_ValueKind kind, const char *key, size_t key_len, const char *value,
                                size_t value_len)
{
    struct collect *to = arg;
    struct arena *arena = &to->call->arena;

    (void)kind;
    to->at[to->n++] = (struct http_header){
        .name = slice_make(arena_strndup(arena, slice_make(key, key_len)), key_len),
        .value = slice_make(arena_strndup(arena, slice_make(value, value_len)), value_len),
    };
    return MHD_YES;
}

static void copy_values(struct http_call *c, enum MHD_ValueKind kind, struct http_header **out, size_t *n)
{
    struct collect to = {.call = c};
    size_t count = 0;

    MHD_get_connection_values(c->mhd, kind, count_one, &count);
    if (count == 0)
        return;
    to.at = arena_zalloc(&c->arena, count * sizeof *to.at);
    MHD_get_connection_values_n(c->mhd, kind, copy_one, &to);
    *out = to.at;
    *n = to.n;
}

static void copy_remote(struct http_call *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char text[INET6_ADDRSTRLEN] = "";
    const struct sockaddr *addr = info != NULL ? info->client_addr : NULL;

    if (addr != NULL && addr->sa_family == AF_INET) {
        const struct in_addr *ip = &((const struct sockaddr_in *)(const void *)addr)->sin_addr;

        inet_ntop(AF_INET, ip, text, sizeof text);
        c->is_loopback = ntohl(ip->s_addr) >> 24 == 127;
    } else if (addr != NULL && addr->sa_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(ip)) {
            inet_ntop(AF_INET, &ip->s6_addr[12], text, sizeof text);
            c->is_loopback = ip->s6_addr[12] == 127;
        } else {
            inet_ntop(AF_INET6, ip, text, sizeof text);
            c->is_loopback = IN6_IS_ADDR_LOOPBACK(ip);
        }
    }
    c->remote = slice_str(arena_strndup(&c->arena, slice_str(text)));
}

static struct http_call *call_new(struct http_daemon *d, struct MHD_Connection *mhd, const char *url,
                                  const char *method)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_call *c = mem_zalloc(sizeof *c);

    c->refs = 2;
    c->server = d->server;
    atomic_fetch_add_explicit(&c->server->refs, 1, memory_order_relaxed);
    c->daemon = d;
    c->conn = info != NULL ? info->socket_context : NULL;
    c->mhd = mhd;
    list_init(&c->link);
    arena_init(&c->arena, 0); /* bounded by libmicrohttpd's memory per connection, which all of it is copied from */
    c->method = slice_str(arena_strndup(&c->arena, slice_str(method)));
    c->path = slice_str(arena_strndup(&c->arena, slice_str(url)));
    copy_values(c, MHD_HEADER_KIND, &c->headers, &c->n_headers);
    copy_values(c, MHD_GET_ARGUMENT_KIND, &c->query, &c->n_query);
    copy_remote(c);
    c->has_content_length = slice_to_u64(http_call_header(c, "Content-Length"), &c->content_length);
    c->max_body = c->server->options.max_body_bytes;
    return c;
}

void http_call_unref(struct http_call *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (c->response != NULL)
        MHD_destroy_response(c->response);
    http_stream_free(c->stream);
    buf_release(&c->body);
    arena_release(&c->arena);
    http_server_unref(c->server);
    mem_free(c);
}

struct MHD_Response *http_call_text_response(const char *text)
{
    char *line = mem_printf("%s\n", text);
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(strlen(line), line, mem_free);

    BUG_ON(r == NULL);
    MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
    return r;
}

void http_call_resume_locked(struct http_call *c)
{
    if (!c->is_suspended)
        return;
    c->is_suspended = false;
    list_remove(&c->link);
    c->server->counts.waiting--;
    MHD_resume_connection(c->mhd);
}

void http_call_answer_locked(struct http_call *c, unsigned status, struct MHD_Response *take_response)
{
    c->status = status;
    c->response = take_response;
    c->state = CALL_ANSWERED;
    http_call_resume_locked(c);
}

/* Asked on libmicrohttpd's thread; the handler answers on any other. */
static enum call_state state_of(struct http_call *c)
{
    enum call_state state;

    pthread_mutex_lock(&c->server->lock);
    state = c->state;
    pthread_mutex_unlock(&c->server->lock);
    return state;
}

static bool is_answered(struct http_call *c)
{
    return state_of(c) == CALL_ANSWERED;
}

static enum MHD_Result queue_response(struct http_call *c)
{
    return MHD_queue_response(c->mhd, c->status, c->response);
}

static void refuse(struct http_call *c, unsigned status, const char *text)
{
    pthread_mutex_lock(&c->server->lock);
    if (c->state != CALL_ANSWERED)
        http_call_answer_locked(c, status, http_call_text_response(text));
    pthread_mutex_unlock(&c->server->lock);
}

/* The handler let it pass, but there will be no on_request. */
static void drop(struct http_call *c)
{
    if (c->server->handler.on_dropped != NULL)
        c->server->handler.on_dropped(c->server->handler.self, c);
    http_call_unref(c);
}

/* Closing a connection with unread bytes resets it, and the client would not see our answer: what is not too much is
 * read first. A client that waits for "100 Continue" has not sent it yet. */
static bool is_body_to_discard(const struct http_call *c)
{
    bool has_body = c->content_length != 0 || http_call_header(c, "Transfer-Encoding").ptr != NULL;

    return has_body && http_call_header(c, "Expect").ptr == NULL &&
           c->content_length <= (uint64_t)c->server->options.max_body_bytes * DISCARD_FACTOR;
}

static void begin_body(struct http_call *c, bool is_answered_already)
{
    pthread_mutex_lock(&c->server->lock);
    if (!is_answered_already)
        c->state = CALL_BODY;
    if (c->conn != NULL) {
        c->conn->is_in_body = true;
        c->conn->since_ms = http_server_now_ms();
    }
    pthread_mutex_unlock(&c->server->lock);
}

/* The answer is set before the body was read. */
static enum MHD_Result answer_early(struct http_call *c)
{
    if (!is_body_to_discard(c))
        return queue_response(c);
    begin_body(c, true);
    return MHD_YES;
}

static enum MHD_Result begin(struct http_call *c)
{
    struct http_server *s = c->server;
    bool is_off;

    pthread_mutex_lock(&s->lock);
    s->counts.requests++;
    s->active++;
    c->daemon->active++;
    is_off = s->is_draining || s->is_stopping || c->daemon->is_closing;
    pthread_mutex_unlock(&s->lock);
    if (is_off || !http_server_client_is_welcome(c->daemon, c->mhd)) {
        http_call_unref(c); /* the handler never sees it */
        if (is_off)
            refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
        else
            refuse(c, MHD_HTTP_FORBIDDEN, "a client certificate is needed");
        return answer_early(c);
    }
    if (s->handler.on_headers != NULL)
        s->handler.on_headers(s->handler.self, c);
    if (is_answered(c))
        return answer_early(c);
    if (c->has_content_length && c->content_length > c->max_body) {
        pthread_mutex_lock(&s->lock);
        s->counts.rejected_too_large++;
        s->counts.dropped++;
        pthread_mutex_unlock(&s->lock);
        drop(c);
        refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "the request body is too large");
        return answer_early(c);
    }
    buf_init(&c->body, c->max_body);
    begin_body(c, false);
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_call *c, struct slice data)
{
    c->seen_bytes += data.len;
    if (is_answered(c))
        return c->seen_bytes > (uint64_t)c->server->options.max_body_bytes * DISCARD_FACTOR ? MHD_NO : MHD_YES;
    /* not all of an announced length at once: a client could take the memory by announcing alone */
    if (!c->is_too_large && c->body.len == 0 && c->has_content_length && c->content_length <= c->max_body &&
        buf_reserve(&c->body, c->content_length < FIRST_BODY_BYTES ? (size_t)c->content_length : FIRST_BODY_BYTES) !=
            OK)
        return MHD_NO;
    if (!c->is_too_large && buf_add(&c->body, data) != OK) {
        c->is_too_large = true;
        buf_release(&c->body);
        pthread_mutex_lock(&c->server->lock);
        c->server->counts.rejected_too_large++;
        pthread_mutex_unlock(&c->server->lock);
    }
    return c->seen_bytes > (uint64_t)c->max_body * DISCARD_FACTOR ? MHD_NO : MHD_YES;
}

static enum MHD_Result dispatch(struct http_call *c)
{
    struct http_server *s = c->server;
    bool is_off;

    pthread_mutex_lock(&s->lock);
    is_off = s->is_stopping || c->daemon->is_closing;
    if (!is_off && !c->is_too_large) {
        c->state = CALL_HANDLED;
        c->is_suspended = true;
        list_add_tail(&s->waiting, &c->link);
        s->counts.waiting++;
        if (c->conn != NULL)
            c->conn->is_busy = true;
        MHD_suspend_connection(c->mhd);
    } else {
        s->counts.dropped++;
        c->state = CALL_HANDLED;
    }
    pthread_mutex_unlock(&s->lock);
    if (is_off || c->is_too_large) {
        drop(c);
        if (is_off)
            refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping");
        else
            refuse(c, MHD_HTTP_CONTENT_TOO_LARGE, "the request body is too large");
        return queue_response(c);
    }
    s->handler.on_request(s->handler.self, c);
    return MHD_YES;
}

enum MHD_Result http_call_on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                    const char *version, const char *data, size_t *n_data, void **private)
{
    struct http_call *c = *private;

    (void)version;
    if (c == NULL) {
        c = call_new(arg, mhd, url, method);
        *private = c;
        return begin(c);
    }
    if (*n_data != 0) {
        enum MHD_Result rc = take_body(c, slice_make(data, *n_data));

        *n_data = 0;
        return rc;
    }
    switch (state_of(c)) {
    case CALL_BODY:
        return dispatch(c);
    case CALL_ANSWERED:
        return queue_response(c);
    default:
        return MHD_YES;
    }
}

void http_call_on_completed(void *arg, struct MHD_Connection *mhd, void **private, enum MHD_RequestTerminationCode why)
{
    struct http_call *c = *private;
    struct http_server *s;
    bool was_in_body;

    (void)arg;
    (void)mhd;
    (void)why;
    if (c == NULL)
        return;
    *private = NULL;
    s = c->server;
    pthread_mutex_lock(&s->lock);
    was_in_body = c->state == CALL_BODY;
    c->is_ended = true;
    if (c->is_suspended) { /* only when the connection broke while it was being resumed */
        c->is_suspended = false;
        list_remove(&c->link);
        s->counts.waiting--;
    }
    if (was_in_body) {
        c->state = CALL_ANSWERED;
        s->counts.dropped++;
    }
    if (c->conn != NULL) {
        c->conn->is_busy = c->conn->is_in_body = false;
        c->conn->since_ms = http_server_now_ms();
    }
    pthread_mutex_unlock(&s->lock);
    if (was_in_body)
        drop(c);
    pthread_mutex_lock(&s->lock);
    s->active--;
    c->daemon->active--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    http_call_unref(c);
}

static void add_header(struct MHD_Response *r, const struct http_header *h)
{
    char *name = mem_strndup(h->name), *value = mem_strndup(h->value);

    MHD_add_response_header(r, name, value); /* refuses line breaks */
    mem_free(name);
    mem_free(value);
}

void http_call_add_headers(struct http_call *c, struct MHD_Response *r, const struct http_reply *reply)
{
    char number[24];

    if (reply->media_type.len != 0)
        add_header(r, &(struct http_header){.name = SLICE_LIT("Content-Type"), .value = reply->media_type});
    if (reply->retry_after_s != 0) {
        snprintf(number, sizeof number, "%u", reply->retry_after_s);
        MHD_add_response_header(r, "Retry-After", number);
    }
    if (c->server->options.server_header != NULL)
        MHD_add_response_header(r, "Server", c->server->options.server_header);
    for (size_t i = 0; i < reply->n_headers; i++)
        add_header(r, &reply->headers[i]);
}

static struct MHD_Response *make_response(struct http_call *c, const struct http_reply *reply)
{
    char *body = reply->take_body;
    struct MHD_Response *r;

    if (body == NULL && reply->body.len != 0) {
        body = mem_alloc(reply->body.len);
        memcpy(body, reply->body.ptr, reply->body.len);
    }
    r = body != NULL ? MHD_create_response_from_buffer_with_free_callback(reply->body.len, body, mem_free)
                     : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    BUG_ON(r == NULL);
    http_call_add_headers(c, r, reply);
    return r;
}

void http_reply(struct http_call *c, const struct http_reply *reply)
{
    struct MHD_Response *r = make_response(c, reply);

    pthread_mutex_lock(&c->server->lock);
    if (c->state != CALL_ANSWERED && !c->is_ended) {
        if (c->daemon->retired_ms != 0) /* the next request has to meet the new daemon */
            MHD_add_response_header(r, "Connection", "close");
        http_call_answer_locked(c, (unsigned)reply->status, r);
        r = NULL;
    }
    pthread_mutex_unlock(&c->server->lock);
    if (r != NULL) /* the server was quicker: it is stopping */
        MHD_destroy_response(r);
    http_call_unref(c);
}

void http_reply_text(struct http_call *c, int status, const char *text)
{
    char *line = mem_printf("%s\n", text);

    http_reply(c, &(struct http_reply){.status = status,
                                       .media_type = SLICE_LIT("text/plain; charset=utf-8"),
                                       .body = slice_str(line),
                                       .take_body = line});
}

static struct slice find(const struct http_header *at, size_t n, const char *name, bool any_case)
{
    struct slice want = slice_str(name);

    for (size_t i = 0; i < n; i++)
        if (any_case ? slice_eq_nocase(at[i].name, want) : slice_eq(at[i].name, want))
            return at[i].value.ptr != NULL ? at[i].value : SLICE_LIT("");
    return (struct slice){0};
}

struct slice http_call_method(const struct http_call *c)
{
    return c->method;
}

struct slice http_call_path(const struct http_call *c)
{
    return c->path;
}

struct slice http_call_query(const struct http_call *c, const char *name)
{
    return find(c->query, c->n_query, name, false);
}

bool http_call_query_at(const struct http_call *c, size_t i, struct http_header *out)
{
    if (i < c->n_query)
        *out = c->query[i];
    return i < c->n_query;
}

struct slice http_call_header(const struct http_call *c, const char *name)
{
    return find(c->headers, c->n_headers, name, true);
}

bool http_call_header_at(const struct http_call *c, size_t i, struct http_header *out)
{
    if (i < c->n_headers)
        *out = c->headers[i];
    return i < c->n_headers;
}

struct slice http_call_remote(const struct http_call *c)
{
    return c->remote;
}

bool http_call_remote_is_loopback(const struct http_call *c)
{
    return c->is_loopback;
}

uint64_t http_call_content_length(const struct http_call *c, bool *is_known)
{
    *is_known = c->has_content_length;
    return c->content_length;
}

struct slice http_call_body(const struct http_call *c)
{
    return buf_slice(&c->body);
}

char *http_call_take_body(struct http_call *c, size_t *len)
{
    *len = c->body.len;
    return c->body.len != 0 ? buf_take(&c->body, len) : NULL;
}

enum code http_call_decode_body(const struct http_call *c, struct buf *out, struct error *err)
{
    struct slice encoding = http_call_header(c, "Content-Encoding");
    enum codec codec;

    if (!codec_from_name(encoding, &codec))
        return error_set(err, INVALID, "the Content-Encoding \"%.*s\" is not supported", SLICE_ARG(encoding));
    /* senders mean either of Snappy's two formats by this word; the framing format says its name in its first chunk */
    if (codec == CODEC_SNAPPY && slice_starts(http_call_body(c), slice_make("\xff\x06\x00\x00sNaPpY", 10)))
        codec = CODEC_SNAPPY_FRAMED;
    return codec_decompress(codec, http_call_body(c), out, err);
}

void http_call_limit_body(struct http_call *c, size_t max_bytes)
{
    if (max_bytes < c->max_body)
        c->max_body = max_bytes;
}

void http_call_set_cookie(struct http_call *c, void *cookie)
{
    c->cookie = cookie;
}

void *http_call_cookie(const struct http_call *c)
{
    return c->cookie;
}
