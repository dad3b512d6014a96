/* Rows from prometheus.io, Exposition formats, and the OpenMetrics 1.0 specification. */
#include "testing.h"
#include "agent/model/exposition.h"
#include <math.h>
#include <stdlib.h>

/* What was read, as text: one line per sample or metadata. */
struct reading {
    struct buf text;
};

static void write_pairs(struct buf *out, struct label *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(out, "%s%.*s=%.*s", i != 0 ? "," : "", SLICE_ARG(pairs[i].name), SLICE_ARG(pairs[i].value));
}

static enum code on_sample(void *ctx, const struct exposition_sample *s, struct error *err)
{
    struct reading *r = ctx;
    struct label *pairs;
    struct arena a;
    size_t n;
    enum code rc;

    arena_init(&a, 0);
    rc = exposition_series_parse(s->series, &a, &pairs, &n, err);
    if (rc == OK) {
        (void)buf_add_str(&r->text, "S ");
        write_pairs(&r->text, pairs, n);
        (void)buf_printf(&r->text, " %g", s->value);
        if (s->has_ts)
            (void)buf_printf(&r->text, " @%lld", (long long)s->ts_ms);
    }
    if (rc == OK && s->has_exemplar) {
        rc = exposition_series_parse(s->exemplar_labels, &a, &pairs, &n, err);
        (void)buf_add_str(&r->text, " #");
        write_pairs(&r->text, pairs, n);
        (void)buf_printf(&r->text, " %g", s->exemplar_value);
        if (s->has_exemplar_ts)
            (void)buf_printf(&r->text, " @%lld", (long long)s->exemplar_ts_ms);
    }
    (void)buf_add_char(&r->text, '\n');
    arena_release(&a);
    return rc;
}

static enum code on_meta(void *ctx, enum exposition_meta kind, struct slice family, struct slice text,
                         enum metric_type type, struct error *err)
{
    struct reading *r = ctx;

    (void)err;
    if (kind == EXPOSITION_TYPE)
        (void)buf_printf(&r->text, "T %.*s %d\n", SLICE_ARG(family), (int)type);
    else
        (void)buf_printf(&r->text, "%c %.*s [%.*s]\n", kind == EXPOSITION_HELP ? 'H' : 'U', SLICE_ARG(family),
                         SLICE_ARG(text));
    return OK;
}

static enum code read_body(enum exposition_format format, struct slice body, size_t step, struct reading *r,
                           struct error *err)
{
    const struct exposition_handler handler = {on_sample, on_meta, r};
    struct exposition *e = exposition_new(format, &handler);
    enum code rc = OK;

    buf_init(&r->text, 1 << 20);
    for (size_t at = 0; at < body.len && rc == OK; at += step)
        rc = exposition_feed(e, slice_head(slice_from(body, at), step), err);
    if (rc == OK)
        rc = exposition_end(e, err);
    exposition_free(e);
    return rc;
}

#define P EXPOSITION_PROMETHEUS
#define O EXPOSITION_OPENMETRICS

