/* Imports: the module's text is read, parsed and its declares and imports become names of a scope of their own. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/parser.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/config_int.h"
#include "agent/runtime/import.h"
#include <stdlib.h>

/* The value of an attribute among evaluated arguments; "" when it is missing or null. */
static struct slice body_text(const struct value *body, const char *name)
{
    for (size_t i = 0; i < body->as.array.n; i++) {
        const struct value *stmt = &body->as.array.items[i];
        const struct value *stmt_name = value_get_str(stmt, "name"), *v = value_get_str(stmt, "value");

        if (stmt_name != NULL && v != NULL && slice_eq_str(stmt_name->as.text.bytes, name) && value_is_text(v))
            return v->as.text.bytes;
    }
    return slice_str("");
}

/* A text the import's running component exports; "" while there is none. */
static struct slice exported_text(struct load *l, const struct config_name *name, const char *field)
{
    const struct config_block *block = &l->config->blocks[name->block];
    struct exports *exports = l->ev.exports_of(l->ev.self, block);
    const struct value *v = exports == NULL ? NULL : value_get_str(&exports->value, field);

    return v != NULL && value_is_text(v) ? v->as.text.bytes : slice_str("");
}

struct slice load_folder_of(struct arena *arena, struct slice path)
{
    size_t len = path.len;

    while (len > 0 && path.ptr[len - 1] != '/')
        len--;
    while (len > 1 && path.ptr[len - 1] == '/')
        len--;
    return len == 0 ? slice_str(".") : arena_copy(arena, slice_head(path, len));
}

/* --- texts --- */

static struct ast_file *parse(struct load *l, const struct config_name *name, const char *called, struct slice text)
{
    struct ast_file *file = NULL;

    l->n_imported_bytes += text.len;
    if (l->n_imported_bytes > LIMIT_MODULE_BYTES) {
        load_over(l, name, "bytes of imported text", LIMIT_MODULE_BYTES);
        return NULL;
    }
    if (map_get(&l->shape->sources, slice_str(called)) == NULL &&
        map_put(&l->shape->sources, slice_str(called), mem_strndup(l->config->blocks[name->block].id), NULL) != OK)
        return NULL;
    if (river_parse(text, called, &l->config->arena, l->diags, &file) != OK && !diags_has_errors(l->diags))
        diags_error_file(l->diags, called, "cannot be parsed");
    return file;
}

struct files {
    struct ast_file **items; /* owned array */
    size_t n;
};

static void add_parsed(struct files *files, struct ast_file *file)
{
    if (file == NULL)
        return;
    files->items = mem_realloc(files->items, (files->n + 1) * sizeof(struct ast_file *));
    files->items[files->n++] = file;
}

static void add_text(struct load *l, const struct config_name *name, struct files *files, struct slice text)
{
    struct slice id = scope_full_id(&l->config->arena, name->scope, name->id);

    add_parsed(files, parse(l, name, arena_strndup(&l->config->arena, id), text));
}

static void add_file(struct load *l, const struct config_name *name, struct files *files, const char *path)
{
    struct ast_file *known = map_get(&l->parsed, slice_str(path));
    struct error err = {0};
    struct buf text;

    if (known == NULL) {
        if (config_import_read(path, &text, &err) != OK) {
            diags_error(l->diags, name->source, name->ast->name_span, "\"%.*s\" cannot be read: %s %s",
                        SLICE_ARG(name->id), path, err.text);
            return;
        }
        load_add_file(l, path, false);
        known = parse(l, name, path, buf_slice(&text));
        buf_release(&text);
        if (known != NULL && map_put(&l->parsed, slice_str(path), known, NULL) != OK)
            diags_error_file(l->diags, path, "no memory left");
    }
    add_parsed(files, known);
}

static void add_path(struct load *l, const struct config_name *name, struct files *files, const char *path)
{
    char **paths = NULL;
    struct error err = {0};
    size_t n = 0;
    bool is_folder = false;

    if (config_import_list(path, &paths, &n, &is_folder, &err) != OK) {
        diags_error(l->diags, name->source, name->ast->name_span, "\"%.*s\" cannot be read: %s %s", SLICE_ARG(name->id),
                    path, err.text);
        return;
    }
    if (is_folder)
        load_add_file(l, path, true);
    for (size_t i = 0; i < n; i++) {
        if (!l->is_over)
            add_file(l, name, files, paths[i]);
        mem_free(paths[i]);
    }
    mem_free(paths);
    name->inside->module_path =
        is_folder ? arena_copy(&l->config->arena, slice_str(path)) : load_folder_of(&l->config->arena, slice_str(path));
}

