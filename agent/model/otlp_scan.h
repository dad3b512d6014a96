/* agent/model/otlp_scan.h - the one mandatory look at OTLP bytes before anything else touches them, and cutting them
 * without decoding. Specification: opentelemetry.io/docs/specs/otlp; protobuf-c has neither a depth limit nor a UTF-8
 * check, so nothing may be handed to it that did not pass here. */
#ifndef AGENT_MODEL_OTLP_SCAN_H
#define AGENT_MODEL_OTLP_SCAN_H
#include "agent/base/error.h"
#include "agent/model/batch.h"
#include "agent/model/pbwire.h"

/* Scans an Export{Trace,Metrics,Logs}ServiceRequest and adds its resource messages to b as slices of body, which must
 * live as long as b (in its arena or adopted by it). Checked: framing, wire types, depth <= LIMIT_PROTOBUF_DEPTH, UTF-8
 * of strings, id lengths (0, 16 and 8 bytes). INVALID says where; b is then unchanged. */
MUST_USE enum code otlp_scan(struct otlp_batch *b, struct slice body, struct error *err);
/* The same checks for one resource message alone; counts its items. */
MUST_USE enum code otlp_scan_resource(enum otlp_signal signal, struct slice bytes, uint32_t *n_items,
                                      struct error *err);
const char *otlp_signal_name(enum otlp_signal s); /* "traces", "metrics", "logs" */
const char *otlp_item_name(enum otlp_signal s);   /* "spans", "data points", "log records" */

/* Cuts one scanned resource message into smaller ones: item ranges in order, each with the resource and scope headers
 * (for metrics also the metric's). Containers without items are left out. */
enum { OTLP_LEVELS = 4 };

struct otlp_cut {
    enum otlp_signal signal;
    unsigned depth; /* levels on the way to the next item */
    struct {
        uint32_t field;      /* tag this message had in the one around it */
        struct slice bytes;  /* the message */
        size_t header_bytes; /* of its fields that are no children */
        struct pb_reader at; /* of the next child */
        size_t mark;         /* where it was opened in out */
        bool is_open;
    } level[OTLP_LEVELS];
    struct slice item; /* found but not yet written: whole field */
};

void otlp_cut_init(struct otlp_cut *c, enum otlp_signal signal, struct slice resource);
/* Appends to out the next piece: at most max_items items and max_bytes bytes (0: no limit), at least one item.
 * *n_items 0: nothing is left. FULL or NOMEM from out: c is not to be used again. A single item over max_bytes is a
 * piece by itself. */
MUST_USE enum code otlp_cut_next(struct otlp_cut *c, uint32_t max_items, size_t max_bytes, struct buf *out,
                                 uint32_t *n_items);

/* Cuts b so that no resource message has more than max_items items or more than max_bytes bytes where it can be
 * helped; new bytes go to b's arena (the caller owns b). Order and spans stay. NOMEM leaves b as it was. */
MUST_USE enum code otlp_batch_cut(struct otlp_batch *b, uint32_t max_items, size_t max_bytes);
#endif
