#include "agent/io/file.h"
#include "agent/base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static enum code failed(struct error *err, const char *verb, const char *path)
{
    int reason = errno;
    enum code code = reason == ENOENT || reason == ENOTDIR ? AGAIN : reason == ENOSPC || reason == EDQUOT ? FULL : IO;

    return error_set(err, code, "cannot %s %s: %s", verb, path, strerror(reason));
}

enum code file_open(int *fd, const char *path, unsigned flags, struct error *err)
{
    int how = O_CLOEXEC | O_NONBLOCK | O_NOCTTY; /* NONBLOCK: a FIFO would wait for its other end */
    struct stat st;
    int got;

    *fd = -1;
    how |= (flags & FILE_WRITE) != 0 ? O_RDWR : O_RDONLY;
    how |= (flags & FILE_CREATE) != 0 ? O_CREAT : 0;
    how |= (flags & FILE_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
    how |= (flags & FILE_APPEND) != 0 ? O_APPEND : 0;
    got = open(path, how, 0600);
    if (got < 0 && (flags & FILE_NOFOLLOW) != 0 && errno == ELOOP)
        return error_set(err, INVALID, "%s is a symbolic link", path);
    if (got < 0 && (errno == EISDIR || errno == ENXIO))
        return error_set(err, INVALID, "%s is not a regular file", path);
    if (got < 0)
        return failed(err, "open", path);
    if (fstat(got, &st) != 0) {
        enum code rc = failed(err, "look at", path);

        close(got);
        return rc;
    }
    if (!S_ISREG(st.st_mode)) {
        close(got);
        return error_set(err, INVALID, "%s is not a regular file", path);
    }
    *fd = got;
    return OK;
}

void file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void fill(struct file_stat *out, const struct stat *st)
{
    *out = (struct file_stat){
        .id = {(uint64_t)st->st_dev, (uint64_t)st->st_ino},
        .size_bytes = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .links = (uint64_t)st->st_nlink,
        .is_regular = S_ISREG(st->st_mode),
        .is_dir = S_ISDIR(st->st_mode),
    };
}

enum code file_stat_fd(int fd, struct file_stat *out, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return failed(err, "look at", "an open file");
    fill(out, &st);
    return OK;
}

enum code file_stat_path(const char *path, struct file_stat *out, struct error *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return failed(err, "look at", path);
    fill(out, &st);
    return OK;
}

bool file_born_ns(const char *path, int64_t *born_ns)
{
    struct statx st;

    if (statx(AT_FDCWD, path, 0, STATX_BTIME, &st) != 0 || (st.stx_mask & STATX_BTIME) == 0)
        return false;
    *born_ns = (int64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
    return true;
}

enum code file_read_at(int fd, uint64_t offset, void *out, size_t n, size_t *got, struct error *err)
{
    *got = 0;
    while (*got < n) {
        ssize_t rc = pread(fd, (char *)out + *got, n - *got, (off_t)(offset + *got));

        if (rc == 0)
            break;
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0)
            return error_set(err, IO, "cannot read: %s", strerror(errno));
        *got += (size_t)rc;
    }
    return OK;
}

enum code file_write_at(int fd, uint64_t offset, struct slice bytes, struct error *err)
{
    while (bytes.len != 0) {
        ssize_t rc = pwrite(fd, bytes.ptr, bytes.len, (off_t)offset);

        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0)
            return error_set(err, errno == ENOSPC || errno == EDQUOT ? FULL : IO, "cannot write: %s", strerror(errno));
        offset += (size_t)rc;
        bytes = slice_from(bytes, (size_t)rc);
    }
    return OK;
}

static enum code read_rest(int fd, const char *path, struct buf *out, struct error *err)
{
    enum { STEP_BYTES = 64 * 1024 };
    uint64_t offset = 0;

    for (;;) {
        size_t allowed = out->max - out->len;
        size_t got, want = allowed < STEP_BYTES ? allowed : STEP_BYTES;
        char spare;
        enum code rc = want != 0 ? buf_reserve(out, want) : OK;

        if (rc != OK)
            return error_set(err, rc, "no memory to read %s", path);
        rc = file_read_at(fd, offset, want != 0 ? out->ptr + out->len : &spare, want != 0 ? want : 1, &got, err);
        if (rc != OK)
            return rc;
        if (got == 0)
            return OK;
        if (want == 0)
            return error_set(err, FULL, "%s is larger than %zu bytes", path, out->max);
        out->len += got;
        offset += got;
    }
}

enum code file_read_all(const char *path, struct buf *out, struct error *err)
{
    size_t before = out->len;
    enum code rc;
    int fd;

    rc = file_open(&fd, path, FILE_READ, err);
    if (rc != OK)
        return rc;
    rc = read_rest(fd, path, out, err);
    if (rc != OK)
        out->len = before;
    file_close(&fd);
    return rc;
}

enum code file_sync_dir(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum code rc = OK;

    if (fd < 0)
        return failed(err, "open", path);
    if (fsync(fd) != 0 && errno != EINVAL) /* some file systems cannot sync a directory */
        rc = failed(err, "sync", path);
    close(fd);
    return rc;
}

/* Of path, without its last part: "a/b" -> "a", "a" -> ".", "/a" -> "/". */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return mem_strdup(".");
    if (slash == path)
        return mem_strdup("/");
    return mem_strndup(slice_make(path, (size_t)(slash - path)));
}

static enum code write_new(const char *path, struct slice bytes, unsigned mode, bool sync, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    enum code rc;

    if (fd < 0)
        return failed(err, "write", path);
    rc = file_write_at(fd, 0, bytes, err);
    if (rc != OK)
        error_prefix(err, "%s", path);
    if (rc == OK && fchmod(fd, (mode_t)mode) != 0)
        rc = failed(err, "set the mode of", path);
    if (rc == OK && sync && fsync(fd) != 0)
        rc = failed(err, "sync", path);
    if (close(fd) != 0 && rc == OK)
        rc = failed(err, "close", path);
    return rc;
}

enum code file_write_atomic(const char *path, struct slice bytes, unsigned mode, bool sync, struct error *err)
{
    char *aside = mem_printf("%s.tmp", path);
    char *parent = parent_of(path);
    enum code rc = write_new(aside, bytes, mode, sync, err);

    if (rc == OK && rename(aside, path) != 0)
        rc = failed(err, "replace", path);
    if (rc != OK)
        unlink(aside);
    else if (sync)
        rc = file_sync_dir(parent, err);
    mem_free(parent);
    mem_free(aside);
    return rc;
}

enum code file_remove(const char *path, struct error *err)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return failed(err, "remove", path);
    return OK;
}
