#include "agent/model/otlp_decode.h"
#include "agent/base/limits.h"
#include "agent/text/base64.h"
#include "agent/text/json.h"
#include "agent/text/number.h"
#include <math.h>

static void *arena_give(void *arena, size_t size)
{
    return arena_try_alloc(arena, size);
}

static void arena_leave(void *arena, void *ptr)
{
    (void)arena;
    (void)ptr; /* goes with the arena */
}

static ProtobufCMessage *decode(const ProtobufCMessageDescriptor *d, struct arena *a, struct slice bytes)
{
    ProtobufCAllocator allocator = {arena_give, arena_leave, a};
    static const uint8_t nothing[1] = {0};

    return protobuf_c_message_unpack(d, &allocator, bytes.len, bytes.len != 0 ? (const uint8_t *)bytes.ptr : nothing);
}

Otlp__ResourceSpans *otlp_decode_spans(struct arena *a, struct slice bytes)
{
    return (Otlp__ResourceSpans *)(void *)decode(&otlp__resource_spans__descriptor, a, bytes);
}

Otlp__ResourceMetrics *otlp_decode_metrics(struct arena *a, struct slice bytes)
{
    return (Otlp__ResourceMetrics *)(void *)decode(&otlp__resource_metrics__descriptor, a, bytes);
}

Otlp__ResourceLogs *otlp_decode_logs(struct arena *a, struct slice bytes)
{
    return (Otlp__ResourceLogs *)(void *)decode(&otlp__resource_logs__descriptor, a, bytes);
}

struct slice otlp_encode(struct arena *a, const ProtobufCMessage *m)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = arena_try_alloc(a, size);

    if (bytes == NULL)
        return (struct slice){0};
    return slice_make(bytes, protobuf_c_message_pack(m, bytes));
}

static size_t find(const struct otlp_attrs *a, struct slice key)
{
    size_t i = 0;

    while (i < *a->n && !slice_eq_str(key, (*a->list)[i]->key))
        i++;
    return i;
}

Otlp__AnyValue *otlp_attrs_get(const struct otlp_attrs *a, struct slice key)
{
    size_t i = find(a, key);

    return i < *a->n ? (*a->list)[i]->value : NULL;
}

static enum code append(const struct otlp_attrs *a, struct slice key, Otlp__AnyValue *value)
{
    size_t n = *a->n;
    Otlp__KeyValue **list = arena_try_alloc(a->arena, (n + 1) * sizeof(Otlp__KeyValue *));
    Otlp__KeyValue *pair = arena_try_alloc(a->arena, sizeof *pair);
    char *text = arena_try_alloc(a->arena, key.len + 1);

    if (list == NULL || pair == NULL || text == NULL)
        return NOMEM;
    if (key.len != 0)
        memcpy(text, key.ptr, key.len);
    text[key.len] = '\0';
    otlp__key_value__init(pair);
    pair->key = text;
    pair->value = value;
    if (n != 0)
        memcpy(list, *a->list, n * sizeof(Otlp__KeyValue *));
    list[n] = pair;
    *a->list = list;
    *a->n = n + 1;
    return OK;
}

enum code otlp_attrs_set(const struct otlp_attrs *a, struct slice key, Otlp__AnyValue *value)
{
    size_t i = find(a, key);

    if (i == *a->n)
        return append(a, key, value);
    (*a->list)[i]->value = value;
    return OK;
}

enum code otlp_attrs_insert(const struct otlp_attrs *a, struct slice key, Otlp__AnyValue *value, bool *done)
{
    bool is_absent = find(a, key) == *a->n;

    if (done != NULL)
        *done = is_absent;
    return is_absent ? append(a, key, value) : OK;
}

bool otlp_attrs_delete(const struct otlp_attrs *a, struct slice key)
{
    size_t kept = 0, n = *a->n;

    for (size_t i = 0; i < n; i++)
        if (!slice_eq_str(key, (*a->list)[i]->key))
            (*a->list)[kept++] = (*a->list)[i];
    *a->n = kept;
    return kept != n;
}

static Otlp__AnyValue *new_value(struct arena *a, Otlp__AnyValue__ValueCase kind)
{
    Otlp__AnyValue *v = arena_try_alloc(a, sizeof *v);

    if (v == NULL)
        return NULL;
    otlp__any_value__init(v);
    v->value_case = kind;
    return v;
}

