/* hyagent test, tested: what passes, what fails with which words, and what cannot be run. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/cli/registry.h"
#include "agent/cli/test_run.h"
#include "agent/cli/test_tables.h"
#include "agent/runtime/dry_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char config[] =
    "loki.source.file \"f\" {\n"
    "  targets = discovery.relabel.t.output\n"
    "  forward_to = [loki.process.p.receiver]\n"
    "}\n"
    "discovery.docker \"d\" {\n  host = \"unix:///nowhere\"\n}\n"
    "discovery.relabel \"t\" {\n"
    "  targets = discovery.docker.d.targets\n"
    "  rule {\n    source_labels = [\"__meta_name\"]\n    target_label = \"name\"\n  }\n"
    "}\n"
    "local.file \"word\" {\n  filename = \"/nowhere/word\"\n}\n"
    "loki.process \"p\" {\n"
    "  stage.multiline {\n    firstline = \"^\\\\d\"\n    max_wait_time = \"3s\"\n  }\n"
    "  stage.drop {\n    expression = \"noise\"\n  }\n"
    "  stage.static_labels {\n    values = {word = local.file.word.content, env = sys.env(\"WHERE\")}\n  }\n"
    "  forward_to = [loki.write.w.receiver]\n"
    "}\n"
    "loki.write \"w\" {\n  endpoint {\n    url = \"http://127.0.0.1:1/\"\n  }\n}\n"
    "prometheus.scrape \"s\" {\n"
    "  targets = [{\"__address__\" = \"h:80\", \"zone\" = \"z\"}]\n"
    "  forward_to = [prometheus.relabel.r.receiver]\n"
    "}\n"
    "prometheus.scrape \"h\" {\n"
    "  targets = [{\"__address__\" = \"h:80\", \"zone\" = \"z\", job = \"j\"}]\n"
    "  honor_labels = true\n  forward_to = [prometheus.relabel.r.receiver]\n"
    "}\n"
    "prometheus.relabel \"r\" {\n"
    "  rule {\n    source_labels = [\"__name__\"]\n    regex = \"go_.*\"\n    action = \"drop\"\n  }\n"
    "  forward_to = [prometheus.remote_write.w.receiver]\n"
    "}\n"
    "prometheus.remote_write \"w\" {\n  endpoint {\n    url = \"http://127.0.0.1:1/\"\n  }\n}\n"
    "otelcol.receiver.otlp \"o\" {\n"
    "  grpc { }\n"
    "  output {\n    traces = [otelcol.processor.attributes.a.input]\n  }\n"
    "}\n"
    "otelcol.processor.attributes \"a\" {\n"
    "  action {\n    key = \"secret\"\n    action = \"delete\"\n  }\n"
    "  output {\n    traces = [otelcol.exporter.otlp.t.input]\n  }\n"
    "}\n"
    "otelcol.exporter.otlp \"t\" {\n  client {\n    endpoint = \"127.0.0.1:1\"\n  }\n}\n"
    "declare \"again\" {\n"
    "  argument \"to\" { }\n"
    "  loki.process \"in\" {\n"
    "    stage.replace {\n      expression = \"(secret)\"\n      replace = \"***\"\n    }\n"
    "    forward_to = argument.to.value\n"
    "  }\n"
    "  export \"receiver\" {\n    value = loki.process.in.receiver\n  }\n"
    "}\n"
    "again \"one\" {\n  to = [loki.write.w.receiver]\n}\n";

#define GIVE(lines) "logs {\n to = \"loki.process.p\"\n lines = [" lines "]\n}\n"
#define WAIT "advance {\n by = \"4s\"\n}\n"
#define EXPECT(more) "expect {\n at = \"loki.write.w\"\n" more "\n}\n"

struct row {
    const char *name;
    const char *body; /* of the test */
    enum test_status status;
    const char *wants[6]; /* all of these in what is printed */
};

static struct {
    char folder[64];
    char *config, *test; /* paths; owned */
} at;

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fputs(text, f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
}

