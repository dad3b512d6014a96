/* agent/cli/catalog.h - everything that has a page in the reference: components, configuration blocks, and the blocks
 * modules are made of. What docs, schema, completion and man page walk. */
#ifndef AGENT_CLI_CATALOG_H
#define AGENT_CLI_CATALOG_H
#include "agent/runtime/component.h"

enum catalog_kind { CATALOG_COMPONENT, CATALOG_CONFIG_BLOCK, CATALOG_MODULE_BLOCK };

struct catalog_entry {
    const struct component_type *type; /* of a block the runtime itself understands only name, doc and tables are set */
    enum catalog_kind kind;
};

/* In order of kind; type NULL past the last. */
struct catalog_entry catalog_at(size_t i);
struct catalog_entry catalog_find(struct slice name); /* type NULL: there is none */
/* What an import exports is the runtime's own business: no reference reaches it. */
bool catalog_shows_exports(const struct component_type *type);
const char *catalog_kind_name(enum catalog_kind kind); /* "component", "configuration_block", "module_block" */
#endif
