#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include "agent/delivery/reframe.h"
#include "agent/io/codec.h"
#include "agent/model/otlp_scan.h"
#include "agent/model/otlp_write.h"
#include "agent/model/pbwire.h"
#include "agent/model/remote_write.h"
#include "fake.h"
#include <cmocka.h>

/* ---- remote write: finding the bad ones ---- */

static struct endpoint *open_prometheus(struct fake *f, uint32_t max_items)
{
    const struct endpoint_cfg cfg = {
        .component = "prometheus.remote_write.test",
        .id = "prometheus.remote_write.test/a",
        .protocol = &protocol_prometheus,
        .batch_bytes = 1024 * 1024,
        .batch_wait_ms = 1000,
        .batch_items = max_items,
        .max_items = max_items,
        .backoff_min_ms = 30,
        .backoff_max_ms = 5000,
        .queue_bytes = 64 * 1024 * 1024,
        .max_in_flight = 1,
        .retry_on_429 = true,
    };
    struct delivery_env env = fake_env(f);

    return endpoint_new(&cfg, &env);
}

/* Series m{n="0"}, m{n="1"}, … with one sample each. */
static void put_samples(struct endpoint *e, unsigned n)
{
    struct record_writer w;

    endpoint_begin(e, (struct slice){0}, 1, 0, (struct slice){0}, &w);
    for (unsigned i = 0; i < n; i++) {
        char number[16];
        struct label pairs[] = {{SLICE_LIT("__name__"), SLICE_LIT("m")}, {SLICE_LIT("n"), {0}}};
        struct sample s = {.ts_ms = 1, .value = i, .kind = SAMPLE_FLOAT};
        struct buf block;

        snprintf(number, sizeof number, "%u", i);
        pairs[1].value = slice_str(number);
        buf_init(&block, 1024);
        assert_int_equal(rw_labels_write(&block, pairs, 2), OK);
        assert_int_equal(rw_series_write(w.out, buf_slice(&block), &s, 1, false), OK);
        assert_int_equal(endpoint_items(&w, NULL, 1), OK);
        buf_release(&block);
    }
    endpoint_end(&w);
}

struct arrived {
    unsigned n;
    bool is_bad_among;
    const bool *bad;
    bool *got;
    unsigned last_bad;
};

static enum code look(void *ctx, const struct rw_series *s)
{
    struct arrived *a = ctx;
    struct label pairs[4];
    size_t n;
    uint64_t number;

    assert_int_equal(rw_series_labels(s->bytes, pairs, 4, &n), OK);
    assert_int_equal(n, 2);
    assert_true(slice_to_u64(pairs[1].value, &number));
    a->n++;
    if (a->bad[number]) {
        a->is_bad_among = true;
        a->last_bad = (unsigned)number;
    }
    if (a->got != NULL) {
        assert_false(a->got[number]); /* never twice */
        a->got[number] = true;
    }
    return OK;
}

static void look_at(const struct fake *f, struct arrived *a)
{
    struct buf plain;

    buf_init(&plain, 16 * 1024 * 1024);
    assert_int_equal(codec_decompress(CODEC_SNAPPY, f->requests[0]->wire.body, &plain, NULL), OK);
    assert_int_equal(rw_each_series(buf_slice(&plain), look, a, NULL), OK);
    buf_release(&plain);
}

/* A Prometheus that refuses every request with a bad sample; names it or not. Returns how many requests it saw. */
static unsigned serve(struct fake *f, const bool *bad, bool *got, bool is_naming)
{
    unsigned requests = 0;

    while (f->n_requests != 0) {
        struct arrived a = {.bad = bad};
        char body[128] = "out of order sample";

        requests++;
        look_at(f, &a);
        if (!a.is_bad_among) {
            a.got = got;
            look_at(f, &a);
            fake_status(f, 0, 204, "", -1);
            continue;
        }
        if (is_naming)
            snprintf(body, sizeof body, "out of order sample for series {__name__=\"m\", n=\"%u\"}", a.last_bad);
        fake_status(f, 0, 400, body, -1);
    }
    return requests;
}

