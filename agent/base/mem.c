#include "agent/base/mem.h"
#include "agent/base/budget.h"
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t fail_countdown; /* 0: off */

static bool must_fail(void)
{
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);

    if (left == 0)
        return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

void mem_fail_nth(uint64_t nth)
{
    atomic_store(&fail_countdown, nth);
}

_Noreturn static void out_of_memory(size_t size)
{
    (void)fprintf(stderr, "hyagent: out of memory: %zu bytes asked, %zu in use; ending so that it can be restarted\n",
                  size, budget_used());
    _Exit(1);
}

static void *charged(void *ptr)
{
    if (ptr != NULL)
        budget_charge(malloc_usable_size(ptr));
    return ptr;
}

static void *grow(void *ptr, size_t size)
{
    size_t before = ptr != NULL ? malloc_usable_size(ptr) : 0;
    void *moved = realloc(ptr, size != 0 ? size : 1);

    if (moved == NULL)
        return NULL;
    budget_charge(malloc_usable_size(moved));
    budget_release(before);
    return moved;
}

void *mem_alloc(size_t size)
{
    void *ptr = charged(malloc(size != 0 ? size : 1));

    if (ptr == NULL)
        out_of_memory(size);
    return ptr;
}

void *mem_zalloc(size_t size)
{
    return mem_array(1, size);
}

void *mem_array(size_t n, size_t size)
{
    void *ptr = charged(calloc(n != 0 ? n : 1, size != 0 ? size : 1));

    if (ptr == NULL)
        out_of_memory(size);
    return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
    void *moved = grow(ptr, size);

    if (moved == NULL)
        out_of_memory(size);
    return moved;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(slice_str(s));
}

char *mem_strndup(struct slice s)
{
    char *copy = mem_alloc(s.len + 1);

    if (s.len != 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap, again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    BUG_ON(n < 0);
    text = mem_alloc((size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return text;
}

void *mem_try_alloc(size_t size)
{
    if (must_fail() || size > PTRDIFF_MAX)
        return NULL;
    return charged(malloc(size != 0 ? size : 1));
}

void *mem_try_realloc(void *ptr, size_t size)
{
    if (must_fail() || size > PTRDIFF_MAX)
        return NULL;
    return grow(ptr, size);
}

void mem_free(void *ptr)
{
    if (ptr == NULL)
        return;
    budget_release(malloc_usable_size(ptr));
    free(ptr);
}

void mem_free_secret(void *ptr, size_t len)
{
    if (ptr == NULL)
        return;
    explicit_bzero(ptr, len);
    mem_free(ptr);
}

struct slice mem_slice(struct slice s)
{
    return slice_make(mem_strndup(s), s.len);
}

void mem_free_slice(struct slice s)
{
    mem_free((void *)(uintptr_t)s.ptr);
}
