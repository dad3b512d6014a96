/* agent/model/receiver.h - edges. A receiver takes batches: push takes over the caller's reference and the duty to
 * settle, always succeeds, and runs on a worker loop. A fanout is the sending end: the immutable list of receivers
 * behind a forward_to, swapped whole on reload (the runtime frees the old list after a barrier). fanout_push_* keeps
 * the books: `out` of the owner, `in` of each receiver, the edge's count, and what further receivers owe. */
#ifndef AGENT_MODEL_RECEIVER_H
#define AGENT_MODEL_RECEIVER_H
#include "agent/base/ledger.h"
#include "agent/model/batch.h"

enum receiver_kind { RECEIVES_LOGS, RECEIVES_METRICS, RECEIVES_OTLP };

struct receiver {
    enum receiver_kind kind;
    bool is_sink;          /* exporters: where items end */
    void *self;            /* the component */
    const char *owner;     /* its id; lives as long as the receiver */
    void *node;            /* the runtime's node, for the graph */
    struct ledger *ledger; /* its owner's account */
    union {
        void (*logs)(void *self, struct log_batch *take);
        void (*metrics)(void *self, struct sample_batch *take);
        void (*otlp)(void *self, struct otlp_batch *take);
    } push;
};

struct edge {
    struct receiver *to;
    _Atomic uint64_t n; /* items pushed over it */
};

struct edge_list {
    size_t n;
    struct edge *edges; /* owned */
};

struct fanout {
    const char *owner;     /* id of the component that pushes */
    struct ledger *ledger; /* its account */
    _Atomic(struct edge_list *) list;
};

/* A list over n receivers (borrowed); freed by edge_list_free once no loop can see it. */
struct edge_list *edge_list_new(struct receiver *const *to, size_t n);
void edge_list_free(struct edge_list *list);
void fanout_init(struct fanout *f, const char *owner, struct ledger *ledger);
/* Returns the list that was there; the caller frees it after a barrier. */
struct edge_list *fanout_swap(struct fanout *f, struct edge_list *list);

/* Takes the caller's reference. An empty list drops with NO_RECEIVER, counted and settled. A batch without items is let
 * go. */
void fanout_push_logs(struct fanout *f, struct log_batch *take);
void fanout_push_metrics(struct fanout *f, struct sample_batch *take);
void fanout_push_otlp(struct fanout *f, struct otlp_batch *take);

/* A listener on the edges (--tap, live items of the page): sees every batch just before its receiver gets it, on the
 * pushing loop, so it has to be quick and look only. Any number at once; without one a push pays one relaxed load. */
struct tap {
    void (*see)(void *ctx, const struct fanout *from, const struct receiver *to, const struct batch *b);
    void *ctx;
    bool is_printing; /* sinks that print what they get leave it to this one */
    struct tap *next; /* private */
};
/* Any thread, not from see. t stays the caller's and alive until tap_remove, after which see does not run any more. */
void tap_add(struct tap *t);
void tap_remove(struct tap *t); /* fine when it was not added */
bool tap_is_printing(void);
#endif
