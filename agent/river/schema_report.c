/* What decoding says: where, what is documented where, and what to write instead. */
#include "agent/river/schema_int.h"
#include <stdio.h>

enum { PAGE_BYTES = 512 };

/* "loki.write#endpoint.basic_auth", or "loki.write#arguments" for the component's own body. */
static void write_page(const struct schema_frame *frame, char *out, size_t size)
{
    const struct schema_frame *root = frame, *blocks[16];
    size_t n = 0;
    int at;

    for (; root->outer != NULL; root = root->outer) {
        if (n < sizeof blocks / sizeof blocks[0])
            blocks[n++] = root;
    }
    at = snprintf(out, size, "%s#%s", root->type->name, n == 0 ? "arguments" : "");
    for (size_t i = n; i > 0 && at > 0 && (size_t)at < size; i--)
        at += snprintf(out + at, size - (size_t)at, "%s%.*s", i == n ? "" : ".", SLICE_ARG(blocks[i - 1]->name));
}

struct diag *schema_report(const struct schema_frame *frame, enum severity severity, struct span at, const char *fmt,
                           ...)
{
    char text[768], page[PAGE_BYTES];
    struct diag *diag;
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag = diags_add(frame->ctx->diags, severity, frame->body->source, at, "%s", text);
    if (diag == NULL)
        return NULL;
    write_page(frame, page, sizeof page);
    diag_page(frame->ctx->diags, diag, "%s", page);
    return diag;
}

void schema_page_rest(const struct schema_frame *frame, size_t first)
{
    struct diags *diags = frame->ctx->diags;
    char page[PAGE_BYTES];

    if (first >= diags->n)
        return;
    write_page(frame, page, sizeof page);
    diags_page_rest(diags, first, page);
}

/* --- names --- */

static void offer_kinds(const struct river_field *f, struct slice name, struct nearest *kinds)
{
    struct slice head, rest;

    if (!slice_cut(name, '.', &head, &rest) || !slice_eq_str(head, f->name))
        return;
    if (kinds->word.ptr == NULL)
        nearest_init(kinds, rest);
    for (size_t i = 0; f->blocks[i] != NULL; i++)
        nearest_offer(kinds, slice_str(f->blocks[i]->name));
}

static void offer_names(const struct river_block *type, struct slice name, struct nearest *nearest,
                        struct nearest *kinds)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN)
            offer_names(f->block, name, nearest, kinds);
        else if (f->kind == RIVER_ENUM_BLOCKS)
            offer_kinds(f, name, kinds);
        else if (f->name != NULL && f->kind != RIVER_LABEL && (f->flags & RIVER_REFUSED) == 0)
            nearest_offer(nearest, slice_str(f->name));
    }
}

/* Is it an argument of a block that stands in this one (url directly in loki.write)? NULL: no. */
static const struct river_field *find_inside(const struct river_block *type, struct slice name)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        const struct river_field *in;

        if (f->kind == RIVER_FLATTEN && (in = find_inside(f->block, name)) != NULL)
            return in;
        if (f->kind != RIVER_BLOCK || f->name == NULL || (f->flags & RIVER_REFUSED) != 0)
            continue;
        for (in = f->block->fields; in != NULL && !schema_is_end(in); in++) {
            if (in->name != NULL && slice_eq_str(name, in->name))
                return f;
        }
    }
    return NULL;
}

/* Or of one of the bodies around it? */
static const struct schema_frame *find_outside(const struct schema_frame *frame, struct slice name)
{
    for (const struct schema_frame *out = frame->outer; out != NULL; out = out->outer) {
        for (const struct river_field *f = out->type->fields; f != NULL && !schema_is_end(f); f++) {
            if (f->name != NULL && f->kind != RIVER_LABEL && slice_eq_str(name, f->name))
                return out;
        }
    }
    return NULL;
}

static struct slice frame_name(const struct schema_frame *frame)
{
    return frame->outer != NULL ? frame->name : slice_str(frame->type->name);
}

