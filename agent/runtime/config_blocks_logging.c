/* The logging block: level and format of the agent's own log, and write_to, which makes its lines entries of a pipeline
 * with the label component="alloy", as Alloy does.
 *
 * Lines come on any thread, under the log's lock, into a bounded queue; a worker loop pushes them as batches once what
 * is below takes something. Lines of the components below write_to stay out, or a destination that refuses would log
 * itself for ever. Ledger: a line is created when it is queued, held until it is pushed. */
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/runtime_int.h"

enum { RETRY_MS = 200, MAX_QUEUED_BYTES = 1024 * 1024 };

struct logging_args {
    int level, format;
    struct river_capsules write_to;
};

struct queued {
    int64_t ts_ns;
    struct slice text; /* owned */
};

struct component {
    struct host *host;
    struct fanout *to; /* NULL: write_to was never set */
    struct loop *loop;
    const struct labels *labels; /* owned reference */
    struct metric *dropped_full, *dropped_own;
    struct timer *timer;  /* on the loop, made when first needed */
    pthread_mutex_t lock; /* for all below */
    struct queued *lines; /* owned array of LIMIT_LOG_FORWARD_LINES */
    size_t n, bytes;
    bool is_posted, is_copying;
    char **below; /* owned ids of the components below write_to */
    size_t n_below;
    loop_fn done; /* of drain or close */
    void *arg;
};

static const struct river_enum levels[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {NULL, 0},
};

static const struct river_enum formats[] = {{"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}, {NULL, 0}};

static const struct river_field logging_fields[] = {
    {.name = "level",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct logging_args, level),
     .choices = levels,
     .def = "\"info\"",
     .doc = "the least important lines that are written: debug, info, warn or error"},
    {.name = "format",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct logging_args, format),
     .choices = formats,
     .def = "\"logfmt\"",
     .doc = "logfmt or json"},
    {.name = "write_to",
     .kind = RIVER_CAPSULE_LIST,
     .offset = offsetof(struct logging_args, write_to),
     .capsule = &capsule_logs_receiver,
     .doc = "receivers the agent's own log also goes to, with the label component=\"alloy\""},
    RIVER_FIELDS_END,
};

static const struct river_block logging_block = {
    .name = "logging",
    .fields = logging_fields,
    .size = sizeof(struct logging_args),
    .doc = "How much the agent writes to its own log, in which form, and where it goes besides standard error.",
};

/* --- from the queue into the pipeline, on the loop --- */

static struct log_batch *make_batch(struct component *c, const struct queued *lines, size_t n)
{
    struct log_batch *b = log_batch_new();
    uint32_t labels;
    enum code rc;

    if (b == NULL)
        return NULL;
    b->base.affinity = hash64_stable(SLICE_LIT("logging"));
    labels = batch_take_labels(&b->base, labels_ref(c->labels));
    rc = labels == UINT32_MAX ? NOMEM : OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        char *copy = arena_strndup(&b->base.arena, lines[i].text);

        rc = log_batch_add(b, labels, lines[i].ts_ns, slice_make(copy, lines[i].text.len), NULL, 0);
    }
    if (rc == OK)
        rc = batch_span(&b->base, NULL, (uint32_t)n);
    if (rc == OK)
        return b;
    batch_unref(&b->base);
    return NULL;
}

static void push_queued(struct component *c)
{
    struct ledger *ledger = host_ledger(c->host);
    struct queued *lines;
    struct log_batch *b;
    size_t n;

    pthread_mutex_lock(&c->lock);
    lines = c->lines;
    n = c->n;
    c->lines = NULL;
    c->n = c->bytes = 0;
    pthread_mutex_unlock(&c->lock);
    b = n == 0 ? NULL : make_batch(c, lines, n);
    ledger_held(ledger, -(int64_t)n);
    if (b != NULL)
        fanout_push_logs(c->to, b);
    else
        ledger_dropped(ledger, DROP_MEMORY, n);
    for (size_t i = 0; i < n; i++)
        mem_free_slice(lines[i].text);
    mem_free(lines);
}

static void flush(void *arg);

static void flush_later(struct component *c)
{
    if (c->timer == NULL)
        c->timer = timer_new(c->loop, flush, c);
    timer_start(c->timer, RETRY_MS, 0);
}

