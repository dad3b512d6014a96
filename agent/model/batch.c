#include "agent/model/batch.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"

static struct batch *init(struct batch *b, enum batch_kind kind)
{
    b->kind = kind;
    atomic_init(&b->refs, 1);
    arena_init(&b->arena, LIMIT_BATCH_BYTES);
    return b;
}

struct log_batch *log_batch_new(void)
{
    struct log_batch *b = mem_zalloc(sizeof *b);

    (void)init(&b->base, BATCH_LOGS);
    return b;
}

struct sample_batch *sample_batch_new(void)
{
    struct sample_batch *b = mem_zalloc(sizeof *b);

    (void)init(&b->base, BATCH_SAMPLES);
    return b;
}

struct otlp_batch *otlp_batch_new(enum otlp_signal signal)
{
    struct otlp_batch *b = mem_zalloc(sizeof *b);

    (void)init(&b->base, BATCH_OTLP);
    b->signal = signal;
    return b;
}

void batch_ref(struct batch *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
}

void batch_unref(struct batch *b)
{
    while (b != NULL && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        struct batch *source = b->source;

        for (uint32_t i = 0; i < b->n_labels; i++)
            labels_unref(b->labels[i]);
        arena_release(&b->arena);
        mem_free(b); /* base is the first member of every kind */
        b = source;
    }
}

/* Room for one more element of an array in the arena; the old array stays behind there until the batch goes. */
static bool make_room(struct arena *a, void *array, uint32_t n, uint32_t *cap, size_t size)
{
    uint32_t more = *cap < 16 ? 16 : *cap > UINT32_MAX / 2 ? UINT32_MAX : *cap * 2;
    void *old, *moved;

    if (n < *cap)
        return true;
    if (n == UINT32_MAX)
        return false;
    moved = arena_try_alloc(a, (size_t)more * size);
    if (moved == NULL)
        return false;
    memcpy(&old, array, sizeof old);
    if (n != 0)
        memcpy(moved, old, (size_t)n * size);
    memcpy(array, &moved, sizeof moved);
    *cap = more;
    return true;
}

uint32_t batch_take_labels(struct batch *b, const struct labels *take)
{
    if (!make_room(&b->arena, &b->labels, b->n_labels, &b->cap_labels, sizeof *b->labels)) {
        labels_unref(take);
        return UINT32_MAX;
    }
    b->labels[b->n_labels] = take;
    return b->n_labels++;
}

enum code log_batch_add(struct log_batch *b, uint32_t labels, int64_t ts_ns, struct slice line,
                        const struct label *meta, uint32_t n_meta)
{
    if (!make_room(&b->base.arena, &b->entries, b->n, &b->cap, sizeof *b->entries))
        return NOMEM;
    b->entries[b->n++] = (struct log_entry){ts_ns, line, labels, n_meta, meta};
    return OK;
}

enum code sample_batch_add(struct sample_batch *b, const struct sample *s)
{
    if (!make_room(&b->base.arena, &b->samples, b->n, &b->cap, sizeof *b->samples))
        return NOMEM;
    b->samples[b->n++] = *s;
    return OK;
}

enum code sample_batch_add_metadata(struct sample_batch *b, const struct metric_metadata *m)
{
    if (!make_room(&b->base.arena, &b->metadata, b->n_metadata, &b->cap_metadata, sizeof *b->metadata))
        return NOMEM;
    b->metadata[b->n_metadata++] = *m;
    return OK;
}

enum code otlp_batch_add(struct otlp_batch *b, struct slice resource, uint32_t n_items)
{
    if (n_items > UINT32_MAX - b->n_items)
        return FULL;
    if (!make_room(&b->base.arena, &b->resources, b->n, &b->cap, sizeof *b->resources))
        return NOMEM;
    b->resources[b->n++] = (struct otlp_resource){resource, n_items};
    b->n_items += n_items;
    return OK;
}

enum code batch_span(struct batch *b, struct ticket *t, uint32_t n)
{
    if (n == 0)
        return OK;
    if (b->n_spans != 0 && b->spans[b->n_spans - 1].ticket == t) {
        b->spans[b->n_spans - 1].n += n;
        return OK;
    }
    if (!make_room(&b->arena, &b->spans, b->n_spans, &b->cap_spans, sizeof *b->spans))
        return NOMEM;
    b->spans[b->n_spans++] = (struct ticket_span){t, n};
    return OK;
}

