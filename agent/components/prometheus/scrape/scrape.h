/* agent/components/prometheus/scrape/scrape.h - shared by the files of prometheus.scrape.
 *
 * A target belongs to one loop and is touched only there. A scrape is a transaction: what was read is pushed, and
 * presence and times in the target's table change, only when the whole body was read and parsed within its limits
 * (docs/architecture.md, Scrapes). */
#ifndef AGENT_COMPONENTS_PROMETHEUS_SCRAPE_SCRAPE_H
#define AGENT_COMPONENTS_PROMETHEUS_SCRAPE_SCRAPE_H
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/io/http_client.h"
#include "agent/model/exposition.h"
#include "agent/runtime/component.h"
#include "agent/runtime/http_args.h"
#include <stdatomic.h>

struct scrape_clustering_args {
    bool enabled;
};

struct scrape_args {
    struct river_targets targets;
    struct river_capsules forward_to;
    struct slice job_name, metrics_path, scheme;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, extra_metrics, enable_compression;
    struct river_list_map params;
    struct river_strings scrape_protocols;
    int64_t interval_ns, timeout_ns;
    uint64_t body_size_limit, sample_limit, target_limit, label_limit, label_name_length_limit,
        label_value_length_limit;
    struct http_args http;
    struct scrape_clustering_args clustering;
};

extern const struct river_block scrape_args_block;

/* What all targets of the component share; immutable, reference-counted: a reload hands out a new one. */
struct settings {
    _Atomic unsigned refs;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, extra_metrics, enable_compression;
    uint64_t body_size_limit, sample_limit, label_limit, label_name_length_limit, label_value_length_limit;
    char *accept;           /* owned */
    struct http_auth *auth; /* owned */
};
MUST_USE enum code settings_new(struct settings **out, const struct scrape_args *args, struct error *err);
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s); /* NULL is fine */

/* A target as discovery gives it, made ready: labels without those that begin with __, and where to ask. */
struct target_spec {
    const struct labels *labels; /* owned reference; with job and instance */
    char *url;                   /* owned */
    char *internal_path;         /* owned; an exporter of this process; NULL: by HTTP */
    int64_t interval_ms, timeout_ms;
    uint64_t key; /* of all of it: equal keys are the same target */
};
/* INVALID: it has no address or a broken interval; err says which. arena is scratch. */
MUST_USE enum code target_spec_of(struct target_spec *out, const struct river_map *labels,
                                  const struct scrape_args *args, const char *job, const char *memory_addr,
                                  struct arena *arena, struct error *err);
void target_spec_release(struct target_spec *s);

/* --- table.c: the series of one target, in scrape order ---------------------------------------------------------- */
struct series {
    struct hash128 key;
    const struct labels *labels; /* owned reference; NULL: dropped by name (never pushed) */
    int64_t last_ms;             /* time of the last committed sample */
    int64_t staged_ms;
    uint32_t staged_in; /* number of the scrape that saw it last, committed or not */
    uint32_t seen_in;   /* number of the last committed scrape that had it; 0: none */
    bool has_own_time;  /* its samples carry timestamps: no staleness marker (unless tracked) */
    bool staged_own_time;
};

struct table {
    struct series *entries; /* in the order in which they first came */
    uint32_t n, cap;
    uint32_t *index; /* entry + 1; power of two places */
    uint32_t n_places;
    uint32_t cursor; /* the entry expected next */
    uint32_t n_live; /* present in the last committed scrape */
};
void table_init(struct table *t);
void table_release(struct table *t);
/* The series of this key; NULL when it is not there. */
struct series *table_find(struct table *t, struct hash128 key);
/* A new one at the end; labels' reference is taken over. NULL: no memory (the reference is let go). */
struct series *table_add(struct table *t, struct hash128 key, const struct labels *take_labels);
/* Lets go of series that no committed scrape has had since `oldest`, once they are more than half. */
void table_sweep(struct table *t, uint32_t oldest);

/* --- transaction.c: one body into one batch ----------------------------------------------------------------------- */
struct transaction {
    struct table *table;
    const struct settings *settings;
    const struct labels *target; /* labels of the target */
    const char *id;
    struct sample_batch *batch;
    struct exposition *parser;
    struct arena scratch; /* of one new series at a time */
    uint32_t number;      /* of this scrape */
    int64_t now_ms;
    uint64_t n_scraped, n_duplicate, n_out_of_order, n_added, plain_bytes;
    bool with_metadata;
};
/* NOMEM. */
MUST_USE enum code transaction_begin(struct transaction *t, struct table *table, const struct settings *settings,
                                     const struct labels *target, uint32_t number, int64_t now_ms, bool with_metadata,
                                     enum exposition_format format);
MUST_USE enum code transaction_feed(struct transaction *t, struct slice piece, struct error *err);
/* The body is whole: commits presence and times, adds staleness markers for what is gone. */
MUST_USE enum code transaction_commit(struct transaction *t, struct error *err);
/* Nothing of it counts; the batch is emptied and staleness markers for all that was present are put into it. */
void transaction_abort(struct transaction *t);
/* up and its like: a series of the agent's own for this target. */
enum code transaction_report(struct transaction *t, const char *name, double value);
/* Hands the batch over (the caller pushes it) and releases the rest. */
struct sample_batch *transaction_end(struct transaction *t);

/* --- target.c: one target on its loop ----------------------------------------------------------------------------- */
struct scraper; /* what targets need of the component; run.c */
struct target;
struct target *target_new(struct scraper *scraper, struct loop *loop, struct target_spec *take_spec,
                          struct settings *settings);
uint64_t target_key(const struct target *t);
const struct target_spec *target_spec(const struct target *t);
/* These post to the target's loop. */
void target_start(struct target *t);
void target_set(struct target *t, struct settings *settings);
/* Ends it, writing staleness markers when is_gone; done(arg) on the control loop. t is freed. */
void target_stop(struct target *t, bool is_gone, loop_fn done, void *arg);

/* One that was never started. */
void target_discard(struct target *t);

struct target_state { /* the last scrape, for the page; copied under a lock */
    bool is_up;
    int64_t last_ms, duration_ms;
    uint64_t samples;
    char error[200];
};
void target_state(struct target *t, struct target_state *out);

struct scraper {
    struct host *host;
    struct fanout *to;
    struct admission *admission;
    struct metric *scrapes, *failed, *skipped, *out_of_order, *duplicates, *forwarded; /* owned references */
};
#endif
