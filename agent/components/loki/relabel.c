/* loki.relabel: rewrites the labels of entries, or drops them. The rules run once per label set of a batch. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/relabel_args.h"
#include "agent/runtime/trace.h"
#include <stddef.h>

struct args {
    struct river_capsules forward_to;
    struct river_blocks rules; /* struct relabel_rule_args */
    int64_t max_cache_size;
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct fanout *to;
    struct relabel_rules *rules;        /* owned reference */
    struct metric *processed, *written; /* owned references */
};

/* Puts the relabelled sets into b and writes their indices to map (UINT32_MAX: dropped). */
static enum code relabel_sets(struct component *c, struct log_batch *b, uint32_t *map)
{
    uint32_t n = b->base.n_labels;

    for (uint32_t i = 0; i < n; i++) {
        const struct labels *out;
        enum code rc = relabel_labels(c->rules, b->base.labels[i], &out);

        if (rc != OK)
            return rc;
        map[i] = UINT32_MAX;
        if (out == NULL)
            continue;
        map[i] = batch_take_labels(&b->base, out);
        if (map[i] == UINT32_MAX)
            return NOMEM;
    }
    return OK;
}

static void push(void *self, struct log_batch *take)
{
    struct component *c = self;
    uint32_t n = take->n, dropped;
    struct log_batch *b = log_batch_own(take);
    uint32_t *map;
    uint8_t *keep;

    if (b == NULL) {
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n);
        batch_settle(&take->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&take->base);
        return;
    }
    if (tracer_get() != NULL)
        for (uint32_t i = 0; i < n; i++)
            trace_rules(tracer_get(), c->receiver.owner, c->rules, b->base.labels[b->entries[i].labels],
                        b->entries[i].ts_ns, b->entries[i].line);
    map = arena_try_array(&b->base.arena, b->base.n_labels, sizeof *map);
    keep = arena_try_array(&b->base.arena, n, 1);
    if (n != 0 && (map == NULL || keep == NULL || relabel_sets(c, b, map) != OK)) {
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n);
        batch_settle(&b->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&b->base);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = map[b->entries[i].labels];

        keep[i] = to != UINT32_MAX;
        if (keep[i])
            b->entries[i].labels = to;
    }
    dropped = log_batch_keep(b, keep, c->receiver.owner, DROP_RULE);
    if (dropped != 0)
        ledger_dropped(host_ledger(c->host), DROP_RULE, dropped);
    metric_add(c->processed, n);
    metric_add(c->written, n - dropped);
    fanout_push_logs(c->to, b);
}

static void release(struct component *c)
{
    relabel_rules_unref(c->rules);
    metric_unref(c->processed);
    metric_unref(c->written);
    mem_free(c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    rc = relabel_rules_of(&a->rules, &c->rules, err);
    if (rc == OK)
        rc = host_fanout(host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &c->to, err);
    if (rc != OK) {
        release(c);
        return rc;
    }
    c->processed =
        host_counter(host, "loki_relabel_entries_processed", "Total number of log entries processed", NULL, 0);
    c->written = host_counter(host, "loki_relabel_entries_written", "Total number of log entries forwarded", NULL, 0);
    c->receiver = (struct receiver){.kind = RECEIVES_LOGS, .self = c, .push = {.logs = push}};
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

static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "Where to send what is left."},
    RELABEL_RULES_FIELD(offsetof(struct args, rules)),
    {.name = "max_cache_size",
     .kind = RIVER_INT,
     .flags = RIVER_NO_EFFECT,
     .offset = offsetof(struct args, max_cache_size),
     .def = "10000",
     .doc = "Accepted for Alloy: rules run once per label set of a batch, nothing is cached."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "loki.relabel",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .doc = "Rewrites the labels of log entries by rules."};

static const struct component_export exports[] = {
    {"receiver", "LogsReceiver", "Takes log entries."},
    {"rules", "RelabelRules", "The rules, for components that take relabel_rules."},
    {0},
};

const struct component_type component_loki_relabel = {
    .name = "loki.relabel",
    .stability = STABILITY_GA,
    .doc = "Rewrites the labels of log entries, or drops them, by relabelling rules.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