static void forget(void *self, enum log_level level, struct slice line)
{
    (void)self;
    (void)level;
    (void)line;
}

static int begin(void **state)
{
    (void)state;
    snprintf(at.folder, sizeof at.folder, "/tmp/pipeline-tests-XXXXXX");
    assert_non_null(mkdtemp(at.folder));
    at.config = mem_printf("%s/c.river", at.folder);
    at.test = mem_printf("%s/c_test.river", at.folder);
    write_file(at.config, config);
    log_set_sink(forget, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    log_set_sink(NULL, NULL);
    assert_int_equal(unlink(at.config), 0);
    assert_int_equal(rmdir(at.folder), 0); /* a test writes nothing */
    mem_free(at.config);
    mem_free(at.test);
    return 0;
}

static struct test_result run_text(const char *name, struct test_file *file)
{
    struct test_result result;
    struct buf text;

    if (diags_has_errors(&file->diags)) {
        buf_init(&text, 1 << 20);
        diags_print(&text, &file->diags, false);
        fail_msg("%s: %.*s", name, (int)text.len, text.ptr);
    }
    assert_int_equal(file->n, 1);
    test_run(file, &file->tests[0], registry, &result);
    return result;
}

static void check_row(const struct row *row)
{
    char *text = mem_printf("test \"t\" {\n%s}\n", row->body);
    struct test_file *file = test_file_parse(at.test, slice_str(text));
    struct test_result result = run_text(row->name, file);

    if (result.status != row->status)
        fail_msg("%s: status %d, want %d\n%.*s", row->name, (int)result.status, (int)row->status, (int)result.text.len,
                 result.text.len != 0 ? result.text.ptr : "");
    for (size_t i = 0; i < N_OF(row->wants) && row->wants[i] != NULL; i++)
        if (slice_find_slice(buf_slice(&result.text), slice_str(row->wants[i])) == result.text.len)
            fail_msg("%s: no \"%s\" in:\n%.*s", row->name, row->wants[i], (int)result.text.len,
                     result.text.len != 0 ? result.text.ptr : "");
    buf_release(&result.text);
    test_file_free(file);
    mem_free(text);
}

static const struct row passing[] = {
    {"lines", GIVE("\"1 a\", \"2 b\"") WAIT EXPECT("lines = [\"1 a\", \"2 b\"]"), TEST_PASSED, {0}},
    {"joined in virtual time",
     GIVE("\"1 a\", \"b\"") EXPECT("none = true") WAIT EXPECT("lines = [\"1 a\\nb\"]"),
     TEST_PASSED,
     {0}},
    {"dropped", GIVE("\"1 noise\"") WAIT EXPECT("none = true"), TEST_PASSED, {0}},
    {"each round is new",
     GIVE("\"1 a\", \"2 b\"") EXPECT("lines = [\"1 a\"]") EXPECT("count = 1") WAIT EXPECT("lines = [\"2 b\"]")
         WAIT EXPECT("none = true"),
     TEST_PASSED,
     {0}},
    {"an environment of its own",
     "env = {WHERE = \"here\"}\n" GIVE("\"1 a\"") WAIT EXPECT("log {\n labels = {env = \"here\"}\n}"),
     TEST_PASSED,
     {0}},
    {"no other environment", GIVE("\"1 a\"") WAIT EXPECT("log {\n no_labels = [\"env\"]\n}"), TEST_PASSED, {0}},
    {"a file that is not read",
     "set {\n component = \"local.file.word\"\n exports = {content = \"w\"}\n}\n" GIVE("\"1 a\"")
         WAIT EXPECT("log {\n labels = {word = \"w\"}\n}"),
     TEST_PASSED,
     {0}},
    {"an export that changes",
     GIVE("\"1 a\"") WAIT "set {\n component = \"local.file.word\"\n exports = {content = \"new\"}\n}\n" GIVE("\"2 b\"")
         WAIT EXPECT("compare = \"contains\"\n log {\n line = \"2 b\"\n has_labels = {word = \"new\"}\n}"),
     TEST_PASSED,
     {0}},
    {"a target's labels",
     "set {\n component = \"discovery.docker.d\"\n exports = {targets = [{__path__ = \"/l\", __meta_name = "
     "\"n\"}]}\n}\n"
     "expect {\n at = \"discovery.relabel.t.output\"\n target {\n has_labels = {name = \"n\"}\n}\n}\n"
     "expect {\n at = \"discovery.relabel.t\"\n count = 1\n}\n"
     "logs {\n to = \"loki.source.file.f\"\n line = \"1 a\"\n target = {name = \"n\"}\n}\n" WAIT EXPECT(
         "log {\n labels = {name = \"n\", filename = \"/l\"}\n}"),
     TEST_PASSED,
     {0}},
    {"times",
     "at = \"2026-03-01T00:00:00Z\"\n"
     "logs {\n to = \"loki.write.w\"\n line = \"a\"\n}\n" WAIT "logs {\n to = \"loki.write.w\"\n line = \"b\"\n}\n"
     "logs {\n to = \"loki.write.w\"\n line = \"c\"\n timestamp = \"2020-01-01T00:00:00.000000001Z\"\n}\n" EXPECT(
         "log {\n timestamp = \"2026-03-01T00:00:00Z\"\n}\n log {\n timestamp = \"2026-03-01T00:00:04Z\"\n}\n"
         "log {\n timestamp = \"2020-01-01T01:00:00.000000001+01:00\"\n}"),
     TEST_PASSED,
     {0}},
    {"samples of a target",
     "samples {\n to = \"prometheus.scrape.s\"\n target = {zone = \"z\"}\n text = `\n  up{zone=\"own\"} 1\n go_x "
     "2\n`\n}\n"
     "expect {\n at = \"prometheus.remote_write.w\"\n samples = "
     "`up{exported_zone=\"own\", instance=\"h:80\", job=\"prometheus.scrape.s\", zone=\"z\"} 1`\n}\n",
     TEST_PASSED,
     {0}},
    {"samples whose labels are honoured",
     "samples {\n to = \"prometheus.scrape.h\"\n target = {zone = \"z\"}\n text = `up{zone=\"own\"} 1`\n}\n"
     "expect {\n at = \"prometheus.remote_write.w\"\n samples = `up{instance=\"h:80\", job=\"j\", zone=\"own\"} "
     "1`\n}\n",
     TEST_PASSED,
     {0}},
    {"values of samples",
     "samples {\n to = \"prometheus.remote_write.w\"\n text = `a NaN\nb +Inf\nc 1234567\nd 0.1 1000`\n}\n"
     "expect {\n at = \"prometheus.remote_write.w\"\n"
     "sample {\n value = \"NaN\"\n}\n sample {\n value = \"+Inf\"\n}\n sample {\n value = 1234567\n}\n"
     "sample {\n value = 0.1\n timestamp = \"1970-01-01T00:00:01Z\"\n name_matches = \"^d$\"\n}\n}\n",
     TEST_PASSED,
     {0}},
    {"spans",
     "spans {\n to = \"otelcol.receiver.otlp.o\"\n resource = {\"service.name\" = \"s\"}\n"
     "span {\n name = \"n\"\n attributes = {secret = \"x\", n = 5, ok = true, f = 0.5}\n kind = \"server\"\n}\n}\n"
     "expect {\n at = \"otelcol.exporter.otlp.t\"\n span {\n name = \"n\"\n kind = \"server\"\n"
     "attributes = {n = 5, ok = \"true\", f = 0.5}\n resource = {\"service.name\" = \"s\"}\n}\n}\n",
     TEST_PASSED,
     {0}},
    {"a signal without a consumer",
     "otlp {\n to = \"otelcol.receiver.otlp.o\"\n logs = "
     "`{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}`\n}\n"
     "expect {\n at = \"otelcol.exporter.otlp.t\"\n none = true\n}\n",
     TEST_PASSED,
     {0}},
    {"any order",
     GIVE("\"1 a\", \"2 b\", \"3 c\"") WAIT EXPECT("compare = \"unordered\"\n lines = [\"3 c\", \"1 a\", \"2 b\"]"),
     TEST_PASSED,
     {0}},
    {"a vague one does not take the only item of a precise one",
     GIVE("\"1 a\", \"2 b\"") WAIT EXPECT("compare = \"unordered\"\n log {\n line_matches = \"^[12]\"\n}\n"
                                          "log {\n line = \"1 a\"\n}"),
     TEST_PASSED,
     {0}},
    {"among them",
     GIVE("\"1 a\", \"2 b\", \"3 c\"") WAIT EXPECT("compare = \"contains\"\n lines = [\"2 b\"]\n count = 3"),
     TEST_PASSED,
     {0}},
    {"a custom component",
     "logs {\n to = \"again.one\"\n line = \"a secret\"\n}\n"
     "expect {\n at = \"again.one\"\n lines = [\"a secret\"]\n}\n"
     "expect {\n at = \"again.one/loki.process.in\"\n lines = [\"a secret\"]\n}\n" EXPECT("lines = [\"a ***\"]"),
     TEST_PASSED,
     {0}},
    {"a reload hands on what is held",
     GIVE("\"1 a\"") "reload {\n config = \"c.river\"\n env = {WHERE = \"there\"}\n}\n" GIVE("\"2 b\"")
         WAIT EXPECT("log {\n line = \"1 a\"\n}\n log {\n line = \"2 b\"\n labels = {env = \"there\"}\n}"),
     TEST_PASSED,
     {0}},
};

static void what_comes_as_expected_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(passing); i++)
        check_row(&passing[i]);
}

