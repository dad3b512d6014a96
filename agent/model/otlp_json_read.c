#include "agent/base/limits.h"
#include "agent/model/otlp_json.h"
#include "agent/model/pbwire.h"
#include "agent/text/base64.h"
#include "agent/text/json.h"
#include "proto/otlp.pb-c.h"

enum { MAX_KEY = 64, MAX_ID = 16 };

struct json_in {
    struct json_reader r;
    struct arena *scratch;
    struct buf *out;
    struct error *err;
};

static enum code refuse(const struct json_in *in, const ProtobufCMessageDescriptor *d,
                        const ProtobufCFieldDescriptor *f, const char *why)
{
    return error_set(in->err, INVALID, "%s.%s: %s", d->short_name, f->name, why);
}

/* lowerCamelCase to the proto's own name; the latter is taken as it is, as protobuf's JSON readers do. */
static const ProtobufCFieldDescriptor *find_field(const struct json_in *in, const ProtobufCMessageDescriptor *d)
{
    char name[MAX_KEY];
    size_t len = 0;
    struct slice key = in->r.text;

    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];

        if (len + 3 > sizeof name)
            return NULL;
        if (c >= 'A' && c <= 'Z') {
            name[len++] = '_';
            c = (char)(c + ('a' - 'A'));
        }
        name[len++] = c;
    }
    name[len] = '\0';
    return protobuf_c_message_descriptor_get_field_by_name(d, name);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(struct slice text, char out[MAX_ID], size_t *len)
{
    if (text.len % 2 != 0 || text.len > 2 * MAX_ID)
        return false;
    *len = text.len / 2;
    for (size_t i = 0; i < *len; i++) {
        int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (char)(unsigned char)(high << 4 | low);
    }
    return true;
}

static bool is_id(const ProtobufCFieldDescriptor *f)
{
    return strcmp(f->name, "trace_id") == 0 || strcmp(f->name, "span_id") == 0 ||
           strcmp(f->name, "parent_span_id") == 0;
}

static enum code read_text(struct json_in *in, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
    bool is_kept = f->label == PROTOBUF_C_LABEL_REPEATED || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    struct slice text;
    char id[MAX_ID];
    size_t len;
    enum code rc;

    if (in->r.token != JSON_TOK_STRING)
        return refuse(in, d, f, "expected text in quotes");
    rc = json_reader_string(&in->r, in->scratch, &text);
    if (rc != OK)
        return rc;
    if (f->type == PROTOBUF_C_TYPE_BYTES && is_id(f)) {
        if (!read_hex(text, id, &len))
            return refuse(in, d, f, "expected an id in hexadecimal");
        text = slice_make(id, len);
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
        rc = base64_decode(in->scratch, text, &text, NULL);
        if (rc != OK)
            return rc == INVALID ? refuse(in, d, f, "expected base64") : rc;
    }
    if (text.len != 0 || is_kept)
        pb_put_bytes(in->out, f->id, text);
    return OK;
}

static bool read_enum(struct json_in *in, const ProtobufCEnumDescriptor *d, uint64_t *out)
{
    const ProtobufCEnumValue *value;
    char name[MAX_KEY];
    int64_t v;

    if (json_reader_i64(&in->r, &v, NULL) == OK) {
        *out = (uint64_t)v;
        return v >= INT32_MIN && v <= INT32_MAX;
    }
    if (in->r.token != JSON_TOK_STRING || in->r.text.len >= sizeof name)
        return false;
    memcpy(name, in->r.text.ptr, in->r.text.len);
    name[in->r.text.len] = '\0';
    value = protobuf_c_enum_descriptor_get_value_by_name(d, name);
    if (value != NULL)
        *out = (uint64_t)(int64_t)value->value;
    return value != NULL;
}

/* The value as its bits or its number, before it is written in the field's form. */
static bool read_number(struct json_in *in, const ProtobufCFieldDescriptor *f, uint64_t *out)
{
    int64_t i = 0;
    double v = 0;

    switch (f->type) {
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(in, f->descriptor, out);
    case PROTOBUF_C_TYPE_BOOL:
        *out = in->r.token == JSON_TOK_TRUE;
        return in->r.token == JSON_TOK_TRUE || in->r.token == JSON_TOK_FALSE;
    case PROTOBUF_C_TYPE_DOUBLE:
        if (json_reader_f64(&in->r, &v, NULL) != OK)
            return false;
        *out = pb_f64_bits(v);
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_reader_u64(&in->r, out, NULL) == OK;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_reader_u64(&in->r, out, NULL) == OK && *out <= UINT32_MAX;
    default: /* the signed ones */
        if (json_reader_i64(&in->r, &i, NULL) != OK)
            return false;
        *out = (uint64_t)i;
        if (f->type == PROTOBUF_C_TYPE_INT64 || f->type == PROTOBUF_C_TYPE_SFIXED64)
            return true;
        return i >= INT32_MIN && i <= INT32_MAX;
    }
}