static void one_bad_sample_of_5000_costs_that_sample(void **state)
{
    static bool bad[5000], got[5000];

    (void)state;
    for (int is_naming = 0; is_naming < 2; is_naming++) {
        struct fake f;
        struct endpoint *e;
        struct endpoint_books b;

        memset(got, 0, sizeof got);
        memset(bad, 0, sizeof bad);
        bad[3217] = true;
        fake_init(&f, 1);
        e = open_prometheus(&f, 0);
        put_samples(e, 5000);
        fake_advance(&f, 1000);
        assert_true(serve(&f, bad, got, is_naming) <= (is_naming ? 2 : 40));
        for (unsigned i = 0; i < 5000; i++)
            assert_int_equal(got[i], !bad[i]);
        endpoint_books(e, &b);
        assert_int_equal(b.acknowledged, 4999);
        assert_int_equal(b.dropped[DROP_REJECTED], 1);
        assert_int_equal(b.queued, 0);
        endpoint_close(e, NULL, NULL);
        fake_run(&f);
    }
}

static void searching_ends_with_its_budget_and_says_unproven(void **state)
{
    static bool bad[4096], got[4096];
    struct fake f;
    struct endpoint *e;
    struct endpoint_books b;

    (void)state;
    memset(got, 0, sizeof got);
    for (unsigned i = 0; i < 4096; i += 2)
        bad[i] = true;
    fake_init(&f, 1);
    e = open_prometheus(&f, 0);
    put_samples(e, 4096);
    fake_advance(&f, 1000);
    assert_true(serve(&f, bad, got, false) < 300);
    endpoint_books(e, &b);
    assert_true(b.dropped[DROP_REJECTED_UNPROVEN] > 0);
    assert_int_equal(b.acknowledged + b.dropped[DROP_REJECTED] + b.dropped[DROP_REJECTED_UNPROVEN], 4096);
    assert_int_equal(b.queued_bytes, 0);
    endpoint_close(e, NULL, NULL);
    fake_run(&f);
}

static void max_items_is_never_exceeded(void **state)
{
    static const bool bad[1000];
    static bool got[1000];
    struct fake f;
    struct endpoint *e;
    unsigned requests = 0;

    (void)state;
    fake_init(&f, 1);
    e = open_prometheus(&f, 300);
    put_samples(e, 1000);
    fake_advance(&f, 1000);
    for (; f.n_requests != 0; requests++) {
        struct arrived a = {.bad = bad, .got = got};

        look_at(&f, &a);
        assert_true(a.n <= 300);
        fake_status(&f, 0, 204, "", -1);
    }
    assert_int_equal(requests, 4);
    endpoint_close(e, NULL, NULL);
    fake_run(&f);
}

/* ---- parting requests of every protocol ---- */

static void message(struct buf *out, uint32_t field, const struct buf *contents)
{
    pb_put_bytes(out, field, buf_slice(contents));
}

/* One ResourceMetrics with two metrics of three points each; the resource and both names must be in every part. */
static void make_points(struct buf *out)
{
    struct buf resource_metrics, scope_metrics, resource;

    buf_init(&resource_metrics, 4096);
    buf_init(&scope_metrics, 4096);
    buf_init(&resource, 4096);
    pb_put_u64(&resource, 2, 7); /* dropped_attributes_count, to be recognised */
    message(&resource_metrics, 1, &resource);
    for (uint32_t m = 0; m < 2; m++) {
        struct buf metric, gauge;

        buf_init(&metric, 4096);
        buf_init(&gauge, 4096);
        pb_put_bytes(&metric, 1, m == 0 ? SLICE_LIT("first") : SLICE_LIT("second"));
        for (uint32_t i = 0; i < 3; i++) {
            struct buf point;

            buf_init(&point, 100);
            pb_put_fixed64(&point, 3, m * 10 + i);
            message(&gauge, 1, &point);
            buf_release(&point);
        }
        message(&metric, 5, &gauge);
        message(&scope_metrics, 2, &metric);
        buf_release(&metric);
        buf_release(&gauge);
    }
    message(&resource_metrics, 2, &scope_metrics);
    message(out, 1, &resource_metrics);
    buf_release(&resource_metrics);
    buf_release(&scope_metrics);
    buf_release(&resource);
}

static uint32_t scan_items(struct slice request)
{
    struct otlp_batch *b = otlp_batch_new(OTLP_METRICS);
    struct error err = {0};
    uint32_t n;

    if (otlp_scan(b, request, &err) != OK)
        fail_msg("%s", err.text);
    n = b->n_items;
    batch_unref(&b->base);
    return n;
}

