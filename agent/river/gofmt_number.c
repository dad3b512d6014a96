/* Numbers of fmt.Sprintf. */
#include "agent/river/gofmt_int.h"
#include "agent/river/gonum.h"
#include "agent/text/utf8.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_BYTES = 72 };

/* --- integers --- */

static void print_unicode(struct gofmt *p, uint64_t u)
{
    struct buf text;
    int digits = p->has_precision && p->precision > 4 ? p->precision : 4;
    bool keeps_zero = p->zero;

    buf_init(&text, p->out->max);
    (void)buf_printf(&text, "U+%0*" PRIX64, digits, u);
    if (p->sharp && u <= 0x10FFFF && gofmt_is_printable((uint32_t)u)) {
        (void)buf_add_str(&text, " '");
        gofmt_rune(&text, (uint32_t)u);
        (void)buf_add_char(&text, '\'');
    }
    p->zero = false;
    gofmt_pad(p, buf_slice(&text));
    p->zero = keeps_zero;
    buf_release(&text);
}

static void print_char(struct gofmt *p, uint64_t u, bool is_quoted)
{
    uint32_t rune = u <= 0x10FFFF ? (uint32_t)u : UTF8_REPLACEMENT;
    struct buf text;

    buf_init(&text, NUMBER_BYTES);
    if (is_quoted) {
        (void)buf_add_char(&text, '\'');
        gofmt_quote_rune(&text, rune >= 0xD800 && rune < 0xE000 ? UTF8_REPLACEMENT : rune, -1, '\'', p->plus);
        (void)buf_add_char(&text, '\'');
    } else {
        gofmt_rune(&text, rune);
    }
    gofmt_pad(p, buf_slice(&text));
    buf_release(&text);
}

static size_t put_digits(uint64_t u, unsigned base, bool is_upper, char *end)
{
    const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t n = 0;

    do {
        *--end = digits[u % base];
        u /= base;
        n++;
    } while (u != 0);
    return n;
}

static void print_integer(struct gofmt *p, uint64_t u, bool is_negative, unsigned base, uint32_t verb)
{
    char digits[NUMBER_BYTES], *end = digits + sizeof digits;
    bool keeps_zero = p->zero;
    size_t n = put_digits(u, base, verb == 'X', end);
    int at_least = 0;
    struct buf text;

    if (p->has_precision) {
        at_least = p->precision;
        if (at_least == 0 && u == 0) {
            p->zero = false;
            gofmt_padding(p, p->has_width ? p->width : 0);
            p->zero = keeps_zero;
            return;
        }
    } else if (p->zero && !p->minus && p->has_width) {
        at_least = p->width - (is_negative || p->plus || p->space);
    }
    buf_init(&text, p->out->max);
    if (is_negative || p->plus || p->space)
        (void)buf_add_char(&text, is_negative ? '-' : p->plus ? '+' : ' ');
    if (verb == 'O')
        (void)buf_add_str(&text, "0o");
    if (p->sharp && base == 16)
        (void)buf_add_str(&text, verb == 'X' ? "0X" : "0x");
    else if (p->sharp && base == 2)
        (void)buf_add_str(&text, "0b");
    else if (p->sharp && base == 8 && u != 0 && at_least <= (int)n)
        (void)buf_add_char(&text, '0');
    for (int i = (int)n; i < at_least && !text.is_full; i++)
        (void)buf_add_char(&text, '0');
    (void)buf_add(&text, slice_make(end - n, n));
    p->zero = false;
    gofmt_pad(p, buf_slice(&text));
    p->zero = keeps_zero;
    p->out->is_full |= text.is_full;
    buf_release(&text);
}

void gofmt_int(struct gofmt *p, const struct value *v, uint32_t verb)
{
    struct number num = v->as.number;
    bool is_negative = num.kind == NUMBER_INT && num.as.i < 0;
    uint64_t u = num.kind == NUMBER_UINT ? num.as.u : is_negative ? 0 - (uint64_t)num.as.i : (uint64_t)num.as.i;

    if (verb == 'v' || verb == 'd')
        print_integer(p, u, is_negative, 10, verb);
    else if (verb == 'b')
        print_integer(p, u, is_negative, 2, verb);
    else if (verb == 'o' || verb == 'O')
        print_integer(p, u, is_negative, 8, verb);
    else if (verb == 'x' || verb == 'X')
        print_integer(p, u, is_negative, 16, verb);
    else if (verb == 'c' || verb == 'q')
        print_char(p, is_negative ? UINT64_MAX : u, verb == 'q');
    else if (verb == 'U')
        print_unicode(p, is_negative ? (uint64_t)num.as.i : u);
    else
        gofmt_bad_verb(p, v, verb);
}

