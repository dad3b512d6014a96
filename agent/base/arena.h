/* agent/base/arena.h - allocate many, free once. One thread at a time. Poisoned under AddressSanitizer on reset/free.
 */
#ifndef AGENT_BASE_ARENA_H
#define AGENT_BASE_ARENA_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first; owned */
    char *at, *end;             /* free room of the newest chunk */
    size_t bytes;               /* of all chunks: what a batch is charged at */
    size_t max;                 /* 0: no limit of its own */
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);
/* 16-byte aligned, not zeroed. NULL past max or when the heap refuses. */
MUST_USE void *arena_try_alloc(struct arena *a, size_t size);
/* For small sizes of our own: never NULL (ends the process like mem_alloc; past max it is a BUG). */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));
void *arena_zalloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));
/* n * size checked, zeroed; NULL as arena_try_alloc. */
MUST_USE void *arena_try_array(struct arena *a, size_t n, size_t size);
/* Copies; ptr is NULL (len 0) when it did not fit and s was not empty. */
struct slice arena_copy(struct arena *a, struct slice s);
/* NUL-terminated copy, never NULL (as arena_alloc). */
char *arena_strndup(struct arena *a, struct slice s) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((returns_nonnull));
/* Takes over a heap block (from mem.h): freed with the arena. size is what it is charged at. */
void arena_adopt(struct arena *a, void *take_ptr, size_t size);
#endif
