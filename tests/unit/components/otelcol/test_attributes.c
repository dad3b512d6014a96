/* otelcol.processor.attributes: each action, include and exclude. Expectations: the Collector's attributes processor.
 */
#include "tests/unit/components/harness.h"

extern const struct component_type component_otelcol_processor_attributes;
static const struct component_type *const types[] = {&component_otelcol_processor_attributes, NULL};

#define STR(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INT(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define DBL(key, value) "{\"key\":\"" key "\",\"value\":{\"doubleValue\":" value "}}"
#define BOOL(key, value) "{\"key\":\"" key "\",\"value\":{\"boolValue\":" value "}}"
#define ACTION(text) "action {\n" text "\n}\n"

struct row {
    const char *name, *args, *in, *want; /* the attributes of one span */
};

static const char *config(const char *args)
{
    static char text[8192];

    (void)snprintf(text, sizeof text,
                   "test.source.otlp \"s\" {\n forward_to = [otelcol.processor.attributes.a.input]\n}\n"
                   "otelcol.processor.attributes \"a\" {\n%s\noutput {\n traces = [test.otlp.o.receiver]\n"
                   " logs = [test.otlp.o.receiver]\n metrics = [test.otlp.o.receiver]\n}\n}\ntest.otlp \"o\" { }\n",
                   args);
    return text;
}

static void run(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char json[4096], want[4096];

        bench_begin(types);
        if (!bench_load(config(rows[i].args)))
            fail_msg("%s: %s", rows[i].name, bench.errors);
        (void)snprintf(
            json, sizeof json,
            "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" STR(
                "service.name",
                "shop") "]},\"scopeSpans\":[{"
                        "\"scope\":{\"name\":\"lib\",\"version\":\"1.2\"},\"spans\":[{\"traceId\":"
                        "\"0102030405060708090a0b0c0d0e0f10\","
                        "\"spanId\":\"0102030405060708\",\"name\":\"GET /\",\"kind\":2,\"attributes\":[%s]}]}]}]}",
            rows[i].in);
        bench_push_otlp(OTLP_TRACES, json);
        (void)snprintf(want, sizeof want, "\"attributes\":[%s]", rows[i].want);
        if (rows[i].want[0] != '\0' ? strstr(bench_text(), want) == NULL
                                    : strstr(strstr(bench_text(), "spanId"), "attributes") != NULL)
            fail_msg("%s: want %s in\n%s", rows[i].name, want, bench_text());
        assert_int_equal(bench.last.acked, 1);
        bench_end();
    }
}
#define RUN(rows) run(rows, sizeof(rows) / sizeof *(rows))

