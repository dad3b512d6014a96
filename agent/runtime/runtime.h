/* agent/runtime/runtime.h - runs a configuration: creates its components in order, evaluates them again when an export
 * changes, loads a new configuration by diff, and lets everything run dry at the end. Control loop only, except where
 * said. Own header of the runtime for cli and ui; components see component.h. */
#ifndef AGENT_RUNTIME_RUNTIME_H
#define AGENT_RUNTIME_RUNTIME_H
#include "agent/base/clock.h"
#include "agent/runtime/config.h"

struct runtime;
struct admin_link;

/* All pointers are borrowed for the life of the runtime. */
struct runtime_options {
    component_types types;
    enum stability stability;
    struct loops *loops;
    struct metrics *metrics;
    const struct clock *clock;
    const char *storage_path; /* NULL: memory mode */
    const char *listen_addr;  /* the admin server's */
    const char *memory_addr;  /* "alloy.internal:12345" */
    struct positions *positions;
    struct http_client **http; /* one per worker, then the control loop's; may be NULL in tests */
    size_t queue_bytes;        /* what all sinks together may queue in memory mode */
    /* What runs in place of a type (dry runs: stand-ins, with its table and exports); NULL: every type itself. */
    const struct component_type *(*substitute)(void *self, const struct component_type *type);
    void *substitute_self;
    const struct admin_link *admin; /* config_blocks.h; NULL: there is no admin server */
};

struct runtime *runtime_new(const struct runtime_options *options);
/* After runtime_stop's done. NULL is fine. */
void runtime_free(struct runtime *rt);

struct load_result {
    bool is_ok;
    const struct diags *diags; /* errors when not ok, else warnings */
    size_t n_components, n_added, n_updated, n_replaced, n_removed;
};

typedef void (*load_done_fn)(void *ctx, const struct load_result *result);

/* Loads a configuration, the first or the next: parsed, evaluated and decoded as a whole before anything is touched. A
 * failing one changes nothing. done runs on the control loop. Texts are copied. */
void runtime_load(struct runtime *rt, const struct config_text *texts, size_t n, load_done_fn done, void *ctx);
/* The same from files; path is a file or a folder (config_files.h). */
void runtime_load_path(struct runtime *rt, const char *path, load_done_fn done, void *ctx);
/* Parses, evaluates and decodes without running anything: `hyagent validate`. */
MUST_USE enum code runtime_check(const struct config_options *options, const struct config_text *texts, size_t n,
                                 struct diags *diags);
/* Stop intake, drain in order, flush the sinks within flush_ms, close all; done(arg) when nothing is left or the time
 * of timeout_ms is over (runtime_is_clean then says false). */
void runtime_stop(struct runtime *rt, int64_t flush_ms, int64_t timeout_ms, loop_fn done, void *arg);
bool runtime_is_clean(const struct runtime *rt); /* after runtime_stop's done: everything was closed */

/* -- for the admin pages and tests; any thread ------------------------------------------------------------------- */
bool runtime_is_ready(struct runtime *rt);
bool runtime_is_live_debugging_on(struct runtime *rt); /* livedebugging { enabled = true } */
/* Names of unhealthy components, ", " between; empty: all are well. */
void runtime_write_unhealthy(struct runtime *rt, struct buf *out);
/* Those of one module ("" is the root), as Alloy's API has them. False: no such module; json is an empty list then. */
bool runtime_write_components(struct runtime *rt, struct slice module, struct buf *json);
/* False: no such component. */
bool runtime_write_component(struct runtime *rt, struct slice id, struct buf *json);
/* All of the agent's own metrics in the Prometheus text format: the registry, the ledger, controller, process, build.
 */
void runtime_write_metrics(struct runtime *rt, struct buf *out);
MUST_USE enum code runtime_scrape(struct runtime *rt, struct slice id, struct buf *out, struct error *err);

/* One line of the plain page. Slices are valid during the call. */
struct component_row {
    const char *id, *name, *message;
    enum health health;
    struct slice arguments, exports; /* River text, secrets masked */
};
void runtime_each_component(struct runtime *rt, void (*each)(void *ctx, const struct component_row *row), void *ctx);
const char *health_name(enum health health); /* "healthy", … */

/* A custom component, an import's module or an item of a foreach. Slices are valid during the call. */
struct module_row {
    struct slice id;       /* its path: "x.label", "import.file.m", "foreach.f/foreach_a_1" */
    struct slice parent;   /* path of the module it stands in, "" at the root */
    struct slice declared; /* custom component: "x" or "namespace.x" */
    struct slice label;
    enum config_scope_kind kind;
    enum health health; /* the worst inside */
    struct slice message;
    struct slice arguments, exports; /* JSON of one object each, secrets masked; items and imports: "" */
    bool is_pending;
};
/* Outer ones first. Any thread. */
void runtime_each_module(struct runtime *rt, void (*each)(void *ctx, const struct module_row *row), void *ctx);
/* Every file the running configuration was read from, imports too. Any thread. */
void runtime_each_config_file(struct runtime *rt, void (*each)(void *ctx, const struct config_file *file), void *ctx);

/* One way data takes. */
struct edge_row {
    const char *from, *to; /* ids */
    const char *type;      /* Alloy's word: "loki_log", "prometheus_metric", "otel_trace" … */
    uint64_t n_items;      /* since the edge was made */
};
void runtime_each_edge(struct runtime *rt, void (*each)(void *ctx, const struct edge_row *row), void *ctx);
/* Agent, last load, modules, nodes, edges and references as one JSON object, for the page. */
void runtime_write_graph(struct runtime *rt, struct buf *json);
/* Errors or warnings of the last load, with the lines they are about: not masked. */
void runtime_write_load_text(struct runtime *rt, struct buf *out);
/* Every text the configuration was read from, secrets masked by the argument tables. Slices live during the call. */
void runtime_each_source(struct runtime *rt, void (*each)(void *ctx, struct slice name, struct slice text), void *ctx);
/* Ids of all that runs, configuration blocks too. */
void runtime_each_id(struct runtime *rt, void (*each)(void *ctx, const char *id), void *ctx);
/* Every text that is a secret argument or export now. */
void runtime_each_secret(struct runtime *rt, void (*each)(void *ctx, struct slice secret), void *ctx);
/* Sums the ledgers of all components: differences (0: all balance) and what is held. */
void runtime_ledger_totals(struct runtime *rt, int64_t *difference, int64_t *held);
/* The account of one component, for tests; NULL: no such component. */
const struct ledger *runtime_ledger_of(struct runtime *rt, const char *id);
#endif
