#include "agent/model/item.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/model/item_int.h"
#include "agent/model/native_histogram.h"
#include "agent/text/number.h"
#include <math.h>
#include <stdlib.h>

const char *item_kind_name(enum item_kind kind)
{
    switch (kind) {
    case ITEM_LOG:
        return "log";
    case ITEM_SAMPLE:
        return "sample";
    case ITEM_SPAN:
        return "span";
    case ITEM_POINT:
        return "point";
    case ITEM_RECORD:
        return "record";
    case ITEM_TARGET:
        return "target";
    }
    return "item";
}

const struct item_field *item_field(const struct item *item, const char *name)
{
    for (size_t i = 0; i < item->n; i++)
        if (strcmp(item->fields[i].name, name) == 0)
            return &item->fields[i];
    return NULL;
}

struct slice item_time(struct arena *arena, int64_t ns)
{
    enum { SECONDS_LEN = 19, TEXT_BYTES = 40 };
    int64_t rest = ns % NS_PER_S;
    char *text = arena_try_alloc(arena, TEXT_BYTES);
    size_t len = SECONDS_LEN;

    if (text == NULL)
        return (struct slice){0};
    if (rest < 0)
        rest += NS_PER_S;
    clock_format_rfc3339(ns - rest, text); /* with the fraction .000Z */
    if (rest != 0) {
        text[len++] = '.';
        for (int64_t unit = NS_PER_S / 10; rest != 0; unit /= 10) {
            text[len++] = (char)('0' + rest / unit);
            rest %= unit;
        }
    }
    text[len++] = 'Z';
    return slice_make(text, len);
}

struct slice item_number(struct arena *arena, double v)
{
    const uint64_t stale = STALE_NAN_BITS;
    char text[NUMBER_TEXT_BYTES];

    if (memcmp(&v, &stale, sizeof stale) == 0)
        return SLICE_LIT("stale");
    return arena_copy(arena, slice_make(text, number_format(v, isfinite(v) ? NUMBER_JSON : NUMBER_GO, text)));
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

struct label *item_pairs(struct arena *arena, const struct label *pairs, size_t n)
{
    struct label *sorted = arena_try_array(arena, n + 1, sizeof *sorted);

    if (sorted == NULL)
        return NULL;
    if (n != 0)
        memcpy(sorted, pairs, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_name);
    return sorted;
}

void item_begin(struct item_writer *w, enum item_kind kind)
{
    w->item.kind = kind;
    w->item.n = 0;
}

static struct item_field *next_field(struct item_writer *w, const char *name)
{
    struct item_field *f = &w->item.fields[w->item.n++];

    BUG_ON(w->item.n > ITEM_FIELDS_MAX);
    *f = (struct item_field){.name = name};
    return f;
}

void item_take_text(struct item_writer *w, const char *name, struct slice on_arena)
{
    next_field(w, name)->text = on_arena;
    w->is_full = w->is_full || on_arena.ptr == NULL;
}

static struct slice copy(struct item_writer *w, struct slice s)
{
    struct slice copied = s.len == 0 ? SLICE_LIT("") : arena_copy(w->arena, s);

    w->is_full = w->is_full || copied.ptr == NULL;
    return copied;
}

void item_text(struct item_writer *w, const char *name, struct slice text)
{
    next_field(w, name)->text = copy(w, text);
}

void item_set(struct item_writer *w, const char *name, const struct label *pairs, size_t n)
{
    struct item_field *f = next_field(w, name);
    struct label *sorted = item_pairs(w->arena, pairs, n);

    f->is_set = true;
    if (sorted == NULL) {
        w->is_full = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct label){copy(w, sorted[i].name), copy(w, sorted[i].value)};
    f->pairs = sorted;
    f->n = n;
}

enum code item_end(struct item_writer *w)
{
    return w->is_full ? NOMEM : w->each(w->ctx, &w->item);
}

static enum code each_log(struct item_writer *w, const struct log_batch *b)
{
    enum code rc = OK;

    for (uint32_t i = 0; i < b->n && rc == OK; i++) {
        const struct log_entry *e = &b->entries[i];
        const struct labels *labels = b->base.labels[e->labels];

        item_begin(w, ITEM_LOG);
        item_text(w, "line", e->line);
        item_set(w, "labels", labels->pairs, labels->n);
        item_set(w, "structured_metadata", e->meta, e->n_meta);
        item_take_text(w, "timestamp", item_time(w->arena, e->ts_ns));
        rc = item_end(w);
    }
    return rc;
}

static struct slice sample_value(struct item_writer *w, const struct sample *s)
{
    const struct native_histogram *h = s->histogram;
    struct slice count, sum;

    if (s->kind == SAMPLE_FLOAT)
        return item_number(w->arena, s->value);
    count = item_number(w->arena, h->is_float ? h->count_float : (double)h->count);
    sum = item_number(w->arena, h->sum);
    return slice_str(arena_printf(w->arena, "count=%.*s sum=%.*s", SLICE_ARG(count), SLICE_ARG(sum)));
}

static enum code each_sample(struct item_writer *w, const struct sample_batch *b)
{
    enum code rc = OK;

    for (uint32_t i = 0; i < b->n && rc == OK; i++) {
        const struct sample *s = &b->samples[i];
        struct label *rest = arena_try_array(w->arena, s->labels->n + 1, sizeof *rest);
        size_t n = 0;

        if (rest == NULL)
            return NOMEM;
        for (uint32_t k = 0; k < s->labels->n; k++)
            if (!slice_eq_str(s->labels->pairs[k].name, "__name__"))
                rest[n++] = s->labels->pairs[k];
        item_begin(w, ITEM_SAMPLE);
        item_text(w, "name", labels_get(s->labels, SLICE_LIT("__name__")));
        item_set(w, "labels", rest, n);
        item_take_text(w, "value", sample_value(w, s));
        item_take_text(w, "timestamp", item_time(w->arena, s->ts_ms * NS_PER_MS));
        rc = item_end(w);
    }
    return rc;
}

enum code batch_each_item(const struct batch *b, struct arena *arena,
                          enum code (*each)(void *ctx, const struct item *item), void *ctx)
{
    struct item_writer w = {.arena = arena, .each = each, .ctx = ctx};

    switch (b->kind) {
    case BATCH_LOGS:
        return each_log(&w, (const void *)b);
    case BATCH_SAMPLES:
        return each_sample(&w, (const void *)b);
    case BATCH_OTLP:
        return item_each_otlp(&w, (const void *)b);
    }
    return OK;
}
