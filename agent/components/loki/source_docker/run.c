/* loki.source.docker: the component. Containers that come and go start and end tailers; those that stay keep their
 * streams. All arguments are taken while running. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_docker/source_docker.h"
#include "agent/text/json.h"

#define META_ID "__meta_docker_container_id"
#define META_STREAM "__meta_docker_container_log_stream"
#define META_LOGS "__meta_docker_container_label_hyagent_logs"

enum { ID_MAX = 64 };

struct component {
    struct docker_source s;
    struct map tailers;     /* container id -> struct tailer */
    struct docker_way *way; /* owned reference */
    bool is_started, is_stopped, was_self_said;
    size_t freeing;
    loop_fn closed;
    void *closed_arg;
};

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void free_component(struct component *c)
{
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    positions_close(c->s.positions);
    metric_unref(c->s.entries);
    metric_unref(c->s.parsing_errors);
    map_release(&c->tailers, NULL);
    docker_way_unref(c->way);
    mem_free(c);
    if (done != NULL)
        done(done_arg);
}

static void maybe_closed(struct component *c)
{
    if (c->closed != NULL && c->freeing == 0 && map_count(&c->tailers) == 0)
        free_component(c);
}

struct freeing {
    struct component *component;
    struct tailer *tailer;
};

/* Every loop has passed: nothing posted to the tailer is under way. */
static void free_tailer(void *arg)
{
    struct freeing *f = arg;
    struct component *c = f->component;

    tailer_free(f->tailer);
    mem_free(f);
    c->freeing--;
    maybe_closed(c);
}

static void on_ended(void *arg, struct tailer *t)
{
    struct component *c = arg;
    struct freeing *freeing;

    if (t->is_wanted && !c->is_stopped) {
        tailer_start(t); /* came back while it ended */
        return;
    }
    (void)map_remove(&c->tailers, slice_str(t->id));
    freeing = mem_zalloc(sizeof *freeing);
    *freeing = (struct freeing){c, t};
    c->freeing++;
    loops_barrier(host_loops(c->s.host), free_tailer, freeing);
}

/* --- targets --------------------------------------------------------------------------------------------------------
 */

static struct slice target_get(const struct river_map *target, const char *name)
{
    for (size_t i = 0; i < target->n; i++)
        if (slice_eq_str(target->items[i].name, name))
            return target->items[i].value;
    return (struct slice){0};
}

static enum code set_all(struct labels_builder *b, const struct river_map *from)
{
    enum code rc = OK;

    for (size_t i = 0; i < from->n && rc == OK; i++)
        if (from->items[i].value.len != 0)
            rc = labels_builder_set(b, from->items[i].name, from->items[i].value);
    return rc;
}

/* The set without names that start with "__"; NULL: no memory. */
static const struct labels *plain_labels(struct arena *arena, const struct labels_builder *from)
{
    struct labels_builder b;

    labels_builder_init(&b, arena, NULL);
    for (size_t i = 0; i < from->n; i++)
        if (!slice_starts(from->pairs[i].name, SLICE_LIT("__")) &&
            labels_builder_set(&b, from->pairs[i].name, from->pairs[i].value) != OK)
            return NULL;
    return labels_build(&b);
}

/* The labels of a container's lines of one stream: its target's, those of the arguments, then the rules. *out NULL with
 * OK: a rule drops them. */
static enum code stream_labels(const struct source_docker_args *a, const struct river_map *target, const char *stream,
                               struct arena *arena, const struct labels **out)
{
    struct labels_builder b;
    bool keep = true;
    enum code rc;

    *out = NULL;
    labels_builder_init(&b, arena, NULL);
    rc = set_all(&b, target);
    if (rc == OK)
        rc = set_all(&b, &a->labels);
    if (rc == OK)
        rc = labels_builder_set(&b, SLICE_LIT(META_STREAM), slice_str(stream));
    if (rc == OK)
        rc = relabel_apply(a->relabel_rules, &b, &keep);
    if (rc != OK || !keep)
        return rc;
    *out = plain_labels(arena, &b);
    return *out != NULL ? OK : NOMEM;
}

