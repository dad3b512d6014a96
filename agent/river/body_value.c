/* A body as a value, and that value as the API shows it. */
#include "agent/river/eval_int.h"
#include "agent/text/json.h"
#include <stdlib.h>

static int cmp_attrs(const void *a, const void *b)
{
    const struct ast_attr *const *x = a, *const *y = b;

    return slice_cmp((*x)->name, (*y)->name);
}

/* All of it ends up in ctx->arena, so that it outlives the tree it came from. */
static enum code statement(struct river_context *ctx, struct slice name, bool is_block, struct slice label,
                           const struct value *content, struct value *out)
{
    struct value_field fields[4] = {
        {SLICE_LIT("name"), value_string(arena_copy(ctx->arena, name))},
        {SLICE_LIT("type"), value_string(is_block ? SLICE_LIT("block") : SLICE_LIT("attr"))},
        {is_block ? SLICE_LIT("body") : SLICE_LIT("value"), *content},
        {SLICE_LIT("label"), value_string(arena_copy(ctx->arena, label))},
    };

    if (fields[0].value.as.text.bytes.ptr == NULL)
        return NOMEM;
    return value_object(ctx->arena, fields, label.len != 0 ? 4 : 3, out);
}

static enum code attribute(struct river_context *ctx, const struct ast_body *body, const struct ast_attr *attr,
                           struct value *out)
{
    struct value v, kept;
    enum code rc = river_eval(ctx, body->source, attr->value, &v);

    if (rc != OK)
        return rc;
    rc = value_copy(ctx->arena, &v, &kept);
    if (rc == OK)
        rc = statement(ctx, attr->name, false, (struct slice){0}, &kept, out);
    return rc == OK ? OK : eval_no_memory(ctx, body->source, attr->value->span);
}

static enum code block(struct river_context *ctx, const struct ast_body *body, const struct ast_block *b,
                       struct value *out)
{
    struct value inside;
    enum code rc = river_body_value(ctx, &b->body, &inside);

    if (rc != OK)
        return rc;
    rc = statement(ctx, b->name, true, b->label, &inside, out);
    return rc == OK ? OK : eval_no_memory(ctx, body->source, b->name_span);
}

enum code river_body_value(struct river_context *ctx, const struct ast_body *body, struct value *out)
{
    struct value *items = arena_try_array(ctx->arena, body->n, sizeof *items);
    const struct ast_attr **attrs = arena_try_array(ctx->arena, body->n, sizeof *attrs);
    size_t n_attrs = 0, n = 0;
    enum code rc = OK;

    *out = value_array(NULL, 0);
    if (body->n != 0 && (items == NULL || attrs == NULL))
        return eval_no_memory(ctx, body->source, body->stmts[0].span);
    for (size_t i = 0; i < body->n; i++) {
        if (body->stmts[i].attr != NULL)
            attrs[n_attrs++] = body->stmts[i].attr;
    }
    if (n_attrs > 1)
        qsort(attrs, n_attrs, sizeof *attrs, cmp_attrs);
    for (size_t i = 0; i < n_attrs; i++) {
        enum code one = attribute(ctx, body, attrs[i], &items[n++]);

        if (one != OK)
            rc = one;
    }
    for (size_t i = 0; i < body->n; i++) {
        enum code one = body->stmts[i].block != NULL ? block(ctx, body, body->stmts[i].block, &items[n++]) : OK;

        if (one != OK)
            rc = one;
    }
    *out = value_array(items, n);
    return rc;
}

void river_body_value_json(struct buf *out, const struct value *body_value)
{
    (void)buf_add_char(out, '[');
    for (size_t i = 0; i < body_value->as.array.n && !out->is_full; i++) {
        const struct value *stmt = &body_value->as.array.items[i];
        const struct value *label = value_get_str(stmt, "label"), *body = value_get_str(stmt, "body");

        (void)buf_add_str(out, i != 0 ? ",{\"name\":" : "{\"name\":");
        (void)json_write_string(out, value_get_str(stmt, "name")->as.text.bytes);
        (void)buf_add_str(out, body != NULL ? ",\"type\":\"block\"" : ",\"type\":\"attr\"");
        if (label != NULL) {
            (void)buf_add_str(out, ",\"label\":");
            (void)json_write_string(out, label->as.text.bytes);
        }
        (void)buf_add_str(out, body != NULL ? ",\"body\":" : ",\"value\":");
        if (body != NULL)
            river_body_value_json(out, body);
        else
            value_to_typed_json(out, value_get_str(stmt, "value"));
        (void)buf_add_char(out, '}');
    }
    (void)buf_add_char(out, ']');
}
