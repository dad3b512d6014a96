#include "agent/text/timefmt_int.h"
#include "agent/base/mem.h"

const char *const timefmt_months[12] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
const char *const timefmt_weekdays[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static const struct {
    const char *name, *layout;
} named[] = {
    {"ANSIC", "Mon Jan _2 15:04:05 2006"},          {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
    {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"}, {"RFC822", "02 Jan 06 15:04 MST"},
    {"RFC822Z", "02 Jan 06 15:04 -0700"},           {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
    {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},   {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
    {"RFC3339", "2006-01-02T15:04:05Z07:00"},       {"RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"},
};

/* Longest first where one starts another. */
static const struct {
    const char *text;
    struct time_op op;
    bool ends_word; /* not before a lower-case letter */
} chunks[] = {
    {"January", {.field = FIELD_MONTH_LONG}, false},
    {"Jan", {.field = FIELD_MONTH_SHORT}, true},
    {"Monday", {.field = FIELD_WEEKDAY_LONG}, false},
    {"Mon", {.field = FIELD_WEEKDAY_SHORT}, true},
    {"MST", {.field = FIELD_ZONE_NAME}, false},
    {"01", {.field = FIELD_MONTH_ZERO}, false},
    {"02", {.field = FIELD_DAY_ZERO}, false},
    {"03", {.field = FIELD_HOUR12_ZERO}, false},
    {"04", {.field = FIELD_MINUTE_ZERO}, false},
    {"05", {.field = FIELD_SECOND_ZERO}, false},
    {"06", {.field = FIELD_YEAR2}, false},
    {"002", {.field = FIELD_YEARDAY_ZERO}, false},
    {"15", {.field = FIELD_HOUR24}, false},
    {"1", {.field = FIELD_MONTH}, false},
    {"2006", {.field = FIELD_YEAR4}, false},
    {"2", {.field = FIELD_DAY}, false},
    {"_2", {.field = FIELD_DAY_SPACE}, false},
    {"__2", {.field = FIELD_YEARDAY_SPACE}, false},
    {"3", {.field = FIELD_HOUR12}, false},
    {"4", {.field = FIELD_MINUTE}, false},
    {"5", {.field = FIELD_SECOND}, false},
    {"PM", {.field = FIELD_PM_UPPER}, false},
    {"pm", {.field = FIELD_PM_LOWER}, false},
    {"-070000", {.field = FIELD_ZONE_OFFSET, .has_minutes = true, .has_seconds = true}, false},
    {"-07:00:00", {.field = FIELD_ZONE_OFFSET, .has_colon = true, .has_minutes = true, .has_seconds = true}, false},
    {"-0700", {.field = FIELD_ZONE_OFFSET, .has_minutes = true}, false},
    {"-07:00", {.field = FIELD_ZONE_OFFSET, .has_colon = true, .has_minutes = true}, false},
    {"-07", {.field = FIELD_ZONE_OFFSET}, false},
    {"Z070000", {.field = FIELD_ZONE_OFFSET, .takes_z = true, .has_minutes = true, .has_seconds = true}, false},
    {"Z07:00:00",
     {.field = FIELD_ZONE_OFFSET, .takes_z = true, .has_colon = true, .has_minutes = true, .has_seconds = true},
     false},
    {"Z0700", {.field = FIELD_ZONE_OFFSET, .takes_z = true, .has_minutes = true}, false},
    {"Z07:00", {.field = FIELD_ZONE_OFFSET, .takes_z = true, .has_colon = true, .has_minutes = true}, false},
    {"Z07", {.field = FIELD_ZONE_OFFSET, .takes_z = true}, false},
};

static bool is_digit(struct slice s, size_t i)
{
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

/* ".000" or ",999" that no digit follows. */
static size_t read_fraction(struct slice s, struct time_op *op)
{
    size_t n = 1;

    if (s.len < 2 || (s.ptr[0] != '.' && s.ptr[0] != ',') || (s.ptr[1] != '0' && s.ptr[1] != '9'))
        return 0;
    while (n < s.len && s.ptr[n] == s.ptr[1])
        n++;
    if (is_digit(s, n))
        return 0;
    *op = (struct time_op){
        .field = s.ptr[1] == '0' ? FIELD_FRACTION_0 : FIELD_FRACTION_9, .n = (unsigned)(n - 1), .separator = s.ptr[0]};
    return n;
}

/* The layout element at the start of s: its bytes, or 0. */
static size_t read_chunk(struct slice s, struct time_op *op)
{
    if (slice_starts(s, SLICE_LIT("_2006")))
        return 0; /* a literal '_', then the year */
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct slice text = slice_str(chunks[i].text);

        if (!slice_starts(s, text))
            continue;
        if (chunks[i].ends_word && s.len > text.len && s.ptr[text.len] >= 'a' && s.ptr[text.len] <= 'z')
            continue;
        *op = chunks[i].op;
        return text.len;
    }
    return read_fraction(s, op);
}

static void compile_layout(struct timefmt *f)
{
    struct slice rest = slice_str(f->layout);
    size_t literal = 0;

    while (literal < rest.len) {
        struct time_op op;
        size_t n = read_chunk(slice_from(rest, literal), &op);

        if (n == 0) {
            literal++;
            continue;
        }
        if (literal != 0)
            f->ops[f->n_ops++] = (struct time_op){.field = FIELD_TEXT, .text = slice_head(rest, literal)};
        f->ops[f->n_ops++] = op;
        rest = slice_from(rest, literal + n);
        literal = 0;
    }
    if (literal != 0)
        f->ops[f->n_ops++] = (struct time_op){.field = FIELD_TEXT, .text = rest};
}

static bool find_unix(struct slice layout, enum timefmt_kind *kind)
{
    static const char *const names[] = {"Unix", "UnixMs", "UnixUs", "UnixNs"};

    for (unsigned i = 0; i < 4; i++) {
        if (slice_eq_str(layout, names[i])) {
            *kind = (enum timefmt_kind)(KIND_UNIX + i);
            return true;
        }
    }
    return false;
}

enum code timefmt_compile(struct timefmt **out, struct slice layout, struct error *err)
{
    struct timefmt *f;

    *out = NULL;
    if (layout.len > LIMIT_TIME_LAYOUT_BYTES)
        return error_set(err, FULL, "time layout of %zu bytes, at most %d are taken", layout.len,
                         LIMIT_TIME_LAYOUT_BYTES);
    if (slice_find(layout, '\0') != layout.len)
        return error_set(err, INVALID, "time layout: holds a NUL byte");
    f = mem_zalloc(sizeof *f);
    *out = f;
    if (find_unix(layout, &f->kind))
        return OK;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (slice_eq_str(layout, named[i].name)) {
            layout = slice_str(named[i].layout);
            break;
        }
    }
    if (layout.len != 0)
        memcpy(f->layout, layout.ptr, layout.len);
    f->is_rfc3339 = slice_eq_str(layout, "2006-01-02T15:04:05Z07:00") ||
                    slice_eq_str(layout, "2006-01-02T15:04:05.999999999Z07:00");
    compile_layout(f);
    return OK;
}

void timefmt_free(struct timefmt *f)
{
    mem_free(f);
}

bool timefmt_has_fields(const struct timefmt *f)
{
    if (f->kind != KIND_LAYOUT)
        return true;
    for (size_t i = 0; i < f->n_ops; i++) {
        if (f->ops[i].field != FIELD_TEXT)
            return true;
    }
    return false;
}

/* ---- calendar: eras of 400 years that start on 1 March, so that the leap day comes last ---- */

enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };

int64_t timefmt_days(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

void timefmt_civil(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t of_era = shifted - era * DAYS_PER_ERA;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}
