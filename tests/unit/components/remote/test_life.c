/* Components that fetch and look about, started, changed and ended at every moment of their work: nothing may be left
 * behind (the leak check says so), nothing used after its end. */
#include "../world.h"
#include "agent/io/http_server.h"

extern const struct component_type component_discovery_dns, component_discovery_file, component_discovery_http;
extern const struct component_type component_discovery_process, component_local_file, component_remote_http;
static const struct component_type *const types[] = {
    &component_discovery_dns, &component_discovery_file, &component_discovery_http, &component_discovery_process,
    &component_local_file,    &component_remote_http,    &component_test_sink,      NULL};

enum { MOMENTS = 8 };

static struct http_server *server;
static struct http_call *hanging[1024]; /* requests that are answered at the end only */
static size_t n_hanging;
static pthread_mutex_t hanging_lock = PTHREAD_MUTEX_INITIALIZER;

static void hang(struct http_call *c)
{
    pthread_mutex_lock(&hanging_lock);
    assert_true(n_hanging < sizeof hanging / sizeof hanging[0]);
    hanging[n_hanging++] = c;
    pthread_mutex_unlock(&hanging_lock);
}

static void on_request(void *self, struct http_call *c)
{
    struct slice path = http_call_path(c);

    (void)self;
    if (slice_eq_str(path, "/hangs"))
        hang(c);
    else if (slice_eq_str(path, "/token"))
        http_reply(c, &(struct http_reply){.status = 200,
                                           .media_type = SLICE_LIT("application/json"),
                                           .body = SLICE_LIT("{\"access_token\":\"t\"}")});
    else
        http_reply(c, &(struct http_reply){.status = 200,
                                           .media_type = SLICE_LIT("application/json"),
                                           .body = SLICE_LIT("[{\"targets\":[\"a:1\"]}]")});
}

static int set_up(void **state)
{
    const struct http_handler handler = {.on_request = on_request};
    const struct http_server_options options = {.listen = SLICE_LIT("127.0.0.1:0"), .max_body_bytes = 65536};

    (void)state;
    return http_server_start(&server, &options, &handler, NULL) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pthread_mutex_lock(&hanging_lock);
    while (n_hanging > 0)
        http_reply_text(hanging[--n_hanging], 503, "the end");
    pthread_mutex_unlock(&hanging_lock);
    http_server_free(server);
    return 0;
}

/* %P is the server's port. */
static const char *filled(const char *text)
{
    static char out[8192];
    size_t at = 0;

    for (; *text != '\0' && at < sizeof out - 8; text++) {
        if (text[0] == '%' && text[1] == 'P') {
            at += (size_t)snprintf(out + at, 8, "%u", (unsigned)http_server_port(server));
            text++;
        } else {
            out[at++] = *text;
        }
    }
    out[at] = '\0';
    return out;
}

#define OAUTH2(path)                                                                                                   \
    "oauth2 {\n client_id = \"i\"\n client_secret = \"s\"\n token_url = \"http://127.0.0.1:%P" path "\"\n}\n"

static void ends_at_any_moment(void **state)
{
    static const struct {
        const char *first, *second;
    } rows[] = {
        {"remote.http \"x\" {\n url = \"http://127.0.0.1:%P/a\"\n}\n",
         "remote.http \"x\" {\n url = \"http://127.0.0.1:%P/b\"\n poll_timeout = \"1s\"\n}\n"},
        {"remote.http \"x\" {\n url = \"http://127.0.0.1:%P/hangs\"\n}\n",
         "remote.http \"x\" {\n url = \"http://127.0.0.1:%P/a\"\n}\n"},
        {"remote.http \"x\" {\n url = \"http://127.0.0.1:%P/a\"\n client {\n" OAUTH2("/hangs") "}\n}\n",
         "remote.http \"x\" {\n url = \"http://127.0.0.1:%P/a\"\n client {\n" OAUTH2("/token") "}\n}\n"},
        {"discovery.http \"x\" {\n url = \"http://127.0.0.1:%P/sd\"\n}\n",
         "discovery.http \"x\" {\n url = \"http://127.0.0.1:%P/hangs\"\n}\n"},
        {"discovery.file \"x\" {\n files = [\"/proc/*.json\", \"/etc/**/*.yml\"]\n}\n",
         "discovery.file \"x\" {\n files = [\"/nonexistent/x.json\"]\n refresh_interval = \"1ms\"\n}\n"},
        {"discovery.process \"x\" {\n refresh_interval = \"1ms\"\n}\n",
         "discovery.process \"x\" {\n join = [{\"a\" = \"b\"}]\n discover_config {\n exe = false\n }\n}\n"},
        {"discovery.dns \"x\" {\n names = [\"a.invalid\", \"b.invalid\"]\n}\n",
         "discovery.dns \"x\" {\n names = [\"c.invalid\"]\n type = \"A\"\n port = 1\n refresh_interval = \"1ms\"\n}\n"},
        {"local.file \"x\" {\n filename = \"/etc/hostname\"\n}\n",
         "local.file \"x\" {\n filename = \"/nonexistent/x\"\n detector = \"poll\"\n poll_frequency = \"1ms\"\n}\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned moment = 0; moment < MOMENTS; moment++) {
            struct world w;

            world_begin(&w, types, NULL);
            if (!world_load(&w, filled(rows[i].first)))
                fail_msg("%s", w.errors);
            usleep(moment * moment * 300);
            if (moment % 2 != 0 && !world_load(&w, filled(rows[i].second)))
                fail_msg("%s", w.errors);
            usleep(moment * moment * 200);
            if (moment % 4 == 3)
                assert_true(world_load(&w, ""));
            world_end(&w);
        }
    }
}

static bool has_target(void *arg)
{
    bool is_there;

    pthread_mutex_lock(&sink.lock);
    is_there = strcmp(sink_targets, arg) == 0;
    pthread_mutex_unlock(&sink.lock);
    return is_there;
}

static void exports_reach_who_uses_them(void **state)
{
    static char targets[] = "__address__=a:1;__meta_url=http://127.0.0.1:00000/sd;\n";
    static char content[] = "content=[{\"targets\":[\"a:1\"]}];\n";
    struct world w;

    (void)state;
    snprintf(targets, sizeof targets, "__address__=a:1;__meta_url=http://127.0.0.1:%u/sd;\n",
             (unsigned)http_server_port(server));
    world_begin(&w, types, NULL);
    assert_true(world_load(&w, filled("discovery.http \"x\" {\n url = \"http://127.0.0.1:%P/sd\"\n}\n"
                                      "test.sink \"s\" {\n targets = discovery.http.x.targets\n}\n")));
    wait_until(has_target, targets);
    assert_true(world_load(&w, filled("remote.http \"x\" {\n url = \"http://127.0.0.1:%P/c\"\n}\n"
                                      "test.sink \"s\" {\n targets = [{\"content\" = remote.http.x.content}]\n}\n")));
    wait_until(has_target, content);
    world_end(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_at_any_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exports_reach_who_uses_them, set_up, tear_down),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
