#include "agent/model/otlp_to_prom.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_to_prom_int.h"
#include "agent/model/pbwire.h"
#include "agent/text/number.h"
#include <math.h>

enum { NO_RECORDED_VALUE = 1, EXEMPLAR_RUNES = 128 };

struct conversion {
    const struct otlp_to_prom_options *options;
    struct sample_batch *out;
    struct otlp_to_prom_result *result;
    struct arena scratch; /* decoded messages of the resource at hand */
    struct arena names;   /* builders and texts of the point at hand */
    uint8_t *became;      /* per data point of the batch */
    uint8_t *reasons;
    uint32_t item, end; /* data points of this resource: item is the next */
    const Otlp__Resource *resource;
    const Otlp__InstrumentationScope *scope;
    struct slice job, instance;
    int64_t newest_ms; /* of the resource's points */
    enum code rc;      /* NOMEM stops everything */
};

/* What all samples of one metric share. */
struct metric {
    const Otlp__Metric *from;
    struct slice name;
    enum metric_type type;
};

/* One data point. */
struct point {
    Otlp__KeyValue **attributes;
    size_t n_attributes;
    int64_t ts_ms, start_ms;
    bool is_stale;
};

struct otlp_to_prom_options otlp_to_prom_defaults(void)
{
    return (struct otlp_to_prom_options){
        .include_target_info = true, .include_scope_labels = true, .add_metric_suffixes = true};
}

static double stale(void)
{
    return pb_f64(STALE_NAN_BITS);
}

static void set(struct conversion *c, struct labels_builder *b, struct slice name, struct slice value)
{
    if (name.ptr == NULL || labels_builder_set(b, name, value) != OK)
        c->rc = NOMEM;
}

/* An attribute whose label name was taken by another one of the same list is joined to it with ";". */
static void add_attributes(struct conversion *c, struct labels_builder *b, Otlp__KeyValue **list, size_t n,
                           bool skip_identifying)
{
    size_t before = b->n;

    for (size_t i = 0; i < n && c->rc == OK; i++) {
        struct slice name = otlp_prom_label(&c->names, slice_str(list[i]->key)), old = {0};
        struct slice value = otlp_value_slice(&c->names, list[i]->value);

        if (name.len == 0 || (skip_identifying && otlp_is_identifying(list[i]->key)))
            continue;
        if (value.ptr == NULL) {
            c->rc = NOMEM;
            return;
        }
        for (size_t k = before; k < b->n; k++)
            if (slice_eq(b->pairs[k].name, name))
                old = b->pairs[k].value;
        if (old.len != 0 && value.len != 0) {
            char *text = arena_try_alloc(&c->names, old.len + value.len + 1);

            if (text == NULL) {
                c->rc = NOMEM;
                return;
            }
            memcpy(text, old.ptr, old.len);
            text[old.len] = ';';
            memcpy(text + old.len + 1, value.ptr, value.len);
            value = slice_make(text, old.len + value.len + 1);
        }
        if (value.len != 0)
            set(c, b, name, value);
    }
}

static void begin_labels(struct conversion *c, struct labels_builder *b, struct slice name)
{
    labels_builder_init(b, &c->names, NULL);
    if (c->job.len != 0)
        set(c, b, SLICE_LIT("job"), c->job);
    if (c->instance.len != 0)
        set(c, b, SLICE_LIT("instance"), c->instance);
    set(c, b, SLICE_LIT("__name__"), name);
}

static void add_scope(struct conversion *c, struct labels_builder *b)
{
    if (c->scope == NULL)
        return;
    if (c->scope->name[0] != '\0')
        set(c, b, SLICE_LIT("otel_scope_name"), slice_str(c->scope->name));
    if (c->scope->version[0] != '\0')
        set(c, b, SLICE_LIT("otel_scope_version"), slice_str(c->scope->version));
}

