/* agent/io/watch.h - inotify, raw, on one loop. A hint only: whoever watches also rescans on a timer. When the kernel's
 * queue overflowed, or a watch could not be had (ENOSPC), WATCH_RESCAN says: look for yourself, now; both are counted.
 * A watch that could not be had is tried again every 10 s. */
#ifndef AGENT_IO_WATCH_H
#define AGENT_IO_WATCH_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdint.h>

struct loop;
struct watcher; /* one inotify descriptor */
struct watch;   /* one path */

enum watch_events {
    WATCH_CHANGED = 1, /* written to or truncated */
    WATCH_CREATED = 2, /* an entry appeared in the directory (created or moved in); name says which */
    WATCH_REMOVED = 4, /* an entry, or the path itself (name empty), was deleted or moved away */
    WATCH_CLOSED = 8,  /* closed after writing */
    WATCH_RESCAN = 16, /* events may be missing */
};

/* name: the entry's, empty when it is the path itself. May free its own watch. */
typedef void (*watch_fn)(void *arg, unsigned events, struct slice name);

struct watcher_counts {
    uint64_t overflows, refused_watches;
};

MUST_USE enum code watcher_new(struct watcher **out, struct loop *loop, struct error *err);
void watcher_free(struct watcher *w); /* NULL is fine; after all its watches were freed */
struct watcher_counts watcher_counts(const struct watcher *w);
/* A file or a directory. Never fails: a path that cannot be watched gets WATCH_RESCAN (not inline) and is tried again.
 */
struct watch *watch_new(struct watcher *w, const char *path, watch_fn fn, void *arg);
void watch_free(struct watch *watch); /* NULL is fine; fn does not run again */
#endif
