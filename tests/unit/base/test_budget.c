#include "agent/base/budget.h"
#include "agent/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void tight_from_the_high_mark_until_the_low_mark(void **state)
{
    size_t base = budget_used();

    (void)state;
    budget_set_limit(1000000);
    budget_charge(790000 - base);
    assert_false(budget_is_tight());
    budget_charge(10000); /* 80 % */
    assert_true(budget_is_tight());
    budget_release(90000); /* 71 % */
    assert_true(budget_is_tight());
    budget_release(10000); /* 70 % */
    assert_false(budget_is_tight());
    budget_charge(90000); /* 79 % on the way up again */
    assert_false(budget_is_tight());
    budget_release(790000 - base);
    budget_set_limit(0);
    assert_int_equal(budget_used(), base);
}

static void without_a_limit_nothing_is_tight(void **state)
{
    (void)state;
    budget_set_limit(0);
    budget_charge((size_t)1 << 40);
    assert_false(budget_is_tight());
    assert_true(budget_has_room((size_t)1 << 50));
    budget_release((size_t)1 << 40);
}

static void room_is_what_is_left_of_the_limit(void **state)
{
    size_t base = budget_used();

    (void)state;
    budget_set_limit(base + 100);
    assert_true(budget_has_room(100));
    assert_false(budget_has_room(101));
    assert_false(budget_has_room(SIZE_MAX));
    budget_charge(200); /* over the limit: no room, not even for nothing */
    assert_false(budget_has_room(0));
    budget_release(200);
    budget_set_limit(0);
}

static void every_heap_byte_is_charged_and_given_back(void **state)
{
    size_t before = budget_used();
    char *text = mem_strdup("a short text");
    void *block = mem_alloc(100000);

    (void)state;
    assert_true(budget_used() >= before + 100000);
    block = mem_realloc(block, 200000);
    assert_true(budget_used() >= before + 200000);
    block = mem_realloc(block, 10);
    assert_true(budget_used() < before + 100000);
    mem_free(block);
    mem_free_secret(text, 12);
    mem_free(NULL);
    assert_int_equal(budget_used(), before);
}

static void the_nth_allocation_of_an_outside_size_fails_once(void **state)
{
    void *first, *second, *third;

    (void)state;
    mem_fail_nth(2);
    first = mem_try_alloc(10);
    second = mem_try_alloc(10);
    third = mem_try_alloc(10);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    mem_fail_nth(1);
    assert_null(mem_try_realloc(first, 100)); /* first stays as it was */
    mem_free(first);
    mem_free(third);
    assert_null(mem_try_alloc(SIZE_MAX));
}

static void the_detected_limit_fits_this_machine(void **state)
{
    (void)state;
    assert_true(budget_detect_limit() > 16u << 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tight_from_the_high_mark_until_the_low_mark),
        cmocka_unit_test(without_a_limit_nothing_is_tight),
        cmocka_unit_test(room_is_what_is_left_of_the_limit),
        cmocka_unit_test(every_heap_byte_is_charged_and_given_back),
        cmocka_unit_test(the_nth_allocation_of_an_outside_size_fails_once),
        cmocka_unit_test(the_detected_limit_fits_this_machine),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
