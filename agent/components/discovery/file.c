/* discovery.file: target groups in files (Prometheus' file_sd). Files are read on a thread of the pool: every
 * refresh_interval, and soon after inotify saw a change in one of their folders. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/log.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "agent/io/glob_walk.h"
#include "agent/io/watch.h"
#include "agent/io/work.h"
#include "agent/runtime/component.h"
#include "agent/runtime/target_groups.h"
#include "agent/text/glob.h"
#include <stddef.h>

enum { SETTLE_MS = 50 };

struct args {
    struct river_strings files;
    int64_t refresh_ns;
};

/* What was read last from a file; lives on while the file is broken. */
struct file {
    struct targets targets;
    bool is_broken;
};

/* The patterns, counted: a scan under way keeps those it was begun with. */
struct patterns {
    unsigned refs; /* control loop only */
    struct glob **globs;
    size_t n;
};

struct component {
    struct host *host;
    struct loop *loop; /* the control loop */
    struct patterns *patterns;
    int64_t refresh_ns;
    struct map files; /* path -> struct file */
    struct timer *refresh, *settle;
    struct watcher *watcher; /* NULL: refresh_interval only */
    struct watch **watches;
    size_t n_watches;
    struct metric *errors;
    bool is_started, is_settling;
    bool is_scanning, is_stale; /* stale: changed while the scan was under way */
    bool is_closing;
    loop_fn closed;
    void *closed_arg;
};

struct scanned {
    char *path; /* owned */
    struct targets targets;
    enum code code;
    struct error err;
};

/* One look at all files, off the loop. */
struct scan {
    struct component *component;
    struct patterns *patterns;
    struct scanned *files;
    size_t n, cap;
    struct map seen;  /* path: a file that two patterns match is read once */
    struct error err; /* patterns that match too much */
};

static void patterns_unref(struct patterns *p)
{
    if (p == NULL || --p->refs != 0)
        return;
    for (size_t i = 0; i < p->n; i++)
        glob_free(p->globs[i]);
    mem_free(p->globs);
    mem_free(p);
}

/* ---- on the pool ---- */

static void read_one(struct scanned *f)
{
    const struct target_label path = {SLICE_LIT("__meta_filepath"), slice_str(f->path)};
    bool is_json =
        slice_ends(slice_str(f->path), SLICE_LIT(".json")) || slice_ends(slice_str(f->path), SLICE_LIT(".JSON"));
    struct buf text;

    targets_init(&f->targets, 8u * LIMIT_TARGET_GROUPS_BYTES);
    buf_init(&text, LIMIT_TARGET_GROUPS_BYTES);
    f->code = file_read_all(f->path, &text, &f->err);
    if (f->code == OK)
        f->code = target_groups_read(&f->targets, is_json ? TARGET_GROUPS_JSON : TARGET_GROUPS_YAML, buf_slice(&text),
                                     path, &f->err);
    buf_release(&text);
}

static void on_match(void *arg, const char *path, const struct file_stat *st)
{
    struct scan *s = arg;

    (void)st;
    if (map_get(&s->seen, slice_str(path)) != NULL)
        return;
    if (map_put(&s->seen, slice_str(path), s, NULL) != OK) {
        error_set(&s->err, FULL, "more than %d files match", LIMIT_DISCOVERY_FILES);
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap != 0 ? s->cap * 2 : 16;
        s->files = mem_realloc(s->files, s->cap * sizeof *s->files);
    }
    s->files[s->n] = (struct scanned){.path = mem_strdup(path)};
    read_one(&s->files[s->n++]);
}

static void scan_files(void *arg)
{
    struct scan *s = arg;

    for (size_t i = 0; i < s->patterns->n; i++)
        if (glob_walk(s->patterns->globs[i], on_match, s, &s->err) != OK)
            return; /* s->err says so */
}

/* ---- on the control loop ---- */

static void free_file(void *value)
{
    struct file *f = value;

    targets_release(&f->targets);
    mem_free(f);
}

static void say_broken(struct component *c, const struct scanned *s)
{
    metric_inc(c->errors);
    log_error(host_id(c->host), "a file of targets cannot be read; what it held last stays", log_str("path", s->path),
              log_str("err", s->err.text), log_str("do", "mend the file: it is read again by itself"));
}

