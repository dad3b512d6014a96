#include "agent/delivery/protocol.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/delivery/protocol_int.h"
#include "agent/io/codec.h"

/* Elements of a snappy block copy only from what the same block wrote before them, so the elements of two blocks in a
 * row behind the sum of their lengths are a block of both (google/snappy, format_description.txt). */
static enum code join_snappy(const struct record *dst, const struct record *src, struct buf *out)
{
    uint64_t a_plain, b_plain;
    struct slice a, b;

    if (codec_snappy_split(slice_make(dst->payload, dst->payload_len), &a_plain, &a) != OK ||
        codec_snappy_split(slice_make(src->payload, src->payload_len), &b_plain, &b) != OK)
        return INVALID;
    if (a_plain + b_plain > UINT32_MAX)
        return FULL;
    if (buf_reserve(out, a.len + b.len + 10) != OK)
        return NOMEM;
    codec_snappy_put_length(out, a_plain + b_plain);
    buf_add(out, a);
    return buf_add(out, b);
}

static enum code join_plain(const struct record *dst, const struct record *src, struct buf *out)
{
    if (buf_reserve(out, dst->payload_len + src->payload_len) != OK)
        return NOMEM;
    buf_add(out, slice_make(dst->payload, dst->payload_len));
    return buf_add(out, slice_make(src->payload, src->payload_len));
}

enum code protocol_merge(struct record *dst, struct record *src, const struct merge_limits *limits)
{
    struct buf joined;
    enum code rc;

    if (dst->kind != src->kind || dst->codec != src->codec || !slice_eq(dst->tenant, src->tenant) ||
        !slice_eq(dst->metadata, src->metadata))
        return INVALID;
    if (limits->max_plain_bytes != 0 && dst->plain_len + src->plain_len > limits->max_plain_bytes)
        return FULL;
    if (src->n_items > UINT32_MAX - dst->n_items ||
        (limits->max_items != 0 && dst->n_items + src->n_items > limits->max_items))
        return FULL;
    buf_init(&joined, (size_t)LIMIT_BATCH_BYTES * 2);
    rc = dst->codec == RECORD_SNAPPY ? join_snappy(dst, src, &joined) : join_plain(dst, src, &joined);
    if (rc == OK)
        rc = record_spans_join(&dst->spans, &src->spans);
    if (rc != OK) {
        buf_release(&joined);
        return rc;
    }
    mem_free(dst->payload);
    dst->payload = buf_take(&joined, &dst->payload_len);
    dst->plain_len += src->plain_len;
    dst->n_items += src->n_items;
    src->n_items = 0;
    if (src->created_ms < dst->created_ms)
        dst->created_ms = src->created_ms;
    return OK;
}

enum code protocol_plain(const struct record *r, struct buf *scratch, struct slice *out, struct error *err)
{
    if (r->codec == RECORD_PLAIN) {
        *out = slice_make(r->payload, r->payload_len);
        return OK;
    }
    if (codec_decompress(CODEC_SNAPPY, slice_make(r->payload, r->payload_len), scratch, err) != OK)
        return CORRUPT;
    *out = buf_slice(scratch);
    return OK;
}

enum code protocol_set_plain(struct record *r, struct slice plain, struct error *err)
{
    struct buf packed;
    enum code rc;

    buf_init(&packed, plain.len + plain.len / 2 + RECORD_OVERHEAD_BYTES);
    rc = r->codec == RECORD_SNAPPY ? codec_compress(CODEC_SNAPPY, 0, plain, &packed, err) : buf_add(&packed, plain);
    if (rc != OK) {
        buf_release(&packed);
        return rc;
    }
    mem_free(r->payload);
    r->payload = buf_take(&packed, &r->payload_len);
    r->plain_len = plain.len;
    return OK;
}

struct halves {
    struct buf scratch, head, rest;
};

static enum code cut(const struct record *r, const struct reframe_path *path, uint32_t n_head, struct halves *h,
                     struct error *err)
{
    struct slice plain;
    uint32_t n;
    enum code rc = protocol_plain(r, &h->scratch, &plain, err);

    if (rc != OK)
        return rc;
    if (reframe_count(plain, path, &n) != OK || n != r->n_items)
        return error_set(err, INVALID, "the record's bytes do not hold its %u items", r->n_items);
    if (reframe_cut(plain, path, n_head, &h->head, &h->rest) != OK)
        return error_set(err, NOMEM, "no memory to part the record");
    return OK;
}

/* The spans that were cut off stand in front again. Room for them was there before, so it does not fail. */
static void put_back(struct record *r, struct record *first)
{
    struct record_spans whole = first->spans;

    first->spans = (struct record_spans){0};
    if (record_spans_join(&whole, &r->spans) == OK)
        r->spans = whole;
    else
        BUG_ON(true);
}

enum code protocol_split(struct record *r, const struct reframe_path *path, uint32_t n_head, struct record **head,
                         struct error *err)
{
    struct halves h;
    struct record *first = record_new(r->kind, r->codec, r->tenant, r->metadata);
    enum code rc;

    *head = NULL;
    buf_init(&h.scratch, (size_t)LIMIT_BATCH_BYTES * 2);
    buf_init(&h.head, (size_t)LIMIT_BATCH_BYTES * 2);
    buf_init(&h.rest, (size_t)LIMIT_BATCH_BYTES * 2);
    rc = n_head == 0 || n_head >= r->n_items ? error_set(err, INVALID, "one item cannot be parted")
                                             : cut(r, path, n_head, &h, err);
    if (rc == OK)
        rc = protocol_set_plain(first, buf_slice(&h.head), err);
    if (rc == OK)
        rc = record_spans_cut(&r->spans, n_head, &first->spans);
    if (rc == OK && protocol_set_plain(r, buf_slice(&h.rest), err) != OK) {
        put_back(r, first);
        rc = NOMEM;
    }
    if (rc != OK)
        goto done;
    first->n_items = n_head;
    first->created_ms = r->created_ms;
    first->number = r->number;
    r->n_items -= n_head;
    *head = first;
    first = NULL;
done:
    record_free(first);
    buf_release(&h.scratch);
    buf_release(&h.head);
    buf_release(&h.rest);
    return rc;
}

void protocol_add_header(struct wire_request *out, struct slice name, struct slice value)
{
    BUG_ON(out->n_headers == WIRE_HEADERS_MAX);
    out->headers[out->n_headers++] = (struct wire_header){name, value};
}
