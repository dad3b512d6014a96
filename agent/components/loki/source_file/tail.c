/* One open file: reads chunks, makes batches whose lines are slices of the chunk, sees truncation. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"

enum { CHUNKS_PER_TURN = 4, LONGEST_READ = LIMIT_LINE_BYTES + 4, HEAD_BYTES = 4 };
#define FRESH_NS ((int64_t)100 * NS_PER_MS) /* the kernel's time stamps are coarse */

static void post(void *loop, void (*fn)(void *), void *arg)
{
    loop_post(loop, fn, arg);
}

static void charge(struct tail *t)
{
    int64_t now = window_read(t->window) - window_settled(t->window);

    atomic_fetch_add(&t->follower->source->in_flight, now - t->charged);
    t->charged = now;
}

static void on_moved(void *arg, int64_t position)
{
    struct tail *t = arg;

    charge(t);
    follower_moved(t, position);
}

static void on_watch(void *arg, unsigned events, struct slice name)
{
    struct tail *t = arg;

    (void)events;
    (void)name;
    t->was_told = true;
    t->missed = 0;
    follower_wake(t->follower, 0);
}

/* Compressed files are refused: their bytes are no lines. */
static const char *compression_of(struct slice head)
{
    if (slice_starts(head, SLICE_LIT("\x1f\x8b")))
        return "gzip";
    if (slice_starts(head, SLICE_LIT("\x28\xb5\x2f\xfd")))
        return "zstd";
    return slice_starts(head, SLICE_LIT("BZh")) ? "bzip2" : NULL;
}

static size_t bom_bytes(struct slice head)
{
    if (slice_starts(head, SLICE_LIT("\xef\xbb\xbf")))
        return 3;
    return slice_starts(head, SLICE_LIT("\xff\xfe")) || slice_starts(head, SLICE_LIT("\xfe\xff")) ? 2 : 0;
}

/* Looks at the first bytes; *skip is the length of a byte order mark. INVALID: a compressed file. */
static enum code look_at_head(struct tail *t, size_t *skip, struct error *err)
{
    char bytes[HEAD_BYTES];
    struct slice head = {bytes, 0};
    enum code rc = file_read_at(t->fd, 0, bytes, sizeof bytes, &head.len, err);
    const char *compression = compression_of(head);
    bool is_utf16 = t->encoding != FILE_UTF8;

    *skip = 0;
    if (rc != OK)
        return rc;
    if (compression != NULL)
        return error_set(err, INVALID, "the file is compressed (%s), which is not read", compression);
    if (t->encoding == FILE_UTF16)
        t->encoding = slice_starts(head, SLICE_LIT("\xff\xfe")) ? FILE_UTF16_LE : FILE_UTF16_BE;
    if (bom_bytes(head) == (is_utf16 ? 2 : 3))
        *skip = bom_bytes(head);
    return OK;
}

enum code tail_open(struct tail **out, struct follower *f, const char *path, uint64_t offset, bool is_cut,
                    struct error *err)
{
    struct tail *t = mem_zalloc(sizeof *t);
    struct file_stat st;
    size_t skip;
    enum code rc;

    *out = NULL;
    list_init(&t->link);
    t->follower = f;
    t->encoding = f->options.encoding;
    t->cut_from = t->cut_to = -1;
    t->quiet_since_ms = t->away_since_ms = loop_now_ms(f->loop);
    rc = file_open(&t->fd, path, FILE_READ, err);
    if (rc == OK)
        rc = file_stat_fd(t->fd, &st, err);
    if (rc == OK && offset > st.size_bytes)
        offset = 0; /* truncated or replaced while nobody looked */
    if (rc == OK && offset != 0)
        rc = look_at_head(t, &skip, err);
    if (rc != OK) {
        file_close(&t->fd);
        mem_free(t);
        return rc;
    }
    t->id = st.id;
    t->offset = offset;
    t->seen_size = offset;
    t->was_told = true;
    t->window = window_new(post, f->loop, (int64_t)offset, on_moved, t);
    if (is_cut && offset != 0) {
        t->cut_from = (int64_t)offset;
        t->cut_to = INT64_MAX;
    }
    if (f->reader->watcher != NULL)
        t->watch = watch_new(f->reader->watcher, path, on_watch, t);
    *out = t;
    return OK;
}

