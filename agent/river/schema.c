/* A body into a C struct. */
#include "agent/river/schema.h"
#include "agent/base/limits.h"
#include "agent/river/eval_int.h"
#include "agent/river/schema_int.h"
#include <stdio.h>

enum { MOST_QUOTED = 100 }; /* bytes of an expression repeated in a message */

/* A field as found in a table or in one flattened into it. */
struct place {
    const struct river_field *field;
    char *at;          /* its C field */
    char *base;        /* the struct of the table it stands in */
    size_t kind_index; /* ENUM_BLOCKS: which of .blocks */
};

/* What was written for a field so far. */
struct written {
    const struct river_field *field;
    const char *at;
    struct span first;
};

struct decode {
    struct schema_frame frame;
    struct river_context *ctx; /* the frame's */
    const struct river_block *type;
    const struct ast_body *body;
    char *out;
    struct written *written; /* arena; one per field that was written */
    size_t n_written;
    const struct river_field *excused[8]; /* required, and not to be reported as missing */
    size_t n_excused;
    enum code rc;
};

struct river_problems {
    const struct schema_frame *frame;
    struct span at; /* the block's name */
    struct diag *last;
};

static enum code decode_body(const struct schema_frame *frame, struct span at, const struct ast_block *block,
                             void *out);

static void fail(struct decode *d, enum code rc)
{
    if (d->rc != NOMEM)
        d->rc = rc;
}

static struct diag *report(struct decode *d, struct span at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static struct diag *report(struct decode *d, struct span at, const char *fmt, ...)
{
    char text[768];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fail(d, INVALID);
    return schema_report(&d->frame, SEVERITY_ERROR, at, "%s", text);
}

static void no_memory(struct decode *d, struct span at)
{
    fail(d, eval_no_memory(d->ctx, d->body->source, at));
}

/* --- finding --- */

/* "stage.docker" against an ENUM_BLOCKS field "stage". */
static bool is_kind_of(const struct river_field *f, struct slice name, size_t *index)
{
    size_t prefix = strlen(f->name);
    struct slice kind = slice_from(name, prefix + 1);

    if (f->kind != RIVER_ENUM_BLOCKS || !slice_starts(name, slice_str(f->name)) || name.len <= prefix ||
        name.ptr[prefix] != '.')
        return false;
    for (*index = 0; f->blocks[*index] != NULL; (*index)++) {
        if (slice_eq_str(kind, f->blocks[*index]->name))
            return true;
    }
    return false;
}

static bool find(const struct river_block *type, char *out, struct slice name, struct place *place)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN) {
            if (find(f->block, out + f->offset, name, place))
                return true;
            continue;
        }
        if (f->kind == RIVER_LABEL || f->kind == RIVER_ANY_BLOCKS)
            continue;
        if (f->kind == RIVER_ENUM_BLOCKS ? !is_kind_of(f, name, &place->kind_index) : !slice_eq_str(name, f->name))
            continue;
        place->field = f;
        place->at = out + f->offset;
        place->base = out;
        return true;
    }
    return false;
}

static bool find_kind(const struct river_block *type, char *out, enum river_kind kind, struct place *place)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN && find_kind(f->block, out + f->offset, kind, place))
            return true;
        if (f->kind == kind) {
            *place = (struct place){.field = f, .at = out + f->offset, .base = out};
            return true;
        }
    }
    return false;
}

/* What was reported as misspelt, or as a block instead of an argument, is not missing as well. */
static void excuse(struct decode *d, const struct river_field *field)
{
    if (d->n_excused < sizeof d->excused / sizeof d->excused[0])
        d->excused[d->n_excused++] = field;
}

static bool is_excused(const struct decode *d, const struct river_field *field)
{
    for (size_t i = 0; i < d->n_excused; i++) {
        if (d->excused[i] == field)
            return true;
    }
    return false;
}

static void unknown(struct decode *d, struct slice name, struct span at, bool is_block)
{
    struct slice meant = schema_report_unknown(&d->frame, name, at, is_block);
    struct place place;

    fail(d, INVALID);
    if (meant.len != 0 && find(d->type, d->out, meant, &place))
        excuse(d, place.field);
}

