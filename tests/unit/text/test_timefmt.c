#include "agent/text/timefmt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S 1000000000ll

/* 2024-07-15 12:00:00 UTC */
static const int64_t now = 1721044800 * S;

struct row {
    const char *layout, *value, *zone;
    int64_t want;
};

static const struct row rows[] = {
    {"RFC3339", "2006-01-02T15:04:05Z", NULL, 1136214245 * S},
    {"RFC3339", "2006-01-02T15:04:05-07:00", NULL, 1136239445 * S},
    {"RFC3339", "2006-01-02T15:04:05.5Z", NULL, 1136214245 * S + 500000000},
    {"RFC3339Nano", "2024-02-29T23:59:59.123456789+09:00", NULL, 1709218799 * S + 123456789},
    {"RFC3339Nano", "1969-12-31T23:59:59.999999999Z", NULL, -1},
    {"ANSIC", "Mon Jan  2 15:04:05 2006", NULL, 1136214245 * S},
    {"UnixDate", "Mon Jan  2 15:04:05 UTC 2006", NULL, 1136214245 * S},
    {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006", NULL, 1136239445 * S},
    {"RFC822", "02 Jan 06 15:04 UTC", NULL, 1136214240 * S},
    {"RFC822Z", "02 Jan 06 15:04 -0700", NULL, 1136239440 * S},
    {"RFC850", "Monday, 02-Jan-06 15:04:05 UTC", NULL, 1136214245 * S},
    {"RFC1123", "Mon, 02 Jan 2006 15:04:05 GMT", NULL, 1136214245 * S},
    {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 +0000", NULL, 1136214245 * S},
    {"2006-01-02 15:04:05", "2006-01-02 15:04:05", "Asia/Seoul", (1136214245 - 9 * 3600) * S},
    {"2006-01-02 15:04:05,000", "2006-01-02 15:04:05,123", NULL, 1136214245 * S + 123000000},
    {"2006-01-02 15:04:05", "2006-01-02 15:04:05.25", NULL, 1136214245 * S + 250000000},
    {"02/Jan/2006:15:04:05 -0700", "02/Jan/2006:15:04:05 +0000", NULL, 1136214245 * S},
    {"2006/01/02 - 15:04:05", "2006/01/02 - 15:04:05", NULL, 1136214245 * S},
    {"1/2/2006 3:04:05 PM", "1/2/2006 3:04:05 PM", NULL, 1136214245 * S},
    {"1/2/2006 3:04:05 PM", "1/2/2006 12:04:05 AM", NULL, (1136214245 - 15 * 3600) * S},
    {"2006-002 15:04:05", "2006-002 15:04:05", NULL, 1136214245 * S},
    {"20060102T150405Z0700", "20060102T150405Z", NULL, 1136214245 * S},
    {"20060102T150405Z0700", "20060102T150405+0900", NULL, (1136214245 - 9 * 3600) * S},
    {"2006-01-02T15:04:05Z07", "2006-01-02T15:04:05+09", NULL, (1136214245 - 9 * 3600) * S},
    {"January 2, 2006", "january 2, 2006", NULL, 1136160000 * S},
    {"06-1-2", "69-1-2", NULL, (int64_t)-31449600 * S},
    {"Jan _2 15:04:05", "Jul 14 12:00:00", NULL, (1721044800 - 86400) * S},
    {"Jan _2 15:04:05", "Jul  4 12:00:00", NULL, (1721044800 - 11 * 86400) * S},
    {"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 KST", "Asia/Seoul", (1136214245 - 9 * 3600) * S},
    {"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 KST", NULL, 1136214245 * S},
    {"2006-01-02 15:04:05 MST", "2006-07-02 15:04:05 EDT", "America/New_York", 1151867045 * S},
    {"Unix", "1136214245", NULL, 1136214245 * S},
    {"Unix", "1136214245.5", NULL, 1136214245 * S + 500000000},
    {"UnixMs", "1136214245123", NULL, 1136214245 * S + 123000000},
    {"UnixUs", "1136214245123456", NULL, 1136214245 * S + 123456000},
    {"UnixNs", "1136214245123456789", NULL, 1136214245 * S + 123456789},
};

static enum code parse(const char *layout, const char *value, const char *zone, int64_t at, int64_t *out)
{
    const struct tz *z = tz_utc();
    struct timefmt *f;
    enum code rc;

    if (zone != NULL)
        assert_int_equal(tz_load(&z, slice_str(zone), NULL), OK);
    assert_int_equal(timefmt_compile(&f, slice_str(layout), NULL), OK);
    rc = timefmt_parse(f, slice_str(value), z, at, out, NULL);
    timefmt_free(f);
    return rc;
}

static void values_parse_as_go_parses_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = 0;

        if (parse(rows[i].layout, rows[i].value, rows[i].zone, now, &got) != OK || got != rows[i].want)
            fail_msg("%s as %s: %lld, not %lld", rows[i].value, rows[i].layout, (long long)got,
                     (long long)rows[i].want);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    static const struct {
        const char *layout, *value;
    } bad[] = {
        {"RFC3339", "2006-01-02 15:04:05Z"},
        {"RFC3339", "2006-02-30T15:04:05Z"},
        {"RFC3339", "2006-13-02T15:04:05Z"},
        {"RFC3339", "2006-01-02T24:04:05Z"},
        {"RFC3339", "2006-01-02T15:04:05"},
        {"RFC3339", "2006-01-02T15:04:05Zx"},
        {"RFC3339", "2006-01-02T15:04:60Z"},
        {"2006-01-02", "2005-02-29"},
        {"2006-01-02", "06-01-02"},
        {"15:04:05.000", "15:04:05.12"},
        {"3:04 PM", "13:04 PM"},
        {"3:04 PM", "3:04 pm"},
        {"Jan", "Foo"},
        {"Unix", "12x"},
        {"Unix", "1.2.3"},
        {"UnixMs", "99999999999999999999"},
        {"RFC3339", "9999-01-02T15:04:05Z"},
        {"2006-002", "2006-366"},
        {"MST", "xyz"},
        {"-0700", "0700"},
        {"2006-01-02 15:04", "2006-01-02 15:04 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t got;

        if (parse(bad[i].layout, bad[i].value, NULL, now, &got) != INVALID)
            fail_msg("taken: %s as %s", bad[i].value, bad[i].layout);
    }
}

static void a_missing_year_is_the_nearest_one(void **state)
{
    int64_t got = 0;

    (void)state;
    /* 31 December read on 2024-01-01 is 2023's; 1 January read on 2024-12-31 is 2025's. */
    assert_int_equal(parse("Jan 02 15:04:05", "Dec 31 23:59:59", NULL, 1704067200 * S, &got), OK);
    assert_int_equal(got, 1704067199 * S);
    assert_int_equal(parse("Jan 02 15:04:05", "Jan 01 00:00:00", NULL, 1735603200 * S, &got), OK);
    assert_int_equal(got, 1735689600 * S);
}

static void times_format_as_go_formats_them(void **state)
{
    static const struct {
        const char *layout, *zone;
        int64_t ns;
        const char *want;
    } shown[] = {
        {"RFC3339", "UTC", 1136214245 * S, "2006-01-02T15:04:05Z"},
        {"RFC3339Nano", "Asia/Seoul", 1136214245 * S + 120000000, "2006-01-03T00:04:05.12+09:00"},
        {"ANSIC", "UTC", 1136214245 * S, "Mon Jan  2 15:04:05 2006"},
        {"UnixDate", "America/New_York", 1151867045 * S, "Sun Jul  2 15:04:05 EDT 2006"},
        {"2006-01-02 15:04:05.000", "UTC", -1, "1969-12-31 23:59:59.999"},
        {"3:4:5 pm 06 1 2 002 __2", "UTC", 1136214245 * S, "3:4:5 pm 06 1 2 002   2"},
        {"January Monday .999 -070000 Z07:00:00", "Asia/Seoul", 1136214245 * S, "January Tuesday  +090000 +09:00:00"},
        {"_2006 Month 05.999x", "UTC", 1136214245 * S, "_2006 Month 05x"},
        {"Unix", "UTC", -1, "-1"},
        {"UnixMs", "UTC", 1136214245 * S + 7000000, "1136214245007"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const struct tz *z;
        struct timefmt *f;
        struct buf b;

        buf_init(&b, 256);
        assert_int_equal(tz_load(&z, slice_str(shown[i].zone), NULL), OK);
        assert_int_equal(timefmt_compile(&f, slice_str(shown[i].layout), NULL), OK);
        assert_int_equal(timefmt_format(f, shown[i].ns, z, &b), OK);
        if (!slice_eq_str(buf_slice(&b), shown[i].want))
            fail_msg("%s gives %.*s", shown[i].layout, SLICE_ARG(buf_slice(&b)));
        timefmt_free(f);
        buf_release(&b);
    }
}

static void the_calendar_is_its_own_inverse(void **state)
{
    (void)state;
    assert_int_equal(timefmt_days(1970, 1, 1), 0);
    assert_int_equal(timefmt_days(2000, 3, 1), 11017);
    for (int64_t days = -200000; days < 200000; days += 17) {
        int64_t year;
        int month, day;

        timefmt_civil(days, &year, &month, &day);
        assert_int_equal(timefmt_days(year, month, day), days);
    }
}

static void the_fast_path_takes_only_rfc3339(void **state)
{
    int64_t got = 0;

    (void)state;
    assert_true(timefmt_parse_rfc3339(SLICE_LIT("2024-02-29T00:00:00.1234567891Z"), &got));
    assert_int_equal(got, 1709164800 * S + 123456789);
    assert_false(timefmt_parse_rfc3339(SLICE_LIT("2024-02-30T00:00:00Z"), &got));
    assert_false(timefmt_parse_rfc3339(SLICE_LIT("2024-02-29T00:00:00.Z"), &got));
    assert_false(timefmt_parse_rfc3339(SLICE_LIT("2024-02-29T00:00:00+0900"), &got));
    assert_false(timefmt_parse_rfc3339(SLICE_LIT("2024-02-29 00:00:00Z"), &got));
    assert_false(timefmt_parse_rfc3339(SLICE_LIT(""), &got));
}

static void a_layout_without_fields_is_known(void **state)
{
    struct timefmt *f;

    (void)state;
    assert_int_equal(timefmt_compile(&f, SLICE_LIT("never"), NULL), OK);
    assert_false(timefmt_has_fields(f));
    timefmt_free(f);
    assert_int_equal(timefmt_compile(&f, SLICE_LIT("at 15"), NULL), OK);
    assert_true(timefmt_has_fields(f));
    timefmt_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_parse_as_go_parses_them),    cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_missing_year_is_the_nearest_one), cmocka_unit_test(times_format_as_go_formats_them),
        cmocka_unit_test(the_calendar_is_its_own_inverse),   cmocka_unit_test(the_fast_path_takes_only_rfc3339),
        cmocka_unit_test(a_layout_without_fields_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