static void count_lost(struct tail *t, enum lost_bytes why, uint64_t bytes)
{
    metric_add(t->follower->source->lost[why], (double)bytes);
}

void tail_close_file(struct tail *t, enum lost_bytes why)
{
    if (t->fd < 0)
        return;
    if (why != LOST_BYTES_COUNT && t->seen_size > t->offset)
        count_lost(t, why, t->seen_size - t->offset);
    claims_drop(t->follower, &t->id, t->offset, &t->mark, t->is_gone);
    watch_free(t->watch);
    t->watch = NULL;
    file_close(&t->fd);
}

void tail_free(struct tail *t)
{
    if (t == NULL)
        return;
    tail_close_file(t, LOST_BYTES_COUNT);
    atomic_fetch_sub(&t->follower->source->in_flight, t->charged);
    window_set_owner(t->window, NULL, NULL);
    window_unref(t->window);
    mem_free(t);
}

bool tail_is_settled(const struct tail *t)
{
    return window_unsettled_entries(t->window) == 0 && window_settled(t->window) == window_read(t->window);
}

uint64_t tail_settled_offset(const struct tail *t)
{
    int64_t settled = window_settled(t->window);

    return settled >= t->base ? (uint64_t)(settled - t->base) : 0;
}

bool tail_is_inside_line(const struct tail *t)
{
    int64_t settled = window_settled(t->window);

    return t->cut_from >= 0 && settled >= t->cut_from && settled < t->cut_to;
}

/* Everything before is gone: on from the start of the file. Positions go on rising. */
static void start_over(struct tail *t, uint64_t old_size)
{
    if (old_size > t->offset)
        count_lost(t, LOST_TRUNCATED, old_size - t->offset);
    log_info(host_id(t->follower->source->host), "a file was truncated: read from its start",
             log_str("path", t->follower->path),
             log_int("unread_bytes", old_size > t->offset ? (int64_t)(old_size - t->offset) : 0));
    t->base = window_read(t->window);
    t->offset = 0;
    t->mark.n = 0;
    t->part_bytes = 0;
    t->encoding = t->follower->options.encoding;
    if (t->cut_to == INT64_MAX)
        t->cut_to = t->base;
    record_write(t->follower);
}

/* An entry was abandoned (no memory further on): what is not settled is read again. */
static void read_again(struct tail *t)
{
    uint64_t from = tail_settled_offset(t);

    log_warn(host_id(t->follower->source->host), "lines were not taken further on: read again",
             log_str("path", t->follower->path), log_int("from_offset", (int64_t)from));
    if (tail_is_inside_line(t)) {
        t->cut_from = (int64_t)from;
        t->cut_to = INT64_MAX;
    } else {
        t->cut_from = t->cut_to = -1;
    }
    window_set_owner(t->window, NULL, NULL);
    window_unref(t->window);
    t->window = window_new(post, t->follower->loop, (int64_t)from, on_moved, t);
    t->base = 0;
    t->offset = from;
    t->mark.n = 0;
    t->part_bytes = 0;
    charge(t);
}

/* Written to since the last look, yet no longer: was it truncated and filled to the same size? */
static bool was_filled_anew(const struct tail *t, const struct file_stat *st)
{
    char bytes[MARK_BYTES];
    struct error err = {0};
    size_t got;

    if (st->mtime_ns == t->seen_mtime_ns || t->mark.n == 0 || t->offset < t->mark.n)
        return false;
    return file_read_at(t->fd, t->offset - t->mark.n, bytes, t->mark.n, &got, &err) == OK &&
           (got < t->mark.n || memcmp(bytes, t->mark.bytes, t->mark.n) != 0);
}

static void note_size(struct tail *t, const struct file_stat *st)
{
    int64_t now = loop_now_ms(t->follower->loop);
    uint64_t old = t->seen_size;

    if (st->size_bytes != old) {
        t->quiet_since_ms = now;
        t->was_active = true;
        t->missed += !t->was_told;
        metric_set(t->follower->file_bytes, (double)st->size_bytes);
    }
    t->was_told = false;
    t->seen_size = st->size_bytes;
    if (st->links == 0 && !t->is_gone) {
        t->is_gone = true;
        t->gone_since_ms = now;
    }
    if (st->size_bytes < t->offset || (st->size_bytes == t->offset && was_filled_anew(t, st)))
        start_over(t, old);
    t->seen_mtime_ns =
        clock_wall_ns(host_clock(t->follower->source->host)) - st->mtime_ns > FRESH_NS ? st->mtime_ns : 0;
}

