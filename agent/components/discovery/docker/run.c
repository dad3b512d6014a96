/* discovery.docker: the component. The list of containers is asked for every refresh_interval and when Docker's events
 * say that something changed; a container that starts is looked up at once, so that one that lives a moment is seen.
 * One that ended stays for ENDED_MS, so that its log is read to the end. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/discovery/docker/discovery.h"
#include "agent/text/json.h"
#include <stdio.h>

enum {
    ENDED_MS = 10000,
    SETTLE_MS = 20,         /* changes that come together are told together */
    INSPECT_WAIT_MS = 1000, /* targets do not wait longer for log paths */
    RETRY_MS = 5000,
    EVENT_BYTES = 1024 * 1024,
};

struct component {
    struct host *host;
    struct loop *loop;
    const struct discovery_docker_args *args;
    struct http_auth *auth; /* owned */
    struct docker *docker;  /* owned */
    struct map containers;  /* id -> struct container */
    struct buf networks;    /* /networks' last answer */
    struct buf event;       /* the part of an event that has come */
    struct timer *poll, *tell, *reconnect;
    struct docker_call *listing, *asking_networks, *watching;
    uint64_t round;
    int64_t telling_ms;       /* when the tell timer fires; 0: it is off */
    int64_t waiting_since_ms; /* for log paths; 0: not */
    size_t n_inspecting;
    bool is_stale; /* changed while the list was under way */
    bool was_listed, is_started;
    char said[ERROR_TEXT_BYTES], said_events[ERROR_TEXT_BYTES];
};

static void refresh(struct component *c);

static int64_t now_ms(const struct component *c)
{
    return clock_mono_ns(host_clock(c->host)) / NS_PER_MS + 1;
}

/* ---- telling ---- */

static void tell_in(struct component *c, int64_t after_ms)
{
    int64_t at_ms = now_ms(c) + after_ms;

    if (c->telling_ms != 0 && c->telling_ms <= at_ms)
        return;
    c->telling_ms = at_ms;
    timer_start(c->tell, (uint64_t)after_ms, 0);
}

static void free_container(void *value)
{
    struct container *x = value;

    docker_cancel(x->inspecting);
    mem_free(x->json);
    mem_free(x->log_path);
    mem_free(x->log_driver);
    mem_free(x->id);
    mem_free(x);
}

static void forget(struct component *c, struct container *x)
{
    if (x->inspecting != NULL)
        c->n_inspecting--;
    (void)map_remove(&c->containers, slice_str(x->id));
    free_container(x);
}

/* Lets go of those that ended long enough ago; the next one to end sets the timer. */
static void expire(struct component *c)
{
    int64_t now = now_ms(c), next = 0;

    for (struct map_entry *e = map_next(&c->containers, NULL); e != NULL; e = map_next(&c->containers, e)) {
        struct container *x = e->value;

        if (x->ended_ms == 0)
            continue;
        if (now - x->ended_ms >= ENDED_MS)
            forget(c, x);
        else if (next == 0 || x->ended_ms + ENDED_MS < next)
            next = x->ended_ms + ENDED_MS;
    }
    if (next != 0)
        tell_in(c, next - now + 1);
}

static void tell(void *arg)
{
    struct component *c = arg;
    struct arena arena;
    struct value targets;
    int64_t now = now_ms(c);

    c->telling_ms = 0;
    expire(c);
    if (!c->was_listed)
        return;
    if (c->n_inspecting != 0) {
        if (c->waiting_since_ms == 0)
            c->waiting_since_ms = now;
        if (now - c->waiting_since_ms < INSPECT_WAIT_MS) {
            tell_in(c, INSPECT_WAIT_MS);
            return;
        }
    }
    c->waiting_since_ms = 0;
    arena_init(&arena, LIMIT_BATCH_BYTES);
    if (targets_build(&arena, c->args, &c->containers, buf_slice(&c->networks), &targets) == OK)
        host_export(c->host, "targets", targets);
    else
        log_error(host_id(c->host), "no memory for the targets",
                  log_int("containers", (int64_t)map_count(&c->containers)));
    arena_release(&arena);
}

