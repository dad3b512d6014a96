#include "agent/base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void times_are_written_as_rfc_3339_in_utc(void **state)
{
    static const struct {
        int64_t ns;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951827696789000000, "2000-02-29T12:34:56.789Z"},
        {1767366245678999999, "2026-01-02T15:04:05.678Z"},
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        clock_format_rfc3339(rows[i].ns, text);
        assert_string_equal(text, rows[i].want);
    }
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    const struct clock *c = clock_system();
    int64_t before = clock_mono_ns(c);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_ns(c);

        assert_true(now >= before);
        before = now;
    }
    assert_true(clock_wall_ns(c) > 1700000000 * (int64_t)NS_PER_S);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_as_rfc_3339_in_utc),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
