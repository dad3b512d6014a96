/* loki.source.file: the component. Targets that come and go start and end followers; those that stay keep their open
 * files. All arguments are taken while running. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"
#include "agent/runtime/file_matcher.h"
#include "agent/text/json.h"

struct component {
    struct file_source s;
    struct map followers; /* path, NUL, labels -> struct follower */
    struct file_options options;
    struct file_matcher *matcher; /* owned; NULL: targets are paths */
    bool is_started, is_stopped, is_first_set;
    size_t ending; /* frees and watchers under way */
    loop_fn closed;
    void *closed_arg;
};

/* --- ends --------------------------------------------------------------------------------------------------------- */

static void free_component(struct component *c)
{
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    positions_close(c->s.positions);
    for (size_t i = 0; i < LOST_BYTES_COUNT; i++)
        metric_unref(c->s.lost[i]);
    metric_unref(c->s.active);
    metric_unref(c->s.repaired);
    claims_release(&c->s);
    map_release(&c->followers, NULL);
    mem_free(c->s.readers);
    mem_free(c);
    if (done != NULL)
        done(done_arg);
}

static void reader_closed(void *arg)
{
    struct component *c = arg;

    if (--c->ending == 0)
        free_component(c);
}

static void close_reader(void *arg)
{
    struct reader *r = arg;

    watcher_free(r->watcher);
    r->watcher = NULL;
    loop_post(loops_control(host_loops(r->source->host)), reader_closed, CONTAINER_OF(r->source, struct component, s));
}

/* The followers are gone: the watchers end on their loops. */
static void close_readers(struct component *c)
{
    c->ending = c->s.n_readers;
    for (unsigned i = 0; i < c->s.n_readers; i++)
        loop_post(c->s.readers[i].loop, close_reader, &c->s.readers[i]);
}

struct freeing {
    struct component *component;
    struct follower *follower;
};

static void maybe_closed(struct component *c)
{
    if (c->closed != NULL && c->ending == 0 && map_count(&c->followers) == 0 && c->matcher == NULL)
        close_readers(c);
}

/* Every loop has passed: nothing posted to the follower is under way. */
static void free_follower(void *arg)
{
    struct freeing *f = arg;
    struct component *c = f->component;

    follower_free(f->follower);
    mem_free(f);
    c->ending--;
    maybe_closed(c);
}

static void on_ended(void *arg, struct follower *f)
{
    struct component *c = arg;
    struct freeing *freeing;

    if (f->is_wanted && !c->is_stopped) {
        follower_start(f); /* came back while it ended */
        return;
    }
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e))
        if (e->value == f)
            (void)map_remove(&c->followers, e->key);
    freeing = mem_zalloc(sizeof *freeing);
    *freeing = (struct freeing){c, f};
    c->ending++;
    loops_barrier(host_loops(c->s.host), free_follower, freeing);
}

/* --- targets --------------------------------------------------------------------------------------------------------
 */

/* The target's path, its labels without those that start with "__", and with filename. False: no path, or no memory. */
static bool read_target(const struct river_map *target, struct arena *arena, struct slice *path,
                        const struct labels **plain, const struct labels **with_name)
{
    struct labels_builder b;

    *path = (struct slice){0};
    labels_builder_init(&b, arena, NULL);
    for (size_t i = 0; i < target->n; i++) {
        const struct river_pair *pair = &target->items[i];

        if (slice_eq_str(pair->name, "__path__"))
            *path = pair->value;
        if (!slice_starts(pair->name, SLICE_LIT("__")) && pair->value.len != 0 &&
            labels_builder_set(&b, pair->name, pair->value) != OK)
            return false;
    }
    if (path->len == 0 || memchr(path->ptr, '\0', path->len) != NULL)
        return false;
    *plain = labels_build(&b);
    if (*plain == NULL || labels_builder_set(&b, SLICE_LIT("filename"), *path) != OK)
        return false;
    *with_name = labels_build(&b);
    return *with_name != NULL;
}

static void want(struct component *c, struct slice key, struct slice path, const struct labels *labels, char *take_text)
{
    struct follower *f = map_get(&c->followers, key);

    if (f == NULL) {
        f = follower_new(&c->s, path, labels, take_text, &c->options);
        f->is_first_set = c->is_first_set;
        f->ended = on_ended;
        f->ended_arg = c;
        if (map_put(&c->followers, key, f, NULL) != OK) {
            log_error(host_id(c->s.host), "no memory for one more file", log_slice("path", path));
            follower_free(f);
            return;
        }
        f->is_wanted = true;
        if (c->is_started)
            follower_start(f);
        return;
    }
    mem_free(take_text);
    if (!f->is_wanted && f->is_on_loop)
        follower_stay(f);
    f->is_wanted = true;
}