/* The file as it is from now on: the new targets, or the last good ones. */
static struct file *take_file(struct component *c, struct scanned *s)
{
    struct file *f = map_remove(&c->files, slice_str(s->path));

    if (f == NULL)
        f = mem_zalloc(sizeof *f);
    if (s->code != OK) {
        if (!f->is_broken)
            say_broken(c, s);
        f->is_broken = true;
        return f;
    }
    targets_release(&f->targets);
    f->targets = s->targets;
    s->targets = (struct targets){0};
    f->is_broken = false;
    return f;
}

static void export_targets(struct component *c, const struct scan *s)
{
    struct value *all;
    size_t n = 0, n_broken = 0;
    const char *first_broken = "";

    for (struct map_entry *e = map_next(&c->files, NULL); e != NULL; e = map_next(&c->files, e)) {
        const struct file *f = e->value;

        n += f->targets.n;
        n_broken += f->is_broken;
    }
    all = mem_array(n + 1, sizeof *all);
    n = 0;
    for (struct map_entry *e = map_next(&c->files, NULL); e != NULL; e = map_next(&c->files, e)) {
        const struct file *f = e->value;

        if (f->targets.n != 0)
            memcpy(all + n, f->targets.items, f->targets.n * sizeof *all);
        n += f->targets.n;
    }
    host_export(c->host, "targets", value_array(all, n));
    mem_free(all);
    for (size_t i = 0; i < s->n && first_broken[0] == '\0'; i++)
        first_broken = s->files[i].err.text;
    if (n_broken != 0)
        host_set_health(c->host, HEALTH_UNHEALTHY, "%zu of %zu files cannot be read, the last good content stays: %s",
                        n_broken, map_count(&c->files), first_broken);
    else if (s->err.text[0] != '\0')
        host_set_health(c->host, HEALTH_UNHEALTHY, "%s", s->err.text);
    else
        host_set_health(c->host, HEALTH_HEALTHY, "%zu targets of %zu files", n, map_count(&c->files));
}

static void free_component(struct component *c)
{
    loop_fn closed = c->closed;
    void *closed_arg = c->closed_arg;

    map_release(&c->files, free_file);
    patterns_unref(c->patterns);
    metric_unref(c->errors);
    mem_free(c);
    if (closed != NULL)
        closed(closed_arg);
}

static void begin_scan(struct component *c);

static void on_scanned(void *arg)
{
    struct scan *s = arg;
    struct component *c = s->component;
    struct map files;

    c->is_scanning = false;
    if (!c->is_closing && s->patterns == c->patterns) {
        map_init(&files, LIMIT_DISCOVERY_FILES);
        for (size_t i = 0; i < s->n; i++) {
            struct file *f = take_file(c, &s->files[i]);

            if (map_put(&files, slice_str(s->files[i].path), f, NULL) != OK)
                free_file(f);
        }
        map_release(&c->files, free_file); /* of files that are gone */
        c->files = files;
        export_targets(c, s);
    }
    for (size_t i = 0; i < s->n; i++) {
        targets_release(&s->files[i].targets);
        mem_free(s->files[i].path);
    }
    mem_free(s->files);
    map_release(&s->seen, NULL);
    patterns_unref(s->patterns);
    mem_free(s);
    if (c->is_closing)
        free_component(c);
    else if (c->is_stale)
        begin_scan(c);
}

static void begin_scan(struct component *c)
{
    struct scan *s;

    c->is_stale = c->is_scanning;
    if (c->is_scanning)
        return;
    c->is_scanning = true;
    s = mem_zalloc(sizeof *s);
    s->component = c;
    s->patterns = c->patterns;
    s->patterns->refs++;
    map_init(&s->seen, LIMIT_DISCOVERY_FILES);
    work_run(c->loop, scan_files, on_scanned, s);
}

static void on_refresh(void *arg)
{
    struct component *c = arg;

    timer_start(c->refresh, (uint64_t)(c->refresh_ns / NS_PER_MS), 0);
    begin_scan(c);
}

static void on_settled(void *arg)
{
    struct component *c = arg;

    c->is_settling = false;
    begin_scan(c);
}

static void on_watch(void *arg, unsigned events, struct slice name)
{
    struct component *c = arg;

    (void)events;
    (void)name;
    if (!c->is_settling)
        timer_start(c->settle, SETTLE_MS, 0);
    c->is_settling = true;
}

