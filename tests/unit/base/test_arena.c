#include "agent/base/arena.h"
#include "agent/base/budget.h"
#include "agent/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void allocations_are_aligned_apart_and_freed_together(void **state)
{
    size_t before = budget_used();
    char *blocks[500];
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < 500; i++) {
        blocks[i] = arena_alloc(&a, i + 1);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i & 0xff, i + 1);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t k = 0; k <= i; k++)
            assert_int_equal((unsigned char)blocks[i][k], i & 0xff);
    assert_true(a.bytes >= 500 * 501 / 2);
    assert_true(budget_used() > before);
    arena_release(&a);
    assert_int_equal(budget_used(), before);
    assert_int_equal(a.bytes, 0);
}

static void past_its_maximum_it_refuses_and_stays_usable(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 4096);
    assert_null(arena_try_alloc(&a, 8192));
    assert_non_null(arena_try_alloc(&a, 2000));
    assert_null(arena_try_alloc(&a, 3000));
    assert_non_null(arena_try_alloc(&a, 1000));
    assert_true(a.bytes <= 4096);
    arena_release(&a);
}

static void sizes_that_overflow_are_refused(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_null(arena_try_alloc(&a, SIZE_MAX));
    assert_null(arena_try_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_try_array(&a, SIZE_MAX / 2, 4));
    arena_release(&a);
}

static void arrays_are_zeroed(void **state)
{
    struct arena a;
    uint64_t *numbers;

    (void)state;
    arena_init(&a, 0);
    numbers = arena_try_array(&a, 1000, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < 1000; i++)
        assert_true(numbers[i] == 0);
    arena_release(&a);
}

static void copies_stand_on_their_own(void **state)
{
    char text[] = "mutable";
    struct slice copy;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    copy = arena_copy(&a, slice_str(text));
    text[0] = 'X';
    assert_true(slice_eq_str(copy, "mutable"));
    assert_string_equal(arena_strndup(&a, SLICE_LIT("abc")), "abc");
    assert_string_equal(arena_printf(&a, "%d/%s", 7, "x"), "7/x");
    assert_int_equal(arena_copy(&a, (struct slice){0}).len, 0);
    mem_fail_nth(1);
    copy = arena_copy(&a, copy); /* fits the chunk: no heap needed, so nothing fails */
    assert_int_equal(copy.len, 7);
    mem_fail_nth(0);
    arena_release(&a);
}

static void refused_memory_leaves_the_arena_whole(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    (void)arena_alloc(&a, 100);
    mem_fail_nth(1);
    assert_null(arena_try_alloc(&a, 1 << 20));
    assert_non_null(arena_try_alloc(&a, 1 << 20));
    arena_release(&a);
}

static void adopted_blocks_are_charged_and_freed_with_it(void **state)
{
    size_t before = budget_used(), bytes;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    arena_adopt(&a, mem_alloc(5000), 5000);
    assert_int_equal(a.bytes, 5000);
    (void)arena_alloc(&a, 10);
    bytes = a.bytes;
    arena_adopt(&a, mem_alloc(100), 100);
    assert_int_equal(a.bytes, bytes + 100);
    (void)arena_alloc(&a, 10); /* from the chunk in use, not from a new one */
    assert_int_equal(a.bytes, bytes + 100);
    arena_adopt(&a, NULL, 100);
    assert_int_equal(a.bytes, bytes + 100);
    arena_release(&a);
    assert_int_equal(budget_used(), before);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_apart_and_freed_together),
        cmocka_unit_test(past_its_maximum_it_refuses_and_stays_usable),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(arrays_are_zeroed),
        cmocka_unit_test(copies_stand_on_their_own),
        cmocka_unit_test(refused_memory_leaves_the_arena_whole),
        cmocka_unit_test(adopted_blocks_are_charged_and_freed_with_it),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
