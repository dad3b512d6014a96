/* What must not leave the process, and the configuration's texts without it, for the support bundle. Any thread.
 *
 * A secret is found in two ways: by the argument tables, where a text stands in an argument that takes a secret, and by
 * value: every text that became a secret in an evaluated argument or an export. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/mask.h"
#include "agent/runtime/runtime_int.h"
#include <stdlib.h>

struct spans {
    struct span *items; /* owned */
    size_t n, cap;
};

struct walk {
    component_types types;
    const struct source *source;
    struct spans found;
};

static void add_span(struct walk *w, struct span span)
{
    struct spans *s = &w->found;

    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 16 : 2 * s->cap;
        s->items = mem_realloc(s->items, s->cap * sizeof *s->items);
    }
    s->items[s->n++] = span;
}

static bool is_secret_field(const struct river_field *f)
{
    return f->kind == RIVER_SECRET || f->kind == RIVER_OPTIONAL_SECRET || f->kind == RIVER_SECRET_LIST ||
           f->kind == RIVER_SECRET_MAP || f->kind == RIVER_SECRET_LIST_MAP;
}

/* Every text written in the expression, keys of objects left out. Expressions are at most LIMIT_RIVER_HEIGHT high. */
static void mask_texts(struct walk *w, const struct expr *e)
{
    switch (e->kind) {
    case EXPR_LITERAL:
        if (value_is_text(e->as.literal))
            add_span(w, e->span);
        break;
    case EXPR_ARRAY:
        for (size_t i = 0; i < e->as.array.n; i++)
            mask_texts(w, e->as.array.items[i]);
        break;
    case EXPR_OBJECT:
        for (size_t i = 0; i < e->as.object.n; i++)
            mask_texts(w, e->as.object.keys[i].value);
        break;
    case EXPR_CALL:
        for (size_t i = 0; i < e->as.call.n; i++)
            mask_texts(w, e->as.call.args[i]);
        break;
    case EXPR_UNARY:
        mask_texts(w, e->as.binary.right);
        break;
    case EXPR_BINARY:
        mask_texts(w, e->as.binary.left);
        mask_texts(w, e->as.binary.right);
        break;
    case EXPR_PAREN:
        mask_texts(w, e->as.paren);
        break;
    case EXPR_IDENT: /* names say nothing */
    case EXPR_ACCESS:
    case EXPR_INDEX:
        break;
    }
}

static void walk_body(struct walk *w, const struct ast_body *body, const struct river_block *table, struct slice label)
{
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_attr *attr = body->stmts[i].attr;
        const struct ast_block *block = body->stmts[i].block;
        struct slice name = attr != NULL ? attr->name : block->name;
        const struct river_block *inner = NULL;
        const struct river_field *field = table == NULL ? NULL : mask_find_field(table->fields, name, &inner);

        if (attr != NULL) {
            if (field != NULL ? is_secret_field(field) : river_sounds_secret(name) || river_sounds_secret(label))
                mask_texts(w, attr->value);
            continue;
        }
        if (inner == NULL && field == NULL) { /* in a declare, a template: a component of its own */
            const struct component_type *type = component_type_find(w->types, name);

            inner = type != NULL ? type->args : NULL;
        }
        walk_body(w, &block->body, inner, block->label);
    }
}

static int by_start(const void *a, const void *b)
{
    const struct span *one = a, *two = b;

    return one->start < two->start ? -1 : one->start > two->start;
}

static void write_masked(const struct walk *w, struct buf *out)
{
    struct slice text = w->source->text;
    size_t at = 0;

    if (w->found.n != 0)
        qsort(w->found.items, w->found.n, sizeof *w->found.items, by_start);
    for (size_t i = 0; i < w->found.n; i++) {
        const struct span *span = &w->found.items[i];

        if (span->start < at)
            continue;
        buf_add(out, slice_make(text.ptr + at, span->start - at));
        buf_add_str(out, "\"(secret)\"");
        at = span->end;
    }
    buf_add(out, slice_from(text, at));
}

/* A text is shown once, however many modules were made of it. */
static bool is_first_of_source(const struct config *c, const struct config_scope *scope, size_t at)
{
    const struct source *source = scope->names[at]->source;

    for (size_t s = 0; s <= scope->number; s++) {
        const struct config_scope *other = c->scopes[s];
        size_t n = other == scope ? at : other->n_names;

        if (other->kind != SCOPE_ROOT && other->kind != SCOPE_IMPORT)
            continue;
        for (size_t i = 0; i < n; i++)
            if (other->names[i]->source == source)
                return false;
    }
    return true;
}

static void write_source(struct runtime *rt, const struct config_scope *scope, const struct source *source,
                         struct buf *out)
{
    struct walk w = {.types = rt->options.types, .source = source};

    for (size_t i = 0; i < scope->n_names; i++) {
        const struct config_name *name = scope->names[i];
        const struct component_type *type = component_type_find(rt->options.types, name->ast->name);

        if (name->source == source)
            walk_body(&w, &name->ast->body, type != NULL ? type->args : NULL, name->ast->label);
    }
    write_masked(&w, out);
    mem_free(w.found.items);
}

void runtime_each_source(struct runtime *rt, void (*each)(void *ctx, struct slice name, struct slice text), void *ctx)
{
    struct buf text;

    pthread_mutex_lock(&rt->lock);
    for (size_t s = 0; rt->config != NULL && s < rt->config->n_scopes; s++) {
        const struct config_scope *scope = rt->config->scopes[s];

        if (scope->kind != SCOPE_ROOT && scope->kind != SCOPE_IMPORT)
            continue;
        for (size_t i = 0; i < scope->n_names; i++) {
            if (scope->names[i]->source == NULL || !is_first_of_source(rt->config, scope, i))
                continue;
            buf_init(&text, 2 * (size_t)LIMIT_CONFIG_STRING_BYTES);
            write_source(rt, scope, scope->names[i]->source, &text);
            each(ctx, scope->names[i]->source->name, buf_slice(&text));
            buf_release(&text);
        }
    }
    pthread_mutex_unlock(&rt->lock);
}

static void each_text(const struct value *v, void (*each)(void *ctx, struct slice secret), void *ctx)
{
    if (value_is_secret(v))
        each(ctx, v->as.text.bytes);
    else if (v->type == VALUE_ARRAY)
        for (size_t i = 0; i < v->as.array.n; i++)
            each_text(&v->as.array.items[i], each, ctx);
    else if (v->type == VALUE_OBJECT)
        for (size_t i = 0; i < v->as.object.n; i++)
            each_text(&v->as.object.fields[i].value, each, ctx);
}

void runtime_each_secret(struct runtime *rt, void (*each)(void *ctx, struct slice secret), void *ctx)
{
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts) {
        const struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->eval != NULL)
            each_text(&h->eval->shown, each, ctx);
        each_text(&h->exports->value, each, ctx);
    }
    pthread_mutex_unlock(&rt->lock);
}

void runtime_each_id(struct runtime *rt, void (*each)(void *ctx, const char *id), void *ctx)
{
    pthread_mutex_lock(&rt->lock);
    LIST_EACH (it, &rt->hosts)
        each(ctx, CONTAINER_OF(it, struct host, link)->id);
    pthread_mutex_unlock(&rt->lock);
}