static enum pb_type wire_type(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return PB_FIXED64;
    case PROTOBUF_C_TYPE_FIXED32:
        return PB_FIXED32;
    default:
        return PB_VARINT;
    }
}

static void put_plain(struct buf *out, const ProtobufCFieldDescriptor *f, uint64_t v)
{
    size_t n = wire_type(f) == PB_FIXED64 ? 8 : 4;
    char text[8];

    if (wire_type(f) == PB_VARINT) {
        pb_put_varint(out, f->type == PROTOBUF_C_TYPE_SINT32 ? pb_zigzag_encode((int64_t)v) : v);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        text[i] = (char)(unsigned char)(v >> (8 * i));
    (void)buf_add(out, slice_make(text, n));
}

static enum code read_scalar(struct json_in *in, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
                             bool is_packed)
{
    uint64_t v = 0;

    if (!read_number(in, f, &v))
        return refuse(in, d, f, "not a value of this field's type");
    if (!is_packed && v == 0 && (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
        return OK; /* proto3: a default is not written */
    if (!is_packed)
        pb_put_tag(in->out, f->id, wire_type(f));
    put_plain(in->out, f, v);
    return OK;
}

static enum code read_message(struct json_in *in, const ProtobufCMessageDescriptor *d);

static enum code read_value(struct json_in *in, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
                            bool is_packed)
{
    enum code rc;
    size_t mark;

    if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES)
        return read_text(in, d, f);
    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return read_scalar(in, d, f, is_packed);
    if (in->r.token != JSON_TOK_OBJECT_BEGIN)
        return refuse(in, d, f, "expected an object");
    mark = pb_open(in->out, f->id);
    rc = read_message(in, f->descriptor);
    pb_close(in->out, mark);
    return rc;
}

/* Repeated numbers are packed, as proto3 writes them. */
static enum code read_list(struct json_in *in, const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f)
{
    bool is_packed =
        f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES && f->type != PROTOBUF_C_TYPE_MESSAGE;
    size_t mark = 0, before = in->out->len;
    enum code rc;

    if (in->r.token != JSON_TOK_ARRAY_BEGIN)
        return refuse(in, d, f, "expected a list");
    if (is_packed)
        mark = pb_open(in->out, f->id);
    while ((rc = json_next(&in->r, in->err)) == OK && in->r.token != JSON_TOK_ARRAY_END) {
        rc = read_value(in, d, f, is_packed);
        if (rc != OK)
            return rc;
    }
    if (rc != OK || !is_packed || in->out->is_full)
        return rc;
    if (in->out->len == mark)
        in->out->len = before; /* an empty list is not written */
    else
        pb_close(in->out, mark);
    return OK;
}

/* After OBJECT_BEGIN. Recursion is bounded by the reader's LIMIT_JSON_DEPTH. */
static enum code read_message(struct json_in *in, const ProtobufCMessageDescriptor *d)
{
    enum code rc;

    while ((rc = json_next(&in->r, in->err)) == OK && in->r.token != JSON_TOK_OBJECT_END) {
        const ProtobufCFieldDescriptor *f = find_field(in, d);

        rc = f != NULL ? json_next(&in->r, in->err) : json_skip(&in->r, in->err);
        if (rc == OK && f != NULL && in->r.token != JSON_TOK_NULL)
            rc = f->label == PROTOBUF_C_LABEL_REPEATED ? read_list(in, d, f) : read_value(in, d, f, false);
        if (rc == OK && in->out->is_full)
            rc = error_set(in->err, FULL, "the request is too large");
        if (rc != OK)
            return rc;
    }
    return rc;
}

enum code otlp_json_read(enum otlp_signal signal, struct slice json, struct arena *scratch, struct buf *out,
                         struct error *err)
{
    static const ProtobufCMessageDescriptor *const requests[] = {
        [OTLP_TRACES] = &otlp__export_trace_service_request__descriptor,
        [OTLP_METRICS] = &otlp__export_metrics_service_request__descriptor,
        [OTLP_LOGS] = &otlp__export_logs_service_request__descriptor,
    };
    struct json_in in = {.scratch = scratch, .out = out, .err = err};
    size_t start = out->len;
    enum code rc;

    json_reader_init(&in.r, json);
    rc = json_next(&in.r, err);
    if (rc == OK && in.r.token != JSON_TOK_OBJECT_BEGIN)
        rc = error_set(err, INVALID, "the request is not a JSON object");
    if (rc == OK)
        rc = read_message(&in, requests[signal]);
    if (rc == OK)
        rc = json_next(&in.r, err); /* what follows the object is refused here */
    if (rc != OK)
        out->len = start;
    return rc;
}
