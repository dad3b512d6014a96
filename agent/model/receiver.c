#include "agent/model/receiver.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include <pthread.h>

static struct {
    pthread_rwlock_t lock; /* read while listeners are called, written while they come and go */
    _Atomic unsigned n;    /* looked at first, so that nobody pays for a tap that is not there */
    _Atomic unsigned n_printing;
    struct tap *first;
} taps = {.lock = PTHREAD_RWLOCK_INITIALIZER};

bool tap_is_printing(void)
{
    return atomic_load_explicit(&taps.n_printing, memory_order_relaxed) != 0;
}

void tap_add(struct tap *t)
{
    (void)pthread_rwlock_wrlock(&taps.lock);
    t->next = taps.first;
    taps.first = t;
    atomic_fetch_add(&taps.n, 1);
    atomic_fetch_add(&taps.n_printing, t->is_printing);
    (void)pthread_rwlock_unlock(&taps.lock);
}

void tap_remove(struct tap *t)
{
    (void)pthread_rwlock_wrlock(&taps.lock);
    for (struct tap **at = &taps.first; *at != NULL; at = &(*at)->next) {
        if (*at != t)
            continue;
        *at = t->next;
        atomic_fetch_sub(&taps.n, 1);
        atomic_fetch_sub(&taps.n_printing, t->is_printing);
        break;
    }
    (void)pthread_rwlock_unlock(&taps.lock);
}

static void show(const struct fanout *from, const struct receiver *to, const struct batch *b)
{
    (void)pthread_rwlock_rdlock(&taps.lock);
    for (const struct tap *t = taps.first; t != NULL; t = t->next)
        t->see(t->ctx, from, to, b);
    (void)pthread_rwlock_unlock(&taps.lock);
}

struct edge_list *edge_list_new(struct receiver *const *to, size_t n)
{
    struct edge_list *list = mem_zalloc(sizeof *list);

    list->n = n;
    list->edges = mem_array(n != 0 ? n : 1, sizeof *list->edges);
    for (size_t i = 0; i < n; i++)
        list->edges[i].to = to[i];
    return list;
}

void edge_list_free(struct edge_list *list)
{
    if (list == NULL)
        return;
    mem_free(list->edges);
    mem_free(list);
}

void fanout_init(struct fanout *f, const char *owner, struct ledger *ledger)
{
    f->owner = owner;
    f->ledger = ledger;
    atomic_init(&f->list, NULL);
}

struct edge_list *fanout_swap(struct fanout *f, struct edge_list *list)
{
    return atomic_exchange_explicit(&f->list, list, memory_order_acq_rel);
}

static void push_one(struct receiver *to, struct batch *take)
{
    switch (take->kind) {
    case BATCH_LOGS:
        to->push.logs(to->self, CONTAINER_OF(take, struct log_batch, base));
        break;
    case BATCH_SAMPLES:
        to->push.metrics(to->self, CONTAINER_OF(take, struct sample_batch, base));
        break;
    case BATCH_OTLP:
        to->push.otlp(to->self, CONTAINER_OF(take, struct otlp_batch, base));
        break;
    }
}

/* A mistake in a component's spans would lose or double settlements far from where it was made. */
static void check_spans(const struct batch *b, uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < b->n_spans; i++)
        sum += b->spans[i].n;
    BUG_ON(b->n_spans != 0 && sum != n);
}

static void push(struct fanout *f, struct batch *take)
{
    struct edge_list *list = atomic_load_explicit(&f->list, memory_order_acquire);
    uint32_t n = batch_items(take);
    bool is_tapped = atomic_load_explicit(&taps.n, memory_order_relaxed) != 0;

    check_spans(take, n);
    if (n == 0) {
        batch_unref(take);
        return;
    }
    if (list == NULL || list->n == 0) {
        ledger_dropped(f->ledger, DROP_NO_RECEIVER, n);
        batch_settle(take, f->owner, SETTLED_DROPPED, DROP_NO_RECEIVER, NULL);
        batch_unref(take);
        return;
    }
    ledger_out(f->ledger, n);
    batch_owe(take, (uint32_t)list->n - 1);
    for (size_t i = 1; i < list->n; i++)
        batch_ref(take);
    for (size_t i = 0; i < list->n; i++) {
        struct edge *e = &list->edges[i];

        atomic_fetch_add_explicit(&e->n, n, memory_order_relaxed);
        ledger_in(e->to->ledger, n);
        if (is_tapped)
            show(f, e->to, take);
        push_one(e->to, take);
    }
}

void fanout_push_logs(struct fanout *f, struct log_batch *take)
{
    push(f, &take->base);
}

void fanout_push_metrics(struct fanout *f, struct sample_batch *take)
{
    push(f, &take->base);
}

void fanout_push_otlp(struct fanout *f, struct otlp_batch *take)
{
    push(f, &take->base);
}