uint32_t batch_items(const struct batch *b)
{
    const struct batch *const *at = &b; /* CONTAINER_OF casts away const: only read through it here */

    switch (b->kind) {
    case BATCH_LOGS:
        return CONTAINER_OF((uintptr_t)*at, struct log_batch, base)->n;
    case BATCH_SAMPLES:
        return CONTAINER_OF((uintptr_t)*at, struct sample_batch, base)->n;
    case BATCH_OTLP:
        return CONTAINER_OF((uintptr_t)*at, struct otlp_batch, base)->n_items;
    }
    return 0;
}

void batch_settle(const struct batch *b, const char *destination, enum outcome outcome, enum drop_reason reason,
                  const char *text)
{
    for (uint32_t i = 0; i < b->n_spans; i++)
        ticket_settle(b->spans[i].ticket, destination, b->spans[i].n, outcome, reason, text);
}

void batch_owe(const struct batch *b, uint32_t times)
{
    for (uint32_t i = 0; i < b->n_spans && times != 0; i++)
        if (b->spans[i].ticket != NULL)
            ticket_owe(b->spans[i].ticket, (uint64_t)b->spans[i].n * times);
}

/* Everything but the items: spans, label references, affinity; `from` becomes to's source. */
static bool copy_base(struct batch *to, struct batch *take_from)
{
    to->affinity = take_from->affinity;
    for (uint32_t i = 0; i < take_from->n_spans; i++)
        if (batch_span(to, take_from->spans[i].ticket, take_from->spans[i].n) != OK)
            return false;
    for (uint32_t i = 0; i < take_from->n_labels; i++)
        if (batch_take_labels(to, labels_ref(take_from->labels[i])) == UINT32_MAX)
            return false;
    to->source = take_from;
    return true;
}

static bool copy_array(struct arena *a, void *to, uint32_t *cap, const void *from, uint32_t n, size_t size)
{
    void *copy;

    if (n == 0)
        return true;
    copy = arena_try_alloc(a, (size_t)n * size);
    if (copy == NULL)
        return false;
    memcpy(copy, from, (size_t)n * size);
    memcpy(to, &copy, sizeof copy);
    *cap = n;
    return true;
}

static bool is_shared(const struct batch *b)
{
    return atomic_load_explicit(&b->refs, memory_order_acquire) != 1;
}

struct log_batch *log_batch_own(struct log_batch *take)
{
    struct log_batch *b;

    if (!is_shared(&take->base))
        return take;
    b = log_batch_new();
    if (!copy_array(&b->base.arena, &b->entries, &b->cap, take->entries, take->n, sizeof *b->entries) ||
        !copy_base(&b->base, &take->base)) {
        batch_unref(&b->base);
        return NULL;
    }
    b->n = take->n;
    return b;
}

struct sample_batch *sample_batch_own(struct sample_batch *take)
{
    struct sample_batch *b;

    if (!is_shared(&take->base))
        return take;
    b = sample_batch_new();
    if (!copy_array(&b->base.arena, &b->samples, &b->cap, take->samples, take->n, sizeof *b->samples) ||
        !copy_array(&b->base.arena, &b->metadata, &b->cap_metadata, take->metadata, take->n_metadata,
                    sizeof *b->metadata) ||
        !copy_base(&b->base, &take->base)) {
        batch_unref(&b->base);
        return NULL;
    }
    b->n = take->n;
    b->n_metadata = take->n_metadata;
    return b;
}

struct otlp_batch *otlp_batch_own(struct otlp_batch *take)
{
    struct otlp_batch *b;

    if (!is_shared(&take->base))
        return take;
    b = otlp_batch_new(take->signal);
    if (!copy_array(&b->base.arena, &b->resources, &b->cap, take->resources, take->n, sizeof *b->resources) ||
        !copy_base(&b->base, &take->base)) {
        batch_unref(&b->base);
        return NULL;
    }
    b->n = take->n;
    b->n_items = take->n_items;
    b->metadata = take->metadata;
    b->n_metadata = take->n_metadata;
    return b;
}
