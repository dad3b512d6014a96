#include "agent/io/glob_walk.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/glob.h"
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 64, MAX_ENTRIES = 1000000 };

struct walk {
    const struct glob *g;
    void (*each)(void *arg, const char *path, const struct file_stat *st);
    void *arg;
    size_t n_matches, n_entries;
    bool is_full;
};

struct names {
    char **items; /* owned */
    size_t n, cap;
    size_t *n_entries; /* of the whole walk */
};

static bool add_name(void *arg, const char *name, bool is_dir)
{
    struct names *names = arg;

    (void)is_dir;
    if (names->n == names->cap) {
        names->cap = names->cap != 0 ? names->cap * 2 : 32;
        names->items = mem_realloc(names->items, names->cap * sizeof *names->items);
    }
    names->items[names->n++] = mem_strdup(name);
    return ++*names->n_entries < MAX_ENTRIES;
}

static int by_name(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

static void walk_folder(struct walk *w, const char *folder, unsigned depth);

static bool is_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Names as the pattern has them: "a.log" for "*.log", not "./a.log". */
static void walk_entry(struct walk *w, const char *folder, const char *name, unsigned depth)
{
    bool is_here = strcmp(folder, ".") == 0, is_root = strcmp(folder, "/") == 0;
    char *path = is_here ? mem_strdup(name) : mem_printf("%s/%s", is_root ? "" : folder, name);
    struct file_stat st;
    struct error err = {0};

    if (file_stat_path(path, &st, &err) != OK) {
        mem_free(path);
        return;
    }
    if (st.is_dir && glob_may_descend(w->g, slice_str(path)) && (!is_link(path) || depth < MAX_DEPTH / 8))
        walk_folder(w, path, depth + 1);
    if (st.is_regular && glob_match(w->g, slice_str(path))) {
        if (w->n_matches++ < LIMIT_GLOB_MATCHES)
            w->each(w->arg, path, &st);
        else
            w->is_full = true;
    }
    mem_free(path);
}

static void walk_folder(struct walk *w, const char *folder, unsigned depth)
{
    struct names names = {.n_entries = &w->n_entries};
    struct error err = {0};

    if (depth > MAX_DEPTH || w->is_full)
        return;
    if (dir_list(folder, add_name, &names, &err) == OK && names.n != 0)
        qsort(names.items, names.n, sizeof *names.items, by_name);
    w->is_full |= w->n_entries >= MAX_ENTRIES;
    for (size_t i = 0; i < names.n; i++) {
        if (!w->is_full)
            walk_entry(w, folder, names.items[i], depth);
        mem_free(names.items[i]);
    }
    mem_free(names.items);
}

enum code glob_walk(const struct glob *g, void (*each)(void *arg, const char *path, const struct file_stat *st),
                    void *arg, struct error *err)
{
    struct walk w = {.g = g, .each = each, .arg = arg};
    char *base = mem_strndup(glob_base(g));
    struct file_stat st;
    struct error why = {0};

    if (glob_is_literal(g)) {
        if (file_stat_path(base, &st, &why) == OK && st.is_regular)
            each(arg, base, &st);
    } else {
        walk_folder(&w, base[0] != '\0' ? base : ".", 0);
    }
    mem_free(base);
    return w.is_full ? error_set(err, FULL, "matches more than %d files", LIMIT_GLOB_MATCHES) : OK;
}
