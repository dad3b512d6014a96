/* fmt.Sprintf of Go, over values: the verbs and flags of its documentation, and its way of reporting misuse inside the
 * text ("%!d(string=x)") instead of failing. Integers are Go's int, lists []interface {}, objects map[string]interface
 * {}. */
#include "agent/river/gofmt_int.h"
#include "agent/text/utf8.h"
#include <stdlib.h>

enum { WIDEST = 1000000 };

static void print_value(struct gofmt *p, const struct value *v, uint32_t verb, unsigned depth);

/* --- padding --- */

void gofmt_padding(struct gofmt *p, int n)
{
    char c = p->zero && !p->minus ? '0' : ' ';

    for (; n > 0 && !p->out->is_full; n--)
        (void)buf_add_char(p->out, c);
}

void gofmt_pad(struct gofmt *p, struct slice s)
{
    int missing = p->has_width ? p->width - (int)utf8_runes(s) : 0;

    if (!p->minus)
        gofmt_padding(p, missing);
    (void)buf_add(p->out, s);
    if (p->minus)
        gofmt_padding(p, missing);
}

void gofmt_rune(struct buf *out, uint32_t rune)
{
    char bytes[UTF8_MAX_BYTES];

    (void)buf_add(out, slice_make(bytes, utf8_encode(rune, bytes)));
}

/* --- misuse --- */

static const char *type_name(const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        return "<nil>";
    case VALUE_BOOL:
        return "bool";
    case VALUE_NUMBER:
        return v->as.number.kind == NUMBER_INT ? "int" : v->as.number.kind == NUMBER_UINT ? "uint64" : "float64";
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        return "string";
    case VALUE_ARRAY:
        return "[]interface {}";
    case VALUE_OBJECT:
        return "map[string]interface {}";
    case VALUE_FUNCTION:
        return "func";
    case VALUE_CAPSULE:
        break;
    }
    return "capsule";
}

void gofmt_bad_verb(struct gofmt *p, const struct value *v, uint32_t verb)
{
    (void)buf_add_str(p->out, "%!");
    gofmt_rune(p->out, verb);
    (void)buf_add_char(p->out, '(');
    if (v->type == VALUE_NULL) {
        (void)buf_add_str(p->out, "<nil>");
    } else {
        (void)buf_printf(p->out, "%s=", type_name(v));
        print_value(p, v, 'v', 0);
    }
    (void)buf_add_char(p->out, ')');
}

/* --- texts --- */

bool gofmt_is_printable(uint32_t rune)
{
    if (rune < 0x20 || (rune >= 0x7F && rune <= 0xA0) || rune == 0xAD)
        return false;
    if ((rune >= 0x2000 && rune <= 0x200F) || (rune >= 0x2028 && rune <= 0x202F) || (rune >= 0x205F && rune <= 0x206F))
        return false;
    return rune != 0x3000 && rune != 0xFEFF && (rune < 0xE000 || rune > 0xF8FF) && rune < 0xE0000;
}

/* One character of a quoted text; byte >= 0: it is that byte, which is no UTF-8. */
void gofmt_quote_rune(struct buf *out, uint32_t rune, int byte, char quote, bool only_ascii)
{
    static const char names[] = "abtnvfr";

    if (byte >= 0)
        (void)buf_printf(out, "\\x%02x", (unsigned)byte);
    else if (rune == (uint32_t)quote || rune == '\\')
        (void)buf_printf(out, "\\%c", (char)rune);
    else if (rune >= 7 && rune <= 13)
        (void)buf_printf(out, "\\%c", names[rune - 7]);
    else if (rune < 0x80 && !gofmt_is_printable(rune))
        (void)buf_printf(out, "\\x%02x", rune);
    else if (gofmt_is_printable(rune) && (rune < 0x80 || !only_ascii))
        gofmt_rune(out, rune);
    else
        (void)buf_printf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
}

