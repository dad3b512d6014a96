/* Loki push and remote write 1.0, read back by protobuf-c. */
#include "testing.h"
#include "agent/model/loki_write.h"
#include "agent/model/pbwire.h"
#include "agent/model/remote_write.h"
#include "proto/loki.pb-c.h"
#include "proto/remote_write.pb-c.h"

static void varints_have_ten_bytes_at_most(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, 1ull << 32, UINT64_MAX};
    struct pb_reader r;
    uint64_t v;

    (void)state;
    for (size_t i = 0; i < N_OF(values); i++) {
        char text[PB_VARINT_MAX];
        size_t len = (size_t)(pb_varint_to(text, values[i]) - text);

        assert_int_equal(len, pb_varint_size(values[i]));
        pb_reader_init(&r, slice_make(text, len));
        assert_true(pb_read_varint(&r, &v));
        assert_true(v == values[i]);
        pb_reader_init(&r, slice_make(text, len - 1));
        assert_false(pb_read_varint(&r, &v));
    }
    pb_reader_init(&r, SLICE_LIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"));
    assert_false(pb_read_varint(&r, &v));
    pb_reader_init(&r, SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_false(pb_read_varint(&r, &v));
    assert_true(pb_zigzag_decode(pb_zigzag_encode(INT64_MIN)) == INT64_MIN);
    assert_int_equal(pb_zigzag_encode(-1), 1);
}

static void broken_framing_is_seen(void **state)
{
    static const struct slice texts[] = {
        {"\x0a\x05"
         "abc",
         5},             /* longer than there is */
        {"\x00", 1},     /* field 0 */
        {"\x0b\x0c", 2}, /* a group */
        {"\x0d\x01", 2}, /* fixed32 cut short */
        {"\x09\x01\x02", 3},
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++) {
        struct pb_reader r;
        struct pb_field f;

        pb_reader_init(&r, texts[i]);
        assert_int_equal(pb_next(&r, &f), PB_BROKEN);
    }
}

static void nested_messages_get_their_shortest_length(void **state)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 128, 16380, 16384, 70000};
    static char fill[70000];

    (void)state;
    for (size_t i = 0; i < N_OF(lengths); i++) {
        struct pb_reader r;
        struct pb_field f;
        struct buf b;
        size_t outer, inner;

        buf_init(&b, 1 << 20);
        outer = pb_open(&b, 1);
        inner = pb_open(&b, 2);
        (void)buf_add(&b, slice_make(fill, lengths[i]));
        pb_close(&b, inner);
        pb_close(&b, outer);
        assert_int_equal(b.len, pb_bytes_size(1, pb_bytes_size(2, lengths[i])));
        pb_reader_init(&r, buf_slice(&b));
        assert_int_equal(pb_next(&r, &f), PB_FIELD);
        assert_int_equal(f.whole.len, b.len);
        buf_release(&b);
    }
}

