#include "agent/model/otlp_to_loki_int.h"
#include "agent/text/json.h"
#include "agent/text/logfmt.h"
#include <stdio.h>
#include <stdlib.h>

static void put_hex(const ProtobufCBinaryData *id, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";

    if (buf_reserve(out, id->len * 2) != OK)
        return; /* is_full says so */
    for (size_t i = 0; i < id->len; i++) {
        out->ptr[out->len++] = digits[id->data[i] >> 4];
        out->ptr[out->len++] = digits[id->data[i] & 15];
    }
}

static int compare_keys(const void *a, const void *b)
{
    const Otlp__KeyValue *const *x = a, *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

/* Go writes the keys of a map in order. */
static void put_sorted(const struct otlp_attrs *a, struct arena *scratch, struct buf *out)
{
    size_t n = *a->n;
    Otlp__KeyValue **list = arena_try_alloc(scratch, (n + 1) * sizeof(Otlp__KeyValue *));
    struct otlp_attrs sorted = {&list, &n, NULL};

    if (list == NULL) {
        out->is_full = true;
        return;
    }
    if (n != 0)
        memcpy(list, *a->list, n * sizeof(Otlp__KeyValue *));
    qsort(list, n, sizeof(Otlp__KeyValue *), compare_keys);
    (void)otlp_attrs_json(&sorted, out);
}

/* "name": before a member, with a comma unless it is the first. */
static void put_member(const char *name, bool *is_first, struct buf *out)
{
    if (!*is_first)
        (void)buf_add_char(out, ',');
    *is_first = false;
    (void)buf_printf(out, "\"%s\":", name);
}

static void put_text_member(const char *name, const char *text, bool *is_first, struct buf *out)
{
    if (text[0] == '\0')
        return;
    put_member(name, is_first, out);
    (void)json_write_string(out, slice_str(text));
}

static void put_id_member(const char *name, const ProtobufCBinaryData *id, bool *is_first, struct buf *out)
{
    if (id->len == 0)
        return;
    put_member(name, is_first, out);
    (void)buf_add_char(out, '"');
    put_hex(id, out);
    (void)buf_add_char(out, '"');
}

static struct otlp_attrs scope_attrs(const Otlp__InstrumentationScope *scope)
{
    Otlp__InstrumentationScope *s = (Otlp__InstrumentationScope *)(uintptr_t)scope; /* only read from here on */

    return (struct otlp_attrs){&s->attributes, &s->n_attributes, NULL};
}

static void put_scope(const Otlp__InstrumentationScope *scope, struct arena *scratch, struct buf *out)
{
    struct otlp_attrs attributes = scope_attrs(scope);
    bool is_first = true;

    (void)buf_add_char(out, '{');
    put_text_member("name", scope->name, &is_first, out);
    put_text_member("version", scope->version, &is_first, out);
    if (*attributes.n != 0) {
        put_member("attributes", &is_first, out);
        put_sorted(&attributes, scratch, out);
    }
    (void)buf_add_char(out, '}');
}

static void write_json(const struct record *r, struct arena *scratch, struct buf *out)
{
    const Otlp__AnyValue *body = r->log->body;
    bool is_first = true;

    (void)buf_add_char(out, '{');
    if (body != NULL && body->value_case != OTLP__ANY_VALUE__VALUE__NOT_SET) {
        put_member("body", &is_first, out);
        (void)otlp_value_json(body, out);
    }
    put_id_member("traceid", &r->log->trace_id, &is_first, out);
    put_id_member("spanid", &r->log->span_id, &is_first, out);
    put_text_member("severity", r->log->severity_text, &is_first, out);
    if (r->log->flags != 0) {
        put_member("flags", &is_first, out);
        (void)buf_printf(out, "%u", r->log->flags);
    }
    if (*r->attributes.n != 0) {
        put_member("attributes", &is_first, out);
        put_sorted(&r->attributes, scratch, out);
    }
    if (*r->resource.n != 0) {
        put_member("resources", &is_first, out);
        put_sorted(&r->resource, scratch, out);
    }
    if (r->scope != NULL && r->scope->name[0] != '\0') {
        put_member("instrumentation_scope", &is_first, out);
        put_scope(r->scope, scratch, out);
    }
    (void)buf_add_char(out, '}');
}

/* ---- logfmt ---- */

/* go-logfmt drops what a key may not hold. */
static void put_logfmt_key(struct slice key, size_t line_start, struct buf *out)
{
    if (out->len != line_start)
        (void)buf_add_char(out, ' ');
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];

        if (c > ' ' && c != '=' && c != '"' && c != 0x7f)
            (void)buf_add_char(out, key.ptr[i]);
    }
    (void)buf_add_char(out, '=');
}

static void put_logfmt_value(struct slice value, struct buf *out)
{
    bool is_quoted = false;

    for (size_t i = 0; i < value.len && !is_quoted; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        is_quoted = c <= ' ' || c == '=' || c == '"' || c == 0x7f;
    }
    if (is_quoted)
        (void)json_write_string(out, value);
    else
        (void)buf_add(out, value);
}

static void put_pair(const char *key, struct slice value, size_t line_start, struct buf *out)
{
    put_logfmt_key(slice_str(key), line_start, out);
    put_logfmt_value(value, out);
}

