/* The standard library. What string.format gives was taken from Go's fmt. */
#include "agent/river/eval.h"
#include "agent/river/parser.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>

struct row {
    const char *in, *want; /* JSON; of an error a part of it */
};

static bool no_env(void *self, struct slice name, struct slice *out)
{
    (void)self;
    (void)name;
    (void)out;
    return false;
}

static const struct river_host host = {
    .env = no_env, .hostname = "box", .os = "linux", .arch = "amd64", .version = "v1.2.3"};

static bool run(const char *text, unsigned flags, struct buf *out)
{
    struct river_context ctx = {.host = &host, .flags = flags};
    const struct source *source;
    struct arena arena;
    struct diags diags;
    struct expr *expr;
    struct value v;
    enum code rc;

    arena_init(&arena, 64u << 20);
    diags_init(&diags);
    ctx.arena = &arena;
    ctx.diags = &diags;
    rc = river_parse_expr(slice_str(text), "test", &arena, &diags, &source, &expr);
    if (rc == OK)
        rc = river_eval(&ctx, source, expr, &v);
    buf_reset(out);
    if (rc == OK)
        value_to_json(out, &v, false);
    else
        (void)buf_add_str(out, diags.n_errors != 0 ? diags.items[diags.n - 1].text : "no diagnostic");
    (void)buf_add(out, slice_make("", 1));
    diags_release(&diags);
    arena_release(&arena);
    return rc == OK;
}

static void check_rows(const struct row *rows, size_t n, bool wants_ok, unsigned flags)
{
    struct buf out;
    size_t bad = 0;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        bool is_ok = run(rows[i].in, flags, &out);

        if (is_ok != wants_ok ||
            (wants_ok ? strcmp(out.ptr, rows[i].want) != 0 : strstr(out.ptr, rows[i].want) == NULL)) {
            print_error("%s\n  gives %s\n  wants %s\n", rows[i].in, out.ptr, rows[i].want);
            bad++;
        }
    }
    buf_release(&out);
    assert_int_equal(bad, 0);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0], true, RIVER_ALLOW_EXPERIMENTAL)
#define CHECK_ERRORS(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0], false, RIVER_ALLOW_EXPERIMENTAL)

static void strings(void **state)
{
    static const struct row rows[] = {
        {"string.join([\"a\", 1, \"b\"], \"-\")", "\"a-1-b\""},
        {"string.join([], \"-\")", "\"\""},
        {"string.join(null, \"-\")", "\"\""},
        {"string.replace(\"a.b.c\", \".\", \"/\")", "\"a/b/c\""},
        {"string.replace(\"abc\", \"\", \"-\")", "\"-a-b-c-\""},
        {"string.split(\"a,b,,c\", \",\")", "[\"a\",\"b\",\"\",\"c\"]"},
        {"string.split(\"\", \",\")", "[\"\"]"},
        {"string.split(\"\", \"\")", "[]"},
        {"string.split(\"h\u00e9\", \"\")", "[\"h\",\"\u00e9\"]"},
        {"string.to_lower(\"ABC\u00c9\")", "\"abc\u00e9\""},
        {"string.to_upper(\"abc\u00e9\")", "\"ABC\u00c9\""},
        {"string.trim(\"xxhixx\", \"x\")", "\"hi\""},
        {"string.trim_prefix(\"prefix-a\", \"prefix-\")", "\"a\""},
        {"string.trim_suffix(\"a.log\", \".log\")", "\"a\""},
        {"string.trim_suffix(\"a.log\", \".txt\")", "\"a.log\""},
        {"string.trim_space(\"\\t a b\\u00a0\\n\")", "\"a b\""},
        {"to_upper(\"a\")", "\"A\""},
        {"trim_space(\" a \") + join([\"b\"], \"\") + replace(\"c\", \"c\", \"d\")", "\"abd\""},
        {"split(\"a b\", \" \")[1]", "\"b\""},
    };
    static const struct row errors[] = {
        {"string.join(\"a\", \",\")", "argument 1 must be a list"},
        {"string.join([true], \",\")", "element 0 of argument 1"},
        {"string.to_upper()", "takes 1 argument, not 0"},
        {"string.to_upper(true)", "must be a string, not a bool"},
    };

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
}

