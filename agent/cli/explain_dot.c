/* The graph for Graphviz: modules as clusters, data as solid edges, values as dashed ones. */
#include "agent/cli/explain.h"

static void quote(struct buf *out, struct slice text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, text.ptr[i] == '\n' ? ' ' : text.ptr[i]);
    }
    buf_add_char(out, '"');
}

static const char *shape_of(enum graph_role role)
{
    switch (role) {
    case GRAPH_SOURCE:
        return "shape=cds";
    case GRAPH_PROCESSOR:
        return "shape=box,style=rounded";
    case GRAPH_SINK:
        return "shape=box,style=bold";
    case GRAPH_VALUE:
        return "shape=note";
    case GRAPH_SETTING:
        break;
    }
    return "shape=plaintext";
}

static void write_node(const struct explain *x, size_t i, unsigned depth, struct buf *out)
{
    const struct graph_node *node = &x->graph->nodes[i];

    buf_printf(out, "%*sn%zu [label=", (int)(2 * depth + 2), "", i);
    quote(out, node->block->local_id);
    buf_printf(out, ",%s];\n", shape_of(node->role));
}

/* A module instance is a cluster with its components and the instances in it. Outer scopes stand first in the list, so
 * that recursion is as deep as modules nest. */
static void write_scope(const struct explain *x, const struct config_scope *scope, unsigned depth, struct buf *out)
{
    for (size_t i = 0; i < x->graph->n; i++)
        if (x->config->blocks[i].scope == scope && x->graph->nodes[i].role != GRAPH_SETTING)
            write_node(x, i, depth, out);
    for (size_t i = 0; i < x->config->n_scopes; i++) {
        const struct config_scope *inner = x->config->scopes[i];

        if (inner == scope || inner->outer != scope)
            continue;
        buf_printf(out, "%*ssubgraph cluster_%zu {\n%*slabel=", (int)(2 * depth + 2), "", i, (int)(2 * depth + 4), "");
        quote(out, inner->path);
        buf_printf(out, ";\n");
        write_scope(x, inner, depth + 1, out);
        buf_printf(out, "%*s}\n", (int)(2 * depth + 2), "");
    }
}

void explain_dot(const struct explain *x, struct buf *out)
{
    const struct graph *g = x->graph;

    buf_add_str(out, "digraph hyagent {\n  rankdir=LR;\n  node [fontname=\"Helvetica\",fontsize=10];\n"
                     "  edge [fontname=\"Helvetica\",fontsize=9];\n");
    write_scope(x, x->config->n_scopes != 0 ? x->config->scopes[0] : NULL, 0, out);
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct graph_edge *e = &g->edges[i];

        buf_printf(out, "  n%zu -> n%zu [label=", e->from, e->to);
        quote(out, e->is_data && slice_eq_str(e->argument, "forward_to") ? SLICE_LIT("") : e->argument);
        buf_printf(out, "%s];\n", !e->is_data ? ",style=dashed" : e->is_possible ? ",style=dotted" : "");
    }
    buf_add_str(out, "}\n");
}
