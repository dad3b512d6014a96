#include "agent/base/metrics.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct family {
    char *name, *help; /* owned */
    enum kind kind;
    struct map series; /* label text -> struct metric */
    double *bounds;    /* owned */
    size_t n_bounds;
};

struct metrics {
    pthread_mutex_t lock;
    struct map families; /* name -> struct family; never removed */
};

struct metric {
    struct metrics *registry;
    struct family *family;
    char *labels;              /* `a="b",c="d"`, escaped; owned; "" for none */
    unsigned refs;             /* under the registry's lock */
    _Atomic uint64_t bits;     /* the value as a double's bits; a histogram's sum */
    _Atomic uint64_t *buckets; /* histogram: n_bounds + 1 counts, not cumulative; owned */
    double (*fn)(void *self);
    void *fn_self;
};

struct metrics *metrics_new(void)
{
    struct metrics *m = mem_zalloc(sizeof *m);

    (void)pthread_mutex_init(&m->lock, NULL);
    map_init(&m->families, 0);
    return m;
}

static void free_metric(void *value)
{
    struct metric *metric = value;

    mem_free(metric->labels);
    mem_free(metric->buckets);
    mem_free(metric);
}

static void free_family(void *value)
{
    struct family *f = value;

    map_release(&f->series, free_metric);
    mem_free(f->name);
    mem_free(f->help);
    mem_free(f->bounds);
    mem_free(f);
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    map_release(&m->families, free_family);
    (void)pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

/* Text format escaping: in label values \ " and newline, in help texts \ and newline. */
static void add_escaped(struct buf *out, const char *s, bool is_label)
{
    for (; *s != '\0'; s++) {
        if (*s == '\n')
            (void)buf_add_str(out, "\\n");
        else if (*s == '\\' || (*s == '"' && is_label))
            (void)buf_printf(out, "\\%c", *s);
        else
            (void)buf_add_char(out, *s);
    }
}

static char *label_text(const struct metric_label *labels, size_t n)
{
    struct buf text;

    buf_init(&text, 64 * 1024);
    for (size_t i = 0; i < n; i++) {
        (void)buf_printf(&text, "%s%s=\"", i != 0 ? "," : "", labels[i].name);
        add_escaped(&text, labels[i].value != NULL ? labels[i].value : "", true);
        (void)buf_add_char(&text, '"');
    }
    return buf_take(&text, NULL);
}

static struct family *family_of(struct metrics *m, const char *name, const char *help, enum kind kind,
                                const double *bounds, size_t n_bounds)
{
    struct family *f = map_get(&m->families, slice_str(name));
    enum code rc;

    if (f != NULL) {
        BUG_ON(f->kind != kind);
        return f;
    }
    f = mem_zalloc(sizeof *f);
    f->name = mem_strdup(name);
    f->help = mem_strdup(help);
    f->kind = kind;
    map_init(&f->series, LIMIT_METRIC_SERIES_PER_FAMILY + 1);
    if (n_bounds != 0) {
        f->bounds = mem_array(n_bounds, sizeof *bounds);
        memcpy(f->bounds, bounds, n_bounds * sizeof *bounds);
        f->n_bounds = n_bounds;
    }
    rc = map_put(&m->families, slice_str(name), f, NULL);
    BUG_ON(rc != OK);
    return f;
}

static struct metric *get(struct metrics *m, const char *name, const char *help, enum kind kind, const double *bounds,
                          size_t n_bounds, const struct metric_label *labels, size_t n_labels)
{
    char *text = label_text(labels, n_labels);
    struct metric *metric;
    struct family *f;

    (void)pthread_mutex_lock(&m->lock);
    f = family_of(m, name, help, kind, bounds, n_bounds);
    metric = map_get(&f->series, slice_str(text));
    if (metric == NULL && map_count(&f->series) >= LIMIT_METRIC_SERIES_PER_FAMILY) {
        mem_free(text);
        text = mem_strdup("overflow=\"true\"");
        metric = map_get(&f->series, slice_str(text));
    }
    if (metric == NULL) {
        enum code rc;

        metric = mem_zalloc(sizeof *metric);
        metric->registry = m;
        metric->family = f;
        metric->labels = text;
        text = NULL;
        if (kind == HISTOGRAM)
            metric->buckets = mem_array(f->n_bounds + 1, sizeof *metric->buckets);
        rc = map_put(&f->series, slice_str(metric->labels), metric, NULL);
        BUG_ON(rc != OK);
    }
    metric->refs++;
    (void)pthread_mutex_unlock(&m->lock);
    mem_free(text);
    return metric;
}

struct metric *metrics_counter(struct metrics *m, const char *name, const char *help, const struct metric_label *labels,
                               size_t n_labels)
{
    return get(m, name, help, COUNTER, NULL, 0, labels, n_labels);
}

struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help, const struct metric_label *labels,
                             size_t n_labels)
{
    return get(m, name, help, GAUGE, NULL, 0, labels, n_labels);
}

struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help, const double *bounds,
                                 size_t n_bounds, const struct metric_label *labels, size_t n_labels)
{
    return get(m, name, help, HISTOGRAM, bounds, n_bounds, labels, n_labels);
}