static const struct row failing[] = {
    {"another line",
     GIVE("\"1 a long line\"") WAIT EXPECT("lines = [\"1 a long lane\"]"),
     TEST_FAILED,
     {"c_test.river:9:1: at loki.write.w", "log 1 of 1", "differs:",
      "          - \"1 a long lane\"\n"
      "          + \"1 a long line\"\n                       ^\n"}},
    {"label by label",
     "env = {WHERE = \"here\"}\n" GIVE("\"1 a\"") WAIT EXPECT("log {\n labels = {env = \"there\", more = \"m\"}\n}"),
     TEST_FAILED,
     {"          - env=\"there\"\n          + env=\"here\"\n          - more=\"m\"\n"}},
    {"what is as expected is no difference",
     "env = {WHERE = \"here\"}\n" GIVE("\"1 a\"") WAIT EXPECT("log {\n labels = {env = \"here\", more = \"m\"}\n}"),
     TEST_FAILED,
     {"            env=\"here\"\n          - more=\"m\"\n"}},
    {"one is missing",
     GIVE("\"1 noise\", \"2 b\"") WAIT EXPECT("lines = [\"1 noise\", \"2 b\"]"),
     TEST_FAILED,
     {"log 1 of 2", "did not come:\n        - line: \"1 noise\"", "loki.process.p dropped 1 (rule)"}},
    {"one is still held",
     GIVE("\"1 a\"") EXPECT("lines = [\"1 a\"]"),
     TEST_FAILED,
     {"did not come", "loki.process.p holds 1 (advance { } lets time pass)"}},
    {"one too many",
     GIVE("\"1 a\", \"2 b\", \"3 c\"") WAIT EXPECT("lines = [\"1 a\", \"3 c\"]"),
     TEST_FAILED,
     {"1 came that was not expected:\n        + log line=\"2 b\""}},
    {"the wrong order",
     GIVE("\"1 a\", \"2 b\"") WAIT EXPECT("lines = [\"2 b\", \"1 a\"]"),
     TEST_FAILED,
     {"log 1 of 2", "did not come", "1 came that was not expected:\n        + log line=\"2 b\""}},
    {"nothing was to come",
     GIVE("\"1 a\"") WAIT EXPECT("none = true"),
     TEST_FAILED,
     {"nothing is expected, 1 came:\n        + log line=\"1 a\""}},
    {"another number", GIVE("\"1 a\"") WAIT EXPECT("count = 2"), TEST_FAILED, {"- 2\n          + 1\n"}},
    {"a label that should not be there",
     "env = {WHERE = \"here\"}\n" GIVE("\"1 a\"") WAIT EXPECT("log {\n no_labels = [\"env\"]\n}"),
     TEST_FAILED,
     {"+ env=\"here\" should not be there"}},
    {"no match",
     GIVE("\"1 a\"") WAIT EXPECT("log {\n line_matches = \"^x\"\n}"),
     TEST_FAILED,
     {"- matches \"^x\"\n          + \"1 a\""}},
    {"at least these",
     "env = {WHERE = \"here\"}\n" GIVE("\"1 a\"")
         WAIT EXPECT("compare = \"contains\"\n log {\n has_labels = {env = \"x\"}\n}"),
     TEST_FAILED,
     {"- env=\"x\"\n          + env=\"here\""}},
    {"another value",
     "samples {\n to = \"prometheus.remote_write.w\"\n text = \"a 1\"\n}\n"
     "expect {\n at = \"prometheus.remote_write.w\"\n samples = \"a 2\"\n}\n",
     TEST_FAILED,
     {"value:\n          - \"2\"\n          + \"1\""}},
    {"control characters are not printed",
     GIVE("\"1 \\u001b[31m\"") WAIT EXPECT("none = true"),
     TEST_FAILED,
     {"\\x1b[31m"}},
    {"all expectations are looked at",
     GIVE("\"1 a\"") WAIT EXPECT("none = true") EXPECT("count = 5"),
     TEST_FAILED,
     {"nothing is expected", "- 5"}},
};

