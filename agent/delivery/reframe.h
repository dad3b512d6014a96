/* agent/delivery/reframe.h - parts an encoded request in two by items without decoding it: messages on the way to the
 * items are opened in both halves, their other fields (labels, resource, scope, a metric's name) copied to both. */
#ifndef AGENT_DELIVERY_REFRAME_H
#define AGENT_DELIVERY_REFRAME_H
#include "agent/base/buf.h"
#include "agent/base/error.h"

enum { REFRAME_LEVELS = 5 };

struct reframe_level {
    uint32_t path;      /* bits of the field numbers that lead to items; on the last level they are the items */
    uint32_t head_only; /* bits of fields that go to the first half alone */
};

/* The way from the request to its items. */
struct reframe_path {
    unsigned n_levels;
    struct reframe_level levels[REFRAME_LEVELS];
};

extern const struct reframe_path reframe_loki, reframe_prometheus, reframe_otlp_spans, reframe_otlp_points,
    reframe_otlp_logs;

/* CORRUPT: the bytes do not parse. */
MUST_USE enum code reframe_count(struct slice request, const struct reframe_path *path, uint32_t *n_items);
/* Appends the first n_head items to head, the others to rest. CORRUPT, or FULL/NOMEM of the buffers. */
MUST_USE enum code reframe_cut(struct slice request, const struct reframe_path *path, uint32_t n_head, struct buf *head,
                               struct buf *rest);
/* Appends request without the items first .. first+n-1; messages that hold no item any more are left out. */
MUST_USE enum code reframe_remove(struct slice request, const struct reframe_path *path, uint32_t first, uint32_t n,
                                  struct buf *out);
#endif
