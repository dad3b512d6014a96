#include "agent/cli/test_tables.h"

/* --- settings --- */

static const struct river_enum stabilities[] = {
    {"generally-available", 0}, {"public-preview", 1}, {"experimental", 2}, {NULL, 0}};

static const struct river_field setting_fields[] = {
    {.name = "config",
     .kind = RIVER_STRING,
     .flags = RIVER_NOT_EMPTY,
     .offset = offsetof(struct test_setting, config),
     .doc = "The configuration, relative to this file; NAME.river for NAME_test.river when it is not given.",
     .present = RIVER_PRESENT_AT(struct test_setting, has_config)},
    {.name = "env",
     .kind = RIVER_STRING_MAP,
     .offset = offsetof(struct test_setting, env),
     .doc = "The environment variables sys.env sees in the configuration; there are no others.",
     .present = RIVER_PRESENT_AT(struct test_setting, has_env)},
    {.name = "at",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_setting, at),
     .def = "\"2026-01-01T00:00:00Z\"",
     .doc = "What the clock shows at the beginning.",
     .present = RIVER_PRESENT_AT(struct test_setting, has_at)},
    {.name = "stability",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct test_setting, stability),
     .def = "\"generally-available\"",
     .doc = "As run's --stability.level.",
     .choices = stabilities,
     .present = RIVER_PRESENT_AT(struct test_setting, has_stability)},
    RIVER_FIELDS_END,
};
const struct river_block test_setting_table = {.name = "test",
                                               .fields = setting_fields,
                                               .size = sizeof(struct test_setting),
                                               .doc = "One test: steps in the order they are written in."};

/* --- steps --- */

#define TO_FIELD(type_)                                                                                                \
    {                                                                                                                  \
        .name = "to", .kind = RIVER_STRING, .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY, .offset = offsetof(type_, to),  \
        .doc = "The component that gets it; a source sends it on, as if it had read it."                               \
    }
#define TARGET_FIELD(type_)                                                                                            \
    {                                                                                                                  \
        .name = "target", .kind = RIVER_STRING_MAP, .flags = RIVER_NOT_EMPTY, .offset = offsetof(type_, target),       \
        .doc = "Labels of one of the source's targets: it brings its labels along.",                                   \
        .present = RIVER_PRESENT_AT(type_, has_target)                                                                 \
    }
#define TIMESTAMP_FIELD(type_)                                                                                         \
    {                                                                                                                  \
        .name = "timestamp", .kind = RIVER_STRING, .offset = offsetof(type_, timestamp),                               \
        .doc = "In RFC 3339; what the clock shows when it is not given.",                                              \
        .present = RIVER_PRESENT_AT(type_, has_timestamp)                                                              \
    }

static const struct river_field logs_fields[] = {
    TO_FIELD(struct test_logs),
    {.name = "line",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_logs, line),
     .doc = "One line.",
     .present = RIVER_PRESENT_AT(struct test_logs, has_line)},
    {.name = "lines",
     .kind = RIVER_STRING_LIST,
     .offset = offsetof(struct test_logs, lines),
     .doc = "Lines, in order.",
     .present = RIVER_PRESENT_AT(struct test_logs, has_lines)},
    {.name = "labels",
     .kind = RIVER_STRING_MAP,
     .offset = offsetof(struct test_logs, labels),
     .doc = "Labels of every line."},
    {.name = "structured_metadata",
     .kind = RIVER_STRING_MAP,
     .offset = offsetof(struct test_logs, structured_metadata),
     .doc = "Structured metadata of every line."},
    TARGET_FIELD(struct test_logs),
    TIMESTAMP_FIELD(struct test_logs),
    RIVER_FIELDS_END,
};

static const struct river_field samples_fields[] = {
    TO_FIELD(struct test_samples),
    {.name = "text",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct test_samples, text),
     .doc = "Samples in Prometheus' text format."},
    {.name = "labels",
     .kind = RIVER_STRING_MAP,
     .offset = offsetof(struct test_samples, labels),
     .doc = "Labels of every sample, besides its own."},
    TARGET_FIELD(struct test_samples),
    TIMESTAMP_FIELD(struct test_samples),
    RIVER_FIELDS_END,
};

