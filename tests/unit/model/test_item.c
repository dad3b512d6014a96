/* Items as named fields. */
#include "agent/model/item.h"
#include "agent/model/native_histogram.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "tests/unit/model/testing.h"
#include <math.h>

static struct {
    struct arena arena;
    struct buf text; /* kind name=text name={a=b} per item, a line each */
} at;

static int begin(void **state)
{
    (void)state;
    arena_init(&at.arena, 0);
    buf_init(&at.text, 1 << 16);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_release(&at.text);
    arena_release(&at.arena);
    return 0;
}

static enum code write_down(void *ctx, const struct item *item)
{
    (void)ctx;
    buf_add_str(&at.text, item_kind_name(item->kind));
    for (size_t i = 0; i < item->n; i++) {
        const struct item_field *f = &item->fields[i];

        assert_ptr_equal(item_field(item, f->name), f);
        buf_printf(&at.text, " %s=", f->name);
        if (!f->is_set) {
            buf_add(&at.text, f->text);
            continue;
        }
        for (size_t k = 0; k < f->n; k++)
            buf_printf(&at.text, "[%.*s=%.*s]", SLICE_ARG(f->pairs[k].name), SLICE_ARG(f->pairs[k].value));
    }
    buf_add_char(&at.text, '\n');
    return OK;
}

static void assert_items(const struct batch *b, const char *want)
{
    assert_int_equal(batch_each_item(b, &at.arena, write_down, NULL), OK);
    assert_slice(buf_slice(&at.text), want);
}

static void log_lines(void **state)
{
    const struct label meta[] = {{SLICE_LIT("z"), SLICE_LIT("1")}, {SLICE_LIT("a"), SLICE_LIT("2")}};
    struct log_batch *b = log_batch_new();
    uint32_t labels = batch_take_labels(&b->base, labels_of("job=web env=dev"));

    (void)state;
    assert_int_equal(log_batch_add(b, labels, 1500000000, SLICE_LIT("one"), meta, 2), OK);
    assert_int_equal(log_batch_add(b, labels, -1, SLICE_LIT(""), NULL, 0), OK);
    assert_items(&b->base, "log line=one labels=[env=dev][job=web] structured_metadata=[a=2][z=1] "
                           "timestamp=1970-01-01T00:00:01.5Z\n"
                           "log line= labels=[env=dev][job=web] structured_metadata= "
                           "timestamp=1969-12-31T23:59:59.999999999Z\n");
    batch_unref(&b->base);
}

static void samples(void **state)
{
    static const double values[] = {0.1, 1234567, NAN, INFINITY, -0.0};
    const struct native_histogram h = {.count = 3, .sum = 4.5};
    const uint64_t stale = STALE_NAN_BITS;
    struct sample_batch *b = sample_batch_new();
    struct sample s = {.labels = labels_of("__name__=up job=web")};

    (void)state;
    for (size_t i = 0; i < N_OF(values); i++) {
        s.value = values[i];
        s.ts_ms = (int64_t)i;
        assert_int_equal(sample_batch_add(b, &s), OK);
    }
    memcpy(&s.value, &stale, sizeof stale);
    assert_int_equal(sample_batch_add(b, &s), OK);
    s.kind = SAMPLE_HISTOGRAM;
    s.histogram = &h;
    assert_int_equal(sample_batch_add(b, &s), OK);
    assert_items(&b->base,
                 "sample name=up labels=[job=web] value=0.1 timestamp=1970-01-01T00:00:00Z\n"
                 "sample name=up labels=[job=web] value=1234567 timestamp=1970-01-01T00:00:00.001Z\n"
                 "sample name=up labels=[job=web] value=NaN timestamp=1970-01-01T00:00:00.002Z\n"
                 "sample name=up labels=[job=web] value=+Inf timestamp=1970-01-01T00:00:00.003Z\n"
                 "sample name=up labels=[job=web] value=-0 timestamp=1970-01-01T00:00:00.004Z\n"
                 "sample name=up labels=[job=web] value=stale timestamp=1970-01-01T00:00:00.004Z\n"
                 "sample name=up labels=[job=web] value=count=3 sum=4.5 timestamp=1970-01-01T00:00:00.004Z\n");
    labels_unref(s.labels);
    batch_unref(&b->base);
}

static struct otlp_batch *otlp(enum otlp_signal signal, const char *json)
{
    struct otlp_batch *b = otlp_batch_new(signal);
    struct error err = {0};
    struct buf bytes;

