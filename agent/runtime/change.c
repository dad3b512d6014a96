/* Changes to what runs: a load (first or by diff) or the evaluation of those whose exports they use have changed.
 *
 * One at a time. Everything is parsed, evaluated and decoded before anything is touched. Then, needed ones first: what
 * is new is created, what changed is updated or replaced, what is gone is retired. When what then runs changes what
 * modules bring (change_expand.c), the graph is made again and the walk goes on. Retired ones stop intake, run dry
 * within DRAIN_MS while the sources above are paused, give their state to their successors and are closed; then the new
 * start. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/change.h"
#include "agent/runtime/config_files.h"
#include <stdio.h>

enum { DRAIN_MS = 500, DRAIN_MIDDLE_MS = 250, CLOSE_MS = 2000, SLOW_S = 60 };

static void hosts_add(struct hosts *list, struct host *h)
{
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 8 : 2 * list->cap;
        list->items = mem_realloc(list->items, list->cap * sizeof(struct host *));
    }
    list->items[list->n++] = h;
}

static struct exports *exports_of(void *self, const struct config_block *block)
{
    struct runtime *rt = self;
    struct host *h = host_by_id(rt, block->id);

    BUG_ON(h == NULL); /* needed ones come first */
    return host_is_silent(h) ? NULL : h->exports;
}

/* --- one component --- */

static void set_failed(struct host *h, const char *what, const char *why)
{
    log_error(h->id, what, log_str("error", why));
    host_set_health(h, HEALTH_UNHEALTHY, "%s: %s", what, why);
}

static void pause_source(struct change *c, struct host *source)
{
    for (size_t i = 0; i < c->n_paused; i++)
        if (c->paused[i] == source->admission)
            return;
    if (c->n_paused == c->cap_paused) {
        c->cap_paused = c->cap_paused == 0 ? 8 : 2 * c->cap_paused;
        c->paused = mem_realloc(c->paused, c->cap_paused * sizeof(struct admission *));
    }
    admission_ref(source->admission);
    admission_pause(source->admission);
    c->paused[c->n_paused++] = source->admission;
}

/* Does what h still has to let go of come before what its successor gets? Then nothing may be sent meanwhile. */
static bool keeps_order(const struct host *h)
{
    return h->self != NULL && (h->type->drain != NULL || h->type->give_state != NULL || h->type->is_source);
}

static void hosts_drop(struct hosts *list, const struct host *h)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->n; i++)
        if (list->items[i] != h)
            list->items[kept++] = list->items[i];
    list->n = kept;
}

/* h leaves: the sources above it wait until its successor runs. */
static void retire(struct change *c, struct host *h)
{
    struct runtime *rt = c->rt;

    LIST_EACH (it, &rt->hosts) {
        struct host *source = CONTAINER_OF(it, struct host, link);

        if (source->type->is_source && keeps_order(h) && (source == h || host_reaches(rt, source, h)))
            pause_source(c, source);
    }
    host_remove(h);
    if (!h->is_started)
        hosts_drop(&c->fresh, h); /* made in an earlier round of this very change */
    hosts_add(&c->retiring, h);
}

static void create(struct change *c, struct host *h, struct evaluation *take)
{
    struct error err = {0};
    void *self = NULL;
    enum code rc;

    pthread_mutex_lock(&h->rt->lock);
    h->eval = take;
    h->health = HEALTH_UNKNOWN; /* what an earlier try said is over */
    pthread_mutex_unlock(&h->rt->lock);
    rc = h->type->create(&self, h, take->args, &err);
    if (rc != OK) {
        set_failed(h, "component cannot run", err.text[0] != '\0' ? err.text : code_name(rc));
        host_set_exports(h, exports_zero(h->type, false));
        h->exports->owner = h->serial;
        return;
    }
    BUG_ON(self == NULL);
    pthread_mutex_lock(&h->rt->lock);
    h->self = self;
    pthread_mutex_unlock(&h->rt->lock);
    hosts_add(&c->fresh, h);
}

