#include "agent/components/loki/process/process.h"
#include "agent/text/gotemplate.h"
#include "agent/text/jmespath.h"
#include "agent/text/timefmt.h"
#include "agent/text/tz.h"
#include <stddef.h>

static enum code check_regex(struct slice pattern, const char *field, struct river_problems *problems)
{
    struct error err = {0};
    struct regex *r = NULL;
    enum code rc = regex_compile(&r, pattern, REGEX_PLAIN, &err);

    regex_free(r);
    return rc == OK ? OK : river_problem(problems, field, "%s", err.text);
}

/* --- docker, cri, decolorize
 * ------------------------------------------------------------------------------------------ */

struct no_args {
    char unused;
};
static const struct river_field no_fields[] = {RIVER_FIELDS_END};
static const struct river_block docker_block = {
    .name = "docker",
    .fields = no_fields,
    .size = sizeof(struct no_args),
    .doc = "Reads Docker's json-file form: line, stream, time; joins the parts of a line."};
static const struct river_block decolorize_block = {.name = "decolorize",
                                                    .fields = no_fields,
                                                    .size = sizeof(struct no_args),
                                                    .doc = "Takes ANSI colours out of the line."};

static const struct river_field cri_fields[] = {
    {.name = "max_partial_lines",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN | RIVER_HAS_MAX,
     .min = 1,
     .max = 100000,
     .offset = offsetof(struct cri_args, max_partial_lines),
     .def = "100",
     .doc = "Streams whose parts are held at once; parts of further ones pass unjoined."},
    {.name = "max_partial_line_size",
     .kind = RIVER_BYTES,
     .flags = RIVER_HAS_MAX,
     .max = 1048576,
     .offset = offsetof(struct cri_args, max_partial_line_size),
     .def = "0",
     .doc = "The longest joined line; 0: 1MiB."},
    {.name = "max_partial_line_size_truncate",
     .kind = RIVER_BOOL,
     .flags = RIVER_REFUSED,
     .offset = offsetof(struct cri_args, max_partial_lines),
     .doc = "Cutting is not built: a line over the limit goes on in pieces."},
    RIVER_FIELDS_END,
};
static const struct river_block cri_block = {
    .name = "cri",
    .fields = cri_fields,
    .size = sizeof(struct cri_args),
    .doc = "Reads the kubelet's form: time, stream, line; joins the parts of a line."};

/* --- json, logfmt, regex
 * ------------------------------------------------------------------------------------------------ */

static enum code validate_json(const void *args, struct river_problems *problems)
{
    const struct json_args *a = args;

    for (size_t i = 0; i < a->expressions.n; i++) {
        struct slice e =
            a->expressions.items[i].value.len != 0 ? a->expressions.items[i].value : a->expressions.items[i].name;
        struct jmespath *j = NULL;
        struct error err = {0};
        enum code rc = jmespath_compile(&j, e, &err);

        jmespath_free(j);
        if (rc != OK)
            return river_problem(problems, "expressions", "expression of \"%.*s\": %s",
                                 SLICE_ARG(a->expressions.items[i].name), err.text);
    }
    return OK;
}
#define J(member) offsetof(struct json_args, member)
static const struct river_field json_fields[] = {
    {.name = "expressions",
     .kind = RIVER_STRING_MAP,
     .flags = RIVER_REQUIRED,
     .offset = J(expressions),
     .doc = "Name and JMESPath of what to extract; an empty path is the name."},
    {.name = "source", .kind = RIVER_STRING, .offset = J(source), .doc = "What to read; default: the line."},
    {.name = "drop_malformed",
     .kind = RIVER_BOOL,
     .offset = J(drop_malformed),
     .def = "false",
     .doc = "Drops what is not JSON."},
    RIVER_FIELDS_END,
};
static const struct river_block json_block = {.name = "json",
                                              .fields = json_fields,
                                              .size = sizeof(struct json_args),
                                              .validate = validate_json,
                                              .doc = "Extracts values of a JSON text."};

