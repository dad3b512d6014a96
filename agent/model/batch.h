/* agent/model/batch.h - what flows: log, sample and OTLP batches (design.md, Decisions: Batches).
 *
 * A batch has one arena; its slices point into it, into blocks the arena adopted, or into a batch it keeps (source).
 * It is reference-counted; with more than one holder it is immutable: X_batch_own() gives a holder one it may edit.
 * Nothing may point into a batch after push returned: whoever holds, copies. Labels in a batch are referenced by it
 * (X_batch_labels takes one reference) or borrowed from the pusher for the time of the push.
 *
 * Tickets: spans say, in item order, which ticket each run of items belongs to. Every holder owes the settlement of all
 * items it got: it pushes them on, gives them to delivery, or settles them (batch_settle). batch_unref does not settle.
 */
#ifndef AGENT_MODEL_BATCH_H
#define AGENT_MODEL_BATCH_H
#include "agent/base/arena.h"
#include "agent/model/labels.h"
#include "agent/model/ticket.h"
#include <stdatomic.h>

struct ticket_span {
    struct ticket *ticket; /* NULL: items without a ticket (the agent's own) */
    uint32_t n;
};

enum batch_kind { BATCH_LOGS, BATCH_SAMPLES, BATCH_OTLP };

struct batch {
    enum batch_kind kind;
    _Atomic uint32_t refs;
    struct arena arena;
    struct batch *source;      /* a batch whose bytes this one's items still use; owned reference */
    struct ticket_span *spans; /* in the arena; sum of n = number of items */
    uint32_t n_spans, cap_spans;
    const struct labels **labels; /* references owned by the batch; in the arena */
    uint32_t n_labels, cap_labels;
    uint64_t affinity; /* set by the source: target, file or stream; picks the partition, so that order is kept */
};

struct log_entry {
    int64_t ts_ns;
    struct slice line;
    uint32_t labels; /* index into base.labels */
    uint32_t n_meta;
    const struct label *meta; /* structured metadata, unsorted as given */
};

struct log_batch {
    struct batch base;
    struct log_entry *entries; /* in the arena */
    uint32_t n, cap;
};

enum sample_kind { SAMPLE_FLOAT, SAMPLE_HISTOGRAM };
#define STALE_NAN_BITS 0x7ff0000000000002ull /* the staleness marker's NaN (Prometheus value.StaleNaN) */

struct exemplar {
    const struct label *labels; /* in the arena */
    uint32_t n_labels;
    double value;
    int64_t ts_ms; /* 0: none given */
};

struct native_histogram; /* defined where native histograms are read (model/native_histogram.h); in the arena */

struct sample {
    const struct labels *labels; /* with __name__; borrowed from the pusher, or referenced through base.labels */
    int64_t ts_ms;
    int64_t start_ms; /* created / start timestamp; 0: unknown */
    double value;
    enum sample_kind kind;
    uint32_t n_exemplars;
    const struct exemplar *exemplars;
    const struct native_histogram *histogram; /* SAMPLE_HISTOGRAM */
};

enum metric_type {
    METRIC_UNKNOWN,
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_GAUGE_HISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO,
    METRIC_STATESET
}; /* values as prompb.MetricMetadata.MetricType */

struct metric_metadata {
    struct slice family, help, unit;
    enum metric_type type;
};

struct sample_batch {
    struct batch base;
    struct sample *samples; /* in the arena */
    uint32_t n, cap;
    struct metric_metadata *metadata; /* of families in this batch; in the arena; does not count as items */
    uint32_t n_metadata, cap_metadata;
};

enum otlp_signal { OTLP_TRACES, OTLP_METRICS, OTLP_LOGS };

/* One ResourceSpans, ResourceMetrics or ResourceLogs message without its tag and length. */
struct otlp_resource {
    struct slice bytes;
    uint32_t n_items; /* spans, data points or log records */
};

