/* The graph as text: a flow per source, fan-outs indented, each stretch written once. */
#include "agent/base/mem.h"
#include "agent/cli/explain.h"

enum { PREFIX_BYTES = 64 * 1024, MOST_LEFT = 72, TEXT_BYTES = 1024 * 1024 };

struct drawing {
    const struct explain *x;
    struct columns rows;
    struct buf prefix; /* of the lines under way */
    uint8_t *drawn;    /* per node: bits of signals whose way on is drawn already; owned */
};

static const char *const signal_names[] = {"", "logs", "metrics", "traces"};

/* "3 stages, 1 rule": the repeated blocks of a component. */
static void count_blocks(struct arguments all, struct buf *out)
{
    for (size_t i = 0; i < all.n; i++) {
        struct slice head, rest, other;
        size_t n = 0;
        bool is_first = true;

        if (!all.items[i].is_block || all.items[i].is_default || all.items[i].depth != 0)
            continue;
        if (all.items[i].field == NULL ||
            (all.items[i].field->kind != RIVER_ENUM_BLOCKS && (all.items[i].field->flags & RIVER_REPEATED) == 0))
            continue;
        (void)slice_cut(all.items[i].name, '.', &head, &rest);
        for (size_t k = 0; k < all.n; k++) {
            (void)slice_cut(all.items[k].name, '.', &other, &rest);
            if (!all.items[k].is_block || all.items[k].depth != 0 || !slice_eq(head, other))
                continue;
            is_first = is_first && k >= i;
            n++;
        }
        if (is_first)
            buf_printf(out, "%s%zu %.*s%s", out->len != 0 ? ", " : "", n, SLICE_ARG(head), n == 1 ? "" : "s");
    }
}

struct slice explain_address(struct arguments all, size_t block)
{
    static const char *const blocks[] = {"endpoint", "client"}, *const names[] = {"url", "endpoint"};

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        size_t at = block != SIZE_MAX ? block : arguments_block(all, SIZE_MAX, blocks[i], SIZE_MAX);

        for (size_t k = 0; at != SIZE_MAX && k < sizeof names / sizeof names[0]; k++) {
            struct slice text = arguments_text(all, at, names[k]);

            if (text.len != 0)
                return text;
        }
    }
    return (struct slice){0};
}

/* "targets: discovery.relabel.logs ← discovery.docker.containers": what a node uses of others. */
static void write_uses(const struct explain *x, size_t at, struct buf *out, unsigned depth)
{
    const struct graph_node *node = &x->graph->nodes[at];

    for (size_t i = 0; i < node->n_uses; i++) {
        const struct graph_edge *e = &x->graph->edges[node->uses[i]];

        if (depth == 0 && e->argument.len != 0)
            buf_printf(out, "%s%.*s: ", i != 0 || out->len != 0 ? "; " : "", SLICE_ARG(e->argument));
        else if (depth == 0)
            buf_printf(out, "%suses ", i != 0 || out->len != 0 ? "; " : "");
        else
            buf_add_str(out, i == 0 ? " ← " : ", ");
        buf_add(out, explain_id(x, e->from));
        if (depth < 4 && node->n_uses == 1)
            write_uses(x, e->from, out, depth + 1);
    }
}

static void describe(const struct drawing *d, size_t at, struct buf *out)
{
    const struct graph_node *node = &d->x->graph->nodes[at];
    struct arguments all = description_arguments(d->x->description, at);

    if (node->role == GRAPH_SINK) {
        size_t block = arguments_block(all, SIZE_MAX, "endpoint", SIZE_MAX);

        buf_add(out, explain_address(all, SIZE_MAX));
        while (block != SIZE_MAX && (block = arguments_block(all, SIZE_MAX, "endpoint", block)) != SIZE_MAX) {
            buf_add_str(out, ", ");
            buf_add(out, explain_address(all, block));
        }
    } else {
        count_blocks(all, out);
    }
    write_uses(d->x, at, out, 0);
}

/* before: the signal that came to where the line starts. */
static void draw_line(struct drawing *d, const char *joint, size_t at, const struct graph_edge *by,
                      enum graph_signal before, bool is_again)
{
    static const enum paint paints[] = {[GRAPH_SOURCE] = PAINT_BOLD, [GRAPH_SINK] = PAINT_BOLD};
    enum graph_role role = d->x->graph->nodes[at].role;
    struct buf left, right;

    buf_init(&left, PREFIX_BYTES);
    buf_init(&right, TEXT_BYTES);
    buf_add(&left, buf_slice(&d->prefix));
    buf_add_str(&left, joint);
    if (by != NULL && by->signal != GRAPH_ANY && by->signal != before)
        buf_printf(&left, "%s → ", signal_names[by->signal]);
    buf_add(&left, explain_id(d->x, at));
    if (by != NULL && by->is_possible)
        buf_add_str(&left, " (perhaps)");
    if (!is_again)
        describe(d, at, &right);
    else if (d->x->graph->nodes[at].n_out != 0)
        buf_add_str(&right, "as above");
    columns_add(&d->rows, role < sizeof paints / sizeof paints[0] ? paints[role] : PAINT_NONE, buf_slice(&left),
                PAINT_DIM, buf_slice(&right));
    buf_release(&left);
    buf_release(&right);
}

