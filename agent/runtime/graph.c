#include "agent/runtime/graph.h"
#include "agent/base/mem.h"
#include "agent/runtime/foreach.h"
#include "agent/runtime/import.h"

struct building {
    struct graph *g;
    struct description *d;
    const struct config *config;
};

static enum graph_role role_of(const struct component_type *type)
{
    if (type->is_singleton || type == &component_foreach || import_is_type(type))
        return GRAPH_SETTING;
    if (type->is_source)
        return GRAPH_SOURCE;
    if (type->is_sink)
        return GRAPH_SINK;
    return GRAPH_VALUE; /* until something is pushed to it or by it */
}

static void add_edge(struct graph *g, const struct graph_edge *edge)
{
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct graph_edge *e = &g->edges[i];

        if (e->from == edge->from && e->to == edge->to && e->is_data == edge->is_data && e->signal == edge->signal &&
            slice_eq(e->argument, edge->argument))
            return;
    }
    if (g->n_edges == g->cap_edges) {
        g->cap_edges = g->cap_edges == 0 ? 64 : 2 * g->cap_edges;
        g->edges = mem_realloc(g->edges, g->cap_edges * sizeof *g->edges);
    }
    g->edges[g->n_edges++] = *edge;
}

static bool is_of_type(const struct value *v, const struct capsule_type *type)
{
    return v->type == VALUE_CAPSULE && v->as.capsule.type == type;
}

static bool is_receiver(const struct value *v)
{
    return v->as.capsule.type == &capsule_logs_receiver || v->as.capsule.type == &capsule_metrics_receiver ||
           v->as.capsule.type == &capsule_otel_consumer;
}

/* A component that exports what it takes items with and passes them on is between; edges of values run the other way.
 */
static void add_capsules(struct building *b, size_t from, const struct value *v, struct slice argument,
                         enum graph_signal signal)
{
    struct graph_edge edge = {.from = from, .argument = argument, .signal = signal};

    if (v->type == VALUE_CAPSULE && description_export(b->d, v->as.capsule.ptr, &edge.to, &edge.export)) {
        edge.is_data = is_receiver(v);
        if (!edge.is_data) {
            edge.from = edge.to;
            edge.to = from;
            edge.signal = GRAPH_ANY;
        }
        add_edge(b->g, &edge);
    }
    for (size_t i = 0; v->type == VALUE_ARRAY && i < v->as.array.n; i++)
        add_capsules(b, from, &v->as.array.items[i], argument, signal);
    for (size_t i = 0; v->type == VALUE_OBJECT && i < v->as.object.n; i++)
        add_capsules(b, from, &v->as.object.fields[i].value, argument, signal);
}

static enum graph_signal signal_of(struct slice block, struct slice name)
{
    if (!slice_eq_str(block, "output"))
        return GRAPH_ANY;
    return slice_eq_str(name, "traces")    ? GRAPH_TRACES
           : slice_eq_str(name, "metrics") ? GRAPH_METRICS
           : slice_eq_str(name, "logs")    ? GRAPH_LOGS
                                           : GRAPH_ANY;
}

/* A receiver chosen by something that is known only later: perhaps. */
static void add_possible(struct building *b, size_t at, const struct argument *a, struct slice path,
                         enum graph_signal signal)
{
    for (size_t i = 0; i < a->n_blocks; i++) {
        const struct component_export *e = b->config->blocks[a->blocks[i]].type->exports;
        struct value v = {0};

        for (; e != NULL && e->name != NULL && !is_of_type(&v, a->field->capsule); e++)
            v = description_export_value(b->d, a->blocks[i], e->name);
        if (is_of_type(&v, a->field->capsule) && is_receiver(&v))
            add_edge(b->g, &(struct graph_edge){.from = at,
                                                .to = a->blocks[i],
                                                .is_data = true,
                                                .is_possible = true,
                                                .argument = path,
                                                .signal = signal,
                                                .export = e[-1].name});
    }
}

