#include "agent/river/eval.h"
#include "agent/base/limits.h"
#include "agent/river/eval_int.h"
#include <math.h>
#include <stdio.h>

enum { CHAIN_PARTS = 64 }; /* of a reference that a scope gets to see; more are field accesses */

enum code eval_error(struct river_context *ctx, const struct source *source, struct span at, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diags_error(ctx->diags, source, at, "%s", text);
    return INVALID;
}

enum code eval_no_memory(struct river_context *ctx, const struct source *source, struct span at)
{
    diags_error(ctx->diags, source, at, "no memory left for this value");
    return NOMEM;
}

enum code eval_charge(struct river_context *ctx, const struct source *source, struct span at, uint64_t bytes)
{
    ctx->work += bytes;
    if (ctx->work > LIMIT_RIVER_WORK_BYTES)
        return eval_error(ctx, source, at, "this configuration computes too much (limit: %u bytes)",
                          LIMIT_RIVER_WORK_BYTES);
    return OK;
}

static enum code eval(struct river_context *ctx, const struct source *source, const struct expr *e, struct value *out);

/* --- references --- */

static enum code no_field(struct river_context *ctx, const struct source *source, struct span at, struct slice name,
                          const struct value *v)
{
    struct diag *d =
        ctx->referred == NULL
            ? diags_error(ctx->diags, source, at, "field \"%.*s\" does not exist", SLICE_ARG(name))
            : diags_error(ctx->diags, source, at, "%s exports no \"%.*s\"", ctx->referred, SLICE_ARG(name));
    struct nearest nearest;
    struct buf all;

    nearest_init(&nearest, name);
    buf_init(&all, 512);
    for (size_t i = 0; i < v->as.object.n && i < 1000; i++) {
        nearest_offer(&nearest, v->as.object.fields[i].name);
        (void)buf_printf(&all, "%s%.*s", i > 0 ? ", " : "", SLICE_ARG(v->as.object.fields[i].name));
    }
    if (nearest.best.ptr != NULL)
        nearest_hint(&nearest, ctx->diags, d);
    else if (all.len != 0)
        diag_hint(ctx->diags, d, "there is: %.*s%s", SLICE_ARG(buf_slice(&all)), all.is_full ? ", …" : "");
    if (ctx->referred != NULL)
        diag_page(ctx->diags, d, "%s#exports", ctx->referred);
    buf_release(&all);
    return INVALID;
}

static struct span name_span(const struct expr *access)
{
    return (struct span){access->span.end - (uint32_t)access->as.access.name.len, access->span.end};
}

static enum code get_field(struct river_context *ctx, const struct source *source, const struct expr *e,
                           struct value *v)
{
    const struct value *field;

    if (v->type != VALUE_OBJECT)
        return eval_error(ctx, source, name_span(e), "a %s has no fields, so no \"%.*s\"", value_type_name(v),
                          SLICE_ARG(e->as.access.name));
    field = value_get(v, e->as.access.name);
    if (field == NULL)
        return no_field(ctx, source, name_span(e), e->as.access.name, v);
    *v = *field;
    return OK;
}

static enum code unknown_name(struct river_context *ctx, const struct source *source, struct slice name, struct span at)
{
    struct diag *d = diags_error(ctx->diags, source, at, "\"%.*s\" does not exist", SLICE_ARG(name));
    struct nearest nearest;

    nearest_init(&nearest, name);
    stdlib_offer(&nearest, (struct slice){0});
    nearest_hint(&nearest, ctx->diags, d);
    return INVALID;
}

static enum code unknown_member(struct river_context *ctx, const struct source *source, struct slice namespace,
                                struct slice name, struct span at)
{
    struct nearest nearest;
    struct diag *d;

    if (name.ptr == NULL) {
        d = diags_error(ctx->diags, source, at, "\"%.*s\" is no value but a group of functions", SLICE_ARG(namespace));
        diag_hint(ctx->diags, d, "write %.*s.NAME", SLICE_ARG(namespace));
        diag_page(ctx->diags, d, "functions#%.*s", SLICE_ARG(namespace));
        return INVALID;
    }
    d = diags_error(ctx->diags, source, at, "\"%.*s\" has no \"%.*s\"", SLICE_ARG(namespace), SLICE_ARG(name));
    nearest_init(&nearest, name);
    stdlib_offer(&nearest, namespace);
    if (nearest.best.ptr != NULL)
        diag_hint(ctx->diags, d, "did you mean \"%.*s.%.*s\"?", SLICE_ARG(namespace), SLICE_ARG(nearest.best));
    diag_page(ctx->diags, d, "functions#%.*s", SLICE_ARG(namespace));
    return INVALID;
}