struct slice schema_report_unknown(const struct schema_frame *frame, struct slice name, struct span at, bool is_block)
{
    struct slice where = frame_name(frame);
    struct diag *diag = schema_report(frame, SEVERITY_ERROR, at, "unknown %s \"%.*s\" in %.*s",
                                      is_block ? "block" : "argument", SLICE_ARG(name), SLICE_ARG(where));
    const struct river_field *inside;
    const struct schema_frame *outside;
    struct diags *diags = frame->ctx->diags;
    struct nearest nearest, kinds = {0};
    struct slice head, rest;

    if (diag == NULL) /* there are more errors than anybody reads: no time is spent on advice */
        return slice_str("");
    inside = find_inside(frame->type, name);
    outside = find_outside(frame, name);
    nearest_init(&nearest, name);
    offer_names(frame->type, name, &nearest, &kinds);
    if (kinds.best.ptr != NULL) {
        (void)slice_cut(name, '.', &head, &rest);
        diag_hint(diags, diag, "did you mean \"%.*s.%.*s\"?", SLICE_ARG(head), SLICE_ARG(kinds.best));
    } else if (nearest.best.ptr != NULL) {
        nearest_hint(&nearest, diags, diag);
    } else if (inside != NULL) {
        diag_hint(diags, diag, "it belongs into the block %s { ... }", inside->name);
    } else if (outside != NULL) {
        where = frame_name(outside);
        diag_hint(diags, diag, "it belongs into %.*s, outside of %.*s { ... }", SLICE_ARG(where),
                  SLICE_ARG(frame->name));
    }
    return nearest.best.ptr != NULL ? nearest.best : slice_str("");
}

/* A value as it might be written. */
const char *schema_example(const struct river_field *f)
{
    switch (f->kind) {
    case RIVER_BOOL:
        return "true";
    case RIVER_INT:
    case RIVER_UINT:
    case RIVER_FLOAT:
        return "1";
    case RIVER_DURATION:
        return "\"30s\"";
    case RIVER_BYTES:
        return "\"1MiB\"";
    case RIVER_STRING_LIST:
    case RIVER_ENUM_LIST:
    case RIVER_SECRET_LIST:
        return "[\"...\"]";
    case RIVER_INT_LIST:
    case RIVER_FLOAT_LIST:
        return "[1]";
    case RIVER_DURATION_LIST:
        return "[\"30s\"]";
    case RIVER_STRING_MAP:
    case RIVER_SECRET_MAP:
        return "{key = \"...\"}";
    case RIVER_STRING_LIST_MAP:
    case RIVER_SECRET_LIST_MAP:
        return "{key = [\"...\"]}";
    case RIVER_STRING_MAP_LIST:
    case RIVER_TARGETS:
        return "[{key = \"...\"}]";
    case RIVER_CAPSULE_LIST:
        return f->capsule->example != NULL ? f->capsule->example : "[...]";
    case RIVER_STRING:
    case RIVER_SECRET:
    case RIVER_OPTIONAL_SECRET:
    case RIVER_ENUM:
        return "\"...\"";
    case RIVER_CAPSULE:
    case RIVER_VALUE:
    case RIVER_LABEL:
    case RIVER_BLOCK:
    case RIVER_ENUM_BLOCKS:
    case RIVER_FLATTEN:
    case RIVER_BODY:
    case RIVER_ANY_BLOCKS:
        break;
    }
    return "...";
}

void schema_report_missing(const struct schema_frame *frame, const struct river_field *f, struct span at)
{
    struct slice where = frame_name(frame);
    bool is_attr = schema_is_attr(f->kind);
    struct diag *diag = schema_report(frame, SEVERITY_ERROR, at, "%s \"%s\" is missing in %.*s",
                                      is_attr ? "argument" : "block", f->name, SLICE_ARG(where));

    if (is_attr && f->kind == RIVER_ENUM)
        diag_hint(frame->ctx->diags, diag, "write %s = \"%s\"", f->name, f->choices[0].word);
    else if (is_attr)
        diag_hint(frame->ctx->diags, diag, "write %s = %s", f->name, schema_example(f));
    else
        diag_hint(frame->ctx->diags, diag, "write %s { ... }", f->name);
}
