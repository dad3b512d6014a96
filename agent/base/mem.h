/* agent/base/mem.h - the only door to the heap. Every byte is charged to the process's budget (budget.h).
 *
 * mem_alloc and friends are for small sizes of our own: when they fail the process ends cleanly with a message (it
 * restarts without loss). A size that outside data chose goes through mem_try_*, which may return NULL. */
#ifndef AGENT_BASE_MEM_H
#define AGENT_BASE_MEM_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
/* n * size, checked for overflow; zeroed. */
void *mem_array(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
/* NUL-terminated copy. */
char *mem_strndup(struct slice s) __attribute__((malloc, returns_nonnull));
/* The same as a slice; mem_free_slice frees it (the empty slice is fine). */
struct slice mem_slice(struct slice s);
void mem_free_slice(struct slice s);
/* printf into a fresh string. */
char *mem_printf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((malloc, returns_nonnull));

MUST_USE void *mem_try_alloc(size_t size);
MUST_USE void *mem_try_realloc(void *ptr, size_t size); /* NULL leaves ptr as it was */

void mem_free(void *ptr); /* NULL is fine */
/* Overwrites before freeing; for secrets. */
void mem_free_secret(void *ptr, size_t len);

/* Tests: the nth mem_try_* call from now on fails (once); 0 switches it off. Process-wide. */
void mem_fail_nth(uint64_t nth);
#endif
