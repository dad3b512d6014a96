/* Expressions of the language: literals, operators, references. Results are compared as JSON, errors by a part of them.
 */
#include "agent/river/eval.h"
#include "agent/river/parser.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>

struct row {
    const char *in, *want; /* JSON */
};

static const struct capsule_type receiver_type = {.name = "loki.LogsReceiver"};
static int receiver;

/* loki.write.main exports {receiver}; local.file.pw exports {content}; targets is a list of objects. */
static bool lookup(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    static struct value_field export[1], target[2];
    static struct value list[1];

    (void)self;
    if (n >= 3 && slice_eq_str(parts[0], "loki") && slice_eq_str(parts[1], "write") && slice_eq_str(parts[2], "main")) {
        export[0] = (struct value_field){SLICE_LIT("receiver"), value_capsule(&receiver_type, &receiver)};
        *out = (struct value){.type = VALUE_OBJECT, .as.object = {.fields = export, .n = 1}};
        *n_used = 3;
        return true;
    }
    *n_used = 1;
    if (slice_eq_str(parts[0], "secret"))
        *out = value_secret(SLICE_LIT("hunter2"));
    else if (slice_eq_str(parts[0], "maybe"))
        *out = value_optional_secret(SLICE_LIT("shown"), false);
    else if (slice_eq_str(parts[0], "hidden"))
        *out = value_optional_secret(SLICE_LIT("covered"), true);
    else if (slice_eq_str(parts[0], "targets")) {
        target[0] = (struct value_field){SLICE_LIT("__address__"), value_string(SLICE_LIT("a:1"))};
        target[1] = (struct value_field){SLICE_LIT("job"), value_string(SLICE_LIT("j"))};
        list[0] = (struct value){.type = VALUE_OBJECT, .as.object = {.fields = target, .n = 2}};
        *out = value_array(list, 1);
    } else
        return false;
    return true;
}

static bool fake_env(void *self, struct slice name, struct slice *out)
{
    (void)self;
    if (!slice_eq_str(name, "HOME"))
        return false;
    *out = SLICE_LIT("/home/u");
    return true;
}

static const struct scope scope = {.lookup = lookup};
static const struct river_host host = {
    .env = fake_env, .hostname = "box", .os = "linux", .arch = "amd64", .version = "v1.2.3"};

/* Evaluates text; JSON or, on failure, the first diagnostic lands in out. */
static bool run(const char *text, unsigned flags, struct buf *out)
{
    struct river_context ctx = {.scope = &scope, .host = &host, .flags = flags};
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
        (void)buf_add_str(out, diags.n != 0 ? diags.items[0].text : "no diagnostic");
    (void)buf_add(out, slice_make("", 1));
    diags_release(&diags);
    arena_release(&arena);
    return rc == OK;
}

static void check_rows(const struct row *rows, size_t n, unsigned flags)
{
    struct buf out;
    size_t bad = 0;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        if (!run(rows[i].in, flags, &out) || strcmp(out.ptr, rows[i].want) != 0) {
            print_error("%s\n  gives %s\n  wants %s\n", rows[i].in, out.ptr, rows[i].want);
            bad++;
        }
    }
    buf_release(&out);
    assert_int_equal(bad, 0);
}

static void check_errors(const struct row *rows, size_t n)
{
    struct buf out;
    size_t bad = 0;

    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        if (run(rows[i].in, 0, &out) || strstr(out.ptr, rows[i].want) == NULL) {
            print_error("%s\n  gives %s\n  wants an error with %s\n", rows[i].in, out.ptr, rows[i].want);
            bad++;
        }
    }
    buf_release(&out);
    assert_int_equal(bad, 0);
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0], 0)
#define CHECK_ERRORS(rows) check_errors(rows, sizeof(rows) / sizeof(rows)[0])

