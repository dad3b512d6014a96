#include "agent/runtime/runtime.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/change.h"

struct stopping {
    struct runtime *rt;
    int64_t flush_ms, timeout_at_ms;
    struct host **hosts; /* owned */
    size_t n;
    struct timer *timer; /* the end, come what may */
    bool has_begun, is_complete;
    loop_fn done;
    void *arg;
};

struct barrier {
    struct runtime *rt;
    loop_fn fn;
    void *arg;
};

static void make_metrics(struct runtime *rt, struct metrics *m)
{
    static const double bounds[] = {0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600};
    static const size_t n = sizeof bounds / sizeof bounds[0];
    const struct metric_label labels[] = {{"controller_id", ""}, {"controller_path", "/"}};

    rt->evaluation_seconds = metrics_histogram(m, "alloy_component_evaluation_seconds",
                                               "Time spent performing component evaluation", bounds, n, labels, 2);
    rt->wait_seconds = metrics_histogram(m, "alloy_component_dependencies_wait_seconds",
                                         "Time components wait to be evaluated after their dependency is updated.",
                                         bounds, n, labels, 2);
    rt->slow_seconds =
        metrics_counter(m, "alloy_component_evaluation_slow_seconds",
                        "Number of seconds spent evaluating components that take longer than 1 minute to "
                        "evaluate",
                        labels, 2);
}

struct runtime *runtime_new(const struct runtime_options *options)
{
    struct runtime *rt = mem_zalloc(sizeof *rt);

    rt->options = *options;
    pthread_mutex_init(&rt->lock, NULL);
    list_init(&rt->hosts);
    list_init(&rt->requests);
    list_init(&rt->drain_waits);
    map_init(&rt->hosts_by_id, 0);
    config_shape_init(&rt->shape);
    rt->unmeasured = metrics_new();
    make_metrics(rt, options->metrics);
    return rt;
}

void load_request_free(struct load_request *request)
{
    struct config_text *texts = request->texts;

    for (size_t i = 0; i < request->n; i++) {
        union {
            const char *borrowed;
            char *owned;
        } name = {.borrowed = texts[i].name}, text = {.borrowed = texts[i].text.ptr};

        mem_free(name.owned);
        mem_free(text.owned);
    }
    mem_free(texts);
    mem_free(request->path);
    mem_free(request);
}

void runtime_free(struct runtime *rt)
{
    if (rt == NULL)
        return;
    LIST_EACH_SAFE (it, &rt->requests)
        load_request_free(CONTAINER_OF(it, struct load_request, link));
    LIST_EACH_SAFE (it, &rt->drain_waits)
        mem_free(CONTAINER_OF(it, struct drain_wait, link));
    mem_free(rt->load_text);
    config_unref(rt->config);
    config_shape_release(&rt->shape);
    config_texts_release(&rt->texts);
    map_release(&rt->hosts_by_id, NULL);
    mem_free(rt->reach_room);
    metrics_free(rt->unmeasured);
    metric_unref(rt->evaluation_seconds);
    metric_unref(rt->wait_seconds);
    metric_unref(rt->slow_seconds);
    pthread_mutex_destroy(&rt->lock);
    mem_free(rt);
}

/* --- barriers --- */

void runtime_check_idle(struct runtime *rt)
{
    loop_fn done = rt->idle_done;

    if (done == NULL || rt->n_barriers != 0 || rt->n_closing != 0)
        return;
    rt->idle_done = NULL;
    done(rt->idle_arg);
}

static void barrier_passed(void *arg)
{
    struct barrier b = *(struct barrier *)arg;

    mem_free(arg);
    b.rt->n_barriers--;
    b.fn(b.arg);
    runtime_check_idle(b.rt);
}

void runtime_barrier(struct runtime *rt, loop_fn fn, void *arg)
{
    struct barrier *b = mem_zalloc(sizeof *b);

    *b = (struct barrier){.rt = rt, .fn = fn, .arg = arg};
    rt->n_barriers++;
    loops_barrier(rt->options.loops, barrier_passed, b);
}

/* --- loads --- */

static void request_load(struct runtime *rt, struct load_request *request, load_done_fn done, void *ctx)
{
    request->done = done;
    request->ctx = ctx;
    list_add_tail(&rt->requests, &request->link);
    change_next(rt);
}

void runtime_load(struct runtime *rt, const struct config_text *texts, size_t n, load_done_fn done, void *ctx)
{
    struct load_request *request = mem_zalloc(sizeof *request);

    request->texts = mem_array(n + 1, sizeof *request->texts);
    request->n = n;
    for (size_t i = 0; i < n; i++) {
        request->texts[i].name = mem_strdup(texts[i].name);
        request->texts[i].text = slice_make(mem_strndup(texts[i].text), texts[i].text.len);
    }
    request_load(rt, request, done, ctx);
}

