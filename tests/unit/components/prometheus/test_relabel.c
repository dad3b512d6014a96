/* prometheus.relabel (rules, cache, books) and prometheus.echo. */
#include "tests/unit/components/harness.h"

extern const struct component_type component_prometheus_relabel;
extern const struct component_type component_prometheus_echo;
static const struct component_type *const types[] = {&component_prometheus_echo, &component_prometheus_relabel, NULL};

static const char *config(const char *more)
{
    static char text[4096];

    (void)snprintf(text, sizeof text,
                   "test.source.metrics \"s\" {\n\tforward_to = [prometheus.relabel.r.receiver]\n}\n"
                   "prometheus.relabel \"r\" {\n%s\n"
                   "rule {\n source_labels = [\"__name__\"]\n regex = \"noise.*\"\n action = \"drop\"\n}\n"
                   "rule {\n source_labels = [\"pod\"]\n regex = \"(.*)-\\\\d+\"\n target_label = \"app\"\n}\n"
                   "rule {\n regex = \"tmp\"\n action = \"labeldrop\"\n}\n"
                   "forward_to = [test.metrics.m.receiver]\n}\ntest.metrics \"m\" { }\n",
                   more);
    return text;
}

static double metric(const char *name)
{
    struct buf page;
    struct slice rest, line, value;
    double v = -1;

    buf_init(&page, 4 << 20);
    runtime_write_metrics(bench.rt, &page);
    rest = buf_slice(&page);
    while (rest.len != 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        if (slice_starts(line, slice_str(name)) && line.len > strlen(name) && line.ptr[strlen(name)] == '{') {
            (void)slice_cut(slice_from(line, slice_find(line, '}')), ' ', &line, &value);
            assert_true(slice_to_f64(value, &v));
        }
    }
    buf_release(&page);
    return v;
}

static void series_are_relabelled_dropped_and_remembered(void **state)
{
    static const char *const series[] = {"__name__=a,pod=web-1,tmp=x", "__name__=noise_1", "__name__=b",
                                         "__name__=a,pod=web-1,tmp=x"};
    static const char want[] = "{__name__=\"a\",app=\"web\",pod=\"web-1\"} 1 1\n{__name__=\"b\"} 3 3\n"
                               "{__name__=\"a\",app=\"web\",pod=\"web-1\"} 4 4\n--\n";

    (void)state;
    bench_begin(types);
    if (!bench_load(config("")))
        fail_msg("%s", bench.errors);
    bench_push_samples(series, 4);
    assert_string_equal(bench_text(), want);
    assert_int_equal(bench.last.dropped, 1);
    assert_int_equal(bench.last.acked, 3);
    assert_true(metric("prometheus_relabel_cache_misses") == 3);
    assert_true(metric("prometheus_relabel_cache_hits") == 1);
    assert_true(metric("prometheus_relabel_cache_size") == 3);
    bench_forget();
    bench_push_samples(series, 4);
    assert_string_equal(bench_text(), want); /* from the cache: what was dropped stays dropped */
    assert_true(metric("prometheus_relabel_cache_misses") == 3);
    assert_true(metric("prometheus_relabel_metrics_processed") == 8);
    assert_true(metric("prometheus_relabel_metrics_written") == 6);
    bench_end();
}

static void a_small_cache_stays_small_and_right(void **state)
{
    char text[300][64];
    const char *series[300];
    char want[128];

    (void)state;
    for (int i = 0; i < 300; i++) {
        (void)snprintf(text[i], sizeof text[i], "__name__=a,pod=w%d-1", i);
        series[i] = text[i];
    }
    bench_begin(types);
    assert_true(bench_load(config("max_cache_size = 1")));
    for (int round = 0; round < 2; round++) {
        bench_forget();
        bench_push_samples(series, 300);
        for (int i = 0; i < 300; i++) {
            (void)snprintf(want, sizeof want, "{__name__=\"a\",app=\"w%d\",pod=\"w%d-1\"} %d %d\n", i, i, i + 1, i + 1);
            if (strstr(bench_text(), want) == NULL)
                fail_msg("%s", want);
        }
    }
    assert_true(metric("prometheus_relabel_cache_size") <= 64);
    bench_end();
}

static void echo_counts_and_acknowledges(void **state)
{
    static const char *const series[] = {"__name__=a", "__name__=b"};

    (void)state;
    bench_begin(types);
    assert_true(bench_load(
        "test.source.metrics \"s\" {\n forward_to = [prometheus.echo.e.receiver]\n}\nprometheus.echo \"e\" { }\n"));
    bench_push_samples(series, 2);
    assert_int_equal(bench.last.acked, 2);
    assert_true(metric("prometheus_echo_samples_total") == 2);
    bench_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_are_relabelled_dropped_and_remembered),
        cmocka_unit_test(a_small_cache_stays_small_and_right),
        cmocka_unit_test(echo_counts_and_acknowledges),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
