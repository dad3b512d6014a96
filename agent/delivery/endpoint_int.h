/* agent/delivery/endpoint_int.h - what the files of the endpoint share: endpoint.c (making, appending),
 * endpoint_queue.c (queues and schedule), endpoint_answer.c (verdicts), endpoint_end.c (flush, hand-over, close),
 * endpoint_books.c. */
#ifndef AGENT_DELIVERY_ENDPOINT_INT_H
#define AGENT_DELIVERY_ENDPOINT_INT_H
#include "agent/base/limits.h"
#include "agent/base/map.h"
#include "agent/delivery/endpoint.h"
#include <pthread.h>
#include <stdatomic.h>

enum {
    QUEUES_MAX = (LIMIT_TENANT_QUEUES + 1) * LIMIT_PARTITIONS, /* the last tenant's are shared by the others */
    SEARCH_BUDGET = 64, /* requests a bisection may cost beyond the one that was refused */
    HANDOVER_MS = 500,  /* how long requests in flight may end before a hand-over repeats them */
    IN_FLIGHT_START = 4,
    IN_FLIGHT_LEAST = 2,
    SOFT_LEAST_BYTES = 64 * 1024,
};

/* A bisection's budget, shared by all pieces of the request that was refused. Owner loop. */
struct search {
    unsigned left, refs;
};

/* A request: one (merged) record on its way. */
struct unit {
    struct list node; /* in its queue's slots, or pieces while it waits for a slot */
    struct endpoint_queue *queue;
    struct record *record; /* owned */
    struct search *search; /* NULL: nothing was refused yet */
    unsigned attempts;     /* failed ones */
    int64_t first_ms, due_ms, started_ms;
    bool is_far_wait; /* due_ms is what the far side asked for */
    bool is_built;
    void *handle; /* of the transport; NULL: not in flight */
    struct buf body;
    struct wire_request request;
};

struct endpoint_queue {
    struct endpoint *endpoint;
    unsigned partition;
    pthread_mutex_t lock;
    /* under lock: the open record, its payload in buf */
    struct record *open; /* NULL: none begun */
    struct buf buf;
    bool is_waited;
    uint64_t next_number;
    /* any thread */
    _Atomic int64_t open_since_ms; /* mono + 1; 0: nothing is open */
    _Atomic bool is_busy;          /* something waits or is in flight behind the open record */
    /* owner loop */
    struct list ready;    /* records in order of number */
    struct list early;    /* those that came before their predecessors; rising */
    uint64_t next_append; /* number of the next for ready */
    struct list slots;    /* units in flight or in backoff */
    struct list pieces;   /* units to send before what is ready */
    unsigned n_slots;
    int64_t not_before_ms; /* the far side asked for a pause */
};

struct tenant_queues {
    struct endpoint_queue *partition[LIMIT_PARTITIONS];
};

struct flush_wait {
    struct list node;
    int64_t until_ms;
    void (*done)(void *arg);
    void *arg;
};

struct endpoint {
    struct endpoint_cfg cfg; /* strings owned */
    struct delivery_env env;
    _Atomic unsigned refs;
    unsigned max_slots; /* requests of one queue at a time */

    pthread_mutex_t map_lock;
    struct map tenants; /* under map_lock */
    struct endpoint_queue *queues[QUEUES_MAX];
    _Atomic unsigned n_queues; /* queues below this are whole */

    _Atomic uint32_t batch_items, max_items; /* may be narrowed by a hint */
    _Atomic int64_t batch_wait_ms;
    _Atomic size_t soft_bytes; /* what the far side seems to take; at most cfg.max_bytes */

    /* books */
    _Atomic uint64_t enqueued, acknowledged, queued, records, dropped[DROP_REASON_COUNT];
    _Atomic size_t queued_bytes;
    struct metric *m_enqueued, *m_acknowledged, *m_queued, *m_queued_bytes, *m_retries;
    struct metric *m_dropped[DROP_REASON_COUNT]; /* made when first needed; under gate_lock */
    struct metric_label *labels;
    pthread_mutex_t gate_lock;
    bool is_gate_closed; /* under gate_lock */

    _Atomic bool is_held; /* waits for its predecessor's records */
    /* owner loop */
    struct env_timer *timer; /* made when first started */
    unsigned in_flight, limit, next_queue;
    bool is_closing, is_closed, is_unwell;
    char state_text[200];
    struct list flushes;
    struct endpoint *successor; /* being handed over to; a reference */
    int64_t handover_ms;
    void (*closed)(void *arg); /* endpoint_close was called */
    void *closed_arg;
};

/* endpoint.c: any thread; the queue's lock is held. */
void queue_cut_open(struct endpoint_queue *q, struct list *cut);
void record_finish(struct endpoint *e, struct record *r);
struct endpoint_queue *endpoint_queue_of(struct endpoint *e, struct slice tenant, unsigned partition);
void endpoint_unref(struct endpoint *e);

/* endpoint_queue.c: owner loop. */
void queue_append(struct record *r);
void queue_add_posted(void *record);
void endpoint_arm(void *endpoint);
void endpoint_schedule(struct endpoint *e); /* e may be gone afterwards, unless the caller has a reference */
void endpoint_stop_timer(struct endpoint *e);
void endpoint_cut_all(struct endpoint *e, bool only_due);
void queue_release(struct endpoint_queue *q, struct unit *u);
void unit_free(struct unit *u);
struct unit *unit_new(struct endpoint_queue *q, struct record *take);
void queue_drop_record(struct endpoint_queue *q, struct record *take, enum outcome outcome, enum drop_reason reason,
                       const char *text);

/* endpoint_answer.c: owner loop. */
void unit_answered(void *unit, const struct wire_response *response);

/* endpoint_end.c: owner loop. */
void endpoint_check_ends(struct endpoint *e, int64_t now_ms);
int64_t endpoint_next_end_ms(const struct endpoint *e); /* INT64_MAX: none */

/* endpoint_books.c: any thread. */
void books_enqueued(struct endpoint *e, uint64_t n, size_t bytes);
void books_bytes(struct endpoint *e, size_t before, size_t after);
void books_acknowledged(struct endpoint *e, const struct record *r, uint64_t n);
void books_dropped(struct endpoint *e, const struct record *r, uint64_t n, enum drop_reason reason);
void books_move(struct endpoint *from, struct endpoint *to, const struct record *r);
void books_gate(struct endpoint *e);
void books_init(struct endpoint *e);
void books_release(struct endpoint *e);
bool books_over_cap(const struct endpoint *e, unsigned times);
#endif
