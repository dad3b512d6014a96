/* agent/cli/columns.h - lines of two columns, the second one aligned; colours when they are wanted. */
#ifndef AGENT_CLI_COLUMNS_H
#define AGENT_CLI_COLUMNS_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include <stdbool.h>

enum paint { PAINT_NONE, PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_GREEN, PAINT_YELLOW, PAINT_BLUE };

/* text in a colour, or as it is. */
void paint(struct buf *out, bool is_coloured, enum paint colour, struct slice text);
/* Text from outside in one line: control characters as \n, \t, \xNN, at most max runes (0: all), then "…". */
void write_visible(struct buf *out, struct slice text, size_t max_runes);

struct column_row {
    struct slice left, right;
    enum paint left_paint, right_paint;
};

struct columns {
    struct arena arena;
    struct column_row *rows; /* owned */
    size_t n, cap;
};

void columns_init(struct columns *c);
void columns_release(struct columns *c);
/* Copies; right may be empty. */
void columns_add(struct columns *c, enum paint left_paint, struct slice left, enum paint right_paint,
                 struct slice right);
/* The second column stands behind the widest first one, but not behind max_left. */
void columns_print(const struct columns *c, struct buf *out, bool is_coloured, size_t max_left);
#endif
