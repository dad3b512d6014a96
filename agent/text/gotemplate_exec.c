#include "agent/base/limits.h"
#include "agent/text/gotemplate_int.h"
#include <stdarg.h>
#include <stdio.h>

enum code run_fail(struct run *run, enum code code, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_set(run->err, code, "template line %u: %s", run->line, text);
}

static enum code eval_pipe(struct run *run, const struct pipe *p, struct value *out);

static enum code step(struct run *run)
{
    if (++run->steps > LIMIT_TEMPLATE_STEPS)
        return run_fail(run, FULL, "more than %d steps", LIMIT_TEMPLATE_STEPS);
    return OK;
}

static enum code eval_fields(struct run *run, const struct expr *e, struct value *v)
{
    for (size_t i = 0; i < e->n_fields; i++) {
        struct slice name = e->fields[i], text;

        if (v->kind == VALUE_NIL)
            return OK; /* nothing below nothing: <no value> */
        if (v->kind == VALUE_ROOT) {
            bool is_there = run->data->lookup(run->data->self, name, &text);

            *v = is_there ? tvalue_string(text) : (struct value){.kind = VALUE_NIL};
            continue;
        }
        if (v->kind != VALUE_MAP)
            return run_fail(run, INVALID, "can't evaluate field %.*s in type %s", (int)slice_head(name, 64).len,
                            name.ptr, tvalue_type(v));
        if (!tvalue_member(v, name, v))
            *v = (struct value){.kind = VALUE_NIL};
    }
    return OK;
}

static enum code call_function(struct run *run, const struct template_function *f, const struct command *c,
                               const struct value *final, struct value *out);

static enum code eval_expr(struct run *run, const struct expr *e, struct value *out)
{
    struct command alone = {.args = NULL};
    enum code rc = step(run);

    if (rc != OK)
        return rc;
    switch (e->kind) {
    case EXPR_DOT:
        *out = run->dot;
        break;
    case EXPR_VARIABLE:
        *out = run->variables[e->variable];
        break;
    case EXPR_LITERAL:
        *out = e->literal;
        return OK;
    case EXPR_PIPE:
        rc = eval_pipe(run, e->pipe, out);
        break;
    case EXPR_FUNCTION:
        return call_function(run, e->function, &alone, NULL, out);
    }
    return rc == OK ? eval_fields(run, e, out) : rc;
}

/* and, or: the first argument that decides; the others are not evaluated. */
static enum code call_logic(struct run *run, const struct command *c, const struct value *final, struct value *out)
{
    bool stops_at = c->args->function->name[0] == 'o';
    enum code rc;

    for (const struct expr *e = c->args->next; e != NULL; e = e->next) {
        rc = eval_expr(run, e, out);
        if (rc != OK || tvalue_is_true(out) == stops_at)
            return rc;
    }
    if (final != NULL)
        *out = *final;
    return OK;
}

static enum code call_function(struct run *run, const struct template_function *f, const struct command *c,
                               const struct value *final, struct value *out)
{
    struct value args[TEMPLATE_ARGUMENTS + 1];
    size_t n = 0;

    if (f->call == NULL && c->args != NULL && (c->args->next != NULL || final != NULL))
        return call_logic(run, c, final, out);
    for (const struct expr *e = c->args != NULL ? c->args->next : NULL; e != NULL; e = e->next) {
        enum code rc = eval_expr(run, e, &args[n]);

        if (rc != OK)
            return rc;
        n++;
    }
    if (final != NULL)
        args[n++] = *final;
    if (n < f->min || n > f->max)
        return run_fail(run, INVALID, "wrong number of args for %s: %zu", f->name, n);
    *out = (struct value){.kind = VALUE_NIL};
    run->regex = c->regex;
    return f->call(run, args, n, out);
}

static enum code eval_pipe(struct run *run, const struct pipe *p, struct value *out)
{
    struct value piped, result = {.kind = VALUE_NIL};
    const struct value *final = NULL;
    enum code rc = OK;

    for (const struct command *c = p->commands; c != NULL && rc == OK; c = c->next) {
        if (c->args->kind == EXPR_FUNCTION)
            rc = call_function(run, c->args->function, c, final, &result);
        else
            rc = eval_expr(run, c->args, &result);
        piped = result;
        final = &piped;
    }
    *out = result;
    return rc;
}

