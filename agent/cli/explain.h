/* agent/cli/explain.h - what the files of `hyagent explain` share. */
#ifndef AGENT_CLI_EXPLAIN_H
#define AGENT_CLI_EXPLAIN_H
#include "agent/cli/columns.h"
#include "agent/runtime/graph.h"

struct explain {
    const char *path; /* as given */
    struct config *config;
    struct description *description;
    struct graph *graph;
    size_t memory_limit; /* bytes; 0: none known */
    size_t only;         /* number of the block that was asked for; SIZE_MAX: all */
    bool is_brief;       /* arguments as the file shows them are left out */
    bool is_coloured;
};

/* A heading and what belongs under it. */
void explain_heading(const struct explain *x, struct buf *out, const char *text);
struct slice explain_id(const struct explain *x, size_t node);
/* "file:line" of a place. */
void explain_place(struct buf *out, const struct source *source, struct position at);
/* The address of endpoint block `block` of a sink, or "" (block SIZE_MAX: its first). */
struct slice explain_address(struct arguments all, size_t block);

void explain_graph(const struct explain *x, struct buf *out);
/* Whom the component that was asked for takes items and values from, and whom it gives them to. */
void explain_neighbours(const struct explain *x, struct buf *out);
void explain_dot(const struct explain *x, struct buf *out);
void explain_arguments(const struct explain *x, struct buf *out);
void explain_durability(const struct explain *x, struct buf *out);
void explain_json(const struct explain *x, struct buf *out);
#endif
