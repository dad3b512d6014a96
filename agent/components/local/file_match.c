/* local.file_match: patterns to files, matched again every sync_period. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/file_matcher.h"
#include <stddef.h>

struct args {
    struct river_targets path_targets;
    int64_t sync_period_ns, ignore_older_than_ns;
};

struct component {
    struct host *host;
    struct file_matcher *matcher; /* owned */
    bool is_started;
    size_t ending;
    loop_fn closed;
    void *closed_arg;
};

static void on_found(void *arg, const struct river_targets *targets)
{
    struct component *c = arg;
    struct arena arena;
    struct value *items;
    enum code rc = OK;

    arena_init(&arena, 0);
    items = arena_try_array(&arena, targets->n + 1, sizeof *items);
    for (size_t i = 0; i < targets->n && items != NULL && rc == OK; i++) {
        const struct river_map *t = &targets->items[i];
        struct slice *names = arena_try_array(&arena, t->n, sizeof *names);
        struct slice *texts = arena_try_array(&arena, t->n, sizeof *texts);

        rc = names == NULL || texts == NULL ? NOMEM : OK;
        for (size_t k = 0; k < t->n && rc == OK; k++) {
            names[k] = t->items[k].name;
            texts[k] = t->items[k].value;
        }
        if (rc == OK)
            rc = value_object_of_strings(&arena, names, texts, t->n, &items[i]);
    }
    if (items == NULL || rc != OK)
        host_set_health(c->host, HEALTH_UNHEALTHY, "out of memory for %zu files", targets->n);
    else
        host_export(c->host, "targets", value_array(items, targets->n));
    arena_release(&arena);
}

static void free_when_ended(struct component *c)
{
    loop_fn done = c->closed;
    void *done_arg = c->closed_arg;

    if (done == NULL || c->ending != 0)
        return;
    mem_free(c);
    done(done_arg);
}

static void on_ended(void *arg)
{
    struct component *c = arg;

    c->ending--;
    free_when_ended(c);
}

static void end_matcher(struct component *c)
{
    if (c->matcher == NULL)
        return;
    c->ending++;
    file_matcher_free(c->matcher, on_ended, c);
    c->matcher = NULL;
}

static enum code set_args(struct component *c, const struct args *a, struct error *err)
{
    struct file_matcher *matcher;
    enum code rc = file_matcher_new(&matcher, c->host, &a->path_targets, a->sync_period_ns, a->ignore_older_than_ns,
                                    on_found, c, err);

    if (rc != OK)
        return rc;
    end_matcher(c);
    c->matcher = matcher;
    if (c->is_started)
        file_matcher_start(matcher);
    return OK;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    rc = set_args(c, args, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    return set_args(self, args, err);
}

static void start(void *self)
{
    struct component *c = self;

    c->is_started = true;
    file_matcher_start(c->matcher);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    c->closed = done;
    c->closed_arg = arg;
    end_matcher(c);
    free_when_ended(c);
}

static const struct river_field fields[] = {
    {.name = "path_targets",
     .kind = RIVER_TARGETS,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, path_targets),
     .doc = "Patterns (doublestar) in __path__, less those of __path_exclude__; other labels are kept."},
    {.name = "sync_period",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .def = "\"10s\"",
     .offset = offsetof(struct args, sync_period_ns),
     .doc = "How often patterns are matched again."},
    {.name = "ignore_older_than",
     .kind = RIVER_DURATION,
     .def = "\"0s\"",
     .offset = offsetof(struct args, ignore_older_than_ns),
     .doc = "Leaves out files not written to for so long; 0: none."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "local.file_match", .fields = fields, .size = sizeof(struct args), .doc = "Finds files by pattern."};

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "One target per file: __path__ and the labels of its pattern."},
    {0},
};

const struct component_type component_local_file_match = {
    .name = "local.file_match",
    .stability = STABILITY_GA,
    .doc = "Finds files by pattern.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