static bool fits_backquotes(struct slice s)
{
    if (!utf8_is_valid(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if ((c < 0x20 && c != '\t') || c == '`' || c == 0x7F)
            return false;
    }
    return slice_find_slice(s, SLICE_LIT("\xEF\xBB\xBF")) == s.len;
}

static struct slice cut_to_precision(const struct gofmt *p, struct slice s)
{
    return p->has_precision ? slice_head(s, utf8_rune_offset(s, (size_t)p->precision)) : s;
}

static void print_quoted(struct gofmt *p, struct slice s)
{
    struct buf text;

    s = cut_to_precision(p, s);
    buf_init(&text, p->out->max);
    if (p->sharp && fits_backquotes(s)) {
        (void)buf_add_char(&text, '`');
        (void)buf_add(&text, s);
        (void)buf_add_char(&text, '`');
    } else {
        (void)buf_add_char(&text, '"');
        while (s.len != 0 && !text.is_full) {
            uint32_t rune;
            size_t n = utf8_decode(s, &rune);
            bool is_bad = n == 1 && rune == UTF8_REPLACEMENT;

            gofmt_quote_rune(&text, rune, is_bad ? (unsigned char)s.ptr[0] : -1, '"', p->plus);
            s = slice_from(s, n);
        }
        (void)buf_add_char(&text, '"');
    }
    gofmt_pad(p, buf_slice(&text));
    p->out->is_full |= text.is_full;
    buf_release(&text);
}

static void print_hex(struct gofmt *p, struct slice s, bool is_upper)
{
    struct buf text;

    if (p->has_precision)
        s = slice_head(s, (size_t)p->precision);
    buf_init(&text, p->out->max);
    if (p->sharp && s.len != 0)
        (void)buf_add_str(&text, is_upper ? "0X" : "0x");
    for (size_t i = 0; i < s.len && !text.is_full; i++) {
        if (p->space && i != 0)
            (void)buf_add_str(&text, p->sharp ? (is_upper ? " 0X" : " 0x") : " ");
        (void)buf_printf(&text, is_upper ? "%02X" : "%02x", (unsigned char)s.ptr[i]);
    }
    gofmt_pad(p, buf_slice(&text));
    p->out->is_full |= text.is_full;
    buf_release(&text);
}

static void print_text(struct gofmt *p, const struct value *v, uint32_t verb)
{
    struct slice s = v->as.text.bytes;

    if (verb == 'q' || (verb == 'v' && p->is_go_syntax))
        print_quoted(p, s);
    else if (verb == 'v' || verb == 's')
        gofmt_pad(p, cut_to_precision(p, s));
    else if (verb == 'x' || verb == 'X')
        print_hex(p, s, verb == 'X');
    else
        gofmt_bad_verb(p, v, verb);
}

/* --- lists and objects --- */

static void print_array(struct gofmt *p, const struct value *v, uint32_t verb, unsigned depth)
{
    bool is_go = verb == 'v' && p->is_go_syntax;

    (void)buf_add_str(p->out, is_go ? "[]interface {}{" : "[");
    for (size_t i = 0; i < v->as.array.n && !p->out->is_full; i++) {
        if (i != 0)
            (void)buf_add_str(p->out, is_go ? ", " : " ");
        print_value(p, &v->as.array.items[i], verb, depth + 1);
    }
    (void)buf_add_char(p->out, is_go ? '}' : ']');
}

static int cmp_names(const void *a, const void *b)
{
    const struct value_field *const *x = a, *const *y = b;

    return slice_cmp((*x)->name, (*y)->name);
}

static void print_object(struct gofmt *p, const struct value *v, uint32_t verb, unsigned depth)
{
    bool is_go = verb == 'v' && p->is_go_syntax;
    size_t n = v->as.object.n;
    struct arena arena;
    const struct value_field **fields;

    arena_init(&arena, 0);
    fields = arena_try_array(&arena, n, sizeof *fields);
    for (size_t i = 0; i < n && fields != NULL; i++)
        fields[i] = &v->as.object.fields[i];
    if (fields != NULL && n != 0)
        qsort(fields, n, sizeof *fields, cmp_names);
    (void)buf_add_str(p->out, is_go ? "map[string]interface {}{" : "map[");
    for (size_t i = 0; i < n && fields != NULL && !p->out->is_full; i++) {
        struct value name = value_string(fields[i]->name);

        if (i != 0)
            (void)buf_add_str(p->out, is_go ? ", " : " ");
        print_value(p, &name, verb, depth + 1);
        (void)buf_add_char(p->out, ':');
        print_value(p, &fields[i]->value, verb, depth + 1);
    }
    (void)buf_add_char(p->out, is_go ? '}' : ']');
    arena_release(&arena);
}

static void print_value(struct gofmt *p, const struct value *v, uint32_t verb, unsigned depth)
{
    if (verb == 'T') {
        gofmt_pad(p, v->type == VALUE_NULL ? SLICE_LIT("<nil>") : cut_to_precision(p, slice_str(type_name(v))));
        return;
    }
    if (verb == 'w' && (v->type == VALUE_ARRAY || v->type == VALUE_OBJECT)) { /* it is Errorf's */
        gofmt_bad_verb(p, v, verb);
        return;
    }
    switch (v->type) {
    case VALUE_NULL:
        if (depth > 0)
            (void)buf_add_str(p->out, p->is_go_syntax ? "interface {}(nil)" : "<nil>");
        else if (verb == 'v')
            gofmt_pad(p, SLICE_LIT("<nil>"));
        else
            gofmt_bad_verb(p, v, verb);
        return;
    case VALUE_BOOL:
        if (verb == 't' || verb == 'v')
            gofmt_pad(p, v->as.boolean ? SLICE_LIT("true") : SLICE_LIT("false"));
        else
            gofmt_bad_verb(p, v, verb);
        return;
    case VALUE_NUMBER:
        if (v->as.number.kind == NUMBER_FLOAT)
            gofmt_float(p, v, verb);
        else
            gofmt_int(p, v, verb);
        return;
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        print_text(p, v, verb);
        return;
    case VALUE_ARRAY:
        print_array(p, v, verb, depth);
        return;
    case VALUE_OBJECT:
        print_object(p, v, verb, depth);
        return;
    case VALUE_FUNCTION:
    case VALUE_CAPSULE:
        break;
    }
    gofmt_pad(p, slice_str(type_name(v)));
}

/* --- the format --- */

static bool parse_number(struct slice *s, int *out)
{
    size_t i = 0;

    *out = 0;
    for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++) {
        if (*out > WIDEST) { /* a crazy number: Go gives up on the whole format here */
            *s = slice_from(*s, s->len);
            *out = 0;
            return false;
        }
        *out = *out * 10 + (s->ptr[i] - '0');
    }
    *s = slice_from(*s, i);
    return i != 0;
}