/* Edges an item of this signal takes from `at`; room for all of the node's. */
static size_t ways(const struct graph *g, size_t at, enum graph_signal signal, size_t *edges)
{
    const struct graph_node *node = &g->nodes[at];
    size_t n = 0;

    for (size_t i = 0; i < node->n_out; i++)
        if (graph_takes(g, &g->edges[node->out[i]], signal))
            edges[n++] = node->out[i];
    return n;
}

/* What comes behind `at`: a single way goes on in the same column, several are indented. Recursion ends since a stretch
 * is drawn once, and is as deep as there are fan-outs in a row. */
static void draw_behind(struct drawing *d, size_t at, enum graph_signal signal)
{
    const struct graph *g = d->x->graph;
    size_t *edges = mem_array(g->nodes[at].n_out + 1, sizeof *edges);
    size_t n = ways(g, at, signal, edges), mark = d->prefix.len;

    while (n == 1) {
        const struct graph_edge *e = &g->edges[edges[0]];
        enum graph_signal before = signal;
        bool is_again;

        signal = graph_signal_after(e, signal);
        at = e->to;
        is_again = (d->drawn[at] & 1u << signal) != 0;
        d->drawn[at] = (uint8_t)(d->drawn[at] | 1u << signal);
        draw_line(d, "→ ", at, e, before, is_again);
        mem_free(edges);
        edges = mem_array(g->nodes[at].n_out + 1, sizeof *edges);
        n = is_again ? 0 : ways(g, at, signal, edges);
    }
    for (size_t i = 0; i < n; i++) {
        const struct graph_edge *e = &g->edges[edges[i]];
        enum graph_signal next = graph_signal_after(e, signal);
        bool is_again = (d->drawn[e->to] & 1u << next) != 0;

        d->drawn[e->to] = (uint8_t)(d->drawn[e->to] | 1u << next);
        draw_line(d, i + 1 == n ? "└ " : "├ ", e->to, e, signal, is_again);
        if (is_again)
            continue;
        buf_add_str(&d->prefix, i + 1 == n ? "  " : "│ ");
        draw_behind(d, e->to, next);
        d->prefix.len = mark;
    }
    mem_free(edges);
}

static void draw_flow(struct drawing *d, size_t at)
{
    const struct graph_node *node = &d->x->graph->nodes[at];

    d->drawn[at] = 1u << GRAPH_ANY;
    draw_line(d, "", at, NULL, GRAPH_ANY, false);
    d->prefix.len = 0;
    buf_add_str(&d->prefix, "  ");
    draw_behind(d, at, GRAPH_ANY);
    if (node->n_out == 0 && node->role != GRAPH_SINK)
        columns_add(&d->rows, PAINT_YELLOW, SLICE_LIT("  → nothing: what it makes is dropped, counted no_receiver"),
                    PAINT_NONE, (struct slice){0});
    d->prefix.len = 0;
}

/* --- what stands beside the flows --- */

static void list_nodes(const struct explain *x, struct buf *out, const char *what, const bool *marks)
{
    bool is_first = true;

    for (size_t i = 0; i < x->graph->n; i++) {
        if (!marks[i])
            continue;
        buf_printf(out, "%s%.*s", is_first ? what : ", ", SLICE_ARG(explain_id(x, i)));
        is_first = false;
    }
    if (!is_first)
        buf_add_char(out, '\n');
}

static void list_others(const struct explain *x, struct buf *out)
{
    const struct graph *g = x->graph;
    bool *marks = mem_array(g->n + 1, sizeof *marks);

    for (size_t i = 0; i < g->n; i++)
        marks[i] = g->nodes[i].role == GRAPH_VALUE && g->nodes[i].n_users == 0;
    list_nodes(x, out, "Nothing uses: ", marks);
    for (size_t i = 0; i < g->n; i++)
        marks[i] = g->nodes[i].role == GRAPH_SETTING;
    list_nodes(x, out, "Settings: ", marks);
    mem_free(marks);
}

static size_t count_in(const struct config *c, const struct config_scope *scope)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        for (const struct config_scope *s = c->blocks[i].scope; s != NULL; s = s->outer)
            if (s == scope) {
                n++;
                break;
            }
    return n;
}

