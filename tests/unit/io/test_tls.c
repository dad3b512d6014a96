#include "agent/io/file.h"
#include "agent/io/grpc_client.h"
#include "agent/io/grpc_server.h"
#include "agent/io/http_client.h"
#include "agent/io/http_server.h"
#include "agent/io/loop.h"
#include "tests/unit/io/certs.h"
#include "tests/unit/io/latch.h"
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
    struct loops *loops;
    struct http_client *client;
    struct latch ready;
    struct cert authority, other_authority, server, user, stranger;
    char dir[32], cert_file[64], key_file[64];
};

struct
try {
    struct world *w;
    struct tls_options tls;
    uint16_t port;
    struct latch done;
    char url[64];
    int status; /* of the answer; -1: no TLS connection */
    struct rpc_channel *channel;
};

static void on_call(void *self, struct http_call *c)
{
    (void)self;
    http_reply_text(c, 200, "ok");
}

static void on_rpc(void *self, struct rpc_call *c, char *take_payload, size_t len)
{
    (void)self;
    (void)len;
    mem_free(take_payload);
    rpc_call_reply(c, RPC_OK, NULL, SLICE_LIT("ok"), 0);
}

static void http_done(void *arg, const struct http_result *r)
{
    struct try *t = arg;

    t->status = r->outcome == HTTP_ANSWERED ? r->status : -1;
    latch_hit(&t->done);
}

static void http_start(void *arg)
{
    struct try *t = arg;
    struct http_request request = {.arg = t, .done = http_done, .tls = &t->tls, .timeout_ms = 20000, .http2 = true};

    snprintf(t->url, sizeof t->url, "https://127.0.0.1:%u/x", (unsigned)t->port);
    request.url = slice_str(t->url);
    http_request_start(t->w->client, &request);
}

static int http_try(struct world *w, uint16_t port, struct tls_options tls)
{
    struct try t = {.w = w, .tls = tls, .port = port, .done = LATCH_INIT};

    loop_post(loops_worker(w->loops, 0), http_start, &t);
    assert_true(latch_wait(&t.done, 1));
    return t.status;
}

static void rpc_done(void *arg, const struct rpc_result *r)
{
    struct try *t = arg;

    t->status = r->status == RPC_OK ? 200 : -1;
    latch_hit(&t->done);
}

static void rpc_start(void *arg)
{
    struct try *t = arg;
    struct rpc_request_options o = {
        .method = "/t.S/M", .timeout_ms = 20000, .loop = loops_worker(t->w->loops, 0), .done = rpc_done, .arg = t};

    rpc_request_start(t->channel, &o);
}

static int rpc_try(struct world *w, uint16_t port, struct tls_options tls)
{
    struct try t = {.w = w, .done = LATCH_INIT};
    struct rpc_channel_options o = {.tls = &tls};
    struct error err = {0};

    snprintf(t.url, sizeof t.url, "127.0.0.1:%u", (unsigned)port);
    o.target = slice_str(t.url);
    if (rpc_channel_new(&t.channel, &o, &err) != OK)
        fail_msg("%s", err.text);
    loop_post(loops_worker(w->loops, 0), rpc_start, &t);
    assert_true(latch_wait(&t.done, 1));
    rpc_channel_free(t.channel);
    return t.status;
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
    latch_hit(&w->ready);
}

static void write_pair(struct world *w, const struct cert *c)
{
    assert_int_equal(file_write_atomic(w->key_file, slice_str(c->key_pem), 0600, false, NULL), OK);
    assert_int_equal(file_write_atomic(w->cert_file, slice_str(c->cert_pem), 0600, false, NULL), OK);
}

static int set_up(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);

    w->ready = (struct latch)LATCH_INIT;
    assert_int_equal(loops_new(&w->loops, 1, NULL), OK);
    loop_post(loops_worker(w->loops, 0), make_client, w);
    assert_true(latch_wait(&w->ready, 1));
    w->authority = certs_make("authority", NULL, NULL);
    w->other_authority = certs_make("other authority", NULL, NULL);
    w->server = certs_make("server", "DNS:server.test", &w->authority); /* not for 127.0.0.1 */
    w->user = certs_make("user", "DNS:user.test", &w->authority);
    w->stranger = certs_make("stranger", "DNS:user.test", &w->other_authority);
    snprintf(w->dir, sizeof w->dir, "/tmp/hyagent-tls-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->cert_file, sizeof w->cert_file, "%s/cert.pem", w->dir);
    snprintf(w->key_file, sizeof w->key_file, "%s/key.pem", w->dir);
    write_pair(w, &w->server);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    loop_post(loops_worker(w->loops, 0), free_client, w);
    assert_true(latch_wait(&w->ready, 2));
    loops_free(w->loops);
    unlink(w->cert_file);
    unlink(w->key_file);
    rmdir(w->dir);
    certs_release(&w->authority);
    certs_release(&w->other_authority);
    certs_release(&w->server);
    certs_release(&w->user);
    certs_release(&w->stranger);
    mem_free(w);
    return 0;
}

struct row {
    const char *name;
    struct tls_options tls;
    int want, want_with_client_ca;
};

