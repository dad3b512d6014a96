/* prometheus.echo: a sink that accepts samples and counts them (hyagent's own; loki.echo's twin for metrics). With
 * --tap every sample it gets is printed. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"

struct component {
    struct receiver receiver;
    struct metric *received; /* owned reference */
};

static void push(void *self, struct sample_batch *take)
{
    struct component *c = self;

    metric_add(c->received, take->n);
    ledger_out(c->receiver.ledger, take->n); /* its way ends here: accepted */
    batch_settle(&take->base, c->receiver.owner, SETTLED_ACKED, DROP_RULE, NULL);
    batch_unref(&take->base);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);

    (void)args;
    (void)err;
    c->receiver = (struct receiver){.kind = RECEIVES_METRICS, .is_sink = true, .self = c, .push = {.metrics = push}};
    c->received = host_counter(host, "prometheus_echo_samples_total", "Samples accepted.", NULL, 0);
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    metric_unref(c->received);
    mem_free(c);
    done(arg);
}

struct no_args {
    char unused;
};

static const struct river_field fields[] = {RIVER_FIELDS_END};
static const struct river_block args_block = {.name = "prometheus.echo",
                                              .fields = fields,
                                              .size = sizeof(struct no_args),
                                              .doc = "Accepts samples and counts them; it takes no arguments."};

static const struct component_export exports[] = {
    {"receiver", "MetricsReceiver", "Takes samples."},
    {0},
};

const struct component_type component_prometheus_echo = {
    .name = "prometheus.echo",
    .stability = STABILITY_GA,
    .doc = "A sink that accepts samples and counts them (hyagent's own).",
    .args = &args_block,
    .exports = exports,
    .is_sink = true,
    .create = create,
    .close = close_component,
};
