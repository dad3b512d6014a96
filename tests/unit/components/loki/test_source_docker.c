/* loki.source.docker against a Docker that answers what the test says. It gives its whole log each time it is asked. */
#include "../fake_docker.h"
#include <sys/stat.h>

extern const struct component_type component_discovery_relabel, component_loki_source_docker;
static const struct component_type *const types[] = {&component_loki_source_docker, &component_discovery_relabel,
                                                     &component_test_sink, NULL};

#define AT(n) "2026-01-02T03:04:05.00000000" n "Z "
#define NS1 1767323045000000001
#define ENDED "{\"Config\":{\"Tty\":false},\"State\":{\"Running\":false,\"StartedAt\":\"a\"}}"

static char folder[64], storage[80], config[8192];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", "/tmp/hyagent-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(storage, sizeof storage, "%s/data", folder);
    sink.holds = false;
    fake_begin();
    fake_set(&fake.inspected, ENDED);
    return mkdir(storage, 0700);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    sink_forget();
    fake_end();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *config_of(const char *id, const char *more)
{
    snprintf(config, sizeof config,
             "test.sink \"out\" { }\n"
             "discovery.relabel \"r\" {\n targets = []\n"
             " rule {\n source_labels = [\"__meta_docker_container_log_stream\"]\n target_label = \"stream\"\n }\n"
             " rule {\n source_labels = [\"__meta_docker_container_name\"]\n regex = \"/(.*)\"\n target_label = "
             "\"container\"\n }\n"
             "}\n"
             "loki.source.docker \"d\" {\n host = \"tcp://127.0.0.1:%u\"\n"
             " targets = [{\"__meta_docker_container_id\" = \"%s\", \"__meta_docker_container_name\" = \"/web\", "
             "\"job\" = \"j\"}]\n"
             " relabel_rules = discovery.relabel.r.rules\n forward_to = [test.sink.out.receiver]\n"
             " refresh_interval = \"50ms\"\n %s\n}\n",
             (unsigned)http_server_port(fake.server), id, more);
    return config;
}

static void begin(struct world *w, const char *more)
{
    world_begin(w, types, storage);
    if (!world_load(w, config_of(FAKE_ID, more)))
        fail_msg("%s", w->errors);
}

static void lines_have_their_time_and_the_relabelled_labels(void **state)
{
    struct world w;

    (void)state;
    fake_line(1, AT("1") "out\n");
    fake_line(2, AT("2") "part, ");
    fake_line(2, AT("2") "rest\n");
    begin(&w, "labels = {\"env\" = \"test\"}");
    wait_lines(2);
    assert_string_equal(sink.lines[0].line, "out");
    assert_true(sink.lines[0].ts_ns == NS1);
    assert_string_equal(sink.lines[0].labels, "{container=\"web\",env=\"test\",job=\"j\",stream=\"stdout\"}");
    assert_string_equal(sink.lines[1].line, "part, rest");
    assert_string_equal(sink.lines[1].labels, "{container=\"web\",env=\"test\",job=\"j\",stream=\"stderr\"}");
    assert_true(fake_was_asked("/v1.43/containers/" FAKE_ID "/logs"));
    world_balanced(&w);
    assert_true(world_metric(&w, "loki_source_docker_target_entries_total", "") == 2);
    world_end(&w);
}

static bool was_read_twice(void *arg)
{
    bool is;

    (void)arg;
    is = fake_logs_asked(false) >= 2;
    return is;
}

static void a_restart_goes_on_behind_the_last_line_of_each_stream(void **state)
{
    struct world w;

    (void)state;
    fake_line(1, AT("5") "one\n");
    begin(&w, "");
    wait_lines(1);
    world_balanced(&w);
    world_end(&w);
    fake_line(2, AT("4") "late on stderr\n"); /* older than what stdout had, and new all the same */
    fake_line(1, AT("6") "two\n");
    (void)fake_logs_asked(true);
    begin(&w, "");
    wait_lines(3);
    wait_until(was_read_twice, NULL);
    assert_string_equal(sink.lines[1].line, "late on stderr");
    assert_string_equal(sink.lines[2].line, "two");
    assert_true(fake_was_asked("since=1767323043.000000005")); /* two seconds before the last one */
    wait_lines(3);
    world_end(&w);
}

static void what_is_not_settled_is_read_again(void **state)
{
    struct world w;

    (void)state;
    fake_line(1, AT("1") "one\n");
    sink.holds = true;
    begin(&w, "");
    wait_lines(1);
    world_end(&w); /* abandoned */
    sink_forget();
    sink.holds = false;
    begin(&w, "");
    wait_lines(1);
    assert_string_equal(sink.lines[0].line, "one");
    world_end(&w);
}

static void a_proxy_that_keeps_the_version_gets_paths_without_one(void **state)
{
    struct world w;

    (void)state;
    fake_set(&fake.version, NULL);
    fake_line(1, AT("1") "one\n");
    begin(&w, "");
    wait_lines(1);
    assert_true(fake_was_asked("\n/containers/" FAKE_ID "/logs"));
    world_end(&w);
}

static void a_container_started_again_is_read_on(void **state)
{
    struct world w;

    (void)state;
    fake_line(1, AT("1") "one\n");
    begin(&w, "");
    wait_lines(1);
    wait_until(was_read_twice, NULL);
    fake_line(1, AT("2") "second life\n");
    fake_set(&fake.inspected, "{\"Config\":{\"Tty\":false},\"State\":{\"Running\":false,\"StartedAt\":\"b\"}}");
    wait_lines(2);
    assert_string_equal(sink.lines[1].line, "second life");
    world_end(&w);
}

static bool was_inspected(void *arg)
{
    return fake_was_asked(arg);
}

static void containers_labelled_off_are_left_out(void **state)
{
    struct world w;

    (void)state;
    fake_set(&fake.inspected,
             "{\"Config\":{\"Tty\":false,\"Labels\":{\"hyagent.logs\":\"false\"}},\"State\":{\"Running\":true}}");
    fake_line(1, AT("1") "secret\n");
    begin(&w, "");
    wait_until(was_inspected,
               (void *)(uintptr_t)("/containers/" FAKE_ID "/json since=\n/v1.43/containers/" FAKE_ID "/json"));
    assert_int_equal(sink_count(), 0);
    assert_int_equal(fake_logs_asked(false), 0);
    world_end(&w);
}

static void a_host_that_is_none_is_refused(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, types, storage);
    assert_false(
        world_load(&w, "loki.source.docker \"d\" {\n host = \"ssh://x\"\n targets = []\n forward_to = []\n}\n"));
    assert_non_null(strstr(w.errors, "scheme"));
    world_end(&w);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(lines_have_their_time_and_the_relabelled_labels),
        T(a_restart_goes_on_behind_the_last_line_of_each_stream),
        T(what_is_not_settled_is_read_again),
        T(a_proxy_that_keeps_the_version_gets_paths_without_one),
        T(a_container_started_again_is_read_on),
        T(containers_labelled_off_are_left_out),
        T(a_host_that_is_none_is_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