struct metric *metrics_func(struct metrics *m, const char *name, const char *help, bool is_counter,
                            double (*fn)(void *self), void *self, const struct metric_label *labels, size_t n_labels)
{
    struct metric *metric = get(m, name, help, is_counter ? COUNTER : GAUGE, NULL, 0, labels, n_labels);

    (void)pthread_mutex_lock(&m->lock);
    metric->fn = fn;
    metric->fn_self = self;
    (void)pthread_mutex_unlock(&m->lock);
    return metric;
}

void metric_unref(struct metric *metric)
{
    struct metrics *m;

    if (metric == NULL)
        return;
    m = metric->registry;
    (void)pthread_mutex_lock(&m->lock);
    metric->fn = NULL; /* whoever asked for the value is going */
    if (--metric->refs == 0) {
        (void)map_remove(&metric->family->series, slice_str(metric->labels));
        free_metric(metric);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

static double from_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void metric_add(struct metric *metric, double n)
{
    uint64_t before = atomic_load_explicit(&metric->bits, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&metric->bits, &before, to_bits(from_bits(before) + n),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void metric_inc(struct metric *metric)
{
    metric_add(metric, 1);
}

void metric_set(struct metric *metric, double value)
{
    atomic_store_explicit(&metric->bits, to_bits(value), memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    const struct family *f = metric->family;
    size_t i = 0;

    while (i < f->n_bounds && value > f->bounds[i])
        i++;
    atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
    metric_add(metric, value);
}

double metric_value(const struct metric *metric)
{
    uint64_t count = 0;

    if (metric->buckets == NULL)
        return from_bits(atomic_load_explicit(&metric->bits, memory_order_relaxed));
    for (size_t i = 0; i <= metric->family->n_bounds; i++)
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
    return (double)count;
}

static void add_number(struct buf *out, double value)
{
    if (isnan(value))
        (void)buf_add_str(out, "NaN");
    else if (isinf(value))
        (void)buf_add_str(out, value > 0 ? "+Inf" : "-Inf");
    else if (value == (double)(int64_t)value && fabs(value) < 1e15)
        (void)buf_printf(out, "%lld", (long long)value);
    else
        (void)buf_printf(out, "%.17g", value);
}

static void add_line(struct buf *out, const char *name, const char *suffix, const char *labels, const char *le,
                     double value)
{
    (void)buf_printf(out, "%s%s", name, suffix);
    if (labels[0] != '\0' || le != NULL)
        (void)buf_printf(out, "{%s%s", labels, labels[0] != '\0' && le != NULL ? "," : "");
    if (le != NULL)
        (void)buf_printf(out, "le=\"%s\"", le);
    if (labels[0] != '\0' || le != NULL)
        (void)buf_add_char(out, '}');
    (void)buf_add_char(out, ' ');
    add_number(out, value);
    (void)buf_add_char(out, '\n');
}

static void add_histogram(struct buf *out, const struct metric *metric)
{
    const struct family *f = metric->family;
    uint64_t count = 0;
    char le[40];

    for (size_t i = 0; i <= f->n_bounds; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        if (i < f->n_bounds)
            (void)snprintf(le, sizeof le, "%.12g", f->bounds[i]);
        else
            (void)snprintf(le, sizeof le, "+Inf");
        add_line(out, f->name, "_bucket", metric->labels, le, (double)count);
    }
    add_line(out, f->name, "_sum", metric->labels, NULL,
             from_bits(atomic_load_explicit(&metric->bits, memory_order_relaxed)));
    add_line(out, f->name, "_count", metric->labels, NULL, (double)count);
}

static void add_family(struct buf *out, const struct family *f)
{
    static const char *const kinds[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

    (void)buf_printf(out, "# HELP %s ", f->name);
    add_escaped(out, f->help, false);
    (void)buf_printf(out, "\n# TYPE %s %s\n", f->name, kinds[f->kind]);
    for (struct map_entry *e = map_next(&f->series, NULL); e != NULL; e = map_next(&f->series, e)) {
        const struct metric *metric = e->value;

        if (f->kind == HISTOGRAM)
            add_histogram(out, metric);
        else
            add_line(out, f->name, "", metric->labels, NULL,
                     metric->fn != NULL ? metric->fn(metric->fn_self) : metric_value(metric));
    }
}

static int by_name(const void *a, const void *b)
{
    const struct family *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

enum code metrics_write(struct metrics *m, struct buf *out)
{
    const struct family **sorted;
    size_t n = 0;

    (void)pthread_mutex_lock(&m->lock);
    sorted = mem_array(map_count(&m->families), sizeof(struct family *));
    for (struct map_entry *e = map_next(&m->families, NULL); e != NULL; e = map_next(&m->families, e))
        sorted[n++] = e->value;
    qsort(sorted, n, sizeof(struct family *), by_name);
    for (size_t i = 0; i < n; i++)
        if (map_count(&sorted[i]->series) != 0)
            add_family(out, sorted[i]);
    (void)pthread_mutex_unlock(&m->lock);
    mem_free(sorted);
    while (out->is_full && out->len != 0 && out->ptr[out->len - 1] != '\n')
        out->len--;
    return out->is_full ? FULL : OK;
}