/* ---- containers ---- */

/* Members of Docker's answer for one container: where its log is. */
static void take_log(struct container *x, const struct json *j)
{
    const struct json *path = json_get(j, SLICE_LIT("LogPath"));
    const struct json *host = json_get(j, SLICE_LIT("HostConfig"));
    const struct json *config = host != NULL ? json_get(host, SLICE_LIT("LogConfig")) : NULL;
    const struct json *driver = config != NULL ? json_get(config, SLICE_LIT("Type")) : NULL;

    if (driver == NULL || driver->type != JSON_STRING)
        return;
    x->log_driver = mem_strndup(driver->text);
    if (slice_eq_str(driver->text, "json-file") && path != NULL && path->type == JSON_STRING && path->text.len != 0)
        x->log_path = mem_strndup(path->text);
}

static void on_inspected(void *arg, const struct docker_answer *a)
{
    struct container *x = arg;
    struct component *c = x->owner;
    struct arena arena;
    struct json j;

    x->inspecting = NULL;
    c->n_inspecting--;
    x->is_inspected = a->code == OK || a->code == AGAIN; /* AGAIN: removed meanwhile */
    arena_init(&arena, LIMIT_DOCKER_ANSWER_BYTES);
    if (a->code == OK && json_parse(&arena, a->body, &j, NULL) == OK)
        take_log(x, &j);
    else if (a->code != OK && a->code != AGAIN)
        log_warn(host_id(c->host), "a container cannot be inspected: its log's path is not known",
                 log_str("container", x->id), log_slice("err", a->error));
    arena_release(&arena);
    tell_in(c, c->n_inspecting == 0 ? 0 : SETTLE_MS);
}

static void inspect(struct component *c, struct container *x)
{
    char path[128];

    if (x->is_inspected || x->inspecting != NULL)
        return;
    (void)snprintf(path, sizeof path, "/containers/%s/json", x->id);
    c->n_inspecting++;
    x->inspecting = docker_get(c->docker, slice_str(path), LIMIT_DOCKER_ANSWER_BYTES, on_inspected, x);
}

/* Ids go into paths. */
static bool is_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    return s.len >= 12 && s.len <= 64;
}

static void set_ended(struct component *c, struct container *x)
{
    if (x->ended_ms != 0)
        return;
    x->ended_ms = now_ms(c);
    tell_in(c, SETTLE_MS);
}

static void take_container(struct component *c, const struct json *j)
{
    struct slice id = container_id(j);
    struct container *x;
    struct buf text;

    if (!is_id(id))
        return;
    x = map_get(&c->containers, id);
    if (x == NULL) {
        x = mem_zalloc(sizeof *x);
        x->id = mem_strndup(id);
        x->owner = c;
        if (map_put(&c->containers, id, x, NULL) != OK) {
            log_error(host_id(c->host), "more containers than are taken", log_int("limit", LIMIT_DOCKER_CONTAINERS));
            free_container(x);
            return;
        }
    }
    buf_init(&text, LIMIT_DOCKER_ANSWER_BYTES);
    (void)json_write(&text, j);
    mem_free(x->json);
    x->json = buf_take(&text, NULL);
    x->round = c->round;
    if (!container_has_ended(j))
        x->ended_ms = 0;
    else
        set_ended(c, x);
    if (c->args->log_paths && !container_log_is_left_out(j))
        inspect(c, x);
}

static enum code take_list(struct component *c, struct slice body)
{
    struct arena arena;
    struct json j;
    enum code rc;

    arena_init(&arena, 8u * LIMIT_DOCKER_ANSWER_BYTES);
    rc = json_parse(&arena, body, &j, NULL);
    if (rc == OK && j.type != JSON_ARRAY)
        rc = CORRUPT;
    for (size_t i = 0; rc == OK && i < j.array.n; i++)
        take_container(c, &j.array.items[i]);
    arena_release(&arena);
    return rc;
}

