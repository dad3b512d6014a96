/* The admin server over real sockets: pages, reload, who may ask for what (P-H9), escaping and masking. */
#include "agent/ui/admin.h"
#include "agent/ui/page.h"
#include "tests/unit/runtime/fakes.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct world w;
    struct admin *admin;
    char path[64]; /* the configuration's file */
};

static void write_config(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void begin(struct fixture *f, const char *listen)
{
    static const char *const hosts[] = {"agent.example", NULL};
    struct admin_options options = {.listen = slice_str(listen), .path_prefix = SLICE_LIT("/"), .hosts = hosts};
    struct error err = {0};
    int fd;

    world_begin(&f->w, NULL);
    snprintf(f->path, sizeof f->path, "/tmp/hyagent-test-XXXXXX");
    fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    options.runtime = f->w.rt;
    options.loops = f->w.loops;
    options.config_path = f->path;
    assert_int_equal(admin_start(&f->admin, &options, &err), OK);
}

static void end(struct fixture *f)
{
    admin_free(f->admin);
    unlink(f->path);
    world_end(&f->w);
}

/* Sends "METHOD path" with headers ("Name: value\r\n"...); the answer's status, its text in reply. */
static int ask_at(const char *ip, uint16_t port, const char *request, const char *headers, char *reply, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), status = 0;
    char text[2048];
    size_t len = 0;
    ssize_t n;

    inet_pton(AF_INET, ip, &to.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    snprintf(text, sizeof text, "%s HTTP/1.1\r\n%sConnection: close\r\n\r\n", request, headers);
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
    while (len + 1 < size && (n = recv(fd, reply + len, size - 1 - len, 0)) > 0)
        len += (size_t)n;
    reply[len] = '\0';
    close(fd);
    if (len > 12)
        status = (reply[9] - '0') * 100 + (reply[10] - '0') * 10 + (reply[11] - '0');
    return status;
}

static char reply[1 << 20];

static int ask(struct fixture *f, const char *request, const char *headers)
{
    return ask_at("127.0.0.1", admin_port(f->admin), request, headers, reply, sizeof reply);
}

static const char host[] = "Host: localhost\r\n";

static void it_is_ready_once_a_configuration_is_loaded(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    assert_int_equal(ask(&f, "GET /-/ready", host), 503);
    assert_true(load(&f.w, ""));
    assert_int_equal(ask(&f, "GET /-/ready", host), 200);
    end(&f);
}

static void health_names_the_components_that_are_not_well(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    assert_true(load(&f.w, "fake.sink \"good\" {\n}\n"));
    assert_int_equal(ask(&f, "GET /-/healthy", host), 200);
    assert_true(load(&f.w, "fake.sink \"good\" {\n}\nfake.sink \"bad\" {\n\tfail = true\n}\n"));
    assert_int_equal(ask(&f, "GET /-/healthy", host), 500);
    assert_non_null(strstr(reply, "unhealthy components: fake.sink.bad\n"));
    end(&f);
}

static void metrics_are_the_text_format(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    assert_int_equal(ask(&f, "GET /metrics", host), 200);
    assert_non_null(strstr(reply, "text/plain; version=0.0.4"));
    assert_non_null(strstr(reply, "\nalloy_config_last_load_successful 0\n"));
    end(&f);
}

static void find_sink(struct world *w, void *found)
{
    (void)w;
    *(struct fake **)found = fake("fake.sink.a");
}

static void reload_loads_the_file_and_says_what_changed(void **state)
{
    struct fake *found = NULL;
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    write_config(&f, "fake.sink \"a\" {\n}\n");
    assert_int_equal(ask(&f, "POST /-/reload", "Host: localhost\r\nContent-Length: 0\r\n"), 200);
    assert_non_null(strstr(reply, "1 components, 1 added"));
    write_config(&f, "fake.sink \"a\" {\n\tnam = 1\n}\n");
    assert_int_equal(ask(&f, "GET /-/reload", host), 400);
    assert_non_null(strstr(reply, ":2:2: error:"));
    assert_non_null(strstr(reply, "the old one goes on"));
    on_control(&f.w, find_sink, &found);
    assert_non_null(found);
    assert_int_equal(ask(&f, "GET /-/ready", host), 200);
    end(&f);
}

static const struct {
    const char *headers;
    int want;
} origins[] = {
    {"Host: localhost:12345\r\n", 200},
    {"Host: localhost:12345\r\nOrigin: http://localhost:12345\r\n", 200},
    {"Host: localhost:12345\r\nOrigin: http://evil.example\r\n", 403},
    {"Host: localhost:12345\r\nOrigin: http://localhost:9\r\n", 403},
    {"Host: localhost:12345\r\nOrigin: null\r\n", 403},
    {"Host: localhost:12345\r\nSec-Fetch-Site: cross-site\r\n", 403},
    {"Host: localhost:12345\r\nSec-Fetch-Site: same-origin\r\n", 200},
};

static void reload_refuses_what_a_foreign_page_sends(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++)
        assert_int_equal(ask(&f, "GET /-/reload", origins[i].headers), origins[i].want);
    end(&f);
}

