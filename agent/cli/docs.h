/* agent/cli/docs.h - a component's reference from its tables. */
#ifndef AGENT_CLI_DOCS_H
#define AGENT_CLI_DOCS_H
#include "agent/runtime/component.h"

void docs_write_text(struct buf *out, const struct component_type *type);
void docs_write_markdown(struct buf *out, const struct component_type *type);
#endif
