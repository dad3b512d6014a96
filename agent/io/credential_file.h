/* agent/io/credential_file.h - a secret kept in a file (password_file, bearer_token_file): cached, read again when the
 * file's identity, size or time of change differs, looked at no more than once a second. At most 64 KiB; white space at
 * the end is cut off. Thread-safe. */
#ifndef AGENT_IO_CREDENTIAL_FILE_H
#define AGENT_IO_CREDENTIAL_FILE_H
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct clock;
struct buf;
struct credential_file;

/* Does not read yet. clock NULL: the system's. */
struct credential_file *credential_file_new(struct slice path, const struct clock *clock);
void credential_file_free(struct credential_file *f); /* NULL is fine; overwrites the secret */
/* Puts the present secret in place of what is in out. A file that cannot be read now is IO; the last secret is not used
 * any more, since a removed file may mean a withdrawn credential. */
MUST_USE enum code credential_file_get(struct credential_file *f, struct buf *out, struct error *err);
#endif
