/* One container on its loop. A connection begins with an inspection (has it a terminal? does it run?), then the log is
 * followed from the last timestamp that was read. When the stream ends and something had come, it is asked once more:
 * the last lines of a container that just ended are then there. */
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_docker/source_docker.h"
#include "agent/text/json.h"
#include <stdio.h>

enum {
    PAUSED_MS = 50, /* a sink or the memory had no room: ask again */
    RETRY_FIRST_MS = 250,
    RETRY_MAX_MS = 15000,
    IDLE_MAX_MS = 5000, /* a container that does not run may be started again */
    LEAVE_MS = 15000,   /* so long a container that left may take to be read to its end */
};

static void say(struct tailer *t, const char *what, struct slice text)
{
    char now[sizeof t->said];

    (void)snprintf(now, sizeof now, "%s: %.*s", what, SLICE_ARG(text));
    if (strcmp(now, t->said) == 0)
        return; /* once, until something else happens */
    memcpy(t->said, now, sizeof now);
    log_warn(host_id(t->source->host), what, log_str("container", t->id), log_slice("err", text),
             log_str("do", "it is tried again from where reading stood"));
}

void tailer_wake(struct tailer *t, uint64_t after_ms)
{
    int64_t now = loop_now_ms(t->loop), due = now + (int64_t)after_ms;

    if (!t->is_running || due >= t->due_ms)
        return;
    t->due_ms = due;
    timer_start(t->timer, after_ms, 0);
}

static void try_later(struct tailer *t)
{
    t->state = TAILER_WAITING;
    t->next_ms = loop_now_ms(t->loop) + (int64_t)t->retry_ms;
    tailer_wake(t, t->retry_ms);
    t->retry_ms = t->retry_ms * 2 < RETRY_MAX_MS ? t->retry_ms * 2 : RETRY_MAX_MS;
}

static void wait_idle(struct tailer *t)
{
    uint64_t ms = t->way->refresh_ms < IDLE_MAX_MS ? t->way->refresh_ms : IDLE_MAX_MS;

    t->state = TAILER_WAITING;
    t->was_drained = true;
    t->next_ms = loop_now_ms(t->loop) + (int64_t)ms;
    tailer_wake(t, t->is_leaving ? 0 : ms);
}

/* ---- the stream ---- */

static void end_logs(struct tailer *t)
{
    entries_drop(t);
    if (t->has_logs)
        docker_logs_release(&t->logs);
    t->has_logs = t->is_paused = false;
}

static void cut(struct tailer *t)
{
    docker_cancel(t->call);
    t->call = NULL;
    end_logs(t);
}

static enum docker_flow on_chunk(void *arg, struct slice chunk)
{
    struct tailer *t = arg;
    struct error err = {0};

    if (docker_logs_feed(&t->logs, chunk, &err) != OK) {
        metric_inc(t->source->parsing_errors);
        say(t, "a container's log cannot be read", slice_str(err.text));
        t->is_broken = true;
    }
    if (!entries_push(t))
        t->is_broken = true; /* no memory: once more from the last line that was taken */
    if (t->is_broken) {
        tailer_wake(t, 0); /* the transfer cannot end here */
        return DOCKER_PAUSE;
    }
    t->retry_ms = RETRY_FIRST_MS;
    if (entries_may_read(t))
        return DOCKER_GO_ON;
    t->is_paused = true;
    tailer_wake(t, PAUSED_MS);
    return DOCKER_PAUSE;
}

static void on_bad_line(void *arg, const char *what)
{
    struct tailer *t = arg;

    metric_inc(t->source->parsing_errors);
    say(t, "a part of a container's log is left out", slice_str(what));
}

static void inspect(struct tailer *t);

static void on_logs_end(void *arg, const struct docker_answer *a)
{
    struct tailer *t = arg;
    bool was_pushed = true;

    t->call = NULL;
    if (a->code == OK && !t->is_broken) {
        docker_logs_end(&t->logs);
        was_pushed = entries_push(t);
    }
    end_logs(t);
    if (a->code == OK && was_pushed && !t->is_broken) {
        inspect(t);
        return;
    }
    if (a->code != OK && a->code != AGAIN)
        say(t, "a container's log cannot be had", a->error);
    try_later(t);
}

static void follow(struct tailer *t)
{
    struct buf path;

    docker_logs_init(&t->logs, t->is_terminal, LIMIT_LINE_BYTES);
    t->logs.line = entries_take;
    t->logs.bad = on_bad_line;
    t->logs.arg = t;
    t->has_logs = true;
    t->is_broken = false;
    t->n_lines_now = 0;
    t->state = TAILER_READING;
    buf_init(&path, 1024);
    (void)buf_printf(&path, "/containers/%s/logs?follow=1&stdout=1&stderr=1&timestamps=1", t->id);
    entries_since(t, &path);
    t->call = docker_stream(t->docker, buf_slice(&path), NULL, on_chunk, on_logs_end, t);
    buf_release(&path);
}

/* ---- inspection ---- */

