/* agent/runtime/trace.h - what components do to one item, step by step: how `hyagent explain --line` sees it. Off
 * unless a tracer is set. A component looks once per batch, so that nothing is paid while nobody watches. */
#ifndef AGENT_RUNTIME_TRACE_H
#define AGENT_RUNTIME_TRACE_H
#include "agent/model/labels.h"
#include "agent/model/relabel.h"
#include "agent/river/source.h"
#include <stdatomic.h>

/* A log entry or a sample between two steps. Borrowed for the call. */
struct trace_item {
    int64_t ts_ns;
    struct slice line;                                 /* log entries */
    const struct label *labels, *metadata, *extracted; /* extracted: value.ptr NULL: known, but without a text */
    size_t n_labels, n_metadata, n_extracted;
};

enum trace_verdict {
    TRACE_ON,       /* goes on, changed or not */
    TRACE_NO_MATCH, /* the rule or the selector does not match: nothing is done, nested stages are passed over */
    TRACE_DROPPED,
    TRACE_HELD,     /* waits for others to be joined with */
    TRACE_RELEASED, /* was held, its time is up: goes on behind this step */
    TRACE_FAILED,   /* no memory */
};

struct trace_step {
    const char *component; /* its id */
    const char *kind;      /* "stage.json", "rule" */
    size_t number;         /* from 1, among its neighbours */
    unsigned depth;        /* stages nested in match stages: 1 and more */
    struct position at;    /* of its block; line 0: unknown */
    enum trace_verdict verdict;
    const char *counter;             /* DROPPED: the counter it is counted by, with its reason; NULL: only the ledger */
    const struct relabel_rule *rule; /* of kind "rule" */
    const struct trace_item *before; /* NULL for RELEASED */
    const struct trace_item *after;  /* NULL for DROPPED, HELD and FAILED */
};

struct tracer {
    void (*step)(void *ctx, const struct trace_step *step);
    void *ctx;
};

/* One at a time, process-wide; NULL ends it. Set while no loop runs components. Steps come on the pushing loop. */
void tracer_set(const struct tracer *tracer);

extern const struct tracer *_Atomic tracer_current;
static inline const struct tracer *tracer_get(void)
{
    return atomic_load_explicit(&tracer_current, memory_order_relaxed);
}

/* Applies the rules to a set and reports each; what the rules give is not kept. */
void trace_rules(const struct tracer *tracer, const char *component, const struct relabel_rules *rules,
                 const struct labels *in, int64_t ts_ns, struct slice line);
#endif