static void end_watches(struct component *c)
{
    for (size_t i = 0; i < c->n_watches; i++)
        watch_free(c->watches[i]);
    mem_free(c->watches);
    c->watches = NULL;
    c->n_watches = 0;
}

/* The folder a pattern's files are in: above its first special character. */
static char *folder_of(const struct glob *g)
{
    char *folder = mem_strndup(glob_base(g)), *slash;

    if (!glob_is_literal(g))
        return folder[0] != '\0' ? folder : (mem_free(folder), mem_strdup("."));
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        mem_free(folder);
        return mem_strdup(".");
    }
    slash[slash == folder ? 1 : 0] = '\0';
    return folder;
}

static void begin_watches(struct component *c)
{
    struct error err = {0};
    struct map folders;

    end_watches(c);
    if (c->watcher == NULL && watcher_new(&c->watcher, c->loop, &err) != OK) {
        log_warn(host_id(c->host), "files are looked at every refresh_interval only", log_str("err", err.text),
                 log_str("do", "raise fs.inotify.max_user_instances"));
        return;
    }
    map_init(&folders, 0);
    c->watches = mem_array(c->patterns->n + 1, sizeof *c->watches);
    for (size_t i = 0; i < c->patterns->n; i++) {
        char *folder = folder_of(c->patterns->globs[i]);

        if (map_get(&folders, slice_str(folder)) == NULL && map_put(&folders, slice_str(folder), c, NULL) == OK)
            c->watches[c->n_watches++] = watch_new(c->watcher, folder, on_watch, c);
        mem_free(folder);
    }
    map_release(&folders, NULL);
}

static enum code set_args(struct component *c, const struct args *a, struct error *err)
{
    struct patterns *p = mem_zalloc(sizeof *p);

    p->refs = 1;
    p->globs = mem_array(a->files.n + 1, sizeof *p->globs);
    for (; p->n < a->files.n; p->n++) {
        if (glob_compile(&p->globs[p->n], a->files.items[p->n], err) != OK) {
            patterns_unref(p);
            return INVALID;
        }
    }
    patterns_unref(c->patterns);
    c->patterns = p;
    c->refresh_ns = a->refresh_ns;
    if (c->is_started) {
        begin_watches(c);
        on_refresh(c);
    }
    return OK;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    c->loop = loops_control(host_loops(host));
    map_init(&c->files, LIMIT_DISCOVERY_FILES);
    rc = set_args(c, args, err);
    if (rc != OK) {
        free_component(c);
        return rc;
    }
    c->errors =
        host_counter(host, "prometheus_sd_file_read_errors_total", "Files of targets that could not be read.", NULL, 0);
    c->refresh = timer_new(c->loop, on_refresh, c);
    c->settle = timer_new(c->loop, on_settled, c);
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
    begin_watches(c);
    on_refresh(c);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    end_watches(c);
    watcher_free(c->watcher);
    timer_free(c->refresh);
    timer_free(c->settle);
    c->closed = done;
    c->closed_arg = arg;
    c->is_closing = true;
    if (!c->is_scanning)
        free_component(c);
}

static bool has_known_end(struct slice name)
{
    static const char *const ends[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (slice_ends(name, slice_str(ends[i])))
            return true;
    return false;
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct args *a = args;
    enum code rc = OK;

    for (size_t i = 0; i < a->files.n; i++)
        if (!has_known_end(a->files.items[i]))
            rc = river_problem(problems, "files", "\"%.*s\" in files must end with .json, .yml or .yaml",
                               SLICE_ARG(a->files.items[i]));
    return rc;
}

static const struct river_field fields[] = {
    {.name = "files",
     .kind = RIVER_STRING_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, files),
     .doc = "Files of target groups, patterns allowed; names end with .json, .yml or .yaml."},
    {.name = "refresh_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = offsetof(struct args, refresh_ns),
     .def = "\"5m\"",
     .doc = "How often the files are read even if no change was seen."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {.name = "discovery.file",
                                              .fields = fields,
                                              .size = sizeof(struct args),
                                              .validate = validate,
                                              .doc = "Targets from files."};

static const struct component_export exports[] = {
    {"targets", "list(map(string))", "The targets: __address__, __meta_filepath and the labels of their groups."},
    {0},
};

const struct component_type component_discovery_file = {
    .name = "discovery.file",
    .stability = STABILITY_GA,
    .doc = "Finds targets in files.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .start = start,
    .close = close_component,
};
