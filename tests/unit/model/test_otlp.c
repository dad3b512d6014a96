/* Scan, cut, JSON both ways, decoding; protobuf-c is the independent reader. */
#include "testing.h"
#include "agent/base/limits.h"
#include "agent/model/otlp_decode.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "agent/model/otlp_write.h"

static const char traces_json[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"my."
    "service\"}}]},"
    "\"unknownKey\":{\"a\":[1,{}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\",\"version\":\"1.0\"},\"spans\":["
    "{\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\",\"parentSpanId\":\"\","
    "\"name\":\"I'm a server "
    "\\u0073pan\",\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":1544712661000000000,"
    "\"kind\":2,\"status\":{\"code\":\"STATUS_CODE_ERROR\"},\"attributes\":[{\"key\":\"i\",\"value\":{\"intValue\":\"-"
    "3\"}},"
    "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"boolValue\":false},{\"doubleValue\":0.5},{\"bytesValue\":"
    "\"AQI=\"}]}}},"
    "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"intValue\":7}}]}}}]},"
    "{\"name\":\"second\",\"droppedAttributesCount\":0,\"flags\":257,\"events\":null}]}],\"schemaUrl\":\"u\"}]}";

static const char metrics_json[] =
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"h\",\"unit\":\"s\",\"histogram\":{"
    "\"aggregationTemporality\":2,"
    "\"dataPoints\":[{\"count\":\"3\",\"sum\":0,\"bucketCounts\":[1,\"2\"],\"explicitBounds\":[10.5],\"min\":-1.5}]}},"
    "{\"name\":\"e\",\"exponentialHistogram\":{\"dataPoints\":[{\"scale\":-1,\"positive\":{\"offset\":-2,"
    "\"bucketCounts\":[\"300\",0]}}]}},"
    "{\"name\":\"g\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"0\"},{\"asDouble\":\"NaN\"},{\"asDouble\":\"-Infinity\"}]}"
    "}]}]}]}";

static enum code from_json(enum otlp_signal signal, const char *json, struct buf *out, struct error *err)
{
    struct arena scratch;
    enum code rc;

    arena_init(&scratch, 0);
    buf_init(out, 1 << 20);
    rc = otlp_json_read(signal, slice_str(json), &scratch, out, err);
    arena_release(&scratch);
    return rc;
}

static void json_becomes_the_protobuf_it_means(void **state)
{
    Otlp__ExportTraceServiceRequest *r;
    struct error err = {0};
    Otlp__Span *span;
    struct buf out;

    (void)state;
    if (from_json(OTLP_TRACES, traces_json, &out, &err) != OK)
        fail_msg("%s", err.text);
    r = otlp__export_trace_service_request__unpack(NULL, out.len, (const uint8_t *)out.ptr);
    assert_non_null(r);
    assert_string_equal(r->resource_spans[0]->schema_url, "u");
    assert_string_equal(r->resource_spans[0]->resource->attributes[0]->value->string_value, "my.service");
    assert_int_equal(r->resource_spans[0]->scope_spans[0]->n_spans, 2);
    span = r->resource_spans[0]->scope_spans[0]->spans[0];
    assert_string_equal(span->name, "I'm a server span");
    assert_int_equal(span->trace_id.len, 16);
    assert_memory_equal(span->trace_id.data, "\x5B\x8E\xFF\xF7\x98\x03\x81\x03\xD2\x69\xB6\x33\x81\x3F\xC6\x0C", 16);
    assert_int_equal(span->span_id.len, 8);
    assert_int_equal(span->parent_span_id.len, 0);
    assert_true(span->start_time_unix_nano == 1544712660000000000u);
    assert_true(span->end_time_unix_nano == 1544712661000000000u);
    assert_int_equal(span->status->code, OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
    assert_int_equal(span->attributes[0]->value->int_value, -3);
    assert_int_equal(span->attributes[1]->value->array_value->values[0]->value_case, OTLP__ANY_VALUE__VALUE_BOOL_VALUE);
    assert_int_equal(span->attributes[1]->value->array_value->values[2]->bytes_value.len, 2);
    assert_int_equal(r->resource_spans[0]->scope_spans[0]->spans[1]->flags, 257);
    otlp__export_trace_service_request__free_unpacked(r, NULL);
    buf_release(&out);
}

/* Written again by protobuf-c it must be the same bytes, as far as the order of keys was that of the numbers. */
static void json_gives_the_bytes_protobuf_c_writes(void **state)
{
    Otlp__ExportMetricsServiceRequest *r;
    Otlp__HistogramDataPoint *h;
    struct error err = {0};
    uint8_t again[4096];
    struct buf out;
    size_t len;

    (void)state;
    if (from_json(OTLP_METRICS, metrics_json, &out, &err) != OK)
        fail_msg("%s", err.text);
    r = otlp__export_metrics_service_request__unpack(NULL, out.len, (const uint8_t *)out.ptr);
    assert_non_null(r);
    h = r->resource_metrics[0]->scope_metrics[0]->metrics[0]->histogram->data_points[0];
    assert_int_equal(h->n_bucket_counts, 2);
    assert_int_equal(h->bucket_counts[1], 2);
    assert_int_equal(h->has_sum_case, OTLP__HISTOGRAM_DATA_POINT__HAS_SUM_SUM);
    assert_true(h->explicit_bounds[0] == 10.5);
    assert_int_equal(r->resource_metrics[0]->scope_metrics[0]->metrics[1]->exponential_histogram->data_points[0]->scale,
                     -1);
    len = otlp__export_metrics_service_request__pack(r, again);
    assert_int_equal(len, otlp__export_metrics_service_request__get_packed_size(r));
    assert_int_equal(len, out.len); /* packed lists, no defaults: the same size whatever the order */
    otlp__export_metrics_service_request__free_unpacked(r, NULL);
    buf_release(&out);
}

static void wrong_json_names_the_field(void **state)
{
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"[]", "not a JSON object"},
        {"{\"resourceSpans\":{}}", "resource_spans: expected a list"},
        {"{\"resourceSpans\":[1]}", "resource_spans: expected an object"},
        {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"xyz\"}]}]}]}",
         "trace_id: expected an id in hex"},
        {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"name\":5}]}]}]}", "Span.name: expected text"},
        {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"kind\":\"SPAN\"}]}]}]}", "Span.kind"},
        {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"flags\":4294967296}]}]}]}", "Span.flags"},
        {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"startTimeUnixNano\":\"-1\"}]}]}]}",
         "start_time_unix_nano"},
        {"{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"value\":{\"bytesValue\":\"*\"}}]}}]}",
         "bytes_value: expected base64"},
        {"{\"resourceSpans\":[]} x", ""},
        {"{\"resourceSpans\":[", ""},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct error err = {0};
        struct buf out;

        assert_int_equal(from_json(OTLP_TRACES, rows[i].json, &out, &err), INVALID);
        assert_int_equal(out.len, 0);
        if (strstr(err.text, rows[i].want) == NULL || err.text[0] == '\0')
            fail_msg("row %zu: %s", i, err.text);
        buf_release(&out);
    }
}

