#include "agent/cli/columns.h"
#include "agent/base/mem.h"
#include "agent/text/utf8.h"

static const char *const codes[] = {
    [PAINT_NONE] = "",    [PAINT_BOLD] = "1",    [PAINT_DIM] = "2",   [PAINT_RED] = "31",
    [PAINT_GREEN] = "32", [PAINT_YELLOW] = "33", [PAINT_BLUE] = "34",
};

void paint(struct buf *out, bool is_coloured, enum paint colour, struct slice text)
{
    if (!is_coloured || colour == PAINT_NONE || text.len == 0) {
        buf_add(out, text);
        return;
    }
    buf_printf(out, "\033[%sm", codes[colour]);
    buf_add(out, text);
    buf_add_str(out, "\033[0m");
}

void write_visible(struct buf *out, struct slice text, size_t max_runes)
{
    static const char letters[] = "tn";

    for (size_t n = 0; text.len != 0; n++) {
        uint32_t rune;
        size_t len = utf8_decode(text, &rune);
        unsigned char c = (unsigned char)text.ptr[0];

        if (max_runes != 0 && n == max_runes) {
            buf_add_str(out, "…");
            return;
        }
        if (c == '\t' || c == '\n')
            buf_printf(out, "\\%c", letters[c - '\t']);
        else if (c < 0x20 || c == 0x7F || (rune >= 0x80 && rune < 0xA0) || (len == 1 && c >= 0x80))
            buf_printf(out, "\\x%02x", c);
        else
            buf_add(out, slice_head(text, len));
        text = slice_from(text, len);
    }
}

void columns_init(struct columns *c)
{
    *c = (struct columns){0};
    arena_init(&c->arena, 0);
}

void columns_release(struct columns *c)
{
    mem_free(c->rows);
    arena_release(&c->arena);
}

void columns_add(struct columns *c, enum paint left_paint, struct slice left, enum paint right_paint,
                 struct slice right)
{
    if (c->n == c->cap) {
        c->cap = c->cap == 0 ? 64 : 2 * c->cap;
        c->rows = mem_realloc(c->rows, c->cap * sizeof *c->rows);
    }
    c->rows[c->n++] =
        (struct column_row){arena_copy(&c->arena, left), arena_copy(&c->arena, right), left_paint, right_paint};
}

void columns_print(const struct columns *c, struct buf *out, bool is_coloured, size_t max_left)
{
    size_t width = 0;

    for (size_t i = 0; i < c->n; i++) {
        size_t runes = utf8_runes(c->rows[i].left);

        if (c->rows[i].right.len != 0 && runes > width)
            width = runes;
    }
    if (width > max_left)
        width = max_left;
    for (size_t i = 0; i < c->n; i++) {
        const struct column_row *row = &c->rows[i];

        paint(out, is_coloured, row->left_paint, row->left);
        for (size_t at = utf8_runes(row->left); row->right.len != 0 && at < width; at++)
            buf_add_char(out, ' ');
        if (row->right.len != 0) {
            buf_add_str(out, "  ");
            paint(out, is_coloured, row->right_paint, row->right);
        }
        buf_add_char(out, '\n');
    }
}
