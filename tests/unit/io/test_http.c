#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/io/codec.h"
#include "agent/io/http_client.h"
#include "agent/io/http_server.h"
#include "agent/io/loop.h"
#include "agent/io/tsan.h"
#include "tests/unit/io/latch.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { MAX_BODY = 100000 };

/* A server whose answers are made on a loop, and a client on another. */
struct world {
    struct loops *loops;
    struct http_server *server;
    struct http_client *client;
    struct latch ready;
    atomic_uint dropped, requests;
    struct latch held;         /* hit for every /hold */
    struct http_call *hold[8]; /* calls that wait for the test */
    atomic_uint n_hold;
    struct latch stream_up;
    struct http_stream *stream;
    char elsewhere[64]; /* where /away redirects to */
};

/* One request and what came of it. */
struct fetch {
    struct world *w;
    struct http_request request;
    char url[128];
    struct latch done, head, chunk;
    enum http_outcome outcome;
    int status;
    char body[256], error[256], retry_after[32];
    size_t body_len;
    uint64_t received, plain;
    bool is_cut;
    enum http_flow on_chunk;
    size_t chunk_bytes;
    struct http_transfer *transfer;
};

static void copy(char *out, size_t cap, struct slice s)
{
    snprintf(out, cap, "%.*s", SLICE_ARG(s));
}

static void on_done(void *arg, const struct http_result *r)
{
    struct fetch *f = arg;

    f->outcome = r->outcome;
    f->status = r->status;
    f->body_len = r->body.len;
    f->received = r->received_bytes;
    f->plain = r->plain_bytes;
    f->is_cut = r->is_body_cut;
    copy(f->body, sizeof f->body, r->body);
    copy(f->error, sizeof f->error, r->error);
    copy(f->retry_after, sizeof f->retry_after, http_result_header(r, "retry-after"));
    latch_hit(&f->done);
}

static void start_fetch(void *arg)
{
    struct fetch *f = arg;

    f->transfer = http_request_start(f->w->client, &f->request);
}

static void fetch_init(struct fetch *f, struct world *w, const char *path)
{
    *f = (struct fetch){.w = w, .done = LATCH_INIT, .head = LATCH_INIT, .chunk = LATCH_INIT};
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u%s", (unsigned)http_server_port(w->server), path);
    f->request.url = slice_str(f->url);
    f->request.timeout_ms = 20000;
    f->request.arg = f;
    f->request.done = on_done;
}

static void fetch_run(struct fetch *f)
{
    loop_post(loops_worker(f->w->loops, 0), start_fetch, f);
    assert_true(latch_wait(&f->done, 1));
}

static void reply_big(struct http_call *c, bool gzip)
{
    struct http_header encoding = {.name = SLICE_LIT("Content-Encoding"), .value = SLICE_LIT("gzip")};
    size_t n = 10 * 1000 * 1000;
    char *zeros = mem_alloc(n);
    struct buf packed;

    memset(zeros, 'z', n);
    buf_init(&packed, n);
    if (gzip)
        assert_int_equal(codec_compress(CODEC_GZIP, 0, slice_make(zeros, n), &packed, NULL), OK);
    http_reply(c, &(struct http_reply){.status = 200,
                                       .headers = &encoding,
                                       .n_headers = gzip ? 1 : 0,
                                       .body = gzip ? buf_slice(&packed) : slice_make(zeros, n)});
    buf_release(&packed);
    mem_free(zeros);
}

static void reply_echo(struct http_call *c)
{
    struct buf out;
    struct error err = {0};
    enum code rc;

    buf_init(&out, MAX_BODY);
    rc = http_call_decode_body(c, &out, &err);
    if (rc == OK)
        http_reply(c, &(struct http_reply){.status = 200, .media_type = SLICE_LIT("text/x"), .body = buf_slice(&out)});
    else
        http_reply_text(c, rc == INVALID ? 415 : rc == FULL ? 413 : 400, err.text);
    buf_release(&out);
}

