#include "exporters/loki/write/write.h"
#include "exporters/prometheus/remote_write/remote_write.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

extern const struct component_type component_loki_write, component_loki_echo, component_prometheus_remote_write,
    component_otelcol_exporter_otlp, component_otelcol_exporter_otlphttp, component_otelcol_exporter_debug;

static const struct component_type *const sinks[] = {
    &component_loki_write,
    &component_loki_echo,
    &component_prometheus_remote_write,
    &component_otelcol_exporter_otlp,
    &component_otelcol_exporter_otlphttp,
    &component_otelcol_exporter_debug,
};

static void tables_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sinks / sizeof sinks[0]; i++) {
        struct error err = {0};

        if (river_block_check(sinks[i]->args, &err) != OK)
            fail_msg("%s: %s", sinks[i]->name, err.text);
        assert_true(sinks[i]->is_sink);
        assert_non_null(sinks[i]->close);
    }
}

static const struct river_block *block_of(const struct river_block *type, const char *name)
{
    for (const struct river_field *f = type->fields; f->name != NULL || f->kind == RIVER_FLATTEN; f++)
        if (f->name != NULL && strcmp(f->name, name) == 0)
            return f->block;
    return NULL;
}

/* Alloy's documented defaults. */
static void defaults_are_alloys(void **state)
{
    struct loki_endpoint_args loki;
    struct rw_endpoint_args rw;
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    assert_int_equal(river_defaults(&arena, block_of(&loki_write_block, "endpoint"), &loki), OK);
    assert_int_equal(loki.batch_wait_ns, NS_PER_S);
    assert_int_equal(loki.batch_size, 1024 * 1024);
    assert_int_equal(loki.remote_timeout_ns, 10ll * NS_PER_S);
    assert_int_equal(loki.min_backoff_ns, 500ll * NS_PER_MS);
    assert_int_equal(loki.max_backoff_ns, 300ll * NS_PER_S);
    assert_int_equal(loki.max_backoff_retries, 10);
    assert_false(loki.has_max_backoff_retries);
    assert_true(loki.retry_on_http_429);
    assert_true(loki.http.follow_redirects);
    assert_true(loki.http.enable_http2);
    assert_int_equal(river_defaults(&arena, block_of(&remote_write_block, "endpoint"), &rw), OK);
    assert_int_equal(rw.remote_timeout_ns, 30ll * NS_PER_S);
    assert_true(rw.send_exemplars);
    assert_false(rw.send_native_histograms);
    assert_false(rw.http.enable_http2);
    assert_true(rw.http.follow_redirects);
    assert_int_equal(rw.queue.max_samples_per_send, 2000);
    assert_int_equal(rw.queue.max_shards, 50);
    assert_int_equal(rw.queue.batch_send_deadline_ns, 5ll * NS_PER_S);
    assert_int_equal(rw.queue.min_backoff_ns, 30ll * NS_PER_MS);
    assert_int_equal(rw.queue.max_backoff_ns, 5ll * NS_PER_S);
    assert_true(rw.metadata.send);
    assert_int_equal(rw.metadata.send_interval_ns, 60ll * NS_PER_S);
    arena_release(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(defaults_are_alloys),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