static void a_push_request_reads_back(void **state)
{
    const struct label meta[] = {{SLICE_LIT("trace_id"), SLICE_LIT("abc")}, {SLICE_LIT("k"), SLICE_LIT("")}};
    const struct log_entry entries[] = {{1700000000123456789, SLICE_LIT("first"), 0, 2, meta},
                                        {-1, SLICE_LIT(""), 0, 0, NULL},
                                        {0, SLICE_LIT("x"), 0, 0, NULL}};
    const uint32_t index[] = {0, 1};
    const struct labels *l = labels_of("job=a app=b\"c");
    struct loki_push_count count;
    struct error err = {0};
    struct buf text, encoded, out;
    Loki__PushRequest *push;

    (void)state;
    buf_init(&text, 1000);
    buf_init(&encoded, 1000);
    buf_init(&out, 1000);
    assert_int_equal(loki_labels_write(l, &text), OK);
    assert_slice(buf_slice(&text), "{app=\"b\\\"c\", job=\"a\"}");
    assert_int_equal(loki_stream_write_entries(&out, buf_slice(&text), entries, index, 2), OK);
    assert_int_equal(loki_entry_write(&encoded, &entries[2]), OK);
    assert_int_equal(encoded.len, loki_entry_size(&entries[2]));
    assert_int_equal(loki_stream_write(&out, SLICE_LIT("{b=\"2\"}"), buf_slice(&encoded)), OK);
    assert_int_equal(out.len, loki_stream_size(text.len, loki_entry_size(&entries[0]) + loki_entry_size(&entries[1])) +
                                  loki_stream_size(7, encoded.len));
    push = loki__push_request__unpack(NULL, out.len, (const uint8_t *)out.ptr);
    assert_non_null(push);
    assert_int_equal(push->n_streams, 2);
    assert_string_equal(push->streams[0]->labels, "{app=\"b\\\"c\", job=\"a\"}");
    assert_int_equal(push->streams[0]->n_entries, 2);
    assert_int_equal(push->streams[0]->entries[0]->timestamp->seconds, 1700000000);
    assert_int_equal(push->streams[0]->entries[0]->timestamp->nanos, 123456789);
    assert_string_equal(push->streams[0]->entries[0]->line, "first");
    assert_string_equal(push->streams[0]->entries[0]->structured_metadata[0]->value, "abc");
    assert_int_equal(push->streams[0]->entries[1]->timestamp->seconds, -1);
    assert_int_equal(push->streams[0]->entries[1]->timestamp->nanos, 999999999);
    loki__push_request__free_unpacked(push, NULL);
    assert_int_equal(loki_push_count(buf_slice(&out), &count, &err), OK);
    assert_int_equal(count.streams, 2);
    assert_int_equal(count.entries, 3);
    assert_int_equal(count.line_bytes, 6);
    buf_release(&text);
    buf_release(&encoded);
    buf_release(&out);
    labels_unref(l);
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    const struct log_entry e = {1, SLICE_LIT("a line that does not fit"), 0, 0, NULL};
    struct buf out;

    (void)state;
    buf_init(&out, 20);
    (void)buf_add_str(&out, "old");
    assert_int_equal(loki_entry_write(&out, &e), FULL);
    assert_slice(buf_slice(&out), "old");
    buf_release(&out);
}

static void broken_push_requests_are_refused(void **state)
{
    static const struct slice bodies[] = {
        {"\x08\x01", 2},                                              /* streams as a varint */
        {"\x0a\x03\x0a\x01\xff", 5},                                  /* labels not UTF-8 */
        {"\x0a\x04\x12\x02\x0a\x05", 6},                              /* an entry cut short */
        {"\x0a\x06\x12\x04\x0a\x02\x10\xff", 8},                      /* a timestamp cut short */
        {"\x0a\x0b\x12\x09\x0a\x07\x10\x80\x94\xeb\xdc\x03\x00", 13}, /* 1e9 nanoseconds, then field 0 */
    };

    (void)state;
    for (size_t i = 0; i < N_OF(bodies); i++) {
        struct loki_push_count count;
        struct error err = {0};

        assert_int_equal(loki_push_count(bodies[i], &count, &err), INVALID);
        assert_true(err.text[0] != '\0');
    }
}

