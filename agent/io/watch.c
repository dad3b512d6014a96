#include "agent/io/watch.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { RETRY_MS = 10000, READ_BYTES = 64 * 1024 };

struct watch {
    struct list link; /* in watcher.watches */
    struct watcher *watcher;
    char *path; /* owned */
    watch_fn fn;
    void *arg;
    int wd;         /* -1: could not be had (yet) */
    bool is_missed; /* a rescan is owed to fn */
};

struct watcher {
    struct loop *loop;
    int fd;
    struct poll_handle *poll;
    struct timer *retry; /* tries again, and tells those that are owed a rescan */
    struct list watches;
    struct list *next; /* while calling: the next one to call; watch_free moves it on */
    struct watcher_counts counts;
    bool is_calling, is_freed; /* freed from inside a callback: goes when that is over */
    char *events;              /* READ_BYTES, aligned by mem.h */
};

/* The same file watched twice has one wd for both. */
static bool is_shared(const struct watch *w)
{
    LIST_EACH (it, &w->watcher->watches) {
        const struct watch *other = CONTAINER_OF(it, struct watch, link);

        if (other != w && other->wd == w->wd)
            return true;
    }
    return false;
}

static void add(struct watch *w)
{
    const uint32_t mask = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |
                          IN_MOVE_SELF | IN_CLOSE_WRITE | IN_ATTRIB;

    w->wd = inotify_add_watch(w->watcher->fd, w->path, mask);
    if (w->wd < 0) {
        w->watcher->counts.refused_watches++;
        w->is_missed = true;
    }
}

static unsigned meaning(uint32_t mask)
{
    unsigned events = 0;

    events |= (mask & IN_MODIFY) != 0 ? WATCH_CHANGED : 0;
    events |= (mask & (IN_CREATE | IN_MOVED_TO)) != 0 ? WATCH_CREATED : 0;
    events |= (mask & (IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB)) != 0 ? WATCH_REMOVED : 0;
    events |= (mask & IN_CLOSE_WRITE) != 0 ? WATCH_CLOSED : 0;
    return events;
}

/* Calls those that watch wd (-1: all). A callback may free any watch. */
static void tell(struct watcher *w, int wd, unsigned events, struct slice name)
{
    for (struct list *it = w->watches.next; it != &w->watches; it = w->next) {
        struct watch *watch = CONTAINER_OF(it, struct watch, link);

        w->next = it->next;
        if (wd == -1 || watch->wd == wd)
            watch->fn(watch->arg, events, name);
    }
}

/* The kernel took the watch away with the file (or its file system). */
static void lose(struct watcher *w, int wd)
{
    LIST_EACH (it, &w->watches) {
        struct watch *watch = CONTAINER_OF(it, struct watch, link);

        if (watch->wd == wd)
            watch->wd = -1;
    }
}

static void take_event(struct watcher *w, const struct inotify_event *event)
{
    struct slice name = slice_make(event->name, event->len != 0 ? strnlen(event->name, event->len) : 0);

    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        w->counts.overflows++;
        tell(w, -1, WATCH_RESCAN, SLICE_LIT(""));
        return;
    }
    /* IN_ATTRIB of the file itself tells of a lost link; of an entry it says nothing we need. */
    if ((event->mask & IN_ATTRIB) != 0 && name.len != 0)
        return;
    if (meaning(event->mask) != 0)
        tell(w, event->wd, meaning(event->mask), name);
    if ((event->mask & IN_IGNORED) != 0)
        lose(w, event->wd);
}

static void end_calls(struct watcher *w)
{
    w->is_calling = false;
    if (w->is_freed)
        watcher_free(w);
}

static void on_readable(void *arg)
{
    struct watcher *w = arg;
    ssize_t n = read(w->fd, w->events, READ_BYTES);

    w->is_calling = true;
    for (char *at = w->events; n > 0 && at < w->events + n && !w->is_freed;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)at;

        take_event(w, event);
        at += sizeof *event + event->len;
    }
    end_calls(w);
}

static void on_retry(void *arg)
{
    struct watcher *w = arg;

    timer_start(w->retry, RETRY_MS, 0); /* before the calls: one may ask for an earlier turn */
    w->is_calling = true;
    for (struct list *it = w->watches.next; it != &w->watches; it = w->next) {
        struct watch *watch = CONTAINER_OF(it, struct watch, link);
        bool is_late = watch->wd < 0;

        w->next = it->next;
        if (is_late && !watch->is_missed) {
            add(watch);
            watch->is_missed = watch->wd >= 0; /* what happened before is seen by a rescan only */
        }
        if (watch->is_missed) {
            watch->is_missed = false;
            watch->fn(watch->arg, WATCH_RESCAN, SLICE_LIT(""));
        }
    }
    end_calls(w);
}

enum code watcher_new(struct watcher **out, struct loop *loop, struct error *err)
{
    struct watcher *w = mem_zalloc(sizeof *w);
    enum code rc;

    *out = NULL;
    list_init(&w->watches);
    w->loop = loop;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        rc = error_set(err, IO, "cannot use inotify: %s", strerror(errno));
        goto done;
    }
    w->events = mem_alloc(READ_BYTES);
    w->retry = timer_new(loop, on_retry, w);
    timer_start(w->retry, RETRY_MS, 0);
    rc = poll_new(&w->poll, loop, w->fd, on_readable, w, err);
    if (rc != OK)
        goto done;
    *out = w;
    w = NULL;
done:
    watcher_free(w);
    return rc;
}

void watcher_free(struct watcher *w)
{
    if (w == NULL)
        return;
    BUG_ON(!list_is_empty(&w->watches));
    if (w->is_calling) {
        w->is_freed = true;
        return;
    }
    poll_free(w->poll);
    timer_free(w->retry);
    if (w->fd >= 0)
        close(w->fd);
    mem_free(w->events);
    mem_free(w);
}

struct watcher_counts watcher_counts(const struct watcher *w)
{
    return w->counts;
}

struct watch *watch_new(struct watcher *w, const char *path, watch_fn fn, void *arg)
{
    struct watch *watch = mem_zalloc(sizeof *watch);

    watch->watcher = w;
    watch->path = mem_strdup(path);
    watch->fn = fn;
    watch->arg = arg;
    list_init(&watch->link);
    list_add_tail(&w->watches, &watch->link);
    add(watch);
    if (watch->is_missed)
        timer_start(w->retry, 0, 0);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->watcher->next == &watch->link)
        watch->watcher->next = watch->link.next;
    if (watch->wd >= 0 && !is_shared(watch))
        inotify_rm_watch(watch->watcher->fd, watch->wd);
    list_remove(&watch->link);
    mem_free(watch->path);
    mem_free(watch);
}
