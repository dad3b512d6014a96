/* otelcol.processor.attributes: decodes each resource message, changes attributes, encodes it again. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/otelcol/processor_attributes/attributes.h"
#include <stdatomic.h>

struct rules {
    struct matcher *include, *exclude; /* owned; NULL: not given */
    struct actions *actions;           /* owned */
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct otel_output output;
    struct rules rules; /* set at create; a change of arguments makes a new component */
};

struct run {
    const struct component *c;
    const struct otlp_batch *b;
    struct arena *arena; /* the batch's */
};

static bool is_wanted(const struct run *r, const struct item *item)
{
    const struct rules *rules = &r->c->rules;

    if (rules->include != NULL && !matcher_matches(rules->include, item, r->arena))
        return false;
    return rules->exclude == NULL || !matcher_matches(rules->exclude, item, r->arena);
}

static enum code edit(const struct run *r, struct item *item, const struct otlp_attrs *attrs)
{
    item->attrs = attrs;
    return is_wanted(r, item) ? actions_apply(r->c->rules.actions, attrs, r->b) : OK;
}

static enum code edit_spans(const struct run *r, Otlp__ResourceSpans *rs)
{
    struct item item = {.signal = OTLP_TRACES, .resource = rs->resource};
    enum code rc = OK;

    for (size_t i = 0; i < rs->n_scope_spans && rc == OK; i++) {
        Otlp__ScopeSpans *ss = rs->scope_spans[i];

        item.scope = ss->scope;
        for (size_t j = 0; j < ss->n_spans && rc == OK; j++) {
            Otlp__Span *span = ss->spans[j];

            item.name = slice_str(span->name);
            item.span_kind = (int)span->kind;
            rc = edit(r, &item, &OTLP_ATTRS(r->arena, span));
        }
    }
    return rc;
}

static enum code edit_logs(const struct run *r, Otlp__ResourceLogs *rl)
{
    struct item item = {.signal = OTLP_LOGS, .resource = rl->resource};
    enum code rc = OK;

    for (size_t i = 0; i < rl->n_scope_logs && rc == OK; i++) {
        Otlp__ScopeLogs *sl = rl->scope_logs[i];

        item.scope = sl->scope;
        for (size_t j = 0; j < sl->n_log_records && rc == OK; j++) {
            Otlp__LogRecord *record = sl->log_records[j];

            item.body = record->body;
            item.severity_text = slice_str(record->severity_text);
            item.severity_number = (int)record->severity_number;
            rc = edit(r, &item, &OTLP_ATTRS(r->arena, record));
        }
    }
    return rc;
}

#define EDIT_POINTS(r, item, points, n)                                                                                \
    for (size_t k_ = 0; k_ < (n) && rc == OK; k_++)                                                                    \
    rc = edit((r), (item), &OTLP_ATTRS((r)->arena, (points)[k_]))

static enum code edit_metric(const struct run *r, struct item *item, Otlp__Metric *m)
{
    enum code rc = OK;

    switch (m->data_case) {
    case OTLP__METRIC__DATA_GAUGE:
        EDIT_POINTS(r, item, m->gauge->data_points, m->gauge->n_data_points);
        break;
    case OTLP__METRIC__DATA_SUM:
        EDIT_POINTS(r, item, m->sum->data_points, m->sum->n_data_points);
        break;
    case OTLP__METRIC__DATA_HISTOGRAM:
        EDIT_POINTS(r, item, m->histogram->data_points, m->histogram->n_data_points);
        break;
    case OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        EDIT_POINTS(r, item, m->exponential_histogram->data_points, m->exponential_histogram->n_data_points);
        break;
    case OTLP__METRIC__DATA_SUMMARY:
        EDIT_POINTS(r, item, m->summary->data_points, m->summary->n_data_points);
        break;
    default:
        break; /* a kind newer than this program: kept as it is */
    }
    return rc;
}

