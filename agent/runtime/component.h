/* agent/runtime/component.h - what a component is to the runtime, and the runtime to a component (its host).
 *
 * One `const struct component_type` per component with designated initialisers, listed in agent/cli/registry.c. Its
 * table (args) drives decoding, defaults, validation, docs and completion. create, update, pause, drain and close run
 * on the control loop and must not block; a component posts to its own loop (host_loop) for what belongs there. */
#ifndef AGENT_RUNTIME_COMPONENT_H
#define AGENT_RUNTIME_COMPONENT_H
#include "agent/base/error.h"
#include "agent/base/ledger.h"
#include "agent/base/metrics.h"
#include "agent/io/loop.h"
#include "agent/model/admission.h"
#include "agent/model/receiver.h"
#include "agent/river/schema.h"
#include "agent/river/value.h"

struct host;
struct positions; /* agent/delivery/positions.h */
struct http_client;

enum stability { STABILITY_GA, STABILITY_PREVIEW, STABILITY_EXPERIMENTAL };

/* What a component does with items it cannot push on at once (design.md, Holding components). */
enum holding { HOLDS_NONE, HOLDS_BOUNDED, HOLDS_STATE };

/* What becomes, at a restart, of items a source made and no destination has yet. */
enum recovery {
    RECOVERS_UNSAID,    /* no source */
    RECOVERS_NOTHING,   /* lost, and what happened meanwhile was not seen: scrapes */
    RECOVERS_POSITIONS, /* read again from the positions it keeps */
    RECOVERS_CLIENTS,   /* its clients still wait for their answer, and send again */
};

enum health { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_UNHEALTHY, HEALTH_EXITED };

struct component_export {
    const char *name;
    const char *type; /* "list(map(string))", "LogsReceiver", ... for the docs */
    const char *doc;
};

struct component_type {
    const char *name; /* "loki.source.file" */
    enum stability stability;
    const char *doc; /* one line */
    const struct river_block *args;
    const struct component_export *exports; /* ends with name NULL; NULL: none */
    enum holding holds;
    enum recovery recovers; /* sources */
    bool is_source;         /* makes items: has a window or clients that wait */
    bool is_sink;           /* ends their way: has a gate and endpoints */
    bool has_gate;          /* no sink, but may refuse for the sources that reach it (memory_limiter) */
    bool exports_late;      /* nothing is known of its exports before the first host_export: what uses them waits */
    bool is_singleton;      /* no label: logging, livedebugging, ... (configuration blocks) */

    /* args: the decoded struct, valid until update gave newer ones (and a barrier passed) or close is done.
     * On failure the component is unhealthy with err, its exports keep their zero values, the rest of the graph runs.
     */
    enum code (*create)(void **out, struct host *host, const void *args, struct error *err);
    /* Takes new arguments while running. NULL or AGAIN: replace the component instead (drain the old, hand over state).
     */
    enum code (*update)(void *self, const void *args, struct error *err);
    /* Everything is created and wired: sources may begin (open sockets, read files). May be NULL. */
    void (*start)(void *self);
    /* Stop intake for good: sockets stop accepting, files stop being read; what was read goes on. May be NULL. */
    void (*stop_intake)(void *self);
    /* Push on what is held (multiline, batches); done(arg) on the control loop when nothing is held any more. May be
     * NULL. */
    void (*drain)(void *self, loop_fn done, void *arg);
    /* End: frees all; done(arg) on the control loop when nothing of it is left on any loop. Required. */
    void (*close)(void *self, loop_fn done, void *arg);
    /* State for a successor of the same id (windows, open files, listeners): the old one gives, before its close, what
     * the new one takes, before its start. Both may be NULL. free_state is used when no successor takes it. */
    void *(*give_state)(void *self);
    void (*take_state)(void *self, void *take_state);
    void (*free_state)(void *state);
    /* Are its exports of type optional(secret) secrets, with these arguments? So that a configuration that would show
     * one is refused before anything runs. May be NULL. */
    bool (*exports_secrets)(const void *args);
    /* Exporters (prometheus.exporter.*): writes its exposition; called on a worker loop or the admin thread. */
    enum code (*write_metrics)(void *self, struct buf *out);
    /* More for the component's page (targets, files): appends River-like lines as JSON object members. May be NULL. */
    void (*write_debug)(void *self, struct buf *json);
};