static void reply_seen(struct http_call *c)
{
    char text[256];
    int n =
        snprintf(text, sizeof text, "%.*s %.*s a=%.*s h=%.*s auth=%.*s key=%.*s from=%.*s body=%.*s",
                 SLICE_ARG(http_call_method(c)), SLICE_ARG(http_call_path(c)), SLICE_ARG(http_call_query(c, "a")),
                 SLICE_ARG(http_call_header(c, "x-head")), SLICE_ARG(http_call_header(c, "Authorization")),
                 SLICE_ARG(http_call_header(c, "X-Key")), SLICE_ARG(http_call_remote(c)), SLICE_ARG(http_call_body(c)));

    http_reply(c, &(struct http_reply){.status = 200, .body = slice_make(text, (size_t)n)});
}

static void reply_redirect(struct http_call *c, const char *to)
{
    struct http_header location = {.name = SLICE_LIT("Location"), .value = slice_str(to)};

    http_reply(c, &(struct http_reply){.status = 302, .headers = &location, .n_headers = 1});
}

static void answer(void *arg)
{
    struct http_call *c = arg;
    struct world *w = http_call_cookie(c);
    struct slice path = http_call_path(c);

    if (slice_eq_str(path, "/echo"))
        reply_echo(c);
    else if (slice_eq_str(path, "/bomb"))
        reply_big(c, true);
    else if (slice_eq_str(path, "/big"))
        reply_big(c, false);
    else if (slice_eq_str(path, "/away"))
        reply_redirect(c, w->elsewhere);
    else if (slice_eq_str(path, "/here"))
        reply_redirect(c, "/seen?a=redirected");
    else if (slice_eq_str(path, "/round"))
        reply_redirect(c, "/round");
    else if (slice_eq_str(path, "/later"))
        http_reply(c, &(struct http_reply){.status = 503, .retry_after_s = 7, .body = SLICE_LIT("later")});
    else if (slice_eq_str(path, "/stream")) {
        w->stream = http_reply_stream(c, &(struct http_reply){.status = 200, .media_type = SLICE_LIT("text/plain")});
        latch_hit(&w->stream_up);
    } else
        reply_seen(c);
}

static void on_headers(void *self, struct http_call *c)
{
    struct world *w = self;

    http_call_set_cookie(c, w);
    if (slice_eq_str(http_call_path(c), "/refused"))
        http_reply(c, &(struct http_reply){.status = 429, .retry_after_s = 3, .body = SLICE_LIT("not now")});
}

static void on_request(void *self, struct http_call *c)
{
    struct world *w = self;

    tsan_acquire(w);
    atomic_fetch_add(&w->requests, 1);
    if (slice_eq_str(http_call_path(c), "/hold")) {
        w->hold[atomic_fetch_add(&w->n_hold, 1)] = c;
        latch_hit(&w->held);
    } else {
        loop_post(loops_worker(w->loops, 1), answer, c);
    }
}

static void on_dropped(void *self, struct http_call *c)
{
    struct world *w = self;

    (void)c;
    atomic_fetch_add(&w->dropped, 1);
}

static void make_client(void *arg)
{
    struct world *w = arg;

    assert_int_equal(http_client_new(&w->client, loops_worker(w->loops, 0), NULL), OK);
    latch_hit(&w->ready);
}

static void free_client(void *arg)
{
    struct world *w = arg;

    http_client_free(w->client);
    w->client = NULL;
    latch_hit(&w->ready);
}

static int set_up(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    struct http_handler handler = {w, on_headers, on_request, on_dropped};
    struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .max_body_bytes = MAX_BODY};
    struct error err = {0};

    w->ready = w->held = w->stream_up = (struct latch)LATCH_INIT;
    assert_int_equal(loops_new(&w->loops, 2, &err), OK);
    if (http_server_start(&w->server, &options, &handler, &err) != OK)
        fail_msg("%s", err.text);
    assert_true(http_server_port(w->server) != 0);
    loop_post(loops_worker(w->loops, 0), make_client, w);
    assert_true(latch_wait(&w->ready, 1));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    loop_post(loops_worker(w->loops, 0), free_client, w);
    assert_true(latch_wait(&w->ready, 2));
    http_server_free(w->server);
    loops_free(w->loops);
    mem_free(w);
    return 0;
}

