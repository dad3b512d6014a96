/* Fake components that prove the contract of agent/runtime/component.h: a source with a window, one that holds, one
 * that splits with child tickets, a sink with a gate and a queue it hands on, one whose export can be changed by the
 * test. And a world to run them in: loops with the control loop on a thread of its own. */
#ifndef TESTS_UNIT_RUNTIME_FAKES_H
#define TESTS_UNIT_RUNTIME_FAKES_H
#include "agent/base/buf.h"
#include "agent/base/mem.h"
#include "agent/model/window.h"
#include "agent/runtime/runtime.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* What happened, in order: "create sink.a;start sink.a;" … */
static struct {
    pthread_mutex_t lock;
    char text[16 * 1024];
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(const char *what, const char *id)
{
    pthread_mutex_lock(&journal.lock);
    size_t len = strlen(journal.text);
    snprintf(journal.text + len, sizeof journal.text - len, "%s %s;", what, id);
    pthread_mutex_unlock(&journal.lock);
}

static bool noted(const char *what)
{
    pthread_mutex_lock(&journal.lock);
    bool is_there = strstr(journal.text, what) != NULL;
    pthread_mutex_unlock(&journal.lock);
    return is_there;
}

static void forget(void)
{
    pthread_mutex_lock(&journal.lock);
    journal.text[0] = '\0';
    pthread_mutex_unlock(&journal.lock);
}

struct fake {
    struct host *host;
    struct receiver receiver;
    struct fanout *out;
    struct window *window;
    int64_t position;
    pthread_mutex_t lock;
    struct log_batch *held[256];
    size_t n_held;
    uint64_t n_taken, n_refused;
    const char *kept_name;
    bool is_gate_closed;
};

struct fake_args {
    struct river_capsules forward_to;
    struct slice name, text;
    struct river_secret password;
    bool fail, block, never_drain;
};

/* Every live fake, so that a test can take hold of one by its id. */
static struct fake *fakes[64];

static void fakes_add(struct fake *f)
{
    for (size_t i = 0; i < 64; i++)
        if (fakes[i] == NULL) {
            fakes[i] = f;
            return;
        }
}

static void fakes_remove(struct fake *f)
{
    for (size_t i = 0; i < 64; i++)
        if (fakes[i] == f)
            fakes[i] = NULL;
}

/* The newest of that id. */
static struct fake *fake(const char *id)
{
    struct fake *found = NULL;

    for (size_t i = 0; i < 64; i++)
        if (fakes[i] != NULL && strcmp(host_id(fakes[i]->host), id) == 0)
            found = fakes[i];
    return found;
}

static const struct river_field fake_fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .offset = offsetof(struct fake_args, forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "receivers"},
    {.name = "name", .kind = RIVER_STRING, .offset = offsetof(struct fake_args, name), .doc = "a change replaces"},
    {.name = "text", .kind = RIVER_STRING, .offset = offsetof(struct fake_args, text), .doc = "a change updates"},
    {.name = "password", .kind = RIVER_SECRET, .offset = offsetof(struct fake_args, password), .doc = "never shown"},
    {.name = "fail", .kind = RIVER_BOOL, .offset = offsetof(struct fake_args, fail), .doc = "create fails"},
    {.name = "block", .kind = RIVER_BOOL, .offset = offsetof(struct fake_args, block), .doc = "closes its gate"},
    {.name = "never_drain", .kind = RIVER_BOOL, .offset = offsetof(struct fake_args, never_drain), .doc = "hangs"},
    RIVER_FIELDS_END,
};
static const struct river_block fake_block = {
    .name = "fake", .fields = fake_fields, .size = sizeof(struct fake_args), .doc = "for tests"};

static void fake_post(void *loop, void (*fn)(void *), void *arg)
{
    loop_post(loop, fn, arg);
}

static void fake_moved(void *ctx, int64_t position)
{
    (void)ctx;
    (void)position;
}