/* --- flags --- */

static struct written *written_as(struct decode *d, const struct place *place)
{
    for (size_t i = 0; i < d->n_written; i++) {
        if (d->written[i].field == place->field && d->written[i].at == place->at)
            return &d->written[i];
    }
    return NULL;
}

/* Says what the flags have to say about a field that was written; false when it is not to be decoded. */
static bool heed_flags(struct decode *d, const struct river_field *f, struct slice name, struct span at)
{
    struct schema_frame itself = {&d->frame, d->ctx, d->type, d->body, name};
    const struct schema_frame *frame = schema_is_attr(f->kind) ? &d->frame : &itself; /* whose page it stands on */
    struct diag *diag;

    if ((f->flags & RIVER_REFUSED) != 0) {
        fail(d, INVALID);
        diag = schema_report(frame, SEVERITY_ERROR, at, "\"%.*s\" is not supported by hyagent", SLICE_ARG(name));
        diag_hint(d->ctx->diags, diag, "%s", f->doc);
        return false;
    }
    if ((f->flags & RIVER_EXPERIMENTAL) != 0 && (d->ctx->flags & RIVER_ALLOW_EXPERIMENTAL) == 0) {
        diag = report(d, at, "\"%.*s\" is experimental", SLICE_ARG(name));
        diag_hint(d->ctx->diags, diag, "start with --stability.level=experimental to use it");
        return false;
    }
    if ((f->flags & (RIVER_NO_EFFECT | RIVER_DEPRECATED)) != 0) {
        bool has_effect = (f->flags & RIVER_NO_EFFECT) == 0;

        diag = schema_report(frame, SEVERITY_WARNING, at,
                             has_effect ? "\"%.*s\" is deprecated" : "\"%.*s\" has no effect", SLICE_ARG(name));
        if (diag != NULL)
            diag->kind = has_effect ? DIAG_DEPRECATED : DIAG_NO_EFFECT;
        diag_hint(d->ctx->diags, diag, "%s", f->doc);
    }
    return true;
}

/* Notes that the field was written here. False when it was before and may not be again. */
static bool note(struct decode *d, const struct place *place, struct slice name, struct span at)
{
    struct written *before = written_as(d, place);
    bool may_repeat = (place->field->flags & RIVER_REPEATED) != 0 || place->field->kind == RIVER_ENUM_BLOCKS;
    struct diag *diag;

    if (before == NULL) {
        d->written[d->n_written++] = (struct written){place->field, place->at, at};
        if (place->field->present != 0)
            place->base[place->field->present - 1] = (char)true;
        return true;
    }
    if (may_repeat)
        return true;
    diag = report(d, at, "\"%.*s\" is given twice", SLICE_ARG(name));
    diag_hint(d->ctx->diags, diag, "first in line %u", source_line_of(d->body->source, before->first.start));
    return false;
}

/* --- arguments --- */

/* As near as the expression allows: the list's element, the object's value. */
static struct span misfit_span(const struct expr *e, const struct misfit *misfit)
{
    if (e->kind == EXPR_ARRAY && misfit->item < e->as.array.n) {
        struct misfit inside = {.item = SIZE_MAX, .key = misfit->key};

        return misfit_span(e->as.array.items[misfit->item], &inside);
    }
    if (e->kind == EXPR_OBJECT && misfit->key.ptr != NULL) {
        for (size_t i = e->as.object.n; i > 0; i--) { /* of a key given twice the last one counts */
            if (slice_eq(e->as.object.keys[i - 1].name, misfit->key))
                return misfit_span(e->as.object.keys[i - 1].value, &(struct misfit){.item = misfit->item});
        }
    }
    return e->span;
}

/* What to type is known when the secret is all of the argument. */
static void hint_nonsensitive(struct decode *d, const struct expr *e, struct diag *diag)
{
    struct slice text = slice_head(slice_from(d->body->source->text, e->span.start), e->span.end - e->span.start);

    diag_hint(d->ctx->diags, diag, "write convert.nonsensitive(%.*s); it is then shown on pages and in logs",
              SLICE_ARG(text.len <= MOST_QUOTED ? text : SLICE_LIT("...")));
}

