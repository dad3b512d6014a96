/* Where the value of an expression comes from, in words. Texts of the expression itself are never quoted: a literal may
 * be a secret. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/provenance_int.h"

enum { MOST_PARTS = 16, MOST_LEAVES = 8, ORIGIN_BYTES = 4096, MOST_HEIGHT = 2 * LIMIT_RIVER_HEIGHT };

struct finder {
    struct description *d;
    const struct config_scope *scope;
    const struct source *source;
    struct slice leaves[MOST_LEAVES]; /* each once */
    size_t n, n_more;
    size_t *blocks; /* in the arena */
    size_t n_blocks, cap_blocks;
    struct buf notes; /* what coalesce passed over */
    bool is_computed, is_known, is_private;
};

static void find(struct finder *f, const struct expr *e);

static void add_leaf(struct finder *f, struct slice text)
{
    for (size_t i = 0; i < f->n; i++)
        if (slice_eq(f->leaves[i], text))
            return;
    if (f->n == MOST_LEAVES)
        f->n_more++;
    else
        f->leaves[f->n++] = text;
}

/* a.b.c as parts; 0 when it is anything else. */
static size_t chain(const struct expr *e, struct slice *parts)
{
    const struct expr *at = e;
    size_t n = 1, i;

    for (; at->kind == EXPR_ACCESS; at = at->as.access.inner)
        n++;
    if (at->kind != EXPR_IDENT || n > MOST_PARTS)
        return 0;
    parts[0] = at->as.ident;
    for (at = e, i = n - 1; i > 0; i--, at = at->as.access.inner)
        parts[i] = at->as.access.name;
    return n;
}

static struct slice join(struct description *d, const struct slice *parts, size_t n)
{
    struct buf text;
    struct slice kept;

    buf_init(&text, ORIGIN_BYTES);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(&text, i != 0 ? "." : "");
        buf_add(&text, parts[i]);
    }
    kept = arena_copy(&d->arena, buf_slice(&text));
    buf_release(&text);
    return kept;
}

static bool is_receiver(const struct value *v)
{
    return v != NULL && v->type == VALUE_CAPSULE;
}

static void add_block(struct finder *f, size_t block)
{
    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->blocks[i] == block)
            return;
    if (f->n_blocks == f->cap_blocks) {
        size_t cap = f->cap_blocks == 0 ? 4 : 2 * f->cap_blocks;
        size_t *moved = arena_alloc(&f->d->arena, cap * sizeof *moved);

        if (f->n_blocks != 0)
            memcpy(moved, f->blocks, f->n_blocks * sizeof *moved);
        f->blocks = moved;
        f->cap_blocks = cap;
    }
    f->blocks[f->n_blocks++] = block;
}

/* " (FILE)" of a component that reads one, where the file says it plainly. */
static const char *file_of(struct description *d, size_t block)
{
    const struct ast_attr *attr = ast_find_attr(&d->config->blocks[block].ast->body, SLICE_LIT("filename"));

    if (attr == NULL || attr->value->kind != EXPR_LITERAL || attr->value->as.literal->type != VALUE_STRING)
        return "";
    return arena_printf(&d->arena, " (%.*s)", SLICE_ARG(attr->value->as.literal->as.text.bytes));
}

/* A component's export: a receiver is known now, what the component finds out is not. */
static void found_export(struct finder *f, size_t block, const struct slice *rest, size_t n)
{
    struct description *d = f->d;
    const struct exports *exports = description_exports(d, block);
    const struct value *field = n != 0 ? value_get(&exports->value, rest[0]) : NULL;
    struct slice id = d->config->blocks[block].id;

    add_block(f, block);
    if (!is_receiver(field))
        f->is_known = false;
    if (n == 0)
        add_leaf(f, slice_str(arena_printf(&d->arena, "exports of %.*s", SLICE_ARG(id))));
    else
        add_leaf(f, slice_str(arena_printf(&d->arena, "export %.*s of %.*s%s", SLICE_ARG(rest[0]), SLICE_ARG(id),
                                           file_of(d, block))));
}

static struct slice last_part(struct slice id)
{
    size_t at = id.len;

    while (at != 0 && id.ptr[at - 1] != '.')
        at--;
    return slice_from(id, at);
}