static void what_differs_is_said_item_by_item(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(failing); i++)
        check_row(&failing[i]);
}

static const struct row broken[] = {
    {"no such component",
     "logs {\n to = \"loki.process.pp\"\n line = \"a\"\n}\n",
     TEST_BROKEN,
     {"c_test.river:2:1: the configuration has no component \"loki.process.pp\"; did you mean \"loki.process.p\"?"}},
    {"no such place",
     GIVE("\"1\"") "expect {\n at = \"loki.write.v\"\n none = true\n}\n",
     TEST_BROKEN,
     {"no component \"loki.write.v\""}},
    {"what it does not take",
     "logs {\n to = \"prometheus.relabel.r\"\n line = \"a\"\n}\n",
     TEST_BROKEN,
     {"prometheus.relabel.r does not take log lines"}},
    {"what it does not send",
     "samples {\n to = \"loki.source.file.f\"\n text = \"a 1\"\n}\n",
     TEST_BROKEN,
     {"loki.source.file.f does not send samples"}},
    {"no such export",
     "set {\n component = \"local.file.word\"\n exports = {contents = \"x\"}\n}\n",
     TEST_BROKEN,
     {"local.file.word has no export \"contents\"; did you mean \"content\"?"}},
    {"the wrong kind of export",
     "set {\n component = \"discovery.docker.d\"\n exports = {targets = \"x\"}\n}\n",
     TEST_BROKEN,
     {"is a list of targets"}},
    {"a component that works as always",
     "set {\n component = \"discovery.relabel.t\"\n exports = {output = []}\n}\n",
     TEST_BROKEN,
     {"works as always"}},
    {"no such target",
     "logs {\n to = \"loki.source.file.f\"\n line = \"a\"\n target = {a = \"b\"}\n}\n",
     TEST_BROKEN,
     {"loki.source.file.f has 0 targets, and none with these labels"}},
    {"no source",
     "logs {\n to = \"loki.process.p\"\n line = \"a\"\n target = {a = \"b\"}\n}\n",
     TEST_BROKEN,
     {"is no source with targets"}},
    {"a wrong sample", "samples {\n to = \"prometheus.relabel.r\"\n text = \"a{ 1\"\n}\n", TEST_BROKEN, {"line 1"}},
    {"a wrong trace id",
     "spans {\n to = \"otelcol.receiver.otlp.o\"\n span {\n name = \"n\"\n trace_id = \"zz\"\n}\n}\n",
     TEST_BROKEN,
     {"Span.trace_id: expected an id in hexadecimal"}},
    {"nothing in a request",
     "otlp {\n to = \"otelcol.receiver.otlp.o\"\n traces = \"{}\"\n}\n",
     TEST_BROKEN,
     {"there are no spans in this"}},
    {"no such file", "config = \"nowhere.river\"\n", TEST_BROKEN, {"nowhere.river does not load"}},
    {"a year of waiting", GIVE("\"1 a\"") "advance {\n by = \"100000h\"\n}\n", TEST_BROKEN, {"too long a time"}},
};

