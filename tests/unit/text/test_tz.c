#include "agent/text/tz.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct tz *load(const char *name)
{
    struct error err = {0};
    const struct tz *z;

    if (tz_load(&z, slice_str(name), &err) != OK)
        fail_msg("%s: %s", name, err.text);
    return z;
}

static void offsets_are_those_of_the_zone(void **state)
{
    static const struct {
        const char *zone;
        int64_t at;
        int32_t offset;
        const char *abbrev;
    } rows[] = {
        {"UTC", 0, 0, "UTC"},
        {"", 0, 0, "UTC"},
        {"Asia/Seoul", 1136214245, 9 * 3600, "KST"},
        {"America/New_York", 1136214245, -5 * 3600, "EST"},
        {"America/New_York", 1151867045, -4 * 3600, "EDT"},
        {"America/New_York", 1710053999, -5 * 3600, "EST"}, /* 2024-03-10 06:59:59 UTC */
        {"America/New_York", 1710054000, -4 * 3600, "EDT"},
        {"America/New_York", 4101148800, -5 * 3600, "EST"}, /* 2099-12-17: the footer's rule */
        {"America/New_York", 4087584000, -4 * 3600, "EDT"}, /* 2099-07-13 */
        {"Australia/Sydney", 4101148800, 11 * 3600, "AEDT"},
        {"Europe/Dublin", 1720000000, 3600, "IST"},
        {"Asia/Kolkata", 1720000000, 19800, "IST"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tz_info info;

        tz_lookup(load(rows[i].zone), rows[i].at, &info);
        if (info.offset_s != rows[i].offset || !slice_eq_str(slice_str(info.abbrev), rows[i].abbrev))
            fail_msg("%s at %lld: %d %s", rows[i].zone, (long long)rows[i].at, info.offset_s, info.abbrev);
    }
}

static void wall_clock_becomes_unix_time(void **state)
{
    const struct tz *ny = load("America/New_York");

    (void)state;
    assert_int_equal(tz_to_unix(load("Asia/Seoul"), 1136214245), 1136214245 - 9 * 3600);
    assert_int_equal(tz_to_unix(ny, 1151867045 - 4 * 3600), 1151867045);
    /* 02:30 on 2024-03-10 does not exist; Go's Date gives 01:30 EST, 06:30 UTC. */
    assert_int_equal(tz_to_unix(ny, 1710037800), 1710052200);
}

static void abbreviations_are_looked_up_near_the_time(void **state)
{
    int32_t offset = 0;

    (void)state;
    assert_true(tz_abbrev_offset(load("America/New_York"), SLICE_LIT("EDT"), 1151867045, &offset));
    assert_int_equal(offset, -4 * 3600);
    assert_false(tz_abbrev_offset(load("America/New_York"), SLICE_LIT("KST"), 0, &offset));
}

static void names_that_leave_the_folder_are_refused(void **state)
{
    static const char *const bad[] = {"../etc/passwd", "/etc/localtime", "a/../b", "No/Such", "a\\b", "Asia"};
    const struct tz *z;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (tz_load(&z, slice_str(bad[i]), NULL) != INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_null(z);
    }
    assert_ptr_equal(load("Asia/Seoul"), load("Asia/Seoul"));
}

static void broken_files_are_refused(void **state)
{
    char bytes[64] = "TZif2";
    struct tz *z;

    (void)state;
    assert_int_equal(tz_parse(&z, SLICE_LIT("x"), slice_make(bytes, sizeof bytes), NULL), INVALID);
    assert_int_equal(tz_parse(&z, SLICE_LIT("x"), slice_make(NULL, 0), NULL), INVALID);
    bytes[4] = '\0';
    bytes[39] = 1; /* one type, no characters for its name */
    assert_int_equal(tz_parse(&z, SLICE_LIT("x"), slice_make(bytes, 50), NULL), INVALID);
    assert_null(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_zone),
        cmocka_unit_test(wall_clock_becomes_unix_time),
        cmocka_unit_test(abbreviations_are_looked_up_near_the_time),
        cmocka_unit_test(names_that_leave_the_folder_are_refused),
        cmocka_unit_test(broken_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
