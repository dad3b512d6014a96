/* local.file: a file's content as an export. Read on the control loop: the file is small by its limit, and the content
 * must be there before what depends on it is created. */
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/watch.h"
#include "agent/runtime/component.h"
#include "agent/text/utf8.h"
#include <stddef.h>

enum detector { DETECT_FSNOTIFY, DETECT_POLL };
enum { SETTLE_MS = 50 }; /* a writer's several steps are one change */

struct args {
    struct slice filename;
    int detector;
    int64_t poll_frequency_ns;
    bool is_secret;
};

struct component {
    struct host *host;
    struct loop *loop; /* the control loop */
    char *path;        /* owned */
    char *folder;      /* owned: a replaced file is seen there */
    bool is_secret, is_broken;
    uint64_t poll_ms;
    struct timer *timer, *settle;
    struct watcher *watcher; /* NULL: polling only */
    struct watch *watch;
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

static void on_timer(void *arg)
{
    struct component *c = arg;
    struct error err = {0};

    timer_start(c->timer, c->poll_ms, 0);
    if (export_content(c, &err) != OK)
        return; /* said there */
}

static void on_watch(void *arg, unsigned events, struct slice name)
{
    struct component *c = arg;

    (void)events;
    (void)name;
    timer_start(c->settle, SETTLE_MS, 0);
}

static void release(struct component *c)
{
    watch_free(c->watch);
    watcher_free(c->watcher);
    timer_free(c->timer);
    timer_free(c->settle);
    mem_free(c->path);
    mem_free(c->folder);
}

static void set_up(struct component *c, const struct args *a)
{
    struct error err = {0};
    char *slash;

    c->path = mem_strndup(a->filename);
    c->folder = mem_strdup(c->path);
    slash = strrchr(c->folder, '/');
    if (slash == NULL)
        memcpy(c->folder, ".", c->folder[0] != '\0' ? 2 : 1);
    else
        slash[slash == c->folder ? 1 : 0] = '\0';
    c->is_secret = a->is_secret;
    c->poll_ms = (uint64_t)(a->poll_frequency_ns / NS_PER_MS);
    c->timer = timer_new(c->loop, on_timer, c);
    c->settle = timer_new(c->loop, on_timer, c);
    timer_start(c->timer, c->poll_ms, 0);
    if (a->detector != DETECT_FSNOTIFY)
        return;
    if (watcher_new(&c->watcher, c->loop, &err) != OK)
        log_warn(host_id(c->host), "the file is looked at every poll_frequency only", log_str("err", err.text),
                 log_str("do", "raise fs.inotify.max_user_instances"));
    else
        c->watch = watch_new(c->watcher, c->folder, on_watch, c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    struct error why = {0};

    (void)err;
    c->host = host;
    c->loop = loops_control(host_loops(host));
    set_up(c, args);
    if (export_content(c, &why) != OK)
        host_export(host, "content", value_optional_secret(SLICE_LIT(""), c->is_secret));
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;
    struct error why = {0};

    (void)err;
    release(c);
    *c = (struct component){.host = c->host, .loop = c->loop, .is_broken = c->is_broken};
    set_up(c, args);
    if (export_content(c, &why) != OK)
        return OK; /* unhealthy, and it keeps watching */
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    release(self);
    mem_free(self);
    done(arg);
}

static const struct river_enum detectors[] = {{"fsnotify", DETECT_FSNOTIFY}, {"poll", DETECT_POLL}, {NULL, 0}};
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
     .choices = detectors,
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

static const struct component_export exports[] = {
    {"content", "secret", "The file's content."},
    {0},
};

const struct component_type component_local_file = {
    .name = "local.file",
    .stability = STABILITY_GA,
    .doc = "Exports a file's content, again whenever it changes.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .close = close_component,
};
