/* Expansion: what custom components, imports and foreach blocks bring into the graph. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/config_int.h"
#include "agent/runtime/foreach.h"
#include "agent/runtime/import.h"
#include <stdio.h>

enum code expand_evaluate(struct load *l, const struct config_name *name, struct evaluation **out)
{
    const struct config_block *block = &l->config->blocks[name->block];
    enum code rc;

    *out = NULL;
    if (block->type == NULL) /* refused already */
        return INVALID;
    link_closure(l, l->config->names[name->number]);
    rc = evaluate_block(&l->ev, block, out, l->diags);
    return rc;
}

void warn_not_checked(struct load *l, const struct config_name *name, const char *why)
{
    struct diag *d = diags_warn(l->diags, name->source, name->ast->name_span, "\"%.*s\" is not checked: %s",
                                SLICE_ARG(name->id), why);

    if (d != NULL)
        d->kind = DIAG_ONLY_VALIDATE;
}

/* Whose fault the first error is: the innermost import or foreach it came from. */
static void blame(struct load *l, const struct config_name *name)
{
    struct slice id = scope_full_id(&l->config->arena, name->scope, name->id);

    if (l->shape->blamed[0] == '\0')
        snprintf(l->shape->blamed, sizeof l->shape->blamed, "%.*s", SLICE_ARG(id));
}

/* --- custom components --- */

static void refuse_argument(struct load *l, const struct config_name *instance, const struct ast_attr *attr)
{
    const struct config_scope *inside = instance->inside;
    struct nearest nearest;
    struct diag *d = diags_error(l->diags, instance->source, attr->name_span,
                                 "the custom component \"%.*s\" has no argument \"%.*s\"", SLICE_ARG(inside->declared),
                                 SLICE_ARG(attr->name));

    if (d == NULL)
        return;
    diag_page(l->diags, d, "argument");
    nearest_init(&nearest, attr->name);
    for (size_t i = 0; i < inside->n_names; i++)
        if (inside->names[i]->kind == NAME_ARGUMENT)
            nearest_offer(&nearest, inside->names[i]->ast->label);
    nearest_hint(&nearest, l->diags, d);
}

/* What an instance gives, by name; all of it is checked. The caller releases the map. */
static void read_given(struct load *l, const struct config_name *instance, struct map *given)
{
    const struct ast_body *body = &instance->ast->body;

    map_init(given, 0);
    for (size_t i = 0; i < body->n; i++) {
        struct ast_attr *attr = body->stmts[i].attr;
        const struct ast_block *block = body->stmts[i].block;

        if (block != NULL)
            diags_error(l->diags, body->source, block->name_span,
                        "a custom component takes arguments only, no block \"%.*s\"", SLICE_ARG(block->name));
        else if (map_get(given, attr->name) != NULL)
            diags_error(l->diags, body->source, attr->name_span, "the argument \"%.*s\" is given twice",
                        SLICE_ARG(attr->name));
        else if (!scope_has_argument(instance->inside, attr->name))
            refuse_argument(l, instance, attr);
        else if (map_put(given, attr->name, attr, NULL) != OK)
            diags_error(l->diags, body->source, attr->name_span, "out of memory");
    }
}

/* The one setting of an argument that decides about the graph. References make no sense here: constants and functions
 * do. */
static bool read_optional(struct load *l, const struct config_name *argument, const struct ast_attr *attr)
{
    struct river_context ctx = {.arena = &l->config->arena, .diags = l->diags};
    struct value v;

    if (river_eval(&ctx, argument->source, attr->value, &v) != OK)
        return true;
    if (v.type == VALUE_BOOL)
        return v.as.boolean;
    diags_error(l->diags, argument->source, attr->value->span, "\"optional\" is true or false, this is a %s",
                value_type_name(&v));
    return true;
}

enum { SETTING_VALUE, SETTING_OPTIONAL, SETTING_DEFAULT, SETTING_COMMENT, SETTINGS };

struct settings {
    const struct ast_attr *of[SETTINGS];
};

/* The attributes of an argument or export block. */
static struct settings read_settings(struct load *l, const struct config_name *name)
{
    static const char *const words[SETTINGS] = {"value", "optional", "default", "comment"};
    const struct ast_body *body = &name->ast->body;
    size_t first = name->kind == NAME_EXPORT ? SETTING_VALUE : SETTING_OPTIONAL;
    size_t last = name->kind == NAME_EXPORT ? SETTING_VALUE : SETTING_COMMENT;
    struct settings s = {0};