static void format_is_gos_sprintf(void **state)
{
    static const struct row rows[] = {
        {"string.format(\"%s:%d\", \"a\", 5)", "\"a:5\""},
        {"string.format(\"%v %v %v\", 1e6, 123456789.0, 1e20)", "\"1e+06 1.23456789e+08 1e+20\""},
        {"string.format(\"%v %v\", 0.00001, 100000.0)", "\"1e-05 100000\""},
        {"string.format(\"%d|%s|%q\", \"a\", 5, \"x\\n\")", "\"%!d(string=a)|%!s(int=5)|\\\"x\\\\n\\\"\""},
        {"string.format(\"%5d|%-5d|%05d|%x|%X|%o|%b\", 5, 5, 5, 255, 255, 8, 5)", "\"    5|5    |00005|ff|FF|10|101\""},
        {"string.format(\"%t|%c|%U|%%\", true, 65, 128512)", "\"true|A|U+1F600|%\""},
        {"string.format(\"%d|%s|%z|%\", 1.5, true, 3)", "\"%!d(float64=1.5)|%!s(bool=true)|%!z(int=3)|%!(NOVERB)\""},
        {"string.format(\"%d %d\", 1)", "\"1 %!d(MISSING)\""},
        {"string.format(\"%d\", 1, 2, \"x\")", "\"1%!(EXTRA int=2, string=x)\""},
        {"string.format(\"%v %v\", null, [1, \"a\"])", "\"<nil> [1 a]\""},
        {"string.format(\"%v\", {b = 1, a = \"x\"})", "\"map[a:x b:1]\""},
        {"string.format(\"%+d % d %+q %#x %x % x\", 5, 5, \"\u00e9\", 255, \"hi\", \"hi\")",
         "\"+5  5 \\\"\\\\u00e9\\\" 0xff 6869 68 69\""},
        {"string.format(\"%6.2f|%-8.3f|%+.1e|%08.3f|%.3g\", 3.14159, 2.0, 12345.678, -3.14159, 1234567.0)",
         "\"  3.14|2.000   |+1.2e+04|-003.142|1.23e+06\""},
        {"string.format(\"%10s|%-10s|%.2s|%*d\", \"hi\", \"hi\", \"h\u00e9llo\", 5, 42)",
         "\"        hi|hi        |h\u00e9|   42\""},
        {"string.format(\"%[2]d %[1]d\", 1, 2)", "\"2 1\""},
        {"string.format(\"%[5]d|%[x]d\", 1, 2)", "\"%!d(BADINDEX)|%!d(BADINDEX)\""},
        {"string.format(\"%s %q\", [\"a\", 1], [\"a\", 1])", "\"[a %!s(int=1)] [\\\"a\\\" '\\\\x01']\""},
        {"string.format(\"%t %c %x %e\", \"x\", \"x\", 1.5, 100.0)",
         "\"%!t(string=x) %!c(string=x) 0x1.8p+00 1.000000e+02\""},
        {"string.format(\"%T %p\", \"x\", 5)", "\"string %!p(int=5)\""},
        {"string.format(\"%f %d\", null, null)", "\"%!f(<nil>) %!d(<nil>)\""},
        {"string.format(\"%99999999d\", 1)", "\"%!(NOVERB)%!(EXTRA int=1)\""},
        {"string.format(\"%+.3d|%x\", 7, -255)", "\"+007|-ff\""},
        {"string.format(\"no verbs\")", "\"no verbs\""},
        {"string.format(\"%#v|%#v|%#q\", [1, \"a\", null], {b = 1.5}, \"x\")",
         "\"[]interface {}{1, \\\"a\\\", interface {}(nil)}|map[string]interface {}{\\\"b\\\":1.5}|`x`\""},
        {"string.format(\"%#g|%#.3x|%#o|%O|%#O\", 1.5, 1.5, 8, 8, 8)", "\"1.50000|0x1.800p+00|010|0o10|0o010\""},
        {"string.format(\"%w|%w\", [1], 1)", "\"%!w([]interface {}=[1])|%!w(int=1)\""},
        {"string.format(\"%[3]v|%s\", 1, 2, 3)", "\"3|%!s(MISSING)\""}, /* reordered: nothing is extra */
        {"string.format(\"%.*d|%-*d|\", -1, 5, 4, 6)", "\"%!(BADPREC)5|6   |\""},
        {"string.format(\"%T|%.2T\", null, 1)", "\"<nil>|in\""},
        {"string.format(\"%.200000x\", 1.5) == \"\"", "false"}, /* cut, not past any end */
        {"string.format(\"%b\", -1e-308)", "\"-2024022533073106p-1074\""},
        {"format(\"%s\", \"old\")", "\"old\""},
    };

    (void)state;
    CHECK(rows);
}

