/* foreach: its template is expanded with the configuration, once per item of the collection; nothing runs here. */
#include "agent/base/mem.h"
#include "agent/river/parser.h"
#include "agent/runtime/foreach.h"
#include "agent/runtime/idle.h"
#include "agent/runtime/import.h"

static const struct river_field fields[] = {
    {.name = "collection",
     .kind = RIVER_VALUE,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct foreach_args, collection),
     .doc = "a list; the template is there once per item"},
    {.name = "var",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct foreach_args, var),
     .doc = "the name of the item inside the template"},
    {.name = "id",
     .kind = RIVER_STRING,
     .offset = offsetof(struct foreach_args, id),
     .doc = "field of the items that tells them apart; without it the whole item does"},
    {.name = "hash_string_id",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct foreach_args, hash_string_id),
     .doc = "whether items that are strings are named by a hash of them"},
    {.name = "enable_metrics",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct foreach_args, enable_metrics),
     .doc = "whether the components inside have their metrics on /metrics"},
    {.name = "template",
     .kind = RIVER_BODY,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct foreach_args, template),
     .doc = "the components that are there for each item"},
    RIVER_FIELDS_END,
};

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct foreach_args *a = args;

    if (!river_is_identifier(a->var))
        return river_problem(problems, "var", "\"%.*s\" is no name: letters, digits and _, no digit first",
                             SLICE_ARG(a->var));
    if (a->collection != NULL && a->collection->type != VALUE_ARRAY)
        return river_problem(problems, "collection", "a list is needed, this is a %s", value_type_name(a->collection));
    return OK;
}

static const struct river_block block = {
    .name = "foreach",
    .fields = fields,
    .size = sizeof(struct foreach_args),
    .doc = "Components that are there once per item of a list.",
    .validate = validate,
};

const struct component_type component_foreach = {
    .name = "foreach",
    .stability = STABILITY_EXPERIMENTAL,
    .doc = "Components that are there once per item of a list.",
    .args = &block,
    .create = idle_create,
    .update = idle_update,
    .close = idle_close,
};
