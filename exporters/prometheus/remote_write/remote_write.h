/* exporters/prometheus/remote_write/remote_write.h - prometheus.remote_write: what its files share. remote_write.c runs
 * it, _args.c has its table, _series.c makes a batch into requests, _observe.c keeps Alloy's metrics. */
#ifndef EXPORTERS_PROMETHEUS_REMOTE_WRITE_REMOTE_WRITE_H
#define EXPORTERS_PROMETHEUS_REMOTE_WRITE_REMOTE_WRITE_H
#include "agent/base/map.h"
#include "agent/model/relabel.h"
#include "agent/runtime/sink.h"
#include <pthread.h>

struct rw_queue_args {
    int64_t capacity, max_shards, min_shards, max_samples_per_send;
    int64_t batch_send_deadline_ns, min_backoff_ns, max_backoff_ns, sample_age_limit_ns;
    bool retry_on_http_429;
};

struct rw_metadata_args {
    bool send;
    int64_t send_interval_ns, max_samples_per_send;
};

struct rw_endpoint_args {
    struct slice name, url;
    int64_t remote_timeout_ns;
    struct river_map headers;
    bool send_exemplars, send_native_histograms;
    int protobuf_message;
    struct http_args http;
    struct rw_queue_args queue;
    struct rw_metadata_args metadata;
    struct river_blocks write_relabel;       /* struct relabel_rule_args */
    const struct ast_block *sigv4, *azuread; /* refused */
    int on_full, durability;
};

struct rw_wal_args {
    int64_t truncate_frequency_ns, min_keepalive_time_ns, max_keepalive_time_ns;
};

struct rw_args {
    struct river_map external_labels;
    struct river_blocks endpoints; /* struct rw_endpoint_args */
    struct rw_wal_args wal;
};
extern const struct river_block remote_write_block;

enum { SERIES_SHARDS = 16, SERIES_PER_SHARD = 4096 };

/* A label set as this endpoint sends it. */
struct series_entry {
    const struct labels *labels; /* the key; a reference; NULL: free */
    char *block;                 /* owned: the encoded labels; NULL: not sent, for reason */
    size_t block_len;
    enum drop_reason reason;
};

/* Direct-mapped by hash: bounded, a collision replaces. */
struct series_shard {
    pthread_mutex_t lock;
    struct series_entry entries[SERIES_PER_SHARD];
};

struct rw_endpoint {
    struct relabel_rules *rules;
    bool send_exemplars, send_native_histograms, send_metadata;
    int64_t metadata_interval_ms;
    pthread_mutex_t metadata_lock;
    struct map metadata;         /* family: time sent, mono ms + 1, as a number in the pointer */
    struct series_shard *shards; /* SERIES_SHARDS */
};

struct remote_write {
    struct host *host;
    struct sink sink;
    struct receiver receiver;
    struct rw_endpoint *endpoints[SINK_ENDPOINTS_MAX]; /* beside sink.items */
    size_t n_endpoints;
    struct label *external; /* in arena */
    size_t n_external;
    struct arena arena;
};

/* _series.c */
struct rw_endpoint *rw_endpoint_new(void);
void rw_endpoint_free(struct rw_endpoint *e); /* NULL is fine */
void remote_write_push(void *self, struct sample_batch *take);

/* _observe.c */
struct endpoint_observer rw_observer(struct host *host, struct slice name, struct slice url,
                                     const struct rw_queue_args *queue);
#endif
