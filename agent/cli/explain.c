/* hyagent explain: what a configuration does, told without running it. Opens no sockets, writes nothing. */
#include "agent/cli/explain.h"
#include "agent/base/budget.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/explain_line.h"
#include "agent/cli/flags.h"
#include "agent/cli/registry.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/runtime.h"
#include <stdlib.h>
#include <unistd.h>

enum { FORMAT_TEXT, FORMAT_JSON };
enum { SHOW_ALL, SHOW_GRAPH, SHOW_ARGUMENTS, SHOW_DURABILITY };

static const char *const stability_words[] = {"generally-available", "public-preview", "experimental", NULL};
static const char *const format_words[] = {"text", "json", NULL};
static const char *const show_words[] = {"all", "graph", "arguments", "durability", NULL};

struct args {
    bool is_help, is_dot;
    int stability, format, show;
    uint64_t memory_limit;
    struct line_args line;
};

#define AT(member) offsetof(struct args, member)
const struct flag explain_flags[] = {
    {"show", 0, FLAG_CHOICE, AT(show), "WHAT", "graph, arguments, durability or all (default)", show_words},
    {"component", 0, FLAG_STRING, AT(line.component), "ID",
     "only this component, its defaults too; with --line: where the line begins", NULL},
    {"line", 0, FLAG_STRING, AT(line.line), "TEXT", "what becomes of this log line; -: of each line of standard input",
     NULL},
    {"sample", 0, FLAG_STRING, AT(line.sample), "TEXT", "the same of a sample: name{label=\"value\"} 1", NULL},
    {"label", 0, FLAG_LIST, AT(line.labels), "NAME=VALUE", "a label the line has already; again and again", NULL},
    {"timestamp", 0, FLAG_STRING, AT(line.timestamp), "TIME",
     "the line's time, and what the clock shows: 2026-01-02T15:04:05Z; default: now", NULL},
    {"dot", 0, FLAG_BOOL, AT(is_dot), NULL, "the graph for Graphviz: hyagent explain FILE --dot | dot -Tsvg", NULL},
    {"format", 0, FLAG_CHOICE, AT(format), "FORMAT", "text (default) or json", format_words},
    {"memory.limit", 0, FLAG_BYTES, AT(memory_limit), "SIZE", "as for run: the queues' caps depend on it", NULL},
    {"stability.level", 0, FLAG_CHOICE, AT(stability), "LEVEL",
     "generally-available (default), public-preview or experimental", stability_words},
    {"help", 'h', FLAG_BOOL, AT(is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

void explain_heading(const struct explain *x, struct buf *out, const char *text)
{
    if (out->len != 0)
        buf_add_char(out, '\n');
    paint(out, x->is_coloured, PAINT_BLUE, slice_str(text));
    buf_add_str(out, "\n");
}

struct slice explain_id(const struct explain *x, size_t node)
{
    return x->config->blocks[node].id;
}

void explain_place(struct buf *out, const struct source *source, struct position at)
{
    buf_add(out, source->name);
    buf_printf(out, ":%u", at.line);
}

/* The path of a module instance: its components are what can be asked for. */
static int name_inside(const struct config *config, const struct config_scope *scope)
{
    size_t n = 0;

    fprintf(stderr, "hyagent: explain: %.*s is a module", SLICE_ARG(scope->path));
    for (size_t i = 0; i < config->n; i++)
        if (config->blocks[i].scope == scope)
            fprintf(stderr, "%s%.*s", n++ == 0 ? ": name one of its components, " : ", ",
                    SLICE_ARG(config->blocks[i].id));
    fputc('\n', stderr);
    return EXIT_FAILED;
}

static int unknown_component(const struct config *config, const char *id)
{
    const struct config_scope *scope = config_scope_by_path(config, slice_str(id));
    struct nearest nearest;

    if (scope != NULL && scope->path.len != 0)
        return name_inside(config, scope);
    nearest_init(&nearest, slice_str(id));
    for (size_t i = 0; i < config->n; i++)
        nearest_offer(&nearest, config->blocks[i].id);
    if (nearest.best.ptr != NULL)
        fprintf(stderr, "hyagent: explain: there is no component \"%s\": did you mean \"%.*s\"?\n", id,
                SLICE_ARG(nearest.best));
    else
        fprintf(stderr,
                "hyagent: explain: there is no component \"%s\"; hyagent explain FILE --show=graph lists them\n", id);
    return EXIT_FAILED;
}

static void write_sections(struct explain *x, const struct args *args, struct buf *out)
{
    bool is_one = x->only != SIZE_MAX;

    if (args->is_dot) {
        explain_dot(x, out);
        return;
    }
    if (args->format == FORMAT_JSON) {
        explain_json(x, out);
        return;
    }
    if (is_one && (args->show == SHOW_GRAPH || args->show == SHOW_ALL))
        explain_neighbours(x, out);
    if (!is_one && (args->show == SHOW_GRAPH || args->show == SHOW_ALL))
        explain_graph(x, out);
    x->is_brief = args->show == SHOW_ALL && !is_one;
    if (args->show == SHOW_ALL || args->show == SHOW_ARGUMENTS)
        explain_arguments(x, out);
    if (is_one && x->graph->nodes[x->only].role != GRAPH_SOURCE && x->graph->nodes[x->only].role != GRAPH_SINK)
        return; /* durability is a matter of ends */
    if (args->show == SHOW_ALL || args->show == SHOW_DURABILITY)
        explain_durability(x, out);
}

/* With an item the export may stand behind the id: "loki.process.x.receiver". */
static const struct config_block *find_component(const struct config *config, struct slice id, bool has_export)
{
    const struct config_block *block = config_block_by_id(config, id);
    size_t at = id.len;

    while (at > 0 && id.ptr[at - 1] != '.')
        at--;
    return block == NULL && has_export && at > 0 ? config_block_by_id(config, slice_head(id, at - 1)) : block;
}

static bool has_item(const struct args *args)
{
    return args->line.line != NULL || args->line.sample != NULL;
}

static int show(struct explain *x, struct args *args, const struct config_texts *texts)
{
    const struct config_block *block;
    struct error err = {0};
    struct buf out;
    enum code rc = OK;

    if (args->line.component != NULL) {
        block = find_component(x->config, slice_str(args->line.component), has_item(args));
        if (block == NULL)
            return unknown_component(x->config, args->line.component);
        x->only = (size_t)(block - x->config->blocks);
    }
    x->description = description_new(x->config, (enum stability)args->stability);
    x->graph = graph_new(x->config, x->description);
    buf_init(&out, LIMIT_EXPLAIN_BYTES);
    args->line.stability = args->stability;
    if (has_item(args))
        rc = explain_line(x, &args->line, texts, &out, &err);
    else
        write_sections(x, args, &out);
    if (rc == OK && out.is_full)
        rc = error_set(&err, FULL, "there is more than %u bytes to say: use --component ID or --show",
                       LIMIT_EXPLAIN_BYTES);
    if (out.len != 0)
        fwrite(out.ptr, 1, out.len, stdout);
    buf_release(&out);
    graph_free(x->graph);
    description_free(x->description);
    if (rc == OK)
        return EXIT_OK;
    fprintf(stderr, "hyagent: explain: %s\n", err.text);
    return EXIT_FAILED;
}

/* What does not go together. NULL: fine. */
static const char *contradiction(const struct args *args)
{
    if (args->line.line != NULL && args->line.sample != NULL)
        return "--line and --sample: one of them";
    if (has_item(args) && args->line.component == NULL)
        return "--line and --sample need --component ID: where the item begins";
    if (has_item(args) && (args->is_dot || args->format == FORMAT_JSON))
        return "--line and --sample are told as text: without --dot and --format=json";
    if (!has_item(args) && (args->line.labels.n != 0 || args->line.timestamp != NULL))
        return "--label and --timestamp belong to --line or --sample";
    return NULL;
}

static enum code load(struct explain *x, const struct args *args, struct config_texts *texts, struct diags *diags)
{
    struct config_options options = {.types = registry, .stability = (enum stability)args->stability};
    enum code rc = config_files_read(x->path, texts, diags);

    if (rc == OK)
        rc = runtime_check(&options, texts->items, texts->n, diags);
    if (rc == OK) {
        struct diags again; /* warnings were told by the check */

        diags_init(&again);
        rc = config_load(&x->config, &options, texts->items, texts->n, &again);
        diags_release(&again);
    }
    return rc;
}

int command_explain(const char *program, int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR");
    struct args args = {0};
    struct error err = {0};
    struct config_texts texts = {0};
    struct explain x = {.only = SIZE_MAX};
    struct diags diags;
    int n_words, status = EXIT_FAILED;

    (void)program;
    if (flags_parse(explain_flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("explain: %s", err.text);
    if (args.is_help) {
        puts("Usage: hyagent explain FILE|DIR [flags]\n");
        flags_print(explain_flags, stdout);
        return EXIT_OK;
    }
    if (n_words != 1)
        return usage_error("explain: name one file or folder");
    if (contradiction(&args) != NULL)
        return usage_error("explain: %s", contradiction(&args));
    x.path = argv[1];
    x.is_coloured = isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0');
    x.memory_limit = args.memory_limit != 0 ? args.memory_limit : budget_detect_limit();
    diags_init(&diags);
    if (load(&x, &args, &texts, &diags) == OK)
        status = show(&x, &args, &texts);
    else if (args.format == FORMAT_JSON)
        (void)print_diags_json(&diags);
    else
        print_diags(&diags, false);
    diags_release(&diags);
    config_texts_release(&texts);
    config_unref(x.config);
    return status;
}
