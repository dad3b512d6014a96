/* Go's fmt.Printf for the values a template can hold. */
#include "agent/text/gotemplate_int.h"
#include <stdio.h>
#include "agent/text/number.h"
#include "agent/text/utf8.h"

enum { MAX_WIDTH = 4096 };

struct spec {
    bool left, zero, plus, space, sharp, has_precision;
    int width, precision;
    char verb;
};

static int take_int(struct slice *s)
{
    int v = 0;

    while (s->len != 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9') {
        v = v < MAX_WIDTH ? v * 10 + (s->ptr[0] - '0') : v;
        *s = slice_from(*s, 1);
    }
    return v < MAX_WIDTH ? v : MAX_WIDTH;
}

/* s starts after the '%'. */
static bool take_spec(struct slice *s, struct spec *spec)
{
    *spec = (struct spec){.verb = '\0'};
    for (; s->len != 0; *s = slice_from(*s, 1)) {
        char c = s->ptr[0];

        if (c == '-')
            spec->left = true;
        else if (c == '0')
            spec->zero = true;
        else if (c == '+')
            spec->plus = true;
        else if (c == ' ')
            spec->space = true;
        else if (c == '#')
            spec->sharp = true;
        else
            break;
    }
    spec->width = take_int(s);
    if (s->len != 0 && s->ptr[0] == '.') {
        *s = slice_from(*s, 1);
        spec->has_precision = true;
        spec->precision = take_int(s);
    }
    if (s->len == 0)
        return false;
    spec->verb = s->ptr[0];
    *s = slice_from(*s, 1);
    return true;
}

/* Widths count runes, as in Go. */
static void write_padded(struct buf *out, const struct spec *spec, struct slice text, bool is_number)
{
    size_t runes = utf8_runes(text), width = (size_t)spec->width, pad = width > runes ? width - runes : 0;
    bool has_sign = is_number && text.len != 0 && (text.ptr[0] == '-' || text.ptr[0] == '+' || text.ptr[0] == ' ');
    bool zero = spec->zero && !spec->left;

    if (zero && has_sign) {
        (void)buf_add(out, slice_head(text, 1));
        text = slice_from(text, 1);
    }
    for (size_t i = 0; !spec->left && i < pad; i++)
        (void)buf_add_char(out, zero ? '0' : ' ');
    (void)buf_add(out, text);
    for (size_t i = 0; spec->left && i < pad; i++)
        (void)buf_add_char(out, ' ');
}

static void write_bad(struct run *run, struct buf *out, char verb, const struct value *v)
{
    (void)run;
    (void)buf_printf(out, "%%!%c(", verb);
    if (v->kind != VALUE_NIL)
        (void)buf_printf(out, "%s=", tvalue_type(v));
    tvalue_print(out, v);
    (void)buf_add_char(out, ')');
}

static const char *sign_of(const struct spec *spec, bool is_negative)
{
    return is_negative ? "-" : spec->plus ? "+" : spec->space ? " " : "";
}

static bool write_int(struct buf *out, const struct spec *spec, int64_t v)
{
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    const char *sign = sign_of(spec, v < 0);
    char text[80], rune[UTF8_MAX_BYTES];
    size_t n = 0;

    switch (spec->verb) {
    case 'd':
        (void)snprintf(text, sizeof text, "%s%llu", sign, (unsigned long long)magnitude);
        break;
    case 'x':
        (void)snprintf(text, sizeof text, "%s%s%llx", sign, spec->sharp ? "0x" : "", (unsigned long long)magnitude);
        break;
    case 'X':
        (void)snprintf(text, sizeof text, "%s%s%llX", sign, spec->sharp ? "0X" : "", (unsigned long long)magnitude);
        break;
    case 'o':
        (void)snprintf(text, sizeof text, "%s%llo", sign, (unsigned long long)magnitude);
        break;
    case 'b':
        for (int bit = 63; bit >= 0; bit--) {
            if (n != 0 || (magnitude >> bit & 1) != 0 || bit == 0)
                text[n++] = (magnitude >> bit & 1) != 0 ? '1' : '0';
        }
        text[n] = '\0';
        break;
    case 'c':
        n = utf8_encode(v >= 0 && v <= 0x10FFFF ? (uint32_t)v : UTF8_REPLACEMENT, rune);
        write_padded(out, spec, slice_make(rune, n), false);
        return true;
    case 'U':
        (void)snprintf(text, sizeof text, "U+%04llX", (unsigned long long)magnitude);
        break;
    default:
        return false;
    }
    write_padded(out, spec, slice_str(text), true);
    return true;
}

static bool write_float(struct buf *out, const struct spec *spec, double v)
{
    char text[512], shortest[NUMBER_TEXT_BYTES];
    const char *sign = sign_of(spec, false);
    int precision = spec->has_precision ? spec->precision < 100 ? spec->precision : 100 : 6;

    if (v < 0)
        sign = "";
    switch (spec->verb) {
    case 'f':
    case 'F':
        (void)snprintf(text, sizeof text, "%s%.*f", sign, precision, v);
        break;
    case 'e':
        (void)snprintf(text, sizeof text, "%s%.*e", sign, precision, v);
        break;
    case 'E':
        (void)snprintf(text, sizeof text, "%s%.*E", sign, precision, v);
        break;
    case 'g':
        if (spec->has_precision) {
            (void)snprintf(text, sizeof text, "%s%.*g", sign, precision, v);
            break;
        }
        (void)number_format(v, NUMBER_GO, shortest);
        (void)snprintf(text, sizeof text, "%s%s", sign, shortest);
        break;
    default:
        return false;
    }
    write_padded(out, spec, slice_str(text), true);
    return true;
}

