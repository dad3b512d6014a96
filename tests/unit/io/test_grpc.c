#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/io/codec.h"
#include "agent/io/grpc_client.h"
#include "agent/io/grpc_server.h"
#include "agent/io/loop.h"
#include "tests/unit/io/latch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <cmocka.h>

enum { MAX_MESSAGE = 100000 };
#define METHOD(name) "/test.Service/" name

enum behaviour { ECHO, HOLD, BUSY, SEEN, REFUSED };
static const struct rpc_method methods[] = {
    {METHOD("Echo"), (void *)ECHO}, {METHOD("Hold"), (void *)HOLD},       {METHOD("Busy"), (void *)BUSY},
    {METHOD("Seen"), (void *)SEEN}, {METHOD("Refused"), (void *)REFUSED},
};

struct world {
    struct loops *loops;
    struct rpc_server *server;
    struct rpc_channel *channel, *gzip_channel;
    atomic_uint requests, dropped;
    struct latch held, dropped_latch;
    struct rpc_call *hold[8];
    atomic_uint n_hold;
};

struct work {
    struct world *w;
    struct rpc_call *call;
    char *payload;
    size_t len;
};

struct ask {
    struct world *w;
    struct rpc_channel *channel;
    struct rpc_request_options options;
    struct rpc_request *request;
    struct latch done;
    enum rpc_status status;
    char message[256];
    char body[256];
    size_t body_len;
    int64_t retry_ms;
    bool is_from_peer;
};

static void answer(void *arg)
{
    struct work *work = arg;
    struct rpc_call *c = work->call;
    char text[256];

    switch ((enum behaviour)(uintptr_t)rpc_call_method_cookie(c)) {
    case ECHO:
        rpc_call_reply(c, RPC_OK, NULL, slice_make(work->payload, work->len), 0);
        break;
    case BUSY:
        rpc_call_reply(c, RPC_UNAVAILABLE, "busy", slice_make(NULL, 0), 2500);
        break;
    case SEEN:
        snprintf(text, sizeof text, "tenant=%.*s peer=%.*s has_deadline=%d len=%zu",
                 SLICE_ARG(rpc_call_metadata(c, "x-scope-orgid")), SLICE_ARG(slice_head(rpc_call_peer(c), 14)),
                 rpc_call_deadline_ms(c) > 0, work->len);
        rpc_call_reply(c, RPC_OK, NULL, slice_str(text), 0);
        break;
    case HOLD:
    case REFUSED:
        break;
    }
    mem_free(work->payload);
    mem_free(work);
}

static void on_admit(void *self, struct rpc_call *c)
{
    (void)self;
    if ((enum behaviour)(uintptr_t)rpc_call_method_cookie(c) == REFUSED)
        rpc_call_reply(c, RPC_UNAUTHENTICATED, "who are you", slice_make(NULL, 0), 0);
}

static void on_request(void *self, struct rpc_call *c, char *take_payload, size_t len)
{
    struct world *w = self;
    struct work *work;

    atomic_fetch_add(&w->requests, 1);
    if ((enum behaviour)(uintptr_t)rpc_call_method_cookie(c) == HOLD) {
        mem_free(take_payload);
        w->hold[atomic_fetch_add(&w->n_hold, 1)] = c;
        latch_hit(&w->held);
        return;
    }
    work = mem_alloc(sizeof *work);
    *work = (struct work){w, c, take_payload, len};
    loop_post(loops_worker(w->loops, 1), answer, work);
}

static void on_dropped(void *self, struct rpc_call *c)
{
    struct world *w = self;

    (void)c;
    atomic_fetch_add(&w->dropped, 1);
    latch_hit(&w->dropped_latch);
}

static struct rpc_channel *channel_to(struct world *w, enum codec compression)
{
    struct rpc_channel_options options = {.compression = compression};
    struct rpc_channel *ch = NULL;
    struct error err = {0};
    char target[64];

    snprintf(target, sizeof target, "127.0.0.1:%u", (unsigned)rpc_server_port(w->server));
    options.target = slice_str(target);
    if (rpc_channel_new(&ch, &options, &err) != OK)
        fail_msg("%s", err.text);
    return ch;
}

