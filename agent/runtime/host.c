/* The host: services the runtime has for each component. */
#include "agent/base/budget.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/runtime_int.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

const struct capsule_type capsule_logs_receiver = {.name = "loki.LogsReceiver",
                                                   .example = "[loki.write.LABEL.receiver]"};
const struct capsule_type capsule_metrics_receiver = {.name = "prometheus.Interceptor",
                                                      .example = "[prometheus.remote_write.LABEL.receiver]"};
const struct capsule_type capsule_otel_consumer = {.name = "otelcol.Consumer",
                                                   .example = "[otelcol.exporter.otlp.LABEL.input]"};
const struct capsule_type capsule_otel_auth = {.name = "auth.Handler"};
const struct capsule_type capsule_relabel_rules = {.name = "regexp.RelabelRules"};

struct host *host_new(struct runtime *rt, const struct config_block *block, struct account *account)
{
    struct host *h = mem_zalloc(sizeof *h);

    list_init(&h->link);
    list_init(&h->fans);
    h->rt = rt;
    rt->n_hosts++;
    h->serial = ++rt->last_serial;
    h->id = mem_strndup(block->id);
    h->path = mem_printf("/%.*s", SLICE_ARG(block->scope->path));
    h->is_unmeasured = block->scope->is_unmeasured;
    h->label = mem_strndup(block->ast->label);
    h->type =
        rt->options.substitute == NULL ? block->type : rt->options.substitute(rt->options.substitute_self, block->type);
    h->block = block;
    h->exports = exports_zero(block->type, false);
    h->exports->owner = h->serial;
    h->account = account;
    if (account == NULL)
        h->account = mem_zalloc(sizeof *h->account);
    h->account->refs++;
    if (block->type->is_sink || block->type->has_gate)
        h->gate = gate_new();
    h->admission = admission_new();
    h->loop = loops_worker(rt->options.loops, (unsigned)(hash64_stable(block->id) & 0x7fffffff));
    h->health_at_ns = clock_wall_ns(rt->options.clock);
    h->close_step.host = h;
    return h;
}

void host_free(struct host *h)
{
    if (h == NULL)
        return;
    LIST_EACH_SAFE (it, &h->fans) {
        struct fan *fan = CONTAINER_OF(it, struct fan, link);

        edge_list_free(fanout_swap(&fan->fanout, NULL));
        mem_free(fan->name);
        mem_free(fan->to);
        mem_free(fan);
    }
    h->rt->n_hosts--;
    evaluation_free(h->eval);
    exports_used_release(&h->seen);
    exports_unref(h->exports);
    gate_unref(h->gate);
    admission_unref(h->admission);
    if (--h->account->refs == 0)
        mem_free(h->account);
    mem_free(h->data_dir);
    mem_free(h->label);
    mem_free(h->path);
    mem_free(h->id);
    mem_free(h);
}

struct host *host_by_id(struct runtime *rt, struct slice id)
{
    return map_get(&rt->hosts_by_id, id);
}

void host_insert(struct host *h, struct host *after)
{
    struct runtime *rt = h->rt;

    pthread_mutex_lock(&rt->lock);
    if (after != NULL)
        list_add_tail(&after->link, &h->link); /* before it, that is in its place once it is gone */
    else
        list_add_tail(&rt->hosts, &h->link);
    BUG_ON(map_put(&rt->hosts_by_id, slice_str(h->id), h, NULL) != OK); /* no limit, small sizes */
    pthread_mutex_unlock(&rt->lock);
}

void host_remove(struct host *h)
{
    struct runtime *rt = h->rt;

    pthread_mutex_lock(&rt->lock);
    list_remove(&h->link);
    if (map_get(&rt->hosts_by_id, slice_str(h->id)) == h)
        (void)map_remove(&rt->hosts_by_id, slice_str(h->id));
    pthread_mutex_unlock(&rt->lock);
}

void host_set_exports(struct host *h, struct exports *take)
{
    struct exports *old;

    pthread_mutex_lock(&h->rt->lock);
    old = h->exports;
    h->exports = take;
    pthread_mutex_unlock(&h->rt->lock);
    exports_unref(old);
}

/* --- edges --- */

struct reach {
    struct host **todo;
    size_t n;
};

