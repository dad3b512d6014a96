#include "agent/cli/docs.h"
#include "agent/cli/catalog.h"
#include "agent/runtime/config.h"
#include <stdio.h>

enum { MAX_DEPTH = 12 }; /* blocks may nest themselves (stage.match) */

struct docs {
    struct buf *out;
    const struct component_type *type;
    bool is_markdown;
    unsigned depth;
    const struct river_block *path[MAX_DEPTH];
    const char *names[MAX_DEPTH]; /* of the blocks around: "endpoint", "stage.json" */
    struct slice only;            /* not empty: the one block that is printed, "endpoint.basic_auth" */
    bool is_found;                /* it was */
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

bool docs_is_block(const struct river_field *f)
{
    return f->kind == RIVER_BLOCK || f->kind == RIVER_ENUM_BLOCKS || f->kind == RIVER_BODY ||
           f->kind == RIVER_ANY_BLOCKS;
}

/* RIVER_FIELDS_END is a STRING without a name. */
bool docs_is_end(const struct river_field *f)
{
    return f->name == NULL && f->kind != RIVER_FLATTEN && f->kind != RIVER_ANY_BLOCKS && f->kind != RIVER_LABEL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* A text for a page: names of other pages become links, and in a cell of a table "|" is escaped. */
static void put_prose(struct docs *d, const char *text, bool is_cell)
{
    while (*text != '\0') {
        size_t n = 0, len;
        struct catalog_entry e;

        while (is_name_char(text[n]))
            n++;
        if (n == 0) {
            if (is_cell && *text == '|')
                buf_add_char(d->out, '\\');
            buf_add_char(d->out, *text++);
            continue;
        }
        len = n;
        while (len > 0 && text[len - 1] == '.') /* the sentence's */
            len--;
        e = catalog_find(slice_make(text, len));
        if (e.type != NULL && e.type != d->type && memchr(text, '.', len) != NULL)
            buf_printf(d->out, "[%.*s](%.*s.md)%.*s", (int)len, text, (int)len, text, (int)(n - len), text + len);
        else
            buf_add(d->out, slice_make(text, n));
        text += n;
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

void docs_write_type(struct buf *out, const struct river_field *f)
{
    buf_printf(out, f->kind == RIVER_CAPSULE_LIST ? "list(%s)" : "%s", kind_name(f));
}

static void put_choices(struct docs *d, const struct river_field *f)
{
    if (f->choices == NULL)
        return;
    buf_add_str(d->out, f->doc != NULL && slice_ends(slice_str(f->doc), SLICE_LIT(".")) ? " One of " : "; one of ");
    for (size_t i = 0; f->choices[i].word != NULL; i++) {
        const char *word = f->choices[i].word;

        buf_printf(d->out, "%s%s", i > 0 ? ", " : "", *word != '\0' ? word : "\"\"");
    }
}

static void put_argument(struct docs *d, const struct river_field *f)
{
    if (d->is_markdown) {
        buf_printf(d->out, "| `%s` | ", f->name);
        docs_write_type(d->out, f);
        buf_add_str(d->out, " | ");
        put_default(d, f);
        buf_add_str(d->out, " | ");
        put_prose(d, f->doc != NULL ? f->doc : "", true);
        put_choices(d, f);
        buf_add_str(d->out, " |\n");
        return;
    }
    buf_printf(d->out, "%*s%s  (", (int)(2 * d->depth), "", f->name);
    docs_write_type(d->out, f);
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
    for (const struct river_field *f = fields; fields != NULL && !docs_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN)
            put_arguments(d, f->block->fields);
        else if (!docs_is_block(f) && f->name != NULL)
            put_argument(d, f);
    }
}

static bool has_arguments(const struct river_field *fields)
{
    for (const struct river_field *f = fields; fields != NULL && !docs_is_end(f); f++)
        if (f->kind == RIVER_FLATTEN ? has_arguments(f->block->fields) : !docs_is_block(f) && f->name != NULL)
            return true;
    return false;
}

static void put_body(struct docs *d, const struct river_block *block);

/* Its dotted path: "endpoint.basic_auth". */
static void put_path(struct docs *d, struct buf *out, const char *name)
{
    for (unsigned i = 1; i < d->depth; i++)
        buf_printf(out, "%s.", d->names[i]);
    buf_add_str(out, name);
}

static void put_block_head(struct docs *d, const struct river_field *f, const char *name)
{
    if (d->is_markdown) {
        buf_add_str(d->out, "\n<a id=\"");
        put_path(d, d->out, name);
        buf_add_str(d->out, "\"></a>\n### ");
        put_path(d, d->out, name);
    } else {
        buf_printf(d->out, "%*s%s { }", (int)(2 * d->depth), "", name);
    }
    if (f->flags & RIVER_REQUIRED)
        buf_add_str(d->out, " (required)");
    else if (f->flags & RIVER_REFUSED)
        buf_add_str(d->out, " (refused)");
    buf_add_str(d->out, d->is_markdown ? "\n\n" : "  ");
}

/* block is NULL where the body is free. */
static void put_block(struct docs *d, const struct river_block *block, const char *name, const struct river_field *f)
{
    const char *doc = f->kind != RIVER_ENUM_BLOCKS && f->doc != NULL ? f->doc : block != NULL ? block->doc : NULL;
    bool is_nested = false;

    for (unsigned i = 0; i < d->depth; i++)
        is_nested = is_nested || (block != NULL && d->path[i] == block);
    put_block_head(d, f, name);
    if (d->is_markdown)
        put_prose(d, doc != NULL ? doc : "", false);
    else
        buf_add_str(d->out, doc != NULL ? doc : "");
    if (is_nested)
        buf_add_str(d->out, d->is_markdown ? "\n\nTakes the same blocks again.\n" : " Takes the same blocks again.");
    buf_add_char(d->out, '\n');
    if (block == NULL || is_nested || d->depth == MAX_DEPTH)
        return;
    d->names[d->depth] = name;
    put_body(d, block);
}

/* Goes down to the block that alone is wanted. */
static void seek(struct docs *d, const struct river_block *block, const char *name, const struct river_field *f)
{
    struct buf path;
    bool is_it;

    buf_init(&path, 4096);
    put_path(d, &path, name);
    is_it = slice_eq(buf_slice(&path), d->only);
    if (!is_it)
        (void)buf_add_char(&path, '.');
    if (is_it) {
        struct docs one = *d;

        d->is_found = true;
        one.only = slice_str("");
        one.depth = 0;
        put_block(&one, block, name, f);
    } else if (block != NULL && slice_starts(d->only, buf_slice(&path)) && d->depth < MAX_DEPTH) {
        d->names[d->depth] = name;
        put_body(d, block);
    }
    buf_release(&path);
}

static void visit(struct docs *d, const struct river_block *block, const char *name, const struct river_field *f)
{
    if (d->only.len != 0)
        seek(d, block, name, f);
    else
        put_block(d, block, name, f);
}

static void put_blocks(struct docs *d, const struct river_field *fields)
{
    for (const struct river_field *f = fields; fields != NULL && !docs_is_end(f) && !d->is_found; f++) {
        if (f->kind == RIVER_FLATTEN)
            put_blocks(d, f->block->fields);
        else if (f->kind == RIVER_BLOCK)
            visit(d, f->block, f->name, f);
        else if (f->kind == RIVER_BODY || f->kind == RIVER_ANY_BLOCKS)
            visit(d, NULL, f->kind == RIVER_BODY ? f->name : "NAME", f);
        for (size_t i = 0; f->kind == RIVER_ENUM_BLOCKS && f->blocks[i] != NULL && !d->is_found; i++) {
            char name[128];

            snprintf(name, sizeof name, "%s.%s", f->name, f->blocks[i]->name);
            visit(d, f->blocks[i], name, f);
        }
    }
}

static void put_body(struct docs *d, const struct river_block *block)
{
    d->path[d->depth++] = block;
    if (d->only.len == 0) {
        if (d->is_markdown && has_arguments(block->fields))
            buf_add_str(d->out, "\n| argument | type | default | |\n|---|---|---|---|\n");
        put_arguments(d, block->fields);
    }
    put_blocks(d, block->fields);
    d->depth--;
}

/* --- what goes together: exports of one type are arguments of the other --- */

/* "LogsReceiver" of "loki.LogsReceiver", of "capsule(otelcol.Handler)" "Handler". Two names are in use for one type. */
static bool is_same_type(const char *exported, const struct river_field *f)
{
    const char *dot = strrchr(f->capsule->name, '.');
    const char *word = dot != NULL ? dot + 1 : f->capsule->name;

    if (strcmp(word, "Interceptor") == 0)
        word = "MetricsReceiver";
    return strstr(exported, word) != NULL;
}

static bool exports_for(const struct component_type *type, const struct river_field *f)
{
    for (const struct component_export *e = type->exports; e != NULL && e->name != NULL; e++)
        if (is_same_type(e->type, f))
            return true;
    return false;
}

static void put_givers(struct docs *d, const struct river_field *f)
{
    size_t n = 0;

    for (size_t i = 0; catalog_at(i).type != NULL; i++) {
        const struct component_type *type = catalog_at(i).type;

        if (!exports_for(type, f))
            continue;
        if (n++ == 0)
            buf_printf(d->out, "- `%s` takes what these export: ", f->name);
        buf_printf(d->out, "%s[%s](%s.md)", n == 1 ? "" : ", ", type->name, type->name);
    }
    if (n > 0)
        buf_add_char(d->out, '\n');
}

static void put_partners(struct docs *d, const struct river_block *block)
{
    for (const struct river_field *f = block->fields; f != NULL && !docs_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN || (f->kind == RIVER_BLOCK && strcmp(f->name, "output") == 0))
            put_partners(d, f->block);
        else if ((f->kind == RIVER_CAPSULE || f->kind == RIVER_CAPSULE_LIST) && (f->flags & RIVER_REFUSED) == 0)
            put_givers(d, f);
    }
}

static bool takes(const struct river_block *block, const char *exported)
{
    for (const struct river_field *f = block->fields; f != NULL && !docs_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN || (f->kind == RIVER_BLOCK && strcmp(f->name, "output") == 0)) {
            if (takes(f->block, exported))
                return true;
        } else if ((f->kind == RIVER_CAPSULE || f->kind == RIVER_CAPSULE_LIST) && (f->flags & RIVER_REFUSED) == 0 &&
                   is_same_type(exported, f)) {
            return true;
        }
    }
    return false;
}

static void put_takers(struct docs *d, const struct component_export *e)
{
    size_t n = 0;

    for (size_t i = 0; catalog_at(i).type != NULL; i++) {
        const struct component_type *type = catalog_at(i).type;

        if (!takes(type->args, e->type))
            continue;
        if (n++ == 0)
            buf_printf(d->out, "- `%s` is taken by: ", e->name);
        buf_printf(d->out, "%s[%s](%s.md)", n == 1 ? "" : ", ", type->name, type->name);
    }
    if (n > 0)
        buf_add_char(d->out, '\n');
}

static void put_exports(struct docs *d, const struct component_type *type)
{
    if (!catalog_shows_exports(type))
        return;
    buf_add_str(d->out, d->is_markdown ? "\n<a id=\"exports\"></a>\n## Exports\n\n| field | type | |\n|---|---|---|\n"
                                       : "\nExports\n");
    for (const struct component_export *e = type->exports; e->name != NULL; e++) {
        if (!d->is_markdown) {
            buf_printf(d->out, "  %s  (%s)\n      %s\n", e->name, e->type, e->doc);
            continue;
        }
        buf_printf(d->out, "| `%s` | %s | ", e->name, e->type);
        put_prose(d, e->doc, true);
        buf_add_str(d->out, " |\n");
    }
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

    d->type = type;
    if (d->is_markdown) {
        buf_printf(d->out, "# %s\n\n", type->name);
        put_prose(d, type->doc, false);
        buf_printf(
            d->out, "\n\nStability: %s.%s%s\n\n```river\n%s%s {\n}\n```\n\n<a id=\"arguments\"></a>\n## Arguments\n",
            stability_name(type->stability), holds != NULL ? " " : "", holds != NULL ? holds : "", type->name, label);
    } else {
        buf_printf(d->out, "%s%s { … }\n\n%s\nStability: %s.%s%s\n\nArguments\n", type->name, label, type->doc,
                   stability_name(type->stability), holds != NULL ? " " : "", holds != NULL ? holds : "");
    }
    put_body(d, type->args);
    put_exports(d, type);
    if (d->is_markdown) {
        size_t before = d->out->len;

        buf_add_str(d->out, "\n## Goes with\n\n");
        put_partners(d, type->args);
        for (const struct component_export *e = type->exports; catalog_shows_exports(type) && e->name != NULL; e++)
            put_takers(d, e);
        if (d->out->len == before + strlen("\n## Goes with\n\n"))
            d->out->len = before; /* with nothing in particular */
    }
}

void docs_write_text(struct buf *out, const struct component_type *type)
{
    struct docs d = {.out = out};

    write(&d, type);
}

bool docs_write_block(struct buf *out, const struct component_type *type, struct slice path)
{
    struct docs d = {.out = out, .type = type, .only = path};

    put_body(&d, type->args);
    return d.is_found;
}

void docs_write_markdown(struct buf *out, const struct component_type *type)
{
    struct docs d = {.out = out, .is_markdown = true};

    write(&d, type);
}