static struct host *replace(struct change *c, struct host *h, struct evaluation *take)
{
    struct runtime *rt = c->rt;
    struct host *successor = host_new(rt, h->block, h->account);

    host_insert(successor, h); /* in its place on the pages */
    retire(c, h);
    h->successor = successor;
    successor->seen = h->seen;
    h->seen = (struct exports_used){0};
    if (take != NULL)
        create(c, successor, take);
    c->result.n_replaced++;
    return successor;
}

/* Health that only said so is over; what the component itself said stays. */
static void arguments_are_good(struct host *h)
{
    if (h->has_bad_arguments)
        host_set_health(h, HEALTH_HEALTHY, "runs with good arguments again");
    h->has_bad_arguments = false;
}

static void update(struct change *c, struct host *h, struct evaluation *take)
{
    struct error err = {0};
    struct evaluation *old = h->eval;
    enum code rc = h->type->update == NULL || !h->is_started ? AGAIN : h->type->update(h->self, take->args, &err);

    if (rc == AGAIN) {
        replace(c, h, take);
        return;
    }
    if (rc != OK) {
        set_failed(h, "new arguments cannot be used, goes on with the old ones",
                   err.text[0] != '\0' ? err.text : code_name(rc));
        h->has_bad_arguments = true;
        runtime_barrier(c->rt, evaluation_free, take);
        return;
    }
    pthread_mutex_lock(&h->rt->lock);
    h->eval = take;
    pthread_mutex_unlock(&h->rt->lock);
    arguments_are_good(h);
    runtime_barrier(c->rt, evaluation_free, old);
    c->result.n_updated++;
}

static void evaluation_failed(struct change *c, struct host *h, struct diags *diags)
{
    struct buf line;

    buf_init(&line, 4096);
    if (diags->n > 0)
        diag_print_line(&line, &diags->items[0]);
    buf_add_char(&line, '\0');
    set_failed(h, "evaluation failed", line.ptr);
    h->has_bad_arguments = true;
    buf_release(&line);
    diags_append(&c->diags, diags);
}

static void set_waiting(struct host *h, bool is_waiting)
{
    pthread_mutex_lock(&h->rt->lock);
    h->is_waiting = is_waiting;
    pthread_mutex_unlock(&h->rt->lock);
}

/* Nothing is wrong, but it cannot run before id does. */
static void wait_for(struct host *h, struct slice id)
{
    if (h->self != NULL) {
        host_set_health(h, HEALTH_UNKNOWN, "waits for %.*s, goes on with the old arguments", SLICE_ARG(id));
        h->has_bad_arguments = true;
        return;
    }
    set_waiting(h, true);
    host_set_health(h, HEALTH_UNKNOWN, "waits for %.*s", SLICE_ARG(id));
}

static void took(struct runtime *rt, int64_t ns)
{
    double seconds = (double)ns / (double)NS_PER_S;

    metric_observe(rt->evaluation_seconds, seconds);
    if (seconds > SLOW_S)
        metric_add(rt->slow_seconds, seconds);
}

static void evaluate(struct change *c, struct host *h)
{
    struct runtime *rt = c->rt;
    struct evaluator ev = {.config = rt->config,
                           .stability = rt->options.stability,
                           .exports_of = exports_of,
                           .self = rt,
                           .seen = &(struct exports_used){0}};
    struct evaluation *new = NULL;
    struct diags diags;
    int64_t started_ns = clock_mono_ns(rt->options.clock);
    enum code rc;

    diags_init(&diags);
    rc = evaluate_block(&ev, h->block, &new, &diags);
    exports_used_release(&h->seen);
    h->seen = *ev.seen;
    took(rt, clock_mono_ns(rt->options.clock) - started_ns);
    if (rc == AGAIN)
        wait_for(h, ev.waits_for);
    evaluator_release(&ev);
    if (rc == AGAIN) {
        diags_release(&diags);
        return;
    }
    set_waiting(h, false);
    if (rc != OK) {
        evaluation_failed(c, h, &diags);
        diags_release(&diags);
        return;
    }
    diags_release(&diags);
    if (h->self == NULL) {
        struct evaluation *old = h->eval;

        pthread_mutex_lock(&rt->lock);
        h->eval = NULL;
        pthread_mutex_unlock(&rt->lock);
        h->has_bad_arguments = false;
        evaluation_free(old); /* of a creation that failed: nothing uses it */
        create(c, h, new);
        return;
    }
    if (h->is_unmeasured != h->block->scope->is_unmeasured) {
        replace(c, h, new);
        return;
    }
    if (value_equal(&h->eval->body, &new->body)) {
        evaluation_free(new);
        arguments_are_good(h);
        return;
    }
    update(c, h, new);
}

