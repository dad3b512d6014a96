#include "agent/base/limits.h"
#include "agent/model/otlp_scan.h"

enum { LENGTH_SLACK = 6 }; /* what tag and length of an opened message may still grow to */

static unsigned last_level(enum otlp_signal signal)
{
    return signal == OTLP_METRICS ? 3 : 1;
}

/* Is field `number` of the message at this level a step on the way to the items? */
static bool is_child(enum otlp_signal signal, unsigned level, uint32_t number)
{
    if (signal != OTLP_METRICS || level < 2)
        return number == 2; /* scope_spans, spans; scope_metrics, metrics; scope_logs, log_records */
    if (level == 3)
        return number == 1;                                                           /* data_points */
    return number == 5 || number == 7 || number == 9 || number == 10 || number == 11; /* Metric.data */
}

static void push_level(struct otlp_cut *c, uint32_t field, struct slice bytes)
{
    unsigned i = c->depth++;
    struct pb_reader r;
    struct pb_field f;

    c->level[i].field = field;
    c->level[i].bytes = bytes;
    c->level[i].is_open = false;
    c->level[i].header_bytes = 0;
    pb_reader_init(&c->level[i].at, bytes);
    pb_reader_init(&r, bytes);
    while (pb_next(&r, &f) == PB_FIELD)
        if (!is_child(c->signal, i, f.number))
            c->level[i].header_bytes += f.whole.len;
}

void otlp_cut_init(struct otlp_cut *c, enum otlp_signal signal, struct slice resource)
{
    *c = (struct otlp_cut){.signal = signal};
    push_level(c, 0, resource);
}

static void close_level(struct otlp_cut *c, unsigned i, struct buf *out)
{
    if (c->level[i].is_open && i != 0)
        pb_close(out, c->level[i].mark);
    c->level[i].is_open = false;
}

/* Walks on to the next item, leaving (and closing in out) what has ended. False: no more. */
static bool find_item(struct otlp_cut *c, struct buf *out)
{
    struct pb_field f;

    while (c->item.len == 0 && c->depth != 0) {
        unsigned i = c->depth - 1;

        if (pb_next(&c->level[i].at, &f) != PB_FIELD) {
            close_level(c, i, out);
            c->depth--;
        } else if (f.type == PB_BYTES && is_child(c->signal, i, f.number)) {
            if (i == last_level(c->signal))
                c->item = f.whole;
            else
                push_level(c, f.number, f.bytes);
        }
    }
    return c->item.len != 0;
}

/* Bytes the item would add, with the headers that are not written yet. */
static size_t item_cost(const struct otlp_cut *c)
{
    size_t cost = c->item.len;

    for (unsigned i = 0; i < c->depth; i++)
        if (!c->level[i].is_open)
            cost += c->level[i].header_bytes + LENGTH_SLACK;
    return cost;
}

static void open_levels(struct otlp_cut *c, struct buf *out)
{
    struct pb_reader r;
    struct pb_field f;

    for (unsigned i = 0; i < c->depth; i++) {
        if (c->level[i].is_open)
            continue;
        if (i != 0)
            c->level[i].mark = pb_open(out, c->level[i].field);
        c->level[i].is_open = true;
        pb_reader_init(&r, c->level[i].bytes);
        while (pb_next(&r, &f) == PB_FIELD)
            if (!is_child(c->signal, i, f.number))
                (void)buf_add(out, f.whole);
    }
}

enum code otlp_cut_next(struct otlp_cut *c, uint32_t max_items, size_t max_bytes, struct buf *out, uint32_t *n_items)
{
    size_t start = out->len;
    uint32_t n = 0;

    while (find_item(c, out)) {
        if (n != 0 &&
            ((max_items != 0 && n == max_items) || (max_bytes != 0 && out->len - start + item_cost(c) > max_bytes)))
            break;
        open_levels(c, out);
        (void)buf_add(out, c->item);
        c->item = (struct slice){0};
        n++;
    }
    for (unsigned i = c->depth; i-- > 0;)
        close_level(c, i, out);
    *n_items = n;
    if (!out->is_full)
        return OK;
    out->len = start;
    return FULL;
}

struct pieces {
    struct arena *arena;
    struct otlp_resource *list; /* in the arena */
    uint32_t n, cap;
};

static bool add_piece(struct pieces *p, struct slice bytes, uint32_t n_items)
{
    if (p->n == p->cap) {
        uint32_t cap = p->cap != 0 ? p->cap * 2 : 16;
        struct otlp_resource *list = arena_try_array(p->arena, cap, sizeof *list);

        if (list == NULL)
            return false;
        if (p->n != 0)
            memcpy(list, p->list, p->n * sizeof *list);
        p->list = list;
        p->cap = cap;
    }
    p->list[p->n++] = (struct otlp_resource){bytes, n_items};
    return true;
}

static bool cut_resource(struct pieces *p, enum otlp_signal signal, const struct otlp_resource *r, uint32_t max_items,
                         size_t max_bytes)
{
    struct otlp_cut cut;
    struct buf out;
    bool is_ok = true;

    otlp_cut_init(&cut, signal, r->bytes);
    buf_init(&out, LIMIT_BATCH_BYTES);
    while (is_ok) {
        uint32_t n = 0;

        buf_reset(&out);
        is_ok = otlp_cut_next(&cut, max_items, max_bytes, &out, &n) == OK;
        if (n == 0)
            break;
        if (is_ok) {
            struct slice bytes = arena_copy(p->arena, buf_slice(&out));

            is_ok = bytes.ptr != NULL && add_piece(p, bytes, n);
        }
    }
    buf_release(&out);
    return is_ok;
}

enum code otlp_batch_cut(struct otlp_batch *b, uint32_t max_items, size_t max_bytes)
{
    struct pieces p = {.arena = &b->base.arena};

    for (uint32_t i = 0; i < b->n; i++) {
        const struct otlp_resource *r = &b->resources[i];
        bool is_small = (max_items == 0 || r->n_items <= max_items) && (max_bytes == 0 || r->bytes.len <= max_bytes);

        if (is_small ? !add_piece(&p, r->bytes, r->n_items) : !cut_resource(&p, b->signal, r, max_items, max_bytes))
            return NOMEM;
    }
    b->resources = p.list;
    b->n = p.n;
    b->cap = p.cap;
    return OK;
}
