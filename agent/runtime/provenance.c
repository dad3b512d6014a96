#include "agent/runtime/provenance.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/parser.h"
#include "agent/runtime/mask.h"
#include "agent/runtime/provenance_int.h"

/* --- exports of components that do not run --- */

static struct stand_in *stand_in_new(struct description *d, size_t block, const char *name, const struct value *v)
{
    struct stand_in *s = arena_zalloc(&d->arena, sizeof *s);

    if (d->n_stand_ins == d->cap_stand_ins) {
        d->cap_stand_ins = d->cap_stand_ins == 0 ? 64 : 2 * d->cap_stand_ins;
        d->stand_ins = mem_realloc(d->stand_ins, d->cap_stand_ins * sizeof(struct stand_in *));
    }
    d->stand_ins[d->n_stand_ins++] = s;
    s->block = block;
    s->name = name;
    if (v->as.capsule.type == &capsule_metrics_receiver)
        s->receiver.kind = RECEIVES_METRICS;
    else if (v->as.capsule.type == &capsule_otel_consumer)
        s->receiver.kind = RECEIVES_OTLP;
    return s;
}

/* Every capsule among a component's exports gets a pointer of its own, so that a value tells whose it is. */
static struct exports *stand_ins_of(struct description *d, size_t block)
{
    const struct component_type *type = d->config->blocks[block].type;
    struct exports *e = exports_zero(type, true);
    size_t n = e->value.as.object.n;
    struct value_field *fields = arena_zalloc(&e->arena, (n + 1) * sizeof *fields);

    for (size_t i = 0; i < n; i++) {
        fields[i] = e->value.as.object.fields[i];
        if (fields[i].value.type == VALUE_CAPSULE)
            fields[i].value.as.capsule.ptr = stand_in_new(d, block, type->exports[i].name, &fields[i].value);
    }
    BUG_ON(value_object(&e->arena, fields, n, &e->value) != OK);
    return e;
}

const struct exports *description_exports(struct description *d, size_t block)
{
    if (d->blocks[block].exports == NULL)
        d->blocks[block].exports = stand_ins_of(d, block);
    return d->blocks[block].exports;
}

struct value description_export_value(struct description *d, size_t block, const char *name)
{
    const struct value *v = value_get_str(&description_exports(d, block)->value, name);

    return v != NULL ? *v : value_null();
}

bool description_export(const struct description *d, const void *capsule, size_t *block, const char **name)
{
    for (size_t i = 0; i < d->n_stand_ins; i++)
        if (d->stand_ins[i] == capsule) {
            *block = d->stand_ins[i]->block;
            *name = d->stand_ins[i]->name;
            return true;
        }
    return false;
}

struct description *description_new(struct config *config, enum stability stability)
{
    struct description *d = mem_zalloc(sizeof *d);

    d->config = config_ref(config);
    arena_init(&d->arena, 0);
    d->blocks = mem_array(config->n + 1, sizeof *d->blocks);
    d->names = mem_array(config->n_names + 1, sizeof *d->names);
    d->stability = stability;
    return d;
}

void description_free(struct description *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->config->n; i++)
        exports_unref(d->blocks[i].exports);
    mem_free(d->blocks);
    mem_free(d->names);
    mem_free(d->stand_ins);
    mem_free(d->secrets);
    arena_release(&d->arena);
    config_unref(d->config);
    mem_free(d);
}

/* --- values as they may be shown --- */

/* Texts under names such as "authorization" are hidden wherever they stand. */
static struct value hide_named(struct arena *arena, const struct value *v)
{
    struct value_field *fields;
    struct value out = *v;

    if (v->type != VALUE_OBJECT)
        return *v;
    fields = arena_zalloc(arena, (v->as.object.n + 1) * sizeof *fields);
    for (size_t i = 0; i < v->as.object.n; i++) {
        fields[i] = v->as.object.fields[i];
        if (fields[i].value.type == VALUE_STRING && river_sounds_secret(fields[i].name))
            fields[i].value = value_secret(fields[i].value.as.text.bytes);
    }
    return value_object(arena, fields, v->as.object.n, &out) == OK ? out : value_null();
}

/* Secret whatever it holds. */
static struct value hide_all(struct arena *arena, const struct value *v)
{
    struct value *items;

    if (v->type == VALUE_ARRAY) {
        items = arena_zalloc(arena, (v->as.array.n + 1) * sizeof *items);
        for (size_t i = 0; i < v->as.array.n; i++)
            items[i] = hide_all(arena, &v->as.array.items[i]);
        return value_array(items, v->as.array.n);
    }
    return v->type == VALUE_NULL || v->type == VALUE_CAPSULE ? *v : value_secret(SLICE_LIT("hidden"));
}

/* Shorter ones would be found everywhere. */
enum { SECRET_MIN_BYTES = 6 };