/* ---- lists ---- */

static void set_broken(struct component *c, struct slice why)
{
    host_set_health(c->host, HEALTH_UNHEALTHY, "%.*s", SLICE_ARG(why));
    if (slice_eq_str(why, c->said))
        return;
    (void)snprintf(c->said, sizeof c->said, "%.*s", SLICE_ARG(why));
    log_error(host_id(c->host), "containers cannot be listed; it is tried again", log_slice("err", why));
}

static void set_healthy(struct component *c)
{
    host_set_health(c->host, HEALTH_HEALTHY, "%zu containers", map_count(&c->containers));
    if (c->said[0] != '\0')
        log_info(host_id(c->host), "Docker answers again", log_slice("host", c->args->host));
    c->said[0] = '\0';
}

static void on_listed(void *arg, const struct docker_answer *a)
{
    struct component *c = arg;
    uint64_t round = c->round;

    c->listing = NULL;
    if (a->code != OK) {
        set_broken(c, a->error);
    } else if (take_list(c, a->body) != OK) {
        set_broken(c, SLICE_LIT("what Docker answered is no list of containers"));
    } else {
        for (struct map_entry *e = map_next(&c->containers, NULL); e != NULL; e = map_next(&c->containers, e)) {
            struct container *x = e->value;

            if (x->round < round)
                set_ended(c, x);
        }
        c->was_listed = true;
        set_healthy(c);
        tell_in(c, c->asking_networks != NULL ? INSPECT_WAIT_MS : 0);
    }
    if (c->is_stale)
        refresh(c);
}

static void on_networks(void *arg, const struct docker_answer *a)
{
    struct component *c = arg;

    c->asking_networks = NULL;
    buf_reset(&c->networks);
    if (a->code == OK)
        (void)buf_add(&c->networks, a->body);
    if (c->was_listed)
        tell_in(c, c->listing == NULL ? 0 : SETTLE_MS);
}

static enum code add_filters(struct component *c, struct buf *path, const struct docker_filter *id)
{
    const struct filter_args *given = c->args->filters.items;
    struct docker_filter *filters = mem_array(c->args->filters.n + 1, sizeof *filters);
    size_t n = 0;
    enum code rc;

    for (size_t i = 0; i < c->args->filters.n; i++) {
        if (id != NULL && (slice_eq_str(given[i].name, "status") || slice_eq_str(given[i].name, "id")))
            continue;
        filters[n++] = (struct docker_filter){given[i].name, given[i].values.items, given[i].values.n};
    }
    if (id != NULL)
        filters[n++] = *id;
    rc = docker_add_filters(path, filters, n);
    mem_free(filters);
    return rc;
}

static void refresh(struct component *c)
{
    struct buf path;

    if (c->listing != NULL) {
        c->is_stale = true;
        return;
    }
    c->is_stale = false;
    c->round++;
    buf_init(&path, 64 * 1024);
    (void)buf_add_str(&path, "/containers/json");
    if (add_filters(c, &path, NULL) == OK)
        c->listing = docker_get(c->docker, buf_slice(&path), LIMIT_DOCKER_ANSWER_BYTES, on_listed, c);
    else
        set_broken(c, SLICE_LIT("the filters are too long"));
    buf_release(&path);
    if (c->asking_networks == NULL)
        c->asking_networks = docker_get(c->docker, SLICE_LIT("/networks"), LIMIT_DOCKER_ANSWER_BYTES, on_networks, c);
}

static void on_poll(void *arg)
{
    struct component *c = arg;
    uint64_t every_ms = (uint64_t)(c->args->refresh_ns / NS_PER_MS);

    if (c->said[0] != '\0' && every_ms > RETRY_MS)
        every_ms = RETRY_MS;
    refresh(c);
    timer_start(c->poll, every_ms, 0);
}

