/* otelcol.processor.memory_limiter: refuses while the process uses more than its limit. hyagent has one memory budget
 * for the whole process (--memory.limit); this component closes a gate, so that the sources in front of it refuse
 * (gRPC: UNAVAILABLE or RESOURCE_EXHAUSTED, HTTP: 429/503) before anything is read, instead of dropping what was. */
#include "agent/base/budget.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/otel_output.h"
#include <stddef.h>

struct args {
    int64_t check_interval_ns;
    uint64_t limit, spike_limit;
    int64_t limit_percentage, spike_limit_percentage;
    struct otel_output_args output;
    struct otel_debug_metrics_args debug_metrics;
};

struct component {
    struct receiver receiver;
    struct host *host;
    struct otel_output output;
    struct timer *timer; /* on loop */
    struct loop *loop;
    uint64_t soft_bytes; /* on loop */
    uint64_t interval_ms;
    bool is_refusing; /* on loop */
    loop_fn closed;
    void *closed_arg;
};

static void push(void *self, struct otlp_batch *take)
{
    struct component *c = self;

    otel_output_push(&c->output, take);
}

static void check(void *arg)
{
    struct component *c = arg;
    bool is_over = budget_used() > c->soft_bytes;

    if (is_over == c->is_refusing)
        return;
    c->is_refusing = is_over;
    if (is_over) {
        gate_close(host_gate(c->host));
        log_warn(host_id(c->host), "memory is over the soft limit: sources in front of this refuse data",
                 log_int("used_bytes", (int64_t)budget_used()), log_int("soft_limit_bytes", (int64_t)c->soft_bytes));
    } else {
        gate_open(host_gate(c->host));
        log_info(host_id(c->host), "memory is below the soft limit again");
    }
}

/* soft limit = limit - spike limit, as the Collector has it; the spike limit defaults to a fifth of the limit. */
static uint64_t soft_limit(const struct args *a)
{
    uint64_t limit = a->limit, spike = a->spike_limit;

    if (limit == 0) {
        uint64_t total = budget_detect_limit() / 9 * 10;

        limit = total / 100 * (uint64_t)a->limit_percentage;
        spike = total / 100 * (uint64_t)a->spike_limit_percentage;
    }
    if (spike == 0)
        spike = limit / 5;
    return limit - spike;
}

struct change {
    struct component *c;
    uint64_t soft_bytes, interval_ms;
};

static void apply(void *arg)
{
    struct change *change = arg;
    struct component *c = change->c;

    c->soft_bytes = change->soft_bytes;
    if (c->timer == NULL)
        c->timer = timer_new(c->loop, check, c);
    timer_start(c->timer, change->interval_ms, change->interval_ms);
    mem_free(change);
}

static enum code set_args(struct component *c, const struct args *a, struct error *err)
{
    struct change *change;
    enum code rc = otel_output_set(&c->output, c->host, &a->output, err);

    if (rc != OK)
        return rc;
    change = mem_zalloc(sizeof *change);
    change->c = c;
    change->soft_bytes = soft_limit(a);
    change->interval_ms = (uint64_t)(a->check_interval_ns / NS_PER_MS);
    if (change->interval_ms == 0)
        change->interval_ms = 1000;
    loop_post(c->loop, apply, change);
    return OK;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->loop = host_loop(host);
    c->receiver = (struct receiver){.kind = RECEIVES_OTLP, .self = c, .push = {.otlp = push}};
    rc = set_args(c, args, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    host_receiver(host, &c->receiver);
    host_export(host, "input", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    return set_args(self, args, err);
}

static void finish(void *arg)
{
    struct component *c = arg;
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    mem_free(c);
    done(done_arg);
}

static void stop(void *arg)
{
    struct component *c = arg;

    timer_free(c->timer);
    if (c->is_refusing)
        gate_open(host_gate(c->host));
    loop_post(loops_control(host_loops(c->host)), finish, c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    c->closed = done;
    c->closed_arg = arg;
    loop_post(c->loop, stop, c);
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;

    if (a->check_interval_ns <= 0)
        return river_problem(problems, "check_interval", "must be greater than zero");
    if (a->limit == 0 && a->limit_percentage == 0)
        return river_problem(problems, NULL, "limit or limit_percentage must be set");
    if (a->limit != 0 && a->spike_limit >= a->limit)
        return river_problem(problems, "spike_limit", "must be smaller than limit");
    if (a->limit == 0 && a->spike_limit_percentage >= a->limit_percentage)
        return river_problem(problems, "spike_limit_percentage", "must be smaller than limit_percentage");
    return OK;
}

#define ARG(member) offsetof(struct args, member)
static const struct river_field fields[] = {
    {.name = "check_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_REQUIRED,
     .offset = ARG(check_interval_ns),
     .doc = "How often memory is looked at."},
    {.name = "limit",
     .kind = RIVER_BYTES,
     .offset = ARG(limit),
     .def = "\"0MiB\"",
     .doc = "Memory of the process past which sources are refused (soft limit: limit - spike_limit)."},
    {.name = "spike_limit",
     .kind = RIVER_BYTES,
     .offset = ARG(spike_limit),
     .doc = "What may come in between two looks; default 20% of limit."},
    {.name = "limit_percentage",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX,
     .max = 100,
     .offset = ARG(limit_percentage),
     .def = "0",
     .doc = "The limit as a percentage of the memory this process may use."},
    {.name = "spike_limit_percentage",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX,
     .max = 100,
     .offset = ARG(spike_limit_percentage),
     .def = "0",
     .doc = "The spike limit as a percentage."},
    OTEL_OUTPUT_FIELD(ARG(output)),
    OTEL_DEBUG_METRICS_FIELD(ARG(debug_metrics)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "otelcol.processor.memory_limiter",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "Refuses data while memory is short."};

static const struct component_export exports[] = {
    {"input", "otelcol.Consumer", "Takes traces, metrics and logs."},
    {0},
};

const struct component_type component_otelcol_processor_memory_limiter = {
    .name = "otelcol.processor.memory_limiter",
    .stability = STABILITY_GA,
    .doc = "Makes the sources in front of it refuse data while memory is short.",
    .args = &args_block,
    .exports = exports,
    .has_gate = true,
    .create = create,
    .update = update,
    .close = close_component,
};
