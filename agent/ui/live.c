#include "agent/ui/live.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include "agent/model/batch_lines.h"
#include "agent/text/json.h"
#include "agent/ui/redact.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    TICK_MS = 250,
    IDLE_MS = 5000,         /* then a byte is sent, to see whether the reader is still there */
    REDACTOR_MS = 5000,     /* the configuration's secrets are asked for again */
    LINE_BYTES = 16 * 1024, /* of one item with its labels */
    MAX_WINDOW_S = 60,
    DEFAULT_WINDOW_S = 5,
};

static const char delimiter[] = "|;|";

struct edge_count {
    char *from, *to; /* owned */
    const char *type;
    uint64_t n;
};

struct edge_counts {
    struct edge_count *items; /* owned */
    size_t n, cap;
};

struct stream {
    struct list link; /* in live.streams */
    struct live *live;
    struct http_stream *http;
    char *id, *to; /* owned; to "": any edge of id */
    bool is_rates;
    int64_t sent_ms, window_ms, window_end_ms; /* the ticks' */
    struct edge_counts last;
    struct tap tap;
    pthread_mutex_t lock; /* for all below: pushing loops and the ticks */
    struct buf queue;     /* items, each ended by a line feed */
    struct buf line;      /* one item while it is written */
    char head[256];       /* of the lines of the batch that is looked at */
    uint32_t share;       /* of 2^32: how likely an item is shown */
    uint64_t chance;      /* state of the generator */
    int64_t second;
    unsigned n_in_second;
    bool is_cut; /* not all of the batch that is looked at was shown */
    uint64_t n_left_out;
};

struct live {
    atomic_uint refs; /* the owner and what is posted */
    struct runtime *rt;
    struct loops *loops;
    pthread_mutex_t lock; /* for all below */
    struct list streams;
    unsigned n_streams;
    bool is_ending;
    struct timer *timer;       /* on the control loop, while there are streams */
    struct redactor *redactor; /* the control loop's */
    int64_t redactor_ms;
};

static int64_t now_ms(void)
{
    return clock_mono_ns(clock_system()) / NS_PER_MS;
}

/* --- what flows: on the pushing loops --- */

/* id itself, or what stands inside of it. */
static bool is_in(struct slice id, const char *owner)
{
    struct slice whole = slice_str(owner);

    return slice_starts(whole, id) && (whole.len == id.len || whole.ptr[id.len] == '/');
}

static bool is_wanted(const struct stream *s, const struct fanout *from, const struct receiver *to)
{
    struct slice id = slice_str(s->id);

    if (s->to[0] != '\0')
        return is_in(id, from->owner) && is_in(slice_str(s->to), to->owner);
    return is_in(id, from->owner) != is_in(id, to->owner);
}

/* Splitmix64: which items are shown need not be unforeseeable. */
static bool is_chosen(struct stream *s)
{
    uint64_t z = s->chance += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32) <= s->share;
}

static bool add_line(void *ctx, struct slice line)
{
    struct stream *s = ctx;

    if (s->share != UINT32_MAX && !is_chosen(s))
        return true;
    if (s->n_in_second == LIMIT_LIVE_ITEMS_PER_S || buf_reserve(&s->queue, strlen(s->head) + line.len + 1) != OK) {
        s->queue.is_full = false;
        s->is_cut = true;
        return false;
    }
    s->n_in_second++;
    buf_add_str(&s->queue, s->head);
    buf_add(&s->queue, line);
    buf_add_char(&s->queue, '\n'); /* no line has one of its own */
    return true;
}

