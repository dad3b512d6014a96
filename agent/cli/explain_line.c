/* hyagent explain --line, --sample: one item after the other through the configuration as it would go, told step by
 * step. The real components run, on virtual time; sources and sinks have stand-ins (runtime/dry_run.h). */
#include "agent/cli/explain_line.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/cli/registry.h"
#include "agent/model/exposition.h"
#include "agent/runtime/dry_run.h"
#include "agent/text/timefmt.h"

enum { SHOWN_RUNES = 200, WAIT_S = 3600 };

struct run {
    struct telling t;
    struct dry_run *dry;
    const struct line_args *args;
    const struct labels *labels; /* owned reference */
    int64_t ts_ns;
};

/* --- what passes an edge --- */

static void arrive(struct telling *t, size_t node, const struct batch *b)
{
    if (map_put(&t->reached, explain_id(t->x, node), t, NULL) != OK)
        return;
    if (b->kind == BATCH_LOGS) {
        const struct log_batch *logs = (const struct log_batch *)(const void *)b;

        for (uint32_t i = 0; i < logs->n; i++)
            tell_sink_entry(t, node, b->labels[logs->entries[i].labels], &logs->entries[i]);
    } else if (b->kind == BATCH_SAMPLES) {
        const struct sample_batch *samples = (const struct sample_batch *)(const void *)b;

        for (uint32_t i = 0; i < samples->n; i++)
            tell_sink_sample(t, node, &samples->samples[i]);
    }
}

static void passed(void *ctx, const char *from, const char *to, const struct batch *b)
{
    struct telling *t = ctx;
    const struct config_block *block = config_block_by_id(t->x->config, slice_str(to));
    size_t node = block != NULL ? (size_t)(block - t->x->config->blocks) : SIZE_MAX;

    if (batch_items(b) == 0)
        return;
    tell_idle(t);
    tell_component(t, to, from);
    if (node != SIZE_MAX && t->x->graph->nodes[node].role == GRAPH_SINK)
        arrive(t, node, b);
}

static void say_nothing(void *self, enum log_level level, struct slice line)
{
    (void)self;
    (void)level;
    (void)line;
}

static void step(void *ctx, const struct trace_step *s)
{
    tell_step(ctx, s);
}

/* --- one item --- */

static int64_t held_items(struct run *r)
{
    int64_t difference, held;

    runtime_ledger_totals(dry_run_runtime(r->dry), &difference, &held);
    return held;
}

/* One line that says how it ended. */
static void conclude(struct run *r)
{
    struct telling *t = &r->t;
    struct buf text;
    bool is_first = true;

    tell_idle(t);
    buf_init(&text, 1024 * 1024);
    for (struct map_entry *e = map_next(&t->reached, NULL); e != NULL; e = map_next(&t->reached, e)) {
        buf_add_str(&text, is_first ? "reaches " : ", ");
        buf_add(&text, e->key);
        is_first = false;
    }
    if (t->ends.len != 0)
        buf_printf(&text, "%sdropped by%.*s", is_first ? "" : "; ", SLICE_ARG(buf_slice(&t->ends)));
    else if (is_first)
        buf_add_str(&text, held_items(r) != 0 ? "held back for now" : "reaches no sink");
    buf_add_str(t->out, "  ⇒ ");
    paint(t->out, t->x->is_coloured, is_first ? PAINT_RED : PAINT_GREEN, buf_slice(&text));
    buf_add_str(t->out, "\n");
    buf_release(&text);
    buf_reset(&t->ends);
    map_release(&t->reached, NULL);
    map_init(&t->reached, 0);
}

static void announce(struct run *r, size_t number, bool is_one, struct slice text)
{
    struct buf line;

    if (r->t.out->len != 0)
        buf_add_char(r->t.out, '\n');
    buf_init(&line, 1024 * 1024);
    if (!is_one)
        buf_printf(&line, "%zu: ", number);
    write_visible(&line, text, SHOWN_RUNES);
    paint(r->t.out, r->t.x->is_coloured, PAINT_BLUE, buf_slice(&line));
    buf_add_char(r->t.out, '\n');
    buf_release(&line);
}

static enum code give_line(struct run *r, struct slice text, struct error *err)
{
    struct log_batch *b = log_batch_new();
    struct slice line;
    uint32_t labels;

    if (b == NULL)
        return error_set(err, NOMEM, "no memory");
    line = arena_copy(&b->base.arena, text);
    labels = batch_take_labels(&b->base, labels_ref(r->labels));
    if (labels == UINT32_MAX || log_batch_add(b, labels, r->ts_ns, line, NULL, 0) != OK) {
        batch_unref(&b->base);
        return error_set(err, NOMEM, "no memory");
    }
    return dry_run_give(r->dry, slice_str(r->args->component), &b->base, err);
}

struct reading {
    struct run *run;
    struct sample_batch *batch;
};

static enum code read_sample(void *ctx, const struct exposition_sample *s, struct error *err)
{
    struct reading *reading = ctx;
    struct batch *b = &reading->batch->base;
    struct label *pairs;
    struct sample sample = {.value = s->value, .ts_ms = s->has_ts ? s->ts_ms : reading->run->ts_ns / NS_PER_MS};
    size_t n;
    enum code rc = exposition_series_parse(s->series, &b->arena, &pairs, &n, err);

    if (rc != OK)
        return rc;
    sample.labels = labels_intern(pairs, n);
    if (sample.labels == NULL || batch_take_labels(b, sample.labels) == UINT32_MAX ||
        sample_batch_add(reading->batch, &sample) != OK)
        return error_set(err, NOMEM, "no memory");
    return OK;
}

