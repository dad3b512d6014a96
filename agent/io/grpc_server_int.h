/* agent/io/grpc_server_int.h - grpc_server.c starts and stops, grpc_call.c is one call's life.
 *
 * One lock per server: batches are only started under it, so none is started once the completion queues are closed. */
#ifndef AGENT_IO_GRPC_SERVER_INT_H
#define AGENT_IO_GRPC_SERVER_INT_H
#include "agent/base/arena.h"
#include "agent/base/list.h"
#include "agent/base/map.h"
#include "agent/io/grpc_int.h"
#include <pthread.h>
#include <stdatomic.h>

struct rpc_thread {
    struct rpc_server *server;
    grpc_completion_queue *queue;
    pthread_t thread;
    bool is_started;
};

struct rpc_server {
    atomic_uint refs; /* the owner and every call */
    struct rpc_handler handler;
    struct rpc_server_options options; /* defaults filled in; listen and tls are not used after start */
    struct map methods;                /* path -> struct rpc_method_entry */
    grpc_server *grpc;
    struct rpc_server_tls *tls;
    struct rpc_thread *threads; /* options.n_threads; owned */
    uint16_t port;
    pthread_mutex_t lock; /* for all below, and starting batches */
    pthread_cond_t changed;
    struct list waiting; /* calls that on_request has, or will get */
    unsigned active;     /* calls in the library's hands: from their arrival to their last event */
    bool is_stopping;    /* no new calls are asked for */
    bool is_closed;      /* no batches are started */
    bool is_shut_down;   /* the library said so */
    struct rpc_server_counts counts;
};

struct rpc_method_entry {
    void *cookie;
};

enum rpc_event_kind { EVENT_NEW, EVENT_RECEIVED, EVENT_CLOSED, EVENT_SENT };

struct rpc_event {
    enum rpc_event_kind kind;
    struct rpc_call *call;
};

struct rpc_call {
    atomic_uint refs; /* the library's part and the handler's */
    struct rpc_server *server;
    struct rpc_thread *thread;
    struct list link; /* in waiting; under the lock */
    struct rpc_event events[4];
    grpc_call *grpc;
    grpc_call_details details;
    grpc_metadata_array incoming;
    grpc_byte_buffer *message, *answer;
    int is_cancelled;
    grpc_slice status_text, status_details;
    grpc_metadata trailer;
    unsigned pending; /* events owed by the library; under the lock */
    bool is_answered; /* a status is on its way, or never will be; under the lock */
    bool is_over;     /* the library's part has ended; under the lock */
    bool is_active;   /* counted in active; under the lock */
    /* for the handler */
    struct arena arena;
    struct rpc_metadata *metadata; /* in arena */
    size_t n_metadata;
    struct slice peer;
    gpr_timespec deadline;
    void *method_cookie, *cookie;
};

void rpc_call_ask(struct rpc_thread *thread); /* asks the library for the next call */
void rpc_call_on_event(struct rpc_event *event, bool is_ok);
/* Under the lock: sends the status unless one was sent or the server is closed. */
void rpc_call_answer_locked(struct rpc_call *c, enum rpc_status status, const char *message, struct slice body,
                            uint64_t retry_ms);
void rpc_server_unref(struct rpc_server *s);
#endif
