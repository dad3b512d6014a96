/* The whole graph at one moment, for the page: modules, nodes with their accounts, edges with their counts. Any thread.
 */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/runtime/runtime_int.h"
#include "agent/text/json.h"
#include <inttypes.h>

static void member(struct buf *json, const char *name, struct slice text)
{
    buf_printf(json, "\"%s\":", name);
    json_write_string(json, text);
}

/* Alloy's words for what flows. An OTLP edge is named after its signal: "output.traces". */
static const char *edge_type(const struct fan *fan)
{
    switch (fan->kind) {
    case RECEIVES_LOGS:
        return "loki_log";
    case RECEIVES_METRICS:
        return "prometheus_metric";
    case RECEIVES_OTLP:
        break;
    }
    if (strstr(fan->name, "traces") != NULL)
        return "otel_trace";
    return strstr(fan->name, "metrics") != NULL ? "otel_metric" : "otel_log";
}

static uint64_t fan_items(const struct fan *fan, size_t i)
{
    const struct edge_list *list = atomic_load_explicit(&fan->fanout.list, memory_order_acquire);

    return list != NULL && i < list->n ? atomic_load_explicit(&list->edges[i].n, memory_order_relaxed) : 0;
}

void runtime_each_edge(struct runtime *rt, void (*each)(void *ctx, const struct edge_row *row), void *ctx)
{
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        LIST_EACH (f, &h->fans) {
            const struct fan *fan = CONTAINER_OF(f, struct fan, link);

            for (size_t i = 0; i < fan->n; i++)
                each(ctx,
                     &(struct edge_row){
                         .from = h->id, .to = fan->to[i]->owner, .type = edge_type(fan), .n_items = fan_items(fan, i)});
        }
    }
    pthread_mutex_unlock(&rt->lock);
}

static const char *kind_of(const struct component_type *type)
{
    if (type->is_sink)
        return "sink";
    return type->is_source ? "source" : "other";
}

static int64_t dropped(const struct ledger *l)
{
    uint64_t n = 0;

    for (int i = 0; i < DROP_REASON_COUNT; i++)
        n += atomic_load_explicit(&l->dropped[i], memory_order_relaxed);
    return (int64_t)n;
}

static void write_node(const struct host *h, struct buf *json)
{
    const struct ledger *l = &h->account->ledger;
    char when[32];

    clock_format_rfc3339(h->health_at_ns, when);
    buf_add_char(json, '{');
    member(json, "id", slice_str(h->id));
    buf_add_char(json, ',');
    member(json, "name", slice_str(h->type->name));
    buf_printf(json, ",\"kind\":\"%s\",\"health\":\"%s\",", kind_of(h->type), health_name(h->health));
    member(json, "message", slice_str(h->health_text));
    buf_printf(json,
               ",\"since\":\"%s\",\"in\":%" PRIu64 ",\"created\":%" PRIu64 ",\"out\":%" PRIu64 ",\"dropped\":%" PRId64
               ",\"held\":%" PRId64 "}",
               when, atomic_load_explicit(&l->in, memory_order_relaxed),
               atomic_load_explicit(&l->created, memory_order_relaxed),
               atomic_load_explicit(&l->out, memory_order_relaxed), dropped(l),
               atomic_load_explicit(&l->held, memory_order_relaxed));
}

/* Configuration blocks are nodes only where something flows from them (logging). */
static bool is_node(const struct host *h)
{
    return h->block != NULL && (!h->type->is_singleton || !list_is_empty(&h->fans));
}

static void write_nodes(struct runtime *rt, struct buf *json)
{
    size_t n = 0;

    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (!is_node(h))
            continue;
        if (n++ > 0)
            buf_add_char(json, ',');
        write_node(h, json);
    }
}

/* Who uses whose exports: [user, used]. */
static void write_references(struct runtime *rt, struct buf *json)
{
    size_t n = 0;

    for (size_t i = 0; rt->config != NULL && i < rt->config->n; i++) {
        const struct config_block *block = &rt->config->blocks[i];

        for (size_t k = 0; k < block->n_needs; k++) {
            buf_add_str(json, n++ > 0 ? ",[" : "[");
            json_write_string(json, block->id);
            buf_add_char(json, ',');
            json_write_string(json, rt->config->blocks[block->needs[k]].id);
            buf_add_char(json, ']');
        }
    }
}

