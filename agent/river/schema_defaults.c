/* Defaults, and the check of a table itself. */
#include "agent/river/parser.h"
#include "agent/river/schema_int.h"

enum { MOST_NESTED = 32 };

/* Evaluates one default. They are constant expressions: no scope, a library without an environment. */
static enum code set_default(struct arena *arena, const struct river_field *field, void *dst, struct error *err)
{
    struct river_context ctx = {0};
    const struct source *source;
    struct misfit misfit;
    struct arena scratch;
    struct diags diags;
    struct expr *expr;
    struct value v;
    enum code rc;

    arena_init(&scratch, 0);
    diags_init(&diags);
    ctx.arena = &scratch;
    ctx.diags = &diags;
    rc = river_parse_expr(slice_str(field->def), "default", &scratch, &diags, &source, &expr);
    if (rc == OK)
        rc = river_eval(&ctx, source, expr, &v);
    if (rc != OK)
        rc = error_set(err, INVALID, "default of \"%s\" (%s): %s", field->name, field->def,
                       diags.n != 0 ? diags.items[0].text : "does not evaluate");
    if (rc == OK) {
        rc = schema_convert(arena, field, &v, dst, &misfit);
        if (rc == INVALID)
            (void)error_set(err, INVALID, "default of \"%s\" (%s): %s", field->name, field->def, misfit.err.text);
    }
    diags_release(&diags);
    arena_release(&scratch);
    return rc;
}

static enum code fill(struct arena *arena, const struct river_block *type, char *out, struct error *err)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        enum code rc = OK;

        if (schema_is_attr(f->kind) && f->def != NULL)
            rc = set_default(arena, f, out + f->offset, err);
        else if (f->kind == RIVER_FLATTEN ||
                 (f->kind == RIVER_BLOCK && (f->flags & (RIVER_REPEATED | RIVER_POINTER)) == 0))
            rc = fill(arena, f->block, out + f->offset, err);
        if (rc != OK)
            return rc;
    }
    return OK;
}

enum code schema_defaults(struct arena *arena, const struct river_block *type, void *out, struct error *err)
{
    if (type->size != 0)
        memset(out, 0, type->size);
    return fill(arena, type, out, err);
}

enum code river_defaults(struct arena *arena, const struct river_block *type, void *out)
{
    struct error err = {0};

    return schema_defaults(arena, type, out, &err);
}

/* --- the check --- */

struct check {
    const struct river_block *seen[MOST_NESTED];
    size_t n_seen; /* open now: tables nest in themselves (stage.match) */
    struct arena arena;
    struct error *err;
};

static enum code check_block(struct check *c, const struct river_block *type);

static size_t count_named(const struct river_block *type, const char *name)
{
    size_t n = 0;

    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN)
            n += count_named(f->block, name);
        else if (f->name != NULL && strcmp(f->name, name) == 0)
            n++;
    }
    return n;
}

static enum code check_range(const struct check *c, const struct river_block *type, const struct river_field *f)
{
    bool is_range = (f->flags & (RIVER_HAS_MIN | RIVER_HAS_MAX)) != 0;

    if ((f->flags & RIVER_REFUSED) == 0 && f->offset + schema_size(f) > type->size) /* a refused one is never stored */
        return error_set(c->err, INVALID, "%s.%s lies outside of its struct", type->name,
                         f->name != NULL ? f->name : "?");
    if (is_range && (f->flags & RIVER_HAS_MIN) != 0 && (f->flags & RIVER_HAS_MAX) != 0 && f->min > f->max)
        return error_set(c->err, INVALID, "%s.%s: min is above max", type->name, f->name);
    if (!is_range && (f->min < 0 || f->min > 0 || f->max < 0 || f->max > 0))
        return error_set(c->err, INVALID, "%s.%s has min or max without RIVER_HAS_MIN or RIVER_HAS_MAX", type->name,
                         f->name);
    if (f->present > type->size)
        return error_set(c->err, INVALID, "%s.%s: present lies outside of its struct", type->name, f->name);
    return OK;
}

static enum code check_attr(struct check *c, const struct river_block *type, const struct river_field *f)
{
    char room[64];
    enum code rc = OK;

    if ((f->kind == RIVER_ENUM || f->kind == RIVER_ENUM_LIST) && f->choices == NULL)
        return error_set(c->err, INVALID, "%s.%s: an enum without choices", type->name, f->name);
    if ((f->kind == RIVER_CAPSULE || f->kind == RIVER_CAPSULE_LIST) && f->capsule == NULL)
        return error_set(c->err, INVALID, "%s.%s: a capsule without a type", type->name, f->name);
    if ((f->flags & (RIVER_REPEATED | RIVER_POINTER)) != 0)
        return error_set(c->err, INVALID, "%s.%s: only blocks are repeated or pointers", type->name, f->name);
    if (f->def != NULL)
        rc = set_default(&c->arena, f, room, c->err);
    if (rc != OK)
        error_prefix(c->err, "%s", type->name);
    return rc;
}

static enum code check_field(struct check *c, const struct river_block *type, const struct river_field *f)
{
    enum code rc = check_range(c, type, f);

    if (rc != OK)
        return rc;
    if (f->name != NULL && (f->doc == NULL || f->doc[0] == '\0') && f->kind != RIVER_LABEL)
        return error_set(c->err, INVALID, "%s.%s has no doc", type->name, f->name);
    if (f->name != NULL && !river_is_identifier(slice_str(f->name)) && !schema_is_block(f->kind))
        return error_set(c->err, INVALID, "%s: \"%s\" is no identifier", type->name, f->name);
    if (f->name != NULL && f->kind != RIVER_LABEL && f->kind != RIVER_FLATTEN && f->kind != RIVER_ANY_BLOCKS &&
        count_named(type, f->name) != 1)
        return error_set(c->err, INVALID, "%s.%s is there twice", type->name, f->name);
    if (schema_is_attr(f->kind))
        return check_attr(c, type, f);
    if (f->kind == RIVER_BLOCK || f->kind == RIVER_FLATTEN)
        return f->block != NULL ? check_block(c, f->block)
                                : error_set(c->err, INVALID, "%s: a block without its table", type->name);
    if (f->kind == RIVER_ENUM_BLOCKS && f->blocks == NULL)
        return error_set(c->err, INVALID, "%s.%s: no blocks listed", type->name, f->name);
    for (size_t i = 0; f->kind == RIVER_ENUM_BLOCKS && f->blocks[i] != NULL && rc == OK; i++)
        rc = check_block(c, f->blocks[i]);
    return rc;
}

static enum code check_block(struct check *c, const struct river_block *type)
{
    enum code rc = OK;

    for (size_t i = 0; i < c->n_seen; i++) {
        if (c->seen[i] == type)
            return OK;
    }
    if (c->n_seen == MOST_NESTED)
        return error_set(c->err, INVALID, "%s: nested too deeply", type->name);
    if (type->name == NULL)
        return error_set(c->err, INVALID, "a table without a name");
    c->seen[c->n_seen++] = type;
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f) && rc == OK; f++)
        rc = check_field(c, type, f);
    c->n_seen--;
    return rc;
}

enum code river_block_check(const struct river_block *type, struct error *err)
{
    struct check c = {.err = err};
    enum code rc;

    arena_init(&c.arena, 0);
    rc = check_block(&c, type);
    arena_release(&c.arena);
    return rc;
}
