/* Which literals of a body are secrets: those a table takes as such. */
#include "agent/base/mem.h"
#include "agent/river/diag_int.h"
#include "agent/river/schema_int.h"

struct secrets {
    struct span *items; /* owned */
    size_t n, cap;
};

static bool is_secret_kind(enum river_kind kind)
{
    return kind == RIVER_SECRET || kind == RIVER_OPTIONAL_SECRET || kind == RIVER_SECRET_LIST ||
           kind == RIVER_SECRET_MAP || kind == RIVER_SECRET_LIST_MAP;
}

static void note(struct secrets *s, struct span at)
{
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 16 : 2 * s->cap;
        s->items = mem_realloc(s->items, s->cap * sizeof *s->items);
    }
    s->items[s->n++] = at;
}

/* The name of an environment variable is no secret, and mostly what the diagnostic is about. */
static bool reads_environment(const struct expr *callee)
{
    return (callee->kind == EXPR_ACCESS && slice_eq_str(callee->as.access.name, "env")) ||
           (callee->kind == EXPR_IDENT && slice_eq_str(callee->as.ident, "env"));
}

static void note_literals(struct secrets *s, const struct expr *e)
{
    switch (e->kind) {
    case EXPR_LITERAL:
        if (e->as.literal->type == VALUE_STRING || e->as.literal->type == VALUE_NUMBER)
            note(s, e->span);
        break;
    case EXPR_ARRAY:
        for (size_t i = 0; i < e->as.array.n; i++)
            note_literals(s, e->as.array.items[i]);
        break;
    case EXPR_OBJECT:
        for (size_t i = 0; i < e->as.object.n; i++)
            note_literals(s, e->as.object.keys[i].value);
        break;
    case EXPR_CALL:
        for (size_t i = 0; i < e->as.call.n && !reads_environment(e->as.call.callee); i++)
            note_literals(s, e->as.call.args[i]);
        break;
    case EXPR_BINARY:
        note_literals(s, e->as.binary.left);
        note_literals(s, e->as.binary.right);
        break;
    case EXPR_UNARY:
        note_literals(s, e->as.binary.right);
        break;
    case EXPR_PAREN:
        note_literals(s, e->as.paren);
        break;
    case EXPR_IDENT:
    case EXPR_ACCESS:
    case EXPR_INDEX:
        break;
    }
}

static const struct river_field *find_attr(const struct river_block *type, struct slice name, struct nearest *nearest)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        const struct river_field *inner = f->kind == RIVER_FLATTEN ? find_attr(f->block, name, nearest) : NULL;

        if (inner != NULL)
            return inner;
        if (f->name == NULL || !schema_is_attr(f->kind))
            continue;
        if (slice_eq_str(name, f->name))
            return f;
        if (is_secret_kind(f->kind))
            nearest_offer(nearest, slice_str(f->name));
    }
    return NULL;
}

/* An argument that is misspelt may be a secret: then what is near to its name decides. */
static bool is_secret(const struct river_block *type, struct slice name)
{
    struct nearest nearest;
    const struct river_field *f;

    nearest_init(&nearest, name);
    f = find_attr(type, name, &nearest);
    return f != NULL ? is_secret_kind(f->kind) : nearest.best.ptr != NULL;
}

static const struct river_block *find_block(const struct river_block *type, struct slice name)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        const struct river_block *inner = f->kind == RIVER_FLATTEN ? find_block(f->block, name) : NULL;
        size_t prefix = f->name != NULL ? strlen(f->name) : 0;

        if (inner != NULL)
            return inner;
        if (f->kind == RIVER_BLOCK && slice_eq_str(name, f->name))
            return f->block;
        if (f->kind != RIVER_ENUM_BLOCKS || !slice_starts(name, slice_str(f->name)))
            continue;
        for (size_t i = 0; f->blocks[i] != NULL; i++) {
            if (name.len > prefix && name.ptr[prefix] == '.' &&
                slice_eq_str(slice_from(name, prefix + 1), f->blocks[i]->name))
                return f->blocks[i];
        }
    }
    return NULL;
}

/* The first statement that does not end before the line. They stand in order. */
static size_t first_at(const struct ast_body *body, uint32_t line)
{
    size_t low = 0, high = body->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (source_line_of(body->source, body->stmts[middle].span.end) < line)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Notes the secrets that stand on that line, or over it. */
static void walk(struct secrets *s, const struct river_block *type, const struct ast_body *body, uint32_t line)
{
    for (size_t i = first_at(body, line); i < body->n; i++) {
        const struct ast_stmt *stmt = &body->stmts[i];
        const struct river_block *inner;

        if (source_line_of(body->source, stmt->span.start) > line)
            break;
        inner = stmt->block != NULL ? find_block(type, stmt->block->name) : NULL;
        if (inner != NULL)
            walk(s, inner, &stmt->block->body, line);
        else if (stmt->attr != NULL && is_secret(type, stmt->attr->name))
            note_literals(s, stmt->attr->value);
    }
}

void river_hide_secrets(struct diags *diags, const struct river_block *type, const struct ast_body *body)
{
    uint32_t first, last;

    if (diags->n == 0 || body->n == 0)
        return;
    first = source_line_of(body->source, body->stmts[0].span.start);
    last = source_line_of(body->source, body->stmts[body->n - 1].span.end);
    for (size_t i = 0; i < diags->n; i++) {
        struct diag *diag = &diags->items[i];
        struct secrets s = {0};

        if (diag->start.line < first || diag->start.line > last || !slice_eq_str(body->source->name, diag->file))
            continue;
        walk(&s, type, body, diag->start.line);
        if (s.n > 0)
            diag_excerpt(&diags->arena, body->source, diag, s.items, s.n);
        mem_free(s.items);
    }
}
