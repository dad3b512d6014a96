#include "agent/base/limits.h"
#include "agent/text/json.h"
#include "agent/text/number.h"
#include "agent/text/utf8.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum state { WANT_VALUE, WANT_VALUE_OR_CLOSE, WANT_KEY, WANT_KEY_OR_CLOSE, WANT_COMMA_OR_CLOSE, DONE };

_Static_assert(LIMIT_JSON_DEPTH <= 64, "json_reader.is_object has one bit per level");

void json_reader_init(struct json_reader *r, struct slice input)
{
    static const char nothing[1] = "";
    const char *start = input.ptr != NULL ? input.ptr : nothing;

    *r = (struct json_reader){.start = start, .at = start, .end = start + input.len, .state = WANT_VALUE};
}

void json_reader_init_prefix(struct json_reader *r, struct slice input)
{
    json_reader_init(r, input);
    r->is_prefix = true;
}

static enum code syntax(const struct json_reader *r, const char *at, const char *what, struct error *err)
{
    if (at >= r->end)
        return error_set(err, INVALID, "json: the text ends at byte %zu, %s", (size_t)(r->end - r->start), what);
    return error_set(err, INVALID, "json: byte %zu: %s", (size_t)(at - r->start), what);
}

static void skip_space(struct json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* The next quote, backslash or control character at or after p. */
static const char *find_special(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), last = _mm_set1_epi8(0x1F);

    for (; end - p >= 16; p += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(chunk, last), chunk);
        __m128i hit = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(chunk, quote), _mm_cmpeq_epi8(chunk, slash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);

        if (mask != 0)
            return p + __builtin_ctz(mask);
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Bytes of the escape at p (a backslash), 0 when it is not one. */
static size_t escape_bytes(const char *p, const char *end)
{
    if (end - p < 2)
        return 0;
    if (p[1] != 'u')
        return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
    if (end - p < 6)
        return 0;
    for (int i = 2; i < 6; i++) {
        if (hex_value(p[i]) < 0)
            return 0;
    }
    return 6;
}

/* at is the opening quote; leaves it after the closing one. */
static enum code read_string(struct json_reader *r, struct error *err)
{
    const char *from = r->at + 1, *p = from;

    r->has_escapes = false;
    for (;;) {
        p = find_special(p, r->end);
        if (p >= r->end)
            return syntax(r, p, "inside a string", err);
        if (*p == '"')
            break;
        if (*p == '\\') {
            size_t n = escape_bytes(p, r->end);

            if (n == 0)
                return syntax(r, p, "bad escape in a string", err);
            r->has_escapes = true;
            p += n;
            continue;
        }
        return syntax(r, p, "control character in a string", err);
    }
    r->text = slice_make(from, (size_t)(p - from));
    r->at = p + 1;
    return OK;
}

static enum code read_number(struct json_reader *r, struct error *err)
{
    const char *from = r->at, *p = from;

    while (p < r->end && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == '.' || *p == 'e' || *p == 'E'))
        p++;
    r->text = slice_make(from, (size_t)(p - from));
    if (!number_is_json(r->text))
        return syntax(r, from, "bad number", err);
    r->at = p;
    r->token = JSON_TOK_NUMBER;
    return OK;
}

static enum code read_word(struct json_reader *r, const char *word, enum json_token token, struct error *err)
{
    size_t n = strlen(word);

    if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
        return syntax(r, r->at, "not a JSON value", err);
    r->at += n;
    r->token = token;
    return OK;
}

static void after_value(struct json_reader *r)
{
    r->state = r->depth != 0 ? WANT_COMMA_OR_CLOSE : DONE;
}

static enum code open_level(struct json_reader *r, bool is_object, struct error *err)
{
    if (r->depth >= LIMIT_JSON_DEPTH)
        return error_set(err, FULL, "json: byte %zu: nested deeper than %d", (size_t)(r->at - r->start),
                         LIMIT_JSON_DEPTH);
    r->depth++;
    r->is_object = r->is_object << 1 | (is_object ? 1 : 0);
    r->at++;
    r->token = is_object ? JSON_TOK_OBJECT_BEGIN : JSON_TOK_ARRAY_BEGIN;
    r->state = is_object ? WANT_KEY_OR_CLOSE : WANT_VALUE_OR_CLOSE;
    return OK;
}

