/* agent/base/map.h - hash map from bytes to a pointer. Keys are copied. One thread at a time. Iteration order is the
 * order of insertion, so that what is printed from a map is stable. Removal is O(1); removed places are reused by a
 * rebuild when they outnumber the entries. */
#ifndef AGENT_BASE_MAP_H
#define AGENT_BASE_MAP_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    struct slice key; /* owned; ptr NULL: removed */
    uint64_t hash;
    void *value;
};

struct map {
    struct map_entry *entries; /* in order of insertion, with removed ones between */
    size_t n_entries, cap_entries;
    size_t n_live;
    uint32_t *index; /* entry + 1, or 0; a power of two of places */
    size_t n_places;
    size_t max; /* 0: no limit */
};

void map_init(struct map *m, size_t max);
/* Frees keys and table; free_value (may be NULL) is called for each value. */
void map_release(struct map *m, void (*free_value)(void *value));
void *map_get(const struct map *m, struct slice key); /* NULL: absent */
/* Sets or replaces; *previous (may be NULL) gets the value that was there. FULL at max, NOMEM: unchanged. */
MUST_USE enum code map_put(struct map *m, struct slice key, void *value, void **previous);
void *map_remove(struct map *m, struct slice key); /* the value, or NULL */
static inline size_t map_count(const struct map *m)
{
    return m->n_live;
}
/* for (struct map_entry *e = map_next(&m, NULL); e != NULL; e = map_next(&m, e)); removing e inside is allowed. */
struct map_entry *map_next(const struct map *m, const struct map_entry *after);
#endif
