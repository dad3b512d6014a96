#include "agent/base/ledger.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void an_account_with_everything_in_it_balances(void **state)
{
    struct ledger l = {0};

    (void)state;
    ledger_in(&l, 100);
    ledger_created(&l, 5);
    ledger_out(&l, 60);
    ledger_merged(&l, 10);
    ledger_held(&l, 25);
    ledger_dropped(&l, DROP_RULE, 7);
    ledger_dropped(&l, DROP_TOO_LARGE, 3);
    assert_int_equal(ledger_difference(&l), 0);
    ledger_held(&l, -25);
    assert_int_equal(ledger_difference(&l), 25);
    ledger_out(&l, 26);
    assert_int_equal(ledger_difference(&l), -1);
}

static void every_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < DROP_REASON_COUNT; i++) {
        assert_non_null(drop_reason_name((enum drop_reason)i));
        assert_true(strlen(drop_reason_name((enum drop_reason)i)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(drop_reason_name((enum drop_reason)i), drop_reason_name((enum drop_reason)k));
    }
    assert_string_equal(drop_reason_name(DROP_REJECTED_UNPROVEN), "rejected_unproven");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_with_everything_in_it_balances),
        cmocka_unit_test(every_reason_has_a_name_of_its_own),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
