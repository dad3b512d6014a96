#include "agent/text/regex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/limits.h"

static struct regex *compile(const char *pattern, enum regex_flags flags)
{
    struct error err = {0};
    struct regex *r;

    if (regex_compile(&r, slice_str(pattern), flags, &err) != OK)
        fail_msg("%s: %s", pattern, err.text);
    return r;
}

static void both_spellings_of_a_named_group_are_taken(void **state)
{
    struct regex *r = compile("(?P<a>x)(?<b>y)(z)[(?<c>]\\(?<d>\\Q(?<e>\\E", REGEX_PLAIN);

    (void)state;
    assert_int_equal(regex_group_count(r), 3);
    assert_true(slice_eq_str(regex_group_name(r, 1), "a"));
    assert_true(slice_eq_str(regex_group_name(r, 2), "b"));
    assert_int_equal(regex_group_name(r, 3).len, 0);
    assert_int_equal(regex_group_index(r, SLICE_LIT("b")), 2);
    assert_int_equal(regex_group_index(r, SLICE_LIT("c")), 0);
    assert_true(regex_is_match(r, SLICE_LIT("xyz<(<d>(?<e>")));
    regex_free(r);
}

static void captures_point_into_the_text(void **state)
{
    struct regex *r = compile("(a)|(b*)(c)", REGEX_PLAIN);
    struct slice text = SLICE_LIT("xxc"), g[4];

    (void)state;
    assert_true(regex_match(r, text, 0, g, 4));
    assert_ptr_equal(g[0].ptr, text.ptr + 2);
    assert_null(g[1].ptr);
    assert_non_null(g[2].ptr);
    assert_int_equal(g[2].len, 0);
    assert_true(slice_eq_str(g[3], "c"));
    assert_false(regex_match(r, text, 3, g, 4));
    assert_false(regex_match(r, text, 9, g, 4));
    regex_free(r);
}

static void prometheus_patterns_match_the_whole_text_and_newlines(void **state)
{
    struct regex *r = compile("a.b|cd", REGEX_PROMETHEUS);

    (void)state;
    assert_true(regex_is_match(r, SLICE_LIT("a\nb")));
    assert_true(regex_is_match(r, SLICE_LIT("cd")));
    assert_false(regex_is_match(r, SLICE_LIT("xcd")));
    assert_false(regex_is_match(r, SLICE_LIT("cdx")));
    regex_free(r);
    r = compile(".*", REGEX_PROMETHEUS);
    assert_true(regex_is_match(r, slice_make(NULL, 0)));
    regex_free(r);
    r = compile("a.b", REGEX_PLAIN);
    assert_false(regex_is_match(r, SLICE_LIT("a\nb")));
    assert_true(regex_is_match(r, SLICE_LIT("xaxbx")));
    regex_free(r);
}

static void replacement_is_what_go_does(void **state)
{
    static const struct {
        const char *pattern, *text, *with, *want;
        size_t n;
    } rows[] = {
        {"a(x*)b", "-ab-axxb-", "T", "-T-T-", 2},
        {"a(x*)b", "-ab-axxb-", "$1", "--xx-", 2},
        {"a(x*)b", "-ab-axxb-", "$1W", "---", 2},
        {"a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-", 2},
        {"(?P<n>a)", "a", "$n$$${n}$9$", "a$a$", 1},
        {"a", "a", "${x", "${x", 1},
        {"", "ab", "-", "-a-b-", 3},
        {"a*", "baac", "x", "xbxcx", 3},
        {"b*", "\xC3\xA9", "-", "-\xC3\xA9-", 2},
        {"^", "ab", "x", "xab", 1},
        {"z", "ab", "x", "ab", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct regex *r = compile(rows[i].pattern, REGEX_PLAIN);
        struct buf b;
        size_t n = 0;

        buf_init(&b, 256);
        assert_int_equal(regex_replace_all(r, slice_str(rows[i].text), slice_str(rows[i].with), &b, &n), OK);
        if (!slice_eq_str(buf_slice(&b), rows[i].want) || n != rows[i].n)
            fail_msg("%s: %.*s, %zu", rows[i].pattern, SLICE_ARG(buf_slice(&b)), n);
        buf_release(&b);
        regex_free(r);
    }
}

static void a_full_buffer_stops_the_replacement(void **state)
{
    struct regex *r = compile("a", REGEX_PLAIN);
    struct buf b;

    (void)state;
    buf_init(&b, 4);
    assert_int_equal(regex_replace_literal(r, SLICE_LIT("aaaa"), SLICE_LIT("$1"), &b, NULL), FULL);
    buf_release(&b);
    regex_free(r);
}

static void bad_and_oversized_patterns_are_refused(void **state)
{
    static const char *const bad[] = {"(", "a)|(b", "[", "*", "\\8", "(?=a)", "a{5000}"};
    static char many[3 * (LIMIT_REGEX_GROUPS + 1)], large[LIMIT_REGEX_PATTERN_BYTES + 1];
    struct error err = {0};
    struct regex *r;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (regex_compile(&r, slice_str(bad[i]), REGEX_PROMETHEUS, &err) != INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_null(r);
    }
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = "(a)"[i % 3];
    assert_int_equal(regex_compile(&r, slice_make(many, sizeof many), REGEX_PLAIN, &err), FULL);
    memset(large, 'a', sizeof large);
    assert_int_equal(regex_compile(&r, slice_make(large, sizeof large), REGEX_PLAIN, &err), FULL);
    assert_int_equal(regex_compile(&r, SLICE_LIT("((\\pL{200}){100}\\pL{200}){5}"), REGEX_PLAIN, &err), INVALID);
    assert_int_equal(regex_compile(&r, SLICE_LIT("(\\pL{30}\\pL{30}){30}"), REGEX_PLAIN, &err), FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_spellings_of_a_named_group_are_taken),
        cmocka_unit_test(captures_point_into_the_text),
        cmocka_unit_test(prometheus_patterns_match_the_whole_text_and_newlines),
        cmocka_unit_test(replacement_is_what_go_does),
        cmocka_unit_test(a_full_buffer_stops_the_replacement),
        cmocka_unit_test(bad_and_oversized_patterns_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