static bool write_hex_text(struct buf *out, struct slice s, bool is_upper)
{
    const char *digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (size_t i = 0; i < s.len && !out->is_full; i++) {
        (void)buf_add_char(out, digits[(unsigned char)s.ptr[i] >> 4]);
        (void)buf_add_char(out, digits[(unsigned char)s.ptr[i] & 15]);
    }
    return true;
}

static bool write_text(struct run *run, struct buf *out, const struct spec *spec, struct slice s)
{
    struct buf quoted;

    if (spec->has_precision)
        s = slice_head(s, utf8_rune_offset(s, (size_t)spec->precision));
    if (spec->verb == 's') {
        write_padded(out, spec, s, false);
        return true;
    }
    if (spec->verb == 'x' || spec->verb == 'X')
        return write_hex_text(out, s, spec->verb == 'X');
    if (spec->verb != 'q')
        return false;
    run_scratch(run, &quoted);
    tvalue_quote(&quoted, s);
    write_padded(out, spec, buf_slice(&quoted), false);
    buf_release(&quoted);
    return true;
}

static void write_any(struct run *run, struct buf *out, const struct spec *spec, const struct value *v)
{
    struct buf text;

    run_scratch(run, &text);
    tvalue_print(&text, v);
    write_padded(out, spec, buf_slice(&text), v->kind == VALUE_INT || v->kind == VALUE_FLOAT);
    buf_release(&text);
}

static void write_list(struct run *run, struct buf *out, const struct spec *spec, const struct value *v);

static void write_value(struct run *run, struct buf *out, const struct spec *spec, const struct value *v)
{
    struct spec plain = *spec;
    bool is_done = false;

    if (spec->verb == 'v' && v->kind == VALUE_INT)
        plain.verb = 'd';
    else if (spec->verb == 'v' && v->kind == VALUE_FLOAT)
        plain.verb = 'g';
    else if (spec->verb == 'v' && v->kind == VALUE_STRING)
        plain.verb = spec->sharp ? 'q' : 's';
    if (v->kind == VALUE_INT)
        is_done = write_int(out, &plain, v->integer);
    else if (v->kind == VALUE_FLOAT)
        is_done = write_float(out, &plain, v->number);
    else if (v->kind == VALUE_STRING)
        is_done = write_text(run, out, &plain, v->text);
    else if (v->kind == VALUE_LIST && spec->verb != 'v') {
        write_list(run, out, spec, v);
        is_done = true;
    } else if (spec->verb == 'v' || (spec->verb == 't' && v->kind == VALUE_BOOL) ||
               (spec->verb == 's' && v->kind == VALUE_TIME)) {
        write_any(run, out, spec, v);
        is_done = true;
    }
    if (!is_done)
        write_bad(run, out, spec->verb, v);
}

static void write_list(struct run *run, struct buf *out, const struct spec *spec, const struct value *v)
{
    (void)buf_add_char(out, '[');
    for (size_t i = 0; i < v->list.n && !out->is_full; i++) {
        if (i != 0)
            (void)buf_add_char(out, ' ');
        write_value(run, out, spec, &v->list.items[i]);
    }
    (void)buf_add_char(out, ']');
}

static void write_extra(struct buf *out, const struct value *args, size_t n)
{
    (void)buf_add_str(out, "%!(EXTRA ");
    for (size_t i = 0; i < n; i++) {
        if (i != 0)
            (void)buf_add_str(out, ", ");
        if (args[i].kind != VALUE_NIL)
            (void)buf_printf(out, "%s=", tvalue_type(&args[i]));
        tvalue_print(out, &args[i]);
    }
    (void)buf_add_char(out, ')');
}

enum code tvalue_printf(struct run *run, struct slice format, const struct value *args, size_t n, struct buf *out)
{
    size_t used = 0;

    while (format.len != 0 && !out->is_full) {
        size_t plain = slice_find(format, '%');
        struct spec spec;

        (void)buf_add(out, slice_head(format, plain));
        format = slice_from(format, plain);
        if (format.len == 0)
            break;
        format = slice_from(format, 1);
        if (!take_spec(&format, &spec))
            (void)buf_add_str(out, "%!(NOVERB)");
        else if (spec.verb == '%')
            (void)buf_add_char(out, '%');
        else if (spec.verb == '*' || spec.verb == '[')
            return run_fail(run, INVALID, "printf: '*' and '[n]' are not supported");
        else if (used >= n)
            (void)buf_printf(out, "%%!%c(MISSING)", spec.verb);
        else if (spec.verb == 'T')
            (void)buf_add_str(out, tvalue_type(&args[used++]));
        else
            write_value(run, out, &spec, &args[used++]);
    }
    if (used < n)
        write_extra(out, args + used, n - used);
    return OK;
}
