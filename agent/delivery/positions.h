/* agent/delivery/positions.h - the process-wide store of source positions. In memory mode every component with
 * positions has a file positions.yml in its data dir, in Alloy's (Promtail's) format plus a checksum in a last comment
 * line; it is replaced atomically, its previous generation is kept beside it as positions.yml.1.
 *
 *     positions:
 *       ? path: /var/log/a.log
 *         labels: '{app="a"}'
 *       : "1234"
 *     # crc32c 89abcdef
 *
 * Alloy's own file (that form), Promtail's (`"path": "1234"`) and plain scalars are all read. Thread-safe. */
#ifndef AGENT_DELIVERY_POSITIONS_H
#define AGENT_DELIVERY_POSITIONS_H
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct positions;      /* all of the process */
struct positions_file; /* one component's */

struct positions *positions_new(const struct clock *clock);
void positions_free(struct positions *p); /* writes what is not written; NULL is fine */
/* Writes every file with changes older than a second (or all, when force). Called about once per second by the runtime,
 * off the worker loops, and at shutdown with force. The first failure is returned; the files stay dirty. */
MUST_USE enum code positions_write(struct positions *p, bool force, struct error *err);

/* Opens dir/positions.yml (dir NULL: memory only). The same dir gives the same store (reference-counted), so that a
 * successor sees its predecessor's positions. CORRUPT: unreadable in both generations; *out is then a working, empty
 * store and the unreadable file was set aside (on_positions_file_error decides). IO: permission or I/O error; *out
 * NULL: the component is unhealthy and reads nothing. A good older generation is OK with *is_older (may be NULL) true.
 */
MUST_USE enum code positions_open(struct positions *p, const char *dir, struct positions_file **out, bool *is_older,
                                  struct error *err);
/* Imports a file of Alloy's or Promtail's where this store has no entries yet (legacy_positions_file). */
MUST_USE enum code positions_import(struct positions_file *f, const char *path, struct error *err);
void positions_close(struct positions_file *f); /* the last one writes; NULL is fine */

/* Keys are Alloy's: a path and the labels of the target as {a="b"}, "" for none. */
void positions_set(struct positions_file *f, struct slice path, struct slice labels, int64_t offset);
bool positions_get(struct positions_file *f, struct slice path, struct slice labels, int64_t *offset);
/* Any text (a docker timestamp, a cursor, an inode with its offset). */
void positions_set_text(struct positions_file *f, struct slice path, struct slice labels, struct slice text);
/* Appends the text to out; false when there is none. */
bool positions_get_text(struct positions_file *f, struct slice path, struct slice labels, struct buf *out);
void positions_remove(struct positions_file *f, struct slice path, struct slice labels);
/* In order of the file; stops when fn returns false. fn must not call back. */
void positions_each(struct positions_file *f,
                    bool (*fn)(void *ctx, struct slice path, struct slice labels, struct slice text), void *ctx);

/* The parser alone: each(ctx, path, labels, text) per entry. CORRUPT names the line; a wrong checksum is CORRUPT, a
 * missing one is accepted (Alloy's file has none). */
MUST_USE enum code positions_parse(struct slice text,
                                   void (*each)(void *ctx, struct slice path, struct slice labels, struct slice value),
                                   void *ctx, struct error *err);
#endif