/* Marks everything below from; found gets each host once: room for all there are. */
static void walk_down(struct host *from, struct reach *found)
{
    size_t next = 0;

    found->n = 0;
    found->todo[found->n++] = from;
    from->mark = true;
    while (next < found->n) {
        struct host *h = found->todo[next++];

        LIST_EACH (it, &h->fans) {
            const struct fan *fan = CONTAINER_OF(it, struct fan, link);

            for (size_t i = 0; i < fan->n; i++) {
                struct host *below = fan->to[i]->node;

                if (below == NULL || below->mark)
                    continue;
                below->mark = true;
                found->todo[found->n++] = below;
            }
        }
    }
}

/* Room for all hosts, kept: asked for once per source and component in a large change. */
static struct host **reach_room(struct runtime *rt)
{
    if (rt->n_hosts > rt->cap_reach) {
        rt->cap_reach = 2 * rt->n_hosts;
        rt->reach_room = mem_realloc(rt->reach_room, rt->cap_reach * sizeof(struct host *));
    }
    return rt->reach_room;
}

bool host_reaches(struct runtime *rt, struct host *from, const struct host *to)
{
    struct reach found = {.todo = reach_room(rt)};
    bool is_below;

    walk_down(from, &found);
    is_below = to->mark;
    for (size_t i = 0; i < found.n; i++)
        found.todo[i]->mark = false;
    return is_below;
}

void host_set_batch_hint(struct host *h, struct batch_hint hint)
{
    h->hint = hint;
}

/* The smaller of two where 0 says nothing. */
static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

struct batch_hint host_batch_hint(struct host *h)
{
    struct batch_hint all = {0};

    LIST_EACH (it, &h->rt->hosts) {
        struct host *above = CONTAINER_OF(it, struct host, link);
        const struct batch_hint *one = &above->hint;

        if ((one->send_items == 0 && one->max_items == 0 && one->timeout_ns == 0) || !host_reaches(h->rt, above, h))
            continue;
        all.send_items = least(all.send_items, one->send_items);
        all.max_items = least(all.max_items, one->max_items);
        all.timeout_ns = (int64_t)least((uint64_t)all.timeout_ns, (uint64_t)one->timeout_ns);
    }
    return all;
}

static void wire_source(struct host *h, struct reach *found, struct gate **gates)
{
    size_t n = 0;

    walk_down(h, found);
    for (size_t i = 0; i < found->n; i++) {
        found->todo[i]->mark = false;
        if (found->todo[i]->gate != NULL)
            gates[n++] = found->todo[i]->gate;
    }
    admission_set(h->admission, gates, n);
}

/* Above all that h sends to; whether it rose. */
static bool raise_above(struct host *h)
{
    unsigned before = h->height;

    LIST_EACH (it, &h->fans) {
        const struct fan *fan = CONTAINER_OF(it, struct fan, link);

        for (size_t i = 0; i < fan->n; i++) {
            const struct host *below = fan->to[i]->node;

            if (below != NULL && below->height + 1 > h->height)
                h->height = below->height + 1;
        }
    }
    return h->height != before;
}

/* Heights over a graph without circles: as often as something rises, at most once per level. */
static void set_heights(struct runtime *rt)
{
    bool has_risen = true;

    LIST_EACH (it, &rt->hosts)
        CONTAINER_OF(it, struct host, link)->height = 0;
    for (size_t round = rt->n_hosts + 1; has_risen && round > 0; round--) {
        has_risen = false;
        LIST_EACH (it, &rt->hosts)
            has_risen |= raise_above(CONTAINER_OF(it, struct host, link));
    }
}

void runtime_wire(struct runtime *rt)
{
    size_t n = rt->n_hosts;
    struct reach found = {.todo = reach_room(rt)};
    struct gate **gates = mem_array(n + 1, sizeof *gates);

    LIST_EACH (it, &rt->hosts) {
        struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->type->is_source)
            wire_source(h, &found, gates);
    }
    set_heights(rt);
    mem_free(gates);
    logging_wired(rt);
}

static void free_list(void *list)
{
    edge_list_free(list);
}

static struct fan *find_fan(struct host *h, const char *name, enum receiver_kind kind)
{
    struct fan *fan;

    LIST_EACH (it, &h->fans) {
        fan = CONTAINER_OF(it, struct fan, link);
        if (strcmp(fan->name, name) == 0)
            return fan;
    }
    fan = mem_zalloc(sizeof *fan);
    fan->name = mem_strdup(name);
    fan->kind = kind;
    fanout_init(&fan->fanout, h->id, &h->account->ledger);
    pthread_mutex_lock(&h->rt->lock);
    list_add_tail(&h->fans, &fan->link);
    pthread_mutex_unlock(&h->rt->lock);
    return fan;
}

