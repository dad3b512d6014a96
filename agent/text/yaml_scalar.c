/* Plain scalars, in the order yaml.v3 tries them: words, dates, integers, floats, text. */
#include "agent/text/number.h"
#include "agent/text/timefmt.h"
#include "agent/text/yaml_int.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static struct json text_json(enum json_type type, struct slice text)
{
    struct json j = {.type = type};

    j.text = text;
    return j;
}

static enum code copy_text(struct arena *a, enum json_type type, struct slice text, struct json *out)
{
    struct slice copy = arena_copy(a, text);

    if (copy.ptr == NULL && text.len != 0)
        return NOMEM;
    *out = text_json(type, copy);
    return OK;
}

enum code yaml_float(struct arena *a, double v, struct json *out)
{
    char text[NUMBER_TEXT_BYTES + 2];
    size_t n;

    if (isnan(v) || isinf(v)) {
        *out = text_json(JSON_NUMBER, isnan(v) ? SLICE_LIT("NaN") : v > 0 ? SLICE_LIT("Inf") : SLICE_LIT("-Inf"));
        return OK;
    }
    n = number_format(v, NUMBER_JSON, text);
    if (strpbrk(text, ".e") == NULL) {
        text[n++] = '.';
        text[n++] = '0';
    }
    return copy_text(a, JSON_NUMBER, slice_make(text, n), out);
}

/* --- words --- */

static bool resolve_word(struct slice s, struct json *out, enum yaml_kind *kind)
{
    static const struct {
        const char *text;
        enum yaml_kind kind;
        const char *number;
    } words[] = {
        {"", YAML_KIND_NULL, NULL},         {"~", YAML_KIND_NULL, NULL},        {"null", YAML_KIND_NULL, NULL},
        {"Null", YAML_KIND_NULL, NULL},     {"NULL", YAML_KIND_NULL, NULL},     {"true", YAML_KIND_BOOL, NULL},
        {"True", YAML_KIND_BOOL, NULL},     {"TRUE", YAML_KIND_BOOL, NULL},     {"false", YAML_KIND_BOOL, NULL},
        {"False", YAML_KIND_BOOL, NULL},    {"FALSE", YAML_KIND_BOOL, NULL},    {".nan", YAML_KIND_FLOAT, "NaN"},
        {".NaN", YAML_KIND_FLOAT, "NaN"},   {".NAN", YAML_KIND_FLOAT, "NaN"},   {".inf", YAML_KIND_FLOAT, "Inf"},
        {".Inf", YAML_KIND_FLOAT, "Inf"},   {".INF", YAML_KIND_FLOAT, "Inf"},   {"+.inf", YAML_KIND_FLOAT, "Inf"},
        {"+.Inf", YAML_KIND_FLOAT, "Inf"},  {"+.INF", YAML_KIND_FLOAT, "Inf"},  {"-.inf", YAML_KIND_FLOAT, "-Inf"},
        {"-.Inf", YAML_KIND_FLOAT, "-Inf"}, {"-.INF", YAML_KIND_FLOAT, "-Inf"},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!slice_eq_str(s, words[i].text))
            continue;
        *kind = words[i].kind;
        if (*kind == YAML_KIND_FLOAT) {
            *out = text_json(JSON_NUMBER, slice_str(words[i].number));
        } else if (*kind == YAML_KIND_NULL) {
            *out = (struct json){.type = JSON_NULL};
        } else {
            *out = (struct json){.type = JSON_BOOL};
            out->boolean = s.ptr[0] == 't' || s.ptr[0] == 'T';
        }
        return true;
    }
    return false;
}

/* --- dates --- */

