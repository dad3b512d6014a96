/* Lines of one container: to batches, and how far the destinations have them. Kept under two keys:
 *
 *     ? path: cursor-<id>            Alloy's: seconds
 *       labels: '{app="a"}'
 *     : "1763708400"
 *     ? path: cursor-docker-<id>     nanoseconds of stdout and of stderr
 *       labels: ''
 *     : "1763708400123456789 0"
 */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_docker/source_docker.h"
#include "agent/text/utf8.h"
#include <inttypes.h>
#include <stdio.h>

enum { KEY_BYTES = 128 };
/* stdout and stderr are written to the log by two hands: a line may stand after one that is a little newer. */
#define OVERLAP_NS ((int64_t)2 * NS_PER_S)

struct docker_mark {
    struct list link;
    int64_t batch;
    struct stamps read;
    int64_t bytes;
};

static void post(void *loop, void (*fn)(void *), void *arg)
{
    loop_post(loop, fn, arg);
}

static struct slice put_key(char *out, const char *prefix, const struct tailer *f)
{
    (void)snprintf(out, KEY_BYTES, "%s%s", prefix, f->id);
    return slice_str(out);
}

static void write_position(struct tailer *f)
{
    char key[KEY_BYTES], text[64];
    int64_t out = f->settled.ns[DOCKER_STDOUT], err = f->settled.ns[DOCKER_STDERR];

    (void)snprintf(text, sizeof text, "%" PRId64 " %" PRId64, out, err);
    positions_set_text(f->source->positions, put_key(key, "cursor-docker-", f), (struct slice){0}, slice_str(text));
    positions_set(f->source->positions, put_key(key, "cursor-", f), slice_str(f->labels_text),
                  (out > err ? out : err) / NS_PER_S);
}

static bool read_own(struct tailer *f, struct stamps *to)
{
    char key[KEY_BYTES];
    struct slice out, err;
    struct buf text;
    bool is_there;

    buf_init(&text, 64);
    is_there = positions_get_text(f->source->positions, put_key(key, "cursor-docker-", f), (struct slice){0}, &text) &&
               slice_cut(buf_slice(&text), ' ', &out, &err) && slice_to_i64(out, &to->ns[DOCKER_STDOUT]) &&
               slice_to_i64(err, &to->ns[DOCKER_STDERR]);
    buf_release(&text);
    return is_there;
}

/* Alloy's seconds: that second may not be read to its end, so it comes again. */
static void read_position(struct tailer *f, struct stamps *to)
{
    char key[KEY_BYTES];
    int64_t seconds;

    *to = (struct stamps){0};
    if (read_own(f, to))
        return;
    *to = (struct stamps){0};
    if (positions_get(f->source->positions, put_key(key, "cursor-", f), slice_str(f->labels_text), &seconds) &&
        seconds > 0 && seconds < INT64_MAX / NS_PER_S)
        to->ns[DOCKER_STDOUT] = to->ns[DOCKER_STDERR] = seconds * NS_PER_S - 1;
}

void entries_forget(struct tailer *f)
{
    char key[KEY_BYTES];

    positions_remove(f->source->positions, put_key(key, "cursor-docker-", f), (struct slice){0});
    positions_remove(f->source->positions, put_key(key, "cursor-", f), slice_str(f->labels_text));
}

/* ---- settled ---- */

static void charge(struct tailer *f, int64_t bytes)
{
    f->unsettled_bytes += bytes;
    atomic_fetch_add(&f->source->in_flight, bytes);
}

static void on_moved(void *arg, int64_t position)
{
    struct tailer *f = arg;

    while (!list_is_empty(&f->marks)) {
        struct docker_mark *m = CONTAINER_OF(f->marks.next, struct docker_mark, link);

        if (m->batch > position)
            break;
        f->settled = m->read;
        charge(f, -m->bytes);
        list_remove(&m->link);
        mem_free(m);
    }
    write_position(f);
    tailer_wake(f, 0);
}

static void free_marks(struct tailer *f)
{
    LIST_EACH_SAFE (it, &f->marks) {
        struct docker_mark *m = CONTAINER_OF(it, struct docker_mark, link);

        charge(f, -m->bytes);
        list_remove(it);
        mem_free(m);
    }
}

void entries_init(struct tailer *f)
{
    list_init(&f->marks);
    read_position(f, &f->settled);
    f->read = f->settled;
    f->n_batches = 0;
    f->window = window_new(post, f->loop, 0, on_moved, f);
}

void entries_release(struct tailer *f)
{
    entries_drop(f);
    free_marks(f);
    window_set_owner(f->window, NULL, NULL);
    window_unref(f->window);
    f->window = NULL;
}

