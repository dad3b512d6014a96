#include "agent/base/list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct item {
    int number;
    struct list link;
};

static int joined(const struct list *head)
{
    int digits = 0;

    LIST_EACH (it, head)
        digits = digits * 10 + CONTAINER_OF(it, struct item, link)->number;
    return digits;
}

static void order_and_removal(void **state)
{
    struct item one = {.number = 1}, two = {.number = 2}, three = {.number = 3};
    struct list head;

    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    list_add_tail(&head, &two.link);
    list_add_tail(&head, &three.link);
    list_add_head(&head, &one.link);
    assert_int_equal(joined(&head), 123);
    list_remove(&two.link);
    list_remove(&two.link); /* again: nothing happens */
    assert_int_equal(joined(&head), 13);
    LIST_EACH_SAFE (it, &head)
        list_remove(it);
    assert_true(list_is_empty(&head));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_and_removal)};

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
