#include "agent/components/otelcol/processor_attributes/attributes.h"
#include <stddef.h>

static const struct river_enum match_types[] = {{"strict", MATCH_STRICT}, {"regexp", MATCH_REGEXP}, {0}};
static const struct river_enum action_kinds[] = {
    {"insert", ACTION_INSERT}, {"update", ACTION_UPDATE},   {"upsert", ACTION_UPSERT},   {"delete", ACTION_DELETE},
    {"hash", ACTION_HASH},     {"extract", ACTION_EXTRACT}, {"convert", ACTION_CONVERT}, {0},
};
static const struct river_enum conversions[] = {
    {"", CONVERT_NONE}, {"int", CONVERT_INT}, {"double", CONVERT_DOUBLE}, {"string", CONVERT_STRING}, {0}};

#define PAIR(member) offsetof(struct match_pair_args, member)
static const struct river_field pair_fields[] = {
    {.name = "key", .kind = RIVER_STRING, .flags = RIVER_REQUIRED, .offset = PAIR(key), .doc = "The attribute's key."},
    {.name = "value",
     .kind = RIVER_VALUE,
     .offset = PAIR(value),
     .doc = "The value it must have; without it any value will do."},
    RIVER_FIELDS_END,
};
static const struct river_block attribute_block = {.name = "attribute",
                                                   .fields = pair_fields,
                                                   .size = sizeof(struct match_pair_args),
                                                   .doc = "An attribute the item must have."};
static const struct river_block resource_block = {.name = "resource",
                                                  .fields = pair_fields,
                                                  .size = sizeof(struct match_pair_args),
                                                  .doc = "An attribute the resource must have."};

#define LIB(member) offsetof(struct match_library_args, member)
static const struct river_field library_fields[] = {
    {.name = "name", .kind = RIVER_STRING, .flags = RIVER_REQUIRED, .offset = LIB(name), .doc = "The scope's name."},
    {.name = "version",
     .kind = RIVER_STRING,
     .offset = LIB(version),
     .present = RIVER_PRESENT_AT(struct match_library_args, has_version),
     .doc = "The scope's version."},
    RIVER_FIELDS_END,
};
static const struct river_block library_block = {.name = "library",
                                                 .fields = library_fields,
                                                 .size = sizeof(struct match_library_args),
                                                 .doc = "The instrumentation scope the item must come from."};

#define SEV(member) offsetof(struct match_severity_args, member)
static const struct river_field severity_fields[] = {
    {.name = "min",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = SEV(min),
     .doc = "The lowest severity that matches: TRACE, DEBUG, INFO, WARN, ERROR, FATAL, each with 2, 3 or 4 behind it."},
    {.name = "match_undefined",
     .kind = RIVER_BOOL,
     .flags = RIVER_REQUIRED,
     .offset = SEV(match_undefined),
     .doc = "Whether records without a severity match."},
    RIVER_FIELDS_END,
};
static const struct river_block severity_block = {.name = "log_severity",
                                                  .fields = severity_fields,
                                                  .size = sizeof(struct match_severity_args),
                                                  .doc = "The severity a log record must have."};

struct regexp_args {
    bool cache_enabled;
    int64_t cache_max_num_entries;
};
static const struct river_field regexp_fields[] = {
    {.name = "cache_enabled",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct regexp_args, cache_enabled),
     .def = "false",
     .doc = "Accepted for Alloy, without effect."},
    {.name = "cache_max_num_entries",
     .kind = RIVER_INT,
     .offset = offsetof(struct regexp_args, cache_max_num_entries),
     .def = "0",
     .doc = "Accepted for Alloy, without effect."},
    RIVER_FIELDS_END,
};
static const struct river_block regexp_block = {.name = "regexp",
                                                .fields = regexp_fields,
                                                .size = sizeof(struct regexp_args),
                                                .doc = "Accepted for Alloy: matching is linear and keeps no cache."};

#define M(member) offsetof(struct match_args, member)
#define LIST(field, text)                                                                                              \
    {                                                                                                                  \
        .name = #field, .kind = RIVER_STRING_LIST, .offset = M(field), .doc = text                                     \
    }