static void add_secret(struct description *d, struct slice text)
{
    if (text.len < SECRET_MIN_BYTES || d->n_secrets == LIMIT_KNOWN_SECRETS)
        return;
    for (size_t i = 0; i < d->n_secrets; i++)
        if (slice_eq(d->secrets[i], text))
            return;
    if (d->n_secrets == d->cap_secrets) {
        d->cap_secrets = d->cap_secrets == 0 ? 16 : 2 * d->cap_secrets;
        d->secrets = mem_realloc(d->secrets, d->cap_secrets * sizeof *d->secrets);
    }
    d->secrets[d->n_secrets++] = text;
}

/* Texts of a value that may not be shown: all of them, or those that are secrets. */
static void collect_secrets(struct description *d, const struct value *v, bool all)
{
    if (value_is_text(v) && (all || value_is_secret(v)))
        add_secret(d, v->as.text.bytes);
    for (size_t i = 0; v->type == VALUE_ARRAY && i < v->as.array.n; i++)
        collect_secrets(d, &v->as.array.items[i], all);
    for (size_t i = 0; v->type == VALUE_OBJECT && i < v->as.object.n; i++)
        collect_secrets(d, &v->as.object.fields[i].value, all);
}

/* The longest secret that stands at the start of text. */
static size_t secret_at(const struct description *d, struct slice text)
{
    size_t len = 0;

    for (size_t i = 0; i < d->n_secrets; i++)
        if (d->secrets[i].len > len && slice_starts(text, d->secrets[i]))
            len = d->secrets[i].len;
    return len;
}

void description_write_text(const struct description *d, struct slice text, struct buf *out)
{
    size_t from = 0, at = 0;

    while (d->n_secrets != 0 && at + SECRET_MIN_BYTES <= text.len) {
        size_t len = secret_at(d, slice_from(text, at));

        if (len == 0) {
            at++;
            continue;
        }
        buf_add(out, slice_make(text.ptr + from, at - from));
        buf_add_str(out, "(secret)");
        from = at += len;
    }
    buf_add(out, slice_from(text, from));
}

void description_write_value(const struct description *d, const struct value *v, struct buf *out)
{
    struct buf text;
    const char *name;
    size_t block;

    switch (v->type) {
    case VALUE_CAPSULE:
        if (!description_export(d, v->as.capsule.ptr, &block, &name))
            break;
        buf_add(out, d->config->blocks[block].id);
        buf_printf(out, ".%s", name);
        return;
    case VALUE_ARRAY:
        buf_add_char(out, '[');
        for (size_t i = 0; i < v->as.array.n && !out->is_full; i++) {
            buf_add_str(out, i != 0 ? ", " : "");
            description_write_value(d, &v->as.array.items[i], out);
        }
        buf_add_char(out, ']');
        return;
    case VALUE_OBJECT:
        buf_add_char(out, '{');
        for (size_t i = 0; i < v->as.object.n && !out->is_full; i++) {
            const struct value_field *f = &v->as.object.fields[i];

            buf_add_str(out, i != 0 ? ", " : "");
            if (river_is_identifier(f->name))
                buf_add(out, f->name);
            else
                river_quote(out, f->name);
            buf_add_str(out, " = ");
            description_write_value(d, &f->value, out);
        }
        buf_add_char(out, '}');
        return;
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_NUMBER:
    case VALUE_SECRET:
    case VALUE_FUNCTION:
        break;
    case VALUE_STRING:
    case VALUE_OPTIONAL_SECRET:
        if (value_is_secret(v))
            break;
        buf_init(&text, out->max);
        description_write_text(d, v->as.text.bytes, &text);
        river_quote(out, buf_slice(&text));
        buf_release(&text);
        return;
    }
    value_to_river(out, v);
}

/* --- one component's lines --- */

struct lines {
    struct description *d;
    const struct config_block *block;
    struct argument *items; /* owned until done */
    size_t n, cap;
};

static struct argument *add_line(struct lines *l, struct slice name, unsigned depth)
{
    struct argument *a;

    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 32 : 2 * l->cap;
        l->items = mem_realloc(l->items, l->cap * sizeof *l->items);
    }
    a = &l->items[l->n++];
    *a = (struct argument){.name = name, .depth = depth, .is_known = true};
    return a;
}

static void add_attribute(struct lines *l, const struct ast_body *body, const struct ast_attr *attr,
                          const struct river_field *field, unsigned depth)
{
    struct description *d = l->d;
    struct origin origin = origin_of(d, l->block->scope, body->source, attr->value);
    struct argument *a = add_line(l, attr->name, depth);
    struct value v;

    a->field = field;
    a->source = body->source;
    a->at = source_position(body->source, attr->name_span.start);
    a->origin = origin.text;
    a->is_known = origin.is_known;
    a->blocks = origin.blocks;
    a->n_blocks = origin.n_blocks;
    if (!a->is_known || description_eval(d, l->block->scope, body->source, attr->value, &v) != OK) {
        a->is_known = false;
        return;
    }
    if (origin.is_private)
        collect_secrets(d, &v, true);
    v = mask_argument(&d->arena, field, &v);
    v = hide_named(&d->arena, &v);
    collect_secrets(d, &v, false);
    a->value = origin.is_private ? hide_all(&d->arena, &v) : v;
}

