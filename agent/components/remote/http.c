/* remote.http: what a URL answers, as an export. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/http_poll.h"
#include "agent/text/utf8.h"
#include <stddef.h>

struct args {
    struct http_poll_args poll;
    bool is_secret;
};

struct component {
    struct host *host;
    struct http_poll *poll; /* owned */
    bool is_secret, is_broken, is_started;
};

/* What was exported last stays. */
static void on_failed(void *arg, const char *why)
{
    struct component *c = arg;

    host_set_health(c->host, HEALTH_UNHEALTHY, "polling failed: %s", why);
    if (!c->is_broken)
        log_error(host_id(c->host), "polling failed; the content that was got last stays", log_str("err", why),
                  log_str("do", "it is tried again every poll_frequency"));
    c->is_broken = true;
}

static void on_got(void *arg, struct slice body, struct slice content_type)
{
    struct component *c = arg;

    (void)content_type;
    body = slice_trim(body);
    if (!utf8_is_valid(body)) {
        on_failed(c, "the content is not UTF-8");
        return;
    }
    host_export(c->host, "content", value_optional_secret(body, c->is_secret));
    host_set_health(c->host, HEALTH_HEALTHY, "polled endpoint");
    if (c->is_broken)
        log_info(host_id(c->host), "polling works again");
    c->is_broken = false;
}

static enum code set_args(struct component *c, const struct args *a, struct error *err)
{
    struct http_poll *poll;
    enum code rc = http_poll_of_args(&poll, c->host, &a->poll, on_got, on_failed, c, err);

    if (rc != OK)
        return rc;
    http_poll_free(c->poll);
    c->poll = poll;
    c->is_secret = a->is_secret;
    if (c->is_started)
        http_poll_start(poll);
    return OK;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    rc = set_args(c, args, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    host_set_health(host, HEALTH_UNKNOWN, "not polled yet");
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
    struct component *c = self;

    http_poll_free(c->poll);
    mem_free(c);
    done(arg);
}

static enum code validate(const void *args, struct river_problems *problems)
{
    return http_poll_args_check(&((const struct args *)args)->poll, problems);
}

static const struct river_field fields[] = {
    {.kind = RIVER_FLATTEN, .offset = offsetof(struct args, poll), .block = &http_poll_args_block},
    {.name = "is_secret",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct args, is_secret),
     .def = "false",
     .doc = "The content is a secret: never shown."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "remote.http",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "What a URL answers."};

static bool exports_secrets(const void *args)
{
    return ((const struct args *)args)->is_secret;
}

static const struct component_export exports[] = {
    {"content", "optional(secret)", "The answer's body, without white space at its ends."},
    {0},
};

const struct component_type component_remote_http = {
    .name = "remote.http",
    .stability = STABILITY_GA,
    .doc = "Exports what a URL answers, again whenever it changes.",
    .args = &args_block,
    .exports = exports,
    .exports_late = true,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
    .exports_secrets = exports_secrets,
};
