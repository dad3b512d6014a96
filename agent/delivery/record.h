/* agent/delivery/record.h - a run of encoded items of one queue, in the form its endpoint sends, with the tickets they
 * belong to in wire order. Plain payloads are protobuf messages whose items stand in repeated top-level fields, so two
 * join by copying; snappy payloads join without being decompressed (snappy_join.h). */
#ifndef AGENT_DELIVERY_RECORD_H
#define AGENT_DELIVERY_RECORD_H
#include "agent/base/error.h"
#include "agent/base/ledger.h"
#include "agent/base/list.h"
#include "agent/base/slice.h"
#include "agent/model/ticket.h"
#include <stdbool.h>
#include <stdint.h>

enum record_codec { RECORD_PLAIN = 0, RECORD_SNAPPY = 1 };

struct record_span {
    struct ticket *ticket; /* NULL: nobody waits, or settled already */
    uint32_t n;
};

/* Spans in wire order; the ns add up to the number of items. */
struct record_spans {
    struct record_span *items; /* owned */
    uint32_t n, cap;
};

struct record {
    struct list node; /* in the queue that holds it */
    uint64_t number;  /* in its queue, rising */
    unsigned kind;    /* of the protocol: otlp's signal, remote write's samples or metadata */
    enum record_codec codec;
    char *payload; /* owned */
    size_t payload_len;
    size_t plain_len; /* payload's length before the codec */
    uint32_t n_items;
    struct record_spans spans;
    struct slice tenant;   /* owned copy; records merge only when tenant and metadata are equal */
    struct slice metadata; /* owned copy: allowed request headers, "name\0value\0"… */
    void *queue;           /* the endpoint's */
    unsigned partition;
    int64_t created_ms; /* wall clock, of the oldest item */
    size_t charged;     /* what the endpoint's cap counts for it */
};

enum { RECORD_OVERHEAD_BYTES = 256 };

/* An empty record with copies of tenant and metadata. */
struct record *record_new(unsigned kind, enum record_codec codec, struct slice tenant, struct slice metadata);
/* Frees; does not settle. NULL is fine. */
void record_free(struct record *r);
size_t record_charge(const struct record *r);

/* Room for so many more spans, so that adding them cannot fail. */
MUST_USE enum code record_spans_reserve(struct record_spans *s, uint32_t more);
/* Appends n items of ticket, joining the span before it when that has the same ticket. NOMEM leaves it unchanged. */
MUST_USE enum code record_spans_add(struct record_spans *s, struct ticket *ticket, uint32_t n);
/* Appends all of src to dst; src is empty then. */
MUST_USE enum code record_spans_join(struct record_spans *dst, struct record_spans *src);
/* Moves the first n items of s into *head (initialised here). */
MUST_USE enum code record_spans_cut(struct record_spans *s, uint32_t n, struct record_spans *head);
void record_spans_release(struct record_spans *s);
/* Settles n items from item number `first` on and takes their tickets out (they are not settled again). */
void record_spans_settle(struct record_spans *s, uint32_t first, uint32_t n, const char *destination,
                         enum outcome outcome, enum drop_reason reason, const char *text);
bool record_spans_waited(const struct record_spans *s);
#endif
