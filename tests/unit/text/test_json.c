#include "agent/text/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/limits.h"
#include "agent/text/base64.h"

static enum code rewrite(const char *in, struct buf *out)
{
    struct arena a;
    struct json j;
    enum code rc;

    arena_init(&a, 0);
    rc = json_parse(&a, slice_str(in), &j, NULL);
    if (rc == OK)
        rc = json_write(out, &j);
    arena_release(&a);
    return rc;
}

static void what_is_read_is_written_back(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"null", "null"},
        {" true ", "true"},
        {"-0.5e+10", "-0.5e+10"},
        {"[]", "[]"},
        {"[1 , 2,\t[3]]", "[1,2,[3]]"},
        {"{\"a\":{\"b\":[{}]},\"a\":2}", "{\"a\":{\"b\":[{}]},\"a\":2}"},
        {"\"\\u00e9\\n\\/\"", "\"\xC3\xA9\\n/\""},
        {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\""},
        {"\"\\ud83d\"", "\"\xEF\xBF\xBD\""},
        {"\"\\ud83dx\\ude00\"", "\"\xEF\xBF\xBDx\xEF\xBF\xBD\""},
        {"\"\\u0000\"", "\"\\u0000\""},
        {"\"a long string of more than sixteen \\\" bytes\"", "\"a long string of more than sixteen \\\" bytes\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 4096);
        if (rewrite(rows[i].in, &b) != OK || !slice_eq_str(buf_slice(&b), rows[i].want))
            fail_msg("%s gives %.*s", rows[i].in, SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
}

static void what_rfc_8259_does_not_have_is_refused(void **state)
{
    static const char *const rows[] = {
        "",      " ",     "nul",       "tru e",   "01",        "1.",      ".5",       "+1",         "1e",
        "-",     "--1",   "[1,]",      "[,1]",    "{,}",       "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
        "{1:2}", "[1 2]", "\"",        "\"\\x\"", "\"\\u12\"", "\"\n\"",  "\"\t\"",   "1 2",        "[",
        "{",     "]",     "{\"a\":1]", "[1}",     "'a'",       "NaN",     "0x1",      "// c\n1",    "\"\\ud83\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 4096);
        if (rewrite(rows[i], &b) != INVALID)
            fail_msg("taken: %s", rows[i]);
        buf_release(&b);
    }
}

static void depth_is_limited(void **state)
{
    char text[2 * LIMIT_JSON_DEPTH + 3];
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    memset(text, '[', LIMIT_JSON_DEPTH);
    memset(text + LIMIT_JSON_DEPTH, ']', LIMIT_JSON_DEPTH);
    text[2 * LIMIT_JSON_DEPTH] = '\0';
    assert_int_equal(rewrite(text, &b), OK);
    memset(text, '[', LIMIT_JSON_DEPTH + 1);
    memset(text + LIMIT_JSON_DEPTH + 1, ']', LIMIT_JSON_DEPTH + 1);
    text[2 * LIMIT_JSON_DEPTH + 2] = '\0';
    assert_int_equal(rewrite(text, &b), FULL);
    buf_release(&b);
}

static void an_arena_that_is_full_gives_nomem(void **state)
{
    struct arena a;
    struct json j;

    (void)state;
    arena_init(&a, 1024);
    assert_int_equal(json_parse(&a,
                                SLICE_LIT("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,"
                                          "27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46]"),
                                &j, NULL),
                     NOMEM);
    arena_release(&a);
}

static void the_reader_skips_values(void **state)
{
    struct json_reader r;
    int64_t v = 0;

    (void)state;
    json_reader_init(&r, SLICE_LIT("{\"x\":[1,{\"y\":[2]}],\"z\\u0061\":\"-7\"}"));
    assert_int_equal(json_next(&r, NULL), OK);
    assert_int_equal(json_next(&r, NULL), OK);
    assert_true(json_key_is(&r, "x"));
    assert_int_equal(json_skip(&r, NULL), OK);
    assert_int_equal(json_next(&r, NULL), OK);
    assert_int_equal(r.token, JSON_TOK_KEY);
    assert_true(json_key_is(&r, "za"));
    assert_false(json_key_is(&r, "z"));
    assert_false(json_key_is(&r, "zab"));
    assert_int_equal(json_next(&r, NULL), OK);
    assert_int_equal(json_reader_i64(&r, &v, NULL), OK);
    assert_int_equal(v, -7);
    assert_int_equal(json_next(&r, NULL), OK);
    assert_int_equal(r.token, JSON_TOK_OBJECT_END);
    assert_int_equal(json_next(&r, NULL), OK);
    assert_int_equal(r.token, JSON_TOK_END);
}

static void a_prefix_reads_one_value_and_says_where_it_ended(void **state)
{
    struct arena a;
    struct json j;
    size_t used = 0;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(json_parse_prefix(&a, SLICE_LIT(" {\"a\":1} tail"), &j, &used, NULL), OK);
    assert_int_equal(used, 8);
    assert_int_equal(json_parse_prefix(&a, SLICE_LIT("12]"), &j, &used, NULL), OK);
    assert_int_equal(used, 2);
    arena_release(&a);
}

static void integers_are_exact(void **state)
{
    static const struct {
        const char *in;
        bool is_good;
        int64_t want;
    } rows[] = {
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"12.0", true, 12},
        {"1.2e1", true, 12},
        {"1.5", false, 0},
        {"120e-1", true, 12},
        {"0.0000e99", true, 0},
        {"1e400", false, 0},
        {"1000000000000000000", true, 1000000000000000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json j = {.type = JSON_NUMBER, .text = slice_str(rows[i].in)};
        int64_t v = 0;

        if (json_as_i64(&j, &v) != rows[i].is_good || (rows[i].is_good && v != rows[i].want))
            fail_msg("%s", rows[i].in);
    }
}

static void floats_are_the_shortest_that_read_back(void **state)
{
    static const struct {
        double in;
        const char *want;
    } rows[] = {
        {0.1, "0.1"},
        {1, "1"},
        {-2.5, "-2.5"},
        {1e21, "1e+21"},
        {1e20, "100000000000000000000"},
        {1e-7, "1e-7"},
        {1e-6, "0.000001"},
        {1.0 / 3, "0.3333333333333333"},
        {123456789.125, "123456789.125"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 64);
        assert_int_equal(json_write_f64(&b, rows[i].in), OK);
        if (!slice_eq_str(buf_slice(&b), rows[i].want))
            fail_msg("%s: %.*s", rows[i].want, SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
}

static void the_last_of_equal_keys_counts_and_objects_compare_without_order(void **state)
{
    struct arena a;
    struct json x, y;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(json_parse(&a, SLICE_LIT("{\"a\":1,\"b\":[1.0],\"a\":3}"), &x, NULL), OK);
    assert_true(slice_eq_str(json_get(&x, SLICE_LIT("a"))->text, "3"));
    assert_null(json_get(&x, SLICE_LIT("c")));
    assert_int_equal(json_parse(&a, SLICE_LIT("{\"a\":1,\"b\":[1.0]}"), &x, NULL), OK);
    assert_int_equal(json_parse(&a, SLICE_LIT("{\"b\":[1],\"a\":1}"), &y, NULL), OK);
    assert_true(json_equal(&x, &y));
    arena_release(&a);
}

static void base64_follows_rfc_4648(void **state)
{
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    static const char *const bad[] = {"Z", "Zg=", "Zh==", "Z*==", "Zm9v=", "===="};
    struct arena a;
    struct slice out;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < 7; i++) {
        struct buf b;

        buf_init(&b, 64);
        assert_int_equal(base64_encode(&b, slice_str(plain[i])), OK);
        assert_true(slice_eq_str(buf_slice(&b), coded[i]));
        buf_release(&b);
        assert_int_equal(base64_decode(&a, slice_str(coded[i]), &out, NULL), OK);
        assert_true(slice_eq_str(out, plain[i]));
    }
    assert_int_equal(base64_decode(&a, SLICE_LIT("-_8"), &out, NULL), OK);
    assert_true(slice_eq_str(out, "\xFB\xFF"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (base64_decode(&a, slice_str(bad[i]), &out, NULL) != INVALID)
            fail_msg("taken: %s", bad[i]);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_back),
        cmocka_unit_test(what_rfc_8259_does_not_have_is_refused),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(an_arena_that_is_full_gives_nomem),
        cmocka_unit_test(the_reader_skips_values),
        cmocka_unit_test(a_prefix_reads_one_value_and_says_where_it_ended),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(floats_are_the_shortest_that_read_back),
        cmocka_unit_test(the_last_of_equal_keys_counts_and_objects_compare_without_order),
        cmocka_unit_test(base64_follows_rfc_4648),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