static void decode_attr(struct decode *d, const struct ast_attr *attr)
{
    struct place place;
    struct misfit misfit;
    struct value v;
    size_t n_before = d->ctx->diags->n;
    enum code rc;

    if (!find(d->type, d->out, attr->name, &place)) {
        unknown(d, attr->name, attr->name_span, false);
        return;
    }
    if (!schema_is_attr(place.field->kind)) {
        struct diag *diag = report(d, attr->name_span, "\"%.*s\" is a block, not an argument", SLICE_ARG(attr->name));

        diag_hint(d->ctx->diags, diag, "write %.*s { ... }", SLICE_ARG(attr->name));
        excuse(d, place.field);
        return;
    }
    if (!note(d, &place, attr->name, attr->name_span) || !heed_flags(d, place.field, attr->name, attr->name_span))
        return;
    rc = river_eval(d->ctx, d->body->source, attr->value, &v);
    schema_page_rest(&d->frame, n_before);
    if (rc != OK) {
        fail(d, rc);
        return;
    }
    rc = schema_convert(d->ctx->arena, place.field, &v, place.at, &misfit);
    if (rc == INVALID) {
        struct diag *diag =
            report(d, misfit_span(attr->value, &misfit), "\"%.*s\": %s", SLICE_ARG(attr->name), misfit.err.text);

        if (v.type == VALUE_SECRET)
            hint_nonsensitive(d, attr->value, diag);
        else if (misfit.hint[0] != '\0')
            diag_hint(d->ctx->diags, diag, "%s", misfit.hint);
        if (diag != NULL)
            diag->is_certain = misfit.is_certain;
    } else if (rc != OK) {
        no_memory(d, attr->value->span);
    }
}

/* --- blocks --- */

static size_t count_blocks(const struct decode *d, const struct place *place)
{
    size_t n = 0;

    for (size_t i = 0; i < d->body->n; i++) {
        struct place other;

        if (d->body->stmts[i].block != NULL && find(d->type, d->out, d->body->stmts[i].block->name, &other))
            n += other.field == place->field && other.at == place->at;
    }
    return n;
}

/* Room for the next of a repeated block; the array is made for all of them at the first. */
static void *next_repeated(struct decode *d, const struct place *place)
{
    struct river_blocks *list = (void *)place->at;
    size_t size = place->field->block->size;

    if (list->items == NULL)
        list->items = arena_try_array(d->ctx->arena, count_blocks(d, place), size);
    return list->items != NULL ? (char *)list->items + list->n++ * size : NULL;
}

static void *next_of_kind(struct decode *d, const struct place *place, const struct ast_block *block)
{
    struct river_enum_blocks *list = (void *)place->at;
    const struct river_block *type = place->field->blocks[place->kind_index];
    void *args = arena_try_array(d->ctx->arena, 1, type->size);

    if (list->items == NULL)
        list->items = arena_try_array(d->ctx->arena, count_blocks(d, place), sizeof *list->items);
    if (list->items == NULL || args == NULL)
        return NULL;
    list->items[list->n++] = (struct river_enum_entry){.index = place->kind_index,
                                                       .type = type,
                                                       .args = args,
                                                       .at = source_position(d->body->source, block->name_span.start)};
    return args;
}

static void decode_known_block(struct decode *d, const struct place *place, const struct ast_block *block)
{
    const struct river_field *f = place->field;
    const struct river_block *type = f->block;
    void *out = place->at;

    if (f->kind == RIVER_BODY) {
        *(const struct ast_block **)(void *)place->at = block;
        return;
    }
    if (f->kind == RIVER_ENUM_BLOCKS) {
        type = f->blocks[place->kind_index];
        out = next_of_kind(d, place, block);
    } else if ((f->flags & RIVER_REPEATED) != 0) {
        out = next_repeated(d, place);
    } else if ((f->flags & RIVER_POINTER) != 0) {
        out = arena_try_array(d->ctx->arena, 1, type->size);
        *(void **)(void *)place->at = out;
    }
    if (out == NULL) {
        no_memory(d, block->name_span);
        return;
    }
    struct schema_frame inner = {&d->frame, d->ctx, type, &block->body, block->name};
    enum code rc = decode_body(&inner, block->name_span, block, out);

    if (rc != OK)
        fail(d, rc);
}

