/* import.http: a module's text from a URL. The text that was got last stays while polls fail; it is not kept over a
 * restart. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/http_poll.h"
#include "agent/runtime/import.h"
#include "agent/text/utf8.h"

struct component {
    struct host *host;
    struct http_poll *poll; /* owned */
    bool is_broken, is_started;
};

static void on_failed(void *arg, const char *why)
{
    struct component *c = arg;

    host_set_health(c->host, HEALTH_UNHEALTHY, "polling failed: %s", why);
    if (!c->is_broken)
        log_error(host_id(c->host), "the module cannot be fetched; the one that was got last stays",
                  log_str("err", why), log_str("do", "it is tried again every poll_frequency"));
    c->is_broken = true;
}

static void on_got(void *arg, struct slice body, struct slice content_type)
{
    struct component *c = arg;

    (void)content_type;
    body = slice_trim(body);
    if (body.len == 0 || !utf8_is_valid(body)) {
        on_failed(c, body.len == 0 ? "the answer is empty" : "the answer is not UTF-8");
        return;
    }
    host_set_health(c->host, HEALTH_HEALTHY, "polled endpoint");
    host_export(c->host, "content", value_string(body));
    if (c->is_broken)
        log_info(host_id(c->host), "the module can be fetched again");
    c->is_broken = false;
}

static enum code set_args(struct component *c, const struct http_poll_args *a, struct error *err)
{
    struct http_poll *poll;
    enum code rc = http_poll_of_args(&poll, c->host, a, on_got, on_failed, c, err);

    if (rc != OK)
        return rc;
    http_poll_free(c->poll);
    c->poll = poll;
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
    return http_poll_args_check(args, problems);
}

static const struct river_field fields[] = {
    {.kind = RIVER_FLATTEN, .offset = 0, .block = &http_poll_args_block},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "import.http",
    .fields = fields,
    .size = sizeof(struct http_poll_args),
    .validate = validate,
    .doc = "A module from a URL; its custom components are used as LABEL.NAME.",
};

static const struct component_export exports[] = {
    {"content", "string", "The module's text."},
    {0},
};

const struct component_type component_import_http = {
    .name = "import.http",
    .stability = STABILITY_GA,
    .doc = "Imports a module from a URL, again whenever it changes.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
