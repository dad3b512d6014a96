#include "agent/runtime/mask.h"

static const char masked_password[] = "xxxxx"; /* as Go's URL.Redacted */

static bool is_secret_kind(enum river_kind kind)
{
    return kind == RIVER_SECRET || kind == RIVER_OPTIONAL_SECRET || kind == RIVER_SECRET_LIST ||
           kind == RIVER_SECRET_MAP || kind == RIVER_SECRET_LIST_MAP;
}

bool mask_is_end(const struct river_field *f)
{
    return f->name == NULL && f->kind != RIVER_FLATTEN && f->kind != RIVER_ANY_BLOCKS && f->kind != RIVER_LABEL;
}

/* scheme://user:password@host: the password is replaced. */
static struct value mask_text(struct arena *arena, const struct value *v)
{
    struct slice text = v->as.text.bytes, rest, authority, user;
    size_t at = slice_find_slice(text, SLICE_LIT("://"));
    size_t end = 0, host;

    if (at == text.len)
        return *v;
    rest = slice_from(text, at + 3);
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' && rest.ptr[end] != '#')
        end++;
    authority = slice_head(rest, end);
    host = authority.len;
    while (host > 0 && authority.ptr[host - 1] != '@')
        host--;
    if (host == 0 || !slice_cut(slice_head(authority, host - 1), ':', &user, &rest))
        return *v;
    return value_string(
        slice_str(arena_printf(arena, "%.*s%.*s:%s@%.*s", (int)(at + 3), text.ptr, (int)user.len, user.ptr,
                               masked_password, (int)(text.len - at - 3 - host), text.ptr + at + 3 + host)));
}

static struct value mask_value(struct arena *arena, const struct value *v, bool is_secret)
{
    struct value out = *v;

    if (v->type == VALUE_STRING)
        return is_secret ? value_secret(v->as.text.bytes) : mask_text(arena, v);
    if (v->type == VALUE_ARRAY) {
        struct value *items = arena_zalloc(arena, (v->as.array.n + 1) * sizeof *items);

        for (size_t i = 0; i < v->as.array.n; i++)
            items[i] = mask_value(arena, &v->as.array.items[i], is_secret);
        return value_array(items, v->as.array.n);
    }
    if (v->type == VALUE_OBJECT) {
        struct value_field *fields = arena_zalloc(arena, (v->as.object.n + 1) * sizeof *fields);

        for (size_t i = 0; i < v->as.object.n; i++) {
            fields[i].name = v->as.object.fields[i].name;
            fields[i].value = mask_value(arena, &v->as.object.fields[i].value, is_secret);
        }
        if (value_object(arena, fields, v->as.object.n, &out) != OK)
            return value_null();
    }
    return out;
}

struct value mask_argument(struct arena *arena, const struct river_field *field, const struct value *v)
{
    return mask_value(arena, v, field != NULL && is_secret_kind(field->kind));
}

const struct river_field *mask_find_field(const struct river_field *fields, struct slice name,
                                          const struct river_block **block)
{
    for (const struct river_field *f = fields; fields != NULL && !mask_is_end(f); f++) {
        const struct river_field *inner =
            f->kind == RIVER_FLATTEN ? mask_find_field(f->block->fields, name, block) : NULL;
        struct slice head, kind;

        if (inner != NULL)
            return inner;
        if (f->name == NULL)
            continue;
        if (slice_eq_str(name, f->name)) {
            *block = f->block;
            return f;
        }
        if (f->kind != RIVER_ENUM_BLOCKS || !slice_cut(name, '.', &head, &kind) || !slice_eq_str(head, f->name))
            continue;
        for (size_t i = 0; f->blocks[i] != NULL; i++)
            if (slice_eq_str(kind, f->blocks[i]->name)) {
                *block = f->blocks[i];
                return f;
            }
    }
    return NULL;
}

static struct value mask_statement(struct arena *arena, const struct river_block *type, const struct value *statement)
{
    const struct value *name = value_get_str(statement, "name");
    const struct river_block *block = NULL;
    const struct river_field *field =
        type == NULL || name == NULL ? NULL : mask_find_field(type->fields, name->as.text.bytes, &block);
    struct value_field *fields = arena_zalloc(arena, (statement->as.object.n + 1) * sizeof *fields);
    struct value out;

    for (size_t i = 0; i < statement->as.object.n; i++) {
        const struct value_field *from = &statement->as.object.fields[i];

        fields[i] = *from;
        if (slice_eq_str(from->name, "value"))
            fields[i].value = mask_value(arena, &from->value, field != NULL && is_secret_kind(field->kind));
        else if (slice_eq_str(from->name, "body"))
            fields[i].value = mask_body(arena, block, &from->value);
    }
    return value_object(arena, fields, statement->as.object.n, &out) == OK ? out : value_null();
}

struct value mask_body(struct arena *arena, const struct river_block *type, const struct value *body)
{
    struct value *statements;

    if (body->type != VALUE_ARRAY)
        return *body;
    statements = arena_zalloc(arena, (body->as.array.n + 1) * sizeof *statements);
    for (size_t i = 0; i < body->as.array.n; i++)
        statements[i] = mask_statement(arena, type, &body->as.array.items[i]);
    return value_array(statements, body->as.array.n);
}