static void see(void *ctx, const struct fanout *from, const struct receiver *to, const struct batch *b)
{
    struct stream *s = ctx;
    int64_t second = now_ms() / MS_PER_S;
    unsigned before;

    if (!is_wanted(s, from, to))
        return;
    pthread_mutex_lock(&s->lock);
    if (second != s->second)
        s->n_in_second = 0;
    s->second = second;
    before = s->n_in_second;
    s->is_cut = before == LIMIT_LIVE_ITEMS_PER_S;
    if (!s->is_cut) {
        snprintf(s->head, sizeof s->head, "[%s → %s] ", from->owner, to->owner);
        batch_each_line(&s->line, b, add_line, s);
    }
    if (s->is_cut && batch_items(b) > s->n_in_second - before)
        s->n_left_out += batch_items(b) - (s->n_in_second - before);
    pthread_mutex_unlock(&s->lock);
}

/* --- rates --- */

static void count_edge(void *ctx, const struct edge_row *row)
{
    struct edge_counts *counts = ctx;

    if (counts->n == counts->cap) {
        counts->cap = counts->cap == 0 ? 32 : 2 * counts->cap;
        counts->items = mem_realloc(counts->items, counts->cap * sizeof *counts->items);
    }
    counts->items[counts->n++] =
        (struct edge_count){mem_strdup(row->from), mem_strdup(row->to), row->type, row->n_items};
}

static void counts_release(struct edge_counts *counts)
{
    for (size_t i = 0; i < counts->n; i++) {
        mem_free(counts->items[i].from);
        mem_free(counts->items[i].to);
    }
    mem_free(counts->items);
    *counts = (struct edge_counts){0};
}

/* Edges keep their order while nothing changes; a changed edge starts anew. */
static uint64_t grown_by(const struct edge_counts *last, const struct edge_count *now, size_t hint)
{
    for (size_t k = 0; k < last->n; k++) {
        const struct edge_count *then = &last->items[(hint + k) % last->n];

        if (strcmp(then->from, now->from) == 0 && strcmp(then->to, now->to) == 0 && strcmp(then->type, now->type) == 0)
            return now->n >= then->n ? now->n - then->n : now->n;
    }
    return now->n;
}

static struct slice local_of(struct slice id, struct slice module)
{
    return module.len != 0 && is_in(module, id.ptr) && id.len > module.len ? slice_from(id, module.len + 1) : id;
}

static void write_rates(struct stream *s, struct buf *out)
{
    struct slice module = slice_str(s->id);
    struct edge_counts now = {0};
    size_t n = 0;

    runtime_each_edge(s->live->rt, count_edge, &now);
    buf_add_char(out, '[');
    for (size_t i = 0; i < now.n; i++) {
        uint64_t items = grown_by(&s->last, &now.items[i], i);

        if (items == 0 || (module.len != 0 && !is_in(module, now.items[i].from)))
            continue;
        buf_add_str(out, n++ > 0 ? ",{\"componentID\":" : "{\"componentID\":");
        json_write_string(out, local_of(slice_str(now.items[i].from), module));
        buf_add_str(out, ",\"targetComponentIDs\":[");
        json_write_string(out, local_of(slice_str(now.items[i].to), module));
        buf_printf(out, "],\"type\":\"%s\",\"rate\":", now.items[i].type);
        json_write_f64(out, (double)items * MS_PER_S / (double)s->window_ms);
        buf_add_char(out, '}');
    }
    buf_add_str(out, "]");
    buf_add_str(out, delimiter);
    counts_release(&s->last);
    s->last = now;
}

/* --- sending: on the control loop --- */

static void take_items(struct stream *s, struct buf *out)
{
    struct buf items;
    uint64_t n_left_out;

    pthread_mutex_lock(&s->lock);
    items = s->queue;
    n_left_out = s->n_left_out;
    buf_init(&s->queue, LIMIT_LIVE_QUEUE_BYTES);
    s->n_left_out = 0;
    pthread_mutex_unlock(&s->lock);
    for (struct slice rest = buf_slice(&items), line; slice_cut(rest, '\n', &line, &rest);) {
        redact(s->live->redactor, line, out); /* one by one: what looks like the start of a secret ends with its item */
        buf_add_str(out, delimiter);
    }
    if (n_left_out != 0)
        buf_printf(out, "… %" PRIu64 " more items, at most %d a second are shown%s", n_left_out, LIMIT_LIVE_ITEMS_PER_S,
                   delimiter);
    buf_release(&items);
}