static const struct {
    enum exposition_format format;
    const char *in, *want; /* want NULL: INVALID */
} rows[] = {
    {P,
     "# HELP http_requests_total The total number of HTTP requests.\n"
     "# TYPE http_requests_total counter\n"
     "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
     "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n\n"
     "# Escaping in label values:\n"
     "msdos_file_access_time_seconds{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"Cannot find file:\\n\\\"FILE.TXT\\\"\"} "
     "1.458255915e9\n"
     "# Minimalistic line:\nmetric_without_timestamp_and_labels 12.47\n"
     "# A weird metric from before the epoch:\nsomething_weird{problem=\"division by zero\"} +Inf -3982045\n",
     "H http_requests_total [The total number of HTTP requests.]\nT http_requests_total 1\n"
     "S __name__=http_requests_total,method=post,code=200 1027 @1395066363000\n"
     "S __name__=http_requests_total,method=post,code=400 3 @1395066363000\n"
     "S __name__=msdos_file_access_time_seconds,path=C:\\DIR\\FILE.TXT,error=Cannot find file:\n\"FILE.TXT\" "
     "1.45826e+09\n"
     "S __name__=metric_without_timestamp_and_labels 12.47\n"
     "S __name__=something_weird,problem=division by zero inf @-3982045\n"},
    {P, "a{b=\"}\", } 1\n\ta:b { c = \"x\" , d=\"y\"}\t2", "S __name__=a,b=} 1\nS __name__=a:b,c=x,d=y 2\n"},
    {P, "# TYPE h histogram\n# TYPE u untyped\n#TYPE\n#\n# HELP x\n# HELP y a\\\\b\\nc\n",
     "T h 3\nT u 0\nH x []\nH y [a\\b\nc]\n"},
    {P, "{\"my.metric\",\"l.x\"=\"1\"} NaN\n", "S __name__=my.metric,l.x=1 nan\n"},
    {P, "a 1 2 3\n", NULL},
    {P, "a\n", NULL},
    {P, "a{b=\"c\" 1\n", NULL},
    {P, "a{b=\"c\"d=\"e\"} 1\n", NULL},
    {P, "a{b=c} 1\n", NULL},
    {P, "a{1b=\"c\"} 1\n", NULL},
    {P, "a{b=\"c\",b=\"d\"} 1\n", NULL},
    {P, "a{b:c=\"c\"} 1\n", NULL},
    {P, "a{b=\"\xff\"} 1\n", NULL},
    {P, "a 0x1p3\n", NULL},
    {P, "a 1_000\n", NULL},
    {P, "a 1\r\n", NULL},
    {P, "a 1 1.5\n", NULL},
    {P, "1a 1\n", NULL},
    {P, "a-b 1\n", NULL},
    {P, "# TYPE a info\n", NULL},
    {P, "# HELP \xffx y\n", NULL},
    {O,
     "# TYPE acme_http_router_request_seconds summary\n"
     "# UNIT acme_http_router_request_seconds seconds\n"
     "# HELP acme_http_router_request_seconds Latency though all of ACME's HTTP \\\"router\\\".\n"
     "acme_http_router_request_seconds_sum{path=\"/api/v1\",method=\"GET\"} 9036.32\n"
     "acme_http_router_request_seconds_created{path=\"/api/v1\",method=\"GET\"} 1605281325.0\n"
     "# TYPE foo histogram\n"
     "foo_bucket{le=\"0.1\"} 8 # {} 0.054\n"
     "foo_bucket{le=\"1\"} 11 123.25 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1520879607.789\n"
     "# TYPE s stateset\n# TYPE i info\n# TYPE g gaugehistogram\n# TYPE u unknown\n# EOF",
     "T acme_http_router_request_seconds 5\nU acme_http_router_request_seconds [seconds]\n"
     "H acme_http_router_request_seconds [Latency though all of ACME's HTTP \"router\".]\n"
     "S __name__=acme_http_router_request_seconds_sum,path=/api/v1,method=GET 9036.32\n"
     "S __name__=acme_http_router_request_seconds_created,path=/api/v1,method=GET 1.60528e+09\n"
     "T foo 3\nS __name__=foo_bucket,le=0.1 8 # 0.054\n"
     "S __name__=foo_bucket,le=1 11 @123250 #trace_id=KOO5S4vxi0o 0.67 @1520879607789\n"
     "T s 7\nT i 6\nT g 4\nT u 0\n"},
    {O, "# EOF\n", ""},
    {O, "", NULL},
    {O, "a 1\n", NULL},
    {O, "a 1\n# EOF\na 2\n", NULL},
    {O, "\n# EOF\n", NULL},
    {O, "# a comment\n# EOF\n", NULL},
    {O, "a  1\n# EOF\n", NULL},
    {O, "a 1 \n# EOF\n", NULL},
    {O, " a 1\n# EOF\n", NULL},
    {O, "# TYPE a untyped\n# EOF\n", NULL},
    {O, "# UNIT a_seconds metres\n# EOF\n", NULL},
    {O, "a 1 NaN\n# EOF\n", NULL},
    {O, "a 1 # {x=\"y\"}\n# EOF\n", NULL},
    {O, "a 1 # 2\n# EOF\n", NULL},
    {O, "a 1 # {x=\"y\" 1\n# EOF\n", NULL},
};

