#include "agent/river/ast.h"

static bool equal_exprs(const struct expr *a, const struct expr *b);

static bool equal_lists(struct expr *const *a, size_t n_a, struct expr *const *b, size_t n_b)
{
    for (size_t i = 0; i < n_a && n_a == n_b; i++) {
        if (!equal_exprs(a[i], b[i]))
            return false;
    }
    return n_a == n_b;
}

static bool equal_objects(const struct expr *a, const struct expr *b)
{
    for (size_t i = 0; i < a->as.object.n && a->as.object.n == b->as.object.n; i++) {
        const struct expr_key *x = &a->as.object.keys[i], *y = &b->as.object.keys[i];

        if (x->is_quoted != y->is_quoted || !slice_eq(x->name, y->name) || !equal_exprs(x->value, y->value))
            return false;
    }
    return a->as.object.n == b->as.object.n;
}

static bool equal_exprs(const struct expr *a, const struct expr *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case EXPR_LITERAL:
        return value_equal(a->as.literal, b->as.literal);
    case EXPR_IDENT:
        return slice_eq(a->as.ident, b->as.ident);
    case EXPR_ARRAY:
        return equal_lists(a->as.array.items, a->as.array.n, b->as.array.items, b->as.array.n);
    case EXPR_OBJECT:
        return equal_objects(a, b);
    case EXPR_ACCESS:
        return slice_eq(a->as.access.name, b->as.access.name) && equal_exprs(a->as.access.inner, b->as.access.inner);
    case EXPR_INDEX:
        return equal_exprs(a->as.index.inner, b->as.index.inner) && equal_exprs(a->as.index.at, b->as.index.at);
    case EXPR_CALL:
        return equal_exprs(a->as.call.callee, b->as.call.callee) &&
               equal_lists(a->as.call.args, a->as.call.n, b->as.call.args, b->as.call.n);
    case EXPR_UNARY:
        return a->op == b->op && equal_exprs(a->as.binary.right, b->as.binary.right);
    case EXPR_BINARY:
        return a->op == b->op && equal_exprs(a->as.binary.left, b->as.binary.left) &&
               equal_exprs(a->as.binary.right, b->as.binary.right);
    case EXPR_PAREN:
        return equal_exprs(a->as.paren, b->as.paren);
    }
    return false;
}

static bool equal_bodies(const struct ast_body *a, const struct ast_body *b)
{
    for (size_t i = 0; i < a->n && a->n == b->n; i++) {
        const struct ast_stmt *x = &a->stmts[i], *y = &b->stmts[i];

        if ((x->attr != NULL) != (y->attr != NULL))
            return false;
        if (x->attr != NULL &&
            (!slice_eq(x->attr->name, y->attr->name) || !equal_exprs(x->attr->value, y->attr->value)))
            return false;
        if (x->block != NULL &&
            (!slice_eq(x->block->name, y->block->name) || !slice_eq(x->block->label, y->block->label) ||
             !equal_bodies(&x->block->body, &y->block->body)))
            return false;
    }
    return a->n == b->n;
}

static struct slice comment_text(const struct ast_file *file, size_t i)
{
    struct span span = file->comments[i].span;

    return slice_head(slice_from(file->source->text, span.start), span.end - span.start);
}

/* But for carriage returns, which formatting drops. */
static bool equal_comments(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;

    for (;;) {
        while (i < a.len && a.ptr[i] == '\r')
            i++;
        while (k < b.len && b.ptr[k] == '\r')
            k++;
        if (i == a.len || k == b.len)
            return i == a.len && k == b.len;
        if (a.ptr[i++] != b.ptr[k++])
            return false;
    }
}

bool ast_equal(const struct ast_file *a, const struct ast_file *b)
{
    if (a->n_comments != b->n_comments || !equal_bodies(&a->body, &b->body))
        return false;
    for (size_t i = 0; i < a->n_comments; i++) {
        if (!equal_comments(comment_text(a, i), comment_text(b, i)))
            return false;
    }
    return true;
}
