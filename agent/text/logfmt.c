#include "agent/text/logfmt.h"
#include "agent/text/utf8.h"

void logfmt_init(struct logfmt *l, struct slice line)
{
    *l = (struct logfmt){.line = line};
}

static enum code broken(struct logfmt *l, const char *what, struct error *err)
{
    size_t column = l->at + 1;

    l->at = l->line.len; /* the record is over */
    return error_set(err, INVALID, "logfmt: column %zu: %s", column, what);
}

static bool is_space(char c)
{
    return (unsigned char)c <= ' ';
}

static enum code read_key(struct logfmt *l, struct slice *key, struct error *err)
{
    size_t from = l->at;

    while (l->at < l->line.len && !is_space(l->line.ptr[l->at]) && l->line.ptr[l->at] != '=') {
        if (l->line.ptr[l->at] == '"')
            return broken(l, "unexpected '\"' in a key", err);
        l->at++;
    }
    *key = slice_make(l->line.ptr + from, l->at - from);
    if (key->len == 0)
        return broken(l, "unexpected '=' without a key", err);
    /* go-logfmt also refuses a written U+FFFD: it looks for the rune, not for bad bytes. */
    if (!utf8_is_valid(*key) || slice_find_slice(*key, SLICE_LIT("\xEF\xBF\xBD")) < key->len)
        return broken(l, "invalid key", err);
    return OK;
}

static enum code read_plain(struct logfmt *l, struct slice *value, struct error *err)
{
    size_t from = l->at;

    while (l->at < l->line.len && !is_space(l->line.ptr[l->at])) {
        if (l->line.ptr[l->at] == '=' || l->line.ptr[l->at] == '"')
            return broken(l, "unexpected '=' or '\"' in a value without quotes", err);
        l->at++;
    }
    *value = slice_make(l->line.ptr + from, l->at - from);
    return OK;
}

/* Four hexadecimal digits at s, or -1. */
static int64_t read_hex4(struct slice s)
{
    int64_t v = 0;

    if (s.len < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = s.ptr[i];

        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            v = v * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return v;
}

/* text starts after the 'u'. Returns the bytes it takes, 0 when it is bad. */
static size_t read_unicode(struct slice text, uint32_t *rune)
{
    int64_t high = read_hex4(text), low;

    if (high < 0)
        return 0;
    *rune = (uint32_t)high;
    if (high < 0xD800 || high > 0xDBFF || text.len < 10 || text.ptr[4] != '\\' || text.ptr[5] != 'u')
        return 4;
    low = read_hex4(slice_from(text, 6));
    if (low < 0xDC00 || low > 0xDFFF)
        return 4;
    *rune = (uint32_t)(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
    return 10;
}

/* JSON's escapes and \', as go-logfmt takes them; control characters are refused here, though not in a plain quote. */
static bool unescape(struct slice text, char *to, size_t *len)
{
    static const char names[] = "\"\\/'bfnrt", values[] = "\"\\/'\b\f\n\r\t";
    char *start = to;

    while (text.len != 0) {
        char c = text.ptr[0];
        const char *found;
        uint32_t rune;
        size_t n;

        if ((unsigned char)c < 0x20)
            return false;
        text = slice_from(text, 1);
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        if (text.len == 0 || text.ptr[0] == '\0')
            return false;
        c = text.ptr[0];
        text = slice_from(text, 1);
        found = strchr(names, c);
        if (found != NULL) {
            *to++ = values[found - names];
            continue;
        }
        n = c == 'u' ? read_unicode(text, &rune) : 0;
        if (n == 0)
            return false;
        to += utf8_encode(rune, to);
        text = slice_from(text, n);
    }
    *len = (size_t)(to - start);
    return true;
}

static enum code read_quoted(struct logfmt *l, struct arena *a, struct slice *value, struct error *err)
{
    size_t from = l->at + 1, i = from, len;
    bool has_escapes = false;
    char *copy;

    while (i < l->line.len && l->line.ptr[i] != '"') {
        if (l->line.ptr[i] == '\\') {
            has_escapes = true;
            i++;
        }
        i++;
    }
    if (i >= l->line.len)
        return broken(l, "a quoted value does not end", err);
    *value = slice_make(l->line.ptr + from, i - from);
    if (has_escapes) {
        copy = arena_try_alloc(a, value->len);
        if (copy == NULL)
            return error_set(err, NOMEM, "logfmt: no memory for a value of %zu bytes", value->len);
        if (!unescape(*value, copy, &len))
            return broken(l, "bad escape in a quoted value", err);
        *value = slice_make(copy, len);
    }
    l->at = i + 1;
    return OK;
}

enum code logfmt_next(struct logfmt *l, struct arena *a, struct logfmt_pair *out, bool *is_end, struct error *err)
{
    enum code rc;

    *out = (struct logfmt_pair){.has_value = false};
    while (l->at < l->line.len && is_space(l->line.ptr[l->at]))
        l->at++;
    *is_end = l->at >= l->line.len;
    if (*is_end)
        return OK;
    rc = read_key(l, &out->key, err);
    if (rc != OK || l->at >= l->line.len || l->line.ptr[l->at] != '=')
        return rc;
    l->at++;
    out->has_value = true;
    if (l->at >= l->line.len || is_space(l->line.ptr[l->at]))
        return OK;
    return l->line.ptr[l->at] == '"' ? read_quoted(l, a, &out->value, err) : read_plain(l, &out->value, err);
}
