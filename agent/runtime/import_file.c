/* import.file: the file or folder is read when the configuration is expanded; this watches it. */
#include "agent/base/hash.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/runtime/file_detector.h"
#include "agent/runtime/import.h"
#include <stddef.h>

struct args {
    struct slice filename;
    int detector; /* enum file_detector_kind */
    int64_t poll_frequency_ns;
};

struct component {
    struct host *host;
    char *path;                     /* owned */
    struct file_detector *detector; /* owned */
    uint64_t seen;                  /* what the files looked like; 0: never looked */
};

struct look {
    const char *folder;
    uint64_t sum; /* regardless of the order of entries */
};

static uint64_t look_of(const char *path)
{
    struct error err = {0};
    struct file_stat st;

    if (file_stat_path(path, &st, &err) != OK)
        return 1;
    return hash64(slice_make(&(const uint64_t[]){st.id.device, st.id.inode, st.size_bytes, (uint64_t)st.mtime_ns},
                             4 * sizeof(uint64_t)));
}

static bool add_entry(void *arg, const char *name, bool is_dir)
{
    struct look *l = arg;
    char *path;

    if (is_dir ||
        (!slice_ends(slice_str(name), SLICE_LIT(".alloy")) && !slice_ends(slice_str(name), SLICE_LIT(".river"))))
        return true;
    path = mem_printf("%s/%s", l->folder, name);
    l->sum += look_of(path) * 31 + hash64(slice_str(name));
    mem_free(path);
    return true;
}

static uint64_t look(const char *path)
{
    struct look l = {.folder = path};
    struct error err = {0};
    struct file_stat st;

    if (file_stat_path(path, &st, &err) == OK && st.is_dir && dir_list(path, add_entry, &l, &err) == OK)
        return l.sum | 1;
    return look_of(path) | 1;
}

/* The first look always expands again: the file may have changed since it was read. */
static void on_changed(void *arg)
{
    struct component *c = arg;
    uint64_t now = look(c->path);

    if (now != c->seen)
        host_want_expansion(c->host);
    c->seen = now;
}

static void set_args(struct component *c, const struct args *a)
{
    file_detector_free(c->detector);
    mem_free(c->path);
    c->path = mem_strndup(a->filename);
    c->seen = 0;
    c->detector = file_detector_new(c->host, (enum file_detector_kind)a->detector, a->filename, a->poll_frequency_ns,
                                    on_changed, c);
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);

    (void)err;
    c->host = host;
    set_args(c, args);
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    (void)err;
    set_args(self, args);
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    file_detector_free(c->detector);
    mem_free(c->path);
    mem_free(c);
    done(arg);
}

static const struct river_field fields[] = {
    {.name = "filename",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct args, filename),
     .doc = "The file, or a folder whose *.alloy and *.river files are one module."},
    {.name = "detector",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct args, detector),
     .def = "\"fsnotify\"",
     .choices = file_detector_kinds,
     .doc = "How changes are seen: fsnotify (inotify, and polling) or poll."},
    {.name = "poll_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .def = "\"1m\"",
     .offset = offsetof(struct args, poll_frequency_ns),
     .doc = "How often the file or folder is looked at."},
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "import.file",
    .fields = fields,
    .size = sizeof(struct args),
    .doc = "A module from a file or a folder; its custom components are used as LABEL.NAME.",
};

const struct component_type component_import_file = {
    .name = "import.file",
    .stability = STABILITY_GA,
    .doc = "Imports a module from a file or a folder, again whenever it changes.",
    .args = &args_block,
    .create = create,
    .update = update,
    .close = close_component,
};
