/* One scrape's body into one batch. */
#include "agent/base/log.h"
#include "agent/components/prometheus/scrape/scrape.h"

enum { SCRATCH_BYTES = 1024 * 1024 };

static double stale(void)
{
    uint64_t bits = STALE_NAN_BITS;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Under the first free name of exported_NAME, exported_exported_NAME, … */
static enum code export_label(struct transaction *t, struct label own, struct labels_builder *b)
{
    const struct slice prefix = SLICE_LIT("exported_");

    do {
        char *name = arena_try_alloc(&t->scratch, prefix.len + own.name.len);

        if (name == NULL)
            return NOMEM;
        memcpy(name, prefix.ptr, prefix.len);
        memcpy(name + prefix.len, own.name.ptr, own.name.len);
        own.name = slice_make(name, prefix.len + own.name.len);
    } while (labels_builder_get(b, own.name).len != 0);
    return labels_builder_set(b, own.name, own.value);
}

/* The target's labels win over the series' own, which become exported_NAME; with honor_labels the series' own win
 * (Prometheus: honor_labels). */
static enum code merge_labels(struct transaction *t, const struct label *own, size_t n, struct labels_builder *b)
{
    size_t longest = 0; /* name that the target has, too */
    enum code rc = OK;

    labels_builder_init(b, &t->scratch, NULL);
    for (uint32_t i = 0; i < t->target->n && rc == OK; i++)
        rc = labels_builder_set(b, t->target->pairs[i].name, t->target->pairs[i].value);
    for (size_t i = 0; i < n && rc == OK; i++) {
        bool is_taken = labels_get(t->target, own[i].name).len != 0;

        if (own[i].value.len != 0 && is_taken && !t->settings->honor_labels)
            longest = own[i].name.len > longest ? own[i].name.len : longest;
        else if (own[i].value.len != 0)
            rc = labels_builder_set(b, own[i].name, own[i].value);
        else if (is_taken && t->settings->honor_labels)
            labels_builder_del(b, own[i].name); /* an empty label is no label, and takes the target's away */
    }
    for (size_t len = 1; len <= longest && rc == OK; len++) /* as Prometheus: shorter names first, behind all others */
        for (size_t i = 0; i < n && rc == OK; i++)
            if (own[i].name.len == len && own[i].value.len != 0 && labels_get(t->target, own[i].name).len != 0)
                rc = export_label(t, own[i], b);
    return rc;
}

static enum code check_limits(const struct transaction *t, const struct labels *l, struct error *err)
{
    const struct settings *s = t->settings;

    if (s->label_limit != 0 && l->n > s->label_limit)
        return error_set(err, FULL, "label_limit exceeded: a series has %u labels, the limit is %llu", l->n,
                         (unsigned long long)s->label_limit);
    for (uint32_t i = 0; i < l->n; i++) {
        if (s->label_name_length_limit != 0 && l->pairs[i].name.len > s->label_name_length_limit)
            return error_set(err, FULL, "label_name_length_limit exceeded by \"%.*s\"", SLICE_ARG(l->pairs[i].name));
        if (s->label_value_length_limit != 0 && l->pairs[i].value.len > s->label_value_length_limit)
            return error_set(err, FULL, "label_value_length_limit exceeded by label \"%.*s\"",
                             SLICE_ARG(l->pairs[i].name));
    }
    return OK;
}

static struct series *add_series(struct transaction *t, struct hash128 key, struct slice raw, enum code *rc,
                                 struct error *err)
{
    const struct labels *set;
    struct labels_builder b;
    struct label *pairs;
    struct series *s;
    size_t n;

    arena_release(&t->scratch);
    arena_init(&t->scratch, SCRATCH_BYTES);
    *rc = exposition_series_parse(raw, &t->scratch, &pairs, &n, err);
    if (*rc != OK)
        return NULL;
    *rc = merge_labels(t, pairs, n, &b);
    set = *rc == OK ? labels_build(&b) : NULL;
    if (set == NULL) {
        *rc = error_set(err, NOMEM, "out of memory for a new series");
        return NULL;
    }
    *rc = check_limits(t, set, err);
    if (*rc != OK) {
        labels_unref(set);
        return NULL;
    }
    s = table_add(t->table, key, set);
    if (s == NULL)
        *rc = error_set(err, NOMEM, "out of memory for a new series");
    return s;
}

static enum code add_exemplar(struct transaction *t, const struct exposition_sample *in, struct sample *out,
                              struct error *err)
{
    struct exemplar *e = arena_try_array(&t->batch->base.arena, 1, sizeof *e);
    struct label *pairs;
    size_t n;
    enum code rc;

    if (e == NULL)
        return error_set(err, NOMEM, "out of memory for an exemplar");
    rc = exposition_series_parse(in->exemplar_labels, &t->batch->base.arena, &pairs, &n, err);
    if (rc != OK)
        return rc;
    for (size_t i = 0; i < n; i++) { /* names and values may still point into the body's piece */
        pairs[i].name = arena_copy(&t->batch->base.arena, pairs[i].name);
        pairs[i].value = arena_copy(&t->batch->base.arena, pairs[i].value);
    }
    *e = (struct exemplar){.labels = pairs,
                           .n_labels = (uint32_t)n,
                           .value = in->exemplar_value,
                           .ts_ms = in->has_exemplar_ts ? in->exemplar_ts_ms : 0};
    out->exemplars = e;
    out->n_exemplars = 1;
    return OK;
}

static enum code on_sample(void *ctx, const struct exposition_sample *in, struct error *err)
{
    struct transaction *t = ctx;
    struct hash128 key = hash128(in->series);
    struct series *s = table_find(t->table, key);
    bool has_own_time = in->has_ts && t->settings->honor_timestamps;
    struct sample out = {.ts_ms = has_own_time ? in->ts_ms : t->now_ms, .value = in->value, .kind = SAMPLE_FLOAT};
    enum code rc = OK;

    if (s == NULL) {
        s = add_series(t, key, in->series, &rc, err);
        if (s == NULL)
            return rc;
    }
    t->n_scraped++;
    if (t->settings->sample_limit != 0 && t->n_scraped > t->settings->sample_limit)
        return error_set(err, FULL, "sample_limit exceeded: more than %llu samples",
                         (unsigned long long)t->settings->sample_limit);
    if (s->staged_in == t->number && s->staged_ms == out.ts_ms) {
        t->n_duplicate++;
        return OK;
    }
    if (out.ts_ms < s->last_ms || (s->staged_in == t->number && out.ts_ms < s->staged_ms)) {
        t->n_out_of_order++;
        return OK;
    }
    t->n_added += s->seen_in == 0 && s->staged_in != t->number;
    s->staged_in = t->number;
    s->staged_ms = out.ts_ms;
    s->staged_own_time = has_own_time;
    out.labels = s->labels;
    if (in->has_exemplar)
        rc = add_exemplar(t, in, &out, err);
    if (rc == OK && sample_batch_add(t->batch, &out) != OK)
        rc = error_set(err, NOMEM, "out of memory for the scrape's samples");
    return rc;
}

static enum code on_meta(void *ctx, enum exposition_meta kind, struct slice family, struct slice text,
                         enum metric_type type, struct error *err)
{
    struct transaction *t = ctx;
    struct arena *a = &t->batch->base.arena;
    struct metric_metadata *last = t->batch->n_metadata != 0 ? &t->batch->metadata[t->batch->n_metadata - 1] : NULL;

    if (!t->with_metadata)
        return OK;
    if (last == NULL || !slice_eq(last->family, family)) {
        const struct metric_metadata fresh = {.family = arena_copy(a, family)};

        if (sample_batch_add_metadata(t->batch, &fresh) != OK)
            return error_set(err, NOMEM, "out of memory for metadata");
        last = &t->batch->metadata[t->batch->n_metadata - 1];
    }
    if (kind == EXPOSITION_TYPE)
        last->type = type;
    else if (kind == EXPOSITION_HELP)
        last->help = arena_copy(a, text);
    else
        last->unit = arena_copy(a, text);
    return OK;
}

enum code transaction_begin(struct transaction *t, struct table *table, const struct settings *settings,
                            const struct labels *target, uint32_t number, int64_t now_ms, bool with_metadata,
                            enum exposition_format format)
{
    const struct exposition_handler handler = {.sample = on_sample, .meta = on_meta, .ctx = t};

    *t = (struct transaction){.table = table,
                              .settings = settings,
                              .target = target,
                              .number = number,
                              .now_ms = now_ms,
                              .with_metadata = with_metadata};
    t->batch = sample_batch_new();
    if (t->batch == NULL)
        return NOMEM;
    arena_init(&t->scratch, SCRATCH_BYTES);
    table->cursor = 0;
    t->parser = exposition_new(format, &handler);
    t->batch->base.affinity = target->hash;
    return OK;
}

enum code transaction_feed(struct transaction *t, struct slice piece, struct error *err)
{
    t->plain_bytes += piece.len;
    return exposition_feed(t->parser, piece, err);
}

/* A staleness marker for every series of the last committed scrape that this one (0: any) does not have. */
static enum code add_stale(struct transaction *t, uint32_t unless_in, struct error *err)
{
    for (uint32_t i = 0; i < t->table->n; i++) {
        struct series *s = &t->table->entries[i];
        struct sample marker = {.labels = s->labels, .ts_ms = t->now_ms, .value = stale(), .kind = SAMPLE_FLOAT};

        if (s->seen_in == 0 || s->seen_in + 1 < t->number || (unless_in != 0 && s->staged_in == unless_in))
            continue;
        if (s->has_own_time && !t->settings->track_timestamps_staleness)
            continue;
        if (sample_batch_add(t->batch, &marker) != OK)
            return error_set(err, NOMEM, "out of memory for staleness markers");
    }
    return OK;
}

enum code transaction_commit(struct transaction *t, struct error *err)
{
    enum code rc = exposition_end(t->parser, err);

    if (rc == OK)
        rc = add_stale(t, t->number, err);
    if (rc != OK)
        return rc;
    t->table->n_live = 0;
    for (uint32_t i = 0; i < t->table->n; i++) {
        struct series *s = &t->table->entries[i];

        if (s->staged_in != t->number)
            continue;
        s->seen_in = t->number;
        s->last_ms = s->staged_ms;
        s->has_own_time = s->staged_own_time;
        t->table->n_live++;
    }
    return OK;
}

void transaction_abort(struct transaction *t)
{
    struct error err = {0};
    uint64_t affinity = t->batch->base.affinity;
    struct sample_batch *fresh = sample_batch_new();

    if (fresh == NULL) { /* no memory for another: at least the half-read samples must not go out */
        t->batch->n = 0;
        t->batch->n_metadata = 0;
    } else {
        batch_unref(&t->batch->base);
        t->batch = fresh;
        t->batch->base.affinity = affinity;
    }
    if (add_stale(t, 0, &err) != OK)
        log_warn(t->id, "no memory for staleness markers", log_str("err", err.text));
    t->table->n_live = 0;
}

enum code transaction_report(struct transaction *t, const char *name, double value)
{
    struct labels_builder b;
    const struct labels *set = NULL;
    struct sample s = {.ts_ms = t->now_ms, .value = value, .kind = SAMPLE_FLOAT};
    enum code rc;

    arena_release(&t->scratch);
    arena_init(&t->scratch, SCRATCH_BYTES);
    labels_builder_init(&b, &t->scratch, t->target);
    rc = labels_builder_set(&b, SLICE_LIT("__name__"), slice_str(name));
    if (rc == OK)
        set = labels_build(&b);
    if (set == NULL)
        return NOMEM;
    s.labels = set;
    if (batch_take_labels(&t->batch->base, set) == UINT32_MAX)
        return NOMEM;
    return sample_batch_add(t->batch, &s);
}

struct sample_batch *transaction_end(struct transaction *t)
{
    struct sample_batch *b = t->batch;

    exposition_free(t->parser);
    arena_release(&t->scratch);
    t->batch = NULL;
    return b;
}
