#include "agent/runtime/evaluate.h"
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/runtime/mask.h"

static struct receiver stand_in_logs = {.kind = RECEIVES_LOGS, .owner = ""};
static struct receiver stand_in_metrics = {.kind = RECEIVES_METRICS, .owner = ""};
static struct receiver stand_in_otlp = {.kind = RECEIVES_OTLP, .owner = ""};
static char stand_in_other[512]; /* auth handlers, relabel rules: only passed around in a dry run */

static bool contains(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

static struct value stand_in(const char *type)
{
    if (contains(type, "LogsReceiver"))
        return value_capsule(&capsule_logs_receiver, &stand_in_logs);
    if (contains(type, "MetricsReceiver"))
        return value_capsule(&capsule_metrics_receiver, &stand_in_metrics);
    if (contains(type, "Consumer"))
        return value_capsule(&capsule_otel_consumer, &stand_in_otlp);
    if (contains(type, "Handler"))
        return value_capsule(&capsule_otel_auth, stand_in_other);
    if (contains(type, "ules"))
        return value_capsule(&capsule_relabel_rules, stand_in_other);
    return value_null();
}

static struct value zero_value(const char *type)
{
    if (strncmp(type, "list", 4) == 0 || strncmp(type, "[]", 2) == 0)
        return value_array(NULL, 0);
    if (contains(type, "secret"))
        return value_optional_secret(slice_str(""), !contains(type, "optional"));
    if (strncmp(type, "string", 6) == 0)
        return value_string(slice_str(""));
    if (strncmp(type, "bool", 4) == 0)
        return value_bool(false);
    if (strncmp(type, "number", 6) == 0 || strncmp(type, "int", 3) == 0)
        return value_int(0);
    return value_null();
}

static struct exports *exports_new(void)
{
    struct exports *e = mem_zalloc(sizeof *e);

    e->refs = 1;
    arena_init(&e->arena, 0);
    return e;
}

struct exports *exports_zero(const struct component_type *type, bool stand_ins)
{
    struct exports *e = exports_new();
    struct value_field *fields;
    size_t n = 0;

    while (type->exports != NULL && type->exports[n].name != NULL)
        n++;
    fields = arena_zalloc(&e->arena, (n + 1) * sizeof *fields);
    for (size_t i = 0; i < n; i++) {
        const struct component_export *export = &type->exports[i];

        fields[i].name = slice_str(export->name);
        fields[i].value = stand_ins ? stand_in(export->type) : value_null();
        if (fields[i].value.type == VALUE_NULL)
            fields[i].value = zero_value(export->type);
    }
    BUG_ON(value_object(&e->arena, fields, n, &e->value) != OK);
    e->is_placeholder = stand_ins;
    return e;
}

struct exports *exports_with(const struct exports *old, struct slice name, const struct value *v)
{
    struct exports *e = exports_new();
    size_t n = old->value.as.object.n, at = 0;
    struct value_field *fields = arena_zalloc(&e->arena, (n + 1) * sizeof *fields);

    e->owner = old->owner;
    for (size_t i = 0; i < n; i++)
        fields[i] = old->value.as.object.fields[i];
    while (at < n && !slice_eq(fields[at].name, name))
        at++;
    fields[at] = (struct value_field){.name = name, .value = *v};
    for (size_t i = 0; i < n + (at == n); i++) {
        struct value copy;

        BUG_ON(value_copy(&e->arena, &fields[i].value, &copy) != OK);
        fields[i].value = copy;
        fields[i].name = arena_copy(&e->arena, fields[i].name);
    }
    BUG_ON(value_object(&e->arena, fields, n + (at == n), &e->value) != OK);
    return e;
}

struct exports *exports_ref(struct exports *e)
{
    e->refs++;
    return e;
}

void exports_unref(struct exports *e)
{
    if (e == NULL || --e->refs != 0)
        return;
    arena_release(&e->arena);
    mem_free(e);
}

void exports_used_add(struct exports_used *u, struct exports *e)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->items[i] == e)
            return;
    if (u->n == u->cap) {
        u->cap = u->cap == 0 ? 4 : 2 * u->cap;
        u->items = mem_realloc(u->items, u->cap * sizeof(struct exports *));
    }
    u->items[u->n++] = exports_ref(e);
}

void exports_used_release(struct exports_used *u)
{
    for (size_t i = 0; i < u->n; i++)
        exports_unref(u->items[i]);
    mem_free(u->items);
    *u = (struct exports_used){0};
}

void evaluation_free(void *evaluation)
{
    struct evaluation *e = evaluation;

    if (e == NULL)
        return;
    exports_used_release(&e->used);
    config_unref(e->config);
    arena_release(&e->arena);
    mem_free(e);
}

struct lookup {
    struct evaluator *ev;
    struct evaluation *evaluation;
};

