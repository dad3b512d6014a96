/* The way of one entry through the stages, told to a tracer step by step. */
#include "agent/components/loki/process/process.h"
#include <stdio.h>

void pipeline_name(struct pipeline *p, size_t i, const char *kind, struct position at, size_t number)
{
    struct op_about *about;

    if (i >= p->n)
        return;
    about = &p->about[i];
    (void)snprintf(about->kind, sizeof about->kind, "stage.%s", kind);
    about->at = at;
    about->number = number;
}

static const struct label *copy(struct arena *arena, const struct label *pairs, size_t n)
{
    struct label *out = arena_try_array(arena, n + 1, sizeof *out);

    if (out != NULL && n != 0)
        memcpy(out, pairs, n * sizeof *out);
    return out;
}

/* Stages change an entry's tables in place: what is shown is a copy of them. False: no memory. */
static bool look(const struct entry *e, struct trace_item *out)
{
    const struct label *labels = e->is_changed ? e->labels.pairs : e->start->pairs;
    struct label *extracted = arena_try_array(e->arena, e->n_found + 1, sizeof *extracted);

    *out = (struct trace_item){.ts_ns = e->ts_ns, .line = e->line};
    out->n_labels = e->is_changed ? e->labels.n : e->start->n;
    out->labels = copy(e->arena, labels, out->n_labels);
    out->n_metadata = e->n_meta;
    out->metadata = copy(e->arena, e->meta, e->n_meta);
    for (size_t i = 0; extracted != NULL && i < e->n_found; i++)
        extracted[i] = (struct label){e->found[i].name, e->found[i].is_null ? (struct slice){0} : e->found[i].value};
    out->n_extracted = e->n_found;
    out->extracted = extracted;
    return out->labels != NULL && out->metadata != NULL && out->extracted != NULL;
}

static void tell(const struct pipeline *p, size_t i, enum trace_verdict verdict, const struct trace_item *before,
                 const struct entry *after)
{
    const struct tracer *tracer = tracer_get();
    const struct op_about *about = &p->about[i];
    struct trace_item is;
    char counter[192];
    struct trace_step step = {.component = host_id(p->host),
                              .kind = about->kind,
                              .number = about->number,
                              .depth = about->depth,
                              .at = about->at,
                              .verdict = verdict,
                              .before = before};

    if (tracer == NULL)
        return;
    if (verdict == TRACE_DROPPED && about->reason != NULL) {
        (void)snprintf(counter, sizeof counter, "loki_process_dropped_lines_total{reason=\"%s\"}", about->reason);
        step.counter = counter;
    }
    if (after != NULL && !look(after, &is))
        return;
    if (after != NULL)
        step.after = &is;
    tracer->step(tracer->ctx, &step);
}

void pipeline_trace_release(const struct pipeline *p, const struct op *op, struct entry *e)
{
    tell(p, op->index, TRACE_RELEASED, NULL, e);
}

static enum trace_verdict verdict_of(enum verdict verdict)
{
    switch (verdict) {
    case NEXT:
        return TRACE_ON;
    case JUMP:
        return TRACE_NO_MATCH;
    case DROP:
        return TRACE_DROPPED;
    case HOLD:
        return TRACE_HELD;
    case FAIL:
        break;
    }
    return TRACE_FAILED;
}

enum verdict pipeline_run_traced(struct pipeline *p, struct entry *e, size_t from)
{
    size_t pc = from;

    while (pc < p->n) {
        struct op *op = &p->ops[pc];
        struct trace_item before;
        enum verdict verdict;

        if (!look(e, &before))
            return FAIL;
        verdict = op->run(op->self, e, p);
        switch (verdict) {
        case NEXT:
        case JUMP:
            tell(p, pc, verdict_of(verdict), &before, e);
            pc = verdict == JUMP ? op->jump : pc + 1;
            break;
        case DROP:
        case HOLD:
        case FAIL:
            tell(p, pc, verdict_of(verdict), &before, NULL);
            return verdict;
        }
    }
    return NEXT;
}