static bool may_read(struct tail *t, size_t bytes)
{
    struct file_source *s = t->follower->source;

    if (t->charged >= LIMIT_SOURCE_FILE_BYTES)
        return false;
    if (atomic_load(&s->in_flight) >= LIMIT_SOURCE_BYTES)
        return false;
    return admission_ask(s->admission, bytes) == ADMIT;
}

/* The last bytes before the new offset; text follows the old mark in one block. */
static void set_mark(struct tail *t, struct slice text, size_t taken)
{
    size_t have = t->mark.n + taken, n = have < MARK_BYTES ? have : MARK_BYTES;
    char bytes[MARK_BYTES];

    memcpy(bytes, text.ptr + taken - n, n);
    memcpy(t->mark.bytes, bytes, n);
    t->mark.n = (unsigned)n;
}

static void advance(struct tail *t, size_t taken)
{
    t->offset += taken;
    t->part_bytes = 0;
    t->was_active = true;
    metric_set(t->follower->read_bytes, (double)t->offset);
}

static void count_lines(struct tail *t, const struct line_counts *counts)
{
    struct follower *f = t->follower;

    ledger_created(host_ledger(f->source->host), counts->lines);
    metric_add(f->read_lines, counts->lines);
    if (counts->repaired_bytes == 0)
        return;
    metric_add(f->source->repaired, (double)counts->repaired_bytes);
    metric_inc(f->encoding_failures);
}

/* Pushes the lines of text, which lies in the block; the block goes with the batch. False: no memory, nothing was
 * taken. */
static bool push(struct tail *t, char *take_block, size_t block_bytes, struct slice text)
{
    struct follower *f = t->follower;
    struct log_batch *b = log_batch_new();
    int64_t ts = clock_wall_ns(host_clock(f->source->host));
    struct line_counts counts = {0};
    uint32_t labels;

    if (b == NULL) {
        mem_free(take_block);
        return false;
    }
    arena_adopt(&b->base.arena, take_block, block_bytes);
    b->base.affinity = f->affinity;
    if (ts <= f->last_ts_ns)
        ts = f->last_ts_ns + 1; /* a stream's time never goes back */
    labels = batch_take_labels(&b->base, labels_ref(f->labels));
    if (labels == UINT32_MAX || lines_add(b, labels, text, t->encoding, &ts, &counts) != OK ||
        batch_span(&b->base, NULL, b->n) != OK) {
        batch_unref(&b->base);
        return false;
    }
    set_mark(t, text, text.len);
    advance(t, text.len);
    f->last_ts_ns = ts - 1;
    b->base.spans[0].ticket = window_open(t->window, t->base + (int64_t)t->offset, b->n);
    charge(t);
    count_lines(t, &counts);
    fanout_push_logs(f->source->to, b);
    return true;
}

/* Inside a line whose start was sent: on to its end. */
static void skip_line(struct tail *t, struct slice text)
{
    size_t end = lines_first_end(text, t->encoding), n = end != 0 ? end : text.len;

    set_mark(t, text, n);
    advance(t, n);
    count_lost(t, LOST_LINE, n);
    if (end != 0)
        t->cut_to = t->base + (int64_t)t->offset;
    window_skip(t->window, t->base + (int64_t)t->offset);
    charge(t);
}

/* A line over the limit: its start is sent, the rest skipped. */
static bool push_cut(struct tail *t, char *take_block, size_t block_bytes, struct slice text)
{
    log_warn(host_id(t->follower->source->host), "a line is over the limit and was cut",
             log_str("path", t->follower->path), log_int("limit_bytes", LIMIT_LINE_BYTES));
    text = slice_head(text, lines_cut(text, LIMIT_LINE_BYTES, t->encoding));
    if (!push(t, take_block, block_bytes, text))
        return false;
    t->cut_from = t->base + (int64_t)t->offset;
    t->cut_to = INT64_MAX;
    return true;
}

