#include "agent/base/slice.h"
#include <errno.h>
#include <stdlib.h>

int slice_cmp(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter != 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;

    if (order != 0)
        return order < 0 ? -1 : 1;
    if (a.len == b.len)
        return 0;
    return a.len < b.len ? -1 : 1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool slice_eq_secret(struct slice secret, struct slice given)
{
    unsigned char difference = secret.len == given.len ? 0 : 1;

    for (size_t i = 0; i < secret.len; i++)
        difference |= (unsigned char)(secret.ptr[i] ^ (given.len != 0 ? given.ptr[i % given.len] : 1));
    return difference == 0;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.len != 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len != 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

size_t slice_find(struct slice s, char c)
{
    const char *at = s.len != 0 ? memchr(s.ptr, c, s.len) : NULL;

    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

size_t slice_find_slice(struct slice s, struct slice needle)
{
    const char *at;

    if (needle.len == 0)
        return 0;
    at = s.len != 0 ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

bool slice_cut(struct slice s, char c, struct slice *head, struct slice *rest)
{
    size_t at = slice_find(s, c);

    *head = slice_head(s, at);
    *rest = slice_from(s, at == s.len ? at : at + 1);
    return at != s.len;
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
    bool is_negative = s.len != 0 && s.ptr[0] == '-';
    bool has_sign = is_negative || (s.len != 0 && s.ptr[0] == '+');
    uint64_t magnitude;

    if (!slice_to_u64(slice_from(s, has_sign ? 1 : 0), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
        return false;
    *out = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool slice_to_f64(struct slice s, double *out)
{
    char text[400];
    char *end;

    if (s.len == 0 || s.len >= sizeof text || is_space(s.ptr[0]))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    *out = strtod(text, &end);
    return end == text + s.len;
}