static int set_up(void **state)
{
    struct world *w = mem_zalloc(sizeof *w);
    struct rpc_handler handler = {w, on_admit, on_request, on_dropped};
    struct rpc_server_options options = {
        .listen = SLICE_LIT("127.0.0.1:0"), .max_recv_bytes = MAX_MESSAGE, .n_threads = 2};
    struct error err = {0};

    w->held = w->dropped_latch = (struct latch)LATCH_INIT;
    assert_int_equal(loops_new(&w->loops, 2, &err), OK);
    if (rpc_server_start(&w->server, &options, methods, sizeof methods / sizeof methods[0], &handler, &err) != OK)
        fail_msg("%s", err.text);
    assert_true(rpc_server_port(w->server) != 0);
    w->channel = channel_to(w, CODEC_NONE);
    w->gzip_channel = channel_to(w, CODEC_GZIP);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    rpc_channel_free(w->channel);
    rpc_channel_free(w->gzip_channel);
    rpc_server_stop(w->server, 1000);
    loops_free(w->loops);
    mem_free(w);
    return 0;
}

static void on_done(void *arg, const struct rpc_result *r)
{
    struct ask *a = arg;

    a->status = r->status;
    a->retry_ms = r->retry_info_ms;
    a->is_from_peer = r->is_from_peer;
    a->body_len = r->body.len;
    snprintf(a->message, sizeof a->message, "%.*s", SLICE_ARG(r->message));
    snprintf(a->body, sizeof a->body, "%.*s", SLICE_ARG(r->body));
    latch_hit(&a->done);
}

static void start(void *arg)
{
    struct ask *a = arg;

    a->request = rpc_request_start(a->channel, &a->options);
}

static void ask_init(struct ask *a, struct world *w, const char *method, struct slice payload)
{
    *a = (struct ask){.w = w, .channel = w->channel, .done = LATCH_INIT};
    a->options = (struct rpc_request_options){.method = method,
                                              .payload = payload,
                                              .timeout_ms = 20000,
                                              .wait_for_ready = true,
                                              .loop = loops_worker(w->loops, 0),
                                              .done = on_done,
                                              .arg = a};
}

static void ask_run(struct ask *a)
{
    loop_post(loops_worker(a->w->loops, 0), start, a);
    assert_true(latch_wait(&a->done, 1));
}

static void what_is_sent_comes_back(void **state)
{
    char *big = mem_alloc(MAX_MESSAGE);
    struct ask a;

    ask_init(&a, *state, METHOD("Echo"), SLICE_LIT("hello"));
    ask_run(&a);
    assert_int_equal(a.status, RPC_OK);
    assert_true(a.is_from_peer);
    assert_int_equal(a.retry_ms, -1);
    assert_string_equal(a.body, "hello");
    ask_init(&a, *state, METHOD("Echo"), slice_make(NULL, 0));
    ask_run(&a);
    assert_int_equal(a.status, RPC_OK);
    assert_int_equal(a.body_len, 0);
    memset(big, 'b', MAX_MESSAGE);
    ask_init(&a, *state, METHOD("Seen"), slice_make(big, MAX_MESSAGE - 5));
    ask_run(&a);
    assert_non_null(strstr(a.body, "len=99995"));
    mem_free(big);
}

static void metadata_peer_and_deadline_reach_the_handler(void **state)
{
    struct rpc_metadata tenant = {SLICE_LIT("x-scope-orgid"), SLICE_LIT("t 1")};
    struct ask a;

    ask_init(&a, *state, METHOD("Seen"), SLICE_LIT("x"));
    a.options.metadata = &tenant;
    a.options.n_metadata = 1;
    ask_run(&a);
    assert_string_equal(a.body, "tenant=t 1 peer=ipv4:127.0.0.1 has_deadline=1 len=1");
    tenant.value = SLICE_LIT("a\nb");
    ask_init(&a, *state, METHOD("Seen"), SLICE_LIT("x"));
    a.options.metadata = &tenant;
    a.options.n_metadata = 1;
    ask_run(&a);
    assert_int_equal(a.status, RPC_INVALID_ARGUMENT);
    assert_false(a.is_from_peer);
}

static void packed(struct buf *out, enum codec codec, size_t plain_bytes)
{
    char *plain = mem_alloc(plain_bytes);

    memset(plain, 'g', plain_bytes);
    buf_init(out, 1000 * 1000);
    assert_int_equal(codec_compress(codec, 0, slice_make(plain, plain_bytes), out, NULL), OK);
    mem_free(plain);
}

