/* prometheus.scrape: the component. A changed list of targets starts the new ones and ends those that are gone; a
 * change of anything else reaches every target before its next scrape. */
#include "agent/base/log.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "agent/components/prometheus/scrape/scrape.h"
#include "agent/text/json.h"
#include <stdio.h>

struct component {
    struct scraper scraper;
    struct settings *settings; /* owned reference */
    struct map targets;        /* key (8 bytes) -> struct target */
    struct metric *n_targets;  /* owned reference */
    bool is_started, is_stopped;
    size_t ending; /* targets that were stopped and are not gone yet */
    loop_fn closed;
    void *closed_arg;
};

static struct slice key_slice(const uint64_t *key)
{
    return slice_make(key, sizeof *key);
}

static void free_component(struct component *c)
{
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    map_release(&c->targets, NULL);
    settings_unref(c->settings);
    metric_unref(c->n_targets);
    metric_unref(c->scraper.scrapes);
    metric_unref(c->scraper.failed);
    metric_unref(c->scraper.skipped);
    metric_unref(c->scraper.out_of_order);
    metric_unref(c->scraper.duplicates);
    metric_unref(c->scraper.forwarded);
    mem_free(c);
    if (done != NULL)
        done(done_arg);
}

static void target_ended(void *arg)
{
    struct component *c = arg;

    c->ending--;
    if (c->closed != NULL && c->ending == 0)
        free_component(c);
}

static void end_target(struct component *c, struct target *t, bool is_gone)
{
    c->ending++;
    target_stop(t, is_gone, target_ended, c);
}

/* Starts the targets of args that are new, marks all of args in `wanted`. */
static enum code add_targets(struct component *c, const struct scrape_args *args, struct map *wanted, struct error *err)
{
    struct host *host = c->scraper.host;
    char *job = args->job_name.len != 0 ? mem_strndup(args->job_name) : mem_strdup(host_id(host));
    struct arena arena;
    enum code rc = OK;

    arena_init(&arena, 0);
    for (size_t i = 0; i < args->targets.n && rc == OK; i++) {
        struct error why = {0};
        struct target_spec spec;
        struct target *t;

        if (target_spec_of(&spec, &args->targets.items[i], args, job, host_memory_addr(host), &arena, &why) != OK) {
            log_warn(host_id(host), "a target cannot be scraped: left out", log_str("err", why.text));
            target_spec_release(&spec);
            continue;
        }
        rc = map_put(wanted, key_slice(&spec.key), c, NULL);
        if (rc == OK && map_get(&c->targets, key_slice(&spec.key)) == NULL) {
            uint64_t key = spec.key;

            t = target_new(&c->scraper, host_loop_for(host, key), &spec, c->settings);
            rc = map_put(&c->targets, key_slice(&key), t, NULL);
            BUG_ON(rc != OK);
            if (c->is_started)
                target_start(t);
        }
        target_spec_release(&spec);
    }
    arena_release(&arena);
    mem_free(job);
    return rc == OK ? OK : error_set(err, rc, "out of memory for %zu targets", args->targets.n);
}

static enum code set_args(struct component *c, const struct scrape_args *args, struct error *err)
{
    struct settings *settings;
    struct map wanted;
    enum code rc;

    if (args->target_limit != 0 && args->targets.n > args->target_limit)
        return error_set(err, FULL, "target_limit exceeded: %zu targets, the limit is %llu", args->targets.n,
                         (unsigned long long)args->target_limit);
    rc = host_fanout(c->scraper.host, "forward_to", RECEIVES_METRICS, args->forward_to.items, args->forward_to.n,
                     &c->scraper.to, err);
    if (rc == OK)
        rc = settings_new(&settings, args, err);
    if (rc != OK)
        return rc;
    settings_unref(c->settings);
    c->settings = settings;
    for (struct map_entry *e = map_next(&c->targets, NULL); e != NULL; e = map_next(&c->targets, e))
        target_set(e->value, settings);
    map_init(&wanted, 0);
    rc = add_targets(c, args, &wanted, err);
    for (struct map_entry *e = map_next(&c->targets, NULL); rc == OK && e != NULL; e = map_next(&c->targets, e)) {
        struct target *t = e->value;
        uint64_t key = target_key(t);

        if (map_get(&wanted, key_slice(&key)) != NULL)
            continue;
        (void)map_remove(&c->targets, key_slice(&key));
        end_target(c, t, true);
    }
    map_release(&wanted, NULL);
    metric_set(c->n_targets, (double)map_count(&c->targets));
    return rc;
}

