/* otelcol.exporter.debug: prints what it gets on standard error: counts (basic), a line per item (normal) or everything
 * as OTLP/JSON (detailed). With --tap the tap prints instead. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_decode.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "agent/runtime/otel_output.h"
#include <stdio.h>

enum verbosity { VERBOSITY_BASIC, VERBOSITY_NORMAL, VERBOSITY_DETAILED };

struct debug_args {
    int verbosity;
    int64_t sampling_initial, sampling_thereafter;
    bool use_internal_logger;
    struct otel_debug_metrics_args debug_metrics;
};

static const struct river_enum verbosities[] = {
    {"basic", VERBOSITY_BASIC}, {"normal", VERBOSITY_NORMAL}, {"detailed", VERBOSITY_DETAILED}, {NULL, 0}};

#define A(member) offsetof(struct debug_args, member)
static const struct river_field fields[] = {
    {.name = "verbosity",
     .kind = RIVER_ENUM,
     .offset = A(verbosity),
     .flags = RIVER_ANY_CASE,
     .choices = verbosities,
     .def = "\"normal\"",
     .doc = "basic: counts; normal: a line per item; detailed: everything, as JSON."},
    {.name = "sampling_initial",
     .kind = RIVER_INT,
     .flags = RIVER_NO_EFFECT,
     .offset = A(sampling_initial),
     .def = "2",
     .doc = "Accepted: every batch is printed."},
    {.name = "sampling_thereafter",
     .kind = RIVER_INT,
     .flags = RIVER_NO_EFFECT,
     .offset = A(sampling_thereafter),
     .def = "1",
     .doc = "Accepted: every batch is printed."},
    {.name = "use_internal_logger",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = A(use_internal_logger),
     .def = "true",
     .doc = "Accepted: lines go to standard error."},
    OTEL_DEBUG_METRICS_FIELD(A(debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.exporter.debug",
                                              .fields = fields,
                                              .size = sizeof(struct debug_args),
                                              .doc = "Prints traces, metrics and logs."};

struct component {
    struct receiver receiver;
    enum verbosity verbosity;
    struct metric *sent[3]; /* owned references, by signal */
};

/* ---- lines ---- */

/* Text from outside: no control character reaches the terminal. */
static void put_text(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? ' ' : s.ptr[i]);
}

static void put_hex(struct buf *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%02x", bytes[i]);
}

static void put_attributes(struct buf *out, struct otlp_attrs attrs)
{
    struct buf json;

    if (*attrs.n == 0)
        return;
    buf_init(&json, LIMIT_LINE_BYTES);
    buf_add_char(out, ' ');
    if (otlp_attrs_json(&attrs, &json) == OK)
        put_text(out, buf_slice(&json));
    buf_release(&json);
}

static void put_spans(struct buf *out, struct arena *arena, struct slice bytes)
{
    Otlp__ResourceSpans *r = otlp_decode_spans(arena, bytes);

    for (size_t i = 0; r != NULL && i < r->n_scope_spans; i++)
        for (size_t j = 0; j < r->scope_spans[i]->n_spans; j++) {
            Otlp__Span *s = r->scope_spans[i]->spans[j];

            buf_add_str(out, "span ");
            put_text(out, slice_str(s->name));
            buf_add_str(out, " trace_id=");
            put_hex(out, s->trace_id.data, s->trace_id.len);
            buf_add_str(out, " span_id=");
            put_hex(out, s->span_id.data, s->span_id.len);
            put_attributes(out, OTLP_ATTRS(arena, s));
            buf_add_char(out, '\n');
        }
}

static void put_metrics(struct buf *out, struct arena *arena, struct slice bytes)
{
    Otlp__ResourceMetrics *r = otlp_decode_metrics(arena, bytes);

    for (size_t i = 0; r != NULL && i < r->n_scope_metrics; i++)
        for (size_t j = 0; j < r->scope_metrics[i]->n_metrics; j++) {
            const Otlp__Metric *m = r->scope_metrics[i]->metrics[j];

            buf_add_str(out, "metric ");
            put_text(out, slice_str(m->name));
            buf_add_str(out, " unit=");
            put_text(out, slice_str(m->unit));
            buf_add_char(out, '\n');
        }
}

