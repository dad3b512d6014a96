#include "agent/runtime/file_detector.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/watch.h"

enum { SETTLE_MS = 50 }; /* a writer's several steps are one change */

struct file_detector {
    struct host *host;
    char *path, *folder; /* owned; folder: path's own, a replaced file is seen there */
    const char *name;    /* in path */
    uint64_t poll_ms;
    struct timer *poll, *settle;
    bool is_settling;
    struct watcher *watcher;       /* NULL: polling only */
    struct watch *around, *inside; /* of folder; of path, when that is a folder */
    loop_fn changed;
    void *arg;
};

const struct river_enum file_detector_kinds[] = {{"fsnotify", DETECTOR_FSNOTIFY}, {"poll", DETECTOR_POLL}, {NULL, 0}};

static void on_event(struct file_detector *d)
{
    if (d->is_settling)
        return; /* not again and again: a busy folder would never settle */
    d->is_settling = true;
    timer_start(d->settle, SETTLE_MS, 0);
}

/* A name that begins with two dots: how Kubernetes swaps the files of a mounted volume (..data). */
static void on_around(void *arg, unsigned events, struct slice name)
{
    struct file_detector *d = arg;

    if (name.len == 0 || (events & WATCH_RESCAN) != 0 || slice_eq_str(name, d->name) ||
        slice_starts(name, SLICE_LIT("..")))
        on_event(d);
}

static void on_inside(void *arg, unsigned events, struct slice name)
{
    (void)events;
    (void)name;
    on_event(arg);
}

static void watch_inside(struct file_detector *d)
{
    struct error err = {0};
    struct file_stat st;
    bool is_dir = d->watcher != NULL && file_stat_path(d->path, &st, &err) == OK && st.is_dir;

    watch_free(d->inside); /* it may be another folder of that name by now */
    d->inside = is_dir ? watch_new(d->watcher, d->path, on_inside, d) : NULL;
}

static void on_settled(void *arg)
{
    struct file_detector *d = arg;

    d->is_settling = false;
    watch_inside(d);
    d->changed(d->arg);
}

static void on_poll(void *arg)
{
    struct file_detector *d = arg;

    timer_start(d->poll, d->poll_ms, 0);
    watch_inside(d);
    d->changed(d->arg);
}

static void split(struct file_detector *d, struct slice path)
{
    char *slash;

    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    d->path = mem_strndup(path);
    d->folder = mem_strdup(d->path[0] != '\0' ? d->path : ".");
    slash = strrchr(d->folder, '/');
    d->name = strrchr(d->path, '/') != NULL ? strrchr(d->path, '/') + 1 : d->path;
    if (slash == NULL) {
        mem_free(d->folder);
        d->folder = mem_strdup(".");
    } else {
        slash[slash == d->folder ? 1 : 0] = '\0';
    }
}

struct file_detector *file_detector_new(struct host *host, enum file_detector_kind kind, struct slice path,
                                        int64_t poll_frequency_ns, loop_fn changed, void *arg)
{
    struct loop *loop = loops_control(host_loops(host));
    struct file_detector *d = mem_zalloc(sizeof *d);
    struct error err = {0};

    d->host = host;
    d->changed = changed;
    d->arg = arg;
    d->poll_ms = (uint64_t)(poll_frequency_ns / NS_PER_MS);
    split(d, path);
    d->poll = timer_new(loop, on_poll, d);
    d->settle = timer_new(loop, on_settled, d);
    timer_start(d->poll, d->poll_ms, 0);
    if (kind != DETECTOR_FSNOTIFY)
        return d;
    if (watcher_new(&d->watcher, loop, &err) != OK) {
        log_warn(host_id(host), "the file is looked at every poll_frequency only", log_str("err", err.text),
                 log_str("do", "raise fs.inotify.max_user_instances"));
        return d;
    }
    d->around = watch_new(d->watcher, d->folder, on_around, d);
    watch_inside(d);
    return d;
}

void file_detector_free(struct file_detector *d)
{
    if (d == NULL)
        return;
    watch_free(d->around);
    watch_free(d->inside);
    watcher_free(d->watcher);
    timer_free(d->poll);
    timer_free(d->settle);
    mem_free(d->path);
    mem_free(d->folder);
    mem_free(d);
}
