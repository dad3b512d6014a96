/* prometheus.exporter.unix: this machine's metrics without a process of their own. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/prometheus/exporter_unix/unix.h"
#include "agent/runtime/component.h"
#include "agent/runtime/exporter.h"
#include <stdio.h>

static const unix_collect_fn collect[UNIX_COLLECTOR_COUNT] = {
    [UNIX_CPU] = unix_collect_cpu,
    [UNIX_DISKSTATS] = unix_collect_diskstats,
    [UNIX_FILESYSTEM] = unix_collect_filesystem,
    [UNIX_LOADAVG] = unix_collect_loadavg,
    [UNIX_MEMINFO] = unix_collect_meminfo,
    [UNIX_NETDEV] = unix_collect_netdev,
    [UNIX_STAT] = unix_collect_stat,
    [UNIX_TIME] = unix_collect_time,
    [UNIX_UNAME] = unix_collect_uname,
};

struct component {
    struct host *host;
    struct unix_exporter x;
};

bool unix_filter_takes(const struct unix_filter *f, struct slice name)
{
    if (f->include != NULL)
        return regex_is_match(f->include, name);
    return f->exclude == NULL || !regex_is_match(f->exclude, name);
}

static enum code compile_filter(struct unix_filter *f, struct slice include, struct slice exclude, struct error *err)
{
    enum code rc = OK;

    if (include.len != 0)
        rc = regex_compile(&f->include, include, REGEX_PLAIN, err);
    if (rc == OK && exclude.len != 0)
        rc = regex_compile(&f->exclude, exclude, REGEX_PLAIN, err);
    return rc;
}

static bool is_listed(const struct river_strings *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (slice_eq_str(list->items[i], name))
            return true;
    return false;
}

static void release(struct unix_exporter *x)
{
    unix_mounts_free(x->mounts);
    regex_free(x->disk.include);
    regex_free(x->disk.exclude);
    regex_free(x->netdev.include);
    regex_free(x->netdev.exclude);
    mem_free(x->procfs);
    mem_free(x->rootfs);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct unix_args *a = args;
    struct component *c = mem_zalloc(sizeof *c);
    struct unix_exporter *x = &c->x;
    enum code rc;

    *out = NULL;
    c->host = host;
    x->procfs = mem_strndup(a->procfs_path);
    x->rootfs = mem_strndup(a->rootfs_path);
    x->cpu_guest = a->cpu.guest;
    for (int i = 0; i < UNIX_COLLECTOR_COUNT; i++) {
        const char *name = unix_collector_name((enum unix_collector)i);

        x->is_on[i] = a->has_set_collectors ? is_listed(&a->set_collectors, name) : true;
        if (is_listed(&a->enable_collectors, name))
            x->is_on[i] = true;
        if (is_listed(&a->disable_collectors, name))
            x->is_on[i] = false;
    }
    rc = compile_filter(&x->disk, a->disk.include, a->disk.exclude, err);
    if (rc == OK)
        rc = compile_filter(&x->netdev, a->netdev.include, a->netdev.exclude, err);
    if (rc == OK)
        rc = unix_mounts_new(&x->mounts, &a->filesystem, x->procfs, x->rootfs, err);
    if (rc == OK)
        rc = exporter_targets(host, "unix", err);
    if (rc != OK) {
        release(x);
        mem_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    release(&c->x);
    mem_free(c);
    done(arg);
}

/* Every collector on its own: one that fails does not cost the others (node_exporter does the same). */
static enum code write_metrics(void *self, struct buf *out)
{
    struct component *c = self;
    double seconds[UNIX_COLLECTOR_COUNT] = {0};
    bool is_ok[UNIX_COLLECTOR_COUNT] = {0};
    char labels[64];

    for (int i = 0; i < UNIX_COLLECTOR_COUNT; i++) {
        struct error err = {0};
        int64_t before = clock_mono_ns(clock_system());

        if (!c->x.is_on[i])
            continue;
        is_ok[i] = collect[i](&c->x, out, &err) == OK;
        seconds[i] = (double)(clock_mono_ns(clock_system()) - before) / NS_PER_S;
        if (!is_ok[i])
            log_warn(host_id(c->host), "a collector could not read its source",
                     log_str("collector", unix_collector_name((enum unix_collector)i)), log_str("err", err.text),
                     log_str("do", "check procfs_path, or name it in disable_collectors"));
    }
    unix_family(out, "node_scrape_collector_duration_seconds", "gauge",
                "node_exporter: Duration of a collector scrape.");
    for (int i = 0; i < UNIX_COLLECTOR_COUNT; i++) {
        (void)snprintf(labels, sizeof labels, "collector=\"%s\"", unix_collector_name((enum unix_collector)i));
        if (c->x.is_on[i])
            unix_sample(out, "node_scrape_collector_duration_seconds", labels, seconds[i]);
    }
    unix_family(out, "node_scrape_collector_success", "gauge", "node_exporter: Whether a collector succeeded.");
    for (int i = 0; i < UNIX_COLLECTOR_COUNT; i++) {
        (void)snprintf(labels, sizeof labels, "collector=\"%s\"", unix_collector_name((enum unix_collector)i));
        if (c->x.is_on[i])
            unix_sample(out, "node_scrape_collector_success", labels, is_ok[i] ? 1 : 0);
    }
    return out->is_full ? FULL : OK;
}

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "The target to give to prometheus.scrape."},
    {0},
};

const struct component_type component_prometheus_exporter_unix = {
    .name = "prometheus.exporter.unix",
    .stability = STABILITY_GA,
    .doc = "This machine's metrics, under node_exporter's names, scraped in process.",
    .args = &unix_args_block,
    .exports = exports,
    .create = create,
    .close = close_component,
    .write_metrics = write_metrics,
};
