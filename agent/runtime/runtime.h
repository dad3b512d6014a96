/* agent/runtime/runtime.h - runs a configuration: creates its components in order, evaluates them again when an export
 * changes, loads a new configuration by diff, and lets everything run dry at the end. Control loop only, except where
 * said. Own header of the runtime for cli and ui; components see component.h. */
#ifndef AGENT_RUNTIME_RUNTIME_H
#define AGENT_RUNTIME_RUNTIME_H
#include "agent/base/clock.h"
#include "agent/runtime/config.h"

struct runtime;

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
/* Names of unhealthy components, ", " between; empty: all are well. */
void runtime_write_unhealthy(struct runtime *rt, struct buf *out);
void runtime_write_components(struct runtime *rt, struct buf *json);
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
/* Sums the ledgers of all components: differences (0: all balance) and what is held. */
void runtime_ledger_totals(struct runtime *rt, int64_t *difference, int64_t *held);
/* The account of one component, for tests; NULL: no such component. */
const struct ledger *runtime_ledger_of(struct runtime *rt, const char *id);
#endif
