/* The same as one JSON object, for programs: components, edges, arguments with their origins. */
#include "agent/cli/explain.h"
#include "agent/text/json.h"

enum { TEXT_BYTES = 4 * 1024 * 1024 };

static void member(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "\"%s\":", name);
    json_write_string(out, text);
}

static const char *role_name(enum graph_role role)
{
    switch (role) {
    case GRAPH_SOURCE:
        return "source";
    case GRAPH_PROCESSOR:
        return "processor";
    case GRAPH_SINK:
        return "sink";
    case GRAPH_VALUE:
        return "value";
    case GRAPH_SETTING:
        break;
    }
    return "setting";
}

static const char *recovery_name(enum recovery recovers)
{
    switch (recovers) {
    case RECOVERS_POSITIONS:
        return "positions";
    case RECOVERS_CLIENTS:
        return "clients";
    case RECOVERS_UNSAID:
    case RECOVERS_NOTHING:
        break;
    }
    return "nothing";
}

static const char *holding_name(enum holding holds)
{
    switch (holds) {
    case HOLDS_BOUNDED:
        return "bounded";
    case HOLDS_STATE:
        return "state";
    case HOLDS_NONE:
        break;
    }
    return "none";
}

static void write_position(struct buf *out, const struct source *source, struct position at)
{
    member(out, "file", source->name);
    buf_printf(out, ",\"line\":%u,\"column\":%u", at.line, at.column);
}

static void write_argument(const struct explain *x, const struct argument *a, struct buf *out)
{
    struct buf value;

    buf_add_char(out, '{');
    member(out, "name", a->name);
    buf_printf(out, ",\"depth\":%u,\"type\":\"%s\"", a->depth, a->is_block ? "block" : "attr");
    if (a->is_block && a->label.len != 0) {
        buf_add_char(out, ',');
        member(out, "label", a->label);
    }
    if (!a->is_block) {
        buf_printf(out, ",\"is_known\":%s,", a->is_known ? "true" : "false");
        if (a->is_known) {
            buf_init(&value, TEXT_BYTES);
            description_write_value(x->description, &a->value, &value);
            member(out, "value", buf_slice(&value));
            buf_add_char(out, ',');
            buf_release(&value);
        }
        member(out, "origin", a->origin);
    }
    if (a->source != NULL) {
        buf_add_char(out, ',');
        write_position(out, a->source, a->at);
    }
    buf_add_char(out, '}');
}

static void write_component(const struct explain *x, size_t i, struct buf *out)
{
    const struct graph_node *node = &x->graph->nodes[i];
    const struct config_block *block = node->block;
    struct arguments all = description_arguments(x->description, i);

    buf_add_char(out, '{');
    member(out, "id", block->id);
    buf_add_char(out, ',');
    member(out, "type", slice_str(block->type->name));
    buf_add_char(out, ',');
    member(out, "module", block->scope != NULL ? block->scope->path : (struct slice){0});
    buf_printf(out, ",\"role\":\"%s\",\"holds\":\"%s\",", role_name(node->role), holding_name(block->type->holds));
    if (node->role == GRAPH_SOURCE)
        buf_printf(out, "\"recovers\":\"%s\",", recovery_name(block->type->recovers));
    write_position(out, block->source, source_position(block->source, block->ast->name_span.start));
    buf_add_str(out, ",\"arguments\":[");
    for (size_t k = 0; k < all.n; k++) {
        buf_add_str(out, k != 0 ? ",\n    " : "\n    ");
        write_argument(x, &all.items[k], out);
    }
    buf_add_str(out, "]}");
}

void explain_json(const struct explain *x, struct buf *out)
{
    static const char *const signals[] = {"", "logs", "metrics", "traces"};
    bool is_first = true;

    buf_add_str(out, "{\"components\":[");
    for (size_t i = 0; i < x->graph->n; i++) {
        if (x->only != SIZE_MAX && x->only != i)
            continue;
        buf_add_str(out, is_first ? "\n  " : ",\n  ");
        is_first = false;
        write_component(x, i, out);
    }
    buf_add_str(out, "],\n\"edges\":[");
    is_first = true;
    for (size_t i = 0; i < x->graph->n_edges; i++) {
        const struct graph_edge *e = &x->graph->edges[i];

        if (x->only != SIZE_MAX && x->only != e->from && x->only != e->to)
            continue;
        buf_add_str(out, is_first ? "\n  {" : ",\n  {");
        is_first = false;
        member(out, "from", explain_id(x, e->from));
        buf_add_char(out, ',');
        member(out, "to", explain_id(x, e->to));
        buf_printf(out, ",\"kind\":\"%s\",", e->is_data ? "data" : "value");
        member(out, "argument", e->argument);
        if (e->is_data)
            buf_printf(out, ",\"signal\":\"%s\",\"is_certain\":%s", signals[e->signal],
                       e->is_possible ? "false" : "true");
        buf_add_char(out, '}');
    }
    buf_add_str(out, "]}\n");
}
