/* agent/cli/storage.h - the folder of --storage.path: 0700, one process at a time; and the thread that writes
 * positions. */
#ifndef AGENT_CLI_STORAGE_H
#define AGENT_CLI_STORAGE_H
#include "agent/base/error.h"

struct positions;
struct dir_lock;

struct storage {
    const char *path; /* NULL: memory mode */
    char *note;       /* why; owned; NULL when all is well */
    struct dir_lock *lock;
};

/* A folder that cannot be made or written is memory mode, logged. AGAIN: another process has it. */
MUST_USE enum code storage_open(struct storage *s, const char *path, struct error *err);
void storage_close(struct storage *s);

/* Once a second positions_write, off all loops. */
struct position_writer;
struct position_writer *position_writer_new(struct positions *positions);
void position_writer_free(struct position_writer *w); /* writes what is left; NULL is fine */
#endif
