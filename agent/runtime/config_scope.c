/* Scopes: what a name means where it stands. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/config_int.h"
#include "agent/runtime/import.h"

enum { MAX_ID_BYTES = 1024, MAX_ID_PARTS = 16 };

static void add_scope(struct config *c, struct config_scope *scope)
{
    if (c->n_scopes == c->cap_scopes) {
        c->cap_scopes = c->cap_scopes == 0 ? 8 : 2 * c->cap_scopes;
        c->scopes = mem_realloc(c->scopes, c->cap_scopes * sizeof(struct config_scope *));
    }
    scope->number = c->n_scopes;
    c->scopes[c->n_scopes++] = scope;
}

struct config_scope *scope_new(struct load *l, enum config_scope_kind kind, const struct config_name *of,
                               struct slice path)
{
    struct config_scope *s = arena_zalloc(&l->config->arena, sizeof *s);

    s->kind = kind;
    s->of = of;
    s->path = path;
    map_init(&s->by_id, 0);
    if (of != NULL) {
        s->outer = of->scope;
        s->depth = of->scope->depth + 1;
        s->module_path = of->scope->module_path;
        s->is_unmeasured = of->scope->is_unmeasured;
        s->is_fetched = of->scope->is_fetched;
    }
    add_scope(l->config, s);
    return s;
}

struct slice scope_full_id(struct arena *arena, const struct config_scope *scope, struct slice id)
{
    char *text;

    if (scope->path.len == 0)
        return id;
    text = arena_alloc(arena, scope->path.len + 1 + id.len);
    memcpy(text, scope->path.ptr, scope->path.len);
    text[scope->path.len] = '/';
    memcpy(text + scope->path.len + 1, id.ptr, id.len);
    return slice_make(text, scope->path.len + 1 + id.len);
}

void load_over(struct load *l, const struct config_name *at, const char *what, unsigned limit)
{
    if (l->is_over)
        return;
    l->is_over = true;
    diags_error(l->diags, at->source, at->ast->name_span, "\"%.*s\" goes over the limit of %u %s",
                SLICE_ARG(scope_full_id(&l->config->arena, at->scope, at->id)), limit, what);
}

void load_count_refs(struct load *l, const struct config_name *at, size_t n)
{
    l->n_refs += n;
    if (l->n_refs > LIMIT_CONFIG_EDGES)
        load_over(l, at, "references in all", LIMIT_CONFIG_EDGES);
}

static void report_twice(struct load *l, const struct config_name *other, const struct ast_block *ast,
                         const struct source *source, struct slice id)
{
    struct position at = source_position(other->source, other->ast->name_span.start);

    struct diag *d = diags_error(l->diags, source, ast->name_span, "\"%.*s\" is declared twice: first at %.*s:%u:%u",
                                 SLICE_ARG(id), SLICE_ARG(other->source->name), at.line, at.column);

    diag_page(l->diags, d, "language#blocks");
    if (ast->label.len != 0)
        diag_hint(l->diags, d, "give one of them another label: %.*s \"%.*s_2\" { ... }", SLICE_ARG(ast->name),
                  SLICE_ARG(ast->label));
    else
        diag_hint(l->diags, d, "write one block with the arguments of both");
}

static bool put(struct load *l, struct config_scope *scope, struct slice id, struct config_name *name)
{
    if (map_put(&scope->by_id, id, name, NULL) == OK)
        return true;
    diags_error(l->diags, name->source, name->ast->name_span, "out of memory");
    l->is_over = true;
    return false;
}

/* Work is bounded by what there is to read, however small the text it was expanded from. */
static void count_expanded(struct load *l, const struct config_scope *scope, const struct ast_block *ast)
{
    l->n_expanded++;
    l->n_expanded_bytes += ast->span.end - ast->span.start;
    if (l->n_expanded > LIMIT_MODULE_BLOCKS)
        load_over(l, scope->of, "blocks from modules", LIMIT_MODULE_BLOCKS);
    else if (l->n_expanded_bytes > LIMIT_MODULE_TEXT_BYTES)
        load_over(l, scope->of, "bytes of blocks from modules", LIMIT_MODULE_TEXT_BYTES);
}

struct config_name *scope_add(struct load *l, struct config_scope *scope, enum config_name_kind kind,
                              const struct ast_block *ast, const struct source *source)
{
    struct config *c = l->config;
    struct slice id = ast_block_id(&c->arena, ast);
    struct config_name *name = map_get(&scope->by_id, id);

    if (name != NULL) {
        report_twice(l, name, ast, source, id);
        return NULL;
    }
    name = arena_zalloc(&c->arena, sizeof *name);
    *name = (struct config_name){.kind = kind,
                                 .number = c->n_names,
                                 .at = scope->n_names,
                                 .id = id,
                                 .ast = ast,
                                 .source = source,
                                 .scope = scope};
    if (!put(l, scope, id, name))
        return NULL;
    if (c->n_names == c->cap_names) {
        c->cap_names = c->cap_names == 0 ? 64 : 2 * c->cap_names;
        c->names = mem_realloc(c->names, c->cap_names * sizeof(struct config_name *));
    }
    c->names[c->n_names++] = name;
    if (scope->n_names == scope->cap_names) {
        scope->cap_names = scope->cap_names == 0 ? 8 : 2 * scope->cap_names;
        scope->names = mem_realloc(scope->names, scope->cap_names * sizeof(struct config_name *));
    }
    scope->names[scope->n_names++] = name;
    if (scope->kind != SCOPE_ROOT)
        count_expanded(l, scope, ast);
    return name;
}

