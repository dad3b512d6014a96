/* Runs one component alone, by its River text: between a fake source (test.source.logs, .metrics, .otlp) and fake sinks
 * (test.logs, test.metrics, test.otlp) that write down what they get. The test pushes batches on a worker loop, moves
 * the clock, says how the sinks settle. bench_end checks that the books balance, that every ticket was settled exactly
 * once (twice is a BUG in ticket.c) and that all was closed; ASan's leak check does the rest. */
#ifndef TESTS_UNIT_COMPONENTS_HARNESS_H
#define TESTS_UNIT_COMPONENTS_HARNESS_H
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include "agent/io/http_client.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "agent/runtime/runtime.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { BENCH_LOOPS = 2, BENCH_TYPES = 16, BENCH_HELD = 256, BENCH_TEXT_BYTES = 8 * 1024 * 1024, BENCH_WAIT_S = 20 };

static struct bench {
    struct loops *loops;
    struct metrics *metrics;
    struct runtime *rt;
    struct http_client *http[BENCH_LOOPS + 1];
    const struct component_type *types[BENCH_TYPES];
    struct clock clock;
    _Atomic int64_t wall_ns, mono_ns;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_done;
    bool is_loaded;
    char errors[8192];
    loop_fn fn;
    void *arg;

    struct buf text;             /* what the sinks got, a line per item */
    uint32_t n_items, n_batches; /* likewise */
    _Atomic int outcome;         /* enum outcome: how the sinks settle; set while loops run */
    _Atomic bool is_holding;     /* they wait for bench_release */
    struct batch *held[BENCH_HELD];
    size_t n_held;

    unsigned n_opened, n_settled; /* tickets of bench_push */
    struct ticket_result last;    /* of the ticket that was settled last */
    struct fanout *source[3];     /* of the fake sources, by enum receiver_kind */
    struct ledger *ledger[3];
    struct host *host[3];
    struct host *sink[3]; /* of the fake sinks, likewise */
} bench;

/* --- clock
 * ------------------------------------------------------------------------------------------------------------- */

static int64_t bench_wall(void *self)
{
    (void)self;
    return atomic_load(&bench.wall_ns);
}

static int64_t bench_mono(void *self)
{
    (void)self;
    return atomic_load(&bench.mono_ns);
}

static inline void bench_advance(int64_t ns)
{
    atomic_fetch_add(&bench.wall_ns, ns);
    atomic_fetch_add(&bench.mono_ns, ns);
}

/* --- sinks
 * ------------------------------------------------------------------------------------------------------------- */

static void bench_write_logs(const struct log_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        const struct log_entry *e = &b->entries[i];

        (void)labels_write(b->base.labels[e->labels], &bench.text);
        (void)buf_printf(&bench.text, " %lld %.*s", (long long)e->ts_ns, SLICE_ARG(e->line));
        for (uint32_t m = 0; m < e->n_meta; m++)
            (void)buf_printf(&bench.text, " [%.*s=%.*s]", SLICE_ARG(e->meta[m].name), SLICE_ARG(e->meta[m].value));
        (void)buf_add_char(&bench.text, '\n');
    }
}

static void bench_write_samples(const struct sample_batch *b)
{
    const uint64_t stale = STALE_NAN_BITS;

    for (uint32_t i = 0; i < b->n_metadata; i++)
        (void)buf_printf(&bench.text, "# %.*s %d %.*s\n", SLICE_ARG(b->metadata[i].family), (int)b->metadata[i].type,
                         SLICE_ARG(b->metadata[i].help));
    for (uint32_t i = 0; i < b->n; i++) {
        const struct sample *s = &b->samples[i];
        bool is_stale = memcmp(&s->value, &stale, sizeof stale) == 0;

        (void)labels_write(s->labels, &bench.text);
        if (is_stale)
            (void)buf_printf(&bench.text, " stale %lld\n", (long long)s->ts_ms);
        else
            (void)buf_printf(&bench.text, " %.10g %lld\n", s->value, (long long)s->ts_ms);
    }
    (void)buf_add_str(&bench.text, "--\n"); /* the end of a batch: a scrape is one */
}

