/* The runtime's own part of /metrics: the ledger of every component, the controller, the configuration. */
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/runtime/process_metrics.h"
#include "agent/runtime/runtime_int.h"
#include <inttypes.h>
#include <stdio.h>

enum { DIRECTIONS = 5 };

static const char *const direction_names[DIRECTIONS] = {"in", "created", "out", "merged", "held"};

static int64_t direction(const struct ledger *l, int i)
{
    switch (i) {
    case 0:
        return (int64_t)atomic_load_explicit(&l->in, memory_order_relaxed);
    case 1:
        return (int64_t)atomic_load_explicit(&l->created, memory_order_relaxed);
    case 2:
        return (int64_t)atomic_load_explicit(&l->out, memory_order_relaxed);
    case 3:
        return (int64_t)atomic_load_explicit(&l->merged, memory_order_relaxed);
    default:
        return atomic_load_explicit(&l->held, memory_order_relaxed);
    }
}

static void header(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Configuration blocks have an account only where something flows from them (logging). */
static bool has_account(const struct host *h)
{
    return !h->type->is_singleton || !list_is_empty(&h->fans);
}

static void write_ledgers(struct runtime *rt, struct buf *out)
{
    header(out, "hyagent_component_items_total", "counter",
           "Items by direction: in + created = out + merged + dropped + held.");
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        for (int i = 0; i < DIRECTIONS - 1 && has_account(h); i++)
            buf_printf(
                out,
                "hyagent_component_items_total{component_id=\"%s\",component_path=\"%s\",direction=\"%s\"} %" PRId64
                "\n",
                host_local_id(h), h->path, direction_names[i], direction(&h->account->ledger, i));
    }
    header(out, "hyagent_component_items_held", "gauge", "Items a component holds at this moment.");
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (has_account(h))
            buf_printf(out, "hyagent_component_items_held{component_id=\"%s\",component_path=\"%s\"} %" PRId64 "\n",
                       host_local_id(h), h->path, direction(&h->account->ledger, DIRECTIONS - 1));
    }
    header(out, "hyagent_component_items_dropped_total", "counter", "Items dropped, by reason.");
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        for (int i = 0; i < DROP_REASON_COUNT; i++) {
            uint64_t n = atomic_load_explicit(&h->account->ledger.dropped[i], memory_order_relaxed);

            if (n != 0)
                buf_printf(out,
                           "hyagent_component_items_dropped_total{component_id=\"%s\",component_path=\"%s\","
                           "reason=\"%s\"} %" PRIu64 "\n",
                           host_local_id(h), h->path, drop_reason_name((enum drop_reason)i), n);
        }
    }
}

enum { HEALTHS = HEALTH_EXITED + 1 };

struct counts {
    size_t n[HEALTHS];
};

/* Whose components these are: what an import brings is counted where the import stands. */
static const struct config_scope *controller_of(const struct config_scope *scope)
{
    while (scope->kind == SCOPE_IMPORT)
        scope = scope->outer;
    return scope;
}

/* As Alloy counts them: a custom component is one more component of the module it stands in. */
static struct counts *count_health(struct runtime *rt, size_t n_scopes)
{
    struct counts *counts = mem_array(n_scopes + 1, sizeof *counts);

    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->block != NULL && !h->type->is_singleton)
            counts[controller_of(h->block->scope)->number].n[h->health]++;
    }
    for (size_t i = 1; i < n_scopes; i++) {
        const struct config_scope *scope = rt->config->scopes[i];

        if (scope->kind == SCOPE_INSTANCE)
            counts[controller_of(scope->outer)->number].n[scope->is_pending ? HEALTH_UNKNOWN : HEALTH_HEALTHY]++;
    }
    return counts;
}