static struct tailer *want(struct component *c, struct slice id, const struct river_map *target, struct arena *arena)
{
    struct tailer *t = map_get(&c->tailers, id);
    const struct labels *plain;
    struct labels_builder b;

    if (t != NULL) {
        if (!t->is_wanted && t->is_on_loop)
            tailer_stay(t);
        t->is_wanted = true;
        return t;
    }
    labels_builder_init(&b, arena, NULL);
    if (set_all(&b, target) != OK || (plain = plain_labels(arena, &b)) == NULL)
        return NULL;
    t = tailer_new(&c->s, id, labels_position_key(plain));
    labels_unref(plain);
    t->ended = on_ended;
    t->ended_arg = c;
    if (map_put(&c->tailers, id, t, NULL) != OK) {
        tailer_free(t);
        return NULL;
    }
    t->is_wanted = true;
    return t;
}

static void take_target(struct component *c, const struct source_docker_args *a, const struct river_map *target,
                        struct slice id)
{
    const struct labels *labels[DOCKER_SOURCES] = {NULL, NULL};
    struct arena arena;
    struct tailer *t = NULL;
    enum code rc;

    arena_init(&arena, 0);
    rc = stream_labels(a, target, "stdout", &arena, &labels[DOCKER_STDOUT]);
    if (rc == OK)
        rc = stream_labels(a, target, "stderr", &arena, &labels[DOCKER_STDERR]);
    if (rc == OK)
        t = want(c, id, target, &arena);
    if (t != NULL) {
        tailer_set(t, c->way, labels);
        if (c->is_started && !t->is_on_loop)
            tailer_start(t);
    } else {
        labels_unref(labels[DOCKER_STDOUT]);
        labels_unref(labels[DOCKER_STDERR]);
        log_error(host_id(c->s.host), "no memory for one more container", log_slice("container", id));
    }
    arena_release(&arena);
}

static bool is_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    return s.len >= 12 && s.len <= ID_MAX;
}

/* Its own log would feed back: each line that fails to be sent makes another. */
static bool is_left_out(struct component *c, const struct river_map *target, struct slice id)
{
    if (slice_eq_str(target_get(target, META_LOGS), "false"))
        return true;
    if (!docker_is_self(id))
        return false;
    if (!c->was_self_said)
        log_info(host_id(c->s.host), "hyagent's own container is left out", log_slice("container", id));
    c->was_self_said = true;
    return true;
}

static void unwant(struct component *c, const struct map *wanted)
{
    for (struct map_entry *e = map_next(&c->tailers, NULL); e != NULL; e = map_next(&c->tailers, e)) {
        struct tailer *t = e->value;

        if (!t->is_wanted || map_get(wanted, e->key) != NULL)
            continue;
        t->is_wanted = false;
        if (t->is_on_loop)
            tailer_leave(t);
        else
            on_ended(c, t);
    }
}

static void set_targets(struct component *c, const struct source_docker_args *a)
{
    struct map wanted;
    size_t n_bad = 0;

    map_init(&wanted, 0);
    for (size_t i = 0; i < a->targets.n; i++) {
        const struct river_map *target = &a->targets.items[i];
        struct slice id = target_get(target, META_ID);

        if (!is_id(id))
            n_bad++;
        else if (map_get(&wanted, id) == NULL && !is_left_out(c, target, id) && map_put(&wanted, id, c, NULL) == OK)
            take_target(c, a, target, id); /* of a container's targets (one per port) the first */
    }
    unwant(c, &wanted);
    map_release(&wanted, NULL);
    if (n_bad != 0)
        log_warn(host_id(c->s.host), "targets without " META_ID " were left out", log_int("targets", (int64_t)n_bad),
                 log_str("do", "give it the targets of discovery.docker"));
}