/* An address of this machine other machines would use; false when it has none. */
static bool outer_address(char *out, socklen_t size)
{
    struct ifaddrs *all = NULL;
    bool is_found = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *a = all; a != NULL && !is_found; a = a->ifa_next) {
        const struct sockaddr_in *in = (const void *)a->ifa_addr;

        if (in == NULL || in->sin_family != AF_INET || (ntohl(in->sin_addr.s_addr) >> 24) == 127)
            continue;
        is_found = inet_ntop(AF_INET, &in->sin_addr, out, size) != NULL;
    }
    freeifaddrs(all);
    return is_found;
}

static const struct {
    const char *request, *headers;
    int want;
} strangers[] = {
    {"GET /metrics", "Host: anything\r\n", 200},
    {"GET /-/ready", "Host: anything\r\n", 200},
    {"GET /-/healthy", "Host: anything\r\n", 200},
    {"GET /-/reload", "Host: anything\r\n", 403},
    {"POST /-/reload", "Host: localhost\r\nContent-Length: 0\r\n", 403},
    {"GET /", "Host: anything\r\n", 403},
    {"GET /api/v0/web/components", "Host: anything\r\n", 403},
    {"GET /api/v0/component/fake.value.v/metrics", "Host: anything\r\n", 403},
    {"GET /", "Host: agent.example\r\n", 200},
    {"GET /", "Host: AGENT.example:12345\r\n", 200},
    {"GET /", "Host: agent.example.evil\r\n", 403},
    {"GET /-/reload", "Host: agent.example\r\n", 200},
};

static void others_than_this_machine_need_an_allowed_host(void **state)
{
    struct fixture f;
    char ip[64];

    (void)state;
    if (!outer_address(ip, sizeof ip))
        skip();
    begin(&f, ":0");
    assert_true(load(&f.w, ""));
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        int got = ask_at(ip, admin_port(f.admin), strangers[i].request, strangers[i].headers, reply, sizeof reply);

        if (got != strangers[i].want)
            fail_msg("%s with %s: %d, not %d", strangers[i].request, strangers[i].headers, got, strangers[i].want);
    }
    end(&f);
}

static void the_page_loads_nothing_and_is_safe_without_script(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    assert_true(load(&f.w, "fake.sink \"bad\" {\n\tfail = true\n}\nfake.sink \"a\" {\n}\n"));
    assert_int_equal(ask(&f, "GET /", host), 200);
    assert_non_null(strstr(reply, "Content-Security-Policy: default-src 'none'; connect-src 'self'"));
    assert_non_null(strstr(reply, "script-src 'sha256-"));
    assert_null(strstr(reply, "unsafe-inline"));
    assert_non_null(strstr(reply, "/api/v0/web/components/fake.sink.bad\">fake.sink.bad</a></td><td>unhealthy</td>"));
    end(&f);
}

static void text_is_escaped_for_html(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    html_escape(&out, SLICE_LIT("<script>alert('x')</script>&\""));
    buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;");
    buf_release(&out);
}

static const char *body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    assert_non_null(body);
    return body + 4;
}

static void the_api_lists_components_and_masks_secrets(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    assert_true(load(&f.w, "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                           "fake.sink \"a\" {\n\tpassword = \"hunter2\"\n\ttext = \"shown\"\n}\nlogging {\n}\n"));
    assert_int_equal(ask(&f, "GET /api/v0/web/components", host), 200);
    assert_non_null(strstr(body_of(reply), "\"localID\":\"fake.sink.a\""));
    assert_non_null(strstr(body_of(reply), "\"referencesTo\":[\"fake.sink.a\"]"));
    assert_non_null(strstr(body_of(reply), "\"referencedBy\":[\"fake.source.s\"]"));
    assert_null(strstr(reply, "\"logging\""));
    assert_int_equal(ask(&f, "GET /api/v0/web/components/fake.sink.a", host), 200);
    assert_non_null(strstr(reply, "shown"));
    assert_non_null(strstr(reply, "\"state\":\"healthy\""));
    assert_non_null(strstr(reply, "capsule(\\\"loki.LogsReceiver\\\")"));
    assert_null(strstr(reply, "hunter2"));
    assert_int_equal(ask(&f, "GET /", host), 200);
    assert_null(strstr(reply, "hunter2"));
    end(&f);
}