static void what_cannot_be_run_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(broken); i++)
        check_row(&broken[i]);
}

static void more_than_a_test_can_look_at_is_refused(void **state)
{
    struct row row = {"20,001 lines", NULL, TEST_BROKEN, {"more comes than a test can look at"}};
    struct buf body;
    size_t len;
    char *text;

    (void)state;
    buf_init(&body, 1 << 22);
    buf_add_str(&body, "logs {\n to = \"loki.write.w\"\n lines = [");
    for (int i = 0; i < 20001; i++)
        buf_add_str(&body, "\"x\",");
    buf_add_str(&body, "]\n}\nexpect {\n at = \"loki.write.w\"\n count = 1\n}\n");
    text = buf_take(&body, &len);
    row.body = text;
    check_row(&row);
    mem_free(text);
}

struct wrong_file {
    const char *text;
    const char *wants;
};

static const struct wrong_file wrong_files[] = {
    {"tset \"a\" { }", "1:1: error: a file of tests has no block \"tset\"\n 1 | tset \"a\" { }\n   | ^~~~\n"
                       "  = help: did you mean \"test\"?"},
    {"test { }", "a test needs a name"},
    {"test \"a\" { }\ntest \"a\" { }", "2:6: error: there is a test of this name already: at line 1"},
    {"", "there is no test in this file"},
    {"test \"a\" {\n lgos {\n}\n}", "did you mean \"logs\"?"},
    {"test \"a\" {\n logs {\n too = \"x\"\n line = \"a\"\n}\n}", "did you mean \"to\"?"},
    {"test \"a\" {\n logs {\n to = \"x\"\n}\n}", "write either line or lines"},
    {"test \"a\" {\n logs {\n to = \"x\"\n line = \"a\"\n timestamp = \"now\"\n}\n}", "not a time in RFC 3339"},
    {"test \"a\" {\n at = \"now\"\n}", "2:7: error: \"now\" is not a time in RFC 3339"},
    {"test \"a\" {\n expect {\n at = \"x\"\n}\n}", "this expects nothing in particular"},
    {"test \"a\" {\n expect {\n at = \"x\"\n none = true\n count = 1\n}\n}", "nothing else can be expected"},
    {"test \"a\" {\n expect {\n at = \"x\"\n log {\n line_matches = \"(\"\n}\n}\n}", "5:17: error:"},
    {"test \"a\" {\n expect {\n at = \"x\"\n logg {\n}\n}\n}", "expect has no block \"logg\""},
    {"test \"a\" {\n expect {\n at = \"x\"\n log {\n labels = 5\n}\n}\n}", "5:11: error:"},
    {"test \"a\" {\n expect {\n at = \"x\"\n samples = \"{\"\n}\n}", "4:12: error:"},
    {"test \"a\" {\n set {\n component = \"x\"\n exports = []\n}\n}", "exports is an object"},
    {"test \"a\" {\n otlp {\n to = \"x\"\n}\n}", "write one of traces, metrics and logs"},
    {"test \"a\" {\n advance {\n by = \"-1s\"\n}\n}", "3:7: error:"},
    {"test \"a\" {\n confg = \"x\"\n}", "did you mean \"config\"?"},
    {"test \"a\" {\n advance {\n by = sys.env(\"PATH\")\n}\n}", "3:7: error:"},
};