static enum code exec_nodes(struct run *run, const struct node *n);

static void assign(struct run *run, const struct pipe *p, struct value v)
{
    if (p->n_variables == 1)
        run->variables[p->variables[0]] = v;
}

static enum code exec_one(struct run *run, const struct node *n, struct value key, struct value item)
{
    const struct pipe *p = n->pipe;

    if (p->n_variables == 2)
        run->variables[p->variables[0]] = key;
    if (p->n_variables != 0)
        run->variables[p->variables[p->n_variables - 1]] = item;
    run->dot = item;
    return exec_nodes(run, n->body);
}

static enum code exec_range(struct run *run, const struct node *n, const struct value *over)
{
    struct value dot = run->dot;
    enum code rc = OK;

    if (over->kind != VALUE_LIST && over->kind != VALUE_MAP && over->kind != VALUE_INT && over->kind != VALUE_NIL)
        return run_fail(run, INVALID, "range can't iterate over %s", tvalue_type(over));
    if (!tvalue_is_true(over) || (over->kind == VALUE_INT && over->integer < 0))
        return exec_nodes(run, n->otherwise);
    for (size_t i = 0; rc == OK && over->kind == VALUE_LIST && i < over->list.n; i++)
        rc = exec_one(run, n, tvalue_int((int64_t)i), over->list.items[i]);
    for (size_t i = 0; rc == OK && over->kind == VALUE_MAP && i < over->map.n; i++)
        rc = exec_one(run, n, tvalue_string(over->map.members[i].key), over->map.members[i].value);
    for (int64_t i = 0; rc == OK && over->kind == VALUE_INT && i < over->integer; i++) {
        rc = step(run);
        if (rc == OK)
            rc = exec_one(run, n, tvalue_int(i), tvalue_int(i));
    }
    run->dot = dot;
    return rc;
}

static enum code exec_branch(struct run *run, const struct node *n, const struct value *v)
{
    struct value dot = run->dot;
    enum code rc;

    if (!tvalue_is_true(v))
        return exec_nodes(run, n->otherwise);
    if (n->kind == NODE_WITH)
        run->dot = *v;
    rc = exec_nodes(run, n->body);
    run->dot = dot;
    return rc;
}

static void print_result(struct run *run, const struct value *v)
{
    if (v->kind == VALUE_NIL)
        (void)buf_add_str(run->out, "<no value>");
    else
        tvalue_print(run->out, v);
}

static enum code exec_node(struct run *run, const struct node *n)
{
    struct value v;
    enum code rc;

    if (n->kind == NODE_TEXT) {
        (void)buf_add(run->out, n->text);
        return OK;
    }
    run->line = n->line;
    rc = eval_pipe(run, n->pipe, &v);
    if (rc != OK)
        return rc;
    if (n->kind == NODE_RANGE)
        return exec_range(run, n, &v);
    assign(run, n->pipe, v);
    if (n->kind != NODE_ACTION)
        return exec_branch(run, n, &v);
    if (n->pipe->n_variables != 0)
        return OK;
    if (v.kind == VALUE_ROOT)
        return run_fail(run, INVALID, "printing all fields is not supported");
    print_result(run, &v);
    return OK;
}

/* Depth is bounded by the parser. */
static enum code exec_nodes(struct run *run, const struct node *n)
{
    enum code rc = OK;

    for (; n != NULL && rc == OK; n = n->next) {
        rc = step(run);
        if (rc == OK)
            rc = exec_node(run, n);
        if (rc == OK && run->out->is_full)
            rc = run_fail(run, FULL, "the result is larger than %zu bytes", run->out->max);
    }
    return rc;
}

enum code gotemplate_exec(const struct gotemplate *t, const struct gotemplate_data *data, struct arena *a,
                          struct buf *out, struct error *err)
{
    struct run run = {.data = data, .arena = a, .out = out, .err = err, .dot = {.kind = VALUE_ROOT}, .line = 1};

    run.variables[0] = run.dot;
    return exec_nodes(&run, t->root);
}
