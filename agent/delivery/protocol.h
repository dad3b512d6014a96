/* agent/delivery/protocol.h - one const table per wire protocol: how records join, part, become requests, and what the
 * far side's answers mean. */
#ifndef AGENT_DELIVERY_PROTOCOL_H
#define AGENT_DELIVERY_PROTOCOL_H
#include "agent/base/buf.h"
#include "agent/delivery/env.h"
#include "agent/delivery/record.h"
#include "agent/delivery/retry.h"

struct merge_limits {
    size_t max_plain_bytes; /* 0: none */
    uint32_t max_items;     /* 0: none */
};

/* What the endpoint was configured to send. */
enum wire_compression { WIRE_NONE, WIRE_SNAPPY, WIRE_GZIP, WIRE_ZSTD, WIRE_DEFLATE, WIRE_ZLIB };

struct protocol {
    const char *name; /* "loki", "prometheus", "otlp_grpc", "otlp_http" */
    enum wire_protocol wire;
    bool one_queue;          /* no tenants or partitions; K requests in flight */
    enum record_codec codec; /* the form of its records */
    /* Appends src to dst and empties src (the caller frees it). FULL: it would pass the limits, INVALID: these two
     * never merge (kind, metadata, codec); both unchanged then. NOMEM likewise. */
    enum code (*merge)(struct record *dst, struct record *src, const struct merge_limits *limits);
    /* Parts a record of more than one item: *head gets the first n_head items, r keeps the rest. INVALID: it cannot be
     * parted (one item, or bytes that do not parse); r unchanged. */
    enum code (*split)(struct record *r, uint32_t n_head, struct record **head, struct error *err);
    /* Fills the request; body_buf holds what had to be made for it (compressed bytes) and lives as long as the request.
     */
    enum code (*build)(const struct record *r, enum wire_compression compression, int level, struct slice tenant,
                       struct buf *body_buf, struct wire_request *out, struct error *err);
    /* What the answer means for this record: retry.h's rows, then what only the body tells (partial success). */
    void (*classify)(const struct wire_response *response, uint32_t n_items, bool retry_on_429,
                     struct retry_answer *out);
    /* Takes out of r the items the body names and tells of each run, in rising order of item numbers of the record as
     * it was. Returns how many; 0: the body names nothing that is in r. NULL: bodies never name items. */
    uint32_t (*drop_named)(struct record *r, struct slice body, void (*dropped)(void *ctx, uint32_t first, uint32_t n),
                           void *ctx);
};

extern const struct protocol protocol_loki;
extern const struct protocol protocol_prometheus; /* remote write 1.0 */
extern const struct protocol protocol_otlp_grpc;
extern const struct protocol protocol_otlp_http;

#endif
