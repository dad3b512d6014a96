/* agent/cli/docs.h - a component's reference from its tables. */
#ifndef AGENT_CLI_DOCS_H
#define AGENT_CLI_DOCS_H
#include "agent/runtime/component.h"

/* "string", "list(duration)", "loki.LogsReceiver", … */
void docs_write_type(struct buf *out, const struct river_field *f);
bool docs_is_block(const struct river_field *f); /* written name { } */
/* The end of a table of fields: one without a name, of a kind that needs one. */
bool docs_is_end(const struct river_field *f);
/* Everything of the catalogue and all functions: docs/cli.md has the shape. Check out->is_full. */
void docs_write_json(struct buf *out);
void docs_write_text(struct buf *out, const struct component_type *type);
/* One block of it: "endpoint.basic_auth". False: it has none of that path. */
bool docs_write_block(struct buf *out, const struct component_type *type, struct slice path);
void docs_write_markdown(struct buf *out, const struct component_type *type);

/* -- pages about many things (docs_index.c): as text or as a page ------------------------------------------------- */
void docs_write_index(struct buf *out, bool is_markdown);
void docs_write_language(struct buf *out, bool is_markdown); /* docs_language.c */
void docs_write_functions(struct buf *out, bool is_markdown);
/* One function or constant, or all of a namespace, by its name or an old one. False: there is none. */
bool docs_write_function(struct buf *out, struct slice name);
/* Every block name of Alloy: what hyagent has, and what to do without the rest. */
void docs_write_alloy(struct buf *out, bool is_markdown);
/* One of those hyagent lacks. False: Alloy has none of that name either, or hyagent has it. */
bool docs_write_lacking(struct buf *out, struct slice name);
#endif