static void bench_write_otlp(const struct otlp_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        assert_int_equal(otlp_json_write(b->signal, b->resources[i].bytes, &bench.text), OK);
        (void)buf_add_char(&bench.text, '\n');
    }
}

struct bench_component {
    struct receiver receiver;
    struct host *host;
    enum receiver_kind kind;
};

static void bench_finish(struct batch *take)
{
    enum outcome outcome = (enum outcome)bench.outcome;

    batch_settle(take, "test.sink", outcome, DROP_REJECTED, outcome == SETTLED_REJECTED ? "no" : NULL);
    batch_unref(take);
}

static void bench_take(struct bench_component *c, struct batch *take)
{
    bool is_held;

    (void)pthread_mutex_lock(&bench.lock);
    if (take->kind == BATCH_LOGS)
        bench_write_logs(CONTAINER_OF(take, struct log_batch, base));
    else if (take->kind == BATCH_SAMPLES)
        bench_write_samples(CONTAINER_OF(take, struct sample_batch, base));
    else
        bench_write_otlp(CONTAINER_OF(take, struct otlp_batch, base));
    bench.n_items += batch_items(take);
    bench.n_batches++;
    ledger_out(host_ledger(c->host), batch_items(take));
    is_held = bench.is_holding;
    if (is_held)
        bench.held[bench.n_held++] = take;
    (void)pthread_cond_broadcast(&bench.changed);
    (void)pthread_mutex_unlock(&bench.lock);
    if (!is_held)
        bench_finish(take);
}

static void bench_logs(void *self, struct log_batch *take)
{
    bench_take(self, &take->base);
}

static void bench_samples(void *self, struct sample_batch *take)
{
    bench_take(self, &take->base);
}

static void bench_otlp(void *self, struct otlp_batch *take)
{
    bench_take(self, &take->base);
}

static enum code bench_sink(void **out, struct host *host, enum receiver_kind kind)
{
    struct bench_component *c = mem_zalloc(sizeof *c);

    c->host = host;
    bench.sink[kind] = host;
    c->receiver = (struct receiver){.kind = kind, .is_sink = true, .self = c};
    if (kind == RECEIVES_LOGS)
        c->receiver.push.logs = bench_logs;
    else if (kind == RECEIVES_METRICS)
        c->receiver.push.metrics = bench_samples;
    else
        c->receiver.push.otlp = bench_otlp;
    host_receiver(host, &c->receiver);
    host_export(host, "receiver", host_receiver_value(host, &c->receiver));
    *out = c;
    return OK;
}

static enum code bench_logs_create(void **out, struct host *host, const void *args, struct error *err)
{
    (void)args;
    (void)err;
    return bench_sink(out, host, RECEIVES_LOGS);
}

static enum code bench_metrics_create(void **out, struct host *host, const void *args, struct error *err)
{
    (void)args;
    (void)err;
    return bench_sink(out, host, RECEIVES_METRICS);
}

static enum code bench_otlp_create(void **out, struct host *host, const void *args, struct error *err)
{
    (void)args;
    (void)err;
    return bench_sink(out, host, RECEIVES_OTLP);
}

static void bench_close(void *self, loop_fn done, void *arg)
{
    mem_free(self);
    done(arg);
}

/* --- sources
 * ----------------------------------------------------------------------------------------------------------- */

struct bench_args {
    struct river_capsules forward_to;
};

static enum code bench_source(void **out, struct host *host, const void *args, enum receiver_kind kind,
                              struct error *err)
{
    const struct bench_args *a = args;
    struct bench_component *c = mem_zalloc(sizeof *c);

    *out = c;
    bench.host[kind] = host;
    bench.ledger[kind] = host_ledger(host);
    return host_fanout(host, "forward_to", kind, a->forward_to.items, a->forward_to.n, &bench.source[kind], err);
}

static enum code bench_source_logs(void **out, struct host *host, const void *args, struct error *err)
{
    return bench_source(out, host, args, RECEIVES_LOGS, err);
}

static enum code bench_source_metrics(void **out, struct host *host, const void *args, struct error *err)
{
    return bench_source(out, host, args, RECEIVES_METRICS, err);
}