/* The grammar Loki's push endpoint takes: a stream selector with equality only. */
static void label_texts_are_parsed_as_loki_does(void **state)
{
    static const struct {
        const char *in, *want; /* NULL: INVALID */
    } rows[] = {
        {"{a=\"1\", b=\"2\"}", "{a=\"1\",b=\"2\"}"},
        {" { a = \"x\\\"y\\n\\u00e9\\x41\" , } ", "{a=\"x\\\"y\\néA\"}"},
        {"{a=`raw\\n`}", "{a=\"raw\\\\n\"}"},
        {"{}", "{}"},
        {"", NULL},
        {"{a=\"1\"", NULL},
        {"{a=\"1\" b=\"2\"}", NULL},
        {"{a=\"1\",a=\"2\"}", NULL},
        {"{a=~\"1\"}", NULL},
        {"{a=1}", NULL},
        {"{1a=\"1\"}", NULL},
        {"{a=\"\\q\"}", NULL},
        {"{a=\"1\"} x", NULL},
        {"{,}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct error err = {0};
        struct label *pairs;
        struct arena a;
        enum code rc;
        size_t n;

        arena_init(&a, 0);
        rc = loki_labels_parse(slice_str(rows[i].in), &a, &pairs, &n, &err);
        if ((rc == OK) != (rows[i].want != NULL))
            fail_msg("%s: %s", rows[i].in, rc == OK ? "was taken" : err.text);
        if (rc == OK) {
            const struct labels *l = labels_intern(pairs, n);

            assert_labels(l, rows[i].want);
            labels_unref(l);
        }
        arena_release(&a);
    }
}

static struct sample float_sample(double value, int64_t ts_ms)
{
    return (struct sample){.value = value, .ts_ms = ts_ms, .kind = SAMPLE_FLOAT};
}

static void write_series(struct buf *out, const char *labels, const struct sample *samples, size_t n)
{
    const struct labels *l = labels_of(labels);
    struct buf block;

    buf_init(&block, 1000);
    assert_int_equal(rw_labels_write(&block, l->pairs, l->n), OK);
    assert_int_equal(block.len, rw_labels_size(l->pairs, l->n));
    assert_int_equal(rw_series_write(out, buf_slice(&block), samples, n, true), OK);
    buf_release(&block);
    labels_unref(l);
}

static void a_write_request_reads_back(void **state)
{
    const struct label exemplar_labels[] = {{SLICE_LIT("trace_id"), SLICE_LIT("t")}};
    const struct exemplar exemplar = {exemplar_labels, 1, 0.5, 0};
    struct sample samples[2] = {float_sample(1.5, 1000), float_sample(0, -2000)};
    const struct metric_metadata meta = {SLICE_LIT("up"), SLICE_LIT("help"), SLICE_LIT("s"), METRIC_GAUGE};
    struct rw_count count;
    struct error err = {0};
    Prw__WriteRequest *w;
    struct buf out;

    (void)state;
    samples[0].exemplars = &exemplar;
    samples[0].n_exemplars = 1;
    buf_init(&out, 10000);
    write_series(&out, "job=z __name__=up a=1", samples, 2);
    assert_int_equal(rw_metadata_write(&out, &meta), OK);
    w = prw__write_request__unpack(NULL, out.len, (const uint8_t *)out.ptr);
    assert_non_null(w);
    assert_int_equal(w->n_timeseries, 1);
    assert_int_equal(w->timeseries[0]->n_labels, 3);
    assert_string_equal(w->timeseries[0]->labels[0]->name, "__name__");
    assert_string_equal(w->timeseries[0]->labels[1]->name, "a");
    assert_string_equal(w->timeseries[0]->labels[2]->value, "z");
    assert_true(w->timeseries[0]->samples[0]->value == 1.5);
    assert_int_equal(w->timeseries[0]->samples[1]->timestamp, -2000);
    assert_int_equal(w->timeseries[0]->exemplars[0]->timestamp, 1000);
    assert_string_equal(w->metadata[0]->unit, "s");
    assert_int_equal(w->metadata[0]->type, PRW__METRIC_METADATA__METRIC_TYPE__GAUGE);
    prw__write_request__free_unpacked(w, NULL);
    assert_int_equal(rw_count(buf_slice(&out), &count, &err), OK);
    assert_int_equal(count.series, 1);
    assert_int_equal(count.samples, 2);
    assert_int_equal(count.exemplars, 1);
    assert_int_equal(count.metadata, 1);
    buf_release(&out);
}

static void native_histograms_read_back(void **state)
{
    const struct histogram_span spans[] = {{-3, 2}, {4, 1}};
    const int64_t deltas[] = {5, -2, 1};
    const struct native_histogram h = {.schema = -2,
                                       .count = 13,
                                       .zero_count = 1,
                                       .sum = 2.5,
                                       .zero_threshold = 1e-128,
                                       .reset = HISTOGRAM_RESET_NO,
                                       .positive = {spans, deltas, NULL, 2, 3}};
    const struct sample s = {.kind = SAMPLE_HISTOGRAM, .histogram = &h, .ts_ms = 77};
    Prw__WriteRequest *w;
    Prw__Histogram *got;
    struct buf out;

    (void)state;
    buf_init(&out, 10000);
    write_series(&out, "__name__=h", &s, 1);
    w = prw__write_request__unpack(NULL, out.len, (const uint8_t *)out.ptr);
    assert_non_null(w);
    got = w->timeseries[0]->histograms[0];
    assert_int_equal(got->schema, -2);
    assert_int_equal(got->count_case, PRW__HISTOGRAM__COUNT_COUNT_INT);
    assert_int_equal(got->count_int, 13);
    assert_int_equal(got->zero_count_int, 1);
    assert_int_equal(got->n_positive_spans, 2);
    assert_int_equal(got->positive_spans[0]->offset, -3);
    assert_int_equal(got->positive_spans[1]->length, 1);
    assert_int_equal(got->n_positive_deltas, 3);
    assert_int_equal(got->positive_deltas[1], -2);
    assert_int_equal(got->n_negative_spans, 0);
    assert_int_equal(got->timestamp, 77);
    assert_int_equal(got->reset_hint, PRW__HISTOGRAM__RESET_HINT__NO);
    prw__write_request__free_unpacked(w, NULL);
    buf_release(&out);
}

static enum code sum_samples(void *ctx, const struct rw_series *s)
{
    struct label pairs[4];
    size_t n;

    assert_int_equal(rw_series_labels(s->bytes, pairs, 4, &n), OK);
    assert_slice(pairs[0].name, "__name__");
    *(uint64_t *)ctx += s->n_samples;
    return OK;
}

static void a_request_splits_by_series_without_loss(void **state)
{
    const struct sample samples[3] = {float_sample(1, 1), float_sample(2, 2), float_sample(3, 3)};
    struct buf out, part;
    struct error err = {0};
    uint64_t total = 0;
    char labels[32];

    (void)state;
    buf_init(&out, 100000);
    buf_init(&part, 100000);
    for (size_t i = 0; i < 10; i++) {
        (void)snprintf(labels, sizeof labels, "__name__=m i=%zu", i);
        write_series(&out, labels, samples, i % 3 + 1);
    }
    for (uint64_t first = 0; first < 10; first += 3) {
        buf_reset(&part);
        assert_int_equal(rw_split(buf_slice(&out), first, 3, &part, &err), OK);
        assert_int_equal(rw_each_series(buf_slice(&part), sum_samples, &total, &err), OK);
    }
    assert_int_equal(total, 19);
    assert_int_equal(rw_split(slice_head(buf_slice(&out), out.len - 1), 0, 3, &part, &err), INVALID);
    buf_release(&out);
    buf_release(&part);
}

static void labels_that_may_not_be_sent_are_named(void **state)
{
    static const struct {
        struct label pairs[2];
        size_t n;
        bool is_utf8, is_refused;
    } rows[] = {
        {{{{"__name__", 8}, {"a:b", 3}}, {{"x", 1}, {"1", 1}}}, 2, false, false},
        {{{{"__name__", 8}, {"a.b", 3}}}, 1, false, true},
        {{{{"__name__", 8}, {"a.b", 3}}}, 1, true, false},
        {{{{"x", 1}, {"1", 1}}, {{"__name__", 8}, {"a", 1}}}, 2, false, true},
        {{{{"x", 1}, {"1", 1}}}, 1, false, true},
        {{{{"__name__", 8}, {"a", 1}}, {{"__name__", 8}, {"b", 1}}}, 2, false, true},
        {{{{"__name__", 8}, {"a", 1}}, {{"x", 1}, {"", 0}}}, 2, false, true},
        {{{{"__name__", 8}, {"a", 1}}, {{"x.y", 3}, {"1", 1}}}, 2, false, true},
        {{{{"__name__", 8}, {"a", 1}}, {{"x", 1}, {"\xff", 1}}}, 2, true, true},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++)
        assert_int_equal(rw_labels_refusal(rows[i].pairs, rows[i].n, rows[i].is_utf8) != NULL, rows[i].is_refused);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_have_ten_bytes_at_most),
        cmocka_unit_test(broken_framing_is_seen),
        cmocka_unit_test(nested_messages_get_their_shortest_length),
        cmocka_unit_test(a_push_request_reads_back),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(broken_push_requests_are_refused),
        cmocka_unit_test(label_texts_are_parsed_as_loki_does),
        cmocka_unit_test(a_write_request_reads_back),
        cmocka_unit_test(native_histograms_read_back),
        cmocka_unit_test(a_request_splits_by_series_without_loss),
        cmocka_unit_test(labels_that_may_not_be_sent_are_named),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
