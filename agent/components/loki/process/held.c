/* Lines that wait to be joined. What is held is copied (nothing may point into a batch after its push), and its tickets
 * become the parents of one child ticket over the entry that will come of them. */
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

static enum code copy_pairs(const struct entry *e, struct held *h)
{
    h->meta = mem_array(e->n_meta, sizeof *h->meta);
    for (size_t i = 0; i < e->n_meta; i++)
        h->meta[h->n_meta++] = (struct label){mem_slice(e->meta[i].name), mem_slice(e->meta[i].value)};
    h->found = mem_array(e->n_found, sizeof *h->found);
    for (size_t i = 0; i < e->n_found; i++)
        h->found[h->n_found++] =
            (struct extracted){mem_slice(e->found[i].name), mem_slice(e->found[i].value), e->found[i].is_null};
    return OK;
}

/* The labels of an entry as a set of its own reference. */
static const struct labels *labels_of(const struct entry *e)
{
    struct labels_builder copy = e->labels;

    return e->is_changed ? labels_build(&copy) : labels_ref(e->start);
}

static void take_ticket(struct pipeline *p, struct held *h, const struct entry *e)
{
    ledger_held(p->ledger, 1);
    if (e->ticket == NULL)
        return;
    if (h->child == NULL)
        h->child = ticket_child(1);
    ticket_child_from(h->child, e->ticket, 1);
}

struct held *held_new(struct pipeline *p, const struct entry *e, size_t max_bytes)
{
    struct held *h = mem_zalloc(sizeof *h);

    /* one part over the limit is still held: what follows it is not joined to it */
    buf_init(&h->text, e->line.len > max_bytes ? e->line.len : max_bytes);
    h->labels = labels_of(e);
    if (h->labels == NULL || buf_add(&h->text, e->line) != OK || copy_pairs(e, h) != OK) {
        held_free(h);
        return NULL;
    }
    h->ts_ns = e->ts_ns;
    h->n_lines = 1;
    h->since_ns = p->mono_ns;
    take_ticket(p, h, e);
    return h;
}

enum code held_add(struct pipeline *p, struct held *h, const struct entry *e, const char *separator)
{
    size_t before = h->text.len;
    enum code rc = buf_add_str(&h->text, separator);

    if (rc == OK)
        rc = buf_add(&h->text, e->line);
    if (rc != OK) {
        h->text.len = before;
        return rc;
    }
    h->n_lines++;
    h->since_ns = p->mono_ns;
    take_ticket(p, h, e);
    return OK;
}

bool held_take(struct pipeline *p, struct held *take, struct arena *arena, struct entry *e)
{
    struct log_entry from = {.ts_ns = take->ts_ns, .line = arena_copy(arena, buf_slice(&take->text))};
    bool is_ok = from.line.ptr != NULL || take->text.len == 0;

    ledger_held(p->ledger, -(int64_t)take->n_lines);
    ledger_merged(p->ledger, take->n_lines - 1);
    entry_init(e, arena, &from, take->labels, take->child);
    for (size_t i = 0; i < take->n_meta && is_ok; i++)
        is_ok = entry_add_meta(e, arena_copy(arena, take->meta[i].name), arena_copy(arena, take->meta[i].value)) == OK;
    for (size_t i = 0; i < take->n_found && is_ok; i++) {
        struct slice name = arena_copy(arena, take->found[i].name);

        is_ok = (take->found[i].is_null ? entry_set_null(e, name)
                                        : entry_set(e, name, arena_copy(arena, take->found[i].value))) == OK;
    }
    if (!is_ok) {
        ledger_dropped(p->ledger, DROP_MEMORY, 1);
        if (take->child != NULL)
            ticket_settle(take->child, host_id(p->host), 1, SETTLED_ABANDONED, DROP_MEMORY, NULL);
    }
    return is_ok;
}

void held_free(struct held *h)
{
    if (h == NULL)
        return;
    for (size_t i = 0; i < h->n_meta; i++) {
        mem_free_slice(h->meta[i].name);
        mem_free_slice(h->meta[i].value);
    }
    for (size_t i = 0; i < h->n_found; i++) {
        mem_free_slice(h->found[i].name);
        mem_free_slice(h->found[i].value);
    }
    mem_free(h->meta);
    mem_free(h->found);
    labels_unref(h->labels);
    buf_release(&h->text);
    mem_free(h);
}