#define LF(member) offsetof(struct logfmt_args, member)
static const struct river_field logfmt_fields[] = {
    {.name = "mapping",
     .kind = RIVER_STRING_MAP,
     .flags = RIVER_REQUIRED,
     .offset = LF(mapping),
     .doc = "Name and key of what to extract; an empty key is the name."},
    {.name = "source", .kind = RIVER_STRING, .offset = LF(source), .doc = "What to read; default: the line."},
    RIVER_FIELDS_END,
};
static const struct river_block logfmt_block = {.name = "logfmt",
                                                .fields = logfmt_fields,
                                                .size = sizeof(struct logfmt_args),
                                                .doc = "Extracts values of a logfmt text."};

static enum code validate_regex(const void *args, struct river_problems *problems)
{
    return check_regex(((const struct regex_args *)args)->expression, "expression", problems);
}
#define RX(member) offsetof(struct regex_args, member)
static const struct river_field regex_fields[] = {
    {.name = "expression",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = RX(expression),
     .doc = "RE2 expression; named groups are extracted."},
    {.name = "source", .kind = RIVER_STRING, .offset = RX(source), .doc = "What to read; default: the line."},
    {.name = "labels_from_groups",
     .kind = RIVER_BOOL,
     .offset = RX(labels_from_groups),
     .def = "false",
     .doc = "Named groups become labels, too."},
    RIVER_FIELDS_END,
};
static const struct river_block regex_block = {.name = "regex",
                                               .fields = regex_fields,
                                               .size = sizeof(struct regex_args),
                                               .validate = validate_regex,
                                               .doc = "Extracts the named groups of an expression."};

/* --- replace, template, output, timestamp
 * ----------------------------------------------------------------------------- */

static enum code validate_replace(const void *args, struct river_problems *problems)
{
    const struct replace_args *a = args;
    struct gotemplate *t = NULL;
    struct error err = {0};
    enum code rc = check_regex(a->expression, "expression", problems);

    if (rc != OK)
        return rc;
    rc = gotemplate_compile(&t, a->replace, &err);
    gotemplate_free(t);
    return rc == OK ? OK : river_problem(problems, "replace", "%s", err.text);
}
#define RP(member) offsetof(struct replace_args, member)
static const struct river_field replace_fields[] = {
    {.name = "expression",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = RP(expression),
     .doc = "RE2 expression; each of its groups is replaced."},
    {.name = "source", .kind = RIVER_STRING, .offset = RP(source), .doc = "What to change; default: the line."},
    {.name = "replace",
     .kind = RIVER_STRING,
     .offset = RP(replace),
     .doc = "The new text, a template in which .Value is the old one."},
    RIVER_FIELDS_END,
};
static const struct river_block replace_block = {.name = "replace",
                                                 .fields = replace_fields,
                                                 .size = sizeof(struct replace_args),
                                                 .validate = validate_replace,
                                                 .doc = "Replaces the groups of an expression."};

static enum code validate_template(const void *args, struct river_problems *problems)
{
    struct gotemplate *t = NULL;
    struct error err = {0};
    enum code rc = gotemplate_compile(&t, ((const struct template_args *)args)->template_text, &err);

    gotemplate_free(t);
    return rc == OK ? OK : river_problem(problems, "template", "%s", err.text);
}
#define TP(member) offsetof(struct template_args, member)
static const struct river_field template_fields[] = {
    {.name = "source",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = TP(source),
     .doc = "The extracted text to set."},
    {.name = "template",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = TP(template_text),
     .doc = "Go template over the extracted texts; .Value is the source's, .Entry the line."},
    RIVER_FIELDS_END,
};
static const struct river_block template_block = {.name = "template",
                                                  .fields = template_fields,
                                                  .size = sizeof(struct template_args),
                                                  .validate = validate_template,
                                                  .doc = "Sets an extracted text by a template."};

