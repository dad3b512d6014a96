#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

void entry_init(struct entry *e, struct arena *arena, const struct log_entry *from, const struct labels *labels,
                struct ticket *ticket)
{
    *e = (struct entry){.arena = arena, .ts_ns = from->ts_ns, .line = from->line, .start = labels, .ticket = ticket};
    /* the entry's own metadata is only copied when a stage adds to it */
    e->meta = (struct label *)(uintptr_t)from->meta;
    e->n_meta = from->n_meta;
}

static struct extracted *find(const struct entry *e, struct slice name)
{
    for (size_t i = 0; i < e->n_found; i++)
        if (slice_eq(e->found[i].name, name))
            return &e->found[i];
    return NULL;
}

bool entry_get(const struct entry *e, struct slice name, struct slice *value)
{
    const struct extracted *x = find(e, name);

    if (x != NULL) {
        *value = x->value;
        return !x->is_null;
    }
    *value = labels_get(e->start, name);
    return value->ptr != NULL;
}

static enum code put(struct entry *e, struct slice name, struct slice value, bool is_null)
{
    struct extracted *x = find(e, name);

    if (x == NULL) {
        if (e->n_found == e->cap_found) {
            size_t cap = e->cap_found != 0 ? e->cap_found * 2 : 8;
            struct extracted *moved = arena_try_array(e->arena, cap, sizeof *moved);

            if (moved == NULL)
                return NOMEM;
            if (e->n_found != 0)
                memcpy(moved, e->found, e->n_found * sizeof *moved);
            e->found = moved;
            e->cap_found = cap;
        }
        x = &e->found[e->n_found++];
    }
    *x = (struct extracted){name, value, is_null};
    return OK;
}

enum code entry_set(struct entry *e, struct slice name, struct slice value)
{
    return put(e, name, value, false);
}

enum code entry_set_null(struct entry *e, struct slice name)
{
    return put(e, name, (struct slice){0}, true);
}

void entry_unset(struct entry *e, struct slice name)
{
    struct extracted *x = find(e, name);

    if (x != NULL)
        *x = (struct extracted){name, {0}, true};
    else if (labels_get(e->start, name).ptr != NULL && put(e, name, (struct slice){0}, true) != OK)
        return; /* no memory: the label's value stays visible */
}

struct slice entry_label(const struct entry *e, struct slice name)
{
    return e->is_changed ? labels_builder_get(&e->labels, name) : labels_get(e->start, name);
}

enum code entry_set_label(struct entry *e, struct slice name, struct slice value)
{
    if (!e->is_changed) {
        labels_builder_init(&e->labels, e->arena, e->start);
        e->is_changed = true;
    }
    if (value.len != 0)
        return labels_builder_set(&e->labels, name, value);
    labels_builder_del(&e->labels, name);
    return OK;
}

enum code entry_add_meta(struct entry *e, struct slice name, struct slice value)
{
    if (e->n_meta >= e->cap_meta) {
        size_t cap = e->n_meta < 4 ? 8 : e->n_meta * 2;
        struct label *moved = arena_try_array(e->arena, cap, sizeof *moved);

        if (moved == NULL)
            return NOMEM;
        if (e->n_meta != 0)
            memcpy(moved, e->meta, e->n_meta * sizeof *moved);
        e->meta = moved;
        e->cap_meta = cap;
    }
    e->meta[e->n_meta++] = (struct label){name, value};
    return OK;
}

bool entry_source(const struct entry *e, struct slice source, struct slice *text)
{
    if (source.len != 0)
        return entry_get(e, source, text);
    *text = e->line;
    return true;
}

bool entry_store(struct entry *e, struct log_batch *b, struct log_entry *to)
{
    if (e->is_changed) {
        const struct labels *set = labels_build(&e->labels);

        if (set == NULL)
            return false;
        to->labels = UINT32_MAX;
        for (uint32_t i = b->base.n_labels; i-- > 0 && b->base.n_labels - i <= 8;) /* runs of one stream are the rule */
            if (b->base.labels[i] == set) {
                to->labels = i;
                labels_unref(set);
                break;
            }
        if (to->labels == UINT32_MAX)
            to->labels = batch_take_labels(&b->base, set);
        if (to->labels == UINT32_MAX)
            return false;
    }
    to->ts_ns = e->ts_ns;
    to->line = e->line;
    to->meta = e->meta;
    to->n_meta = (uint32_t)e->n_meta;
    return true;
}
