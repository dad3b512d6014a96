/* The filesystem collector. statvfs on a dead network mount never returns, so it runs on a thread of its own: a scrape
 * waits for it a bounded time; while it hangs, further scrapes show the last values and device_error 1 for that mount.
 */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/prometheus/exporter_unix/unix.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>

enum { MAX_MOUNTS = 4096, LONGEST_WAIT_MS = 1000 };

struct mount {
    char *device, *point, *type, *path; /* owned; path: point below rootfs_path */
    bool is_readonly, has_failed;
    double size, free, avail, files, files_free;
};

struct unix_mounts {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *procfs, *rootfs; /* owned */
    struct regex *types_exclude, *points_exclude;
    int64_t wait_ms;
    bool has_thread, is_asked, is_closing; /* under lock, as is all below */
    uint64_t round;                        /* finished rounds */
    const char *busy_with;                 /* the mount point in statvfs now; NULL: idle */
    struct mount *mounts;                  /* of the last finished round; owned */
    size_t n;
    struct error last;
};

static void free_list(struct mount *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free(list[i].device);
        mem_free(list[i].point);
        mem_free(list[i].type);
        mem_free(list[i].path);
    }
    mem_free(list);
}

static void free_all(struct unix_mounts *m)
{
    free_list(m->mounts, m->n);
    regex_free(m->types_exclude);
    regex_free(m->points_exclude);
    mem_free(m->procfs);
    mem_free(m->rootfs);
    (void)pthread_mutex_destroy(&m->lock);
    (void)pthread_cond_destroy(&m->changed);
    mem_free(m);
}

/* "\040" and the like in the mount table (fstab(5)). */
static char *unescaped(struct slice s)
{
    char *text = mem_strndup(s);
    size_t to = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 3 < s.len && s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '3') {
            text[to++] = (char)((s.ptr[i + 1] - '0') * 64 + (s.ptr[i + 2] - '0') * 8 + (s.ptr[i + 3] - '0'));
            i += 3;
        } else {
            text[to++] = s.ptr[i];
        }
    }
    text[to] = '\0';
    return text;
}

/* The mount point as the host sees it: without rootfs_path in front. */
static char *host_view(const struct unix_mounts *m, const char *point)
{
    size_t n = strlen(m->rootfs);

    if (n > 1 && strncmp(point, m->rootfs, n) == 0 && (point[n] == '/' || point[n] == '\0'))
        return mem_strdup(point[n] == '\0' ? "/" : point + n);
    return mem_strdup(point);
}

static bool is_option(struct slice options, const char *wanted)
{
    struct slice one;

    while (options.len != 0) {
        (void)slice_cut(options, ',', &one, &options);
        if (slice_eq_str(one, wanted))
            return true;
    }
    return false;
}

static enum code list_mounts(const struct unix_mounts *m, struct mount **list, size_t *n, struct error *err)
{
    struct buf text;
    struct slice rest, line;

    *n = 0;
    *list = NULL;
    if (unix_read(m->procfs, "/1/mounts", &text, err) != OK && unix_read(m->procfs, "/self/mounts", &text, err) != OK)
        return IO;
    *list = mem_array(MAX_MOUNTS, sizeof **list);
    rest = buf_slice(&text);
    while (*n < MAX_MOUNTS && unix_next_line(&rest, &line)) {
        struct slice device = unix_next_word(&line), point = unix_next_word(&line), type = unix_next_word(&line);
        char *text_point = unescaped(point);
        char *seen = host_view(m, text_point);
        struct mount *one = &(*list)[*n];

        if ((m->types_exclude != NULL && regex_is_match(m->types_exclude, type)) ||
            (m->points_exclude != NULL && regex_is_match(m->points_exclude, slice_str(seen)))) {
            mem_free(seen);
        } else {
            one->device = unescaped(device);
            one->type = mem_strndup(type);
            one->path = mem_printf("%s%s", strcmp(m->rootfs, "/") == 0 ? "" : m->rootfs, seen);
            one->point = seen;
            one->is_readonly = is_option(unix_next_word(&line), "ro");
            ++*n;
        }
        mem_free(text_point);
    }
    buf_release(&text);
    return OK;
}

/* Looks at every mount; m->busy_with tells where it is. Called on the thread, without the lock. */
static void measure(struct unix_mounts *m, struct mount *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct statvfs st;
        int rc;

        (void)pthread_mutex_lock(&m->lock);
        m->busy_with = list[i].point;
        (void)pthread_mutex_unlock(&m->lock);
        rc = statvfs(list[i].path, &st);
        if (rc != 0) {
            list[i].has_failed = true;
            continue;
        }
        list[i].is_readonly = list[i].is_readonly || (st.f_flag & ST_RDONLY) != 0;
        list[i].size = (double)st.f_blocks * (double)st.f_frsize;
        list[i].free = (double)st.f_bfree * (double)st.f_frsize;
        list[i].avail = (double)st.f_bavail * (double)st.f_frsize;
        list[i].files = (double)st.f_files;
        list[i].files_free = (double)st.f_ffree;
    }
}

