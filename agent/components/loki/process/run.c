/* loki.process: the component. A batch is worked on in place, entry by entry; entries that stages hold back come out in
 * a later batch, or in one of their own when their time is up. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

enum { FLUSH_EVERY_MS = 250 };

struct component {
    struct receiver receiver;
    struct host *host;
    struct fanout *to;
    struct pipeline *pipeline;
    struct loop *loop;
    struct timer *timer; /* on loop; NULL: nothing is ever held */
    bool has_holding;
    loop_fn drained, closed;
    void *drained_arg, *closed_arg;
};

/* Walks a batch's spans in step with its entries. */
struct span_walk {
    const struct ticket_span *spans;
    uint32_t n_spans, at, used;
};

static struct ticket *next_ticket(struct span_walk *w)
{
    while (w->at < w->n_spans && w->used == w->spans[w->at].n) {
        w->at++;
        w->used = 0;
    }
    if (w->at == w->n_spans)
        return NULL;
    w->used++;
    return w->spans[w->at].ticket;
}

/* Entries that end here, settled by runs of the same ticket. */
struct ending {
    struct ticket *ticket;
    enum outcome outcome;
    uint64_t n;
};

static void end_run(struct component *c, struct ending *run)
{
    enum drop_reason reason = run->outcome == SETTLED_DROPPED ? DROP_RULE : DROP_MEMORY;

    if (run->n == 0)
        return;
    ledger_dropped(host_ledger(c->host), reason, run->n);
    if (run->ticket != NULL)
        ticket_settle(run->ticket, c->receiver.owner, run->n, run->outcome, reason, NULL);
    run->n = 0;
}

static void end_entry(struct component *c, struct ending *run, struct ticket *ticket, enum outcome outcome)
{
    if (run->n != 0 && (run->ticket != ticket || run->outcome != outcome))
        end_run(c, run);
    run->ticket = ticket;
    run->outcome = outcome;
    run->n++;
}

static void process_batch(struct component *c, struct log_batch *b)
{
    struct span_walk walk = {.spans = b->base.spans, .n_spans = b->base.n_spans};
    struct ending run = {0};
    uint32_t n = b->n, kept = 0;
    enum verdict (*pass)(struct pipeline *, struct entry *, size_t) =
        tracer_get() == NULL ? pipeline_run : pipeline_run_traced;

    b->base.spans = NULL; /* written anew: what stays may belong to other tickets */
    b->base.n_spans = b->base.cap_spans = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct log_entry stored = b->entries[i];
        struct ticket *ticket = next_ticket(&walk);
        enum verdict verdict;
        struct entry e;

        entry_init(&e, &b->base.arena, &stored, b->base.labels[stored.labels], ticket);
        verdict = pass(c->pipeline, &e, 0);
        if (verdict == NEXT && (!entry_store(&e, b, &stored) || batch_span(&b->base, e.ticket, 1) != OK))
            verdict = FAIL;
        if (verdict == NEXT)
            b->entries[kept++] = stored;
        else if (verdict == DROP)
            end_entry(c, &run, e.ticket, SETTLED_DROPPED);
        else if (verdict == FAIL)
            end_entry(c, &run, e.ticket, SETTLED_ABANDONED);
    }
    b->n = kept;
    end_run(c, &run);
}

static void push(void *self, struct log_batch *take)
{
    struct component *c = self;
    struct pipeline *p = c->pipeline;
    uint32_t n = take->n;
    struct log_batch *b = log_batch_own(take);

    if (b == NULL) {
        ledger_dropped(host_ledger(c->host), DROP_MEMORY, n);
        batch_settle(&take->base, c->receiver.owner, SETTLED_ABANDONED, DROP_MEMORY, "out of memory");
        batch_unref(&take->base);
        return;
    }
    /* pushed on under the lock: a stream's entries keep their order against those that a timer lets go */
    if (p->is_stateful)
        (void)pthread_mutex_lock(&p->lock);
    p->now_ns = clock_wall_ns(host_clock(c->host));
    p->mono_ns = clock_mono_ns(host_clock(c->host));
    process_batch(c, b);
    fanout_push_logs(c->to, b);
    if (p->is_stateful)
        (void)pthread_mutex_unlock(&p->lock);
}

/* Lets go of what was held long enough (INT64_MAX: of all). */
static void flush(struct component *c, int64_t before_ns)
{
    struct pipeline *p = c->pipeline;

    (void)pthread_mutex_lock(&p->lock);
    p->now_ns = clock_wall_ns(host_clock(c->host));
    p->mono_ns = clock_mono_ns(host_clock(c->host));
    p->late = log_batch_new();
    if (p->late == NULL) {
        log_error(host_id(c->host), "no memory to let go of held lines: they wait");
    } else {
        for (size_t i = 0; i < p->n; i++)
            if (p->ops[i].flush != NULL)
                p->ops[i].flush(p->ops[i].self, p, before_ns == INT64_MAX ? before_ns : p->mono_ns);
        fanout_push_logs(c->to, p->late);
        p->late = NULL;
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void on_timer(void *arg)
{
    flush(arg, 0);
}

static void start_timer(void *arg)
{
    struct component *c = arg;

    c->timer = timer_new(c->loop, on_timer, c);
    timer_start(c->timer, FLUSH_EVERY_MS, FLUSH_EVERY_MS);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct process_args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->loop = host_loop(host);
    rc = host_fanout(host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &c->to, err);
    if (rc == OK)
        rc = pipeline_new(&c->pipeline, host, &a->stages, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    for (size_t i = 0; i < c->pipeline->n; i++)
        c->has_holding = c->has_holding || c->pipeline->ops[i].flush != NULL;
    if (c->has_holding)
        loop_post(c->loop, start_timer, c);
    c->receiver = (struct receiver){.kind = RECEIVES_LOGS, .self = c, .push = {.logs = push}};
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void tell_drained(void *arg)
{
    struct component *c = arg;

    c->drained(c->drained_arg);
}

static void drain_on_loop(void *arg)
{
    struct component *c = arg;

    if (c->has_holding)
        flush(c, INT64_MAX);
    loop_post(loops_control(host_loops(c->host)), tell_drained, c);
}

static void drain(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    c->drained = done;
    c->drained_arg = arg;
    loop_post(c->loop, drain_on_loop, c);
}

static void finish(void *arg)
{
    struct component *c = arg;
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    pipeline_free(c->pipeline);
    mem_free(c);
    done(done_arg);
}

static void close_on_loop(void *arg)
{
    struct component *c = arg;

    if (c->has_holding)
        flush(c, INT64_MAX);
    timer_free(c->timer);
    loop_post(loops_control(host_loops(c->host)), finish, c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    c->closed = done;
    c->closed_arg = arg;
    loop_post(c->loop, close_on_loop, c);
}

static const struct component_export exports[] = {
    {"receiver", "LogsReceiver", "Takes log entries."},
    {0},
};

const struct component_type component_loki_process = {
    .name = "loki.process",
    .stability = STABILITY_GA,
    .doc = "Runs log entries through stages that parse, label, change, join and drop them.",
    .args = &process_args_block,
    .exports = exports,
    .holds = HOLDS_BOUNDED,
    .create = create,
    .drain = drain,
    .close = close_component,
};
