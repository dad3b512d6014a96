/* OTLP over gRPC and HTTP (opentelemetry.io/docs/specs/otlp): one queue, records plain until they are sent. */
#include "agent/delivery/protocol_int.h"
#include "agent/io/codec.h"
#include "agent/model/batch.h"
#include "agent/model/otlp_write.h"

static const struct reframe_path *path_of(unsigned signal)
{
    if (signal == OTLP_METRICS)
        return &reframe_otlp_points;
    return signal == OTLP_LOGS ? &reframe_otlp_logs : &reframe_otlp_spans;
}

static enum code split(struct record *r, uint32_t n_head, struct record **head, struct error *err)
{
    return protocol_split(r, path_of(r->kind), n_head, head, err);
}

static enum codec codec_of(enum wire_compression compression)
{
    switch (compression) {
    case WIRE_NONE:
        return CODEC_NONE;
    case WIRE_SNAPPY:
        return CODEC_SNAPPY;
    case WIRE_GZIP:
        return CODEC_GZIP;
    case WIRE_ZSTD:
        return CODEC_ZSTD;
    case WIRE_DEFLATE:
        return CODEC_DEFLATE;
    case WIRE_ZLIB:
        return CODEC_ZLIB;
    }
    return CODEC_NONE;
}

/* "name\0value\0"…: the request headers its receiver was told to hand on. */
static void add_metadata(struct wire_request *out, struct slice metadata)
{
    struct slice name, value;

    while (metadata.len != 0 && out->n_headers < WIRE_HEADERS_MAX && slice_cut(metadata, '\0', &name, &metadata) &&
           slice_cut(metadata, '\0', &value, &metadata))
        protocol_add_header(out, name, value);
}

static enum code build(const struct record *r, enum wire_compression compression, int level, struct slice tenant,
                       struct buf *body_buf, struct wire_request *out, struct error *err)
{
    enum codec codec = codec_of(compression);
    struct slice plain = slice_make(r->payload, r->payload_len);
    enum code rc;

    (void)tenant;
    *out = (struct wire_request){.kind = r->kind, .body = plain};
    if (codec != CODEC_NONE) {
        rc = codec_compress(codec, level, plain, body_buf, err);
        if (rc != OK)
            return rc;
        out->body = buf_slice(body_buf);
        out->encoding = slice_str(codec_name(codec));
    }
    add_metadata(out, r->metadata);
    return OK;
}

static enum code build_http(const struct record *r, enum wire_compression compression, int level, struct slice tenant,
                            struct buf *body_buf, struct wire_request *out, struct error *err)
{
    enum code rc = build(r, compression, level, tenant, body_buf, out, err);

    out->media_type = SLICE_LIT("application/x-protobuf");
    return rc;
}

/* An accepted request may still tell of rejected items (OTLP, Partial Success). */
static void read_partial(const struct wire_response *response, uint32_t n_items, struct retry_answer *out)
{
    struct otlp_response answer;
    size_t n;

    if (out->verdict != VERDICT_ACK || response->body.len == 0 ||
        otlp_response_read(response->body, &answer, NULL) != OK || answer.rejected == 0)
        return;
    out->verdict = VERDICT_PARTIAL;
    out->n_rejected = answer.rejected < n_items ? (uint32_t)answer.rejected : n_items;
    n = answer.text.len < sizeof out->text - 1 ? answer.text.len : sizeof out->text - 1;
    for (size_t i = 0; i < n; i++)
        out->text[i] = (unsigned char)answer.text.ptr[i] < 0x20 ? ' ' : answer.text.ptr[i];
    out->text[n] = '\0';
}

/* The error body of OTLP/HTTP is a google.rpc.Status; its message are the words. */
static void read_status(const struct wire_response *response, struct wire_response *readable)
{
    struct otlp_status status;

    *readable = *response;
    if (response->status >= 400 && response->body.len != 0 && otlp_status_read(response->body, &status, NULL) == OK &&
        status.message.len != 0)
        readable->text = status.message;
}

static void classify_grpc(const struct wire_response *response, uint32_t n_items, bool retry_on_429,
                          struct retry_answer *out)
{
    retry_classify(PROTOCOL_OTLP_GRPC, response, n_items, retry_on_429, out);
    read_partial(response, n_items, out);
}

static void classify_http(const struct wire_response *response, uint32_t n_items, bool retry_on_429,
                          struct retry_answer *out)
{
    struct wire_response readable;

    read_status(response, &readable);
    retry_classify(PROTOCOL_OTLP_HTTP, &readable, n_items, retry_on_429, out);
    read_partial(response, n_items, out);
}

const struct protocol protocol_otlp_grpc = {
    .name = "otlp_grpc",
    .wire = PROTOCOL_OTLP_GRPC,
    .one_queue = true,
    .codec = RECORD_PLAIN,
    .merge = protocol_merge,
    .split = split,
    .build = build,
    .classify = classify_grpc,
};

const struct protocol protocol_otlp_http = {
    .name = "otlp_http",
    .wire = PROTOCOL_OTLP_HTTP,
    .one_queue = true,
    .codec = RECORD_PLAIN,
    .merge = protocol_merge,
    .split = split,
    .build = build_http,
    .classify = classify_http,
};
