/* The blocks of one body as names of its scope: which there may be, and what each is. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/alloy_names.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/config_int.h"
#include "agent/runtime/import.h"

/* Blocks the expansion itself understands. */
static const char *const language_blocks[] = {"argument", "declare", "export"};

static bool is_import(struct slice name)
{
    return slice_eq_str(name, component_import_file.name) || slice_eq_str(name, component_import_git.name) ||
           slice_eq_str(name, component_import_http.name) || slice_eq_str(name, component_import_string.name);
}

/* By a map: a configuration has many blocks and few types. */
static const struct component_type *find_type(struct load *l, struct slice name)
{
    return map_get(&l->types, name);
}

static struct slice first_part(struct slice name)
{
    return slice_head(name, slice_find(name, '.'));
}

static bool is_custom(const struct config_scope *scope, struct slice name)
{
    struct slice first = first_part(name);

    return scope_find_declare(scope, first) != NULL || scope_find_import(scope, first) != NULL;
}

/* --- what is refused --- */

static void refuse_unknown(struct load *l, const struct config_scope *scope, const struct ast_block *block,
                           const struct source *source)
{
    struct nearest nearest;
    struct diag *d;

    if (alloy_name_refuse(l->diags, source, block->name_span, block->name))
        return;
    d = diags_error(l->diags, source, block->name_span, "there is no component named \"%.*s\"", SLICE_ARG(block->name));
    if (d == NULL)
        return;
    nearest_init(&nearest, block->name);
    for (size_t i = 0; l->options->types[i] != NULL; i++)
        nearest_offer(&nearest, slice_str(l->options->types[i]->name));
    for (size_t i = 0; config_block_types[i] != NULL; i++)
        nearest_offer(&nearest, slice_str(config_block_types[i]->name));
    for (size_t i = 0; i < sizeof language_blocks / sizeof language_blocks[0]; i++)
        nearest_offer(&nearest, slice_str(language_blocks[i]));
    for (; scope != NULL; scope = scope->lexical)
        for (size_t i = 0; i < scope->n_names; i++)
            if (scope->names[i]->kind == NAME_DECLARE)
                nearest_offer(&nearest, scope->names[i]->ast->label);
    nearest_hint(&nearest, l->diags, d);
    if (component_type_find(l->options->types, nearest.best) != NULL)
        diag_page(l->diags, d, "%.*s", SLICE_ARG(nearest.best));
    else if (nearest.best.ptr == NULL)
        diag_hint(l->diags, d, "hyagent docs lists the components there are");
}

static bool is_stable_enough(struct load *l, const struct component_type *type, const struct ast_block *block,
                             const struct source *source)
{
    struct diag *d;

    if (type->stability <= l->options->stability)
        return true;
    d = diags_error(l->diags, source, block->name_span,
                    "component \"%s\" is at stability level \"%s\", which is below the minimum allowed "
                    "stability level \"%s\"",
                    type->name, stability_name(type->stability), stability_name(l->options->stability));
    diag_hint(l->diags, d, "use --stability.level=%s to enable it", stability_name(type->stability));
    diag_page(l->diags, d, "%s", type->name);
    return false;
}

static bool has_label(struct load *l, const struct ast_block *block, const struct source *source, const char *what)
{
    struct diag *d;

    if (block->label.len != 0)
        return true;
    d = diags_error(l->diags, source, block->name_span, "%s \"%.*s\" must have a label", what, SLICE_ARG(block->name));
    diag_hint(l->diags, d, "write %.*s \"default\" { ... }", SLICE_ARG(block->name));
    return false;
}

static bool check_block(struct load *l, const struct config_scope *scope, const struct component_type *type,
                        const struct ast_block *block, const struct source *source)
{
    if (!is_stable_enough(l, type, block, source))
        return false;
    if (!type->is_singleton)
        return has_label(l, block, source, "component");
    if (scope->kind != SCOPE_ROOT) {
        diags_error(l->diags, source, block->name_span, "block \"%s\" is not allowed inside a module", type->name);
        return false;
    }
    if (block->label.len != 0) {
        diags_error(l->diags, source, block->label_span, "block \"%s\" takes no label", type->name);
        return false;
    }
    return true;
}

/* --- what is added --- */

static void add_block(struct load *l, struct config_scope *scope, const struct ast_block *ast,
                      const struct source *source)
{
    struct config *c = l->config;
    const struct component_type *type = find_type(l, ast->name);
    struct config_name *name;
    struct slice id;

    /* A refused block is still known by its id, so that what refers to it is not called wrong as well. */
    if (type == NULL)
        refuse_unknown(l, scope, ast, source);
    else if (!check_block(l, scope, type, ast, source))
        type = NULL;
    name = scope_add(l, scope, NAME_BLOCK, ast, source);
    if (name == NULL)
        return;
    if (c->n == c->cap) {
        c->cap = c->cap == 0 ? 32 : 2 * c->cap;
        c->blocks = mem_realloc(c->blocks, c->cap * sizeof *c->blocks);
    }
    id = scope_full_id(&c->arena, scope, name->id);
    name->block = c->n;
    c->blocks[c->n++] = (struct config_block){
        .ast = ast, .source = source, .type = type, .id = id, .local_id = name->id, .scope = scope, .name = name};
    if (map_put(&c->by_id, id, (void *)(uintptr_t)c->n, NULL) != OK)
        diags_error(l->diags, source, ast->name_span, "out of memory");
}