static enum code bench_source_otlp(void **out, struct host *host, const void *args, struct error *err)
{
    return bench_source(out, host, args, RECEIVES_OTLP, err);
}

static const struct river_field bench_no_fields[] = {RIVER_FIELDS_END};
static const struct river_block bench_no_args = {.name = "test", .fields = bench_no_fields, .size = 1, .doc = "none"};
#define BENCH_FORWARD(variable, capsule_type_)                                                                         \
    static const struct river_field variable##_fields[] = {                                                            \
        {.name = "forward_to",                                                                                         \
         .kind = RIVER_CAPSULE_LIST,                                                                                   \
         .offset = offsetof(struct bench_args, forward_to),                                                            \
         .capsule = &(capsule_type_),                                                                                  \
         .doc = "where to"},                                                                                           \
        RIVER_FIELDS_END,                                                                                              \
    };                                                                                                                 \
    static const struct river_block variable = {                                                                       \
        .name = "test", .fields = variable##_fields, .size = sizeof(struct bench_args), .doc = "a source"}
BENCH_FORWARD(bench_to_logs, capsule_logs_receiver);
BENCH_FORWARD(bench_to_metrics, capsule_metrics_receiver);
BENCH_FORWARD(bench_to_otlp, capsule_otel_consumer);
static const struct component_export bench_exports[] = {{"receiver", "Receiver", "takes all"}, {NULL, NULL, NULL}};

#define BENCH_SOURCE(variable, name_, args_, create_)                                                                  \
    static const struct component_type variable = {.name = name_,                                                      \
                                                   .doc = "a source",                                                  \
                                                   .args = &(args_),                                                   \
                                                   .is_source = true,                                                  \
                                                   .create = create_,                                                  \
                                                   .close = bench_close}
#define BENCH_SINK(variable, name_, create_)                                                                           \
    static const struct component_type variable = {.name = name_,                                                      \
                                                   .doc = "a sink",                                                    \
                                                   .args = &bench_no_args,                                             \
                                                   .exports = bench_exports,                                           \
                                                   .is_sink = true,                                                    \
                                                   .create = create_,                                                  \
                                                   .close = bench_close}
BENCH_SOURCE(bench_source_logs_type, "test.source.logs", bench_to_logs, bench_source_logs);
BENCH_SOURCE(bench_source_metrics_type, "test.source.metrics", bench_to_metrics, bench_source_metrics);
BENCH_SOURCE(bench_source_otlp_type, "test.source.otlp", bench_to_otlp, bench_source_otlp);
BENCH_SINK(bench_logs_type, "test.logs", bench_logs_create);
BENCH_SINK(bench_metrics_type, "test.metrics", bench_metrics_create);
BENCH_SINK(bench_otlp_type, "test.otlp", bench_otlp_create);

/* --- running
 * ----------------------------------------------------------------------------------------------------------- */

static void bench_signal(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&bench.lock);
    bench.n_done++;
    (void)pthread_cond_broadcast(&bench.changed);
    (void)pthread_mutex_unlock(&bench.lock);
}

static void bench_wait(void)
{
    (void)pthread_mutex_lock(&bench.lock);
    while (bench.n_done == 0)
        (void)pthread_cond_wait(&bench.changed, &bench.lock);
    bench.n_done--;
    (void)pthread_mutex_unlock(&bench.lock);
}

static void bench_call(void *arg)
{
    (void)arg;
    bench.fn(bench.arg);
    bench_signal(NULL);
}

/* fn on that loop; returns when it has run. */
static inline void bench_on(struct loop *loop, loop_fn fn, void *arg)
{
    bench.fn = fn;
    bench.arg = arg;
    loop_post(loop, bench_call, NULL);
    bench_wait();
}

static void bench_make_http(void *arg)
{
    struct loop *loop = arg;
    struct error err = {0};

    assert_int_equal(http_client_new(&bench.http[loop_index(loop)], loop, &err), OK);
}

static void bench_free_http(void *arg)
{
    http_client_free(bench.http[loop_index(arg)]);
}

