#include "agent/runtime/evaluate.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/runtime/import.h"
#include "agent/runtime/mask.h"

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

/* --- names: arguments and exports of custom components --- */

/* What evaluating a name, or looking one up, counts as, however little it is. */
enum { NAME_WORK_BYTES = 512, LOOK_UP_WORK_BYTES = 128 };

/* What a name meant in one evaluation. */
struct name_value {
    uint32_t epoch;         /* of that evaluation */
    bool is_undecided;      /* it uses what is known only when its component runs */
    bool is_failed;         /* reported */
    struct slice waits_for; /* "": for nothing */
    struct value value;
};

struct name_values {
    struct name_value *items; /* per name of the configuration */
    size_t n;
    uint32_t epoch;
};

void evaluator_release(struct evaluator *ev)
{
    if (ev->values == NULL)
        return;
    mem_free(ev->values->items);
    mem_free(ev->values);
    ev->values = NULL;
}

/* Begins an evaluation: what names meant before is forgotten. Names come along while a configuration is expanded. */
static void next_epoch(struct evaluator *ev)
{
    struct name_values *v = ev->values;

    if (v == NULL)
        v = ev->values = mem_zalloc(sizeof *v);
    if (v->n < ev->config->n_names) {
        mem_free(v->items);
        v->n = ev->config->cap_names;
        v->items = mem_array(v->n, sizeof *v->items);
        v->epoch = 0;
    }
    v->epoch++;
}

static struct name_value *value_of(struct evaluator *ev, const struct config_name *name)
{
    struct name_value *v = &ev->values->items[name->number];

    return v->epoch == ev->values->epoch ? v : NULL;
}

struct lookup {
    struct evaluator *ev;
    struct evaluation *evaluation;
    const struct config_scope *scope;
    struct slice waits_for; /* set when something was looked up that is not known yet */
    struct river_context *ctx;
    uint64_t work; /* for looking up */
};

static void wait_for(struct lookup *l, struct slice id)
{
    if (l->waits_for.len == 0)
        l->waits_for = id;
}

static bool look_up_block(struct lookup *l, const struct config_name *name, struct value *out)
{
    const struct config_block *block = &l->ev->config->blocks[name->block];
    struct exports *exports = block->type == NULL ? NULL : l->ev->exports_of(l->ev->self, block);

    if (exports == NULL) {
        wait_for(l, block->id);
        *out = value_null();
        return true;
    }
    exports_used_add(&l->evaluation->used, exports);
    if (l->ev->seen != NULL)
        exports_used_add(l->ev->seen, exports);
    *out = exports->value;
    l->ctx->referred = block->type->name;
    return true;
}

static struct value look_up_name(struct lookup *l, const struct config_name *name)
{
    const struct name_value *v = value_of(l->ev, name);

    if (v == NULL)
        return value_null();
    if (v->waits_for.len != 0)
        wait_for(l, v->waits_for);
    return v->value;
}

static struct value object_of_one(struct arena *arena, const char *field, struct value v)
{
    struct value_field *fields = arena_zalloc(arena, sizeof *fields);
    struct value object;

    fields[0] = (struct value_field){.name = slice_str(field), .value = v};
    return value_object(arena, fields, 1, &object) == OK ? object : value_null();
}

static struct value look_up_instance(struct lookup *l, const struct config_name *name)
{
    const struct config_scope *inside = name->inside;
    struct value_field *fields;
    struct value object;
    size_t n = 0;

    if (inside == NULL || inside->is_pending) {
        wait_for(l, inside == NULL ? name->id : inside->waits_for);
        return value_null();
    }
    fields = arena_zalloc(&l->evaluation->arena, (inside->n_names + 1) * sizeof *fields);
    for (size_t i = 0; i < inside->n_names; i++)
        if (inside->names[i]->kind == NAME_EXPORT)
            fields[n++] =
                (struct value_field){.name = inside->names[i]->ast->label, .value = look_up_name(l, inside->names[i])};
    return value_object(&l->evaluation->arena, fields, n, &object) == OK ? object : value_null();
}

