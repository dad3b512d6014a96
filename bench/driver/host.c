/* Stands in for agent/runtime/host.c and sink.c (their symbols, so the linker leaves those out): components are made
 * here from River text, by their own create, and their endpoints get delivery.c's environment. */
#include "agent/base/mem.h"
#include "agent/model/admission.h"
#include "agent/river/parser.h"
#include "agent/runtime/sink.h"
#include "bench/driver/bench.h"

enum { FANOUTS_MAX = 4, ENDPOINTS_MAX = 8, QUEUE_BYTES = 256 * 1024 * 1024, DIAGS_BYTES = 64 * 1024 };

const struct capsule_type capsule_logs_receiver = {.name = "loki.LogsReceiver"};
const struct capsule_type capsule_metrics_receiver = {.name = "prometheus.Interceptor"};
const struct capsule_type capsule_otel_consumer = {.name = "otelcol.Consumer"};
const struct capsule_type capsule_otel_auth = {.name = "auth.Handler"};
const struct capsule_type capsule_relabel_rules = {.name = "regexp.RelabelRules"};

struct host {
    const char *id;
    struct ledger ledger;
    struct fanout fanouts[FANOUTS_MAX];
    size_t n_fanouts;
    struct receiver *receiver;
};

static struct endpoint *endpoints[ENDPOINTS_MAX];
static size_t n_endpoints;

struct host *host_open(const char *id)
{
    struct host *h = mem_zalloc(sizeof *h);

    h->id = id;
    return h;
}

struct receiver *host_receiver_of(const struct host *h)
{
    return h->receiver;
}

struct endpoint *const *bench_endpoints(size_t *n)
{
    *n = n_endpoints;
    return endpoints;
}

/* ---- making a component ---- */

static const struct capsule_type *capsule_of(const struct receiver *r)
{
    switch (r->kind) {
    case RECEIVES_LOGS:
        return &capsule_logs_receiver;
    case RECEIVES_METRICS:
        return &capsule_metrics_receiver;
    case RECEIVES_OTLP:
        return &capsule_otel_consumer;
    }
    return NULL;
}

static bool look_up(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    struct receiver *next = self;

    if (n == 0 || next == NULL || !slice_eq_str(parts[0], "next"))
        return false;
    *n_used = 1;
    *out = value_capsule(capsule_of(next), next);
    return true;
}

static void *decode(const struct component_type *type, const char *river, struct receiver *next, struct arena *arena)
{
    struct scope scope = {.lookup = look_up, .self = next};
    struct diags diags;
    struct river_context ctx = {.arena = arena, .diags = &diags, .scope = &scope, .flags = RIVER_ALLOW_EXPERIMENTAL};
    struct ast_file *file = NULL;
    void *args = arena_zalloc(arena, type->args->size);

    diags_init(&diags);
    if (river_parse(slice_str(river), type->name, arena, &diags, &file) != OK ||
        river_decode_body(&ctx, type->args, &file->body, (struct span){0, 0}, args) != OK)
        fail("%s: line %u: %s", type->name, diags.n != 0 ? diags.items[0].start.line : 0,
             diags.n != 0 ? diags.items[0].text : "its arguments do not decode");
    diags_release(&diags);
    return args;
}

struct receiver *component_open(const struct component_type *type, const char *river, struct receiver *next)
{
    static struct arena arena; /* arguments live as long as the process */
    struct host *h = host_open(type->name);
    struct error err = {0};
    void *self;

    if (type->create(&self, h, decode(type, river, next, &arena), &err) != OK)
        fail("%s: %s", type->name, err.text);
    return h->receiver;
}

struct fanout *fanout_to(struct receiver *to)
{
    struct host *h = host_open("bench");
    struct fanout *f = &h->fanouts[0];

    fanout_init(f, h->id, &h->ledger);
    edge_list_free(fanout_swap(f, edge_list_new(&to, 1)));
    return f;
}

/* ---- agent/runtime/component.h ---- */

const char *host_id(const struct host *h)
{
    return h->id;
}

const char *host_path(const struct host *h)
{
    (void)h;
    return "/";
}

const char *host_local_id(const struct host *h)
{
    return h->id;
}

/* There is no loop: one that posts to it has no place in a single-threaded count. */
struct loops *host_loops(const struct host *h)
{
    (void)h;
    return NULL;
}

struct loop *host_loop(const struct host *h)
{
    (void)h;
    return NULL;
}

struct loop *host_loop_for(const struct host *h, uint64_t key)
{
    (void)h;
    (void)key;
    return NULL;
}

const struct clock *host_clock(const struct host *h)
{
    (void)h;
    return delivery_clock();
}

struct ledger *host_ledger(struct host *h)
{
    return &h->ledger;
}

struct metrics *host_metrics(struct host *h)
{
    static struct metrics *metrics;

    (void)h;
    if (metrics == NULL)
        metrics = metrics_new();
    return metrics;
}

enum { LABELS_MAX = 16 };
static size_t with_id(const struct host *h, const struct metric_label *more, size_t n, struct metric_label *out)
{
    if (n + 2 > LABELS_MAX)
        fail("%s: a metric with %zu labels", h->id, n);
    out[0] = (struct metric_label){"component_id", h->id};
    out[1] = (struct metric_label){"component_path", "/"};
    for (size_t i = 0; i < n; i++)
        out[i + 2] = more[i];
    return n + 2;
}

