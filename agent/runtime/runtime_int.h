/* agent/runtime/runtime_int.h - what the files of the runtime share. Everything here is touched on the control loop;
 * what the admin's threads read is written under rt->lock as well. */
#ifndef AGENT_RUNTIME_RUNTIME_INT_H
#define AGENT_RUNTIME_RUNTIME_INT_H
#include "agent/base/list.h"
#include "agent/base/map.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/config_shape.h"
#include "agent/runtime/evaluate.h"
#include "agent/runtime/runtime.h"
#include <pthread.h>
#include <stdatomic.h>

/* One forward_to of a component. */
struct fan {
    struct list link;
    char *name; /* owned */
    enum receiver_kind kind;
    struct fanout fanout;
    struct receiver **to; /* owned array, borrowed receivers */
    size_t n;
};

/* A component's account: handed on to a successor of the same id, so that its counters go on. */
struct account {
    unsigned refs;
    struct ledger ledger;
};

struct steps; /* drain.c */
struct host_step {
    struct host *host;
    struct steps *of; /* NULL: nobody waits for it (any more) */
};

struct drain_wait {
    struct list link;  /* rt->drain_waits */
    struct host *host; /* NULL: gone */
    struct steps *of;  /* NULL: nobody waits for it any more */
};

/* One component as it runs, and what it is given. */
struct host {
    struct list link; /* in rt->hosts or a change's retiring */
    struct runtime *rt;
    uint64_t serial; /* never given twice: exports name their owner by it */
    char *id;        /* full module path; owned */
    char *path;      /* module: "/" at the root; owned */
    char *label;     /* owned */
    const struct component_type *type;
    const struct config_block *block; /* of rt->config (of an older one once retired) */
    void *self;                       /* NULL: create failed */
    struct evaluation *eval;          /* the arguments it runs with; NULL: never evaluated well */
    struct exports_used seen;         /* exports its arguments were last evaluated with */
    struct exports *exports;
    struct account *account;
    struct gate *gate;           /* sinks; owned */
    struct admission *admission; /* sources; owned */
    struct list fans;
    struct loop *loop;
    char *data_dir; /* made at the first question; owned */
    bool is_started, is_closing, has_bad_arguments, was_asked_data_dir, mark;
    bool is_waiting;     /* its arguments use what is not known yet */
    bool has_exported;   /* host_export was called */
    bool has_bad_module; /* an import or foreach: what it brings could not be loaded, the old goes on */
    bool is_unmeasured;  /* its metrics are not shown: in a foreach without enable_metrics */
    enum health health;
    char health_text[256];
    int64_t health_at_ns;
    atomic_uint users;      /* scrapes in progress */
    struct batch_hint hint; /* what this processor was asked for */
    unsigned height;        /* longest way down to a sink */
    struct host_step close_step;
    struct drain_wait *drain_wait; /* NULL: not draining */
    struct timer *close_timer;
    struct host *successor; /* while retiring */
    void *given_state;      /* of a predecessor of type, until start */
};

struct load_request {
    struct list link;
    struct config_text *texts; /* owned; NULL: read path */
    size_t n;
    char *path; /* owned */
    load_done_fn done;
    void *ctx;
};

struct change;

struct runtime {
    struct runtime_options options;
    pthread_mutex_t lock; /* hosts list, their exports, evaluations and health */
    struct list hosts;
    struct map hosts_by_id;     /* full id -> the host in the list */
    struct metrics *unmeasured; /* where metrics go that nobody sees */
    struct config *config;      /* owned; NULL: none yet */
    struct config_texts texts;  /* config's main texts: expanded again when what shapes it changes */
    struct config_shape shape;  /* what it was expanded from */
    struct host **reach_room;   /* owned; while edges are followed */
    size_t cap_reach;
    uint64_t last_stamp;     /* of marks on exports */
    struct list requests;    /* loads that wait */
    struct change *change;   /* in progress */
    struct list drain_waits; /* drains not answered yet */
    bool is_evaluation_posted, is_evaluation_wanted;
    bool is_stopping, is_clean;
    _Atomic bool is_live_debugging_on;
    _Atomic bool is_ready, is_load_failed, is_changing, is_evaluation_pending;
    _Atomic bool is_expansion_wanted; /* what imports bring has changed */
    size_t n_sinks, n_hosts;          /* of the configuration; alive, retiring ones too */
    uint64_t last_serial;
    unsigned n_barriers; /* under way */
    size_t n_closing;    /* hosts whose close is not done */
    loop_fn idle_done;   /* when barriers and closes are over */
    void *idle_arg;
    char hash[65];
    int64_t load_ok_at_ns, load_at_ns;
    char *load_text; /* warnings or errors of the last load; owned, NULL: none */
    _Atomic uint64_t n_load_failures;
    struct metric *evaluation_seconds, *slow_seconds, *wait_seconds;
    int64_t wanted_at_ns; /* when the evaluation that waits was asked for */
    struct stopping *stopping;
};

/* Are its exports not known yet? */
static inline bool host_is_silent(const struct host *h)
{
    return h->is_waiting || (h->type->exports_late && !h->has_exported);
}

/* host.c */
struct host *host_new(struct runtime *rt, const struct config_block *block, struct account *account);
void host_free(struct host *h); /* no loop may see it any more */
struct host *host_by_id(struct runtime *rt, struct slice id);
/* Among those that run, after another or (NULL) last; takes rt->lock. */
void host_insert(struct host *h, struct host *after);
void host_remove(struct host *h); /* from them, or from wherever it is; takes rt->lock */
void host_set_exports(struct host *h, struct exports *take);
/* Gates and heights by what is reachable now. */
void runtime_wire(struct runtime *rt);
bool host_reaches(struct runtime *rt, struct host *from, const struct host *to);

/* pages_graph.c: what the last load said, for the page. Control loop. */
void runtime_keep_load_text(struct runtime *rt, const struct load_result *result);

/* change.c */
void runtime_want_evaluation(struct runtime *rt);
void change_next(struct runtime *rt); /* starts what waits, if nothing is in progress */

/* drain.c: drain or close many hosts, those above first, at most until a time. */
enum steps_kind { STEPS_DRAIN, STEPS_CLOSE };
/* hosts is copied. middle_ms: all levels above the sinks together; total_ms: everything. done on the control loop. */
void steps_run(struct runtime *rt, enum steps_kind kind, struct host *const *hosts, size_t n, int64_t middle_ms,
               int64_t total_ms, void (*done)(void *arg, bool is_complete), void *arg);

/* runtime.c: a barrier that runtime_stop waits for. */
void runtime_barrier(struct runtime *rt, loop_fn fn, void *arg);
void runtime_check_idle(struct runtime *rt);
#endif
