/* local.file and local.file_match against real files. */
#include "../world.h"
#include <sys/stat.h>
#include <utime.h>

extern const struct component_type component_local_file;
extern const struct component_type component_local_file_match;
static const struct component_type *const types[] = {&component_local_file, &component_local_file_match,
                                                     &component_test_sink, NULL};

static char folder[64];

static const char *path_of(const char *name)
{
    static char paths[4][160];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", "/tmp/hyagent-test-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    sink_forget();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static char wanted[4096];

static bool targets_are(void *arg)
{
    bool is_it;

    (void)arg;
    pthread_mutex_lock(&sink.lock);
    is_it = strcmp(sink_targets, wanted) == 0;
    pthread_mutex_unlock(&sink.lock);
    return is_it;
}

static void wait_targets(void)
{
    wait_until(targets_are, NULL);
}

static char config[4096];

static void patterns_become_files_with_their_labels(void **state)
{
    struct world w;

    (void)state;
    assert_int_equal(mkdir(path_of("sub"), 0700), 0);
    append(path_of("a.log"), "");
    append(path_of("b.txt"), "");
    append(path_of("sub/c.log"), "");
    append(path_of("sub/skip.log"), "");
    assert_int_equal(mkdir(path_of("dir.log"), 0700), 0);
    assert_int_equal(mkfifo(path_of("fifo.log"), 0600), 0);
    snprintf(config, sizeof config,
             "local.file_match \"m\" {\n path_targets = [{\"__path__\" = \"%s/**/*.log\", \"__path_exclude__\" = "
             "\"%s/**/skip*\", "
             "\"job\" = \"x\"}, {\"__path__\" = \"%s\", \"job\" = \"y\"}]\n sync_period = \"50ms\"\n}\n"
             "test.sink \"out\" {\n targets = local.file_match.m.targets\n}\n",
             folder, folder, path_of("b.txt"));
    snprintf(wanted, sizeof wanted, "job=x;__path__=%s;\njob=x;__path__=%s;\njob=y;__path__=%s;\n", path_of("a.log"),
             path_of("sub/c.log"), path_of("b.txt"));
    world_begin(&w, types, NULL);
    if (!world_load(&w, config))
        fail_msg("%s", w.errors);
    wait_targets();
    append(path_of("sub/d.log"), "");
    assert_int_equal(remove(path_of("a.log")), 0);
    snprintf(wanted, sizeof wanted, "job=x;__path__=%s;\njob=x;__path__=%s;\njob=y;__path__=%s;\n",
             path_of("sub/c.log"), path_of("sub/d.log"), path_of("b.txt"));
    wait_targets();
    world_end(&w);
}

static void old_files_are_left_out_when_asked(void **state)
{
    struct utimbuf old = {time(NULL) - 7200, time(NULL) - 7200};
    struct world w;

    (void)state;
    append(path_of("old.log"), "");
    append(path_of("new.log"), "");
    assert_int_equal(utime(path_of("old.log"), &old), 0);
    snprintf(
        config, sizeof config,
        "local.file_match \"m\" {\n path_targets = [{\"__path__\" = \"%s/*.log\"}]\n ignore_older_than = \"1h\"\n}\n"
        "test.sink \"out\" {\n targets = local.file_match.m.targets\n}\n",
        folder);
    snprintf(wanted, sizeof wanted, "__path__=%s;\n", path_of("new.log"));
    world_begin(&w, types, NULL);
    assert_true(world_load(&w, config));
    wait_targets();
    world_end(&w);
}

static void a_pattern_that_cannot_be_is_said(void **state)
{
    struct buf unhealthy;
    struct world w;

    (void)state;
    world_begin(&w, types, NULL);
    assert_true(world_load(&w, "local.file_match \"m\" {\n path_targets = [{\"__path__\" = \"/x/[a\"}]\n}\n"));
    buf_init(&unhealthy, 4096);
    runtime_write_unhealthy(w.rt, &unhealthy);
    assert_true(slice_eq_str(buf_slice(&unhealthy), "local.file_match.m"));
    buf_release(&unhealthy);
    world_end(&w);
}

static bool is_healthy(void *arg)
{
    struct world *w = arg;
    struct buf unhealthy;
    bool is_empty;

    buf_init(&unhealthy, 4096);
    runtime_write_unhealthy(w->rt, &unhealthy);
    is_empty = unhealthy.len == 0;
    buf_release(&unhealthy);
    return is_empty;
}

static const char *file_config(const char *more)
{
    snprintf(config, sizeof config,
             "local.file \"f\" {\n filename = \"%s\"\n %s\n}\n"
             "test.sink \"out\" {\n targets = [{\"content\" = local.file.f.content}]\n}\n",
             path_of("f"), more);
    return config;
}

static void content_follows_the_file(void **state)
{
    struct world w;

    (void)state;
    append(path_of("f"), "one");
    world_begin(&w, types, NULL);
    if (!world_load(&w, file_config("")))
        fail_msg("%s", w.errors);
    snprintf(wanted, sizeof wanted, "content=one;\n");
    wait_targets();
    append(path_of("f"), " two");
    snprintf(wanted, sizeof wanted, "content=one two;\n");
    wait_targets();
    append(path_of("g"), "replaced");
    assert_int_equal(rename(path_of("g"), path_of("f")), 0);
    snprintf(wanted, sizeof wanted, "content=replaced;\n");
    wait_targets();
    assert_int_equal(remove(path_of("f")), 0);
    usleep(200000);
    assert_true(targets_are(NULL)); /* what was read last stays */
    world_end(&w);
}

static void a_missing_file_is_unhealthy_and_read_when_it_comes(void **state)
{
    struct world w;

    (void)state;
    sink_targets[0] = '\0';
    world_begin(&w, types, NULL);
    assert_true(world_load(&w, file_config("detector = \"poll\"\n poll_frequency = \"50ms\"")));
    assert_false(is_healthy(&w));
    assert_string_equal(sink_targets, ""); /* what uses the content waits for it */
    append(path_of("f"), "there");
    snprintf(wanted, sizeof wanted, "content=there;\n");
    wait_targets();
    assert_true(is_healthy(&w));
    world_end(&w);
}

static void what_is_no_file_does_not_hang(void **state)
{
    struct world w;

    (void)state;
    assert_int_equal(mkfifo(path_of("f"), 0600), 0);
    world_begin(&w, types, NULL);
    assert_true(world_load(&w, file_config("")));
    assert_false(is_healthy(&w));
    world_end(&w);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(patterns_become_files_with_their_labels),
        T(old_files_are_left_out_when_asked),
        T(a_pattern_that_cannot_be_is_said),
        T(content_follows_the_file),
        T(a_missing_file_is_unhealthy_and_read_when_it_comes),
        T(what_is_no_file_does_not_hang),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
