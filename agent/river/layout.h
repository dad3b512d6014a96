/* agent/river/layout.h - text in columns: cells that end in a tab are as wide as their neighbours above and below.
 * The indentation of a line is cells too, empty ones, as in Go's text/tabwriter: what Alloy's formatter aligns with. */
#ifndef AGENT_RIVER_LAYOUT_H
#define AGENT_RIVER_LAYOUT_H
#include "agent/base/buf.h"

struct layout_cell {
    size_t start, end; /* of text */
    uint32_t width;    /* in characters */
    uint32_t run;      /* the column it belongs to */
};

struct layout_line {
    size_t first;  /* cell; it ends where the next line's begins */
    bool goes_on;  /* after a raw string that ended on this line: no newline before it */
    bool is_break; /* no column goes past the end of this line */
};

struct layout {
    struct buf text;
    struct layout_cell *cells; /* owned; the last one is open */
    size_t n_cells, cap_cells;
    struct layout_line *lines; /* owned; the last one is open */
    size_t n_lines, cap_lines;
    enum code rc; /* first failure; later calls do nothing */
};

void layout_init(struct layout *l, size_t max);
void layout_release(struct layout *l);
/* Appends to the open cell. indent counts when it is the first text of its line. */
void layout_text(struct layout *l, struct slice s, uint32_t indent);
/* The same for a text whose lines after the first are kept as they are; no column goes past them. */
void layout_raw(struct layout *l, struct slice s, uint32_t indent);
void layout_tab(struct layout *l); /* ends the cell */
void layout_newline(struct layout *l, bool is_break);
/* Nothing on the open line yet? */
bool layout_at_line_start(const struct layout *l);
/* Appends all lines with their padding and ends in one newline. */
MUST_USE enum code layout_print(struct layout *l, struct buf *out);
#endif
