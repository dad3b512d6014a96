#include "agent/base/mem.h"
#include "agent/delivery/transport.h"
#include "agent/io/loop.h"

enum { METADATA_MAX = 64 };

struct transport_grpc_state {
    struct transport_grpc_cfg cfg;
};

struct call {
    struct transport_grpc_state *transport;
    struct rpc_request *request; /* NULL: it was not sent */
    wire_done_fn done;           /* NULL: cancelled */
    void *arg;
    struct error err;
};

/* What this side made up is no answer: the far side may never have seen the request. A message too large to be sent
 * keeps its status, so that it is parted. */
static enum wire_result result_of(const struct rpc_result *result)
{
    if (result->is_from_peer)
        return WIRE_ANSWERED;
    if (result->status == RPC_UNAVAILABLE)
        return WIRE_UNREACHABLE;
    if (result->status == RPC_DEADLINE_EXCEEDED)
        return WIRE_TIMEOUT;
    return WIRE_ANSWERED;
}

static void answered(void *arg, const struct rpc_result *result)
{
    struct call *c = arg;
    struct wire_response response = {
        .result = result_of(result),
        .is_grpc = true,
        .status = (int)result->status,
        .retry_after_ms = result->retry_info_ms,
        .body = result->body,
        .text = result->message,
    };

    c->done(c->arg, &response);
    mem_free(c);
}

static void unprepared(void *arg)
{
    struct call *c = arg;
    struct wire_response response = {
        .result = WIRE_UNPREPARED, .is_grpc = true, .retry_after_ms = -1, .text = slice_str(c->err.text)};

    if (c->done != NULL)
        c->done(c->arg, &response);
    mem_free(c);
}

static void *send_request(void *self, const struct wire_request *request, wire_done_fn done, void *arg)
{
    struct transport_grpc_state *t = self;
    struct call *c = mem_zalloc(sizeof *c);
    struct rpc_metadata metadata[METADATA_MAX];
    struct arena arena;
    size_t n = 0;
    enum code rc = OK;

    c->transport = t;
    c->done = done;
    c->arg = arg;
    arena_init(&arena, 0);
    for (unsigned i = 0; i < request->n_headers; i++)
        metadata[n++] = (struct rpc_metadata){request->headers[i].name, request->headers[i].value};
    if (t->cfg.prepare != NULL)
        rc = t->cfg.prepare(t->cfg.ctx, metadata, &n, METADATA_MAX, &arena, &c->err);
    if (rc != OK)
        loop_post(t->cfg.loop, unprepared, c);
    else
        c->request = rpc_request_start(
            t->cfg.channel, &(struct rpc_request_options){
                                .method = t->cfg.methods[request->kind < TRANSPORT_KINDS ? request->kind : 0],
                                .metadata = metadata,
                                .n_metadata = n,
                                .payload = request->body,
                                .payload_codec = t->cfg.compression,
                                .timeout_ms = request->timeout_ms,
                                .wait_for_ready = t->cfg.wait_for_ready,
                                .loop = t->cfg.loop,
                                .done = answered,
                                .arg = c,
                            });
    arena_release(&arena);
    return c;
}

static void cancel(void *self, void *handle)
{
    struct call *c = handle;

    (void)self;
    if (c->request != NULL) {
        rpc_request_cancel(c->request);
        mem_free(c);
        return;
    }
    c->done = NULL; /* its post is still to come */
}

static void free_transport(void *self)
{
    struct transport_grpc_state *t = self;

    if (t == NULL)
        return;
    rpc_channel_free(t->cfg.channel);
    if (t->cfg.free_ctx != NULL)
        t->cfg.free_ctx(t->cfg.ctx);
    mem_free(t);
}

void transport_grpc(struct transport *out, const struct transport_grpc_cfg *cfg)
{
    struct transport_grpc_state *t = mem_zalloc(sizeof *t);

    t->cfg = *cfg;
    *out = (struct transport){t, send_request, cancel, free_transport};
}