static enum code from_library(struct river_context *ctx, const struct source *source, const struct expr *const *nodes,
                              const struct slice *parts, size_t n, size_t *n_used, struct value *out)
{
    const struct river_host *host = ctx->host != NULL ? ctx->host : river_host_system();
    const char *deprecated;

    if (!stdlib_lookup(host, parts, n, n_used, out, &deprecated))
        return unknown_name(ctx, source, parts[0], nodes[0]->span);
    if (out->type == VALUE_NULL)
        return unknown_member(ctx, source, parts[0], n > 1 ? parts[1] : (struct slice){0},
                              n > 1 ? name_span(nodes[1]) : nodes[0]->span);
    if (deprecated != NULL) {
        struct diag *d =
            diags_warn(ctx->diags, source, nodes[0]->span, "the function \"%.*s\" is deprecated", SLICE_ARG(parts[0]));

        if (d != NULL)
            d->kind = DIAG_DEPRECATED;
        diag_hint(ctx->diags, d, "write %s", deprecated);
        diag_page(ctx->diags, d, "functions#%s", deprecated);
    }
    if (out->type == VALUE_FUNCTION && out->as.function->is_experimental &&
        (ctx->flags & RIVER_ALLOW_EXPERIMENTAL) == 0) {
        struct diag *d = diags_error(ctx->diags, source, nodes[*n_used - 1]->span,
                                     "the function \"%s\" is experimental", out->as.function->name);

        diag_hint(ctx->diags, d, "start with --stability.level=experimental to use it");
        return INVALID;
    }
    return OK;
}

/* e ends a chain of n names, at most CHAIN_PARTS, that starts with an identifier. */
static enum code eval_chain(struct river_context *ctx, const struct source *source, const struct expr *e, size_t n,
                            struct value *out)
{
    const struct expr *nodes[CHAIN_PARTS];
    struct slice parts[CHAIN_PARTS];
    size_t n_used = 1;
    const struct scope *scope;
    const struct expr *at = e;
    enum code rc = OK;

    for (size_t i = n; i > 1; i--, at = at->as.access.inner) {
        nodes[i - 1] = at;
        parts[i - 1] = at->as.access.name;
    }
    nodes[0] = at;
    parts[0] = at->as.ident;
    ctx->referred = NULL;
    for (scope = ctx->scope; scope != NULL; scope = scope->parent) {
        if (scope->lookup(scope->self, parts, n, &n_used, out))
            break;
    }
    if (scope == NULL)
        rc = from_library(ctx, source, nodes, parts, n, &n_used, out);
    for (size_t i = n_used; rc == OK && i < n; i++) {
        rc = get_field(ctx, source, nodes[i], out);
        ctx->referred = NULL; /* what is deeper is no export */
    }
    return rc;
}

/* base.a.b.c, from the inside out without recursion: chains are long and cheap to write. */
static enum code eval_access(struct river_context *ctx, const struct source *source, const struct expr *e,
                             struct value *out)
{
    const struct expr *base = e, **nodes;
    size_t n = 0, n_chain;
    enum code rc;

    for (; base->kind == EXPR_ACCESS; base = base->as.access.inner)
        n++;
    if (base->kind == EXPR_IDENT && n < CHAIN_PARTS)
        return eval_chain(ctx, source, e, n + 1, out);
    nodes = arena_try_array(ctx->arena, n, sizeof *nodes);
    if (nodes == NULL)
        return eval_no_memory(ctx, source, e->span);
    for (size_t i = n; i > 0; i--, e = e->as.access.inner)
        nodes[i - 1] = e;
    n_chain = base->kind == EXPR_IDENT ? CHAIN_PARTS - 1 : 0;
    if (n_chain != 0)
        rc = eval_chain(ctx, source, nodes[n_chain - 1], CHAIN_PARTS, out);
    else
        rc = eval(ctx, source, base, out);
    ctx->referred = NULL;
    for (size_t i = n_chain; rc == OK && i < n; i++)
        rc = get_field(ctx, source, nodes[i], out);
    return rc;
}

