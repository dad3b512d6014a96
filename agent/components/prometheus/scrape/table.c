#include "agent/base/mem.h"
#include "agent/components/prometheus/scrape/scrape.h"

void table_init(struct table *t)
{
    *t = (struct table){0};
}

void table_release(struct table *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        labels_unref(t->entries[i].labels);
    mem_free(t->entries);
    mem_free(t->index);
    *t = (struct table){0};
}

static bool is_key(const struct series *s, struct hash128 key)
{
    return s->key.low == key.low && s->key.high == key.high;
}

struct series *table_find(struct table *t, struct hash128 key)
{
    uint32_t place;

    /* exporters write their series in the same order each time: the next one is almost always the one expected */
    if (t->cursor < t->n && is_key(&t->entries[t->cursor], key))
        return &t->entries[t->cursor++];
    if (t->n_places == 0)
        return NULL;
    place = (uint32_t)key.low & (t->n_places - 1);
    while (t->index[place] != 0) {
        struct series *s = &t->entries[t->index[place] - 1];

        if (is_key(s, key)) {
            t->cursor = t->index[place];
            return s;
        }
        place = (place + 1) & (t->n_places - 1);
    }
    return NULL;
}

static void index_put(struct table *t, uint32_t entry)
{
    uint32_t place = (uint32_t)t->entries[entry].key.low & (t->n_places - 1);

    while (t->index[place] != 0)
        place = (place + 1) & (t->n_places - 1);
    t->index[place] = entry + 1;
}

static bool reindex(struct table *t, uint32_t places)
{
    uint32_t *index = mem_try_alloc(places * sizeof *index);

    if (index == NULL)
        return false;
    memset(index, 0, places * sizeof *index);
    mem_free(t->index);
    t->index = index;
    t->n_places = places;
    for (uint32_t i = 0; i < t->n; i++)
        index_put(t, i);
    return true;
}

struct series *table_add(struct table *t, struct hash128 key, const struct labels *take_labels)
{
    if (t->n == t->cap) {
        uint32_t cap = t->cap != 0 ? t->cap + t->cap / 2 : 64;
        struct series *moved = cap < (1u << 30) ? mem_try_realloc(t->entries, cap * sizeof *moved) : NULL;

        if (moved == NULL) {
            labels_unref(take_labels);
            return NULL;
        }
        t->entries = moved;
        t->cap = cap;
    }
    if ((t->n + 1) * 2 > t->n_places && !reindex(t, t->n_places != 0 ? t->n_places * 2 : 128)) {
        labels_unref(take_labels);
        return NULL;
    }
    t->entries[t->n] = (struct series){.key = key, .labels = take_labels, .last_ms = INT64_MIN};
    index_put(t, t->n);
    t->cursor = ++t->n;
    return &t->entries[t->n - 1];
}

void table_sweep(struct table *t, uint32_t oldest)
{
    uint32_t kept = 0, dead = 0;

    for (uint32_t i = 0; i < t->n; i++)
        dead += t->entries[i].seen_in < oldest;
    if (dead < 64 || dead * 2 < t->n)
        return;
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->entries[i].seen_in < oldest)
            labels_unref(t->entries[i].labels);
        else
            t->entries[kept++] = t->entries[i];
    }
    t->n = kept;
    t->cursor = 0;
    memset(t->index, 0, t->n_places * sizeof *t->index);
    for (uint32_t i = 0; i < t->n; i++)
        index_put(t, i);
}
