#include "agent/cli/docs.h"
#include "agent/runtime/config.h"

enum { MAX_DEPTH = 12 }; /* blocks may nest themselves (stage.match) */

struct docs {
    struct buf *out;
    bool is_markdown;
    unsigned depth;
    const struct river_block *path[MAX_DEPTH];
};

static const char *kind_name(const struct river_field *f)
{
    switch (f->kind) {
    case RIVER_STRING:
        return "string";
    case RIVER_BOOL:
        return "bool";
    case RIVER_INT:
    case RIVER_UINT:
    case RIVER_FLOAT:
        return "number";
    case RIVER_DURATION:
        return "duration";
    case RIVER_BYTES:
        return "size";
    case RIVER_SECRET:
    case RIVER_OPTIONAL_SECRET:
        return "secret";
    case RIVER_ENUM:
        return "string";
    case RIVER_STRING_LIST:
    case RIVER_ENUM_LIST:
        return "list(string)";
    case RIVER_INT_LIST:
    case RIVER_FLOAT_LIST:
        return "list(number)";
    case RIVER_DURATION_LIST:
        return "list(duration)";
    case RIVER_SECRET_LIST:
        return "list(secret)";
    case RIVER_STRING_MAP:
        return "map(string)";
    case RIVER_SECRET_MAP:
        return "map(secret)";
    case RIVER_STRING_LIST_MAP:
        return "map(list(string))";
    case RIVER_SECRET_LIST_MAP:
        return "map(list(secret))";
    case RIVER_STRING_MAP_LIST:
    case RIVER_TARGETS:
        return "list(map(string))";
    case RIVER_CAPSULE:
    case RIVER_CAPSULE_LIST: /* in list(…) */
        return f->capsule->name;
    case RIVER_VALUE:
        return "any";
    case RIVER_LABEL:
        return "label";
    case RIVER_BLOCK:
    case RIVER_ENUM_BLOCKS:
    case RIVER_FLATTEN:
    case RIVER_BODY:
    case RIVER_ANY_BLOCKS:
        return "block";
    }
    return "any";
}

static bool is_block_field(const struct river_field *f)
{
    return f->kind == RIVER_BLOCK || f->kind == RIVER_ENUM_BLOCKS || f->kind == RIVER_BODY ||
           f->kind == RIVER_ANY_BLOCKS;
}

/* RIVER_FIELDS_END is a STRING without a name. */
static bool is_end(const struct river_field *f)
{
    return f->name == NULL && f->kind != RIVER_FLATTEN && f->kind != RIVER_ANY_BLOCKS && f->kind != RIVER_LABEL;
}

static void put_cell(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *p);
    }
}

static void put_default(struct docs *d, const struct river_field *f)
{
    if (f->flags & RIVER_REQUIRED)
        buf_add_str(d->out, "required");
    else if (f->flags & RIVER_REFUSED)
        buf_add_str(d->out, "refused");
    else if (f->def != NULL && d->is_markdown)
        buf_printf(d->out, "`%s`", f->def);
    else if (f->def != NULL)
        buf_add_str(d->out, f->def);
}

static void put_type(struct docs *d, const struct river_field *f)
{
    if (f->kind == RIVER_CAPSULE_LIST)
        buf_printf(d->out, "list(%s)", kind_name(f));
    else
        buf_add_str(d->out, kind_name(f));
}

static void put_choices(struct docs *d, const struct river_field *f)
{
    if (f->choices == NULL)
        return;
    buf_add_str(d->out, "; one of ");
    for (size_t i = 0; f->choices[i].word != NULL; i++)
        buf_printf(d->out, "%s%s", i > 0 ? ", " : "", f->choices[i].word);
}

static void put_argument(struct docs *d, const struct river_field *f)
{
    if (d->is_markdown) {
        buf_printf(d->out, "| `%s` | ", f->name);
        put_type(d, f);
        buf_add_str(d->out, " | ");
        put_default(d, f);
        buf_add_str(d->out, " | ");
        put_cell(d->out, f->doc != NULL ? f->doc : "");
        put_choices(d, f);
        buf_add_str(d->out, " |\n");
        return;
    }
    buf_printf(d->out, "%*s%s  (", (int)(2 * d->depth), "", f->name);
    put_type(d, f);
    if ((f->flags & (RIVER_REQUIRED | RIVER_REFUSED)) != 0 || f->def != NULL) {
        buf_add_str(d->out, f->def != NULL && (f->flags & (RIVER_REQUIRED | RIVER_REFUSED)) == 0 ? ", default " : ", ");
        put_default(d, f);
    }
    buf_printf(d->out, ")\n%*s%s", (int)(4 + 2 * d->depth), "", f->doc != NULL ? f->doc : "");
    put_choices(d, f);
    buf_add_char(d->out, '\n');
}