/* --- brackets --- */

static enum code index_array(struct river_context *ctx, const struct source *source, const struct expr *e,
                             const struct value *at, struct value *v)
{
    double f;
    size_t i;

    if (at->type != VALUE_NUMBER)
        return eval_error(ctx, source, e->as.index.at->span, "an array is indexed by a number, this is a %s",
                          value_type_name(at));
    f = trunc(value_number_f64(at->as.number));
    if (!(f >= 0 && f < (double)v->as.array.n))
        return eval_error(ctx, source, e->as.index.at->span, "index %.0f is out of range: the array has %zu elements",
                          f, v->as.array.n);
    i = (size_t)f;
    *v = v->as.array.items[i];
    return OK;
}

static enum code eval_index(struct river_context *ctx, const struct source *source, const struct expr *e,
                            struct value *out)
{
    struct value at;
    const struct value *field;
    enum code rc = eval(ctx, source, e->as.index.inner, out);

    if (rc == OK)
        rc = eval(ctx, source, e->as.index.at, &at);
    if (rc != OK)
        return rc;
    if (out->type == VALUE_ARRAY)
        return index_array(ctx, source, e, &at, out);
    if (out->type != VALUE_OBJECT)
        return eval_error(ctx, source, e->as.index.inner->span, "only arrays and objects are indexed, this is a %s",
                          value_type_name(out));
    if (at.type != VALUE_STRING)
        return eval_error(ctx, source, e->as.index.at->span, "an object is indexed by a string, this is a %s",
                          value_type_name(&at));
    field = value_get(out, at.as.text.bytes);
    *out = field != NULL ? *field : value_null(); /* unlike .name, a missing key is null */
    return OK;
}

static enum code eval_array(struct river_context *ctx, const struct source *source, const struct expr *e,
                            struct value *out)
{
    size_t n = e->as.array.n;
    struct value *items = arena_try_array(ctx->arena, n, sizeof *items);
    enum code rc = eval_charge(ctx, source, e->span, n * sizeof *items);

    if (rc != OK)
        return rc;
    if (items == NULL)
        return eval_no_memory(ctx, source, e->span);
    for (size_t i = 0; i < n; i++) { /* the rest is read after an error too: all errors are reported */
        enum code one = eval(ctx, source, e->as.array.items[i], &items[i]);

        if (one != OK)
            rc = one;
        if (one == NOMEM)
            break;
    }
    *out = value_array(items, n);
    return rc;
}

static enum code eval_object(struct river_context *ctx, const struct source *source, const struct expr *e,
                             struct value *out)
{
    size_t n = e->as.object.n;
    struct value_field *fields = arena_try_array(ctx->arena, n, sizeof *fields);
    enum code rc = eval_charge(ctx, source, e->span, n * sizeof *fields);

    if (rc != OK)
        return rc;
    if (fields == NULL)
        return eval_no_memory(ctx, source, e->span);
    for (size_t i = 0; i < n; i++) {
        enum code one = eval(ctx, source, e->as.object.keys[i].value, &fields[i].value);

        fields[i].name = e->as.object.keys[i].name;
        if (one != OK)
            rc = one;
        if (one == NOMEM)
            break;
    }
    if (rc == OK && value_object(ctx->arena, fields, n, out) != OK)
        return eval_no_memory(ctx, source, e->span);
    return rc;
}

/* --- calls --- */

static uint64_t size_of(const struct value *v)
{
    if (value_is_text(v))
        return v->as.text.bytes.len + 1;
    if (v->type == VALUE_ARRAY)
        return v->as.array.n * sizeof *v + 1;
    return v->type == VALUE_OBJECT ? v->as.object.n * sizeof(struct value_field) + 1 : 1;
}

