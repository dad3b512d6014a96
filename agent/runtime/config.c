#include "agent/runtime/config.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/river/parser.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/config_int.h"
#include "agent/text/digest.h"

const char *stability_name(enum stability stability)
{
    switch (stability) {
    case STABILITY_GA:
        return "generally-available";
    case STABILITY_PREVIEW:
        return "public-preview";
    case STABILITY_EXPERIMENTAL:
        return "experimental";
    }
    return "unknown";
}

const struct component_type *component_type_find(component_types types, struct slice name)
{
    for (size_t i = 0; config_block_types[i] != NULL; i++)
        if (slice_eq_str(name, config_block_types[i]->name))
            return config_block_types[i];
    for (size_t i = 0; types[i] != NULL; i++)
        if (slice_eq_str(name, types[i]->name))
            return types[i];
    return NULL;
}

struct config *config_ref(struct config *c)
{
    c->refs++;
    return c;
}

void config_unref(struct config *c)
{
    if (c == NULL || --c->refs != 0)
        return;
    for (size_t i = 0; i < c->n_scopes; i++) {
        map_release(&c->scopes[i]->by_id, NULL);
        mem_free(c->scopes[i]->names);
    }
    for (size_t i = 0; i < c->n_kept; i++) {
        exports_used_release(c->kept[i]);
        mem_free(c->kept[i]);
    }
    mem_free(c->kept);
    mem_free(c->scopes);
    mem_free(c->names);
    mem_free(c->files);
    map_release(&c->by_id, NULL);
    arena_release(&c->arena);
    mem_free(c->blocks);
    mem_free(c);
}

const struct config_block *config_block_by_id(const struct config *c, struct slice id)
{
    uintptr_t at = (uintptr_t)map_get(&c->by_id, id);

    return at == 0 ? NULL : &c->blocks[at - 1];
}

/* --- loading --- */

/* What shapes the graph is evaluated with the exports of what runs already. */
static struct exports *shape_exports_of(void *self, const struct config_block *block)
{
    struct load *l = self;
    struct exports *exports =
        l->options->exports_of == NULL ? NULL : l->options->exports_of(l->options->self, block->id);

    config_shape_add(l->shape, block->id, exports);
    return exports;
}

static void add_types(struct load *l, component_types types)
{
    for (size_t i = 0; types[i] != NULL; i++) {
        union {
            const struct component_type *type;
            void *value;
        } entry = {.type = types[i]};

        if (map_put(&l->types, slice_str(types[i]->name), entry.value, NULL) != OK)
            diags_error_file(l->diags, "", "out of memory");
    }
}

static void add_file(struct config *c, const char *path, bool is_main, bool is_folder)
{
    if (c->n_files == c->cap_files) {
        c->cap_files = c->cap_files == 0 ? 4 : 2 * c->cap_files;
        c->files = mem_realloc(c->files, c->cap_files * sizeof *c->files);
    }
    c->files[c->n_files++] = (struct config_file){arena_strndup(&c->arena, slice_str(path)), is_main, is_folder};
}

void load_add_file(struct load *l, const char *path, bool is_folder)
{
    const struct config *c = l->config;

    for (size_t i = 0; i < c->n_files && is_folder; i++) /* files are read once, folders may be listed again */
        if (strcmp(c->files[i].path, path) == 0)
            return;
    add_file(l->config, path, false, is_folder);
}

static void load_texts(struct load *l, const struct config_text *texts, size_t n)
{
    struct ast_file **files = mem_array(n + 1, sizeof(struct ast_file *));
    struct config_scope *root = scope_new(l, SCOPE_ROOT, NULL, slice_str(""));

    root->module_path = load_folder_of(&l->config->arena, slice_str(n == 0 ? NULL : texts[0].name));
    for (size_t i = 0; i < n; i++) {
        add_file(l->config, texts[i].name, true, false);
        if (river_parse(texts[i].text, texts[i].name, &l->config->arena, l->diags, &files[i]) != OK &&
            !diags_has_errors(l->diags))
            diags_error_file(l->diags, texts[i].name, "cannot be parsed");
    }
    l->is_parsed = !diags_has_errors(l->diags);
    for (size_t i = 0; i < n; i++)
        if (files[i] != NULL)
            collect_definitions(l, root, &files[i]->body);
    for (size_t i = 0; i < n; i++)
        if (files[i] != NULL)
            collect_others(l, root, &files[i]->body);
    mem_free(files);
    expand_scope(l, root);
    link_all(l);
}

static void hash_texts(struct config *c, const struct config_text *texts, size_t n)
{
    struct buf all;
    uint8_t digest[DIGEST_BYTES];

    buf_init(&all, SIZE_MAX / 2);
    for (size_t i = 0; i < n; i++) {
        buf_add(&all, texts[i].text);
        buf_add_char(&all, '\n');
    }
    digest_sha256(buf_slice(&all), slice_str(NULL), digest);
    digest_hex(digest, c->hash);
    buf_release(&all);
}

static void load_init(struct load *l, const struct config_options *options, struct diags *diags)
{
    struct config *c = mem_zalloc(sizeof *c);

    c->refs = 1;
    arena_init(&c->arena, 0);
    map_init(&c->by_id, 0);
    *l = (struct load){.config = c, .options = options, .diags = diags, .shape = options->shape};
    config_shape_init(&l->own_shape);
    if (l->shape == NULL)
        l->shape = &l->own_shape;
    l->ev = (struct evaluator){.config = c, .stability = options->stability, .exports_of = shape_exports_of, .self = l};
    map_init(&l->types, 0);
    map_init(&l->parsed, 0);
    add_types(l, options->types);
    add_types(l, config_block_types);
}

static void load_release(struct load *l)
{
    evaluator_release(&l->ev);
    config_shape_release(&l->own_shape);
    map_release(&l->types, NULL);
    map_release(&l->parsed, NULL);
    mem_free(l->seen);
}

enum code config_load(struct config **out, const struct config_options *options, const struct config_text *texts,
                      size_t n_texts, struct diags *diags)
{
    struct load load;

    *out = NULL;
    load_init(&load, options, diags);
    load_texts(&load, texts, n_texts);
    load_release(&load);
    if (diags_has_errors(diags)) {
        if (options->refused != NULL && load.is_parsed && !load.is_over)
            *options->refused = load.config;
        else
            config_unref(load.config);
        return INVALID;
    }
    hash_texts(load.config, texts, n_texts);
    *out = load.config;
    return OK;
}