void runtime_load_path(struct runtime *rt, const char *path, load_done_fn done, void *ctx)
{
    struct load_request *request = mem_zalloc(sizeof *request);

    request->path = mem_strdup(path);
    request_load(rt, request, done, ctx);
}

enum code runtime_check(const struct config_options *options, const struct config_text *texts, size_t n,
                        struct diags *diags)
{
    struct config *config = NULL;
    enum code rc = change_load(NULL, &config, options, texts, n, diags);

    config_unref(config);
    return rc;
}

void runtime_loaded(struct runtime *rt, const struct load_result *result)
{
    runtime_keep_load_text(rt, result);
    atomic_store(&rt->is_load_failed, !result->is_ok);
    if (!result->is_ok) {
        atomic_fetch_add(&rt->n_load_failures, 1);
        return;
    }
    atomic_store(&rt->is_ready, true);
    pthread_mutex_lock(&rt->lock);
    memcpy(rt->hash, rt->config->hash, sizeof rt->hash);
    rt->load_ok_at_ns = clock_wall_ns(rt->options.clock);
    pthread_mutex_unlock(&rt->lock);
}

bool runtime_is_ready(struct runtime *rt)
{
    return atomic_load(&rt->is_ready);
}

bool runtime_is_clean(const struct runtime *rt)
{
    return rt->is_clean;
}

/* --- the end --- */

static void stop_over(struct stopping *s)
{
    loop_fn done = s->done;
    void *arg = s->arg;

    s->rt->is_clean = s->is_complete;
    s->rt->idle_done = NULL;
    s->rt->stopping = NULL;
    timer_free(s->timer);
    mem_free(s->hosts);
    mem_free(s);
    done(arg);
}

static void all_idle(void *arg)
{
    stop_over(arg);
}

static void stop_timed_out(void *arg)
{
    struct stopping *s = arg;

    s->is_complete = false;
    log_warn(NULL, "the time for shutting down is over, the rest is left as it is");
    stop_over(s);
}

static void all_closed(void *arg, bool is_complete)
{
    struct stopping *s = arg;

    (void)is_complete; /* who is late is waited for until the timeout */
    s->rt->idle_done = all_idle;
    s->rt->idle_arg = s;
    runtime_check_idle(s->rt);
}

static int64_t left_ms(const struct stopping *s)
{
    int64_t left = s->timeout_at_ms - clock_mono_ns(s->rt->options.clock) / NS_PER_MS;

    return left > 0 ? left : 0;
}

static void close_all(void *arg)
{
    struct stopping *s = arg;

    steps_run(s->rt, STEPS_CLOSE, s->hosts, s->n, left_ms(s), left_ms(s), all_closed, s);
}

static void all_drained(void *arg, bool is_complete)
{
    struct stopping *s = arg;

    if (!is_complete)
        log_warn(NULL, "not everything could be sent before the end: the rest is counted as dropped for shutdown, "
                       "files are read again from their positions");
    runtime_barrier(s->rt, close_all, s);
}

static void drain_all(void *arg)
{
    struct stopping *s = arg;

    steps_run(s->rt, STEPS_DRAIN, s->hosts, s->n, s->flush_ms / 3, s->flush_ms, all_drained, s);
}

bool runtime_stop_now(struct runtime *rt)
{
    struct stopping *s = rt->stopping;

    if (s == NULL || s->has_begun)
        return true;
    s->has_begun = true;
    s->hosts = mem_array(rt->n_hosts + 1, sizeof(struct host *));
    LIST_EACH (it, &rt->hosts) {
        struct host *h = CONTAINER_OF(it, struct host, link);

        s->hosts[s->n++] = h;
        admission_pause(h->admission);
        if (h->self != NULL && h->type->stop_intake != NULL)
            h->type->stop_intake(h->self);
    }
    runtime_barrier(rt, drain_all, s);
    return true;
}

void runtime_stop(struct runtime *rt, int64_t flush_ms, int64_t timeout_ms, loop_fn done, void *arg)
{
    struct stopping *s;

    if (rt->is_stopping)
        return;
    s = mem_zalloc(sizeof *s);
    *s = (struct stopping){.rt = rt, .flush_ms = flush_ms, .done = done, .arg = arg, .is_complete = true};
    s->timeout_at_ms = clock_mono_ns(rt->options.clock) / NS_PER_MS + timeout_ms;
    s->timer = timer_new(loops_control(rt->options.loops), stop_timed_out, s);
    timer_start(s->timer, (uint64_t)timeout_ms, 0);
    rt->stopping = s;
    rt->is_stopping = true;
    change_next(rt);
}
