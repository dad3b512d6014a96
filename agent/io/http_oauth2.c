/* Requests that need a token of OAuth 2.0: it is asked for once per client and settings, and all that need it wait. */
#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/http_client_int.h"

enum { ASK_TIMEOUT_MS = 30000, ASKS_MAX = 3, FORM_BYTES = 1024 * 1024 };

struct token_wait {
    struct list link; /* in the client's token_waits */
    struct http_client *client;
    struct oauth2 *oauth2;         /* one reference */
    struct list transfers;         /* by link */
    struct http_transfer *request; /* for the token */
    struct arena arena;            /* of the request */
    struct buf form;
    uint64_t timeout_ms;
    bool is_second; /* the other way of giving the credentials */
};

static void fail(struct http_transfer *t, const char *why)
{
    error_set(&t->error, IO, "%s", why);
    http_client_fail(t, CURLE_COULDNT_CONNECT);
}

static void free_wait(struct token_wait *w)
{
    list_remove(&w->link);
    if (w->form.ptr != NULL)
        explicit_bzero(w->form.ptr, w->form.cap);
    buf_release(&w->form);
    arena_release(&w->arena);
    oauth2_unref(w->oauth2);
    mem_free(w);
}

/* Ends the wait: all go on, with the token or with why there is none. */
static void end_wait(struct token_wait *w, const char *why)
{
    while (!list_is_empty(&w->transfers)) {
        struct http_transfer *t = CONTAINER_OF(w->transfers.next, struct http_transfer, link);

        list_remove(&t->link);
        if (why != NULL)
            fail(t, why);
        else
            http_oauth2_start(t);
    }
    free_wait(w);
}

static void on_token(void *arg, const struct http_result *result);

static void ask(struct token_wait *w)
{
    struct http_request request;
    struct error err = {0};

    arena_release(&w->arena);
    arena_init(&w->arena, 0);
    if (oauth2_ask(w->oauth2, w->is_second, &w->arena, &w->form, &request, &err) != OK) {
        end_wait(w, err.text);
        return;
    }
    request.timeout_ms = w->timeout_ms;
    request.arg = w;
    request.done = on_token;
    w->request = http_request_start(w->client, &request);
}

static void on_token(void *arg, const struct http_result *result)
{
    struct token_wait *w = arg;
    struct error err = {0};
    bool may_try_second = false;

    w->request = NULL;
    if (oauth2_take(w->oauth2, w->is_second, result, &may_try_second, &err) == OK) {
        end_wait(w, NULL);
    } else if (may_try_second) {
        w->is_second = true;
        ask(w);
    } else {
        end_wait(w, err.text);
    }
}

static struct token_wait *find_wait(struct http_client *c, const struct oauth2 *oauth2)
{
    LIST_EACH (it, &c->token_waits) {
        struct token_wait *w = CONTAINER_OF(it, struct token_wait, link);

        if (w->oauth2 == oauth2)
            return w;
    }
    return NULL;
}

static void wait_for_token(struct http_transfer *t)
{
    struct token_wait *w = find_wait(t->client, t->oauth2);

    if (++t->n_token_asks > ASKS_MAX) {
        fail(t, "the tokens that are given have expired already");
        return;
    }
    list_remove(&t->link);
    if (w != NULL) {
        list_add_tail(&w->transfers, &t->link);
        return;
    }
    w = mem_zalloc(sizeof *w);
    list_init(&w->link);
    list_init(&w->transfers);
    arena_init(&w->arena, 0);
    buf_init(&w->form, FORM_BYTES);
    w->client = t->client;
    w->oauth2 = oauth2_ref(t->oauth2);
    w->timeout_ms = t->timeout_ms != 0 && t->timeout_ms < ASK_TIMEOUT_MS ? t->timeout_ms : ASK_TIMEOUT_MS;
    list_add_tail(&t->client->token_waits, &w->link);
    list_add_tail(&w->transfers, &t->link);
    ask(w);
}

/* What the wait took is not there for the request any more. */
static void shorten_timeout(struct http_transfer *t)
{
    uint64_t spent_ms = (uint64_t)((clock_mono_ns(clock_system()) - t->started_ns) / NS_PER_MS);

    if (t->timeout_ms == 0 || t->was_unauthorized)
        return;
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)(t->timeout_ms > spent_ms ? t->timeout_ms - spent_ms : 1));
}

static void drop_line(struct http_transfer *t)
{
    if (t->token_line.data != NULL)
        mem_free_secret(t->token_line.data, strlen(t->token_line.data));
    t->token_line.data = NULL;
}

void http_oauth2_start(struct http_transfer *t)
{
    struct error err = {0};
    struct buf line;
    enum code rc;

    buf_init(&line, LIMIT_HTTP_RESPONSE_BYTES + 256);
    (void)buf_add_str(&line, "Authorization: ");
    rc = oauth2_header(t->oauth2, &line, &t->token_serial, &err);
    if (rc == OK) {
        drop_line(t);
        t->token_line.data = mem_strndup(buf_slice(&line));
        t->token_line.next = t->headers;
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, &t->token_line);
        shorten_timeout(t);
        http_client_add(t);
    } else if (rc == AGAIN) {
        wait_for_token(t);
    } else {
        fail(t, err.text);
    }
    if (line.ptr != NULL)
        explicit_bzero(line.ptr, line.cap);
    buf_release(&line);
}

void http_oauth2_cancel_waits(struct http_client *c)
{
    while (!list_is_empty(&c->token_waits)) {
        struct token_wait *w = CONTAINER_OF(c->token_waits.next, struct token_wait, link);

        while (!list_is_empty(&w->transfers))
            http_request_cancel(CONTAINER_OF(w->transfers.next, struct http_transfer, link));
        if (w->request != NULL)
            http_request_cancel(w->request);
        free_wait(w);
    }
}

void http_oauth2_release(struct http_transfer *t)
{
    oauth2_unref(t->oauth2);
    t->oauth2 = NULL;
    drop_line(t);
}
