#include "agent/runtime/sink.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/delivery/driver.h"
#include "agent/io/http_url.h"
#include "agent/text/json.h"
#include <stdatomic.h>
#include <stdio.h>

enum { URL_TEXT_BYTES = 4096 };

void sink_init(struct sink *s, struct host *host)
{
    *s = (struct sink){.host = host};
}

/* The component's id, then the endpoint's name, else its URL without user info and query. */
static char *identity(const struct sink *s, struct slice name, struct slice url)
{
    struct http_url parts;
    struct buf plain;
    char *id;

    buf_init(&plain, URL_TEXT_BYTES);
    if (name.len == 0 && http_url_parse(&parts, url, NULL) == OK)
        http_url_put_plain(&plain, &parts);
    else
        buf_add(&plain, name.len != 0 ? name : url);
    id = mem_printf("%s/%.*s", host_id(s->host), SLICE_ARG(buf_slice(&plain)));
    buf_release(&plain);
    return id;
}

struct loop *sink_loop(const struct sink *s, struct slice name, struct slice url)
{
    char *id = identity(s, name, url);
    struct loop *loop = host_loop_for(s->host, hash64_stable(slice_str(id)));

    mem_free(id);
    return loop;
}

static bool is_taken(const struct sink *s, const char *id)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(endpoint_id(s->items[i]), id) == 0)
            return true;
    return false;
}

static void refuse(const struct endpoint_cfg *cfg, const struct transport *transport)
{
    if (cfg->observer.free != NULL)
        cfg->observer.free(cfg->observer.ctx);
    if (transport->free != NULL)
        transport->free(transport->self);
}

enum code sink_add(struct sink *s, struct endpoint_cfg *cfg, struct slice name, struct slice url, size_t n_planned,
                   const struct transport *take_transport, struct error *err)
{
    const struct metric_label labels[] = {{"component_id", host_local_id(s->host)},
                                          {"component_path", host_path(s->host)}};
    struct delivery_env env;
    char *id;

    if (s->n == SINK_ENDPOINTS_MAX) {
        refuse(cfg, take_transport);
        return error_set(err, FULL, "more than %d endpoints", SINK_ENDPOINTS_MAX);
    }
    id = identity(s, name, url);
    if (is_taken(s, id)) { /* two of the same URL without names: told apart by their order */
        char *numbered = mem_printf("%s#%zu", id, s->n);

        mem_free(id);
        id = numbered;
    }
    cfg->component = host_id(s->host);
    cfg->id = id;
    cfg->gate = host_gate(s->host);
    cfg->metrics = host_metrics(s->host);
    cfg->labels = labels;
    cfg->n_labels = sizeof labels / sizeof labels[0];
    if (cfg->queue_bytes == 0)
        cfg->queue_bytes = host_queue_bytes(s->host) / (n_planned > 0 ? n_planned : 1);
    driver_env(&env, sink_loop(s, name, url), host_clock(s->host), *take_transport);
    s->items[s->n++] = endpoint_new(cfg, &env);
    mem_free(id);
    return OK;
}

/* ---- HTTP ---- */

struct http_push {
    struct http_auth *auth;
    struct http_header *headers;
    size_t n_headers;
    struct arena arena;
};

static enum code prepare(void *ctx, struct http_request *request, struct arena *arena, struct error *err)
{
    struct http_push *p = ctx;
    struct http_header *all = arena_alloc(arena, (request->n_headers + p->n_headers + 1) * sizeof *all);

    if (request->n_headers != 0)
        memcpy(all, request->headers, request->n_headers * sizeof *all);
    if (p->n_headers != 0)
        memcpy(all + request->n_headers, p->headers, p->n_headers * sizeof *all);
    request->headers = all;
    request->n_headers += p->n_headers;
    return http_auth_apply(p->auth, request, arena, err);
}

static void free_push(void *ctx)
{
    struct http_push *p = ctx;

    http_auth_free(p->auth);
    arena_release(&p->arena);
    mem_free(p);
}

enum code sink_http(const struct sink *s, struct loop *owner, const struct slice urls[TRANSPORT_KINDS],
                    const struct http_args *args, const struct river_map *headers, struct transport *out,
                    struct error *err)
{
    struct http_push *p = mem_zalloc(sizeof *p);
    struct transport_http_cfg cfg = {
        .loop = owner, .clock = host_clock(s->host), .prepare = prepare, .ctx = p, .free_ctx = free_push};

    arena_init(&p->arena, 0);
    if (http_auth_new(&p->auth, args, err) != OK) {
        free_push(p);
        return INVALID;
    }
    p->headers = arena_zalloc(&p->arena, (headers->n + 1) * sizeof *p->headers);
    for (size_t i = 0; i < headers->n; i++) /* they may carry keys: never to another host */
        p->headers[p->n_headers++] = (struct http_header){arena_copy(&p->arena, headers->items[i].name),
                                                          arena_copy(&p->arena, headers->items[i].value), true};
    cfg.client = host_http(s->host, owner);
    for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
        cfg.urls[i] = urls[i].len != 0 ? urls[i] : urls[0];
    transport_http(out, &cfg);
    return OK;
}