/* Attributes first: what the conversion sets itself wins over an attribute of the same name. */
static void point_labels(struct conversion *c, struct labels_builder *b, const struct point *p, struct slice name)
{
    struct labels_builder own;

    labels_builder_init(b, &c->names, NULL);
    add_attributes(c, b, p->attributes, p->n_attributes, false);
    if (c->options->resource_to_telemetry_conversion && c->resource != NULL) {
        struct labels_builder of_resource;

        labels_builder_init(&of_resource, &c->names, NULL);
        add_attributes(c, &of_resource, c->resource->attributes, c->resource->n_attributes, false);
        for (size_t i = 0; i < of_resource.n; i++)
            set(c, b, of_resource.pairs[i].name, of_resource.pairs[i].value);
    }
    begin_labels(c, &own, name);
    if (c->options->include_scope_labels)
        add_scope(c, &own);
    for (size_t i = 0; i < own.n; i++)
        set(c, b, own.pairs[i].name, own.pairs[i].value);
}

static void emit(struct conversion *c, struct labels_builder *b, struct sample *s)
{
    const struct labels *labels = c->rc == OK ? labels_build(b) : NULL;

    if (labels == NULL || batch_take_labels(&c->out->base, labels) == UINT32_MAX) {
        c->rc = NOMEM;
        return;
    }
    s->labels = labels;
    if (sample_batch_add(c->out, s) != OK)
        c->rc = NOMEM;
    c->result->samples++;
}

/* name + suffix on the arena of names. */
static struct slice with_suffix(struct conversion *c, struct slice name, const char *suffix)
{
    size_t len = strlen(suffix);
    char *text = arena_try_alloc(&c->names, name.len + len);

    if (text == NULL) {
        c->rc = NOMEM;
        return (struct slice){0};
    }
    memcpy(text, name.ptr, name.len);
    memcpy(text + name.len, suffix, len);
    return slice_make(text, name.len + len);
}

static void emit_float(struct conversion *c, const struct point *p, struct slice name, double value,
                       const char *extra_name, double extra, const struct exemplar *exemplars, uint32_t n_exemplars)
{
    char text[NUMBER_TEXT_BYTES];
    struct labels_builder b;
    struct sample s = {.ts_ms = p->ts_ms,
                       .start_ms = p->start_ms,
                       .value = p->is_stale ? stale() : value,
                       .kind = SAMPLE_FLOAT,
                       .exemplars = exemplars,
                       .n_exemplars = n_exemplars};

    if (c->rc != OK)
        return;
    point_labels(c, &b, p, name);
    if (extra_name != NULL)
        set(c, &b, slice_str(extra_name), slice_make(text, number_format(extra, NUMBER_GO, text)));
    emit(c, &b, &s);
}

static size_t runes_of(const struct label *l)
{
    return l->name.len + l->value.len; /* bytes: never fewer than runes, so the limit is kept */
}

static struct slice hex(struct arena *a, const ProtobufCBinaryData *id)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_try_alloc(a, id->len * 2 + 1);

    if (text == NULL)
        return (struct slice){0};
    for (size_t i = 0; i < id->len; i++) {
        text[2 * i] = digits[id->data[i] >> 4];
        text[2 * i + 1] = digits[id->data[i] & 15];
    }
    return slice_make(text, id->len * 2);
}

/* trace_id and span_id, then filtered attributes as long as all stay within OpenMetrics' 128 characters. */
static bool convert_exemplar(struct conversion *c, const Otlp__Exemplar *e, struct exemplar *out)
{
    struct arena *a = &c->out->base.arena;
    struct label *labels = arena_try_array(a, e->n_filtered_attributes + 2, sizeof *labels);
    size_t runes = 0;
    uint32_t n = 0;

    if (labels == NULL)
        return false;
    if (e->trace_id.len != 0)
        labels[n++] = (struct label){SLICE_LIT("trace_id"), hex(a, &e->trace_id)};
    if (e->span_id.len != 0)
        labels[n++] = (struct label){SLICE_LIT("span_id"), hex(a, &e->span_id)};
    for (uint32_t i = 0; i < n; i++)
        runes += runes_of(&labels[i]);
    for (size_t i = 0; i < e->n_filtered_attributes; i++) {
        struct slice name = otlp_prom_label(a, slice_str(e->filtered_attributes[i]->key));
        struct slice value = otlp_value_slice(&c->names, e->filtered_attributes[i]->value);

        labels[n] = (struct label){arena_copy(a, name), arena_copy(a, value)};
        if (labels[n].name.len == 0 || labels[n].value.len == 0 || runes + runes_of(&labels[n]) > EXEMPLAR_RUNES)
            continue;
        runes += runes_of(&labels[n++]);
    }
    *out =
        (struct exemplar){labels, n, e->value_case == OTLP__EXEMPLAR__VALUE_AS_INT ? (double)e->as_int : e->as_double,
                          (int64_t)(e->time_unix_nano / NS_PER_MS)};
    return true;
}

