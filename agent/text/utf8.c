#include "agent/text/utf8.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

size_t utf8_ascii_prefix(struct slice s)
{
    size_t i = 0;

#ifdef __SSE2__
    for (; i + 16 <= s.len; i += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)(s.ptr + i));
        unsigned high = (unsigned)_mm_movemask_epi8(chunk);

        if (high != 0)
            return i + (size_t)__builtin_ctz(high);
    }
#else
    for (; i + 8 <= s.len; i += 8) {
        uint64_t word;

        memcpy(&word, s.ptr + i, sizeof word);
        if ((word & 0x8080808080808080ull) != 0)
            break;
    }
#endif
    while (i < s.len && (unsigned char)s.ptr[i] < 0x80)
        i++;
    return i;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The bounds of the second byte follow from the first one (RFC 3629, section 4). */
static bool is_second(unsigned char first, unsigned char c)
{
    switch (first) {
    case 0xE0:
        return c >= 0xA0 && c <= 0xBF;
    case 0xED:
        return c >= 0x80 && c <= 0x9F;
    case 0xF0:
        return c >= 0x90 && c <= 0xBF;
    case 0xF4:
        return c >= 0x80 && c <= 0x8F;
    default:
        return is_tail(c);
    }
}

/* Bytes of the valid sequence at p, 0 when it is not one. */
static size_t sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    if (p[0] < 0xE0)
        return n >= 2 && is_tail(p[1]) ? 2 : 0;
    if (p[0] < 0xF0)
        return n >= 3 && is_second(p[0], p[1]) && is_tail(p[2]) ? 3 : 0;
    return n >= 4 && is_second(p[0], p[1]) && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
}

size_t utf8_valid_prefix(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = utf8_ascii_prefix(s);

    while (i < s.len) {
        size_t n = sequence(p + i, s.len - i);

        if (n == 0)
            return i;
        i += n;
        if (i < s.len && p[i] < 0x80)
            i += utf8_ascii_prefix(slice_from(s, i));
    }
    return i;
}

size_t utf8_decode(struct slice s, uint32_t *rune)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t n;

    *rune = UTF8_REPLACEMENT;
    if (s.len == 0)
        return 0;
    n = sequence(p, s.len);
    if (n == 1)
        *rune = p[0];
    else if (n == 2)
        *rune = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    else if (n == 3)
        *rune = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    else if (n == 4)
        *rune = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    return n != 0 ? n : 1;
}

size_t utf8_encode(uint32_t rune, char out[UTF8_MAX_BYTES])
{
    if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
        rune = UTF8_REPLACEMENT;
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xC0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3F));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xE0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3F));
        out[2] = (char)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3F));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3F));
    out[3] = (char)(0x80 | (rune & 0x3F));
    return 4;
}

size_t utf8_runes(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t count = 0;

    for (size_t i = 0; i < s.len; count++) {
        size_t n = sequence(p + i, s.len - i);

        i += n != 0 ? n : 1;
    }
    return count;
}

size_t utf8_rune_offset(struct slice s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;

    for (; n != 0 && i < s.len; n--) {
        size_t bytes = sequence(p + i, s.len - i);

        i += bytes != 0 ? bytes : 1;
    }
    return i;
}

enum code utf8_repair(struct buf *out, struct slice s, size_t *n_replaced)
{
    enum code rc = OK;

    *n_replaced = 0;
    while (s.len != 0 && rc == OK) {
        size_t good = utf8_valid_prefix(s);

        rc = buf_add(out, slice_head(s, good));
        s = slice_from(s, good);
        if (s.len == 0 || rc != OK)
            break;
        rc = buf_add(out, SLICE_LIT("\xEF\xBF\xBD"));
        s = slice_from(s, 1);
        ++*n_replaced;
    }
    return rc;
}

enum code utf8_repair_arena(struct arena *a, struct slice s, struct slice *out, size_t *n_replaced)
{
    size_t at = utf8_valid_prefix(s), bad = 0, size = s.len;
    char *copy, *to;

    *n_replaced = 0;
    *out = s;
    if (at == s.len)
        return OK;
    for (struct slice rest = slice_from(s, at); rest.len != 0; rest = slice_from(rest, utf8_valid_prefix(rest))) {
        bad++;
        rest = slice_from(rest, 1);
    }
    if (__builtin_add_overflow(size, 2 * bad, &size))
        return NOMEM;
    copy = to = arena_try_alloc(a, size);
    if (copy == NULL)
        return NOMEM;
    for (struct slice rest = s; rest.len != 0; rest = slice_from(rest, 1)) {
        size_t good = utf8_valid_prefix(rest);

        memcpy(to, rest.ptr, good);
        to += good;
        rest = slice_from(rest, good);
        if (rest.len == 0)
            break;
        memcpy(to, "\xEF\xBF\xBD", 3);
        to += 3;
    }
    *n_replaced = bad;
    *out = slice_make(copy, (size_t)(to - copy));
    return OK;
}
