#include "agent/text/number.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_DIGITS = 17 };

/* v = 0.d1d2d3… * 10^point, without trailing zeros; v is finite and not 0. */
static size_t shortest_digits(double v, char digits[MAX_DIGITS + 1], int *point)
{
    char text[NUMBER_TEXT_BYTES];
    size_t n = 0;

    for (int precision = 14; precision < MAX_DIGITS; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    *point = (int)strtol(strchr(text, 'e') + 1, NULL, 10) + 1;
    for (const char *p = text; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static size_t write_plain(char *out, const char *digits, size_t n, int point)
{
    char *to = out;
    int count = (int)n;

    if (point <= 0) {
        *to++ = '0';
        *to++ = '.';
        for (int i = point; i < 0; i++)
            *to++ = '0';
        memcpy(to, digits, n);
        return (size_t)(to + n - out);
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point)
            *to++ = '.';
        *to++ = i < count ? digits[i] : '0';
    }
    return (size_t)(to - out);
}

static size_t write_exponent(char *out, const char *digits, size_t n, int point, int min_width)
{
    char *to = out;
    int exponent = point - 1;

    *to++ = digits[0];
    if (n > 1) {
        *to++ = '.';
        memcpy(to, digits + 1, n - 1);
        to += n - 1;
    }
    return (size_t)(to - out) + (size_t)snprintf(to, 8, "e%c%0*d", exponent < 0 ? '-' : '+', min_width, abs(exponent));
}

size_t number_format(double v, enum number_style style, char out[NUMBER_TEXT_BYTES])
{
    char digits[MAX_DIGITS + 1];
    int point = 0, lowest = style == NUMBER_JSON ? -6 : -4, highest = style == NUMBER_JSON ? 21 : 6;
    size_t at = 0, n;

    if (isnan(v) || isinf(v)) {
        const char *word = style == NUMBER_JSON ? "null" : isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";

        return (size_t)snprintf(out, NUMBER_TEXT_BYTES, "%s", word);
    }
    if (signbit(v))
        out[at++] = '-';
    if (v == 0) {
        out[at++] = '0';
        out[at] = '\0';
        return at;
    }
    n = shortest_digits(fabs(v), digits, &point);
    if (point - 1 < lowest || point - 1 >= highest)
        at += write_exponent(out + at, digits, n, point, style == NUMBER_JSON ? 1 : 2);
    else
        at += write_plain(out + at, digits, n, point);
    out[at] = '\0';
    return at;
}

static size_t skip_digits(struct slice s, size_t i)
{
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        i++;
    return i;
}

bool number_is_json(struct slice s)
{
    size_t i = s.len != 0 && s.ptr[0] == '-' ? 1 : 0, from = i;

    i = skip_digits(s, i);
    if (i == from || (s.ptr[from] == '0' && i > from + 1))
        return false;
    if (i < s.len && s.ptr[i] == '.') {
        from = ++i;
        i = skip_digits(s, i);
        if (i == from)
            return false;
    }
    if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        i++;
        if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
            i++;
        from = i;
        i = skip_digits(s, i);
        if (i == from)
            return false;
    }
    return i == s.len;
}

/* The exponent after 'e', kept within +-100000: enough to know that nothing fits. */
static long read_exponent(struct slice s)
{
    long e = 0;
    size_t i = s.len != 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    bool negative = s.len != 0 && s.ptr[0] == '-';

    for (; i < s.len && e < 100000; i++)
        e = e * 10 + (s.ptr[i] - '0');
    return negative ? -e : e;
}

/* |text| as an integer. Zeros at either end of the digits only move the exponent, so they are held back. */
static bool to_magnitude(struct slice s, uint64_t *out)
{
    uint64_t v = 0;
    long exponent = 0, zeros = 0;
    bool in_fraction = false;
    size_t i;

    for (i = 0; i < s.len && s.ptr[i] != 'e' && s.ptr[i] != 'E'; i++) {
        if (s.ptr[i] == '.') {
            in_fraction = true;
            continue;
        }
        exponent -= in_fraction;
        if (s.ptr[i] == '0') {
            zeros++;
            continue;
        }
        for (; zeros > 0; zeros--) {
            if (__builtin_mul_overflow(v, 10u, &v))
                return false;
        }
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v))
            return false;
    }
    *out = v;
    if (v == 0)
        return true;
    exponent += zeros + read_exponent(slice_from(s, i + 1));
    if (exponent < 0 || exponent > 20)
        return false;
    for (; exponent > 0; exponent--) {
        if (__builtin_mul_overflow(v, 10u, &v))
            return false;
    }
    *out = v;
    return true;
}

bool number_to_u64(struct slice text, uint64_t *out)
{
    bool negative = text.len != 0 && text.ptr[0] == '-';

    if (!number_is_json(text) || !to_magnitude(slice_from(text, negative), out))
        return false;
    return !negative || *out == 0;
}

bool number_to_i64(struct slice text, int64_t *out)
{
    bool negative = text.len != 0 && text.ptr[0] == '-';
    uint64_t magnitude;

    if (!number_is_json(text) || !to_magnitude(slice_from(text, negative), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}
