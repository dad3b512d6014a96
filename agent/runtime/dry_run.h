/* agent/runtime/dry_run.h - a configuration run without the world, for `hyagent test` and `hyagent explain --line`: the
 * real runtime and the real processing components on virtual time (io/loop.h), everything on the caller's thread. What
 * would open sockets, files or devices is replaced by a stand-in of the same name, arguments and exports: a source's
 * sends on what it is given, a sink's accepts all, one that only exports values (discovery, local.file, remote.http)
 * exports what it is told. Nothing is opened, written or sent. One at a time per process sees its edges. */
#ifndef AGENT_RUNTIME_DRY_RUN_H
#define AGENT_RUNTIME_DRY_RUN_H
#include "agent/base/clock.h"
#include "agent/runtime/runtime.h"

struct dry_run;

struct dry_run_options {
    component_types types; /* the program's */
    enum stability stability;
    int64_t start_ns; /* what the wall clock shows at first */
    /* Every batch on every edge, just before its receiver gets it. from: the id of who sends, "" for what was given;
     * to: the receiver's. It may only look, and not call back. May be NULL. */
    void (*passed)(void *ctx, const char *from, const char *to, const struct batch *b);
    void *ctx;
};

/* options is copied. */
struct dry_run *dry_run_new(const struct dry_run_options *options);
void dry_run_free(struct dry_run *d); /* stops and closes all; NULL is fine */

/* Loads a configuration, the first or the next, and runs all that follows at once. INVALID: why is in diags; the old
 * one goes on. Warnings are in diags as well. */
MUST_USE enum code dry_run_load(struct dry_run *d, const struct config_text *texts, size_t n, struct diags *diags);
/* What a stand-in exports from now on. Before the first load it is kept for the component of that id, unchecked. Later
 * INVALID says: no such component, no such export, not the kind of value it has, not a stand-in. v is copied. */
MUST_USE enum code dry_run_set(struct dry_run *d, struct slice id, struct slice export, const struct value *v,
                               struct error *err);
/* Hands a batch to a component, as a sender would; to a source: as if it had read it. id may have the export behind it
 * ("loki.process.x.receiver"), and may be an instance of a custom component: what its export leads to. Items need no
 * spans (batch_span is called here). Takes the reference, also on failure. All that follows at once has run when it
 * returns. INVALID: there is no such component, or it takes no such items. */
MUST_USE enum code dry_run_give(struct dry_run *d, struct slice id, struct batch *take, struct error *err);
/* Lets time pass. FULL: too much happens in it (LIMIT_VIRTUAL_TIMERS). */
MUST_USE enum code dry_run_pass(struct dry_run *d, int64_t ns, struct error *err);

const struct clock *dry_run_clock(const struct dry_run *d);
struct runtime *dry_run_runtime(const struct dry_run *d); /* for its pages, ledgers and rows */
/* The arguments a source's stand-in runs with, decoded by its type's table; NULL: there is no such source. Borrowed
 * until the next load or dry_run_set. */
const void *dry_run_source_args(struct dry_run *d, struct slice id, const struct component_type **type);
/* What a component exports, as an object; NULL: no such component. Borrowed until anything is run again. */
const struct value *dry_run_exports(struct dry_run *d, struct slice id);
/* Of that id without an export behind it, as the graph knows it; NULL: no such component, err says it and what is near.
 * Borrowed as the exports. */
const char *dry_run_find(struct dry_run *d, struct slice id, struct error *err);
/* The account of every component, in no particular order. */
void dry_run_each_ledger(struct dry_run *d, void (*each)(void *ctx, const char *id, const struct ledger *ledger),
                         void *ctx);
/* Is it replaced in a dry run? */
bool dry_run_is_stand_in(const struct component_type *type);
#endif
