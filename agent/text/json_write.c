#include "agent/text/json.h"
#include "agent/text/number.h"
#include "agent/text/utf8.h"

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void write_escape(struct buf *out, unsigned char c)
{
    static const char codes[] = "\b\t\n\f\r\"\\", names[] = "btnfr\"\\";
    const char *found = c != 0 ? strchr(codes, c) : NULL;

    if (found != NULL) {
        (void)buf_add_char(out, '\\');
        (void)buf_add_char(out, names[found - codes]);
    } else {
        (void)buf_printf(out, "\\u%04x", c);
    }
}

enum code json_write_string(struct buf *out, struct slice s)
{
    (void)buf_add_char(out, '"');
    while (s.len != 0 && !out->is_full) {
        size_t n = 0;
        uint32_t rune;

        while (n < s.len && is_plain((unsigned char)s.ptr[n]))
            n++;
        (void)buf_add(out, slice_head(s, n));
        s = slice_from(s, n);
        if (s.len == 0)
            break;
        n = utf8_decode(s, &rune);
        if (rune < 0x80)
            write_escape(out, (unsigned char)rune);
        else if (rune == UTF8_REPLACEMENT && n == 1)
            (void)buf_add(out, SLICE_LIT("\xEF\xBF\xBD"));
        else
            (void)buf_add(out, slice_head(s, n));
        s = slice_from(s, n);
    }
    (void)buf_add_char(out, '"');
    return out->is_full ? FULL : OK;
}

enum code json_write_f64(struct buf *out, double v)
{
    char text[NUMBER_TEXT_BYTES];

    return buf_add(out, slice_make(text, number_format(v, NUMBER_JSON, text)));
}

/* Depth is bounded by whoever made the tree (json_parse; jmespath's own limit). */
static void write_value(struct buf *out, const struct json *j)
{
    switch (j->type) {
    case JSON_NULL:
        (void)buf_add_str(out, "null");
        return;
    case JSON_BOOL:
        (void)buf_add_str(out, j->boolean ? "true" : "false");
        return;
    case JSON_NUMBER:
        (void)buf_add(out, j->text);
        return;
    case JSON_STRING:
        (void)json_write_string(out, j->text);
        return;
    case JSON_ARRAY:
        (void)buf_add_char(out, '[');
        for (size_t i = 0; i < j->array.n && !out->is_full; i++) {
            if (i != 0)
                (void)buf_add_char(out, ',');
            write_value(out, &j->array.items[i]);
        }
        (void)buf_add_char(out, ']');
        return;
    case JSON_OBJECT:
        (void)buf_add_char(out, '{');
        for (size_t i = 0; i < j->object.n && !out->is_full; i++) {
            if (i != 0)
                (void)buf_add_char(out, ',');
            (void)json_write_string(out, j->object.members[i].key);
            (void)buf_add_char(out, ':');
            write_value(out, &j->object.members[i].value);
        }
        (void)buf_add_char(out, '}');
        return;
    }
}

enum code json_write(struct buf *out, const struct json *j)
{
    write_value(out, j);
    return out->is_full ? FULL : OK;
}
