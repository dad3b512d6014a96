/* agent/base/buf.h - a growing run of bytes with a hard maximum, given at init (named in limits.h). */
#ifndef AGENT_BASE_BUF_H
#define AGENT_BASE_BUF_H
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct buf {
    char *ptr;       /* owned; NULL until the first append */
    size_t len, cap; /* len <= cap <= max */
    size_t max;      /* never more bytes than this */
    bool is_full;    /* an append failed since init or reset: what is here is cut short */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b); /* frees the contents; init again before reuse */
void buf_reset(struct buf *b);   /* length 0, memory kept */
/* Makes room for n more bytes. FULL past max, NOMEM when the heap refuses; both leave the contents and set is_full. */
MUST_USE enum code buf_reserve(struct buf *b, size_t n);
/* Appends all or nothing. The code may be ignored where is_full is checked at the end, so these are not MUST_USE. */
enum code buf_add(struct buf *b, struct slice s);
enum code buf_add_str(struct buf *b, const char *s);
enum code buf_add_char(struct buf *b, char c);
enum code buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Drops the first n bytes, moving the rest down. */
void buf_consume(struct buf *b, size_t n);
/* Hands the bytes over (the caller mem_free()s them) and leaves b empty. A NUL follows the last byte. */
MUST_USE char *buf_take(struct buf *b, size_t *len);
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_make(b->ptr, b->len);
}
#endif