static bool look_up(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    struct lookup *l = self;
    const struct config_block *block = config_find(l->ev->config, parts, n, n_used);
    struct exports *exports;

    if (block == NULL)
        return false;
    exports = l->ev->exports_of(l->ev->self, block);
    exports_used_add(&l->evaluation->used, exports);
    if (l->ev->seen != NULL)
        exports_used_add(l->ev->seen, exports);
    *out = exports->value;
    return true;
}

/* A receiver is good as it stands; an auth handler or rules may be looked into by whoever takes them. */
static bool is_receiver(const struct value *v)
{
    return value_as_capsule(v, &capsule_logs_receiver) != NULL ||
           value_as_capsule(v, &capsule_metrics_receiver) != NULL ||
           value_as_capsule(v, &capsule_otel_consumer) != NULL;
}

/* Does the expression use something that is known only when its component runs? */
static bool is_undecided(struct evaluator *ev, struct arena *arena, const struct source *source,
                         const struct expr *expr)
{
    struct ast_refs refs = {0};

    if (ast_expr_refs(arena, source, expr, &refs) != OK)
        return false;
    for (size_t i = 0; i < refs.n; i++) {
        size_t n_used;
        const struct config_block *block = config_find(ev->config, refs.items[i].parts, refs.items[i].n, &n_used);
        const struct exports *exports;
        const struct value *field = NULL;

        if (block == NULL)
            continue;
        exports = ev->exports_of(ev->self, block);
        if (!exports->is_placeholder)
            continue;
        if (n_used < refs.items[i].n)
            field = value_get(&exports->value, refs.items[i].parts[n_used]);
        /* A field that does not exist is wrong whatever happens. */
        if (n_used == refs.items[i].n || (field != NULL && !is_receiver(field)))
            return true;
    }
    return false;
}

static bool is_before(struct position a, struct position b)
{
    return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* Is the place in an argument that cannot be decided yet? */
static bool is_excused(struct evaluator *ev, struct arena *arena, const struct ast_body *body, struct position place)
{
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_stmt *stmt = &body->stmts[i];
        struct position start = source_position(body->source, stmt->span.start);
        struct position end = source_position(body->source, stmt->span.end);

        if (is_before(place, start) || !is_before(place, end))
            continue;
        if (stmt->block != NULL)
            return is_excused(ev, arena, &stmt->block->body, place);
        return is_undecided(ev, arena, body->source, stmt->attr->value);
    }
    return false;
}

/* Leaves out what cannot be known yet. */
static void filter_diags(struct evaluator *ev, struct arena *arena, const struct config_block *block,
                         struct diags *diags)
{
    size_t kept = 0;

    for (size_t i = 0; i < diags->n; i++) {
        if (is_excused(ev, arena, &block->ast->body, diags->items[i].start)) {
            diags->n_errors -= diags->items[i].severity == SEVERITY_ERROR;
            continue;
        }
        diags->items[kept++] = diags->items[i];
    }
    diags->n = kept;
}

enum code evaluate_block(struct evaluator *ev, const struct config_block *block, struct evaluation **out,
                         struct diags *diags)
{
    struct evaluation *e = mem_zalloc(sizeof *e);
    struct lookup lookup = {.ev = ev, .evaluation = e};
    struct scope scope = {.lookup = look_up, .self = &lookup};
    struct diags found;
    struct river_context ctx = {.arena = &e->arena, .diags = &found, .scope = &scope};
    enum code rc;

    *out = NULL;
    diags_init(&found);
    arena_init(&e->arena, 0);
    e->config = config_ref(ev->config);
    if (ev->stability == STABILITY_EXPERIMENTAL)
        ctx.flags |= RIVER_ALLOW_EXPERIMENTAL;
    e->args = arena_zalloc(&e->arena, block->type->args->size);
    rc = river_decode_body(&ctx, block->type->args, &block->ast->body, block->ast->name_span, e->args);
    if (rc == OK) {
        struct diags again; /* every error of the body was reported by the decoder */
        struct river_context value_ctx = {.arena = &e->arena, .diags = &again, .scope = &scope, .flags = ctx.flags};

        diags_init(&again);
        rc = river_body_value(&value_ctx, &block->ast->body, &e->body);
        if (rc != OK)
            diags_append(&found, &again);
        else
            e->shown = mask_body(&e->arena, block->type->args, &e->body);
        diags_release(&again);
    }
    if (rc != OK) {
        filter_diags(ev, &e->arena, block, &found);
        rc = diags_has_errors(&found) ? INVALID : AGAIN;
    }
    diags_append(diags, &found);
    diags_release(&found);
    if (rc != OK) {
        evaluation_free(e);
        return rc;
    }
    *out = e;
    return OK;
}
