/* otelcol.exporter.loki: OTLP log records become Loki entries. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_to_loki.h"
#include "agent/runtime/component.h"
#include <stddef.h>

struct args {
    struct river_capsules forward_to;
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct fanout *to;
    struct metric *total, *failed, *processed; /* owned references */
};

static void refuse(struct component *c, struct otlp_batch *b, enum outcome outcome, enum drop_reason reason,
                   const char *text)
{
    metric_add(c->failed, b->n_items);
    ledger_dropped(host_ledger(c->host), reason, b->n_items);
    batch_settle(&b->base, c->receiver.owner, outcome, reason, text);
    batch_unref(&b->base);
}

static void push(void *self, struct otlp_batch *take)
{
    struct component *c = self;
    struct otlp_to_loki_result result = {0};
    struct log_batch *entries;
    struct error err = {0};
    enum code rc;

    metric_add(c->total, take->n_items);
    if (take->signal != OTLP_LOGS) {
        log_warn(host_id(c->host), "only log records become entries: traces and metrics are dropped",
                 log_str("do", "send them to another exporter (output.traces, output.metrics)"));
        refuse(c, take, SETTLED_REJECTED, DROP_UNSUPPORTED, "this exporter takes logs only");
        return;
    }
    rc = otlp_to_loki(take, c->receiver.owner, clock_wall_ns(host_clock(c->host)), &entries, &result, &err);
    if (rc != OK) {
        refuse(c, take, rc == NOMEM ? SETTLED_ABANDONED : SETTLED_REJECTED, rc == NOMEM ? DROP_MEMORY : DROP_CORRUPT,
               err.text);
        return;
    }
    metric_add(c->failed, result.dropped_invalid);
    metric_add(c->processed, result.entries);
    ledger_dropped(host_ledger(c->host), DROP_INVALID, result.dropped_invalid);
    ledger_merged(host_ledger(c->host), take->n_items - result.dropped_invalid);
    ledger_created(host_ledger(c->host), entries->n);
    batch_unref(&take->base);
    fanout_push_logs(c->to, entries);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    rc = host_fanout(host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &c->to, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    c->total = host_counter(host, "otelcol_exporter_loki_entries_total", "Log records received.", NULL, 0);
    c->failed = host_counter(host, "otelcol_exporter_loki_entries_failed", "Log records that could not become entries.",
                             NULL, 0);
    c->processed =
        host_counter(host, "otelcol_exporter_loki_entries_processed", "Log records that became entries.", NULL, 0);
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .self = c, .push = {.otlp = push}};
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    metric_unref(c->total);
    metric_unref(c->failed);
    metric_unref(c->processed);
    mem_free(c);
    done(arg);
}

static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "Where to send the entries."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.exporter.loki",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .doc = "OTLP log records as Loki entries."};

static const struct component_export exports[] = {
    {"input", "otelcol.Consumer", "Takes logs."},
    {0},
};

const struct component_type component_otelcol_exporter_loki = {
    .name = "otelcol.exporter.loki",
    .stability = STABILITY_GA,
    .doc = "Turns OTLP log records into Loki entries.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
