/* OTLP metrics to samples and OTLP logs to entries; input is OTLP/JSON, as the specifications' examples are. */
#include "testing.h"
#include "agent/model/native_histogram.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "agent/model/otlp_to_loki.h"
#include "agent/model/otlp_to_prom.h"
#include "agent/model/otlp_to_prom_int.h"
#include "agent/model/pbwire.h"

struct seen {
    struct ticket_result result;
    unsigned n;
};

static void note(void *ctx, const struct ticket_result *result)
{
    struct seen *s = ctx;

    s->result = *result;
    s->n++;
}

static struct otlp_batch *batch_of(enum otlp_signal signal, const char *json, struct seen *seen)
{
    struct otlp_batch *b = otlp_batch_new(signal);
    struct arena scratch;
    struct error err = {0};
    struct buf out;
    size_t len;
    char *bytes;

    arena_init(&scratch, 0);
    buf_init(&out, 1 << 20);
    if (otlp_json_read(signal, slice_str(json), &scratch, &out, &err) != OK)
        fail_msg("%s", err.text);
    bytes = buf_take(&out, &len);
    arena_adopt(&b->base.arena, bytes, len);
    if (otlp_scan(b, slice_make(bytes, len), &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(batch_span(&b->base, ticket_new(b->n_items, false, note, seen), b->n_items), OK);
    arena_release(&scratch);
    return b;
}

#define RESOURCE                                                                                                       \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cart\"}},"                   \
    "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"shop\"}},"                                            \
    "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"i1\"}},"                                            \
    "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}}]}"
#define METRICS(metric)                                                                                                \
    "{\"resourceMetrics\":[{" RESOURCE ",\"scopeMetrics\":[{\"scope\":{\"name\":\"lib\",\"version\":\"2\"},"           \
    "\"metrics\":[" metric "]}]}]}"
#define POINT "\"timeUnixNano\":\"5000000000\",\"startTimeUnixNano\":\"1000000000\""
#define COMMON "instance=\"i1\",job=\"shop/cart\",otel_scope_name=\"lib\",otel_scope_version=\"2\""
#define HEAD(name) "{__name__=\"" name "\"," COMMON "}"
#define INFO "{__name__=\"target_info\",host_name=\"h\",instance=\"i1\",job=\"shop/cart\"} 1\n"

static const struct {
    const char *name, *json, *want;
    uint32_t delta, unsupported, invalid;
} rows[] = {
    {"gauge with a unit and attributes",
     METRICS("{\"name\":\"mem.usage\",\"unit\":\"By\",\"gauge\":{\"dataPoints\":[{" POINT
             ",\"asInt\":\"42\",\"attributes\":["
             "{\"key\":\"a.b\",\"value\":{\"stringValue\":\"x\"}},{\"key\":\"a_b\",\"value\":{\"stringValue\":\"y\"}}]}"
             "]}}"),
     "{__name__=\"mem_usage_bytes\",a_b=\"x;y\"," COMMON "} 42\n" INFO, 0, 0, 0},
    {"monotonic sum is a counter",
     METRICS("{\"name\":\"req.total\",\"unit\":\"1\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,"
             "\"dataPoints\":[{" POINT ",\"asDouble\":1.5}]}}"),
     HEAD("req_total") " 1.5\n" INFO, 0, 0, 0},
    {"other sum is a gauge without ratio",
     METRICS("{\"name\":\"q\",\"unit\":\"1\",\"sum\":{\"aggregationTemporality\":2,\"dataPoints\":[{" POINT
             ",\"asInt\":1}]}}"),
     HEAD("q") " 1\n" INFO, 0, 0, 0},
    {"no recorded value is stale", METRICS("{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{" POINT ",\"flags\":1}]}}"),
     HEAD("g") " stale\n" INFO, 0, 0, 0},
    {"delta is dropped",
     METRICS("{\"name\":\"d\",\"sum\":{\"aggregationTemporality\":1,\"isMonotonic\":true,\"dataPoints\":[{" POINT
             ",\"asInt\":1},{" POINT ",\"asInt\":2}]}}"),
     "", 2, 0, 0},
    {"without temporality it is unsupported",
     METRICS("{\"name\":\"d\",\"sum\":{\"dataPoints\":[{" POINT ",\"asInt\":1}]}}"), "", 0, 1, 0},
    {"a name without letters is invalid",
     METRICS("{\"name\":\"...\",\"gauge\":{\"dataPoints\":[{" POINT ",\"asInt\":1}]}}"), "", 0, 0, 1},
    {"histogram buckets add up",
     METRICS("{\"name\":\"lat\",\"unit\":\"ms\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" POINT
             ",\"count\":\"6\",\"sum\":9.5,\"bucketCounts\":[1,2,3],\"explicitBounds\":[0.5,10]}]}}"),
     HEAD("lat_milliseconds_sum") " 9.5\n" HEAD(
         "lat_milliseconds_count") " 6\n"
                                   "{__name__=\"lat_milliseconds_bucket\",instance=\"i1\",job=\"shop/"
                                   "cart\",le=\"0.5\",otel_scope_name=\"lib\",otel_scope_version=\"2\"} 1\n"
                                   "{__name__=\"lat_milliseconds_bucket\",instance=\"i1\",job=\"shop/"
                                   "cart\",le=\"10\",otel_scope_name=\"lib\",otel_scope_version=\"2\"} 3\n"
                                   "{__name__=\"lat_milliseconds_bucket\",instance=\"i1\",job=\"shop/"
                                   "cart\",le=\"+Inf\",otel_scope_name=\"lib\",otel_scope_version=\"2\"} 6\n" INFO,
     0, 0, 0},
    {"a histogram with missing buckets is invalid",
     METRICS("{\"name\":\"lat\",\"histogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" POINT
             ",\"count\":\"6\",\"bucketCounts\":[1,2],\"explicitBounds\":[0.5,10]}]}}"),
     "", 0, 0, 1},
    {"summary",
     METRICS("{\"name\":\"s\",\"summary\":{\"dataPoints\":[{" POINT ",\"count\":\"2\",\"sum\":3,\"quantileValues\":["
             "{\"quantile\":0.5,\"value\":1}]}]}}"),
     HEAD("s_sum") " 3\n" HEAD(
         "s_count") " 2\n"
                    "{__name__=\"s\",instance=\"i1\",job=\"shop/"
                    "cart\",otel_scope_name=\"lib\",otel_scope_version=\"2\",quantile=\"0.5\"} 1\n" INFO,
     0, 0, 0},
    {"a coarse exponential histogram is unsupported",
     METRICS("{\"name\":\"e\",\"exponentialHistogram\":{\"aggregationTemporality\":2,\"dataPoints\":[{" POINT
             ",\"scale\":-5}]}}"),
     "", 0, 1, 0},
};

static void write_samples(const struct sample_batch *b, struct buf *out)
{
    buf_init(out, 1 << 20);
    for (uint32_t i = 0; i < b->n; i++) {
        const struct sample *s = &b->samples[i];

        assert_int_equal(labels_write(s->labels, out), OK);
        assert_int_equal(s->ts_ms, 5000);
        if (pb_f64_bits(s->value) == STALE_NAN_BITS)
            (void)buf_add_str(out, " stale\n");
        else
            (void)buf_printf(out, " %g\n", s->value);
    }
}

static void metrics_become_the_samples_the_specification_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct otlp_to_prom_options options = otlp_to_prom_defaults();
        struct otlp_to_prom_result result;
        struct seen seen = {0};
        struct otlp_batch *in = batch_of(OTLP_METRICS, rows[i].json, &seen);
        struct sample_batch *out = NULL;
        struct error err = {0};
        struct buf text;

        assert_int_equal(otlp_to_prom(in, &options, "conv", &out, &result, &err), OK);
        write_samples(out, &text);
        if (!slice_eq_str(buf_slice(&text), rows[i].want))
            fail_msg("%s: got\n%.*s", rows[i].name, SLICE_ARG(buf_slice(&text)));
        assert_int_equal(result.dropped_delta, rows[i].delta);
        assert_int_equal(result.dropped_unsupported, rows[i].unsupported);
        assert_int_equal(result.dropped_invalid, rows[i].invalid);
        assert_int_equal(seen.n, out->n == 0);
        batch_settle(&out->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
        assert_int_equal(seen.n, 1);
        assert_int_equal(seen.result.acked + seen.result.dropped, in->n_items);
        assert_int_equal(seen.result.dropped, rows[i].delta + rows[i].unsupported + rows[i].invalid);
        buf_release(&text);
        batch_unref(&in->base);
        batch_unref(&out->base);
    }
}

static void options_switch_labels_and_suffixes(void **state)
{
    const struct otlp_to_prom_options options = {.include_scope_info = true, .resource_to_telemetry_conversion = true};
    struct otlp_to_prom_result result;
    struct seen seen = {0};
    struct otlp_batch *in = batch_of(
        OTLP_METRICS,
        METRICS("{\"name\":\"a.b\",\"unit\":\"By\",\"description\":\"d\",\"sum\":{\"aggregationTemporality\":2,"
                "\"isMonotonic\":true,\"dataPoints\":[{" POINT ",\"asInt\":1,\"exemplars\":[{\"asDouble\":0.5,"
                "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"timeUnixNano\":\"4000000000\"}]}]}}"),
        &seen);
    struct sample_batch *out = NULL;
    struct error err = {0};
    struct buf text;

    (void)state;
    assert_int_equal(otlp_to_prom(in, &options, "conv", &out, &result, &err), OK);
    write_samples(out, &text);
    assert_slice(buf_slice(&text),
                 "{__name__=\"a_b\",host_name=\"h\",instance=\"i1\",job=\"shop/cart\",service_instance_id=\"i1\","
                 "service_name=\"cart\",service_namespace=\"shop\"} 1\n"
                 "{__name__=\"otel_scope_info\"," COMMON "} 1\n");
    assert_int_equal(out->samples[0].start_ms, 1000);
    assert_int_equal(out->samples[0].n_exemplars, 1);
    assert_slice(out->samples[0].exemplars[0].labels[0].value, "5b8efff798038103d269b633813fc60c");
    assert_int_equal(out->samples[0].exemplars[0].ts_ms, 4000);
    assert_int_equal(out->n_metadata, 1);
    assert_slice(out->metadata[0].family, "a_b");
    assert_slice(out->metadata[0].help, "d");
    assert_slice(out->metadata[0].unit, "bytes");
    assert_int_equal(out->metadata[0].type, METRIC_COUNTER);
    batch_settle(&out->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
    buf_release(&text);
    batch_unref(&in->base);
    batch_unref(&out->base);
}

static void names_and_units(void **state)
{
    static const struct {
        const char *name, *unit, *want;
        enum metric_type type;
    } names[] = {
        {"system.network.io", "By", "system_network_io_bytes_total", METRIC_COUNTER},
        {"cpu.utilization", "1", "cpu_utilization_ratio", METRIC_GAUGE},
        {"disk.speed", "By/s", "disk_speed_bytes_per_second", METRIC_GAUGE},
        {"requests_total", "{request}", "requests_total", METRIC_COUNTER},
        {"total.errors", "", "errors_total", METRIC_COUNTER},
        {"http.duration.seconds", "s", "http_duration_seconds", METRIC_HISTOGRAM},
        {"2xx", "", "_2xx", METRIC_GAUGE},
        {"a:b", "%", "a:b_percent", METRIC_GAUGE},
        {"broken.", "foo", "broken_foo", METRIC_GAUGE},
    };
    static const struct {
        const char *in, *want;
    } labels[] = {{"http.status", "http_status"}, {"0x", "key_0x"}, {"_a", "key_a"}, {"__a", "__a"}, {"a:b", "a_b"}};
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < N_OF(names); i++)
        assert_slice(otlp_prom_name(&a, slice_str(names[i].name), slice_str(names[i].unit), names[i].type, true),
                     names[i].want);
    for (size_t i = 0; i < N_OF(labels); i++)
        assert_slice(otlp_prom_label(&a, slice_str(labels[i].in)), labels[i].want);
    arena_release(&a);
}

/* OTLP's bucket i is Prometheus' bucket i + 1; a scale of 9 is merged by pairs into 8. */
static void exponential_histograms_become_native_ones(void **state)
{
    uint64_t counts[] = {4, 0, 2, 0, 0, 0, 1};
    uint64_t pairs[] = {1, 2, 3};
    Otlp__ExponentialHistogramDataPoint p = OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT__INIT;
    Otlp__ExponentialHistogramDataPoint__Buckets b = OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT__BUCKETS__INIT;
    struct native_histogram h;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    b.bucket_counts = counts;
    b.n_bucket_counts = N_OF(counts);
    b.offset = -1;
    p.positive = &b;
    p.count = 7;
    p.scale = 2;
    assert_int_equal(otlp_to_native(&a, &p, false, &h), NATIVE_OK);
    assert_int_equal(h.schema, 2);
    assert_true(h.zero_threshold == 1e-128);
    assert_int_equal(h.positive.n_spans, 2);
    assert_int_equal(h.positive.spans[0].offset, 0);
    assert_int_equal(h.positive.spans[0].length, 3); /* 4 0 2: a gap of one is filled */
    assert_int_equal(h.positive.spans[1].offset, 3);
    assert_int_equal(h.positive.spans[1].length, 1);
    assert_int_equal(h.positive.n_buckets, 4);
    assert_int_equal(h.positive.deltas[0], 4);
    assert_int_equal(h.positive.deltas[1], -4);
    assert_int_equal(h.positive.deltas[2], 2);
    assert_int_equal(h.positive.deltas[3], -1);
    b.bucket_counts = pairs;
    b.n_bucket_counts = N_OF(pairs);
    b.offset = -1;
    p.scale = 9;
    assert_int_equal(otlp_to_native(&a, &p, false, &h), NATIVE_OK);
    assert_int_equal(h.schema, 8);
    assert_int_equal(h.positive.spans[0].offset, 0); /* -1 merges into -1, 0 and 1 into 0: then one further */
    assert_int_equal(h.positive.n_buckets, 2);
    assert_int_equal(h.positive.deltas[0], 1);
    assert_int_equal(h.positive.deltas[1], 4);
    assert_int_equal(otlp_to_native(&a, &p, true, &h), NATIVE_OK);
    assert_true(pb_f64_bits(h.sum) == STALE_NAN_BITS);
    arena_release(&a);
}

#define LOGS(record)                                                                                                   \
    "{\"resourceLogs\":[{" RESOURCE ",\"scopeLogs\":[{\"scope\":{\"name\":\"lib\"},\"logRecords\":[" record "]}]}]}"
#define ATTR(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"

static const struct {
    const char *name, *json, *labels, *line;
} logs[] = {
    {"json with level and ids",
     LOGS("{\"timeUnixNano\":\"7\",\"severityNumber\":9,\"severityText\":\"Info\",\"body\":{\"stringValue\":\"hi\"},"
          "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\",\"attributes\":[" ATTR(
              "z", "1") "," ATTR("a", "2") "]}"),
     "{exporter=\"OTLP\",instance=\"i1\",job=\"shop/cart\",level=\"INFO\"}",
     "{\"body\":\"hi\",\"traceid\":\"5b8efff798038103d269b633813fc60c\",\"spanid\":\"eee19b7ec3c1b174\",\"severity\":"
     "\"Info\","
     "\"attributes\":{\"a\":\"2\",\"z\":\"1\"},\"resources\":{\"host.name\":\"h\",\"service.instance.id\":\"i1\","
     "\"service.name\":\"cart\",\"service.namespace\":\"shop\"},\"instrumentation_scope\":{\"name\":\"lib\"}}"},
    {"hints choose labels and leave the line",
     LOGS("{\"timeUnixNano\":\"7\",\"body\":{\"stringValue\":\"hi\"},\"attributes\":[" ATTR(
         "loki.attribute.labels", "app.name, nope") "," ATTR("app.name", "web") "," ATTR("loki.resource.labels",
                                                                                         "host.name,service.name,"
                                                                                         "service.namespace,service."
                                                                                         "instance.id") "]}"),
     "{app_name=\"web\",exporter=\"OTLP\",host_name=\"h\",instance=\"i1\",job=\"shop/cart\",service_instance_id=\"i1\","
     "service_name=\"cart\",service_namespace=\"shop\"}",
     "{\"body\":\"hi\",\"instrumentation_scope\":{\"name\":\"lib\"}}"},
    {"raw, with a tenant",
     LOGS("{\"timeUnixNano\":\"7\",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"intValue\":\"5\"}"
          "}]}},"
          "\"attributes\":[" ATTR("loki.format", "raw") "," ATTR("loki.tenant", "t") "," ATTR("t", "team-a") "]}"),
     "{__tenant_id__=\"team-a\",exporter=\"OTLP\",instance=\"i1\",job=\"shop/cart\"}", "{\"k\":5}"},
    {"logfmt",
     LOGS("{\"timeUnixNano\":\"7\",\"body\":{\"stringValue\":\"say "
          "\\\"hi\\\"\"},\"severityText\":\"W\",\"attributes\":[" ATTR("loki.format", "logfmt") "," ATTR(
              "a b", "x") ",{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"n\",\"value\":{"
                          "\"boolValue\":true}}]}}}]}"),
     "{exporter=\"OTLP\",instance=\"i1\",job=\"shop/cart\"}",
     "msg=\"say \\\"hi\\\"\" severity=W attribute_ab=x attribute_m_n=true resource_service.name=cart "
     "resource_service.namespace=shop resource_service.instance.id=i1 resource_host.name=h "
     "instrumentation_scope_name=lib"},
};

static void log_records_become_entries_as_in_the_collector(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(logs); i++) {
        struct otlp_to_loki_result result;
        struct seen seen = {0};
        struct otlp_batch *in = batch_of(OTLP_LOGS, logs[i].json, &seen);
        struct log_batch *out = NULL;
        struct error err = {0};
        struct buf labels;

        assert_int_equal(otlp_to_loki(in, "conv", 1, &out, &result, &err), OK);
        assert_int_equal(out->n, 1);
        assert_int_equal(out->entries[0].ts_ns, 7);
        labels_text(out->base.labels[out->entries[0].labels], &labels);
        if (!slice_eq_str(buf_slice(&labels), logs[i].labels) || !slice_eq_str(out->entries[0].line, logs[i].line))
            fail_msg("%s: got %.*s\n%.*s", logs[i].name, SLICE_ARG(buf_slice(&labels)),
                     SLICE_ARG(out->entries[0].line));
        batch_settle(&out->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
        assert_int_equal(seen.result.acked, 1);
        buf_release(&labels);
        batch_unref(&in->base);
        batch_unref(&out->base);
    }
}

static void an_unknown_format_drops_the_record_alone(void **state)
{
    struct otlp_to_loki_result result;
    struct seen seen = {0};
    struct otlp_batch *in = batch_of(OTLP_LOGS,
                                     LOGS("{\"body\":{\"stringValue\":\"a\"},\"attributes\":[" ATTR(
                                         "loki.format", "xml") "]},{\"body\":{\"stringValue\":\"b\"}}"),
                                     &seen);
    struct log_batch *out = NULL;
    struct error err = {0};

    (void)state;
    assert_int_equal(otlp_to_loki(in, "conv", 1, &out, &result, &err), OK);
    assert_int_equal(result.dropped_invalid, 1);
    assert_int_equal(out->n, 1);
    assert_true(out->entries[0].ts_ns > 0);
    batch_settle(&out->base, "x", SETTLED_DURABLE, DROP_RULE, NULL);
    assert_int_equal(seen.result.dropped, 1);
    assert_int_equal(seen.result.durable, 1);
    batch_unref(&in->base);
    batch_unref(&out->base);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_become_the_samples_the_specification_says),
        cmocka_unit_test(options_switch_labels_and_suffixes),
        cmocka_unit_test(names_and_units),
        cmocka_unit_test(exponential_histograms_become_native_ones),
        cmocka_unit_test(log_records_become_entries_as_in_the_collector),
        cmocka_unit_test(an_unknown_format_drops_the_record_alone),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
