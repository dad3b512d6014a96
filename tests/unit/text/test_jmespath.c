#include "agent/text/jmespath.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct row {
    const char *expression, *doc, *want;
};

/* From the specification at jmespath.org and its examples. */
static const struct row rows[] = {
    {"a", "{\"a\":1}", "1"},
    {"\"with space\"", "{\"with space\":1}", "1"},
    {"a.b.c", "{\"a\":{\"b\":{\"c\":\"v\"}}}", "\"v\""},
    {"a.b", "{\"a\":3}", "null"},
    {"a[1]", "{\"a\":[0,1,2]}", "1"},
    {"a[-1]", "{\"a\":[0,1,2]}", "2"},
    {"a[7]", "{\"a\":[0,1,2]}", "null"},
    {"[0:5]", "[0,1,2,3,4,5,6,7,8,9]", "[0,1,2,3,4]"},
    {"[5:]", "[0,1,2,3,4,5,6,7,8,9]", "[5,6,7,8,9]"},
    {"[::2]", "[0,1,2,3,4,5,6,7,8,9]", "[0,2,4,6,8]"},
    {"[::-1]", "[0,1,2,3]", "[3,2,1,0]"},
    {"[-2:]", "[0,1,2,3]", "[2,3]"},
    {"[10:0:-4]", "[0,1,2,3,4,5]", "[5,1]"},
    {"a[*].b", "{\"a\":[{\"b\":1},{\"c\":2},{\"b\":3}]}", "[1,3]"},
    {"ops.*.n", "{\"ops\":{\"f\":{\"n\":1},\"g\":{\"n\":2},\"h\":3}}", "[1,2]"},
    {"r[*].i[].s", "{\"r\":[{\"i\":[{\"s\":1},{\"s\":2}]},{\"i\":[{\"s\":3}]}]}", "[1,2,3]"},
    {"[][]", "[[0,1],2,[[3],4]]", "[0,1,2,3,4]"},
    {"[]", "[[0,1],2,[[3],4]]", "[0,1,2,[3],4]"},
    {"m[?s=='r'].n", "{\"m\":[{\"n\":\"a\",\"s\":\"r\"},{\"n\":\"b\",\"s\":\"t\"}]}", "[\"a\"]"},
    {"m[?x > `1` && !y]", "{\"m\":[{\"x\":2},{\"x\":2,\"y\":true},{\"x\":1}]}", "[{\"x\":2}]"},
    {"p[*].f | [0]", "{\"p\":[{\"f\":\"J\"},{\"f\":\"K\"}]}", "\"J\""},
    {"p[*].f[0]", "{\"p\":[{\"f\":[1]},{\"f\":[2]}]}", "[1,2]"},
    {"p[].[n, s.x]", "{\"p\":[{\"n\":1,\"s\":{\"x\":2}}]}", "[[1,2]]"},
    {"p[].{N: n, \"S\": s}", "{\"p\":[{\"n\":1,\"s\":2}]}", "[{\"N\":1,\"S\":2}]"},
    {"a || b", "{\"a\":[],\"b\":2}", "2"},
    {"a && b", "{\"a\":1,\"b\":2}", "2"},
    {"!a", "{\"a\":0}", "false"},
    {"a < b", "{\"a\":1,\"b\":2}", "true"},
    {"a < b", "{\"a\":\"1\",\"b\":2}", "null"},
    {"a == `{\"x\": [1]}`", "{\"a\":{\"x\":[1.0]}}", "true"},
    {"`\"\\`\"`", "{}", "\"`\""},
    {"'it\\'s'", "{}", "\"it's\""},
    {"(a || b).c", "{\"b\":{\"c\":1}}", "1"},
    {"@", "[1]", "[1]"},
    {"length(a)", "{\"a\":\"h\xC3\xA9\"}", "2"},
    {"keys(@)", "{\"b\":1,\"a\":2}", "[\"b\",\"a\"]"},
    {"values(@)", "{\"b\":1,\"a\":2}", "[1,2]"},
    {"to_string(@)", "[1,\"x\"]", "\"[1,\\\"x\\\"]\""},
    {"to_number('12.5')", "{}", "12.5"},
    {"to_number('x')", "{}", "null"},
    {"type(@)", "{}", "\"object\""},
    {"not_null(a, b, c)", "{\"b\":null,\"c\":3}", "3"},
    {"join(', ', @)", "[\"a\",\"b\"]", "\"a, b\""},
    {"contains(@, 'ob')", "\"foobar\"", "true"},
    {"contains(@, `2`)", "[1,2]", "true"},
    {"starts_with(@, 'fo')", "\"foobar\"", "true"},
    {"ends_with(@, 'x')", "\"foobar\"", "false"},
    {"max(@)", "[1,10,3]", "10"},
    {"min(@)", "[\"b\",\"a\"]", "\"a\""},
    {"max(@)", "[]", "null"},
    {"sort(@)", "[\"b\",\"a\",\"c\"]", "[\"a\",\"b\",\"c\"]"},
    {"sort_by(@, &age)[*].n", "[{\"age\":2,\"n\":1},{\"age\":1,\"n\":2},{\"age\":2,\"n\":3}]", "[2,1,3]"},
    {"max_by(@, &age).n", "[{\"age\":1,\"n\":1},{\"age\":2,\"n\":2}]", "2"},
    {"sum(@)", "[1,2.5]", "3.5"},
    {"avg(@)", "[10,15,20]", "15"},
    {"[abs(`-1`), ceil(`1.001`), floor(`1.9`)]", "{}", "[1,2,1]"},
    {"reverse(@)", "\"abc\"", "\"cba\""},
    {"reverse(@)", "[1,2]", "[2,1]"},
    {"map(&a, @)", "[{\"a\":1},{}]", "[1,null]"},
    {"merge(a, b)", "{\"a\":{\"x\":1,\"y\":1},\"b\":{\"y\":2}}", "{\"x\":1,\"y\":2}"},
    {"*.*", "{\"a\":{\"b\":1},\"c\":{\"d\":2}}", "[[1],[2]]"},
};

