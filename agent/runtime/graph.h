/* agent/runtime/graph.h - what flows where in a configuration that does not run: components as nodes, receivers they
 * push to as data edges, values they use of each other as value edges. */
#ifndef AGENT_RUNTIME_GRAPH_H
#define AGENT_RUNTIME_GRAPH_H
#include "agent/runtime/provenance.h"

enum graph_role {
    GRAPH_SOURCE,
    GRAPH_PROCESSOR, /* takes items and gives them on */
    GRAPH_SINK,
    GRAPH_VALUE,   /* only its exports are used: discovery, files, authentication */
    GRAPH_SETTING, /* logging and the like */
};

enum graph_signal { GRAPH_ANY, GRAPH_LOGS, GRAPH_METRICS, GRAPH_TRACES };

struct graph_edge {
    size_t from, to; /* items go this way; a value edge: to uses from's exports */
    bool is_data;
    bool is_possible;         /* whether it is there is known only when the agent runs */
    enum graph_signal signal; /* of output.NAME; ANY: whatever comes in */
    struct slice argument;    /* "forward_to", "output.traces"; value edges: "targets" */
    const char *export;       /* of `to` for data, of `from` for values */
};

/* One per block of the configuration, with the same number. */
struct graph_node {
    const struct config_block *block;
    enum graph_role role;
    size_t *out, n_out;   /* data edges from here, in order of writing */
    size_t *uses, n_uses; /* value edges to here */
    size_t n_in;          /* data edges to here */
    size_t n_users;       /* value edges from here */
};

struct graph {
    struct arena arena;
    struct graph_node *nodes;
    size_t n;
    struct graph_edge *edges; /* owned */
    size_t n_edges, cap_edges;
};

struct graph *graph_new(const struct config *config, struct description *d);
void graph_free(struct graph *g); /* NULL is fine */
/* Does an item of this signal that came into the edge's `from` take the edge? */
bool graph_takes(const struct graph *g, const struct graph_edge *e, enum graph_signal signal);
/* The signal behind an edge. */
enum graph_signal graph_signal_after(const struct graph_edge *e, enum graph_signal signal);
/* Marks what items of node `from` reach, itself too: marks has g->n places, zeroed here. */
void graph_reach(const struct graph *g, size_t from, bool *marks);
#endif
