#include "agent/base/mem.h"
#include "agent/io/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct dir_lock {
    int fd;
};

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum code dir_make(const char *path, unsigned mode, struct error *err)
{
    char *part = mem_strdup(path);
    enum code rc = OK;

    for (size_t i = 1; rc == OK && part[0] != 0; i++) {
        bool is_end = part[i] == 0;

        if (!is_end && part[i] != '/')
            continue;
        part[i] = 0;
        if (mkdir(part, (mode_t)mode) != 0 && !is_dir(part))
            rc = error_set(err, errno == ENOSPC || errno == EDQUOT ? FULL : IO, "cannot make the directory %s: %s",
                           part, strerror(errno));
        if (is_end)
            break;
        part[i] = '/';
    }
    mem_free(part);
    return rc;
}

enum code dir_list(const char *path, bool (*each)(void *arg, const char *name, bool is_dir), void *arg,
                   struct error *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (dir == NULL)
        return error_set(err, errno == ENOENT ? AGAIN : IO, "cannot list %s: %s", path, strerror(errno));
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;
        bool entry_is_dir = entry->d_type == DT_DIR;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK)
            entry_is_dir = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
        if (!each(arg, entry->d_name, entry_is_dir))
            break;
    }
    closedir(dir);
    return OK;
}

static enum code lock_taken(int fd, const char *path, struct error *err)
{
    char pid[32] = "";
    size_t n = 0;
    struct slice holder;

    if (file_read_at(fd, 0, pid, sizeof pid - 1, &n, NULL) != OK)
        n = 0;
    holder = slice_trim(slice_make(pid, n));
    return error_set(err, AGAIN, "%s is in use by another process%s%.*s", path, holder.len != 0 ? ", number " : "",
                     SLICE_ARG(holder));
}

enum code dir_lock(struct dir_lock **out, const char *path, struct error *err)
{
    char *file = mem_printf("%s/lock", path);
    char pid[32];
    enum code rc;
    int fd;

    *out = NULL;
    rc = file_open(&fd, file, FILE_WRITE | FILE_CREATE | FILE_NOFOLLOW, err);
    if (rc == OK && flock(fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK ? lock_taken(fd, path, err)
                                  : error_set(err, IO, "cannot lock %s: %s", file, strerror(errno));
    if (rc == OK) {
        int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

        /* The number is for people; a full disk does not keep us from holding the lock. */
        if (ftruncate(fd, 0) != 0 || file_write_at(fd, 0, slice_make(pid, (size_t)n), NULL) != OK)
            n = 0;
        *out = mem_alloc(sizeof **out);
        (*out)->fd = fd;
        fd = -1;
    }
    file_close(&fd);
    mem_free(file);
    return rc;
}

void dir_unlock(struct dir_lock *lock)
{
    if (lock == NULL)
        return;
    file_close(&lock->fd); /* the file stays: removing it could take away another's lock */
    mem_free(lock);
}