/* ---- one container that just started ---- */

static void on_looked(void *arg, const struct docker_answer *a)
{
    struct component *c = arg;

    if (a->code == OK && take_list(c, a->body) == OK)
        tell_in(c, c->n_inspecting == 0 ? 0 : SETTLE_MS);
    else
        refresh(c);
}

static bool has_id_filter_without(const struct component *c, struct slice id)
{
    const struct filter_args *given = c->args->filters.items;
    bool is_given = false;

    for (size_t i = 0; i < c->args->filters.n; i++) {
        if (!slice_eq_str(given[i].name, "id"))
            continue;
        is_given = true;
        for (size_t k = 0; k < given[i].values.n; k++)
            if (slice_starts(id, given[i].values.items[k]))
                return false;
    }
    return is_given;
}

/* Asked for by its id, ended or not, so that a short life is no matter. */
static void look(struct component *c, struct slice id)
{
    struct docker_filter only = {SLICE_LIT("id"), &id, 1};
    struct buf path;

    if (!is_id(id) || has_id_filter_without(c, id))
        return;
    buf_init(&path, 64 * 1024);
    (void)buf_add_str(&path, "/containers/json?all=1");
    if (add_filters(c, &path, &only) == OK)
        (void)docker_get(c->docker, buf_slice(&path), LIMIT_DOCKER_ANSWER_BYTES, on_looked, c);
    buf_release(&path);
}

/* ---- events ---- */

static void take_event(struct component *c, struct slice line)
{
    struct arena arena;
    struct json j;
    const struct json *type, *action, *actor, *id = NULL;

    arena_init(&arena, EVENT_BYTES);
    if (json_parse(&arena, line, &j, NULL) == OK && (type = json_get(&j, SLICE_LIT("Type"))) != NULL &&
        type->type == JSON_STRING && (action = json_get(&j, SLICE_LIT("Action"))) != NULL &&
        action->type == JSON_STRING) {
        struct container *x;

        actor = json_get(&j, SLICE_LIT("Actor"));
        if (actor != NULL)
            id = json_get(actor, SLICE_LIT("ID"));
        if (!slice_eq_str(type->text, "container") || id == NULL || id->type != JSON_STRING) {
            refresh(c);
        } else if (slice_eq_str(action->text, "start")) {
            look(c, id->text);
        } else if (slice_eq_str(action->text, "die") || slice_eq_str(action->text, "destroy")) {
            x = map_get(&c->containers, id->text);
            if (x != NULL)
                set_ended(c, x);
        } else {
            refresh(c);
        }
    }
    arena_release(&arena);
}

static enum docker_flow on_events(void *arg, struct slice chunk)
{
    struct component *c = arg;
    struct slice line, rest = chunk;

    while (slice_cut(rest, '\n', &line, &rest)) {
        if (c->event.len != 0) {
            (void)buf_add(&c->event, line);
            line = buf_slice(&c->event);
        }
        if (!c->event.is_full)
            take_event(c, line);
        buf_reset(&c->event);
    }
    (void)buf_add(&c->event, line);
    return DOCKER_GO_ON;
}

static void on_watching(void *arg)
{
    struct component *c = arg;

    c->said_events[0] = '\0';
    refresh(c); /* what happened before is in the list */
}

static void on_events_end(void *arg, const struct docker_answer *a)
{
    struct component *c = arg;
    bool is_refused = a->code == INVALID || a->code == AGAIN;

    c->watching = NULL;
    if (is_refused && !slice_eq_str(a->error, c->said_events)) {
        (void)snprintf(c->said_events, sizeof c->said_events, "%.*s", SLICE_ARG(a->error));
        log_warn(host_id(c->host), "Docker's events cannot be had: containers are seen every refresh_interval only",
                 log_slice("err", a->error), log_str("do", "let GET /events through"));
    }
    timer_start(c->reconnect, is_refused ? 60000 : a->code == OK ? 100 : RETRY_MS, 0);
}

