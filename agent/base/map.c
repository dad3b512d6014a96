#include "agent/base/map.h"
#include "agent/base/hash.h"
#include "agent/base/mem.h"

void map_init(struct map *m, size_t max)
{
    *m = (struct map){.max = max};
}

void map_release(struct map *m, void (*free_value)(void *value))
{
    for (size_t i = 0; i < m->n_entries; i++) {
        if (m->entries[i].key.ptr == NULL)
            continue;
        if (free_value != NULL)
            free_value(m->entries[i].value);
        mem_free((void *)(uintptr_t)m->entries[i].key.ptr);
    }
    mem_free(m->entries);
    mem_free(m->index);
    *m = (struct map){.max = m->max};
}

/* The place of key in the index, or the empty place where it would go. n_places must not be 0. */
static size_t find_place(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = m->n_places - 1, place = (size_t)hash & mask;

    while (m->index[place] != 0) {
        const struct map_entry *e = &m->entries[m->index[place] - 1];

        if (e->hash == hash && e->key.ptr != NULL && slice_eq(e->key, key))
            break;
        place = (place + 1) & mask;
    }
    return place;
}

void *map_get(const struct map *m, struct slice key)
{
    size_t place;

    if (m->n_live == 0)
        return NULL;
    place = find_place(m, key, hash64(key));
    return m->index[place] != 0 ? m->entries[m->index[place] - 1].value : NULL;
}

/* Drops removed entries and makes the index twice as large as what is live needs. */
static enum code rebuild(struct map *m)
{
    size_t places = 16, kept = 0, cap;
    struct map_entry *entries;
    uint32_t *index;

    while (places < (m->n_live + 1) * 3)
        places *= 2;
    cap = places / 2;
    index = mem_try_alloc(places * sizeof *index);
    if (index == NULL)
        return NOMEM;
    entries = mem_try_alloc(cap * sizeof *entries);
    if (entries == NULL) {
        mem_free(index);
        return NOMEM;
    }
    memset(index, 0, places * sizeof *index);
    for (size_t i = 0; i < m->n_entries; i++)
        if (m->entries[i].key.ptr != NULL)
            entries[kept++] = m->entries[i];
    mem_free(m->entries);
    mem_free(m->index);
    m->entries = entries;
    m->n_entries = kept;
    m->cap_entries = cap;
    m->index = index;
    m->n_places = places;
    for (size_t i = 0; i < kept; i++) {
        size_t place = (size_t)entries[i].hash & (places - 1);

        while (index[place] != 0)
            place = (place + 1) & (places - 1);
        index[place] = (uint32_t)(i + 1);
    }
    return OK;
}

enum code map_put(struct map *m, struct slice key, void *value, void **previous)
{
    uint64_t hash = hash64(key);
    struct map_entry *e;
    size_t place;
    char *copy;

    if (previous != NULL)
        *previous = NULL;
    if (m->n_places != 0) {
        place = find_place(m, key, hash);
        if (m->index[place] != 0) {
            e = &m->entries[m->index[place] - 1];
            if (previous != NULL)
                *previous = e->value;
            e->value = value;
            return OK;
        }
    }
    if (m->max != 0 && m->n_live >= m->max)
        return FULL;
    if (m->n_entries == m->cap_entries && rebuild(m) != OK)
        return NOMEM;
    copy = mem_try_alloc(key.len + 1);
    if (copy == NULL)
        return NOMEM;
    if (key.len != 0)
        memcpy(copy, key.ptr, key.len);
    copy[key.len] = '\0';
    place = find_place(m, key, hash);
    m->entries[m->n_entries] = (struct map_entry){slice_make(copy, key.len), hash, value};
    m->index[place] = (uint32_t)++m->n_entries;
    m->n_live++;
    return OK;
}

void *map_remove(struct map *m, struct slice key)
{
    struct map_entry *e;
    size_t place;

    if (m->n_live == 0)
        return NULL;
    place = find_place(m, key, hash64(key));
    if (m->index[place] == 0)
        return NULL;
    e = &m->entries[m->index[place] - 1]; /* the index keeps pointing here, so that probing still passes by */
    mem_free((void *)(uintptr_t)e->key.ptr);
    e->key = (struct slice){0};
    m->n_live--;
    return e->value;
}

struct map_entry *map_next(const struct map *m, const struct map_entry *after)
{
    size_t i = after != NULL ? (size_t)(after - m->entries) + 1 : 0;

    while (i < m->n_entries && m->entries[i].key.ptr == NULL)
        i++;
    return i < m->n_entries ? &m->entries[i] : NULL;
}