static bool is_stale(struct runtime *rt, const struct host *h)
{
    uint64_t stamp = ++rt->last_stamp;

    for (size_t i = 0; i < h->seen.n; i++)
        h->seen.items[i]->mark = stamp;
    for (size_t i = 0; i < h->block->n_needs; i++) {
        const struct exports *now = exports_of(rt, &rt->config->blocks[h->block->needs[i]]);

        if (now != NULL && now->mark != stamp)
            return true;
    }
    return false;
}

/* --- all of them --- */

static bool uses_retired(const struct change *c, const struct host *h)
{
    if (h->self == NULL || h->eval == NULL)
        return false;
    for (size_t i = 0; i < h->eval->used.n; i++) {
        const struct exports *used = h->eval->used.items[i];
        bool has_capsule = false;

        for (size_t k = 0; k < used->value.as.object.n; k++)
            has_capsule = has_capsule || used->value.as.object.fields[k].value.type == VALUE_CAPSULE;
        for (size_t k = 0; has_capsule && k < c->retiring.n; k++)
            if (used->owner == c->retiring.items[k]->serial)
                return true;
    }
    return false;
}

/* Whoever could not take its new arguments and still holds a receiver of a retired component has to go with it. */
static void retire_left_behind(struct change *c)
{
    bool has_found = true;

    while (has_found) {
        has_found = false;
        LIST_EACH_SAFE (it, &c->rt->hosts) {
            struct host *h = CONTAINER_OF(it, struct host, link);
            struct host *successor;

            if (!uses_retired(c, h))
                continue;
            successor = replace(c, h, NULL);
            set_waiting(successor, h->health == HEALTH_UNKNOWN);
            if (successor->is_waiting)
                host_set_health(successor, HEALTH_UNKNOWN, "stopped: what it sent to is gone, waits for the new one");
            else
                set_failed(successor, "stopped", "its arguments cannot be evaluated, and what it sent to is gone");
            has_found = true;
            break;
        }
    }
}

static size_t count_sinks(const struct config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < config->n; i++)
        n += config->blocks[i].type->is_sink;
    return n;
}

/* Every component to its block of the new configuration; those without one retire. */
void change_move_to(struct change *c, struct config *config)
{
    struct runtime *rt = c->rt;

    c->previous = mem_realloc(c->previous, (c->n_previous + 1) * sizeof(struct config *));
    c->previous[c->n_previous++] = rt->config;
    pthread_mutex_lock(&rt->lock);
    rt->config = config;
    rt->n_sinks = count_sinks(config);
    LIST_EACH (it, &rt->hosts) {
        struct host *h = CONTAINER_OF(it, struct host, link);

        h->block = config_block_by_id(config, slice_str(h->id));
    }
    pthread_mutex_unlock(&rt->lock);
    LIST_EACH_SAFE (it, &rt->hosts) {
        struct host *h = CONTAINER_OF(it, struct host, link);

        if (h->block != NULL)
            continue;
        retire(c, h);
        c->result.n_removed++;
    }
}

