#include "agent/base/error.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void set_formats_and_returns_the_code(void **state)
{
    struct error err = {0};

    (void)state;
    assert_int_equal(error_set(&err, INVALID, "%s: line %d", "a.river", 7), INVALID);
    assert_string_equal(err.text, "a.river: line 7");
}

static void set_without_an_error_still_returns_the_code(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, IO, "nobody reads this"), IO);
    error_prefix(NULL, "nor this");
}

static void long_text_is_cut_at_the_end_and_terminated(void **state)
{
    char long_text[2 * ERROR_TEXT_BYTES];
    struct error err = {0};

    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    (void)error_set(&err, FULL, "start %s", long_text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_BYTES - 1);
    assert_memory_equal(err.text, "start xxx", 9);
}

static void prefix_stands_in_front(void **state)
{
    struct error err = {0};

    (void)state;
    (void)error_set(&err, IO, "connection refused");
    error_prefix(&err, "loki.write.%s", "default");
    assert_string_equal(err.text, "loki.write.default: connection refused");
}

static void prefix_longer_than_the_text_keeps_its_head(void **state)
{
    char prefix[2 * ERROR_TEXT_BYTES];
    struct error err = {0};

    (void)state;
    memset(prefix, 'p', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    (void)error_set(&err, IO, "lost");
    error_prefix(&err, "%s", prefix);
    assert_int_equal(strlen(err.text), ERROR_TEXT_BYTES - 1);
    assert_int_equal(err.text[0], 'p');
}

static void every_code_has_its_own_name(void **state)
{
    static const enum code codes[] = {OK, INVALID, AGAIN, FULL, CORRUPT, IO, NOMEM};
    static const char *const names[] = {"ok", "invalid", "again", "full", "corrupt", "io", "nomem"};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        assert_string_equal(code_name(codes[i]), names[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_formats_and_returns_the_code),
        cmocka_unit_test(set_without_an_error_still_returns_the_code),
        cmocka_unit_test(long_text_is_cut_at_the_end_and_terminated),
        cmocka_unit_test(prefix_stands_in_front),
        cmocka_unit_test(prefix_longer_than_the_text_keeps_its_head),
        cmocka_unit_test(every_code_has_its_own_name),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
