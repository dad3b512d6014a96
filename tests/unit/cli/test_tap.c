/* One readable line per item, which cannot drive a terminal. */
#include "agent/base/mem.h"
#include "agent/cli/tap.h"
#include "agent/model/batch_lines.h"
#include "agent/model/pbwire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void expect(const struct batch *b, const char *want, struct tap_counts counts)
{
    struct tap_counts got = {0};
    struct buf out;

    buf_init(&out, 65536);
    tap_write_batch(&out, b, false, &got);
    buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, want);
    assert_memory_equal(&got, &counts, sizeof got);
    buf_release(&out);
}

static void a_log_line_shows_time_labels_and_text(void **state)
{
    struct log_batch *b = log_batch_new();
    const struct label pairs[] = {{SLICE_LIT("app"), SLICE_LIT("x\033[2J")}, {SLICE_LIT("job"), SLICE_LIT("y")}};
    uint32_t labels = batch_take_labels(&b->base, labels_intern(pairs, 2));

    (void)state;
    assert_int_equal(log_batch_add(b, labels, 1767225600123000000, SLICE_LIT("a\tb\033]0;x\a\n"), NULL, 0), OK);
    expect(&b->base, "log    2026-01-01T00:00:00.123Z {app=\"x\\x1b[2J\", job=\"y\"} a\\tb\\x1b]0;x\\x07\\n\n",
           (struct tap_counts){.logs = 1});
    batch_unref(&b->base);
}

static void a_sample_shows_name_labels_and_value(void **state)
{
    struct sample_batch *b = sample_batch_new();
    const struct label pairs[] = {{SLICE_LIT("__name__"), SLICE_LIT("up")}, {SLICE_LIT("job"), SLICE_LIT("y")}};
    const struct labels *labels = labels_intern(pairs, 2);
    uint64_t stale = STALE_NAN_BITS;
    struct sample s = {.labels = labels, .ts_ms = 1, .value = 0.25};

    (void)state;
    assert_int_equal(sample_batch_add(b, &s), OK);
    memcpy(&s.value, &stale, sizeof stale);
    assert_int_equal(sample_batch_add(b, &s), OK);
    expect(&b->base, "metric up{job=\"y\"} 0.25\nmetric up{job=\"y\"} (stale)\n", (struct tap_counts){.samples = 2});
    batch_unref(&b->base);
    labels_unref(labels);
}

/* A ResourceSpans as the protocol describes it: resource 1 { attributes 1 { key 1, value 2 { string 1 } } },
 * scope_spans 2 { spans 2 { trace_id 1, name 5 } }. */
static void put_resource(struct buf *out, const char *service)
{
    size_t resource = pb_open(out, 1), attribute = pb_open(out, 1), value;

    pb_put_bytes(out, 1, SLICE_LIT("service.name"));
    value = pb_open(out, 2);
    pb_put_bytes(out, 1, slice_str(service));
    pb_close(out, value);
    pb_close(out, attribute);
    pb_close(out, resource);
}

static void a_span_shows_name_trace_and_service(void **state)
{
    struct otlp_batch *b = otlp_batch_new(OTLP_TRACES);
    struct buf bytes;
    size_t scope, span;

    (void)state;
    buf_init(&bytes, 4096);
    put_resource(&bytes, "shop");
    scope = pb_open(&bytes, 2);
    span = pb_open(&bytes, 2);
    pb_put_bytes(&bytes, 1, SLICE_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xff"));
    pb_put_bytes(&bytes, 5, SLICE_LIT("GET /"));
    pb_close(&bytes, span);
    pb_close(&bytes, scope);
    assert_int_equal(otlp_batch_add(b, buf_slice(&bytes), 1), OK);
    expect(&b->base, "span   GET / trace=0102030405060708090a0b0c0d0e0fff service=shop\n",
           (struct tap_counts){.spans = 1});
    batch_unref(&b->base);
    buf_release(&bytes);
}

static void an_otlp_log_record_shows_time_service_and_body(void **state)
{
    struct otlp_batch *b = otlp_batch_new(OTLP_LOGS);
    struct buf bytes;
    size_t scope, record, body;

    (void)state;
    buf_init(&bytes, 4096);
    put_resource(&bytes, "shop");
    scope = pb_open(&bytes, 2);
    record = pb_open(&bytes, 2);
    pb_put_fixed64(&bytes, 1, 1767225600123000000);
    body = pb_open(&bytes, 5);
    pb_put_bytes(&bytes, 1, SLICE_LIT("hello"));
    pb_close(&bytes, body);
    pb_close(&bytes, record);
    pb_close(&bytes, scope);
    assert_int_equal(otlp_batch_add(b, buf_slice(&bytes), 1), OK);
    expect(&b->base, "log    2026-01-01T00:00:00.123Z service=shop hello\n", (struct tap_counts){.logs = 1});
    batch_unref(&b->base);
    buf_release(&bytes);
}

static bool take_two(void *ctx, struct slice line)
{
    struct buf *all = ctx;

    buf_add(all, slice_head(line, 60));
    buf_printf(all, " (%zu)\n", line.len);
    return all->len < 100;
}

static void a_listener_gets_the_head_of_long_lines_until_it_has_enough(void **state)
{
    struct log_batch *b = log_batch_new();
    uint32_t labels = batch_take_labels(&b->base, labels_ref(labels_empty()));
    struct buf scratch, all;
    char *text = mem_zalloc(100000);

    (void)state;
    memset(text, 'x', 100000);
    for (int i = 0; i < 5; i++)
        assert_int_equal(log_batch_add(b, labels, 1767225600123000000, slice_make(text, 100000), NULL, 0), OK);
    buf_init(&scratch, 8192);
    buf_init(&all, 8192);
    batch_each_line(&scratch, &b->base, take_two, &all);
    buf_add_char(&all, '\0');
    assert_string_equal(all.ptr, "log    2026-01-01T00:00:00.123Z {} xxxxxxxxxxxxxxxxxxxxxxxxx (2083)\n"
                                 "log    2026-01-01T00:00:00.123Z {} xxxxxxxxxxxxxxxxxxxxxxxxx (2083)\n");
    buf_release(&scratch);
    buf_release(&all);
    mem_free(text);
    batch_unref(&b->base);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_line_shows_time_labels_and_text),
        cmocka_unit_test(a_sample_shows_name_labels_and_value),
        cmocka_unit_test(a_span_shows_name_trace_and_service),
        cmocka_unit_test(an_otlp_log_record_shows_time_service_and_body),
        cmocka_unit_test(a_listener_gets_the_head_of_long_lines_until_it_has_enough),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
