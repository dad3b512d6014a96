/* encoding.*: JSON, YAML, base64, URLs. */
#include "agent/base/limits.h"
#include "agent/river/gonum.h"
#include "agent/river/stdlib_int.h"
#include "agent/text/base64.h"
#include "agent/text/json.h"
#include "agent/text/utf8.h"
#include "agent/text/yaml.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static enum code work(struct river_call *call, uint64_t bytes)
{
    return eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0}, bytes);
}

/* --- JSON --- */

static enum code object_from_json(struct arena *arena, const struct json *json, bool is_int_kept, struct value *out)
{
    size_t n = json->object.n;
    struct value_field *fields = arena_try_array(arena, n, sizeof *fields);

    if (fields == NULL)
        return NOMEM;
    for (size_t i = 0; i < n; i++) {
        enum code rc = value_from_json(arena, &json->object.members[i].value, is_int_kept, &fields[i].value);

        if (rc != OK)
            return rc;
        fields[i].name = json->object.members[i].key;
    }
    return value_object(arena, fields, n, out);
}

enum code value_from_json(struct arena *arena, const struct json *json, bool is_int_kept, struct value *out)
{
    struct value *items;
    int64_t i;
    uint64_t u;
    double f;

    switch (json->type) {
    case JSON_NULL:
        *out = value_null();
        return OK;
    case JSON_BOOL:
        *out = value_bool(json->boolean);
        return OK;
    case JSON_NUMBER:
        if (is_int_kept && slice_to_i64(json->text, &i))
            *out = value_int(i);
        else if (is_int_kept && slice_to_u64(json->text, &u))
            *out = value_uint(u);
        else if (json_as_f64(json, &f))
            *out = value_float(f);
        else
            return INVALID;
        return OK;
    case JSON_STRING:
        *out = value_string(json->text);
        return OK;
    case JSON_OBJECT:
        return object_from_json(arena, json, is_int_kept, out);
    case JSON_ARRAY:
        break;
    }
    items = arena_try_array(arena, json->array.n, sizeof *items);
    if (items == NULL)
        return NOMEM;
    for (size_t k = 0; k < json->array.n; k++) {
        enum code rc = value_from_json(arena, &json->array.items[k], is_int_kept, &items[k]);

        if (rc != OK)
            return rc;
    }
    *out = value_array(items, json->array.n);
    return OK;
}

static enum code from_json(struct river_call *call, struct value *out)
{
    struct error err = {0};
    struct slice text;
    struct json json;
    enum code rc = arg_text(call, 0, &text);

    if (rc == OK)
        rc = work(call, (uint64_t)text.len * 8); /* a tree is larger than its text */
    if (rc != OK)
        return rc;
    rc = json_parse(call->ctx->arena, text, &json, &err);
    if (rc != OK)
        return river_call_error(call, 0, "%s", err.text);
    rc = value_from_json(call->ctx->arena, &json, false, out);
    if (rc == INVALID)
        return river_call_error(call, 0, "a number is out of range");
    return rc == OK ? OK : call_no_memory(call);
}

/* As Go writes strings: <, > and & escaped too. */
static void write_string(struct buf *out, struct slice s)
{
    (void)buf_add_char(out, '"');
    while (s.len != 0 && !out->is_full) {
        uint32_t rune;
        size_t n = utf8_decode(s, &rune);
        struct slice one = slice_head(s, n);

        s = slice_from(s, n);
        if (rune == '"' || rune == '\\')
            (void)buf_printf(out, "\\%c", (char)rune);
        else if (rune == '\n' || rune == '\r' || rune == '\t')
            (void)buf_add_str(out, rune == '\n' ? "\\n" : rune == '\r' ? "\\r" : "\\t");
        else if (rune == '\b' || rune == '\f')
            (void)buf_add_str(out, rune == '\b' ? "\\b" : "\\f");
        else if (rune < 0x20 || rune == '<' || rune == '>' || rune == '&' || rune == 0x2028 || rune == 0x2029)
            (void)buf_printf(out, "\\u%04x", rune);
        else if (n == 1 && rune == UTF8_REPLACEMENT)
            (void)buf_add_str(out, "\\ufffd");
        else
            (void)buf_add(out, one);
    }
    (void)buf_add_char(out, '"');
}

