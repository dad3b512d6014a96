#include "agent/model/window.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include <stdatomic.h>

struct window_entry {
    struct list link;
    struct window *window; /* owned reference while the ticket is open */
    int64_t position;
    bool is_settled, is_abandoned;
};

struct window {
    _Atomic uint32_t refs;
    void (*post)(void *loop, void (*fn)(void *), void *arg);
    void *loop;
    void (*moved)(void *ctx, int64_t position);
    void *ctx;
    struct list entries; /* in order of position; the first is unsettled, or abandoned */
    int64_t settled, read;
    uint64_t n_unsettled;
    bool is_stopped;
};

struct window *window_new(void (*post)(void *loop, void (*fn)(void *), void *arg), void *loop, int64_t settled,
                          void (*moved)(void *ctx, int64_t position), void *ctx)
{
    struct window *w = mem_zalloc(sizeof *w);

    atomic_init(&w->refs, 1);
    w->post = post;
    w->loop = loop;
    w->moved = moved;
    w->ctx = ctx;
    w->settled = w->read = settled;
    list_init(&w->entries);
    return w;
}

struct window *window_ref(struct window *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void window_unref(struct window *w)
{
    if (w == NULL || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    LIST_EACH_SAFE (it, &w->entries) {
        mem_free(CONTAINER_OF(it, struct window_entry, link));
    }
    mem_free(w);
}

void window_set_owner(struct window *w, void (*moved)(void *ctx, int64_t position), void *ctx)
{
    w->moved = moved;
    w->ctx = ctx;
}

/* Takes the complete prefix off and tells the owner once. */
static void advance(struct window *w)
{
    int64_t before = w->settled;

    while (!w->is_stopped && !list_is_empty(&w->entries)) {
        struct window_entry *e = CONTAINER_OF(w->entries.next, struct window_entry, link);

        if (!e->is_settled) /* is_abandoned is still the settling thread's */
            break;
        if (e->is_abandoned) {
            w->is_stopped = true;
            break;
        }
        w->settled = e->position;
        list_remove(&e->link);
        mem_free(e);
    }
    if (w->settled != before && w->moved != NULL)
        w->moved(w->ctx, w->settled);
}

static void entry_settled(void *arg)
{
    struct window_entry *e = arg;
    struct window *w = e->window;

    e->is_settled = true;
    w->n_unsettled--;
    advance(w);
    window_unref(w);
}

static void ticket_done(void *ctx, const struct ticket_result *result)
{
    struct window_entry *e = ctx;

    e->is_abandoned = result->abandoned != 0;
    e->window->post(e->window->loop, entry_settled, e);
}

static struct window_entry *add_entry(struct window *w, int64_t position)
{
    struct window_entry *e = mem_zalloc(sizeof *e);

    BUG_ON(position < w->read);
    e->window = w;
    e->position = w->read = position;
    list_add_tail(&w->entries, &e->link);
    return e;
}

struct ticket *window_open(struct window *w, int64_t position, uint64_t n)
{
    struct window_entry *e = add_entry(w, position);

    (void)window_ref(w);
    w->n_unsettled++;
    return ticket_new(n, false, ticket_done, e);
}

void window_skip(struct window *w, int64_t position)
{
    struct window_entry *last = CONTAINER_OF(w->entries.prev, struct window_entry, link);

    if (!list_is_empty(&w->entries) && last->is_settled && !last->is_abandoned) {
        BUG_ON(position < w->read);
        last->position = w->read = position; /* joins the settled entry before it */
        return;
    }
    add_entry(w, position)->is_settled = true;
    advance(w);
}

int64_t window_settled(const struct window *w)
{
    return w->settled;
}

int64_t window_read(const struct window *w)
{
    return w->read;
}

uint64_t window_unsettled_entries(const struct window *w)
{
    return w->n_unsettled;
}

bool window_is_stopped(const struct window *w)
{
    return w->is_stopped;
}
