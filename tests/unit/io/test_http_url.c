#include "agent/base/buf.h"
#include "agent/io/http_url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct url_row {
    const char *in;
    const char *host; /* NULL: INVALID */
    unsigned port;
    const char *userinfo, *path, *query, *plain;
};

static const struct url_row urls[] = {
    {"http://host", "host", 80, "", "", "", "http://host"},
    {"https://host/a/b?c=d#e", "host", 443, "", "/a/b", "c=d", "https://host/a/b"},
    {"HTTPS://host:8443/", "host", 8443, "", "/", "", "HTTPS://host:8443/"},
    {"http://u:p%40@host:1/x", "host", 1, "u:p%40", "/x", "", "http://host:1/x"},
    {"http://u@v@host/", "host", 80, "u@v", "/", "", "http://host/"},
    {"http://[::1]:9090/x", "::1", 9090, "", "/x", "", "http://[::1]:9090/x"},
    {"http://[fe80::1]", "fe80::1", 80, "", "", "", "http://[fe80::1]"},
    {"http://host?q", "host", 80, "", "", "q", "http://host"},
    {"unix:///var/run/docker.sock", "", 0, "", "/var/run/docker.sock", "", "unix:///var/run/docker.sock"},
    {"host:9090", NULL, 0, "", "", "", ""},
    {"", NULL, 0, "", "", "", ""},
    {"://host", NULL, 0, "", "", "", ""},
    {"1x://host", NULL, 0, "", "", "", ""},
    {"http://", NULL, 0, "", "", "", ""},
    {"http:///path", NULL, 0, "", "", "", ""},
    {"http://host:99999", NULL, 0, "", "", "", ""},
    {"http://host:x", NULL, 0, "", "", "", ""},
    {"http://a:b:c", NULL, 0, "", "", "", ""},
    {"http://[::1", NULL, 0, "", "", "", ""},
    {"http://[::1]x", NULL, 0, "", "", "", ""},
    {"http://ho st", NULL, 0, "", "", "", ""},
    {"http://host/\r\nEvil: 1", NULL, 0, "", "", "", ""},
};

static void urls_are_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct url_row *row = &urls[i];
        struct http_url u;
        struct error err = {0};
        enum code rc = http_url_parse(&u, slice_str(row->in), &err);
        struct buf plain;

        if (rc != (row->host != NULL ? OK : INVALID) || (rc != OK) != (err.text[0] != 0))
            fail_msg("%s: %s %s", row->in, code_name(rc), err.text);
        if (rc != OK)
            continue;
        buf_init(&plain, 1000);
        assert_int_equal(http_url_put_plain(&plain, &u), OK);
        if (!slice_eq_str(u.host, row->host) || u.port != row->port || !slice_eq_str(u.userinfo, row->userinfo) ||
            !slice_eq_str(u.path, row->path) || !slice_eq_str(u.query, row->query) ||
            !slice_eq_str(buf_slice(&plain), row->plain))
            fail_msg("%s", row->in);
        buf_release(&plain);
    }
}

static void listen_addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *in, *host;
        unsigned port;
    } rows[] = {
        {"127.0.0.1:80", "127.0.0.1", 80},
        {":0", "", 0},
        {"[::]:4317", "::", 4317},
        {"localhost:1", "localhost", 1},
        {"localhost", NULL, 0},
        {"::1:80", NULL, 0},
        {"host:", NULL, 0},
        {"host:65536", NULL, 0},
        {"host:-1", NULL, 0},
        {"[::1]", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice host;
        uint16_t port;
        enum code rc = http_listen_parse(slice_str(rows[i].in), &host, &port, NULL);

        if (rc != (rows[i].host != NULL ? OK : INVALID) ||
            (rc == OK && (!slice_eq_str(host, rows[i].host) || port != rows[i].port)))
            fail_msg("%s", rows[i].in);
    }
}

static void escapes_go_there_and_back(void **state)
{
    struct buf out, back;

    (void)state;
    buf_init(&out, 1000);
    buf_init(&back, 1000);
    assert_int_equal(http_url_escape(&out, SLICE_LIT("a b/\xc3\xa9~-._%")), OK);
    assert_true(slice_eq_str(buf_slice(&out), "a%20b%2F%C3%A9~-._%25"));
    assert_int_equal(http_url_unescape(&back, buf_slice(&out), false), OK);
    assert_true(slice_eq_str(buf_slice(&back), "a b/\xc3\xa9~-._%"));
    buf_reset(&back);
    assert_int_equal(http_url_unescape(&back, SLICE_LIT("a+b"), true), OK);
    assert_true(slice_eq_str(buf_slice(&back), "a b"));
    assert_int_equal(http_url_unescape(&back, SLICE_LIT("%"), true), CORRUPT);
    assert_int_equal(http_url_unescape(&back, SLICE_LIT("%4"), true), CORRUPT);
    assert_int_equal(http_url_unescape(&back, SLICE_LIT("%zz"), true), CORRUPT);
    buf_release(&out);
    buf_release(&back);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    /* 784111777 is Sun, 06 Nov 1994 08:49:37 GMT (RFC 9110, 5.6.7) */
    const int64_t now_ns = 784111777ll * 1000000000;

    (void)state;
    assert_int_equal(http_retry_after_ms(SLICE_LIT("120"), now_ns), 120000);
    assert_int_equal(http_retry_after_ms(SLICE_LIT("0"), now_ns), 0);
    assert_int_equal(http_retry_after_ms(SLICE_LIT("99999999"), now_ns), 3600000);
    assert_int_equal(http_retry_after_ms(SLICE_LIT("Sun, 06 Nov 1994 08:50:07 GMT"), now_ns), 30000);
    assert_int_equal(http_retry_after_ms(SLICE_LIT("Sun, 06 Nov 1994 08:49:07 GMT"), now_ns), 0);
    assert_int_equal(http_retry_after_ms(SLICE_LIT("-1"), now_ns), -1);
    assert_int_equal(http_retry_after_ms(SLICE_LIT("soon"), now_ns), -1);
    assert_int_equal(http_retry_after_ms(SLICE_LIT(""), now_ns), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(listen_addresses_are_taken_apart),
        cmocka_unit_test(escapes_go_there_and_back),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
