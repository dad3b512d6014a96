/* agent/delivery/protocol_int.h - what the protocols' tables share. */
#ifndef AGENT_DELIVERY_PROTOCOL_INT_H
#define AGENT_DELIVERY_PROTOCOL_INT_H
#include "agent/delivery/protocol.h"
#include "agent/delivery/reframe.h"

/* Any two records of the same form, kind, tenant and metadata join. */
enum code protocol_merge(struct record *dst, struct record *src, const struct merge_limits *limits);
enum code protocol_split(struct record *r, const struct reframe_path *path, uint32_t n_head, struct record **head,
                         struct error *err);
/* The record's plain bytes: borrowed from it, or decompressed into scratch. */
MUST_USE enum code protocol_plain(const struct record *r, struct buf *scratch, struct slice *out, struct error *err);
/* Replaces the payload by these plain bytes, in the record's own form. Takes over nothing. */
MUST_USE enum code protocol_set_plain(struct record *r, struct slice plain, struct error *err);
void protocol_add_header(struct wire_request *out, struct slice name, struct slice value);
#endif