/* Up to two digits, 0..max. */
static bool read_field(struct slice *s, int max, int *out)
{
    size_t n = 0;

    *out = 0;
    while (n < s->len && n < 2 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        *out = *out * 10 + (s->ptr[n++] - '0');
    *s = slice_from(*s, n);
    return n != 0 && *out <= max;
}

static bool skip(struct slice *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool read_date(struct slice *s, int *year, int *month, int *day)
{
    int64_t y;
    int m, d;

    if (s->len < 5 || s->ptr[4] != '-')
        return false;
    *year = 0;
    for (size_t i = 0; i < 4; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        *year = *year * 10 + (s->ptr[i] - '0');
    }
    *s = slice_from(*s, 5);
    if (!read_field(s, 12, month) || *month == 0 || !skip(s, '-') || !read_field(s, 31, day) || *day == 0)
        return false;
    timefmt_civil(timefmt_days(*year, *month, *day), &y, &m, &d); /* the 30th of February is a day in March */
    return d == *day;
}

/* Digits after a point, without the zeros at their end, at most nine. */
static struct slice read_fraction(struct slice *s)
{
    struct slice digits;
    size_t n = 1;

    if (s->len < 2 || (s->ptr[0] != '.' && s->ptr[0] != ',') || s->ptr[1] < '0' || s->ptr[1] > '9')
        return (struct slice){0};
    while (n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        n++;
    digits = slice_make(s->ptr + 1, n - 1 < 9 ? n - 1 : 9);
    *s = slice_from(*s, n);
    while (digits.len != 0 && digits.ptr[digits.len - 1] == '0')
        digits.len--;
    return digits;
}

/* Z or +hh:mm to the end of s. */
static bool read_zone(struct slice s, struct slice *zone)
{
    int hours, minutes;

    *zone = s;
    if (slice_eq_str(s, "Z"))
        return true;
    if (s.len != 6 || (s.ptr[0] != '+' && s.ptr[0] != '-') || s.ptr[3] != ':')
        return false;
    s = slice_from(s, 1);
    if (!read_field(&s, 23, &hours) || !skip(&s, ':') || !read_field(&s, 59, &minutes) || s.len != 0)
        return false;
    if (hours == 0 && minutes == 0)
        *zone = SLICE_LIT("Z");
    return true;
}

/* yaml.v3's four layouts: a date; with " h:m:s"; with "Th:m:s" or "th:m:s" and a zone. */
static bool resolve_time(struct slice s, char *out, size_t cap, size_t *len)
{
    int year, month, day, hour = 0, minute = 0, second = 0, n;
    struct slice fraction = {0}, zone = SLICE_LIT("Z");
    bool has_zone;

    if (!read_date(&s, &year, &month, &day))
        return false;
    if (s.len != 0) {
        has_zone = s.ptr[0] == 'T' || s.ptr[0] == 't';
        if (!has_zone && s.ptr[0] != ' ')
            return false;
        do
            s = slice_from(s, 1);
        while (!has_zone && s.len != 0 && s.ptr[0] == ' ');
        if (!read_field(&s, 23, &hour) || !skip(&s, ':') || !read_field(&s, 59, &minute) || !skip(&s, ':') ||
            !read_field(&s, 59, &second))
            return false;
        fraction = read_fraction(&s);
        if (has_zone ? !read_zone(s, &zone) : s.len != 0)
            return false;
    }
    n = snprintf(out, cap, "%04d-%02d-%02dT%02d:%02d:%02d%s%.*s%.*s", year, month, day, hour, minute, second,
                 fraction.len != 0 ? "." : "", SLICE_ARG(fraction), SLICE_ARG(zone));
    *len = (size_t)n;
    return n > 0 && (size_t)n < cap;
}

/* --- numbers --- */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static bool read_digits(struct slice s, unsigned base, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)digit_value(s.ptr[i]);

        if (digit >= base || __builtin_mul_overflow(*out, (uint64_t)base, out) ||
            __builtin_add_overflow(*out, (uint64_t)digit, out))
            return false;
    }
    return true;
}

/* Go's ParseInt and ParseUint of base 0: 0x, 0o, 0b and a leading 0 name the base. */
static bool resolve_int(struct slice s, char *out, size_t cap, size_t *len)
{
    bool is_signed = s.len != 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'), is_negative = is_signed && s.ptr[0] == '-';
    unsigned base = 10;
    uint64_t magnitude;
    int n;

    if (is_signed)
        s = slice_from(s, 1);
    if (s.len == 0)
        return false;
    if (s.ptr[0] == '0') {
        char c = s.len >= 3 ? (char)(s.ptr[1] | 0x20) : '0';

        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = slice_from(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    if (!read_digits(s, base, &magnitude))
        return false;
    if (is_signed && magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    n = snprintf(out, cap, "%s%" PRIu64, is_negative && magnitude != 0 ? "-" : "", magnitude);
    *len = (size_t)n;
    return n > 0 && (size_t)n < cap;
}

static size_t count_digits(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return n;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and no overflow */
static bool resolve_float(struct slice text, double *out)
{
    struct slice s = text;
    size_t whole, part = 0, exponent;

    if (s.len != 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = slice_from(s, 1);
    whole = count_digits(s);
    s = slice_from(s, whole);
    if (skip(&s, '.')) {
        part = count_digits(s);
        s = slice_from(s, part);
    }
    if (whole == 0 && part == 0)
        return false;
    if (s.len != 0) {
        if (s.ptr[0] != 'e' && s.ptr[0] != 'E')
            return false;
        s = slice_from(s, 1);
        if (!skip(&s, '-'))
            (void)skip(&s, '+');
        exponent = count_digits(s);
        if (exponent == 0 || exponent != s.len)
            return false;
    }
    return slice_to_f64(text, out) && isfinite(*out);
}

/* text without its underscores, on the arena when it has any. */
static enum code without_underscores(struct arena *a, struct slice text, struct slice *out)
{
    char *plain;
    size_t n = 0;

    *out = text;
    if (slice_find(text, '_') == text.len)
        return OK;
    plain = arena_try_alloc(a, text.len);
    if (plain == NULL)
        return NOMEM;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_')
            plain[n++] = text.ptr[i];
    }
    *out = slice_make(plain, n);
    return OK;
}

static enum code resolve_number(struct arena *a, struct slice text, struct json *out, enum yaml_kind *kind)
{
    struct slice plain;
    char made[64];
    size_t len;
    double v;
    enum code rc;

    if (resolve_time(text, made, sizeof made, &len)) {
        *kind = YAML_KIND_TIME;
        return copy_text(a, JSON_STRING, slice_make(made, len), out);
    }
    rc = without_underscores(a, text, &plain);
    if (rc != OK)
        return rc;
    if (resolve_int(plain, made, sizeof made, &len)) {
        *kind = YAML_KIND_INT;
        return copy_text(a, JSON_NUMBER, slice_make(made, len), out);
    }
    if (resolve_float(plain, &v)) {
        *kind = YAML_KIND_FLOAT;
        return yaml_float(a, v, out);
    }
    return OK;
}

enum code yaml_resolve(struct arena *a, struct slice text, struct json *out, enum yaml_kind *kind)
{
    double v;
    char c;

    *out = text_json(JSON_STRING, text);
    *kind = YAML_KIND_STRING;
    if (resolve_word(text, out, kind))
        return OK;
    c = text.ptr[0];
    if (c == '.' && resolve_float(text, &v)) {
        *kind = YAML_KIND_FLOAT;
        return yaml_float(a, v, out);
    }
    if (c == '+' || c == '-' || (c >= '0' && c <= '9'))
        return resolve_number(a, text, out, kind);
    return OK;
}