static enum code fake_create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct fake_args *a = args;
    struct fake *f;

    note("create", host_id(host));
    if (a->fail)
        return error_set(err, IO, "told to fail");
    f = mem_zalloc(sizeof *f);
    f->host = host;
    f->kept_name = mem_strndup(a->name);
    pthread_mutex_init(&f->lock, NULL);
    if (a->forward_to.n > 0 || strncmp(host_id(host), "fake.sink", 9) != 0) {
        enum code rc =
            host_fanout(host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &f->out, err);
        if (rc != OK)
            return rc;
    }
    fakes_add(f);
    *out = f;
    return OK;
}

static enum code fake_update(void *self, const void *args, struct error *err)
{
    const struct fake_args *a = args;
    struct fake *f = self;

    if (!slice_eq_str(a->name, f->kept_name))
        return AGAIN;
    if (slice_eq_str(a->text, "bad"))
        return error_set(err, INVALID, "text is bad");
    note("update", host_id(f->host));
    if (f->out == NULL)
        return OK;
    return host_fanout(f->host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &f->out, err);
}

static void fake_start(void *self)
{
    note("start", host_id(((struct fake *)self)->host));
}

static void fake_stop_intake(void *self)
{
    note("stop", host_id(((struct fake *)self)->host));
}

static void fake_free(void *arg)
{
    struct fake *f = arg;
    union {
        const char *borrowed;
        char *owned;
    } name = {.borrowed = f->kept_name};

    fakes_remove(f);
    window_unref(f->window);
    mem_free(name.owned);
    mem_free(f);
}

static void fake_close(void *self, loop_fn done, void *arg)
{
    struct fake *f = self;

    note("close", host_id(f->host));
    for (size_t i = 0; i < f->n_held; i++) {
        ledger_held(host_ledger(f->host), -(int64_t)f->held[i]->n);
        ledger_dropped(host_ledger(f->host), DROP_SHUTDOWN, f->held[i]->n);
        batch_settle(&f->held[i]->base, host_id(f->host), SETTLED_ABANDONED, DROP_SHUTDOWN, NULL);
        batch_unref(&f->held[i]->base);
    }
    fake_free(f);
    done(arg);
}

/* --- source --- */

static void *window_give(void *self)
{
    struct fake *f = self;
    struct window *w = f->window;

    note("give", host_id(f->host));
    f->window = NULL;
    return w;
}

static void window_take(void *self, void *state)
{
    struct fake *f = self;

    note("take", host_id(f->host));
    f->window = state;
    f->position = window_read(f->window);
}

static void window_drop(void *state)
{
    window_unref(state);
}

static void source_start(void *self)
{
    struct fake *f = self;

    fake_start(self);
    if (f->window == NULL)
        f->window = window_new(fake_post, host_loop(f->host), 0, fake_moved, NULL);
}

struct emission {
    struct fake *f;
    uint32_t n;
};

static void emit_on_loop(void *arg)
{
    struct emission *e = arg;
    struct fake *f = e->f;
    struct log_batch *b;
    struct ticket *t;

    if (admission_ask(host_admission(f->host), 100) != ADMIT) {
        f->n_refused += e->n;
        mem_free(e);
        return;
    }
    b = log_batch_new();
    f->position += e->n;
    t = window_open(f->window, f->position, e->n);
    uint32_t labels = batch_take_labels(&b->base, labels_intern(&(struct label){SLICE_LIT("app"), SLICE_LIT("x")}, 1));
    for (uint32_t i = 0; i < e->n; i++)
        assert_int_equal(log_batch_add(b, labels, 1, SLICE_LIT("line"), NULL, 0), OK);
    assert_int_equal(batch_span(&b->base, t, e->n), OK);
    ledger_created(host_ledger(f->host), e->n);
    fanout_push_logs(f->out, b);
    mem_free(e);
}

/* --- holds --- */

static void hold_push(void *self, struct log_batch *take)
{
    struct fake *f = self;

    pthread_mutex_lock(&f->lock);
    f->held[f->n_held++] = take;
    f->n_taken += take->n;
    ledger_held(host_ledger(f->host), take->n);
    pthread_mutex_unlock(&f->lock);
}