static bool look_up(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    struct lookup *l = self;
    struct config_found found = config_look_up(l->scope, parts, n);

    l->work += LOOK_UP_WORK_BYTES;
    *n_used = found.n_used;
    switch (found.kind) {
    case FOUND_NOTHING:
        return false;
    case FOUND_BLOCK:
        return look_up_block(l, found.name, out);
    case FOUND_ARGUMENT:
        *out = look_up_name(l, found.name);
        if (found.n_used < n && slice_eq_str(parts[found.n_used], "value"))
            (*n_used)++;
        else
            *out = object_of_one(&l->evaluation->arena, "value", *out);
        return true;
    case FOUND_INSTANCE:
        *out = look_up_instance(l, found.name);
        return true;
    case FOUND_EXPORT:
        *out = look_up_name(l, found.name);
        return true;
    case FOUND_VALUE:
        *out = found.value;
        for (size_t i = 0; found.scope != NULL && !l->ev->is_borrowing && i < found.scope->item_used->n; i++)
            exports_used_add(&l->evaluation->used, found.scope->item_used->items[i]);
        return true;
    }
    return false;
}

/* A receiver is good as it stands; an auth handler or rules may be looked into by whoever takes them. */
static bool is_receiver(const struct value *v)
{
    return value_as_capsule(v, &capsule_logs_receiver) != NULL ||
           value_as_capsule(v, &capsule_metrics_receiver) != NULL ||
           value_as_capsule(v, &capsule_otel_consumer) != NULL;
}

static bool is_block_undecided(struct evaluator *ev, const struct config_found *found, const struct ast_ref *ref)
{
    const struct config_block *block = &ev->config->blocks[found->name->block];
    const struct exports *exports = block->type == NULL ? NULL : ev->exports_of(ev->self, block);
    const struct value *field = NULL;

    if (exports == NULL)
        return true;
    if (!exports->is_placeholder)
        return false;
    if (found->n_used < ref->n)
        field = value_get(&exports->value, ref->parts[found->n_used]);
    /* A field that does not exist is wrong whatever happens. */
    return found->n_used == ref->n || (field != NULL && !is_receiver(field));
}

static bool is_name_undecided(struct evaluator *ev, const struct config_name *name)
{
    const struct name_value *v = value_of(ev, name);

    return v == NULL || v->is_undecided || v->is_failed;
}

static bool is_instance_undecided(struct evaluator *ev, const struct config_scope *inside)
{
    if (inside == NULL || inside->is_pending)
        return true;
    for (size_t i = 0; i < inside->n_names; i++)
        if (inside->names[i]->kind == NAME_EXPORT && is_name_undecided(ev, inside->names[i]))
            return true;
    return false;
}

/* Does the expression use something that is known only when its component runs (or that was reported as wrong)? */
static bool is_undecided(struct evaluator *ev, struct arena *arena, const struct config_scope *scope,
                         const struct source *source, const struct expr *expr)
{
    struct ast_refs refs = {0};
    bool is_found = false;

    if (ast_expr_refs(arena, source, expr, &refs) != OK)
        return false;
    for (size_t i = 0; i < refs.n && !is_found; i++) {
        struct config_found found = config_look_up(scope, refs.items[i].parts, refs.items[i].n);

        if (found.kind == FOUND_NOTHING)
            is_found = !stdlib_has(refs.items[i].parts[0]); /* reported when references were resolved */
        else if (found.kind == FOUND_BLOCK)
            is_found = is_block_undecided(ev, &found, &refs.items[i]);
        else if (found.kind == FOUND_ARGUMENT || found.kind == FOUND_EXPORT)
            is_found = is_name_undecided(ev, found.name);
        else if (found.kind == FOUND_INSTANCE)
            is_found = is_instance_undecided(ev, found.name->inside);
    }
    return is_found;
}

