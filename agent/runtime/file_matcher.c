#include "agent/runtime/file_matcher.h"
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/glob_walk.h"
#include "agent/text/glob.h"

struct pattern {
    struct glob *path, *exclude; /* owned; exclude may be NULL */
    struct river_map labels;     /* in the matcher's arena; without the two */
};

struct file_matcher {
    struct host *host;
    struct loop *loop;
    struct arena arena; /* of the patterns' labels */
    struct pattern *patterns;
    size_t n;
    int64_t sync_ns, older_ns;
    void (*found)(void *arg, const struct river_targets *targets);
    void *arg;
    struct timer *timer; /* on the loop */
    uint64_t last_hash;
    bool has_matched, is_started;
    bool is_ended; /* control loop */
    loop_fn done;
    void *done_arg;
};

/* What one match found, on its way to the control loop. */
struct matches {
    struct file_matcher *matcher;
    struct arena arena;
    struct river_targets targets;
    size_t cap;
    const struct pattern *pattern; /* the one being walked */
    uint64_t hash;
    int64_t oldest_ns;
};

static struct slice target_get(const struct river_map *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq_str(t->items[i].name, name))
            return t->items[i].value;
    return (struct slice){0};
}

static void copy_labels(struct file_matcher *m, struct pattern *p, const struct river_map *target)
{
    p->labels.items = arena_zalloc(&m->arena, (target->n + 1) * sizeof *p->labels.items);
    for (size_t i = 0; i < target->n; i++) {
        const struct river_pair *pair = &target->items[i];

        if (slice_eq_str(pair->name, "__path__") || slice_eq_str(pair->name, "__path_exclude__"))
            continue;
        p->labels.items[p->labels.n++] =
            (struct river_pair){arena_copy(&m->arena, pair->name), arena_copy(&m->arena, pair->value)};
    }
}

static void release(struct file_matcher *m)
{
    for (size_t i = 0; i < m->n; i++) {
        glob_free(m->patterns[i].path);
        glob_free(m->patterns[i].exclude);
    }
    mem_free(m->patterns);
    arena_release(&m->arena);
    mem_free(m);
}

enum code file_matcher_new(struct file_matcher **out, struct host *h, const struct river_targets *targets,
                           int64_t sync_period_ns, int64_t ignore_older_than_ns,
                           void (*found)(void *arg, const struct river_targets *targets), void *arg, struct error *err)
{
    struct file_matcher *m = mem_zalloc(sizeof *m);
    enum code rc = OK;

    *out = NULL;
    *m = (struct file_matcher){.host = h,
                               .loop = host_loop(h),
                               .sync_ns = sync_period_ns,
                               .older_ns = ignore_older_than_ns,
                               .found = found,
                               .arg = arg};
    arena_init(&m->arena, 0);
    m->patterns = mem_array(targets->n + 1, sizeof *m->patterns);
    for (size_t i = 0; i < targets->n && rc == OK; i++) {
        struct pattern *p = &m->patterns[m->n++];
        struct slice path = target_get(&targets->items[i], "__path__");
        struct slice exclude = target_get(&targets->items[i], "__path_exclude__");

        if (path.len == 0)
            rc = error_set(err, INVALID, "target %zu has no __path__", i);
        if (rc == OK)
            rc = glob_compile(&p->path, path, err);
        if (rc == OK && exclude.len != 0)
            rc = glob_compile(&p->exclude, exclude, err);
        copy_labels(m, p, &targets->items[i]);
    }
    if (rc != OK) {
        release(m);
        return rc;
    }
    *out = m;
    return OK;
}

static void add_match(void *arg, const char *path, const struct file_stat *st)
{
    struct matches *to = arg;
    const struct pattern *p = to->pattern;
    struct river_map *t;

    if ((p->exclude != NULL && glob_match(p->exclude, slice_str(path))) || st->mtime_ns < to->oldest_ns)
        return;
    if (to->targets.n == to->cap) {
        to->cap = to->cap != 0 ? to->cap * 2 : 64;
        to->targets.items = mem_realloc(to->targets.items, to->cap * sizeof *to->targets.items);
    }
    t = &to->targets.items[to->targets.n++];
    t->n = p->labels.n + 1;
    t->items = arena_alloc(&to->arena, t->n * sizeof *t->items);
    memcpy(t->items, p->labels.items, p->labels.n * sizeof *t->items); /* their texts are the matcher's */
    t->items[p->labels.n] = (struct river_pair){SLICE_LIT("__path__"), arena_copy(&to->arena, slice_str(path))};
    to->hash = to->hash * 31 + hash64(slice_str(path)) + (uint64_t)(p - to->matcher->patterns) + 1;
}

static void give(void *arg)
{
    struct matches *found = arg;

    if (!found->matcher->is_ended)
        found->matcher->found(found->matcher->arg, &found->targets);
    arena_release(&found->arena);
    mem_free(found->targets.items);
    mem_free(found);
}

static void match(void *arg)
{
    struct file_matcher *m = arg;
    struct matches *found = mem_zalloc(sizeof *found);

    found->matcher = m;
    found->oldest_ns = m->older_ns > 0 ? clock_wall_ns(host_clock(m->host)) - m->older_ns : INT64_MIN;
    arena_init(&found->arena, 0);
    for (size_t i = 0; i < m->n; i++) {
        struct error err = {0};

        found->pattern = &m->patterns[i];
        if (glob_walk(m->patterns[i].path, add_match, found, &err) != OK)
            log_warn(host_id(m->host), "not all files were matched",
                     log_slice("folder", glob_base(m->patterns[i].path)), log_str("err", err.text),
                     log_str("do", "give a narrower pattern"));
    }
    timer_start(m->timer, (uint64_t)(m->sync_ns / NS_PER_MS), 0);
    if (m->has_matched && m->last_hash == found->hash) {
        found->targets.n = 0;
        arena_release(&found->arena);
        mem_free(found->targets.items);
        mem_free(found);
        return;
    }
    m->has_matched = true;
    m->last_hash = found->hash;
    loop_post(loops_control(host_loops(m->host)), give, found);
}

static void start_on_loop(void *arg)
{
    struct file_matcher *m = arg;

    m->timer = timer_new(m->loop, match, m);
    match(m);
}

void file_matcher_start(struct file_matcher *m)
{
    m->is_started = true;
    loop_post(m->loop, start_on_loop, m);
}

static void gone(void *arg)
{
    struct file_matcher *m = arg;
    loop_fn done = m->done;
    void *done_arg = m->done_arg;

    release(m);
    done(done_arg);
}

static void end_on_loop(void *arg)
{
    struct file_matcher *m = arg;

    timer_free(m->timer);
    loop_post(loops_control(host_loops(m->host)), gone, m);
}

void file_matcher_free(struct file_matcher *m, loop_fn done, void *arg)
{
    m->is_ended = true;
    m->done = done;
    m->done_arg = arg;
    loop_post(m->loop, end_on_loop, m);
}