static const struct river_enum span_kinds[] = {{"unspecified", 0}, {"internal", 1}, {"server", 2}, {"client", 3},
                                               {"producer", 4},    {"consumer", 5}, {NULL, 0}};
static const struct river_enum span_statuses[] = {{"unset", 0}, {"ok", 1}, {"error", 2}, {NULL, 0}};
static const struct river_field span_fields[] = {
    {.name = "name",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct test_span, name),
     .doc = "The span's name."},
    {.name = "trace_id",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_span, trace_id),
     .doc = "32 hex digits; one for all spans of the step when it is not given."},
    {.name = "span_id",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_span, span_id),
     .doc = "16 hex digits; the span's number in the step when it is not given."},
    {.name = "parent_span_id",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_span, parent_span_id),
     .doc = "16 hex digits."},
    {.name = "kind",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct test_span, kind),
     .def = "\"internal\"",
     .doc = "The span's kind.",
     .choices = span_kinds},
    {.name = "status",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct test_span, status),
     .def = "\"unset\"",
     .doc = "The span's status.",
     .choices = span_statuses},
    {.name = "attributes",
     .kind = RIVER_VALUE,
     .offset = offsetof(struct test_span, attributes),
     .doc = "Its attributes: texts, numbers and booleans."},
    RIVER_FIELDS_END,
};
static const struct river_block span_step_table = {
    .name = "span", .fields = span_fields, .size = sizeof(struct test_span), .doc = "One span."};
static const struct river_field spans_fields[] = {
    TO_FIELD(struct test_spans),
    {.name = "resource",
     .kind = RIVER_VALUE,
     .offset = offsetof(struct test_spans, resource),
     .doc = "Attributes of the resource: texts, numbers and booleans."},
    {.name = "scope",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_spans, scope),
     .doc = "The name of the instrumentation scope."},
    {.name = "span",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REQUIRED | RIVER_REPEATED,
     .offset = offsetof(struct test_spans, spans),
     .doc = "One span.",
     .block = &span_step_table},
    RIVER_FIELDS_END,
};

static const struct river_field otlp_fields[] = {
    TO_FIELD(struct test_otlp),
    {.name = "traces",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_otlp, traces),
     .doc = "A request in OTLP/JSON: {\"resourceSpans\": [...]}.",
     .present = RIVER_PRESENT_AT(struct test_otlp, has_traces)},
    {.name = "metrics",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_otlp, metrics),
     .doc = "A request in OTLP/JSON: {\"resourceMetrics\": [...]}.",
     .present = RIVER_PRESENT_AT(struct test_otlp, has_metrics)},
    {.name = "logs",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_otlp, logs),
     .doc = "A request in OTLP/JSON: {\"resourceLogs\": [...]}.",
     .present = RIVER_PRESENT_AT(struct test_otlp, has_logs)},
    RIVER_FIELDS_END,
};

static const struct river_field advance_fields[] = {
    {.name = "by",
     .kind = RIVER_DURATION,
     .flags = RIVER_REQUIRED | RIVER_HAS_MIN,
     .offset = offsetof(struct test_advance_args, by_ns),
     .doc = "How far the clock goes on: \"5s\"."},
    RIVER_FIELDS_END,
};

static const struct river_field set_fields[] = {
    {.name = "component",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct test_set, component),
     .doc = "A component that would look at the outside: discovery, local.file, remote.http, an exporter."},
    {.name = "exports",
     .kind = RIVER_VALUE,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct test_set, exports),
     .doc = "What it exports from here on: {targets = [{\"__address__\" = \"host:80\"}]}."},
    RIVER_FIELDS_END,
};

