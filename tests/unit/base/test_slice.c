#include "agent/base/slice.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void order_is_by_bytes_then_by_length(void **state)
{
    static const struct {
        const char *left, *right;
        int want;
    } rows[] = {
        {"", "", 0},     {"a", "a", 0},  {"a", "b", -1},       {"b", "a", 1},
        {"a", "ab", -1}, {"ab", "a", 1}, {"\x7f", "\x80", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(slice_cmp(slice_str(rows[i].left), slice_str(rows[i].right)), rows[i].want);
}

static void equality_and_affixes(void **state)
{
    struct slice text = SLICE_LIT("loki.write"), empty = {0};

    (void)state;
    assert_true(slice_eq(text, slice_str("loki.write")));
    assert_false(slice_eq(text, slice_str("loki.writ")));
    assert_true(slice_eq(empty, SLICE_LIT("")));
    assert_true(slice_starts(text, SLICE_LIT("loki.")));
    assert_true(slice_starts(text, empty));
    assert_false(slice_starts(empty, text));
    assert_true(slice_ends(text, SLICE_LIT(".write")));
    assert_false(slice_ends(text, SLICE_LIT("loki")));
    assert_true(slice_eq_nocase(SLICE_LIT("Content-TYPE"), SLICE_LIT("content-type")));
    assert_false(slice_eq_nocase(SLICE_LIT("@"), SLICE_LIT("`"))); /* 32 apart, but no letters */
}

static void parts_never_leave_the_slice(void **state)
{
    struct slice text = SLICE_LIT("abc");

    (void)state;
    assert_true(slice_eq_str(slice_from(text, 1), "bc"));
    assert_int_equal(slice_from(text, 3).len, 0);
    assert_int_equal(slice_from(text, 99).len, 0);
    assert_ptr_equal(slice_from(text, 99).ptr, text.ptr + 3);
    assert_true(slice_eq_str(slice_head(text, 2), "ab"));
    assert_true(slice_eq_str(slice_head(text, 99), "abc"));
}

static void trim_takes_white_space_from_both_ends(void **state)
{
    (void)state;
    assert_true(slice_eq_str(slice_trim(SLICE_LIT(" \t\r\n a b \v\f")), "a b"));
    assert_int_equal(slice_trim(SLICE_LIT("  \n ")).len, 0);
    assert_int_equal(slice_trim((struct slice){0}).len, 0);
}

static void find_gives_the_length_when_absent(void **state)
{
    struct slice text = SLICE_LIT("a=b=c");

    (void)state;
    assert_int_equal(slice_find(text, '='), 1);
    assert_int_equal(slice_find(text, 'x'), 5);
    assert_int_equal(slice_find((struct slice){0}, 'x'), 0);
    assert_int_equal(slice_find_slice(text, SLICE_LIT("=c")), 3);
    assert_int_equal(slice_find_slice(text, SLICE_LIT("=x")), 5);
    assert_int_equal(slice_find_slice(text, (struct slice){0}), 0);
}

static void cut_splits_at_the_first(void **state)
{
    struct slice head, rest;

    (void)state;
    assert_true(slice_cut(SLICE_LIT("a,b,c"), ',', &head, &rest));
    assert_true(slice_eq_str(head, "a"));
    assert_true(slice_eq_str(rest, "b,c"));
    assert_false(slice_cut(SLICE_LIT("abc"), ',', &head, &rest));
    assert_true(slice_eq_str(head, "abc"));
    assert_int_equal(rest.len, 0);
    assert_true(slice_cut(SLICE_LIT("a,"), ',', &head, &rest));
    assert_int_equal(rest.len, 0);
}

static void whole_numbers_are_read_whole_or_refused(void **state)
{
    static const struct {
        const char *in;
        bool is_i64, is_u64;
        int64_t i64;
        uint64_t u64;
    } rows[] = {
        {"0", true, true, 0, 0},
        {"42", true, true, 42, 42},
        {"+7", true, false, 7, 0},
        {"-7", true, false, -7, 0},
        {"9223372036854775807", true, true, INT64_MAX, INT64_MAX},
        {"9223372036854775808", false, true, 0, (uint64_t)INT64_MAX + 1},
        {"-9223372036854775808", true, false, INT64_MIN, 0},
        {"-9223372036854775809", false, false, 0, 0},
        {"18446744073709551615", false, true, 0, UINT64_MAX},
        {"18446744073709551616", false, false, 0, 0},
        {"", false, false, 0, 0},
        {"-", false, false, 0, 0},
        {"1x", false, false, 0, 0},
        {" 1", false, false, 0, 0},
        {"0x10", false, false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice in = slice_str(rows[i].in);
        uint64_t u64 = 0;
        int64_t i64 = 0;

        assert_int_equal(slice_to_i64(in, &i64), rows[i].is_i64);
        assert_true(i64 == rows[i].i64);
        assert_int_equal(slice_to_u64(in, &u64), rows[i].is_u64);
        assert_true(u64 == rows[i].u64);
    }
}

static void floats_are_read_whole_or_refused(void **state)
{
    double value = 0;
    char long_number[500];

    (void)state;
    assert_true(slice_to_f64(SLICE_LIT("1.5e3"), &value));
    assert_true(value == 1500.0);
    assert_true(slice_to_f64(SLICE_LIT("-Inf"), &value));
    assert_true(isinf(value) && value < 0);
    assert_true(slice_to_f64(SLICE_LIT("NaN"), &value));
    assert_true(isnan(value));
    assert_false(slice_to_f64(SLICE_LIT("1.5 "), &value));
    assert_false(slice_to_f64(SLICE_LIT(" 1.5"), &value));
    assert_false(slice_to_f64(SLICE_LIT(""), &value));
    assert_false(slice_to_f64(slice_make("1\0002", 3), &value));
    memset(long_number, '1', sizeof long_number);
    assert_false(slice_to_f64(slice_make(long_number, sizeof long_number), &value));
}

static void secrets_are_equal_only_when_all_of_them_is(void **state)
{
    (void)state;
    assert_true(slice_eq_secret(SLICE_LIT("secret"), SLICE_LIT("secret")));
    assert_true(slice_eq_secret(SLICE_LIT(""), SLICE_LIT("")));
    assert_false(slice_eq_secret(SLICE_LIT("secret"), SLICE_LIT("secreT")));
    assert_false(slice_eq_secret(SLICE_LIT("secret"), SLICE_LIT("secretsecret")));
    assert_false(slice_eq_secret(SLICE_LIT("secretsecret"), SLICE_LIT("secret")));
    assert_false(slice_eq_secret(SLICE_LIT("secret"), (struct slice){0}));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_equal_only_when_all_of_them_is),
        cmocka_unit_test(order_is_by_bytes_then_by_length),
        cmocka_unit_test(equality_and_affixes),
        cmocka_unit_test(parts_never_leave_the_slice),
        cmocka_unit_test(trim_takes_white_space_from_both_ends),
        cmocka_unit_test(find_gives_the_length_when_absent),
        cmocka_unit_test(cut_splits_at_the_first),
        cmocka_unit_test(whole_numbers_are_read_whole_or_refused),
        cmocka_unit_test(floats_are_read_whole_or_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
