/* discovery.relabel: which targets are left, and what of them (Prometheus: relabel_config). */
#include "tests/unit/components/harness.h"

extern const struct component_type component_discovery_relabel;
static const struct component_type *const types[] = {&component_discovery_relabel, NULL};

static void exports_are(const char *rules, const char *targets, const char *want)
{
    char text[4096], got[4096];
    size_t n = 0;

    (void)snprintf(text, sizeof text, "discovery.relabel \"r\" {\n targets = %s\n%s\n}\n", targets, rules);
    if (!bench_load(text))
        fail_msg("%s: %s", rules, bench.errors);
    for (const char *c = bench_page("discovery.relabel.r")->exports; *c != '\0' && n + 1 < sizeof got; c++)
        if (*c != ' ' && *c != '\t' && *c != '\n') /* the layout is the printer's */
            got[n++] = *c;
    got[n] = '\0';
    if (strstr(got, want) == NULL)
        fail_msg("%s: want %s in %s", rules, want, got);
}

static void targets_are_rewritten(void **state)
{
    (void)state;
    bench_begin(types);
    exports_are("", "[{__address__ = \"a:1\", x = \"\"}]", "\"output\":[{\"__address__\":\"a:1\"}]");
    exports_are("rule {\n source_labels = [\"x\"]\n regex = \"keep\"\n action = \"keep\"\n}",
                "[{a = \"1\", x = \"keep\"}, {a = \"2\", x = \"not\"}, {a = \"3\"}]",
                "\"output\":[{\"a\":\"1\",\"x\":\"keep\"}]");
    exports_are("rule {\n source_labels = [\"a\", \"b\"]\n regex = \"(.*);(.*)\"\n replacement = \"$2:$1\"\n "
                "target_label = \"c\"\n}\n"
                "rule {\n regex = \"a|b\"\n action = \"labeldrop\"\n}",
                "[{a = \"1\", b = \"2\"}]", "\"output\":[{\"c\":\"2:1\"}]");
    exports_are("rule {\n source_labels = [\"a\"]\n action = \"drop\"\n regex = \".*\"\n}",
                "[{a = \"1\"}, {b = \"2\"}]", "\"output\":[]");
    exports_are("rule {\n regex = \"__meta_(.*)\"\n action = \"labelmap\"\n}", "[{__meta_k = \"v\"}]",
                "\"output\":[{\"__meta_k\":\"v\",\"k\":\"v\"}]");
    bench_end();
}

static void dependents_see_each_change(void **state)
{
    static const char with[] = "discovery.relabel \"a\" {\n targets = [{x = \"%s\"}]\n}\n"
                               "discovery.relabel \"b\" {\n targets = discovery.relabel.a.output\n rule {\n "
                               "source_labels = [\"x\"]\n target_label = \"y\"\n}\n}\n";
    char text[1024];

    (void)state;
    bench_begin(types);
    (void)snprintf(text, sizeof text, with, "1");
    assert_true(bench_load(text));
    assert_non_null(strstr(bench_page("discovery.relabel.b")->exports, "\"1\""));
    (void)snprintf(text, sizeof text, with, "2");
    assert_true(bench_load(text));
    bench_settle();
    assert_non_null(strstr(bench_page("discovery.relabel.b")->exports, "\"2\""));
    assert_null(strstr(bench_page("discovery.relabel.b")->exports, "\"1\""));
    bench_end();
}

static void wrong_rules_are_refused(void **state)
{
    (void)state;
    bench_begin(types);
    assert_false(
        bench_load(
            "discovery.relabel \"r\" {\n targets = []\n rule {\n regex = \"(\"\n target_label = \"x\"\n}\n}\n") &&
        bench_page("discovery.relabel.r")->health == HEALTH_HEALTHY);
    assert_false(bench_load("discovery.relabel \"r\" {\n targets = []\n rule {\n action = \"nothing\"\n}\n}\n") &&
                 bench_page("discovery.relabel.r")->health == HEALTH_HEALTHY);
    bench_end();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_rewritten),
        cmocka_unit_test(dependents_see_each_change),
        cmocka_unit_test(wrong_rules_are_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