static bool is_written(const struct ast_body *body, const char *name)
{
    for (size_t i = 0; body != NULL && i < body->n; i++) {
        struct slice written = body->stmts[i].attr != NULL ? body->stmts[i].attr->name : body->stmts[i].block->name;

        if (slice_eq_str(written, name))
            return true;
    }
    return false;
}

static void add_default(struct lines *l, const struct river_field *f, unsigned depth)
{
    struct argument *a = add_line(l, slice_str(f->name), depth);
    struct diags diags;
    struct river_context ctx = {.arena = &l->d->arena, .diags = &diags};
    const struct source *source;
    struct expr *expr;

    diags_init(&diags);
    a->field = f;
    a->is_default = true;
    a->origin = SLICE_LIT("default");
    if (river_parse_expr(slice_str(f->def), "default", &l->d->arena, &diags, &source, &expr) != OK ||
        river_eval(&ctx, source, expr, &a->value) != OK)
        a->value = value_null();
    diags_release(&diags);
}

/* What an empty body would be given: attributes with a default, and those of blocks that are always there. */
static void add_defaults(struct lines *l, const struct river_field *fields, const struct ast_body *body, unsigned depth)
{
    for (const struct river_field *f = fields; f != NULL && !mask_is_end(f); f++) {
        bool is_idle = (f->flags & (RIVER_NO_EFFECT | RIVER_REFUSED | RIVER_DEPRECATED)) != 0;

        if (f->kind == RIVER_FLATTEN)
            add_defaults(l, f->block->fields, body, depth);
        if (f->name == NULL || is_idle || is_written(body, f->name))
            continue;
        if (f->kind == RIVER_BLOCK && (f->flags & (RIVER_POINTER | RIVER_REPEATED)) == 0) {
            size_t at = l->n;
            struct argument *a = add_line(l, slice_str(f->name), depth);

            a->field = f;
            a->is_block = a->is_default = true;
            add_defaults(l, f->block->fields, NULL, depth + 1);
            if (l->n == at + 1)
                l->n = at; /* nothing in it */
        } else if (f->def != NULL && f->kind != RIVER_BLOCK) {
            add_default(l, f, depth);
        }
    }
}

static void add_body(struct lines *l, const struct river_block *type, const struct ast_body *body, unsigned depth)
{
    const struct river_field *fields = type != NULL ? type->fields : NULL;

    if (depth > LIMIT_CONFIG_DEPTH)
        return;
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_block *block = body->stmts[i].block;
        const struct ast_attr *attr = body->stmts[i].attr;
        const struct river_block *inner = NULL;
        const struct river_field *field = mask_find_field(fields, block != NULL ? block->name : attr->name, &inner);

        if (attr != NULL) {
            add_attribute(l, body, attr, field, depth);
        } else {
            struct argument *a = add_line(l, block->name, depth);

            a->label = block->label;
            a->is_block = true;
            a->field = field;
            a->source = body->source;
            a->at = source_position(body->source, block->name_span.start);
            if (field == NULL || field->kind != RIVER_BODY) /* a template is evaluated where it is used */
                add_body(l, inner, &block->body, depth + 1);
        }
    }
    add_defaults(l, fields, body, depth);
}

struct arguments description_arguments(struct description *d, size_t i)
{
    struct described *of = &d->blocks[i];
    const struct config_block *block = &d->config->blocks[i];
    struct lines lines = {.d = d, .block = block};
    struct argument *kept;

    if (of->is_done)
        return of->arguments;
    of->is_done = true;
    add_body(&lines, block->type->args, &block->ast->body, 0);
    kept = arena_zalloc(&d->arena, (lines.n + 1) * sizeof *kept);
    if (lines.n != 0)
        memcpy(kept, lines.items, lines.n * sizeof *kept);
    mem_free(lines.items);
    of->arguments = (struct arguments){kept, lines.n};
    return of->arguments;
}

/* --- finding --- */

const struct argument *arguments_find(struct arguments all, size_t block, const char *name)
{
    size_t i = block == SIZE_MAX ? 0 : block + 1;
    unsigned depth = block == SIZE_MAX ? 0 : all.items[block].depth + 1;

    for (; i < all.n && all.items[i].depth >= depth; i++)
        if (all.items[i].depth == depth && !all.items[i].is_block && slice_eq_str(all.items[i].name, name))
            return &all.items[i];
    return NULL;
}

struct slice arguments_text(struct arguments all, size_t block, const char *name)
{
    const struct argument *a = arguments_find(all, block, name);

    return a != NULL && a->is_known && value_is_text(&a->value) && !value_is_secret(&a->value) ? a->value.as.text.bytes
                                                                                               : (struct slice){0};
}

size_t arguments_block(struct arguments all, size_t in, const char *name, size_t after)
{
    unsigned depth = in == SIZE_MAX ? 0 : all.items[in].depth + 1;

    for (size_t i = in == SIZE_MAX ? 0 : in + 1; i < all.n && all.items[i].depth >= depth; i++)
        if ((after == SIZE_MAX || i > after) && all.items[i].depth == depth && all.items[i].is_block &&
            slice_eq_str(all.items[i].name, name))
            return i;
    return SIZE_MAX;
}