static const struct river_field reload_fields[] = {
    {.name = "config",
     .kind = RIVER_STRING,
     .flags = RIVER_NOT_EMPTY,
     .offset = offsetof(struct test_reload, config),
     .doc = "The configuration from here on, relative to this file; the same when it is not given.",
     .present = RIVER_PRESENT_AT(struct test_reload, has_config)},
    {.name = "env",
     .kind = RIVER_STRING_MAP,
     .offset = offsetof(struct test_reload, env),
     .doc = "The environment variables from here on; the same when they are not given.",
     .present = RIVER_PRESENT_AT(struct test_reload, has_env)},
    RIVER_FIELDS_END,
};

#define STEP_TABLE(variable, name_, struct_, doc_)                                                                     \
    static const struct river_block variable##_table = {                                                               \
        .name = name_, .fields = variable##_fields, .size = sizeof(struct_), .doc = doc_}
STEP_TABLE(logs, "logs", struct test_logs, "Log lines for a component.");
STEP_TABLE(samples, "samples", struct test_samples, "Samples for a component.");
STEP_TABLE(spans, "spans", struct test_spans, "Spans for a component.");
STEP_TABLE(otlp, "otlp", struct test_otlp, "A request of OTLP for a component.");
STEP_TABLE(advance, "advance", struct test_advance_args, "Lets time pass.");
STEP_TABLE(set, "set", struct test_set, "What a component exports, as if it had found it.");
STEP_TABLE(reload, "reload", struct test_reload, "Loads a configuration by diff, as SIGHUP does.");

/* --- expectations --- */

static const struct river_enum orders[] = {
    {"exact", ORDER_EXACT}, {"unordered", ORDER_UNORDERED}, {"contains", ORDER_CONTAINS}, {NULL, 0}};
static const struct river_field expect_fields[] = {
    {.name = "at",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = offsetof(struct test_expect_args, at),
     .doc = "The component whose input is looked at, or a list it exports (\"discovery.relabel.x.output\")."},
    {.name = "compare",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct test_expect_args, order),
     .def = "\"exact\"",
     .doc = "exact: these in this order and no others; unordered; contains: these are among them.",
     .choices = orders},
    {.name = "count",
     .kind = RIVER_INT,
     .flags = RIVER_HAS_MIN,
     .offset = offsetof(struct test_expect_args, count),
     .doc = "How many items came.",
     .present = RIVER_PRESENT_AT(struct test_expect_args, has_count)},
    {.name = "none", .kind = RIVER_BOOL, .offset = offsetof(struct test_expect_args, none), .doc = "Nothing came."},
    {.name = "lines",
     .kind = RIVER_STRING_LIST,
     .offset = offsetof(struct test_expect_args, lines),
     .doc = "Log lines, when nothing but the line matters.",
     .present = RIVER_PRESENT_AT(struct test_expect_args, has_lines)},
    {.name = "samples",
     .kind = RIVER_STRING,
     .offset = offsetof(struct test_expect_args, samples),
     .doc = "Samples in Prometheus' text format; a time that is not written is not compared.",
     .present = RIVER_PRESENT_AT(struct test_expect_args, has_samples)},
    RIVER_FIELDS_END,
};
const struct river_block test_expect_table = {.name = "expect",
                                              .fields = expect_fields,
                                              .size = sizeof(struct test_expect_args),
                                              .doc = "What came since the last expectations."};

const struct river_block *const test_step_tables[] = {
    [STEP_LOGS] = &logs_table,     [STEP_SAMPLES] = &samples_table,    [STEP_SPANS] = &spans_table,
    [STEP_OTLP] = &otlp_table,     [STEP_ADVANCE] = &advance_table,    [STEP_SET] = &set_table,
    [STEP_RELOAD] = &reload_table, [STEP_EXPECT] = &test_expect_table, NULL,
};

/* A row per attribute; the struct member has its name. */
#define ROW(name_, kind_, doc_)                                                                                        \
    {                                                                                                                  \
        .name = #name_, .kind = kind_, .offset = offsetof(struct test_item_args, name_), .doc = doc_,                  \
        .present = RIVER_PRESENT_AT(struct test_item_args, is.name_)                                                   \
    }