static void unwant(struct component *c, struct map *wanted)
{
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e)) {
        struct follower *f = e->value;

        if (!f->is_wanted || map_get(wanted, e->key) != NULL)
            continue;
        f->is_wanted = false;
        if (f->is_on_loop) {
            follower_leave(f);
        } else {
            (void)map_remove(&c->followers, e->key);
            follower_free(f);
        }
    }
}

static void set_targets(struct component *c, const struct river_targets *targets)
{
    size_t n_bad = 0;
    struct map wanted;
    struct arena arena;
    struct buf key;

    map_init(&wanted, 0);
    arena_init(&arena, 0);
    buf_init(&key, LIMIT_LOG_ENTRY_BYTES);
    for (size_t i = 0; i < targets->n; i++) {
        const struct labels *plain = NULL, *with_name = NULL;
        struct slice path;

        buf_reset(&key);
        if (read_target(&targets->items[i], &arena, &path, &plain, &with_name)) {
            char *text = labels_position_key(plain);

            (void)buf_add(&key, path);
            (void)buf_add(&key, slice_make("\0", 1));
            (void)buf_add_str(&key, text);
            if (map_put(&wanted, buf_slice(&key), c, NULL) == OK)
                want(c, buf_slice(&key), path, with_name, text);
            else
                mem_free(text);
        } else {
            n_bad++;
        }
        labels_unref(plain);
        labels_unref(with_name);
    }
    unwant(c, &wanted);
    buf_release(&key);
    arena_release(&arena);
    map_release(&wanted, NULL);
    if (n_bad != 0)
        log_warn(host_id(c->s.host), "targets without __path__ were left out", log_int("targets", (int64_t)n_bad),
                 log_str("do", "set __path__, as local.file_match or a relabelling rule does"));
    c->is_first_set = false;
}

static void on_matched(void *arg, const struct river_targets *targets)
{
    struct component *c = arg;

    if (!c->is_stopped)
        set_targets(c, targets);
}

static void matcher_ended(void *arg)
{
    struct component *c = arg;

    c->ending--;
    maybe_closed(c);
}

static void end_matcher(struct component *c)
{
    if (c->matcher == NULL)
        return;
    c->ending++;
    file_matcher_free(c->matcher, matcher_ended, c);
    c->matcher = NULL;
}

static enum code set_args(struct component *c, const struct source_file_args *a, struct error *err)
{
    struct file_matcher *matcher = NULL;
    struct fanout *to = NULL;
    enum code rc = host_fanout(c->s.host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &to, err);

    if (rc == OK && a->match.enabled)
        rc = file_matcher_new(&matcher, c->s.host, &a->targets, a->match.sync_period_ns, a->match.ignore_older_than_ns,
                              on_matched, c, err);
    if (rc != OK)
        return rc;
    if (c->s.to == NULL) /* the name gives the same one for ever; followers read it on their loops */
        c->s.to = to;
    c->options = (struct file_options){
        .encoding = (enum file_encoding)a->encoding,
        .on_positions_error = (enum positions_error)a->on_positions_error,
        .tail_from_end = a->tail_from_end,
        .positions_lost = c->options.positions_lost,
        .min_poll_ms = (uint64_t)(a->watch.min_poll_ns / NS_PER_MS),
        .max_poll_ms = (uint64_t)(a->watch.max_poll_ns / NS_PER_MS),
    };
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e))
        follower_set(e->value, &c->options);
    end_matcher(c);
    c->matcher = matcher;
    if (matcher == NULL)
        set_targets(c, &a->targets);
    else if (c->is_started)
        file_matcher_start(matcher);
    return OK;
}

/* --- the component
 * ---------------------------------------------------------------------------------------------------- */

static void make_metrics(struct file_source *s)
{
    static const char *const reasons[LOST_BYTES_COUNT] = {
        [LOST_TRUNCATED] = "truncated", [LOST_RELEASED] = "file_released", [LOST_LINE] = "line_too_long"};

    for (size_t i = 0; i < LOST_BYTES_COUNT; i++)
        s->lost[i] = host_counter(s->host, "hyagent_source_file_lost_bytes_total",
                                  "Bytes of files that could not be read any more, or were cut away.",
                                  &(struct metric_label){"reason", reasons[i]}, 1);
    s->active = host_gauge(s->host, "loki_source_file_files_active_total", "Number of active files.", NULL, 0);
    s->repaired = host_counter(s->host, "hyagent_source_file_repaired_bytes_total",
                               "Bytes that were no valid characters and were replaced.", NULL, 0);
}

static enum code open_positions(struct component *c, const struct source_file_args *a, struct error *err)
{
    bool is_older = false;
    enum code rc = positions_open(host_positions(c->s.host), host_data_dir(c->s.host), &c->s.positions, &is_older, err);

