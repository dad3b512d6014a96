#include "agent/io/http_client.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/http_client_int.h"
#include "agent/io/loop.h"
#include <pthread.h>
#include <uv.h>

enum { CONNECTION_CACHE = 256, PENDING_MAX = 4 * 1024 * 1024 };

struct poll_socket {
    uv_poll_t uv;
    struct http_client *client;
    curl_socket_t fd;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static char *curl_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = mem_try_alloc(n);

    if (copy != NULL)
        memcpy(copy, s, n);
    return copy;
}

static void *curl_zalloc(size_t n, size_t size)
{
    size_t total;
    void *p;

    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    p = mem_try_alloc(total != 0 ? total : 1);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

static void start_curl(void)
{
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_try_alloc, mem_free, mem_try_realloc, curl_strdup, curl_zalloc);
}

static void destroy(struct http_client *c)
{
    timer_free(c->kick);
    curl_multi_cleanup(c->multi); /* still uses the socket and timer functions */
    timer_free(c->curl_timer);
    mem_free(c);
}

static struct http_transfer *pop(struct list *head)
{
    struct http_transfer *t;

    if (list_is_empty(head))
        return NULL;
    t = CONTAINER_OF(head->next, struct http_transfer, link);
    list_remove(&t->link);
    return t;
}

static void take_messages(struct http_client *c)
{
    CURLMsg *message;
    int left;

    while (!c->is_freed && (message = curl_multi_info_read(c->multi, &left)) != NULL) {
        char *private = NULL;
        struct http_transfer *t;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        t = (struct http_transfer *)(void *)private;
        curl_multi_remove_handle(c->multi, t->easy);
        t->is_added = false;
        http_transfer_finish(t, code);
    }
}

void http_client_fail(struct http_transfer *t, CURLcode code)
{
    t->finish_code = code;
    list_remove(&t->link);
    list_add_tail(&t->client->failed, &t->link);
    http_client_kick(t->client);
}

static void add_now(struct http_transfer *t)
{
    CURLMcode rc;

    list_remove(&t->link);
    list_add_tail(&t->client->transfers, &t->link);
    t->is_added = true;
    rc = curl_multi_add_handle(t->client->multi, t->easy);
    if (rc == CURLM_OK)
        return;
    t->is_added = false;
    error_set(&t->error, INVALID, "cannot start: %s", curl_multi_strerror(rc));
    http_client_fail(t, CURLE_FAILED_INIT);
}

/* Ends what enter began: does what had to wait, and frees the client if that was asked for meanwhile. */
static void leave(struct http_client *c)
{
    struct http_transfer *t;

    take_messages(c);
    if (--c->depth != 0)
        return;
    while ((t = pop(&c->cancelled)) != NULL)
        http_transfer_free(t);
    while (!c->is_freed && (t = pop(&c->to_start)) != NULL)
        add_now(t);
    if (c->is_freed)
        destroy(c);
}

static void on_socket_event(uv_poll_t *handle, int status, int events)
{
    struct poll_socket *s = handle->data;
    struct http_client *c = s->client;
    int flags = 0, running;

    if (status < 0)
        flags = CURL_CSELECT_ERR;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    c->depth++;
    curl_multi_socket_action(c->multi, s->fd, flags, &running);
    leave(c);
}

static void free_socket(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
    struct http_client *c = arg;
    struct poll_socket *s = known;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s != NULL)
            uv_close((uv_handle_t *)&s->uv, free_socket);
        return 0;
    }
    if (s == NULL) {
        s = mem_zalloc(sizeof *s);
        if (uv_poll_init_socket(loop_uv(c->loop), &s->uv, fd) != 0) {
            mem_free(s);
            return -1;
        }
        s->uv.data = s;
        s->client = c;
        s->fd = fd;
        curl_multi_assign(c->multi, fd, s);
    }
    events |= (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
    return uv_poll_start(&s->uv, events, on_socket_event) == 0 ? 0 : -1;
}

