#include "agent/base/limits.h"
#include "agent/model/otlp_json.h"
#include "agent/model/pbwire.h"
#include "agent/text/base64.h"
#include "agent/text/json.h"
#include "proto/otlp.pb-c.h"
#include <math.h>

enum { MAX_FIELDS = 32 };

static void put_key(struct buf *out, const char *name)
{
    (void)buf_add_char(out, '"');
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '_' && p[1] != '\0')
            (void)buf_add_char(out, (char)(*++p - ('a' - 'A')));
        else
            (void)buf_add_char(out, *p);
    }
    (void)buf_add_str(out, "\":");
}

static void put_hex(struct buf *out, struct slice s)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        (void)buf_add_char(out, digits[c >> 4]);
        (void)buf_add_char(out, digits[c & 15]);
    }
}

static void put_bytes(struct buf *out, const ProtobufCFieldDescriptor *f, struct slice s)
{
    size_t len = strlen(f->name);
    bool is_id = (len >= 8 && strcmp(f->name + len - 8, "trace_id") == 0) ||
                 (len >= 7 && strcmp(f->name + len - 7, "span_id") == 0);

    (void)buf_add_char(out, '"');
    if (is_id)
        put_hex(out, s);
    else
        (void)base64_encode(out, s);
    (void)buf_add_char(out, '"');
}

static void put_f64(struct buf *out, double v)
{
    if (isnan(v))
        (void)buf_add_str(out, "\"NaN\"");
    else if (isinf(v))
        (void)buf_add_str(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        (void)json_write_f64(out, v);
}

/* 64-bit integers are text in protobuf's JSON mapping; enums are numbers in OTLP's. */
static void put_number(struct buf *out, const ProtobufCFieldDescriptor *f, uint64_t v)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
        put_f64(out, pb_f64(v));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        (void)buf_add_str(out, v != 0 ? "true" : "false");
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        (void)buf_printf(out, "\"%llu\"", (unsigned long long)v);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        (void)buf_printf(out, "\"%lld\"", (long long)v);
        break;
    case PROTOBUF_C_TYPE_SINT32:
        (void)buf_printf(out, "%lld", (long long)pb_zigzag_decode(v));
        break;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
        (void)buf_printf(out, "%d", (int)(int32_t)(uint32_t)v);
        break;
    default:
        (void)buf_printf(out, "%u", (unsigned)(uint32_t)v);
        break;
    }
}

static enum code put_message(const ProtobufCMessageDescriptor *d, struct slice bytes, unsigned depth, struct buf *out);

static bool is_fixed64(const ProtobufCFieldDescriptor *f)
{
    return f->type == PROTOBUF_C_TYPE_DOUBLE || f->type == PROTOBUF_C_TYPE_FIXED64 ||
           f->type == PROTOBUF_C_TYPE_SFIXED64;
}

static enum code put_packed(struct buf *out, const ProtobufCFieldDescriptor *f, struct slice packed, bool *is_first)
{
    struct pb_reader r;
    uint64_t v;

    pb_reader_init(&r, packed);
    while (r.at < r.end) {
        if (is_fixed64(f)) {
            if (r.end - r.at < 8)
                return CORRUPT;
            v = 0;
            for (unsigned i = 0; i < 8; i++)
                v |= (uint64_t)(unsigned char)*r.at++ << (8 * i);
        } else if (!pb_read_varint(&r, &v)) {
            return CORRUPT;
        }
        if (!*is_first)
            (void)buf_add_char(out, ',');
        *is_first = false;
        put_number(out, f, v);
    }
    return OK;
}

static enum code put_value(struct buf *out, const ProtobufCFieldDescriptor *f, const struct pb_field *w, unsigned depth)
{
    bool is_text =
        f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES || f->type == PROTOBUF_C_TYPE_MESSAGE;

    if (is_text != (w->type == PB_BYTES))
        return CORRUPT;
    if (f->type == PROTOBUF_C_TYPE_STRING)
        return json_write_string(out, w->bytes);
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return put_message(f->descriptor, w->bytes, depth + 1, out);
    if (f->type == PROTOBUF_C_TYPE_BYTES)
        put_bytes(out, f, w->bytes);
    else
        put_number(out, f, w->value);
    return OK;
}

