#include "agent/base/limits.h"
#include "agent/model/exposition.h"
#include "agent/model/exposition_int.h"
#include "agent/text/utf8.h"
#include <math.h>
#include <stdlib.h>

static bool is_name_start(char c, bool has_colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (has_colon && c == ':');
}

size_t exposition_name_len(struct slice s, bool has_colon)
{
    size_t i = 0;

    while (i < s.len && (is_name_start(s.ptr[i], has_colon) || (i != 0 && s.ptr[i] >= '0' && s.ptr[i] <= '9')))
        i++;
    return i;
}

size_t exposition_quoted_len(struct slice s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            return i + 1;
    }
    return 0;
}

size_t exposition_braces_len(struct slice s)
{
    size_t i = 1;

    while (i < s.len) {
        if (s.ptr[i] == '}')
            return i + 1;
        if (s.ptr[i] == '"') {
            size_t len = exposition_quoted_len(slice_from(s, i));

            if (len == 0)
                return 0;
            i += len;
        } else {
            i++;
        }
    }
    return 0;
}

struct slice exposition_skip_blanks(struct slice s)
{
    size_t i = 0;

    while (i < s.len && exposition_is_blank(s.ptr[i]))
        i++;
    return slice_from(s, i);
}

struct series {
    struct slice rest;
    struct arena *arena;
    struct label *pairs; /* in the arena, room for cap */
    size_t n, cap;
};

/* The contents of a quoted text: \\ \" \n are escapes, any other backslash stays as it is (Prometheus' lvalReplacer).
 */
static enum code unescape(struct arena *a, struct slice s, struct slice *out)
{
    char *text;
    size_t len = 0;

    *out = s;
    if (slice_find(s, '\\') == s.len)
        return OK;
    text = arena_try_alloc(a, s.len);
    if (text == NULL)
        return NOMEM;
    for (size_t i = 0; i < s.len; i++) {
        char next = i + 1 < s.len ? s.ptr[i + 1] : '\0';
        bool is_escape = s.ptr[i] == '\\' && (next == '\\' || next == '"' || next == 'n');

        if (is_escape)
            i++;
        text[len++] = is_escape && next == 'n' ? '\n' : s.ptr[i];
    }
    *out = slice_make(text, len);
    return OK;
}

/* A quoted text at the start of s->rest. */
static enum code take_quoted(struct series *s, struct slice *out, struct error *err)
{
    size_t len = exposition_quoted_len(s->rest);
    struct slice inside;

    if (len < 2)
        return error_set(err, INVALID, "a quoted text without its end");
    inside = slice_make(s->rest.ptr + 1, len - 2);
    s->rest = slice_from(s->rest, len);
    if (!utf8_is_valid(inside))
        return error_set(err, INVALID, "a label is not valid UTF-8");
    return unescape(s->arena, inside, out) == OK ? OK : error_set(err, NOMEM, "labels do not fit in memory");
}

static enum code add_pair(struct series *s, struct slice name, struct slice value, struct error *err)
{
    for (size_t i = 0; i < s->n; i++)
        if (slice_eq(s->pairs[i].name, name))
            return error_set(err, INVALID, "label \"%.*s\" occurs twice", SLICE_ARG(name));
    if (s->n == LIMIT_SERIES_LABELS)
        return error_set(err, FULL, "more than %d labels", LIMIT_SERIES_LABELS);
    if (s->n == s->cap) {
        size_t cap = s->cap != 0 ? s->cap * 2 : 16;
        struct label *pairs = arena_try_array(s->arena, cap, sizeof *pairs);

        if (pairs == NULL)
            return error_set(err, NOMEM, "labels do not fit in memory");
        if (s->n != 0)
            memcpy(pairs, s->pairs, s->n * sizeof *pairs);
        s->pairs = pairs;
        s->cap = cap;
    }
    s->pairs[s->n++] = (struct label){name, value};
    return OK;
}

static enum code add_name(struct series *s, struct slice name, struct error *err)
{
    if (name.len == 0)
        return error_set(err, INVALID, "an empty metric name");
    return add_pair(s, SLICE_LIT("__name__"), name, err);
}

/* name="value", "name"="value", or the metric's name in quotes. */
static enum code take_label(struct series *s, struct error *err)
{
    bool is_quoted = s->rest.len != 0 && s->rest.ptr[0] == '"';
    struct slice name = {0}, value = {0};
    enum code rc = OK;