static void stream_free(struct stream *s)
{
    tap_remove(&s->tap);
    http_stream_close(s->http);
    counts_release(&s->last);
    buf_release(&s->queue);
    buf_release(&s->line);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->id);
    mem_free(s->to);
    mem_free(s);
}

/* False: its reader is gone, or must not see more. */
static bool send_some(struct stream *s, int64_t now)
{
    struct buf out;
    enum code rc;

    buf_init(&out, LIMIT_HTTP_STREAM_BYTES);
    if (!s->is_rates && !runtime_is_live_debugging_on(s->live->rt)) {
        buf_printf(&out, "live debugging was disabled%s", delimiter);
        (void)!http_stream_write(s->http, buf_slice(&out));
        buf_release(&out);
        return false;
    }
    if (!s->is_rates)
        take_items(s, &out);
    if (s->is_rates && now >= s->window_end_ms) {
        write_rates(s, &out);
        s->window_end_ms = now + s->window_ms;
    }
    if (out.len == 0 && now - s->sent_ms >= IDLE_MS)
        buf_add_char(&out, '\n');
    if (out.len == 0) {
        buf_release(&out);
        return true;
    }
    s->sent_ms = now;
    rc = http_stream_write(s->http, buf_slice(&out));
    if (rc == AGAIN) { /* a slow reader: what it has not read is enough for it */
        pthread_mutex_lock(&s->lock);
        s->n_left_out++;
        pthread_mutex_unlock(&s->lock);
    }
    buf_release(&out);
    return rc != IO;
}

static void live_unref(struct live *live)
{
    if (atomic_fetch_sub(&live->refs, 1) != 1)
        return;
    redactor_free(live->redactor);
    pthread_mutex_destroy(&live->lock);
    mem_free(live);
}

static void end_all(void *arg)
{
    struct live *live = arg;

    LIST_EACH_SAFE (it, &live->streams) {
        list_remove(it);
        stream_free(CONTAINER_OF(it, struct stream, link));
    }
    timer_free(live->timer);
    live->timer = NULL;
    live_unref(live);
}

static void tick(void *arg)
{
    struct live *live = arg;
    struct list over;
    int64_t now = now_ms();

    if (live->redactor == NULL || now - live->redactor_ms >= REDACTOR_MS) {
        redactor_free(live->redactor);
        live->redactor = redactor_new(live->rt);
        live->redactor_ms = now;
    }
    list_init(&over);
    pthread_mutex_lock(&live->lock);
    LIST_EACH_SAFE (it, &live->streams) {
        if (send_some(CONTAINER_OF(it, struct stream, link), now))
            continue;
        list_remove(it);
        list_add_tail(&over, it);
        live->n_streams--;
    }
    if (live->n_streams == 0)
        timer_stop(live->timer);
    pthread_mutex_unlock(&live->lock);
    LIST_EACH_SAFE (it, &over) {
        list_remove(it);
        stream_free(CONTAINER_OF(it, struct stream, link));
    }
}

static void begin_ticks(void *arg)
{
    struct live *live = arg;
    bool is_ending;

    pthread_mutex_lock(&live->lock);
    is_ending = live->is_ending;
    pthread_mutex_unlock(&live->lock);
    if (!is_ending) {
        if (live->timer == NULL)
            live->timer = timer_new(loops_control(live->loops), tick, live);
        timer_start(live->timer, TICK_MS, TICK_MS);
    }
    live_unref(live);
}

/* --- the beginning: on the server's threads --- */

struct live *live_new(struct runtime *rt, struct loops *loops)
{
    struct live *live = mem_zalloc(sizeof *live);

    live->refs = 1;
    live->rt = rt;
    live->loops = loops;
    pthread_mutex_init(&live->lock, NULL);
    list_init(&live->streams);
    return live;
}

