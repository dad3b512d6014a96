#include "agent/model/otlp_to_loki.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_to_loki_int.h"
#include "agent/model/otlp_to_prom_int.h"

enum { MAX_PROMOTED = 256 };

struct conversion {
    struct log_batch *out;
    struct otlp_to_loki_result *result;
    int64_t now_ns;       /* of records without a time of their own */
    struct arena scratch; /* decoded resource */
    struct arena texts;   /* of the record at hand */
    struct buf line;
    uint8_t *became, *reasons; /* per log record of the batch */
    uint32_t item, end;
    const Otlp__Resource *resource;
    struct slice job, instance;
    const struct labels *last; /* most records of a resource have the labels of the one before */
    uint32_t last_index;
};

/* Attribute keys that became labels: they leave the line. */
struct promoted {
    struct slice keys[MAX_PROMOTED];
    size_t n;
};

static Otlp__AnyValue *get_attr(Otlp__KeyValue **list, size_t n, struct slice key)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_str(key, list[i]->key))
            return list[i]->value;
    return NULL;
}

static Otlp__AnyValue *record_attr(const Otlp__LogRecord *log, const char *key)
{
    return get_attr(log->attributes, log->n_attributes, slice_str(key));
}

static Otlp__AnyValue *resource_attr(const struct conversion *c, const char *key)
{
    return c->resource != NULL ? get_attr(c->resource->attributes, c->resource->n_attributes, slice_str(key)) : NULL;
}

/* The value of a key, or of a path through maps ("a.b" with a map under "a"). */
static const Otlp__AnyValue *find_value(Otlp__KeyValue **list, size_t n, struct slice key)
{
    const Otlp__AnyValue *v = get_attr(list, n, key);
    struct slice head, rest;

    while (v == NULL && slice_cut(key, '.', &head, &rest)) {
        const Otlp__AnyValue *inner = get_attr(list, n, head);

        if (inner == NULL || inner->value_case != OTLP__ANY_VALUE__VALUE_KVLIST_VALUE)
            return NULL;
        list = inner->kvlist_value->values;
        n = inner->kvlist_value->n_values;
        key = rest;
        v = get_attr(list, n, key);
    }
    return v;
}

static enum code promote(struct conversion *c, struct labels_builder *b, struct promoted *p, struct slice key,
                         Otlp__KeyValue **list, size_t n)
{
    const Otlp__AnyValue *v = find_value(list, n, key);
    struct slice name = otlp_prom_label(&c->texts, key), value;

    if (v == NULL || name.len == 0)
        return OK;
    value = otlp_value_slice(&c->texts, v);
    if (value.ptr == NULL || name.ptr == NULL)
        return NOMEM;
    if (p->n < MAX_PROMOTED)
        p->keys[p->n++] = key;
    return labels_builder_set(b, name, value);
}

