/* Spans, data points and log records as named fields. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/model/item_int.h"
#include "agent/model/otlp_decode.h"
#include <inttypes.h>

static struct slice value_text(struct item_writer *w, const Otlp__AnyValue *v)
{
    struct buf text;
    struct slice copied = SLICE_LIT("");

    buf_init(&text, LIMIT_BATCH_BYTES);
    if (v != NULL && otlp_value_text(v, &text) != OK)
        w->is_full = true;
    if (text.len != 0)
        copied = arena_copy(w->arena, buf_slice(&text));
    w->is_full = w->is_full || copied.ptr == NULL;
    buf_release(&text);
    return copied;
}

static void put_attributes(struct item_writer *w, const char *name, Otlp__KeyValue *const *list, size_t n)
{
    struct label *pairs = arena_try_array(w->arena, n + 1, sizeof *pairs);

    if (pairs == NULL) {
        w->is_full = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct label){slice_str(list[i]->key), value_text(w, list[i]->value)};
    item_set(w, name, pairs, n);
}

static void put_resource(struct item_writer *w, const Otlp__Resource *r)
{
    put_attributes(w, "resource", r != NULL ? r->attributes : NULL, r != NULL ? r->n_attributes : 0);
}

static void put_scope(struct item_writer *w, const Otlp__InstrumentationScope *s)
{
    item_text(w, "scope", slice_str(s != NULL ? s->name : ""));
}

static void put_id(struct item_writer *w, const char *name, ProtobufCBinaryData id)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = arena_try_alloc(w->arena, 2 * id.len + 1);

    if (hex == NULL) {
        w->is_full = true;
        return;
    }
    for (size_t i = 0; i < id.len; i++) {
        hex[2 * i] = digits[id.data[i] >> 4];
        hex[2 * i + 1] = digits[id.data[i] & 15];
    }
    item_take_text(w, name, slice_make(hex, 2 * id.len));
}

static struct slice kind_word(Otlp__Span__SpanKind kind)
{
    static const char *const words[] = {"unspecified", "internal", "server", "client", "producer", "consumer"};
    size_t i = (size_t)kind;

    return slice_str(i < sizeof words / sizeof *words ? words[i] : "unspecified");
}

static struct slice status_word(const Otlp__Status *s)
{
    if (s == NULL || s->code == OTLP__STATUS__STATUS_CODE__STATUS_CODE_UNSET)
        return SLICE_LIT("unset");
    return s->code == OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR ? SLICE_LIT("error") : SLICE_LIT("ok");
}

static enum code put_span(struct item_writer *w, const Otlp__ResourceSpans *r, const Otlp__ScopeSpans *s,
                          const Otlp__Span *span)
{
    item_begin(w, ITEM_SPAN);
    item_text(w, "name", slice_str(span->name));
    item_text(w, "kind", kind_word(span->kind));
    put_id(w, "trace_id", span->trace_id);
    put_id(w, "span_id", span->span_id);
    put_id(w, "parent_span_id", span->parent_span_id);
    item_text(w, "status", status_word(span->status));
    put_attributes(w, "attributes", span->attributes, span->n_attributes);
    put_resource(w, r->resource);
    put_scope(w, s->scope);
    return item_end(w);
}

static enum code each_span(struct item_writer *w, struct slice bytes)
{
    const Otlp__ResourceSpans *r = otlp_decode_spans(w->arena, bytes);
    enum code rc = r != NULL ? OK : NOMEM;

    for (size_t i = 0; rc == OK && i < r->n_scope_spans; i++)
        for (size_t k = 0; rc == OK && k < r->scope_spans[i]->n_spans; k++)
            rc = put_span(w, r, r->scope_spans[i], r->scope_spans[i]->spans[k]);
    return rc;
}

static enum code put_record(struct item_writer *w, const Otlp__ResourceLogs *r, const Otlp__ScopeLogs *s,
                            const Otlp__LogRecord *log)
{
    item_begin(w, ITEM_RECORD);
    item_take_text(w, "line", value_text(w, log->body));
    item_text(w, "severity", slice_str(log->severity_text));
    put_id(w, "trace_id", log->trace_id);
    put_id(w, "span_id", log->span_id);
    put_attributes(w, "attributes", log->attributes, log->n_attributes);
    put_resource(w, r->resource);
    put_scope(w, s->scope);
    item_take_text(w, "timestamp", item_time(w->arena, (int64_t)(log->time_unix_nano & INT64_MAX)));
    return item_end(w);
}

static enum code each_record(struct item_writer *w, struct slice bytes)
{
    const Otlp__ResourceLogs *r = otlp_decode_logs(w->arena, bytes);
    enum code rc = r != NULL ? OK : NOMEM;

    for (size_t i = 0; rc == OK && i < r->n_scope_logs; i++)
        for (size_t k = 0; rc == OK && k < r->scope_logs[i]->n_log_records; k++)
            rc = put_record(w, r, r->scope_logs[i], r->scope_logs[i]->log_records[k]);
    return rc;
}

/* A data point of any type, as far as it is shown. */
struct point {
    const char *type;
    struct slice value;
    Otlp__KeyValue *const *attributes;
    size_t n_attributes;
};

