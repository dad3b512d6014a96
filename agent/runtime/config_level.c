/* The names of one scope in the order in which they can be expanded: after what their expressions refer to, and after
 * the imports and declares their blocks come from. A custom component is one node here, as people see it: its arguments
 * may not depend on its own exports. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/runtime/config_int.h"

struct level {
    struct load *load;
    struct config_scope *scope;
    struct config_name **edges; /* of the name on top of the path while it is being looked at */
    size_t n_edges, cap_edges;
    struct visit {
        struct config_name *name;
        size_t first, next, end; /* its edges: edges[first..end) */
    } * path;
    size_t n_path;
    struct config_name **order; /* NULL-terminated */
    size_t n_order;
};

static void add_edge(struct level *v, const struct config_name *to)
{
    if (v->n_edges == v->cap_edges) {
        v->cap_edges = v->cap_edges == 0 ? 64 : 2 * v->cap_edges;
        v->edges = mem_realloc(v->edges, v->cap_edges * sizeof(struct config_name *));
    }
    v->edges[v->n_edges++] = v->scope->names[to->at];
}

/* The declare or import of this scope that provides blocks of that name. */
static void add_provider(struct level *v, struct slice block_name)
{
    struct config_name *declare, *import;

    (void)find_provider(v->scope, block_name, &declare, &import);
    if (import != NULL && import->scope == v->scope)
        add_edge(v, import);
    else if (import == NULL && declare != NULL && declare->scope == v->scope)
        add_edge(v, declare);
}

/* Of all blocks of a body, also in the declares and templates in it. */
static void add_providers(struct level *v, const struct ast_body *body)
{
    for (size_t i = 0; i < body->n; i++) {
        const struct ast_block *block = body->stmts[i].block;

        if (block == NULL)
            continue;
        if (slice_eq_str(block->name, "template") || slice_eq_str(block->name, "foreach") ||
            slice_eq_str(block->name, "declare"))
            add_providers(v, &block->body); /* not deeper than a file nests blocks */
        else
            add_provider(v, block->name);
    }
}

static void add_references(struct level *v, struct config_name *name)
{
    for (size_t i = 0; i < name->refs.n; i++) {
        struct config_found found = config_look_up(v->scope, name->refs.items[i].parts, name->refs.items[i].n);
        const struct config_name *to = found.name;

        if (found.kind == FOUND_EXPORT)
            to = to->scope->of;
        if (to != NULL && to->scope == v->scope)
            add_edge(v, to);
    }
}

static void add_edges(struct level *v, struct config_name *name)
{
    if (name->kind == NAME_DECLARE) {
        add_providers(v, &name->ast->body);
        return;
    }
    if (ast_body_refs(&v->load->config->arena, &name->ast->body, &name->refs) != OK) {
        diags_error(v->load->diags, name->source, name->ast->name_span, "too many references");
        return;
    }
    load_count_refs(v->load, name, name->refs.n);
    add_references(v, name);
    if (name->kind == NAME_BLOCK && slice_eq_str(name->ast->name, "foreach"))
        add_providers(v, &name->ast->body);
    if (name->kind == NAME_INSTANCE)
        add_provider(v, name->ast->name);
}

static bool is_all(const struct level *v, size_t first, enum config_name_kind kind)
{
    for (size_t i = first; i < v->n_path; i++)
        if (v->path[i].name->kind != kind)
            return false;
    return true;
}

static void report_cycle(struct level *v, const struct config_name *closing)
{
    struct buf text;
    struct diag *d;
    size_t first = 0;

    buf_init(&text, 4096);
    while (v->path[first].name != closing)
        first++;
    for (size_t i = first; i < v->n_path; i++) {
        buf_printf(&text, "%.*s → ", SLICE_ARG(v->path[i].name->id));
        v->path[i].name->is_broken = true;
    }
    buf_add(&text, closing->id);
    d = diags_error(v->load->diags, closing->source, closing->ast->name_span, "%s each other in a cycle: %.*s",
                    is_all(v, first, NAME_DECLARE) ? "declare blocks contain" : "components refer to",
                    SLICE_ARG(buf_slice(&text)));
    diag_hint(v->load->diags, d, "take \"%.*s\" out of \"%.*s\", or cut the circle at another arrow",
              SLICE_ARG(closing->id), SLICE_ARG(v->path[v->n_path - 1].name->id));
    diag_page(v->load->diags, d, "language#references");
    buf_release(&text);
}

static void push(struct level *v, struct config_name *name)
{
    struct visit *visit = &v->path[v->n_path++];

    name->mark = MARK_OPEN;
    *visit = (struct visit){.name = name, .first = v->n_edges, .next = v->n_edges};
    add_edges(v, name);
    visit->end = v->n_edges;
}

/* Depth-first without recursion: a chain of blocks is as long as a file allows. */
static void visit_from(struct level *v, struct config_name *start)
{
    push(v, start);
    while (v->n_path > 0) {
        struct visit *top = &v->path[v->n_path - 1];
        struct config_name *to;

        if (top->next == top->end) {
            top->name->mark = MARK_DONE;
            v->order[v->n_order++] = top->name;
            v->n_edges = top->first;
            v->n_path--;
            continue;
        }
        to = v->edges[top->next++];
        if (to->mark == MARK_OPEN)
            report_cycle(v, to);
        else if (to->mark == MARK_NEW)
            push(v, to);
    }
}

struct config_name **level_order(struct load *l, struct config_scope *scope)
{
    struct level v = {.load = l, .scope = scope};

    v.path = mem_array(scope->n_names + 1, sizeof *v.path);
    v.order = mem_array(scope->n_names + 1, sizeof *v.order);
    for (size_t i = 0; i < scope->n_names; i++)
        if (scope->names[i]->mark == MARK_NEW)
            visit_from(&v, scope->names[i]);
    for (size_t i = 0; i < scope->n_names; i++)
        scope->names[i]->mark = MARK_NEW; /* for the order of blocks */
    mem_free(v.path);
    mem_free(v.edges);
    return v.order;
}
