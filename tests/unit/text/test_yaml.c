/* What a scalar stands for is taken from YAML 1.2's core schema and from what yaml.v3 documents beyond it. */
#include "agent/text/yaml.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/limits.h"

struct row {
    const char *in, *want; /* JSON; of an error a part of it */
};

static enum code read(struct slice in, enum yaml_scalars scalars, struct buf *out)
{
    struct error err = {0};
    struct arena a;
    struct json j;
    enum code rc;

    arena_init(&a, 256u << 20);
    buf_reset(out);
    rc = yaml_parse(&a, in, scalars, &j, &err);
    if (rc == OK)
        (void)json_write(out, &j);
    else
        (void)buf_add_str(out, err.text);
    (void)buf_add(out, slice_make("", 1));
    arena_release(&a);
    return rc;
}

static void check(const struct row *rows, size_t n, enum yaml_scalars scalars, bool wants_ok)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        bool is_ok = read(slice_str(rows[i].in), scalars, &out) == OK;

        if (is_ok != wants_ok ||
            (wants_ok ? strcmp(out.ptr, rows[i].want) != 0 : strstr(out.ptr, rows[i].want) == NULL))
            fail_msg("%s\n  gives %s\n  wants %s", rows[i].in, out.ptr, rows[i].want);
    }
    buf_release(&out);
}

#define CHECK(rows, scalars) check(rows, sizeof(rows) / sizeof(rows)[0], scalars, true)
#define CHECK_ERRORS(rows) check(rows, sizeof(rows) / sizeof(rows)[0], YAML_TYPED, false)

static void plain_scalars_have_types(void **state)
{
    static const struct row rows[] = {
        {"", "null"},
        {"# nothing\n", "null"},
        {"---\n", "null"},
        {"[~, null, Null, NULL, nULL]", "[null,null,null,null,\"nULL\"]"},
        {"[true, True, TRUE, false, yes, on, y]", "[true,true,true,false,\"yes\",\"on\",\"y\"]"},
        {"[1, +1, -1, 0, -0, 1_000]", "[1,1,-1,0,0,1000]"},
        {"[0x1F, 0o17, 017, 0b101, -0x10]", "[31,15,15,5,-16]"},
        {"[08, 1.5, .5, 5., 1e3, 1.0]", "[8.0,1.5,0.5,5.0,1000.0,1.0]"},
        {"[9223372036854775807, 18446744073709551615, 99999999999999999999]",
         "[9223372036854775807,18446744073709551615,100000000000000000000.0]"},
        {"[.inf, -.Inf, .NaN]", "[Inf,-Inf,NaN]"},
        {"[1.2.3, 12:30, 1e, 0x, \"1\", '1', 1e999]", "[\"1.2.3\",\"12:30\",\"1e\",\"0x\",\"1\",\"1\",\"1e999\"]"},
        {"[2001-01-01, 2001-1-2, \"2001-01-01\"]",
         "[\"2001-01-01T00:00:00Z\",\"2001-01-02T00:00:00Z\",\"2001-01-01\"]"},
        {"2001-12-14t21:59:43.10-05:00", "\"2001-12-14T21:59:43.1-05:00\""},
        {"2001-12-14 21:59:43.10", "\"2001-12-14T21:59:43.1Z\""},
        {"2001-02-30", "\"2001-02-30\""},
    };

    (void)state;
    CHECK(rows, YAML_TYPED);
}

static void tags_override_what_a_scalar_looks_like(void **state)
{
    static const struct row rows[] = {
        {"[!!str 1, !!int \"1\", !!float 1, !!null '', ! 1]", "[\"1\",1,1.0,null,1]"},
        {"[!!binary aGVsbG8=, !own 1]", "[\"hello\",\"1\"]"},
        {"!!map {a: !!seq [1]}", "{\"a\":[1]}"},
    };
    static const struct row errors[] = {
        {"!!int 1.5", "line 1, column 1"},
        {"!!bool yes", "tag"},
        {"!!binary x", "base64"},
    };

    (void)state;
    CHECK(rows, YAML_TYPED);
    CHECK_ERRORS(errors);
}