static void add_import(struct load *l, struct config_scope *scope, const struct ast_block *ast,
                       const struct source *source)
{
    struct config_scope alone = {.by_id = scope->by_id}; /* without those around */
    const struct config_name *other = scope_find_import(&alone, ast->label);
    struct position at;

    if (other == NULL || slice_eq(other->ast->name, ast->name)) {
        add_block(l, scope, ast, source);
        return;
    }
    at = source_position(other->source, other->ast->name_span.start);
    diags_error(l->diags, source, ast->label_span, "the name \"%.*s\" is imported twice: first at %.*s:%u:%u",
                SLICE_ARG(ast->label), SLICE_ARG(other->source->name), at.line, at.column);
}

static void add_declare(struct load *l, struct config_scope *scope, const struct ast_block *ast,
                        const struct source *source)
{
    if (!has_label(l, ast, source, "block"))
        return;
    if (slice_eq_str(ast->label, "declare")) {
        diags_error(l->diags, source, ast->label_span, "\"declare\" is not a valid label for a declare block");
        return;
    }
    (void)scope_add(l, scope, NAME_DECLARE, ast, source);
}

static void add_own(struct load *l, struct config_scope *scope, enum config_name_kind kind, const struct ast_block *ast,
                    const struct source *source)
{
    if (scope->kind != SCOPE_INSTANCE) {
        diags_error(l->diags, source, ast->name_span, "\"%.*s\" blocks are only allowed inside a declare block",
                    SLICE_ARG(ast->name));
        return;
    }
    if (has_label(l, ast, source, "block"))
        (void)scope_add(l, scope, kind, ast, source);
}

static void add_other(struct load *l, struct config_scope *scope, const struct ast_block *ast,
                      const struct source *source)
{
    if (scope->kind == SCOPE_IMPORT)
        diags_error(l->diags, source, ast->name_span,
                    "only declare and import blocks are allowed in an imported module, not \"%.*s\"",
                    SLICE_ARG(ast->name));
    else if (slice_eq_str(ast->name, "argument"))
        add_own(l, scope, NAME_ARGUMENT, ast, source);
    else if (slice_eq_str(ast->name, "export"))
        add_own(l, scope, NAME_EXPORT, ast, source);
    else if (!is_custom(scope, ast->name))
        add_block(l, scope, ast, source);
    else if (has_label(l, ast, source, "custom component"))
        (void)scope_add(l, scope, NAME_INSTANCE, ast, source);
}

static bool is_definition(const struct ast_block *ast)
{
    return slice_eq_str(ast->name, "declare") || is_import(ast->name);
}

void collect_definitions(struct load *l, struct config_scope *scope, const struct ast_body *body)
{
    for (size_t i = 0; i < body->n && !l->is_over; i++) {
        const struct ast_block *ast = body->stmts[i].block;

        if (ast != NULL && slice_eq_str(ast->name, "declare"))
            add_declare(l, scope, ast, body->source);
        else if (ast != NULL && is_import(ast->name))
            add_import(l, scope, ast, body->source);
    }
}

void collect_others(struct load *l, struct config_scope *scope, const struct ast_body *body)
{
    for (size_t i = 0; i < body->n && !l->is_over; i++) {
        const struct ast_stmt *stmt = &body->stmts[i];

        if (stmt->attr != NULL)
            diags_error(l->diags, body->source, stmt->attr->name_span,
                        "attribute \"%.*s\" stands outside of a block: only blocks are allowed here",
                        SLICE_ARG(stmt->attr->name));
        else if (!is_definition(stmt->block))
            add_other(l, scope, stmt->block, body->source);
    }
}

/* --- custom components --- */

bool find_provider(const struct config_scope *scope, struct slice name, struct config_name **declare,
                   struct config_name **import)
{
    struct slice namespace, rest;

    *declare = *import = NULL;
    if (!slice_cut(name, '.', &namespace, &rest)) {
        *declare = scope_find_declare(scope, name);
        return *declare != NULL;
    }
    *import = scope_find_import(scope, namespace);
    if (*import == NULL)
        return false;
    if ((*import)->inside == NULL || (*import)->inside->is_pending)
        return true;
    {
        struct config_scope alone = {.by_id = (*import)->inside->by_id};

        *declare = scope_find_declare(&alone, rest);
    }
    return *declare != NULL;
}
