/* hyagent docs --json: the tables as one document for programs. Its shape is described in docs/cli.md; a change that
 * would break a reader raises SCHEMA_VERSION. */
#include "agent/cli/catalog.h"
#include "agent/cli/docs.h"
#include "agent/runtime/config.h"
#include "agent/text/json.h"
#include <stdio.h>

enum { SCHEMA_VERSION = 1, MAX_DEPTH = 12, PART_BYTES = 16 * 1024 * 1024 };

struct writer {
    struct buf arguments, blocks; /* rows of the component at hand */
    unsigned depth;
    const struct river_block *open[MAX_DEPTH]; /* tables nest in themselves (stage.match) */
    const char *names[MAX_DEPTH];              /* of the path: "stage.json" */
};

/* What the blocks around an argument say about it. */
struct around {
    unsigned flags;
    const char *reason;
};

static void put_string(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ", \"%s\": ", key);
    json_write_string(out, slice_str(text));
}

static void put_bool(struct buf *out, const char *key, bool value)
{
    buf_printf(out, ", \"%s\": %s", key, value ? "true" : "false");
}

/* A row's beginning: its path. */
static void begin_row(struct writer *w, struct buf *out, const char *name)
{
    buf_printf(out, "%s        {\"path\": \"", out->len == 0 ? "\n" : ",\n");
    for (unsigned i = 0; i < w->depth; i++)
        buf_printf(out, "%s.", w->names[i]);
    buf_printf(out, "%s\"", name);
}

static struct around inside(const struct around *around, unsigned flags, const char *doc)
{
    const unsigned inherited = RIVER_REFUSED | RIVER_NO_EFFECT | RIVER_EXPERIMENTAL | RIVER_DEPRECATED;
    struct around in = *around;

    in.flags |= flags & inherited;
    if (in.reason == NULL && (flags & (RIVER_REFUSED | RIVER_NO_EFFECT)) != 0)
        in.reason = doc;
    return in;
}

static void put_effect(struct buf *out, const struct around *around)
{
    bool is_refused = (around->flags & RIVER_REFUSED) != 0, is_idle = (around->flags & RIVER_NO_EFFECT) != 0;

    put_string(out, "effect", is_refused ? "refused" : is_idle ? "no_effect" : "normal");
    if (around->reason != NULL)
        put_string(out, "reason", around->reason);
    if ((around->flags & RIVER_DEPRECATED) != 0)
        put_bool(out, "deprecated", true);
    if ((around->flags & RIVER_EXPERIMENTAL) != 0)
        put_bool(out, "experimental", true);
}

static void put_limit(struct buf *out, const char *key, const struct river_field *f, double limit)
{
    buf_printf(out, ", \"%s\": ", key);
    if (f->kind == RIVER_DURATION || f->kind == RIVER_DURATION_LIST) {
        buf_add_char(out, '"');
        river_duration_print(out, (int64_t)limit);
        buf_add_char(out, '"');
    } else {
        json_write_f64(out, limit);
    }
}

static void put_choices(struct buf *out, const struct river_field *f)
{
    for (size_t i = 0; f->choices[i].word != NULL; i++) {
        buf_add_str(out, i == 0 ? ", \"choices\": [" : ", ");
        json_write_string(out, slice_str(f->choices[i].word));
    }
    buf_add_char(out, ']');
}

static void put_argument(struct writer *w, const struct river_field *f, const struct around *around)
{
    struct around in = inside(around, f->flags, f->doc);
    struct buf *out = &w->arguments;

    begin_row(w, out, f->name);
    buf_add_str(out, ", \"type\": \"");
    docs_write_type(out, f);
    buf_add_char(out, '"');
    put_bool(out, "required", (f->flags & RIVER_REQUIRED) != 0);
    if (f->def != NULL)
        put_string(out, "default", f->def);
    else
        buf_add_str(out, ", \"default\": null");
    if (f->choices != NULL)
        put_choices(out, f);
    if ((f->flags & RIVER_HAS_MIN) != 0)
        put_limit(out, "min", f, f->min);
    if ((f->flags & RIVER_HAS_MAX) != 0)
        put_limit(out, "max", f, f->max);
    if ((f->flags & RIVER_NOT_EMPTY) != 0)
        put_bool(out, "not_empty", true);
    put_effect(out, &in);
    put_string(out, "doc", f->doc != NULL ? f->doc : "");
    buf_add_char(out, '}');
}

static void put_body(struct writer *w, const struct river_block *block, const struct around *around);

static bool has_label(const struct river_block *block)
{
    for (const struct river_field *f = block->fields; f != NULL && !docs_is_end(f); f++)
        if (f->kind == RIVER_LABEL || (f->kind == RIVER_FLATTEN && has_label(f->block)))
            return true;
    return false;
}

