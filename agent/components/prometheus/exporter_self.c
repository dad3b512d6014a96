/* prometheus.exporter.self: the agent's own metrics as a target, for configurations that scrape it through the
 * pipeline. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/exporter.h"

struct component {
    struct host *host;
};

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc = exporter_targets(host, "self", err);

    (void)args;
    c->host = host;
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    mem_free(self);
    done(arg);
}

static enum code write_metrics(void *self, struct buf *out)
{
    struct component *c = self;

    host_write_self_metrics(c->host, out);
    return out->is_full ? FULL : OK;
}

struct no_args {
    char unused;
};

static const struct river_field fields[] = {RIVER_FIELDS_END};
static const struct river_block args_block = {.name = "prometheus.exporter.self",
                                              .fields = fields,
                                              .size = sizeof(struct no_args),
                                              .doc = "The agent's own metrics; it takes no arguments."};

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "The target to give to prometheus.scrape."},
    {0},
};

const struct component_type component_prometheus_exporter_self = {
    .name = "prometheus.exporter.self",
    .stability = STABILITY_GA,
    .doc = "The agent's own metrics, scraped in process.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
    .write_metrics = write_metrics,
};
