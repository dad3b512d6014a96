/* otelcol.receiver.otlp over HTTP on real sockets: answers by status, CORS, partial success. gRPC and the encodings are
 * the end-to-end tests'. Specification: opentelemetry.io/docs/specs/otlp (OTLP/HTTP), fetch.spec.whatwg.org (CORS). */
#include "tests/unit/components/harness.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

extern const struct component_type component_otelcol_receiver_otlp;
static const struct component_type *const types[] = {&component_otelcol_receiver_otlp, NULL};

#define SPAN "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":\"n1\"},{\"name\":\"n2\"}]}]}]}"
#define JSON "Content-Type: application/json\r\n"

static uint16_t port;

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

static void begin(const char *http_args)
{
    char text[2048];

    bench_begin(types);
    for (int i = 0; i < 5; i++) { /* somebody else may take the port in between */
        port = free_port();
        (void)snprintf(text, sizeof text,
                       "otelcol.receiver.otlp \"r\" {\n http {\n endpoint = \"127.0.0.1:%u\"\n%s\n}\n output {\n "
                       "traces = [test.otlp.o.receiver]\n}\n}\n"
                       "test.otlp \"o\" { }\n",
                       port, http_args);
        if (!bench_load(text))
            fail_msg("%s", bench.errors);
        bench_settle();
        if (bench_page("otelcol.receiver.otlp.r")->health != HEALTH_UNHEALTHY)
            return;
    }
    fail_msg("no port: %s", bench_page("otelcol.receiver.otlp.r")->message);
}

/* The whole answer to one request. */
static const char *ask(const char *method, const char *path, const char *headers, const char *body)
{
    static char answer[65536];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = BENCH_WAIT_S};
    char request[8192];
    size_t len = 0;
    ssize_t n;
    int to_send;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    to_send = snprintf(request, sizeof request,
                       "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s", method,
                       path, strlen(body), headers, body);
    assert_int_equal(send(fd, request, (size_t)to_send, MSG_NOSIGNAL), to_send);
    while ((n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0)
        len += (size_t)n;
    answer[len] = '\0';
    (void)close(fd);
    return answer;
}

static void requests_are_answered_by_what_is_wrong_with_them(void **state)
{
    static const struct {
        const char *method, *path, *headers, *body, *status, *part;
    } rows[] = {
        {"POST", "/v1/traces", JSON, SPAN, "200", "{"},
        {"POST", "/v1/traces", "Content-Type: application/json; charset=utf-8\r\n", SPAN, "200", "{"},
        {"POST", "/v1/traces", JSON, "{}", "200", "{"},
        {"GET", "/v1/traces", "", "", "405", "POST"},
        {"PUT", "/v1/traces", JSON, SPAN, "405", "POST"},
        {"POST", "/v1/nothing", JSON, SPAN, "404", ""},
        {"POST", "/v1/metrics", JSON, "{}", "404", ""}, /* no consumer for metrics */
        {"POST", "/v1/traces", "Content-Type: text/plain\r\n", SPAN, "415", "application/json"},
        {"POST", "/v1/traces", "", SPAN, "415", "application/json"},
        {"POST", "/v1/traces", JSON "Content-Encoding: br\r\n", SPAN, "415", "\"code\":12"},
        {"POST", "/v1/traces", JSON, "{\"resourceSpans\":", "400", "\"code\":3"},
        {"POST", "/v1/traces", JSON, "{\"resourceSpans\":[{\"scopeSpans\":5}]}", "400", "\"message\":"},
        {"POST", "/v1/traces", "Content-Type: application/x-protobuf\r\n", "\x0a\x7f garbage", "400", ""},
        {"POST", "/v1/traces", "Content-Type: application/x-protobuf\r\n", "", "200", ""},
    };

    (void)state;
    begin("");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = ask(rows[i].method, rows[i].path, rows[i].headers, rows[i].body);
        char want[64];

        (void)snprintf(want, sizeof want, "HTTP/1.1 %s ", rows[i].status);
        if (strncmp(got, want, strlen(want)) != 0 || strstr(got, rows[i].part) == NULL)
            fail_msg("%zu: %s %s: want %s and \"%s\" in\n%s", i, rows[i].method, rows[i].path, rows[i].status,
                     rows[i].part, got);
    }
    bench_settle(); /* the loops are idle: what they wrote may be read */
    assert_int_equal(bench.n_items, 4);
    bench_end();
}

