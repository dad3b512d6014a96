#include "agent/base/metrics.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void assert_page(struct metrics *m, const char *want)
{
    struct buf page;

    buf_init(&page, 1 << 20);
    assert_int_equal(metrics_write(m, &page), OK);
    if (!slice_eq_str(buf_slice(&page), want))
        fail_msg("got:\n%.*swant:\n%s", SLICE_ARG(buf_slice(&page)), want);
    buf_release(&page);
}

/* Text format 0.0.4: families in order of name, HELP and TYPE first, values escaped. */
static void the_page_is_the_text_format(void **state)
{
    struct metrics *m = metrics_new();
    struct metric_label labels[] = {{"component_id", "loki.write.x"}, {"reason", "a\"b\\c\nd"}};
    struct metric *dropped = metrics_counter(m, "z_dropped_total", "Lost \\ items,\nall.", labels, 2);
    struct metric *held = metrics_gauge(m, "a_held", "Items held.", NULL, 0);

    (void)state;
    metric_add(dropped, 2);
    metric_inc(dropped);
    metric_set(held, -0.25);
    assert_page(m, "# HELP a_held Items held.\n"
                   "# TYPE a_held gauge\n"
                   "a_held -0.25\n"
                   "# HELP z_dropped_total Lost \\\\ items,\\nall.\n"
                   "# TYPE z_dropped_total counter\n"
                   "z_dropped_total{component_id=\"loki.write.x\",reason=\"a\\\"b\\\\c\\nd\"} 3\n");
    metric_unref(dropped);
    metric_unref(held);
    metrics_free(m);
}

static void histograms_are_cumulative(void **state)
{
    static const double bounds[] = {0.1, 1, 10};
    static const double values[] = {0.05, 0.1, 0.5, 5, 50, 1};
    struct metric_label label = {"op", "x"};
    struct metrics *m = metrics_new();
    struct metric *h = metrics_histogram(m, "d_seconds", "Time.", bounds, 3, &label, 1);

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        metric_observe(h, values[i]);
    assert_page(m, "# HELP d_seconds Time.\n"
                   "# TYPE d_seconds histogram\n"
                   "d_seconds_bucket{op=\"x\",le=\"0.1\"} 2\n" /* a bound belongs to its bucket */
                   "d_seconds_bucket{op=\"x\",le=\"1\"} 4\n"
                   "d_seconds_bucket{op=\"x\",le=\"10\"} 5\n"
                   "d_seconds_bucket{op=\"x\",le=\"+Inf\"} 6\n"
                   "d_seconds_sum{op=\"x\"} 56.649999999999999\n"
                   "d_seconds_count{op=\"x\"} 6\n");
    assert_true(metric_value(h) == 6);
    metric_unref(h);
    metrics_free(m);
}

static void special_values_are_written_as_the_format_says(void **state)
{
    struct metrics *m = metrics_new();
    struct metric *g = metrics_gauge(m, "g", "G.", NULL, 0);

    (void)state;
    metric_set(g, NAN);
    assert_page(m, "# HELP g G.\n# TYPE g gauge\ng NaN\n");
    metric_set(g, INFINITY);
    assert_page(m, "# HELP g G.\n# TYPE g gauge\ng +Inf\n");
    metric_set(g, -INFINITY);
    assert_page(m, "# HELP g G.\n# TYPE g gauge\ng -Inf\n");
    metric_set(g, 1e300);
    assert_page(m, "# HELP g G.\n# TYPE g gauge\ng 1.0000000000000001e+300\n");
    metric_set(g, 9007199254740991);
    assert_page(m, "# HELP g G.\n# TYPE g gauge\ng 9007199254740991\n");
    metric_unref(g);
    metrics_free(m);
}

