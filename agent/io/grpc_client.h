/* agent/io/grpc_client.h - gRPC channel for unary calls, bytes in, bytes out. The library's threads work, done runs on
 * the loop given with the call. Channels may be used from any thread. */
#ifndef AGENT_IO_GRPC_CLIENT_H
#define AGENT_IO_GRPC_CLIENT_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/io/codec.h"
#include "agent/io/grpc_server.h"
#include "agent/io/tls.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct rpc_channel;
struct rpc_request; /* a call under way; gone when done has run or after rpc_request_cancel */

struct rpc_channel_options {
    struct slice target;           /* "host:port", "dns:///host:port", "unix:path"; no scheme http:// */
    const struct tls_options *tls; /* NULL: plain text */
    struct slice authority;        /* empty: from the target */
    struct slice balancer;         /* "pick_first", "round_robin"; empty: pick_first */
    enum codec compression;        /* NONE, GZIP, DEFLATE (sent as zlib, as gRPC has it): what payloads will be in */
    uint64_t keepalive_time_ms, keepalive_timeout_ms; /* 0: none, 20 s */
    bool keepalive_without_calls;
    size_t max_send_bytes, max_recv_bytes;        /* 0: no limit, LIMIT_HTTP_RESPONSE_BYTES */
    size_t read_buffer_bytes, write_buffer_bytes; /* 0: the library's */
    struct slice user_agent;                      /* empty: the agent's own */
};

struct rpc_metadata {
    struct slice name, value; /* name in lower case */
};

struct rpc_result {
    enum rpc_status status;
    struct slice message;
    struct slice body;     /* of the response; empty unless RPC_OK */
    int64_t retry_info_ms; /* from RetryInfo; -1: none */
    bool is_from_peer;     /* false: made up here (no connection, deadline): the far side may not have seen it */
    int64_t duration_ns;
};
typedef void (*rpc_done_fn)(void *arg, const struct rpc_result *result); /* slices are borrowed for the call */

struct rpc_request_options {
    const char *method; /* "/package.Service/Method"; copied */
    const struct rpc_metadata *metadata;
    size_t n_metadata;        /* copied */
    struct slice payload;     /* copied: the library may still read it after a cancel */
    enum codec payload_codec; /* what payload already is in: NONE or the channel's compression */
    uint64_t timeout_ms;      /* 0: none */
    bool wait_for_ready;      /* wait for a connection instead of failing with UNAVAILABLE */
    struct loop *loop;        /* where done runs */
    rpc_done_fn done;
    void *arg;
};

MUST_USE enum code rpc_channel_new(struct rpc_channel **out, const struct rpc_channel_options *options,
                                   struct error *err);
/* Calls under way keep what they need and end by themselves. NULL is fine. */
void rpc_channel_free(struct rpc_channel *ch);
/* Never fails: what cannot be sent ends in done. done never runs inline. */
struct rpc_request *rpc_request_start(struct rpc_channel *ch, const struct rpc_request_options *options);
/* On the request's loop, before done ran; done does not run any more. */
void rpc_request_cancel(struct rpc_request *r);
const char *rpc_status_name(enum rpc_status status);
#endif