void live_free(struct live *live)
{
    if (live == NULL)
        return;
    pthread_mutex_lock(&live->lock);
    live->is_ending = true;
    pthread_mutex_unlock(&live->lock);
    if (loop_current() == loops_control(live->loops))
        end_all(live);
    else
        loop_post(loops_control(live->loops), end_all, live);
}

static bool has_room(struct live *live)
{
    bool is_there;

    pthread_mutex_lock(&live->lock);
    is_there = !live->is_ending && live->n_streams < LIMIT_LIVE_STREAMS;
    live->n_streams += is_there;
    pthread_mutex_unlock(&live->lock);
    return is_there;
}

/* Room is taken already. */
static void begin(struct live *live, struct http_call *call, struct stream *s)
{
    const struct http_header headers[] = {
        {SLICE_LIT("X-Content-Type-Options"), SLICE_LIT("nosniff"), false},
        {SLICE_LIT("Cache-Control"), SLICE_LIT("no-store"), false},
    };
    const struct http_reply head = {
        .status = 200, .media_type = SLICE_LIT("text/plain; charset=utf-8"), .headers = headers, .n_headers = 2};

    s->live = live;
    s->sent_ms = now_ms();
    s->window_end_ms = s->sent_ms + s->window_ms;
    s->tap = (struct tap){.see = see, .ctx = s};
    pthread_mutex_init(&s->lock, NULL);
    buf_init(&s->queue, LIMIT_LIVE_QUEUE_BYTES);
    buf_init(&s->line, LINE_BYTES);
    if (s->is_rates)
        runtime_each_edge(live->rt, count_edge, &s->last);
    s->http = http_reply_stream(call, &head);
    if (!s->is_rates)
        tap_add(&s->tap);
    pthread_mutex_lock(&live->lock);
    list_add_tail(&live->streams, &s->link);
    pthread_mutex_unlock(&live->lock);
    atomic_fetch_add(&live->refs, 1);
    loop_post(loops_control(live->loops), begin_ticks, live);
}

static void refuse_more(struct http_call *call)
{
    http_reply(call, &(struct http_reply){.status = 503,
                                          .media_type = SLICE_LIT("text/plain; charset=utf-8"),
                                          .retry_after_s = 5,
                                          .body = SLICE_LIT("too many live streams are open already\n")});
}

void live_items(struct live *live, struct http_call *call, struct slice id)
{
    struct slice share = http_call_query(call, "sampleProb");
    double probability = 1;
    struct stream *s;

    if (!runtime_is_live_debugging_on(live->rt)) {
        http_reply_text(call, 403,
                        "live debugging is disabled: write livedebugging { enabled = true } into the configuration");
        return;
    }
    if (share.len != 0 && (!slice_to_f64(share, &probability) || !(probability >= 0 && probability <= 1))) {
        http_reply_text(call, 400, "sampleProb is a number from 0 to 1");
        return;
    }
    if (!has_room(live)) {
        refuse_more(call);
        return;
    }
    s = mem_zalloc(sizeof *s);
    s->id = mem_strndup(id);
    s->to = mem_strndup(http_call_query(call, "to"));
    s->share = probability >= 1 ? UINT32_MAX : (uint32_t)(probability * UINT32_MAX);
    s->chance = (uint64_t)now_ms();
    begin(live, call, s);
}

void live_rates(struct live *live, struct http_call *call, struct slice module)
{
    struct slice window = http_call_query(call, "window");
    uint64_t seconds = DEFAULT_WINDOW_S;
    struct stream *s;

    if (window.len != 0 && (!slice_to_u64(window, &seconds) || seconds < 1 || seconds > MAX_WINDOW_S)) {
        http_reply_text(call, 400, "window is a number of seconds from 1 to 60");
        return;
    }
    if (!has_room(live)) {
        refuse_more(call);
        return;
    }
    s = mem_zalloc(sizeof *s);
    s->id = mem_strndup(module);
    s->to = mem_strdup("");
    s->is_rates = true;
    s->window_ms = (int64_t)seconds * MS_PER_S;
    begin(live, call, s);
}