static void json_writes_back_what_it_read(void **state)
{
    struct otlp_batch *b = otlp_batch_new(OTLP_TRACES);
    struct error err = {0};
    struct buf out, again, text;

    (void)state;
    assert_int_equal(from_json(OTLP_TRACES, traces_json, &out, &err), OK);
    assert_int_equal(otlp_scan(b, buf_slice(&out), &err), OK);
    buf_init(&text, 1 << 20);
    (void)buf_add_str(&text, "{\"resourceSpans\":[");
    assert_int_equal(otlp_json_write(OTLP_TRACES, b->resources[0].bytes, &text), OK);
    (void)buf_add_str(&text, "]}");
    (void)buf_add_char(&text, '\0');
    assert_non_null(strstr(text.ptr, "\"traceId\":\"5b8efff798038103d269b633813fc60c\""));
    assert_non_null(strstr(text.ptr, "\"startTimeUnixNano\":\"1544712660000000000\""));
    assert_non_null(strstr(text.ptr, "{\"boolValue\":false}"));
    assert_int_equal(from_json(OTLP_TRACES, text.ptr, &again, &err), OK);
    buf_reset(&text);
    assert_int_equal(
        otlp_json_write(OTLP_TRACES, slice_from(buf_slice(&again), again.len - b->resources[0].bytes.len), &text), OK);
    assert_int_equal(again.len, out.len);
    buf_release(&out);
    buf_release(&again);
    buf_release(&text);
    batch_unref(&b->base);
}

