#include "agent/cli/catalog.h"
#include "agent/cli/registry.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/import.h"

/* --- blocks that are part of the language: the runtime reads them itself, the tables here are their documentation ---
 */

struct argument_args {
    bool is_optional;
    struct slice comment;
    const struct value *def;
};

static const struct river_field argument_fields[] = {
    {.name = "optional",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct argument_args, is_optional),
     .def = "false",
     .doc = "Whether the argument may be left out; its value is then the default."},
    {.name = "comment",
     .kind = RIVER_STRING,
     .offset = offsetof(struct argument_args, comment),
     .doc = "What the argument is for; read by people only."},
    {.name = "default",
     .kind = RIVER_VALUE,
     .offset = offsetof(struct argument_args, def),
     .doc = "The value when it is left out; null without one."},
    RIVER_FIELDS_END,
};
static const struct river_block argument_block = {
    .name = "argument", .fields = argument_fields, .size = sizeof(struct argument_args)};
static const struct component_export argument_exports[] = {
    {"value", "any", "What the custom component was given, as argument.NAME.value."}, {NULL, NULL, NULL}};
static const struct component_type argument_type = {
    .name = "argument",
    .doc = "An argument of the custom component declared around it; used as argument.NAME.value.",
    .args = &argument_block,
    .exports = argument_exports,
};

struct export_args {
    const struct value *value;
};

static const struct river_field export_fields[] = {
    {.name = "value",
     .kind = RIVER_VALUE,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct export_args, value),
     .doc = "What the custom component exports under the block's label."},
    RIVER_FIELDS_END,
};
static const struct river_block export_block = {
    .name = "export", .fields = export_fields, .size = sizeof(struct export_args)};
static const struct component_type export_type = {
    .name = "export",
    .doc = "An exported field of the custom component declared around it; used as NAME.LABEL.FIELD.",
    .args = &export_block,
};

struct declare_args {
    struct river_any_blocks blocks;
};

static const struct river_field declare_fields[] = {
    {.kind = RIVER_ANY_BLOCKS,
     .offset = offsetof(struct declare_args, blocks),
     .doc = "argument and export blocks, components, further declare and import blocks."},
    RIVER_FIELDS_END,
};
static const struct river_block declare_block = {
    .name = "declare", .fields = declare_fields, .size = sizeof(struct declare_args)};
static const struct component_type declare_type = {
    .name = "declare",
    .doc = "A custom component made of other components; used as NAME \"LABEL\" { ... }.",
    .args = &declare_block,
};

static const struct component_type *const language_types[] = {&argument_type, &declare_type, &export_type, NULL};

/* --- the walk --- */

/* The runtime's own blocks: those without a label set up the agent, the others make modules. */
static int kind_in(const struct component_type *const *types, const struct component_type *type)
{
    if (types == registry)
        return CATALOG_COMPONENT;
    return types == config_block_types && type->is_singleton ? CATALOG_CONFIG_BLOCK : CATALOG_MODULE_BLOCK;
}

/* The i-th of a kind; what is left of i when there are fewer. */
static const struct component_type *find_in(const struct component_type *const *types, enum catalog_kind kind,
                                            size_t *i)
{
    for (size_t k = 0; types[k] != NULL; k++) {
        if (kind_in(types, types[k]) == (int)kind && (*i)-- == 0)
            return types[k];
    }
    return NULL;
}

struct catalog_entry catalog_at(size_t i)
{
    static const struct component_type *const *const lists[] = {registry, config_block_types, language_types};
    static const enum catalog_kind kinds[] = {CATALOG_COMPONENT, CATALOG_CONFIG_BLOCK, CATALOG_MODULE_BLOCK};

    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++) {
            const struct component_type *type = find_in(lists[list], kinds[kind], &i);

            if (type != NULL)
                return (struct catalog_entry){type, kinds[kind]};
        }
    }
    return (struct catalog_entry){NULL, CATALOG_COMPONENT};
}

struct catalog_entry catalog_find(struct slice name)
{
    struct catalog_entry e = catalog_at(0);

    for (size_t i = 1; e.type != NULL && !slice_eq_str(name, e.type->name); i++)
        e = catalog_at(i);
    return e;
}

bool catalog_shows_exports(const struct component_type *type)
{
    return type->exports != NULL && type->exports[0].name != NULL && !import_is_type(type);
}

const char *catalog_kind_name(enum catalog_kind kind)
{
    switch (kind) {
    case CATALOG_COMPONENT:
        return "component";
    case CATALOG_CONFIG_BLOCK:
        return "configuration_block";
    case CATALOG_MODULE_BLOCK:
        return "module_block";
    }
    return "component";
}