static void actions_do_what_they_say(void **state)
{
    static const struct row rows[] = {
        {"insert", ACTION("key = \"b\"\n value = \"2\"\n action = \"insert\""), STR("a", "1"),
         STR("a", "1") "," STR("b", "2")},
        {"insert leaves what is there", ACTION("key = \"a\"\n value = \"2\"\n action = \"insert\""), STR("a", "1"),
         STR("a", "1")},
        {"update", ACTION("key = \"a\"\n value = 2\n action = \"update\""), STR("a", "1"), INT("a", "2")},
        {"update adds nothing", ACTION("key = \"b\"\n value = 2\n action = \"update\""), STR("a", "1"), STR("a", "1")},
        {"upsert there", ACTION("key = \"a\"\n value = 1.5\n action = \"upsert\""), STR("a", "1"), DBL("a", "1.5")},
        {"upsert not there", ACTION("key = \"b\"\n value = true\n action = \"upsert\""), STR("a", "1"),
         STR("a", "1") "," BOOL("b", "true")},
        {"from another", ACTION("key = \"b\"\n from_attribute = \"a\"\n action = \"insert\""), STR("a", "1"),
         STR("a", "1") "," STR("b", "1")},
        {"from one that is not there", ACTION("key = \"b\"\n from_attribute = \"z\"\n action = \"insert\""),
         STR("a", "1"), STR("a", "1")},
        {"delete", ACTION("key = \"a\"\n action = \"delete\""), STR("a", "1") "," STR("b", "2"), STR("b", "2")},
        {"delete the last", ACTION("key = \"a\"\n action = \"delete\""), STR("a", "1"), ""},
        {"delete by pattern", ACTION("pattern = \"^http\\\\.\"\n action = \"delete\""),
         STR("http.a", "1") "," STR("b", "2") "," STR("http.c", "3"), STR("b", "2")},
        {"hash a text", ACTION("key = \"a\"\n action = \"hash\""), STR("a", "abc"),
         STR("a", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")},
        {"hash a number", ACTION("key = \"a\"\n action = \"hash\""), INT("a", "1"),
         STR("a", "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8")},
        {"hash a boolean", ACTION("key = \"a\"\n action = \"hash\""), BOOL("a", "true"),
         STR("a", "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a")},
        {"extract", ACTION("key = \"u\"\n pattern = \"^(?P<proto>\\\\w+)://(?P<host>[^/]+)\"\n action = \"extract\""),
         STR("u", "http://h/p"), STR("u", "http://h/p") "," STR("proto", "http") "," STR("host", "h")},
        {"extract without a match", ACTION("key = \"u\"\n pattern = \"(?P<n>\\\\d+)\"\n action = \"extract\""),
         STR("u", "x"), STR("u", "x")},
        {"convert to int", ACTION("key = \"a\"\n converted_type = \"int\"\n action = \"convert\""), STR("a", "42"),
         INT("a", "42")},
        {"convert to double", ACTION("key = \"a\"\n converted_type = \"double\"\n action = \"convert\""),
         STR("a", "1.5"), DBL("a", "1.5")},
        {"convert to string", ACTION("key = \"a\"\n converted_type = \"string\"\n action = \"convert\""), INT("a", "7"),
         STR("a", "7")},
        {"what cannot be converted stays", ACTION("key = \"a\"\n converted_type = \"int\"\n action = \"convert\""),
         STR("a", "x1"), STR("a", "x1")},
        {"in order",
         ACTION("key = \"b\"\n from_attribute = \"a\"\n action = \"insert\"")
             ACTION("key = \"a\"\n action = \"delete\""),
         STR("a", "1"), STR("b", "1")},
    };

    (void)state;
    RUN(rows);
}

#define DEL ACTION("key = \"a\"\n action = \"delete\"")
#define ON STR("a", "1") "," STR("b", "2")
#define YES STR("b", "2")

static void only_what_matches_is_changed(void **state)
{
    static const struct row rows[] = {
        {"service, strict", "include {\n match_type = \"strict\"\n services = [\"other\", \"shop\"]\n}\n" DEL, ON, YES},
        {"service, not", "include {\n match_type = \"strict\"\n services = [\"sho\"]\n}\n" DEL, ON, ON},
        {"service, regexp", "include {\n match_type = \"regexp\"\n services = [\"sh.p\"]\n}\n" DEL, ON, YES},
        {"span name", "include {\n match_type = \"regexp\"\n span_names = [\"^GET\"]\n}\n" DEL, ON, YES},
        {"span kind", "include {\n match_type = \"strict\"\n span_kinds = [\"SPAN_KIND_SERVER\"]\n}\n" DEL, ON, YES},
        {"an attribute", "include {\n match_type = \"strict\"\n attribute {\n key = \"b\"\n value = \"2\"\n}\n}\n" DEL,
         ON, YES},
        {"an attribute that differs",
         "include {\n match_type = \"strict\"\n attribute {\n key = \"b\"\n value = \"3\"\n}\n}\n" DEL, ON, ON},
        {"a resource's",
         "include {\n match_type = \"regexp\"\n resource {\n key = \"service.name\"\n value = \"^shop$\"\n}\n}\n" DEL,
         ON, YES},
        {"a library",
         "include {\n match_type = \"strict\"\n library {\n name = \"lib\"\n version = \"1.2\"\n}\n}\n" DEL, ON, YES},
        {"a library's other version",
         "include {\n match_type = \"strict\"\n library {\n name = \"lib\"\n version = \"1.3\"\n}\n}\n" DEL, ON, ON},
        {"all conditions must hold",
         "include {\n match_type = \"strict\"\n services = [\"shop\"]\n span_names = [\"POST\"]\n}\n" DEL, ON, ON},
        {"exclude", "exclude {\n match_type = \"strict\"\n services = [\"shop\"]\n}\n" DEL, ON, ON},
        {"include without exclude's",
         "include {\n match_type = \"strict\"\n services = [\"shop\"]\n}\nexclude {\n match_type = \"strict\"\n"
         " span_names = [\"POST\"]\n}\n" DEL,
         ON, YES},
    };

    (void)state;
    RUN(rows);
}

static void log_records_and_data_points_are_changed_too(void **state)
{
    (void)state;
    bench_begin(types);
    assert_true(bench_load(config(
        "include {\n match_type = \"strict\"\n log_severity {\n min = \"WARN\"\n match_undefined = true\n}\n}\n" DEL)));
    bench_push_otlp(OTLP_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
                               "{\"severityNumber\":9,\"attributes\":[" STR(
                                   "a", "info") "]},"
                                                "{\"severityNumber\":17,\"attributes\":[" STR(
                                                    "a", "error") "]},"
                                                                  "{\"attributes\":[" STR("a", "none") "]}]}]}]}");
    assert_non_null(strstr(bench_text(), STR("a", "info")));
    assert_null(strstr(bench_text(), STR("a", "error")));
    assert_null(strstr(bench_text(), STR("a", "none")));
    bench_forget();
    bench_push_otlp(OTLP_METRICS,
                    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":["
                    "{\"asInt\":\"5\",\"attributes\":[" ON "]}]}}]}]}]}");
    assert_non_null(strstr(bench_text(), "\"attributes\":[" YES "]"));
    bench_end();
}

static void wrong_actions_are_refused(void **state)
{
    static const char *const wrong[] = {
        ACTION("key = \"a\"\n action = \"nothing\""),
        ACTION("key = \"a\"\n action = \"insert\""),
        ACTION("action = \"insert\"\n value = 1"),
        ACTION("key = \"a\"\n action = \"extract\"\n pattern = \"(x)\""),
        ACTION("key = \"a\"\n action = \"delete\"\n pattern = \"(\""),
        "include {\n match_type = \"glob\"\n services = [\"x\"]\n}\n" DEL,
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bench_begin(types);
        if (bench_load(config(wrong[i])) && bench_page("otelcol.processor.attributes.a")->health == HEALTH_HEALTHY)
            fail_msg("taken: %s", wrong[i]);
        bench_end();
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_do_what_they_say),
        cmocka_unit_test(only_what_matches_is_changed),
        cmocka_unit_test(log_records_and_data_points_are_changed_too),
        cmocka_unit_test(wrong_actions_are_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