static const struct river_field output_fields[] = {
    {.name = "source",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct output_args, source),
     .doc = "The extracted text that becomes the line."},
    RIVER_FIELDS_END,
};
static const struct river_block output_block = {.name = "output",
                                                .fields = output_fields,
                                                .size = sizeof(struct output_args),
                                                .doc = "Makes an extracted text the line."};

static enum code validate_timestamp(const void *args, struct river_problems *problems)
{
    const struct timestamp_args *a = args;
    const struct tz *zone;
    struct timefmt *f = NULL;
    struct error err = {0};
    bool has_fields;

    if (a->location.len != 0 && tz_load(&zone, a->location, &err) != OK)
        return river_problem(problems, "location", "%s", err.text);
    if (timefmt_compile(&f, a->format, &err) != OK)
        return river_problem(problems, "format", "%s", err.text);
    has_fields = timefmt_has_fields(f);
    timefmt_free(f);
    if (!has_fields)
        return river_problem(problems, "format",
                             "has no part of a time: layouts are written with Go's reference time, "
                             "2006-01-02T15:04:05Z07:00, or are a name such as RFC3339 or UnixMs");
    return OK;
}
static const struct river_enum failures[] = {{"fudge", TIMESTAMP_FUDGE}, {"skip", TIMESTAMP_SKIP}, {0}};
#define TS(member) offsetof(struct timestamp_args, member)
static const struct river_field timestamp_fields[] = {
    {.name = "source",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = TS(source),
     .doc = "The extracted text that holds the time."},
    {.name = "format",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = TS(format),
     .doc = "Go layout, or RFC3339, RFC3339Nano, Unix, UnixMs, UnixUs, UnixNs and the like."},
    {.name = "fallback_formats",
     .kind = RIVER_STRING_LIST,
     .offset = TS(fallback_formats),
     .doc = "Formats to try when the first does not fit."},
    {.name = "location",
     .kind = RIVER_STRING,
     .offset = TS(location),
     .doc = "IANA zone of times without one; default: UTC."},
    {.name = "action_on_failure",
     .kind = RIVER_ENUM,
     .offset = TS(on_failure),
     .choices = failures,
     .def = "\"fudge\"",
     .doc = "fudge: right behind the stream's last line; skip: the time stays as it was."},
    RIVER_FIELDS_END,
};
static const struct river_block timestamp_block = {.name = "timestamp",
                                                   .fields = timestamp_fields,
                                                   .size = sizeof(struct timestamp_args),
                                                   .validate = validate_timestamp,
                                                   .doc = "Sets the entry's time from an extracted text."};

/* --- labels and metadata
 * ------------------------------------------------------------------------------------------------ */

#define VALUES_MAP(flags_, text)                                                                                       \
    {                                                                                                                  \
        .name = "values", .kind = RIVER_STRING_MAP, .flags = (flags_), .offset = offsetof(struct map_args, values),    \
        .doc = text                                                                                                    \
    }
#define VALUES_LIST(text)                                                                                              \
    {                                                                                                                  \
        .name = "values", .kind = RIVER_STRING_LIST, .flags = RIVER_REQUIRED,                                          \
        .offset = offsetof(struct names_args, values), .doc = text                                                     \
    }
static const struct river_field labels_fields[] = {
    VALUES_MAP(RIVER_REQUIRED, "Label and the extracted text it is set to; \"\" is the same name."), RIVER_FIELDS_END};
static const struct river_block labels_block = {.name = "labels",
                                                .fields = labels_fields,
                                                .size = sizeof(struct map_args),
                                                .doc = "Sets labels from extracted texts."};
static const struct river_field static_labels_fields[] = {VALUES_MAP(RIVER_REQUIRED, "Labels and their values."),
                                                          RIVER_FIELDS_END};
