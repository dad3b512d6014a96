#include "agent/text/base64.h"

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

enum code base64_decode(struct arena *a, struct slice s, struct slice *out, struct error *err)
{
    size_t padded = s.len, n = 0;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    char *to;

    while (s.len != 0 && s.ptr[s.len - 1] == '=' && padded - s.len < 2)
        s.len--;
    if (s.len % 4 == 1 || (padded != s.len && padded % 4 != 0))
        return error_set(err, INVALID, "base64: %zu characters are no whole number of bytes", padded);
    to = arena_try_alloc(a, s.len / 4 * 3 + 3);
    if (to == NULL)
        return error_set(err, NOMEM, "base64: no memory for %zu characters", s.len);
    for (size_t i = 0; i < s.len; i++) {
        int v = value_of(s.ptr[i]);

        if (v < 0)
            return error_set(err, INVALID, "base64: bad character at byte %zu", i);
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            to[n++] = (char)(bits >> n_bits & 0xFF);
        }
    }
    if ((bits & ((1u << n_bits) - 1)) != 0)
        return error_set(err, INVALID, "base64: bits left over at the end");
    *out = slice_make(to, n);
    return OK;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* The padding of a last group of `have` characters, from s.ptr[at] on: nothing else may follow. */
static bool is_padding(struct slice s, size_t at, size_t have)
{
    size_t missing = 4 - have;

    for (; at < s.len; at++) {
        if (is_line_end(s.ptr[at]))
            continue;
        if (s.ptr[at] != '=' || missing-- == 0)
            return false;
    }
    return missing == 0 && have >= 2;
}

enum code base64_decode_as_go(struct arena *a, struct slice s, enum base64_alphabet alphabet, struct slice *out,
                              struct error *err)
{
    size_t n = 0, have = 0;
    uint32_t bits = 0;
    char *to = arena_try_alloc(a, s.len / 4 * 3 + 3);

    if (to == NULL)
        return error_set(err, NOMEM, "base64: no memory for %zu characters", s.len);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        int v = value_of(c);

        if (is_line_end(c))
            continue;
        if (c == '=' && is_padding(s, i, have))
            break;
        if (v < 0 || (alphabet == BASE64_URL ? c == '+' || c == '/' : c == '-' || c == '_'))
            return error_set(err, INVALID, "base64: bad character at byte %zu", i);
        bits = bits << 6 | (uint32_t)v;
        have = (have + 1) % 4;
        if (have != 1)
            to[n++] = (char)(bits >> (have == 2 ? 4 : have == 3 ? 2 : 0) & 0xFF);
        if (i + 1 == s.len && have != 0)
            return error_set(err, INVALID, "base64: the text ends inside a group of four (is the padding missing?)");
    }
    *out = slice_make(to, n);
    return OK;
}

enum code base64_encode(struct buf *out, struct slice s)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum code rc = buf_reserve(out, s.len / 3 * 4 + 4);

    for (size_t i = 0; i < s.len && rc == OK; i += 3) {
        size_t n = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = 0;
        char quad[4] = "====";

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)s.ptr[i + k] : 0u);
        for (size_t k = 0; k <= n; k++)
            quad[k] = alphabet[bits >> (18 - 6 * k) & 0x3F];
        rc = buf_add(out, slice_make(quad, sizeof quad));
    }
    return rc;
}
