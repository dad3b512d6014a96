/* One path on its loop: which files stood there, in which order they are read, and when the next look is. inotify is a
 * hint; a look at the path and at the files' sizes is the truth. */
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"
#include <stdio.h>

enum {
    BLOCKED_MS = 100,        /* a sink or the memory had no room: ask again */
    MISSING_POLL_MS = 1000,  /* the longest step while nothing stands at the path */
    TRUSTED_POLL_MS = 10000, /* the longest step where inotify told of everything so far */
    EVENT_PAUSE_MS = 20,     /* between two looks that events ask for */
    MISSED_EVENTS = 3,       /* growths in a row that inotify did not tell: then only polling counts */
    LEAVE_QUIET_MS = 5000,   /* a file that is no target any more, read to its end */
    REST_QUIET_MS = 5000,    /* after a rotation: a last line without newline is taken as it is */
    GONE_QUIET_MS = 10000,   /* a deleted file, read to its end */
    AWAY_QUIET_MS = 300000,  /* a renamed file, read to its end: its writer may still have it open */
    CROWDED_TAILS = 8,       /* with more open files than that, the quiet ones are closed */
    CROWDED_QUIET_MS = 2000,
    PACKED_TAILS = 24, /* and sooner */
    PACKED_QUIET_MS = 250,
    ROTATION_MS = 2000, /* so long after a rotation looks come closely: the next may follow at once */
    ROTATION_PAUSE_MS = 1,
    ROTATION_POLL_MS = 20,
};

struct tail *follower_newest(const struct follower *f)
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
    int64_t pause_ms = now - f->rotated_ms < ROTATION_MS ? ROTATION_PAUSE_MS : EVENT_PAUSE_MS;

    if (!f->is_running || f->is_stopped)
        return;
    if (due < f->last_run_ms + pause_ms)
        due = f->last_run_ms + pause_ms;
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

