/* What a sink makes of an item: the labels it is stored under, the tenant, the refusals before sending. loki.write's
 * own code says what a stream becomes. */
#include "agent/base/mem.h"
#include "agent/cli/explain_line.h"
#include "exporters/loki/write/write.h"

enum { COLUMN = 11 };

/* An object of strings, as labels on the arena. */
static size_t labels_of(struct arguments all, const char *name, struct arena *arena, struct label **out)
{
    const struct argument *a = arguments_find(all, SIZE_MAX, name);
    size_t n = 0;

    *out = NULL;
    if (a == NULL || !a->is_known || a->value.type != VALUE_OBJECT)
        return 0;
    *out = arena_zalloc(arena, (a->value.as.object.n + 1) * sizeof **out);
    for (size_t i = 0; i < a->value.as.object.n; i++)
        if (value_is_text(&a->value.as.object.fields[i].value))
            (*out)[n++] =
                (struct label){a->value.as.object.fields[i].name, a->value.as.object.fields[i].value.as.text.bytes};
    return n;
}

static uint64_t number_of(struct arguments all, const char *name)
{
    const struct argument *a = arguments_find(all, SIZE_MAX, name);
    struct error err = {0};
    uint64_t n = 0;

    if (a == NULL || !a->is_known)
        return 0;
    if (a->value.type == VALUE_NUMBER)
        return value_number_u64(a->value.as.number, &n) ? n : 0;
    return value_is_text(&a->value) && river_bytes_parse(a->value.as.text.bytes, &n, &err) == OK ? n : 0;
}

static void tell_endpoint(struct telling *t, struct arguments all, size_t block, struct slice tenant)
{
    buf_printf(t->out, "    %-*s", COLUMN, "endpoint");
    buf_add(t->out, explain_address(all, block));
    if (tenant.len == 0)
        tenant = arguments_text(all, block, "tenant_id");
    if (tenant.len != 0) {
        buf_add_str(t->out, ", tenant ");
        tell_text(t, t->out, tenant, false);
    }
    buf_add_char(t->out, '\n');
}

static void tell_loki_write(struct telling *t, struct arguments all, const struct labels *labels,
                            const struct log_entry *e)
{
    struct loki_write *c = mem_zalloc(sizeof *c);
    struct stream *s;
    const char *refused = NULL;

    arena_init(&c->arena, 0);
    pthread_mutex_init(&c->cache_lock, NULL);
    c->n_external = labels_of(all, "external_labels", &c->arena, &c->external);
    c->max_label_names = (uint32_t)number_of(all, "max_label_names");
    c->max_line_bytes = number_of(all, "max_line_size");
    s = stream_get(c, labels);
    if (s != NULL && s->is_refused)
        refused = drop_reason_name(s->reason);
    if (c->max_line_bytes != 0 && e->line.len > c->max_line_bytes)
        refused = drop_reason_name(DROP_LINE_TOO_LONG);
    for (size_t b = SIZE_MAX; (b = arguments_block(all, SIZE_MAX, "endpoint", b)) != SIZE_MAX;)
        tell_endpoint(t, all, b, s != NULL ? s->tenant : (struct slice){0});
    buf_printf(t->out, "    %-*s", COLUMN, "stream");
    if (s != NULL)
        tell_text(t, t->out, s->text, false);
    buf_add_char(t->out, '\n');
    if (refused != NULL) {
        struct buf text;

        buf_init(&text, 256);
        buf_printf(&text, "refused before it is sent, counted hyagent_component_items_dropped_total{reason=\"%s\"}",
                   refused);
        buf_add_str(t->out, "    ");
        paint(t->out, t->x->is_coloured, PAINT_RED, buf_slice(&text));
        buf_add_char(t->out, '\n');
        buf_release(&text);
    }
    stream_unref(s);
    stream_cache_release(c);
    pthread_mutex_destroy(&c->cache_lock);
    arena_release(&c->arena);
    mem_free(c);
}

void tell_sink_entry(struct telling *t, size_t node, const struct labels *labels, const struct log_entry *e)
{
    struct arguments all = description_arguments(t->x->description, node);
    bool is_loki = strcmp(t->x->config->blocks[node].type->name, "loki.write") == 0;

    if (is_loki) {
        tell_loki_write(t, all, labels, e);
    } else {
        buf_printf(t->out, "    %-*s", COLUMN, "labels");
        tell_labels(t, t->out, labels->pairs, labels->n);
        buf_add_char(t->out, '\n');
    }
    buf_printf(t->out, "    %-*s", COLUMN, "time");
    tell_time(t->out, e->ts_ns);
    buf_printf(t->out, "\n    %-*s", COLUMN, "line");
    tell_text(t, t->out, e->line, true);
    buf_add_char(t->out, '\n');
    if (e->n_meta != 0) {
        buf_printf(t->out, "    %-*s", COLUMN, "metadata");
        tell_labels(t, t->out, e->meta, e->n_meta);
        buf_add_char(t->out, '\n');
    }
}