/* On the batch's arena; *n is 0 when there is none. */
static const struct exemplar *convert_exemplars(struct conversion *c, Otlp__Exemplar **list, size_t n_list, uint32_t *n)
{
    struct exemplar *out;

    *n = 0;
    if (n_list == 0)
        return NULL;
    out = arena_try_array(&c->out->base.arena, n_list, sizeof *out);
    for (size_t i = 0; i < n_list && out != NULL; i++)
        if (!convert_exemplar(c, list[i], &out[i]))
            out = NULL;
    if (out == NULL) {
        c->rc = NOMEM;
        return NULL;
    }
    *n = (uint32_t)n_list;
    return out;
}

static struct point make_point(struct conversion *c, Otlp__KeyValue **attributes, size_t n, uint64_t time_ns,
                               uint64_t start_ns, uint32_t flags)
{
    struct point p = {attributes, n, (int64_t)(time_ns / NS_PER_MS), (int64_t)(start_ns / NS_PER_MS),
                      (flags & NO_RECORDED_VALUE) != 0};

    if (p.ts_ms > c->newest_ms)
        c->newest_ms = p.ts_ms;
    return p;
}

/* The data point at hand became samples, or nothing for a reason. */
static void kept(struct conversion *c)
{
    if (c->item < c->end)
        c->became[c->item++] = 1;
    arena_release(&c->names);
}

static void dropped(struct conversion *c, size_t n, enum drop_reason reason)
{
    uint32_t *count = reason == DROP_STALE_DELTA ? &c->result->dropped_delta
                      : reason == DROP_INVALID   ? &c->result->dropped_invalid
                                                 : &c->result->dropped_unsupported;

    for (size_t i = 0; i < n && c->item < c->end; i++) {
        c->reasons[c->item++] = (uint8_t)reason;
        ++*count;
    }
}

static void convert_numbers(struct conversion *c, const struct metric *m, Otlp__NumberDataPoint **list, size_t n)
{
    for (size_t i = 0; i < n && c->rc == OK; i++) {
        const Otlp__NumberDataPoint *d = list[i];
        struct point p =
            make_point(c, d->attributes, d->n_attributes, d->time_unix_nano, d->start_time_unix_nano, d->flags);
        double value = d->value_case == OTLP__NUMBER_DATA_POINT__VALUE_AS_INT ? (double)d->as_int : d->as_double;
        uint32_t n_exemplars = 0;
        const struct exemplar *exemplars = NULL;

        if (m->type == METRIC_COUNTER)
            exemplars = convert_exemplars(c, d->exemplars, d->n_exemplars, &n_exemplars);
        emit_float(c, &p, m->name, value, NULL, 0, exemplars, n_exemplars);
        kept(c);
    }
}

/* The exemplars that fall into (below, upto]: the bucket they are shown with. */
static const struct exemplar *bucket_exemplars(struct conversion *c, const struct exemplar *all, uint32_t n_all,
                                               double below, double upto, uint32_t *n)
{
    struct exemplar *out;

    *n = 0;
    if (n_all == 0)
        return NULL;
    out = arena_try_array(&c->out->base.arena, n_all, sizeof *out);
    if (out == NULL) {
        c->rc = NOMEM;
        return NULL;
    }
    for (uint32_t i = 0; i < n_all; i++)
        if (all[i].value > below && all[i].value <= upto)
            out[(*n)++] = all[i];
    return out;
}