/* --- floats --- */

/* %x: C's %a with an exponent of two digits. %b: the mantissa as an integer. */
static size_t binary_float(double f, uint32_t verb, int precision, char *out, size_t size)
{
    char *exponent;
    int e;
    size_t n;

    if (verb == 'b') {
        double mantissa = frexp(f, &e);
        bool is_denormal = f == 0 || e - 53 < -1074;

        return (size_t)snprintf(out, size, "%.0fp%+d", is_denormal ? ldexp(f, 1074) : ldexp(mantissa, 53),
                                is_denormal ? -1074 : e - 53);
    }
    if (precision >= 0)
        n = (size_t)snprintf(out, size, verb == 'X' ? "%.*A" : "%.*a", precision, f);
    else
        n = (size_t)snprintf(out, size, verb == 'X' ? "%A" : "%a", f);
    exponent = memchr(out, verb == 'X' ? 'P' : 'p', n);
    e = (int)strtol(exponent + 1, NULL, 10);
    if (out[out[0] == '-' ? 3 : 2] == '2') { /* rounded up: Go writes the same as 1 and the next exponent */
        out[out[0] == '-' ? 3 : 2] = '1';
        e++;
    }
    return (size_t)(exponent - out) + 1 + (size_t)snprintf(exponent + 1, 8, "%c%02d", e < 0 ? '-' : '+', abs(e));
}

/* "#": a decimal point always, and the zeros that %g drops. text begins with a sign. */
static size_t keep_point(const struct gofmt *p, uint32_t verb, char *text, size_t n)
{
    bool counts = verb == 'v' || verb == 'g' || verb == 'G' || verb == 'x';
    int digits = !counts ? 0 : p->has_precision ? p->precision : 6;
    bool has_point = false, saw_digit = false;
    size_t end = 1, n_tail;
    char tail[16];

    for (; end < n && text[end] != 'p' && text[end] != 'P'; end++) {
        if ((text[end] == 'e' || text[end] == 'E') && verb != 'x' && verb != 'X')
            break;
        has_point |= text[end] == '.';
        saw_digit |= text[end] != '0' && text[end] != '.';
        digits -= saw_digit && text[end] != '.';
    }
    n_tail = n - end < sizeof tail ? n - end : sizeof tail;
    memcpy(tail, text + end, n_tail);
    if (!has_point) {
        digits -= end == 2 && text[1] == '0';
        text[end++] = '.';
    }
    while (digits-- > 0 && end < GONUM_TEXT_BYTES)
        text[end++] = '0';
    memcpy(text + end, tail, n_tail);
    return end + n_tail;
}

void gofmt_float(struct gofmt *p, const struct value *v, uint32_t verb)
{
    double f = v->as.number.as.f;
    char number[GONUM_TEXT_BYTES + 32], *text = number + 1;
    int precision = p->has_precision ? (p->precision < GONUM_MAX_PRECISION ? p->precision : GONUM_MAX_PRECISION) : -1;
    bool keeps_zero = p->zero;
    size_t n;

    if (strchr("vbgGxXfFeE", (int)(verb < 0x80 ? verb : '?')) == NULL || verb == 0) {
        gofmt_bad_verb(p, v, verb);
        return;
    }
    if ((verb == 'b' || verb == 'x' || verb == 'X') && isfinite(f))
        n = binary_float(f, verb, precision, text, GONUM_TEXT_BYTES);
    else if (verb == 'v' || verb == 'g' || verb == 'G' || verb == 'b' || verb == 'x' || verb == 'X')
        n = gonum_format(f, verb == 'G' ? 'G' : 'g', precision, text);
    else
        n = gonum_format(f, verb == 'F' ? 'f' : (char)verb, precision < 0 && !p->has_precision ? 6 : precision, text);
    if (text[0] != '-' && text[0] != '+') {
        text--;
        n++;
        text[0] = '+';
    }
    if (p->space && text[0] == '+' && !p->plus)
        text[0] = ' ';
    if (!isfinite(f))
        p->zero = false;
    else if (p->sharp && verb != 'b')
        n = keep_point(p, verb, text, n);
    if (text[0] == '+' && !p->plus && !isinf(f)) {
        gofmt_pad(p, slice_make(text + 1, n - 1));
    } else if (p->zero && !p->minus && p->has_width && p->width > (int)n) {
        (void)buf_add_char(p->out, text[0]); /* the sign goes before the zeros */
        gofmt_padding(p, p->width - (int)n);
        (void)buf_add(p->out, slice_make(text + 1, n - 1));
    } else {
        gofmt_pad(p, slice_make(text, n));
    }
    p->zero = keeps_zero;
}
