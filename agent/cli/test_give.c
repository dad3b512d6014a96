#include "agent/cli/test_give.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/test_samples.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "agent/text/json.h"
#include <inttypes.h>

static enum code no_memory(struct error *err)
{
    return error_set(err, NOMEM, "no memory for so much");
}

static int64_t now_ns(const struct dry_run *d)
{
    return clock_wall_ns(dry_run_clock(d));
}

/* --- the target a source has its items from --- */

static struct slice get(const struct river_map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (slice_eq_str(map->items[i].name, name))
            return map->items[i].value;
    return (struct slice){0};
}

static const struct river_field *find_field(const struct river_block *table, const char *name, enum river_kind kind)
{
    for (const struct river_field *f = table->fields; f != NULL && (f->name != NULL || f->kind == RIVER_FLATTEN); f++)
        if (f->name != NULL && strcmp(f->name, name) == 0 && f->kind == kind)
            return f;
    return NULL;
}

static bool has_labels(const struct river_map *target, const struct river_map *wanted)
{
    for (size_t i = 0; i < wanted->n; i++) {
        bool is_there = false;

        for (size_t k = 0; k < target->n; k++)
            is_there = is_there || (slice_eq(target->items[k].name, wanted->items[i].name) &&
                                    slice_eq(target->items[k].value, wanted->items[i].value));
        if (!is_there)
            return false;
    }
    return true;
}

struct origin {
    const struct component_type *type;
    const void *args;
    const struct river_map *target;
};

static enum code find_target(struct dry_run *d, struct slice to, const struct river_map *wanted, struct origin *out,
                             struct error *err)
{
    const struct river_field *field = NULL;
    const struct river_targets *targets;

    out->args = dry_run_source_args(d, to, &out->type);
    if (out->args != NULL)
        field = find_field(out->type->args, "targets", RIVER_TARGETS);
    if (field == NULL)
        return error_set(err, INVALID, "%.*s is no source with targets", SLICE_ARG(to));
    targets = (const void *)((const char *)out->args + field->offset);
    for (size_t i = 0; i < targets->n; i++) {
        if (!has_labels(&targets->items[i], wanted))
            continue;
        out->target = &targets->items[i];
        return OK;
    }
    return error_set(err, INVALID, "%.*s has %zu target%s, and none with these labels", SLICE_ARG(to), targets->n,
                     targets->n == 1 ? "" : "s");
}

static bool is_hidden(struct slice name)
{
    return slice_starts(name, SLICE_LIT("__"));
}

static void set_all(struct labels_builder *b, const struct river_map *map, bool with_hidden)
{
    for (size_t i = 0; i < map->n; i++)
        if (with_hidden || !is_hidden(map->items[i].name))
            BUG_ON(labels_builder_set(b, map->items[i].name, map->items[i].value) != OK); /* the arena has no limit */
}

/* As loki.source.file has it: the target's labels and where the line was read. */
static enum code target_log_labels(struct dry_run *d, const struct test_logs *logs, struct labels_builder *b,
                                   struct error *err)
{
    struct origin source = {0};
    enum code rc = find_target(d, logs->to, &logs->target, &source, err);
    struct slice path;

    if (rc != OK)
        return rc;
    set_all(b, source.target, false);
    path = get(source.target, "__path__");
    if (path.len != 0)
        BUG_ON(labels_builder_set(b, SLICE_LIT("filename"), path) != OK);
    return OK;
}

/* --- log lines --- */

static enum code fill_logs(struct dry_run *d, const struct test_logs *logs, struct arena *scratch,
                           struct log_batch *batch, struct error *err)
{
    struct label *meta = arena_try_array(&batch->base.arena, logs->structured_metadata.n + 1, sizeof *meta);
    struct labels_builder builder;
    const struct labels *labels;
    uint32_t at;

