/* What the expressions of all names refer to, the real components each block needs in the end, and an order of blocks
 * in which every one stands after those it needs. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/eval.h"
#include "agent/runtime/config_int.h"
#include "agent/runtime/import.h"

enum { MAX_OFFERED = 2000 }; /* names compared for a suggestion */

/* --- references that mean nothing --- */

static void offer_names(struct nearest *nearest, const struct config_scope *scope)
{
    for (size_t i = 0; i < scope->n_names && i < MAX_OFFERED; i++) {
        enum config_name_kind kind = scope->names[i]->kind;

        if (kind == NAME_BLOCK || kind == NAME_INSTANCE || kind == NAME_ARGUMENT)
            nearest_offer(nearest, scope->names[i]->id);
    }
    if (scope->kind == SCOPE_ITEM)
        offer_names(nearest, scope->outer);
}

/* "local.file.x.content": there is such a component, only none of that label. */
static bool hint_type(struct load *l, struct slice word, struct diag *d)
{
    for (size_t n = word.len; n > 0; n--) {
        const struct component_type *type = word.ptr[n - 1] == '.' ? map_get(&l->types, slice_head(word, n - 1)) : NULL;
        struct slice rest = slice_from(word, n), label = slice_head(rest, slice_find(rest, '.'));

        if (type == NULL || type->is_singleton)
            continue;
        diag_hint(l->diags, d, "no block here is called so: write %s \"%.*s\" { ... }", type->name, SLICE_ARG(label));
        diag_page(l->diags, d, "%s", type->name);
        return true;
    }
    return false;
}

static void hint_reference(struct load *l, const struct config_scope *scope, const struct ast_ref *ref,
                           struct slice word, struct diag *d)
{
    struct nearest nearest;
    size_t n_used;

    if (scope->kind == SCOPE_INSTANCE && config_find(l->config, ref->parts, ref->n, &n_used) != NULL) {
        diag_hint(l->diags, d, "inside a declare block only what stands in it is seen: hand it in by an argument");
        diag_page(l->diags, d, "argument");
        return;
    }
    /* The last part is most often the exported field. */
    for (size_t keep = ref->n; keep + 1 >= ref->n && keep > 0; keep--) {
        size_t len = keep == ref->n ? word.len : word.len - ref->parts[ref->n - 1].len - 1;

        nearest_init(&nearest, slice_head(word, len));
        offer_names(&nearest, scope);
        if (nearest.best.ptr == NULL)
            continue;
        diag_hint(l->diags, d, "did you mean \"%.*s%.*s\"?", SLICE_ARG(nearest.best), (int)(word.len - len),
                  word.ptr + len);
        return;
    }
    if (!hint_type(l, word, d)) {
        nearest_init(&nearest, word);
        stdlib_offer_all(&nearest);
        if (nearest.best.ptr == NULL && ref->n == 1)
            diag_hint(l->diags, d, "a string is written in double quotes");
        else
            nearest_hint(&nearest, l->diags, d);
    }
}

/* An import's or foreach's own id: there is something of that name, but nothing in it for an expression. */
static bool is_module_block(const struct config_scope *scope, struct slice word)
{
    const struct config_name *name = map_get(&scope->by_id, word);

    return name != NULL && name->kind == NAME_BLOCK;
}

static void refuse_reference(struct load *l, const struct config_scope *scope, const struct ast_ref *ref)
{
    struct buf word;
    struct diag *d;

    buf_init(&word, 4096);
    for (size_t i = 0; i < ref->n; i++) {
        if (i > 0)
            buf_add_char(&word, '.');
        buf_add(&word, ref->parts[i]);
    }
    if (is_module_block(scope, buf_slice(&word)))
        d = diags_error(l->diags, ref->source, ref->span, "\"%.*s\" has no value to refer to",
                        SLICE_ARG(buf_slice(&word)));
    else
        d = diags_error(l->diags, ref->source, ref->span, "component \"%.*s\" does not exist%s",
                        SLICE_ARG(buf_slice(&word)), scope->kind == SCOPE_INSTANCE ? " or is out of scope" : "");
    if (d != NULL)
        hint_reference(l, scope, ref, buf_slice(&word), d);
    buf_release(&word);
}

/* --- uses --- */

struct uses {
    const struct config_name **items;
    size_t n, cap;
};

static void add_use(struct load *l, struct uses *uses, const struct config_name *name)
{
    if (l->seen[name->number] == l->stamp)
        return;
    l->seen[name->number] = l->stamp;
    if (uses->n == uses->cap) {
        uses->cap = uses->cap == 0 ? 16 : 2 * uses->cap;
        uses->items = mem_realloc(uses->items, uses->cap * sizeof(struct config_name *));
    }
    uses->items[uses->n++] = name;
}