static const struct json *member(const struct json *j, const char *object, const char *name)
{
    const struct json *o = json_get(j, slice_str(object));

    return o != NULL ? json_get(o, slice_str(name)) : NULL;
}

static bool is_true(const struct json *j)
{
    return j != NULL && j->type == JSON_BOOL && j->boolean;
}

static bool is_labelled_off(const struct json *container)
{
    const struct json *labels = member(container, "Config", "Labels");
    const struct json *logs = labels != NULL ? json_get(labels, SLICE_LIT("hyagent.logs")) : NULL;

    return logs != NULL && logs->type == JSON_STRING && slice_eq_str(logs->text, "false");
}

/* What the container is now decides: follow, ask once more, or wait. */
static void take_state(struct tailer *t, const struct json *container)
{
    bool is_active = is_true(member(container, "State", "Running"));
    const struct json *at = member(container, "State", "StartedAt");
    uint64_t started = at != NULL && at->type == JSON_STRING ? hash64(at->text) : 0;
    bool has_new = t->n_lines_now != 0 || !t->was_read || started != t->started || t->has_restarted;

    t->started = started;
    t->is_terminal = is_true(member(container, "Config", "Tty"));
    if (is_labelled_off(container)) {
        t->is_left_out = true;
        wait_idle(t);
    } else if (t->is_leaving && is_active) {
        wait_idle(t); /* its target is gone, though it runs: nobody wants more of it */
    } else if (is_active && t->was_read && !t->was_drained && t->n_lines_now == 0) {
        t->was_read = false; /* the stream ended at once: not again in a tight circle */
        try_later(t);
    } else if (is_active || has_new) {
        t->was_drained = false;
        t->was_read = true;
        t->has_restarted = false;
        follow(t);
    } else {
        wait_idle(t);
    }
}

static void on_inspected(void *arg, const struct docker_answer *a)
{
    struct tailer *t = arg;
    struct arena arena;
    struct json j;
    enum code rc = a->code;

    t->call = NULL;
    arena_init(&arena, LIMIT_DOCKER_ANSWER_BYTES);
    if (rc == AGAIN) {
        t->is_gone = true;
        wait_idle(t);
    } else if (rc == OK && json_parse(&arena, a->body, &j, NULL) == OK) {
        t->is_gone = false;
        take_state(t, &j);
    } else {
        say(t, "a container cannot be inspected", rc == OK ? SLICE_LIT("the answer is no JSON") : a->error);
        try_later(t);
    }
    arena_release(&arena);
}

static void inspect(struct tailer *t)
{
    char path[160];

    (void)snprintf(path, sizeof path, "/containers/%s/json", t->id);
    t->state = TAILER_ASKING;
    t->call = docker_get(t->docker, slice_str(path), LIMIT_DOCKER_ANSWER_BYTES, on_inspected, t);
}

/* ---- running ---- */

static void tell_ended(void *arg)
{
    struct tailer *t = arg;

    t->is_on_loop = false;
    t->ended(t->ended_arg, t);
}

static void finish(struct tailer *t)
{
    cut(t);
    if (t->is_gone && entries_are_settled(t))
        entries_forget(t);
    entries_release(t);
    docker_free(t->docker);
    t->docker = NULL;
    timer_free(t->timer);
    t->timer = NULL;
    t->is_running = false;
    t->state = TAILER_OFF;
    loop_post(loops_control(host_loops(t->source->host)), tell_ended, t);
}

/* True: it has left, and there is nothing more to wait for. */
static bool has_left(struct tailer *t, int64_t now)
{
    if (!t->is_leaving)
        return false;
    if (now >= t->leave_by_ms && t->call != NULL) {
        cut(t);
        t->state = TAILER_WAITING;
    }
    if (t->call != NULL || (!t->was_drained && now < t->leave_by_ms && !t->is_stopped))
        return false;
    return entries_are_settled(t) || window_is_stopped(t->window);
}

static void run(void *arg)
{
    struct tailer *t = arg;
    int64_t now = loop_now_ms(t->loop);

    t->due_ms = INT64_MAX;
    if (t->state == TAILER_READING && t->is_broken) {
        cut(t);
        try_later(t);
    }
    if (has_left(t, now)) {
        finish(t);
        return;
    }
    if (t->is_stopped)
        return;
    if (window_is_stopped(t->window)) {
        if (window_unsettled_entries(t->window) != 0)
            return; /* woken by the next one that settles: nothing is lost by waiting */
        cut(t);
        entries_read_again(t);
        t->was_read = t->was_drained = false;
        say(t, "lines were not taken further on", SLICE_LIT("they are read again"));
        try_later(t);
    }
    if (t->state == TAILER_WAITING && now >= t->next_ms) {
        if (entries_may_read(t))
            inspect(t);
        else
            tailer_wake(t, PAUSED_MS);
    } else if (t->state == TAILER_WAITING) {
        tailer_wake(t, (uint64_t)(t->next_ms - now));
    } else if (t->state == TAILER_READING && t->is_paused) {
        if (entries_may_read(t)) {
            t->is_paused = false;
            docker_resume(t->call);
        } else {
            tailer_wake(t, PAUSED_MS);
        }
    }
    if (t->is_leaving)
        tailer_wake(t, 100);
}

