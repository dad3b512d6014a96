#include "agent/river/layout.h"
#include "agent/base/mem.h"
#include "agent/text/utf8.h"

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
    const struct layout_cell *cell = &l->cells[l->n_cells - 1];

    return l->rc == OK && l->lines[l->n_lines - 1].first + 1 == l->n_cells && cell->start == l->text.len;
}

void layout_text(struct layout *l, struct slice s, uint32_t indent)
{
    struct layout_cell *cell;

    if (l->rc != OK)
        return;
    if (layout_at_line_start(l))
        l->lines[l->n_lines - 1].indent = indent;
    l->rc = buf_add(&l->text, s);
    cell = &l->cells[l->n_cells - 1];
    cell->end = l->text.len;
    cell->width += (uint32_t)utf8_runes(s);
    cell->is_broken |= slice_find(s, '\n') != s.len;
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
static size_t assign_runs(struct layout *l, uint32_t *widths)
{
    size_t n_runs = 0;

    for (size_t i = 0; i < l->n_lines; i++) {
        const struct layout_line *above = i > 0 ? &l->lines[i - 1] : NULL;
        bool goes_on = above != NULL && !above->is_break && above->indent == l->lines[i].indent;
        size_t n_above = goes_on ? tabbed(l, i - 1) : 0;

        for (size_t c = 0; c < tabbed(l, i); c++) {
            struct layout_cell *cell = &l->cells[l->lines[i].first + c];

            cell->run = c < n_above ? l->cells[above->first + c].run : (uint32_t)n_runs++;
            if (!cell->is_broken && cell->width > widths[cell->run])
                widths[cell->run] = cell->width;
        }
    }
    return n_runs;
}

static void print_line(const struct layout *l, size_t i, const uint32_t *widths, struct buf *out)
{
    size_t n = tabbed(l, i);
    const struct layout_cell *cells = &l->cells[l->lines[i].first];

    if (cells[n].end == l->cells[l->lines[i].first].start)
        return; /* an empty line has no indentation either */
    for (uint32_t t = 0; t < l->lines[i].indent; t++)
        (void)buf_add_char(out, '\t');
    for (size_t c = 0; c <= n; c++) {
        (void)buf_add(out, slice_make(l->text.ptr + cells[c].start, cells[c].end - cells[c].start));
        for (uint32_t w = cells[c].is_broken ? 0 : cells[c].width; c < n; w++) {
            (void)buf_add_char(out, ' ');
            if (cells[c].is_broken || w >= widths[cells[c].run])
                break;
        }
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
    (void)assign_runs(l, widths);
    for (size_t i = 0; i < l->n_lines && !out->is_full; i++) {
        bool is_last = i + 1 == l->n_lines;

        print_line(l, i, widths, out);
        if (!is_last || !layout_at_line_start(l))
            (void)buf_add_char(out, '\n');
    }
    mem_free(widths);
    return out->is_full ? FULL : OK;
}