static void add_edges(struct building *b, size_t at)
{
    struct arguments all = description_arguments(b->d, at);
    struct slice block = {0}; /* the nearest one above */

    for (size_t i = 0; i < all.n; i++) {
        const struct argument *a = &all.items[i];
        enum graph_signal signal = a->depth == 1 ? signal_of(block, a->name) : GRAPH_ANY;
        bool takes_capsules =
            a->field != NULL && (a->field->kind == RIVER_CAPSULE || a->field->kind == RIVER_CAPSULE_LIST);
        struct slice path = a->name;

        if (a->is_block)
            block = a->name;
        if (a->is_block || a->is_default)
            continue;
        if (a->depth != 0)
            path = slice_str(arena_printf(&b->g->arena, "%.*s.%.*s", SLICE_ARG(block), SLICE_ARG(a->name)));
        if (a->is_known)
            add_capsules(b, at, &a->value, path, signal);
        else if (takes_capsules)
            add_possible(b, at, a, path, signal);
        for (size_t k = 0; k < a->n_blocks && !takes_capsules; k++)
            add_edge(b->g, &(struct graph_edge){.from = a->blocks[k], .to = at, .argument = path});
    }
}

static void link_edges(struct graph *g)
{
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct graph_edge *e = &g->edges[i];

        if (e->is_data) {
            g->nodes[e->from].n_out++;
            g->nodes[e->to].n_in++;
        } else {
            g->nodes[e->to].n_uses++;
            g->nodes[e->from].n_users++;
        }
    }
    for (size_t i = 0; i < g->n; i++) {
        struct graph_node *node = &g->nodes[i];

        node->out = arena_zalloc(&g->arena, (node->n_out + 1) * sizeof *node->out);
        node->uses = arena_zalloc(&g->arena, (node->n_uses + 1) * sizeof *node->uses);
        if (node->role == GRAPH_VALUE && (node->n_out != 0 || node->n_in != 0))
            node->role = GRAPH_PROCESSOR;
        if (node->role == GRAPH_SETTING && node->n_out != 0)
            node->role = GRAPH_SOURCE; /* logging that writes to receivers */
        node->n_out = node->n_uses = 0;
    }
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct graph_edge *e = &g->edges[i];
        struct graph_node *from = &g->nodes[e->from], *to = &g->nodes[e->to];

        if (e->is_data)
            from->out[from->n_out++] = i;
        else
            to->uses[to->n_uses++] = i;
    }
}

struct graph *graph_new(const struct config *config, struct description *d)
{
    struct graph *g = mem_zalloc(sizeof *g);
    struct building b = {.g = g, .d = d, .config = config};

    arena_init(&g->arena, 0);
    g->n = config->n;
    g->nodes = arena_zalloc(&g->arena, (g->n + 1) * sizeof *g->nodes);
    for (size_t i = 0; i < g->n; i++) {
        g->nodes[i].block = &config->blocks[i];
        g->nodes[i].role = role_of(config->blocks[i].type);
        add_edges(&b, i);
    }
    link_edges(g);
    return g;
}

void graph_free(struct graph *g)
{
    if (g == NULL)
        return;
    mem_free(g->edges);
    arena_release(&g->arena);
    mem_free(g);
}

bool graph_takes(const struct graph *g, const struct graph_edge *e, enum graph_signal signal)
{
    const struct graph_node *node = &g->nodes[e->from];

    if (signal == GRAPH_ANY || e->signal == GRAPH_ANY || e->signal == signal)
        return true;
    /* a connector makes one signal of another: it has no output for what comes in */
    for (size_t i = 0; i < node->n_out; i++)
        if (g->edges[node->out[i]].signal == signal)
            return false;
    return node->n_in != 0;
}

enum graph_signal graph_signal_after(const struct graph_edge *e, enum graph_signal signal)
{
    return e->signal != GRAPH_ANY ? e->signal : signal;
}

void graph_reach(const struct graph *g, size_t from, bool *marks)
{
    /* a node is entered once per signal at most */
    uint8_t *seen = mem_array(g->n + 1, sizeof *seen);
    struct step {
        size_t node;
        enum graph_signal signal;
    } *todo = mem_array(4 * g->n + 1, sizeof *todo);
    size_t n = 0;

    memset(marks, 0, g->n * sizeof *marks);
    todo[n++] = (struct step){from, GRAPH_ANY};
    seen[from] = 1u << GRAPH_ANY;
    while (n != 0) {
        struct step at = todo[--n];
        const struct graph_node *node = &g->nodes[at.node];

        marks[at.node] = true;
        for (size_t i = 0; i < node->n_out; i++) {
            const struct graph_edge *e = &g->edges[node->out[i]];
            enum graph_signal signal = graph_signal_after(e, at.signal);

            if (!graph_takes(g, e, at.signal) || (seen[e->to] & 1u << signal) != 0)
                continue;
            seen[e->to] = (uint8_t)(seen[e->to] | 1u << signal);
            todo[n++] = (struct step){e->to, signal};
        }
    }
    mem_free(todo);
    mem_free(seen);
}
