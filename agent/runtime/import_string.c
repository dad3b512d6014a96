/* import.string: its content is read when the configuration is expanded; nothing runs. */
#include "agent/runtime/idle.h"
#include "agent/runtime/import.h"

struct args {
    struct river_secret content;
};

static const struct river_field fields[] = {
    {.name = "content",
     .kind = RIVER_OPTIONAL_SECRET,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, content),
     .doc = "the module as text; often the content local.file or remote.http exports"},
    RIVER_FIELDS_END,
};

static const struct river_block block = {
    .name = "import.string",
    .fields = fields,
    .size = sizeof(struct args),
    .doc = "A module from a text; its custom components are used as LABEL.NAME.",
};

const struct component_type component_import_string = {
    .name = "import.string",
    .stability = STABILITY_GA,
    .doc = "Imports a module from a text.",
    .args = &block,
    .create = idle_create,
    .update = idle_update,
    .close = idle_close,
};

bool import_is_type(const struct component_type *type)
{
    return type == &component_import_file || type == &component_import_git || type == &component_import_http ||
           type == &component_import_string;
}