/* key_value with an any_value nested `depth` lists deep, as the attribute of a resource. */
static void nested(struct buf *out, unsigned depth)
{
    size_t marks[400];
    unsigned n = 0;

    buf_init(out, 1 << 20);
    marks[n++] = pb_open(out, 1); /* ResourceSpans */
    marks[n++] = pb_open(out, 1); /* Resource */
    marks[n++] = pb_open(out, 1); /* KeyValue */
    marks[n++] = pb_open(out, 2); /* AnyValue */
    for (unsigned i = 0; i < depth; i++) {
        marks[n++] = pb_open(out, 5);
        marks[n++] = pb_open(out, 1);
    }
    while (n-- > 0)
        pb_close(out, marks[n]);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    /* request, ResourceSpans, Resource, KeyValue, AnyValue are 5 levels; each list adds two */
    for (unsigned depth = 28; depth <= 31; depth++) {
        struct otlp_batch *b = otlp_batch_new(OTLP_TRACES);
        bool is_fine = 5 + 2 * depth <= LIMIT_PROTOBUF_DEPTH;
        struct error err = {0};
        struct buf out;

        nested(&out, depth);
        assert_int_equal(otlp_scan(b, buf_slice(&out), &err), is_fine ? OK : INVALID);
        if (!is_fine)
            assert_non_null(strstr(err.text, "nested too deep"));
        buf_release(&out);
        batch_unref(&b->base);
    }
}

static void what_does_not_scan_changes_nothing(void **state)
{
    static const struct {
        struct slice body;
        const char *want;
    } rows[] = {
        {{"\x0a\x02\x12\x05", 4}, "broken framing"},
        {{"\x08\x01", 2}, "wrong wire type"},
        {{"\x0a\x03\x1a\x01\xff", 5}, "ResourceSpans.schema_url: invalid UTF-8"},
        {{"\x0a\x02\x18\x01", 4}, "ResourceSpans.schema_url: wrong wire type"},
        {{"\x0a\x07\x12\x05\x12\x03\x0a\x01"
          "a",
          9},
         "Span.trace_id: a trace id must have 16 bytes"},
        {{"\x0a\x07\x12\x05\x12\x03\x12\x01"
          "a",
          9},
         "Span.span_id: a span id must have 8 bytes"},
        {{"\x0a\x00\x0b", 3}, "broken framing at byte"},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct otlp_batch *b = otlp_batch_new(OTLP_TRACES);
        struct error err = {0};

        assert_int_equal(otlp_scan(b, rows[i].body, &err), INVALID);
        assert_int_equal(b->n, 0);
        assert_int_equal(b->n_items, 0);
        if (strstr(err.text, rows[i].want) == NULL)
            fail_msg("row %zu: %s", i, err.text);
        batch_unref(&b->base);
    }
}

/* A resource with 3 scopes; metrics: 2 metrics each. Every item is named by its number. Returns the items. */
static uint32_t make_resource(enum otlp_signal signal, struct buf *out)
{
    uint32_t n = 0;
    size_t resource, pair, scope, metric = 0, data = 0, item;

    buf_init(out, 1 << 20);
    resource = pb_open(out, 1);
    pair = pb_open(out, 1);
    pb_put_bytes(out, 1, SLICE_LIT("k"));
    pb_close(out, pair);
    pb_close(out, resource);
    for (unsigned s = 0; s < 3; s++) {
        unsigned metrics = signal == OTLP_METRICS ? 2 : 1;

        scope = pb_open(out, 2);
        for (unsigned m = 0; m < metrics; m++) {
            if (signal == OTLP_METRICS) {
                metric = pb_open(out, 2);
                pb_put_bytes(out, 1, SLICE_LIT("name"));
                data = pb_open(out, 7);
                pb_put_u64(out, 2, 2);
            }
            for (unsigned i = 0; i < 5; i++) {
                item = pb_open(out, signal == OTLP_METRICS ? 1 : 2);
                pb_put_fixed64(out, signal == OTLP_METRICS ? 3 : signal == OTLP_LOGS ? 1 : 7, ++n);
                pb_close(out, item);
            }
            if (signal == OTLP_METRICS) {
                pb_put_u64(out, 3, 1); /* after the points: is_monotonic */
                pb_close(out, data);
                pb_close(out, metric);
            }
        }
        pb_put_bytes(out, 3, SLICE_LIT("scope schema"));
        pb_close(out, scope);
    }
    pb_put_bytes(out, 3, SLICE_LIT("schema"));
    return n;
}