struct metric *host_counter(struct host *h, const char *name, const char *help, const struct metric_label *more,
                            size_t n)
{
    struct metric_label labels[LABELS_MAX];

    return metrics_counter(host_metrics(h), name, help, labels, with_id(h, more, n, labels));
}

struct metric *host_gauge(struct host *h, const char *name, const char *help, const struct metric_label *more, size_t n)
{
    struct metric_label labels[LABELS_MAX];

    return metrics_gauge(host_metrics(h), name, help, labels, with_id(h, more, n, labels));
}

struct metric *host_histogram(struct host *h, const char *name, const char *help, const double *bounds, size_t n_bounds,
                              const struct metric_label *more, size_t n)
{
    struct metric_label labels[LABELS_MAX];

    return metrics_histogram(host_metrics(h), name, help, bounds, n_bounds, labels, with_id(h, more, n, labels));
}

struct gate *host_gate(struct host *h)
{
    (void)h;
    return NULL;
}

size_t host_queue_bytes(const struct host *h)
{
    (void)h;
    return QUEUE_BYTES;
}

enum code host_fanout(struct host *h, const char *name, enum receiver_kind kind, void *const *receivers, size_t n,
                      struct fanout **out, struct error *err)
{
    struct receiver *to = n != 0 ? receivers[0] : NULL;

    if (n != 1 || to->kind != kind || h->n_fanouts == FANOUTS_MAX)
        return error_set(err, INVALID, "%s: one receiver of its kind is wanted", name);
    *out = &h->fanouts[h->n_fanouts++];
    fanout_init(*out, h->id, &h->ledger);
    edge_list_free(fanout_swap(*out, edge_list_new(&to, 1)));
    return OK;
}

void host_receiver(struct host *h, struct receiver *r)
{
    r->node = h;
    r->owner = h->id;
    r->ledger = &h->ledger;
    h->receiver = r;
}

struct batch_hint host_batch_hint(struct host *h)
{
    (void)h;
    return (struct batch_hint){0};
}

void host_export(struct host *h, const char *name, struct value v)
{
    (void)h;
    (void)name;
    (void)v;
}

struct value host_receiver_value(struct host *h, struct receiver *r)
{
    (void)h;
    return value_capsule(capsule_of(r), r);
}

void host_set_health(struct host *h, enum health health, const char *fmt, ...)
{
    if (health == HEALTH_UNHEALTHY)
        fail("%s became unhealthy: %s", h->id, fmt);
}

/* ---- agent/runtime/sink.h ---- */

void sink_init(struct sink *s, struct host *host)
{
    *s = (struct sink){.host = host};
}

struct loop *sink_loop(const struct sink *s, struct slice name, struct slice url)
{
    (void)s;
    (void)name;
    (void)url;
    return NULL;
}

enum code sink_add(struct sink *s, struct endpoint_cfg *cfg, struct slice name, struct slice url, size_t n_planned,
                   const struct transport *take_transport, struct error *err)
{
    struct delivery_env env;

    (void)name;
    (void)url;
    (void)n_planned;
    (void)take_transport;
    if (s->n == SINK_ENDPOINTS_MAX || n_endpoints == ENDPOINTS_MAX)
        return error_set(err, FULL, "too many endpoints");
    cfg->component = cfg->id = host_id(s->host);
    cfg->queue_bytes = cfg->queue_bytes != 0 ? cfg->queue_bytes : QUEUE_BYTES;
    cfg->metrics = host_metrics(s->host);
    delivery_env(&env);
    s->items[s->n] = endpoint_new(cfg, &env);
    endpoints[n_endpoints++] = s->items[s->n++];
    return OK;
}

enum code sink_http(const struct sink *s, struct loop *owner, const struct slice urls[TRANSPORT_KINDS],
                    const struct http_args *args, const struct river_map *headers, struct transport *out,
                    struct error *err)
{
    (void)s;
    (void)owner;
    (void)urls;
    (void)args;
    (void)headers;
    (void)err;
    *out = (struct transport){0}; /* sink_add puts delivery.c's in its place */
    return OK;
}

char *sink_host_of(struct slice url)
{
    return mem_strndup(url);
}

enum code sink_check_url(struct slice url, struct error *err)
{
    (void)url;
    (void)err;
    return OK;
}

/* The driver ends with its process: nothing is drained, closed or handed on. */
static _Noreturn void not_here(const char *what)
{
    fail("%s is not for the bench", what);
}

void sink_drain(struct sink *s, loop_fn done, void *arg)
{
    (void)s;
    (void)done;
    (void)arg;
    not_here("sink_drain");
}

void sink_close(struct sink *s, loop_fn done, void *arg)
{
    (void)s;
    (void)done;
    (void)arg;
    not_here("sink_close");
}

void *sink_give_state(struct sink *s)
{
    (void)s;
    not_here("sink_give_state");
}

void sink_take_state(struct sink *s, void *take_state)
{
    (void)s;
    (void)take_state;
    not_here("sink_take_state");
}

void sink_free_state(void *state)
{
    (void)state;
    not_here("sink_free_state");
}

void sink_write_debug(struct sink *s, struct buf *json)
{
    (void)s;
    (void)json;
    not_here("sink_write_debug");
}