static void walk(struct change *c)
{
    struct runtime *rt = c->rt;
    const struct config *config = rt->config;

    for (size_t i = 0; i < config->n_ordered; i++) {
        const struct config_block *block = &config->blocks[config->order[i]];
        struct host *h = host_by_id(rt, block->id);

        if (h == NULL) {
            h = host_new(rt, block, NULL);
            host_insert(h, NULL);
            c->result.n_added++;
            evaluate(c, h);
        } else if (c->is_full || is_stale(rt, h)) {
            evaluate(c, h);
        }
    }
}

static void finish(struct change *c)
{
    struct runtime *rt = c->rt;
    struct load_request *request = c->request;

    rt->change = NULL;
    atomic_store(&rt->is_changing, false);
    runtime_wire(rt); /* start may have set edges too */
    for (size_t i = 0; i < c->n_paused; i++) {
        admission_resume(c->paused[i]);
        admission_unref(c->paused[i]);
    }
    for (size_t i = 0; i < c->n_previous; i++)
        config_unref(c->previous[i]);
    mem_free(c->previous);
    mem_free(c->paused);
    mem_free(c->retiring.items);
    mem_free(c->fresh.items);
    if (request != NULL) {
        c->result.diags = &c->diags;
        runtime_loaded(rt, &c->result);
        c->result.n_components = rt->config == NULL ? 0 : rt->config->n;
        if (request->done != NULL)
            request->done(request->ctx, &c->result);
        load_request_free(request);
    }
    if (request == NULL && c->n_rounds > 0 && c->is_full)
        log_info(NULL, "modules have changed", log_int("components", (int64_t)rt->config->n),
                 log_int("added", (int64_t)c->result.n_added), log_int("updated", (int64_t)c->result.n_updated),
                 log_int("replaced", (int64_t)c->result.n_replaced), log_int("removed", (int64_t)c->result.n_removed));
    diags_release(&c->diags);
    mem_free(c);
    change_next(rt);
}

static void sources_know(void *arg)
{
    finish(arg);
}

/* What no successor took is let go of on its endpoint's loop, and the source hears of it on its own: two steps. Only
 * then may sources read on, or they read behind what they are about to read again, and that comes twice. */
static void endpoints_let_go(void *arg)
{
    struct change *c = arg;

    runtime_barrier(c->rt, sources_know, c);
}

static void start_fresh(struct change *c)
{
    runtime_wire(c->rt);
    for (size_t i = 0; i < c->fresh.n; i++) {
        struct host *h = c->fresh.items[i];

        if (h->given_state != NULL)
            h->type->take_state(h->self, h->given_state);
        h->given_state = NULL;
        if (h->type->start != NULL)
            h->type->start(h->self);
        h->is_started = true;
        pthread_mutex_lock(&c->rt->lock);
        if (h->health == HEALTH_UNKNOWN) {
            h->health = HEALTH_HEALTHY;
            h->health_at_ns = clock_wall_ns(c->rt->options.clock);
            snprintf(h->health_text, sizeof h->health_text, "started component");
        }
        pthread_mutex_unlock(&c->rt->lock);
    }
    c->result.is_ok = true;
    if (c->n_paused != 0)
        runtime_barrier(c->rt, endpoints_let_go, c);
    else
        finish(c);
}

static void retired_closed(void *arg, bool is_complete)
{
    (void)is_complete; /* those that are late are freed when they are ready */
    start_fresh(arg);
}

static void hand_over(void *arg)
{
    struct change *c = arg;

    for (size_t i = 0; i < c->retiring.n; i++) {
        struct host *h = c->retiring.items[i];
        void *state = h->self == NULL || h->type->give_state == NULL ? NULL : h->type->give_state(h->self);

        if (state == NULL)
            continue;
        if (h->successor != NULL && h->successor->self != NULL && h->type->take_state != NULL)
            h->successor->given_state = state;
        else if (h->type->free_state != NULL)
            h->type->free_state(state);
    }
    steps_run(c->rt, STEPS_CLOSE, c->retiring.items, c->retiring.n, CLOSE_MS, CLOSE_MS, retired_closed, c);
}

