#include "agent/base/limits.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "agent/components/discovery/process/process.h"
#include "agent/io/file.h"
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct look {
    const char *proc;
    const struct process_discover_args *args;
    long *pids; /* owned */
    size_t n_pids, cap_pids;
    size_t n_denied;
    struct map users; /* uid as text -> name, owned */
};

static bool add_pid(void *arg, const char *name, bool is_dir)
{
    struct look *l = arg;
    uint64_t pid;

    (void)is_dir;
    if (!slice_to_u64(slice_str(name), &pid) || pid > INT_MAX)
        return true;
    if (l->n_pids == l->cap_pids) {
        l->cap_pids = l->cap_pids != 0 ? l->cap_pids * 2 : 256;
        l->pids = mem_realloc(l->pids, l->cap_pids * sizeof *l->pids);
    }
    l->pids[l->n_pids++] = (long)pid;
    return l->n_pids < LIMIT_PROCESSES;
}

static int by_number(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return x < y ? -1 : x > y;
}

enum { N_LABELS = 8 };
struct process {
    char pid[24], exe[PATH_MAX], cwd[PATH_MAX], container_id[65], path[PATH_MAX];
    struct buf commandline, status, cgroup;
    struct slice names[N_LABELS], texts[N_LABELS];
    size_t n;
};

static void put(struct process *p, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    p->names[p->n] = slice_str(name);
    p->texts[p->n++] = text;
}

static bool read_link(struct process *p, struct look *l, const char *what, char *out, size_t cap)
{
    ssize_t n;

    (void)snprintf(p->path, sizeof p->path, "%s/%s/%s", l->proc, p->pid, what);
    n = readlink(p->path, out, cap - 1);
    if (n < 0) {
        l->n_denied += errno == EACCES || errno == EPERM;
        return false;
    }
    out[n] = '\0';
    return true;
}

static bool read_proc(struct process *p, struct look *l, const char *what, struct buf *out)
{
    struct error err = {0};
    enum code rc;
    size_t got = 0;
    int fd;

    (void)snprintf(p->path, sizeof p->path, "%s/%s/%s", l->proc, p->pid, what);
    buf_reset(out);
    if (file_open(&fd, p->path, FILE_READ, &err) != OK) {
        l->n_denied += access(p->path, F_OK) == 0;
        return false;
    }
    rc = buf_reserve(out, LIMIT_PROC_FILE_BYTES);
    if (rc == OK)
        rc = file_read_at(fd, 0, out->ptr, LIMIT_PROC_FILE_BYTES, &got, &err); /* a longer one is cut */
    out->len = got;
    file_close(&fd);
    return rc == OK;
}

/* Arguments end with NUL; empty ones are left out. */
static struct slice join_arguments(struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->len; i++) {
        if (b->ptr[i] != '\0')
            b->ptr[n++] = b->ptr[i];
        else if (n != 0 && b->ptr[n - 1] != '\0')
            b->ptr[n++] = '\0';
    }
    while (n != 0 && b->ptr[n - 1] == '\0')
        n--;
    for (size_t i = 0; i < n; i++)
        if (b->ptr[i] == '\0')
            b->ptr[i] = ' ';
    b->len = n;
    return buf_slice(b);
}

/* "Uid:\t1000\t1000\t1000\t1000": the first is the real one. */
static struct slice uid_of(struct slice status)
{
    struct slice line, rest = status, uid;

    while (rest.len != 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (!slice_starts(line, SLICE_LIT("Uid:")))
            continue;
        line = slice_trim(slice_from(line, 4));
        (void)slice_cut(line, '\t', &uid, &line);
        return uid;
    }
    return (struct slice){0};
}

static struct slice user_of(struct look *l, struct slice uid)
{
    char *known = map_get(&l->users, uid);
    struct passwd entry, *found = NULL;
    char text[4096];
    uint64_t number;

    if (known != NULL)
        return slice_str(known);
    if (!slice_to_u64(uid, &number) || getpwuid_r((uid_t)number, &entry, text, sizeof text, &found) != 0)
        found = NULL;
    known = mem_strdup(found != NULL ? found->pw_name : "");
    if (map_put(&l->users, uid, known, NULL) != OK) {
        mem_free(known);
        return (struct slice){0};
    }
    return slice_str(known);
}

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("0123456789abcdef", s.ptr[i]) == NULL || s.ptr[i] == '\0')
            return false;
    return true;
}