/* --- the import --- */

/* A module that imports itself has no end. */
static bool is_cycle(struct load *l, const struct config_name *name, const char *path)
{
    struct buf chain;
    const struct config_scope *s = name->scope;

    while (s != NULL && s->kind == SCOPE_IMPORT && (s->file == NULL || strcmp(s->file, path) != 0))
        s = s->outer;
    if (s == NULL || s->kind != SCOPE_IMPORT)
        return false;
    buf_init(&chain, 4096);
    for (const struct config_scope *at = name->scope; at != s; at = at->outer)
        buf_printf(&chain, " → %s", at->file != NULL ? at->file : "a text");
    diags_error(l->diags, name->source, name->ast->name_span, "modules import each other in a cycle: %s%.*s → %s", path,
                SLICE_ARG(buf_slice(&chain)), path);
    buf_release(&chain);
    return true;
}

static void read_file(struct load *l, const struct config_name *name, struct files *files, struct slice path)
{
    char *as_written = arena_strndup(&l->config->arena, path);
    struct config_scope *inside = name->inside;
    char *resolved = realpath(as_written, NULL);

    inside->file = arena_strndup(&l->config->arena, slice_str(resolved != NULL ? resolved : as_written));
    free(resolved); /* realpath's */
    if (!is_cycle(l, name, inside->file))
        add_path(l, name, files, as_written);
}

static void wait_for_content(struct load *l, const struct config_name *name)
{
    const struct config_name *use = name->uses[0];

    name->inside->is_pending = true;
    name->inside->waits_for = scope_full_id(&l->config->arena, use->scope, use->id);
    warn_not_checked(l, name, "its content is known when it runs");
}

static void wait_for_fetch(struct load *l, const struct config_name *name)
{
    name->inside->is_pending = true;
    name->inside->waits_for = l->config->blocks[name->block].id;
    warn_not_checked(l, name, "the module is fetched when it runs");
}

static void read_import(struct load *l, const struct config_name *name, const struct value *body, struct files *files)
{
    const struct component_type *type = l->config->blocks[name->block].type;
    struct slice text;

    if (type == &component_import_string) {
        text = body_text(body, "content");
        if (text.len == 0 && name->n_uses > 0) /* remote.http and the like have nothing at first */
            wait_for_content(l, name);
        else
            add_text(l, name, files, text);
    } else if (type == &component_import_file && name->scope->is_fetched) {
        diags_error(l->diags, name->source, name->ast->name_span,
                    "a module from import.http may not import files of this machine");
    } else if (type == &component_import_file) {
        read_file(l, name, files, body_text(body, "filename"));
    } else if (type == &component_import_http) {
        text = exported_text(l, name, "content");
        name->inside->is_fetched = true;
        name->inside->module_path = load_folder_of(&l->config->arena, body_text(body, "url"));
        if (text.len == 0)
            wait_for_fetch(l, name);
        else
            add_text(l, name, files, text);
    } else {
        text = exported_text(l, name, "path");
        if (text.len == 0) {
            wait_for_fetch(l, name);
            return;
        }
        read_file(l, name, files, text);
        name->inside->module_path = exported_text(l, name, "folder"); /* the checkout, wherever in it the module is */
    }
}

void expand_import(struct load *l, struct config_name *name)
{
    struct evaluation *e = NULL;
    struct files files = {0};
    struct config_scope *inside;
    size_t n_errors = l->diags->n_errors;
    enum code rc;

    if (name->scope->depth >= LIMIT_MODULE_DEPTH) {
        load_over(l, name, "modules inside modules", LIMIT_MODULE_DEPTH);
        return;
    }
    if (++l->n_imports > LIMIT_MODULE_IMPORTS) {
        load_over(l, name, "imports", LIMIT_MODULE_IMPORTS);
        return;
    }
    inside = scope_new(l, SCOPE_IMPORT, name, l->config->blocks[name->block].id);
    name->inside = inside;
    rc = expand_evaluate(l, name, &e);
    if (rc == OK)
        read_import(l, name, &e->body, &files);
    if (rc == AGAIN) {
        inside->waits_for = arena_copy(&l->config->arena, l->ev.waits_for);
        warn_not_checked(l, name, "its content is known when it runs");
    }
    inside->is_pending = inside->is_pending || rc != OK || l->diags->n_errors > n_errors;
    for (size_t i = 0; i < files.n; i++)
        collect_definitions(l, inside, &files.items[i]->body);
    for (size_t i = 0; i < files.n; i++)
        collect_others(l, inside, &files.items[i]->body);
    mem_free(files.items);
    evaluation_free(e);
    expand_scope(l, inside);
}
