/* prometheus.relabel: rewrites and drops series. What the rules make of a series is remembered by the set's pointer, so
 * a series seen before costs one look-up. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/relabel_args.h"
#include "agent/runtime/trace.h"
#include <pthread.h>
#include <stddef.h>

struct args {
    struct river_capsules forward_to;
    struct river_blocks rules; /* struct relabel_rule_args */
    int64_t max_cache_size;
};

struct cached {
    const struct labels *in;  /* owned reference; NULL: free */
    const struct labels *out; /* owned reference; NULL: dropped */
};

enum { CACHE_SHARDS = 16, CACHE_WAYS = 4 };

/* A set-associative cache: the slot to replace turns round. Locked per shard, once per batch and shard would be too
 * coarse, so per look-up; the lock is free in practice, since a series belongs to one loop. */
struct shard {
    pthread_mutex_t lock;
    struct cached *slots; /* owned */
    size_t n_sets;        /* a power of two */
    unsigned turn;
    size_t used;
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct fanout *to;
    struct relabel_rules *rules; /* owned reference */
    struct shard shards[CACHE_SHARDS];
    struct metric *processed, *written, *forwarded, *hits, *misses, *size; /* owned references */
};

static struct cached *set_of(struct shard *s, const struct labels *in)
{
    return &s->slots[((in->hash >> 8) & (s->n_sets - 1)) * CACHE_WAYS];
}

/* What the rules make of in: a borrowed reference, NULL when it is dropped. *rc NOMEM when the heap refuses. The batch
 * must take its own reference of what it keeps. */
static const struct labels *relabelled(struct component *c, const struct labels *in, bool *is_hit, enum code *rc)
{
    struct shard *s = &c->shards[in->hash % CACHE_SHARDS];
    struct cached *set;
    const struct labels *out = NULL;

    *is_hit = true;
    (void)pthread_mutex_lock(&s->lock);
    set = set_of(s, in);
    for (int i = 0; i < CACHE_WAYS; i++) {
        if (set[i].in != in)
            continue;
        out = set[i].out != NULL ? labels_ref(set[i].out) : NULL;
        (void)pthread_mutex_unlock(&s->lock);
        return out;
    }
    *is_hit = false;
    *rc = relabel_labels(c->rules, in, &out);
    if (*rc == OK) {
        struct cached *slot = &set[s->turn++ % CACHE_WAYS];

        if (slot->in == NULL)
            s->used++;
        labels_unref(slot->in);
        labels_unref(slot->out);
        *slot = (struct cached){labels_ref(in), out != NULL ? labels_ref(out) : NULL};
    }
    (void)pthread_mutex_unlock(&s->lock);
    return out;
}

static double cache_size(struct component *c)
{
    double used = 0;

    for (int i = 0; i < CACHE_SHARDS; i++) {
        (void)pthread_mutex_lock(&c->shards[i].lock);
        used += (double)c->shards[i].used;
        (void)pthread_mutex_unlock(&c->shards[i].lock);
    }
    return used;
}

static void push(void *self, struct sample_batch *take)
{
    struct component *c = self;
    uint32_t n = take->n, dropped, hits = 0;
    struct sample_batch *b = sample_batch_own(take);
    uint8_t *keep;
    enum code rc = OK;

    if (b == NULL) {
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n);
        batch_settle(&take->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&take->base);
        return;
    }
    if (tracer_get() != NULL)
        for (uint32_t i = 0; i < n; i++)
            trace_rules(tracer_get(), c->receiver.owner, c->rules, b->samples[i].labels,
                        b->samples[i].ts_ms * (int64_t)1000000, (struct slice){0});
    keep = arena_try_array(&b->base.arena, n, 1);
    for (uint32_t i = 0; i < n && rc == OK; i++) {
        bool is_hit;
        const struct labels *out = keep != NULL ? relabelled(c, b->samples[i].labels, &is_hit, &rc) : NULL;

        if (keep == NULL)
            rc = NOMEM;
        if (rc != OK)
            break;
        hits += is_hit;
        keep[i] = out != NULL;
        if (out == NULL)
            continue;
        b->samples[i].labels = out;
        if (batch_take_labels(&b->base, out) == UINT32_MAX)
            rc = NOMEM;
    }
    if (rc != OK) {
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n);
        batch_settle(&b->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&b->base);
        return;
    }
    dropped = sample_batch_keep(b, keep, c->receiver.owner, DROP_RULE);
    if (dropped != 0)
        ledger_dropped(host_ledger(c->host), DROP_RULE, dropped);
    metric_add(c->processed, n);
    metric_add(c->written, n - dropped);
    metric_add(c->forwarded, n - dropped);
    metric_add(c->hits, hits);
    metric_add(c->misses, n - hits);
    if (hits != n)
        metric_set(c->size, cache_size(c));
    fanout_push_metrics(c->to, b);
}

