/* agent/model/otlp_write.h - OTLP requests and answers as protobuf bytes. */
#ifndef AGENT_MODEL_OTLP_WRITE_H
#define AGENT_MODEL_OTLP_WRITE_H
#include "agent/base/buf.h"
#include "agent/model/batch.h"

/* An Export*ServiceRequest is its resource messages in a row, so requests join by concatenation. FULL, NOMEM. */
MUST_USE enum code otlp_request_add(struct buf *out, struct slice resource);
size_t otlp_request_size(struct slice resource); /* what one resource takes in a request */
MUST_USE enum code otlp_request_write(struct buf *out, const struct otlp_batch *b);

/* ExportXServiceResponse: empty when nothing was rejected and there is no text. */
MUST_USE enum code otlp_response_write(struct buf *out, uint64_t rejected, struct slice text);
struct otlp_response {
    uint64_t rejected;
    struct slice text; /* of the input */
};
MUST_USE enum code otlp_response_read(struct slice body, struct otlp_response *out, struct error *err);

/* google.rpc.Status, the error body of OTLP/HTTP and of grpc-status-details-bin. */
struct otlp_status {
    int32_t code;
    struct slice message;   /* of the input */
    int64_t retry_delay_ms; /* RetryInfo among the details; -1: none */
};
MUST_USE enum code otlp_status_write(struct buf *out, int32_t code, struct slice message, int64_t retry_delay_ms);
MUST_USE enum code otlp_status_read(struct slice body, struct otlp_status *out, struct error *err);
#endif