    labels_builder_init(&builder, scratch, NULL);
    if (logs->has_target && target_log_labels(d, logs, &builder, err) != OK)
        return INVALID;
    set_all(&builder, &logs->labels, true);
    labels = labels_build(&builder);
    if (labels == NULL || meta == NULL)
        return no_memory(err);
    at = batch_take_labels(&batch->base, labels);
    if (at == UINT32_MAX)
        return no_memory(err);
    for (size_t i = 0; i < logs->structured_metadata.n; i++) {
        const struct river_pair *pair = &logs->structured_metadata.items[i];

        meta[i] =
            (struct label){arena_copy(&batch->base.arena, pair->name), arena_copy(&batch->base.arena, pair->value)};
    }
    for (size_t i = 0; i < logs->lines.n; i++) {
        struct slice line = arena_copy(&batch->base.arena, logs->lines.items[i]);

        if (log_batch_add(batch, at, logs->has_timestamp ? logs->ts_ns : now_ns(d), line, meta,
                          (uint32_t)logs->structured_metadata.n) != OK)
            return no_memory(err);
    }
    return OK;
}

static enum code give_logs(struct dry_run *d, const struct test_logs *logs, struct arena *scratch, struct error *err)
{
    struct log_batch *batch = log_batch_new();
    enum code rc = batch == NULL ? no_memory(err) : fill_logs(d, logs, scratch, batch, err);

    if (rc == OK)
        return dry_run_give(d, logs->to, &batch->base, err);
    if (batch != NULL)
        batch_unref(&batch->base);
    return rc;
}

/* --- samples --- */

struct sample_filler {
    struct dry_run *d;
    const struct test_samples *step;
    const struct origin *source; /* NULL: no target */
    struct arena *scratch;
    struct sample_batch *batch;
};

static bool honors_labels(const struct sample_filler *f)
{
    const struct river_field *field = find_field(f->source->type->args, "honor_labels", RIVER_BOOL);

    return field != NULL && *(const bool *)((const char *)f->source->args + field->offset);
}

/* As prometheus.scrape does it: of two equal names the target's goes before, and the series' is kept as exported_NAME;
 * with honor_labels the series' stays. */
static void set_target_label(const struct sample_filler *f, struct labels_builder *b, struct slice name,
                             struct slice value)
{
    struct slice old = labels_builder_get(b, name);

    if (value.len == 0 || (old.len != 0 && honors_labels(f)))
        return;
    if (old.len != 0)
        BUG_ON(labels_builder_set(b, slice_str(arena_printf(f->scratch, "exported_%.*s", SLICE_ARG(name))), old) != OK);
    BUG_ON(labels_builder_set(b, name, value) != OK);
}

static struct slice job_of(const struct sample_filler *f)
{
    const struct river_field *field = find_field(f->source->type->args, "job_name", RIVER_STRING);
    struct slice job = get(f->source->target, "job");

    if (job.len == 0 && field != NULL)
        job = *(const struct slice *)(const void *)((const char *)f->source->args + field->offset);
    return job.len != 0 ? job : slice_str(dry_run_find(f->d, f->step->to, NULL));
}

static void set_target_labels(const struct sample_filler *f, struct labels_builder *b)
{
    const struct river_map *target = f->source->target;
    struct slice instance = get(target, "instance");

    for (size_t i = 0; i < target->n; i++)
        if (!is_hidden(target->items[i].name) && !slice_eq_str(target->items[i].name, "job") &&
            !slice_eq_str(target->items[i].name, "instance"))
            set_target_label(f, b, target->items[i].name, target->items[i].value);
    set_target_label(f, b, SLICE_LIT("job"), job_of(f));
    set_target_label(f, b, SLICE_LIT("instance"), instance.len != 0 ? instance : get(target, "__address__"));
}

static enum code add_sample(void *ctx, const struct test_sample *s)
{
    struct sample_filler *f = ctx;
    int64_t ts_ms = (f->step->has_timestamp ? f->step->ts_ns : now_ns(f->d)) / NS_PER_MS;
    struct sample sample = {.ts_ms = s->has_ts ? s->ts_ms : ts_ms, .value = s->value};
    struct labels_builder builder;