static void what_the_sink_refuses_is_a_partial_success(void **state)
{
    const char *got;

    (void)state;
    begin("");
    bench.outcome = SETTLED_REJECTED;
    got = ask("POST", "/v1/traces", JSON, SPAN);
    assert_memory_equal(got, "HTTP/1.1 200 ", 13);
    assert_non_null(strstr(got, "\"rejectedSpans\":\"2\""));
    assert_non_null(strstr(got, "\"errorMessage\":\"no"));
    bench.outcome = SETTLED_ABANDONED;
    got = ask("POST", "/v1/traces", JSON, SPAN);
    assert_memory_equal(got, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(got, "Retry-After:"));
    bench.outcome = SETTLED_ACKED;
    bench_end();
}

static void other_origins_may_send_where_told(void **state)
{
    static const struct {
        const char *origin;
        bool is_allowed;
    } rows[] = {
        {"https://app.example.com", true},
        {"https://a.b.example.com", true},
        {"http://app.example.com", false},
        {"https://example.com", false},
        {"https://app.example.com.evil", false},
        {"https://one.test", true},
        {"https://one.test:8443", false},
        {"https://evil.test", false},
        {"null", false},
    };

    (void)state;
    begin("cors {\n allowed_origins = [\"https://*.example.com\", \"https://one.test\"]\n allowed_headers = "
          "[\"X-Own\"]\n max_age = 600\n}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char headers[256], want[256];
        const char *got;

        (void)snprintf(want, sizeof want, "Access-Control-Allow-Origin: %s\r\n", rows[i].origin);
        (void)snprintf(headers, sizeof headers, "Origin: %s\r\nAccess-Control-Request-Method: POST\r\n",
                       rows[i].origin);
        got = ask("OPTIONS", "/v1/traces", headers, "");
        if ((strstr(got, want) != NULL) != rows[i].is_allowed ||
            (strncmp(got, "HTTP/1.1 2", 10) == 0) != rows[i].is_allowed)
            fail_msg("%s: %s", rows[i].origin, got);
        if (rows[i].is_allowed && (strstr(got, "X-Own") == NULL || strstr(got, "Access-Control-Max-Age: 600") == NULL))
            fail_msg("%s: %s", rows[i].origin, got);
        (void)snprintf(headers, sizeof headers, JSON "Origin: %s\r\n", rows[i].origin);
        got = ask("POST", "/v1/traces", headers, SPAN);
        if ((strstr(got, want) != NULL) != rows[i].is_allowed)
            fail_msg("POST %s: %s", rows[i].origin, got);
    }
    bench_end();
}

static void without_cors_no_origin_is_named(void **state)
{
    (void)state;
    begin("");
    assert_null(
        strstr(ask("OPTIONS", "/v1/traces", "Origin: https://a.test\r\nAccess-Control-Request-Method: POST\r\n", ""),
               "Access-Control-Allow-Origin"));
    assert_null(
        strstr(ask("POST", "/v1/traces", JSON "Origin: https://a.test\r\n", SPAN), "Access-Control-Allow-Origin"));
    bench_end();
}

static void a_body_over_the_limit_is_too_large(void **state)
{
    (void)state;
    begin("max_request_body_size = \"20B\"");
    assert_memory_equal(ask("POST", "/v1/traces", JSON, SPAN), "HTTP/1.1 413 ", 13);
    assert_memory_equal(ask("POST", "/v1/traces", JSON, "{}"), "HTTP/1.1 200 ", 13);
    assert_int_equal(bench.n_items, 0);
    bench_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_by_what_is_wrong_with_them),
        cmocka_unit_test(what_the_sink_refuses_is_a_partial_success),
        cmocka_unit_test(other_origins_may_send_where_told),
        cmocka_unit_test(without_cors_no_origin_is_named),
        cmocka_unit_test(a_body_over_the_limit_is_too_large),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