static void put_arguments(struct docs *d, const struct river_field *fields)
{
    for (const struct river_field *f = fields; fields != NULL && !is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN)
            put_arguments(d, f->block->fields);
        else if (!is_block_field(f) && f->name != NULL)
            put_argument(d, f);
    }
}

static bool has_arguments(const struct river_field *fields)
{
    for (const struct river_field *f = fields; fields != NULL && !is_end(f); f++)
        if (f->kind == RIVER_FLATTEN ? has_arguments(f->block->fields) : !is_block_field(f) && f->name != NULL)
            return true;
    return false;
}

static void put_body(struct docs *d, const struct river_block *block);

static void put_block(struct docs *d, const struct river_block *block, const char *prefix, const char *name,
                      const struct river_field *f)
{
    const char *doc = f->kind == RIVER_BLOCK && f->doc != NULL ? f->doc : block->doc != NULL ? block->doc : "";
    bool is_nested = false;

    for (unsigned i = 0; i < d->depth; i++)
        is_nested = is_nested || d->path[i] == block;
    if (d->is_markdown) {
        buf_add_str(d->out, "\n### ");
        for (unsigned i = 1; i < d->depth; i++)
            buf_printf(d->out, "%s › ", d->path[i]->name);
        buf_printf(d->out, "%s%s%s", prefix, *prefix != '\0' ? "." : "", name);
    } else {
        buf_printf(d->out, "%*s%s%s%s { }", (int)(2 * d->depth), "", prefix, *prefix != '\0' ? "." : "", name);
    }
    if (f->flags & RIVER_REQUIRED)
        buf_add_str(d->out, " (required)");
    else if (f->flags & RIVER_REFUSED)
        buf_add_str(d->out, " (refused)");
    buf_printf(d->out, "%s%s", d->is_markdown ? "\n\n" : "  ", doc);
    if (is_nested)
        buf_add_str(d->out, d->is_markdown ? "\n\nTakes the same blocks again.\n" : " Takes the same blocks again.");
    buf_add_char(d->out, '\n');
    if (!is_nested && d->depth + 1 < MAX_DEPTH)
        put_body(d, block);
}

static void put_blocks(struct docs *d, const struct river_field *fields)
{
    for (const struct river_field *f = fields; fields != NULL && !is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN)
            put_blocks(d, f->block->fields);
        else if (f->kind == RIVER_BLOCK)
            put_block(d, f->block, "", f->name, f);
        else if (f->kind == RIVER_ENUM_BLOCKS)
            for (size_t i = 0; f->blocks[i] != NULL; i++)
                put_block(d, f->blocks[i], f->name, f->blocks[i]->name, f);
    }
}

static void put_body(struct docs *d, const struct river_block *block)
{
    d->path[d->depth++] = block;
    if (d->is_markdown && has_arguments(block->fields))
        buf_add_str(d->out, "\n| argument | type | default | |\n|---|---|---|---|\n");
    put_arguments(d, block->fields);
    put_blocks(d, block->fields);
    d->depth--;
}

static void put_exports(struct docs *d, const struct component_export *exports)
{
    if (exports == NULL || exports[0].name == NULL)
        return;
    buf_add_str(d->out, d->is_markdown ? "\n## Exports\n\n| field | type | |\n|---|---|---|\n" : "\nExports\n");
    for (; exports->name != NULL; exports++)
        buf_printf(d->out, d->is_markdown ? "| `%s` | %s | %s |\n" : "  %s  (%s)\n      %s\n", exports->name,
                   exports->type, exports->doc);
}

static const char *holding_text(enum holding holds)
{
    switch (holds) {
    case HOLDS_NONE:
        return NULL;
    case HOLDS_BOUNDED:
        return "Holds items for a bounded time; a source's position moves only when they were delivered.";
    case HOLDS_STATE:
        return "Keeps state of its own: what it has taken in counts as settled, so it is lost when the process is "
               "killed.";
    }
    return NULL;
}

static void write(struct docs *d, const struct component_type *type)
{
    const char *label = type->is_singleton ? "" : " \"LABEL\"";
    const char *holds = holding_text(type->holds);

    if (d->is_markdown)
        buf_printf(d->out, "# %s\n\n%s\n\nStability: %s.%s%s\n\n```river\n%s%s {\n}\n```\n\n## Arguments\n", type->name,
                   type->doc, stability_name(type->stability), holds != NULL ? " " : "", holds != NULL ? holds : "",
                   type->name, label);
    else
        buf_printf(d->out, "%s%s { … }\n\n%s\nStability: %s.%s%s\n\nArguments\n", type->name, label, type->doc,
                   stability_name(type->stability), holds != NULL ? " " : "", holds != NULL ? holds : "");
    put_body(d, type->args);
    put_exports(d, type->exports);
}

void docs_write_text(struct buf *out, const struct component_type *type)
{
    struct docs d = {.out = out};

    write(&d, type);
}

void docs_write_markdown(struct buf *out, const struct component_type *type)
{
    struct docs d = {.out = out, .is_markdown = true};

    write(&d, type);
}