static void collections_nest_and_merge(void **state)
{
    static const struct row rows[] = {
        {"a: 1\nb:\n  - x\n  - y: z\n    w: 2\n", "{\"a\":1,\"b\":[\"x\",{\"y\":\"z\",\"w\":2}]}"},
        {"a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}"},
        {"a: &x [1]\nb: *x\n", "{\"a\":[1],\"b\":[1]}"},
        {"m: &m {a: 1, b: 2}\nn: {<<: *m, b: 3}\n", "{\"m\":{\"a\":1,\"b\":2},\"n\":{\"b\":3,\"a\":1}}"},
        {"{<<: [{a: 1}, {a: 2, c: 4}], b: 3}", "{\"b\":3,\"a\":1,\"c\":4}"},
        {"{\"<<\": 3}", "{\"<<\":3}"},
        {"1\n--- 2\n", "1"},
    };
    static const struct row errors[] = {
        {"a: 1\na: 2\n", "line 2, column 1: this key was given before"},
        {"a: 1\n\"a\": 2\n", "given before"},
        {"a: *x\n", "not defined"},
        {"&a [*a]", "inside what its anchor names"},
        {"{<<: 3}", "<< takes a mapping"},
        {"1: a\n", "no string"},
        {"[a]: b\n", "cannot be a key"},
        {"a: [1\n", "line 2"},
        {"\ta: b\n", "cannot start any token"},
        {"a: \x01\n", "byte"},
    };

    (void)state;
    CHECK(rows, YAML_TYPED);
    CHECK_ERRORS(errors);
}

/* As a map of strings is filled: a port is a text, and so is a key that looks like a number. */
static void strings_are_as_written(void **state)
{
    static const struct row rows[] = {
        {"[0x10, 1.0, yes, true, \"1\", 2001-01-01]", "[\"0x10\",\"1.0\",\"yes\",\"true\",\"1\",\"2001-01-01\"]"},
        {"{1: 2, true: ~}", "{\"1\":\"2\",\"true\":null}"},
        {"!!binary aGVsbG8=", "\"hello\""},
    };

    (void)state;
    CHECK(rows, YAML_STRINGS);
}

static void too_deep_too_many_and_too_large_are_named(void **state)
{
    struct buf in, out;

    (void)state;
    buf_init(&in, 8u << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 500; i++)
        (void)buf_add_char(&in, '[');
    assert_int_equal(read(buf_slice(&in), YAML_TYPED, &out), FULL);
    assert_non_null(strstr(out.ptr, "deeper than 128"));

    buf_reset(&in); /* ten times ten times … of one small list */
    (void)buf_add_str(&in, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++)
        (void)buf_printf(&in, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
                         i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_int_equal(read(buf_slice(&in), YAML_TYPED, &out), FULL);
    assert_non_null(strstr(out.ptr, "aliases"));

    buf_reset(&in); /* each line's value holds the one before: deep only when aliases count */
    (void)buf_add_str(&in, "- &a0 x\n");
    for (int i = 1; i < 200; i++)
        (void)buf_printf(&in, "- &a%d [*a%d]\n", i, i - 1);
    assert_int_equal(read(buf_slice(&in), YAML_TYPED, &out), FULL);
    assert_non_null(strstr(out.ptr, "deeper than 128"));

    buf_reset(&in);
    for (size_t i = 0; i <= LIMIT_YAML_BYTES / 2; i++)
        (void)buf_add_str(&in, "# ");
    assert_int_equal(read(buf_slice(&in), YAML_TYPED, &out), FULL);
    assert_non_null(strstr(out.ptr, "limit"));
    buf_release(&in);
    buf_release(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_scalars_have_types),
        cmocka_unit_test(tags_override_what_a_scalar_looks_like),
        cmocka_unit_test(collections_nest_and_merge),
        cmocka_unit_test(strings_are_as_written),
        cmocka_unit_test(too_deep_too_many_and_too_large_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