static enum code check_count(struct river_context *ctx, const struct source *source, const struct expr *e,
                             const struct river_function *f)
{
    size_t n = e->as.call.n;
    struct diag *d;

    if (n >= f->min_args && n <= f->max_args)
        return OK;
    if (f->min_args == f->max_args)
        d = diags_error(ctx->diags, source, e->span, "%s takes %zu argument%s, not %zu", f->name, f->min_args,
                        f->min_args == 1 ? "" : "s", n);
    else
        d = diags_error(ctx->diags, source, e->span, "%s takes %s %zu arguments, not %zu", f->name,
                        n < f->min_args ? "at least" : "at most", n < f->min_args ? f->min_args : f->max_args, n);
    diag_hint(ctx->diags, d, "write %s", f->signature);
    diag_page(ctx->diags, d, "functions#%s", f->name);
    return INVALID;
}

static enum code eval_call(struct river_context *ctx, const struct source *source, const struct expr *e,
                           struct value *out)
{
    size_t n = e->as.call.n;
    struct river_call call = {.ctx = ctx, .source = source, .expr = e, .n_args = n};
    struct value callee, *args;
    enum code rc = eval(ctx, source, e->as.call.callee, &callee);
    uint64_t bytes = 0;

    if (rc != OK)
        return rc;
    if (callee.type != VALUE_FUNCTION)
        return eval_error(ctx, source, e->as.call.callee->span, "only functions are called, this is a %s",
                          value_type_name(&callee));
    args = arena_try_array(ctx->arena, n, sizeof *args);
    if (args == NULL)
        return eval_no_memory(ctx, source, e->span);
    for (size_t i = 0; i < n; i++) {
        enum code one = eval(ctx, source, e->as.call.args[i], &args[i]);

        if (one != OK)
            rc = one;
        else
            bytes += size_of(&args[i]);
    }
    if (rc == OK)
        rc = check_count(ctx, source, e, callee.as.function);
    if (rc == OK)
        rc = eval_charge(ctx, source, e->span, bytes);
    if (rc != OK)
        return rc;
    call.function = callee.as.function;
    call.args = args;
    return callee.as.function->call(&call, out);
}

static enum code eval_operator(struct river_context *ctx, const struct source *source, const struct expr *e,
                               struct value *out)
{
    struct value left = value_null(), right;
    enum code rc = OK, also;

    if (e->kind == EXPR_BINARY)
        rc = eval(ctx, source, e->as.binary.left, &left);
    also = eval(ctx, source, e->as.binary.right, &right); /* both sides always: && does not stop half way */
    if (rc == OK)
        rc = also;
    if (rc != OK)
        return rc;
    if (e->kind == EXPR_UNARY)
        return eval_unary(ctx, source, e, &right, out);
    return eval_binary(ctx, source, e, &left, &right, out);
}

static enum code eval(struct river_context *ctx, const struct source *source, const struct expr *e, struct value *out)
{
    switch (e->kind) {
    case EXPR_LITERAL:
        *out = *e->as.literal;
        return OK;
    case EXPR_IDENT:
        return eval_chain(ctx, source, e, 1, out);
    case EXPR_ARRAY:
        return eval_array(ctx, source, e, out);
    case EXPR_OBJECT:
        return eval_object(ctx, source, e, out);
    case EXPR_ACCESS:
        return eval_access(ctx, source, e, out);
    case EXPR_INDEX:
        return eval_index(ctx, source, e, out);
    case EXPR_CALL:
        return eval_call(ctx, source, e, out);
    case EXPR_UNARY:
    case EXPR_BINARY:
        return eval_operator(ctx, source, e, out);
    case EXPR_PAREN:
        return eval(ctx, source, e->as.paren, out);
    }
    return INVALID;
}

enum code river_eval(struct river_context *ctx, const struct source *source, const struct expr *expr, struct value *out)
{
    *out = value_null();
    return eval(ctx, source, expr, out);
}

enum code river_call_error(struct river_call *call, size_t i, const char *fmt, ...)
{
    struct span at = {0};
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (call->expr != NULL)
        at = i < call->expr->as.call.n ? call->expr->as.call.args[i]->span : call->expr->span;
    diag_page(call->ctx->diags, diags_error(call->ctx->diags, call->source, at, "%s: %s", call->function->name, text),
              "functions#%s", call->function->name);
    return INVALID;
}
