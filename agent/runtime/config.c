#include "agent/runtime/config.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/river/parser.h"
#include "agent/runtime/alloy_names.h"
#include "agent/runtime/config_blocks.h"
#include "agent/text/digest.h"

enum { MARK_NEW, MARK_OPEN, MARK_DONE };

struct load {
    struct config *config;
    const struct config_options *options;
    struct diags *diags;
    size_t *path; /* blocks being visited, for naming a cycle */
    size_t n_path;
};

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

struct config_block *config_find(const struct config *c, const struct slice *parts, size_t n, size_t *n_used)
{
    char id[512];
    size_t len = 0, ends[16], n_ends = 0;

    for (size_t i = 0; i < n && n_ends < sizeof ends / sizeof ends[0]; i++) {
        if (len + 1 + parts[i].len > sizeof id)
            break;
        if (i > 0)
            id[len++] = '.';
        memcpy(id + len, parts[i].ptr, parts[i].len);
        len += parts[i].len;
        ends[n_ends++] = len;
    }
    while (n_ends > 0) {
        uintptr_t at = (uintptr_t)map_get(&c->by_id, slice_make(id, ends[n_ends - 1]));

        if (at != 0) {
            *n_used = n_ends;
            return &c->blocks[at - 1];
        }
        n_ends--;
    }
    return NULL;
}

static void refuse_unknown(struct load *l, const struct ast_block *block, const struct source *source)
{
    const struct alloy_name *alloy = alloy_name_find(block->name);
    struct nearest nearest;
    struct diag *d;

    if (alloy != NULL && alloy->kind == ALLOY_MODULES) {
        diags_error(l->diags, source, block->name_span,
                    "\"%.*s\" comes with modules, which this version of hyagent does not have yet",
                    SLICE_ARG(block->name));
        return;
    }
    if (alloy != NULL) {
        diags_error(l->diags, source, block->name_span, "\"%.*s\" is a %s of Alloy that hyagent %s",
                    SLICE_ARG(block->name), alloy->kind == ALLOY_CONFIG_BLOCK ? "configuration block" : "component",
                    alloy->kind == ALLOY_EXCLUDED ? "leaves out" : "does not have yet");
        return;
    }
    nearest_init(&nearest, block->name);
    for (size_t i = 0; l->options->types[i] != NULL; i++)
        nearest_offer(&nearest, slice_str(l->options->types[i]->name));
    for (size_t i = 0; config_block_types[i] != NULL; i++)
        nearest_offer(&nearest, slice_str(config_block_types[i]->name));
    d = diags_error(l->diags, source, block->name_span, "there is no component named \"%.*s\"", SLICE_ARG(block->name));
    nearest_hint(&nearest, l->diags, d);
}

static bool check_block(struct load *l, const struct component_type *type, const struct ast_block *block,
                        const struct source *source)
{
    if (type->stability > l->options->stability) {
        struct diag *d =
            diags_error(l->diags, source, block->name_span,
                        "component \"%s\" is at stability level \"%s\", which is below the minimum allowed "
                        "stability level \"%s\"",
                        type->name, stability_name(type->stability), stability_name(l->options->stability));

        diag_hint(l->diags, d, "use --stability.level=%s to enable it", stability_name(type->stability));
        return false;
    }
    if (type->is_singleton && block->label.len != 0) {
        diags_error(l->diags, source, block->label_span, "block \"%s\" takes no label", type->name);
        return false;
    }
    if (!type->is_singleton && block->label.len == 0) {
        struct diag *d =
            diags_error(l->diags, source, block->name_span, "component \"%s\" must have a label", type->name);

        diag_hint(l->diags, d, "write %s \"default\" { … }", type->name);
        return false;
    }
    return true;
}

static void add_block(struct load *l, const struct ast_block *ast, const struct source *source)
{
    struct config *c = l->config;
    const struct component_type *type = component_type_find(l->options->types, ast->name);
    const struct config_block *other;
    struct slice id;

    /* A refused block is still known by its id, so that what refers to it is not called wrong as well. */
    if (type == NULL)
        refuse_unknown(l, ast, source);
    else if (!check_block(l, type, ast, source))
        type = NULL;
    id = ast_block_id(&c->arena, ast);
    other = config_block_by_id(c, id);
    if (other != NULL) {
        struct position at = source_position(other->source, other->ast->name_span.start);

        diags_error(l->diags, source, ast->name_span, "\"%.*s\" is declared twice: first at %.*s:%u:%u", SLICE_ARG(id),
                    SLICE_ARG(other->source->name), at.line, at.column);
        return;
    }
    if (c->n == c->cap) {
        c->cap = c->cap == 0 ? 32 : 2 * c->cap;
        c->blocks = mem_realloc(c->blocks, c->cap * sizeof *c->blocks);
    }
    c->blocks[c->n] = (struct config_block){.ast = ast, .source = source, .type = type, .id = id};
    c->n++;
    if (map_put(&c->by_id, id, (void *)(uintptr_t)c->n, NULL) != OK)
        diags_error(l->diags, source, ast->name_span, "out of memory");
}