static void literals_have_the_values_go_gives_them(void **state)
{
    static const struct row rows[] = {
        {"010", "8"},
        {"08", "8"},
        {"0", "0"},
        {"9223372036854775807", "9223372036854775807"},
        {"9223372036854775808", "9223372036854775808"},
        {"18446744073709551616", "18446744073709552000"},
        {"1.", "1"},
        {".5", "0.5"},
        {"1e3", "1000"},
        {"1.5e-3", "0.0015"},
        {"null", "null"},
        {"true", "true"},
        {"\"a\\tb\\x41\\101\\u00e9\\U0001F600\\\"\\\\\"", "\"a\\tbAA\u00e9\U0001F600\\\"\\\\\""},
        {"`raw \\n \"q\"`", "\"raw \\\\n \\\"q\\\"\""},
        {"`a\r\nb`", "\"a\\nb\""},
        {"[1, \"a\", [],]", "[1,\"a\",[]]"},
        {"{a = 1, \"b c\" = 2}", "{\"a\":1,\"b c\":2}"},
        {"{a = 1, a = 2}", "{\"a\":2}"},
        {"{\"a\\tb\" = 1}", "{\"a\\\\tb\":1}"},
    };

    (void)state;
    CHECK(rows);
}

static void operators_follow_precedence_and_kinds(void **state)
{
    static const struct row rows[] = {
        {"1 + 2 * 3", "7"},
        {"(1 + 2) * 3", "9"},
        {"2 ^ 3 ^ 2", "512"},
        {"-2 ^ 2", "4"}, /* unary binds tighter */
        {"7 / 2", "3"},
        {"-7 / 2", "-3"},
        {"-7 % 3", "-1"},
        {"7.0 / 2", "3.5"},
        {"7.5 % 2", "1.5"},
        {"10 - 2 - 3", "5"},
        {"1 + 1.5", "2.5"},
        {"9223372036854775807 + 1", "-9223372036854775808"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"2 ^ 63", "-9223372036854775808"},
        {"2 ^ 0.5 == 1.4142135623730951", "true"},
        {"!true || true && false", "false"},
        {"1 < 2 && \"a\" < \"b\"", "true"},
        {"\"a\" + \"b\" + \"c\"", "\"abc\""},
        {"1 == 1.0", "true"},
        {"1 == \"1\"", "false"},
        {"null == null", "true"},
        {"{a = 1, b = 2} == {b = 2, a = 1}", "true"},
        {"[1, 2] != [2, 1]", "true"},
        {"coalesce == coalesce", "false"}, /* functions never are */
        {"1 !=\n2", "true"},
        {"3 >= 3", "true"},
        {"!(1 > 2)", "true"},
    };
    static const struct row errors[] = {
        {"1 / 0", "division by zero"},
        {"1 % 0.0", "division by zero"},
        {"1 + \"a\"", "needs two of a kind"},
        {"\"a\" - \"b\"", "works on numbers"},
        {"!1", "works on a bool"},
        {"-\"a\"", "works on a number"},
        {"1 && true", "works on bools"},
        {"true && 1", "works on bools"},
        {"false && (1 / 0 == 1)", "division by zero"}, /* no short cut */
        {"true < false", "works on numbers or strings"},
        {"1 < \"a\"", "needs two of a kind"},
    };

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
}

static void fields_and_elements_are_found_as_alloy_finds_them(void **state)
{
    static const struct row rows[] = {
        {"{a = {b = [1, 2]}}.a.b[1]", "2"},
        {"{a = 1}[\"a\"]", "1"},
        {"{a = 1}[\"x\"]", "null"},
        {"[5, 6][1.9]", "6"},
        {"targets[0].__address__", "\"a:1\""},
        {"targets[0][\"nope\"]", "null"},
        {"loki.write.main.receiver", "\"capsule(\\\"loki.LogsReceiver\\\")\""},
    };
    static const struct row errors[] = {
        {"{a = 1}.x", "field \"x\" does not exist"},
        {"[1][1]", "out of range"},
        {"[1][-1]", "out of range"},
        {"[1][\"a\"]", "indexed by a number"},
        {"{a = 1}[0]", "indexed by a string"},
        {"(1).a", "a number has no fields"},
        {"loki.write.main.x", "field \"x\" does not exist"},
        {"loki.write.other.receiver", "\"loki\" does not exist"},
        {"nothing", "\"nothing\" does not exist"},
        {"1(2)", "only functions are called"},
        {"string", "group of functions"},
        {"string.uper(\"a\")", "\"string\" has no \"uper\""},
    };

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
}