struct list_out {
    struct buf *json;
    size_t n;
};

static void write_edge(void *ctx, const struct edge_row *row)
{
    struct list_out *out = ctx;

    buf_add_str(out->json, out->n++ > 0 ? ",{" : "{");
    member(out->json, "from", slice_str(row->from));
    buf_add_char(out->json, ',');
    member(out->json, "to", slice_str(row->to));
    buf_printf(out->json, ",\"type\":\"%s\",\"items\":%" PRIu64 "}", row->type, row->n_items);
}

static void write_module(void *ctx, const struct module_row *row)
{
    static const char *const kinds[] = {
        [SCOPE_ROOT] = "root", [SCOPE_INSTANCE] = "instance", [SCOPE_IMPORT] = "import", [SCOPE_ITEM] = "item"};
    struct list_out *out = ctx;

    buf_add_str(out->json, out->n++ > 0 ? ",{" : "{");
    member(out->json, "id", row->id);
    buf_add_char(out->json, ',');
    member(out->json, "parent", row->parent);
    buf_add_char(out->json, ',');
    member(out->json, "declared", row->declared);
    buf_printf(out->json, ",\"kind\":\"%s\",\"health\":\"%s\",\"pending\":%s,", kinds[row->kind],
               health_name(row->health), row->is_pending ? "true" : "false");
    member(out->json, "message", row->message);
    buf_add_char(out->json, '}');
}

static void write_load(struct runtime *rt, struct buf *json)
{
    char loaded[32], asked[32];

    clock_format_rfc3339(rt->load_ok_at_ns, loaded);
    clock_format_rfc3339(rt->load_at_ns, asked);
    buf_printf(json,
               "\"config\":{\"ready\":%s,\"ok\":%s,\"loadedAt\":\"%s\",\"askedAt\":\"%s\",\"failures\":%" PRIu64
               ",\"hash\":\"%s\"},",
               atomic_load(&rt->is_ready) ? "true" : "false", atomic_load(&rt->is_load_failed) ? "false" : "true",
               loaded, asked, atomic_load(&rt->n_load_failures), rt->hash);
}

void runtime_write_graph(struct runtime *rt, struct buf *json)
{
    struct list_out modules = {.json = json}, edges = {.json = json};

    buf_printf(json, "{\"agent\":{\"version\":\"%s\",\"os\":\"%s\",\"arch\":\"%s\",", HYAGENT_VERSION,
               river_host_system()->os, river_host_system()->arch);
    member(json, "hostname", slice_str(river_host_system()->hostname));
    buf_printf(json, "},\"live\":%s,", runtime_is_live_debugging_on(rt) ? "true" : "false");
    pthread_mutex_lock(&rt->lock);
    write_load(rt, json);
    buf_add_str(json, "\"nodes\":[");
    write_nodes(rt, json);
    buf_add_str(json, "],\"references\":[");
    write_references(rt, json);
    pthread_mutex_unlock(&rt->lock);
    buf_add_str(json, "],\"modules\":[");
    runtime_each_module(rt, write_module, &modules);
    buf_add_str(json, "],\"edges\":[");
    runtime_each_edge(rt, write_edge, &edges);
    buf_add_str(json, "]}");
}

void runtime_write_load_text(struct runtime *rt, struct buf *out)
{
    pthread_mutex_lock(&rt->lock);
    buf_add(out, slice_str(rt->load_text));
    pthread_mutex_unlock(&rt->lock);
}

void runtime_keep_load_text(struct runtime *rt, const struct load_result *result)
{
    struct buf text;
    size_t len;
    char *old;

    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    if (result->diags != NULL)
        diags_print(&text, result->diags, false);
    pthread_mutex_lock(&rt->lock);
    old = rt->load_text;
    rt->load_text = text.len == 0 ? NULL : buf_take(&text, &len);
    rt->load_at_ns = clock_wall_ns(rt->options.clock);
    pthread_mutex_unlock(&rt->lock);
    mem_free(old);
    buf_release(&text);
}