static void retired_drained(void *arg, bool is_complete)
{
    struct change *c = arg;

    if (!is_complete)
        log_info(NULL, "a replaced component still held items after 500 ms, its successor takes what it can");
    runtime_barrier(c->rt, hand_over, c);
}

static void drain_retired(void *arg)
{
    struct change *c = arg;

    steps_run(c->rt, STEPS_DRAIN, c->retiring.items, c->retiring.n, DRAIN_MIDDLE_MS, DRAIN_MS, retired_drained, c);
}

static void apply(struct change *c)
{
    walk(c);
    while (change_expand(c))
        walk(c);
    retire_left_behind(c);
    if (c->retiring.n == 0) {
        start_fresh(c);
        return;
    }
    runtime_wire(c->rt);
    for (size_t i = 0; i < c->retiring.n; i++) {
        struct host *h = c->retiring.items[i];

        if (h->self != NULL && h->is_started && h->type->stop_intake != NULL)
            h->type->stop_intake(h->self);
    }
    runtime_barrier(c->rt, drain_retired, c); /* from here on nobody new reaches the retired */
}

/* The texts of a request, which owns them no more. */
static enum code take_texts(struct load_request *request, struct config_texts *out, struct diags *diags)
{
    if (request->path != NULL)
        return config_files_read(request->path, out, diags);
    *out = (struct config_texts){request->texts, request->n};
    request->texts = NULL;
    request->n = 0;
    return OK;
}

static void begin_load(struct change *c)
{
    struct runtime *rt = c->rt;
    struct config_texts texts = {0};
    struct config *config = NULL;
    struct config_shape shape;
    enum code rc = take_texts(c->request, &texts, &c->diags);

    config_shape_init(&shape);
    if (rc == OK)
        rc = change_load_running(rt, &texts, &config, &shape, &c->diags);
    if (rc != OK) {
        config_texts_release(&texts);
        config_shape_release(&shape);
        finish(c);
        return;
    }
    config_texts_release(&rt->texts);
    rt->texts = texts;
    config_shape_release(&rt->shape);
    rt->shape = shape;
    atomic_store(&rt->is_expansion_wanted, false); /* imported files were read just now */
    c->is_full = true;
    change_move_to(c, config);
    change_modules_are_good(rt);
    apply(c);
}

void change_next(struct runtime *rt)
{
    struct change *c;

    if (rt->change != NULL || (rt->is_stopping && runtime_stop_now(rt)))
        return;
    if (list_is_empty(&rt->requests) && !rt->is_evaluation_wanted)
        return;
    c = mem_zalloc(sizeof *c);
    c->rt = rt;
    diags_init(&c->diags);
    rt->change = c;
    atomic_store(&rt->is_changing, true);
    if (list_is_empty(&rt->requests)) {
        rt->is_evaluation_wanted = false;
        metric_observe(rt->wait_seconds,
                       (double)(clock_mono_ns(rt->options.clock) - rt->wanted_at_ns) / (double)NS_PER_S);
        apply(c);
        return;
    }
    c->request = CONTAINER_OF(rt->requests.next, struct load_request, link);
    list_remove(&c->request->link);
    begin_load(c);
}

static void evaluation_posted(void *arg)
{
    struct runtime *rt = arg;

    rt->is_evaluation_posted = false;
    atomic_store(&rt->is_evaluation_pending, false);
    rt->is_evaluation_wanted = true;
    change_next(rt);
}

void runtime_want_evaluation(struct runtime *rt)
{
    if (rt->is_evaluation_posted || rt->is_stopping)
        return;
    rt->is_evaluation_posted = true;
    rt->wanted_at_ns = clock_mono_ns(rt->options.clock);
    atomic_store(&rt->is_evaluation_pending, true);
    loop_post(loops_control(rt->options.loops), evaluation_posted, rt);
}

static void expansion_posted(void *arg)
{
    runtime_want_evaluation(arg);
}

void host_want_expansion(struct host *h)
{
    if (!atomic_exchange(&h->rt->is_expansion_wanted, true))
        loop_post(loops_control(h->rt->options.loops), expansion_posted, h->rt);
}
