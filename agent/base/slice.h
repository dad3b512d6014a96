/* agent/base/slice.h - a borrowed run of bytes {ptr, len}, passed by value. Not NUL-terminated. */
#ifndef AGENT_BASE_SLICE_H
#define AGENT_BASE_SLICE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define SLICE_LIT(literal) ((struct slice){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s", SLICE_ARG(s) */
#define SLICE_ARG(s) (int)((s).len > 4096 ? 4096 : (s).len), ((s).ptr != NULL ? (s).ptr : "")

static inline struct slice slice_make(const void *ptr, size_t len)
{
    return (struct slice){(const char *)ptr, len};
}

/* NULL gives the empty slice. */
static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, s != NULL ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* The part from byte `from` on; empty when from is past the end. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    if (from >= s.len)
        return (struct slice){s.len != 0 ? s.ptr + s.len : s.ptr, 0};
    return (struct slice){s.ptr + from, s.len - from};
}

/* The first `len` bytes, or all of it when it is shorter. */
static inline struct slice slice_head(struct slice s, size_t len)
{
    return (struct slice){s.ptr, len < s.len ? len : s.len};
}

/* Order by bytes, shorter first on a tie: -1, 0, 1. */
int slice_cmp(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII only */
/* For secrets: takes the same time wherever the first difference is (what it tells is whether the lengths agree). */
bool slice_eq_secret(struct slice secret, struct slice given);
struct slice slice_trim(struct slice s); /* ASCII white space on both ends */
/* Index of the first c, or s.len. */
size_t slice_find(struct slice s, char c);
/* Index of the first occurrence of needle, or s.len. */
size_t slice_find_slice(struct slice s, struct slice needle);
/* Cuts at the first c: head before it, *rest after it. False (head = s, rest empty) when there is none. */
bool slice_cut(struct slice s, char c, struct slice *head, struct slice *rest);
/* Whole slice as a decimal number; false when anything else is there, or on overflow. */
bool slice_to_i64(struct slice s, int64_t *out);
bool slice_to_u64(struct slice s, uint64_t *out);
/* Whole slice as a decimal float (strtod's grammar, "Inf", "NaN" too). */
bool slice_to_f64(struct slice s, double *out);
#endif
