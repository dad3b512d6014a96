#include "agent/components/prometheus/scrape/scrape.h"
#include <stddef.h>

static const char *const known_protocols[] = {"OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0",
                                              "PrometheusText0.0.4"};

static enum code check_protocols(const struct scrape_args *a, struct river_problems *problems)
{
    size_t spoken = 0;

    for (size_t i = 0; i < a->scrape_protocols.n; i++) {
        bool is_known = false;

        for (size_t j = 0; j < sizeof known_protocols / sizeof *known_protocols; j++)
            is_known = is_known || slice_eq_str(a->scrape_protocols.items[i], known_protocols[j]);
        spoken += is_known;
        if (is_known)
            continue;
        if (!slice_eq_str(a->scrape_protocols.items[i], "PrometheusProto"))
            return river_problem(problems, "scrape_protocols",
                                 "\"%.*s\" is no scrape protocol; there are "
                                 "OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText1.0.0, PrometheusText0.0.4",
                                 SLICE_ARG(a->scrape_protocols.items[i]));
        river_problem_warn(problems, "scrape_protocols",
                           "PrometheusProto is not built: text formats are asked for instead");
    }
    return spoken != 0 ? OK : river_problem(problems, "scrape_protocols", "names no protocol that hyagent speaks");
}

static enum code validate(const void *args, struct river_problems *problems)
{
    const struct scrape_args *a = args;
    enum code rc = check_protocols(a, problems);

    if (a->timeout_ns > a->interval_ns)
        rc = river_problem(problems, "scrape_timeout", "must not be longer than scrape_interval");
    if (a->scheme.len != 0 && !slice_eq_str(a->scheme, "http") && !slice_eq_str(a->scheme, "https"))
        rc = river_problem(problems, "scheme", "must be \"http\" or \"https\"");
    if (http_args_check(&a->http, problems) != OK)
        rc = INVALID;
    return rc;
}

static const struct river_field clustering_fields[] = {
    {.name = "enabled",
     .kind = RIVER_BOOL,
     .flags = RIVER_REQUIRED | RIVER_NO_EFFECT,
     .offset = offsetof(struct scrape_clustering_args, enabled),
     .doc = "Accepted for Alloy: as there without --cluster.enabled, every agent scrapes all its targets."},
    RIVER_FIELDS_END,
};
static const struct river_block clustering_block = {.name = "clustering",
                                                    .fields = clustering_fields,
                                                    .size = sizeof(struct scrape_clustering_args),
                                                    .doc = "Sharing targets between agents."};

/* Arguments that are looked at but change nothing. */
struct all_args {
    struct scrape_args args; /* first: the component sees only this */
    bool classic, native, protobuf, nhcb, metadata;
    struct slice failure_log, validation, escaping, fallback;
    uint64_t bucket_limit;
    double bucket_factor;
};

#define ARG(member) offsetof(struct all_args, args.member)
#define ALL(member) offsetof(struct all_args, member)
#define LIMIT(field, text)                                                                                             \
    {                                                                                                                  \
        .name = #field, .kind = RIVER_UINT, .offset = ARG(field), .def = "0", .doc = text                              \
    }
