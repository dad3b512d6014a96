/* One path on its loop: which files stood there, in which order they are read, and when the next look is. inotify is a
 * hint; a look at the path and at the files' sizes is the truth. */
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"
#include <stdio.h>

enum {
    BLOCKED_MS = 100,       /* a sink or the memory had no room: ask again */
    MISSING_POLL_MS = 1000, /* the longest step while nothing stands at the path */
    TRUSTED_POLL_MS = 10000, /* the longest step where inotify told of everything so far */
    EVENT_PAUSE_MS = 20,    /* between two looks that events ask for */
    MISSED_EVENTS = 3,      /* growths in a row that inotify did not tell: then only polling counts */
    REST_QUIET_MS = 5000,   /* after a rotation: a last line without newline is taken as it is */
    GONE_QUIET_MS = 10000,  /* a deleted file, read to its end */
    AWAY_QUIET_MS = 300000, /* a renamed file, read to its end: its writer may still have it open */
    CROWDED_TAILS = 8,      /* with more files than that in a row, the quiet ones go */
    CROWDED_QUIET_MS = 2000,
};

static struct tail *newest(const struct follower *f)
{
    return list_is_empty(&f->tails) ? NULL : CONTAINER_OF(f->tails.prev, struct tail, link);
}

void follower_say(struct follower *f, const char *what, const char *text)
{
    char now[sizeof f->said];

    (void)snprintf(now, sizeof now, "%s: %s", what, text);
    if (strcmp(now, f->said) == 0)
        return; /* once, until something else happens */
    memcpy(f->said, now, sizeof now);
    log_warn(host_id(f->source->host), what, log_str("path", f->path), log_str("err", text),
             log_str("do", "the rest goes on; it is read as soon as it can be"));
}

void follower_wake(struct follower *f, uint64_t after_ms)
{
    int64_t now = loop_now_ms(f->loop), due = now + (int64_t)after_ms;

    if (!f->is_running || f->is_stopped)
        return;
    if (due < f->last_run_ms + EVENT_PAUSE_MS)
        due = f->last_run_ms + EVENT_PAUSE_MS;
    if (due >= f->due_ms)
        return;
    f->due_ms = due;
    timer_start(f->timer, due > now ? (uint64_t)(due - now) : 0, 0);
}