static void a_get_carries_path_query_headers_and_credentials(void **state)
{
    struct http_header headers[] = {{.name = SLICE_LIT("X-Head"), .value = SLICE_LIT("one two")},
                                    {.name = SLICE_LIT("X-Key"), .value = SLICE_LIT("k"), .is_secret = true}};
    struct fetch f;

    fetch_init(&f, *state, "/a%20b?a=x%26y&b=2");
    f.request.headers = headers;
    f.request.n_headers = 2;
    f.request.has_basic = true;
    f.request.basic_user = SLICE_LIT("user");
    f.request.basic_password = SLICE_LIT("pass");
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_ANSWERED);
    assert_int_equal(f.status, 200);
    assert_string_equal(f.body, "GET /a b a=x&y h=one two auth=Basic dXNlcjpwYXNz key=k from=127.0.0.1 body=");
}

static void a_post_carries_its_body_and_bearer(void **state)
{
    struct fetch f;

    fetch_init(&f, *state, "/seen");
    f.request.body = SLICE_LIT("the body");
    f.request.bearer = SLICE_LIT("token");
    fetch_run(&f);
    assert_string_equal(f.body, "POST /seen a= h= auth=Bearer token key= from=127.0.0.1 body=the body");
}

static void a_gzip_body_is_decoded_and_an_unknown_encoding_named(void **state)
{
    struct http_header encoding = {.name = SLICE_LIT("Content-Encoding"), .value = SLICE_LIT("gzip")};
    struct buf packed;
    struct fetch f;

    buf_init(&packed, 1000);
    assert_int_equal(codec_compress(CODEC_GZIP, 0, SLICE_LIT("hello"), &packed, NULL), OK);
    fetch_init(&f, *state, "/echo");
    f.request.body = buf_slice(&packed);
    f.request.headers = &encoding;
    f.request.n_headers = 1;
    fetch_run(&f);
    assert_int_equal(f.status, 200);
    assert_string_equal(f.body, "hello");
    encoding.value = SLICE_LIT("br");
    fetch_init(&f, *state, "/echo");
    f.request.body = buf_slice(&packed);
    f.request.headers = &encoding;
    f.request.n_headers = 1;
    fetch_run(&f);
    assert_int_equal(f.status, 415);
    assert_non_null(strstr(f.body, "\"br\""));
    buf_release(&packed);
}

static void a_gzip_bomb_sent_to_us_is_413(void **state)
{
    struct http_header encoding = {.name = SLICE_LIT("Content-Encoding"), .value = SLICE_LIT("gzip")};
    char *zeros = mem_alloc(10 * 1000 * 1000);
    struct buf packed;
    struct fetch f;

    memset(zeros, 0, 10 * 1000 * 1000);
    buf_init(&packed, 1000 * 1000);
    assert_int_equal(codec_compress(CODEC_GZIP, 0, slice_make(zeros, 10 * 1000 * 1000), &packed, NULL), OK);
    fetch_init(&f, *state, "/echo");
    f.request.body = buf_slice(&packed);
    f.request.headers = &encoding;
    f.request.n_headers = 1;
    fetch_run(&f);
    assert_int_equal(f.status, 413);
    buf_release(&packed);
    mem_free(zeros);
}

static void a_gzip_bomb_sent_as_a_response_stops_at_the_limit(void **state)
{
    struct fetch f;

    fetch_init(&f, *state, "/bomb");
    f.request.accept_gzip = true;
    f.request.max_response_bytes = 50000;
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_TOO_LARGE);
    assert_true(f.plain <= 50000);
    fetch_init(&f, *state, "/bomb");
    f.request.accept_gzip = true;
    f.request.max_response_bytes = 20 * 1000 * 1000;
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_ANSWERED);
    assert_int_equal(f.body_len, 10 * 1000 * 1000);
    assert_true(f.received < 100000);
}

