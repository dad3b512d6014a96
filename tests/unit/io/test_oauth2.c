/* Tokens by client credentials (RFC 6749, 4.4 and 5), without a network: what is asked, what is made of the answers. */
#include "agent/io/oauth2.h"
#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/io/http_server.h"
#include "agent/io/loop.h"
#include "tests/unit/io/latch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static int64_t now_ns;

static int64_t read_clock(void *self)
{
    (void)self;
    return now_ns;
}

static const struct clock test_clock = {read_clock, read_clock, NULL};

static struct oauth2 *make(void)
{
    static const struct slice scopes[] = {{"a b", 3}, {"c", 1}};
    static const struct oauth2_param params[] = {{{"audience", 8}, {"x&y=z", 5}}};
    const struct oauth2_options options = {
        .client_id = SLICE_LIT("me:you"),
        .client_secret = SLICE_LIT("p%w"),
        .scopes = scopes,
        .n_scopes = 2,
        .token_url = SLICE_LIT("http://tokens.test/get"),
        .params = params,
        .n_params = 1,
    };
    struct error err = {0};
    struct oauth2 *o;

    now_ns = 1000;
    if (oauth2_new(&o, &options, &test_clock, &err) != OK)
        fail_msg("%s", err.text);
    return o;
}

static void the_request_is_as_the_rfc_has_it(void **state)
{
    struct oauth2 *o = make();
    struct http_request request;
    struct arena arena;
    struct buf form;

    (void)state;
    arena_init(&arena, 0);
    buf_init(&form, 4096);
    assert_int_equal(oauth2_ask(o, false, &arena, &form, &request, NULL), OK);
    assert_string_equal(request.method, "POST");
    assert_true(slice_eq_str(request.url, "http://tokens.test/get"));
    assert_true(slice_eq_str(request.body, "grant_type=client_credentials&scope=a%20b%20c&audience=x%26y%3Dz"));
    assert_true(request.has_basic);
    assert_true(slice_eq_str(request.basic_user, "me%3Ayou")); /* 2.3.1: encoded first */
    assert_true(slice_eq_str(request.basic_password, "p%25w"));
    assert_true(slice_eq_str(request.headers[0].value, "application/x-www-form-urlencoded"));
    assert_int_equal(oauth2_ask(o, true, &arena, &form, &request, NULL), OK);
    assert_false(request.has_basic);
    assert_true(slice_ends(request.body, SLICE_LIT("&client_id=me%3Ayou&client_secret=p%25w")));
    buf_release(&form);
    arena_release(&arena);
    oauth2_unref(o);
}

/* ---- answers, by a real server and client: only they make an http_result with headers ---- */

struct world {
    struct loops *loops;
    struct http_server *server;
    struct http_client *client;
    struct latch done;
    struct oauth2 *oauth2;
    pthread_mutex_t lock; /* for the answer */
    int status;
    const char *type, *body;
    char url[64];
    bool second, may_try_second;
    enum code code;
    struct error err;
};

static void on_request(void *self, struct http_call *c)
{
    struct http_reply reply;
    struct world *w = self;

    pthread_mutex_lock(&w->lock);
    reply = (struct http_reply){.status = w->status, .media_type = slice_str(w->type), .body = slice_str(w->body)};
    pthread_mutex_unlock(&w->lock);
    http_reply(c, &reply);
}

static void on_done(void *arg, const struct http_result *r)
{
    struct world *w = arg;

    w->err.text[0] = '\0';
    w->code = oauth2_take(w->oauth2, w->second, r, &w->may_try_second, &w->err);
    latch_hit(&w->done);
}

static void ask(void *arg)
{
    struct world *w = arg;

    (void)http_request_start(
        w->client, &(struct http_request){.url = slice_str(w->url), .timeout_ms = 10000, .arg = w, .done = on_done});
}

static void make_client(void *arg)
{
    struct world *w = arg;

    assert_int_equal(http_client_new(&w->client, loops_worker(w->loops, 0), NULL), OK);
    latch_hit(&w->done);
}

static void free_client(void *arg)
{
    struct world *w = arg;

    http_client_free(w->client);
    latch_hit(&w->done);
}

static void begin(struct world *w)
{
    const struct http_handler handler = {.self = w, .on_request = on_request};
    const struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .max_body_bytes = 1000};
    struct error err = {0};

    *w = (struct world){.done = LATCH_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(loops_new(&w->loops, 1, NULL), OK);
    if (http_server_start(&w->server, &options, &handler, &err) != OK)
        fail_msg("%s", err.text);
    snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u/", (unsigned)http_server_port(w->server));
    loop_post(loops_worker(w->loops, 0), make_client, w);
    assert_true(latch_wait(&w->done, 1));
}

static void run(struct world *w, int status, const char *type, const char *body)
{
    unsigned before = w->done.count;

    pthread_mutex_lock(&w->lock);
    w->status = status;
    w->type = type;
    w->body = body;
    pthread_mutex_unlock(&w->lock);
    loop_post(loops_worker(w->loops, 0), ask, w);
    assert_true(latch_wait(&w->done, before + 1));
}

static void end(struct world *w)
{
    unsigned before = w->done.count;

    loop_post(loops_worker(w->loops, 0), free_client, w);
    assert_true(latch_wait(&w->done, before + 1));
    http_server_free(w->server);
    loops_free(w->loops);
}