static enum code give_sample(struct run *r, struct slice text, struct error *err)
{
    struct reading reading = {.run = r, .batch = sample_batch_new()};
    const struct exposition_handler handler = {.sample = read_sample, .ctx = &reading};
    struct exposition *parser = exposition_new(EXPOSITION_PROMETHEUS, &handler);
    enum code rc;

    if (reading.batch == NULL) {
        exposition_free(parser);
        return error_set(err, NOMEM, "no memory");
    }
    rc = exposition_feed(parser, text, err);
    if (rc == OK)
        rc = exposition_end(parser, err);
    exposition_free(parser);
    if (rc == OK && reading.batch->n == 0)
        rc = error_set(err, INVALID, "\"%.*s\" is no sample: write name{label=\"value\"} 1", SLICE_ARG(text));
    if (rc != OK) {
        batch_unref(&reading.batch->base);
        return rc;
    }
    return dry_run_give(r->dry, slice_str(r->args->component), &reading.batch->base, err);
}

static enum code give(struct run *r, size_t number, bool is_one, struct slice text, struct error *err)
{
    size_t mark = r->t.out->len;
    enum code rc;

    announce(r, number, is_one, text);
    rc = r->args->sample != NULL ? give_sample(r, text, err) : give_line(r, text, err);
    if (rc == OK)
        conclude(r);
    else
        r->t.out->len = mark;
    return rc;
}

/* What is still held has its time: until nothing is, at most an hour. */
static enum code wait_for_held(struct run *r, struct error *err)
{
    enum code rc = OK;
    int64_t before = held_items(r);

    for (unsigned s = 1; s <= WAIT_S && rc == OK && before != 0; s++) {
        size_t mark, len = r->t.out->len;
        char text[64];

        snprintf(text, sizeof text, "%u s later", s);
        announce(r, 0, true, slice_str(text));
        mark = r->t.out->len;
        rc = dry_run_pass(r->dry, NS_PER_S, err);
        if (r->t.out->len == mark && r->t.n_idle == 0)
            r->t.out->len = len; /* nothing happened */
        else
            conclude(r);
        before = held_items(r);
    }
    return rc;
}

static enum code give_all(struct run *r, struct slice all, struct error *err)
{
    struct slice rest = all, line;
    enum code rc = OK;
    size_t n = 0;

    while (rest.len != 0 && rc == OK) {
        (void)slice_cut(rest, '\n', &line, &rest);
        rc = give(r, ++n, false, line, err);
    }
    return rc;
}

static enum code give_items(struct run *r, struct error *err)
{
    const char *text = r->args->sample != NULL ? r->args->sample : r->args->line;
    struct buf input;
    enum code rc;

    if (strcmp(text, "-") != 0) {
        rc = give(r, 1, true, slice_str(text), err);
    } else {
        buf_init(&input, LIMIT_CONFIG_FILE_BYTES);
        rc = config_file_read("-", &input, err);
        if (rc != OK)
            error_prefix(err, "standard input");
        if (rc == OK)
            rc = give_all(r, buf_slice(&input), err);
        buf_release(&input);
    }
    return rc == OK ? wait_for_held(r, err) : rc;
}

/* --- set-up --- */

static enum code read_labels(struct run *r, struct error *err)
{
    struct label pairs[sizeof r->args->labels.items / sizeof r->args->labels.items[0]];

    for (size_t i = 0; i < r->args->labels.n; i++) {
        const char *text = r->args->labels.items[i];

        if (!slice_cut(slice_str(text), '=', &pairs[i].name, &pairs[i].value) || pairs[i].name.len == 0)
            return error_set(err, INVALID, "--label %s: write NAME=VALUE", text);
    }
    r->labels = labels_intern(pairs, r->args->labels.n);
    return r->labels != NULL ? OK : error_set(err, NOMEM, "no memory");
}

static enum code load(struct run *r, const struct config_texts *texts, struct error *err)
{
    struct diags diags;
    enum code rc;

    diags_init(&diags);
    rc = dry_run_load(r->dry, texts->items, texts->n, &diags);
    for (size_t i = 0; rc != OK && i < diags.n; i++)
        if (diags.items[i].severity == SEVERITY_ERROR) {
            error_set(err, rc, "%s:%u:%u: %s", diags.items[i].file, diags.items[i].start.line,
                      diags.items[i].start.column, diags.items[i].text);
            break;
        }
    diags_release(&diags);
    return rc;
}

enum code explain_line(const struct explain *x, const struct line_args *args, const struct config_texts *texts,
                       struct buf *out, struct error *err)
{
    struct run r = {.t = {.x = x, .out = out}, .args = args, .ts_ns = clock_wall_ns(clock_system())};
    const struct tracer tracer = {.step = step, .ctx = &r.t};
    struct dry_run_options options = {
        .types = registry, .stability = (enum stability)args->stability, .passed = passed, .ctx = &r.t};
    enum code rc = OK;

    if (args->timestamp != NULL && !timefmt_parse_rfc3339(slice_str(args->timestamp), &r.ts_ns))
        return error_set(err, INVALID, "--timestamp %s: write it like 2026-01-02T15:04:05Z", args->timestamp);
    options.start_ns = r.ts_ns;
    rc = read_labels(&r, err);
    if (rc != OK)
        return rc;
    map_init(&r.t.reached, 0);
    buf_init(&r.t.ends, 64 * 1024);
    log_set_sink(say_nothing, NULL); /* what components say while they start is no part of the answer */
    r.dry = dry_run_new(&options);
    rc = load(&r, texts, err);
    tracer_set(&tracer);
    if (rc == OK)
        rc = give_items(&r, err);
    tracer_set(NULL);
    dry_run_free(r.dry);
    log_set_sink(NULL, NULL);
    buf_release(&r.t.ends);
    map_release(&r.t.reached, NULL);
    labels_unref(r.labels);
    return rc;
}