struct release {
    struct fake *f;
    loop_fn done;
    void *arg;
};

static void release_on_loop(void *arg)
{
    struct release *r = arg;
    struct fake *f = r->f;
    struct log_batch *held[256];
    size_t n;

    pthread_mutex_lock(&f->lock);
    n = f->n_held;
    memcpy(held, f->held, sizeof held);
    f->n_held = 0;
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < n; i++) {
        ledger_held(host_ledger(f->host), -(int64_t)held[i]->n);
        fanout_push_logs(f->out, held[i]);
    }
    loop_post(loops_control(host_loops(f->host)), r->done, r->arg);
    mem_free(r);
}

static void hold_drain(void *self, loop_fn done, void *arg)
{
    struct fake *f = self;
    struct release *r = mem_zalloc(sizeof *r);

    note("drain", host_id(f->host));
    *r = (struct release){f, done, arg};
    loop_post(host_loop(f->host), release_on_loop, r);
}

static enum code receiver_create(void **out, struct host *host, const void *args, struct error *err,
                                 void (*push)(void *self, struct log_batch *take))
{
    enum code rc = fake_create(out, host, args, err);
    struct fake *f = *out;

    if (rc != OK)
        return rc;
    f->receiver = (struct receiver){.kind = RECEIVES_LOGS, .self = f, .push.logs = push};
    host_receiver(host, &f->receiver);
    host_export(host, "receiver", host_receiver_value(host, &f->receiver));
    return OK;
}

static enum code hold_create(void **out, struct host *host, const void *args, struct error *err)
{
    return receiver_create(out, host, args, err, hold_push);
}

/* --- splits every item in two --- */

static void split_push(void *self, struct log_batch *take)
{
    struct fake *f = self;
    struct log_batch *two = log_batch_new();
    uint32_t labels = batch_take_labels(&two->base, labels_ref(take->base.labels[0]));

    for (uint32_t i = 0; i < 2 * take->n; i++)
        assert_int_equal(log_batch_add(two, labels, 1, SLICE_LIT("half"), NULL, 0), OK);
    ledger_created(host_ledger(f->host), take->n); /* n came, 2n go */
    assert_int_equal(batch_derive(&take->base, &two->base, NULL, NULL, host_id(f->host)), OK);
    batch_unref(&take->base);
    fanout_push_logs(f->out, two);
}

static enum code split_create(void **out, struct host *host, const void *args, struct error *err)
{
    return receiver_create(out, host, args, err, split_push);
}

/* --- sink: keeps batches until flushed; block closes its gate --- */

static enum code sink_create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct fake_args *a = args;
    enum code rc = receiver_create(out, host, args, err, hold_push);
    struct fake *f = *out;

    if (rc == OK && a->block) {
        gate_close(host_gate(host));
        f->is_gate_closed = true;
    }
    return rc;
}

static void acknowledge(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->n_held; i++) {
        ledger_held(host_ledger(f->host), -(int64_t)f->held[i]->n);
        ledger_out(host_ledger(f->host), f->held[i]->n);
        batch_settle(&f->held[i]->base, host_id(f->host), SETTLED_ACKED, DROP_RULE, NULL);
        batch_unref(&f->held[i]->base);
    }
    f->n_held = 0;
    pthread_mutex_unlock(&f->lock);
}

struct queue {
    struct log_batch *held[256];
    size_t n;
};

static void *queue_give(void *self)
{
    struct fake *f = self;
    struct queue *q = mem_zalloc(sizeof *q);

    note("give", host_id(f->host));
    memcpy(q->held, f->held, sizeof q->held);
    q->n = f->n_held;
    f->n_held = 0;
    return q;
}

static void queue_take(void *self, void *state)
{
    struct fake *f = self;
    struct queue *q = state;

    note("take", host_id(f->host));
    memcpy(f->held, q->held, sizeof q->held);
    f->n_held = q->n;
    mem_free(q);
}