/* Counts what an evaluation did against what a whole configuration may. */
static enum code charge(struct evaluator *ev, uint64_t work, const struct source *source, struct span at,
                        struct diags *diags)
{
    ev->work += work;
    if (ev->work <= LIMIT_CONFIG_WORK_BYTES)
        return OK;
    diags_error(diags, source, at, "this configuration computes too much (limit: %u bytes)", LIMIT_CONFIG_WORK_BYTES);
    return INVALID;
}

/* Once it was too much, nothing more is evaluated: that was reported. */
static bool is_exhausted(const struct evaluator *ev)
{
    return ev->work > LIMIT_CONFIG_WORK_BYTES;
}

/* All names it uses have their values. */
static void evaluate_name(struct evaluator *ev, struct evaluation *e, const struct config_name *name,
                          struct diags *diags)
{
    struct name_value *v = &ev->values->items[name->number];
    struct lookup lookup = {.ev = ev, .evaluation = e, .scope = name->meaning};
    struct scope scope = {.lookup = look_up, .self = &lookup};
    struct diags found;
    struct river_context ctx = {.arena = &e->arena, .diags = &found, .scope = &scope};
    enum code rc;

    lookup.ctx = &ctx;
    *v = (struct name_value){.epoch = ev->values->epoch};
    if (name->value == NULL)
        return;
    diags_init(&found);
    if (ev->stability == STABILITY_EXPERIMENTAL)
        ctx.flags |= RIVER_ALLOW_EXPERIMENTAL;
    rc = river_eval(&ctx, name->value_source, name->value, &v->value);
    if (charge(ev, ctx.work + lookup.work + NAME_WORK_BYTES, name->value_source, name->value->span, &found) != OK)
        rc = INVALID;
    v->waits_for = lookup.waits_for;
    v->is_undecided =
        lookup.waits_for.len != 0 || is_undecided(ev, &e->arena, name->meaning, name->value_source, name->value);
    v->is_failed = rc != OK && !v->is_undecided;
    if (rc != OK)
        v->value = value_null();
    if (!v->is_undecided)
        diags_append(diags, &found);
    /* What an unset variable leaves wrong further on is no error of `validate`. */
    for (size_t i = 0; ev->is_check && i < found.n; i++)
        v->is_undecided = v->is_undecided || found.items[i].kind == DIAG_ONLY_VALIDATE;
    diags_release(&found);
}

static bool is_plain(const struct config_name *name)
{
    return name->kind == NAME_ARGUMENT || name->kind == NAME_EXPORT;
}

/* Values of all arguments and exports that start uses, directly or not; and of start, when it is one itself. Without
 * recursion: chains of modules are long. False: one of them was wrong, which is in diags. */
static bool evaluate_names(struct evaluator *ev, struct evaluation *e, const struct config_name *start,
                           struct diags *diags)
{
    struct todo {
        const struct config_name *name;
        size_t next;
    } *path = NULL;
    size_t n = 0, cap = 0, n_errors = diags->n_errors;
    const struct config_name *push = start;

    for (;;) {
        struct todo *top;

        if (push != NULL && n == cap) {
            cap = cap == 0 ? 16 : 2 * cap;
            path = mem_realloc(path, cap * sizeof *path);
        }
        if (push != NULL)
            path[n++] = (struct todo){push, 0};
        push = NULL;
        top = &path[n - 1];
        while (top->next < top->name->n_uses && push == NULL && !is_exhausted(ev)) {
            const struct config_name *use = top->name->uses[top->next++];

            if (is_plain(use) && value_of(ev, use) == NULL) {
                push = use;
                /* a configuration that is refused may have cycles */
                ev->values->items[use->number] = (struct name_value){.epoch = ev->values->epoch, .is_undecided = true};
            }
        }
        if (push != NULL)
            continue;
        if (is_plain(top->name) && !is_exhausted(ev))
            evaluate_name(ev, e, top->name, diags);
        if (--n == 0)
            break;
    }
    mem_free(path);
    return diags->n_errors == n_errors;
}