static void what_was_compressed_before_is_sent_as_it_is(void **state)
{
    struct world *w = *state;
    struct buf body;
    struct ask a;

    packed(&body, CODEC_GZIP, 5000);
    ask_init(&a, w, METHOD("Seen"), buf_slice(&body));
    a.channel = w->gzip_channel;
    a.options.payload_codec = CODEC_GZIP;
    ask_run(&a);
    assert_int_equal(a.status, RPC_OK);
    assert_non_null(strstr(a.body, "len=5000"));
    ask_init(&a, w, METHOD("Seen"), buf_slice(&body)); /* a channel that would label it as plain */
    a.options.payload_codec = CODEC_GZIP;
    ask_run(&a);
    assert_int_equal(a.status, RPC_INVALID_ARGUMENT);
    buf_release(&body);
}

static void a_gzip_bomb_is_refused_as_too_large(void **state)
{
    struct world *w = *state;
    struct buf body;
    struct ask a;

    packed(&body, CODEC_GZIP, 50 * 1000 * 1000);
    assert_true(body.len < MAX_MESSAGE);
    ask_init(&a, w, METHOD("Echo"), buf_slice(&body));
    a.channel = w->gzip_channel;
    a.options.payload_codec = CODEC_GZIP;
    ask_run(&a);
    assert_int_equal(a.status, RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(a.retry_ms, -1);
    assert_true(a.is_from_peer);
    assert_int_equal(atomic_load(&w->requests), 0);
    assert_int_equal(atomic_load(&w->dropped), 1);
    assert_int_equal(rpc_server_counts(w->server).too_large, 1);
    buf_release(&body);
}

static void a_message_over_the_limit_is_refused_as_too_large(void **state)
{
    struct world *w = *state;
    char *big = mem_alloc(MAX_MESSAGE + 1);
    struct ask a;

    memset(big, 'b', MAX_MESSAGE + 1);
    ask_init(&a, w, METHOD("Echo"), slice_make(big, MAX_MESSAGE + 1));
    ask_run(&a);
    assert_int_equal(a.status, RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(a.retry_ms, -1);
    assert_true(latch_wait(&w->dropped_latch, 1));
    assert_int_equal(atomic_load(&w->requests), 0);
    mem_free(big);
}

static void damaged_compression_is_told(void **state)
{
    struct world *w = *state;
    struct buf body;
    struct ask a;

    packed(&body, CODEC_GZIP, 5000);
    ask_init(&a, w, METHOD("Echo"), slice_head(buf_slice(&body), body.len - 9));
    a.channel = w->gzip_channel;
    a.options.payload_codec = CODEC_GZIP;
    ask_run(&a);
    assert_int_equal(a.status, RPC_INTERNAL);
    assert_non_null(strstr(a.message, "cut short"));
    assert_int_equal(rpc_server_counts(w->server).bad_encoding, 1);
    buf_release(&body);
}

static void an_unknown_method_is_unimplemented_and_named(void **state)
{
    struct world *w = *state;
    struct ask a;

    ask_init(&a, w, METHOD("Nothing"), SLICE_LIT("x"));
    ask_run(&a);
    assert_int_equal(a.status, RPC_UNIMPLEMENTED);
    assert_non_null(strstr(a.message, METHOD("Nothing")));
    assert_int_equal(rpc_server_counts(w->server).unknown_method, 1);
}

static void a_handler_may_refuse_before_the_message(void **state)
{
    struct world *w = *state;
    struct ask a;

    ask_init(&a, w, METHOD("Refused"), SLICE_LIT("x"));
    ask_run(&a);
    assert_int_equal(a.status, RPC_UNAUTHENTICATED);
    assert_string_equal(a.message, "who are you");
    assert_int_equal(atomic_load(&w->requests), 0);
    assert_int_equal(atomic_load(&w->dropped), 0);
}

static void retry_info_reaches_the_client(void **state)
{
    struct ask a;

    ask_init(&a, *state, METHOD("Busy"), SLICE_LIT("x"));
    ask_run(&a);
    assert_int_equal(a.status, RPC_UNAVAILABLE);
    assert_string_equal(a.message, "busy");
    assert_int_equal(a.retry_ms, 2500);
    assert_true(a.is_from_peer);
}

static void a_call_that_is_not_answered_ends_at_its_deadline(void **state)
{
    struct world *w = *state;
    struct ask a;

    ask_init(&a, w, METHOD("Echo"), SLICE_LIT("connect first"));
    ask_run(&a);
    ask_init(&a, w, METHOD("Hold"), SLICE_LIT("x"));
    a.options.timeout_ms = 300;
    ask_run(&a);
    assert_int_equal(a.status, RPC_DEADLINE_EXCEEDED);
    assert_true(latch_wait(&w->held, 1));
    rpc_call_reply(w->hold[0], RPC_OK, NULL, SLICE_LIT("late"), 0);
}

static void cancel(void *arg)
{
    struct ask *a = arg;

    rpc_request_cancel(a->request);
    latch_hit(&a->done);
}

static void a_cancelled_call_is_not_told(void **state)
{
    struct world *w = *state;
    struct ask a;

    ask_init(&a, w, METHOD("Hold"), SLICE_LIT("x"));
    loop_post(loops_worker(w->loops, 0), start, &a);
    assert_true(latch_wait(&w->held, 1));
    a.message[0] = '!';
    loop_post(loops_worker(w->loops, 0), cancel, &a);
    assert_true(latch_wait(&a.done, 1));
    rpc_call_reply(w->hold[0], RPC_OK, NULL, SLICE_LIT("late"), 0);
    assert_int_equal(a.message[0], '!');
}

static void nobody_listening_is_unavailable_and_not_from_the_peer(void **state)
{
    struct rpc_channel_options options = {.target = SLICE_LIT("127.0.0.1:1")};
    struct rpc_channel *ch = NULL;
    struct ask a;

    assert_int_equal(rpc_channel_new(&ch, &options, NULL), OK);
    ask_init(&a, *state, METHOD("Echo"), SLICE_LIT("x"));
    a.channel = ch;
    a.options.wait_for_ready = false;
    ask_run(&a);
    assert_int_equal(a.status, RPC_UNAVAILABLE);
    assert_false(a.is_from_peer);
    rpc_channel_free(ch);
}

static void two_hundred_calls_at_once_are_all_answered(void **state)
{
    struct ask *many = mem_array(200, sizeof *many);
    char texts[200][16];

    for (unsigned i = 0; i < 200; i++) {
        snprintf(texts[i], sizeof texts[i], "call %u", i);
        ask_init(&many[i], *state, METHOD("Echo"), slice_str(texts[i]));
        loop_post(loops_worker(many[i].w->loops, 0), start, &many[i]);
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_true(latch_wait(&many[i].done, 1));
        assert_int_equal(many[i].status, RPC_OK);
        assert_string_equal(many[i].body, texts[i]);
    }
    mem_free(many);
}

static void stopping_answers_calls_that_wait(void **state)
{
    struct world *w = *state;
    struct ask a;

    ask_init(&a, w, METHOD("Hold"), SLICE_LIT("x"));
    loop_post(loops_worker(w->loops, 0), start, &a);
    assert_true(latch_wait(&w->held, 1));
    rpc_server_stop(w->server, 10);
    w->server = NULL;
    assert_true(latch_wait(&a.done, 1));
    assert_int_equal(a.status, RPC_UNAVAILABLE);
    rpc_call_reply(w->hold[0], RPC_OK, NULL, SLICE_LIT("late"), 0); /* after the server has gone */
}

static void a_port_in_use_is_told_with_its_address(void **state)
{
    struct world *w = *state;
    struct rpc_handler handler = {w, on_admit, on_request, on_dropped};
    struct rpc_server_options options = {0};
    struct rpc_server *second = NULL;
    struct error err = {0};
    char listen[64];

    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)rpc_server_port(w->server));
    options.listen = slice_str(listen);
    assert_int_equal(rpc_server_start(&second, &options, methods, 1, &handler, &err), IO);
    assert_null(second);
    assert_non_null(strstr(err.text, listen));
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_is_sent_comes_back),
        WORLD_TEST(metadata_peer_and_deadline_reach_the_handler),
        WORLD_TEST(what_was_compressed_before_is_sent_as_it_is),
        WORLD_TEST(a_gzip_bomb_is_refused_as_too_large),
        WORLD_TEST(a_message_over_the_limit_is_refused_as_too_large),
        WORLD_TEST(damaged_compression_is_told),
        WORLD_TEST(an_unknown_method_is_unimplemented_and_named),
        WORLD_TEST(a_handler_may_refuse_before_the_message),
        WORLD_TEST(retry_info_reaches_the_client),
        WORLD_TEST(a_call_that_is_not_answered_ends_at_its_deadline),
        WORLD_TEST(a_cancelled_call_is_not_told),
        WORLD_TEST(nobody_listening_is_unavailable_and_not_from_the_peer),
        WORLD_TEST(two_hundred_calls_at_once_are_all_answered),
        WORLD_TEST(stopping_answers_calls_that_wait),
        WORLD_TEST(a_port_in_use_is_told_with_its_address),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