static void encodings(void **state)
{
    static const struct row rows[] = {
        {"encoding.from_json(`{\"a\": [1, null, \"x\"], \"b\": {\"c\": true}}`)",
         "{\"a\":[1,null,\"x\"],\"b\":{\"c\":true}}"},
        {"string.format(\"%v\", encoding.from_json(\"[1000000]\"))", "\"[1e+06]\""}, /* numbers are floats */
        {"json_decode(\"{}\")", "{}"},
        {"encoding.to_json({b = 1.0, a = \"<x>&\", n = null, f = 1e21})",
         "\"{\\\"a\\\":\\\"\\\\u003cx\\\\u003e\\\\u0026\\\",\\\"b\\\":1,\\\"f\\\":1e+21,\\\"n\\\":null}\""},
        {"encoding.from_base64(\"aGVsbG8=\")", "\"hello\""},
        {"encoding.from_base64(\"aGVs\\nbG8=\\n\")", "\"hello\""}, /* line ends are skipped */
        {"encoding.from_base64(\"aGVsbG9=\")", "\"hello\""},       /* bits left over are ignored */
        {"encoding.from_yaml(\"a: 1\\nb: [x, 1.5, true, ~]\")", "{\"a\":1,\"b\":[\"x\",1.5,true,null]}"},
        {"string.format(\"%T %T\", yaml_decode(\"1\"), yaml_decode(\"1.0\"))", "\"int float64\""},
        {"encoding.from_yaml(\"18446744073709551615\")", "18446744073709551615"},
        {"base64_decode(\"aGk=\")", "\"hi\""},
        {"encoding.to_base64(\"\\xfb\\xff?\")", "\"+/8/\""},
        {"encoding.to_URLbase64(\"\\xfb\\xff?\")", "\"-_8_\""},
        {"encoding.from_URLbase64(\"LV8_\")", "\"-_?\""},
        {"encoding.url_encode(\"a b/c?\u00e9~-_.*\")", "\"a+b%2Fc%3F%C3%A9~-_.%2A\""},
        {"encoding.url_decode(\"a+b%2Fc\")", "\"a b/c\""},
    };
    static const struct row errors[] = {
        {"encoding.from_json(\"{\")", "json"},
        {"encoding.from_yaml(\"a: [\")", "yaml: line 2, column 1"},
        {"encoding.from_base64(\"aGk\")", "padding"},
        {"encoding.to_json([1])", "must be an object"},
        {"convert.nonsensitive(1)", "must be a secret or a string"},
        {"encoding.from_base64(\"a\")", "base64"},
        {"encoding.from_base64(\"-_8_\")", "bad character"},
        {"encoding.url_decode(\"%zz\")", "invalid URL escape \"%zz\""},
        {"encoding.url_decode(\"%2\")", "invalid URL escape \"%2\""},
        {"encoding.to_json(12)", "must be an object, not a number"},
        {"encoding.to_json({a = coalesce})", "cannot be written as JSON"},
    };

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
}