static struct slice field_text(const struct argument *a)
{
    return a != NULL && a->is_known && value_is_text(&a->value) ? a->value.as.text.bytes : (struct slice){0};
}

/* A write_relabel_config block as a rule. */
static enum code rule_of(struct arguments all, size_t block, struct arena *arena, struct relabel_rule *out,
                         struct error *err)
{
    const struct argument *sources = arguments_find(all, block, "source_labels");
    const struct argument *modulus = arguments_find(all, block, "modulus");
    struct slice *names;

    *out = relabel_rule_default();
    out->separator = field_text(arguments_find(all, block, "separator"));
    out->regex = field_text(arguments_find(all, block, "regex"));
    out->target_label = field_text(arguments_find(all, block, "target_label"));
    out->replacement = field_text(arguments_find(all, block, "replacement"));
    if (modulus != NULL && modulus->value.type == VALUE_NUMBER)
        (void)value_number_u64(modulus->value.as.number, &out->modulus);
    if (sources != NULL && sources->value.type == VALUE_ARRAY) {
        names = arena_zalloc(arena, (sources->value.as.array.n + 1) * sizeof *names);
        for (size_t i = 0; i < sources->value.as.array.n; i++)
            if (value_is_text(&sources->value.as.array.items[i]))
                names[out->n_source_labels++] = sources->value.as.array.items[i].as.text.bytes;
        out->source_labels = names;
    }
    return relabel_action_parse(field_text(arguments_find(all, block, "action")), &out->action, err);
}

/* The endpoint's own rules. NULL: it has none, or they are not known before it runs. */
static struct relabel_rules *rules_of(struct arguments all, size_t endpoint, struct arena *arena)
{
    struct relabel_rules *rules = NULL;
    struct relabel_rule *list;
    struct error err = {0};
    enum code rc = OK;
    size_t n = 0;

    for (size_t b = SIZE_MAX; (b = arguments_block(all, endpoint, "write_relabel_config", b)) != SIZE_MAX;)
        n++;
    list = arena_zalloc(arena, (n + 1) * sizeof *list);
    n = 0;
    for (size_t b = SIZE_MAX; rc == OK && (b = arguments_block(all, endpoint, "write_relabel_config", b)) != SIZE_MAX;)
        rc = rule_of(all, b, arena, &list[n++], &err);
    if (rc == OK && n != 0)
        rc = relabel_rules_new(&rules, list, n, &err);
    return rc == OK ? rules : NULL;
}

static void retell(void *ctx, const struct trace_step *step)
{
    struct trace_step s = *step;

    s.kind = "write_relabel_config";
    tell_step(ctx, &s);
}

/* Prometheus adds external labels first, then each endpoint has its rules. */
static void tell_series(struct telling *t, size_t node, struct arguments all, size_t endpoint,
                        const struct labels *labels, struct arena *arena)
{
    const struct tracer tracer = {.step = retell, .ctx = t};
    struct relabel_rules *rules = rules_of(all, endpoint, arena);
    const struct labels *final = NULL;
    char *id = mem_strndup(explain_id(t->x, node));

    tell_endpoint(t, all, endpoint, (struct slice){0});
    trace_rules(&tracer, id, rules, labels, 0, (struct slice){0});
    if (relabel_labels(rules, labels, &final) == OK && final != NULL) {
        buf_printf(t->out, "    %-*s", COLUMN, "series");
        tell_labels(t, t->out, final->pairs, final->n);
        buf_add_char(t->out, '\n');
    }
    labels_unref(final);
    relabel_rules_unref(rules);
    mem_free(id);
}

void tell_sink_sample(struct telling *t, size_t node, const struct sample *s)
{
    struct arguments all = description_arguments(t->x->description, node);
    const struct labels *labels;
    struct labels_builder b;
    struct label *external;
    struct arena arena;
    size_t n;

    arena_init(&arena, 0);
    n = labels_of(all, "external_labels", &arena, &external);
    labels_builder_init(&b, &arena, s->labels);
    for (size_t i = 0; i < n; i++)
        if (labels_get(s->labels, external[i].name).len == 0 &&
            labels_builder_set(&b, external[i].name, external[i].value) != OK)
            break;
    labels = labels_build(&b);
    n = 0;
    for (size_t i = SIZE_MAX; labels != NULL && (i = arguments_block(all, SIZE_MAX, "endpoint", i)) != SIZE_MAX; n++)
        tell_series(t, node, all, i, labels, &arena);
    if (n == 0) {
        buf_printf(t->out, "    %-*s", COLUMN, "series");
        tell_labels(t, t->out, b.pairs, b.n);
        buf_add_char(t->out, '\n');
    }
    buf_printf(t->out, "    %-*s%.17g\n    %-*s", COLUMN, "value", s->value, COLUMN, "time");
    tell_time(t->out, s->ts_ms * NS_PER_MS);
    buf_add_char(t->out, '\n');
    labels_unref(labels);
    arena_release(&arena);
}
