#include "agent/runtime/config_shape.h"
#include "agent/base/mem.h"

void config_shape_init(struct config_shape *s)
{
    *s = (struct config_shape){0};
    map_init(&s->by_id, 0);
    map_init(&s->sources, 0);
}

void config_shape_release(struct config_shape *s)
{
    for (size_t i = 0; i < s->n; i++) {
        exports_unref(s->items[i].exports);
        mem_free_slice(s->items[i].id);
    }
    mem_free(s->items);
    map_release(&s->by_id, NULL);
    map_release(&s->sources, mem_free);
    *s = (struct config_shape){0};
}

void config_shape_add(struct config_shape *s, struct slice id, struct exports *exports)
{
    if (map_get(&s->by_id, id) != NULL)
        return;
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 8 : 2 * s->cap;
        s->items = mem_realloc(s->items, s->cap * sizeof *s->items);
    }
    s->items[s->n] = (struct shape_use){mem_slice(id), exports == NULL ? NULL : exports_ref(exports)};
    s->n++;
    if (map_put(&s->by_id, id, (void *)(uintptr_t)s->n, NULL) != OK)
        return; /* then it is asked about twice */
}

bool config_shape_is_stale(const struct config_shape *s, struct exports *(*exports_of)(void *self, struct slice id),
                           void *self)
{
    for (size_t i = 0; i < s->n; i++)
        if (exports_of(self, s->items[i].id) != s->items[i].exports)
            return true;
    return false;
}