/* The 64 digits at the end of one line's path: after its last '/' or a '-' behind that, before '.' or the end. */
static struct slice container_id_of(struct slice line)
{
    for (size_t at = line.len; at-- > 0 && line.len >= 64;) {
        struct slice id = slice_head(slice_from(line, at + 1), 64), after = slice_from(line, at + 65);
        bool is_begin = line.ptr[at] == '/' || (line.ptr[at] == '-' && slice_find(slice_head(line, at), '/') != at);

        if (is_begin && id.len == 64 && is_hex(id) && (slice_trim(after).len == 0 || after.ptr[0] == '.'))
            return id;
    }
    return (struct slice){0};
}

struct slice process_container_id(struct slice cgroup)
{
    struct slice line, id = {0};

    while (cgroup.len != 0 && id.len == 0) {
        (void)slice_cut(cgroup, '\n', &line, &cgroup);
        id = container_id_of(line);
    }
    return id;
}

/* The lines with '|' between them. */
static struct slice join_lines(struct buf *b)
{
    while (b->len != 0 && b->ptr[b->len - 1] == '\n')
        b->len--;
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] == '\n')
            b->ptr[i] = '|';
    return buf_slice(b);
}

/* False: it is left out. */
static bool look_at(struct look *l, struct process *p)
{
    const struct process_discover_args *a = l->args;
    struct slice uid = {0};

    p->n = 0;
    put(p, "__process_pid__", slice_str(p->pid));
    if (a->exe && !read_link(p, l, "exe", p->exe, sizeof p->exe))
        return false; /* kernel threads have none */
    put(p, "__meta_process_exe", a->exe ? slice_str(p->exe) : (struct slice){0});
    if (a->cwd && !read_link(p, l, "cwd", p->cwd, sizeof p->cwd))
        return false;
    put(p, "__meta_process_cwd", a->cwd ? slice_str(p->cwd) : (struct slice){0});
    if (a->commandline && !read_proc(p, l, "cmdline", &p->commandline))
        return false;
    if (a->commandline)
        put(p, "__meta_process_commandline", join_arguments(&p->commandline));
    if ((a->username || a->uid) && read_proc(p, l, "status", &p->status))
        uid = uid_of(buf_slice(&p->status));
    if (a->username && uid.len != 0)
        put(p, "__meta_process_username", user_of(l, uid));
    put(p, "__meta_process_uid", a->uid ? uid : (struct slice){0});
    if ((a->container_id || a->cgroup_path) && !read_proc(p, l, "cgroup", &p->cgroup))
        return false;
    if (a->container_id) {
        (void)snprintf(p->container_id, sizeof p->container_id, "%.*s",
                       SLICE_ARG(process_container_id(buf_slice(&p->cgroup))));
        put(p, "__container_id__", slice_str(p->container_id));
    }
    if (a->cgroup_path)
        put(p, "__meta_process_cgroup_path", join_lines(&p->cgroup));
    return true;
}

enum code processes_read(struct targets *out, const char *proc, const struct process_discover_args *args,
                         size_t *n_denied, struct error *err)
{
    struct look l = {.proc = proc, .args = args};
    struct process *p = mem_zalloc(sizeof *p);
    enum code rc = dir_list(proc, add_pid, &l, err);

    map_init(&l.users, 0);
    buf_init(&p->commandline, LIMIT_PROC_FILE_BYTES);
    buf_init(&p->status, LIMIT_PROC_FILE_BYTES);
    buf_init(&p->cgroup, LIMIT_PROC_FILE_BYTES);
    if (l.n_pids != 0)
        qsort(l.pids, l.n_pids, sizeof *l.pids, by_number);
    for (size_t i = 0; i < l.n_pids && rc == OK; i++) {
        (void)snprintf(p->pid, sizeof p->pid, "%ld", l.pids[i]);
        if (look_at(&l, p))
            rc = targets_add(out, p->names, p->texts, p->n, err);
    }
    *n_denied = l.n_denied;
    buf_release(&p->commandline);
    buf_release(&p->status);
    buf_release(&p->cgroup);
    map_release(&l.users, mem_free);
    mem_free(l.pids);
    mem_free(p);
    return rc;
}
