#include "agent/base/arena.h"
#include "agent/base/mem.h"
#include <stdarg.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, len) ((void)(ptr), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, len) ((void)(ptr), (void)(len))
#endif

enum { FIRST_CHUNK_BYTES = 1024, LARGEST_CHUNK_BYTES = 256 * 1024, ALIGN = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    void *adopted; /* set: this chunk is only a note of a block taken over */
};

static const size_t HEAD = (sizeof(struct arena_chunk) + ALIGN - 1) / ALIGN * ALIGN;

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

void arena_release(struct arena *a)
{
    struct arena_chunk *chunk = a->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;

        mem_free(chunk->adopted);
        mem_free(chunk);
        chunk = next;
    }
    *a = (struct arena){.max = a->max};
}

/* A chunk of at least size bytes becomes the newest; chunks grow by doubling up to LARGEST_CHUNK_BYTES. */
static bool add_chunk(struct arena *a, size_t size)
{
    size_t room = a->bytes < FIRST_CHUNK_BYTES ? FIRST_CHUNK_BYTES : a->bytes;
    struct arena_chunk *chunk;

    if (room > LARGEST_CHUNK_BYTES)
        room = LARGEST_CHUNK_BYTES;
    if (size > SIZE_MAX / 2)
        return false;
    if (room < size + HEAD)
        room = size + HEAD;
    if (a->max != 0 && (room > a->max || a->bytes > a->max - room)) {
        room = size + HEAD; /* near the limit: exactly what is needed, if that still fits */
        if (room > a->max || a->bytes > a->max - room)
            return false;
    }
    chunk = mem_try_alloc(room);
    if (chunk == NULL)
        return false;
    chunk->next = a->chunks;
    chunk->adopted = NULL;
    a->chunks = chunk;
    a->at = (char *)chunk + HEAD;
    a->end = (char *)chunk + room;
    a->bytes += room;
    ASAN_POISON_MEMORY_REGION(a->at, (size_t)(a->end - a->at));
    return true;
}

void *arena_try_alloc(struct arena *a, size_t size)
{
    size_t rounded;
    char *ptr;

    if (size > SIZE_MAX / 4)
        return NULL;
    if (size == 0)
        size = 1; /* NULL means no room, never an empty request */
    rounded = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (rounded > (size_t)(a->end - a->at) && !add_chunk(a, rounded))
        return NULL;
    ptr = a->at;
    a->at += rounded;
    ASAN_UNPOISON_MEMORY_REGION(ptr, size);
    return ptr;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *ptr = arena_try_alloc(a, size);

    BUG_ON(ptr == NULL);
    return ptr;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

void *arena_try_array(struct arena *a, size_t n, size_t size)
{
    size_t bytes;
    void *ptr;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    ptr = arena_try_alloc(a, bytes);
    return ptr != NULL ? memset(ptr, 0, bytes) : NULL;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *copy = s.len != 0 ? arena_try_alloc(a, s.len) : NULL;

    if (copy == NULL)
        return (struct slice){0};
    memcpy(copy, s.ptr, s.len);
    return slice_make(copy, s.len);
}

char *arena_strndup(struct arena *a, struct slice s)
{
    char *copy = arena_alloc(a, s.len + 1);

    if (s.len != 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    char *text;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    BUG_ON(n < 0);
    text = arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return text;
}

void arena_adopt(struct arena *a, void *take_ptr, size_t size)
{
    struct arena_chunk *chunk;

    if (take_ptr == NULL)
        return;
    chunk = mem_alloc(sizeof *chunk);
    chunk->adopted = take_ptr;
    if (a->chunks != NULL) { /* behind the newest: that one still serves allocations */
        chunk->next = a->chunks->next;
        a->chunks->next = chunk;
    } else {
        chunk->next = NULL;
        a->chunks = chunk;
    }
    a->bytes += size;
}
