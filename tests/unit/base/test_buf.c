#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void append_past_the_maximum_is_full_and_changes_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    assert_int_equal(buf_add_str(&b, "abc"), OK);
    assert_int_equal(buf_add_str(&b, "def"), FULL);
    assert_true(b.is_full);
    assert_true(slice_eq_str(buf_slice(&b), "abc"));
    assert_int_equal(buf_add_str(&b, "de"), OK); /* exactly to the maximum */
    assert_true(slice_eq_str(buf_slice(&b), "abcde"));
    assert_int_equal(buf_add_char(&b, 'f'), FULL);
    assert_true(b.is_full); /* stays set: something was left out */
    buf_reset(&b);
    assert_false(b.is_full);
    assert_int_equal(b.len, 0);
    buf_release(&b);
}

static void grows_through_many_sizes_and_keeps_every_byte(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(buf_add_char(&b, (char)('a' + i % 26)), OK);
    assert_int_equal(buf_add_char(&b, '!'), FULL);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.ptr[i], 'a' + i % 26);
    assert_true(b.cap <= b.max);
    buf_release(&b);
}

static void printf_appends_all_or_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    assert_int_equal(buf_printf(&b, "%d-%s", 12, "ab"), OK);
    assert_int_equal(buf_printf(&b, "%s", "cdef"), FULL);
    assert_true(slice_eq_str(buf_slice(&b), "12-ab"));
    assert_int_equal(buf_printf(&b, "%s", "xyz"), OK);
    assert_true(slice_eq_str(buf_slice(&b), "12-abxyz"));
    buf_release(&b);
}

static void refused_memory_is_nomem_and_changes_nothing(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 20);
    assert_int_equal(buf_add_str(&b, "kept"), OK);
    mem_fail_nth(1);
    assert_int_equal(buf_reserve(&b, 100000), NOMEM);
    assert_true(b.is_full);
    assert_true(slice_eq_str(buf_slice(&b), "kept"));
    assert_int_equal(buf_reserve(&b, 100000), OK);
    buf_release(&b);
}

static void consume_moves_the_rest_down(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    (void)buf_add_str(&b, "first second");
    buf_consume(&b, 6);
    assert_true(slice_eq_str(buf_slice(&b), "second"));
    buf_consume(&b, 6);
    assert_int_equal(b.len, 0);
    buf_consume(&b, 0);
    buf_release(&b);
}

static void take_hands_over_terminated_bytes(void **state)
{
    struct buf b;
    size_t len;
    char *text;

    (void)state;
    buf_init(&b, 3);
    (void)buf_add_str(&b, "abc"); /* the NUL fits though the maximum is used up */
    text = buf_take(&b, &len);
    assert_int_equal(len, 3);
    assert_string_equal(text, "abc");
    assert_int_equal(b.len, 0);
    mem_free(text);
    text = buf_take(&b, NULL);
    assert_string_equal(text, "");
    mem_free(text);
    assert_int_equal(buf_add_str(&b, "abc"), OK); /* usable again with the same maximum */
    assert_int_equal(buf_add_str(&b, "d"), FULL);
    buf_release(&b);
}

static void reserve_of_a_huge_size_does_not_overflow(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, SIZE_MAX);
    (void)buf_add_str(&b, "x");
    assert_int_equal(buf_reserve(&b, SIZE_MAX), FULL);
    assert_true(slice_eq_str(buf_slice(&b), "x"));
    buf_release(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_past_the_maximum_is_full_and_changes_nothing),
        cmocka_unit_test(grows_through_many_sizes_and_keeps_every_byte),
        cmocka_unit_test(printf_appends_all_or_nothing),
        cmocka_unit_test(refused_memory_is_nomem_and_changes_nothing),
        cmocka_unit_test(consume_moves_the_rest_down),
        cmocka_unit_test(take_hands_over_terminated_bytes),
        cmocka_unit_test(reserve_of_a_huge_size_does_not_overflow),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
