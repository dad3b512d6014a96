/* Loki's push API: POST of a snappy-compressed logproto.PushRequest (grafana.com/docs/loki, Ingest logs). */
#include "agent/delivery/protocol_int.h"

static enum code split(struct record *r, uint32_t n_head, struct record **head, struct error *err)
{
    return protocol_split(r, &reframe_loki, n_head, head, err);
}

static enum code build(const struct record *r, enum wire_compression compression, int level, struct slice tenant,
                       struct buf *body_buf, struct wire_request *out, struct error *err)
{
    (void)compression;
    (void)level;
    (void)body_buf;
    (void)err;
    *out = (struct wire_request){.kind = r->kind,
                                 .body = slice_make(r->payload, r->payload_len),
                                 .media_type = SLICE_LIT("application/x-protobuf")};
    if (tenant.len != 0)
        protocol_add_header(out, SLICE_LIT("X-Scope-OrgID"), tenant);
    return OK;
}

static void classify(const struct wire_response *response, uint32_t n_items, bool retry_on_429,
                     struct retry_answer *out)
{
    retry_classify(PROTOCOL_LOKI, response, n_items, retry_on_429, out);
}

const struct protocol protocol_loki = {
    .name = "loki",
    .wire = PROTOCOL_LOKI,
    .codec = RECORD_SNAPPY,
    .merge = protocol_merge,
    .split = split,
    .build = build,
    .classify = classify,
};