struct place {
    const Otlp__ResourceMetrics *resource;
    const Otlp__ScopeMetrics *scope;
    const Otlp__Metric *metric;
};

static enum code put_point(struct item_writer *w, const struct place *at, const struct point *p)
{
    item_begin(w, ITEM_POINT);
    item_text(w, "name", slice_str(at->metric->name));
    item_text(w, "type", slice_str(p->type));
    item_text(w, "unit", slice_str(at->metric->unit));
    item_take_text(w, "value", p->value);
    put_attributes(w, "attributes", p->attributes, p->n_attributes);
    put_resource(w, at->resource->resource);
    put_scope(w, at->scope->scope);
    return item_end(w);
}

static enum code put_numbers(struct item_writer *w, const struct place *at, const char *type,
                             Otlp__NumberDataPoint *const *points, size_t n)
{
    enum code rc = OK;

    for (size_t i = 0; rc == OK && i < n; i++) {
        const Otlp__NumberDataPoint *p = points[i];
        struct slice value = SLICE_LIT("");

        if (p->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_INT)
            value = slice_str(arena_printf(w->arena, "%" PRId64, p->as_int));
        else if (p->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE)
            value = item_number(w->arena, p->as_double);
        rc = put_point(w, at, &(struct point){type, value, p->attributes, p->n_attributes});
    }
    return rc;
}

/* What all three distributions have. */
static struct slice count_and_sum(struct item_writer *w, uint64_t count, double sum)
{
    return slice_str(
        arena_printf(w->arena, "count=%" PRIu64 " sum=%.*s", count, SLICE_ARG(item_number(w->arena, sum))));
}

static enum code put_distributions(struct item_writer *w, const struct place *at)
{
    const Otlp__Metric *m = at->metric;
    enum code rc = OK;

    if (m->data_case == OTLP__METRIC__DATA_HISTOGRAM)
        for (size_t i = 0; rc == OK && i < m->histogram->n_data_points; i++) {
            const Otlp__HistogramDataPoint *p = m->histogram->data_points[i];

            rc = put_point(
                w, at,
                &(struct point){"histogram", count_and_sum(w, p->count, p->sum), p->attributes, p->n_attributes});
        }
    else if (m->data_case == OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM)
        for (size_t i = 0; rc == OK && i < m->exponential_histogram->n_data_points; i++) {
            const Otlp__ExponentialHistogramDataPoint *p = m->exponential_histogram->data_points[i];

            rc = put_point(w, at,
                           &(struct point){"exponential_histogram", count_and_sum(w, p->count, p->sum), p->attributes,
                                           p->n_attributes});
        }
    else if (m->data_case == OTLP__METRIC__DATA_SUMMARY)
        for (size_t i = 0; rc == OK && i < m->summary->n_data_points; i++) {
            const Otlp__SummaryDataPoint *p = m->summary->data_points[i];

            rc = put_point(
                w, at, &(struct point){"summary", count_and_sum(w, p->count, p->sum), p->attributes, p->n_attributes});
        }
    return rc;
}

static enum code each_point_of(struct item_writer *w, const struct place *at)
{
    const Otlp__Metric *m = at->metric;

    if (m->data_case == OTLP__METRIC__DATA_GAUGE)
        return put_numbers(w, at, "gauge", m->gauge->data_points, m->gauge->n_data_points);
    if (m->data_case == OTLP__METRIC__DATA_SUM)
        return put_numbers(w, at, "sum", m->sum->data_points, m->sum->n_data_points);
    return put_distributions(w, at);
}

static enum code each_point(struct item_writer *w, struct slice bytes)
{
    const Otlp__ResourceMetrics *r = otlp_decode_metrics(w->arena, bytes);
    enum code rc = r != NULL ? OK : NOMEM;

    for (size_t i = 0; rc == OK && i < r->n_scope_metrics; i++)
        for (size_t k = 0; rc == OK && k < r->scope_metrics[i]->n_metrics; k++)
            rc = each_point_of(w, &(struct place){r, r->scope_metrics[i], r->scope_metrics[i]->metrics[k]});
    return rc;
}

enum code item_each_otlp(struct item_writer *w, const struct otlp_batch *b)
{
    enum code rc = OK;

    for (uint32_t i = 0; i < b->n && rc == OK; i++) {
        switch (b->signal) {
        case OTLP_TRACES:
            rc = each_span(w, b->resources[i].bytes);
            break;
        case OTLP_METRICS:
            rc = each_point(w, b->resources[i].bytes);
            break;
        case OTLP_LOGS:
            rc = each_record(w, b->resources[i].bytes);
            break;
        }
    }
    return rc;
}
