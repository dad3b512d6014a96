#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

enum { MAX_OPS = 4096 };

struct op *pipeline_add(struct pipeline *p, enum verdict (*run)(void *, struct entry *, struct pipeline *),
                        void (*release)(void *), void *self)
{
    struct op *op;

    if (p->n == p->cap) {
        p->cap = p->cap != 0 ? p->cap * 2 : 16;
        p->ops = mem_realloc(p->ops, p->cap * sizeof *p->ops);
        p->about = mem_realloc(p->about, p->cap * sizeof *p->about);
    }
    p->about[p->n] = (struct op_about){.depth = p->depth, .reason = p->next_reason};
    p->next_reason = NULL;
    op = &p->ops[p->n];
    *op = (struct op){.run = run, .release = release, .self = self, .index = p->n};
    p->n++;
    return op;
}

struct metric *pipeline_drop_counter(struct pipeline *p, struct slice reason)
{
    char *text = mem_strndup(reason);
    const struct metric_label label = {"reason", text};
    struct metric *m = host_counter(p->host, "loki_process_dropped_lines_total",
                                    "A count of all log lines dropped as a result of a pipeline stage", &label, 1);

    mem_free(p->next_reason);
    p->next_reason = text;
    return m;
}

enum code pipeline_new(struct pipeline **out, struct host *host, const struct river_enum_blocks *stages,
                       struct error *err)
{
    struct pipeline *p = mem_zalloc(sizeof *p);
    enum code rc;

    *out = NULL;
    p->host = host;
    p->ledger = host_ledger(host);
    (void)pthread_mutex_init(&p->lock, NULL);
    rc = stages_build(p, stages, err);
    if (rc == OK && p->n > MAX_OPS)
        rc = error_set(err, FULL, "more than %d stages", MAX_OPS);
    if (rc != OK)
        pipeline_free(p);
    else
        *out = p;
    return rc;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n; i++) {
        p->ops[i].release(p->ops[i].self);
        mem_free(p->about[i].reason);
    }
    mem_free(p->ops);
    mem_free(p->about);
    mem_free(p->next_reason);
    (void)pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

enum verdict pipeline_run(struct pipeline *p, struct entry *e, size_t from)
{
    size_t pc = from;

    while (pc < p->n) {
        struct op *op = &p->ops[pc];

        switch (op->run(op->self, e, p)) {
        case NEXT:
            pc++;
            break;
        case JUMP:
            pc = op->jump;
            break;
        case DROP:
            return DROP;
        case HOLD:
            return HOLD;
        case FAIL:
            return FAIL;
        }
    }
    return NEXT;
}

/* A late entry whose way ends here. */
static void settle_late(struct pipeline *p, const struct entry *e, enum outcome outcome, enum drop_reason reason)
{
    ledger_dropped(p->ledger, reason, 1);
    if (e->ticket != NULL)
        ticket_settle(e->ticket, host_id(p->host), 1, outcome, reason, NULL);
}

void pipeline_emit(struct pipeline *p, const struct op *op, struct entry *e)
{
    struct log_batch *b = p->late;
    struct log_entry stored = {0};
    uint32_t labels;
    bool is_traced = tracer_get() != NULL;

    if (is_traced)
        pipeline_trace_release(p, op, e);
    switch (is_traced ? pipeline_run_traced(p, e, op->index + 1) : pipeline_run(p, e, op->index + 1)) {
    case DROP:
        settle_late(p, e, SETTLED_DROPPED, DROP_RULE);
        return;
    case HOLD:
        return;
    case FAIL:
        settle_late(p, e, SETTLED_ABANDONED, DROP_MEMORY);
        return;
    case NEXT:
    case JUMP:
        break;
    }
    labels = batch_take_labels(&b->base, labels_ref(e->start));
    stored.labels = labels;
    if (labels == UINT32_MAX || !entry_store(e, b, &stored) ||
        log_batch_add(b, stored.labels, stored.ts_ns, stored.line, stored.meta, stored.n_meta) != OK) {
        settle_late(p, e, SETTLED_ABANDONED, DROP_MEMORY);
        return;
    }
    if (batch_span(&b->base, e->ticket, 1) != OK) {
        b->n--;
        settle_late(p, e, SETTLED_ABANDONED, DROP_MEMORY);
    }
}