static void release(struct component *c)
{
    metric_unref(c->size);
    metric_unref(c->processed);
    metric_unref(c->written);
    metric_unref(c->forwarded);
    metric_unref(c->hits);
    metric_unref(c->misses);
    for (int i = 0; i < CACHE_SHARDS; i++) {
        struct shard *s = &c->shards[i];

        for (size_t j = 0; j < s->n_sets * CACHE_WAYS; j++) {
            labels_unref(s->slots[j].in);
            labels_unref(s->slots[j].out);
        }
        mem_free(s->slots);
        (void)pthread_mutex_destroy(&s->lock);
    }
    relabel_rules_unref(c->rules);
    mem_free(c);
}

static void make_cache(struct component *c, int64_t max)
{
    size_t sets = 1;

    while ((int64_t)(sets * 2 * CACHE_WAYS * CACHE_SHARDS) <= max)
        sets *= 2;
    for (int i = 0; i < CACHE_SHARDS; i++) {
        (void)pthread_mutex_init(&c->shards[i].lock, NULL);
        c->shards[i].n_sets = sets;
        c->shards[i].slots = mem_array(sets * CACHE_WAYS, sizeof(struct cached));
    }
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    make_cache(c, a->max_cache_size);
    c->processed =
        host_counter(host, "prometheus_relabel_metrics_processed", "Total number of metrics processed.", NULL, 0);
    c->written = host_counter(host, "prometheus_relabel_metrics_written", "Total number of metrics written.", NULL, 0);
    c->forwarded = host_counter(host, "prometheus_forwarded_samples_total",
                                "Total number of samples sent to downstream components.", NULL, 0);
    c->hits = host_counter(host, "prometheus_relabel_cache_hits", "Total number of cache hits.", NULL, 0);
    c->misses = host_counter(host, "prometheus_relabel_cache_misses", "Total number of cache misses.", NULL, 0);
    c->size = host_gauge(host, "prometheus_relabel_cache_size", "Total size of relabel cache", NULL, 0);
    rc = relabel_rules_of(&a->rules, &c->rules, err);
    if (rc == OK)
        rc = host_fanout(host, "forward_to", RECEIVES_METRICS, a->forward_to.items, a->forward_to.n, &c->to, err);
    if (rc != OK) {
        release(c);
        return rc;
    }
    c->receiver = (struct receiver){.kind = RECEIVES_METRICS, .self = c, .push = {.metrics = push}};
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    host_export(host, "rules", value_capsule(&capsule_relabel_rules, c->rules));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    release(self);
    done(arg);
}

static void write_debug(void *self, struct buf *json)
{
    (void)buf_printf(json, "\"cached_series\":%.0f", cache_size(self));
}

static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, forward_to),
     .capsule = &capsule_metrics_receiver,
     .doc = "Where to send what is left."},
    RELABEL_RULES_FIELD(offsetof(struct args, rules)),
    {.name = "max_cache_size",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX,
     .min = 1,
     .max = 10000000,
     .offset = offsetof(struct args, max_cache_size),
     .def = "100000",
     .doc = "How many series are remembered with what the rules made of them."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "prometheus.relabel", .fields = fields, .size = sizeof(struct args), .doc = "Rewrites series by rules."};

static const struct component_export exports[] = {
    {"receiver", "MetricsReceiver", "Takes samples."},
    {"rules", "RelabelRules", "The rules."},
    {0},
};

const struct component_type component_prometheus_relabel = {
    .name = "prometheus.relabel",
    .stability = STABILITY_GA,
    .doc = "Rewrites and drops series by relabelling rules.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
    .write_debug = write_debug,
};