static void add_exports(struct load *l, struct uses *uses, const struct config_name *instance)
{
    const struct config_scope *inside = instance->inside;

    add_use(l, uses, instance);
    for (size_t i = 0; inside != NULL && i < inside->n_names; i++)
        if (inside->names[i]->kind == NAME_EXPORT)
            add_use(l, uses, inside->names[i]);
}

/* No library name is one of a component, but a custom component may be called so. */
static void warn_shadowing(struct load *l, const struct ast_ref *ref)
{
    if (stdlib_has(ref->parts[0]))
        diags_warn(l->diags, ref->source, ref->spans[0],
                   "\"%.*s\" is a custom component here and hides the library's names", SLICE_ARG(ref->parts[0]));
}

static void add_reference(struct load *l, struct uses *uses, const struct config_scope *scope,
                          const struct ast_ref *ref)
{
    struct config_found found = config_look_up(scope, ref->parts, ref->n);

    switch (found.kind) {
    case FOUND_NOTHING:
        if (!stdlib_has(ref->parts[0]))
            refuse_reference(l, scope, ref);
        break;
    case FOUND_EXPORT:
        warn_shadowing(l, ref);
        add_use(l, uses, found.name);
        break;
    case FOUND_BLOCK:
    case FOUND_ARGUMENT:
        add_use(l, uses, found.name);
        break;
    case FOUND_INSTANCE:
        warn_shadowing(l, ref);
        add_exports(l, uses, found.name);
        break;
    case FOUND_VALUE:
        break;
    }
}

static void add_body(struct load *l, struct uses *uses, const struct config_scope *scope, const struct ast_refs *refs)
{
    for (size_t i = 0; i < refs->n; i++)
        add_reference(l, uses, scope, &refs->items[i]);
}

/* Without the template: it is linked item by item. */
static void add_foreach(struct load *l, struct uses *uses, const struct config_name *name)
{
    const struct ast_body *body = &name->ast->body;

    for (size_t i = 0; i < body->n; i++) {
        struct ast_refs refs = {0};

        if (body->stmts[i].attr != NULL &&
            ast_expr_refs(&l->config->arena, body->source, body->stmts[i].attr->value, &refs) == OK)
            add_body(l, uses, name->scope, &refs);
    }
}

static void add_expression(struct load *l, struct uses *uses, const struct config_name *name)
{
    struct ast_refs refs = {0};

    if (name->value == NULL || ast_expr_refs(&l->config->arena, name->value_source, name->value, &refs) != OK)
        return;
    load_count_refs(l, name, refs.n);
    add_body(l, uses, name->meaning, &refs);
}

static void next_stamp(struct load *l)
{
    if (l->n_seen < l->config->n_names) {
        l->n_seen = l->config->cap_names;
        l->seen = mem_realloc(l->seen, l->n_seen * sizeof *l->seen);
        memset(l->seen, 0, l->n_seen * sizeof *l->seen);
        l->stamp = 0;
    }
    l->stamp++;
}

void link_name(struct load *l, struct config_name *name)
{
    struct uses uses = {0};

    if (name->is_linked)
        return;
    name->is_linked = true;
    next_stamp(l);
    if (name->kind == NAME_ARGUMENT || name->kind == NAME_EXPORT)
        add_expression(l, &uses, name);
    else if (name->kind == NAME_BLOCK && slice_eq_str(name->ast->name, component_foreach.name))
        add_foreach(l, &uses, name);
    else if (name->kind == NAME_BLOCK)
        add_body(l, &uses, name->scope, &name->refs);
    l->n_uses += uses.n;
    if (l->n_uses > LIMIT_CONFIG_EDGES)
        load_over(l, name, "references between components", LIMIT_CONFIG_EDGES);
    name->uses = arena_zalloc(&l->config->arena, (uses.n + 1) * sizeof *name->uses);
    if (uses.n > 0)
        memcpy(name->uses, uses.items, uses.n * sizeof *name->uses);
    name->n_uses = uses.n;
    mem_free(uses.items);
}

void link_closure(struct load *l, struct config_name *name)
{
    struct config_name **todo = mem_array(1, sizeof(struct config_name *));
    size_t n = 1, cap = 1;

    todo[0] = name;
    while (n > 0) {
        struct config_name *at = todo[--n];

        if (at->is_linked)
            continue;
        link_name(l, at);
        while (n + at->n_uses > cap) {
            cap *= 2;
            todo = mem_realloc(todo, cap * sizeof(struct config_name *));
        }
        for (size_t i = 0; i < at->n_uses; i++)
            if (!at->uses[i]->is_linked)
                todo[n++] = l->config->names[at->uses[i]->number];
    }
    mem_free(todo);
}

