#include "agent/model/otlp_scan.h"
#include "agent/base/limits.h"
#include "agent/text/utf8.h"
#include "proto/otlp.pb-c.h"
#include <pthread.h>

/* The schema, flattened from protoc-c's descriptors: one look-up by field number per field. */
enum kind {
    KIND_UNKNOWN, /* only its framing is looked at */
    KIND_VARINT,
    KIND_FIXED64,
    KIND_FIXED32,
    KIND_VARINTS,  /* repeated: packed or not */
    KIND_FIXED64S, /* repeated: packed or not */
    KIND_STRING,
    KIND_BYTES,
    KIND_TRACE_ID,
    KIND_SPAN_ID,
    KIND_MESSAGE,
};

enum { MAX_FIELDS = 20, MAX_MESSAGES = 48, TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8 };

struct message {
    const ProtobufCMessageDescriptor *descriptor;
    bool is_item; /* a span, data point or log record */
    uint8_t kind[MAX_FIELDS];
    const struct message *sub[MAX_FIELDS];
};

static struct message messages[MAX_MESSAGES];
static size_t n_messages;
static const struct message *roots[3];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static enum kind kind_of(const ProtobufCFieldDescriptor *f)
{
    bool is_repeated = f->label == PROTOBUF_C_LABEL_REPEATED;

    switch (f->type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return is_repeated ? KIND_FIXED64S : KIND_FIXED64;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return KIND_FIXED32;
    case PROTOBUF_C_TYPE_STRING:
        return KIND_STRING;
    case PROTOBUF_C_TYPE_BYTES:
        if (strcmp(f->name, "trace_id") == 0)
            return KIND_TRACE_ID;
        return strcmp(f->name, "span_id") == 0 || strcmp(f->name, "parent_span_id") == 0 ? KIND_SPAN_ID : KIND_BYTES;
    case PROTOBUF_C_TYPE_MESSAGE:
        return KIND_MESSAGE;
    default:
        return is_repeated ? KIND_VARINTS : KIND_VARINT;
    }
}

static const struct message *add_message(const ProtobufCMessageDescriptor *d)
{
    struct message *m;
    size_t len = strlen(d->short_name);

    for (size_t i = 0; i < n_messages; i++)
        if (messages[i].descriptor == d)
            return &messages[i];
    BUG_ON(n_messages == MAX_MESSAGES);
    m = &messages[n_messages++];
    m->descriptor = d;
    m->is_item = d == &otlp__span__descriptor || d == &otlp__log_record__descriptor ||
                 (len > 9 && strcmp(d->short_name + len - 9, "DataPoint") == 0);
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];

        BUG_ON(f->id >= MAX_FIELDS);
        m->kind[f->id] = (uint8_t)kind_of(f);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            m->sub[f->id] = add_message(f->descriptor);
    }
    return m;
}

static void make_tables(void)
{
    roots[OTLP_TRACES] = add_message(&otlp__resource_spans__descriptor);
    roots[OTLP_METRICS] = add_message(&otlp__resource_metrics__descriptor);
    roots[OTLP_LOGS] = add_message(&otlp__resource_logs__descriptor);
}

static const struct message *root_of(enum otlp_signal signal)
{
    (void)pthread_once(&once, make_tables);
    return roots[signal];
}

const char *otlp_signal_name(enum otlp_signal s)
{
    static const char *const names[] = {"traces", "metrics", "logs"};

    return names[s];
}

const char *otlp_item_name(enum otlp_signal s)
{
    static const char *const names[] = {"spans", "data points", "log records"};

    return names[s];
}

struct scan {
    const struct message *message;
    uint32_t n_items;
    unsigned depth;
    const char *why;
    uint32_t field; /* where it broke */
};

static bool fail(struct scan *s, const struct message *m, uint32_t field, const char *why)
{
    if (s->why == NULL) {
        s->message = m;
        s->field = field;
        s->why = why;
    }
    return false;
}

static bool varints_are_whole(struct slice packed)
{
    struct pb_reader r;
    uint64_t v;

    pb_reader_init(&r, packed);
    while (r.at < r.end)
        if (!pb_read_varint(&r, &v))
            return false;
    return true;
}

static bool scan_message(struct scan *s, const struct message *m, struct slice bytes);