/* Is an argument's value the default that stands in the module? */
static bool is_default(const struct config_name *name)
{
    return name->kind == NAME_ARGUMENT && name->value_source == name->source &&
           name->value->span.start >= name->ast->span.start && name->value->span.end <= name->ast->span.end;
}

/* An argument or export of a module: what stands behind it, and where that was written. */
static struct origin origin_of_name(struct description *d, const struct config_name *name)
{
    struct named *known = &d->names[name->number];
    struct slice of = name->scope->path, label = last_part(name->id);
    const char *what = name->kind == NAME_EXPORT ? "export" : "argument";
    struct origin origin = {.is_known = true};

    if (known->has_origin || known->is_open)
        return known->origin;
    if (name->value == NULL) {
        origin.text = slice_str(
            arena_printf(&d->arena, "%s %.*s of %.*s, which is not given", what, SLICE_ARG(label), SLICE_ARG(of)));
    } else {
        struct position at = source_position(name->value_source, name->value->span.start);

        known->is_open = true;
        origin = origin_of(d, name->meaning, name->value_source, name->value);
        known->is_open = false;
        origin.text = slice_str(arena_printf(
            &d->arena, "%s%s %.*s of %.*s ← %.*s (%.*s:%u)", is_default(name) ? "default of " : "", what,
            SLICE_ARG(label), SLICE_ARG(of), SLICE_ARG(origin.text), SLICE_ARG(name->value_source->name), at.line));
    }
    known->origin = origin;
    known->has_origin = true;
    return origin;
}

static void found_module_name(struct finder *f, const struct config_name *name)
{
    struct origin origin = origin_of_name(f->d, name);

    for (size_t i = 0; i < origin.n_blocks; i++)
        add_block(f, origin.blocks[i]);
    f->is_known = f->is_known && origin.is_known;
    f->is_private = f->is_private || origin.is_private;
    add_leaf(f, origin.text);
}

/* All of an instance's exports together. */
static void found_instance(struct finder *f, const struct config_name *name)
{
    const struct config_scope *inside = name->inside;

    if (inside == NULL)
        return;
    if (inside->is_pending) {
        f->is_known = false;
        add_leaf(f, slice_str(arena_printf(&f->d->arena, "exports of %.*s, which waits for %.*s",
                                           SLICE_ARG(inside->path), SLICE_ARG(inside->waits_for))));
    }
    for (size_t i = 0; i < inside->n_names; i++)
        if (inside->names[i]->kind == NAME_EXPORT)
            found_module_name(f, inside->names[i]);
}

/* "item of foreach.each": the nearest foreach around that has such an item. */
static struct slice item_text(struct finder *f, struct slice var)
{
    const struct config_scope *s = f->scope;

    while (s != NULL && (s->kind != SCOPE_ITEM || !slice_eq(s->var, var)))
        s = s->outer;
    if (s == NULL)
        return var;
    return slice_str(arena_printf(&f->d->arena, "%.*s of %.*s%s%.*s", SLICE_ARG(var), SLICE_ARG(s->outer->path),
                                  s->outer->path.len != 0 ? "/" : "", SLICE_ARG(s->of->id)));
}

static void found_name(struct finder *f, const struct slice *parts, size_t n)
{
    struct config_found found = config_look_up(f->scope, parts, n);

    switch (found.kind) {
    case FOUND_NOTHING:
        add_leaf(f, join(f->d, parts, n));
        break;
    case FOUND_BLOCK:
        found_export(f, found.name->block, parts + found.n_used, n - found.n_used);
        break;
    case FOUND_ARGUMENT:
    case FOUND_EXPORT:
        found_module_name(f, found.name);
        break;
    case FOUND_INSTANCE:
        found_instance(f, found.name);
        break;
    case FOUND_VALUE:
        if (slice_eq_str(parts[0], "module_path"))
            add_leaf(f, SLICE_LIT("module_path"));
        else
            add_leaf(f, item_text(f, parts[0]));
        break;
    }
}

static bool is_env(const struct slice *parts, size_t n)
{
    return (n == 2 && slice_eq_str(parts[0], "sys") && slice_eq_str(parts[1], "env")) ||
           (n == 1 && slice_eq_str(parts[0], "env"));
}

static void found_env(struct finder *f, struct slice name)
{
    const struct river_host *host = river_host_system();
    struct slice value;
    bool is_set = host->env(host->self, name, &value);

    f->is_private = f->is_private || river_sounds_secret(name);
    add_leaf(f, slice_str(arena_printf(&f->d->arena, "sys.env %.*s (%s)", SLICE_ARG(name),
                                       !is_set          ? "unset"
                                       : value.len == 0 ? "empty"
                                                        : "set")));
}