void entries_read_again(struct tailer *f)
{
    entries_drop(f);
    free_marks(f);
    window_set_owner(f->window, NULL, NULL);
    window_unref(f->window);
    f->read = f->settled;
    f->n_batches = 0;
    f->window = window_new(post, f->loop, 0, on_moved, f);
}

bool entries_are_settled(const struct tailer *f)
{
    return list_is_empty(&f->marks);
}

bool entries_may_read(struct tailer *f)
{
    return f->unsettled_bytes < LIMIT_SOURCE_FILE_BYTES && atomic_load(&f->source->in_flight) < LIMIT_SOURCE_BYTES &&
           admission_ask(f->source->admission, LIMIT_SOURCE_CHUNK_BYTES) == ADMIT;
}

void entries_since(const struct tailer *f, struct buf *out)
{
    int64_t a = f->read.ns[0], b = f->read.ns[1], since = (a > b ? a : b) - OVERLAP_NS;

    if (since > 0)
        (void)buf_printf(out, "&since=%" PRId64 ".%09d", since / NS_PER_S, (int)(since % NS_PER_S));
}

/* ---- taken ---- */

void entries_drop(struct tailer *f)
{
    if (f->batch != NULL)
        batch_unref(&f->batch->base);
    f->batch = NULL;
    f->n_dropped = 0;
    f->batch_bytes = 0;
    f->is_batch_broken = false;
}

static void begin_batch(struct tailer *f)
{
    f->batch = log_batch_new();
    f->batch_read = f->read;
    f->label_index[DOCKER_STDOUT] = f->label_index[DOCKER_STDERR] = UINT32_MAX;
    if (f->batch != NULL)
        f->batch->base.affinity = f->affinity;
}

static bool add_entry(struct tailer *f, const struct docker_line *line)
{
    struct log_batch *b = f->batch;
    uint32_t *labels = &f->label_index[line->source];
    struct slice text = arena_copy(&b->base.arena, line->text);
    size_t n_repaired = 0;

    if (text.ptr == NULL && line->text.len != 0)
        return false;
    if (utf8_repair_arena(&b->base.arena, text, &text, &n_repaired) != OK)
        return false;
    if (*labels == UINT32_MAX)
        *labels = batch_take_labels(&b->base, labels_ref(f->labels[line->source]));
    return *labels != UINT32_MAX && log_batch_add(b, *labels, line->ts_ns, text, NULL, 0) == OK;
}

void entries_take(void *arg, const struct docker_line *line)
{
    struct tailer *f = arg;

    if (f->is_batch_broken)
        return;
    if (f->batch == NULL)
        begin_batch(f);
    if (f->batch == NULL) {
        f->is_batch_broken = true;
        return;
    }
    if (line->ts_ns <= f->batch_read.ns[line->source])
        return; /* read before */
    if (f->labels[line->source] == NULL)
        f->n_dropped++;
    else if (!add_entry(f, line))
        f->is_batch_broken = true;
    f->batch_read.ns[line->source] = line->ts_ns;
    f->batch_bytes += line->text.len;
}

static void add_mark(struct tailer *f)
{
    struct docker_mark *m = mem_zalloc(sizeof *m);

    *m = (struct docker_mark){.batch = ++f->n_batches, .read = f->batch_read, .bytes = (int64_t)f->batch_bytes};
    list_add_tail(&f->marks, &m->link);
    charge(f, m->bytes);
    f->read = f->batch_read;
}

bool entries_push(struct tailer *f)
{
    struct log_batch *b = f->batch;
    uint64_t n_dropped = f->n_dropped, n;

    if (f->is_batch_broken || (b != NULL && b->n != 0 && batch_span(&b->base, NULL, b->n) != OK)) {
        entries_drop(f);
        return false;
    }
    if (b == NULL || (b->n == 0 && n_dropped == 0)) {
        entries_drop(f);
        return true;
    }
    n = b->n;
    f->n_lines_now += n + n_dropped;
    ledger_created(host_ledger(f->source->host), n + n_dropped);
    if (n_dropped != 0)
        ledger_dropped(host_ledger(f->source->host), DROP_RULE, n_dropped);
    add_mark(f);
    f->batch = NULL;
    f->n_dropped = 0;
    f->batch_bytes = 0;
    if (n == 0) {
        batch_unref(&b->base);
        window_skip(f->window, f->n_batches);
        return true;
    }
    metric_add(f->source->entries, (double)n);
    b->base.spans[0].ticket = window_open(f->window, f->n_batches, n);
    fanout_push_logs(f->source->to, b);
    return true;
}