static void a_long_response_is_cut_or_refused_as_asked(void **state)
{
    struct fetch f;

    fetch_init(&f, *state, "/big");
    f.request.max_response_bytes = 1000;
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_TOO_LARGE);
    fetch_init(&f, *state, "/big");
    f.request.max_response_bytes = 1000;
    f.request.cut_response = true;
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_ANSWERED);
    assert_int_equal(f.status, 200);
    assert_int_equal(f.body_len, 1000);
    assert_true(f.is_cut);
}

static void a_content_length_over_the_limit_is_413_at_the_headers(void **state)
{
    struct world *w = *state;
    char *body = mem_alloc(MAX_BODY + 1);
    struct fetch f;

    memset(body, 'x', MAX_BODY + 1);
    fetch_init(&f, w, "/echo");
    f.request.body = slice_make(body, MAX_BODY + 1);
    fetch_run(&f);
    assert_int_equal(f.status, 413);
    assert_int_equal(atomic_load(&w->requests), 0);
    assert_int_equal(atomic_load(&w->dropped), 1);
    assert_int_equal(http_server_counts(w->server).rejected_too_large, 1);
    fetch_init(&f, w, "/echo"); /* the limit itself is fine */
    f.request.body = slice_make(body, MAX_BODY);
    f.request.max_response_bytes = MAX_BODY;
    fetch_run(&f);
    assert_int_equal(f.status, 200);
    assert_int_equal(f.body_len, MAX_BODY);
    mem_free(body);
}

static void a_handler_may_refuse_at_the_headers(void **state)
{
    struct world *w = *state;
    struct fetch f;

    fetch_init(&f, w, "/refused");
    f.request.body = SLICE_LIT("never read");
    fetch_run(&f);
    assert_int_equal(f.status, 429);
    assert_string_equal(f.retry_after, "3");
    assert_int_equal(atomic_load(&w->requests), 0);
    assert_int_equal(atomic_load(&w->dropped), 0);
}

static void retry_after_reaches_the_client(void **state)
{
    struct fetch f;

    fetch_init(&f, *state, "/later");
    fetch_run(&f);
    assert_int_equal(f.status, 503);
    assert_string_equal(f.retry_after, "7");
}