static bool is_empty(const struct value *v)
{
    return v->type == VALUE_NULL || (value_is_text(v) && v->as.text.bytes.len == 0) ||
           (v->type == VALUE_ARRAY && v->as.array.n == 0) || (v->type == VALUE_OBJECT && v->as.object.n == 0);
}

static void finder_init(struct finder *f, struct description *d, const struct config_scope *scope,
                        const struct source *source)
{
    *f = (struct finder){.d = d, .scope = scope, .source = source, .is_known = true};
    buf_init(&f->notes, ORIGIN_BYTES);
}

static struct slice finder_text(const struct finder *f)
{
    struct buf text;
    struct slice kept;

    buf_init(&text, ORIGIN_BYTES);
    if (f->is_computed)
        buf_add_str(&text, f->n != 0 ? "computed from " : "computed");
    else if (f->n == 0)
        buf_add_str(&text, "written");
    for (size_t i = 0; i < f->n; i++)
        buf_printf(&text, "%s%.*s", i != 0 ? ", " : "", SLICE_ARG(f->leaves[i]));
    if (f->n_more != 0)
        buf_printf(&text, " and %zu more", f->n_more);
    if (f->notes.len != 0)
        buf_printf(&text, ", not %.*s", SLICE_ARG(buf_slice(&f->notes)));
    kept = arena_copy(&f->d->arena, buf_slice(&text));
    buf_release(&text);
    return kept;
}

static void add_note(struct finder *f, struct slice text)
{
    buf_printf(&f->notes, "%s%.*s", f->notes.len != 0 ? ", " : "", SLICE_ARG(text));
}

/* What part found is also found by whole. */
static void merge(struct finder *whole, const struct finder *part)
{
    for (size_t i = 0; i < part->n; i++)
        add_leaf(whole, part->leaves[i]);
    for (size_t i = 0; i < part->n_blocks; i++)
        add_block(whole, part->blocks[i]);
    whole->n_more += part->n_more;
    whole->is_computed = whole->is_computed || part->is_computed;
    whole->is_private = whole->is_private || part->is_private;
    whole->is_known = whole->is_known && part->is_known;
    if (part->notes.len != 0)
        add_note(whole, buf_slice(&part->notes));
}

/* The first argument that is not empty is where the value comes from; those before it are notes. */
static void found_coalesce(struct finder *f, const struct expr *call)
{
    for (size_t i = 0; i < call->as.call.n; i++) {
        const struct expr *arg = call->as.call.args[i];
        struct finder part;
        struct value v;
        bool is_it;

        finder_init(&part, f->d, f->scope, f->source);
        find(&part, arg);
        is_it = !part.is_known || i + 1 == call->as.call.n ||
                description_eval(f->d, f->scope, f->source, arg, &v) != OK || !is_empty(&v);
        if (is_it)
            merge(f, &part);
        else
            add_note(f, finder_text(&part));
        buf_release(&part.notes);
        if (is_it)
            return;
    }
}

static void found_call(struct finder *f, const struct expr *e)
{
    struct slice parts[MOST_PARTS];
    size_t n = chain(e->as.call.callee, parts);
    const struct expr *first = e->as.call.n != 0 ? e->as.call.args[0] : NULL;

    if (is_env(parts, n) && first != NULL && first->kind == EXPR_LITERAL && value_is_text(first->as.literal)) {
        found_env(f, first->as.literal->as.text.bytes);
        return;
    }
    if (n == 1 && slice_eq_str(parts[0], "coalesce") && e->as.call.n != 0) {
        found_coalesce(f, e);
        return;
    }
    f->is_computed = true;
    if (n == 0)
        find(f, e->as.call.callee);
    for (size_t i = 0; i < e->as.call.n; i++)
        find(f, e->as.call.args[i]);
}

