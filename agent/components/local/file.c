/* local.file: a file's content as an export. Read on the control loop: the file is small by its limit, and the content
 * must be there before what depends on it is created. */
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/runtime/component.h"
#include "agent/runtime/file_detector.h"
#include "agent/text/utf8.h"
#include <stddef.h>

struct args {
    struct slice filename;
    int detector; /* enum file_detector_kind */
    int64_t poll_frequency_ns;
    bool is_secret;
};

struct component {
    struct host *host;
    char *path; /* owned */
    bool is_secret, is_broken;
    struct file_detector *detector; /* owned */
    struct metric *accessed;
};

/* What was exported last stays while the file cannot be read. */
static enum code export_content(struct component *c, struct error *err)
{
    struct buf text;
    enum code rc;

    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    rc = file_read_all(c->path, &text, err);
    if (rc == FULL)
        rc = error_set(err, FULL, "%s is larger than %u bytes", c->path, LIMIT_CONFIG_STRING_BYTES);
    if (rc == OK && !utf8_is_valid(buf_slice(&text)))
        rc = error_set(err, INVALID, "%s is not UTF-8", c->path);
    if (rc == OK) {
        metric_set(c->accessed, (double)clock_wall_ns(host_clock(c->host)) / NS_PER_S);
        host_export(c->host, "content", value_optional_secret(buf_slice(&text), c->is_secret));
        host_set_health(c->host, HEALTH_HEALTHY, "read file");
        if (c->is_broken)
            log_info(host_id(c->host), "the file can be read again", log_str("path", c->path));
        c->is_broken = false;
    } else {
        host_set_health(c->host, HEALTH_UNHEALTHY, "failed to read file: %s", err->text);
        if (!c->is_broken)
            log_error(host_id(c->host), "the file cannot be read", log_str("path", c->path), log_str("err", err->text),
                      log_str("do", "it is read as soon as it is there and readable"));
        c->is_broken = true;
    }
    buf_release(&text);
    return rc;
}

static void on_changed(void *arg)
{
    struct error err = {0};

    if (export_content(arg, &err) != OK)
        return; /* said there */
}

static void set_up(struct component *c, const struct args *a)
{
    file_detector_free(c->detector);
    mem_free(c->path);
    c->path = mem_strndup(a->filename);
    c->is_secret = a->is_secret;
    c->detector = file_detector_new(c->host, (enum file_detector_kind)a->detector, a->filename, a->poll_frequency_ns,
                                    on_changed, c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    struct error why = {0};

    (void)err;
    c->host = host;
    c->accessed = host_gauge(host, "local_file_timestamp_last_accessed_unix_seconds",
                             "When the file was last read well, in seconds since 1970.", NULL, 0);
    set_up(c, args);
    *out = c;
    if (export_content(c, &why) != OK)
        return OK; /* unhealthy, and it keeps watching; what uses the content waits */
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;
    struct error why = {0};

    (void)err;
    set_up(c, args);
    if (export_content(c, &why) != OK)
        return OK; /* unhealthy, and it keeps watching */
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    file_detector_free(c->detector);
    metric_unref(c->accessed);
    mem_free(c->path);
    mem_free(c);
    done(arg);
}

static const struct river_field fields[] = {
    {.name = "filename",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct args, filename),
     .doc = "The file to read."},
    {.name = "detector",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct args, detector),
     .def = "\"fsnotify\"",
     .choices = file_detector_kinds,
     .doc = "How changes are seen: fsnotify (inotify, and polling) or poll."},
    {.name = "poll_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .def = "\"1m\"",
     .offset = offsetof(struct args, poll_frequency_ns),
     .doc = "How often the file is looked at."},
    {.name = "is_secret",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct args, is_secret),
     .def = "false",
     .doc = "The content is a secret: never shown."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "local.file", .fields = fields, .size = sizeof(struct args), .doc = "A file's content."};

static bool exports_secrets(const void *args)
{
    return ((const struct args *)args)->is_secret;
}

static const struct component_export exports[] = {
    {"content", "optional(secret)", "The file's content."},
    {0},
};

const struct component_type component_local_file = {
    .name = "local.file",
    .stability = STABILITY_GA,
    .doc = "Exports a file's content, again whenever it changes.",
    .args = &args_block,
    .exports = exports,
    .exports_late = true,
    .create = create,
    .update = update,
    .close = close_component,
    .exports_secrets = exports_secrets,
};