static void write_running(struct buf *out, struct slice path, const struct counts *counts)
{
    size_t cut = path.len;

    while (cut > 0 && path.ptr[cut - 1] != '/')
        cut--;
    for (int i = 0; i < HEALTHS; i++)
        if (counts->n[i] != 0 || i == HEALTH_HEALTHY || i == HEALTH_UNHEALTHY)
            buf_printf(out,
                       "alloy_component_controller_running_components{controller_id=\"%.*s\",controller_path=\"/%.*s\","
                       "health_type=\"%s\"} %zu\n",
                       SLICE_ARG(slice_from(path, cut)), SLICE_ARG(slice_head(path, cut > 0 ? cut - 1 : 0)),
                       health_name((enum health)i), counts->n[i]);
}

static void write_controller(struct runtime *rt, struct buf *out)
{
    size_t n_scopes = rt->config == NULL ? 0 : rt->config->n_scopes;
    struct counts *counts = count_health(rt, n_scopes);

    header(out, "alloy_component_controller_running_components", "gauge", "Total number of running components.");
    write_running(out, slice_str(""), &counts[0]);
    for (size_t i = 1; i < n_scopes; i++) {
        const struct config_scope *scope = rt->config->scopes[i];

        if (scope->kind != SCOPE_IMPORT && !scope->is_unmeasured)
            write_running(out, scope->path, &counts[i]);
    }
    mem_free(counts);
    header(out, "alloy_component_controller_evaluating", "gauge",
           "Tracks if the controller is currently in the middle of a graph evaluation");
    buf_printf(out, "alloy_component_controller_evaluating{controller_id=\"\",controller_path=\"/\"} %d\n",
               rt->is_changing);
    header(out, "alloy_component_evaluation_queue_size", "gauge",
           "Tracks the number of components waiting to be evaluated in the worker pool");
    buf_printf(out, "alloy_component_evaluation_queue_size{controller_id=\"\",controller_path=\"/\"} %d\n",
               rt->is_evaluation_pending);
}

static void write_config(struct runtime *rt, struct buf *out)
{
    static const char *const prefixes[] = {"alloy", "hyagent"};
    bool is_ok = atomic_load(&rt->is_ready) && !atomic_load(&rt->is_load_failed);

    for (size_t i = 0; i < 2; i++) {
        const char *p = prefixes[i];
        char name[96];

        snprintf(name, sizeof name, "%s_config_last_load_successful", p);
        header(out, name, "gauge", "Config loaded successfully.");
        buf_printf(out, "%s %d\n", name, is_ok);
        snprintf(name, sizeof name, "%s_config_last_load_success_timestamp_seconds", p);
        header(out, name, "gauge", "Timestamp of the last successful configuration load.");
        buf_printf(out, "%s %.3f\n", name, (double)rt->load_ok_at_ns / (double)NS_PER_S);
        snprintf(name, sizeof name, "%s_config_load_failures_total", p);
        header(out, name, "counter", "Configuration load failures.");
        buf_printf(out, "%s %" PRIu64 "\n", name, atomic_load(&rt->n_load_failures));
        snprintf(name, sizeof name, "%s_config_hash", p);
        header(out, name, "gauge", "Hash of the currently active config file.");
        if (rt->hash[0] != '\0')
            buf_printf(out, "%s{sha256=\"%s\",cluster_name=\"\"} 1\n", name, rt->hash);
    }
}

static void write_build(struct buf *out)
{
    static const char *const prefixes[] = {"alloy", "hyagent"};

    for (size_t i = 0; i < 2; i++) {
        char name[32];

        snprintf(name, sizeof name, "%s_build_info", prefixes[i]);
        header(out, name, "gauge", "The program's version; always 1.");
        buf_printf(out, "%s{version=\"v%s\",revision=\"\",branch=\"\",goos=\"%s\",goarch=\"%s\"} 1\n", name,
                   HYAGENT_VERSION, river_host_system()->os, river_host_system()->arch);
    }
}

void runtime_write_metrics(struct runtime *rt, struct buf *out)
{
    metrics_write(rt->options.metrics, out);
    pthread_mutex_lock(&rt->lock);
    write_ledgers(rt, out);
    write_controller(rt, out);
    write_config(rt, out);
    pthread_mutex_unlock(&rt->lock);
    write_build(out);
    process_metrics_write(out);
}

void host_write_self_metrics(struct host *h, struct buf *out)
{
    runtime_write_metrics(h->rt, out);
}
