#include "agent/model/otlp_write.h"
#include "agent/model/pbwire.h"

static enum code finish(struct buf *out, size_t start)
{
    if (!out->is_full)
        return OK;
    out->len = start;
    return FULL;
}

size_t otlp_request_size(struct slice resource)
{
    return pb_bytes_size(1, resource.len);
}

enum code otlp_request_add(struct buf *out, struct slice resource)
{
    enum code rc = buf_reserve(out, otlp_request_size(resource));

    if (rc == OK)
        pb_put_bytes(out, 1, resource);
    return rc;
}

enum code otlp_request_write(struct buf *out, const struct otlp_batch *b)
{
    size_t bytes = 0, start = out->len;
    enum code rc;

    for (uint32_t i = 0; i < b->n; i++)
        bytes += otlp_request_size(b->resources[i].bytes);
    rc = buf_reserve(out, bytes);
    for (uint32_t i = 0; i < b->n && rc == OK; i++)
        rc = otlp_request_add(out, b->resources[i].bytes);
    if (rc != OK)
        out->len = start;
    return rc;
}

enum code otlp_response_write(struct buf *out, uint64_t rejected, struct slice text)
{
    size_t start = out->len, mark;

    if (rejected == 0 && text.len == 0)
        return OK;
    mark = pb_open(out, 1);
    if (rejected != 0)
        pb_put_u64(out, 1, rejected);
    if (text.len != 0)
        pb_put_bytes(out, 2, text);
    pb_close(out, mark);
    return finish(out, start);
}

enum code otlp_response_read(struct slice body, struct otlp_response *out, struct error *err)
{
    struct pb_reader r, inner;
    struct pb_field f, g;
    enum pb_status status;

    *out = (struct otlp_response){0};
    pb_reader_init(&r, body);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        if (f.number != 1 || f.type != PB_BYTES)
            continue;
        pb_reader_init(&inner, f.bytes);
        while ((status = pb_next(&inner, &g)) == PB_FIELD) {
            if (g.number == 1 && g.type == PB_VARINT)
                out->rejected = (int64_t)g.value > 0 ? g.value : 0;
            else if (g.number == 2 && g.type == PB_BYTES)
                out->text = g.bytes;
        }
        if (status == PB_BROKEN)
            break;
    }
    return status == PB_END ? OK : error_set(err, INVALID, "the answer is not an OTLP response");
}

enum code otlp_status_write(struct buf *out, int32_t code, struct slice message, int64_t retry_delay_ms)
{
    size_t start = out->len, any, value, delay;

    if (code != 0)
        pb_put_u64(out, 1, (uint64_t)(int64_t)code);
    if (message.len != 0)
        pb_put_bytes(out, 2, message);
    if (retry_delay_ms >= 0) {
        any = pb_open(out, 3);
        pb_put_bytes(out, 1, SLICE_LIT("type.googleapis.com/google.rpc.RetryInfo"));
        value = pb_open(out, 2);
        delay = pb_open(out, 1);
        pb_put_u64(out, 1, (uint64_t)retry_delay_ms / 1000);
        pb_put_u64(out, 2, (uint64_t)retry_delay_ms % 1000 * 1000000);
        pb_close(out, delay);
        pb_close(out, value);
        pb_close(out, any);
    }
    return finish(out, start);
}

/* google.protobuf.Duration in milliseconds, rounded up; at most a day. */
static int64_t read_duration(struct slice bytes)
{
    static const int64_t day_s = 86400;
    struct pb_reader r;
    struct pb_field f;
    int64_t s = 0, ns = 0;

    pb_reader_init(&r, bytes);
    while (pb_next(&r, &f) == PB_FIELD) {
        if (f.number == 1 && f.type == PB_VARINT)
            s = (int64_t)f.value;
        else if (f.number == 2 && f.type == PB_VARINT)
            ns = (int64_t)f.value;
    }
    if (s < 0 || ns < 0 || ns > 999999999)
        return 0;
    return (s < day_s ? s : day_s) * 1000 + (ns + 999999) / 1000000;
}

/* google.protobuf.Any: *delay_ms is set when it holds a RetryInfo. */
static void read_detail(struct slice any, int64_t *delay_ms)
{
    struct slice type = {0}, value = {0};
    struct pb_reader r;
    struct pb_field f;

    pb_reader_init(&r, any);
    while (pb_next(&r, &f) == PB_FIELD) {
        if (f.number == 1 && f.type == PB_BYTES)
            type = f.bytes;
        else if (f.number == 2 && f.type == PB_BYTES)
            value = f.bytes;
    }
    if (!slice_ends(type, SLICE_LIT("google.rpc.RetryInfo")))
        return;
    pb_reader_init(&r, value);
    while (pb_next(&r, &f) == PB_FIELD)
        if (f.number == 1 && f.type == PB_BYTES)
            *delay_ms = read_duration(f.bytes);
}

enum code otlp_status_read(struct slice body, struct otlp_status *out, struct error *err)
{
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;

    *out = (struct otlp_status){.retry_delay_ms = -1};
    pb_reader_init(&r, body);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        if (f.number == 1 && f.type == PB_VARINT)
            out->code = (int32_t)(uint32_t)f.value;
        else if (f.number == 2 && f.type == PB_BYTES)
            out->message = f.bytes;
        else if (f.number == 3 && f.type == PB_BYTES)
            read_detail(f.bytes, &out->retry_delay_ms);
    }
    return status == PB_END ? OK : error_set(err, INVALID, "the answer is not a google.rpc.Status");
}