/* hint: names in a list, or in one text with commas; each becomes a label when list has it. */
static enum code promote_hinted(struct conversion *c, struct labels_builder *b, struct promoted *p,
                                const Otlp__AnyValue *hint, Otlp__KeyValue **list, size_t n)
{
    enum code rc = OK;

    if (hint == NULL)
        return OK;
    if (hint->value_case == OTLP__ANY_VALUE__VALUE_ARRAY_VALUE) {
        for (size_t i = 0; i < hint->array_value->n_values && rc == OK; i++) {
            const Otlp__AnyValue *v = hint->array_value->values[i];

            if (v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
                rc = promote(c, b, p, slice_str(v->string_value), list, n);
        }
        return rc;
    }
    if (hint->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE) {
        struct slice rest = slice_str(hint->string_value), name;

        while (rest.len != 0 && rc == OK) {
            (void)slice_cut(rest, ',', &name, &rest);
            rc = promote(c, b, p, slice_trim(name), list, n);
        }
    }
    return rc;
}

/* The text of SeverityNumber, as the Collector names it; NULL when there is none. */
static const char *level_name(int severity)
{
    static const char *const names[] = {"TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
                                        "INFO",  "INFO2",  "INFO3",  "INFO4",  "WARN",  "WARN2",  "WARN3",  "WARN4",
                                        "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4"};

    return severity >= 1 && severity <= (int)(sizeof names / sizeof names[0]) ? names[severity - 1] : NULL;
}

/* A record's own level attribute wins over its severity number; without a severity number it stays an attribute. */
static enum code add_level(struct conversion *c, struct labels_builder *b, struct promoted *p,
                           const Otlp__LogRecord *log)
{
    const char *name = level_name((int)log->severity_number);

    if (name == NULL)
        return OK;
    if (record_attr(log, "level") != NULL)
        return promote(c, b, p, SLICE_LIT("level"), log->attributes, log->n_attributes);
    return labels_builder_set(b, SLICE_LIT("level"), slice_str(name));
}

/* loki.tenant names the attribute whose value is the tenant; the resource's hint comes first. */
static enum code add_tenant(struct conversion *c, struct labels_builder *b, struct promoted *p,
                            const Otlp__LogRecord *log)
{
    const Otlp__AnyValue *hint = resource_attr(c, "loki.tenant"), *v = NULL;
    struct slice key, text;

    if (hint != NULL && hint->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE) {
        key = slice_str(hint->string_value);
        v = find_value(c->resource->attributes, c->resource->n_attributes, key);
    } else {
        hint = record_attr(log, "loki.tenant");
        if (hint == NULL || hint->value_case != OTLP__ANY_VALUE__VALUE_STRING_VALUE)
            return OK;
        key = slice_str(hint->string_value);
        v = find_value(log->attributes, log->n_attributes, key);
    }
    if (v == NULL)
        return OK;
    text = otlp_value_slice(&c->texts, v);
    if (text.ptr == NULL)
        return NOMEM;
    if (p->n < MAX_PROMOTED)
        p->keys[p->n++] = key;
    return labels_builder_set(b, SLICE_LIT("__tenant_id__"), text);
}

static enum code make_labels(struct conversion *c, struct labels_builder *b, struct promoted *p,
                             const Otlp__LogRecord *log)
{
    Otlp__KeyValue **of_resource = c->resource != NULL ? c->resource->attributes : NULL;
    size_t n_of_resource = c->resource != NULL ? c->resource->n_attributes : 0;
    enum code rc = labels_builder_set(b, SLICE_LIT("exporter"), SLICE_LIT("OTLP"));

    if (rc == OK)
        rc = labels_builder_set(b, SLICE_LIT("job"), c->job);
    if (rc == OK)
        rc = labels_builder_set(b, SLICE_LIT("instance"), c->instance);
    if (rc == OK)
        rc = add_level(c, b, p, log);
    if (rc == OK)
        rc = promote_hinted(c, b, p, record_attr(log, "loki.resource.labels"), of_resource, n_of_resource);
    if (rc == OK)
        rc = promote_hinted(c, b, p, resource_attr(c, "loki.resource.labels"), of_resource, n_of_resource);
    if (rc == OK)
        rc = promote_hinted(c, b, p, record_attr(log, "loki.attribute.labels"), log->attributes, log->n_attributes);
    if (rc == OK)
        rc = promote_hinted(c, b, p, resource_attr(c, "loki.attribute.labels"), log->attributes, log->n_attributes);
    return rc == OK ? add_tenant(c, b, p, log) : rc;
}

/* The list without hints and without what became labels, on the arena of texts. */
static bool strip(struct conversion *c, Otlp__KeyValue **list, size_t n, const struct promoted *p,
                  Otlp__KeyValue ***out, size_t *n_out)
{
    static const char *const hints[] = {"loki.resource.labels", "loki.attribute.labels", "loki.tenant", "loki.format"};

    *n_out = 0;
    *out = arena_try_alloc(&c->texts, (n + 1) * sizeof(Otlp__KeyValue *));
    if (*out == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool is_kept = true;

        for (size_t k = 0; k < sizeof hints / sizeof hints[0]; k++)
            is_kept = is_kept && strcmp(list[i]->key, hints[k]) != 0;
        for (size_t k = 0; k < p->n; k++)
            is_kept = is_kept && !slice_eq_str(p->keys[k], list[i]->key);
        if (is_kept)
            (*out)[(*n_out)++] = list[i];
    }
    return true;
}

static bool read_format(const struct conversion *c, const Otlp__LogRecord *log, enum record_format *out)
{
    const Otlp__AnyValue *hint = record_attr(log, "loki.format");

    *out = RECORD_JSON;
    if (hint == NULL)
        hint = resource_attr(c, "loki.format");
    if (hint == NULL)
        return true;
    if (hint->value_case != OTLP__ANY_VALUE__VALUE_STRING_VALUE)
        return false;
    if (strcmp(hint->string_value, "logfmt") == 0)
        *out = RECORD_LOGFMT;
    else if (strcmp(hint->string_value, "raw") == 0)
        *out = RECORD_RAW;
    else
        return strcmp(hint->string_value, "json") == 0;
    return true;
}

/* The labels' index in the batch, the reference being the batch's; UINT32_MAX when the heap refuses. */
static uint32_t take_labels(struct conversion *c, struct labels_builder *b)
{
    const struct labels *labels = labels_build(b);

    if (labels == NULL)
        return UINT32_MAX;
    if (labels == c->last) {
        labels_unref(labels);
        return c->last_index;
    }
    c->last = labels;
    c->last_index = batch_take_labels(&c->out->base, labels);
    return c->last_index;
}

static int64_t timestamp(const struct conversion *c, const Otlp__LogRecord *log)
{
    if (log->time_unix_nano != 0)
        return (int64_t)log->time_unix_nano;
    return log->observed_time_unix_nano != 0 ? (int64_t)log->observed_time_unix_nano : c->now_ns;
}

static enum code convert_record(struct conversion *c, Otlp__LogRecord *log, const Otlp__InstrumentationScope *scope)
{
    struct record r = {.log = log, .scope = scope};
    Otlp__KeyValue **attributes, **of_resource;
    size_t n_attributes, n_of_resource;
    struct promoted p = {.n = 0};
    struct labels_builder b;
    enum record_format format;
    struct slice line;
    uint32_t labels;

    if (!read_format(c, log, &format)) {
        c->result->dropped_invalid++;
        c->reasons[c->item++] = DROP_INVALID;
        return OK;
    }
    labels_builder_init(&b, &c->texts, NULL);
    if (make_labels(c, &b, &p, log) != OK ||
        !strip(c, log->attributes, log->n_attributes, &p, &attributes, &n_attributes) ||
        !strip(c, c->resource != NULL ? c->resource->attributes : NULL,
               c->resource != NULL ? c->resource->n_attributes : 0, &p, &of_resource, &n_of_resource))
        return NOMEM;
    r.attributes = (struct otlp_attrs){&attributes, &n_attributes, NULL};
    r.resource = (struct otlp_attrs){&of_resource, &n_of_resource, NULL};
    buf_reset(&c->line);
    otlp_record_write(&r, format, &c->texts, &c->line);
    line = arena_copy(&c->out->base.arena, buf_slice(&c->line));
    labels = take_labels(c, &b);
    if (c->line.is_full || (line.ptr == NULL && c->line.len != 0) || labels == UINT32_MAX ||
        log_batch_add(c->out, labels, timestamp(c, log), line, NULL, 0) != OK)
        return NOMEM;
    c->became[c->item++] = 1;
    c->result->entries++;
    return OK;
}

static enum code convert_resource(struct conversion *c, const struct otlp_resource *r)
{
    const Otlp__ResourceLogs *rl = otlp_decode_logs(&c->scratch, r->bytes);
    enum code rc = OK;

    if (rl == NULL)
        return NOMEM;
    c->resource = rl->resource;
    c->job = otlp_job(&c->scratch, rl->resource);
    c->instance = otlp_instance(&c->scratch, rl->resource);
    c->end = c->item + r->n_items;
    for (size_t i = 0; i < rl->n_scope_logs; i++) {
        const Otlp__ScopeLogs *sl = rl->scope_logs[i];

        for (size_t k = 0; k < sl->n_log_records && rc == OK && c->item < c->end; k++) {
            rc = convert_record(c, sl->log_records[k], sl->scope);
            arena_release(&c->texts);
        }
    }
    return rc;
}

enum code otlp_to_loki(const struct otlp_batch *in, const char *destination, int64_t now_ns, struct log_batch **out,
                       struct otlp_to_loki_result *result, struct error *err)
{
    struct conversion c = {.result = result, .now_ns = now_ns};
    enum code rc = OK;

    *out = NULL;
    *result = (struct otlp_to_loki_result){0};
    arena_init(&c.scratch, 4 * LIMIT_BATCH_BYTES);
    arena_init(&c.texts, 4 * LIMIT_BATCH_BYTES);
    buf_init(&c.line, LIMIT_BATCH_BYTES);
    c.out = log_batch_new();
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
    }
    if (rc == OK)
        rc = batch_derive(&in->base, &c.out->base, c.became, c.reasons, destination);
    if (rc == OK) {
        *out = c.out;
        c.out = NULL;
    } else {
        (void)error_set(err, rc, "log records do not fit in memory when converted");
    }
    if (c.out != NULL)
        batch_unref(&c.out->base);
    mem_free(c.became);
    buf_release(&c.line);
    arena_release(&c.scratch);
    arena_release(&c.texts);
    return rc;
}
