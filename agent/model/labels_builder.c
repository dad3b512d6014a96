#include "agent/model/labels.h"
#include "agent/base/mem.h"

static bool make_room(struct labels_builder *b)
{
    size_t cap = b->cap != 0 ? b->cap * 2 : 16;
    struct label *pairs;

    if (b->n < b->cap)
        return true;
    pairs = arena_try_array(b->arena, cap, sizeof *pairs);
    if (pairs == NULL)
        return false;
    if (b->n != 0)
        memcpy(pairs, b->pairs, b->n * sizeof *pairs);
    b->pairs = pairs;
    b->cap = cap;
    return true;
}

void labels_builder_init(struct labels_builder *b, struct arena *arena, const struct labels *base)
{
    *b = (struct labels_builder){.arena = arena};
    if (base == NULL || base->n == 0)
        return;
    b->cap = base->n + 8u;
    b->pairs = arena_try_alloc(arena, b->cap * sizeof *b->pairs);
    if (b->pairs == NULL) { /* past the arena's max: a set that exists is small enough to copy all the same */
        b->pairs = mem_alloc(b->cap * sizeof *b->pairs);
        arena_adopt(arena, b->pairs, b->cap * sizeof *b->pairs);
    }
    memcpy(b->pairs, base->pairs, base->n * sizeof *b->pairs);
    b->n = base->n;
}

static size_t find(const struct labels_builder *b, struct slice name)
{
    size_t i = 0;

    while (i < b->n && !slice_eq(b->pairs[i].name, name))
        i++;
    return i;
}

enum code labels_builder_set(struct labels_builder *b, struct slice name, struct slice value)
{
    size_t i = find(b, name);

    if (value.len == 0) {
        labels_builder_del(b, name);
        return OK;
    }
    if (i == b->n) {
        if (!make_room(b))
            return NOMEM;
        b->pairs[b->n++].name = name;
    }
    b->pairs[i].value = value;
    return OK;
}

void labels_builder_del(struct labels_builder *b, struct slice name)
{
    size_t i = find(b, name);

    if (i == b->n)
        return;
    memmove(&b->pairs[i], &b->pairs[i + 1], (b->n - i - 1) * sizeof *b->pairs); /* the order helps the next sort */
    b->n--;
}

struct slice labels_builder_get(const struct labels_builder *b, struct slice name)
{
    size_t i = find(b, name);

    return i < b->n ? b->pairs[i].value : (struct slice){0};
}

const struct labels *labels_build(struct labels_builder *b)
{
    return labels_intern(b->pairs, b->n);
}
