#include "agent/text/glob.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void patterns_match_as_doublestar_does(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool want;
    } rows[] = {
        {"*", "", true},
        {"abc", "abc", true},
        {"*", "abc", true},
        {"*c", "abc", true},
        {"a*", "ab/c", false},
        {"a*/b", "abc/b", true},
        {"a*/b", "a/c/b", false},
        {"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
        {"a?b",
         "a\xE2\x98\xBA"
         "b",
         true},
        {"a?b", "a/b", false},
        {"a[^b]c", "adc", true},
        {"a[!b]c", "abc", false},
        {"[a-c]x", "bx", true},
        {"[\\]]x", "]x", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "axb", false},
        {"**", "a/b/c", true},
        {"a/**", "a", true},
        {"a/**", "a/b/c", true},
        {"a/**", "b", false},
        {"**/c", "c", true},
        {"**/c", "a/b/c", true},
        {"a/**/b", "a/b", true},
        {"a/**/b", "a/x/y/b", true},
        {"a/**/b/**/c", "a/x/b/y/b/z/c", true},
        {"a/**/b", "a/b/c", false},
        {"a**b", "axxb", true},
        {"a**b", "a/b", false},
        {"/var/log/*.log", "/var/log/x.log", true},
        {"/var/log/**/*.log", "/var/log/a/b/x.log", true},
        {"*.{log,txt}", "a.txt", true},
        {"*.{log,txt}", "a.tx", false},
        {"{a,b{c,d}}e", "bde", true},
        {"{a/b,c}/d", "a/b/d", true},
        {"a{,b}", "a", true},
        {"a{,b}", "ab", true},
        {"{a\\,b,c}", "a,b", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct glob *g;

        assert_int_equal(glob_compile(&g, slice_str(rows[i].pattern), NULL), OK);
        if (glob_match(g, slice_str(rows[i].path)) != rows[i].want)
            fail_msg("%s on %s", rows[i].pattern, rows[i].path);
        glob_free(g);
    }
}

static void broken_patterns_are_refused(void **state)
{
    static const char *const bad[] = {"[", "[a", "a\\", "{a", "[]a]", "[a/b]", "a\\/b", "{a,{b}"};
    struct glob *g;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (glob_compile(&g, slice_str(bad[i]), NULL) != INVALID)
            fail_msg("taken: %s", bad[i]);
    }
    assert_int_equal(glob_compile(&g, SLICE_LIT("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"), NULL), FULL);
}

static void the_base_is_the_literal_folder(void **state)
{
    static const struct {
        const char *pattern, *base;
        bool is_literal;
    } rows[] = {
        {"/var/log/*.log", "/var/log", false}, {"/*.log", "/", false},      {"*.log", "", false},
        {"/a/b.log", "/a/b.log", true},        {"/a/{b,c}/d", "/a", false}, {"a/b*/c", "a", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct glob *g;

        assert_int_equal(glob_compile(&g, slice_str(rows[i].pattern), NULL), OK);
        assert_true(slice_eq_str(glob_base(g), rows[i].base));
        assert_int_equal(glob_is_literal(g), rows[i].is_literal);
        glob_free(g);
    }
}

static void walks_skip_what_cannot_match(void **state)
{
    struct glob *g;

    (void)state;
    assert_int_equal(glob_compile(&g, SLICE_LIT("/a/b*/c/*.log"), NULL), OK);
    assert_true(glob_may_descend(g, SLICE_LIT("/")));
    assert_true(glob_may_descend(g, SLICE_LIT("/a")));
    assert_true(glob_may_descend(g, SLICE_LIT("/a/bx/c")));
    assert_false(glob_may_descend(g, SLICE_LIT("/a/x")));
    assert_false(glob_may_descend(g, SLICE_LIT("/a/bx/c/d")));
    glob_free(g);
    assert_int_equal(glob_compile(&g, SLICE_LIT("/a/**/x"), NULL), OK);
    assert_true(glob_may_descend(g, SLICE_LIT("/a/q/r/s")));
    assert_false(glob_may_descend(g, SLICE_LIT("/b")));
    glob_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_doublestar_does),
        cmocka_unit_test(broken_patterns_are_refused),
        cmocka_unit_test(the_base_is_the_literal_folder),
        cmocka_unit_test(walks_skip_what_cannot_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
