/* The small otelcol components: processor.batch, processor.memory_limiter, exporter.loki, exporter.prometheus,
 * auth.basic, auth.bearer. */
#include "agent/runtime/otel_auth.h"
#include "tests/unit/components/harness.h"

extern const struct component_type component_otelcol_auth_basic;
extern const struct component_type component_otelcol_auth_bearer;
extern const struct component_type component_otelcol_exporter_loki;
extern const struct component_type component_otelcol_exporter_prometheus;
extern const struct component_type component_otelcol_processor_batch;
extern const struct component_type component_otelcol_processor_memory_limiter;

/* test.auth { handler = … }: hands the capsule to the test. */
static struct otel_auth *handler;

struct auth_args {
    void *handler;
};

static enum code auth_create(void **out, struct host *host, const void *args, struct error *err)
{
    (void)host;
    (void)err;
    handler = ((const struct auth_args *)args)->handler;
    *out = mem_zalloc(1);
    return OK;
}

static const struct river_field auth_fields[] = {
    {.name = "handler",
     .kind = RIVER_CAPSULE,
     .offset = offsetof(struct auth_args, handler),
     .capsule = &capsule_otel_auth,
     .doc = "what is tested"},
    RIVER_FIELDS_END,
};
static const struct river_block auth_block = {
    .name = "test.auth", .fields = auth_fields, .size = sizeof(struct auth_args), .doc = "for tests"};
static const struct component_type test_auth = {
    .name = "test.auth", .doc = "for tests", .args = &auth_block, .create = auth_create, .close = bench_close};

static const struct component_type *const types[] = {&component_otelcol_auth_basic,
                                                     &component_otelcol_auth_bearer,
                                                     &component_otelcol_exporter_loki,
                                                     &component_otelcol_exporter_prometheus,
                                                     &component_otelcol_processor_batch,
                                                     &component_otelcol_processor_memory_limiter,
                                                     &test_auth,
                                                     NULL};