static enum code prepare(void *ctx, struct http_request *request, struct arena *arena, struct error *err)
{
    return http_auth_apply(ctx, request, arena, err);
}

static void connect_way(struct tailer *t)
{
    struct error err = {0};

    if (docker_new(&t->docker, host_http(t->source->host, t->loop), slice_str(t->way->host), prepare, t->way->auth,
                   &err) != OK)
        BUG_ON(true); /* checked with the arguments */
}

/* ---- from the control loop ---- */

struct change {
    struct tailer *tailer;
    struct docker_way *way;
    const struct labels *labels[DOCKER_SOURCES];
};

static void set_on_loop(void *arg)
{
    struct change *change = arg;
    struct tailer *t = change->tailer;
    bool is_other_way = t->way != change->way;

    for (size_t i = 0; i < DOCKER_SOURCES; i++) {
        labels_unref(t->labels[i]);
        t->labels[i] = change->labels[i];
    }
    if (is_other_way && t->is_running) {
        cut(t);
        docker_free(t->docker);
    }
    docker_way_unref(t->way);
    t->way = change->way;
    if (is_other_way && t->is_running) {
        connect_way(t);
        t->state = TAILER_WAITING;
        t->next_ms = 0;
        t->was_read = false;
        tailer_wake(t, 0);
    }
    mem_free(change);
}

void tailer_set(struct tailer *t, struct docker_way *way, const struct labels *const take_labels[DOCKER_SOURCES])
{
    struct change *change = mem_zalloc(sizeof *change);

    change->tailer = t;
    change->way = docker_way_ref(way);
    for (size_t i = 0; i < DOCKER_SOURCES; i++)
        change->labels[i] = take_labels[i];
    loop_post(t->loop, set_on_loop, change);
}

static void start_on_loop(void *arg)
{
    struct tailer *t = arg;

    entries_init(t);
    t->timer = timer_new(t->loop, run, t);
    connect_way(t);
    t->is_running = true;
    t->is_leaving = t->was_drained = t->was_read = t->is_gone = t->is_left_out = false;
    t->retry_ms = RETRY_FIRST_MS;
    t->due_ms = INT64_MAX;
    t->next_ms = 0;
    t->state = TAILER_WAITING;
    tailer_wake(t, 0);
}

void tailer_start(struct tailer *t)
{
    t->is_on_loop = true;
    loop_post(t->loop, start_on_loop, t);
}

static void leave_on_loop(void *arg)
{
    struct tailer *t = arg;

    if (!t->is_running)
        return;
    t->is_leaving = true;
    t->leave_by_ms = loop_now_ms(t->loop) + LEAVE_MS;
    if (t->state == TAILER_READING && !t->is_paused && !t->is_broken) {
        cut(t); /* the inspection says whether there is more to come */
        t->n_lines_now = 1;
        inspect(t);
    } else if (t->state == TAILER_WAITING) {
        t->next_ms = 0;
    }
    tailer_wake(t, 0);
}

void tailer_leave(struct tailer *t)
{
    loop_post(t->loop, leave_on_loop, t);
}

static void stay_on_loop(void *arg)
{
    struct tailer *t = arg;

    if (!t->is_running)
        return;
    t->is_leaving = false;
    t->has_restarted = true;
    if (t->state == TAILER_WAITING)
        t->next_ms = 0;
    tailer_wake(t, 0);
}

void tailer_stay(struct tailer *t)
{
    loop_post(t->loop, stay_on_loop, t);
}

static void stop_on_loop(void *arg)
{
    struct tailer *t = arg;

    t->is_stopped = true;
    if (t->is_running) {
        cut(t);
        t->state = TAILER_WAITING;
    }
}

void tailer_stop(struct tailer *t)
{
    loop_post(t->loop, stop_on_loop, t);
}

static void end_on_loop(void *arg)
{
    struct tailer *t = arg;

    t->is_stopped = true;
    if (t->is_running)
        finish(t); /* else it finished by itself: ended is on its way */
}

void tailer_end(struct tailer *t)
{
    loop_post(t->loop, end_on_loop, t);
}

struct tailer *tailer_new(struct docker_source *s, struct slice id, char *take_labels_text)
{
    struct tailer *t = mem_zalloc(sizeof *t);

    t->source = s;
    t->id = mem_strndup(id);
    t->labels_text = take_labels_text;
    t->affinity = hash64_stable(id);
    t->loop = host_loop_for(s->host, t->affinity);
    list_init(&t->marks);
    return t;
}

void tailer_free(struct tailer *t)
{
    for (size_t i = 0; i < DOCKER_SOURCES; i++)
        labels_unref(t->labels[i]);
    docker_way_unref(t->way);
    mem_free(t->id);
    mem_free(t->labels_text);
    mem_free(t);
}
