/* agent/cli/registry.h - the list of all components. */
#ifndef AGENT_CLI_REGISTRY_H
#define AGENT_CLI_REGISTRY_H
#include "agent/runtime/component.h"

extern const struct component_type *const registry[]; /* sorted by name; ends with NULL */
#endif