/* "[2]": the argument to use next. True when there was a number in brackets; is_good_index says whether it is one of an
 * argument. */
static bool parse_index(struct gofmt *p, struct slice *s)
{
    size_t close = slice_find(*s, ']');
    struct slice inside;
    int index;

    if (s->len == 0 || s->ptr[0] != '[')
        return false;
    p->is_reordered = true;
    if (s->len < 3 || close == s->len) {
        *s = slice_from(*s, 1);
        p->is_good_index = false;
        return false;
    }
    inside = slice_head(slice_from(*s, 1), close - 1);
    *s = slice_from(*s, close + 1);
    if (!parse_number(&inside, &index) || inside.len != 0) {
        p->is_good_index = false;
        return false;
    }
    if (index < 1 || (size_t)index > p->n_args)
        p->is_good_index = false;
    else
        p->arg = (size_t)index - 1;
    return true;
}

/* "*": the next argument as a number. */
static bool star(struct gofmt *p, int *out)
{
    int64_t i;
    bool is_good = p->arg < p->n_args && p->args[p->arg].type == VALUE_NUMBER &&
                   value_number_i64(p->args[p->arg].as.number, &i) && i >= -WIDEST && i <= WIDEST;

    *out = is_good ? (int)i : 0;
    if (p->arg < p->n_args)
        p->arg++;
    return is_good;
}

static void parse_flags(struct gofmt *p, struct slice *s)
{
    for (; s->len != 0; *s = slice_from(*s, 1)) {
        switch (s->ptr[0]) {
        case '#':
            p->sharp = true;
            continue;
        case '0':
            p->zero = true;
            continue;
        case '+':
            p->plus = true;
            continue;
        case '-':
            p->minus = true;
            continue;
        case ' ':
            p->space = true;
            continue;
        default:
            return;
        }
    }
}

