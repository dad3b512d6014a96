/* agent/model/loki_write.h - Loki's push request (logproto.PushRequest) as bytes: pieces to encode it, a strict reader.
 * Encoded streams in a row are a request, so requests join by concatenation. */
#ifndef AGENT_MODEL_LOKI_WRITE_H
#define AGENT_MODEL_LOKI_WRITE_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/model/batch.h"

/* Bytes of an entry inside a stream, with tag and length. */
size_t loki_entry_size(const struct log_entry *e);
/* Appends an entry for a stream's list. FULL or NOMEM: out is as before. */
MUST_USE enum code loki_entry_write(struct buf *out, const struct log_entry *e);
/* Bytes of a stream whose encoded entries take entries_bytes. */
size_t loki_stream_size(size_t labels_len, size_t entries_bytes);
/* Appends a stream: its labels as text ({a="1", b="2"}) and its entries already encoded by loki_entry_write. */
MUST_USE enum code loki_stream_write(struct buf *out, struct slice labels, struct slice entries);
/* Appends the n entries picked by index, all of one stream, straight from a batch. */
MUST_USE enum code loki_stream_write_entries(struct buf *out, struct slice labels, const struct log_entry *entries,
                                             const uint32_t *index, size_t n);
/* {a="1", b="2"} as Loki prints label sets (labels_write puts no space after the comma; both parse). */
MUST_USE enum code loki_labels_write(const struct labels *l, struct buf *out);
/* Reads a label set's text back (the selector grammar Loki takes in a push): pairs on the arena. INVALID, FULL. */
MUST_USE enum code loki_labels_parse(struct slice text, struct arena *a, struct label **pairs, size_t *n,
                                     struct error *err);

struct loki_push_reader {
    /* A stream begins. Not OK stops the reading with that code. */
    enum code (*stream)(void *ctx, struct slice labels, struct error *err);
    /* An entry of the last stream; e->labels is 0; e->meta lives until the call returns. */
    enum code (*entry)(void *ctx, const struct log_entry *e, struct error *err);
    void *ctx;
};
/* Strict: framing, wire types, UTF-8, nanoseconds in range. INVALID says where. callbacks may be NULL (only checks). */
MUST_USE enum code loki_push_read(struct slice body, const struct loki_push_reader *r, struct error *err);
struct loki_push_count {
    uint64_t streams, entries, line_bytes;
};
MUST_USE enum code loki_push_count(struct slice body, struct loki_push_count *out, struct error *err);
#endif
