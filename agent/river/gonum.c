#include "agent/river/gonum.h"
#include "agent/base/error.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* digits 0.d1d2d3… times ten to the point. */
struct decimal {
    char digits[20];
    int n;
    int point;
    bool is_negative;
};

static bool put_special(double v, char *out, size_t *len)
{
    const char *text = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";

    if (isfinite(v))
        return false;
    *len = strlen(text);
    memcpy(out, text, *len);
    return true;
}

/* The fewest digits that read back as v: 17 always do. */
static struct decimal shortest(double v)
{
    struct decimal d = {.is_negative = signbit(v) != 0};
    char text[40];
    const char *p;

    if (v == 0) {
        d.digits[0] = '0';
        d.n = 1;
        d.point = 1;
        return d;
    }
    for (int precision = 0; precision < 17; precision++) {
        (void)snprintf(text, sizeof text, "%.*e", precision, fabs(v));
        if (strtod(text, NULL) == fabs(v))
            break;
    }
    for (p = text; *p != 'e'; p++) {
        if (*p != '.')
            d.digits[d.n++] = *p;
    }
    d.point = (int)strtol(p + 1, NULL, 10) + 1;
    while (d.n > 1 && d.digits[d.n - 1] == '0')
        d.n--;
    return d;
}

static size_t plain(const struct decimal *d, char *out)
{
    size_t len = 0;

    if (d->is_negative)
        out[len++] = '-';
    if (d->point <= 0) {
        out[len++] = '0';
        out[len++] = '.';
        for (int i = d->point; i < 0; i++)
            out[len++] = '0';
    }
    for (int i = 0; i < d->n || i < d->point; i++) {
        if (i == d->point && i != 0)
            out[len++] = '.';
        out[len++] = i < d->n ? d->digits[i] : '0';
    }
    return len;
}

static size_t with_exponent(const struct decimal *d, char e, char *out)
{
    size_t len = 0;
    int exponent = d->digits[0] == '0' ? 0 : d->point - 1;

    if (d->is_negative)
        out[len++] = '-';
    out[len++] = d->digits[0];
    if (d->n > 1)
        out[len++] = '.';
    for (int i = 1; i < d->n; i++)
        out[len++] = d->digits[i];
    return len + (size_t)snprintf(out + len, 16, "%c%c%02d", e, exponent < 0 ? '-' : '+', abs(exponent));
}

size_t gonum_plain(double v, char out[GONUM_TEXT_BYTES])
{
    struct decimal d;
    size_t len;

    if (put_special(v, out, &len))
        return len;
    d = shortest(v);
    return plain(&d, out);
}

size_t gonum_format(double v, char verb, int precision, char out[GONUM_TEXT_BYTES])
{
    bool is_upper = verb == 'E' || verb == 'G';
    struct decimal d;
    size_t len;
    char format[8] = {'%', '.', '*', verb, '\0'};

    BUG_ON(precision > GONUM_MAX_PRECISION);
    if (put_special(v, out, &len))
        return len;
    if (precision < 0) {
        d = shortest(v);
        if (verb == 'f')
            return plain(&d, out);
        /* %g takes six digits for the decision about the exponent, or as many as there are before the point. */
        if ((verb == 'g' || verb == 'G') && d.point - 1 >= -4 && d.point - 1 < 21 && (d.point - 1 < 6 || d.point <= 0))
            return plain(&d, out);
        return with_exponent(&d, is_upper ? 'E' : 'e', out);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    len = (size_t)snprintf(out, GONUM_TEXT_BYTES, format, precision, v);
#pragma GCC diagnostic pop
    BUG_ON(len >= GONUM_TEXT_BYTES);
    return len;
}