static void parse_text(struct load *l, const struct config_text *text)
{
    struct ast_file *file = NULL;

    if (river_parse(text->text, text->name, &l->config->arena, l->diags, &file) != OK && !diags_has_errors(l->diags))
        diags_error_file(l->diags, text->name, "cannot be parsed");
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->body.n; i++) {
        const struct ast_stmt *stmt = &file->body.stmts[i];

        if (stmt->block != NULL)
            add_block(l, stmt->block, file->source);
        else if (stmt->attr != NULL)
            diags_error(l->diags, file->source, stmt->attr->name_span,
                        "attribute \"%.*s\" stands outside of a block: only blocks are allowed here",
                        SLICE_ARG(stmt->attr->name));
    }
}

static void refuse_reference(struct load *l, const struct ast_ref *ref)
{
    struct buf word;
    struct nearest nearest;
    struct diag *d;

    buf_init(&word, 4096);
    for (size_t i = 0; i < ref->n; i++) {
        if (i > 0)
            buf_add_char(&word, '.');
        buf_add(&word, ref->parts[i]);
    }
    d = diags_error(l->diags, ref->source, ref->span, "component \"%.*s\" does not exist", SLICE_ARG(buf_slice(&word)));
    /* The last part is most often the exported field. */
    for (size_t keep = ref->n; keep + 1 >= ref->n && keep > 0; keep--) {
        size_t len = keep == ref->n ? word.len : word.len - ref->parts[ref->n - 1].len - 1;

        nearest_init(&nearest, slice_head(buf_slice(&word), len));
        for (size_t i = 0; i < l->config->n; i++)
            nearest_offer(&nearest, l->config->blocks[i].id);
        if (nearest.best.ptr != NULL) {
            nearest_hint(&nearest, l->diags, d);
            break;
        }
    }
    buf_release(&word);
}

static void resolve(struct load *l, struct config_block *block)
{
    struct config *c = l->config;
    struct ast_refs refs = {0};

    if (ast_body_refs(&c->arena, &block->ast->body, &refs) != OK) {
        diags_error(l->diags, block->source, block->ast->name_span, "too many references");
        return;
    }
    block->needs = arena_zalloc(&c->arena, (refs.n + 1) * sizeof *block->needs);
    for (size_t i = 0; i < refs.n; i++) {
        const struct ast_ref *ref = &refs.items[i];
        size_t n_used, at;
        struct config_block *needed = config_find(c, ref->parts, ref->n, &n_used);
        bool is_known = false;

        if (needed == NULL) {
            if (!stdlib_has(ref->parts[0]))
                refuse_reference(l, ref);
            continue;
        }
        at = (size_t)(needed - c->blocks);
        for (size_t k = 0; k < block->n_needs; k++)
            is_known = is_known || block->needs[k] == at;
        if (!is_known)
            block->needs[block->n_needs++] = at;
    }
}

static void report_cycle(struct load *l, size_t closing)
{
    struct buf text;
    size_t first = 0;
    const struct config_block *block = &l->config->blocks[closing];

    buf_init(&text, 4096);
    while (l->path[first] != closing)
        first++;
    for (size_t i = first; i < l->n_path; i++)
        buf_printf(&text, "%.*s → ", SLICE_ARG(l->config->blocks[l->path[i]].id));
    buf_add(&text, block->id);
    diags_error(l->diags, block->source, block->ast->name_span, "components refer to each other in a cycle: %.*s",
                SLICE_ARG(buf_slice(&text)));
    buf_release(&text);
}

/* Depth-first without recursion: a chain of blocks is as long as a file allows. */
static void sort_from(struct load *l, size_t start, size_t *next_need)
{
    struct config *c = l->config;

    l->n_path = 0;
    l->path[l->n_path++] = start;
    c->blocks[start].mark = MARK_OPEN;
    while (l->n_path > 0) {
        size_t at = l->path[l->n_path - 1];
        struct config_block *block = &c->blocks[at];

        if (next_need[at] == block->n_needs) {
            block->mark = MARK_DONE;
            c->order[c->n_ordered++] = at;
            l->n_path--;
            continue;
        }
        size_t need = block->needs[next_need[at]++];

        if (c->blocks[need].mark == MARK_OPEN) {
            report_cycle(l, need);
        } else if (c->blocks[need].mark == MARK_NEW) {
            c->blocks[need].mark = MARK_OPEN;
            l->path[l->n_path++] = need;
        }
    }
}

static void sort(struct load *l)
{
    struct config *c = l->config;
    size_t *next_need = mem_array(c->n + 1, sizeof *next_need);

    c->order = arena_zalloc(&c->arena, (c->n + 1) * sizeof *c->order);
    l->path = mem_array(c->n + 1, sizeof *l->path);
    for (size_t i = 0; i < c->n; i++)
        if (c->blocks[i].mark == MARK_NEW)
            sort_from(l, i, next_need);
    mem_free(l->path);
    mem_free(next_need);
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

enum code config_load(struct config **out, const struct config_options *options, const struct config_text *texts,
                      size_t n_texts, struct diags *diags)
{
    struct load load = {.options = options, .diags = diags};
    struct config *c = mem_zalloc(sizeof *c);

    *out = NULL;
    load.config = c;
    c->refs = 1;
    arena_init(&c->arena, 0);
    map_init(&c->by_id, 0);
    for (size_t i = 0; i < n_texts; i++)
        parse_text(&load, &texts[i]);
    for (size_t i = 0; i < c->n; i++)
        resolve(&load, &c->blocks[i]);
    sort(&load);
    if (diags_has_errors(diags)) {
        config_unref(c);
        return INVALID;
    }
    hash_texts(c, texts, n_texts);
    *out = c;
    return OK;
}