static enum code put_list(struct buf *out, const ProtobufCFieldDescriptor *f, struct slice message, unsigned depth)
{
    bool is_first = true, is_number = f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES &&
                                      f->type != PROTOBUF_C_TYPE_MESSAGE;
    struct pb_reader r;
    struct pb_field w;
    enum code rc = OK;

    (void)buf_add_char(out, '[');
    pb_reader_init(&r, message);
    while (rc == OK && pb_next(&r, &w) == PB_FIELD) {
        if (w.number != f->id)
            continue;
        if (is_number && w.type == PB_BYTES) {
            rc = put_packed(out, f, w.bytes, &is_first);
            continue;
        }
        if (!is_first)
            (void)buf_add_char(out, ',');
        is_first = false;
        rc = put_value(out, f, &w, depth);
    }
    (void)buf_add_char(out, ']');
    return rc;
}

/* One pass to see which fields are there, one more per list: elements of a list need not stand together. */
static enum code put_message(const ProtobufCMessageDescriptor *d, struct slice bytes, unsigned depth, struct buf *out)
{
    struct pb_field last[MAX_FIELDS];
    bool is_there[MAX_FIELDS] = {false}, is_first = true;
    struct pb_reader r;
    struct pb_field w;
    enum pb_status status;
    enum code rc = OK;

    if (depth > LIMIT_PROTOBUF_DEPTH || d->n_fields > MAX_FIELDS)
        return CORRUPT;
    pb_reader_init(&r, bytes);
    while ((status = pb_next(&r, &w)) == PB_FIELD) {
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, w.number);

        if (f == NULL)
            continue;
        last[f - d->fields] = w;
        is_there[f - d->fields] = true;
    }
    (void)buf_add_char(out, '{');
    for (unsigned i = 0; i < d->n_fields && rc == OK; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        if (!is_there[i])
            continue;
        if (!is_first)
            (void)buf_add_char(out, ',');
        is_first = false;
        put_key(out, f->name);
        rc =
            f->label == PROTOBUF_C_LABEL_REPEATED ? put_list(out, f, bytes, depth) : put_value(out, f, &last[i], depth);
    }
    (void)buf_add_char(out, '}');
    if (rc == OK && status == PB_BROKEN)
        rc = CORRUPT;
    return rc == OK && out->is_full ? FULL : rc;
}

enum code otlp_json_write(enum otlp_signal signal, struct slice resource, struct buf *out)
{
    static const ProtobufCMessageDescriptor *const roots[] = {
        [OTLP_TRACES] = &otlp__resource_spans__descriptor,
        [OTLP_METRICS] = &otlp__resource_metrics__descriptor,
        [OTLP_LOGS] = &otlp__resource_logs__descriptor,
    };
    size_t start = out->len;
    enum code rc = put_message(roots[signal], resource, 1, out);

    if (rc != OK)
        out->len = start;
    return rc;
}

enum code otlp_json_response(enum otlp_signal signal, uint64_t rejected, struct slice text, struct buf *out)
{
    static const char *const keys[] = {
        [OTLP_TRACES] = "rejectedSpans",
        [OTLP_METRICS] = "rejectedDataPoints",
        [OTLP_LOGS] = "rejectedLogRecords",
    };

    if (rejected == 0 && text.len == 0)
        return buf_add_str(out, "{}");
    (void)buf_add_str(out, "{\"partialSuccess\":{");
    if (rejected != 0)
        (void)buf_printf(out, "\"%s\":\"%llu\"", keys[signal], (unsigned long long)rejected);
    if (text.len != 0) {
        (void)buf_add_str(out, rejected != 0 ? ",\"errorMessage\":" : "\"errorMessage\":");
        (void)json_write_string(out, text);
    }
    (void)buf_add_str(out, "}}");
    return out->is_full ? FULL : OK;
}

enum code otlp_json_status(int32_t code, struct slice message, struct buf *out)
{
    (void)buf_printf(out, "{\"code\":%d,\"message\":", (int)code);
    (void)json_write_string(out, message);
    (void)buf_add_char(out, '}');
    return out->is_full ? FULL : OK;
}
