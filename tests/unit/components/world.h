/* Runs components alone by their River text, against a sink that keeps every line and settles when told. */
#ifndef TESTS_UNIT_COMPONENTS_WORLD_H
#define TESTS_UNIT_COMPONENTS_WORLD_H
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/delivery/positions.h"
#include "agent/io/http_client.h"
#include "agent/runtime/runtime.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { WORLD_LOOPS = 2, WORLD_WAIT_MS = 20000, SINK_BATCHES = 65536 };

/* --- the sink: test.sink "out" {} ------------------------------------------------------------------------------- */

struct sink_line {
    char *line; /* owned */
    size_t len;
    int64_t ts_ns;
    char *labels; /* owned */
};

/* One per process: the tests run one world at a time. */
static struct {
    pthread_mutex_t lock;
    struct sink_line *lines; /* owned */
    size_t n, cap;
    struct log_batch *held[SINK_BATCHES];
    size_t n_held, n_bytes_held;
    bool holds; /* settles only when told */
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct sink_component {
    struct host *host;
    struct receiver receiver;
};

static void sink_settle(struct sink_component *c, struct log_batch *b)
{
    ledger_out(host_ledger(c->host), b->n);
    batch_settle(&b->base, host_id(c->host), SETTLED_ACKED, DROP_RULE, NULL);
    batch_unref(&b->base);
}

static struct sink_component *sink_now;

static void sink_push(void *self, struct log_batch *take)
{
    struct sink_component *c = self;
    bool is_held;

    pthread_mutex_lock(&sink.lock);
    is_held = sink.holds;
    for (uint32_t i = 0; i < take->n; i++) {
        const struct log_entry *e = &take->entries[i];
        struct buf labels;
        size_t len;

        if (sink.n == sink.cap) {
            sink.cap = sink.cap != 0 ? sink.cap * 2 : 1024;
            sink.lines = mem_realloc(sink.lines, sink.cap * sizeof *sink.lines);
        }
        buf_init(&labels, 65536);
        assert_int_equal(labels_write(take->base.labels[e->labels], &labels), OK);
        sink.lines[sink.n++] = (struct sink_line){mem_strndup(e->line), e->line.len, e->ts_ns, buf_take(&labels, &len)};
    }
    if (is_held) {
        sink.n_bytes_held += take->base.arena.bytes;
        sink.held[sink.n_held++] = take;
        ledger_held(host_ledger(c->host), take->n);
    }
    pthread_mutex_unlock(&sink.lock);
    if (!is_held)
        sink_settle(c, take);
}

/* Settles what is held; holds says what happens from now on. */
static inline void sink_release(bool holds)
{
    struct log_batch *held[256];
    size_t n;

    do {
        pthread_mutex_lock(&sink.lock);
        sink.holds = holds;
        n = sink.n_held < 256 ? sink.n_held : 256;
        memcpy(held, sink.held, n * sizeof *held);
        memmove(sink.held, sink.held + n, (sink.n_held - n) * sizeof *held);
        sink.n_held -= n;
        pthread_mutex_unlock(&sink.lock);
        for (size_t i = 0; i < n; i++) {
            ledger_held(host_ledger(sink_now->host), -(int64_t)held[i]->n);
            sink_settle(sink_now, held[i]);
        }
    } while (n != 0);
}

/* As a destination that never answered before the process ended. */
static inline void sink_abandon(void)
{
    pthread_mutex_lock(&sink.lock);
    for (size_t i = 0; i < sink.n_held; i++) {
        ledger_held(host_ledger(sink_now->host), -(int64_t)sink.held[i]->n);
        ledger_dropped(host_ledger(sink_now->host), DROP_SHUTDOWN, sink.held[i]->n);
        batch_settle(&sink.held[i]->base, "test", SETTLED_ABANDONED, DROP_SHUTDOWN, NULL);
        batch_unref(&sink.held[i]->base);
    }
    sink.n_held = 0;
    pthread_mutex_unlock(&sink.lock);
}

static inline void sink_forget(void)
{
    pthread_mutex_lock(&sink.lock);
    for (size_t i = 0; i < sink.n; i++) {
        mem_free(sink.lines[i].line);
        mem_free(sink.lines[i].labels);
    }
    mem_free(sink.lines);
    sink.lines = NULL;
    sink.n = sink.cap = 0;
    pthread_mutex_unlock(&sink.lock);
}

static inline size_t sink_count(void)
{
    pthread_mutex_lock(&sink.lock);
    size_t n = sink.n;
    pthread_mutex_unlock(&sink.lock);
    return n;
}

struct sink_args {
    struct river_targets targets; /* what a test wants to see of exports */
};
static char sink_targets[65536];

static void sink_keep_targets(const struct sink_args *a)
{
    size_t at = 0;

    pthread_mutex_lock(&sink.lock);
    sink_targets[0] = '\0';
    for (size_t i = 0; i < a->targets.n; i++) {
        for (size_t k = 0; k < a->targets.items[i].n && at < sizeof sink_targets; k++)
            at += (size_t)snprintf(sink_targets + at, sizeof sink_targets - at, "%.*s=%.*s;",
                                   SLICE_ARG(a->targets.items[i].items[k].name),
                                   SLICE_ARG(a->targets.items[i].items[k].value));
        at += at < sizeof sink_targets ? (size_t)snprintf(sink_targets + at, sizeof sink_targets - at, "\n") : 0;
    }
    pthread_mutex_unlock(&sink.lock);
}

static enum code sink_create(void **out, struct host *host, const void *args, struct error *err)
{
    struct sink_component *c = mem_zalloc(sizeof *c);