/* block is NULL where the body is free: unevaluated, or any blocks. */
static void put_block(struct writer *w, const struct river_field *f, const struct river_block *block, const char *name,
                      const struct around *around)
{
    const char *doc = f->kind != RIVER_ENUM_BLOCKS && f->doc != NULL ? f->doc : block != NULL ? block->doc : NULL;
    bool is_nested = false;
    struct buf *out = &w->blocks;

    for (unsigned i = 0; i < w->depth; i++)
        is_nested = is_nested || (block != NULL && w->open[i] == block);
    begin_row(w, out, name);
    put_bool(out, "required", (f->flags & RIVER_REQUIRED) != 0);
    put_bool(out, "repeated",
             f->kind == RIVER_ENUM_BLOCKS || f->kind == RIVER_ANY_BLOCKS || (f->flags & RIVER_REPEATED) != 0);
    put_bool(out, "labelled", block != NULL && has_label(block));
    if (is_nested)
        put_bool(out, "nests_itself", true);
    put_effect(out, around);
    put_string(out, "doc", doc != NULL ? doc : "");
    buf_add_char(out, '}');
    if (block == NULL || is_nested || w->depth == MAX_DEPTH)
        return;
    w->open[w->depth] = block;
    w->names[w->depth++] = name;
    put_body(w, block, around);
    w->depth--;
}

static void put_kinds(struct writer *w, const struct river_field *f, const struct around *around)
{
    for (size_t i = 0; f->blocks[i] != NULL; i++) {
        const struct river_block *kind = f->blocks[i];
        struct around in = inside(around, kind->flags, kind->doc);
        char name[128];

        snprintf(name, sizeof name, "%s.%s", f->name, kind->name);
        put_block(w, f, kind, name, &in);
    }
}

static void put_body(struct writer *w, const struct river_block *block, const struct around *around)
{
    for (const struct river_field *f = block->fields; f != NULL && !docs_is_end(f); f++) {
        struct around in = inside(around, f->flags, f->doc);

        if (f->kind == RIVER_FLATTEN)
            put_body(w, f->block, &in);
        else if (f->kind == RIVER_ENUM_BLOCKS)
            put_kinds(w, f, &in);
        else if (f->kind == RIVER_ANY_BLOCKS)
            put_block(w, f, NULL, "*", &in); /* of any name */
        else if (docs_is_block(f))
            put_block(w, f, f->kind == RIVER_BLOCK ? f->block : NULL, f->name, &in);
        else if (f->kind != RIVER_LABEL)
            put_argument(w, f, around);
    }
}

static const char *holding_word(enum holding holds)
{
    switch (holds) {
    case HOLDS_NONE:
        return "none";
    case HOLDS_BOUNDED:
        return "bounded";
    case HOLDS_STATE:
        return "state";
    }
    return "none";
}

static void put_exports(struct buf *out, const struct component_type *type)
{
    const struct component_export *exports = type->exports;

    buf_add_str(out, ",\n      \"exports\": [");
    for (size_t i = 0; catalog_shows_exports(type) && exports[i].name != NULL; i++) {
        buf_printf(out, "%s{\"name\": \"%s\"", i == 0 ? "" : ", ", exports[i].name);
        put_string(out, "type", exports[i].type);
        put_string(out, "doc", exports[i].doc);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void put_entry(struct buf *out, const struct catalog_entry *e, bool is_first)
{
    struct writer w = {.depth = 0};
    const struct component_type *type = e->type;

    buf_init(&w.arguments, PART_BYTES);
    buf_init(&w.blocks, PART_BYTES);
    put_body(&w, type->args, &(struct around){0, NULL});
    buf_printf(out, "%s    {\"name\": \"%s\"", is_first ? "\n" : ",\n", type->name);
    put_string(out, "kind", catalog_kind_name(e->kind));
    put_string(out, "stability", stability_name(type->stability));
    put_bool(out, "labelled", !type->is_singleton);
    put_string(out, "holds", holding_word(type->holds));
    put_bool(out, "is_source", type->is_source);
    put_bool(out, "is_sink", type->is_sink);
    buf_printf(out, ", \"page\": \"docs/reference/%s.md\"", type->name);
    put_string(out, "doc", type->doc);
    buf_add_str(out, ",\n      \"arguments\": [");
    buf_add(out, buf_slice(&w.arguments));
    buf_add_str(out, "],\n      \"blocks\": [");
    buf_add(out, buf_slice(&w.blocks));
    buf_add_char(out, ']');
    put_exports(out, type);
    buf_add_char(out, '}');
    out->is_full = out->is_full || w.arguments.is_full || w.blocks.is_full;
    buf_release(&w.arguments);
    buf_release(&w.blocks);
}

static void put_function(struct buf *out, const struct river_function *f, bool is_first)
{
    buf_printf(out, "%s    {\"name\": \"%s\"", is_first ? "\n" : ",\n", f->name);
    put_string(out, "signature", f->signature);
    buf_printf(out, ", \"min_args\": %zu, \"max_args\": ", f->min_args);
    if (f->max_args == SIZE_MAX)
        buf_add_str(out, "null");
    else
        buf_printf(out, "%zu", f->max_args);
    put_string(out, "stability", stability_name(f->is_experimental ? STABILITY_EXPERIMENTAL : STABILITY_GA));
    put_string(out, "doc", f->doc);
    buf_add_char(out, '}');
}

void docs_write_json(struct buf *out)
{
    const struct river_function *f;

    buf_printf(out, "{\n  \"schema\": %d,\n  \"program\": \"hyagent\",\n  \"version\": \"%s\",\n", SCHEMA_VERSION,
               HYAGENT_VERSION);
    buf_add_str(out, "  \"components\": [");
    for (size_t i = 0; catalog_at(i).type != NULL; i++) {
        struct catalog_entry e = catalog_at(i);

        put_entry(out, &e, i == 0);
    }
    buf_add_str(out, "\n  ],\n  \"functions\": [");
    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++)
        put_function(out, f, i == 0);
    buf_add_str(out, "\n  ]\n}\n");
}