/* "PREFIX" "name" in this very scope. */
static struct config_name *get_two(const struct config_scope *scope, const char *prefix, struct slice name)
{
    char id[MAX_ID_BYTES];
    size_t n = strlen(prefix);

    if (name.len == 0 || n + name.len > sizeof id)
        return NULL;
    memcpy(id, prefix, n);
    memcpy(id + n, name.ptr, name.len);
    return map_get(&scope->by_id, slice_make(id, n + name.len));
}

bool scope_has_argument(const struct config_scope *scope, struct slice name)
{
    return get_two(scope, "argument.", name) != NULL;
}

struct config_name *scope_find_declare(const struct config_scope *scope, struct slice name)
{
    struct config_name *found = NULL;

    for (; scope != NULL && found == NULL; scope = scope->lexical)
        found = get_two(scope, "declare.", name);
    return found;
}

struct config_name *scope_find_import(const struct config_scope *scope, struct slice namespace)
{
    static const char *const prefixes[] = {"import.file.", "import.string.", "import.http.", "import.git."};
    struct config_name *found = NULL;

    for (; scope != NULL && found == NULL; scope = scope->lexical)
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0] && found == NULL; i++)
            found = get_two(scope, prefixes[i], namespace);
    return found;
}

/* --- references --- */

/* Blocks that run, arguments and instances of custom components; the rest cannot be referred to. */
static bool is_referable(const struct config_name *name)
{
    return name->kind == NAME_INSTANCE || name->kind == NAME_ARGUMENT ||
           (name->kind == NAME_BLOCK && name->ast->name.len != 0 && !slice_eq_str(name->ast->name, "foreach") &&
            !slice_starts(name->ast->name, SLICE_LIT("import.")));
}

static struct config_found found_name(const struct config_name *name, const struct slice *parts, size_t n, size_t used)
{
    struct config_found found = {.name = name, .n_used = used};
    const struct config_name *export;
    char id[MAX_ID_BYTES] = "export.";
    const size_t head = sizeof "export." - 1;

    switch (name->kind) {
    case NAME_ARGUMENT:
        found.kind = FOUND_ARGUMENT;
        return found;
    case NAME_INSTANCE:
        found.kind = FOUND_INSTANCE;
        if (used == n || name->inside == NULL || head + parts[used].len > sizeof id)
            return found;
        memcpy(id + head, parts[used].ptr, parts[used].len);
        export = map_get(&name->inside->by_id, slice_make(id, head + parts[used].len));
        if (export == NULL || export->kind != NAME_EXPORT)
            return found;
        found.kind = FOUND_EXPORT;
        found.name = export;
        found.n_used = used + 1;
        return found;
    case NAME_BLOCK:
    case NAME_DECLARE:
    case NAME_EXPORT:
        break;
    }
    found.kind = FOUND_BLOCK;
    return found;
}

/* The longest id the first parts spell in this very scope. */
static struct config_found find_here(const struct config_scope *scope, const struct slice *parts, size_t n)
{
    char id[MAX_ID_BYTES];
    size_t len = 0, ends[MAX_ID_PARTS], n_ends = 0;

    for (size_t i = 0; i < n && n_ends < MAX_ID_PARTS; i++) {
        if (len + 1 + parts[i].len > sizeof id)
            break;
        if (i > 0)
            id[len++] = '.';
        memcpy(id + len, parts[i].ptr, parts[i].len);
        len += parts[i].len;
        ends[n_ends++] = len;
    }
    for (; n_ends > 0; n_ends--) {
        const struct config_name *name = map_get(&scope->by_id, slice_make(id, ends[n_ends - 1]));

        if (name != NULL && is_referable(name))
            return found_name(name, parts, n, n_ends);
    }
    return (struct config_found){.kind = FOUND_NOTHING};
}

static struct config_found found_value(struct value v)
{
    return (struct config_found){.kind = FOUND_VALUE, .n_used = 1, .value = v};
}

/* What stands in an item of a foreach sees what stands around the foreach, a custom component only its own. One that
 * was declared in a template sees the item, but not the components beside it. */
struct config_found config_look_up(const struct config_scope *scope, const struct slice *parts, size_t n)
{
    const struct config_scope *s = scope;
    bool sees_names = true;

    while (s != NULL) {
        struct config_found found = {.kind = FOUND_NOTHING};

        if (sees_names)
            found = find_here(s, parts, n);
        if (found.kind != FOUND_NOTHING)
            return found;
        if (s->kind == SCOPE_ITEM && slice_eq(parts[0], s->var)) {
            found = found_value(s->item);
            found.scope = s;
            return found;
        }
        sees_names = s->kind == SCOPE_ITEM;
        if (s->kind == SCOPE_ITEM)
            s = s->outer;
        else if (s->kind == SCOPE_INSTANCE && s->lexical != NULL && s->lexical->kind == SCOPE_ITEM)
            s = s->lexical;
        else
            break;
    }
    if (slice_eq_str(parts[0], "module_path"))
        return found_value(value_string(scope->module_path));
    return (struct config_found){.kind = FOUND_NOTHING};
}

struct config_block *config_find(const struct config *c, const struct slice *parts, size_t n, size_t *n_used)
{
    struct config_found found = config_look_up(c->scopes[0], parts, n);

    if (found.kind != FOUND_BLOCK)
        return NULL;
    *n_used = found.n_used;
    return &c->blocks[found.name->block];
}

const struct config_scope *config_scope_by_path(const struct config *c, struct slice path)
{
    for (size_t i = 0; i < c->n_scopes; i++)
        if (slice_eq(c->scopes[i]->path, path))
            return c->scopes[i];
    return NULL;
}
