/* agent/river/printer_int.h - one print of a tree; printer.h's river_format decides which is the result. */
#ifndef AGENT_RIVER_PRINTER_INT_H
#define AGENT_RIVER_PRINTER_INT_H
#include "agent/base/buf.h"
#include "agent/river/ast.h"

struct print_style {
    /* Neighbouring "=" that stand in different columns stay so after a value that may have been written over several
     * lines and fits on one ({ and }, a sum). */
    bool keeps_columns;
    /* Comments next to parentheses, dots, commas and inside a block's name stay where they can be read again. Without
     * it they go where Alloy puts them, which for a line comment may be in front of code. */
    bool is_safe;
};

/* FULL, NOMEM. */
MUST_USE enum code river_print(const struct ast_file *file, struct print_style style, struct buf *out);
#endif
