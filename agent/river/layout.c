#include "agent/river/layout.h"
#include "agent/base/mem.h"
#include "agent/text/utf8.h"

enum { TAB_WIDTH = 8 }; /* an empty cell at the start of a line is filled with tabs to a multiple of this */

static void open_cell(struct layout *l)
{
    if (l->n_cells == l->cap_cells) {
        size_t cap = l->cap_cells != 0 ? l->cap_cells * 2 : 64;
        struct layout_cell *grown = mem_try_realloc(l->cells, cap * sizeof *grown);

        if (grown == NULL) {
            l->rc = NOMEM;
            return;
        }
        l->cells = grown;
        l->cap_cells = cap;
    }
    l->cells[l->n_cells++] = (struct layout_cell){.start = l->text.len, .end = l->text.len};
}

static void open_line(struct layout *l)
{
    if (l->n_lines == l->cap_lines) {
        size_t cap = l->cap_lines != 0 ? l->cap_lines * 2 : 64;
        struct layout_line *grown = mem_try_realloc(l->lines, cap * sizeof *grown);

        if (grown == NULL) {
            l->rc = NOMEM;
            return;
        }
        l->lines = grown;
        l->cap_lines = cap;
    }
    l->lines[l->n_lines++] = (struct layout_line){.first = l->n_cells};
    open_cell(l);
}

void layout_init(struct layout *l, size_t max)
{
    *l = (struct layout){0};
    buf_init(&l->text, max);
    open_line(l);
}

void layout_release(struct layout *l)
{
    buf_release(&l->text);
    mem_free(l->cells);
    mem_free(l->lines);
    *l = (struct layout){0};
}

bool layout_at_line_start(const struct layout *l)
{
    const struct layout_line *line = &l->lines[l->n_lines - 1];

    return l->rc == OK && !line->goes_on && line->first + 1 == l->n_cells && l->cells[line->first].start == l->text.len;
}

void layout_text(struct layout *l, struct slice s, uint32_t indent)
{
    struct layout_cell *cell;

    if (l->rc == OK && layout_at_line_start(l)) {
        for (uint32_t i = 0; i < indent && l->rc == OK; i++)
            open_cell(l);
    }
    if (l->rc != OK)
        return;
    l->rc = buf_add(&l->text, s);
    cell = &l->cells[l->n_cells - 1];
    cell->end = l->text.len;
    cell->width += (uint32_t)utf8_runes(s);
}

void layout_raw(struct layout *l, struct slice s, uint32_t indent)
{
    layout_text(l, s, indent);
    if (l->rc != OK || slice_find(s, '\n') == s.len)
        return;
    l->lines[l->n_lines - 1].is_break = true;
    open_line(l);
    if (l->rc == OK)
        l->lines[l->n_lines - 1].goes_on = true;
}

void layout_tab(struct layout *l)
{
    if (l->rc == OK)
        open_cell(l);
}

void layout_newline(struct layout *l, bool is_break)
{
    if (l->rc != OK)
        return;
    l->lines[l->n_lines - 1].is_break = is_break;
    open_line(l);
}

/* Cells of line i that end in a tab: all but the last. */
static size_t tabbed(const struct layout *l, size_t i)
{
    size_t end = i + 1 < l->n_lines ? l->lines[i + 1].first : l->n_cells;

    return end - l->lines[i].first - 1;
}

/* Gives every tabbed cell its column: the one of the cell above where there is one. widths[run] is the widest. */
static void assign_runs(struct layout *l, uint32_t *widths)
{
    size_t n_runs = 0;

    for (size_t i = 0; i < l->n_lines; i++) {
        const struct layout_line *above = i > 0 ? &l->lines[i - 1] : NULL;
        size_t n_above = above != NULL && !above->is_break ? tabbed(l, i - 1) : 0;

        for (size_t c = 0; c < tabbed(l, i); c++) {
            struct layout_cell *cell = &l->cells[l->lines[i].first + c];

            cell->run = c < n_above ? l->cells[above->first + c].run : (uint32_t)n_runs++;
            if (cell->width > widths[cell->run])
                widths[cell->run] = cell->width;
        }
    }
}

static void repeat(struct buf *out, char c, size_t n)
{
    for (size_t i = 0; i < n && !out->is_full; i++)
        (void)buf_add_char(out, c);
}

static void print_line(const struct layout *l, size_t i, const uint32_t *widths, struct buf *out)
{
    size_t n = tabbed(l, i), n_text;
    const struct layout_cell *cells = &l->cells[l->lines[i].first];
    bool has_text = l->lines[i].goes_on;

    for (n_text = n + 1; n_text > 0 && cells[n_text - 1].end == cells[n_text - 1].start; n_text--)
        ; /* nothing after the last text: no blanks at the end of a line */
    for (size_t c = 0; c < n_text; c++) {
        size_t wide = c < n ? (size_t)widths[cells[c].run] + 1 : 0;

        has_text |= cells[c].end != cells[c].start;
        (void)buf_add(out, slice_make(l->text.ptr + cells[c].start, cells[c].end - cells[c].start));
        if (c + 1 == n_text)
            return;
        if (has_text)
            repeat(out, ' ', wide - cells[c].width);
        else
            repeat(out, '\t', (wide + TAB_WIDTH - 1) / TAB_WIDTH);
    }
}

enum code layout_print(struct layout *l, struct buf *out)
{
    uint32_t *widths;

    if (l->rc != OK)
        return l->rc;
    widths = mem_try_alloc(l->n_cells * sizeof *widths);
    if (widths == NULL)
        return NOMEM;
    memset(widths, 0, l->n_cells * sizeof *widths);
    assign_runs(l, widths);
    for (size_t i = 0; i < l->n_lines && !out->is_full; i++) {
        if (i > 0 && !l->lines[i].goes_on)
            (void)buf_add_char(out, '\n');
        print_line(l, i, widths, out);
    }
    if (l->n_lines == 1 || !layout_at_line_start(l))
        (void)buf_add_char(out, '\n');
    mem_free(widths);
    return out->is_full ? FULL : OK;
}