static void try_all(struct world *w, uint16_t port, bool asks_client, bool is_rpc)
{
    struct slice ca = slice_str(w->authority.cert_pem), other = slice_str(w->other_authority.cert_pem);
    struct slice cert = slice_str(w->user.cert_pem), key = slice_str(w->user.key_pem);
    int refused = is_rpc ? -1 : 403; /* GnuTLS lets the handshake pass, the request is refused */
    const struct row rows[] = {
        {"authority and name", {.ca_pem = ca, .server_name = SLICE_LIT("server.test")}, 200, refused},
        {"wrong name", {.ca_pem = ca, .server_name = SLICE_LIT("else.test")}, -1, -1},
        {"the address is not in the certificate", {.ca_pem = ca}, -1, -1},
        {"wrong authority", {.ca_pem = other, .server_name = SLICE_LIT("server.test")}, -1, -1},
        {"the system's authorities", {.server_name = SLICE_LIT("server.test")}, -1, -1},
        {"its own besides the system's",
         {.ca_pem = ca, .include_system_ca = true, .server_name = SLICE_LIT("server.test")},
         200,
         refused},
        {"no verification", {.insecure_skip_verify = true}, 200, refused},
        {"with a certificate",
         {.ca_pem = ca, .cert_pem = cert, .key_pem = key, .server_name = SLICE_LIT("server.test")},
         200,
         200},
        {"with a certificate of another authority",
         {.ca_pem = ca,
          .cert_pem = slice_str(w->stranger.cert_pem),
          .key_pem = slice_str(w->stranger.key_pem),
          .server_name = SLICE_LIT("server.test")},
         200,
         refused},
        {"with a certificate, no verification",
         {.insecure_skip_verify = true, .cert_pem = cert, .key_pem = key},
         200,
         200},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int want = asks_client ? rows[i].want_with_client_ca : rows[i].want;
        int got = is_rpc ? rpc_try(w, port, rows[i].tls) : http_try(w, port, rows[i].tls);

        if (got != want)
            fail_msg("%s, %s: %d instead of %d", rows[i].name, asks_client ? "client asked" : "client not asked", got,
                     want);
    }
}

static struct http_server *http_listen(struct world *w, bool asks_client)
{
    struct tls_options tls = {.cert_file = slice_str(w->cert_file), .key_file = slice_str(w->key_file)};
    struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .tls = &tls};
    struct http_handler handler = {.self = w, .on_request = on_call};
    struct http_server *s = NULL;
    struct error err = {0};

    if (asks_client)
        tls.client_ca_pem = slice_str(w->authority.cert_pem);
    if (http_server_start(&s, &options, &handler, &err) != OK)
        fail_msg("%s", err.text);
    return s;
}

static void http_verifies_server_and_client(void **state)
{
    struct world *w = *state;

    for (int asks = 0; asks < 2; asks++) {
        struct http_server *s = http_listen(w, asks == 1);

        try_all(w, http_server_port(s), asks == 1, false);
        http_server_free(s);
    }
}

static void grpc_verifies_server_and_client(void **state)
{
    struct world *w = *state;
    const struct rpc_method method = {"/t.S/M", NULL};
    struct rpc_handler handler = {.self = w, .on_request = on_rpc};

    for (int asks = 0; asks < 2; asks++) {
        struct tls_options tls = {.cert_file = slice_str(w->cert_file), .key_file = slice_str(w->key_file)};
        struct rpc_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .tls = &tls};
        struct rpc_server *s = NULL;
        struct error err = {0};

        if (asks == 1)
            tls.client_ca_pem = slice_str(w->authority.cert_pem);
        if (rpc_server_start(&s, &options, &method, 1, &handler, &err) != OK)
            fail_msg("%s", err.text);
        try_all(w, rpc_server_port(s), asks == 1, true);
        rpc_server_stop(s, 1000);
    }
}

static void a_changed_certificate_is_served_within_a_minute(void **state)
{
    struct world *w = *state;
    struct http_server *s = http_listen(w, false);
    struct cert renewed = certs_make("renewed", "DNS:server.test", &w->other_authority);
    struct tls_options old = {.ca_pem = slice_str(w->authority.cert_pem), .server_name = SLICE_LIT("server.test")};
    struct tls_options fresh = {.ca_pem = slice_str(w->other_authority.cert_pem),
                                .server_name = SLICE_LIT("server.test")};
    int status = -1;

    assert_int_equal(http_try(w, http_server_port(s), old), 200);
    write_pair(w, &renewed);
    for (int i = 0; i < 300 && status != 200; i++) {
        poll(NULL, 0, 100);
        status = http_try(w, http_server_port(s), fresh);
    }
    assert_int_equal(status, 200);
    http_server_free(s);
    certs_release(&renewed);
}

static void unusable_settings_are_refused_by_name(void **state)
{
    struct world *w = *state;
    struct http_handler handler = {.self = w, .on_request = on_call};
    struct http_server *s = NULL;
    struct slice pem = slice_str(w->server.cert_pem), key = slice_str(w->server.key_pem);
    const struct {
        struct tls_options tls;
        const char *want;
    } rows[] = {
        {{.cert_pem = pem}, "key_file"},
        {{.key_pem = key}, "cert_file"},
        {{.client_ca_pem = pem}, "needs cert_file"},
        {{.cert_pem = pem, .key_pem = key, .min_version = TLS_VERSION_1_3, .max_version = TLS_VERSION_1_2},
         "min_version"},
        {{.cert_file = SLICE_LIT("/nonexistent/cert.pem"), .key_pem = key}, "/nonexistent/cert.pem"},
        {{.cert_pem = pem, .key_pem = slice_str(w->user.key_pem)}, "do not fit"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .tls = &rows[i].tls};
        struct error err = {0};

        if (http_server_start(&s, &options, &handler, &err) == OK || strstr(err.text, rows[i].want) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(http_verifies_server_and_client),
        WORLD_TEST(grpc_verifies_server_and_client),
        WORLD_TEST(a_changed_certificate_is_served_within_a_minute),
        WORLD_TEST(unusable_settings_are_refused_by_name),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