static void run(const struct row *row, struct buf *out)
{
    struct error err = {0};
    struct jmespath *j;
    struct arena a;
    struct json doc, result;

    arena_init(&a, 1 << 20);
    if (jmespath_compile(&j, slice_str(row->expression), &err) != OK)
        fail_msg("%s: %s", row->expression, err.text);
    assert_int_equal(json_parse(&a, slice_str(row->doc), &doc, &err), OK);
    if (jmespath_eval(j, &doc, &a, &result, &err) != OK)
        fail_msg("%s: %s", row->expression, err.text);
    assert_int_equal(json_write(out, &result), OK);
    jmespath_free(j);
    arena_release(&a);
}

static void expressions_give_what_the_specification_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;

        buf_init(&b, 4096);
        run(&rows[i], &b);
        if (!slice_eq_str(buf_slice(&b), rows[i].want))
            fail_msg("%s on %s gives %.*s", rows[i].expression, rows[i].doc, SLICE_ARG(buf_slice(&b)));
        buf_release(&b);
    }
}

static void bad_expressions_are_refused(void **state)
{
    static const char *const bad[] = {
        "",      "a.",  ".a",     "a..b",  "a[",  "a[b]", "[::0]", "a b", "foo(@)",   "length()",   "length(a, b)",
        "{a}",   "[a,", "`{bad`", "'open", "a |", "&a",   "a[?]",  "#",   "\"a\"(@)", "a[1:2:3:4]", "@(b)",
        "a - b", "a[*", "{a: b",  "!",     "(a",  "`[1`",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        struct jmespath *j;

        if (jmespath_compile(&j, slice_str(bad[i]), &err) != INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_null(j);
        assert_true(err.text[0] != '\0');
    }
}

static void wrong_argument_types_are_errors(void **state)
{
    static const char *const bad[] = {"length(`1`)",      "keys(`[]`)",        "sum(`[\"a\"]`)",
                                      "join('a', `[1]`)", "sort(`[1,\"a\"]`)", "sort_by(@, &x)"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json doc = {.type = JSON_ARRAY}, item = {.type = JSON_NULL}, out;
        struct jmespath *j;
        struct arena a;

        doc.array.items = &item;
        doc.array.n = 1;
        arena_init(&a, 0);
        assert_int_equal(jmespath_compile(&j, slice_str(bad[i]), NULL), OK);
        if (jmespath_eval(j, &doc, &a, &out, NULL) != INVALID)
            fail_msg("taken: %s", bad[i]);
        jmespath_free(j);
        arena_release(&a);
    }
}

static void depth_and_chains_are_limited(void **state)
{
    char text[4096];
    struct jmespath *j;

    (void)state;
    memset(text, '(', 100);
    assert_int_equal(jmespath_compile(&j, slice_make(text, 100), NULL), FULL);
    for (size_t i = 0; i < sizeof text; i += 2) {
        text[i] = 'a';
        text[i + 1] = '.';
    }
    text[sizeof text - 1] = 'b';
    assert_int_equal(jmespath_compile(&j, slice_make(text, sizeof text), NULL), FULL);
}

static void a_plain_name_is_known_as_one(void **state)
{
    struct jmespath *j;

    (void)state;
    assert_int_equal(jmespath_compile(&j, SLICE_LIT("\"a b\""), NULL), OK);
    assert_true(slice_eq_str(jmespath_plain_name(j), "a b"));
    jmespath_free(j);
    assert_int_equal(jmespath_compile(&j, SLICE_LIT("a.b"), NULL), OK);
    assert_int_equal(jmespath_plain_name(j).len, 0);
    jmespath_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_give_what_the_specification_says),
        cmocka_unit_test(bad_expressions_are_refused),
        cmocka_unit_test(wrong_argument_types_are_errors),
        cmocka_unit_test(depth_and_chains_are_limited),
        cmocka_unit_test(a_plain_name_is_known_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