static void parse_width(struct gofmt *p, struct slice *s)
{
    bool is_indexed = parse_index(p, s);

    if (s->len != 0 && s->ptr[0] == '*') {
        *s = slice_from(*s, 1);
        p->has_width = star(p, &p->width);
        if (!p->has_width)
            (void)buf_add_str(p->out, "%!(BADWIDTH)");
        if (p->width < 0) {
            p->width = -p->width;
            p->minus = true;
            p->zero = false;
        }
        is_indexed = false;
    } else {
        p->has_width = parse_number(s, &p->width);
        if (is_indexed && p->has_width)
            p->is_good_index = false; /* "%[3]2d" */
    }
    if (s->len == 0 || s->ptr[0] != '.') {
        if (!is_indexed)
            (void)parse_index(p, s);
        return;
    }
    *s = slice_from(*s, 1);
    if (is_indexed)
        p->is_good_index = false; /* "%[3].2d" */
    is_indexed = parse_index(p, s);
    if (s->len != 0 && s->ptr[0] == '*') {
        *s = slice_from(*s, 1);
        p->has_precision = star(p, &p->precision);
        if (p->precision < 0) {
            p->precision = 0;
            p->has_precision = false;
        }
        if (!p->has_precision)
            (void)buf_add_str(p->out, "%!(BADPREC)");
        is_indexed = false;
    } else {
        if (!parse_number(s, &p->precision))
            p->precision = 0;
        p->has_precision = true;
    }
    if (!is_indexed)
        (void)parse_index(p, s);
}

static void print_verb(struct gofmt *p, uint32_t verb)
{
    const char *problem = !p->is_good_index ? "(BADINDEX)" : p->arg >= p->n_args ? "(MISSING)" : NULL;

    if (verb == '%') {
        (void)buf_add_char(p->out, '%');
        return;
    }
    if (problem != NULL) {
        (void)buf_add_str(p->out, "%!");
        gofmt_rune(p->out, verb);
        (void)buf_add_str(p->out, problem);
        return;
    }
    if (verb == 'v' || verb == 'w') {
        p->is_go_syntax = p->sharp;
        p->sharp = false;
        p->plus = false;
    }
    print_value(p, &p->args[p->arg++], verb, 0);
}

static void print_extra(struct gofmt *p)
{
    p->has_width = p->has_precision = p->plus = p->minus = p->sharp = p->space = p->zero = p->is_go_syntax = false;
    (void)buf_add_str(p->out, "%!(EXTRA ");
    for (size_t i = p->arg; i < p->n_args && !p->out->is_full; i++) {
        if (i != p->arg)
            (void)buf_add_str(p->out, ", ");
        (void)buf_add_str(p->out, type_name(&p->args[i]));
        if (p->args[i].type != VALUE_NULL) {
            (void)buf_add_char(p->out, '=');
            print_value(p, &p->args[i], 'v', 0);
        }
    }
    (void)buf_add_char(p->out, ')');
}

void gofmt_print(struct buf *out, struct slice format, const struct value *args, size_t n)
{
    struct gofmt p = {.out = out, .args = args, .n_args = n};
    bool was_reordered = false;

    while (format.len != 0 && !out->is_full) {
        size_t literal = slice_find(format, '%');
        uint32_t verb;

        (void)buf_add(out, slice_head(format, literal));
        format = slice_from(format, literal);
        if (format.len == 0)
            break;
        format = slice_from(format, 1);
        p = (struct gofmt){.out = out, .args = args, .n_args = n, .arg = p.arg, .is_good_index = true};
        parse_flags(&p, &format);
        parse_width(&p, &format);
        was_reordered |= p.is_reordered;
        if (format.len == 0) {
            (void)buf_add_str(out, "%!(NOVERB)");
            break;
        }
        format = slice_from(format, utf8_decode(format, &verb));
        print_verb(&p, verb);
    }
    if (!was_reordered && p.arg < n)
        print_extra(&p);
}