bool follower_add_tail(struct follower *f, const char *path, const struct file_identity *id, uint64_t offset,
                       bool is_cut, const struct mark *mark, bool is_at_path)
{
    struct error err = {0};
    struct tail *t;
    enum code rc = tail_open(&t, f, path, offset, is_cut, &err);

    if (rc == OK && !file_is_same(&t->id, id)) {
        tail_free(t);
        rc = AGAIN;
    }
    if (rc == AGAIN)
        f->rotated_ms = loop_now_ms(f->loop);
    else if (rc != OK)
        follower_say(f, "a file cannot be read", err.text);
    if (rc != OK)
        return false;
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
static bool open_at_path(struct follower *f, const struct file_stat *st)
{
    uint64_t offset = 0;
    struct mark mark;

    if (f->has_started_once && f->n_tails != 0)
        rotated_open_between(f);
    if (f->n_tails >= RECORD_TAILS) {
        follower_say(f, "rotated too often", "more files of one path wait to be read than are kept open");
        return false;
    }
    if (!claims_take(f, &st->id, &offset, &mark))
        return false; /* read under its other name; a later look tries again */
    if (offset == 0 && !f->has_started_once && !first_offset(f, st, &offset))
        f->is_skipped = true;
    if (f->is_skipped || !follower_add_tail(f, f->path, &st->id, offset, false, mark.n != 0 ? &mark : NULL, true)) {
        claims_drop(f, &st->id, offset, &mark, true);
        return false;
    }
    f->has_started_once = true;
    return true;
}

/* --- a look ---------------------------------------------------------------------------------------------------------
 */

static void mark_away(struct follower *f, int64_t now)
{
    LIST_EACH (it, &f->tails) {
        struct tail *t = CONTAINER_OF(it, struct tail, link);

        if (t->is_at_path)
            t->away_since_ms = f->rotated_ms = now;
        t->is_at_path = false;
    }
}

static void look_at_path(struct follower *f, int64_t now)
{
    struct file_stat st;
    struct error err = {0};
    int64_t look_ns = clock_wall_ns(host_clock(f->source->host));
    enum code rc = file_stat_path(f->path, &st, &err);
    bool is_known = false;

    if (rc == OK && !st.is_regular)
        rc = error_set(&err, INVALID, "%s is not a regular file", f->path);
    if (rc != OK) {
        mark_away(f, now);
        if (f->n_tails == 0)
            follower_say(f, rc == AGAIN ? "a file is not there (yet)" : "a file cannot be read", err.text);
        return;
    }
    LIST_EACH (it, &f->tails) {
        struct tail *t = CONTAINER_OF(it, struct tail, link);
        bool is_it = file_is_same(&t->id, &st.id);

        if (t->is_at_path && !is_it)
            t->away_since_ms = f->rotated_ms = now;
        t->is_at_path = is_it;
        is_known |= is_it && t->fd >= 0;
    }
    if (is_known || (!f->is_skipped && !f->is_leaving && open_at_path(f, &st)))
        f->known_ns = look_ns;
}

static bool is_quiet(const struct tail *t, int64_t now, int64_t for_ms)
{
    return now - t->quiet_since_ms >= for_ms;
}

/* Read to its end: may the file be closed? */
static bool may_close(const struct follower *f, const struct tail *t, int64_t now)
{
    if (f->is_leaving) /* a pattern that was matched in the middle of a rotation brings the target back at once */
        return is_quiet(t, now, LEAVE_QUIET_MS);
    if (t->is_at_path)
        return false;
    if (t->is_gone && is_quiet(t, now, GONE_QUIET_MS))
        return true;
    if (f->n_open > CROWDED_TAILS && is_quiet(t, now, f->n_open > PACKED_TAILS ? PACKED_QUIET_MS : CROWDED_QUIET_MS))
        return true;
    return is_quiet(t, now, AWAY_QUIET_MS) && now - t->away_since_ms >= AWAY_QUIET_MS;
}

/* Nobody else has the deleted file's disk space but us: not for ever. */
static bool must_release(const struct tail *t, int64_t now)
{
    return t->is_gone && (now - t->gone_since_ms >= (int64_t)LIMIT_DELETED_FILE_S * MS_PER_S ||
                          t->seen_size - t->offset > LIMIT_DELETED_FILE_BYTES);
}

static void release_gone(struct follower *f, struct tail *t)
{
    log_warn(host_id(f->source->host), "a deleted file was let go with an unread rest", log_str("path", f->path),
             log_int("unread_bytes", (int64_t)(t->seen_size - t->offset)),
             log_str("do", "keep rotated files longer, or see why delivery stalls"));
    tail_close_file(t, LOST_RELEASED);
}

/* One file as far as it goes now. A last line without its newline is taken when nobody will finish it: rotated away and
 * quiet, or deleted. */
static enum tail_state work_on(struct follower *f, struct tail *t, int64_t now)
{
    bool is_over = !t->is_at_path && (is_quiet(t, now, REST_QUIET_MS) || (f->is_leaving && t->is_gone));
    enum tail_state state = tail_read(t, is_over);

    if (state == TAIL_BROKEN) {
        tail_close_file(t, LOST_BYTES_COUNT);
        return TAIL_BROKEN;
    }
    if (state != TAIL_END && must_release(t, now)) {
        release_gone(f, t);
        return TAIL_END;
    }
    if (state == TAIL_END && t->fd >= 0 && may_close(f, t, now))
        tail_close_file(t, LOST_BYTES_COUNT);
    return state;
}

static void finish(struct follower *f);

static void schedule(struct follower *f, enum tail_state state, bool was_active)
{
    const struct tail *t = follower_newest(f);
    uint64_t longest = f->options.max_poll_ms, shortest = f->options.min_poll_ms;

    if (state == TAIL_MORE) {
        follower_wake(f, 0);
        return;
    }
    if (state == TAIL_BLOCKED) {
        follower_wake(f, BLOCKED_MS);
        return;
    }
    if (t == NULL || f->is_leaving)
        longest = longest > MISSING_POLL_MS ? longest : MISSING_POLL_MS;
    else if (t->watch != NULL && t->is_at_path && t->missed < MISSED_EVENTS && longest < TRUSTED_POLL_MS)
        longest = TRUSTED_POLL_MS;
    f->idle_ms = was_active ? shortest : f->idle_ms * 2;
    if (f->idle_ms < shortest)
        f->idle_ms = shortest;
    if (f->idle_ms > longest)
        f->idle_ms = longest;
    if (loop_now_ms(f->loop) - f->rotated_ms < ROTATION_MS && (t == NULL || !t->is_at_path || t->fd < 0))
        f->idle_ms = ROTATION_POLL_MS;
    follower_wake(f, f->idle_ms);
}

static void run(void *arg)
{
    struct follower *f = arg;
    int64_t now = loop_now_ms(f->loop);
    enum tail_state state = TAIL_END;
    bool was_active = false, is_broken = false;

    f->last_run_ms = now;
    f->due_ms = INT64_MAX;
    look_at_path(f, now);
    f->n_open = 0;
    LIST_EACH (it, &f->tails)
        f->n_open += CONTAINER_OF(it, struct tail, link)->fd >= 0;
    LIST_EACH_SAFE (it, &f->tails) {
        struct tail *t = CONTAINER_OF(it, struct tail, link);

        state = work_on(f, t, now);
        was_active |= t->was_active;
        t->was_active = false;
        is_broken |= state == TAIL_BROKEN;
        if (state == TAIL_MORE || state == TAIL_BLOCKED)
            break; /* the newer ones after this one */
        if (t->fd < 0 && tail_is_settled(t))
            drop_tail(f, t);
    }
    f->is_skipped |= is_broken && f->n_tails == 0;
    if (f->is_leaving && f->n_tails == 0)
        finish(f);
    else
        schedule(f, state, was_active);
}

/* --- from the control loop
 * -------------------------------------------------------------------------------------------- */

static void ended_on_control(void *arg)
{
    struct follower *f = arg;

    f->is_on_loop = false;
    f->ended(f->ended_arg, f);
}

/* Nothing is left to do on the loop. */
static void finish(struct follower *f)
{
    struct file_stat st;
    struct error err = {0};

    if (f->is_leaving && !f->is_stopped && file_stat_path(f->path, &st, &err) == AGAIN)
        record_remove(f);
    timer_free(f->timer);
    f->timer = NULL;
    f->is_running = false;
    metric_add(f->source->active, -1);
    loop_post(loops_control(host_loops(f->source->host)), ended_on_control, f);
}

static void start_on_loop(void *arg)
{
    struct follower *f = arg;
    struct error err = {0};
    struct record record;

    if (!f->reader->was_tried) {
        f->reader->was_tried = true;
        if (watcher_new(&f->reader->watcher, f->loop, &err) != OK)
            log_warn(host_id(f->source->host), "files are followed by polling only", log_str("err", err.text),
                     log_str("do", "raise fs.inotify.max_user_instances"));
    }
    f->timer = timer_new(f->loop, run, f);
    f->is_running = true;
    f->is_leaving = f->is_skipped = false;
    f->due_ms = INT64_MAX;
    f->last_run_ms = f->rotated_ms = INT64_MIN / 2;
    metric_add(f->source->active, 1);
    if (record_read(f, &record))
        rotated_open_recorded(f, &record);
    follower_wake(f, 0);
}

static void leave_on_loop(void *arg)
{
    struct follower *f = arg;

    f->is_leaving = true;
    follower_wake(f, 0);
}

static void stay_on_loop(void *arg)
{
    struct follower *f = arg;

    f->is_leaving = false;
    follower_wake(f, 0);
}

static void stop_on_loop(void *arg)
{
    struct follower *f = arg;

    f->is_stopped = true;
    if (f->timer != NULL)
        timer_stop(f->timer);
}

static void end_on_loop(void *arg)
{
    struct follower *f = arg;

    if (!f->is_running)
        return; /* finished by itself: ended is on its way */
    f->is_stopped = true;
    LIST_EACH_SAFE (it, &f->tails) {
        list_remove(it);
        tail_free(CONTAINER_OF(it, struct tail, link));
    }
    f->n_tails = 0;
    finish(f);
}

struct change {
    struct follower *follower;
    struct file_options options;
};

static void set_on_loop(void *arg)
{
    struct change *change = arg;
    struct follower *f = change->follower;

    f->options = change->options;
    mem_free(change);
    follower_wake(f, 0);
}

void follower_start(struct follower *f)
{
    f->is_on_loop = true;
    loop_post(f->loop, start_on_loop, f);
}

void follower_leave(struct follower *f)
{
    loop_post(f->loop, leave_on_loop, f);
}

void follower_stay(struct follower *f)
{
    loop_post(f->loop, stay_on_loop, f);
}

void follower_stop(struct follower *f)
{
    loop_post(f->loop, stop_on_loop, f);
}

void follower_end(struct follower *f)
{
    loop_post(f->loop, end_on_loop, f);
}

void follower_set(struct follower *f, const struct file_options *options)
{
    struct change *change = mem_zalloc(sizeof *change);

    *change = (struct change){f, *options};
    loop_post(f->loop, set_on_loop, change);
}

struct follower *follower_new(struct file_source *s, struct slice path, const struct labels *labels,
                              char *take_labels_text, const struct file_options *options)
{
    struct follower *f = mem_zalloc(sizeof *f);
    struct metric_label of[] = {{"path", NULL}};

    f->source = s;
    f->path = mem_strndup(path);
    f->labels_text = take_labels_text;
    f->record_key = mem_printf("cursor-files-%s", f->path);
    f->labels = labels_ref(labels);
    f->affinity = hash64_stable(path);
    f->loop = host_loop_for(s->host, f->affinity);
    f->reader = &s->readers[loop_index(f->loop)];
    f->options = *options;
    list_init(&f->tails);
    of[0].value = f->path;
    f->file_bytes = host_gauge(s->host, "loki_source_file_file_bytes_total", "Number of bytes total.", of, 1);
    f->read_bytes = host_gauge(s->host, "loki_source_file_read_bytes_total", "Number of bytes read.", of, 1);
    f->read_lines = host_counter(s->host, "loki_source_file_read_lines_total", "Number of lines read.", of, 1);
    f->encoding_failures =
        host_counter(s->host, "loki_source_file_encoding_failures_total", "Number of encoding failures.", of, 1);
    return f;
}

void follower_free(struct follower *f)
{
    metric_unref(f->file_bytes);
    metric_unref(f->read_bytes);
    metric_unref(f->read_lines);
    metric_unref(f->encoding_failures);
    labels_unref(f->labels);
    mem_free(f->path);
    mem_free(f->labels_text);
    mem_free(f->record_key);
    mem_free(f);
}