static void header_is(struct oauth2 *o, const char *want)
{
    uint64_t serial;
    struct buf out;
    enum code rc;

    buf_init(&out, 4096);
    rc = oauth2_header(o, &out, &serial, NULL);
    assert_int_equal(rc, want != NULL ? OK : AGAIN);
    if (want != NULL)
        assert_true(slice_eq_str(buf_slice(&out), want));
    buf_release(&out);
}

static void answers_become_tokens(void **state)
{
    static const struct {
        const char *type, *body, *header;
        int64_t lasts_s; /* 0: for ever */
    } rows[] = {
        {"application/json", "{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":3600}", "Bearer t",
         3590},
        {"application/json; charset=utf-8", "{\"access_token\":\"t\",\"expires_in\":\"100\"}", "Bearer t", 90},
        {"application/json", "{\"access_token\":\"t\",\"token_type\":\"MAC\"}", "MAC t", 0},
        {"application/json", "{\"access_token\":\"t\",\"expires_in\":5}", "Bearer t", 5},
        {"application/json", "{\"access_token\":\"t\",\"expires_in\":0}", "Bearer t", 0},
        {"application/json", "{\"access_token\":\"t\",\"expires_in\":1e300}", "Bearer t", 0},
        {"application/x-www-form-urlencoded", "access_token=t%2b1&token_type=bearer&expires_in=20", "Bearer t+1", 10},
        {"text/plain", "access_token=t&scope=x", "Bearer t", 0},
    };
    struct world w;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        w.oauth2 = make();
        header_is(w.oauth2, NULL);
        run(&w, 200, rows[i].type, rows[i].body);
        if (w.code != OK)
            fail_msg("%s: %s", rows[i].body, w.err.text);
        header_is(w.oauth2, rows[i].header);
        now_ns += (rows[i].lasts_s != 0 ? rows[i].lasts_s : 1000000) * NS_PER_S - 1;
        header_is(w.oauth2, rows[i].header);
        now_ns += 1;
        header_is(w.oauth2, rows[i].lasts_s != 0 ? NULL : rows[i].header);
        oauth2_unref(w.oauth2);
    }
    end(&w);
}

static void what_is_no_token_is_said_without_secrets(void **state)
{
    static const struct {
        int status;
        const char *type, *body, *why;
        bool may_try_second;
    } rows[] = {
        {400, "application/json", "{\"error\":\"invalid_scope\"}", "answers 400 invalid_scope", true},
        {401, "text/html", "<p>p%w</p>", "answers 401", true},
        {500, "text/plain", "broken", "answers 500", false},
        {200, "application/json", "{\"token\":\"t\"}", "cannot be read", true},
        {200, "application/json", "{\"access_token\":\"\"}", "gave no token", true},
        {200, "application/json", "{\"access_token\":\"a\\nb\"}", "gave no token", true},
        {200, "application/json", "[", "cannot be read", true},
    };
    struct world w;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        w.oauth2 = make();
        run(&w, rows[i].status, rows[i].type, rows[i].body);
        assert_int_equal(w.code, IO);
        if (strstr(w.err.text, rows[i].why) == NULL || strstr(w.err.text, "tokens.test") == NULL ||
            strstr(w.err.text, "p%w") != NULL)
            fail_msg("%s: %s", rows[i].body, w.err.text);
        assert_int_equal(w.may_try_second, rows[i].may_try_second);
        header_is(w.oauth2, NULL);
        oauth2_unref(w.oauth2);
    }
    end(&w);
}

static void the_way_that_worked_is_tried_first(void **state)
{
    struct http_request request;
    struct arena arena;
    struct world w;
    struct buf form;

    (void)state;
    begin(&w);
    arena_init(&arena, 0);
    buf_init(&form, 4096);
    w.oauth2 = make();
    w.second = true;
    run(&w, 200, "application/json", "{\"access_token\":\"t\"}");
    assert_int_equal(oauth2_ask(w.oauth2, false, &arena, &form, &request, NULL), OK);
    assert_false(request.has_basic);
    oauth2_unref(w.oauth2);
    buf_release(&form);
    arena_release(&arena);
    end(&w);
}

static void only_the_token_that_was_refused_is_forgotten(void **state)
{
    uint64_t first = 0, second = 0;
    struct world w;
    struct buf out;

    (void)state;
    begin(&w);
    buf_init(&out, 4096);
    w.oauth2 = make();
    run(&w, 200, "application/json", "{\"access_token\":\"one\"}");
    assert_int_equal(oauth2_header(w.oauth2, &out, &first, NULL), OK);
    run(&w, 200, "application/json", "{\"access_token\":\"two\"}");
    assert_int_equal(oauth2_header(w.oauth2, &out, &second, NULL), OK);
    oauth2_forget(w.oauth2, first);
    header_is(w.oauth2, "Bearer two");
    oauth2_forget(w.oauth2, second);
    header_is(w.oauth2, NULL);
    oauth2_unref(w.oauth2);
    buf_release(&out);
    end(&w);
}

static void a_token_url_that_is_none_is_refused(void **state)
{
    struct error err = {0};
    struct oauth2 *o;

    (void)state;
    assert_int_equal(oauth2_new(&o, &(struct oauth2_options){.token_url = SLICE_LIT("nowhere")}, NULL, &err), INVALID);
    assert_non_null(strstr(err.text, "token_url"));
    assert_null(o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_as_the_rfc_has_it),
        cmocka_unit_test(answers_become_tokens),
        cmocka_unit_test(what_is_no_token_is_said_without_secrets),
        cmocka_unit_test(the_way_that_worked_is_tried_first),
        cmocka_unit_test(only_the_token_that_was_refused_is_forgotten),
        cmocka_unit_test(a_token_url_that_is_none_is_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