static void bodies_read_as_specified_however_they_are_cut(void **state)
{
    static const size_t steps[] = {1, 2, 7, 1 << 20};

    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++)
        for (size_t k = 0; k < N_OF(steps); k++) {
            struct reading r;
            struct error err = {0};
            enum code rc = read_body(rows[i].format, slice_str(rows[i].in), steps[k], &r, &err);

            if (rows[i].want == NULL && rc != INVALID)
                fail_msg("row %zu was not refused: %s", i, rows[i].in);
            if (rows[i].want == NULL && strncmp(err.text, "line ", 5) != 0 && rows[i].in[0] != '\0' &&
                strstr(err.text, "EOF") == NULL)
                fail_msg("row %zu: the error names no line: %s", i, err.text);
            if (rows[i].want != NULL && rc != OK)
                fail_msg("row %zu: %s", i, err.text);
            if (rows[i].want != NULL && !slice_eq_str(buf_slice(&r.text), rows[i].want))
                fail_msg("row %zu: got\n%.*s", i, SLICE_ARG(buf_slice(&r.text)));
            buf_release(&r.text);
        }
}

static void an_endless_line_is_full(void **state)
{
    static char junk[64 * 1024];
    const struct exposition_handler handler = {on_sample, NULL, NULL};
    struct exposition *e = exposition_new(P, &handler);
    struct error err = {0};
    enum code rc = OK;

    (void)state;
    memset(junk, 'a', sizeof junk);
    for (int i = 0; i < 32 && rc == OK; i++)
        rc = exposition_feed(e, slice_make(junk, sizeof junk), &err);
    assert_int_equal(rc, FULL);
    exposition_free(e);
}

static void content_types_name_the_format(void **state)
{
    (void)state;
    assert_int_equal(exposition_format_of(SLICE_LIT("application/openmetrics-text; version=1.0.0; charset=utf-8")), O);
    assert_int_equal(exposition_format_of(SLICE_LIT("text/plain; version=0.0.4")), P);
    assert_int_equal(exposition_format_of(SLICE_LIT("")), P);
}

static uint64_t bits(double v)
{
    uint64_t b;

    memcpy(&b, &v, sizeof b);
    return b;
}

/* The fast path must round as strtod does. */
static void floats_are_exact(void **state)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "1027",
                                        "0.1",
                                        "9007199254740993",
                                        "1e22",
                                        "1e23",
                                        "1.7976931348623157e308",
                                        "5e-324",
                                        "2.2250738585072014e-308",
                                        "123456789012345678901234567890",
                                        ".5",
                                        "5.",
                                        "1E5",
                                        "+3",
                                        "1e-22",
                                        "0.30000000000000004",
                                        "12345678.9012345678",
                                        "9007199254740992e22",
                                        "1e0000000000000000000022"};
    uint64_t seed = 42;

    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++) {
        double got;

        assert_true(exposition_f64(slice_str(texts[i]), &got));
        if (bits(got) != bits(strtod(texts[i], NULL)))
            fail_msg("%s", texts[i]);
    }
    for (int i = 0; i < 50000; i++) {
        char text[64];
        double got;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        (void)snprintf(text, sizeof text, "%llu.%0*llue%d", (unsigned long long)(seed >> 50), (int)(seed >> 20 & 7) + 1,
                       (unsigned long long)(seed >> 30 & 0xfffff), (int)(seed >> 8 & 63) - 31);
        assert_true(exposition_f64(slice_str(text), &got));
        if (bits(got) != bits(strtod(text, NULL)))
            fail_msg("%s", text);
    }
}

static void other_floats_are_refused(void **state)
{
    static const char *const texts[] = {"",     "+",    "e5", "1e", "1e+",   "1.2.3", "0x10", "1_0",
                                        "+nan", "infx", "1 ", " 1", "1e400", "--1",   "nanx", "1f"};
    static const char *const infinite[] = {"Inf", "+inf", "INFINITY", "+Infinity"};
    double v;

    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++)
        if (exposition_f64(slice_str(texts[i]), &v))
            fail_msg("\"%s\" was read as %g", texts[i], v);
    for (size_t i = 0; i < N_OF(infinite); i++)
        assert_true(exposition_f64(slice_str(infinite[i]), &v) && isinf(v) && v > 0);
    assert_true(exposition_f64(SLICE_LIT("-Inf"), &v) && v < 0);
    assert_true(exposition_f64(SLICE_LIT("nAn"), &v) && isnan(v));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_read_as_specified_however_they_are_cut),
        cmocka_unit_test(an_endless_line_is_full),
        cmocka_unit_test(content_types_name_the_format),
        cmocka_unit_test(floats_are_exact),
        cmocka_unit_test(other_floats_are_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