static bool is_histogram_whole(const Otlp__HistogramDataPoint *d)
{
    if (d->n_bucket_counts == 0)
        return d->n_explicit_bounds == 0;
    if (d->n_bucket_counts != d->n_explicit_bounds + 1)
        return false;
    for (size_t i = 1; i < d->n_explicit_bounds; i++)
        if (!(d->explicit_bounds[i] > d->explicit_bounds[i - 1]))
            return false;
    return true;
}

static void convert_histogram(struct conversion *c, const struct metric *m, const Otlp__HistogramDataPoint *d)
{
    struct point p =
        make_point(c, d->attributes, d->n_attributes, d->time_unix_nano, d->start_time_unix_nano, d->flags);
    struct slice bucket = with_suffix(c, m->name, "_bucket");
    uint32_t n_all = 0, n = 0;
    const struct exemplar *all = convert_exemplars(c, d->exemplars, d->n_exemplars, &n_all), *some;
    double below = -INFINITY;
    uint64_t sum = 0;

    if (d->has_sum_case == OTLP__HISTOGRAM_DATA_POINT__HAS_SUM_SUM || p.is_stale)
        emit_float(c, &p, with_suffix(c, m->name, "_sum"), d->sum, NULL, 0, NULL, 0);
    emit_float(c, &p, with_suffix(c, m->name, "_count"), (double)d->count, NULL, 0, NULL, 0);
    for (size_t i = 0; i < d->n_explicit_bounds && c->rc == OK; i++) {
        sum += d->bucket_counts[i];
        some = bucket_exemplars(c, all, n_all, below, d->explicit_bounds[i], &n);
        emit_float(c, &p, bucket, (double)sum, "le", d->explicit_bounds[i], some, n);
        below = d->explicit_bounds[i];
    }
    some = bucket_exemplars(c, all, n_all, below, INFINITY, &n);
    emit_float(c, &p, bucket, (double)d->count, "le", INFINITY, some, n);
}

static void convert_histograms(struct conversion *c, const struct metric *m, const Otlp__Histogram *h)
{
    for (size_t i = 0; i < h->n_data_points && c->rc == OK; i++) {
        if (!is_histogram_whole(h->data_points[i])) {
            dropped(c, 1, DROP_INVALID);
            continue;
        }
        convert_histogram(c, m, h->data_points[i]);
        kept(c);
    }
}

static void convert_natives(struct conversion *c, const struct metric *m, const Otlp__ExponentialHistogram *h)
{
    for (size_t i = 0; i < h->n_data_points && c->rc == OK; i++) {
        const Otlp__ExponentialHistogramDataPoint *d = h->data_points[i];
        struct point p =
            make_point(c, d->attributes, d->n_attributes, d->time_unix_nano, d->start_time_unix_nano, d->flags);
        struct native_histogram *native = arena_try_alloc(&c->out->base.arena, sizeof *native);
        enum native_result result =
            native != NULL ? otlp_to_native(&c->out->base.arena, d, p.is_stale, native) : NATIVE_NOMEM;
        struct sample s = {.ts_ms = p.ts_ms, .start_ms = p.start_ms, .kind = SAMPLE_HISTOGRAM, .histogram = native};
        struct labels_builder b;

        if (result == NATIVE_UNSUPPORTED) {
            dropped(c, 1, DROP_UNSUPPORTED);
            continue;
        }
        if (result == NATIVE_NOMEM) {
            c->rc = NOMEM;
            return;
        }
        s.exemplars = convert_exemplars(c, d->exemplars, d->n_exemplars, &s.n_exemplars);
        point_labels(c, &b, &p, m->name);
        emit(c, &b, &s);
        kept(c);
    }
}