static bool scan_field(struct scan *s, const struct message *m, const struct pb_field *f)
{
    enum kind kind = f->number < MAX_FIELDS ? (enum kind)m->kind[f->number] : KIND_UNKNOWN;
    bool is_type = false;

    switch (kind) {
    case KIND_UNKNOWN:
        return true;
    case KIND_VARINT:
        is_type = f->type == PB_VARINT;
        break;
    case KIND_FIXED64:
        is_type = f->type == PB_FIXED64;
        break;
    case KIND_FIXED32:
        is_type = f->type == PB_FIXED32;
        break;
    case KIND_VARINTS:
        is_type = f->type == PB_VARINT || (f->type == PB_BYTES && varints_are_whole(f->bytes));
        break;
    case KIND_FIXED64S:
        is_type = f->type == PB_FIXED64 || (f->type == PB_BYTES && f->bytes.len % 8 == 0);
        break;
    case KIND_STRING:
    case KIND_BYTES:
    case KIND_TRACE_ID:
    case KIND_SPAN_ID:
    case KIND_MESSAGE:
        is_type = f->type == PB_BYTES;
        break;
    }
    if (!is_type)
        return fail(s, m, f->number, "wrong wire type");
    if (kind == KIND_STRING && !utf8_is_valid(f->bytes))
        return fail(s, m, f->number, "invalid UTF-8");
    if (kind == KIND_TRACE_ID && f->bytes.len != 0 && f->bytes.len != TRACE_ID_BYTES)
        return fail(s, m, f->number, "a trace id must have 16 bytes");
    if (kind == KIND_SPAN_ID && f->bytes.len != 0 && f->bytes.len != SPAN_ID_BYTES)
        return fail(s, m, f->number, "a span id must have 8 bytes");
    return kind != KIND_MESSAGE || scan_message(s, m->sub[f->number], f->bytes);
}

/* Recursion is bounded by LIMIT_PROTOBUF_DEPTH. */
static bool scan_message(struct scan *s, const struct message *m, struct slice bytes)
{
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;

    if (s->depth == LIMIT_PROTOBUF_DEPTH)
        return fail(s, m, 0, "nested too deep");
    if (m->is_item && ++s->n_items == 0)
        return fail(s, m, 0, "too many items");
    s->depth++;
    pb_reader_init(&r, bytes);
    while ((status = pb_next(&r, &f)) == PB_FIELD)
        if (!scan_field(s, m, &f))
            return false;
    s->depth--;
    return status == PB_END || fail(s, m, 0, "broken framing");
}

static enum code refuse(const struct scan *s, struct error *err)
{
    if (s->field == 0)
        return error_set(err, INVALID, "%s: %s", s->message->descriptor->short_name, s->why);
    return error_set(err, INVALID, "%s.%s: %s", s->message->descriptor->short_name,
                     protobuf_c_message_descriptor_get_field(s->message->descriptor, s->field)->name, s->why);
}

enum code otlp_scan_resource(enum otlp_signal signal, struct slice bytes, uint32_t *n_items, struct error *err)
{
    struct scan s = {.depth = 1}; /* the request around it */

    if (!scan_message(&s, root_of(signal), bytes))
        return refuse(&s, err);
    *n_items = s.n_items;
    return OK;
}

enum code otlp_scan(struct otlp_batch *b, struct slice body, struct error *err)
{
    uint32_t n = b->n, n_items = b->n_items;
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;
    enum code rc = OK;

    pb_reader_init(&r, body);
    while (rc == OK && (status = pb_next(&r, &f)) != PB_END) {
        uint32_t items = 0;

        if (status == PB_BROKEN)
            rc = error_set(err, INVALID, "request: broken framing at byte %zu", (size_t)(r.at - body.ptr));
        else if (f.number == 1 && f.type != PB_BYTES)
            rc = error_set(err, INVALID, "request: wrong wire type");
        else if (f.number == 1)
            rc = otlp_scan_resource(b->signal, f.bytes, &items, err);
        if (rc != OK || f.number != 1)
            continue;
        rc = otlp_batch_add(b, f.bytes, items);
        if (rc != OK)
            (void)error_set(err, rc, "request: too many %s or no memory", otlp_item_name(b->signal));
    }
    if (rc != OK) {
        b->n = n;
        b->n_items = n_items;
    }
    return rc;
}