static enum code set_args(struct component *c, const struct source_docker_args *a, struct error *err)
{
    struct docker_way *way = NULL;
    enum code rc =
        host_fanout(c->s.host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &c->s.to, err);

    if (rc == OK && (c->way == NULL || !docker_way_is(c->way, a)))
        rc = docker_way_new(&way, a, err);
    if (rc != OK)
        return rc;
    if (way != NULL) {
        docker_way_unref(c->way);
        c->way = way;
    }
    set_targets(c, a);
    return OK;
}

/* --- the component
 * ---------------------------------------------------------------------------------------------------- */

static enum code open_positions(struct component *c, struct error *err)
{
    bool is_older = false;
    enum code rc = positions_open(host_positions(c->s.host), host_data_dir(c->s.host), &c->s.positions, &is_older, err);

    if (rc == CORRUPT) {
        log_error(host_id(c->s.host), "the positions cannot be read and were set aside: logs are read from their start",
                  log_str("err", err->text));
        rc = OK;
    }
    if (rc == OK && is_older)
        log_warn(host_id(c->s.host), "the positions were damaged, the generation before is used: lines may come again");
    return rc;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->s.host = host;
    c->s.admission = host_admission(host);
    map_init(&c->tailers, LIMIT_DOCKER_CONTAINERS);
    c->s.entries = host_counter(host, "loki_source_docker_target_entries_total",
                                "Total number of successful entries sent to the Docker target.", NULL, 0);
    c->s.parsing_errors = host_counter(host, "loki_source_docker_target_parsing_errors_total",
                                       "Total number of parsing errors while receiving Docker messages.", NULL, 0);
    rc = open_positions(c, err);
    if (rc == OK)
        rc = set_args(c, args, err);
    if (rc != OK) {
        free_component(c);
        return rc;
    }
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;

    return c->is_stopped ? OK : set_args(c, args, err);
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    for (struct map_entry *e = map_next(&c->tailers, NULL); e != NULL; e = map_next(&c->tailers, e))
        tailer_start(e->value);
}

static void stop_intake(void *self)
{
    struct component *c = self;

    c->is_stopped = true;
    for (struct map_entry *e = map_next(&c->tailers, NULL); e != NULL; e = map_next(&c->tailers, e)) {
        struct tailer *t = e->value;

        if (t->is_on_loop)
            tailer_stop(t);
    }
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    stop_intake(c);
    c->closed = done;
    c->closed_arg = arg;
    for (struct map_entry *e = map_next(&c->tailers, NULL); e != NULL; e = map_next(&c->tailers, e)) {
        struct tailer *t = e->value;

        if (t->is_on_loop)
            tailer_end(t);
        else
            on_ended(c, t); /* its labels may be on their way to the loop: freed after a barrier */
    }
    maybe_closed(c);
}

static void write_debug(void *self, struct buf *json)
{
    struct component *c = self;
    const char *comma = "";

    (void)buf_add_str(json, "\"containers\":[");
    for (struct map_entry *e = map_next(&c->tailers, NULL); e != NULL; e = map_next(&c->tailers, e)) {
        const struct tailer *t = e->value;

        (void)buf_printf(json, "%s{\"id\":", comma);
        (void)json_write_string(json, slice_str(t->id));
        (void)buf_printf(json, ",\"is_wanted\":%s}", t->is_wanted ? "true" : "false");
        comma = ",";
    }
    (void)buf_add_char(json, ']');
}

const struct component_type component_loki_source_docker = {
    .name = "loki.source.docker",
    .stability = STABILITY_GA,
    .doc = "Reads containers' logs from Docker's API.",
    .args = &source_docker_args_block,
    .recovers = RECOVERS_POSITIONS,
    .is_source = true,
    .create = create,
    .update = update,
    .start = start,
    .stop_intake = stop_intake,
    .close = close_component,
    .write_debug = write_debug,
};