static const struct river_field fields[] = {
    {.name = "targets",
     .kind = RIVER_TARGETS,
     .flags = RIVER_REQUIRED,
     .offset = ARG(targets),
     .doc = "What to scrape."},
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .flags = RIVER_REQUIRED,
     .offset = ARG(forward_to),
     .capsule = &capsule_metrics_receiver,
     .doc = "Where to send the samples."},
    {.name = "job_name",
     .kind = RIVER_STRING,
     .offset = ARG(job_name),
     .doc = "The job label of targets that have none; default: the component's id."},
    {.name = "honor_labels",
     .kind = RIVER_BOOL,
     .offset = ARG(honor_labels),
     .def = "false",
     .doc = "On a conflict the scraped label wins; else it becomes exported_NAME."},
    {.name = "honor_timestamps",
     .kind = RIVER_BOOL,
     .offset = ARG(honor_timestamps),
     .def = "true",
     .doc = "Takes the timestamps that the target gives."},
    {.name = "track_timestamps_staleness",
     .kind = RIVER_BOOL,
     .offset = ARG(track_timestamps_staleness),
     .def = "false",
     .doc = "Staleness markers also for series with timestamps of their own."},
    {.name = "params", .kind = RIVER_STRING_LIST_MAP, .offset = ARG(params), .doc = "Query parameters."},
    {.name = "scrape_interval",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = ARG(interval_ns),
     .def = "\"60s\"",
     .doc = "How often each target is scraped."},
    {.name = "scrape_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = ARG(timeout_ns),
     .def = "\"10s\"",
     .doc = "How long a scrape may take."},
    {.name = "metrics_path",
     .kind = RIVER_STRING,
     .offset = ARG(metrics_path),
     .def = "\"/metrics\"",
     .doc = "The path where targets do not name one."},
    {.name = "scheme",
     .kind = RIVER_STRING,
     .offset = ARG(scheme),
     .def = "\"http\"",
     .doc = "http or https, where targets do not say."},
    {.name = "scrape_protocols",
     .kind = RIVER_STRING_LIST,
     .offset = ARG(scrape_protocols),
     .def = "[\"OpenMetricsText1.0.0\", \"OpenMetricsText0.0.1\", \"PrometheusText1.0.0\", \"PrometheusText0.0.4\"]",
     .doc = "Formats that are asked for, best first."},
    {.name = "body_size_limit",
     .kind = RIVER_BYTES,
     .offset = ARG(body_size_limit),
     .def = "0",
     .doc = "The largest body, inflated; more fails the scrape. 0: 512MiB."},
    LIMIT(sample_limit, "The most samples of a scrape; more fails it. 0: no limit."),
    LIMIT(target_limit, "The most targets; more fails all of them. 0: no limit."),
    LIMIT(label_limit, "The most labels of a series; more fails the scrape. 0: no limit."),
    LIMIT(label_name_length_limit, "The longest label name; a longer one fails the scrape. 0: no limit."),
    LIMIT(label_value_length_limit, "The longest label value; a longer one fails the scrape. 0: no limit."),
    {.name = "extra_metrics",
     .kind = RIVER_BOOL,
     .offset = ARG(extra_metrics),
     .def = "false",
     .doc = "Also scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes."},
    {.name = "enable_compression",
     .kind = RIVER_BOOL,
     .offset = ARG(enable_compression),
     .def = "true",
     .doc = "Asks targets for gzip."},
    {.name = "scrape_classic_histograms",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(classic),
     .def = "false",
     .doc = "Accepted for Alloy: the text formats always carry classic histograms."},
    {.name = "scrape_native_histograms",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(native),
     .def = "false",
     .doc = "Accepted for Alloy: native histograms need the protobuf format, which is not built."},
    {.name = "enable_protobuf_negotiation",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(protobuf),
     .def = "false",
     .doc = "Accepted for Alloy: the protobuf format is not built."},
    {.name = "convert_classic_histograms_to_nhcb",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(nhcb),
     .def = "false",
     .doc = "Accepted for Alloy: classic histograms stay as they are."},
    {.name = "honor_metadata",
     .kind = RIVER_BOOL,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(metadata),
     .def = "false",
     .doc = "Accepted for Alloy: metadata is always sent."},
    {.name = "scrape_failure_log_file",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(failure_log),
     .doc = "Accepted for Alloy: failures stand in the agent's log and on the component's page."},
    {.name = "metric_name_validation_scheme",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(validation),
     .def = "\"legacy\"",
     .doc = "Accepted for Alloy."},
    {.name = "metric_name_escaping_scheme",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(escaping),
     .def = "\"underscores\"",
     .doc = "Accepted for Alloy."},
    {.name = "scrape_fallback_protocol",
     .kind = RIVER_STRING,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(fallback),
     .def = "\"PrometheusText0_0_4\"",
     .doc = "Accepted for Alloy: an unknown type is read as PrometheusText0.0.4."},
    {.name = "native_histogram_bucket_limit",
     .kind = RIVER_UINT,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(bucket_limit),
     .def = "0",
     .doc = "Accepted for Alloy: native histograms are not scraped."},
    {.name = "native_histogram_min_bucket_factor",
     .kind = RIVER_FLOAT,
     .flags = RIVER_NO_EFFECT,
     .offset = ALL(bucket_factor),
     .def = "0",
     .doc = "Accepted for Alloy: native histograms are not scraped."},
    {.name = "clustering",
     .kind = RIVER_BLOCK,
     .offset = ARG(clustering),
     .block = &clustering_block,
     .doc = "Sharing targets between agents."},
    {.name = "http",
     .kind = RIVER_FLATTEN,
     .offset = ARG(http),
     .block = &http_args_block,
     .doc = "How targets are asked."},
    RIVER_FIELDS_END,
};
const struct river_block scrape_args_block = {.name = "prometheus.scrape",
                                              .fields = fields,
                                              .size = sizeof(struct all_args),
                                              .validate = validate,
                                              .doc = "Scrapes targets in the Prometheus text formats."};
