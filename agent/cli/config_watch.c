#include "agent/cli/config_watch.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/watch.h"
#include <string.h>

struct watched_file {
    char *path;            /* owned */
    struct file_stat seen; /* all zero: not there */
    struct watch *watch;   /* of its folder; NULL: another file has it, or there is no watcher */
};

struct config_watch {
    struct watcher *watcher; /* NULL: looked at by the timer only */
    struct timer *settle, *poll;
    struct watched_file *files; /* owned */
    size_t n;
    loop_fn changed;
    void *arg;
};

static struct file_stat look_at(const char *path)
{
    struct file_stat st = {0};
    struct error err = {0};

    if (file_stat_path(path, &st, &err) != OK)
        st = (struct file_stat){0};
    return st;
}

static bool is_same(const struct file_stat *a, const struct file_stat *b)
{
    return a->id.device == b->id.device && a->id.inode == b->id.inode && a->mtime_ns == b->mtime_ns &&
           a->size_bytes == b->size_bytes;
}

static void look(void *arg)
{
    struct config_watch *w = arg;
    bool has_changed = false;

    for (size_t i = 0; i < w->n; i++) {
        struct file_stat now = look_at(w->files[i].path);

        has_changed = has_changed || !is_same(&now, &w->files[i].seen);
        w->files[i].seen = now;
    }
    if (has_changed)
        w->changed(w->arg);
}

static void on_event(void *arg, unsigned events, struct slice name)
{
    struct config_watch *w = arg;

    (void)events;
    (void)name;
    timer_start(w->settle, CONFIG_WATCH_SETTLE_MS, 0); /* an editor's several steps are one change */
}

struct config_watch *config_watch_new(struct loop *loop, loop_fn changed, void *arg)
{
    struct config_watch *w = mem_zalloc(sizeof *w);
    struct error err = {0};

    w->changed = changed;
    w->arg = arg;
    w->settle = timer_new(loop, look, w);
    w->poll = timer_new(loop, look, w);
    timer_start(w->poll, CONFIG_WATCH_POLL_MS, CONFIG_WATCH_POLL_MS);
    if (watcher_new(&w->watcher, loop, &err) != OK)
        log_warn(NULL, "the configuration is looked at every 5 s only", log_str("error", err.text),
                 log_str("do", "raise fs.inotify.max_user_instances"));
    return w;
}

void config_watch_free(struct config_watch *w)
{
    if (w == NULL)
        return;
    timer_free(w->settle);
    timer_free(w->poll);
    for (size_t i = 0; i < w->n; i++) {
        watch_free(w->files[i].watch);
        mem_free(w->files[i].path);
    }
    watcher_free(w->watcher);
    mem_free(w->files);
    mem_free(w);
}

/* The folder a file stands in (a folder: itself), without a slash at its end; owned by the caller. */
static char *folder_of(const char *path, bool is_dir)
{
    const char *slash = strrchr(path, '/');

    if (is_dir)
        return mem_strdup(path);
    if (slash == NULL)
        return mem_strdup(".");
    return mem_strndup(slice_make(path, slash == path ? 1 : (size_t)(slash - path)));
}

static bool is_folder_watched(const struct config_watch *w, const char *folder)
{
    bool is_found = false;

    for (size_t i = 0; i < w->n && !is_found; i++) {
        char *other = w->files[i].watch == NULL ? NULL : folder_of(w->files[i].path, w->files[i].seen.is_dir);

        is_found = other != NULL && strcmp(other, folder) == 0;
        mem_free(other);
    }
    return is_found;
}

bool config_watch_add(struct config_watch *w, const char *path)
{
    struct watched_file *file;
    char *folder;

    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->files[i].path, path) == 0)
            return true;
    if (w->n == LIMIT_CONFIG_FILES)
        return false;
    w->files = mem_realloc(w->files, (w->n + 1) * sizeof *w->files);
    file = &w->files[w->n];
    *file = (struct watched_file){.path = mem_strdup(path), .seen = look_at(path)};
    folder = folder_of(path, file->seen.is_dir);
    if (w->watcher != NULL && !is_folder_watched(w, folder))
        file->watch = watch_new(w->watcher, folder, on_event, w);
    w->n++;
    mem_free(folder);
    return true;
}