enum code host_fanout(struct host *h, const char *name, enum receiver_kind kind, void *const *receivers, size_t n,
                      struct fanout **out, struct error *err)
{
    static const char *const kinds[] = {"logs", "metrics", "OTLP"};
    struct receiver **to = mem_array(n + 1, sizeof(struct receiver *));
    struct edge_list *old;
    struct fan *fan;

    for (size_t i = 0; i < n; i++) {
        to[i] = receivers[i];
        if (to[i]->kind == kind)
            continue;
        error_set(err, INVALID, "%s sends %s, but %s takes %s", name, kinds[kind], to[i]->owner, kinds[to[i]->kind]);
        mem_free(to);
        return INVALID;
    }
    fan = find_fan(h, name, kind);
    BUG_ON(fan->kind != kind);
    pthread_mutex_lock(&h->rt->lock); /* the pages read edges and their counts under it */
    mem_free(fan->to);
    fan->to = to;
    fan->n = n;
    old = fanout_swap(&fan->fanout, edge_list_new(to, n));
    pthread_mutex_unlock(&h->rt->lock);
    if (old != NULL)
        runtime_barrier(h->rt, free_list, old);
    if (h->is_started && h->rt->change == NULL)
        runtime_wire(h->rt);
    if (*out != &fan->fanout) /* after the first time the loops read it */
        *out = &fan->fanout;
    return OK;
}

void host_receiver(struct host *h, struct receiver *r)
{
    r->node = h;
    r->owner = h->id;
    r->ledger = &h->account->ledger;
    r->is_sink = h->type->is_sink;
}

struct value host_receiver_value(struct host *h, struct receiver *r)
{
    (void)h;
    switch (r->kind) {
    case RECEIVES_LOGS:
        return value_capsule(&capsule_logs_receiver, r);
    case RECEIVES_METRICS:
        return value_capsule(&capsule_metrics_receiver, r);
    case RECEIVES_OTLP:
        return value_capsule(&capsule_otel_consumer, r);
    }
    return value_null();
}

void host_export(struct host *h, const char *name, struct value v)
{
    const struct value *old = value_get_str(&h->exports->value, name);
    bool is_known = !h->type->exports_late || h->has_exported;

    if (is_known && old != NULL && value_equal(old, &v))
        return;
    pthread_mutex_lock(&h->rt->lock);
    h->has_exported = true;
    pthread_mutex_unlock(&h->rt->lock);
    host_set_exports(h, exports_with(h->exports, slice_str(name), &v));
    if (h->self != NULL)
        runtime_want_evaluation(h->rt);
}

/* --- plain services --- */

const char *host_id(const struct host *h)
{
    return h->id;
}

const char *host_path(const struct host *h)
{
    return h->path;
}

const char *host_local_id(const struct host *h)
{
    const char *slash = strrchr(h->id, '/');

    return slash != NULL ? slash + 1 : h->id;
}

struct loops *host_loops(const struct host *h)
{
    return h->rt->options.loops;
}

struct loop *host_loop(const struct host *h)
{
    return h->loop;
}

struct loop *host_loop_for(const struct host *h, uint64_t key)
{
    return loops_worker(h->rt->options.loops, (unsigned)((key ^ (key >> 32)) & 0x7fffffff));
}

const struct clock *host_clock(const struct host *h)
{
    return h->rt->options.clock;
}

struct ledger *host_ledger(struct host *h)
{
    return &h->account->ledger;
}

struct metrics *host_metrics(struct host *h)
{
    return h->is_unmeasured ? h->rt->unmeasured : h->rt->options.metrics;
}

enum { MAX_METRIC_LABELS = 16 };

static size_t metric_labels(struct host *h, const struct metric_label *more, size_t n, struct metric_label *out)
{
    BUG_ON(n + 2 > MAX_METRIC_LABELS);
    out[0] = (struct metric_label){"component_id", host_local_id(h)};
    out[1] = (struct metric_label){"component_path", h->path};
    for (size_t i = 0; i < n; i++)
        out[2 + i] = more[i];
    return n + 2;
}

struct metric *host_counter(struct host *h, const char *name, const char *help, const struct metric_label *more,
                            size_t n)
{
    struct metric_label labels[MAX_METRIC_LABELS];
    size_t n_labels = metric_labels(h, more, n, labels);

    return metrics_counter(host_metrics(h), name, help, labels, n_labels);
}

