/* agent/runtime/config_blocks.h - blocks that set up the agent itself: logging, livedebugging. They are components
 * without a label that the runtime brings along. */
#ifndef AGENT_RUNTIME_CONFIG_BLOCKS_H
#define AGENT_RUNTIME_CONFIG_BLOCKS_H
#include "agent/runtime/component.h"

extern const struct component_type component_logging, component_livedebugging;
extern const struct component_type *const config_block_types[]; /* ends with NULL */
#endif
