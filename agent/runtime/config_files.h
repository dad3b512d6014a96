/* agent/runtime/config_files.h - a configuration as files: one file, or the *.river and *.alloy of a folder (not below
 * it, never *_test.river), in order of name. */
#ifndef AGENT_RUNTIME_CONFIG_FILES_H
#define AGENT_RUNTIME_CONFIG_FILES_H
#include "agent/runtime/config.h"

struct config_texts {
    struct config_text *items; /* owned, with names and texts */
    size_t n;
};

/* IO or INVALID: why is in diags. */
MUST_USE enum code config_files_read(const char *path, struct config_texts *out, struct diags *diags);
/* Reads one file whole, at most LIMIT_CONFIG_FILE_BYTES; "-" is standard input. */
MUST_USE enum code config_file_read(const char *path, struct buf *out, struct error *err);
/* The same for an imported module: a regular file only, so that no pipe or device holds up a load. */
MUST_USE enum code config_import_read(const char *path, struct buf *out, struct error *err);
/* What import.file reads of path: itself, or the *.alloy and *.river of a folder (not below it, never *_test.river), in
 * order of name; the caller mem_free()s each and the list. */
MUST_USE enum code config_import_list(const char *path, char ***paths, size_t *n, bool *is_folder, struct error *err);
void config_texts_release(struct config_texts *texts);
#endif
