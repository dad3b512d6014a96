#include "agent/base/clock.h"
#include "agent/text/timefmt_int.h"
#include <stdio.h>
#include <stdlib.h>

enum { DAY_S = 86400 };

struct shown {
    int64_t year;
    int month, day, weekday, year_day, hour, minute, second;
    int64_t nanos;
    struct tz_info zone;
};

static void split(int64_t ns, const struct tz *zone, struct shown *t)
{
    int64_t unix_s = ns / NS_PER_S, wall, days, left;

    t->nanos = ns % NS_PER_S;
    if (t->nanos < 0) {
        t->nanos += NS_PER_S;
        unix_s--;
    }
    tz_lookup(zone, unix_s, &t->zone);
    wall = unix_s + t->zone.offset_s;
    days = (wall - (wall < 0 ? DAY_S - 1 : 0)) / DAY_S;
    left = wall - days * DAY_S;
    timefmt_civil(days, &t->year, &t->month, &t->day);
    t->weekday = (int)(((days + 4) % 7 + 7) % 7);
    t->year_day = (int)(days - timefmt_days(t->year, 1, 1)) + 1;
    t->hour = (int)(left / 3600);
    t->minute = (int)(left / 60 % 60);
    t->second = (int)(left % 60);
}

static void write_offset(const struct time_op *op, int32_t offset_s, struct buf *out)
{
    const char *colon = op->has_colon ? ":" : "";
    int seconds = abs(offset_s);

    if (op->takes_z && offset_s == 0) {
        (void)buf_add_char(out, 'Z');
        return;
    }
    (void)buf_printf(out, "%c%02d", offset_s < 0 ? '-' : '+', seconds / 3600);
    if (op->has_minutes)
        (void)buf_printf(out, "%s%02d", colon, seconds / 60 % 60);
    if (op->has_seconds)
        (void)buf_printf(out, "%s%02d", colon, seconds % 60);
}

/* A zone without a name of its own ("+09") prints its offset, as Go does. */
static void write_zone_name(const struct tz_info *zone, struct buf *out)
{
    int minutes = abs(zone->offset_s) / 60;

    if (zone->abbrev[0] != '\0') {
        (void)buf_add_str(out, zone->abbrev);
        return;
    }
    (void)buf_printf(out, "%c%02d", zone->offset_s < 0 ? '-' : '+', minutes / 60);
    if (minutes % 60 != 0)
        (void)buf_printf(out, "%02d", minutes % 60);
}

static void write_fraction(const struct time_op *op, int64_t nanos, struct buf *out)
{
    char digits[16];
    size_t n = op->n;

    (void)snprintf(digits, sizeof digits, "%09lld", (long long)nanos);
    if (op->field == FIELD_FRACTION_9) {
        n = n < 9 ? n : 9;
        while (n > 0 && digits[n - 1] == '0')
            n--;
        if (n == 0)
            return;
    }
    (void)buf_add_char(out, op->separator);
    (void)buf_add(out, slice_make(digits, n < 9 ? n : 9));
    for (size_t i = 9; i < n; i++)
        (void)buf_add_char(out, '0');
}

static int hour12(int hour)
{
    return hour % 12 != 0 ? hour % 12 : 12;
}

static void write_field(const struct time_op *op, const struct shown *t, struct buf *out)
{
    switch (op->field) {
    case FIELD_TEXT:
        (void)buf_add(out, op->text);
        return;
    case FIELD_YEAR4:
        (void)buf_printf(out, "%04lld", (long long)t->year);
        return;
    case FIELD_YEAR2:
        (void)buf_printf(out, "%02d", (int)(t->year % 100));
        return;
    case FIELD_MONTH_LONG:
    case FIELD_MONTH_SHORT:
        (void)buf_printf(out, "%.*s", op->field == FIELD_MONTH_SHORT ? 3 : 16, timefmt_months[t->month - 1]);
        return;
    case FIELD_MONTH:
    case FIELD_MONTH_ZERO:
        (void)buf_printf(out, op->field == FIELD_MONTH ? "%d" : "%02d", t->month);
        return;
    case FIELD_WEEKDAY_LONG:
    case FIELD_WEEKDAY_SHORT:
        (void)buf_printf(out, "%.*s", op->field == FIELD_WEEKDAY_SHORT ? 3 : 16, timefmt_weekdays[t->weekday]);
        return;
    case FIELD_DAY:
        (void)buf_printf(out, "%d", t->day);
        return;
    case FIELD_DAY_SPACE:
        (void)buf_printf(out, "%2d", t->day);
        return;
    case FIELD_DAY_ZERO:
        (void)buf_printf(out, "%02d", t->day);
        return;
    case FIELD_YEARDAY_SPACE:
        (void)buf_printf(out, "%3d", t->year_day);
        return;
    case FIELD_YEARDAY_ZERO:
        (void)buf_printf(out, "%03d", t->year_day);
        return;
    case FIELD_HOUR24:
        (void)buf_printf(out, "%02d", t->hour);
        return;
    case FIELD_HOUR12:
    case FIELD_HOUR12_ZERO:
        (void)buf_printf(out, op->field == FIELD_HOUR12 ? "%d" : "%02d", hour12(t->hour));
        return;
    case FIELD_MINUTE:
    case FIELD_MINUTE_ZERO:
        (void)buf_printf(out, op->field == FIELD_MINUTE ? "%d" : "%02d", t->minute);
        return;
    case FIELD_SECOND:
    case FIELD_SECOND_ZERO:
        (void)buf_printf(out, op->field == FIELD_SECOND ? "%d" : "%02d", t->second);
        return;
    case FIELD_FRACTION_0:
    case FIELD_FRACTION_9:
        write_fraction(op, t->nanos, out);
        return;
    case FIELD_PM_UPPER:
        (void)buf_add_str(out, t->hour >= 12 ? "PM" : "AM");
        return;
    case FIELD_PM_LOWER:
        (void)buf_add_str(out, t->hour >= 12 ? "pm" : "am");
        return;
    case FIELD_ZONE_NAME:
        write_zone_name(&t->zone, out);
        return;
    case FIELD_ZONE_OFFSET:
        write_offset(op, t->zone.offset_s, out);
        return;
    }
}

enum code timefmt_format(const struct timefmt *f, int64_t ns, const struct tz *zone, struct buf *out)
{
    static const int64_t scale[] = {
        [KIND_UNIX] = NS_PER_S, [KIND_UNIX_MS] = NS_PER_MS, [KIND_UNIX_US] = 1000, [KIND_UNIX_NS] = 1};
    struct shown t;

    if (f->kind != KIND_LAYOUT) {
        int64_t v = ns / scale[f->kind] - (ns % scale[f->kind] < 0);

        return buf_printf(out, "%lld", (long long)v);
    }
    split(ns, zone, &t);
    for (size_t i = 0; i < f->n_ops; i++)
        write_field(&f->ops[i], &t, out);
    return out->is_full ? FULL : OK;
}