    for (size_t i = 0; i < body->n; i++) {
        const struct ast_attr *attr = body->stmts[i].attr;
        const struct ast_block *block = body->stmts[i].block;
        size_t k = first;

        while (attr != NULL && k <= last && !slice_eq_str(attr->name, words[k]))
            k++;
        if (block != NULL)
            diags_error(l->diags, body->source, block->name_span, "there is no block \"%.*s\" here",
                        SLICE_ARG(block->name));
        else if (k > last)
            diags_error(l->diags, body->source, attr->name_span, "\"%.*s\" has no argument \"%.*s\"%s",
                        SLICE_ARG(name->ast->name), SLICE_ARG(attr->name),
                        first == last ? ", only value" : ", only optional, default and comment");
        else if (s.of[k] != NULL)
            diags_error(l->diags, body->source, attr->name_span, "\"%s\" is given twice", words[k]);
        else
            s.of[k] = attr;
    }
    return s;
}

static void set_value(struct config_name *name, const struct ast_attr *attr, const struct source *source,
                      const struct config_scope *meaning)
{
    name->value = attr == NULL ? NULL : attr->value;
    name->value_source = source;
    name->meaning = meaning;
}

static void bind_argument(struct load *l, struct config_name *argument, const struct config_name *instance,
                          const struct map *given)
{
    struct settings settings = read_settings(l, argument);
    const struct ast_attr *attr = map_get(given, argument->ast->label);
    bool is_optional =
        settings.of[SETTING_OPTIONAL] != NULL && read_optional(l, argument, settings.of[SETTING_OPTIONAL]);
    struct position at;
    struct diag *d;

    if (attr != NULL) {
        set_value(argument, attr, instance->source, instance->scope);
        return;
    }
    set_value(argument, settings.of[SETTING_DEFAULT], argument->source, argument->scope);
    if (is_optional)
        return;
    d = diags_error(l->diags, instance->source, instance->ast->name_span,
                    "the custom component \"%.*s\" needs the argument \"%.*s\"", SLICE_ARG(argument->scope->declared),
                    SLICE_ARG(argument->ast->label));
    at = source_position(argument->source, argument->ast->name_span.start);
    diag_hint(l->diags, d, "write %.*s = ... here, or optional = true where it is declared: %.*s:%u:%u",
              SLICE_ARG(argument->ast->label), SLICE_ARG(argument->source->name), at.line, at.column);
    diag_page(l->diags, d, "argument");
}

static void bind_export(struct load *l, struct config_name *export)
{
    struct settings settings = read_settings(l, export);

    if (settings.of[SETTING_VALUE] == NULL)
        diags_error(l->diags, export->source, export->ast->name_span, "the export \"%.*s\" has no value",
                    SLICE_ARG(export->ast->label));
    set_value(export, settings.of[SETTING_VALUE], export->source, export->scope);
}

static void bind_all(struct load *l, const struct config_name *instance)
{
    struct config_scope *inside = instance->inside;
    struct map given;

    read_given(l, instance, &given);
    for (size_t i = 0; i < inside->n_names; i++) {
        if (inside->names[i]->kind == NAME_ARGUMENT)
            bind_argument(l, inside->names[i], instance, &given);
        else if (inside->names[i]->kind == NAME_EXPORT)
            bind_export(l, inside->names[i]);
    }
    map_release(&given, NULL);
}

static void refuse_instance(struct load *l, const struct config_name *name, const struct config_name *import)
{
    const struct config_scope *within = import == NULL ? NULL : import->inside;
    struct slice wanted = name->ast->name;
    struct nearest nearest;
    struct diag *d;

    if (within != NULL)
        wanted = slice_from(wanted, slice_find(wanted, '.') + 1);
    d = diags_error(l->diags, name->source, name->ast->name_span, "there is no custom component named \"%.*s\"%s%.*s",
                    SLICE_ARG(wanted), within == NULL ? " here" : " in ",
                    SLICE_ARG(import == NULL ? wanted : import->id));
    if (d == NULL || within == NULL)
        return;
    nearest_init(&nearest, wanted);
    for (size_t i = 0; i < within->n_names; i++)
        if (within->names[i]->kind == NAME_DECLARE)
            nearest_offer(&nearest, within->names[i]->ast->label);
    nearest_hint(&nearest, l->diags, d);
}

static bool is_too_deep(struct load *l, const struct config_name *name)
{
    if (name->scope->depth < LIMIT_MODULE_DEPTH)
        return false;
    load_over(l, name, "modules inside modules", LIMIT_MODULE_DEPTH);
    return true;
}

static void expand_declare(struct load *l, struct config_name *name, const struct config_name *declare)
{
    struct config_scope *inside = name->inside;

    inside->is_pending = false;
    inside->lexical = declare->scope;
    inside->module_path = declare->scope->module_path;
    inside->is_fetched = declare->scope->is_fetched;
    collect_definitions(l, inside, &declare->ast->body);
    collect_others(l, inside, &declare->ast->body);
    bind_all(l, name);
    expand_scope(l, inside);
}

