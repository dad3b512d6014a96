#include "agent/text/timefmt.h"
#include "agent/text/tz_int.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

static bool take_char(struct slice *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool take_number(struct slice *s, int min, int max, int *out)
{
    int v = 0;
    size_t n = 0;

    while (n < s->len && n < 4 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        v = v * 10 + (s->ptr[n++] - '0');
    *s = slice_from(*s, n);
    *out = v;
    return n != 0 && v >= min && v <= max;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool take_time(struct slice *s, int max_hours, int64_t *out)
{
    bool is_negative = take_char(s, '-');
    int h, m = 0, sec = 0;

    if (!is_negative)
        (void)take_char(s, '+');
    if (!take_number(s, 0, max_hours, &h))
        return false;
    if (take_char(s, ':') && !take_number(s, 0, 59, &m))
        return false;
    if (take_char(s, ':') && !take_number(s, 0, 59, &sec))
        return false;
    *out = (int64_t)h * HOUR_S + m * 60 + sec;
    if (is_negative)
        *out = -*out;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_name(struct slice *s, char out[TZ_ABBREV_BYTES])
{
    bool is_quoted = take_char(s, '<');
    size_t n = 0;

    while (n < s->len && (is_quoted ? s->ptr[n] != '>' : is_letter(s->ptr[n])))
        n++;
    if (n < 3 || n >= TZ_ABBREV_BYTES)
        return false;
    memcpy(out, s->ptr, n);
    out[n] = '\0';
    *s = slice_from(*s, n);
    return !is_quoted || take_char(s, '>');
}

static bool take_change(struct slice *s, struct tz_change *out)
{
    bool is_good;

    *out = (struct tz_change){.kind = 'D', .seconds = 2 * HOUR_S};
    if (take_char(s, 'J')) {
        out->kind = 'J';
        is_good = take_number(s, 1, 365, &out->day);
    } else if (take_char(s, 'M')) {
        out->kind = 'M';
        is_good = take_number(s, 1, 12, &out->month) && take_char(s, '.') && take_number(s, 1, 5, &out->week) &&
                  take_char(s, '.') && take_number(s, 0, 6, &out->day);
    } else {
        is_good = take_number(s, 0, 365, &out->day);
    }
    if (is_good && take_char(s, '/'))
        is_good = take_time(s, 167, &out->seconds);
    return is_good;
}

bool tz_rule_parse(struct tz_rule *r, struct slice text)
{
    int64_t west;

    *r = (struct tz_rule){.is_set = true};
    if (!take_name(&text, r->standard.abbrev) || !take_time(&text, 24, &west))
        return false;
    r->standard.offset_s = (int32_t)-west;
    if (text.len == 0)
        return true;
    r->has_dst = r->daylight.is_dst = true;
    if (!take_name(&text, r->daylight.abbrev))
        return false;
    west -= HOUR_S;
    if (text.len != 0 && text.ptr[0] != ',' && !take_time(&text, 24, &west))
        return false;
    r->daylight.offset_s = (int32_t)-west;
    if (text.len == 0) /* no dates: the United States', as Go has it */
        text = SLICE_LIT(",M3.2.0,M11.1.0");
    return take_char(&text, ',') && take_change(&text, &r->start) && take_char(&text, ',') &&
           take_change(&text, &r->end) && text.len == 0;
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970 of the change in this year. */
static int64_t change_day(const struct tz_change *c, int64_t year)
{
    int64_t first, weekday, day;

    if (c->kind != 'M') {
        day = c->kind == 'D' ? c->day : c->day - 1 + (is_leap(year) && c->day >= 60);
        return timefmt_days(year, 1, 1) + day;
    }
    first = timefmt_days(year, c->month, 1);
    weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    day = first + (c->day - weekday + 7) % 7 + 7 * (c->week - 1);
    if (day >= timefmt_days(c->month == 12 ? year + 1 : year, c->month == 12 ? 1 : c->month + 1, 1))
        day -= 7; /* week 5 is the last one */
    return day;
}

const struct tz_info *tz_rule_at(const struct tz_rule *r, int64_t unix_s)
{
    int64_t wall = unix_s + r->standard.offset_s, days, year, start, end;
    int month, day;

    if (!r->has_dst)
        return &r->standard;
    days = (wall - (wall < 0 ? DAY_S - 1 : 0)) / DAY_S;
    timefmt_civil(days, &year, &month, &day);
    start = change_day(&r->start, year) * DAY_S + r->start.seconds - r->standard.offset_s;
    end = change_day(&r->end, year) * DAY_S + r->end.seconds - r->daylight.offset_s;
    if (start < end)
        return unix_s >= start && unix_s < end ? &r->daylight : &r->standard;
    return unix_s >= end && unix_s < start ? &r->standard : &r->daylight;
}
