/* agent/io/zip.h - a zip archive made in memory (minizip). */
#ifndef AGENT_IO_ZIP_H
#define AGENT_IO_ZIP_H
#include "agent/base/buf.h"

struct zip;

/* The archive goes into out, which must outlive it and whose maximum bounds it. NOMEM. */
MUST_USE enum code zip_new(struct zip **out_zip, struct buf *out, struct error *err);
/* Adds a file, deflated. name: relative, with slashes. FULL: out is full; the archive is of no use then. */
MUST_USE enum code zip_add(struct zip *z, const char *name, int64_t time_s, struct slice content, struct error *err);
/* Writes the directory and frees z, also when it fails. FULL: out is full. */
MUST_USE enum code zip_close(struct zip *z, struct error *err);
#endif