static void lists_and_the_rest(void **state)
{
    static const struct row rows[] = {
        {"array.concat()", "[]"},
        {"array.concat([1], [], [2, 3])", "[1,2,3]"},
        {"concat([1])", "[1]"},
        {"array.combine_maps([{a = 1, b = 2}, {a = 9}], [{a = 1, b = 3, c = 4}], [\"a\"])",
         "[{\"a\":1,\"b\":3,\"c\":4}]"},
        {"array.combine_maps([{a = 1, b = 2}, {d = \"x\"}], [{a = 2, b = 3}], [\"a\"], true)",
         "[{\"a\":1,\"b\":2},{\"d\":\"x\"}]"},
        {"array.group_by([{k = \"x\", v = 1}, {k = \"y\"}, {k = \"x\", v = 2}], \"k\", true)",
         "[{\"k\":\"x\",\"items\":[{\"k\":\"x\",\"v\":1},{\"k\":\"x\",\"v\":2}]},{\"k\":\"y\",\"items\":[{\"k\":\"y\"}]"
         "}]"},
        {"array.group_by([{v = 1}, {k = \"\"}], \"k\", true)", "[{\"k\":\"\",\"items\":[{\"k\":\"\"}]}]"},
        {"array.group_by([{v = 1}], \"k\", false)", "[{\"k\":\"\",\"items\":[{\"v\":1}]}]"},
        {"coalesce()", "null"},
        {"coalesce(null, 0, false, \"\", [], {}, \"x\", \"y\")", "\"x\""},
        {"coalesce(null, \"\")", "\"\""},
        {"constants.hostname + constants.os + constants.arch + constants.version", "\"boxlinuxamd64v1.2.3\""},
        {"file.path_join(\"a\", \"\", \"b/../c\", \"/d\")", "\"a/c/d\""},
        {"file.path_join(\"/\", \"../x\")", "\"/x\""},
        {"file.path_join(\"..\", \"..\", \"a/..\")", "\"../..\""},
        {"file.path_join(\"\", \"\")", "\"\""},
        {"file.path_join(\"a//b/./c/\")", "\"a/b/c\""},
        {"nonsensitive(\"x\")", "\"x\""},
    };
    static const struct row errors[] = {
        {"array.concat(1)", "must be a list"},
        {"array.combine_maps([], [], [])", "must not be empty"},
        {"array.combine_maps([1], [], [\"a\"])", "must be an object"},
        {"array.group_by([{k = 1}], \"k\", true)", "must be a string"},
        {"constants.nope", "\"constants\" has no \"nope\""},
    };

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
}

#define DOC                                                                                                            \
    "`{\"store\":{\"book\":[{\"c\":\"r\",\"p\":8.95,\"t\":\"A\"},{\"c\":\"f\",\"p\":12,\"t\":\"B\",\"isbn\":\"1\"},"   \
    "{\"c\":\"f\",\"p\":8,\"t\":\"C\"}],\"bike\":{\"p\":19.95}},\"x\":null,\"a-b\":1}`"
#define PATH(path) "json_path(" DOC ", \"" path "\")"