static const struct river_block static_labels_block = {.name = "static_labels",
                                                       .fields = static_labels_fields,
                                                       .size = sizeof(struct map_args),
                                                       .doc = "Sets labels to fixed values."};
static const struct river_field metadata_fields[] = {
    {.name = "values",
     .kind = RIVER_STRING_MAP,
     .offset = offsetof(struct metadata_args, values),
     .doc = "Name and the label (which is moved) or extracted text it is set to; \"\" is the same name."},
    {.name = "regex",
     .kind = RIVER_STRING,
     .offset = offsetof(struct metadata_args, regex),
     .doc = "Labels whose names match are moved."},
    RIVER_FIELDS_END,
};
static const struct river_block metadata_block = {.name = "structured_metadata",
                                                  .fields = metadata_fields,
                                                  .size = sizeof(struct metadata_args),
                                                  .doc = "Sets structured metadata from labels and extracted texts."};
static const struct river_field metadata_drop_fields[] = {VALUES_LIST("Structured metadata to take away."),
                                                          RIVER_FIELDS_END};
static const struct river_block metadata_drop_block = {.name = "structured_metadata_drop",
                                                       .fields = metadata_drop_fields,
                                                       .size = sizeof(struct names_args),
                                                       .doc = "Takes structured metadata away."};
static const struct river_field label_drop_fields[] = {VALUES_LIST("Labels to take away."), RIVER_FIELDS_END};
static const struct river_block label_drop_block = {
    .name = "label_drop", .fields = label_drop_fields, .size = sizeof(struct names_args), .doc = "Takes labels away."};
static const struct river_field label_keep_fields[] = {VALUES_LIST("Labels to keep."), RIVER_FIELDS_END};
static const struct river_block label_keep_block = {.name = "label_keep",
                                                    .fields = label_keep_fields,
                                                    .size = sizeof(struct names_args),
                                                    .doc = "Takes all other labels away."};

#define TN(member) offsetof(struct tenant_args, member)
static const struct river_field tenant_fields[] = {
    {.name = "label", .kind = RIVER_STRING, .offset = TN(label), .doc = "The label that holds the tenant."},
    {.name = "source", .kind = RIVER_STRING, .offset = TN(source), .doc = "The extracted text that holds the tenant."},
    {.name = "value", .kind = RIVER_STRING, .offset = TN(value), .doc = "The tenant."},
    RIVER_FIELDS_END,
};
static const struct river_block tenant_block = {.name = "tenant",
                                                .fields = tenant_fields,
                                                .size = sizeof(struct tenant_args),
                                                .doc = "Sets the tenant the entry is written for."};

/* --- drop, match, multiline
 * --------------------------------------------------------------------------------------------- */

static enum code validate_drop(const void *args, struct river_problems *problems)
{
    const struct drop_args *a = args;

    return a->expression.len != 0 ? check_regex(a->expression, "expression", problems) : OK;
}
#define D(member) offsetof(struct drop_args, member)
static const struct river_field drop_fields[] = {
    {.name = "source",
     .kind = RIVER_STRING,
     .offset = D(source),
     .doc = "Extracted text to look at, or several with commas between; default: the line."},
    {.name = "separator",
     .kind = RIVER_STRING,
     .offset = D(separator),
     .def = "\";\"",
     .doc = "What stands between the texts of several sources."},
    {.name = "value",
     .kind = RIVER_STRING,
     .offset = D(value),
     .present = RIVER_PRESENT_AT(struct drop_args, has_value),
     .doc = "The text it must be."},
    {.name = "expression", .kind = RIVER_STRING, .offset = D(expression), .doc = "RE2 expression it must match."},
    {.name = "older_than", .kind = RIVER_DURATION, .offset = D(older_than_ns), .doc = "The age it must have."},
    {.name = "longer_than", .kind = RIVER_BYTES, .offset = D(longer_than), .doc = "The length the line must have."},
    {.name = "drop_counter_reason",
     .kind = RIVER_STRING,
     .offset = D(reason),
     .def = "\"drop_stage\"",
     .doc = "The reason label of loki_process_dropped_lines_total."},
    RIVER_FIELDS_END,
};
static const struct river_block drop_block = {.name = "drop",
                                              .fields = drop_fields,
                                              .size = sizeof(struct drop_args),
                                              .validate = validate_drop,
                                              .doc = "Drops entries for which all that is given holds."};

