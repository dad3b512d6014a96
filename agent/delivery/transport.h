/* agent/delivery/transport.h - the two real transports of an endpoint: HTTP POST and gRPC unary calls. Credentials come
 * in at every send, so that none is in a record. */
#ifndef AGENT_DELIVERY_TRANSPORT_H
#define AGENT_DELIVERY_TRANSPORT_H
#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/delivery/env.h"
#include "agent/io/grpc_client.h"
#include "agent/io/http_client.h"

struct loop;
enum { TRANSPORT_KINDS = 3 };

struct transport_http_cfg {
    struct loop *loop;          /* the owner */
    struct http_client *client; /* that loop's */
    const struct clock *clock;
    struct slice urls[TRANSPORT_KINDS]; /* by record kind; copied */
    /* Completes the request before every send: credentials, headers, TLS, proxy. What it makes lives in arena, as long
     * as the request. Not OK: not sent, tried again later. */
    enum code (*prepare)(void *ctx, struct http_request *request, struct arena *arena, struct error *err);
    void *ctx;
    void (*free_ctx)(void *ctx); /* may be NULL */
};
void transport_http(struct transport *out, const struct transport_http_cfg *cfg);

struct transport_grpc_cfg {
    struct loop *loop;                    /* the owner */
    struct rpc_channel *channel;          /* taken over */
    enum codec compression;               /* the channel's */
    const char *methods[TRANSPORT_KINDS]; /* static */
    bool wait_for_ready;
    /* Appends metadata (at most cap) before every send; as above. */
    enum code (*prepare)(void *ctx, struct rpc_metadata *items, size_t *n, size_t cap, struct arena *arena,
                         struct error *err);
    void *ctx;
    void (*free_ctx)(void *ctx); /* may be NULL */
};
void transport_grpc(struct transport *out, const struct transport_grpc_cfg *cfg);
#endif