static void secrets_stay_secret(void **state)
{
    static const struct row rows[] = {
        {"convert.nonsensitive(secret)", "\"hunter2\""},
        {"convert.nonsensitive(\"Bearer \" + secret)", "\"Bearer hunter2\""},
        {"maybe + \"!\"", "\"shown!\""},
        {"string.to_upper(maybe)", "\"SHOWN\""},
        {"secret == \"hunter2\"", "true"},
    };
    static const struct row errors[] = {
        {"string.to_upper(secret)", "convert.nonsensitive"},
        {"string.format(\"%s\", secret)", "convert.nonsensitive"},
        {"string.format(\"%s\", [secret])", "convert.nonsensitive"},
        {"string.join([secret], \",\")", "must be a string, not a secret"},
        {"encoding.to_json({a = hidden})", "convert.nonsensitive"},
        {"string.to_upper(hidden + \"x\")", "convert.nonsensitive"},
    };
    struct value joined = value_secret(SLICE_LIT("x"));
    struct buf out;

    (void)state;
    CHECK(rows);
    CHECK_ERRORS(errors);
    buf_init(&out, 1024);
    value_to_json(&out, &joined, true);
    assert_true(slice_eq_str(buf_slice(&out), "\"(secret)\""));
    buf_release(&out);
}

static void an_unset_variable_is_empty_and_validate_says_so(void **state)
{
    struct river_context ctx = {.host = &host};
    const struct source *source;
    struct arena arena;
    struct diags diags;
    struct expr *expr;
    struct value v;

    (void)state;
    arena_init(&arena, 0);
    diags_init(&diags);
    ctx.arena = &arena;
    ctx.diags = &diags;
    assert_int_equal(
        river_parse_expr(SLICE_LIT("env(\"NOPE\") + sys.env(\"HOME\")"), "t", &arena, &diags, &source, &expr), OK);
    assert_int_equal(river_eval(&ctx, source, expr, &v), OK);
    assert_true(slice_eq_str(v.as.text.bytes, "/home/u"));
    assert_int_equal(diags.n, 2);
    assert_int_equal(diags.n_errors, 0);
    assert_int_equal(diags.items[0].kind, DIAG_DEPRECATED);
    assert_string_equal(diags.items[0].hint, "write sys.env");
    assert_int_equal(diags.items[1].kind, DIAG_ONLY_VALIDATE);
    diags_release(&diags);
    arena_release(&arena);
}

static void long_and_deep_expressions_end_with_an_error(void **state)
{
    struct buf text, out;

    (void)state;
    buf_init(&text, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 5000; i++)
        (void)buf_add_char(&text, '(');
    (void)buf_add(&text, slice_make("", 1));
    assert_false(run(text.ptr, 0, &out));
    assert_non_null(strstr(out.ptr, "nested too deeply"));
    buf_reset(&text);
    for (int i = 0; i < 5000; i++)
        (void)buf_add_str(&text, "1 + ");
    (void)buf_add(&text, SLICE_LIT("1\0"));
    assert_false(run(text.ptr, 0, &out));
    assert_non_null(strstr(out.ptr, "too long"));
    /* every call doubles the text: 2^40 bytes in the end, if nothing stopped it */
    buf_reset(&text);
    for (int i = 0; i < 40; i++)
        (void)buf_add_str(&text, "string.replace(");
    (void)buf_add_str(&text, "\"aaaa\"");
    for (int i = 0; i < 40; i++)
        (void)buf_add_str(&text, ", \"a\", \"aa\")");
    (void)buf_add(&text, slice_make("", 1));
    assert_false(run(text.ptr, 0, &out));
    buf_release(&text);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_have_the_values_go_gives_them),
        cmocka_unit_test(operators_follow_precedence_and_kinds),
        cmocka_unit_test(fields_and_elements_are_found_as_alloy_finds_them),
        cmocka_unit_test(secrets_stay_secret),
        cmocka_unit_test(an_unset_variable_is_empty_and_validate_says_so),
        cmocka_unit_test(long_and_deep_expressions_end_with_an_error),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