static enum code validate_multiline(const void *args, struct river_problems *problems)
{
    return check_regex(((const struct multiline_args *)args)->firstline, "firstline", problems);
}
#define ML(member) offsetof(struct multiline_args, member)
static const struct river_field multiline_fields[] = {
    {.name = "firstline",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = ML(firstline),
     .doc = "RE2 expression that the first line of a block matches."},
    {.name = "max_lines",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .min = 1,
     .offset = ML(max_lines),
     .def = "128",
     .doc = "The most lines of a block; the next line begins a new one."},
    {.name = "max_wait_time",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .offset = ML(max_wait_ns),
     .def = "\"3s\"",
     .doc = "How long a block waits for more lines."},
    {.name = "trim_newlines",
     .kind = RIVER_BOOL,
     .offset = ML(trim_newlines),
     .def = "true",
     .doc = "Takes line ends away before lines are joined."},
    RIVER_FIELDS_END,
};
static const struct river_block multiline_block = {.name = "multiline",
                                                   .fields = multiline_fields,
                                                   .size = sizeof(struct multiline_args),
                                                   .validate = validate_multiline,
                                                   .doc = "Joins lines to one entry."};

static const struct river_block *const stage_blocks[31];

static enum code validate_match(const void *args, struct river_problems *problems)
{
    const struct match_args *a = args;
    struct selector *s = NULL;
    struct error err = {0};
    enum code rc = selector_parse(&s, a->selector, &err);

    selector_free(s);
    if (rc != OK)
        return river_problem(problems, "selector", "%s", err.text);
    if (a->action == MATCH_DROP && a->stages.n != 0)
        return river_problem(problems, "action", "\"drop\" takes no nested stages");
    if (a->action == MATCH_KEEP && a->stages.n == 0)
        return river_problem(problems, NULL, "needs at least one nested stage, or action = \"drop\"");
    return OK;
}
static const struct river_enum match_actions[] = {{"keep", MATCH_KEEP}, {"drop", MATCH_DROP}, {0}};
#define MT(member) offsetof(struct match_args, member)
static const struct river_field match_fields[] = {
    {.name = "selector",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = MT(selector),
     .doc = "LogQL stream selector, with line filters."},
    {.name = "action",
     .kind = RIVER_ENUM,
     .offset = MT(action),
     .choices = match_actions,
     .def = "\"keep\"",
     .doc = "keep: run the nested stages; drop: drop the entry."},
    {.name = "pipeline_name",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = MT(pipeline_name),
     .doc = "Accepted for Alloy: nested stages have no metrics of their own."},
    {.name = "drop_counter_reason",
     .kind = RIVER_STRING,
     .offset = MT(reason),
     .def = "\"match_stage\"",
     .doc = "The reason label of loki_process_dropped_lines_total."},
    {.name = "stage",
     .kind = RIVER_ENUM_BLOCKS,
     .offset = MT(stages),
     .blocks = stage_blocks,
     .doc = "Stages for entries that match."},
    RIVER_FIELDS_END,
};
static const struct river_block match_block = {.name = "match",
                                               .fields = match_fields,
                                               .size = sizeof(struct match_args),
                                               .validate = validate_match,
                                               .doc = "Runs stages on, or drops, the entries that match."};

/* --- stages that are known and not built
 * ------------------------------------------------------------------------------ */