static int connect_to(struct world *w)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(http_server_port(w->server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void send_all(int fd, struct slice s)
{
    while (s.len != 0) {
        ssize_t n = send(fd, s.ptr, s.len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server has cut it off */
        s = slice_from(s, (size_t)n);
    }
}

/* All until the other side closes or says nothing for 10 s. */
static size_t read_all(int fd, char *out, size_t cap)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t got = 0;

    while (got < cap - 1 && poll(&p, 1, 10000) == 1) {
        ssize_t n = recv(fd, out + got, cap - 1 - got, 0);

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    out[got] = 0;
    return got;
}

static void send_chunked(int fd, size_t total)
{
    char chunk[10000];

    send_all(fd,
             SLICE_LIT("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"));
    memset(chunk, 'c', sizeof chunk);
    for (size_t sent = 0; sent < total; sent += sizeof chunk) {
        send_all(fd, SLICE_LIT("2710\r\n"));
        send_all(fd, slice_make(chunk, sizeof chunk));
        send_all(fd, SLICE_LIT("\r\n"));
    }
    send_all(fd, SLICE_LIT("0\r\n\r\n"));
}

static void a_chunked_upload_over_the_limit_is_413_and_past_twice_the_limit_cut(void **state)
{
    struct world *w = *state;
    char text[1000];
    int fd = connect_to(w);

    send_chunked(fd, MAX_BODY + 20000);
    read_all(fd, text, sizeof text);
    close(fd);
    assert_memory_equal(text, "HTTP/1.1 413", 12);
    fd = connect_to(w);
    send_chunked(fd, 3 * MAX_BODY);
    assert_int_equal(read_all(fd, text, sizeof text), 0);
    close(fd);
    assert_int_equal(atomic_load(&w->requests), 0);
    assert_int_equal(http_server_counts(w->server).rejected_too_large, 2);
    fd = connect_to(w); /* the server lives on */
    send_chunked(fd, MAX_BODY);
    read_all(fd, text, sizeof text);
    close(fd);
    assert_memory_equal(text, "HTTP/1.1 200", 12);
}

static void redirects_to_another_origin_carry_no_credentials(void **state)
{
    struct http_header headers[] = {{.name = SLICE_LIT("X-Head"), .value = SLICE_LIT("open")},
                                    {.name = SLICE_LIT("X-Key"), .value = SLICE_LIT("k"), .is_secret = true}};
    struct world *w = *state;
    struct fetch f;

    /* another host name for the same address is another origin */
    snprintf(w->elsewhere, sizeof w->elsewhere, "http://localhost:%u/seen", (unsigned)http_server_port(w->server));
    tsan_release(w); /* the request to /away carries it over */
    fetch_init(&f, w, "/away");
    f.request.follow_redirects = true;
    f.request.headers = headers;
    f.request.n_headers = 2;
    f.request.has_basic = true;
    f.request.basic_user = SLICE_LIT("user");
    f.request.basic_password = SLICE_LIT("pass");
    fetch_run(&f);
    assert_string_equal(f.body, "GET /seen a= h=open auth= key= from=127.0.0.1 body=");
    fetch_init(&f, w, "/away");
    f.request.follow_redirects = true;
    f.request.bearer = SLICE_LIT("token");
    fetch_run(&f);
    assert_string_equal(f.body, "GET /seen a= h= auth= key= from=127.0.0.1 body=");
    fetch_init(&f, w, "/here"); /* the same origin gets them */
    f.request.follow_redirects = true;
    f.request.headers = headers;
    f.request.n_headers = 2;
    f.request.bearer = SLICE_LIT("token");
    fetch_run(&f);
    assert_string_equal(f.body, "GET /seen a=redirected h=open auth=Bearer token key=k from=127.0.0.1 body=");
}

static void redirects_are_told_when_not_followed_and_end_when_endless(void **state)
{
    struct fetch f;

    fetch_init(&f, *state, "/here");
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_ANSWERED);
    assert_int_equal(f.status, 302);
    fetch_init(&f, *state, "/round");
    f.request.follow_redirects = true;
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_BROKEN);
    assert_non_null(strstr(f.error, "redirects"));
}

static void what_cannot_be_sent_or_reached_is_told_apart(void **state)
{
    static const struct {
        const char *name, *url, *header;
        enum http_outcome want;
    } rows[] = {
        {"no scheme", "127.0.0.1:1/x", "v", HTTP_UNPREPARED},
        {"other scheme", "ftp://127.0.0.1/x", "v", HTTP_UNPREPARED},
        {"space", "http://127.0.0.1/a b", "v", HTTP_UNPREPARED},
        {"line break in a header", "http://127.0.0.1:1/", "a\r\nEvil: 1", HTTP_UNPREPARED},
        {"nobody listens", "http://127.0.0.1:1/", "v", HTTP_UNREACHABLE},
        {"no such name", "http://no-such-name.invalid/", "v", HTTP_UNREACHABLE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_header header = {.name = SLICE_LIT("X-Head"), .value = slice_str(rows[i].header)};
        struct fetch f;

        fetch_init(&f, *state, "/");
        f.request.url = slice_str(rows[i].url);
        f.request.headers = &header;
        f.request.n_headers = 1;
        fetch_run(&f);
        if (f.outcome != rows[i].want)
            fail_msg("%s: %s, %s", rows[i].name, http_outcome_name(f.outcome), f.error);
        assert_true(f.error[0] != 0);
    }
}

static void a_request_that_is_not_answered_times_out(void **state)
{
    struct world *w = *state;
    struct fetch f;

    fetch_init(&f, w, "/hold");
    f.request.timeout_ms = 50;
    fetch_run(&f);
    assert_int_equal(f.outcome, HTTP_TIMEOUT);
    assert_true(latch_wait(&w->held, 1));
    http_reply_text(w->hold[0], 200, "too late"); /* to a client that is gone: no harm */
}

static void two_hundred_requests_at_once_are_all_answered(void **state)
{
    struct fetch *many = mem_array(200, sizeof *many);
    char want[64];

    for (unsigned i = 0; i < 200; i++) {
        char path[64];

        snprintf(path, sizeof path, "/n%u", i);
        fetch_init(&many[i], *state, path);
        loop_post(loops_worker(many[i].w->loops, 0), start_fetch, &many[i]);
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_true(latch_wait(&many[i].done, 1));
        assert_int_equal(many[i].status, 200);
        snprintf(want, sizeof want, "GET /n%u a= h= auth= key= from=127.0.0.1 body=", i);
        assert_string_equal(many[i].body, want);
    }
    mem_free(many);
}

static void stopping_answers_503_to_requests_that_wait(void **state)
{
    struct world *w = *state;
    struct fetch a, b;

    fetch_init(&a, w, "/hold");
    fetch_init(&b, w, "/hold");
    loop_post(loops_worker(w->loops, 0), start_fetch, &a);
    loop_post(loops_worker(w->loops, 0), start_fetch, &b);
    assert_true(latch_wait(&w->held, 2));
    http_server_free(w->server);
    w->server = NULL;
    assert_true(latch_wait(&a.done, 1));
    assert_true(latch_wait(&b.done, 1));
    assert_int_equal(a.status, 503);
    assert_int_equal(b.status, 503);
    http_reply_text(w->hold[0], 200, "late"); /* after the server has gone */
    http_reply_text(w->hold[1], 200, "late");
}

static enum http_flow on_chunk(void *arg, struct slice chunk)
{
    struct fetch *f = arg;
    enum http_flow flow = f->on_chunk; /* before the test learns of the chunk and changes it */

    if (f->body_len + chunk.len < sizeof f->body)
        memcpy(f->body + f->body_len, chunk.ptr, chunk.len);
    f->body_len += chunk.len;
    f->chunk_bytes += chunk.len;
    latch_hit(&f->chunk);
    return flow;
}

static void on_stream_done(void *arg, const struct http_result *r)
{
    struct fetch *f = arg;

    f->outcome = r->outcome;
    latch_hit(&f->done);
}

static enum http_flow on_head(void *arg, const struct http_result *head)
{
    struct fetch *f = arg;

    f->status = head->status;
    latch_hit(&f->head);
    return HTTP_CONTINUE;
}

static void resume(void *arg)
{
    struct fetch *f = arg;

    http_request_resume(f->transfer);
}

static void cancel(void *arg)
{
    struct fetch *f = arg;

    http_request_cancel(f->transfer);
    latch_hit(&f->done);
}

static void stream_init(struct fetch *f, struct world *w, const char *path)
{
    fetch_init(f, w, path);
    f->request.is_stream = true;
    f->request.timeout_ms = 0;
    f->request.on_head = on_head;
    f->request.on_body = on_chunk;
    f->request.done = on_stream_done;
}

static void a_live_stream_arrives_piece_by_piece(void **state)
{
    struct world *w = *state;
    struct fetch f;

    stream_init(&f, w, "/stream");
    loop_post(loops_worker(w->loops, 0), start_fetch, &f);
    assert_true(latch_wait(&w->stream_up, 1));
    assert_true(latch_wait(&f.head, 1)); /* before the first byte */
    assert_int_equal(f.status, 200);
    assert_int_equal(http_stream_write(w->stream, SLICE_LIT("one ")), OK);
    assert_true(latch_wait(&f.chunk, 1));
    assert_int_equal(http_stream_write(w->stream, SLICE_LIT("two")), OK);
    assert_true(latch_wait(&f.chunk, 2));
    http_stream_close(w->stream);
    assert_true(latch_wait(&f.done, 1));
    assert_int_equal(f.outcome, HTTP_ANSWERED);
    assert_int_equal(f.body_len, 7);
    assert_memory_equal(f.body, "one two", 7);
}

static void a_paused_body_waits_for_resume_and_loses_nothing(void **state)
{
    static const bool gzip[] = {false, true};

    for (size_t i = 0; i < 2; i++) {
        struct world *w = *state;
        struct fetch f;
        unsigned n = 0;

        stream_init(&f, w, gzip[i] ? "/bomb" : "/big");
        f.request.accept_gzip = gzip[i];
        f.on_chunk = HTTP_PAUSE;
        loop_post(loops_worker(w->loops, 0), start_fetch, &f);
        while (f.done.count == 0 && n < 100) {
            assert_true(latch_wait(&f.chunk, ++n));
            assert_int_equal(f.chunk.count, n);
            if (n == 100)
                f.on_chunk = HTTP_CONTINUE;
            loop_post(loops_worker(w->loops, 0), resume, &f);
        }
        assert_true(latch_wait(&f.done, 1));
        assert_int_equal(f.outcome, HTTP_ANSWERED);
        assert_int_equal(f.chunk_bytes, 10 * 1000 * 1000);
    }
}

static void a_callback_may_stop_and_a_caller_cancel(void **state)
{
    struct world *w = *state;
    struct fetch f;

    stream_init(&f, w, "/big");
    f.on_chunk = HTTP_STOP;
    loop_post(loops_worker(w->loops, 0), start_fetch, &f);
    assert_true(latch_wait(&f.done, 1));
    assert_int_equal(f.outcome, HTTP_STOPPED);
    assert_int_equal(f.chunk.count, 1);
    stream_init(&f, w, "/stream");
    f.outcome = HTTP_BROKEN;
    loop_post(loops_worker(w->loops, 0), start_fetch, &f);
    assert_true(latch_wait(&f.head, 1));
    assert_true(latch_wait(&w->stream_up, 1));
    loop_post(loops_worker(w->loops, 0), cancel, &f);
    assert_true(latch_wait(&f.done, 1));
    assert_int_equal(f.outcome, HTTP_BROKEN); /* done did not run */
    http_stream_close(w->stream);
}

static void a_port_in_use_is_told_with_its_address(void **state)
{
    struct world *w = *state;
    struct http_handler handler = {w, on_headers, on_request, on_dropped};
    struct http_server_options options = {0};
    struct http_server *second = NULL;
    struct error err = {0};
    char listen[64];

    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)http_server_port(w->server));
    options.listen = slice_str(listen);
    assert_int_equal(http_server_start(&second, &options, &handler, &err), IO);
    assert_null(second);
    assert_non_null(strstr(err.text, listen));
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_get_carries_path_query_headers_and_credentials),
        WORLD_TEST(a_post_carries_its_body_and_bearer),
        WORLD_TEST(a_gzip_body_is_decoded_and_an_unknown_encoding_named),
        WORLD_TEST(a_gzip_bomb_sent_to_us_is_413),
        WORLD_TEST(a_gzip_bomb_sent_as_a_response_stops_at_the_limit),
        WORLD_TEST(a_long_response_is_cut_or_refused_as_asked),
        WORLD_TEST(a_content_length_over_the_limit_is_413_at_the_headers),
        WORLD_TEST(a_handler_may_refuse_at_the_headers),
        WORLD_TEST(retry_after_reaches_the_client),
        WORLD_TEST(a_chunked_upload_over_the_limit_is_413_and_past_twice_the_limit_cut),
        WORLD_TEST(redirects_to_another_origin_carry_no_credentials),
        WORLD_TEST(redirects_are_told_when_not_followed_and_end_when_endless),
        WORLD_TEST(what_cannot_be_sent_or_reached_is_told_apart),
        WORLD_TEST(a_request_that_is_not_answered_times_out),
        WORLD_TEST(two_hundred_requests_at_once_are_all_answered),
        WORLD_TEST(stopping_answers_503_to_requests_that_wait),
        WORLD_TEST(a_live_stream_arrives_piece_by_piece),
        WORLD_TEST(a_paused_body_waits_for_resume_and_loses_nothing),
        WORLD_TEST(a_callback_may_stop_and_a_caller_cancel),
        WORLD_TEST(a_port_in_use_is_told_with_its_address),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