static uint64_t check_metrics(struct arena *a, struct slice piece, uint64_t next, uint32_t *n)
{
    const Otlp__ResourceMetrics *r = otlp_decode_metrics(a, piece);

    assert_non_null(r);
    assert_string_equal(r->schema_url, "schema");
    for (size_t s = 0; s < r->n_scope_metrics; s++) {
        assert_string_equal(r->scope_metrics[s]->schema_url, "scope schema");
        for (size_t m = 0; m < r->scope_metrics[s]->n_metrics; m++) {
            const Otlp__Metric *metric = r->scope_metrics[s]->metrics[m];

            assert_string_equal(metric->name, "name");
            assert_int_equal(metric->data_case, OTLP__METRIC__DATA_SUM);
            assert_int_equal(metric->sum->aggregation_temporality, 2);
            assert_true(metric->sum->is_monotonic);
            assert_true(metric->sum->n_data_points > 0);
            for (size_t i = 0; i < metric->sum->n_data_points; i++, ++*n)
                assert_int_equal(metric->sum->data_points[i]->time_unix_nano, ++next);
        }
    }
    return next;
}

static uint64_t check_spans(struct arena *a, struct slice piece, uint64_t next, uint32_t *n)
{
    const Otlp__ResourceSpans *r = otlp_decode_spans(a, piece);

    assert_non_null(r);
    assert_string_equal(r->schema_url, "schema");
    for (size_t s = 0; s < r->n_scope_spans; s++) {
        assert_string_equal(r->scope_spans[s]->schema_url, "scope schema");
        for (size_t i = 0; i < r->scope_spans[s]->n_spans; i++, ++*n)
            assert_int_equal(r->scope_spans[s]->spans[i]->start_time_unix_nano, ++next);
    }
    return next;
}

static void pieces_hold_every_item_once_in_order(void **state)
{
    static const struct {
        uint32_t max_items;
        size_t max_bytes;
    } rows[] = {{1, 0}, {2, 0}, {4, 0}, {7, 0}, {1000, 0}, {0, 0}, {0, 120}, {3, 200}, {0, 1}};

    (void)state;
    for (unsigned signal = OTLP_TRACES; signal <= OTLP_METRICS; signal++)
        for (size_t i = 0; i < N_OF(rows); i++) {
            struct otlp_cut cut;
            struct buf in, out;
            uint32_t items = make_resource((enum otlp_signal)signal, &in), n, checked, sum = 0;
            uint64_t next = 0;

            otlp_cut_init(&cut, (enum otlp_signal)signal, buf_slice(&in));
            buf_init(&out, 1 << 20);
            for (;;) {
                struct arena a;
                uint32_t scanned = 0;

                buf_reset(&out);
                assert_int_equal(otlp_cut_next(&cut, rows[i].max_items, rows[i].max_bytes, &out, &n), OK);
                if (n == 0)
                    break;
                assert_true(rows[i].max_items == 0 || n <= rows[i].max_items);
                assert_true(rows[i].max_bytes == 0 || n == 1 || out.len <= rows[i].max_bytes);
                assert_int_equal(otlp_scan_resource((enum otlp_signal)signal, buf_slice(&out), &scanned, NULL), OK);
                assert_int_equal(scanned, n);
                checked = 0;
                arena_init(&a, 0);
                next = signal == OTLP_METRICS ? check_metrics(&a, buf_slice(&out), next, &checked)
                                              : check_spans(&a, buf_slice(&out), next, &checked);
                arena_release(&a);
                assert_int_equal(checked, n);
                sum += n;
            }
            assert_int_equal(sum, items);
            buf_release(&in);
            buf_release(&out);
        }
}

static void a_batch_is_cut_inside_one_resource(void **state)
{
    struct otlp_batch *b = otlp_batch_new(OTLP_METRICS);
    struct buf in, request;
    struct error err = {0};

    (void)state;
    assert_int_equal(make_resource(OTLP_METRICS, &in), 30);
    buf_init(&request, 1 << 20);
    assert_int_equal(otlp_request_add(&request, buf_slice(&in)), OK);
    assert_int_equal(otlp_request_add(&request, buf_slice(&in)), OK);
    assert_int_equal(request.len, 2 * otlp_request_size(buf_slice(&in)));
    assert_int_equal(otlp_scan(b, buf_slice(&request), &err), OK);
    assert_int_equal(b->n_items, 60);
    assert_int_equal(otlp_batch_cut(b, 8, 0), OK);
    assert_int_equal(b->n, 8);
    assert_int_equal(b->resources[3].n_items, 6);
    assert_int_equal(b->n_items, 60);
    buf_reset(&request);
    assert_int_equal(otlp_request_write(&request, b), OK);
    batch_unref(&b->base);
    b = otlp_batch_new(OTLP_METRICS);
    assert_int_equal(otlp_scan(b, buf_slice(&request), &err), OK);
    assert_int_equal(b->n_items, 60);
    batch_unref(&b->base);
    buf_release(&in);
    buf_release(&request);
}

