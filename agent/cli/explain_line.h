/* agent/cli/explain_line.h - what the files behind `hyagent explain --line` share: the way of an item is told as it
 * happens, component by component and step by step. */
#ifndef AGENT_CLI_EXPLAIN_LINE_H
#define AGENT_CLI_EXPLAIN_LINE_H
#include "agent/cli/explain.h"
#include "agent/cli/flags.h"
#include "agent/model/batch.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/trace.h"

struct line_args {
    const char *component, *line, *sample, *timestamp; /* line or sample; timestamp may be NULL: now */
    struct flag_list labels;                           /* NAME=VALUE */
    int stability;
};

/* Runs the configuration dry with these items. INVALID, FULL: err says why. */
MUST_USE enum code explain_line(const struct explain *x, const struct line_args *args, const struct config_texts *texts,
                                struct buf *out, struct error *err);

/* --- explain_step.c --- */

struct telling {
    const struct explain *x;
    struct buf *out;
    struct map reached; /* ids of sinks, in order */
    struct buf ends;    /* where and why items ended before a sink: a line each */
    /* steps that changed nothing, not written yet */
    char idle_kind[64];
    size_t n_idle;
};

/* Items come to a component; from is who sent them, "" when nobody did. */
void tell_component(struct telling *t, const char *id, const char *from);
void tell_step(struct telling *t, const struct trace_step *step);
/* Writes what tell_step kept back; before anything else is written. */
void tell_idle(struct telling *t);
/* "{a="b", c="d"}", sorted. */
void tell_labels(const struct telling *t, struct buf *out, const struct label *labels, size_t n);
/* Text of an item in one line, without secrets of the configuration. */
void tell_text(const struct telling *t, struct buf *out, struct slice text, bool is_quoted);
void tell_time(struct buf *out, int64_t ns);

/* --- explain_sink.c --- */
/* What a sink makes of an entry or a sample that reaches it, endpoint by endpoint. */
void tell_sink_entry(struct telling *t, size_t node, const struct labels *labels, const struct log_entry *e);
void tell_sink_sample(struct telling *t, size_t node, const struct sample *s);
#endif