static void make_metrics(struct component *c, struct host *host)
{
    c->n_targets = host_gauge(host, "prometheus_scrape_targets_gauge",
                              "Number of targets this component is configured to scrape", NULL, 0);
    c->scraper.scrapes = host_counter(host, "hyagent_scrapes_total", "Scrapes that were begun.", NULL, 0);
    c->scraper.forwarded = host_counter(host, "prometheus_forwarded_samples_total",
                                        "Total number of samples sent to downstream components.", NULL, 0);
    c->scraper.failed =
        host_counter(host, "hyagent_scrapes_failed_total", "Scrapes of which nothing was kept.", NULL, 0);
    c->scraper.skipped = host_counter(host, "hyagent_scrapes_skipped_total",
                                      "Scrapes left out because memory or a sink had no room.", NULL, 0);
    c->scraper.out_of_order =
        host_counter(host, "prometheus_target_scrapes_sample_out_of_order_total",
                     "Total number of samples rejected due to not being out of the expected order.", NULL, 0);
    c->scraper.duplicates =
        host_counter(host, "prometheus_target_scrapes_sample_duplicate_timestamp_total",
                     "Total number of samples rejected due to duplicate timestamps but different values.", NULL, 0);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->scraper.host = host;
    c->scraper.admission = host_admission(host);
    map_init(&c->targets, 0);
    make_metrics(c, host);
    rc = set_args(c, args, err);
    if (rc != OK) {
        for (struct map_entry *e = map_next(&c->targets, NULL); e != NULL; e = map_next(&c->targets, e))
            target_discard(e->value);
        free_component(c);
        return rc;
    }
    *out = c;
    return OK;
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    for (struct map_entry *e = map_next(&c->targets, NULL); e != NULL; e = map_next(&c->targets, e))
        target_start(e->value);
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;

    return c->is_stopped ? OK : set_args(c, args, err);
}

/* No staleness markers here: an agent that is started again goes on with the same series. */
static void stop_intake(void *self)
{
    struct component *c = self;

    c->is_stopped = true;
    for (struct map_entry *e = map_next(&c->targets, NULL); e != NULL; e = map_next(&c->targets, e)) {
        struct target *t = e->value;
        uint64_t key = target_key(t);

        (void)map_remove(&c->targets, key_slice(&key));
        end_target(c, t, false);
    }
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    stop_intake(c);
    c->closed = done;
    c->closed_arg = arg;
    if (c->ending == 0)
        free_component(c);
}

static void write_debug(void *self, struct buf *json)
{
    struct component *c = self;
    const char *comma = "";

    (void)buf_add_str(json, "\"targets\":[");
    for (struct map_entry *e = map_next(&c->targets, NULL); e != NULL; e = map_next(&c->targets, e)) {
        struct target_state state;

        target_state(e->value, &state);
        (void)buf_printf(json, "%s{\"url\":", comma);
        (void)json_write_string(json, slice_str(target_spec(e->value)->url));
        (void)buf_printf(json, ",\"up\":%s,\"last_scrape_ms\":%lld,\"duration_ms\":%lld,\"samples\":%llu,\"error\":",
                         state.is_up ? "true" : "false", (long long)state.last_ms, (long long)state.duration_ms,
                         (unsigned long long)state.samples);
        (void)json_write_string(json, slice_str(state.error));
        (void)buf_add_char(json, '}');
        comma = ",";
    }
    (void)buf_add_char(json, ']');
}

const struct component_type component_prometheus_scrape = {
    .name = "prometheus.scrape",
    .stability = STABILITY_GA,
    .doc = "Scrapes targets in the Prometheus text formats.",
    .args = &scrape_args_block,
    .recovers = RECOVERS_NOTHING,
    .is_source = true,
    .create = create,
    .update = update,
    .start = start,
    .stop_intake = stop_intake,
    .close = close_component,
    .write_debug = write_debug,
};
