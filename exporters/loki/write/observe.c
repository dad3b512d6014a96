/* loki.write's metrics under Alloy's names, by host and tenant. The observer runs on its endpoint's loop alone. */
#include "agent/base/limits.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "exporters/loki/write/write.h"
#include <stdio.h>

struct tenant_series {
    struct metric *sent_entries, *sent_bytes, *retries;
    struct metric *dropped_entries[DROP_REASON_COUNT], *dropped_bytes[DROP_REASON_COUNT];
};

struct loki_metrics {
    struct metrics *registry;
    char *component, *path, *host; /* owned */
    struct map
        tenants; /* struct tenant_series; at most one more than tenants have queues: "" then stands for the rest */
    struct map durations; /* histograms by status code */
    struct metric *encoded_bytes;
};

enum { LABELS_MAX = 5 };

/* component_id, component_path, host, then up to two more. */
static size_t label_set(const struct loki_metrics *m, struct metric_label *out, const char *name, const char *value,
                        const char *name2, const char *value2)
{
    size_t n = 0;

    out[n++] = (struct metric_label){"component_id", m->component};
    out[n++] = (struct metric_label){"component_path", m->path};
    out[n++] = (struct metric_label){"host", m->host};
    if (name != NULL)
        out[n++] = (struct metric_label){name, value};
    if (name2 != NULL)
        out[n++] = (struct metric_label){name2, value2};
    return n;
}

static struct metric *tenant_counter(const struct loki_metrics *m, const char *name, const char *help,
                                     const char *tenant, const char *reason)
{
    struct metric_label labels[LABELS_MAX];
    size_t n = label_set(m, labels, "tenant", tenant, reason != NULL ? "reason" : NULL, reason);

    return metrics_counter(m->registry, name, help, labels, n);
}

static char *tenant_text(struct slice tenant)
{
    return mem_strndup(tenant);
}

static struct tenant_series *series_of(struct loki_metrics *m, struct slice *tenant)
{
    struct tenant_series *t = map_get(&m->tenants, *tenant);
    char *text;

    if (t == NULL && map_count(&m->tenants) > LIMIT_TENANT_QUEUES) {
        *tenant = (struct slice){0};
        t = map_get(&m->tenants, *tenant);
    }
    if (t != NULL)
        return t;
    t = mem_zalloc(sizeof *t);
    text = tenant_text(*tenant);
    t->sent_entries = tenant_counter(m, "loki_write_sent_entries_total", "Log entries Loki has taken.", text, NULL);
    t->sent_bytes = tenant_counter(m, "loki_write_sent_bytes_total", "Bytes of pushes Loki has taken.", text, NULL);
    t->retries = tenant_counter(m, "loki_write_batch_retries_total", "Pushes that were sent again.", text, NULL);
    mem_free(text);
    BUG_ON(map_put(&m->tenants, *tenant, t, NULL) != OK);
    return t;
}

static void request(void *ctx, struct slice tenant, unsigned kind, int status, size_t bytes, double seconds)
{
    static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
    struct loki_metrics *m = ctx;
    struct metric_label labels[LABELS_MAX];
    struct metric *h;
    char code[16];
    int n = snprintf(code, sizeof code, "%d", status);

    (void)tenant;
    (void)kind;
    metric_add(m->encoded_bytes, (double)bytes);
    h = map_get(&m->durations, slice_make(code, (size_t)n));
    if (h == NULL) {
        h = metrics_histogram(m->registry, "loki_write_request_duration_seconds", "How long pushes took.", bounds,
                              sizeof bounds / sizeof bounds[0], labels,
                              label_set(m, labels, "status_code", code, NULL, NULL));
        if (map_put(&m->durations, slice_make(code, (size_t)n), h, NULL) != OK) {
            metric_unref(h);
            return;
        }
    }
    metric_observe(h, seconds);
}

static void acknowledged(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes)
{
    struct tenant_series *t = series_of(ctx, &tenant);

    (void)kind;
    metric_add(t->sent_entries, (double)n_items);
    metric_add(t->sent_bytes, (double)bytes);
}

static void dropped(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes,
                    enum drop_reason reason)
{
    struct loki_metrics *m = ctx;
    struct tenant_series *t = series_of(m, &tenant);

    (void)kind;
    if (t->dropped_entries[reason] == NULL) {
        char *text = tenant_text(tenant);

        t->dropped_entries[reason] =
            tenant_counter(m, "loki_write_dropped_entries_total", "Log entries that were not delivered.", text,
                           drop_reason_name(reason));
        t->dropped_bytes[reason] =
            tenant_counter(m, "loki_write_dropped_bytes_total", "Bytes of entries that were not delivered.", text,
                           drop_reason_name(reason));
        mem_free(text);
    }
    metric_add(t->dropped_entries[reason], (double)n_items);
    metric_add(t->dropped_bytes[reason], (double)bytes);
}

static void retried(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items)
{
    (void)kind;
    (void)n_items;
    metric_inc(series_of(ctx, &tenant)->retries);
}

static void free_series(void *value)
{
    struct tenant_series *t = value;

    metric_unref(t->sent_entries);
    metric_unref(t->sent_bytes);
    metric_unref(t->retries);
    for (size_t i = 0; i < DROP_REASON_COUNT; i++) {
        metric_unref(t->dropped_entries[i]);
        metric_unref(t->dropped_bytes[i]);
    }
    mem_free(t);
}

static void free_histogram(void *value)
{
    metric_unref(value);
}

static void free_metrics(void *ctx)
{
    struct loki_metrics *m = ctx;

    map_release(&m->tenants, free_series);
    map_release(&m->durations, free_histogram);
    metric_unref(m->encoded_bytes);
    mem_free(m->component);
    mem_free(m->path);
    mem_free(m->host);
    mem_free(m);
}

struct endpoint_observer loki_observer(struct host *host, struct slice url)
{
    struct loki_metrics *m = mem_zalloc(sizeof *m);
    struct metric_label labels[LABELS_MAX];
    struct slice none = {0};

    m->registry = host_metrics(host);
    m->component = mem_strdup(host_local_id(host));
    m->path = mem_strdup(host_path(host));
    m->host = sink_host_of(url);
    map_init(&m->tenants, 0);
    map_init(&m->durations, 0);
    m->encoded_bytes = metrics_counter(m->registry, "loki_write_encoded_bytes_total", "Bytes of pushes sent.", labels,
                                       label_set(m, labels, NULL, NULL, NULL, NULL));
    series_of(m, &none);
    return (struct endpoint_observer){.ctx = m,
                                      .request = request,
                                      .acknowledged = acknowledged,
                                      .dropped = dropped,
                                      .retried = retried,
                                      .free = free_metrics};
}