static void put_log(struct buf *out, struct arena *arena, Otlp__LogRecord *l)
{
    struct buf text;

    buf_init(&text, LIMIT_LINE_BYTES);
    buf_add_str(out, "log ");
    put_text(out, slice_str(l->severity_text));
    buf_add_char(out, ' ');
    if (otlp_value_text(l->body, &text) == OK)
        put_text(out, buf_slice(&text));
    put_attributes(out, OTLP_ATTRS(arena, l));
    buf_add_char(out, '\n');
    buf_release(&text);
}

static void put_logs(struct buf *out, struct arena *arena, struct slice bytes)
{
    Otlp__ResourceLogs *r = otlp_decode_logs(arena, bytes);

    for (size_t i = 0; r != NULL && i < r->n_scope_logs; i++)
        for (size_t j = 0; j < r->scope_logs[i]->n_log_records; j++)
            put_log(out, arena, r->scope_logs[i]->log_records[j]);
}

static void put_items(struct buf *out, const struct otlp_batch *b)
{
    static void (*const put[])(struct buf * out, struct arena * arena, struct slice bytes) = {
        [OTLP_TRACES] = put_spans, [OTLP_METRICS] = put_metrics, [OTLP_LOGS] = put_logs};
    struct arena arena;

    for (uint32_t i = 0; i < b->n; i++) {
        arena_init(&arena, LIMIT_BATCH_BYTES);
        put[b->signal](out, &arena, b->resources[i].bytes);
        arena_release(&arena);
    }
}

static void print(const struct component *c, const struct otlp_batch *b)
{
    struct buf out;

    buf_init(&out, (size_t)LIMIT_BATCH_BYTES * 4);
    buf_printf(&out, "%s: %s resources=%u items=%u\n", c->receiver.owner, otlp_signal_name(b->signal), b->n,
               b->n_items);
    if (c->verbosity == VERBOSITY_NORMAL)
        put_items(&out, b);
    for (uint32_t i = 0; c->verbosity == VERBOSITY_DETAILED && i < b->n; i++) {
        size_t before = out.len;

        if (otlp_json_write(b->signal, b->resources[i].bytes, &out) != OK)
            out.len = before;
        buf_add_char(&out, '\n');
    }
    fwrite(out.ptr, 1, out.len, stderr); /* whole lines in one write; a terminal that is gone is no reason to stop */
    buf_release(&out);
}

/* ---- the component ---- */

static void push(void *self, struct otlp_batch *take)
{
    struct component *c = self;

    if (!tap_is_printing())
        print(c, take);
    metric_add(c->sent[take->signal], take->n_items);
    ledger_out(c->receiver.ledger, take->n_items); /* their way ends here: accepted */
    batch_settle(&take->base, c->receiver.owner, SETTLED_ACKED, DROP_RULE, NULL);
    batch_unref(&take->base);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct debug_args *a = args;
    struct component *c = mem_zalloc(sizeof *c);

    (void)err;
    c->verbosity = (enum verbosity)a->verbosity;
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .is_sink = true, .self = c, .push = {.otlp = push}};
    c->sent[OTLP_TRACES] = host_counter(host, "otelcol_exporter_sent_spans_total", "Spans accepted.", NULL, 0);
    c->sent[OTLP_METRICS] =
        host_counter(host, "otelcol_exporter_sent_metric_points_total", "Data points accepted.", NULL, 0);
    c->sent[OTLP_LOGS] =
        host_counter(host, "otelcol_exporter_sent_log_records_total", "Log records accepted.", NULL, 0);
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    for (size_t i = 0; i < sizeof c->sent / sizeof c->sent[0]; i++)
        metric_unref(c->sent[i]);
    mem_free(c);
    done(arg);
}

static const struct component_export exports[] = {
    {"input", "otelcol.Consumer", "Takes traces, metrics and logs."},
    {0},
};

const struct component_type component_otelcol_exporter_debug = {
    .name = "otelcol.exporter.debug",
    .stability = STABILITY_GA, /* experimental in Alloy; there is nothing to change about it */
    .doc = "Prints traces, metrics and logs on standard error.",
    .args = &args_block,
    .exports = exports,
    .is_sink = true,
    .create = create,
    .close = close_component,
};
