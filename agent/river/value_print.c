/* Values as JSON and as River text. */
#include "agent/river/eval.h"
#include "agent/river/gonum.h"
#include "agent/river/parser.h"
#include "agent/river/value.h"
#include "agent/text/json.h"
#include "agent/text/utf8.h"
#include <inttypes.h>
#include <math.h>

void value_number_print(struct buf *out, struct number n)
{
    char text[GONUM_TEXT_BYTES];

    switch (n.kind) {
    case NUMBER_INT:
        (void)buf_printf(out, "%" PRId64, n.as.i);
        return;
    case NUMBER_UINT:
        (void)buf_printf(out, "%" PRIu64, n.as.u);
        return;
    case NUMBER_FLOAT:
        break;
    }
    (void)buf_add(out, slice_make(text, gonum_plain(n.as.f, text)));
}

static void number_json(struct buf *out, struct number n)
{
    if (n.kind == NUMBER_FLOAT)
        (void)json_write_f64(out, n.as.f);
    else
        value_number_print(out, n);
}

static void capsule_text(struct buf *out, const struct value *v)
{
    (void)buf_printf(out, "capsule(\"%s\")", v->as.capsule.type != NULL ? v->as.capsule.type->name : "");
}

static void capsule_json(struct buf *out, const struct value *v)
{
    (void)buf_printf(out, "\"capsule(\\\"%s\\\")\"", v->as.capsule.type != NULL ? v->as.capsule.type->name : "");
}

static void text_json(struct buf *out, const struct value *v, bool mask_secrets)
{
    bool is_hidden = mask_secrets && value_is_secret(v);

    (void)json_write_string(out, is_hidden ? SLICE_LIT("(secret)") : v->as.text.bytes);
}

void value_to_json(struct buf *out, const struct value *v, bool mask_secrets)
{
    switch (v->type) {
    case VALUE_NULL:
        (void)buf_add_str(out, "null");
        break;
    case VALUE_BOOL:
        (void)buf_add_str(out, v->as.boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        number_json(out, v->as.number);
        break;
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        text_json(out, v, mask_secrets);
        break;
    case VALUE_ARRAY:
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->as.array.n && !out->is_full; i++) {
            (void)buf_add_str(out, i != 0 ? "," : "");
            value_to_json(out, &v->as.array.items[i], mask_secrets);
        }
        (void)buf_add_char(out, ']');
        break;
    case VALUE_OBJECT:
        (void)buf_add_char(out, '{');
        for (size_t i = 0; i < v->as.object.n && !out->is_full; i++) {
            (void)buf_add_str(out, i != 0 ? "," : "");
            (void)json_write_string(out, v->as.object.fields[i].name);
            (void)buf_add_char(out, ':');
            value_to_json(out, &v->as.object.fields[i].value, mask_secrets);
        }
        (void)buf_add_char(out, '}');
        break;
    case VALUE_FUNCTION:
        (void)buf_add_str(out, "\"function\"");
        break;
    case VALUE_CAPSULE:
        capsule_json(out, v);
        break;
    }
}

void value_to_typed_json(struct buf *out, const struct value *v)
{
    /* A secret is a capsule to Alloy; one that may be shown is a string here, which its page can print. */
    bool is_shown_text = value_is_text(v) && !value_is_secret(v);

    (void)buf_printf(out, "{\"type\":\"%s\",\"value\":", is_shown_text ? "string" : value_type_name(v));
    if (v->type == VALUE_ARRAY) {
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->as.array.n && !out->is_full; i++) {
            (void)buf_add_str(out, i != 0 ? "," : "");
            value_to_typed_json(out, &v->as.array.items[i]);
        }
        (void)buf_add_char(out, ']');
    } else if (v->type == VALUE_OBJECT) {
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->as.object.n && !out->is_full; i++) {
            (void)buf_add_str(out, i != 0 ? ",{\"key\":" : "{\"key\":");
            (void)json_write_string(out, v->as.object.fields[i].name);
            (void)buf_add_str(out, ",\"value\":");
            value_to_typed_json(out, &v->as.object.fields[i].value);
            (void)buf_add_char(out, '}');
        }
        (void)buf_add_char(out, ']');
    } else {
        value_to_json(out, v, true);
    }
    (void)buf_add_char(out, '}');
}

void river_quote(struct buf *out, struct slice s)
{
    static const char escapes[] = "abtnvfr"; /* of bytes 7 to 13 */

    (void)buf_add_char(out, '"');
    while (s.len != 0 && !out->is_full) {
        uint32_t rune;
        size_t n = utf8_decode(s, &rune);
        unsigned char c = (unsigned char)s.ptr[0];

        if (c == '"' || c == '\\')
            (void)buf_printf(out, "\\%c", c);
        else if (c >= 7 && c <= 13)
            (void)buf_printf(out, "\\%c", escapes[c - 7]);
        else if (c < 0x20 || c == 0x7F || (n == 1 && c >= 0x80)) /* controls, and bytes that are no UTF-8 */
            (void)buf_printf(out, "\\x%02x", c);
        else
            (void)buf_add(out, slice_head(s, n));
        s = slice_from(s, n);
    }
    (void)buf_add_char(out, '"');
}

void value_to_river(struct buf *out, const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        (void)buf_add_str(out, "null");
        break;
    case VALUE_BOOL:
        (void)buf_add_str(out, v->as.boolean ? "true" : "false");
        break;
    case VALUE_NUMBER:
        value_number_print(out, v->as.number);
        break;
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        if (value_is_secret(v))
            (void)buf_add_str(out, "(secret)");
        else
            river_quote(out, v->as.text.bytes);
        break;
    case VALUE_ARRAY:
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < v->as.array.n && !out->is_full; i++) {
            (void)buf_add_str(out, i != 0 ? ", " : "");
            value_to_river(out, &v->as.array.items[i]);
        }
        (void)buf_add_char(out, ']');
        break;
    case VALUE_OBJECT:
        (void)buf_add_char(out, '{');
        for (size_t i = 0; i < v->as.object.n && !out->is_full; i++) {
            struct slice name = v->as.object.fields[i].name;

            (void)buf_add_str(out, i != 0 ? ", " : "");
            if (river_is_identifier(name))
                (void)buf_add(out, name);
            else
                river_quote(out, name);
            (void)buf_add_str(out, " = ");
            value_to_river(out, &v->as.object.fields[i].value);
        }
        (void)buf_add_char(out, '}');
        break;
    case VALUE_FUNCTION:
        (void)buf_printf(out, "%s", v->as.function->name);
        break;
    case VALUE_CAPSULE:
        capsule_text(out, v);
        break;
    }
}
