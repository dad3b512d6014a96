/* prometheus.remote_write's metrics under Prometheus' names, by remote_name and url. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/http_url.h"
#include "exporters/prometheus/remote_write/remote_write.h"

struct rw_metrics {
    struct metric *samples, *failed, *dropped, *retried, *bytes, *duration, *highest, *shards_max, *per_send;
};

static void request(void *ctx, struct slice tenant, unsigned kind, int status, size_t bytes, double seconds)
{
    struct rw_metrics *m = ctx;

    (void)tenant;
    (void)kind;
    if (status >= 200 && status < 300)
        metric_add(m->bytes, (double)bytes);
    metric_observe(m->duration, seconds);
}

static void acknowledged(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes)
{
    struct rw_metrics *m = ctx;

    (void)tenant;
    (void)kind;
    (void)bytes;
    metric_add(m->samples, (double)n_items);
    metric_set(m->highest, (double)clock_wall_ns(clock_system()) / (double)NS_PER_S); /* fractions of a second too */
}

static void dropped(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes,
                    enum drop_reason reason)
{
    struct rw_metrics *m = ctx;
    bool is_refused = reason == DROP_REJECTED || reason == DROP_REJECTED_UNPROVEN || reason == DROP_TOO_LARGE;

    (void)tenant;
    (void)kind;
    (void)bytes;
    metric_add(is_refused ? m->failed : m->dropped, (double)n_items);
}

static void retried(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items)
{
    struct rw_metrics *m = ctx;

    (void)tenant;
    (void)kind;
    metric_add(m->retried, (double)n_items);
}

static void free_metrics(void *ctx)
{
    struct rw_metrics *m = ctx;

    metric_unref(m->samples);
    metric_unref(m->failed);
    metric_unref(m->dropped);
    metric_unref(m->retried);
    metric_unref(m->bytes);
    metric_unref(m->duration);
    metric_unref(m->highest);
    metric_unref(m->shards_max);
    metric_unref(m->per_send);
    mem_free(m);
}

static void make_series(struct rw_metrics *m, struct host *host, const struct metric_label *labels, size_t n)
{
    static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60};

    m->samples =
        host_counter(host, "prometheus_remote_storage_samples_total", "Samples the destination has taken.", labels, n);
    m->failed = host_counter(host, "prometheus_remote_storage_samples_failed_total",
                             "Samples the destination refused for good.", labels, n);
    m->dropped = host_counter(host, "prometheus_remote_storage_samples_dropped_total",
                              "Samples that were not delivered for other reasons.", labels, n);
    m->retried = host_counter(host, "prometheus_remote_storage_samples_retries_total", "Samples that were sent again.",
                              labels, n);
    m->bytes =
        host_counter(host, "prometheus_remote_storage_bytes_total", "Compressed bytes that were taken.", labels, n);
    m->duration = host_histogram(host, "prometheus_remote_storage_sent_batch_duration_seconds",
                                 "How long requests took.", bounds, sizeof bounds / sizeof bounds[0], labels, n);
    m->highest = host_gauge(host, "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
                            "When samples were last taken.", labels, n);
    m->shards_max =
        host_gauge(host, "prometheus_remote_storage_shards_max", "The most requests in flight at once.", labels, n);
    m->per_send = host_gauge(host, "prometheus_remote_storage_max_samples_per_send", "The most samples of one request.",
                             labels, n);
}

struct endpoint_observer rw_observer(struct host *host, struct slice name, struct slice url,
                                     const struct rw_queue_args *queue)
{
    struct rw_metrics *m = mem_zalloc(sizeof *m);
    struct http_url parts;
    struct buf plain; /* no password becomes a label */
    char *remote_name, *remote_url;

    buf_init(&plain, LIMIT_HTTP_HEADER_BYTES);
    if (http_url_parse(&parts, url, NULL) == OK)
        http_url_put_plain(&plain, &parts);
    remote_url = mem_strndup(buf_slice(&plain));
    remote_name = mem_strndup(name.len != 0 ? name : buf_slice(&plain));
    make_series(m, host, (const struct metric_label[]){{"remote_name", remote_name}, {"url", remote_url}}, 2);
    metric_set(m->shards_max, (double)queue->max_shards);
    metric_set(m->per_send, (double)queue->max_samples_per_send);
    mem_free(remote_name);
    mem_free(remote_url);
    buf_release(&plain);
    return (struct endpoint_observer){.ctx = m,
                                      .request = request,
                                      .acknowledged = acknowledged,
                                      .dropped = dropped,
                                      .retried = retried,
                                      .free = free_metrics};
}