    labels_builder_init(&builder, f->scratch, NULL);
    for (size_t i = 0; i < s->n; i++)
        if (labels_builder_set(&builder, s->labels[i].name, s->labels[i].value) != OK)
            return NOMEM;
    set_all(&builder, &f->step->labels, true);
    if (f->source != NULL)
        set_target_labels(f, &builder);
    sample.labels = labels_build(&builder);
    if (sample.labels == NULL || batch_take_labels(&f->batch->base, sample.labels) == UINT32_MAX)
        return NOMEM;
    return sample_batch_add(f->batch, &sample);
}

static enum code give_samples(struct dry_run *d, const struct test_samples *step, struct arena *scratch,
                              struct error *err)
{
    struct origin source = {0};
    struct sample_filler filler = {.d = d, .step = step, .scratch = scratch};
    enum code rc = OK;

    if (step->has_target) {
        rc = find_target(d, step->to, &step->target, &source, err);
        filler.source = &source;
    }
    if (rc != OK)
        return rc;
    filler.batch = sample_batch_new();
    if (filler.batch == NULL)
        return no_memory(err);
    rc = test_samples_each(step->text, scratch, add_sample, &filler, err);
    if (rc == OK)
        return dry_run_give(d, step->to, &filler.batch->base, err);
    batch_unref(&filler.batch->base);
    return rc == INVALID ? rc : no_memory(err);
}

/* --- OTLP --- */

static enum code give_json(struct dry_run *d, struct slice to, enum otlp_signal signal, struct slice json,
                           struct arena *scratch, struct error *err)
{
    struct otlp_batch *batch = otlp_batch_new(signal);
    struct slice bytes;
    struct buf out;
    enum code rc;

    if (batch == NULL)
        return no_memory(err);
    buf_init(&out, LIMIT_BATCH_BYTES);
    rc = otlp_json_read(signal, json, scratch, &out, err);
    if (rc == OK && out.len != 0) {
        bytes = arena_copy(&batch->base.arena, buf_slice(&out));
        rc = bytes.ptr == NULL ? no_memory(err) : otlp_scan(batch, bytes, err);
    }
    buf_release(&out);
    if (rc == OK && batch->n_items == 0)
        rc = error_set(err, INVALID, "there are no %s in this", otlp_item_name(signal));
    if (rc == OK)
        return dry_run_give(d, to, &batch->base, err);
    batch_unref(&batch->base);
    return rc;
}

static enum code give_otlp(struct dry_run *d, const struct test_otlp *step, struct arena *scratch, struct error *err)
{
    if (step->has_traces)
        return give_json(d, step->to, OTLP_TRACES, step->traces, scratch, err);
    if (step->has_metrics)
        return give_json(d, step->to, OTLP_METRICS, step->metrics, scratch, err);
    return give_json(d, step->to, OTLP_LOGS, step->logs, scratch, err);
}

static enum code put_value(struct buf *out, const struct value *v, struct slice name, struct error *err)
{
    int64_t whole;

    if (value_is_text(v)) {
        buf_add_str(out, "{\"stringValue\":");
        json_write_string(out, v->as.text.bytes);
    } else if (v->type == VALUE_BOOL) {
        buf_printf(out, "{\"boolValue\":%s", v->as.boolean ? "true" : "false");
    } else if (v->type == VALUE_NUMBER && value_number_i64(v->as.number, &whole)) {
        buf_printf(out, "{\"intValue\":\"%" PRId64 "\"", whole);
    } else if (v->type == VALUE_NUMBER) {
        buf_add_str(out, "{\"doubleValue\":");
        json_write_f64(out, value_number_f64(v->as.number));
    } else {
        return error_set(err, INVALID, "attribute \"%.*s\" is neither text, number nor boolean: use otlp { } for it",
                         SLICE_ARG(name));
    }
    buf_add_char(out, '}');
    return OK;
}

