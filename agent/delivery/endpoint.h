/* agent/delivery/endpoint.h - one destination: open records in front, queues, schedule and retry behind (design.md,
 * Delivery; memory mode: records wait in memory, tickets settle on acknowledgement).
 *
 * A queue is (tenant, partition); one request of a queue is in flight at a time (OTLP: one queue, K). The caller
 * encodes into the queue's open record between endpoint_begin and endpoint_end, on any worker loop; the rest runs on
 * the owner loop behind env. Books: enqueued = acknowledged + dropped{reason} + queued, to the item. */
#ifndef AGENT_DELIVERY_ENDPOINT_H
#define AGENT_DELIVERY_ENDPOINT_H
#include "agent/base/buf.h"
#include "agent/base/metrics.h"
#include "agent/delivery/env.h"
#include "agent/delivery/protocol.h"
#include "agent/model/admission.h"

struct endpoint;

enum on_full { ON_FULL_DROP_OLDEST, ON_FULL_BLOCK };
enum durability { DURABILITY_DEFAULT, DURABILITY_MEMORY };

/* What happened, for a component's own metrics (loki_write_*, ...); on the owner loop. Any may be NULL. */
struct endpoint_observer {
    void *ctx;
    /* One request ended: bytes as sent, how long, the status (0: no answer). */
    void (*request)(void *ctx, struct slice tenant, unsigned kind, int status, size_t bytes, double seconds);
    void (*acknowledged)(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes);
    void (*dropped)(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items, size_t bytes,
                    enum drop_reason reason);
    void (*retried)(void *ctx, struct slice tenant, unsigned kind, uint64_t n_items);
    void (*free)(void *ctx); /* when the endpoint is gone */
    /* The far side's state as it changes: for health and one log line per cause. text is "" when it is well. */
    void (*state)(void *ctx, bool is_well, const char *text);
};

struct endpoint_cfg {
    const char *component; /* id of the component, for logs and tickets */
    const char *id;        /* component id + "/" + name, or the URL without user info and query */
    const struct protocol *protocol;
    enum wire_compression compression;
    int compression_level; /* 0: the library's default */
    size_t batch_bytes;    /* a record is cut at this many plain bytes */
    int64_t batch_wait_ms; /* and this long after its first item */
    uint32_t batch_items;  /* and at this many items; 0: no bound */
    uint32_t max_items;    /* never more in one request (send_batch_max_size); 0: no bound */
    size_t max_bytes;      /* never more plain bytes in one request unless one item is larger; 0: batch_bytes */
    uint64_t timeout_ms;
    int64_t backoff_min_ms, backoff_max_ms;
    double backoff_multiplier; /* 0: 2 */
    unsigned max_retries;      /* 0: no bound but age and cap */
    int64_t max_elapsed_ms;    /* 0: no bound */
    bool no_retry;             /* retry_on_failure disabled: the first failure drops */
    bool retry_on_429;
    size_t queue_bytes;      /* the cap */
    uint64_t queue_requests; /* a second cap, in records; 0: none */
    enum on_full on_full;
    int64_t max_age_ms; /* 0: none */
    enum durability durability;
    unsigned max_in_flight;  /* K: requests at once, over all queues */
    struct gate *gate;       /* closed while ON_FULL_BLOCK and at the cap; a reference is taken; may be NULL */
    struct metrics *metrics; /* hyagent_endpoint_*; may be NULL (tests) */
    const struct metric_label *labels; /* copied into the series: component_id, component_path; endpoint is added */
    size_t n_labels;
    struct endpoint_observer observer;
};

/* The books; exact while nothing runs. */
struct endpoint_books {
    uint64_t enqueued, acknowledged, queued, dropped[DROP_REASON_COUNT];
    size_t queued_bytes; /* open, waiting and in flight */
    uint64_t records;    /* cut and waiting; those in flight are not among them */
};

/* Copies what it keeps of cfg; takes over env's transport. Any thread. */
struct endpoint *endpoint_new(const struct endpoint_cfg *cfg, const struct delivery_env *env);
/* Ends it: what is open, waiting or in flight is dropped with SHUTDOWN and its tickets abandoned; done(arg) on the
 * owner loop when all is freed. No begin may run any more. */
void endpoint_close(struct endpoint *e, void (*done)(void *arg), void *arg);
/* Cuts what is open and calls done(arg) on the owner loop when nothing is queued, or deadline_ms later. Any thread. */
void endpoint_flush(struct endpoint *e, int64_t deadline_ms, void (*done)(void *arg), void *arg);
/* A successor with the same identity: it sends nothing until it has, in order, what old had queued; old's requests in
 * flight may end first (500 ms), later ones are repeated. old must get no begin any more; close it after this. Any
 * thread. */
void endpoint_succeed(struct endpoint *successor, struct endpoint *old);
void endpoint_books(struct endpoint *e, struct endpoint_books *out);
const char *endpoint_id(const struct endpoint *e);
/* How many plain bytes to append at once at most, so that records can be cut where they should be. */
size_t endpoint_batch_bytes(const struct endpoint *e);
uint32_t endpoint_max_items(const struct endpoint *e); /* likewise for items; 0: no bound */
/* False while ON_FULL_BLOCK holds at the cap. */
bool endpoint_has_room(const struct endpoint *e);
/* otelcol.processor.batch's hint: the smallest of all wins; 0 leaves a bound as it is. */
void endpoint_hint(struct endpoint *e, uint32_t batch_items, int64_t batch_wait_ms, uint32_t max_items);

/* -- appending -- */
struct endpoint_queue;
struct record_writer {
    struct endpoint *endpoint;
    struct endpoint_queue *queue; /* locked while not NULL */
    struct buf *out;              /* the open record: append whole top-level fields */
    struct list cut;              /* records to compress and post */
    struct record_spans answered; /* durability "memory": settled at the end */
    size_t start;                 /* out's length after the last endpoint_items */
    bool must_arm;                /* the owner loop has to learn when to cut */
};

/* Opens the record of (tenant, partition of affinity) for items of this kind: locks the queue. tenant "": none. Tenants
 * beyond LIMIT_TENANT_QUEUES share the queues of one. metadata: "name\0value\0"… or empty; as tenant, copied. kind is
 * the protocol's: otlp's enum otlp_signal, else 0. */
void endpoint_begin(struct endpoint *e, struct slice tenant, uint64_t affinity, unsigned kind, struct slice metadata,
                    struct record_writer *w);
/* What was appended to w->out since the last call is n whole items of ticket (NULL: none). Starts a new record first
 * when they would not fit this one, and cuts it when it is full. NOMEM: the bytes are taken back, the items are counted
 * as dropped (MEMORY) and settled as abandoned; nothing is left to do for the caller. */
enum code endpoint_items(struct record_writer *w, struct ticket *ticket, uint32_t n);
/* The same for items of several tickets in wire order. */
enum code endpoint_items_spans(struct record_writer *w, const struct record_span *spans, uint32_t n_spans);
/* Items this endpoint will not carry: counted as enqueued and dropped, settled as dropped; what was appended for them
 * is taken back. */
void endpoint_items_drop(struct record_writer *w, const struct record_span *spans, uint32_t n_spans,
                         enum drop_reason reason);
/* Takes back what was appended since the last endpoint_items. */
void endpoint_undo(struct record_writer *w);
/* Ends the open record here; the next item starts another. Nothing happens when it is empty. */
void endpoint_cut(struct record_writer *w);
/* Unlocks; compresses and posts what was cut. */
void endpoint_end(struct record_writer *w);
#endif
