/* agent/runtime/import.h - the component types behind import blocks and foreach. The expansion of the configuration
 * (config_expand.c) reads what they bring:
 *
 * import.string   argument "content"
 * import.file     argument "filename", a file or a folder: read at every expansion. The component only watches, and
 *                 calls host_want_expansion when something changed.
 * import.http     export "content" (string or secret)
 * import.git      exports "path" (the file or folder in the checkout), "folder" (the checkout: module_path) and
 * "revision": a change of any expands again
 *
 * These exports are not reachable by references. Before import.http or import.git exported a text that is not empty,
 * what they import is pending. */
#ifndef AGENT_RUNTIME_IMPORT_H
#define AGENT_RUNTIME_IMPORT_H
#include "agent/runtime/component.h"

extern const struct component_type component_import_file, component_import_git, component_import_http;
extern const struct component_type component_import_string;
extern const struct component_type component_foreach;

/* Is it one of the four? */
bool import_is_type(const struct component_type *type);
#endif