static void decode_any_block(struct decode *d, const struct place *place, const struct ast_block *block)
{
    struct river_any_blocks *list = (void *)place->at;
    struct river_any_block *any;
    enum code rc;

    if (list->items == NULL)
        list->items = arena_try_array(d->ctx->arena, d->body->n, sizeof *list->items);
    if (list->items == NULL) {
        no_memory(d, block->name_span);
        return;
    }
    any = &list->items[list->n++];
    any->name = arena_copy(d->ctx->arena, block->name);
    any->label = arena_copy(d->ctx->arena, block->label);
    any->ast = block;
    rc = river_body_value(d->ctx, &block->body, &any->body);
    if (rc != OK)
        fail(d, rc);
}

static void decode_block(struct decode *d, const struct ast_block *block)
{
    struct place place = {0};

    if (!find(d->type, d->out, block->name, &place)) {
        if (find_kind(d->type, d->out, RIVER_ANY_BLOCKS, &place))
            decode_any_block(d, &place, block);
        else
            unknown(d, block->name, block->name_span, true);
        return;
    }
    if (schema_is_attr(place.field->kind)) {
        struct diag *diag = report(d, block->name_span, "\"%.*s\" is an argument, not a block", SLICE_ARG(block->name));

        diag_hint(d->ctx->diags, diag, "write %.*s = %s", SLICE_ARG(block->name), schema_example(place.field));
        excuse(d, place.field);
        return;
    }
    if (!note(d, &place, block->name, block->name_span) || !heed_flags(d, place.field, block->name, block->name_span))
        return;
    if (place.field->kind == RIVER_ENUM_BLOCKS) {
        const struct river_block *type = place.field->blocks[place.kind_index];
        const struct river_field of_kind = {.kind = RIVER_BLOCK, .flags = type->flags, .doc = type->doc};

        if (!heed_flags(d, &of_kind, block->name, block->name_span))
            return;
    }
    decode_known_block(d, &place, block);
}

/* --- the whole --- */

static void decode_label(struct decode *d, const struct ast_block *block)
{
    struct place place;
    struct diag *diag;

    if (block == NULL)
        return;
    if (!find_kind(d->type, d->out, RIVER_LABEL, &place)) {
        if (block->label.len != 0)
            report(d, block->label_span, "the block \"%.*s\" has no label", SLICE_ARG(block->name));
        return;
    }
    if (block->label.len == 0) {
        diag = report(d, block->name_span, "the block \"%.*s\" needs a label", SLICE_ARG(block->name));
        diag_hint(d->ctx->diags, diag, "write %.*s \"NAME\" { ... }", SLICE_ARG(block->name));
        return;
    }
    *(struct slice *)(void *)place.at = arena_copy(d->ctx->arena, block->label);
    if (((struct slice *)(void *)place.at)->ptr == NULL)
        no_memory(d, block->label_span);
}

static void find_missing(struct decode *d, const struct river_block *type, char *out, struct span at)
{
    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        struct place place = {.field = f, .at = out + f->offset};

        if (f->kind == RIVER_FLATTEN)
            find_missing(d, f->block, out + f->offset, at);
        if ((f->flags & RIVER_REQUIRED) == 0 || f->kind == RIVER_LABEL || written_as(d, &place) != NULL ||
            is_excused(d, f))
            continue;
        fail(d, INVALID);
        schema_report_missing(&d->frame, f, at);
    }
}

static enum code validate(struct decode *d, const struct river_block *type, const char *out,
                          struct river_problems *problems)
{
    enum code rc = OK;

    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++) {
        if (f->kind == RIVER_FLATTEN && validate(d, f->block, out + f->offset, problems) != OK)
            rc = INVALID;
    }
    if (type->validate != NULL && type->validate(out, problems) != OK)
        rc = INVALID;
    return rc;
}