static int cmp_names(const void *a, const void *b)
{
    const struct value_field *const *x = a, *const *y = b;

    return slice_cmp((*x)->name, (*y)->name);
}

static enum code write_value(struct river_call *call, struct buf *out, const struct value *v);

/* Keys in order of their bytes, as Go has it. */
static enum code write_object(struct river_call *call, struct buf *out, const struct value *v)
{
    size_t n = v->as.object.n;
    const struct value_field **fields = arena_try_array(call->ctx->arena, n, sizeof *fields);
    enum code rc = OK;

    if (fields == NULL)
        return call_no_memory(call);
    for (size_t i = 0; i < n; i++)
        fields[i] = &v->as.object.fields[i];
    if (n != 0)
        qsort(fields, n, sizeof *fields, cmp_names);
    (void)buf_add_char(out, '{');
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (i != 0)
            (void)buf_add_char(out, ',');
        write_string(out, fields[i]->name);
        (void)buf_add_char(out, ':');
        rc = write_value(call, out, &fields[i]->value);
    }
    (void)buf_add_char(out, '}');
    return rc;
}

static enum code write_value(struct river_call *call, struct buf *out, const struct value *v)
{
    enum code rc = OK;

    if (value_is_secret(v))
        return river_call_error(call, 0,
                                "a secret cannot be written as JSON; convert.nonsensitive(...) makes a string of it");
    switch (v->type) {
    case VALUE_NULL:
    case VALUE_BOOL:
        value_to_json(out, v, true);
        return OK;
    case VALUE_NUMBER:
        if (v->as.number.kind == NUMBER_FLOAT && !isfinite(v->as.number.as.f))
            return river_call_error(call, 0, "JSON has no infinite numbers and no NaN");
        value_to_json(out, v, true);
        return OK;
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        write_string(out, v->as.text.bytes);
        return OK;
    case VALUE_OBJECT:
        return write_object(call, out, v);
    case VALUE_ARRAY:
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->as.array.n && rc == OK; i++) {
            if (i != 0)
                (void)buf_add_char(out, ',');
            rc = write_value(call, out, &v->as.array.items[i]);
        }
        (void)buf_add_char(out, ']');
        return rc;
    case VALUE_FUNCTION:
    case VALUE_CAPSULE:
        break;
    }
    return river_call_error(call, 0, "a %s cannot be written as JSON", value_type_name(v));
}

static enum code to_json(struct river_call *call, struct value *out)
{
    const struct value *v = &call->args[0];
    struct buf text;
    enum code rc;

    if (v->type != VALUE_OBJECT)
        return river_call_error(call, 0, "the argument must be an object, not a %s (a list goes inside one)",
                                value_type_name(v));
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    rc = write_value(call, &text, v);
    if (rc == OK)
        rc = work(call, text.len);
    if (rc == OK)
        rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

static enum code from_yaml(struct river_call *call, struct value *out)
{
    struct error err = {0};
    struct slice text;
    struct json json;
    enum code rc = arg_text(call, 0, &text);

    if (rc == OK)
        rc = work(call, (uint64_t)text.len * 8);
    if (rc != OK)
        return rc;
    rc = yaml_parse(call->ctx->arena, text, YAML_TYPED, &json, &err);
    if (rc != OK)
        return river_call_error(call, 0, "%s", err.text);
    return value_from_json(call->ctx->arena, &json, true, out) == OK ? OK : call_no_memory(call);
}

/* --- base64 --- */

static enum code decode(struct river_call *call, bool is_url, struct value *out)
{
    struct error err = {0};
    struct slice s, bytes;
    enum code rc = arg_text(call, 0, &s);