static enum code edit_metrics(const struct run *r, Otlp__ResourceMetrics *rm)
{
    struct item item = {.signal = OTLP_METRICS, .resource = rm->resource};
    enum code rc = OK;

    for (size_t i = 0; i < rm->n_scope_metrics && rc == OK; i++) {
        Otlp__ScopeMetrics *sm = rm->scope_metrics[i];

        item.scope = sm->scope;
        for (size_t j = 0; j < sm->n_metrics && rc == OK; j++) {
            item.name = slice_str(sm->metrics[j]->name);
            rc = edit_metric(r, &item, sm->metrics[j]);
        }
    }
    return rc;
}

static enum code edit_resource(const struct run *r, struct otlp_resource *resource)
{
    enum code rc = NOMEM;
    const ProtobufCMessage *message = NULL;
    struct slice bytes;

    if (r->b->signal == OTLP_TRACES) {
        Otlp__ResourceSpans *spans = otlp_decode_spans(r->arena, resource->bytes);

        rc = spans != NULL ? edit_spans(r, spans) : NOMEM;
        message = spans != NULL ? &spans->base : NULL;
    } else if (r->b->signal == OTLP_LOGS) {
        Otlp__ResourceLogs *logs = otlp_decode_logs(r->arena, resource->bytes);

        rc = logs != NULL ? edit_logs(r, logs) : NOMEM;
        message = logs != NULL ? &logs->base : NULL;
    } else {
        Otlp__ResourceMetrics *metrics = otlp_decode_metrics(r->arena, resource->bytes);

        rc = metrics != NULL ? edit_metrics(r, metrics) : NOMEM;
        message = metrics != NULL ? &metrics->base : NULL;
    }
    if (rc != OK)
        return rc;
    bytes = otlp_encode(r->arena, message);
    if (bytes.ptr == NULL)
        return NOMEM;
    resource->bytes = bytes;
    return OK;
}

static void push(void *self, struct otlp_batch *take)
{
    struct component *c = self;
    uint32_t n_items = take->n_items;
    struct otlp_batch *b = otlp_batch_own(take);
    struct run r = {.c = c, .b = b};

    if (b == NULL) {
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n_items);
        batch_settle(&take->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&take->base);
        return;
    }
    r.arena = &b->base.arena;
    for (uint32_t i = 0; i < b->n; i++) {
        if (edit_resource(&r, &b->resources[i]) == OK)
            continue;
        /* half a masking is worse than none: the batch goes back as not taken, and is sent or read again */
        log_error(host_id(c->host), "no memory to change attributes: batch refused",
                  log_int("items", (int64_t)n_items));
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n_items);
        batch_settle(&b->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&b->base);
        return;
    }
    otel_output_push(&c->output, b);
}

static void release(struct component *c)
{
    matcher_free(c->rules.include);
    matcher_free(c->rules.exclude);
    actions_free(c->rules.actions);
    mem_free(c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct attributes_args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc = OK;

    *out = NULL;
    c->host = host;
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .self = c, .push = {.otlp = push}};
    if (a->include != NULL)
        rc = matcher_new(&c->rules.include, a->include, err);
    if (rc == OK && a->exclude != NULL)
        rc = matcher_new(&c->rules.exclude, a->exclude, err);
    if (rc == OK)
        rc = actions_new(&c->rules.actions, &a->actions, err);
    if (rc == OK)
        rc = otel_output_set(&c->output, host, &a->output, err);
    if (rc != OK) {
        release(c);
        return rc;
    }
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    release(self);
    done(arg);
}

static const struct component_export exports[] = {
    {"input", "otelcol.Consumer", "Takes traces, metrics and logs."},
    {0},
};

const struct component_type component_otelcol_processor_attributes = {
    .name = "otelcol.processor.attributes",
    .stability = STABILITY_GA,
    .doc = "Changes, adds, deletes and hashes attributes of spans, log records and data points.",
    .args = &attributes_args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
};