    (void)err;
    sink_keep_targets(args);
    c->host = host;
    c->receiver = (struct receiver){.kind = RECEIVES_LOGS, .self = c, .push = {.logs = sink_push}};
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    sink_now = c;
    *out = c;
    return OK;
}

static enum code sink_update(void *self, const void *args, struct error *err)
{
    (void)self;
    (void)err;
    sink_keep_targets(args);
    return OK;
}

static void sink_close(void *self, loop_fn done, void *arg)
{
    sink_abandon();
    mem_free(self);
    done(arg);
}

static const struct river_field sink_fields[] = {
    {.name = "targets", .kind = RIVER_TARGETS, .offset = offsetof(struct sink_args, targets), .doc = "looked at"},
    RIVER_FIELDS_END,
};
static const struct river_block sink_block = {
    .name = "test.sink", .fields = sink_fields, .size = sizeof(struct sink_args), .doc = "for tests"};
static const struct component_export sink_exports[] = {{"receiver", "LogsReceiver", "takes logs"}, {NULL, NULL, NULL}};
static const struct component_type component_test_sink = {.name = "test.sink",
                                                          .doc = "ends",
                                                          .args = &sink_block,
                                                          .exports = sink_exports,
                                                          .is_sink = true,
                                                          .create = sink_create,
                                                          .update = sink_update,
                                                          .close = sink_close};

/* --- the world --------------------------------------------------------------------------------------------------- */

struct world {
    struct loops *loops;
    struct metrics *metrics;
    struct positions *positions;
    struct http_client *http[WORLD_LOOPS + 1];
    struct runtime *rt;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_done;
    bool is_ok;
    char errors[8192];
    const char *text;
};

static void world_done(void *arg)
{
    struct world *w = arg;

    pthread_mutex_lock(&w->lock);
    w->n_done++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static inline void world_wait(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->n_done == 0)
        pthread_cond_wait(&w->changed, &w->lock);
    w->n_done--;
    pthread_mutex_unlock(&w->lock);
}

static void *world_run(void *arg)
{
    loops_run(((struct world *)arg)->loops);
    return NULL;
}

struct world_step {
    struct world *w;
    struct loop *loop;
};

static void world_make_client(void *arg)
{
    struct world_step *s = arg;
    struct error err = {0};

    assert_int_equal(http_client_new(&s->w->http[loop_index(s->loop)], s->loop, &err), OK);
    world_done(s->w);
}

static void world_free_client(void *arg)
{
    struct world_step *s = arg;

    http_client_free(s->w->http[loop_index(s->loop)]);
    world_done(s->w);
}

static inline void world_on_loops(struct world *w, loop_fn fn)
{
    for (unsigned i = 0; i <= WORLD_LOOPS; i++) {
        struct world_step s = {w, i < WORLD_LOOPS ? loops_worker(w->loops, i) : loops_control(w->loops)};

        loop_post(s.loop, fn, &s);
        world_wait(w);
    }
}

static inline void world_begin(struct world *w, const struct component_type *const *types, const char *storage_path)
{
    struct error err = {0};

    *w = (struct world){.metrics = metrics_new(), .positions = positions_new(clock_system())};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    assert_int_equal(loops_new(&w->loops, WORLD_LOOPS, &err), OK);
    assert_int_equal(pthread_create(&w->thread, NULL, world_run, w), 0);
    world_on_loops(w, world_make_client);
    w->rt = runtime_new(&(struct runtime_options){.types = types,
                                                  .loops = w->loops,
                                                  .metrics = w->metrics,
                                                  .clock = clock_system(),
                                                  .storage_path = storage_path,
                                                  .positions = w->positions,
                                                  .http = w->http,
                                                  .listen_addr = "127.0.0.1:12345",
                                                  .memory_addr = "alloy.internal:12345",
                                                  .queue_bytes = 1000});
}

static void world_loaded(void *ctx, const struct load_result *result)
{
    struct world *w = ctx;
    struct buf text;

    w->is_ok = result->is_ok;
    buf_init(&text, sizeof w->errors - 1);
    diags_print(&text, result->diags, false);
    memcpy(w->errors, text.len > 0 ? text.ptr : "", text.len);
    w->errors[text.len] = '\0';
    buf_release(&text);
    world_done(w);
}

static void world_load_now(void *arg)
{
    struct world *w = arg;

    runtime_load(w->rt, &(struct config_text){"test.river", slice_str(w->text)}, 1, world_loaded, w);
}

static inline bool world_load(struct world *w, const char *text)
{
    w->text = text;
    loop_post(loops_control(w->loops), world_load_now, w);
    world_wait(w);
    return w->is_ok;
}

static void world_stop_now(void *arg)
{
    struct world *w = arg;

    runtime_stop(w->rt, 400, 4000, world_done, w);
}

static inline void world_end(struct world *w)
{
    loop_post(loops_control(w->loops), world_stop_now, w);
    world_wait(w);
    assert_true(runtime_is_clean(w->rt));
    world_on_loops(w, world_free_client);
    loops_stop(w->loops);
    pthread_join(w->thread, NULL);
    loops_free(w->loops);
    runtime_free(w->rt);
    positions_free(w->positions);
    metrics_free(w->metrics);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
}

/* Waits until fn says so; the test fails when it never does. */
static inline void wait_until(bool (*fn)(void *arg), void *arg)
{
    int64_t end = clock_mono_ns(clock_system()) + (int64_t)WORLD_WAIT_MS * NS_PER_MS;

    while (!fn(arg)) {
        assert_true(clock_mono_ns(clock_system()) < end);
        usleep(2000);
    }
}

static bool world_has_lines(void *arg)
{
    return sink_count() >= *(size_t *)arg;
}

static inline void wait_lines(size_t n)
{
    wait_until(world_has_lines, &n);
    assert_int_equal(sink_count(), n);
}

/* The value of a self-metric whose line starts with name and contains part. -1: there is none. */
static inline double world_metric(struct world *w, const char *name, const char *part)
{
    struct buf text;
    double value = -1;

    buf_init(&text, 1 << 22);
    runtime_write_metrics(w->rt, &text);
    (void)buf_add_char(&text, '\0');
    for (char *line = text.ptr, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (strncmp(line, name, strlen(name)) == 0 && strstr(line, part) != NULL && strrchr(line, ' ') != NULL)
            value = strtod(strrchr(line, ' ') + 1, NULL);
    }
    buf_release(&text);
    return value;
}

static bool world_is_balanced(void *arg)
{
    struct world *w = arg;
    int64_t difference, held;

    runtime_ledger_totals(w->rt, &difference, &held);
    return difference == 0;
}

/* The books are exact only while nothing runs: soon. */
static inline void world_balanced(struct world *w)
{
    wait_until(world_is_balanced, w);
}

/* --- files -----------------------------------------------------------------------------------------------------------
 */

static inline void write_file(const char *path, const char *mode, const void *bytes, size_t n)
{
    FILE *f = fopen(path, mode);

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void append(const char *path, const char *text)
{
    write_file(path, "a", text, strlen(text));
}
#endif