static void *bench_run(void *arg)
{
    (void)arg;
    loops_run(bench.loops);
    return NULL;
}

static void bench_loaded(void *ctx, const struct load_result *result)
{
    struct buf text;

    (void)ctx;
    bench.is_loaded = result->is_ok;
    buf_init(&text, sizeof bench.errors - 1);
    diags_print(&text, result->diags, false);
    (void)snprintf(bench.errors, sizeof bench.errors, "%.*s", (int)text.len, text.len != 0 ? text.ptr : "");
    buf_release(&text);
    bench_signal(NULL);
}

static void bench_do_load(void *arg)
{
    runtime_load(bench.rt, &(struct config_text){"test.river", slice_str(arg)}, 1, bench_loaded, NULL);
}

/* True when the configuration was taken; bench.errors says why not. */
static inline bool bench_load(const char *river)
{
    loop_post(loops_control(bench.loops), bench_do_load, (void *)(uintptr_t)river);
    bench_wait();
    return bench.is_loaded;
}

static struct loop *bench_loop(unsigned i)
{
    return i < BENCH_LOOPS ? loops_worker(bench.loops, i) : loops_control(bench.loops);
}

static void bench_begin_barrier(void *arg)
{
    (void)arg;
    loops_barrier(bench.loops, bench_signal, NULL);
}

/* All that was posted has run. */
static inline void bench_settle(void)
{
    for (int i = 0; i < 3; i++) {
        loop_post(loops_control(bench.loops), bench_begin_barrier, NULL);
        bench_wait();
    }
}

/* Starts an empty agent that knows these types (up to NULL) besides the fakes. The clock stands at
 * 2026-01-01T00:00:00Z. */
static inline void bench_begin(const struct component_type *const *types)
{
    struct runtime_options options;
    struct error err = {0};
    size_t n = 0;

    bench = (struct bench){.metrics = metrics_new(), .outcome = SETTLED_ACKED};
    bench.clock = (struct clock){bench_wall, bench_mono, NULL};
    bench.wall_ns = 1767225600000000000;
    bench.mono_ns = 1000000000;
    while (types[n] != NULL) {
        bench.types[n] = types[n];
        n++;
    }
    bench.types[n++] = &bench_source_logs_type;
    bench.types[n++] = &bench_source_metrics_type;
    bench.types[n++] = &bench_source_otlp_type;
    bench.types[n++] = &bench_logs_type;
    bench.types[n++] = &bench_metrics_type;
    bench.types[n++] = &bench_otlp_type;
    bench.types[n] = NULL;
    (void)pthread_mutex_init(&bench.lock, NULL);
    (void)pthread_cond_init(&bench.changed, NULL);
    buf_init(&bench.text, BENCH_TEXT_BYTES);
    assert_int_equal(loops_new(&bench.loops, BENCH_LOOPS, &err), OK);
    options = (struct runtime_options){.types = bench.types,
                                       .loops = bench.loops,
                                       .metrics = bench.metrics,
                                       .clock = &bench.clock,
                                       .listen_addr = "127.0.0.1:12345",
                                       .memory_addr = "alloy.internal:12345",
                                       .http = bench.http,
                                       .queue_bytes = 1000000};
    bench.rt = runtime_new(&options);
    assert_int_equal(pthread_create(&bench.thread, NULL, bench_run, NULL), 0);
    for (unsigned i = 0; i <= BENCH_LOOPS; i++)
        bench_on(bench_loop(i), bench_make_http, bench_loop(i));
}

static void bench_do_stop(void *arg)
{
    (void)arg;
    runtime_stop(bench.rt, 1000, 10000, bench_signal, NULL);
}

static int64_t bench_difference(void)
{
    int64_t difference, held;

    runtime_ledger_totals(bench.rt, &difference, &held);
    return difference;
}

/* Drains and closes; what the component still held arrives at the sinks and stays readable in bench.text until
 * bench_free. */
static inline void bench_stop(void)
{
    bench_settle();
    assert_int_equal(bench_difference(), 0);
    loop_post(loops_control(bench.loops), bench_do_stop, NULL);
    bench_wait();
    assert_true(runtime_is_clean(bench.rt));
    assert_int_equal(bench.n_settled, bench.n_opened);
}

