/* exporters/loki/write/write.h - loki.write: what its files share. run.c runs it, args.c has its table, stream.c makes
 * a batch into pushes, observe.c keeps Alloy's metrics. */
#ifndef EXPORTERS_LOKI_WRITE_WRITE_H
#define EXPORTERS_LOKI_WRITE_WRITE_H
#include "agent/runtime/sink.h"
#include <pthread.h>

struct loki_queue_args {
    uint64_t capacity;
    int64_t drain_timeout_ns;
};

struct loki_endpoint_args {
    struct slice name, url, tenant_id;
    int64_t batch_wait_ns, remote_timeout_ns, min_backoff_ns, max_backoff_ns, max_backoff_retries;
    uint64_t batch_size;
    bool has_max_backoff_retries, has_capacity, retry_on_http_429;
    struct river_map headers;
    struct http_args http;
    struct loki_queue_args queue;
    int on_full, durability;
    int64_t max_age_ns;
};

struct loki_wal_args {
    bool enabled;
    int64_t max_segment_age_ns, min_read_frequency_ns, max_read_frequency_ns, drain_timeout_ns;
};

struct loki_write_args {
    struct river_blocks endpoints; /* struct loki_endpoint_args */
    struct river_map external_labels;
    int64_t max_streams, max_label_names;
    uint64_t max_line_size;
    struct loki_wal_args wal;
};
extern const struct river_block loki_write_block;

enum { STREAM_CACHE = 4096 };

/* A label set as it goes to Loki: external labels in, labels that begin with "__" out. */
struct stream {
    _Atomic uint32_t refs;
    const struct labels *labels; /* the key; a reference */
    struct slice text, tenant;   /* owned; tenant "": the endpoint's own */
    bool is_refused;             /* over Loki's limits of labels, or without any */
    enum drop_reason reason;
};

struct loki_write {
    struct host *host;
    struct sink sink;
    struct receiver receiver;
    struct slice tenants[SINK_ENDPOINTS_MAX]; /* tenant_id of each endpoint; owned */
    struct label *external;                   /* in arena */
    size_t n_external;
    uint32_t max_streams, max_label_names;
    size_t max_line_bytes;
    struct arena arena;
    pthread_mutex_t cache_lock;
    struct stream *cache[STREAM_CACHE];
};

/* stream.c; worker loops. */
struct stream *stream_get(struct loki_write *c, const struct labels *labels); /* NULL: the heap refuses */
void stream_unref(struct stream *s);
void stream_cache_release(struct loki_write *c);
void loki_write_push(void *self, struct log_batch *take);

/* observe.c */
struct endpoint_observer loki_observer(struct host *host, struct slice url);
#endif