static void expand_instance(struct load *l, struct config_name *name)
{
    struct config_name *declare, *import;
    bool is_found = find_provider(name->scope, name->ast->name, &declare, &import);
    struct config_scope *inside;
    size_t n_errors = l->diags->n_errors;

    if (is_too_deep(l, name))
        return;
    inside = scope_new(l, SCOPE_INSTANCE, name, scope_full_id(&l->config->arena, name->scope, name->id));
    inside->declared = name->ast->name;
    name->inside = inside;
    inside->is_pending = true;
    if (!is_found)
        refuse_instance(l, name, import);
    else if (declare == NULL)
        inside->waits_for = scope_full_id(&l->config->arena, import->scope, import->id);
    else if (!declare->is_broken)
        expand_declare(l, name, declare);
    if (import != NULL && l->diags->n_errors > n_errors)
        blame(l, import);
}

/* --- foreach --- */

static struct exports_used *keep_used(struct config *c, const struct exports_used *used)
{
    struct exports_used *kept = mem_zalloc(sizeof *kept);

    for (size_t i = 0; i < used->n; i++)
        exports_used_add(kept, used->items[i]);
    if (c->n_kept == c->cap_kept) {
        c->cap_kept = c->cap_kept == 0 ? 4 : 2 * c->cap_kept;
        c->kept = mem_realloc(c->kept, c->cap_kept * sizeof(struct exports_used *));
    }
    c->kept[c->n_kept++] = kept;
    return kept;
}

static void expand_item(struct load *l, struct config_name *name, const struct foreach_args *args, struct slice id,
                        const struct value *item, struct exports_used *used)
{
    struct arena *arena = &l->config->arena;
    struct slice full = scope_full_id(arena, name->scope, name->id);
    struct config_scope *inside;
    char *path = arena_printf(arena, "%.*s/%.*s", SLICE_ARG(full), SLICE_ARG(id));

    inside = scope_new(l, SCOPE_ITEM, name, slice_str(path));
    inside->lexical = name->scope;
    inside->var = arena_copy(arena, args->var);
    inside->is_unmeasured = inside->is_unmeasured || !args->enable_metrics;
    inside->item_used = used;
    if (value_copy(arena, item, &inside->item) != OK) {
        diags_error(l->diags, name->source, name->ast->name_span, "no memory left for the items");
        l->is_over = true;
        return;
    }
    collect_definitions(l, inside, &args->template->body);
    collect_others(l, inside, &args->template->body);
    expand_scope(l, inside);
}

void expand_foreach(struct load *l, struct config_name *name)
{
    struct evaluation *e = NULL;
    const struct foreach_args *args;
    struct exports_used *used = NULL;
    struct foreach_ids ids;
    enum code rc = is_too_deep(l, name) ? INVALID : expand_evaluate(l, name, &e);

    if (rc == AGAIN)
        warn_not_checked(l, name, "the template is checked when it runs");
    if (rc != OK)
        return;
    args = e->args;
    foreach_ids_init(&ids);
    for (size_t i = 0; args->collection != NULL && i < args->collection->as.array.n && !l->is_over; i++) {
        const struct value *item = &args->collection->as.array.items[i];
        char id[FOREACH_ID_BYTES];

        if (++l->n_items > LIMIT_FOREACH_ITEMS) {
            load_over(l, name, "items of foreach blocks", LIMIT_FOREACH_ITEMS);
            break;
        }
        if (used == NULL)
            used = keep_used(l->config, &e->used);
        foreach_id(&ids, args, item, id);
        expand_item(l, name, args, slice_str(id), item, used);
    }
    foreach_ids_release(&ids);
    evaluation_free(e);
}

/* --- all names of a scope --- */

static void expand_block(struct load *l, struct config_name *name)
{
    const struct component_type *type = l->config->blocks[name->block].type;
    size_t n_errors = l->diags->n_errors;

    if (type == &component_foreach)
        expand_foreach(l, name);
    else if (type != NULL && import_is_type(type))
        expand_import(l, name);
    if (l->diags->n_errors > n_errors)
        blame(l, name);
}

void expand_scope(struct load *l, struct config_scope *scope)
{
    struct config_name **order = level_order(l, scope);

    for (size_t i = 0; order[i] != NULL && !l->is_over; i++) {
        if (l->diags->n_errors > LIMIT_CONFIG_DIAGS) /* nobody reads more */
            l->is_over = true;
        else if (order[i]->kind == NAME_INSTANCE && !order[i]->is_broken)
            expand_instance(l, order[i]);
        else if (order[i]->kind == NAME_BLOCK && !order[i]->is_broken)
            expand_block(l, order[i]);
    }
    mem_free(order);
}