static void *run(void *arg)
{
    struct unix_mounts *m = arg;

    (void)pthread_mutex_lock(&m->lock);
    while (!m->is_closing) {
        struct error err = {0};
        struct mount *list;
        size_t n;

        if (!m->is_asked) {
            (void)pthread_cond_wait(&m->changed, &m->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&m->lock);
        if (list_mounts(m, &list, &n, &err) == OK)
            measure(m, list, n);
        (void)pthread_mutex_lock(&m->lock);
        free_list(m->mounts, m->n);
        m->mounts = list;
        m->n = n;
        m->last = err;
        m->busy_with = NULL;
        m->is_asked = false;
        m->round++;
        (void)pthread_cond_broadcast(&m->changed);
    }
    (void)pthread_mutex_unlock(&m->lock);
    free_all(m);
    return NULL;
}

static enum code compile(struct regex **out, struct slice pattern, struct error *err)
{
    return pattern.len != 0 ? regex_compile(out, pattern, REGEX_PLAIN, err) : OK;
}

enum code unix_mounts_new(struct unix_mounts **out, const struct unix_filesystem_args *args, const char *procfs,
                          const char *rootfs, struct error *err)
{
    struct unix_mounts *m = mem_zalloc(sizeof *m);
    pthread_condattr_t attr;
    pthread_t thread;
    enum code rc;

    *out = NULL;
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&m->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    m->procfs = mem_strdup(procfs);
    m->rootfs = mem_strdup(rootfs);
    m->wait_ms = args->mount_timeout_ns / NS_PER_MS;
    if (m->wait_ms > LONGEST_WAIT_MS)
        m->wait_ms = LONGEST_WAIT_MS; /* a loop waits here: once, then the mount counts as stuck */
    rc = compile(&m->types_exclude, args->fs_types_exclude, err);
    if (rc == OK)
        rc = compile(&m->points_exclude, args->mount_points_exclude, err);
    if (rc == OK && pthread_create(&thread, NULL, run, m) != 0)
        rc = error_set(err, IO, "cannot start the thread that looks at mounts");
    if (rc != OK) {
        free_all(m);
        return rc;
    }
    (void)pthread_detach(thread);
    *out = m;
    return OK;
}

void unix_mounts_free(struct unix_mounts *m)
{
    if (m == NULL)
        return;
    (void)pthread_mutex_lock(&m->lock);
    m->is_closing = true; /* the thread frees all, also when it comes back from a dead mount much later */
    (void)pthread_cond_broadcast(&m->changed);
    (void)pthread_mutex_unlock(&m->lock);
}

/* Waits until a new round is finished, or not longer than wait_ms; not at all while an earlier round hangs. */
static void wait_for_round(struct unix_mounts *m)
{
    uint64_t before = m->round;
    struct timespec until;

    if (m->is_asked)
        return; /* still hanging since an earlier scrape */
    m->is_asked = true;
    (void)pthread_cond_broadcast(&m->changed);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += m->wait_ms / MS_PER_S;
    until.tv_nsec += m->wait_ms % MS_PER_S * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    while (m->round == before && pthread_cond_timedwait(&m->changed, &m->lock, &until) != ETIMEDOUT)
        ;
}

static void write_metric(struct buf *out, const struct unix_mounts *m, const char *name, const char *help,
                         double (*value)(const struct mount *), bool is_error)
{
    struct buf labels;

    unix_family(out, name, "gauge", help);
    buf_init(&labels, 16 * 1024);
    for (size_t i = 0; i < m->n; i++) {
        const struct mount *one = &m->mounts[i];
        bool is_stuck = m->busy_with != NULL && strcmp(m->busy_with, one->point) == 0;

        buf_reset(&labels);
        unix_add_label(&labels, "device", slice_str(one->device));
        unix_add_label(&labels, "fstype", slice_str(one->type));
        unix_add_label(&labels, "mountpoint", slice_str(one->point));
        (void)buf_add_char(&labels, '\0');
        if (labels.is_full)
            continue;
        if (is_error)
            unix_sample(out, name, labels.ptr, one->has_failed || is_stuck ? 1 : 0);
        else if (!one->has_failed)
            unix_sample(out, name, labels.ptr, value(one));
    }
    buf_release(&labels);
}

static double value_size(const struct mount *m)
{
    return m->size;
}
static double value_free(const struct mount *m)
{
    return m->free;
}
static double value_avail(const struct mount *m)
{
    return m->avail;
}
static double value_files(const struct mount *m)
{
    return m->files;
}
static double value_files_free(const struct mount *m)
{
    return m->files_free;
}
static double value_readonly(const struct mount *m)
{
    return m->is_readonly ? 1 : 0;
}

enum code unix_mounts_write(struct unix_mounts *m, struct buf *out, struct error *err)
{
    enum code rc = OK;

    (void)pthread_mutex_lock(&m->lock);
    wait_for_round(m);
    if (m->last.text[0] != '\0')
        rc = error_set(err, IO, "%s", m->last.text);
    write_metric(out, m, "node_filesystem_size_bytes", "Filesystem size in bytes.", value_size, false);
    write_metric(out, m, "node_filesystem_free_bytes", "Filesystem free space in bytes.", value_free, false);
    write_metric(out, m, "node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.",
                 value_avail, false);
    write_metric(out, m, "node_filesystem_files", "Filesystem total file nodes.", value_files, false);
    write_metric(out, m, "node_filesystem_files_free", "Filesystem total free file nodes.", value_files_free, false);
    write_metric(out, m, "node_filesystem_readonly", "Filesystem read-only status.", value_readonly, false);
    write_metric(out, m, "node_filesystem_device_error",
                 "Whether an error occurred while getting statistics for the given device.", NULL, true);
    (void)pthread_mutex_unlock(&m->lock);
    return rc;
}

enum code unix_collect_filesystem(struct unix_exporter *x, struct buf *out, struct error *err)
{
    return unix_mounts_write(x->mounts, out, err);
}