#define SET_ROWS(name_)                                                                                                \
    ROW(name_, RIVER_STRING_MAP, "The whole set."), ROW(has_##name_, RIVER_STRING_MAP, "At least these of the set."),  \
        ROW(no_##name_, RIVER_STRING_LIST, "Names that are not in the set.")
#define NAME_ROWS                                                                                                      \
    ROW(name, RIVER_STRING, "The name."), ROW(name_matches, RIVER_STRING, "An expression found in the name.")
#define LINE_ROWS                                                                                                      \
    ROW(line, RIVER_STRING, "The text."), ROW(line_matches, RIVER_STRING, "An expression found in the text.")
#define TIME_ROW ROW(timestamp, RIVER_STRING, "In RFC 3339.")
#define VALUE_ROW ROW(value, RIVER_VALUE, "A number, or a text: \"NaN\", \"+Inf\", \"stale\".")

static const struct river_field log_item[] = {LINE_ROWS, SET_ROWS(labels), SET_ROWS(structured_metadata), TIME_ROW,
                                              RIVER_FIELDS_END};
static const struct river_field sample_item[] = {NAME_ROWS, SET_ROWS(labels), VALUE_ROW, TIME_ROW, RIVER_FIELDS_END};
static const struct river_field span_item[] = {
    NAME_ROWS,
    ROW(kind, RIVER_STRING, "server, client, internal, producer, consumer."),
    ROW(trace_id, RIVER_STRING, "In hex."),
    ROW(span_id, RIVER_STRING, "In hex."),
    ROW(parent_span_id, RIVER_STRING, "In hex."),
    ROW(status, RIVER_STRING, "unset, ok, error."),
    SET_ROWS(attributes),
    SET_ROWS(resource),
    ROW(scope, RIVER_STRING, "The scope's name."),
    RIVER_FIELDS_END,
};
static const struct river_field point_item[] = {
    NAME_ROWS,
    ROW(type, RIVER_STRING, "gauge, sum, histogram, exponential_histogram, summary."),
    ROW(unit, RIVER_STRING, "The unit."),
    VALUE_ROW,
    SET_ROWS(attributes),
    SET_ROWS(resource),
    ROW(scope, RIVER_STRING, "The scope's name."),
    RIVER_FIELDS_END,
};
static const struct river_field record_item[] = {
    LINE_ROWS,
    ROW(severity, RIVER_STRING, "The severity's text."),
    ROW(trace_id, RIVER_STRING, "In hex."),
    ROW(span_id, RIVER_STRING, "In hex."),
    SET_ROWS(attributes),
    SET_ROWS(resource),
    ROW(scope, RIVER_STRING, "The scope's name."),
    TIME_ROW,
    RIVER_FIELDS_END,
};
static const struct river_field target_item[] = {SET_ROWS(labels), RIVER_FIELDS_END};

#define ITEM_TABLE(kind_, doc_)                                                                                        \
    static const struct river_block kind_##_item_table = {                                                             \
        .name = #kind_, .fields = kind_##_item, .size = sizeof(struct test_item_args), .doc = doc_}
ITEM_TABLE(log, "One log line.");
ITEM_TABLE(sample, "One sample.");
ITEM_TABLE(span, "One span.");
ITEM_TABLE(point, "One data point of OTLP.");
ITEM_TABLE(record, "One log record of OTLP.");
ITEM_TABLE(target, "One target of a list.");

const struct river_block *const test_item_tables[ITEM_TARGET + 1] = {
    [ITEM_LOG] = &log_item_table,     [ITEM_SAMPLE] = &sample_item_table, [ITEM_SPAN] = &span_item_table,
    [ITEM_POINT] = &point_item_table, [ITEM_RECORD] = &record_item_table, [ITEM_TARGET] = &target_item_table,
};