/* -- the host: services for one component; valid until its close is done ----------------------------------------- */
const char *host_id(const struct host *h);       /* full module path: "x.label/loki.write.y" */
const char *host_path(const struct host *h);     /* of its module, "/" at the root: label component_path */
const char *host_local_id(const struct host *h); /* in its module: label component_id */
struct loops *host_loops(const struct host *h);
struct loop *host_loop(const struct host *h);                   /* the worker this component lives on */
struct loop *host_loop_for(const struct host *h, uint64_t key); /* spread targets and files by key */
const struct clock *host_clock(const struct host *h);
struct ledger *host_ledger(struct host *h);
struct metrics *host_metrics(struct host *h);
/* The component_id and component_path labels first, then these: counters and gauges under Alloy's names. As with
 * metrics_counter the caller owns one reference and gives it back with metric_unref, at the latest in close. */
struct metric *host_counter(struct host *h, const char *name, const char *help, const struct metric_label *more,
                            size_t n);
struct metric *host_gauge(struct host *h, const char *name, const char *help, const struct metric_label *more,
                          size_t n);
struct metric *host_histogram(struct host *h, const char *name, const char *help, const double *bounds, size_t n_bounds,
                              const struct metric_label *more, size_t n);
/* A folder of its own below --storage.path (made 0700); NULL in memory mode without a writable storage path. */
const char *host_data_dir(struct host *h);
struct positions *host_positions(struct host *h); /* shared store of the process; never NULL */
struct admission *host_admission(struct host *h); /* for sources */
struct gate *host_gate(struct host *h);           /* for sinks */
/* The share of the memory budget this sink's endpoints may queue in memory mode. */
size_t host_queue_bytes(const struct host *h);
/* The process-wide HTTP client of a loop. */
struct http_client *host_http(struct host *h, struct loop *loop);

/* The sending end for a forward_to: name is the argument ("forward_to", "output.traces"). The same name gives the same
 * fanout again, so update just sets; *out is NULL the first time and is not written again, for loops read it. Control
 * loop only. kind must match the receivers' (checked: INVALID). */
MUST_USE enum code host_fanout(struct host *h, const char *name, enum receiver_kind kind, void *const *receivers,
                               size_t n, struct fanout **out, struct error *err);
/* The receiving end: fills node, owner and ledger. The receiver lives in the component. Control loop only. */
void host_receiver(struct host *h, struct receiver *r);
/* otelcol.processor.batch is a hint (design.md, Cut early, merge late): a processor says what it was asked for, a sink
 * asks for the smallest sizes and the shortest timeout of all that reach it. Zero: nobody said. Control loop only. */
struct batch_hint {
    uint64_t send_items, max_items;
    int64_t timeout_ns;
};
void host_set_batch_hint(struct host *h, struct batch_hint hint);
struct batch_hint host_batch_hint(struct host *h);
/* Sets an export; v is copied. Control loop only; dependents are evaluated again when it differs. */
void host_export(struct host *h, const char *name, struct value v);
struct value host_receiver_value(struct host *h, struct receiver *r); /* capsule for host_export */
/* What an import brings has changed (a watched file): the configuration is expanded again and loaded by diff. Any
 * thread. */
void host_want_expansion(struct host *h);
void host_set_health(struct host *h, enum health health, const char *fmt, ...) PRINTF_LIKE(3, 4); /* any thread */
/* Handles at `http://alloy.internal:12345/api/v0/component/ID/metrics`: what scrape asks for in-process exporters. The
 * id in the path names the component; INVALID when there is none. */
MUST_USE enum code host_scrape_internal(struct host *h, struct slice path, struct buf *out, struct error *err);
/* The agent's own metrics, as /metrics shows them (prometheus.exporter.self). Any thread. */
void host_write_self_metrics(struct host *h, struct buf *out);
/* Address under which this agent's own exporters are scraped in process. */
const char *host_memory_addr(const struct host *h);
const char *host_listen_addr(const struct host *h); /* the admin server's, as configured */

/* Capsule types for argument tables. */
extern const struct capsule_type capsule_logs_receiver;    /* struct receiver, RECEIVES_LOGS */
extern const struct capsule_type capsule_metrics_receiver; /* struct receiver, RECEIVES_METRICS */
extern const struct capsule_type capsule_otel_consumer;    /* struct receiver, RECEIVES_OTLP */
extern const struct capsule_type capsule_otel_auth;        /* otelcol.auth.*: struct otel_auth (runtime/otel_auth.h) */
extern const struct capsule_type capsule_relabel_rules;    /* struct relabel_rules (model/relabel.h) */
#endif