static size_t count_fields(const struct river_block *type)
{
    size_t n = 0;

    for (const struct river_field *f = type->fields; f != NULL && !schema_is_end(f); f++)
        n += f->kind == RIVER_FLATTEN ? count_fields(f->block) : 1;
    return n;
}

static enum code decode_body(const struct schema_frame *frame, struct span at, const struct ast_block *block, void *out)
{
    struct river_context *ctx = frame->ctx;
    const struct river_block *type = frame->type;
    const struct ast_body *body = frame->body;
    struct decode d = {.frame = *frame, .ctx = ctx, .type = type, .body = body, .out = out};
    struct river_problems problems = {frame, at, NULL};
    struct error err = {0};
    enum code rc = schema_defaults(ctx->arena, type, out, &err);

    BUG_ON(rc == INVALID); /* a table's own default; river_block_check finds it */
    if (rc == OK) {
        d.written = arena_try_array(ctx->arena, count_fields(type), sizeof *d.written);
        rc = d.written != NULL ? OK : NOMEM;
    }
    if (rc != OK)
        return eval_no_memory(ctx, body->source, at);
    decode_label(&d, block);
    for (size_t i = 0; i < body->n && d.rc != NOMEM; i++) {
        if (body->stmts[i].attr != NULL)
            decode_attr(&d, body->stmts[i].attr);
        else
            decode_block(&d, body->stmts[i].block);
    }
    if (d.rc != NOMEM)
        find_missing(&d, type, out, at);
    if (d.rc == OK)
        d.rc = validate(&d, type, out, &problems);
    return d.rc;
}

enum code river_decode(struct river_context *ctx, const struct river_block *type, const struct ast_block *block,
                       void *out)
{
    const struct schema_frame frame = {NULL, ctx, type, &block->body, block->name};
    struct place place;
    struct ast_block unlabelled;
    bool takes_label = find_kind(type, out, RIVER_LABEL, &place);

    if (takes_label)
        return decode_body(&frame, block->name_span, block, out);
    unlabelled = *block; /* the label is the runtime's: part of the component's id */
    unlabelled.label = (struct slice){0};
    return decode_body(&frame, block->name_span, &unlabelled, out);
}

enum code river_decode_body(struct river_context *ctx, const struct river_block *type, const struct ast_body *body,
                            struct span at, void *out)
{
    const struct schema_frame frame = {NULL, ctx, type, body, {0}};

    return decode_body(&frame, at, NULL, out);
}

/* --- problems --- */

/* "tls_config.ca_file": the argument of the first such block. */
static struct span find_written(const struct ast_body *body, struct slice field, struct span otherwise)
{
    struct slice head, rest;

    for (size_t i = 0; i < body->n; i++) {
        const struct ast_stmt *s = &body->stmts[i];

        if (s->attr != NULL && slice_eq(s->attr->name, field))
            return s->attr->value->span;
        if (s->block != NULL && slice_eq(s->block->name, field))
            return s->block->name_span;
    }
    if (!slice_cut(field, '.', &head, &rest))
        return otherwise;
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_block *b = body->stmts[i].block;

        if (b != NULL && slice_eq(b->name, head))
            return find_written(&b->body, rest, b->name_span);
    }
    return otherwise;
}

enum code river_problem(struct river_problems *p, const char *field, const char *fmt, ...)
{
    struct span at = field != NULL ? find_written(p->frame->body, slice_str(field), p->at) : p->at;
    char text[768];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    p->last = schema_report(p->frame, SEVERITY_ERROR, at, "%s", text);
    return INVALID;
}

void river_problem_hint(struct river_problems *p, const char *fmt, ...)
{
    char text[768];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (p->last != NULL)
        diag_hint(p->frame->ctx->diags, p->last, "%s", text);
}

void river_problem_warn(struct river_problems *p, const char *field, const char *fmt, ...)
{
    struct span at = field != NULL ? find_written(p->frame->body, slice_str(field), p->at) : p->at;
    char text[768];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    p->last = schema_report(p->frame, SEVERITY_WARNING, at, "%s", text);
}
