/* agent/io/file.h - files and directories: opened without hanging, written whole or not at all. Any thread (they block
 * for as long as the disk does). Messages name the path. */
#ifndef AGENT_IO_FILE_H
#define AGENT_IO_FILE_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum file_open_flags {
    FILE_READ = 0,
    FILE_WRITE = 1,    /* read and write */
    FILE_CREATE = 2,   /* with WRITE: mode 0600 when it is not there */
    FILE_NOFOLLOW = 4, /* a symbolic link as the last part is INVALID */
    FILE_APPEND = 8,   /* with WRITE */
};

/* What names a file's contents across a rename. */
struct file_identity {
    uint64_t device, inode;
};
struct file_stat {
    struct file_identity id;
    uint64_t size_bytes;
    int64_t mtime_ns;
    uint64_t links; /* names it has; 0: deleted, only open descriptors keep it */
    bool is_regular, is_dir;
};

/* Opens a regular file (close-on-exec). Never waits for a FIFO's other end: anything else than a regular file is
 * INVALID. AGAIN: it does not exist. */
MUST_USE enum code file_open(int *fd, const char *path, unsigned flags, struct error *err);
void file_close(int *fd); /* -1 is fine; sets -1 */
MUST_USE enum code file_stat_fd(int fd, struct file_stat *out, struct error *err);
MUST_USE enum code file_stat_path(const char *path, struct file_stat *out, struct error *err); /* AGAIN: absent */
/* When the file was made; false where the file system does not keep it. */
bool file_born_ns(const char *path, int64_t *born_ns);
/* Up to n bytes at offset; *got is short only at the end of the file. */
MUST_USE enum code file_read_at(int fd, uint64_t offset, void *out, size_t n, size_t *got, struct error *err);
MUST_USE enum code file_write_at(int fd, uint64_t offset, struct slice bytes, struct error *err); /* FULL: no space */
/* Appends the whole file to out. FULL when it is larger than out has room for. */
MUST_USE enum code file_read_all(const char *path, struct buf *out, struct error *err);
/* path.tmp, fsync, rename, fsync of the directory: a reader or a crash sees the old or the new contents. sync false
 * leaves out both fsyncs. */
MUST_USE enum code file_write_atomic(const char *path, struct slice bytes, unsigned mode, bool sync, struct error *err);
MUST_USE enum code file_sync_dir(const char *path, struct error *err);
/* Absent is fine. */
MUST_USE enum code file_remove(const char *path, struct error *err);

/* Makes the directory and what is missing above it (with the same mode). */
MUST_USE enum code dir_make(const char *path, unsigned mode, struct error *err);
/* Calls each(arg, name, is_dir) for every entry but "." and "..", until it returns false. Order is the disk's. */
MUST_USE enum code dir_list(const char *path, bool (*each)(void *arg, const char *name, bool is_dir), void *arg,
                            struct error *err);
/* One process per directory: holds a lock on path/lock until dir_unlock or exit. AGAIN, naming the other process, when
 * it is taken. */
struct dir_lock;
MUST_USE enum code dir_lock(struct dir_lock **out, const char *path, struct error *err);
void dir_unlock(struct dir_lock *lock); /* NULL is fine */
#endif