/* --- needs and order --- */

struct walk {
    struct load *load;
    struct config_name **path; /* names being visited */
    size_t n_path;
    size_t *next_use; /* per name */
    size_t *found;    /* needs of one name */
    size_t n_edges;
};

static void report_cycle(struct walk *w, const struct config_name *closing)
{
    struct load *l = w->load;
    struct buf text;
    size_t first = 0;

    buf_init(&text, 4096);
    while (w->path[first] != closing)
        first++;
    for (size_t i = first; i <= w->n_path; i++) {
        const struct config_name *name = i == w->n_path ? closing : w->path[i];

        buf_printf(&text, "%s%.*s", i == first ? "" : " → ",
                   SLICE_ARG(scope_full_id(&l->config->arena, name->scope, name->id)));
    }
    diag_hint(l->diags,
              diags_error(l->diags, closing->source, closing->ast->name_span,
                          "components refer to each other in a cycle: %.*s", SLICE_ARG(buf_slice(&text))),
              "take the reference behind one of these arrows out");
    buf_release(&text);
}

static void add_need(struct walk *w, size_t *n, size_t block)
{
    struct load *l = w->load;
    size_t mark = l->config->blocks[block].name->number;

    if (l->seen[mark] == l->stamp)
        return;
    l->seen[mark] = l->stamp;
    w->found[(*n)++] = block;
}

/* All that a name uses is done: what it needs is known. */
static void set_needs(struct walk *w, struct config_name *name)
{
    struct load *l = w->load;
    struct config_block *block = name->kind == NAME_BLOCK ? &l->config->blocks[name->block] : NULL;
    size_t n = 0;

    next_stamp(l);
    for (size_t i = 0; i < name->n_uses && !l->is_over; i++) {
        const struct config_name *use = name->uses[i];

        if (use->kind == NAME_BLOCK)
            add_need(w, &n, use->block);
        for (size_t k = 0; use->kind != NAME_BLOCK && k < use->n_needs; k++)
            add_need(w, &n, use->needs[k]);
    }
    w->n_edges += n;
    if (w->n_edges > LIMIT_CONFIG_EDGES)
        load_over(l, name, "references between components", LIMIT_CONFIG_EDGES);
    name->needs = arena_zalloc(&l->config->arena, (n + 1) * sizeof *name->needs);
    memcpy(name->needs, w->found, n * sizeof *name->needs);
    name->n_needs = n;
    if (block == NULL)
        return;
    block->needs = name->needs;
    block->n_needs = n;
    l->config->order[l->config->n_ordered++] = name->block;
}

/* Depth-first without recursion: a chain of names is as long as the limits allow. */
static void visit_from(struct walk *w, struct config_name *start)
{
    w->path[w->n_path++] = start;
    start->mark = MARK_OPEN;
    while (w->n_path > 0) {
        struct config_name *top = w->path[w->n_path - 1];
        struct config_name *use;

        if (w->next_use[top->number] == top->n_uses) {
            top->mark = MARK_DONE;
            w->n_path--;
            set_needs(w, top);
            continue;
        }
        use = w->load->config->names[top->uses[w->next_use[top->number]++]->number];
        if (use->mark == MARK_OPEN) {
            report_cycle(w, use);
        } else if (use->mark == MARK_NEW) {
            use->mark = MARK_OPEN;
            w->path[w->n_path++] = use;
        }
    }
}

static void order_blocks(struct load *l)
{
    struct config *c = l->config;
    struct walk w = {.load = l};

    c->order = arena_zalloc(&c->arena, (c->n + 1) * sizeof *c->order);
    w.path = mem_array(c->n_names + 1, sizeof *w.path);
    w.next_use = mem_array(c->n_names + 1, sizeof *w.next_use);
    w.found = mem_array(c->n + 1, sizeof *w.found);
    for (size_t i = 0; i < c->n_names; i++)
        if (c->names[i]->mark == MARK_NEW)
            visit_from(&w, c->names[i]);
    mem_free(w.found);
    mem_free(w.next_use);
    mem_free(w.path);
}

void link_all(struct load *l)
{
    for (size_t i = 0; i < l->config->n_names && !l->is_over; i++)
        link_name(l, l->config->names[i]);
    if (!diags_has_errors(l->diags)) /* cycles were found scope by scope; what is left has none */
        order_blocks(l);
}