    if (is_quoted) {
        rc = take_quoted(s, &name, err);
    } else {
        name = slice_head(s->rest, exposition_name_len(s->rest, false));
        s->rest = slice_from(s->rest, name.len);
    }
    if (rc != OK)
        return rc;
    s->rest = exposition_skip_blanks(s->rest);
    if (is_quoted && (s->rest.len == 0 || s->rest.ptr[0] != '='))
        return add_name(s, name, err);
    if (name.len == 0)
        return error_set(err, INVALID, "expected a label name");
    if (s->rest.len == 0 || s->rest.ptr[0] != '=')
        return error_set(err, INVALID, "expected = after label \"%.*s\"", SLICE_ARG(name));
    s->rest = exposition_skip_blanks(slice_from(s->rest, 1));
    if (s->rest.len == 0 || s->rest.ptr[0] != '"')
        return error_set(err, INVALID, "the value of label \"%.*s\" is not quoted", SLICE_ARG(name));
    rc = take_quoted(s, &value, err);
    return rc == OK ? add_pair(s, name, value, err) : rc;
}

/* Between the braces; a comma after the last label is fine. */
static enum code take_labels(struct series *s, struct error *err)
{
    enum code rc = OK;

    s->rest = exposition_skip_blanks(slice_from(s->rest, 1));
    while (rc == OK && (s->rest.len == 0 || s->rest.ptr[0] != '}')) {
        rc = take_label(s, err);
        if (rc != OK)
            break;
        s->rest = exposition_skip_blanks(s->rest);
        if (s->rest.len != 0 && s->rest.ptr[0] == ',')
            s->rest = exposition_skip_blanks(slice_from(s->rest, 1));
        else if (s->rest.len == 0 || s->rest.ptr[0] != '}')
            rc = error_set(err, INVALID, "expected , or } after a label");
    }
    s->rest = slice_from(s->rest, 1);
    return rc;
}

enum code exposition_series_parse(struct slice series, struct arena *a, struct label **pairs, size_t *n,
                                  struct error *err)
{
    struct series s = {.rest = series, .arena = a};
    struct slice name = slice_head(series, exposition_name_len(series, true));
    enum code rc = OK;

    *pairs = NULL;
    *n = 0;
    if (name.len != 0)
        rc = add_name(&s, name, err);
    s.rest = exposition_skip_blanks(slice_from(s.rest, name.len));
    if (rc == OK && s.rest.len != 0 && s.rest.ptr[0] == '{')
        rc = take_labels(&s, err);
    if (rc == OK && s.rest.len != 0)
        rc = error_set(err, INVALID, "unexpected \"%.*s\" in a series", SLICE_ARG(slice_head(s.rest, 40)));
    if (rc != OK)
        return rc;
    *pairs = s.pairs;
    *n = s.n;
    return OK;
}

static bool special_f64(struct slice s, double *out)
{
    bool is_signed = s.len != 0 && (s.ptr[0] == '+' || s.ptr[0] == '-');
    struct slice word = slice_from(s, is_signed);

    if (slice_eq_nocase(word, SLICE_LIT("inf")) || slice_eq_nocase(word, SLICE_LIT("infinity"))) {
        *out = s.ptr[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    *out = NAN;
    return !is_signed && slice_eq_nocase(word, SLICE_LIT("nan"));
}

struct decimal {
    uint64_t digits;
    int n_digits; /* significant ones taken */
    int exponent;
    bool is_negative, is_exact; /* not exact: more digits than fit */
};

/* [+-] digits [. digits] [e [+-] digits], all of s. */
static bool read_decimal(struct slice s, struct decimal *d)
{
    const char *p = s.ptr, *end = s.ptr + s.len;
    bool has_point = false, has_digit = false;

    *d = (struct decimal){.is_exact = true};
    if (p < end && (*p == '-' || *p == '+'))
        d->is_negative = *p++ == '-';
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !has_point)); p++) {
        if (*p == '.') {
            has_point = true;
            continue;
        }
        has_digit = true;
        if (d->n_digits == 19) {
            d->is_exact = false;
        } else {
            d->digits = d->digits * 10 + (uint64_t)(*p - '0');
            d->n_digits += d->digits != 0;
            d->exponent -= has_point;
        }
    }
    if (!has_digit)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool is_down = p + 1 < end && p[1] == '-';
        int exponent = 0;

        p += p + 1 < end && (p[1] == '-' || p[1] == '+') ? 2 : 1;
        if (p == end)
            return false;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            exponent = exponent < 100000 ? exponent * 10 + (*p - '0') : exponent;
        d->exponent += is_down ? -exponent : exponent;
    }
    return p == end;
}

bool exposition_f64(struct slice text, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal d;
    double v;

    if (text.len == 0)
        return false;
    if (!read_decimal(text, &d))
        return special_f64(text, out);
    /* Both factors are exact doubles, so one rounding: the correct one (Clinger's fast path). */
    if (!d.is_exact || d.digits > (1ull << 53) || d.exponent < -22 || d.exponent > 22)
        return slice_to_f64(text, out) && isfinite(*out); /* Go: out of range is an error */
    v = (double)d.digits;
    v = d.exponent < 0 ? v / powers[-d.exponent] : v * powers[d.exponent];
    *out = d.is_negative ? -v : v;
    return true;
}