static const char five_spans[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"s\"}}]},"
    "\"scopeSpans\":[{\"spans\":["
    "{\"name\":\"n1\"},{\"name\":\"n2\"},{\"name\":\"n3\"},{\"name\":\"n4\"},{\"name\":\"n5\"}]}]}]}";

static size_t times(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static void load_chain(const char *type, const char *args)
{
    char text[2048];

    (void)snprintf(text, sizeof text,
                   "test.source.otlp \"s\" {\n forward_to = [%s.x.input]\n}\n%s \"x\" {\n%s\noutput {\n traces = "
                   "[test.otlp.o.receiver]\n}\n}\n"
                   "test.otlp \"o\" { }\n",
                   type, type, args);
    if (!bench_load(text))
        fail_msg("%s", bench.errors);
}

static void a_batch_is_cut_at_send_batch_max_size(void **state)
{
    static const struct {
        const char *args;
        size_t n_resources;
    } rows[] = {{"send_batch_size = 1\n send_batch_max_size = 2", 3},
                {"send_batch_size = 1\n send_batch_max_size = 5", 1},
                {"", 1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_begin(types);
        load_chain("otelcol.processor.batch", rows[i].args);
        bench_push_otlp(OTLP_TRACES, five_spans);
        assert_int_equal(bench.n_items, 5);
        assert_int_equal(times(bench_text(), "service.name"), rows[i].n_resources);
        for (char k = '1'; k <= '5'; k++)
            assert_int_equal(times(bench_text(), (char[]){'"', 'n', k, '"', '\0'}), 1);
        assert_int_equal(bench.last.acked, 5);
        bench_end();
    }
}

/* Exporters hold what nobody waits for as long, and until it is as large, as the batch processors before them say. */
static void exporters_learn_what_batch_was_asked_for(void **state)
{
    static const struct {
        const char *args;
        uint64_t send_items, max_items;
        int64_t timeout_ns;
    } rows[] = {
        {"", 2000, 3000, (int64_t)200 * NS_PER_MS},
        {"timeout = \"7s\"", 2000, 3000, (int64_t)7 * NS_PER_S},
        {"send_batch_size = 3", 3, 3000, (int64_t)200 * NS_PER_MS},
        {"send_batch_size = 3\n send_batch_max_size = 4", 3, 4, (int64_t)200 * NS_PER_MS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch_hint hint;

        bench_begin(types);
        load_chain("otelcol.processor.batch", rows[i].args);
        hint = host_batch_hint(bench.sink[RECEIVES_OTLP]);
        assert_int_equal(hint.send_items, rows[i].send_items);
        assert_int_equal(hint.max_items, rows[i].max_items);
        assert_int_equal(hint.timeout_ns, rows[i].timeout_ns);
        bench_end();
    }
}

static void over_the_limit_sources_are_refused(void **state)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    enum admission_answer answer = ADMIT;

    (void)state;
    bench_begin(types);
    load_chain("otelcol.processor.memory_limiter",
               "check_interval = \"10ms\"\n limit = \"2KiB\"\n spike_limit = \"1KiB\"");
    for (int i = 0; i < 2000 && answer == ADMIT; i++) {
        answer = admission_ask(host_admission(bench.host[RECEIVES_OTLP]), 0);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(answer, REFUSE_SINK);
    load_chain("otelcol.processor.memory_limiter",
               "check_interval = \"10ms\"\n limit = \"64GiB\"\n spike_limit = \"1KiB\"");
    for (int i = 0; i < 2000 && answer != ADMIT; i++) {
        answer = admission_ask(host_admission(bench.host[RECEIVES_OTLP]), 0);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(answer, ADMIT);
    bench_push_otlp(OTLP_TRACES, five_spans);
    assert_int_equal(bench.n_items, 5);
    assert_false(bench_load("otelcol.processor.memory_limiter \"x\" {\n check_interval = \"1s\"\n limit = \"1MiB\"\n "
                            "spike_limit = \"2MiB\"\n"
                            " output { }\n}\n"));
    bench_end();
}

static void log_records_become_entries(void **state)
{
    (void)state;
    bench_begin(types);
    if (!bench_load("test.source.otlp \"s\" {\n forward_to = [otelcol.exporter.loki.l.input]\n}\n"
                    "otelcol.exporter.loki \"l\" {\n forward_to = [test.logs.o.receiver]\n}\ntest.logs \"o\" { }\n"))
        fail_msg("%s", bench.errors);
    bench_push_otlp(OTLP_LOGS,
                    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
                    "\"stringValue\":\"shop\"}}]},"
                    "\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"5\",\"body\":{\"stringValue\":\"hello\"}},"
                    "{\"timeUnixNano\":\"6\",\"body\":{\"stringValue\":\"world\"}}]}]}]}");
    assert_int_equal(bench.n_items, 2);
    assert_non_null(strstr(bench_text(), "job=\"shop\""));
    assert_non_null(strstr(bench_text(), "hello"));
    assert_int_equal(bench.n_settled, 1);
    bench_forget();
    bench_push_otlp(OTLP_TRACES, five_spans); /* traces are no logs: dropped, counted, settled */
    assert_int_equal(bench.n_items, 0);
    assert_int_equal(bench.n_settled, 2);
    assert_int_equal(bench.last.dropped + bench.last.rejected, 5);
    bench_end();
}

static void data_points_become_samples(void **state)
{
    (void)state;
    bench_begin(types);
    if (!bench_load("test.source.otlp \"s\" {\n forward_to = [otelcol.exporter.prometheus.p.input]\n}\n"
                    "otelcol.exporter.prometheus \"p\" {\n forward_to = [test.metrics.o.receiver]\n}\ntest.metrics "
                    "\"o\" { }\n"))
        fail_msg("%s", bench.errors);
    bench_push_otlp(
        OTLP_METRICS,
        "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
        "\"shop\"}}]},"
        "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"queue.size\",\"unit\":\"By\",\"gauge\":{\"dataPoints\":["
        "{\"timeUnixNano\":\"1767225600000000000\",\"asInt\":\"5\",\"attributes\":[{\"key\":\"k\",\"value\":{"
        "\"stringValue\":\"v\"}}]}]}}]}]}]}");
    assert_non_null(strstr(bench_text(), "{__name__=\"queue_size_bytes\","));
    assert_non_null(strstr(bench_text(), "job=\"shop\""));
    assert_non_null(strstr(bench_text(), "k=\"v\""));
    assert_non_null(strstr(bench_text(), "} 5 1767225600000\n"));
    assert_int_equal(bench.n_settled, 1);
    bench_end();
}

/* --- auth
 * ---------------------------------------------------------------------------------------------------------------- */

static struct slice header(void *self, const char *name)
{
    return strcmp(name, "authorization") == 0 ? slice_str(self) : (struct slice){0};
}

static bool is_let_in(const char *authorization)
{
    const struct otel_request request = {header, (void *)(uintptr_t)authorization};
    struct error err = {0};

    return handler->verify(handler->self, &request, &err) == OK;
}

static void credentials_are_checked_and_sent(void **state)
{
    static const struct {
        const char *river, *sent;
        struct {
            const char *given;
            bool is_right;
        } requests[10];
    } rows[] = {
        /* RFC 7617's example */
        {"otelcol.auth.basic \"a\" {\n username = \"Aladdin\"\n password = \"open sesame\"\n}\ntest.auth \"t\" {\n "
         "handler = otelcol.auth.basic.a.handler\n}\n",
         "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
         {{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true},
          {"basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true},
          {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", false},
          {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==", false},
          {"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", false},
          {"Basic ", false},
          {"", false}}},
        {"otelcol.auth.bearer \"a\" {\n token = \"t0ken\"\n}\ntest.auth \"t\" {\n handler = "
         "otelcol.auth.bearer.a.handler\n}\n",
         "Bearer t0ken",
         {{"Bearer t0ken", true},
          {"Bearer t0kem", false},
          {"Bearer t0ken1", false},
          {"t0ken", false},
          {"Bearer ", false},
          {"", false}}},
        {"otelcol.auth.bearer \"a\" {\n token = \"t0ken\"\n scheme = \"Token\"\n}\ntest.auth \"t\" {\n handler = "
         "otelcol.auth.bearer.a.handler\n}\n",
         "Token t0ken",
         {{"Token t0ken", true}, {"Bearer t0ken", false}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct otel_headers headers = {0};
        struct error err = {0};
        struct arena arena;

        bench_begin(types);
        if (!bench_load(rows[i].river))
            fail_msg("%s", bench.errors);
        arena_init(&arena, 0);
        headers.arena = &arena;
        assert_int_equal(handler->add_headers(handler->self, &headers, &err), OK);
        assert_int_equal(headers.n, 1);
        assert_true(slice_eq_str(headers.items[0].name, "authorization"));
        assert_true(slice_eq_str(headers.items[0].value, rows[i].sent));
        arena_release(&arena);
        for (size_t k = 0; k < 10 && rows[i].requests[k].given != NULL; k++)
            if (is_let_in(rows[i].requests[k].given) != rows[i].requests[k].is_right)
                fail_msg("%zu: \"%s\"", i, rows[i].requests[k].given);
        bench_end();
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_cut_at_send_batch_max_size),
        cmocka_unit_test(exporters_learn_what_batch_was_asked_for),
        cmocka_unit_test(over_the_limit_sources_are_refused),
        cmocka_unit_test(log_records_become_entries),
        cmocka_unit_test(data_points_become_samples),
        cmocka_unit_test(credentials_are_checked_and_sent),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