static enum code close_level(struct json_reader *r)
{
    r->token = (r->is_object & 1) != 0 ? JSON_TOK_OBJECT_END : JSON_TOK_ARRAY_END;
    r->is_object >>= 1;
    r->depth--;
    r->at++;
    after_value(r);
    return OK;
}

static enum code read_key(struct json_reader *r, struct error *err)
{
    enum code rc;

    if (r->at >= r->end || *r->at != '"')
        return syntax(r, r->at, "a key in quotes is due", err);
    rc = read_string(r, err);
    if (rc != OK)
        return rc;
    skip_space(r);
    if (r->at >= r->end || *r->at != ':')
        return syntax(r, r->at, "a ':' is due after the key", err);
    r->at++;
    r->token = JSON_TOK_KEY;
    r->state = WANT_VALUE;
    return OK;
}

static enum code read_value(struct json_reader *r, struct error *err)
{
    enum code rc;

    if (r->at >= r->end)
        return syntax(r, r->at, "a value is due", err);
    switch (*r->at) {
    case '{':
        return open_level(r, true, err);
    case '[':
        return open_level(r, false, err);
    case '"':
        rc = read_string(r, err);
        r->token = JSON_TOK_STRING;
        break;
    case 't':
        rc = read_word(r, "true", JSON_TOK_TRUE, err);
        break;
    case 'f':
        rc = read_word(r, "false", JSON_TOK_FALSE, err);
        break;
    case 'n':
        rc = read_word(r, "null", JSON_TOK_NULL, err);
        break;
    default:
        if (*r->at != '-' && (*r->at < '0' || *r->at > '9'))
            return syntax(r, r->at, "not a JSON value", err);
        rc = read_number(r, err);
        break;
    }
    if (rc == OK)
        after_value(r);
    return rc;
}

enum code json_next(struct json_reader *r, struct error *err)
{
    bool in_object = (r->is_object & 1) != 0;

    if (r->state == DONE && r->is_prefix) {
        r->token = JSON_TOK_END;
        return OK;
    }
    skip_space(r);
    switch ((enum state)r->state) {
    case DONE:
        if (r->at < r->end)
            return syntax(r, r->at, "more text after the value", err);
        r->token = JSON_TOK_END;
        return OK;
    case WANT_COMMA_OR_CLOSE:
        if (r->at < r->end && *r->at == (in_object ? '}' : ']'))
            return close_level(r);
        if (r->at >= r->end || *r->at != ',')
            return syntax(r, r->at, in_object ? "a ',' or '}' is due" : "a ',' or ']' is due", err);
        r->at++;
        skip_space(r);
        return in_object ? read_key(r, err) : read_value(r, err);
    case WANT_KEY_OR_CLOSE:
        if (r->at < r->end && *r->at == '}')
            return close_level(r);
        return read_key(r, err);
    case WANT_KEY:
        return read_key(r, err);
    case WANT_VALUE_OR_CLOSE:
        if (r->at < r->end && *r->at == ']')
            return close_level(r);
        return read_value(r, err);
    case WANT_VALUE:
        return read_value(r, err);
    }
    return syntax(r, r->at, "not a JSON value", err);
}

enum code json_skip(struct json_reader *r, struct error *err)
{
    unsigned until;
    enum code rc = OK;

    if (r->token == JSON_TOK_KEY)
        rc = json_next(r, err);
    if (rc != OK || (r->token != JSON_TOK_OBJECT_BEGIN && r->token != JSON_TOK_ARRAY_BEGIN))
        return rc;
    until = r->depth - 1;
    while (rc == OK && r->depth > until)
        rc = json_next(r, err);
    return rc;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;

    for (int i = 0; i < 4; i++)
        v = v << 4 | ((uint32_t)hex_value(p[i]) & 0xF);
    return v;
}

