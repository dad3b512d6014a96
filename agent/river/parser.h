/* agent/river/parser.h - text to tree. */
#ifndef AGENT_RIVER_PARSER_H
#define AGENT_RIVER_PARSER_H
#include "agent/river/ast.h"
#include "agent/river/diag.h"

/* Parses a whole file. Reports every error it can (it resumes at the next statement) and returns INVALID when there was
 * one, NOMEM when the arena is full, FULL when the text is larger than LIMIT_CONFIG_FILE_BYTES or has too many nodes
 * (each with a diagnostic too). *out is set whenever a tree, perhaps with holes, could be made; else NULL. Text and
 * name are copied into arena. */
MUST_USE enum code river_parse(struct slice text, const char *filename, struct arena *arena, struct diags *diags,
                               struct ast_file **out);
/* One expression and nothing else: a default in an argument table, a value on the command line. */
MUST_USE enum code river_parse_expr(struct slice text, const char *filename, struct arena *arena, struct diags *diags,
                                    const struct source **source, struct expr **out);
/* A label, an attribute's name, a part of a block's name. */
bool river_is_identifier(struct slice s);
#endif