    if (rc == CORRUPT) {
        c->options.positions_lost = true;
        log_error(host_id(c->s.host), "the positions cannot be read and were set aside", log_str("err", err->text),
                  log_str("do", "on_positions_file_error says where files begin now"));
        rc = OK;
    }
    if (rc == OK && is_older)
        log_warn(host_id(c->s.host), "the positions were damaged, the generation before is used: lines may come again");
    if (rc == OK && a->legacy_positions_file.len != 0) {
        char *path = mem_strndup(a->legacy_positions_file);
        struct error why = {0};

        if (positions_import(c->s.positions, path, &why) != OK)
            log_warn(host_id(c->s.host), "legacy_positions_file cannot be taken over", log_str("err", why.text));
        mem_free(path);
    }
    return rc;
}

/* Entries of files that are gone and no target: a node's pods come and go, the positions must not grow for ever. */
struct stale {
    struct component *component;
    struct arena arena;
    struct river_pair *items; /* owned; path and labels, in the arena */
    size_t n, cap;
};

static bool note_stale(void *ctx, struct slice path, struct slice labels, struct slice text)
{
    const struct slice record = SLICE_LIT("cursor-files-");
    struct stale *stale = ctx;
    struct slice real = slice_starts(path, record) ? slice_from(path, record.len) : path;
    char *name = mem_strndup(real);
    struct file_stat st;
    struct error err = {0};
    struct buf key;

    (void)text;
    buf_init(&key, LIMIT_LOG_ENTRY_BYTES);
    (void)buf_add(&key, real);
    (void)buf_add(&key, slice_make("\0", 1));
    (void)buf_add(&key, labels);
    if (map_get(&stale->component->followers, buf_slice(&key)) == NULL && file_stat_path(name, &st, &err) == AGAIN) {
        if (stale->n == stale->cap) {
            stale->cap = stale->cap != 0 ? stale->cap * 2 : 16;
            stale->items = mem_realloc(stale->items, stale->cap * sizeof *stale->items);
        }
        stale->items[stale->n++] =
            (struct river_pair){arena_copy(&stale->arena, path), arena_copy(&stale->arena, labels)};
    }
    buf_release(&key);
    mem_free(name);
    return true;
}

static void forget_stale(struct component *c)
{
    struct stale stale = {.component = c};

    arena_init(&stale.arena, 0);
    positions_each(c->s.positions, note_stale, &stale);
    for (size_t i = 0; i < stale.n; i++)
        positions_remove(c->s.positions, stale.items[i].name, stale.items[i].value);
    arena_release(&stale.arena);
    mem_free(stale.items);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->s.host = host;
    c->s.admission = host_admission(host);
    c->s.n_readers = loops_count(host_loops(host));
    c->s.readers = mem_array(c->s.n_readers, sizeof *c->s.readers);
    for (unsigned i = 0; i < c->s.n_readers; i++)
        c->s.readers[i] = (struct reader){.source = &c->s, .loop = loops_worker(host_loops(host), i)};
    c->is_first_set = true;
    claims_init(&c->s);
    map_init(&c->followers, 0);
    make_metrics(&c->s);
    rc = open_positions(c, args, err);
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
    if (c->matcher == NULL)
        forget_stale(c);
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e))
        follower_start(e->value);
    if (c->matcher != NULL)
        file_matcher_start(c->matcher);
}

static void stop_intake(void *self)
{
    struct component *c = self;

    c->is_stopped = true;
    end_matcher(c);
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e))
        follower_stop(e->value);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    stop_intake(c);
    c->closed = done;
    c->closed_arg = arg;
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e)) {
        struct follower *f = e->value;

        if (f->is_on_loop) {
            follower_end(f);
        } else {
            (void)map_remove(&c->followers, e->key);
            follower_free(f);
        }
    }
    maybe_closed(c);
}

static void write_debug(void *self, struct buf *json)
{
    struct component *c = self;
    const char *comma = "";

    (void)buf_add_str(json, "\"files\":[");
    for (struct map_entry *e = map_next(&c->followers, NULL); e != NULL; e = map_next(&c->followers, e)) {
        const struct follower *f = e->value;

        (void)buf_printf(json, "%s{\"path\":", comma);
        (void)json_write_string(json, slice_str(f->path));
        (void)buf_printf(json, ",\"size\":%.0f,\"read\":%.0f,\"lines\":%.0f}", metric_value(f->file_bytes),
                         metric_value(f->read_bytes), metric_value(f->read_lines));
        comma = ",";
    }
    (void)buf_add_char(json, ']');
}

const struct component_type component_loki_source_file = {
    .name = "loki.source.file",
    .stability = STABILITY_GA,
    .doc = "Follows files and sends their lines.",
    .args = &source_file_args_block,
    .recovers = RECOVERS_POSITIONS,
    .is_source = true,
    .create = create,
    .update = update,
    .start = start,
    .stop_intake = stop_intake,
    .close = close_component,
    .write_debug = write_debug,
};