static enum code put_attributes(struct buf *out, const struct value *object, struct error *err)
{
    size_t n = object != NULL ? object->as.object.n : 0;
    enum code rc = OK;

    buf_add_str(out, "\"attributes\":[");
    for (size_t i = 0; i < n && rc == OK; i++) {
        const struct value_field *f = &object->as.object.fields[i];

        buf_add_str(out, i > 0 ? ",{\"key\":" : "{\"key\":");
        json_write_string(out, f->name);
        buf_add_str(out, ",\"value\":");
        rc = put_value(out, &f->value, f->name, err);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
    return rc;
}

static void put_id(struct buf *out, const char *name, struct slice given, unsigned digits, uint64_t otherwise)
{
    buf_printf(out, "\"%s\":", name);
    if (given.len != 0)
        json_write_string(out, given);
    else
        buf_printf(out, "\"%0*" PRIx64 "\"", (int)digits, otherwise);
    buf_add_char(out, ',');
}

static enum code put_span(struct buf *out, const struct test_span *span, size_t number, int64_t ns, struct error *err)
{
    buf_add_char(out, '{');
    put_id(out, "traceId", span->trace_id, 32, 1);
    put_id(out, "spanId", span->span_id, 16, number);
    if (span->parent_span_id.len != 0)
        put_id(out, "parentSpanId", span->parent_span_id, 16, 0);
    buf_add_str(out, "\"name\":");
    json_write_string(out, span->name);
    buf_printf(out,
               ",\"kind\":%d,\"status\":{\"code\":%d},\"startTimeUnixNano\":\"%" PRId64
               "\",\"endTimeUnixNano\":\"%" PRId64 "\",",
               span->kind, span->status, ns, ns + NS_PER_MS);
    if (put_attributes(out, span->attributes, err) != OK)
        return INVALID;
    buf_add_char(out, '}');
    return OK;
}

static enum code write_spans(struct buf *out, const struct test_spans *step, int64_t ns, struct error *err)
{
    const struct test_span *spans = step->spans.items;
    enum code rc;

    buf_add_str(out, "{\"resourceSpans\":[{\"resource\":{");
    rc = put_attributes(out, step->resource, err);
    buf_add_str(out, "},\"scopeSpans\":[{\"scope\":{\"name\":");
    json_write_string(out, step->scope);
    buf_add_str(out, "},\"spans\":[");
    for (size_t i = 0; i < step->spans.n && rc == OK; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        rc = put_span(out, &spans[i], i + 1, ns, err);
    }
    buf_add_str(out, "]}]}]}");
    if (rc == OK && out->is_full)
        rc = no_memory(err);
    return rc;
}

static enum code give_spans(struct dry_run *d, const struct test_spans *step, struct arena *scratch, struct error *err)
{
    struct buf json;
    enum code rc;

    buf_init(&json, LIMIT_BATCH_BYTES);
    rc = write_spans(&json, step, now_ns(d), err);
    if (rc == OK)
        rc = give_json(d, step->to, OTLP_TRACES, buf_slice(&json), scratch, err);
    buf_release(&json);
    return rc;
}

enum code test_give(struct dry_run *d, const struct test_step *step, struct arena *scratch, struct error *err)
{
    switch (step->kind) {
    case STEP_LOGS:
        return give_logs(d, &step->as.logs, scratch, err);
    case STEP_SAMPLES:
        return give_samples(d, &step->as.samples, scratch, err);
    case STEP_SPANS:
        return give_spans(d, &step->as.spans, scratch, err);
    case STEP_OTLP:
        return give_otlp(d, &step->as.otlp, scratch, err);
    case STEP_ADVANCE:
    case STEP_SET:
    case STEP_RELOAD:
    case STEP_EXPECT:
        break;
    }
    return OK;
}