struct otlp_batch {
    struct batch base;
    enum otlp_signal signal;
    struct otlp_resource *resources; /* in the arena; already scanned (otlp_scan.h): depth, lengths, UTF-8 */
    uint32_t n, cap;
    uint32_t n_items;
    const struct label *metadata; /* request headers allowed on (include_metadata); in the arena */
    uint32_t n_metadata;
};

/* New batches have one reference. NULL only when the heap refuses. */
MUST_USE struct log_batch *log_batch_new(void);
MUST_USE struct sample_batch *sample_batch_new(void);
MUST_USE struct otlp_batch *otlp_batch_new(enum otlp_signal signal);
void batch_ref(struct batch *b);
void batch_unref(struct batch *b); /* NULL is fine */
/* Takes over the caller's reference and gives back one the caller may edit: the same batch when nobody else holds it,
 * else a copy that shares the bytes (spans and items copied). NULL when the heap refuses: the reference is still the
 * caller's, who settles (batch_settle) and lets go (batch_unref). */
MUST_USE struct log_batch *log_batch_own(struct log_batch *take);
MUST_USE struct sample_batch *sample_batch_own(struct sample_batch *take);
MUST_USE struct otlp_batch *otlp_batch_own(struct otlp_batch *take);

/* Puts a set into the batch and returns its index; the batch takes over one reference. UINT32_MAX: the heap refused. */
uint32_t batch_take_labels(struct batch *b, const struct labels *take);
/* Appends an entry without a span; follow with batch_span for the whole run. FULL/NOMEM: nothing was added. */
MUST_USE enum code log_batch_add(struct log_batch *b, uint32_t labels, int64_t ts_ns, struct slice line,
                                 const struct label *meta, uint32_t n_meta);
MUST_USE enum code sample_batch_add(struct sample_batch *b, const struct sample *s);
MUST_USE enum code sample_batch_add_metadata(struct sample_batch *b, const struct metric_metadata *m);
MUST_USE enum code otlp_batch_add(struct otlp_batch *b, struct slice resource, uint32_t n_items);
/* The last n items belong to t (joins the span before it when that is the same ticket). */
MUST_USE enum code batch_span(struct batch *b, struct ticket *t, uint32_t n);
uint32_t batch_items(const struct batch *b); /* log entries, samples, or otlp n_items */

/* Settles every item of the batch. */
void batch_settle(const struct batch *b, const char *destination, enum outcome outcome, enum drop_reason reason,
                  const char *text);
/* A batch `to` was made from `from` (conversion, split, join): opens a child ticket over to's items and spans them with
 * it, its parents being the tickets of from's items i with became[i] != 0 (became NULL: all of them). The tickets of
 * the others are settled as dropped (reasons[i], or RULE when reasons is NULL). to has no spans yet. NOMEM: nothing was
 * done, the caller settles from and lets to go. */
MUST_USE enum code batch_derive(const struct batch *from, struct batch *to, const uint8_t *became,
                                const uint8_t *reasons, const char *destination);
/* For fan-out: every ticket owes its items `times` more. */
void batch_owe(const struct batch *b, uint32_t times);
/* Keeps the items whose keep[i] is not 0, in order; the others are settled as dropped (reason) and their spans shrink.
 * The caller owns the batch (X_batch_own) and counts the drop in its ledger. Returns how many were dropped. */
uint32_t log_batch_keep(struct log_batch *b, const uint8_t *keep, const char *destination, enum drop_reason reason);
uint32_t sample_batch_keep(struct sample_batch *b, const uint8_t *keep, const char *destination,
                           enum drop_reason reason);
/* By resource message, for OTLP; a component that drops single items rewrites the message and says so through
 * batch_drop_items: n items from item index first on are settled as dropped and leave the spans; the otlp_batch's
 * n_items goes down by n, its resource's own n_items is the caller's to change. */
void batch_drop_items(struct batch *b, uint32_t first, uint32_t n, const char *destination, enum drop_reason reason);
#endif