/* prefix_name; NULL when it does not fit: a long key over a long list would multiply. */
static const char *sub_key(const char *prefix, const char *name, struct arena *scratch, struct buf *out)
{
    size_t len = strlen(prefix), name_len = strlen(name);
    char *key;

    if (len == 0)
        return name;
    key = out->is_full ? NULL : arena_try_alloc(scratch, len + name_len + 2);
    if (key == NULL) {
        out->is_full = true;
        return NULL;
    }
    memcpy(key, prefix, len);
    key[len] = '_';
    memcpy(key + len + 1, name, name_len + 1);
    return key;
}

/* A map becomes key_sub=..., a list key_0=...; depth is that of the scanned bytes. */
static void put_value(const char *key, const Otlp__AnyValue *v, size_t line_start, struct arena *scratch,
                      struct buf *out)
{
    int kind = v != NULL ? (int)v->value_case : OTLP__ANY_VALUE__VALUE__NOT_SET;
    struct buf text;

    if (kind == OTLP__ANY_VALUE__VALUE__NOT_SET || key == NULL)
        return;
    if (kind == OTLP__ANY_VALUE__VALUE_KVLIST_VALUE) {
        for (size_t i = 0; i < v->kvlist_value->n_values; i++) {
            const Otlp__KeyValue *pair = v->kvlist_value->values[i];

            put_value(sub_key(key, pair->key, scratch, out), pair->value, line_start, scratch, out);
        }
        return;
    }
    if (kind == OTLP__ANY_VALUE__VALUE_ARRAY_VALUE) {
        for (size_t i = 0; i < v->array_value->n_values; i++) {
            char index[24];

            (void)snprintf(index, sizeof index, "%zu", i);
            put_value(sub_key(key, index, scratch, out), v->array_value->values[i], line_start, scratch, out);
        }
        return;
    }
    buf_init(&text, out->max);
    if (otlp_value_text(v, &text) == OK)
        put_pair(key, buf_slice(&text), line_start, out);
    else
        out->is_full = true;
    buf_release(&text);
}

/* A text of which every part is key=value is taken apart; any other is msg="...". */
static bool is_logfmt(struct slice text, struct arena *scratch)
{
    struct logfmt_pair pair;
    struct logfmt in;
    bool is_end = false;
    size_t n = 0;

    logfmt_init(&in, text);
    while (logfmt_next(&in, scratch, &pair, &is_end, NULL) == OK) {
        if (is_end)
            return n != 0;
        if (!pair.has_value)
            return false;
        n++;
    }
    return false;
}

static void put_body(const Otlp__AnyValue *body, size_t line_start, struct arena *scratch, struct buf *out)
{
    struct logfmt_pair pair;
    struct logfmt in;
    bool is_end = false;

    if (body == NULL || body->value_case != OTLP__ANY_VALUE__VALUE_STRING_VALUE) {
        bool is_map = body != NULL && body->value_case == OTLP__ANY_VALUE__VALUE_KVLIST_VALUE;
        bool is_list = body != NULL && body->value_case == OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;

        put_value(is_map ? "" : is_list ? "body" : "msg", body, line_start, scratch, out);
        return;
    }
    if (!is_logfmt(slice_str(body->string_value), scratch)) {
        put_pair("msg", slice_str(body->string_value), line_start, out);
        return;
    }
    logfmt_init(&in, slice_str(body->string_value));
    while (logfmt_next(&in, scratch, &pair, &is_end, NULL) == OK && !is_end) {
        put_logfmt_key(pair.key, line_start, out);
        put_logfmt_value(pair.value, out);
    }
}

static void put_attributes(const char *prefix, const struct otlp_attrs *a, size_t line_start, struct arena *scratch,
                           struct buf *out)
{
    for (size_t i = 0; i < *a->n; i++) {
        const Otlp__KeyValue *pair = (*a->list)[i];

        put_value(sub_key(prefix, pair->key, scratch, out), pair->value, line_start, scratch, out);
    }
}

static void put_id(const char *key, const ProtobufCBinaryData *id, size_t line_start, struct buf *out)
{
    if (id->len == 0)
        return;
    put_logfmt_key(slice_str(key), line_start, out);
    put_hex(id, out);
}

static void write_logfmt(const struct record *r, struct arena *scratch, struct buf *out)
{
    size_t start = out->len;

    put_body(r->log->body, start, scratch, out);
    put_id("traceID", &r->log->trace_id, start, out);
    put_id("spanID", &r->log->span_id, start, out);
    if (r->log->severity_text[0] != '\0')
        put_pair("severity", slice_str(r->log->severity_text), start, out);
    put_attributes("attribute", &r->attributes, start, scratch, out);
    put_attributes("resource", &r->resource, start, scratch, out);
    if (r->scope != NULL && r->scope->name[0] != '\0') {
        struct otlp_attrs attributes = scope_attrs(r->scope);

        put_pair("instrumentation_scope_name", slice_str(r->scope->name), start, out);
        if (r->scope->version[0] != '\0')
            put_pair("instrumentation_scope_version", slice_str(r->scope->version), start, out);
        put_attributes("instrumentation_scope_attribute", &attributes, start, scratch, out);
    }
}

void otlp_record_write(const struct record *r, enum record_format format, struct arena *scratch, struct buf *out)
{
    switch (format) {
    case RECORD_JSON:
        write_json(r, scratch, out);
        break;
    case RECORD_LOGFMT:
        write_logfmt(r, scratch, out);
        break;
    case RECORD_RAW:
        (void)otlp_value_text(r->log->body, out);
        break;
    }
}