static void find(struct finder *f, const struct expr *e)
{
    struct slice parts[MOST_PARTS];
    size_t n;

    switch (e->kind) {
    case EXPR_LITERAL:
        break;
    case EXPR_IDENT:
    case EXPR_ACCESS:
        n = chain(e, parts);
        if (n != 0)
            found_name(f, parts, n);
        else
            find(f, e->as.access.inner);
        break;
    case EXPR_ARRAY:
        for (size_t i = 0; i < e->as.array.n; i++)
            find(f, e->as.array.items[i]);
        break;
    case EXPR_OBJECT:
        for (size_t i = 0; i < e->as.object.n; i++)
            find(f, e->as.object.keys[i].value);
        break;
    case EXPR_INDEX:
        f->is_computed = true;
        find(f, e->as.index.inner);
        find(f, e->as.index.at);
        break;
    case EXPR_CALL:
        found_call(f, e);
        break;
    case EXPR_UNARY:
    case EXPR_BINARY:
        f->is_computed = true;
        if (e->kind == EXPR_BINARY)
            find(f, e->as.binary.left);
        find(f, e->as.binary.right);
        break;
    case EXPR_PAREN:
        find(f, e->as.paren);
        break;
    }
}

/* Expressions refer to expressions of other modules: all that are open at once are as high together as the stack
 * allows.
 */
static bool go_deeper(struct description *d, const struct expr *expr)
{
    d->height += expr->height;
    return d->height <= MOST_HEIGHT;
}

struct origin origin_of(struct description *d, const struct config_scope *scope, const struct source *source,
                        const struct expr *expr)
{
    struct finder f;
    struct origin out;

    finder_init(&f, d, scope, source);
    if (go_deeper(d, expr))
        find(&f, expr);
    else
        f.is_known = false;
    d->height -= expr->height;
    out = (struct origin){finder_text(&f), f.blocks, f.n_blocks, f.is_known, f.is_private};
    buf_release(&f.notes);
    return out;
}

/* --- evaluating --- */

struct lookup {
    struct description *d;
    const struct config_scope *scope;
};

static struct value value_of_name(struct description *d, const struct config_name *name)
{
    struct named *known = &d->names[name->number];

    if (known->has_value || known->is_open || name->value == NULL)
        return known->value;
    known->is_open = true;
    if (description_eval(d, name->meaning, name->value_source, name->value, &known->value) != OK)
        known->value = value_null();
    known->is_open = false;
    known->has_value = true;
    return known->value;
}

static struct value value_of_instance(struct description *d, const struct config_scope *inside)
{
    struct value_field *fields = arena_zalloc(&d->arena, (inside->n_names + 1) * sizeof *fields);
    struct value out = value_null();
    size_t n = 0;

    for (size_t i = 0; i < inside->n_names; i++)
        if (inside->names[i]->kind == NAME_EXPORT)
            fields[n++] = (struct value_field){last_part(inside->names[i]->id), value_of_name(d, inside->names[i])};
    return value_object(&d->arena, fields, n, &out) == OK ? out : value_null();
}

static bool look_up(void *self, const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    const struct lookup *l = self;
    struct value_field *field;
    struct config_found found = config_look_up(l->scope, parts, n);

    *n_used = found.n_used;
    switch (found.kind) {
    case FOUND_NOTHING:
        break;
    case FOUND_BLOCK:
        *out = description_exports(l->d, found.name->block)->value;
        return true;
    case FOUND_ARGUMENT:
        field = arena_zalloc(&l->d->arena, sizeof *field);
        *field = (struct value_field){SLICE_LIT("value"), value_of_name(l->d, found.name)};
        return value_object(&l->d->arena, field, 1, out) == OK;
    case FOUND_EXPORT:
        *out = value_of_name(l->d, found.name);
        return true;
    case FOUND_INSTANCE:
        *out = value_of_instance(l->d, found.name->inside);
        return true;
    case FOUND_VALUE:
        *out = found.value;
        return true;
    }
    return false;
}

enum code description_eval(struct description *d, const struct config_scope *scope, const struct source *source,
                           const struct expr *expr, struct value *out)
{
    struct lookup lookup = {.d = d, .scope = scope};
    struct scope names = {.lookup = look_up, .self = &lookup};
    struct diags diags;
    struct river_context ctx = {.arena = &d->arena, .diags = &diags, .scope = &names};
    enum code rc;

    diags_init(&diags);
    if (d->stability == STABILITY_EXPERIMENTAL)
        ctx.flags |= RIVER_ALLOW_EXPERIMENTAL;
    rc = go_deeper(d, expr) ? river_eval(&ctx, source, expr, out) : INVALID;
    d->height -= expr->height;
    diags_release(&diags);
    return rc;
}
