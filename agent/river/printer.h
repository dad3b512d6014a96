/* agent/river/printer.h - the one layout of a configuration, the same as Alloy's formatter gives: tabs, aligned `=` and
 * line comments in neighbouring lines, at most one blank line, comments kept. Formatting a formatted text changes
 * nothing. */
#ifndef AGENT_RIVER_PRINTER_H
#define AGENT_RIVER_PRINTER_H
#include "agent/base/buf.h"
#include "agent/river/ast.h"

/* Appends the file's text, ending in a newline (nothing for an empty file). Only for trees parsed without errors. FULL:
 * out's maximum was reached, NOMEM. */
MUST_USE enum code river_format(const struct ast_file *file, struct buf *out);
#endif