    buf_init(&bytes, 1 << 16);
    if (otlp_json_read(signal, slice_str(json), &at.arena, &bytes, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(otlp_scan(b, arena_copy(&b->base.arena, buf_slice(&bytes)), &err), OK);
    buf_release(&bytes);
    return b;
}

static void spans(void **state)
{
    struct otlp_batch *b = otlp(
        OTLP_TRACES, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"s\",\"value\":{\"stringValue\":"
                     "\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"lib\"},\"spans\":[{\"traceId\":"
                     "\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"b7ad6b7169203331\",\"name\":\"GET\","
                     "\"kind\":2,\"status\":{\"code\":2},\"attributes\":[{\"key\":\"z\",\"value\":{\"intValue\":"
                     "\"200\"}},{\"key\":\"a\",\"value\":{\"boolValue\":true}}]},{\"name\":\"x\"}]}]}]}");

    (void)state;
    assert_items(&b->base, "span name=GET kind=server trace_id=0af7651916cd43dd8448eb211c80319c "
                           "span_id=b7ad6b7169203331 parent_span_id= status=error attributes=[a=true][z=200] "
                           "resource=[s=shop] scope=lib\n"
                           "span name=x kind=unspecified trace_id= span_id= parent_span_id= status=unset attributes= "
                           "resource=[s=shop] scope=lib\n");
    batch_unref(&b->base);
}

static void points(void **state)
{
    struct otlp_batch *b =
        otlp(OTLP_METRICS,
             "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":["
             "{\"name\":\"g\",\"unit\":\"s\",\"gauge\":{\"dataPoints\":[{\"asDouble\":0.5},{\"asInt\":\"7\"}]}},"
             "{\"name\":\"c\",\"sum\":{\"dataPoints\":[{\"asInt\":\"7\",\"attributes\":[{\"key\":\"k\",\"value\":"
             "{\"stringValue\":\"v\"}}]}]}},"
             "{\"name\":\"h\",\"histogram\":{\"dataPoints\":[{\"count\":\"3\",\"sum\":4.5}]}},"
             "{\"name\":\"e\",\"exponentialHistogram\":{\"dataPoints\":[{\"count\":\"2\",\"sum\":1}]}},"
             "{\"name\":\"q\",\"summary\":{\"dataPoints\":[{\"count\":\"1\",\"sum\":9}]}}]}]}]}");

    (void)state;
    assert_items(&b->base, "point name=g type=gauge unit=s value=0.5 attributes= resource= scope=\n"
                           "point name=g type=gauge unit=s value=7 attributes= resource= scope=\n"
                           "point name=c type=sum unit= value=7 attributes=[k=v] resource= scope=\n"
                           "point name=h type=histogram unit= value=count=3 sum=4.5 attributes= resource= scope=\n"
                           "point name=e type=exponential_histogram unit= value=count=2 sum=1 attributes= resource= "
                           "scope=\n"
                           "point name=q type=summary unit= value=count=1 sum=9 attributes= resource= scope=\n");
    batch_unref(&b->base);
}

static void records(void **state)
{
    struct otlp_batch *b =
        otlp(OTLP_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"1000000000\","
                        "\"severityText\":\"WARN\",\"body\":{\"stringValue\":\"hello\"}}]}]}]}");

    (void)state;
    assert_items(&b->base, "record line=hello severity=WARN trace_id= span_id= attributes= resource= scope= "
                           "timestamp=1970-01-01T00:00:01Z\n");
    batch_unref(&b->base);
}

static enum code refuse(void *ctx, const struct item *item)
{
    (void)item;
    ++*(unsigned *)ctx;
    return FULL;
}

static void it_ends_when_it_is_told_to(void **state)
{
    struct log_batch *b = log_batch_new();
    uint32_t labels = batch_take_labels(&b->base, labels_of("a=b"));
    unsigned n = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(log_batch_add(b, labels, 0, SLICE_LIT("x"), NULL, 0), OK);
    assert_int_equal(batch_each_item(&b->base, &at.arena, refuse, &n), FULL);
    assert_int_equal(n, 1);
    batch_unref(&b->base);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(log_lines, begin, end),
        cmocka_unit_test_setup_teardown(samples, begin, end),
        cmocka_unit_test_setup_teardown(spans, begin, end),
        cmocka_unit_test_setup_teardown(points, begin, end),
        cmocka_unit_test_setup_teardown(records, begin, end),
        cmocka_unit_test_setup_teardown(it_ends_when_it_is_told_to, begin, end),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
