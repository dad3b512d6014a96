#include "agent/base/clock.h"
#include "agent/text/timefmt_int.h"

enum { DAY_S = 86400 };

/* What the fields have said so far; -1: nothing. */
struct parsed {
    int64_t year;
    int month, day, year_day, hour, minute, second;
    int64_t nanos;
    bool is_am, is_pm, is_utc, has_offset;
    int32_t offset_s;
    struct slice zone_name;
};

static bool is_digit(struct slice s, size_t i)
{
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

/* One or two digits, just two when fixed (Go's getnum). */
static bool take_number(struct slice *s, bool is_fixed, int *out)
{
    if (!is_digit(*s, 0) || (is_fixed && !is_digit(*s, 1)))
        return false;
    *out = s->ptr[0] - '0';
    if (is_digit(*s, 1)) {
        *out = *out * 10 + (s->ptr[1] - '0');
        *s = slice_from(*s, 1);
    }
    *s = slice_from(*s, 1);
    return true;
}

static bool take_number3(struct slice *s, bool is_fixed, int *out)
{
    size_t n = 0;

    for (*out = 0; n < 3 && is_digit(*s, n); n++)
        *out = *out * 10 + (s->ptr[n] - '0');
    *s = slice_from(*s, n);
    return n != 0 && (!is_fixed || n == 3);
}

/* The first of the names (or their first `head` letters) that s starts with, ASCII case ignored. */
static bool take_name(struct slice *s, const char *const *names, int n, size_t head, int *out)
{
    for (int i = 0; i < n; i++) {
        struct slice name = slice_head(slice_str(names[i]), head);

        if (s->len >= name.len && slice_eq_nocase(slice_head(*s, name.len), name)) {
            *s = slice_from(*s, name.len);
            *out = i;
            return true;
        }
    }
    return false;
}

/* A run of spaces in the layout takes any run in the value, also none at its end (Go's skip). */
static bool skip_text(struct slice *s, struct slice text)
{
    while (text.len != 0) {
        if (text.ptr[0] == ' ') {
            if (s->len != 0 && s->ptr[0] != ' ')
                return false;
            while (text.len != 0 && text.ptr[0] == ' ')
                text = slice_from(text, 1);
            while (s->len != 0 && s->ptr[0] == ' ')
                *s = slice_from(*s, 1);
            continue;
        }
        if (s->len == 0 || s->ptr[0] != text.ptr[0])
            return false;
        text = slice_from(text, 1);
        *s = slice_from(*s, 1);
    }
    return true;
}

/* A separator and n - 1 digits; digits past the ninth are dropped. */
static bool take_fraction(struct slice *s, size_t n, int64_t *nanos)
{
    int64_t v = 0;

    if (n > s->len || (s->ptr[0] != '.' && s->ptr[0] != ','))
        return false;
    for (size_t i = 1; i < n; i++) {
        if (!is_digit(*s, i))
            return false;
    }
    for (size_t i = 1; i < 10; i++)
        v = v * 10 + (i < n ? s->ptr[i] - '0' : 0);
    *nanos = v;
    *s = slice_from(*s, n);
    return true;
}

static size_t fraction_bytes(struct slice s)
{
    size_t n = 1;

    if (s.len < 2 || (s.ptr[0] != '.' && s.ptr[0] != ',') || !is_digit(s, 1))
        return 0;
    while (is_digit(s, n))
        n++;
    return n;
}

static bool take_offset(struct slice *s, const struct time_op *op, struct parsed *p)
{
    int h, m = 0, sec = 0;
    bool is_negative;

    if (op->takes_z && s->len != 0 && s->ptr[0] == 'Z') {
        *s = slice_from(*s, 1);
        p->is_utc = true;
        return true;
    }
    if (s->len == 0 || (s->ptr[0] != '+' && s->ptr[0] != '-'))
        return false;
    is_negative = s->ptr[0] == '-';
    *s = slice_from(*s, 1);
    if (!take_number(s, true, &h))
        return false;
    if (op->has_minutes && ((op->has_colon && !skip_text(s, SLICE_LIT(":"))) || !take_number(s, true, &m)))
        return false;
    if (op->has_seconds && ((op->has_colon && !skip_text(s, SLICE_LIT(":"))) || !take_number(s, true, &sec)))
        return false;
    if (h > 24 || m > 60 || sec > 60) /* Go allows the round value: some write 24 hours or 60 minutes */
        return false;
    p->has_offset = true;
    p->offset_s = (h * 60 + m) * 60 + sec;
    if (is_negative)
        p->offset_s = -p->offset_s;
    return true;
}

/* "+03", "-11": bytes, or 0 (Go's parseSignedOffset). */
static size_t signed_offset_bytes(struct slice s)
{
    int v = 0;
    size_t n = 1;

    if (s.len == 0 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return 0;
    for (; is_digit(s, n); n++) {
        if (v < 1000)
            v = v * 10 + (s.ptr[n] - '0');
    }
    return n > 1 && v <= 23 ? n : 0;
}

/* Go's parseTimeZone: three to five capitals, the longer ones ending in T, and the odd ones out. */
static size_t zone_name_bytes(struct slice s)
{
    size_t n = 0;

    if (s.len < 3)
        return 0;
    if (slice_starts(s, SLICE_LIT("ChST")) || slice_starts(s, SLICE_LIT("MeST")))
        return 4;
    if (slice_starts(s, SLICE_LIT("GMT")))
        return 3 + signed_offset_bytes(slice_from(s, 3));
    if (s.ptr[0] == '+' || s.ptr[0] == '-')
        return signed_offset_bytes(s);
    while (n < 6 && n < s.len && s.ptr[n] >= 'A' && s.ptr[n] <= 'Z')
        n++;
    if (n == 3 || (n == 5 && s.ptr[4] == 'T'))
        return n;
    return n == 4 && (s.ptr[3] == 'T' || slice_starts(s, SLICE_LIT("WITA"))) ? 4 : 0;
}

static bool take_zone_name(struct slice *s, struct parsed *p)
{
    size_t n;

    if (slice_starts(*s, SLICE_LIT("UTC"))) {
        p->is_utc = true;
        *s = slice_from(*s, 3);
        return true;
    }
    n = zone_name_bytes(*s);
    p->zone_name = slice_head(*s, n);
    *s = slice_from(*s, n);
    return n != 0;
}

static bool take_year(struct slice *s, int width, int64_t *out)
{
    int high, low;

    if (width == 2) {
        if (!take_number(s, true, &low))
            return false;
        *out = low + (low >= 69 ? 1900 : 2000);
        return true;
    }
    if (!take_number(s, true, &high) || !take_number(s, true, &low))
        return false;
    *out = high * 100 + low;
    return true;
}

/* Go reads a fraction after the seconds even where the layout has none. */
static bool take_seconds(struct slice *s, const struct time_op *op, const struct time_op *next, struct parsed *p)
{
    size_t n;

    if (!take_number(s, op->field == FIELD_SECOND_ZERO, &p->second) || p->second > 59)
        return false;
    if (next != NULL && (next->field == FIELD_FRACTION_0 || next->field == FIELD_FRACTION_9))
        return true;
    n = fraction_bytes(*s);
    return n == 0 || take_fraction(s, n, &p->nanos);
}

static bool take_half(struct slice *s, const char *am, const char *pm, struct parsed *p)
{
    if (slice_starts(*s, slice_str(pm)))
        p->is_pm = true;
    else if (slice_starts(*s, slice_str(am)))
        p->is_am = true;
    else
        return false;
    *s = slice_from(*s, 2);
    return true;
}

static bool take_date_field(struct slice *s, const struct time_op *op, struct parsed *p)
{
    enum time_field field = op->field;
    int ignored;

    switch ((unsigned)field) {
    case FIELD_YEAR4:
        return take_year(s, 4, &p->year);
    case FIELD_YEAR2:
        return take_year(s, 2, &p->year);
    case FIELD_MONTH_LONG:
    case FIELD_MONTH_SHORT:
        if (!take_name(s, timefmt_months, 12, field == FIELD_MONTH_SHORT ? 3 : SIZE_MAX, &p->month))
            return false;
        p->month++;
        return true;
    case FIELD_MONTH:
    case FIELD_MONTH_ZERO:
        return take_number(s, field == FIELD_MONTH_ZERO, &p->month) && p->month >= 1 && p->month <= 12;
    case FIELD_WEEKDAY_LONG:
    case FIELD_WEEKDAY_SHORT: /* read and not checked, as in Go */
        return take_name(s, timefmt_weekdays, 7, field == FIELD_WEEKDAY_SHORT ? 3 : SIZE_MAX, &ignored);
    case FIELD_DAY_SPACE:
        if (s->len != 0 && s->ptr[0] == ' ')
            *s = slice_from(*s, 1);
        return take_number(s, false, &p->day);
    case FIELD_DAY:
    case FIELD_DAY_ZERO:
        return take_number(s, field == FIELD_DAY_ZERO, &p->day);
    case FIELD_YEARDAY_SPACE:
        for (int i = 0; i < 2 && s->len != 0 && s->ptr[0] == ' '; i++)
            *s = slice_from(*s, 1);
        return take_number3(s, false, &p->year_day);
    case FIELD_YEARDAY_ZERO:
        return take_number3(s, true, &p->year_day);
    default:
        return false;
    }
}

static bool take_field(struct slice *s, const struct time_op *op, const struct time_op *next, struct parsed *p)
{
    size_t n;

    switch ((unsigned)op->field) {
    case FIELD_TEXT:
        return skip_text(s, op->text);
    case FIELD_HOUR24:
        return take_number(s, false, &p->hour) && p->hour < 24;
    case FIELD_HOUR12:
    case FIELD_HOUR12_ZERO:
        return take_number(s, op->field == FIELD_HOUR12_ZERO, &p->hour) && p->hour <= 12;
    case FIELD_MINUTE:
    case FIELD_MINUTE_ZERO:
        return take_number(s, op->field == FIELD_MINUTE_ZERO, &p->minute) && p->minute < 60;
    case FIELD_SECOND:
    case FIELD_SECOND_ZERO:
        return take_seconds(s, op, next, p);
    case FIELD_FRACTION_0:
        return take_fraction(s, op->n + 1, &p->nanos);
    case FIELD_FRACTION_9:
        n = fraction_bytes(*s);
        return n == 0 || take_fraction(s, n, &p->nanos);
    case FIELD_PM_UPPER:
        return take_half(s, "AM", "PM", p);
    case FIELD_PM_LOWER:
        return take_half(s, "am", "pm", p);
    case FIELD_ZONE_NAME:
        return take_zone_name(s, p);
    case FIELD_ZONE_OFFSET:
        return take_offset(s, op, p);
    default:
        return take_date_field(s, op, p);
    }
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int month, int64_t year)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Month and day from the day of the year; what was read of them before must agree. */
static bool settle_date(struct parsed *p)
{
    if (p->year_day >= 0) {
        int64_t year;
        int month, day;

        if (p->year_day < 1 || p->year_day > 365 + is_leap(p->year))
            return false;
        timefmt_civil(timefmt_days(p->year, 1, 1) + p->year_day - 1, &year, &month, &day);
        if ((p->month >= 0 && p->month != month) || (p->day >= 0 && p->day != day))
            return false;
        p->month = month;
        p->day = day;
    }
    if (p->month < 0)
        p->month = 1;
    if (p->day < 0)
        p->day = 1;
    return p->day >= 1 && p->day <= days_in(p->month, p->year);
}

/* Loki: the year nearest to now when one of the two is December and the other January, else now's. */
static int64_t guess_year(int month, int64_t now_ns)
{
    int64_t year, days = now_ns / NS_PER_S / DAY_S - (now_ns < 0);
    int now_month, now_day;

    timefmt_civil(days, &year, &now_month, &now_day);
    if (month == 12 && now_month == 1)
        return year - 1;
    return month == 1 && now_month == 12 ? year + 1 : year;
}

static int64_t to_unix(const struct parsed *p, const struct tz *zone)
{
    int64_t wall = timefmt_days(p->year, p->month, p->day) * DAY_S + p->hour * 3600 + p->minute * 60 + p->second;
    int32_t offset;

    if (p->is_utc)
        return wall;
    if (p->has_offset)
        return wall - p->offset_s;
    if (p->zone_name.len == 0)
        return tz_to_unix(zone, wall);
    /* Go: a name that the zone does not know counts as UTC, "GMT+3" too. */
    return tz_abbrev_offset(zone, p->zone_name, wall, &offset) ? wall - offset : wall;
}

static enum code to_ns(int64_t unix_s, int64_t nanos, int64_t *out, struct error *err)
{
    if (__builtin_mul_overflow(unix_s, (int64_t)NS_PER_S, out) || __builtin_add_overflow(*out, nanos, out))
        return error_set(err, INVALID, "time is outside of 1677 to 2262");
    return OK;
}

static enum code parse_unix(const struct timefmt *f, struct slice value, int64_t *out_ns, struct error *err)
{
    static const int64_t scale[] = {
        [KIND_UNIX] = NS_PER_S, [KIND_UNIX_MS] = NS_PER_MS, [KIND_UNIX_US] = 1000, [KIND_UNIX_NS] = 1};
    struct slice whole = value, fraction = {NULL, 0};
    bool has_fraction = f->kind == KIND_UNIX && slice_cut(value, '.', &whole, &fraction);
    int64_t v, nanos = 0;

    if (!slice_to_i64(whole, &v))
        return error_set(err, INVALID, "time \"%.*s\" is not a number", SLICE_ARG(value));
    if (has_fraction && fraction.len == 0)
        return error_set(err, INVALID, "time \"%.*s\" has no digits after the point", SLICE_ARG(value));
    for (size_t i = 0; i < 9 || i < fraction.len; i++) {
        if (i < fraction.len && !is_digit(fraction, i))
            return error_set(err, INVALID, "time \"%.*s\" is not a number", SLICE_ARG(value));
        if (i < 9)
            nanos = nanos * 10 + (i < fraction.len ? fraction.ptr[i] - '0' : 0);
    }
    if (__builtin_mul_overflow(v, scale[f->kind], out_ns) || __builtin_add_overflow(*out_ns, nanos, out_ns))
        return error_set(err, INVALID, "time %.*s is outside of 1677 to 2262", SLICE_ARG(value));
    return OK;
}

enum code timefmt_parse(const struct timefmt *f, struct slice value, const struct tz *zone, int64_t now_ns,
                        int64_t *out_ns, struct error *err)
{
    struct parsed p = {.month = -1, .day = -1, .year_day = -1};
    struct slice rest = value;

    if (f->kind != KIND_LAYOUT)
        return parse_unix(f, value, out_ns, err);
    if (f->is_rfc3339 && timefmt_parse_rfc3339(value, out_ns))
        return OK;
    for (size_t i = 0; i < f->n_ops; i++) {
        const struct time_op *next = i + 1 < f->n_ops ? &f->ops[i + 1] : NULL;

        if (!take_field(&rest, &f->ops[i], next, &p))
            return error_set(err, INVALID, "time \"%.*s\" does not fit the layout \"%s\" at byte %zu",
                             (int)slice_head(value, 128).len, value.ptr != NULL ? value.ptr : "", f->layout,
                             value.len - rest.len);
    }
    if (rest.len != 0)
        return error_set(err, INVALID, "time \"%.*s\" goes on after the layout \"%s\"", (int)slice_head(value, 128).len,
                         value.ptr, f->layout);
    if (p.is_pm && p.hour < 12)
        p.hour += 12;
    else if (p.is_am && p.hour == 12)
        p.hour = 0;
    if (!settle_date(&p))
        return error_set(err, INVALID, "time \"%.*s\": no such day", (int)slice_head(value, 128).len, value.ptr);
    if (p.year == 0)
        p.year = guess_year(p.month, now_ns);
    return to_ns(to_unix(&p, zone), p.nanos, out_ns, err);
}

/* Two digits at p, or a number past every range. */
static inline unsigned pair(const char *p)
{
    unsigned a = (unsigned)(unsigned char)p[0] - '0', b = (unsigned)(unsigned char)p[1] - '0';

    return a > 9 || b > 9 ? 9999 : a * 10 + b;
}

/* "Z" or "+hh:mm", nothing after it. */
static bool read_rfc3339_zone(struct slice s, int64_t *offset_s)
{
    unsigned h, m;

    *offset_s = 0;
    if (s.len == 1 && s.ptr[0] == 'Z')
        return true;
    if (s.len != 6 || (s.ptr[0] != '+' && s.ptr[0] != '-') || s.ptr[3] != ':')
        return false;
    h = pair(s.ptr + 1);
    m = pair(s.ptr + 4);
    *offset_s = (int64_t)h * 3600 + m * 60;
    if (s.ptr[0] == '-')
        *offset_s = -*offset_s;
    return h <= 23 && m <= 59;
}

bool timefmt_parse_rfc3339(struct slice value, int64_t *out_ns)
{
    const char *p = value.ptr;
    unsigned high, low, month, day, hour, minute, second;
    int64_t nanos = 0, offset;
    size_t n;

    if (value.len < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':')
        return false;
    high = pair(p);
    low = pair(p + 2);
    month = pair(p + 5);
    day = pair(p + 8);
    hour = pair(p + 11);
    minute = pair(p + 14);
    second = pair(p + 17);
    if (high > 99 || low > 99 || (high == 0 && low == 0) || month < 1 || month > 12 || hour > 23 || minute > 59 ||
        second > 59 || day < 1 || (int)day > days_in((int)month, (int64_t)high * 100 + low))
        return false;
    value = slice_from(value, 19);
    n = value.ptr[0] == '.' ? fraction_bytes(value) : 0;
    if ((n != 0 && !take_fraction(&value, n, &nanos)) || !read_rfc3339_zone(value, &offset))
        return false;
    return to_ns(timefmt_days((int64_t)high * 100 + low, (int)month, (int)day) * DAY_S + hour * 3600 + minute * 60 +
                     second - offset,
                 nanos, out_ns, NULL) == OK;
}
