/* discovery.http: the target groups a URL answers (Prometheus' http_sd). */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/http_poll.h"
#include "agent/runtime/target_groups.h"
#include <stddef.h>

struct args {
    struct slice url;
    int64_t refresh_ns;
    struct http_args http;
};

struct component {
    struct host *host;
    const struct args *args;
    struct http_poll *poll; /* owned */
    struct metric *failures;
    bool is_broken, is_started;
};

/* The targets that were got last stay. */
static void on_failed(void *arg, const char *why)
{
    struct component *c = arg;

    metric_add(c->failures, 1);
    host_set_health(c->host, HEALTH_UNHEALTHY, "refresh failed: %s", why);
    if (!c->is_broken)
        log_error(host_id(c->host), "targets cannot be refreshed; those that were got last stay", log_str("err", why),
                  log_str("do", "it is tried again every refresh_interval"));
    c->is_broken = true;
}

/* application/json, with charset=utf-8 or without. */
static bool is_json(struct slice type)
{
    struct slice charset;

    (void)slice_cut(type, ';', &type, &charset);
    if (!slice_eq_nocase(slice_trim(type), SLICE_LIT("application/json")))
        return false;
    charset = slice_trim(charset);
    return charset.len == 0 || slice_eq_nocase(charset, SLICE_LIT("charset=utf-8")) ||
           slice_eq_nocase(charset, SLICE_LIT("charset=\"utf-8\""));
}

static void on_got(void *arg, struct slice body, struct slice content_type)
{
    const struct target_label url = {SLICE_LIT("__meta_url"), ((struct component *)arg)->args->url};
    struct component *c = arg;
    struct error err = {0};
    struct targets targets;
    enum code rc = OK;

    targets_init(&targets, 8u * LIMIT_TARGET_GROUPS_BYTES);
    if (!is_json(content_type))
        rc = error_set(&err, INVALID, "the answer has the Content-Type \"%.*s\", not application/json",
                       SLICE_ARG(content_type));
    if (rc == OK)
        rc = target_groups_read(&targets, TARGET_GROUPS_JSON, body, url, &err);
    if (rc == OK) {
        host_export(c->host, "targets", value_array(targets.items, targets.n));
        host_set_health(c->host, HEALTH_HEALTHY, "%zu targets", targets.n);
        if (c->is_broken)
            log_info(host_id(c->host), "targets can be refreshed again");
        c->is_broken = false;
    } else {
        on_failed(c, err.text);
    }
    targets_release(&targets);
}

static enum code set_args(struct component *c, const struct args *a, struct error *err)
{
    struct buf seconds;
    struct river_pair pairs[] = {
        {SLICE_LIT("Accept"), SLICE_LIT("application/json")},
        {SLICE_LIT("X-Prometheus-Refresh-Interval-Seconds"), {0}},
    };
    const struct river_map headers = {pairs, 2};
    struct http_poll *poll;
    enum code rc;

    buf_init(&seconds, 64);
    value_number_print(&seconds, (struct number){.kind = NUMBER_FLOAT, .as = {.f = (double)a->refresh_ns / NS_PER_S}});
    pairs[1].value = buf_slice(&seconds);
    rc = http_poll_new(&poll, c->host,
                       &(struct http_poll_options){.url = a->url,
                                                   .headers = &headers,
                                                   .client = &a->http,
                                                   .every_ns = a->refresh_ns,
                                                   .timeout_ns = a->refresh_ns,
                                                   .max_bytes = LIMIT_TARGET_GROUPS_BYTES},
                       on_got, on_failed, c, err);
    buf_release(&seconds);
    if (rc != OK)
        return rc;
    http_poll_free(c->poll);
    c->poll = poll;
    c->args = a;
    if (c->is_started)
        http_poll_start(poll);
    return OK;
}

static void free_component(struct component *c)
{
    http_poll_free(c->poll);
    metric_unref(c->failures);
    mem_free(c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->failures =
        host_counter(host, "prometheus_sd_http_failures_total", "Refreshes of targets by HTTP that failed.", NULL, 0);
    rc = set_args(c, args, err);
    if (rc != OK) {
        free_component(c);
        return rc;
    }
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    return set_args(self, args, err);
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    http_poll_start(c->poll);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    free_component(self);
    done(arg);
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;
    struct error why = {0};
    enum code rc = http_args_check(&a->http, problems);

    if (http_poll_check((struct slice){0}, a->url, &why) != OK)
        rc = river_problem(problems, "url", "url: %s", why.text);
    return rc;
}

static const struct river_field fields[] = {
    {.name = "url",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct args, url),
     .doc = "Where the target groups are; answers as application/json."},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = offsetof(struct args, refresh_ns),
     .def = "\"60s\"",
     .doc = "How often they are asked for."},
    {.kind = RIVER_FLATTEN, .offset = offsetof(struct args, http), .block = &http_args_block},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "discovery.http",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "Targets from an HTTP service."};

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "The targets: __address__, __meta_url and the labels of their groups."},
    {0},
};

const struct component_type component_discovery_http = {
    .name = "discovery.http",
    .stability = STABILITY_GA,
    .doc = "Finds targets by asking an HTTP service.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