static void a_wrong_file_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(wrong_files); i++) {
        struct test_file *file = test_file_parse("x_test.river", slice_str(wrong_files[i].text));
        struct buf text;

        buf_init(&text, 1 << 20);
        diags_print(&text, &file->diags, false);
        if (!diags_has_errors(&file->diags) ||
            slice_find_slice(buf_slice(&text), slice_str(wrong_files[i].wants)) == text.len)
            fail_msg("%s\nno \"%s\" in: %.*s", wrong_files[i].text, wrong_files[i].wants, (int)text.len,
                     text.len != 0 ? text.ptr : "");
        buf_release(&text);
        test_file_free(file);
    }
}

/* 2,001 expected items, and as many tests as there is room for: an end in a short time either way. */
static void a_hostile_file_has_an_end(void **state)
{
    struct test_file *file;
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 22);
    buf_add_str(&text, "test \"a\" {\n expect {\n at = \"x\"\n");
    for (int i = 0; i < 2001; i++)
        buf_add_str(&text, "log {\n line = \"\"\n}\n");
    buf_add_str(&text, "}\n}\n");
    file = test_file_parse("x_test.river", buf_slice(&text));
    assert_true(diags_has_errors(&file->diags));
    assert_non_null(strstr(file->diags.items[0].text, "more than 2000 items"));
    test_file_free(file);
    buf_reset(&text);
    for (int i = 0; i < 3000; i++)
        buf_printf(&text, "test \"a%d\" {\n}\n", i);
    file = test_file_parse("x_test.river", buf_slice(&text));
    assert_false(diags_has_errors(&file->diags));
    assert_int_equal(file->n, 3000);
    test_file_free(file);
    buf_release(&text);
}