char *sink_host_of(struct slice url)
{
    struct http_url parts;

    if (http_url_parse(&parts, url, NULL) != OK)
        return mem_strdup("");
    if (!parts.has_port)
        return mem_strndup(parts.host);
    return mem_printf("%.*s:%u", SLICE_ARG(parts.host), parts.port);
}

enum code sink_check_url(struct slice url, struct error *err)
{
    struct http_url parts;

    if (http_url_parse(&parts, url, err) != OK)
        return INVALID;
    if (!slice_eq_nocase(parts.scheme, SLICE_LIT("http")) && !slice_eq_nocase(parts.scheme, SLICE_LIT("https")))
        return error_set(err, INVALID, "the URL's scheme must be http or https");
    return OK;
}

/* ---- all endpoints together ---- */

struct together {
    struct loop *control;
    _Atomic size_t left;
    loop_fn done; /* NULL: nobody waits any more. This and the next only on the control loop */
    void *arg;
    struct sink *draining; /* whose drain this is; NULL: a close */
};

static void all_done(void *arg)
{
    struct together *t = arg;

    if (t->draining != NULL)
        t->draining->draining = NULL;
    if (t->done != NULL)
        t->done(t->arg);
    mem_free(t);
}

static void one_done(void *arg)
{
    struct together *t = arg;

    if (atomic_fetch_sub(&t->left, 1) == 1)
        loop_post(t->control, all_done, t);
}

/* One more than there are endpoints, so that it cannot end while they are being started. */
static struct together *together_new(struct host *host, size_t n, loop_fn done, void *arg)
{
    struct together *t = mem_zalloc(sizeof *t);

    t->control = loops_control(host_loops(host));
    atomic_init(&t->left, n + 1);
    t->done = done;
    t->arg = arg;
    return t;
}

void sink_drain(struct sink *s, loop_fn done, void *arg)
{
    struct together *t = together_new(s->host, s->n, done, arg);

    BUG_ON(s->draining != NULL); /* a component is drained once at a time */
    s->draining = t;
    t->draining = s;
    for (size_t i = 0; i < s->n; i++)
        endpoint_flush(s->items[i], SINK_FLUSH_MS, one_done, t);
    one_done(t);
}

static void forget_drain(struct sink *s)
{
    if (s->draining == NULL)
        return;
    s->draining->done = NULL;
    s->draining->draining = NULL;
    s->draining = NULL;
}

void sink_close(struct sink *s, loop_fn done, void *arg)
{
    struct together *t = together_new(s->host, s->n, done, arg);

    forget_drain(s);
    for (size_t i = 0; i < s->n; i++)
        endpoint_close(s->items[i], one_done, t);
    s->n = 0;
    one_done(t);
}

void *sink_give_state(struct sink *s)
{
    struct sink *state = mem_alloc(sizeof *state);

    *state = *s;
    state->host = NULL; /* it goes before the state does */
    state->draining = NULL;
    s->n = 0;
    return state;
}

static void forget(void *arg)
{
    (void)arg;
}

void sink_take_state(struct sink *s, void *take_state)
{
    struct sink *old = take_state;

    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < old->n; j++)
            if (strcmp(endpoint_id(s->items[i]), endpoint_id(old->items[j])) == 0)
                endpoint_succeed(s->items[i], old->items[j]);
    sink_free_state(old);
}

/* What no successor took is dropped, counted `shutdown`. */
void sink_free_state(void *state)
{
    struct sink *old = state;

    for (size_t i = 0; i < old->n; i++)
        endpoint_close(old->items[i], forget, NULL);
    mem_free(old);
}

void sink_write_debug(struct sink *s, struct buf *json)
{
    for (size_t i = 0; i < s->n; i++) {
        struct endpoint_books b;

        endpoint_books(s->items[i], &b);
        buf_add_str(json, i == 0 ? "" : ",");
        json_write_string(json, slice_str(endpoint_id(s->items[i])));
        buf_printf(json, ":{\"enqueued\":%llu,\"acknowledged\":%llu,\"queued\":%llu,\"queued_bytes\":%zu",
                   (unsigned long long)b.enqueued, (unsigned long long)b.acknowledged, (unsigned long long)b.queued,
                   b.queued_bytes);
        for (int r = 0; r < DROP_REASON_COUNT; r++)
            if (b.dropped[r] != 0)
                buf_printf(json, ",\"dropped_%s\":%llu", drop_reason_name((enum drop_reason)r),
                           (unsigned long long)b.dropped[r]);
        buf_add_str(json, "}");
    }
}
