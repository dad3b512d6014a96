#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include <stdarg.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    mem_free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->is_full = false;
}

enum code buf_reserve(struct buf *b, size_t n)
{
    size_t want, cap = b->cap;
    char *moved;

    if (n > b->max || b->len > b->max - n) {
        b->is_full = true;
        return FULL;
    }
    want = b->len + n;
    if (want <= cap)
        return OK;
    if (cap < 64)
        cap = 64;
    while (cap < want)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max)
        cap = b->max;
    moved = mem_try_realloc(b->ptr, cap + 1); /* one byte for buf_take's NUL */
    if (moved == NULL) {
        b->is_full = true;
        return NOMEM;
    }
    b->ptr = moved;
    b->cap = cap;
    return OK;
}

enum code buf_add(struct buf *b, struct slice s)
{
    enum code rc = buf_reserve(b, s.len);

    if (rc != OK)
        return rc;
    if (s.len != 0)
        memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
    return OK;
}

enum code buf_add_str(struct buf *b, const char *s)
{
    return buf_add(b, slice_str(s));
}

enum code buf_add_char(struct buf *b, char c)
{
    return buf_add(b, slice_make(&c, 1));
}

enum code buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    enum code rc;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    BUG_ON(n < 0);
    rc = buf_reserve(b, (size_t)n);
    if (rc == OK) {
        if (b->ptr != NULL)
            (void)vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return rc;
}

void buf_consume(struct buf *b, size_t n)
{
    BUG_ON(n > b->len);
    if (n != 0 && n < b->len)
        memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}

char *buf_take(struct buf *b, size_t *len)
{
    char *ptr = b->ptr != NULL ? b->ptr : mem_zalloc(1);

    ptr[b->len] = '\0';
    if (len != NULL)
        *len = b->len;
    *b = (struct buf){.max = b->max};
    return ptr;
}