static bool is_before(struct position a, struct position b)
{
    return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* The statement around a place, or NULL. They stand in order. */
static const struct ast_stmt *stmt_at(const struct ast_body *body, struct position place)
{
    size_t low = 0, high = body->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ast_stmt *stmt = &body->stmts[middle];

        if (is_before(place, source_position(body->source, stmt->span.start)))
            high = middle;
        else if (!is_before(place, source_position(body->source, stmt->span.end)))
            low = middle + 1;
        else
            return stmt;
    }
    return NULL;
}

/* Does the statement read an environment variable that is not set here? The evaluation has said so. */
static bool reads_unset_env(const struct ast_body *body, const struct ast_stmt *stmt, const struct diags *diags)
{
    for (size_t i = 0; i < diags->n; i++) {
        const struct diag *d = &diags->items[i];

        if (d->kind == DIAG_ONLY_VALIDATE && slice_eq_str(body->source->name, d->file) &&
            stmt_at(body, d->start) == stmt)
            return true;
    }
    return false;
}

/* Is the place in an argument that cannot be decided yet? */
static bool is_excused(struct evaluator *ev, struct arena *arena, const struct config_block *block,
                       const struct diag *diag, const struct diags *diags)
{
    const struct ast_body *body = &block->ast->body, *of = body;
    const struct ast_stmt *stmt = NULL;

    if (!slice_eq_str(block->source->name, diag->file)) /* about what an argument was given elsewhere */
        return false;
    while (body != NULL) {
        of = body;
        stmt = stmt_at(body, diag->start);
        body = stmt != NULL && stmt->block != NULL ? &stmt->block->body : NULL;
    }
    if (stmt == NULL || stmt->attr == NULL)
        return false;
    return (ev->is_check && diag->severity == SEVERITY_ERROR && reads_unset_env(of, stmt, diags)) ||
           is_undecided(ev, arena, block->scope, block->source, stmt->attr->value);
}

/* Leaves out what cannot be known yet. */
static void filter_diags(struct evaluator *ev, struct arena *arena, const struct config_block *block,
                         struct diags *diags)
{
    struct diags seen = *diags; /* with its own count: kept ones move forward in the same array */
    size_t kept = 0;

    for (size_t i = 0; i < diags->n; i++) {
        if (!diags->items[i].is_certain && is_excused(ev, arena, block, &diags->items[i], &seen)) {
            diags->n_errors -= diags->items[i].severity == SEVERITY_ERROR;
            continue;
        }
        diags->items[kept++] = diags->items[i];
    }
    diags->n = kept;
}

static struct evaluation *evaluation_new(struct evaluator *ev)
{
    struct evaluation *e = mem_zalloc(sizeof *e);

    arena_init(&e->arena, 0);
    e->config = ev->is_borrowing ? NULL : config_ref(ev->config);
    next_epoch(ev);
    return e;
}

/* The body without blocks that are not evaluated here (a template). */
static struct ast_body evaluated_part(struct arena *arena, const struct component_type *type,
                                      const struct ast_body *body)
{
    struct ast_body part = *body;

    if (type != &component_foreach)
        return part;
    part.n = 0;
    part.stmts = arena_zalloc(arena, (body->n + 1) * sizeof *part.stmts);
    for (size_t i = 0; i < body->n; i++)
        if (body->stmts[i].block == NULL)
            part.stmts[part.n++] = body->stmts[i];
    return part;
}

/* Decodes the block, and makes the value of its body: as often as it has arguments. */
static enum code decode(struct evaluator *ev, const struct config_block *block, struct evaluation *e,
                        struct lookup *lookup, struct diags *found)
{
    struct scope scope = {.lookup = look_up, .self = lookup};
    struct river_context ctx = {.arena = &e->arena, .diags = found, .scope = &scope};
    struct diags again; /* every error of the body is reported by the decoder */
    struct ast_body body;
    enum code rc;