void follower_moved(void *arg, int64_t position)
{
    struct tail *t = arg;

    (void)position;
    record_write(t->follower);
    follower_wake(t->follower, 0);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static bool add_tail(struct follower *f, const char *path, uint64_t offset, bool is_cut, const struct mark *mark,
                     bool is_at_path)
{
    struct error err = {0};
    struct tail *t;

    if (tail_open(&t, f, path, offset, is_cut, &err) != OK) {
        follower_say(f, "a file cannot be read", err.text);
        return false;
    }
    t->is_at_path = is_at_path;
    if (mark != NULL && offset != 0 && t->offset == offset)
        t->mark = *mark;
    list_add_tail(&f->tails, &t->link);
    f->n_tails++;
    f->said[0] = '\0';
    record_write(f);
    return true;
}

static void drop_tail(struct follower *f, struct tail *t)
{
    list_remove(&t->link);
    f->n_tails--;
    tail_free(t);
    record_write(f);
}

/* The last line's start of a file that is read from its end. */
static uint64_t end_of(const char *path, uint64_t size, enum file_encoding encoding)
{
    size_t want = size < LIMIT_LINE_BYTES ? (size_t)size : LIMIT_LINE_BYTES, got = 0, complete = 0;
    struct error err = {0};
    char *block = mem_try_alloc(want + 1);
    int fd;

    if (encoding == FILE_UTF16)
        encoding = FILE_UTF16_LE; /* a newline's position is the same to a byte; the rest is cut at pairs */
    if (block != NULL && file_open(&fd, path, FILE_READ, &err) == OK) {
        if (file_read_at(fd, size - want, block, want, &got, &err) == OK)
            complete = lines_complete(slice_make(block, got), encoding);
        file_close(&fd);
    }
    mem_free(block);
    return complete != 0 ? size - want + complete : size;
}

/* Where a path that has no record of ours begins: Alloy's offset, the end, or the start. False: not at all. */
static bool first_offset(struct follower *f, const struct file_stat *st, uint64_t *offset)
{
    struct positions_file *p = f->source->positions;
    struct slice path = slice_str(f->path);
    bool is_lost = f->options.positions_lost && f->is_first_set;
    struct buf text;
    int64_t at;

    *offset = 0;
    if (positions_get(p, path, slice_str(f->labels_text), &at) || positions_get(p, path, SLICE_LIT(""), &at)) {
        *offset = at > 0 && (uint64_t)at <= st->size_bytes ? (uint64_t)at : 0;
        return true;
    }
    buf_init(&text, 256);
    is_lost |= positions_get_text(p, path, slice_str(f->labels_text), &text);
    buf_release(&text);
    if (is_lost && f->options.on_positions_error == POSITIONS_SKIP) {
        follower_say(f, "a file is left out", "its position cannot be read and on_positions_file_error is \"skip\"");
        return false;
    }
    if (f->options.tail_from_end || (is_lost && f->options.on_positions_error == POSITIONS_FROM_END))
        *offset = end_of(f->path, st->size_bytes, f->options.encoding);
    return true;
}

/* A file stands at the path that is none of ours: the first, or the one after a rotation. */
static void open_at_path(struct follower *f, const struct file_stat *st)
{
    uint64_t offset = 0;
    struct mark mark;

    if (f->n_tails == RECORD_TAILS) {
        follower_say(f, "rotated too often", "more files of one path wait to be read than are kept open");
        return;
    }
    if (!claims_take(f->source, &st->id, f, &offset, &mark))
        return; /* read under its other name; a later look tries again */
    if (offset == 0 && !f->has_started_once && !first_offset(f, st, &offset))
        f->is_skipped = true;
    if (f->is_skipped || !add_tail(f, f->path, offset, false, mark.n != 0 ? &mark : NULL, true))
        claims_drop(f->source, &st->id, f, offset, &mark, true);
    else
        f->has_started_once = true;
}

struct search {
    struct follower *f;
    const struct record *record;
    struct slice folder;
    char *found[RECORD_TAILS]; /* owned paths */
};

static bool search_entry(void *arg, const char *name, bool is_dir)
{
    struct search *s = arg;
    struct error err = {0};
    struct file_stat st;
    char *path;

    if (is_dir)
        return true;
    path = mem_printf("%.*s/%s", SLICE_ARG(s->folder), name);
    if (file_stat_path(path, &st, &err) == OK && st.is_regular)
        for (size_t i = 0; i < s->record->n; i++)
            if (s->found[i] == NULL && memcmp(&s->record->at[i].id, &st.id, sizeof st.id) == 0) {
                s->found[i] = path;
                return true;
            }
    mem_free(path);
    return true;
}

/* Opens what the record names: the file at the path, and those that were rotated away while nobody looked, which are
 * searched in the same folder. What is shorter than its offset is another file with that inode. */
static void open_recorded(struct follower *f, const struct record *r)
{
    struct slice path = slice_str(f->path);
    const char *slash = memrchr(path.ptr, '/', path.len);
    struct search search = {.f = f, .record = r, .folder = slice_head(path, slash != NULL ? (size_t)(slash - path.ptr) : 0)};
    struct file_stat st = {0}, here = {0};
    struct error err = {0};
    bool is_here = file_stat_path(f->path, &here, &err) == OK && here.is_regular;

    if (r->n != 1 || !is_here || memcmp(&r->at[0].id, &here.id, sizeof here.id) != 0)
        if (dir_list(slash == NULL ? "." : slash == path.ptr ? "/" : arena_free_folder(search.folder), search_entry, &search, &err) != OK)
            follower_say(f, "rotated files cannot be searched", err.text);
    for (size_t i = 0; i < r->n; i++) {
        bool is_at_path = is_here && memcmp(&r->at[i].id, &here.id, sizeof here.id) == 0;
        const char *at = is_at_path ? f->path : search.found[i];
        uint64_t known;
        struct mark mark;

        if (at != NULL && (is_at_path || (file_stat_path(at, &st, &err) == OK && st.size_bytes >= r->at[i].offset)) &&
            claims_take(f->source, &r->at[i].id, f, &known, &mark))
            f->has_started_once |= add_tail(f, at, r->at[i].offset, r->at[i].is_cut, NULL, is_at_path);
        mem_free(search.found[i]);
    }
    f->has_started_once = true;
}