static bool holds(struct slice s, const char *text)
{
    return slice_find_slice(s, slice_str(text)) < s.len;
}

static void data_points_are_parted_inside_one_metric(void **state)
{
    struct buf request, head, rest;

    (void)state;
    buf_init(&request, 4096);
    make_points(&request);
    assert_int_equal(scan_items(buf_slice(&request)), 6);
    for (uint32_t n = 1; n < 6; n++) {
        buf_init(&head, 4096);
        buf_init(&rest, 4096);
        assert_int_equal(reframe_cut(buf_slice(&request), &reframe_otlp_points, n, &head, &rest), OK);
        assert_int_equal(scan_items(buf_slice(&head)), n); /* read by the scanner, which does not share this code */
        assert_int_equal(scan_items(buf_slice(&rest)), 6 - n);
        assert_int_equal(holds(buf_slice(&head), "second"), n > 3);
        assert_int_equal(holds(buf_slice(&rest), "first"), n < 3);
        assert_true(holds(buf_slice(&head), "\x0a\x02\x10\x07")); /* the resource stands in both */
        assert_true(holds(buf_slice(&rest), "\x0a\x02\x10\x07"));
        buf_release(&head);
        buf_release(&rest);
    }
    buf_release(&request);
}

static void removing_items_leaves_the_others(void **state)
{
    struct buf request, out;

    (void)state;
    buf_init(&request, 4096);
    make_points(&request);
    for (uint32_t first = 0; first < 6; first++) {
        buf_init(&out, 4096);
        assert_int_equal(reframe_remove(buf_slice(&request), &reframe_otlp_points, first, 1, &out), OK);
        assert_int_equal(scan_items(buf_slice(&out)), 5);
        buf_release(&out);
    }
    buf_init(&out, 4096);
    assert_int_equal(reframe_remove(buf_slice(&request), &reframe_otlp_points, 0, 3, &out), OK);
    assert_false(holds(buf_slice(&out), "first"));
    buf_release(&out);
    buf_release(&request);
}

static void broken_bytes_are_not_parted(void **state)
{
    struct buf head, rest;
    uint32_t n;

    (void)state;
    buf_init(&head, 4096);
    buf_init(&rest, 4096);
    assert_int_equal(reframe_count(SLICE_LIT("\x0a\x7f"), &reframe_loki, &n), CORRUPT);
    assert_int_equal(reframe_cut(SLICE_LIT("\x0a\x03\x12\x7f\x01"), &reframe_loki, 1, &head, &rest), CORRUPT);
    buf_release(&head);
    buf_release(&rest);
}

static void otlp_partial_success_is_counted(void **state)
{
    struct wire_response response = {.result = WIRE_ANSWERED, .is_grpc = true, .retry_after_ms = -1};
    struct retry_answer a;
    struct buf body;

    (void)state;
    buf_init(&body, 1000);
    assert_int_equal(otlp_response_write(&body, 3, SLICE_LIT("too old")), OK);
    response.body = buf_slice(&body);
    protocol_otlp_grpc.classify(&response, 10, true, &a);
    assert_int_equal(a.verdict, VERDICT_PARTIAL);
    assert_int_equal(a.n_rejected, 3);
    assert_string_equal(a.text, "too old");
    response.is_grpc = false;
    response.status = 200;
    protocol_otlp_http.classify(&response, 2, true, &a);
    assert_int_equal(a.verdict, VERDICT_PARTIAL);
    assert_int_equal(a.n_rejected, 2); /* never more than were sent */
    response.body = (struct slice){0};
    protocol_otlp_http.classify(&response, 2, true, &a);
    assert_int_equal(a.verdict, VERDICT_ACK);
    buf_release(&body);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_bad_sample_of_5000_costs_that_sample),
        cmocka_unit_test(searching_ends_with_its_budget_and_says_unproven),
        cmocka_unit_test(max_items_is_never_exceeded),
        cmocka_unit_test(data_points_are_parted_inside_one_metric),
        cmocka_unit_test(removing_items_leaves_the_others),
        cmocka_unit_test(broken_bytes_are_not_parted),
        cmocka_unit_test(otlp_partial_success_is_counted),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
