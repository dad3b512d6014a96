#include "agent/base/limits.h"
#include "agent/model/loki_write.h"
#include "agent/text/utf8.h"

struct parse {
    struct slice rest, whole;
    struct arena *arena;
    struct label *pairs; /* in the arena */
    size_t n, cap;
    struct error *err;
};

static enum code refuse(const struct parse *p, const char *why)
{
    return error_set(p->err, INVALID, "labels %.*s: %s at byte %zu", SLICE_ARG(slice_head(p->whole, 100)), why,
                     p->whole.len - p->rest.len);
}

static void skip_blanks(struct parse *p)
{
    while (p->rest.len != 0 && (p->rest.ptr[0] == ' ' || p->rest.ptr[0] == '\t' || p->rest.ptr[0] == '\n'))
        p->rest = slice_from(p->rest, 1);
}

static bool take_char(struct parse *p, char c)
{
    skip_blanks(p);
    if (p->rest.len == 0 || p->rest.ptr[0] != c)
        return false;
    p->rest = slice_from(p->rest, 1);
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* n hexadecimal digits after the letter at s.ptr[0]. */
static bool read_hex(struct slice s, size_t n, uint32_t *out)
{
    *out = 0;
    if (s.len < n + 1)
        return false;
    for (size_t i = 1; i <= n; i++) {
        int digit = hex_digit(s.ptr[i]);

        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* One escape of a Go string, s being what follows the backslash: returns the bytes of s it takes, 0 when it is none. */
static size_t unescape_one(struct slice s, char *to, size_t *len)
{
    static const char from[] = "abfnrtv\\\"", plain[] = "\a\b\f\n\r\t\v\\\"";
    const char *at = s.len != 0 && s.ptr[0] != '\0' ? strchr(from, s.ptr[0]) : NULL;
    size_t digits;
    uint32_t v;

    if (at != NULL) {
        to[(*len)++] = plain[at - from];
        return 1;
    }
    if (s.len == 0)
        return 0;
    digits = s.ptr[0] == 'x' ? 2 : s.ptr[0] == 'u' ? 4 : s.ptr[0] == 'U' ? 8 : 0;
    if (digits == 0 || !read_hex(s, digits, &v))
        return 0;
    if (digits == 2)
        to[(*len)++] = (char)(unsigned char)v;
    else
        *len += utf8_encode(v, to + *len); /* never more bytes than the escape has */
    return digits + 1;
}

static enum code take_quoted(struct parse *p, struct slice *out)
{
    bool is_raw = p->rest.len != 0 && p->rest.ptr[0] == '`';
    char *text;
    size_t len = 0, i = 1;

    if (!is_raw && (p->rest.len == 0 || p->rest.ptr[0] != '"'))
        return refuse(p, "expected a quoted value");
    text = arena_try_alloc(p->arena, p->rest.len);
    if (text == NULL)
        return error_set(p->err, NOMEM, "labels do not fit in memory");
    while (i < p->rest.len && p->rest.ptr[i] != p->rest.ptr[0]) {
        size_t used;

        if (is_raw || p->rest.ptr[i] != '\\') {
            if (!is_raw && p->rest.ptr[i] == '\n')
                return refuse(p, "a line break inside a value");
            text[len++] = p->rest.ptr[i++];
            continue;
        }
        used = unescape_one(slice_from(p->rest, i + 1), text, &len);
        if (used == 0)
            return refuse(p, "an unknown escape in a value");
        i += used + 1;
    }
    if (i == p->rest.len)
        return refuse(p, "a value without its end");
    p->rest = slice_from(p->rest, i + 1);
    *out = slice_make(text, len);
    return OK;
}

static enum code add_pair(struct parse *p, struct slice name, struct slice value)
{
    for (size_t i = 0; i < p->n; i++)
        if (slice_eq(p->pairs[i].name, name))
            return refuse(p, "a label occurs twice");
    if (p->n == LIMIT_SERIES_LABELS)
        return error_set(p->err, FULL, "more than %d labels", LIMIT_SERIES_LABELS);
    if (p->n == p->cap) {
        size_t cap = p->cap != 0 ? p->cap * 2 : 16;
        struct label *pairs = arena_try_array(p->arena, cap, sizeof *pairs);

        if (pairs == NULL)
            return error_set(p->err, NOMEM, "labels do not fit in memory");
        if (p->n != 0)
            memcpy(pairs, p->pairs, p->n * sizeof *pairs);
        p->pairs = pairs;
        p->cap = cap;
    }
    p->pairs[p->n++] = (struct label){name, value};
    return OK;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

static enum code take_pair(struct parse *p)
{
    struct slice name, value = {0};
    size_t len = 0;
    enum code rc;

    skip_blanks(p);
    while (len < p->rest.len && is_word(p->rest.ptr[len]))
        len++;
    name = slice_head(p->rest, len);
    if (!label_name_is_legacy(name))
        return refuse(p, "expected a label name");
    p->rest = slice_from(p->rest, len);
    if (!take_char(p, '='))
        return refuse(p, "expected =");
    skip_blanks(p);
    rc = take_quoted(p, &value);
    return rc == OK ? add_pair(p, name, value) : rc;
}

enum code loki_labels_parse(struct slice text, struct arena *a, struct label **pairs, size_t *n, struct error *err)
{
    struct parse p = {.rest = text, .whole = text, .arena = a, .err = err};
    bool is_over;
    enum code rc = OK;

    *pairs = NULL;
    *n = 0;
    if (!take_char(&p, '{'))
        return refuse(&p, "expected {");
    is_over = take_char(&p, '}');
    while (rc == OK && !is_over) {
        rc = take_pair(&p);
        is_over = rc == OK && take_char(&p, '}');
        if (rc == OK && !is_over && !take_char(&p, ','))
            rc = refuse(&p, "expected , or }");
        else if (rc == OK && !is_over && take_char(&p, '}'))
            is_over = true; /* a comma after the last label */
    }
    skip_blanks(&p);
    if (rc == OK && p.rest.len != 0)
        rc = refuse(&p, "text after }");
    if (rc != OK)
        return rc;
    *pairs = p.pairs;
    *n = p.n;
    return OK;
}