static inline void bench_free(void)
{
    for (unsigned i = 0; i <= BENCH_LOOPS; i++)
        bench_on(bench_loop(i), bench_free_http, bench_loop(i));
    loops_stop(bench.loops);
    (void)pthread_join(bench.thread, NULL);
    loops_free(bench.loops);
    runtime_free(bench.rt);
    metrics_free(bench.metrics);
    buf_release(&bench.text);
    (void)pthread_cond_destroy(&bench.changed);
    (void)pthread_mutex_destroy(&bench.lock);
}

static inline void bench_end(void)
{
    bench_stop();
    bench_free();
}

/* --- what the sinks got
 * ------------------------------------------------------------------------------------------------ */

/* All of it so far; valid until the next call or push. */
static inline const char *bench_text(void)
{
    (void)pthread_mutex_lock(&bench.lock);
    assert_int_equal(buf_reserve(&bench.text, 1), OK);
    bench.text.ptr[bench.text.len] = '\0';
    (void)pthread_mutex_unlock(&bench.lock);
    return bench.text.ptr;
}

static inline void bench_forget(void)
{
    (void)pthread_mutex_lock(&bench.lock);
    buf_reset(&bench.text);
    bench.n_items = bench.n_batches = 0;
    (void)pthread_mutex_unlock(&bench.lock);
}

static inline void bench_await_count(const uint32_t *count, uint32_t n)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += BENCH_WAIT_S;
    (void)pthread_mutex_lock(&bench.lock);
    while (*count < n && rc == 0)
        rc = pthread_cond_timedwait(&bench.changed, &bench.lock, &until);
    (void)pthread_mutex_unlock(&bench.lock);
    if (*count < n)
        fail_msg("waited for %u, got %u: %s", n, *count, bench.text.len != 0 ? bench.text.ptr : "nothing");
}

/* Wait until the sinks have got n items, or batches, since the start or bench_forget; fail after 20 s. */
static inline void bench_await(uint32_t n)
{
    bench_await_count(&bench.n_items, n);
}

static inline void bench_await_batches(uint32_t n)
{
    bench_await_count(&bench.n_batches, n);
}

static void bench_do_release(void *arg)
{
    struct batch *held[BENCH_HELD];
    size_t n;

    (void)arg;
    (void)pthread_mutex_lock(&bench.lock);
    n = bench.n_held;
    memcpy(held, bench.held, sizeof held);
    bench.n_held = 0;
    (void)pthread_mutex_unlock(&bench.lock);
    for (size_t i = 0; i < n; i++)
        bench_finish(held[i]);
}

/* Settles what the sinks hold back. */
static inline void bench_release(void)
{
    bench_on(bench_loop(0), bench_do_release, NULL);
}

struct bench_page {
    const char *id;
    char exports[65536], message[1024];
    enum health health;
};

static void bench_see(void *ctx, const struct component_row *row)
{
    struct bench_page *page = ctx;

    if (strcmp(row->id, page->id) != 0)
        return;
    page->health = row->health;
    (void)snprintf(page->message, sizeof page->message, "%s", row->message);
    (void)snprintf(page->exports, sizeof page->exports, "%.*s", (int)row->exports.len,
                   row->exports.len != 0 ? row->exports.ptr : "");
}

/* What the plain page shows of a component; valid until the next call. */
static inline const struct bench_page *bench_page(const char *id)
{
    static struct bench_page page;

    page = (struct bench_page){.id = id};
    runtime_each_component(bench.rt, bench_see, &page);
    return &page;
}

/* --- pushing
 * ----------------------------------------------------------------------------------------------------------- */

static void bench_ticket_done(void *ctx, const struct ticket_result *result)
{
    (void)ctx;
    (void)pthread_mutex_lock(&bench.lock);
    bench.n_settled++;
    bench.last = *result;
    (void)pthread_cond_broadcast(&bench.changed);
    (void)pthread_mutex_unlock(&bench.lock);
}

