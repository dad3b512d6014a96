/* agent/io/grpc_server.h - gRPC listener for unary methods (gRPC core, C API), bytes in, bytes out. Messages are
 * received only after admission; they are inflated here (identity, gzip, deflate), bounded, into one buffer. Prefix
 * rpc_, since grpc_ is the library's.
 *
 * Answered here: unknown method and other grpc-encoding UNIMPLEMENTED, too large RESOURCE_EXHAUSTED (without
 * RetryInfo), damaged compression INTERNAL. Callbacks run on the server's threads and must not wait. */
#ifndef AGENT_IO_GRPC_SERVER_H
#define AGENT_IO_GRPC_SERVER_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/io/tls.h"
#include <stdbool.h>
#include <stdint.h>

struct rpc_server;
struct rpc_call; /* one request; the handler's until rpc_call_reply */

enum rpc_status { /* google.rpc.Code */
                  RPC_OK = 0,
                  RPC_CANCELLED = 1,
                  RPC_UNKNOWN = 2,
                  RPC_INVALID_ARGUMENT = 3,
                  RPC_DEADLINE_EXCEEDED = 4,
                  RPC_NOT_FOUND = 5,
                  RPC_ALREADY_EXISTS = 6,
                  RPC_PERMISSION_DENIED = 7,
                  RPC_RESOURCE_EXHAUSTED = 8,
                  RPC_FAILED_PRECONDITION = 9,
                  RPC_ABORTED = 10,
                  RPC_OUT_OF_RANGE = 11,
                  RPC_UNIMPLEMENTED = 12,
                  RPC_INTERNAL = 13,
                  RPC_UNAVAILABLE = 14,
                  RPC_DATA_LOSS = 15,
                  RPC_UNAUTHENTICATED = 16,
};

struct rpc_method {
    const char *path; /* "/opentelemetry.proto.collector.trace.v1.TraceService/Export" */
    void *cookie;
};

struct rpc_handler {
    void *self;
    /* Before the message is received. May be NULL. May answer with rpc_call_reply (UNAVAILABLE, UNAUTHENTICATED ...):
     * the message is then not read. */
    void (*on_admit)(void *self, struct rpc_call *call);
    /* take_payload is the handler's (mem_free, arena_adopt); NULL when empty. Must lead to exactly one rpc_call_reply.
     */
    void (*on_request)(void *self, struct rpc_call *call, char *take_payload, size_t len);
    /* May be NULL. on_admit let it pass but on_request will not run (client gone, too large, damaged, stop). The call
     * is gone afterwards. */
    void (*on_dropped)(void *self, struct rpc_call *call);
};

struct rpc_server_options {
    struct slice listen;             /* "host:port", ":port", "[::]:port"; port 0: any */
    const struct tls_options *tls;   /* NULL: plain */
    size_t max_recv_bytes;           /* plain and on the wire; 0: 4 MiB */
    unsigned max_concurrent_streams; /* per connection; 0: 1024 */
    unsigned waiting_calls;          /* calls asked for ahead, per thread; 0: 16 */
    unsigned max_calls; /* at once, over all connections, then RESOURCE_EXHAUSTED with RetryInfo; 0: 4096 */
    size_t quota_bytes; /* the library's own memory; 0: 64 MiB */
    unsigned n_threads; /* 0: 1 */
    uint64_t keepalive_time_ms, keepalive_timeout_ms; /* 0: the library's (2 h, 20 s) */
    uint64_t min_ping_interval_ms;                    /* enforcement; 0: 5 min */
    bool permit_pings_without_calls;
    uint64_t max_connection_age_ms, max_connection_age_grace_ms, max_connection_idle_ms; /* 0: none */
};

MUST_USE enum code rpc_server_start(struct rpc_server **out, const struct rpc_server_options *options,
                                    const struct rpc_method *methods, size_t n_methods,
                                    const struct rpc_handler *handler, struct error *err);
uint16_t rpc_server_port(const struct rpc_server *s);
struct rpc_server_counts {
    uint64_t calls, unknown_method, bad_encoding, too_large, waiting; /* waiting: for rpc_call_reply */
};
struct rpc_server_counts rpc_server_counts(const struct rpc_server *s);
/* No new calls; waits up to deadline_ms for those under way to be replied to, cancels the rest, returns when no
 * callback runs any more. Late rpc_call_reply calls are fine and have no effect. Not from a callback. NULL is fine. */
void rpc_server_stop(struct rpc_server *s, uint64_t deadline_ms);

/* While the call is the handler's, any thread. */
void *rpc_call_method_cookie(const struct rpc_call *c);
struct slice rpc_call_metadata(const struct rpc_call *c, const char *name); /* lower case; ptr NULL: absent */
/* The i-th entry of the metadata; false: no more. */
bool rpc_call_metadata_at(const struct rpc_call *c, size_t i, struct slice *name, struct slice *value);
struct slice rpc_call_peer(const struct rpc_call *c);       /* "ipv4:10.0.0.1:4711" */
int64_t rpc_call_deadline_ms(const struct rpc_call *c);     /* what is left of it; -1: none */
void rpc_call_set_cookie(struct rpc_call *c, void *cookie); /* the handler's own, e.g. what it reserved */
void *rpc_call_cookie(const struct rpc_call *c);
/* Exactly once per call, any thread; afterwards the call is gone for the caller. body (copied) is sent with RPC_OK
 * only. retry_info_ms > 0: a RetryInfo in grpc-status-details-bin. */
void rpc_call_reply(struct rpc_call *c, enum rpc_status status, const char *message, struct slice body,
                    uint64_t retry_info_ms);
#endif