/* The escape at p (complete, as read_string has checked, or else copied as it stands). */
static size_t decode_escape(const char *p, const char *end, char out[UTF8_MAX_BYTES], size_t *used)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    size_t n = escape_bytes(p, end);
    uint32_t rune;

    *used = n != 0 ? n : 1;
    if (n != 6) {
        out[0] = n == 2 ? values[strchr(names, p[1]) - names] : *p;
        return 1;
    }
    rune = hex4(p + 2);
    if (rune >= 0xD800 && rune <= 0xDBFF && escape_bytes(p + 6 < end ? p + 6 : end, end) == 6 && p[6] == '\\') {
        uint32_t low = hex4(p + 8);

        if (low >= 0xDC00 && low <= 0xDFFF) {
            rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
            *used = 12;
        }
    }
    return utf8_encode(rune, out);
}

/* Unescapes into to, which has room for text.len: no escape is shorter than what it stands for. */
static size_t unescape_to(char *to, struct slice text)
{
    const char *p = text.ptr, *end = text.ptr + text.len;
    char *start = to;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p), used;
        char rune[UTF8_MAX_BYTES];
        size_t n;

        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (slash == NULL)
            break;
        n = decode_escape(p, end, rune, &used);
        memcpy(to, rune, n);
        to += n;
        p += used;
    }
    return (size_t)(to - start);
}

enum code json_unescape(struct arena *a, struct slice text, struct slice *out)
{
    char *copy;

    *out = text;
    if (text.len == 0 || memchr(text.ptr, '\\', text.len) == NULL)
        return OK;
    copy = arena_try_alloc(a, text.len);
    if (copy == NULL)
        return NOMEM;
    *out = slice_make(copy, unescape_to(copy, text));
    return OK;
}

enum code json_reader_string(struct json_reader *r, struct arena *a, struct slice *out)
{
    *out = r->text;
    return r->has_escapes ? json_unescape(a, r->text, out) : OK;
}

bool json_key_is(const struct json_reader *r, const char *name)
{
    struct slice want = slice_str(name), text = r->text;

    if (!r->has_escapes)
        return slice_eq(text, want);
    while (text.len != 0) {
        char rune[UTF8_MAX_BYTES] = {text.ptr[0]};
        size_t used = 1, n = 1;

        if (text.ptr[0] == '\\')
            n = decode_escape(text.ptr, text.ptr + text.len, rune, &used);
        if (!slice_starts(want, slice_make(rune, n)))
            return false;
        want = slice_from(want, n);
        text = slice_from(text, used);
    }
    return want.len == 0;
}

static enum code not_number(const struct json_reader *r, const char *kind, struct error *err)
{
    return error_set(err, INVALID, "json: \"%.*s\" before byte %zu is not %s", (int)slice_head(r->text, 64).len,
                     r->text.len != 0 ? r->text.ptr : "", (size_t)(r->at - r->start), kind);
}

static bool holds_number(const struct json_reader *r)
{
    return r->token == JSON_TOK_NUMBER || r->token == JSON_TOK_STRING;
}

enum code json_reader_i64(const struct json_reader *r, int64_t *out, struct error *err)
{
    if (!holds_number(r) || !number_to_i64(r->text, out))
        return not_number(r, "a 64-bit integer", err);
    return OK;
}

enum code json_reader_u64(const struct json_reader *r, uint64_t *out, struct error *err)
{
    if (!holds_number(r) || !number_to_u64(r->text, out))
        return not_number(r, "an unsigned 64-bit integer", err);
    return OK;
}

enum code json_reader_f64(const struct json_reader *r, double *out, struct error *err)
{
    if (r->token == JSON_TOK_STRING) {
        if (slice_eq_str(r->text, "NaN"))
            *out = __builtin_nan("");
        else if (slice_eq_str(r->text, "Infinity"))
            *out = __builtin_inf();
        else if (slice_eq_str(r->text, "-Infinity"))
            *out = -__builtin_inf();
        else if (!number_is_json(r->text) || !slice_to_f64(r->text, out))
            return not_number(r, "a number", err);
        return OK;
    }
    if (r->token != JSON_TOK_NUMBER || !slice_to_f64(r->text, out))
        return not_number(r, "a number", err);
    return OK;
}
