/* Every component of hyagent, sorted by name: loki.source.file is component_loki_source_file in
 * agent/components/loki/source_file.c, sinks are in exporters/. A new component adds two lines here. */
#include "agent/cli/registry.h"

const struct component_type *const registry[] = {
    NULL,
};