static void flush(void *arg)
{
    struct component *c = arg;

    if (admission_ask(host_admission(c->host), 0) != ADMIT) {
        flush_later(c);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->is_posted = false;
    pthread_mutex_unlock(&c->lock);
    push_queued(c);
}

/* --- from the log into the queue: any thread, the log's lock is held, nothing here may log --- */

static bool is_below(const struct component *c, const char *id)
{
    for (size_t i = 0; id != NULL && i < c->n_below; i++)
        if (strcmp(c->below[i], id) == 0)
            return true;
    return false;
}

static void on_line(void *self, const struct log_line *line)
{
    struct component *c = self;
    struct ledger *ledger = host_ledger(c->host);
    bool has_to_post = false;

    pthread_mutex_lock(&c->lock);
    if (is_below(c, line->component)) {
        metric_add(c->dropped_own, 1);
    } else if (c->n == LIMIT_LOG_FORWARD_LINES || c->bytes + line->text.len > MAX_QUEUED_BYTES) {
        ledger_created(ledger, 1);
        ledger_dropped(ledger, DROP_QUEUE_FULL, 1);
        metric_add(c->dropped_full, 1);
    } else {
        if (c->lines == NULL)
            c->lines = mem_array(LIMIT_LOG_FORWARD_LINES, sizeof *c->lines);
        c->lines[c->n++] = (struct queued){line->ts_ns, mem_slice(line->text)};
        c->bytes += line->text.len;
        ledger_created(ledger, 1);
        ledger_held(ledger, 1);
        has_to_post = !c->is_posted;
        c->is_posted = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (has_to_post)
        loop_post(c->loop, flush, c);
}

static void free_below(char **below, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(below[i]);
    mem_free(below);
}

/* Everything below from, each once: room for all there are. */
static size_t walk_below(struct host *from, struct host **found)
{
    size_t n = 0;

    found[n++] = from;
    from->mark = true;
    for (size_t next = 0; next < n; next++)
        LIST_EACH (it, &found[next]->fans) {
            const struct fan *fan = CONTAINER_OF(it, struct fan, link);

            for (size_t i = 0; i < fan->n; i++) {
                struct host *below = fan->to[i]->node;

                if (below == NULL || below->mark)
                    continue;
                below->mark = true;
                found[n++] = below;
            }
        }
    for (size_t i = 0; i < n; i++)
        found[i]->mark = false;
    return n;
}

void logging_wired(struct runtime *rt)
{
    struct host *h = host_by_id(rt, SLICE_LIT("logging"));
    struct component *c = h == NULL || h->type != &component_logging ? NULL : h->self; /* or a stand-in */
    struct host **found;
    char **below, **old;
    size_t n, n_old;

    if (c == NULL || c->to == NULL)
        return;
    found = mem_array(rt->n_hosts + 1, sizeof(struct host *));
    n = walk_below(h, found) - 1; /* the first is logging itself */
    below = mem_array(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        below[i] = mem_strdup(found[i + 1]->id);
    mem_free(found);
    pthread_mutex_lock(&c->lock);
    old = c->below;
    n_old = c->n_below;
    c->below = below;
    c->n_below = n;
    pthread_mutex_unlock(&c->lock);
    free_below(old, n_old);
}

/* --- the component --- */

/* The first configuration's block also gets what was logged before it. */
static void set_copying(struct component *c, bool is_on)
{
    if (is_on == c->is_copying)
        return;
    c->is_copying = is_on;
    logging_wired(c->host->rt);
    log_set_copy(is_on ? on_line : NULL, c, !atomic_load(&c->host->rt->is_ready));
}

static enum code update(void *self, const void *args, struct error *err)
{
    const struct logging_args *a = args;
    struct component *c = self;
    enum code rc = OK;

    if (a->write_to.n > 0 || c->to != NULL)
        rc = host_fanout(c->host, "write_to", RECEIVES_LOGS, a->write_to.items, a->write_to.n, &c->to, err);
    if (rc != OK)
        return rc;
    log_set((enum log_level)a->level, (enum log_format)a->format);
    if (c->host->is_started)
        set_copying(c, a->write_to.n > 0);
    return OK;
}

static void free_component(struct component *c)
{
    labels_unref(c->labels);
    metric_unref(c->dropped_full);
    metric_unref(c->dropped_own);
    free_below(c->below, c->n_below);
    mem_free(c->lines);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static struct metric *dropped(struct host *host, const char *reason)
{
    const struct metric_label label = {"reason", reason};

    return host_counter(host, "hyagent_log_lines_dropped_total",
                        "Own log lines that were not sent to logging's write_to.", &label, 1);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    const struct label pairs[] = {{SLICE_LIT("component"), SLICE_LIT("alloy")}};
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    c->host = host;
    c->loop = host_loop(host);
    pthread_mutex_init(&c->lock, NULL);
    c->labels = labels_intern(pairs, 1);
    c->dropped_full = dropped(host, "queue_full");
    c->dropped_own = dropped(host, "own_receiver");
    rc = c->labels == NULL ? error_set(err, NOMEM, "out of memory") : update(c, args, err);
    if (rc == OK)
        *out = c;
    else
        free_component(c);
    return rc;
}

static void start(void *self)
{
    struct component *c = self;

    set_copying(c, c->to != NULL);
}

static void stop_intake(void *self)
{
    set_copying(self, false);
}

static void drain_on_loop(void *arg)
{
    struct component *c = arg;

    if (c->to != NULL)
        push_queued(c);
    loop_post(loops_control(host_loops(c->host)), c->done, c->arg);
}

static void drain(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    c->done = done;
    c->arg = arg;
    loop_post(c->loop, drain_on_loop, c);
}

static void closed(void *arg)
{
    struct component *c = arg;
    loop_fn done = c->done;
    void *done_arg = c->arg;

    free_component(c);
    done(done_arg);
}

static void close_on_loop(void *arg)
{
    struct component *c = arg;

    timer_free(c->timer);
    ledger_held(host_ledger(c->host), -(int64_t)c->n);
    ledger_dropped(host_ledger(c->host), DROP_SHUTDOWN, c->n);
    for (size_t i = 0; i < c->n; i++)
        mem_free_slice(c->lines[i].text);
    loop_post(loops_control(host_loops(c->host)), closed, c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    set_copying(c, false);
    log_set(LOG_INFO, LOG_LOGFMT);
    c->done = done;
    c->arg = arg;
    loop_post(c->loop, close_on_loop, c); /* behind every flush that was posted */
}

const struct component_type component_logging = {
    .name = "logging",
    .stability = STABILITY_GA,
    .doc = "The agent's own log: level, format, and where it goes.",
    .args = &logging_block,
    .is_singleton = true,
    .recovers = RECOVERS_NOTHING,
    .is_source = true,
    .create = create,
    .update = update,
    .start = start,
    .stop_intake = stop_intake,
    .drain = drain,
    .close = close_component,
};