static void list_modules(const struct explain *x, struct buf *out)
{
    struct columns rows;

    columns_init(&rows);
    for (size_t i = 1; i < x->config->n_scopes; i++) {
        const struct config_scope *s = x->config->scopes[i];
        struct buf left, right;

        if (s->kind != SCOPE_INSTANCE && s->kind != SCOPE_ITEM)
            continue;
        buf_init(&left, PREFIX_BYTES);
        buf_init(&right, PREFIX_BYTES);
        buf_printf(&left, "  %.*s", SLICE_ARG(s->path));
        if (s->is_pending)
            buf_printf(&right, "waits for %.*s", SLICE_ARG(s->waits_for));
        else
            buf_printf(&right, "%zu component%s", count_in(x->config, s), count_in(x->config, s) == 1 ? "" : "s");
        if (s->of != NULL) {
            buf_add_str(&right, ", ");
            explain_place(&right, s->of->source, source_position(s->of->source, s->of->ast->name_span.start));
        }
        columns_add(&rows, PAINT_NONE, buf_slice(&left), PAINT_DIM, buf_slice(&right));
        buf_release(&left);
        buf_release(&right);
    }
    if (rows.n != 0)
        buf_add_str(out, "\nModules:\n");
    columns_print(&rows, out, x->is_coloured, MOST_LEFT);
    columns_release(&rows);
}

static void mark_reached(const struct graph *g, size_t from, bool *reached)
{
    bool *marks = mem_array(g->n + 1, sizeof *marks);

    graph_reach(g, from, marks);
    for (size_t i = 0; i < g->n; i++)
        reached[i] = reached[i] || marks[i];
    mem_free(marks);
}

/* Does something that no source reaches push to it? Then it is drawn with that. */
static bool is_fed(const struct graph *g, size_t node, const bool *reached)
{
    for (size_t i = 0; i < g->n_edges; i++)
        if (g->edges[i].is_data && g->edges[i].to == node && !reached[g->edges[i].from])
            return true;
    return false;
}

/* First the flows of sources, then those that nothing feeds, if there are any. */
static void draw_all(struct drawing *d)
{
    const struct graph *g = d->x->graph;
    bool *reached = mem_array(g->n + 1, sizeof *reached);
    bool is_first = true;

    for (size_t i = 0; i < g->n; i++)
        if (g->nodes[i].role == GRAPH_SOURCE) {
            draw_flow(d, i);
            mark_reached(g, i, reached);
        }
    for (size_t i = 0; i < g->n; i++) {
        bool is_flow = g->nodes[i].role == GRAPH_PROCESSOR || g->nodes[i].role == GRAPH_SINK;

        if (!is_flow || reached[i] || is_fed(g, i, reached))
            continue;
        if (is_first)
            columns_add(&d->rows, PAINT_YELLOW, SLICE_LIT("No source reaches:"), PAINT_NONE, (struct slice){0});
        is_first = false;
        draw_flow(d, i);
        mark_reached(g, i, reached);
    }
    mem_free(reached);
}

static void add_neighbours(const struct explain *x, struct columns *rows, const char *left, bool is_out, bool is_data)
{
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    for (size_t i = 0; i < x->graph->n_edges; i++) {
        const struct graph_edge *e = &x->graph->edges[i];

        if (e->is_data != is_data || (is_out ? e->from : e->to) != x->only)
            continue;
        buf_add_str(&text, text.len != 0 ? ", " : "");
        buf_add(&text, explain_id(x, is_out ? e->to : e->from));
        if (e->signal != GRAPH_ANY)
            buf_printf(&text, " (%s)", signal_names[e->signal]);
        else if (!is_data && !is_out && e->argument.len != 0)
            buf_printf(&text, " (%.*s)", SLICE_ARG(e->argument));
        buf_add_str(&text, e->is_possible ? " (perhaps)" : "");
    }
    if (text.len != 0)
        columns_add(rows, PAINT_NONE, slice_str(left), PAINT_NONE, buf_slice(&text));
    buf_release(&text);
}

void explain_neighbours(const struct explain *x, struct buf *out)
{
    struct columns rows;

    columns_init(&rows);
    add_neighbours(x, &rows, "items from", false, true);
    add_neighbours(x, &rows, "items to", true, true);
    add_neighbours(x, &rows, "values from", false, false);
    add_neighbours(x, &rows, "values to", true, false);
    if (rows.n != 0)
        explain_heading(x, out, "The graph");
    columns_print(&rows, out, x->is_coloured, MOST_LEFT);
    columns_release(&rows);
}

void explain_graph(const struct explain *x, struct buf *out)
{
    const struct graph *g = x->graph;
    struct drawing d = {.x = x};
    size_t counts[GRAPH_SETTING + 1] = {0};

    columns_init(&d.rows);
    buf_init(&d.prefix, PREFIX_BYTES);
    d.drawn = mem_array(g->n + 1, sizeof *d.drawn);
    for (size_t i = 0; i < g->n; i++)
        counts[g->nodes[i].role]++;
    explain_heading(x, out, "The graph");
    buf_printf(out, "%s: %zu source%s, %zu between, %zu sink%s\n\n", x->path, counts[GRAPH_SOURCE],
               counts[GRAPH_SOURCE] == 1 ? "" : "s", counts[GRAPH_PROCESSOR], counts[GRAPH_SINK],
               counts[GRAPH_SINK] == 1 ? "" : "s");
    draw_all(&d);
    columns_print(&d.rows, out, x->is_coloured, MOST_LEFT);
    list_others(x, out);
    list_modules(x, out);
    mem_free(d.drawn);
    buf_release(&d.prefix);
    columns_release(&d.rows);
}