static void queue_drop(void *state)
{
    struct queue *q = state;

    for (size_t i = 0; i < q->n; i++) {
        batch_settle(&q->held[i]->base, "gone", SETTLED_ABANDONED, DROP_SHUTDOWN, NULL);
        batch_unref(&q->held[i]->base);
    }
    mem_free(q);
}

/* A drain that answers when the test says so. */
static struct {
    loop_fn done;
    void *arg;
} late_drain;

/* Sinks named dead never call back, those named late when they are told to. */
static void sink_drain(void *self, loop_fn done, void *arg)
{
    struct fake *f = self;

    note("drain", host_id(f->host));
    if (strstr(host_id(f->host), "dead") != NULL)
        return;
    if (strstr(host_id(f->host), "late") != NULL) {
        late_drain.done = done;
        late_drain.arg = arg;
        return;
    }
    acknowledge(f);
    done(arg);
}

/* --- an export that the test changes --- */

static enum code value_create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct fake_args *a = args;
    enum code rc = fake_create(out, host, args, err);

    if (rc == OK)
        host_export(host, "content", value_string(a->text));
    return rc;
}

static enum code value_update(void *self, const void *args, struct error *err)
{
    const struct fake_args *a = args;
    struct fake *f = self;

    (void)err;
    note("update", host_id(f->host));
    host_export(f->host, "content", value_string(a->text));
    return OK;
}

static enum code value_metrics(void *self, struct buf *out)
{
    (void)self;
    return buf_add_str(out, "fake_metric 1\n");
}

static const struct component_export receiver_export[] = {{"receiver", "LogsReceiver", "takes logs"},
                                                          {NULL, NULL, NULL}};
static const struct component_export value_export[] = {{"content", "string", "a text"}, {NULL, NULL, NULL}};

static const struct component_type fake_source = {.name = "fake.source",
                                                  .doc = "makes lines",
                                                  .args = &fake_block,
                                                  .is_source = true,
                                                  .create = fake_create,
                                                  .update = fake_update,
                                                  .start = source_start,
                                                  .stop_intake = fake_stop_intake,
                                                  .close = fake_close,
                                                  .give_state = window_give,
                                                  .take_state = window_take,
                                                  .free_state = window_drop};
static const struct component_type fake_hold = {.name = "fake.hold",
                                                .doc = "holds",
                                                .args = &fake_block,
                                                .exports = receiver_export,
                                                .holds = HOLDS_BOUNDED,
                                                .create = hold_create,
                                                .update = fake_update,
                                                .start = fake_start,
                                                .drain = hold_drain,
                                                .close = fake_close};
static const struct component_type fake_split = {.name = "fake.split",
                                                 .doc = "splits",
                                                 .args = &fake_block,
                                                 .exports = receiver_export,
                                                 .create = split_create,
                                                 .update = fake_update,
                                                 .start = fake_start,
                                                 .close = fake_close};
static const struct component_type fake_sink = {.name = "fake.sink",
                                                .doc = "ends",
                                                .args = &fake_block,
                                                .exports = receiver_export,
                                                .is_sink = true,
                                                .create = sink_create,
                                                .update = fake_update,
                                                .start = fake_start,
                                                .drain = sink_drain,
                                                .close = fake_close,
                                                .give_state = queue_give,
                                                .take_state = queue_take,
                                                .free_state = queue_drop};
static const struct component_type fake_value = {.name = "fake.value",
                                                 .doc = "exports",
                                                 .args = &fake_block,
                                                 .exports = value_export,
                                                 .create = value_create,
                                                 .update = value_update,
                                                 .start = fake_start,
                                                 .close = fake_close,
                                                 .write_metrics = value_metrics};
static const struct component_type fake_new = {.name = "fake.new",
                                               .stability = STABILITY_EXPERIMENTAL,
                                               .doc = "experimental",
                                               .args = &fake_block,
                                               .create = fake_create,
                                               .close = fake_close};

static const struct component_type *const fake_types[] = {&fake_hold,  &fake_new,   &fake_sink, &fake_source,
                                                          &fake_split, &fake_value, NULL};

