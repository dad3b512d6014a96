/* agent/components/otelcol/processor_attributes/attributes.h - shared by the files of otelcol.processor.attributes. The
 * behaviour is the OpenTelemetry Collector's attributes processor. */
#ifndef AGENT_COMPONENTS_OTELCOL_PROCESSOR_ATTRIBUTES_ATTRIBUTES_H
#define AGENT_COMPONENTS_OTELCOL_PROCESSOR_ATTRIBUTES_ATTRIBUTES_H
#include "agent/model/otlp_decode.h"
#include "agent/runtime/otel_output.h"
#include "agent/text/regex.h"

enum match_type { MATCH_STRICT, MATCH_REGEXP };

struct match_pair_args {
    struct slice key;
    const struct value *value; /* NULL: presence is enough */
};

struct match_library_args {
    struct slice name, version;
    bool has_version;
};

struct match_severity_args {
    struct slice min;
    bool match_undefined;
};

struct match_args {
    int type; /* enum match_type */
    struct river_strings services, span_names, log_bodies, log_severity_texts, metric_names, span_kinds;
    struct match_severity_args *log_severity;             /* NULL: not given */
    struct river_blocks attributes, resources, libraries; /* match_pair_args, match_pair_args, match_library_args */
    const void *regexp;                                   /* cache options: without effect */
};

enum action_kind {
    ACTION_INSERT,
    ACTION_UPDATE,
    ACTION_UPSERT,
    ACTION_DELETE,
    ACTION_HASH,
    ACTION_EXTRACT,
    ACTION_CONVERT
};
enum converted { CONVERT_NONE, CONVERT_INT, CONVERT_DOUBLE, CONVERT_STRING };

struct action_args {
    struct slice key, pattern, from_attribute, from_context;
    const struct value *value;
    int converted_type, action;
};

struct attributes_args {
    struct match_args *include, *exclude; /* NULL: not given */
    struct river_blocks actions;          /* action_args */
    struct otel_output_args output;
    struct otel_debug_metrics_args debug_metrics;
};

extern const struct river_block attributes_args_block;

/* What an item is, for matching; texts borrowed for the call. */
struct item {
    enum otlp_signal signal;
    struct slice name; /* span or metric name */
    struct slice severity_text;
    int severity_number; /* logs; 0: undefined */
    int span_kind;
    const Otlp__AnyValue *body;
    const struct otlp_attrs *attrs;
    const Otlp__Resource *resource;
    const Otlp__InstrumentationScope *scope;
};

struct matcher; /* include or exclude, compiled */
MUST_USE enum code matcher_new(struct matcher **out, const struct match_args *args, struct error *err);
void matcher_free(struct matcher *m); /* NULL is fine */
bool matcher_matches(const struct matcher *m, const struct item *item, struct arena *scratch);

struct actions; /* the list of actions, compiled */
MUST_USE enum code actions_new(struct actions **out, const struct river_blocks *list, struct error *err);
void actions_free(struct actions *a); /* NULL is fine */
/* NOMEM: the arena is full. */
MUST_USE enum code actions_apply(const struct actions *a, const struct otlp_attrs *attrs, const struct otlp_batch *b);
#endif