struct metric *host_gauge(struct host *h, const char *name, const char *help, const struct metric_label *more, size_t n)
{
    struct metric_label labels[MAX_METRIC_LABELS];
    size_t n_labels = metric_labels(h, more, n, labels);

    return metrics_gauge(host_metrics(h), name, help, labels, n_labels);
}

struct metric *host_histogram(struct host *h, const char *name, const char *help, const double *bounds, size_t n_bounds,
                              const struct metric_label *more, size_t n)
{
    struct metric_label labels[MAX_METRIC_LABELS];
    size_t n_labels = metric_labels(h, more, n, labels);

    return metrics_histogram(host_metrics(h), name, help, bounds, n_bounds, labels, n_labels);
}

const char *host_data_dir(struct host *h)
{
    const char *root = h->rt->options.storage_path;
    char *path;

    if (h->was_asked_data_dir || root == NULL)
        return h->data_dir;
    h->was_asked_data_dir = true;
    path = mem_printf("%s/%s", root, h->id);
    for (char *p = path + strlen(root) + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            break;
        *p = '/';
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        h->data_dir = path;
        return path;
    }
    log_warn(h->id, "data folder cannot be made, works in memory", log_str("path", path),
             log_str("error", strerror(errno)), log_str("do", "make --storage.path writable"));
    mem_free(path);
    return NULL;
}

struct positions *host_positions(struct host *h)
{
    return h->rt->options.positions;
}

struct admission *host_admission(struct host *h)
{
    return h->admission;
}

struct gate *host_gate(struct host *h)
{
    return h->gate;
}

size_t host_queue_bytes(const struct host *h)
{
    size_t n = h->rt->n_sinks;

    return h->rt->options.queue_bytes / (n == 0 ? 1 : n);
}

struct http_client *host_http(struct host *h, struct loop *loop)
{
    BUG_ON(h->rt->options.http == NULL);
    return h->rt->options.http[loop_index(loop)];
}

const char *host_memory_addr(const struct host *h)
{
    return h->rt->options.memory_addr;
}

const char *host_listen_addr(const struct host *h)
{
    return h->rt->options.listen_addr;
}

const char *health_name(enum health health)
{
    switch (health) {
    case HEALTH_UNKNOWN:
        return "unknown";
    case HEALTH_HEALTHY:
        return "healthy";
    case HEALTH_UNHEALTHY:
        return "unhealthy";
    case HEALTH_EXITED:
        return "exited";
    }
    return "unknown";
}

void host_set_health(struct host *h, enum health health, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    pthread_mutex_lock(&h->rt->lock);
    h->health = health;
    vsnprintf(h->health_text, sizeof h->health_text, fmt, args);
    h->health_at_ns = clock_wall_ns(h->rt->options.clock);
    pthread_mutex_unlock(&h->rt->lock);
    va_end(args);
}

enum code runtime_scrape(struct runtime *rt, struct slice id, struct buf *out, struct error *err)
{
    struct host *h;
    enum code rc;

    pthread_mutex_lock(&rt->lock);
    h = host_by_id(rt, id);
    if (h != NULL && (h->self == NULL || h->is_closing || h->type->write_metrics == NULL))
        h = NULL;
    if (h != NULL)
        atomic_fetch_add(&h->users, 1);
    pthread_mutex_unlock(&rt->lock);
    if (h == NULL)
        return error_set(err, INVALID, "no component \"%.*s\" has metrics of its own", SLICE_ARG(id));
    rc = h->type->write_metrics(h->self, out);
    atomic_fetch_sub(&h->users, 1);
    if (rc != OK)
        error_set(err, rc, "%.*s could not write its metrics", SLICE_ARG(id));
    return rc;
}

enum code host_scrape_internal(struct host *h, struct slice path, struct buf *out, struct error *err)
{
    static const char prefix[] = "/api/v0/component/", suffix[] = "/metrics";
    struct slice id = path;

    if (!slice_starts(path, slice_str(prefix)) || !slice_ends(path, slice_str(suffix)) ||
        path.len <= sizeof prefix - 1 + sizeof suffix - 1)
        return error_set(err, INVALID, "\"%.*s\" is not a path of this agent's exporters", SLICE_ARG(path));
    id = slice_from(slice_head(path, path.len - (sizeof suffix - 1)), sizeof prefix - 1);
    return runtime_scrape(h->rt, id, out, err);
}