static void convert_summaries(struct conversion *c, const struct metric *m, const Otlp__Summary *summary)
{
    for (size_t i = 0; i < summary->n_data_points && c->rc == OK; i++) {
        const Otlp__SummaryDataPoint *d = summary->data_points[i];
        struct point p =
            make_point(c, d->attributes, d->n_attributes, d->time_unix_nano, d->start_time_unix_nano, d->flags);

        emit_float(c, &p, with_suffix(c, m->name, "_sum"), d->sum, NULL, 0, NULL, 0);
        emit_float(c, &p, with_suffix(c, m->name, "_count"), (double)d->count, NULL, 0, NULL, 0);
        for (size_t k = 0; k < d->n_quantile_values; k++)
            emit_float(c, &p, m->name, d->quantile_values[k]->value, "quantile", d->quantile_values[k]->quantile, NULL,
                       0);
        kept(c);
    }
}

/* Family, help and unit, copied: they are read after the decoded message is gone. */
static void add_metadata(struct conversion *c, const struct metric *m)
{
    struct arena *a = &c->out->base.arena;
    struct metric_metadata meta = {
        .family = arena_copy(a, m->name),
        .help = arena_copy(a, slice_str(m->from->description)),
        .unit = arena_copy(a, otlp_prom_unit(&c->names, slice_str(m->from->unit))),
        .type = m->type,
    };

    if (meta.family.ptr == NULL || sample_batch_add_metadata(c->out, &meta) != OK)
        c->rc = NOMEM;
}

static size_t count_points(const Otlp__Metric *m)
{
    switch ((int)m->data_case) {
    case OTLP__METRIC__DATA_GAUGE:
        return m->gauge->n_data_points;
    case OTLP__METRIC__DATA_SUM:
        return m->sum->n_data_points;
    case OTLP__METRIC__DATA_HISTOGRAM:
        return m->histogram->n_data_points;
    case OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        return m->exponential_histogram->n_data_points;
    case OTLP__METRIC__DATA_SUMMARY:
        return m->summary->n_data_points;
    }
    return 0;
}

static Otlp__AggregationTemporality temporality(const Otlp__Metric *m)
{
    switch ((int)m->data_case) {
    case OTLP__METRIC__DATA_SUM:
        return m->sum->aggregation_temporality;
    case OTLP__METRIC__DATA_HISTOGRAM:
        return m->histogram->aggregation_temporality;
    case OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        return m->exponential_histogram->aggregation_temporality;
    }
    return OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
}

static enum metric_type type_of(const Otlp__Metric *m)
{
    switch ((int)m->data_case) {
    case OTLP__METRIC__DATA_GAUGE:
        return METRIC_GAUGE;
    case OTLP__METRIC__DATA_SUM:
        return m->sum->is_monotonic ? METRIC_COUNTER : METRIC_GAUGE;
    case OTLP__METRIC__DATA_HISTOGRAM:
    case OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
        return METRIC_HISTOGRAM;
    case OTLP__METRIC__DATA_SUMMARY:
        return METRIC_SUMMARY;
    }
    return METRIC_UNKNOWN;
}

static void convert_metric(struct conversion *c, const Otlp__Metric *from)
{
    Otlp__AggregationTemporality adds = temporality(from);
    struct metric m = {.from = from, .type = type_of(from)};
    size_t n = count_points(from);
    /* a non-monotonic sum is a gauge in Prometheus, but "1" makes only real gauges a ratio */
    enum metric_type suffix_type =
        from->data_case == OTLP__METRIC__DATA_SUM && m.type == METRIC_GAUGE ? METRIC_UNKNOWN : m.type;

    if (n == 0)
        return;
    m.name = otlp_prom_name(&c->scratch, slice_str(from->name), slice_str(from->unit), suffix_type,
                            c->options->add_metric_suffixes);
    if (m.name.len == 0) {
        dropped(c, n, DROP_INVALID);
        return;
    }
    if (adds != OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE) {
        bool is_delta = adds == OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_DELTA;

        dropped(c, n, is_delta ? DROP_STALE_DELTA : DROP_UNSUPPORTED);
        return;
    }
    add_metadata(c, &m);
    if (from->data_case == OTLP__METRIC__DATA_GAUGE)
        convert_numbers(c, &m, from->gauge->data_points, n);
    else if (from->data_case == OTLP__METRIC__DATA_SUM)
        convert_numbers(c, &m, from->sum->data_points, n);
    else if (from->data_case == OTLP__METRIC__DATA_HISTOGRAM)
        convert_histograms(c, &m, from->histogram);
    else if (from->data_case == OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM)
        convert_natives(c, &m, from->exponential_histogram);
    else
        convert_summaries(c, &m, from->summary);
}