/* What to do with bytes that were read; takes the block. is_all: they go to the end of the file. */
static enum tail_state take(struct tail *t, char *take_block, size_t block_bytes, struct slice text, bool is_all,
                            bool with_rest)
{
    size_t complete;

    if (t->cut_to == INT64_MAX) {
        skip_line(t, text);
        mem_free(take_block);
        return TAIL_MORE;
    }
    complete = lines_complete(text, t->encoding);
    if (complete == 0 && text.len > LIMIT_LINE_BYTES)
        return push_cut(t, take_block, block_bytes, text) ? TAIL_MORE : TAIL_BLOCKED;
    if (complete == 0 && is_all && with_rest)
        complete = text.len;
    if (complete != 0)
        return push(t, take_block, block_bytes, slice_head(text, complete)) ? TAIL_MORE : TAIL_BLOCKED;
    t->part_bytes = text.len;
    mem_free(take_block);
    return TAIL_END;
}

/* Up to want bytes at offset, the mark in front of them. AGAIN: the mark differs, the file was filled anew. */
static enum code read_block(struct tail *t, size_t want, char **out, struct slice *text, struct error *err)
{
    size_t n_mark = t->mark.n, got;
    char *block = mem_try_alloc(n_mark + want);
    enum code rc = OK;

    *out = NULL;
    if (block == NULL)
        return NOMEM;
    rc = file_read_at(t->fd, t->offset - n_mark, block, n_mark + want, &got, err);
    if (rc == OK && (got < n_mark || memcmp(block, t->mark.bytes, n_mark) != 0))
        rc = AGAIN;
    if (rc != OK) {
        mem_free(block);
        return rc;
    }
    *out = block;
    *text = slice_make(block + n_mark, got - n_mark);
    return OK;
}

/* Reads the start of the file when it is still to come. False: cannot be read (said). */
static bool pass_head(struct tail *t)
{
    struct error err = {0};
    size_t skip;

    if (t->offset != 0)
        return true;
    if (look_at_head(t, &skip, &err) != OK) {
        follower_say(t->follower, "a file cannot be read", err.text);
        return false;
    }
    if (skip != 0) {
        t->offset = skip;
        window_skip(t->window, t->base + (int64_t)skip);
    }
    return true;
}

static enum tail_state read_chunk(struct tail *t, bool with_rest)
{
    struct file_stat st;
    struct error err = {0};
    struct slice text;
    uint64_t left, size_before = t->seen_size;
    char *block;
    enum code rc;

    if (file_stat_fd(t->fd, &st, &err) != OK) {
        follower_say(t->follower, "a file cannot be read", err.text);
        return TAIL_BROKEN;
    }
    note_size(t, &st);
    if (window_is_stopped(t->window)) {
        if (window_unsettled_entries(t->window) != 0)
            return TAIL_BLOCKED;
        read_again(t);
    }
    if (st.size_bytes != 0 && !pass_head(t))
        return TAIL_BROKEN;
    left = st.size_bytes > t->offset ? st.size_bytes - t->offset : 0;
    if (left == 0 || (left == t->part_bytes && !with_rest))
        return TAIL_END;
    for (size_t want = LIMIT_SOURCE_CHUNK_BYTES;; want = LONGEST_READ) {
        want = left < want ? (size_t)left : want;
        if (!may_read(t, want))
            return TAIL_BLOCKED;
        rc = read_block(t, want, &block, &text, &err);
        if (rc != OK || want == left || want == LONGEST_READ || t->cut_to == INT64_MAX ||
            lines_complete(text, t->encoding) != 0)
            break;
        mem_free(block); /* a line longer than the chunk: once more, with room for the longest */
    }
    if (rc == AGAIN) {
        start_over(t, size_before);
        return TAIL_MORE;
    }
    if (rc == NOMEM)
        return TAIL_BLOCKED;
    if (rc != OK) {
        follower_say(t->follower, "a file cannot be read", err.text);
        return TAIL_BROKEN;
    }
    return take(t, block, t->mark.n + text.len, text, text.len == left, with_rest);
}

enum tail_state tail_read(struct tail *t, bool with_rest)
{
    enum tail_state state = TAIL_MORE;

    if (t->fd < 0)
        return TAIL_END;
    for (unsigned i = 0; i < CHUNKS_PER_TURN && state == TAIL_MORE; i++)
        state = read_chunk(t, with_rest);
    return state;
}
