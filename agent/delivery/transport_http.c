#include "agent/base/mem.h"
#include "agent/delivery/transport.h"
#include "agent/io/http_url.h"
#include "agent/io/loop.h"

struct transport_http_state {
    struct transport_http_cfg cfg;
};

struct call {
    struct transport_http_state *transport;
    struct http_transfer *transfer; /* NULL: it was not sent */
    wire_done_fn done;              /* NULL: cancelled */
    void *arg;
    struct arena arena;
    struct error err;
};

static void free_call(struct call *c)
{
    arena_release(&c->arena);
    mem_free(c);
}

static enum wire_result result_of(enum http_outcome outcome)
{
    switch (outcome) {
    case HTTP_ANSWERED:
        return WIRE_ANSWERED;
    case HTTP_UNREACHABLE:
        return WIRE_UNREACHABLE;
    case HTTP_TIMEOUT:
        return WIRE_TIMEOUT;
    case HTTP_BROKEN:
    case HTTP_TOO_LARGE:
    case HTTP_STOPPED:
        return WIRE_BROKEN;
    case HTTP_UNPREPARED:
        return WIRE_UNPREPARED;
    }
    return WIRE_BROKEN;
}

static void answered(void *arg, const struct http_result *result)
{
    struct call *c = arg;
    struct wire_response response = {
        .result = result_of(result->outcome),
        .status = result->status,
        .retry_after_ms = -1,
        .body = result->body,
        .text = result->error,
    };
    struct slice after = (struct slice){0};

    if (result->outcome == HTTP_ANSWERED)
        after = http_result_header(result, "Retry-After");
    if (after.len != 0)
        response.retry_after_ms = http_retry_after_ms(after, clock_wall_ns(c->transport->cfg.clock));
    c->done(c->arg, &response);
    free_call(c);
}

static void unprepared(void *arg)
{
    struct call *c = arg;
    struct wire_response response = {.result = WIRE_UNPREPARED, .retry_after_ms = -1, .text = slice_str(c->err.text)};

    if (c->done != NULL)
        c->done(c->arg, &response);
    free_call(c);
}

static void set_headers(struct call *c, const struct wire_request *request, struct http_request *out)
{
    struct http_header *h = arena_alloc(&c->arena, (WIRE_HEADERS_MAX + 2) * sizeof *h);
    size_t n = 0;

    if (request->media_type.len != 0)
        h[n++] = (struct http_header){SLICE_LIT("Content-Type"), request->media_type, false};
    if (request->encoding.len != 0)
        h[n++] = (struct http_header){SLICE_LIT("Content-Encoding"), request->encoding, false};
    for (unsigned i = 0; i < request->n_headers; i++)
        h[n++] = (struct http_header){request->headers[i].name, request->headers[i].value, false};
    out->headers = h;
    out->n_headers = n;
}

static void *send_request(void *self, const struct wire_request *request, wire_done_fn done, void *arg)
{
    struct transport_http_state *t = self;
    struct call *c = mem_zalloc(sizeof *c);
    struct http_request http = {
        .method = "POST",
        .url = t->cfg.urls[request->kind < TRANSPORT_KINDS ? request->kind : 0],
        .body = request->body,
        .timeout_ms = request->timeout_ms,
        .cut_response = true,
        .arg = c,
        .done = answered,
    };

    c->transport = t;
    c->done = done;
    c->arg = arg;
    arena_init(&c->arena, 0);
    set_headers(c, request, &http);
    if (t->cfg.prepare != NULL && t->cfg.prepare(t->cfg.ctx, &http, &c->arena, &c->err) != OK)
        loop_post(t->cfg.loop, unprepared, c);
    else
        c->transfer = http_request_start(t->cfg.client, &http);
    return c;
}

static void cancel(void *self, void *handle)
{
    struct call *c = handle;

    (void)self;
    if (c->transfer != NULL) {
        http_request_cancel(c->transfer);
        free_call(c);
    } else {
        c->done = NULL; /* its post is still to come */
    }
}

static void free_transport(void *self)
{
    struct transport_http_state *t = self;

    if (t == NULL)
        return;
    if (t->cfg.free_ctx != NULL)
        t->cfg.free_ctx(t->cfg.ctx);
    for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
        mem_free((void *)(uintptr_t)t->cfg.urls[i].ptr); /* copies of ours behind const */
    mem_free(t);
}

void transport_http(struct transport *out, const struct transport_http_cfg *cfg)
{
    struct transport_http_state *t = mem_zalloc(sizeof *t);

    t->cfg = *cfg;
    if (t->cfg.clock == NULL)
        t->cfg.clock = clock_system();
    for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
        t->cfg.urls[i] = slice_make(mem_strndup(cfg->urls[i]), cfg->urls[i].len);
    *out = (struct transport){t, send_request, cancel, free_transport};
}