static const struct river_field match_fields[] = {
    {.name = "match_type",
     .kind = RIVER_ENUM,
     .flags = RIVER_REQUIRED,
     .offset = M(type),
     .choices = match_types,
     .doc = "How texts are compared."},
    LIST(services, "Values of the resource attribute service.name."),
    LIST(span_names, "Names of spans."),
    LIST(log_bodies, "Bodies of log records."),
    LIST(log_severity_texts, "Severity texts of log records."),
    LIST(metric_names, "Names of metrics."),
    LIST(span_kinds, "Kinds of spans: SPAN_KIND_SERVER and so on."),
    {.name = "log_severity",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = M(log_severity),
     .block = &severity_block,
     .doc = "The severity a log record must have."},
    {.name = "attribute",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = M(attributes),
     .block = &attribute_block,
     .doc = "An attribute the item must have."},
    {.name = "resource",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = M(resources),
     .block = &resource_block,
     .doc = "An attribute the resource must have."},
    {.name = "library",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = M(libraries),
     .block = &library_block,
     .doc = "The scope the item must come from."},
    {.name = "regexp",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER | RIVER_NO_EFFECT,
     .offset = M(regexp),
     .block = &regexp_block,
     .doc = "Accepted for Alloy: matching is linear and keeps no cache."},
    RIVER_FIELDS_END,
};
static const struct river_block include_block = {.name = "include",
                                                 .fields = match_fields,
                                                 .size = sizeof(struct match_args),
                                                 .doc = "Only items that match are worked on."};
static const struct river_block exclude_block = {.name = "exclude",
                                                 .fields = match_fields,
                                                 .size = sizeof(struct match_args),
                                                 .doc = "Items that match are left as they are."};

static enum code validate_action(const void *args, struct river_problems *problems)
{
    const struct action_args *a = args;
    int sources = (a->value != NULL) + (a->from_attribute.len != 0) + (a->from_context.len != 0);

    if (a->key.len == 0 && !(a->pattern.len != 0 && (a->action == ACTION_DELETE || a->action == ACTION_HASH)))
        return river_problem(problems, "action", "needs a key");
    switch ((enum action_kind)a->action) {
    case ACTION_INSERT:
    case ACTION_UPDATE:
    case ACTION_UPSERT:
        if (sources != 1)
            return river_problem(problems, "action", "needs exactly one of value, from_attribute and from_context");
        if (a->from_context.len != 0 && !slice_starts(a->from_context, SLICE_LIT("metadata.")))
            return river_problem(problems, "from_context", "only \"metadata.NAME\" (a request header) is known");
        return OK;
    case ACTION_EXTRACT:
        if (a->pattern.len == 0)
            return river_problem(problems, "action", "extract needs a pattern");
        return OK;
    case ACTION_CONVERT:
        if (a->converted_type == CONVERT_NONE)
            return river_problem(problems, "action", "convert needs a converted_type");
        return OK;
    case ACTION_DELETE:
    case ACTION_HASH:
        return OK;
    }
    return OK;
}

#define ACT(member) offsetof(struct action_args, member)
static const struct river_field action_fields[] = {
    {.name = "key", .kind = RIVER_STRING, .offset = ACT(key), .doc = "The attribute to work on."},
    {.name = "action",
     .kind = RIVER_ENUM,
     .flags = RIVER_REQUIRED,
     .offset = ACT(action),
     .choices = action_kinds,
     .doc = "What to do with it."},
    {.name = "value", .kind = RIVER_VALUE, .offset = ACT(value), .doc = "The value to set."},
    {.name = "pattern",
     .kind = RIVER_STRING,
     .offset = ACT(pattern),
     .doc = "extract: named groups become attributes; delete and hash: keys that match."},
    {.name = "from_attribute",
     .kind = RIVER_STRING,
     .offset = ACT(from_attribute),
     .doc = "The attribute whose value is set."},
    {.name = "from_context",
     .kind = RIVER_STRING,
     .offset = ACT(from_context),
     .doc = "\"metadata.NAME\": the request header whose value is set (include_metadata at the receiver)."},
    {.name = "converted_type",
     .kind = RIVER_ENUM,
     .offset = ACT(converted_type),
     .choices = conversions,
     .def = "\"\"",
     .doc = "convert: the type to convert to."},
    RIVER_FIELDS_END,
};
static const struct river_block action_block = {.name = "action",
                                                .fields = action_fields,
                                                .size = sizeof(struct action_args),
                                                .validate = validate_action,
                                                .doc = "One change; they are made in order."};

#define ARG(member) offsetof(struct attributes_args, member)
static const struct river_field fields[] = {
    {.name = "include",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = ARG(include),
     .block = &include_block,
     .doc = "Only items that match are worked on."},
    {.name = "exclude",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = ARG(exclude),
     .block = &exclude_block,
     .doc = "Items that match are left as they are."},
    {.name = "action",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = ARG(actions),
     .block = &action_block,
     .doc = "One change; they are made in order."},
    OTEL_OUTPUT_FIELD(ARG(output)),
    OTEL_DEBUG_METRICS_FIELD(ARG(debug_metrics)),
    RIVER_FIELDS_END,
};
const struct river_block attributes_args_block = {.name = "otelcol.processor.attributes",
                                                  .fields = fields,
                                                  .size = sizeof(struct attributes_args),
                                                  .doc = "Changes attributes of spans, log records and data points."};