Otlp__AnyValue *otlp_value_string(struct arena *a, struct slice s)
{
    Otlp__AnyValue *v = new_value(a, OTLP__ANY_VALUE__VALUE_STRING_VALUE);
    char *text = arena_try_alloc(a, s.len + 1);

    if (v == NULL || text == NULL)
        return NULL;
    if (s.len != 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    v->string_value = text;
    return v;
}

Otlp__AnyValue *otlp_value_int(struct arena *a, int64_t i)
{
    Otlp__AnyValue *v = new_value(a, OTLP__ANY_VALUE__VALUE_INT_VALUE);

    if (v != NULL)
        v->int_value = i;
    return v;
}

Otlp__AnyValue *otlp_value_double(struct arena *a, double d)
{
    Otlp__AnyValue *v = new_value(a, OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE);

    if (v != NULL)
        v->double_value = d;
    return v;
}

Otlp__AnyValue *otlp_value_bool(struct arena *a, bool is_true)
{
    Otlp__AnyValue *v = new_value(a, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);

    if (v != NULL)
        v->bool_value = is_true;
    return v;
}

static enum code end(const struct buf *out)
{
    return out->is_full ? FULL : OK;
}

static void put_bytes(const ProtobufCBinaryData *b, struct buf *out)
{
    (void)base64_encode(out, slice_make(b->data, b->len));
}

enum code otlp_value_text(const Otlp__AnyValue *v, struct buf *out)
{
    char number[NUMBER_TEXT_BYTES];

    if (v == NULL)
        return OK;
    switch ((int)v->value_case) {
    case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
        return buf_add_str(out, v->string_value);
    case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
        put_bytes(&v->bytes_value, out);
        return end(out);
    case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
        if (isfinite(v->double_value))
            break;
        return buf_add(out, slice_make(number, number_format(v->double_value, NUMBER_GO, number)));
    case OTLP__ANY_VALUE__VALUE__NOT_SET:
        return OK;
    }
    return otlp_value_json(v, out);
}

static enum code list_json(const Otlp__ArrayValue *list, struct buf *out)
{
    (void)buf_add_char(out, '[');
    for (size_t i = 0; i < list->n_values; i++) {
        if (i != 0)
            (void)buf_add_char(out, ',');
        (void)otlp_value_json(list->values[i], out);
    }
    (void)buf_add_char(out, ']');
    return end(out);
}

/* Depth is that of the scanned bytes: at most LIMIT_PROTOBUF_DEPTH. */
enum code otlp_value_json(const Otlp__AnyValue *v, struct buf *out)
{
    struct otlp_attrs pairs = {0};

    switch (v != NULL ? (int)v->value_case : OTLP__ANY_VALUE__VALUE__NOT_SET) {
    case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
        return json_write_string(out, slice_str(v->string_value));
    case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
        return buf_add_str(out, v->bool_value ? "true" : "false");
    case OTLP__ANY_VALUE__VALUE_INT_VALUE:
        return buf_printf(out, "%lld", (long long)v->int_value);
    case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
        return json_write_f64(out, v->double_value);
    case OTLP__ANY_VALUE__VALUE_ARRAY_VALUE:
        return list_json(v->array_value, out);
    case OTLP__ANY_VALUE__VALUE_KVLIST_VALUE:
        pairs.list = &v->kvlist_value->values;
        pairs.n = &v->kvlist_value->n_values;
        return otlp_attrs_json(&pairs, out);
    case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
        (void)buf_add_char(out, '"');
        put_bytes(&v->bytes_value, out);
        (void)buf_add_char(out, '"');
        return end(out);
    default:
        return buf_add_str(out, "null");
    }
}

enum code otlp_attrs_json(const struct otlp_attrs *a, struct buf *out)
{
    (void)buf_add_char(out, '{');
    for (size_t i = 0; i < *a->n; i++) {
        if (i != 0)
            (void)buf_add_char(out, ',');
        (void)json_write_string(out, slice_str((*a->list)[i]->key));
        (void)buf_add_char(out, ':');
        (void)otlp_value_json((*a->list)[i]->value, out);
    }
    (void)buf_add_char(out, '}');
    return end(out);
}