static void json_path_finds_what_its_model_finds(void **state)
{
    static const struct row rows[] = {
        {PATH("$.store.book[0].t"), "[\"A\"]"},
        {PATH("$.store.book[*].t"), "[\"A\",\"B\",\"C\"]"},
        {PATH("$.store..p"), "[8.95,12,8,19.95]"},
        {PATH("$.store.book[-1].t"), "[\"C\"]"},
        {PATH("$.store.book[0,2].t"), "[\"A\",\"C\"]"},
        {PATH("$.store.book[0:2].t"), "[\"A\",\"B\"]"},
        {PATH("$.store.book[::2].t"), "[\"A\",\"C\"]"},
        {PATH("$.store.book[-2:].t"), "[\"B\",\"C\"]"},
        {PATH("$.store.book[?(@.p < 10)].t"), "[\"A\",\"C\"]"},
        {PATH("$.store.book[?@.p<10].t"), "[\"A\",\"C\"]"},
        {PATH("$.store.book[?(@.isbn)].t"), "[\"B\"]"},
        {PATH("$.store.book[?(@.c == 'f' && @.p > 9)].t"), "[\"B\"]"},
        {PATH("$.store.book[?(!(@.p<10))].t"), "[\"B\"]"},
        {PATH("$.store.book[?(@.t =~ /A|B/)].t"), "[\"A\",\"B\"]"},
        {PATH("$.store.book[?(@.p in [8,12])].t"), "[\"B\",\"C\"]"},
        {PATH("store.bike.p"), "[19.95]"},
        {PATH(".x"), "[null]"},
        {PATH("*.bike"), "[{\"p\":19.95}]"},
        {PATH("$['a-b']"), "[1]"},
        {PATH("$.nope"), "[]"},
        {PATH("$.store.book[5]"), "[]"},
        {PATH("$.store.book[?(@.p - 1 > 10)].t"), "[\"B\"]"},
        {PATH("$.store.book[?(@.p * 2 == 16)].t"), "[\"C\"]"},
        {PATH("$.store.book[?(@.isbn empty false)].t"), "[\"B\"]"},
        {PATH("$.store.book[?(@.isbn has false)].t"), "[\"A\",\"C\"]"},
        {PATH("$.store.book[?(@.isbn exists true)].t"), "[\"B\"]"},
        {PATH("$.store.book[?length(@.t) == 1].t"), "[\"A\",\"B\",\"C\"]"},
        {PATH("$.store.book[?count(@.*) == 4].t"), "[\"B\"]"},
        {PATH("$.store.book[?match(@.t, '[AB]')].t"), "[\"A\",\"B\"]"},
        {PATH("$.store.book[?search(@.c, 'f')].t"), "[\"B\",\"C\"]"},
        {PATH("$.store.book[?(@.c == 'r' || @.p == 12 && @.t == 'B')].t"), "[\"B\"]"},
        {PATH("$.store.book[?($.store.bike.p > @.p)].t"), "[\"A\",\"B\",\"C\"]"},
        {PATH("$.store.book[2:0:-1].t"), "[\"C\",\"B\"]"},
        {PATH("$.store.book[ 0 , 'x' ].t"), "[\"A\"]"},
        {PATH("$.store.book[0 : 2].t"), "[\"A\",\"B\"]"},
        {PATH("$[?(@ == null)]"), "[null]"},
        {PATH("$[?(@ == Nothing)]"), "[]"},
        {PATH("$.store.book[?(@.p in [8.95, 12])].t"), "[\"A\",\"B\"]"},
        {PATH("$.store.book[?(@.t ~= 'C')].t"), "[\"C\"]"},
        {PATH("$.store[?(@.*.isbn == '1')][0].t"), "[\"A\"]"},
        {PATH("$['\\\\x61-b']"), "[1]"},
        {PATH(""), "[]"},
    };
    static const struct row errors[] = {
        {PATH("$.a-b"), "byte 4"},
        {PATH("$["), "of the path"},
        {PATH("$.store.book.length()"), "of the path"},
        {"json_path(\"{\", \"$\")", "json"},
        {"json_path(\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\", \"$..*..*..*..*..*..*..*..*\")",
         "looks at more than"},
    };

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
}

static void experimental_functions_are_refused_below_their_level(void **state)
{
    static const struct row rows[] = {
        {"array.combine_maps([], [], [\"a\"])", "is experimental"},
        {"array.group_by([], \"a\", true)", "is experimental"},
    };

    (void)state;
    check_rows(rows, 2, false, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(format_is_gos_sprintf),
        cmocka_unit_test(encodings),
        cmocka_unit_test(lists_and_the_rest),
        cmocka_unit_test(json_path_finds_what_its_model_finds),
        cmocka_unit_test(experimental_functions_are_refused_below_their_level),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