static void watch(void *arg)
{
    static const struct slice types[] = {{"container", 9}, {"network", 7}};
    static const struct slice events[] = {{"start", 5},  {"die", 3},     {"destroy", 7},
                                          {"rename", 6}, {"connect", 7}, {"disconnect", 10}};
    const struct docker_filter filters[] = {{SLICE_LIT("type"), types, 2}, {SLICE_LIT("event"), events, 6}};
    struct component *c = arg;
    struct buf path;

    buf_reset(&c->event);
    buf_init(&path, 4096);
    (void)buf_add_str(&path, "/events");
    if (docker_add_filters(&path, filters, 2) == OK)
        c->watching = docker_stream(c->docker, buf_slice(&path), on_watching, on_events, on_events_end, c);
    buf_release(&path);
}

/* ---- the component ---- */

static enum code prepare(void *ctx, struct http_request *request, struct arena *arena, struct error *err)
{
    return http_auth_apply(ctx, request, arena, err);
}

static void end_docker(struct component *c)
{
    for (struct map_entry *e = map_next(&c->containers, NULL); e != NULL; e = map_next(&c->containers, e)) {
        struct container *x = e->value;

        docker_cancel(x->inspecting);
        x->inspecting = NULL;
    }
    c->n_inspecting = 0;
    docker_free(c->docker);
    http_auth_free(c->auth);
    c->docker = NULL;
    c->auth = NULL;
    c->listing = c->asking_networks = c->watching = NULL;
}

static enum code set_args(struct component *c, const struct discovery_docker_args *a, struct error *err)
{
    struct http_auth *auth;
    struct docker *docker;
    enum code rc = http_auth_new(&auth, &a->http, err);

    if (rc != OK)
        return rc;
    rc = docker_new(&docker, host_http(c->host, c->loop), a->host, prepare, auth, err);
    if (rc != OK) {
        http_auth_free(auth);
        return rc;
    }
    end_docker(c);
    c->args = a;
    c->auth = auth;
    c->docker = docker;
    return OK;
}

static void free_component(struct component *c)
{
    end_docker(c);
    timer_free(c->poll);
    timer_free(c->tell);
    timer_free(c->reconnect);
    map_release(&c->containers, free_container);
    buf_release(&c->networks);
    buf_release(&c->event);
    mem_free(c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->loop = loops_control(host_loops(host));
    map_init(&c->containers, LIMIT_DOCKER_CONTAINERS);
    buf_init(&c->networks, LIMIT_DOCKER_ANSWER_BYTES);
    buf_init(&c->event, EVENT_BYTES);
    c->poll = timer_new(c->loop, on_poll, c);
    c->tell = timer_new(c->loop, tell, c);
    c->reconnect = timer_new(c->loop, watch, c);
    rc = set_args(c, args, err);
    if (rc != OK) {
        free_component(c);
        return rc;
    }
    *out = c;
    return OK;
}

static void begin(struct component *c)
{
    timer_stop(c->reconnect);
    watch(c);
    on_poll(c);
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;
    enum code rc = set_args(c, args, err);

    if (rc != OK)
        return rc;
    for (struct map_entry *e = map_next(&c->containers, NULL); e != NULL; e = map_next(&c->containers, e))
        forget(c, e->value); /* another host or other filters: from the start; targets stay until the list is here */
    c->was_listed = false;
    c->is_stale = false;
    buf_reset(&c->networks);
    if (c->is_started)
        begin(c);
    return OK;
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    begin(c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    free_component(self);
    done(arg);
}

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "The containers' targets: __address__ and __meta_docker_* labels."},
    {0},
};

const struct component_type component_discovery_docker = {
    .name = "discovery.docker",
    .stability = STABILITY_GA,
    .doc = "Finds the containers of a Docker host.",
    .args = &discovery_docker_args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