struct bench_delivery {
    struct batch *take;
    enum receiver_kind kind;
};

static void bench_deliver(void *arg)
{
    struct bench_delivery *d = arg;

    ledger_created(bench.ledger[d->kind], batch_items(d->take));
    if (d->kind == RECEIVES_LOGS)
        fanout_push_logs(bench.source[d->kind], CONTAINER_OF(d->take, struct log_batch, base));
    else if (d->kind == RECEIVES_METRICS)
        fanout_push_metrics(bench.source[d->kind], CONTAINER_OF(d->take, struct sample_batch, base));
    else
        fanout_push_otlp(bench.source[d->kind], CONTAINER_OF(d->take, struct otlp_batch, base));
}

/* Pushes a batch with a ticket for every `per_ticket` items (0: one for all). */
static inline void bench_push(struct batch *take, enum receiver_kind kind, uint32_t per_ticket)
{
    struct bench_delivery d = {take, kind};
    uint32_t n = batch_items(take);

    for (uint32_t i = 0; i < n;) {
        uint32_t some = per_ticket == 0 || n - i < per_ticket ? n - i : per_ticket;

        bench.n_opened++;
        assert_int_equal(batch_span(take, ticket_new(some, false, bench_ticket_done, NULL), some), OK);
        i += some;
    }
    bench_on(bench_loop(1), bench_deliver, &d);
}

struct bench_line {
    const char *labels; /* "app=x,env=y" */
    int64_t ts_ns;      /* 0: the clock's */
    const char *line;
};

static inline const struct labels *bench_labels(const char *text)
{
    struct label pairs[32];
    struct slice rest = slice_str(text), one;
    const struct labels *set;
    size_t n = 0;

    while (rest.len != 0) {
        (void)slice_cut(rest, ',', &one, &rest);
        (void)slice_cut(one, '=', &pairs[n].name, &pairs[n].value);
        n++;
    }
    set = labels_intern(pairs, n);
    assert_non_null(set);
    return set;
}

/* One batch of n lines, each with a ticket of its own. Texts are copied. */
static inline void bench_push_lines(const struct bench_line *lines, size_t n)
{
    struct log_batch *b = log_batch_new();

    for (size_t i = 0; i < n; i++) {
        uint32_t set = batch_take_labels(&b->base, bench_labels(lines[i].labels));
        struct slice line = arena_copy(&b->base.arena, slice_str(lines[i].line));

        assert_int_equal(log_batch_add(b, set, lines[i].ts_ns != 0 ? lines[i].ts_ns : bench.wall_ns, line, NULL, 0),
                         OK);
    }
    bench_push(&b->base, RECEIVES_LOGS, 1);
}

/* One batch of samples with value and time 1, 2, …; one ticket. */
static inline void bench_push_samples(const char *const *labels, size_t n)
{
    struct sample_batch *b = sample_batch_new();

    for (size_t i = 0; i < n; i++) {
        const struct labels *set = bench_labels(labels[i]);
        const struct sample s = {.labels = set, .ts_ms = (int64_t)i + 1, .value = (double)i + 1};

        assert_true(batch_take_labels(&b->base, set) != UINT32_MAX);
        assert_int_equal(sample_batch_add(b, &s), OK);
    }
    bench_push(&b->base, RECEIVES_METRICS, 0);
}

/* OTLP/JSON in, one ticket. */
static inline void bench_push_otlp(enum otlp_signal signal, const char *json)
{
    struct otlp_batch *b = otlp_batch_new(signal);
    struct error err = {0};
    struct arena scratch;
    struct slice bytes;
    struct buf wire;

    arena_init(&scratch, 0);
    buf_init(&wire, BENCH_TEXT_BYTES);
    if (otlp_json_read(signal, slice_str(json), &scratch, &wire, &err) != OK)
        fail_msg("%s", err.text);
    bytes = arena_copy(&b->base.arena, buf_slice(&wire));
    buf_release(&wire);
    arena_release(&scratch);
    if (otlp_scan(b, bytes, &err) != OK)
        fail_msg("%s", err.text);
    bench_push(&b->base, RECEIVES_OTLP, 0);
}
#endif
