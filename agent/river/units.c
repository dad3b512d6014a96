/* Durations and sizes as Go programs write them. */
#include "agent/river/schema.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct unit {
    const char *name;
    double factor;
};

static bool find_unit(const struct unit *units, struct slice name, double *factor)
{
    for (; units->name != NULL; units++) {
        if (slice_eq_str(name, units->name)) {
            *factor = units->factor;
            return true;
        }
    }
    return false;
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

/* One "1.5h" from the front of s. The whole part is exact up to 64 bits. */
static bool take_part(struct slice *s, const struct unit *units, long double *out)
{
    size_t n = 0, unit = 0;
    struct slice number, after_dot;
    double factor;
    char text[64];

    while (n < s->len && is_number_char(s->ptr[n]))
        n++;
    number = slice_head(*s, n);
    *s = slice_from(*s, n);
    while (unit < s->len && !is_number_char(s->ptr[unit]))
        unit++;
    after_dot = slice_from(number, slice_find(number, '.') + 1);
    if (number.len == 0 || number.len >= sizeof text || slice_eq_str(number, ".") ||
        slice_find(after_dot, '.') != after_dot.len)
        return false;
    if (!find_unit(units, slice_head(*s, unit), &factor))
        return false;
    *s = slice_from(*s, unit);
    memcpy(text, number.ptr, number.len);
    text[number.len] = '\0';
    *out = strtold(text, NULL) * (long double)factor;
    return true;
}

enum code river_duration_parse(struct slice s, int64_t *ns, struct error *err)
{
    static const struct unit units[] = {{"ns", 1},  {"us", 1e3}, {"\xC2\xB5s", 1e3}, {"\xCE\xBCs", 1e3}, {"ms", 1e6},
                                        {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},      {NULL, 0}};
    struct slice all = s;
    bool is_negative = s.len != 0 && s.ptr[0] == '-';
    long double sum = 0, part;

    if (s.len != 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = slice_from(s, 1);
    if (slice_eq_str(s, "0")) {
        *ns = 0;
        return OK;
    }
    if (s.len == 0)
        return error_set(err, INVALID, "\"%.*s\" is no duration: write \"30s\", \"5m\" or \"1h30m\"", SLICE_ARG(all));
    while (s.len != 0) {
        if (!take_part(&s, units, &part))
            return error_set(err, INVALID,
                             "\"%.*s\" is no duration: write \"30s\", \"5m\" or \"1h30m\" (units: ns us ms s m h)",
                             SLICE_ARG(all));
        sum += part;
    }
    if (sum > (long double)INT64_MAX)
        return error_set(err, INVALID, "the duration \"%.*s\" is too long", SLICE_ARG(all));
    *ns = is_negative ? -(int64_t)sum : (int64_t)sum;
    return OK;
}

/* digits.fraction without trailing zeros; fraction has n_digits places. */
static void print_fraction(struct buf *out, uint64_t whole, uint64_t fraction, int n_digits)
{
    char digits[16];
    int n = n_digits;

    (void)buf_printf(out, "%" PRIu64, whole);
    if (fraction == 0)
        return;
    (void)snprintf(digits, sizeof digits, "%0*" PRIu64, n_digits, fraction);
    while (n > 0 && digits[n - 1] == '0')
        n--;
    (void)buf_printf(out, ".%.*s", n, digits);
}

void river_duration_print(struct buf *out, int64_t ns)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t seconds = u / 1000000000, rest = u % 1000000000;

    if (ns < 0)
        (void)buf_add_char(out, '-');
    if (u == 0) {
        (void)buf_add_str(out, "0s");
    } else if (u < 1000) {
        (void)buf_printf(out, "%" PRIu64 "ns", u);
    } else if (u < 1000000) {
        print_fraction(out, u / 1000, u % 1000, 3);
        (void)buf_add_str(out, "\xC2\xB5s");
    } else if (u < 1000000000) {
        print_fraction(out, u / 1000000, u % 1000000, 6);
        (void)buf_add_str(out, "ms");
    } else {
        if (seconds >= 3600)
            (void)buf_printf(out, "%" PRIu64 "h", seconds / 3600);
        if (seconds >= 60)
            (void)buf_printf(out, "%" PRIu64 "m", seconds / 60 % 60);
        print_fraction(out, seconds % 60, rest, 9);
        (void)buf_add_char(out, 's');
    }
}

enum code river_bytes_parse(struct slice s, uint64_t *bytes, struct error *err)
{
    static const struct unit units[] = {
        {"", 1},
        {"B", 1},
        {"KiB", 1024.0},
        {"MiB", 1048576.0},
        {"GiB", 1073741824.0},
        {"TiB", 1099511627776.0},
        {"PiB", 1125899906842624.0},
        {"EiB", 1152921504606846976.0},
        {"KB", 1024.0},
        {"MB", 1048576.0},
        {"GB", 1073741824.0},
        {"TB", 1099511627776.0},
        {"PB", 1125899906842624.0},
        {"EB", 1152921504606846976.0},
        {NULL, 0},
    };
    struct slice all = s;
    long double sum = 0, part;

    do {
        if (!take_part(&s, units, &part))
            return error_set(err, INVALID, "\"%.*s\" is no size: write \"512KiB\", \"5MiB\" or \"1GiB\"",
                             SLICE_ARG(all));
        sum += part;
    } while (s.len != 0);
    if (sum >= 18446744073709551615.0L)
        return error_set(err, INVALID, "the size \"%.*s\" is too large", SLICE_ARG(all));
    *bytes = (uint64_t)sum;
    return OK;
}