static void emit_info(struct conversion *c, struct labels_builder *b)
{
    struct sample s = {.ts_ms = c->newest_ms, .value = 1, .kind = SAMPLE_FLOAT};

    emit(c, b, &s);
    arena_release(&c->names);
}

static void add_target_info(struct conversion *c)
{
    struct labels_builder b;

    begin_labels(c, &b, SLICE_LIT("target_info"));
    if (c->resource != NULL)
        add_attributes(c, &b, c->resource->attributes, c->resource->n_attributes, true);
    if (b.n > 1) /* more than its name */
        emit_info(c, &b);
}

static void add_scope_info(struct conversion *c)
{
    struct labels_builder b;

    if (c->scope == NULL || c->scope->name[0] == '\0')
        return;
    begin_labels(c, &b, SLICE_LIT("otel_scope_info"));
    add_attributes(c, &b, c->scope->attributes, c->scope->n_attributes, false);
    add_scope(c, &b);
    emit_info(c, &b);
}

static enum code convert_resource(struct conversion *c, const struct otlp_resource *r)
{
    const Otlp__ResourceMetrics *rm = otlp_decode_metrics(&c->scratch, r->bytes);
    uint32_t before = c->out->n;

    if (rm == NULL)
        return NOMEM;
    c->resource = rm->resource;
    c->job = otlp_job(&c->scratch, rm->resource);
    c->instance = otlp_instance(&c->scratch, rm->resource);
    c->newest_ms = 0;
    c->end = c->item + r->n_items;
    for (size_t i = 0; i < rm->n_scope_metrics && c->rc == OK; i++) {
        const Otlp__ScopeMetrics *sm = rm->scope_metrics[i];
        uint32_t before_scope = c->out->n;

        c->scope = sm->scope;
        for (size_t k = 0; k < sm->n_metrics && c->rc == OK; k++)
            convert_metric(c, sm->metrics[k]);
        if (c->options->include_scope_info && c->out->n != before_scope)
            add_scope_info(c);
    }
    if (c->options->include_target_info && c->out->n != before && c->rc == OK)
        add_target_info(c);
    dropped(c, c->end - c->item,
            DROP_UNSUPPORTED); /* points protobuf-c put together differently: two data of one metric */
    return c->rc;
}

enum code otlp_to_prom(const struct otlp_batch *in, const struct otlp_to_prom_options *options, const char *destination,
                       struct sample_batch **out, struct otlp_to_prom_result *result, struct error *err)
{
    struct conversion c = {.options = options, .result = result};
    enum code rc = OK;

    *out = NULL;
    *result = (struct otlp_to_prom_result){0};
    arena_init(&c.scratch, 4 * LIMIT_BATCH_BYTES);
    arena_init(&c.names, LIMIT_BATCH_BYTES);
    c.out = sample_batch_new();
    c.out->base.affinity = in->base.affinity;
    c.became = mem_try_alloc(2 * (size_t)in->n_items + 2);
    if (c.became != NULL) {
        memset(c.became, 0, 2 * (size_t)in->n_items + 2);
        c.reasons = c.became + in->n_items;
    } else {
        rc = NOMEM;
    }
    for (uint32_t i = 0; i < in->n && rc == OK; i++) {
        rc = convert_resource(&c, &in->resources[i]);
        arena_release(&c.scratch);
        arena_release(&c.names);
    }
    if (rc == OK)
        rc = batch_derive(&in->base, &c.out->base, c.became, c.reasons, destination);
    if (rc == OK) {
        *out = c.out;
        c.out = NULL;
    } else {
        (void)error_set(err, rc, "metrics do not fit in memory when converted");
    }
    if (c.out != NULL)
        batch_unref(&c.out->base);
    mem_free(c.became);
    arena_release(&c.scratch);
    arena_release(&c.names);
    return rc;
}