static const struct {
    const char *request;
    int want;
} others[] = {
    {"GET /api/v0/web/components/fake.sink.none", 404},
    {"GET /nothing", 404},
    {"GET /component/fake.value.v", 302},
    {"GET /graph", 302},
    {"GET /api/v0/web/peers", 200},
    {"GET /api/v0/web/pipeline", 200},
    {"GET /api/v0/web/modules/none/components", 404},
    {"GET /api/v0/web/remotecfg/components", 200},
    {"GET /api/v0/web/remotecfg/components/x", 404},
    {"GET /api/v0/web/debug/fake.value.v", 403},
    {"GET /api/v0/web/graph?window=61", 400},
    {"GET /debug/pprof/", 404},
    {"GET /-/support", 200},
    {"GET /api/v0/component/fake.value.v/metrics", 200},
    {"GET /api/v0/component/fake.none.v/metrics", 404},
    {"DELETE /metrics", 405},
};

static void other_requests_get_their_status(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    assert_true(load(&f.w, "fake.value \"v\" {\n}\n"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(ask(&f, others[i].request, host), others[i].want);
    end(&f);
}

static void settings_of_the_http_block_are_applied_and_taken_back(void **state)
{
    struct slice paths[] = {SLICE_LIT("/metrics")};
    struct http_settings settings = {.has_basic = true, .username = SLICE_LIT("me"), .password = SLICE_LIT("pass")};
    struct error err = {0};
    struct admin_link link;
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    link = admin_link(f.admin);
    assert_int_equal(link.apply_http(link.self, &settings, &err), OK);
    assert_int_equal(ask(&f, "GET /metrics", host), 401);
    assert_non_null(strstr(reply, "WWW-Authenticate: Basic realm="));
    assert_int_equal(ask(&f, "GET /metrics", "Host: a\r\nAuthorization: Basic bWU6cGFzcw==\r\n"), 200);
    assert_int_equal(ask(&f, "GET /metrics", "Host: a\r\nAuthorization: basic bWU6cGFzcw==\r\n"), 200);
    assert_int_equal(ask(&f, "GET /metrics", "Host: a\r\nAuthorization: Basic bWU6cGFzcz==\r\n"), 401);
    assert_int_equal(ask(&f, "GET /metrics", "Host: a\r\nAuthorization: Basic ???\r\n"), 401);
    assert_int_equal(ask(&f, "GET /metrics", "Host: a\r\nAuthorization: Bearer bWU6cGFzcw==\r\n"), 401);
    settings.paths = (struct river_strings){paths, 1};
    assert_int_equal(link.apply_http(link.self, &settings, &err), OK);
    assert_int_equal(ask(&f, "GET /metrics", host), 200); /* all but these */
    assert_int_equal(ask(&f, "GET /-/healthy", host), 401);
    settings.authenticate_matching_paths = true;
    assert_int_equal(link.apply_http(link.self, &settings, &err), OK);
    assert_int_equal(ask(&f, "GET /metrics", host), 401);
    assert_int_equal(ask(&f, "GET /-/healthy", host), 200);
    settings = (struct http_settings){.sealed = "no certificate"};
    assert_int_equal(link.apply_http(link.self, &settings, &err), OK);
    assert_int_equal(ask(&f, "GET /metrics", host), 503);
    assert_non_null(strstr(reply, "no certificate"));
    assert_int_equal(ask(&f, "GET /-/healthy", host), 200);
    settings = (struct http_settings){0};
    assert_int_equal(link.apply_http(link.self, &settings, &err), OK);
    assert_int_equal(ask(&f, "GET /metrics", host), 200);
    end(&f);
}

static void a_certificate_that_cannot_be_had_changes_nothing(void **state)
{
    const struct tls_options tls = {.cert_file = SLICE_LIT("/nowhere/a"), .key_file = SLICE_LIT("/nowhere/b")};
    const struct http_settings settings = {.tls = &tls, .has_basic = true};
    struct error err = {0};
    struct admin_link link;
    struct fixture f;

    (void)state;
    begin(&f, "127.0.0.1:0");
    link = admin_link(f.admin);
    assert_int_equal(link.apply_http(link.self, &settings, &err), IO);
    assert_non_null(strstr(err.text, "/nowhere/a"));
    assert_int_equal(ask(&f, "GET /metrics", host), 200);
    end(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_once_a_configuration_is_loaded),
        cmocka_unit_test(health_names_the_components_that_are_not_well),
        cmocka_unit_test(metrics_are_the_text_format),
        cmocka_unit_test(reload_loads_the_file_and_says_what_changed),
        cmocka_unit_test(reload_refuses_what_a_foreign_page_sends),
        cmocka_unit_test(others_than_this_machine_need_an_allowed_host),
        cmocka_unit_test(the_page_loads_nothing_and_is_safe_without_script),
        cmocka_unit_test(text_is_escaped_for_html),
        cmocka_unit_test(the_api_lists_components_and_masks_secrets),
        cmocka_unit_test(other_requests_get_their_status),
        cmocka_unit_test(settings_of_the_http_block_are_applied_and_taken_back),
        cmocka_unit_test(a_certificate_that_cannot_be_had_changes_nothing),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)emit;
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