static void all_tables_are_whole(void **state)
{
    struct error err = {0};

    (void)state;
    for (size_t i = 0; test_step_tables[i] != NULL; i++)
        if (river_block_check(test_step_tables[i], &err) != OK)
            fail_msg("%s", err.text);
    for (size_t i = 0; i < N_OF(test_item_tables); i++)
        if (river_block_check(test_item_tables[i], &err) != OK)
            fail_msg("%s", err.text);
    if (river_block_check(&test_setting_table, &err) != OK)
        fail_msg("%s", err.text);
}

/* Whoever adds a component that runs in a test has looked at whether it may: it opens nothing and reads no file. */
static void only_components_that_open_nothing_run_in_a_test(void **state)
{
    static const char *const harmless[] = {
        "discovery.relabel",
        "loki.process",
        "loki.relabel",
        "otelcol.auth.basic",
        "otelcol.auth.bearer",
        "otelcol.auth.headers",
        "otelcol.exporter.loki",
        "otelcol.exporter.prometheus",
        "otelcol.processor.attributes",
        "otelcol.processor.batch",
        "otelcol.processor.memory_limiter",
        "prometheus.relabel",
    };
    size_t n = 0;

    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++) {
        if (dry_run_is_stand_in(registry[i]))
            continue;
        if (n == N_OF(harmless) || strcmp(registry[i]->name, harmless[n]) != 0)
            fail_msg("%s runs in pipeline tests", registry[i]->name);
        n++;
    }
    assert_int_equal(n, N_OF(harmless));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_as_expected_passes, begin, end),
        cmocka_unit_test_setup_teardown(what_differs_is_said_item_by_item, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_run_says_why, begin, end),
        cmocka_unit_test_setup_teardown(more_than_a_test_can_look_at_is_refused, begin, end),
        cmocka_unit_test(a_wrong_file_says_where),
        cmocka_unit_test(a_hostile_file_has_an_end),
        cmocka_unit_test(all_tables_are_whole),
        cmocka_unit_test(only_components_that_open_nothing_run_in_a_test),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