/* --- the world --- */

struct world {
    struct loops *loops;
    struct metrics *metrics;
    struct runtime *rt;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_done;
    struct load_result result;
    char errors[8192];
    void (*fn)(struct world *w, void *arg);
    void *arg;
    const char *text;
};

static inline void signal_done(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    w->n_done++;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static inline void wait_done(struct world *w)
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

static inline void world_begin_at(struct world *w, const char *storage_path, enum stability stability)
{
    struct error err = {0};
    struct runtime_options options;

    forget();
    *w = (struct world){.metrics = metrics_new()};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    assert_int_equal(loops_new(&w->loops, 2, &err), OK);
    options = (struct runtime_options){.types = fake_types,
                                       .stability = stability,
                                       .loops = w->loops,
                                       .metrics = w->metrics,
                                       .clock = clock_system(),
                                       .storage_path = storage_path,
                                       .listen_addr = "127.0.0.1:12345",
                                       .memory_addr = "alloy.internal:12345",
                                       .queue_bytes = 1000};
    w->rt = runtime_new(&options);
    assert_int_equal(pthread_create(&w->thread, NULL, world_run, w), 0);
}

static inline void world_begin(struct world *w, const char *storage_path)
{
    world_begin_at(w, storage_path, STABILITY_GA);
}

static void world_call(void *arg)
{
    struct world *w = arg;

    w->fn(w, w->arg);
    signal_done(w);
}

/* fn on the control loop; returns when it has run. */
static inline void on_control(struct world *w, void (*fn)(struct world *w, void *arg), void *arg)
{
    w->fn = fn;
    w->arg = arg;
    loop_post(loops_control(w->loops), world_call, w);
    wait_done(w);
}

static void world_loaded(void *ctx, const struct load_result *result)
{
    struct world *w = ctx;
    struct buf text;

    w->result = *result;
    buf_init(&text, sizeof w->errors - 1);
    diags_print(&text, result->diags, false);
    memcpy(w->errors, text.len > 0 ? text.ptr : "", text.len);
    w->errors[text.len] = '\0';
    buf_release(&text);
    signal_done(w);
}

static void world_load(void *arg)
{
    struct world *w = arg;

    runtime_load(w->rt, &(struct config_text){"test.river", slice_str(w->text)}, 1, world_loaded, w);
}

/* Loads a configuration and waits for the result. */
static inline bool load(struct world *w, const char *text)
{
    w->text = text;
    loop_post(loops_control(w->loops), world_load, w);
    wait_done(w);
    return w->result.is_ok;
}

static void world_passed(void *arg)
{
    signal_done(arg);
}

static void world_barrier(struct world *w, void *arg)
{
    (void)arg;
    loops_barrier(w->loops, world_passed, w);
}

/* Everything posted so far has run, on every loop and then on the control loop. */
static inline void settle(struct world *w)
{
    for (int i = 0; i < 3; i++) {
        on_control(w, world_barrier, NULL);
        wait_done(w);
    }
}

static inline void emit(struct world *w, const char *id, uint32_t n)
{
    struct emission *e = mem_zalloc(sizeof *e);

    *e = (struct emission){fake(id), n};
    assert_non_null(e->f);
    loop_post(host_loop(e->f->host), emit_on_loop, e);
    settle(w);
}

static void world_stop(void *arg)
{
    struct world *w = arg;

    runtime_stop(w->rt, 400, 2000, world_passed, w);
}

static inline void end_late_drain(struct world *w, void *arg)
{
    (void)w;
    (void)arg;
    late_drain.done(late_drain.arg);
}

static inline void world_end(struct world *w)
{
    loop_post(loops_control(w->loops), world_stop, w);
    wait_done(w);
    assert_true(runtime_is_clean(w->rt));
    loops_stop(w->loops);
    pthread_join(w->thread, NULL);
    loops_free(w->loops);
    runtime_free(w->rt);
    metrics_free(w->metrics);
    for (size_t i = 0; i < 64; i++)
        assert_null(fakes[i]);
}
#endif