static void equal_labels_share_a_series_until_the_last_goes(void **state)
{
    struct metric_label label = {"id", "x"};
    struct metrics *m = metrics_new();
    struct metric *first = metrics_counter(m, "c_total", "C.", &label, 1);
    struct metric *second = metrics_counter(m, "c_total", "C.", &label, 1);

    (void)state;
    assert_ptr_equal(first, second);
    metric_inc(first);
    metric_inc(second);
    metric_unref(first);
    assert_page(m, "# HELP c_total C.\n# TYPE c_total counter\nc_total{id=\"x\"} 2\n");
    metric_unref(second);
    assert_page(m, "");
    metric_unref(NULL);
    metrics_free(m);
}

static double answer(void *self)
{
    return *(double *)self;
}

static void functions_are_asked_when_the_page_is_written(void **state)
{
    double value = 7;
    struct metrics *m = metrics_new();
    struct metric *f = metrics_func(m, "f", "F.", false, answer, &value, NULL, 0);

    (void)state;
    assert_page(m, "# HELP f F.\n# TYPE f gauge\nf 7\n");
    value = 8;
    assert_page(m, "# HELP f F.\n# TYPE f gauge\nf 8\n");
    metric_unref(f);
    assert_page(m, "");
    metrics_free(m);
}

static void a_family_has_a_bounded_number_of_series(void **state)
{
    enum { TOO_MANY = LIMIT_METRIC_SERIES_PER_FAMILY + 50 };
    struct metric **all = mem_array(TOO_MANY, sizeof(struct metric *));
    struct metrics *m = metrics_new();
    struct buf page;
    size_t lines = 0;
    char name[16];

    (void)state;
    for (int i = 0; i < TOO_MANY; i++) {
        struct metric_label label = {"tenant", name};

        (void)snprintf(name, sizeof name, "t%d", i);
        all[i] = metrics_counter(m, "t_total", "T.", &label, 1);
        metric_inc(all[i]);
    }
    assert_true(metric_value(all[TOO_MANY - 1]) == 50);
    buf_init(&page, LIMIT_METRICS_PAGE_BYTES);
    assert_int_equal(metrics_write(m, &page), OK);
    for (size_t i = 0; i < page.len; i++)
        lines += page.ptr[i] == '\n';
    assert_int_equal(lines, LIMIT_METRIC_SERIES_PER_FAMILY + 1 + 2);
    assert_true(slice_find_slice(buf_slice(&page), SLICE_LIT("t_total{overflow=\"true\"} 50\n")) < page.len);
    buf_release(&page);
    for (int i = 0; i < TOO_MANY; i++)
        metric_unref(all[i]);
    assert_page(m, "");
    mem_free(all);
    metrics_free(m);
}

static void a_page_that_does_not_fit_ends_at_a_line(void **state)
{
    struct metrics *m = metrics_new();
    struct metric *g = metrics_gauge(m, "a_name_of_some_length", "Help.", NULL, 0);
    struct buf page;

    (void)state;
    buf_init(&page, 70);
    assert_int_equal(metrics_write(m, &page), FULL);
    assert_true(page.len > 0);
    assert_int_equal(page.ptr[page.len - 1], '\n');
    buf_release(&page);
    metric_unref(g);
    metrics_free(m);
}

static void *count_to_ten_thousand(void *self)
{
    struct metrics *m = self;

    for (int i = 0; i < 100; i++) {
        struct metric *c = metrics_counter(m, "n_total", "N.", NULL, 0);

        for (int k = 0; k < 100; k++)
            metric_inc(c);
        metric_unref(c);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    struct metrics *m = metrics_new();
    struct metric *c = metrics_counter(m, "n_total", "N.", NULL, 0);
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_to_ten_thousand, m), 0);
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    assert_true(metric_value(c) == 40000);
    metric_unref(c);
    metrics_free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_the_text_format),
        cmocka_unit_test(histograms_are_cumulative),
        cmocka_unit_test(special_values_are_written_as_the_format_says),
        cmocka_unit_test(equal_labels_share_a_series_until_the_last_goes),
        cmocka_unit_test(functions_are_asked_when_the_page_is_written),
        cmocka_unit_test(a_family_has_a_bounded_number_of_series),
        cmocka_unit_test(a_page_that_does_not_fit_ends_at_a_line),
        cmocka_unit_test(threads_lose_no_count),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