static void on_curl_timer(void *arg)
{
    struct http_client *c = arg;
    int running;

    c->depth++;
    curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    leave(c);
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http_client *c = arg;

    (void)multi;
    if (timeout_ms < 0)
        timer_stop(c->curl_timer);
    else
        timer_start(c->curl_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static void on_kick(void *arg)
{
    struct http_client *c = arg;
    struct http_transfer *t;
    struct list resumed;

    c->depth++;
    list_init(&resumed);
    while (!list_is_empty(&c->to_resume)) { /* a pump may pause and resume again: that is for the next turn */
        struct list *first = c->to_resume.next;

        list_remove(first);
        list_add_tail(&resumed, first);
    }
    while (!list_is_empty(&resumed)) {
        t = CONTAINER_OF(resumed.next, struct http_transfer, resume_link);
        list_remove(&t->resume_link);
        http_transfer_pump(t);
    }
    while (!c->is_freed && (t = pop(&c->failed)) != NULL)
        http_transfer_finish(t, t->finish_code);
    leave(c);
}

void http_client_kick(struct http_client *c)
{
    timer_start(c->kick, 0, 0);
}

void http_client_add(struct http_transfer *t)
{
    struct http_client *c = t->client;

    if (c->depth == 0) {
        add_now(t);
        return;
    }
    list_remove(&t->link);
    list_add_tail(&c->to_start, &t->link);
}

enum code http_client_new(struct http_client **out, struct loop *loop, struct error *err)
{
    struct http_client *c;
    CURLM *multi;

    *out = NULL;
    pthread_once(&once, start_curl);
    multi = curl_multi_init();
    if (multi == NULL)
        return error_set(err, NOMEM, "cannot make an HTTP client");
    c = mem_zalloc(sizeof *c);
    c->loop = loop;
    c->multi = multi;
    list_init(&c->transfers);
    list_init(&c->to_start);
    list_init(&c->failed);
    list_init(&c->to_resume);
    list_init(&c->cancelled);
    list_init(&c->token_waits);
    c->curl_timer = timer_new(loop, on_curl_timer, c);
    c->kick = timer_new(loop, on_kick, c);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTION_CACHE);
    *out = c;
    return OK;
}

static void cancel_all(struct list *head)
{
    while (!list_is_empty(head))
        http_request_cancel(CONTAINER_OF(head->next, struct http_transfer, link));
}

void http_client_free(struct http_client *c)
{
    if (c == NULL)
        return;
    BUG_ON(c->is_freed);
    http_oauth2_cancel_waits(c);
    cancel_all(&c->to_start);
    cancel_all(&c->transfers);
    cancel_all(&c->failed);
    c->is_freed = true;
    if (c->depth == 0)
        destroy(c);
}

void http_client_limit_host_connections(struct http_client *c, unsigned n)
{
    curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)n);
}

struct http_transfer *http_request_start(struct http_client *c, const struct http_request *request)
{
    struct http_transfer *t = mem_zalloc(sizeof *t);

    BUG_ON(request->done == NULL);
    list_init(&t->link);
    list_init(&t->resume_link);
    t->client = c;
    t->arg = request->arg;
    t->on_head = request->on_head;
    t->on_body = request->on_body;
    t->done = request->done;
    t->started_ns = clock_mono_ns(clock_system());
    t->max_bytes = request->max_response_bytes != 0 ? request->max_response_bytes : LIMIT_HTTP_RESPONSE_BYTES;
    buf_init(&t->body, (size_t)t->max_bytes);
    buf_init(&t->pending, PENDING_MAX);
    t->oauth2 = request->oauth2 != NULL ? oauth2_ref(request->oauth2) : NULL;
    if (http_setup(t, request, &t->error) != OK)
        http_client_fail(t, CURLE_FAILED_INIT);
    else if (t->oauth2 != NULL)
        http_oauth2_start(t);
    else
        http_client_add(t);
    return t;
}

void http_request_cancel(struct http_transfer *t)
{
    struct http_client *c = t->client;

    t->is_cancelled = true;
    list_remove(&t->resume_link);
    list_remove(&t->link);
    if (c->depth != 0)
        list_add_tail(&c->cancelled, &t->link);
    else
        http_transfer_free(t);
}

void http_request_resume(struct http_transfer *t)
{
    if (!t->is_paused)
        return;
    list_remove(&t->resume_link);
    list_add_tail(&t->client->to_resume, &t->resume_link);
    http_client_kick(t->client);
}