static void answers_write_and_read(void **state)
{
    struct otlp_response r;
    struct otlp_status s;
    struct error err = {0};
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    assert_int_equal(otlp_response_write(&out, 0, SLICE_LIT("")), OK);
    assert_int_equal(out.len, 0);
    assert_int_equal(otlp_response_write(&out, 7, SLICE_LIT("why")), OK);
    assert_int_equal(otlp_response_read(buf_slice(&out), &r, &err), OK);
    assert_int_equal(r.rejected, 7);
    assert_slice(r.text, "why");
    assert_int_equal(otlp_response_read(SLICE_LIT("\x0a\x05"), &r, &err), INVALID);
    buf_reset(&out);
    assert_int_equal(otlp_json_response(OTLP_LOGS, 7, SLICE_LIT("w\"y"), &out), OK);
    assert_slice(buf_slice(&out), "{\"partialSuccess\":{\"rejectedLogRecords\":\"7\",\"errorMessage\":\"w\\\"y\"}}");
    buf_reset(&out);
    assert_int_equal(otlp_status_write(&out, 8, SLICE_LIT("slow down"), 1500), OK);
    assert_int_equal(otlp_status_read(buf_slice(&out), &s, &err), OK);
    assert_int_equal(s.code, 8);
    assert_slice(s.message, "slow down");
    assert_int_equal(s.retry_delay_ms, 1500);
    buf_reset(&out);
    assert_int_equal(otlp_json_status(3, SLICE_LIT("bad"), &out), OK);
    assert_slice(buf_slice(&out), "{\"code\":3,\"message\":\"bad\"}");
    buf_release(&out);
}

static void decoding_keeps_unknown_fields_and_edits_attributes(void **state)
{
    Otlp__ResourceSpans *r;
    struct otlp_attrs attrs;
    struct arena a;
    struct buf in;
    struct slice out;
    bool done;

    (void)state;
    buf_init(&in, 1000);
    {
        size_t resource = pb_open(&in, 1), pair = pb_open(&in, 1), value;

        pb_put_bytes(&in, 1, SLICE_LIT("k"));
        value = pb_open(&in, 2);
        pb_put_bytes(&in, 1, SLICE_LIT("v"));
        pb_close(&in, value);
        pb_close(&in, pair);
        pb_close(&in, resource);
    }
    pb_put_bytes(&in, 999, SLICE_LIT("from the future"));
    arena_init(&a, 0);
    r = otlp_decode_spans(&a, buf_slice(&in));
    assert_non_null(r);
    out = otlp_encode(&a, &r->base);
    assert_true(slice_eq(out, buf_slice(&in)));
    attrs = OTLP_ATTRS(&a, r->resource);
    assert_string_equal(otlp_attrs_get(&attrs, SLICE_LIT("k"))->string_value, "v");
    assert_int_equal(otlp_attrs_insert(&attrs, SLICE_LIT("k"), otlp_value_int(&a, 1), &done), OK);
    assert_false(done);
    assert_int_equal(otlp_attrs_insert(&attrs, SLICE_LIT("n"), otlp_value_double(&a, 0.25), &done), OK);
    assert_true(done);
    assert_int_equal(otlp_attrs_set(&attrs, SLICE_LIT("k"), otlp_value_string(&a, SLICE_LIT("new"))), OK);
    assert_int_equal(otlp_attrs_set(&attrs, SLICE_LIT("b"), otlp_value_bool(&a, true)), OK);
    assert_true(otlp_attrs_delete(&attrs, SLICE_LIT("b")));
    assert_false(otlp_attrs_delete(&attrs, SLICE_LIT("b")));
    r = otlp_decode_spans(&a, otlp_encode(&a, &r->base));
    buf_reset(&in);
    attrs = OTLP_ATTRS(&a, r->resource);
    assert_int_equal(otlp_attrs_json(&attrs, &in), OK);
    assert_slice(buf_slice(&in), "{\"k\":\"new\",\"n\":0.25}");
    arena_release(&a);
    buf_release(&in);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_becomes_the_protobuf_it_means),
        cmocka_unit_test(json_gives_the_bytes_protobuf_c_writes),
        cmocka_unit_test(wrong_json_names_the_field),
        cmocka_unit_test(json_writes_back_what_it_read),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(what_does_not_scan_changes_nothing),
        cmocka_unit_test(pieces_hold_every_item_once_in_order),
        cmocka_unit_test(a_batch_is_cut_inside_one_resource),
        cmocka_unit_test(answers_write_and_read),
        cmocka_unit_test(decoding_keeps_unknown_fields_and_edits_attributes),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