#define NOT_BUILT(variable, word, instead)                                                                             \
    static const struct river_block variable = {.name = word,                                                          \
                                                .fields = no_fields,                                                   \
                                                .size = sizeof(struct no_args),                                        \
                                                .flags = RIVER_REFUSED,                                                \
                                                .doc = "Not built yet: " instead "."}
NOT_BUILT(eventlog_block, "eventlogmessage", "take the message apart with stage.regex");
NOT_BUILT(geoip_block, "geoip", "look addresses up where the lines are written, or in the dashboard");
NOT_BUILT(limit_block, "limit", "drop what is too much with stage.drop, or set Loki's limits of the tenant");
NOT_BUILT(luhn_block, "luhn", "replace the numbers with stage.replace");
NOT_BUILT(metrics_block, "metrics", "count the lines with a recording rule of Loki's ruler");
NOT_BUILT(pack_block, "pack", "keep the labels with stage.structured_metadata");
NOT_BUILT(pattern_block, "pattern", "write the pattern as the expression of stage.regex");
NOT_BUILT(sampling_block, "sampling", "drop lines by what is in them with stage.drop");
NOT_BUILT(truncate_block, "truncate", "cut with stage.replace, expression = \"^.{1000}(.*)\" and replace = \"\"");
NOT_BUILT(windowsevent_block, "windowsevent", "take the message apart with stage.regex");

static const struct river_block *const stage_blocks[31] = {
    &cri_block,
    &decolorize_block,
    &docker_block,
    &drop_block,
    &json_block,
    &label_drop_block,
    &label_keep_block,
    &labels_block,
    &logfmt_block,
    &match_block,
    &multiline_block,
    &output_block,
    &regex_block,
    &replace_block,
    &static_labels_block,
    &metadata_block,
    &metadata_drop_block,
    &template_block,
    &tenant_block,
    &timestamp_block,
    &eventlog_block,
    &geoip_block,
    &limit_block,
    &luhn_block,
    &metrics_block,
    &pack_block,
    &pattern_block,
    &sampling_block,
    &truncate_block,
    &windowsevent_block,
    NULL,
};

/* The same order as stage_blocks; those behind the last are refused before they get here. */
static const stage_build_fn builders[] = {
    stage_cri_build,
    stage_decolorize_build,
    stage_docker_build,
    stage_drop_build,
    stage_json_build,
    stage_label_drop_build,
    stage_label_keep_build,
    stage_labels_build,
    stage_logfmt_build,
    stage_match_build,
    stage_multiline_build,
    stage_output_build,
    stage_regex_build,
    stage_replace_build,
    stage_static_labels_build,
    stage_structured_metadata_build,
    stage_structured_metadata_drop_build,
    stage_template_build,
    stage_tenant_build,
    stage_timestamp_build,
};

enum code stages_build(struct pipeline *p, const struct river_enum_blocks *stages, struct error *err)
{
    for (size_t i = 0; i < stages->n; i++) {
        const struct river_enum_entry *stage = &stages->items[i];
        size_t first = p->n;
        enum code rc;

        if (stage->index >= sizeof builders / sizeof *builders)
            return error_set(err, INVALID, "stage.%s is not built into hyagent yet", stage->type->name);
        rc = builders[stage->index](p, stage->args, err);
        if (rc != OK) {
            error_prefix(err, "stage.%s", stage->type->name);
            return rc;
        }
        pipeline_name(p, first, stage->type->name, stage->at, i + 1);
    }
    return OK;
}

static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct process_args, forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "Where to send the entries."},
    {.name = "stage",
     .kind = RIVER_ENUM_BLOCKS,
     .offset = offsetof(struct process_args, stages),
     .blocks = stage_blocks,
     .doc = "What is done with each entry, in order."},
    RIVER_FIELDS_END,
};
const struct river_block process_args_block = {.name = "loki.process",
                                               .fields = fields,
                                               .size = sizeof(struct process_args),
                                               .doc = "Runs log entries through stages."};