    lookup->ctx = &ctx;
    if (ev->stability == STABILITY_EXPERIMENTAL)
        ctx.flags |= RIVER_ALLOW_EXPERIMENTAL;
    e->args = arena_zalloc(&e->arena, block->type->args->size);
    rc = river_decode_body(&ctx, block->type->args, &block->ast->body, block->ast->name_span, e->args);
    if (charge(ev, ctx.work + lookup->work, block->source, block->ast->name_span, found) != OK)
        rc = INVALID;
    if (rc != OK)
        return rc;
    diags_init(&again);
    body = evaluated_part(&e->arena, block->type, &block->ast->body);
    ctx.diags = &again;
    ctx.work = 0;
    rc = river_body_value(&ctx, &body, &e->body);
    if (charge(ev, ctx.work, block->source, block->ast->name_span, &again) != OK)
        rc = INVALID;
    if (rc != OK)
        diags_append(found, &again);
    else
        e->shown = mask_body(&e->arena, block->type->args, &e->body);
    diags_release(&again);
    return rc;
}

enum code evaluate_block(struct evaluator *ev, const struct config_block *block, struct evaluation **out,
                         struct diags *diags)
{
    struct evaluation *e;
    struct lookup lookup = {.ev = ev, .scope = block->scope};
    struct diags found, names;
    enum code rc;

    *out = NULL;
    if (is_exhausted(ev))
        return INVALID;
    e = lookup.evaluation = evaluation_new(ev);
    ev->waits_for = slice_str("");
    diags_init(&found);
    diags_init(&names);
    evaluate_names(ev, e, block->name, &names);
    rc = decode(ev, block, e, &lookup, &found);
    if (rc != OK) {
        filter_diags(ev, &e->arena, block, &found);
        rc = AGAIN;
    }
    if (lookup.waits_for.len != 0) {
        ev->waits_for = lookup.waits_for;
        rc = AGAIN;
    }
    if (diags_has_errors(&found) || diags_has_errors(&names))
        rc = INVALID;
    diags_append(diags, &names);
    diags_append(diags, &found);
    diags_release(&names);
    diags_release(&found);
    if (rc != OK) {
        evaluation_free(e);
        return rc;
    }
    *out = e;
    return OK;
}

enum code evaluate_all_modules(struct evaluator *ev, struct diags *diags)
{
    const struct config *config = ev->config;
    struct evaluation *e = evaluation_new(ev);
    bool is_good = true;

    for (size_t i = 0; i < config->n_names; i++)
        if (is_plain(config->names[i]) && value_of(ev, config->names[i]) == NULL && !is_exhausted(ev))
            is_good = evaluate_names(ev, e, config->names[i], diags) && is_good;
    evaluation_free(e);
    return is_good ? OK : INVALID;
}

enum code evaluate_module(struct evaluator *ev, const struct config_scope *scope, enum module_values which,
                          struct evaluation **out, struct diags *diags)
{
    enum config_name_kind kind = which == MODULE_ARGUMENTS ? NAME_ARGUMENT : NAME_EXPORT;
    struct evaluation *e = evaluation_new(ev);
    struct value_field *fields = arena_zalloc(&e->arena, (scope->n_names + 1) * sizeof *fields);
    size_t n = 0;
    bool is_good = true;

    *out = NULL;
    for (size_t i = 0; i < scope->n_names; i++) {
        const struct config_name *name = scope->names[i];
        const struct name_value *v;

        if (name->kind != kind)
            continue;
        if (value_of(ev, name) == NULL)
            is_good = evaluate_names(ev, e, name, diags) && is_good;
        v = value_of(ev, name);
        fields[n++] = (struct value_field){.name = name->ast->label, .value = v == NULL ? value_null() : v->value};
    }
    if (value_object(&e->arena, fields, n, &e->body) != OK)
        is_good = false;
    if (!is_good) {
        evaluation_free(e);
        return INVALID;
    }
    e->shown = e->body;
    *out = e;
    return OK;
}
