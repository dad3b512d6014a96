#include "agent/river/ast.h"

const char *ast_op_text(enum ast_op op)
{
    static const char *const texts[] = {
        [OP_OR] = "||", [OP_AND] = "&&", [OP_EQ] = "==", [OP_NE] = "!=", [OP_LT] = "<",
        [OP_LE] = "<=", [OP_GT] = ">",   [OP_GE] = ">=", [OP_ADD] = "+", [OP_SUB] = "-",
        [OP_MUL] = "*", [OP_DIV] = "/",  [OP_MOD] = "%", [OP_POW] = "^", [OP_NOT] = "!",
    };

    return texts[op];
}

struct slice ast_block_id(struct arena *arena, const struct ast_block *block)
{
    size_t len = block->name.len + 1 + block->label.len;
    char *id;

    if (block->label.len == 0)
        return block->name;
    id = arena_try_alloc(arena, len);
    if (id == NULL)
        return (struct slice){0};
    memcpy(id, block->name.ptr, block->name.len);
    id[block->name.len] = '.';
    memcpy(id + block->name.len + 1, block->label.ptr, block->label.len);
    return slice_make(id, len);
}

const struct ast_attr *ast_find_attr(const struct ast_body *body, struct slice name)
{
    for (size_t i = 0; i < body->n; i++) {
        if (body->stmts[i].attr != NULL && slice_eq(body->stmts[i].attr->name, name))
            return body->stmts[i].attr;
    }
    return NULL;
}

/* --- references --- */

struct ref_walk {
    struct arena *arena;
    const struct source *source;
    struct ast_refs *refs;
};

static enum code push(struct ref_walk *w, const struct ast_ref *ref)
{
    struct ast_refs *refs = w->refs;

    if (refs->n == refs->cap) {
        size_t cap = refs->cap != 0 ? refs->cap * 2 : 8;
        struct ast_ref *grown = arena_try_array(w->arena, cap, sizeof *grown);

        if (grown == NULL)
            return NOMEM;
        if (refs->n != 0)
            memcpy(grown, refs->items, refs->n * sizeof *grown);
        refs->items = grown;
        refs->cap = cap;
    }
    refs->items[refs->n++] = *ref;
    return OK;
}

/* How many parts the dotted chain that ends in e has; 0 when it does not start with an identifier. */
static size_t chain_length(const struct expr *e)
{
    size_t n = 1;

    for (; e->kind == EXPR_ACCESS; e = e->as.access.inner)
        n++;
    return e->kind == EXPR_IDENT ? n : 0;
}

static enum code add_chain(struct ref_walk *w, const struct expr *e, size_t n)
{
    struct slice *parts = arena_try_array(w->arena, n, sizeof *parts);
    struct span *spans = arena_try_array(w->arena, n, sizeof *spans);
    struct ast_ref ref = {.parts = parts, .spans = spans, .n = n, .span = e->span, .source = w->source};

    if (parts == NULL || spans == NULL)
        return NOMEM;
    for (size_t i = n - 1; i > 0; i--, e = e->as.access.inner) {
        parts[i] = e->as.access.name;
        spans[i] = (struct span){e->span.end - (uint32_t)e->as.access.name.len, e->span.end};
    }
    parts[0] = e->as.ident;
    spans[0] = e->span;
    return push(w, &ref);
}

static enum code walk_expr(struct ref_walk *w, const struct expr *e);

static enum code walk_list(struct ref_walk *w, struct expr *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum code rc = walk_expr(w, items[i]);

        if (rc != OK)
            return rc;
    }
    return OK;
}

static enum code walk_object(struct ref_walk *w, const struct expr *e)
{
    for (size_t i = 0; i < e->as.object.n; i++) {
        enum code rc = walk_expr(w, e->as.object.keys[i].value);

        if (rc != OK)
            return rc;
    }
    return OK;
}

static enum code walk_two(struct ref_walk *w, const struct expr *a, const struct expr *b)
{
    enum code rc = a != NULL ? walk_expr(w, a) : OK;

    return rc == OK ? walk_expr(w, b) : rc;
}

static enum code walk_expr(struct ref_walk *w, const struct expr *e)
{
    size_t n;
    enum code rc;

    switch (e->kind) {
    case EXPR_LITERAL:
        return OK;
    case EXPR_IDENT:
    case EXPR_ACCESS:
        n = chain_length(e);
        return n != 0 ? add_chain(w, e, n) : walk_expr(w, e->as.access.inner);
    case EXPR_ARRAY:
        return walk_list(w, e->as.array.items, e->as.array.n);
    case EXPR_OBJECT:
        return walk_object(w, e);
    case EXPR_INDEX:
        return walk_two(w, e->as.index.inner, e->as.index.at);
    case EXPR_CALL:
        rc = walk_expr(w, e->as.call.callee);
        return rc == OK ? walk_list(w, e->as.call.args, e->as.call.n) : rc;
    case EXPR_UNARY:
    case EXPR_BINARY:
        return walk_two(w, e->as.binary.left, e->as.binary.right);
    case EXPR_PAREN:
        return walk_expr(w, e->as.paren);
    }
    return OK;
}

enum code ast_expr_refs(struct arena *arena, const struct source *source, const struct expr *expr,
                        struct ast_refs *refs)
{
    struct ref_walk w = {arena, source, refs};

    return walk_expr(&w, expr);
}

enum code ast_body_refs(struct arena *arena, const struct ast_body *body, struct ast_refs *refs)
{
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_stmt *s = &body->stmts[i];
        enum code rc = s->attr != NULL ? ast_expr_refs(arena, body->source, s->attr->value, refs)
                                       : ast_body_refs(arena, &s->block->body, refs);

        if (rc != OK)
            return rc;
    }
    return OK;
}