    if (rc != OK)
        return rc;
    rc = base64_decode_as_go(call->ctx->arena, s, is_url ? BASE64_URL : BASE64_STANDARD, &bytes, &err);
    if (rc == INVALID)
        return river_call_error(call, 0, "%s", err.text);
    if (rc != OK)
        return call_no_memory(call);
    *out = value_string(bytes);
    return OK;
}

static enum code from_base64(struct river_call *call, struct value *out)
{
    return decode(call, false, out);
}

static enum code from_url_base64(struct river_call *call, struct value *out)
{
    return decode(call, true, out);
}

static enum code encode(struct river_call *call, bool is_url, struct value *out)
{
    struct slice s;
    struct buf text;
    enum code rc = arg_text(call, 0, &s);

    if (rc != OK)
        return rc;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    (void)base64_encode(&text, s);
    for (size_t i = 0; i < text.len && is_url; i++) {
        if (text.ptr[i] == '+')
            text.ptr[i] = '-';
        else if (text.ptr[i] == '/')
            text.ptr[i] = '_';
    }
    rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

static enum code to_base64(struct river_call *call, struct value *out)
{
    return encode(call, false, out);
}

static enum code to_url_base64(struct river_call *call, struct value *out)
{
    return encode(call, true, out);
}

/* --- URLs: the query's encoding, a space is + --- */

static enum code url_encode(struct river_call *call, struct value *out)
{
    struct slice s;
    struct buf text;
    enum code rc = arg_text(call, 0, &s);

    if (rc != OK)
        return rc;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    for (size_t i = 0; i < s.len && !text.is_full; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (is_letter || c == '-' || c == '_' || c == '.' || c == '~')
            (void)buf_add_char(&text, (char)c);
        else if (c == ' ')
            (void)buf_add_char(&text, '+');
        else
            (void)buf_printf(&text, "%%%02X", c);
    }
    rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum code url_decode(struct river_call *call, struct value *out)
{
    struct slice s;
    size_t n = 0;
    char *text;
    enum code rc = arg_text(call, 0, &s);

    if (rc != OK)
        return rc;
    text = arena_try_alloc(call->ctx->arena, s.len + 1);
    if (text == NULL)
        return call_no_memory(call);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            text[n++] = s.ptr[i] == '+' ? ' ' : s.ptr[i];
            continue;
        }
        if (i + 2 >= s.len || hex_value(s.ptr[i + 1]) < 0 || hex_value(s.ptr[i + 2]) < 0)
            return river_call_error(call, 0, "invalid URL escape \"%.*s\"", SLICE_ARG(slice_head(slice_from(s, i), 3)));
        text[n++] = (char)(hex_value(s.ptr[i + 1]) * 16 + hex_value(s.ptr[i + 2]));
        i += 2;
    }
    *out = value_string(slice_make(text, n));
    return OK;
}

#define FUNCTION(text_name, fn, text)                                                                                  \
    {                                                                                                                  \
        .name = "encoding." text_name, .signature = "encoding." text_name "(string)", .doc = text, .min_args = 1,      \
        .max_args = 1, .call = fn                                                                                      \
    }

const struct river_function stdlib_encoding[] = {
    FUNCTION("from_json", from_json, "The value a JSON text stands for."),
    FUNCTION("from_yaml", from_yaml, "The value a YAML text stands for."),
    FUNCTION("from_base64", from_base64, "The bytes a base64 text stands for."),
    FUNCTION("from_URLbase64", from_url_base64, "The same, with the URL alphabet."),
    {.name = "encoding.to_json",
     .signature = "encoding.to_json(value)",
     .doc = "An object as JSON, keys sorted.",
     .min_args = 1,
     .max_args = 1,
     .call = to_json},
    FUNCTION("to_base64", to_base64, "In base64."),
    FUNCTION("to_URLbase64", to_url_base64, "In base64 with the URL alphabet."),
    FUNCTION("url_encode", url_encode, "Escaped for a URL's query."),
    FUNCTION("url_decode", url_decode, "Without the escapes of a URL's query."),
    {.name = NULL},
};
