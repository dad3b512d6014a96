/* loki.source.file against real files: following, rotation, truncation, restart, hostile files. */
#include "../world.h"
#include <fcntl.h>
#include <sys/stat.h>

extern const struct component_type component_loki_source_file;
static const struct component_type *const types[] = {&component_loki_source_file, &component_test_sink, NULL};

static char folder[64], storage[80], log_path[96], config[8192];

static const char *path_of(const char *name)
{
    static char paths[4][160];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}

static const char *config_of(const char *targets, const char *more)
{
    snprintf(
        config, sizeof config,
        "test.sink \"out\" { }\nloki.source.file \"f\" {\n\ttargets = [%s]\n\tforward_to = [test.sink.out.receiver]\n"
        "\t%s\n}\n",
        targets, more);
    return config;
}

static const char *one_target(void)
{
    static char target[256];

    snprintf(target, sizeof target, "{\"__path__\" = \"%s\", \"job\" = \"j\", \"__hidden\" = \"x\"}", log_path);
    return target;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", "/tmp/hyagent-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(storage, sizeof storage, "%s/data", folder);
    snprintf(log_path, sizeof log_path, "%s/app.log", folder);
    sink.holds = false;
    return mkdir(storage, 0700);
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    sink_forget();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void numbers(const char *path, int first, int last)
{
    FILE *f = fopen(path, "a");

    assert_non_null(f);
    for (int i = first; i <= last; i++)
        fprintf(f, "line %d\n", i);
    assert_int_equal(fclose(f), 0);
}

/* Lines first..last, in this order, from place `from` of what the sink got. */
static void assert_numbers(size_t from, int first, int last)
{
    char want[32];

    for (int i = first; i <= last; i++) {
        snprintf(want, sizeof want, "line %d", i);
        assert_string_equal(sink.lines[from + (size_t)(i - first)].line, want);
    }
}

static void begin(struct world *w, const char *more)
{
    world_begin(w, types, storage);
    if (!world_load(w, config_of(one_target(), more)))
        fail_msg("%s", w->errors);
}

static void lines_arrive_in_order_with_labels_and_rising_times(void **state)
{
    struct world w;

    (void)state;
    numbers(log_path, 1, 50000);
    begin(&w, "");
    wait_lines(50000);
    assert_numbers(0, 1, 50000);
    char want[256];
    snprintf(want, sizeof want, "{filename=\"%s\",job=\"j\"}", log_path);
    assert_string_equal(sink.lines[0].labels, want);
    for (size_t i = 1; i < sink.n; i++)
        assert_true(sink.lines[i].ts_ns > sink.lines[i - 1].ts_ns);
    numbers(log_path, 50001, 50010);
    wait_lines(50010);
    assert_numbers(50000, 50001, 50010);
    world_balanced(&w);
    assert_true(world_metric(&w, "loki_source_file_read_lines_total", log_path) == 50010);
    assert_true(world_metric(&w, "loki_source_file_files_active_total", "") == 1);
    world_end(&w);
}

static void a_part_of_a_line_waits_for_its_end(void **state)
{
    struct world w;

    (void)state;
    append(log_path, "whole\r\nhalf a");
    begin(&w, "");
    wait_lines(1);
    assert_string_equal(sink.lines[0].line, "whole");
    append(log_path, " line");
    append(log_path, ", and its end\n\nlast\n");
    wait_lines(4);
    assert_string_equal(sink.lines[1].line, "half a line, and its end");
    assert_string_equal(sink.lines[2].line, "");
    assert_string_equal(sink.lines[3].line, "last");
    world_end(&w);
}

static void rotation_by_rename_loses_and_repeats_nothing(void **state)
{
    struct world w;
    int n = 10;

    (void)state;
    numbers(log_path, 1, n);
    begin(&w, "");
    wait_lines((size_t)n); /* a file that was never seen at its path cannot be followed away from it */
    for (int round = 0; round < 20; round++) {
        FILE *old;
        char name[32];

        numbers(log_path, n + 1, n + 100);
        old = fopen(log_path, "a");
        assert_non_null(old);
        snprintf(name, sizeof name, "app.log.%d", round);
        assert_int_equal(rename(log_path, path_of(name)), 0);
        for (int i = n + 101; i <= n + 110; i++)
            fprintf(old, "line %d\n", i);
        assert_int_equal(fclose(old), 0);
        numbers(log_path, n + 111, n + 120);
        n += 120;
        wait_lines((size_t)n);
    }
    assert_numbers(0, 1, n);
    world_balanced(&w);
    world_end(&w);
}

/* Rotated more often than anyone can look: the files in between are found by their names. */
static void rotations_faster_than_looks_lose_nothing(void **state)
{
    enum { BURST = 6, BURSTS = 10, EACH = 20 };
    struct world w;
    int n = 10;

    (void)state;
    numbers(log_path, 1, n);
    numbers(path_of("app.log.err"), 90000, 90010); /* another log: is not read */
    begin(&w, "");
    wait_lines((size_t)n);
    for (int burst = 0; burst < BURSTS; burst++) {
        for (int i = 0; i < BURST; i++) {
            char name[48];

            numbers(log_path, n + 1, n + EACH);
            n += EACH;
            snprintf(name, sizeof name, "app.log.%d", burst * BURST + i);
            assert_int_equal(rename(log_path, path_of(name)), 0);
        }
        numbers(log_path, n + 1, n + 1);
        numbers(path_of("app.log.err"), 90000, 90010);
        wait_lines((size_t)++n);
    }
    assert_numbers(0, 1, n);
    world_end(&w);
}

static void rotation_while_delivery_stalls_loses_nothing(void **state)
{
    struct world w;

    (void)state;
    sink.holds = true;
    numbers(log_path, 1, 100);
    begin(&w, "");
    wait_lines(100);
    for (int round = 0; round < 5; round++) {
        char name[32];
        size_t want = 100 + (size_t)(round + 1) * 50;

        snprintf(name, sizeof name, "app.log.%d", round);
        assert_int_equal(rename(log_path, path_of(name)), 0);
        numbers(log_path, 101 + round * 50, 150 + round * 50);
        wait_lines(want);
    }
    sink_abandon(); /* the destination never answered: everything is read again */
    world_end(&w);
    sink_forget();
    sink.holds = false;
    begin(&w, "");
    wait_lines(350);
    assert_numbers(0, 1, 350);
    world_end(&w);
}

static void truncation_starts_over_and_repeats_nothing(void **state)
{
    struct world w;

    (void)state;
    numbers(log_path, 1, 1000);
    begin(&w, "");
    wait_lines(1000);
    for (int round = 0; round < 10; round++) {
        assert_int_equal(truncate(log_path, 0), 0);
        numbers(log_path, 1001 + round * 10, 1010 + round * 10);
        wait_lines((size_t)(1010 + round * 10));
    }
    assert_numbers(0, 1, 1100);
    world_end(&w);
}

static void a_file_filled_again_beyond_the_old_end_is_seen(void **state)
{
    struct world w;

    (void)state;
    numbers(log_path, 1, 10);
    begin(&w, "");
    wait_lines(10);
    /* one write, so that no look comes between: longer than before, other contents */
    FILE *f = fopen(path_of("new"), "w");
    assert_non_null(f);
    for (int i = 11; i <= 60; i++)
        fprintf(f, "line %d\n", i);
    fclose(f);
    char text[1024] = {0};
    f = fopen(path_of("new"), "r");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    int fd = open(log_path, O_WRONLY);
    assert_int_equal(pwrite(fd, text, n, 0), (ssize_t)n);
    close(fd);
    wait_lines(60);
    assert_numbers(0, 1, 60);
    world_end(&w);
}

static void a_restart_goes_on_at_the_checkpoint(void **state)
{
    struct world w;

    (void)state;
    numbers(log_path, 1, 500);
    begin(&w, "");
    wait_lines(500);
    world_end(&w);
    numbers(log_path, 501, 600);
    begin(&w, "");
    wait_lines(600);
    world_end(&w);
    /* rotated while nobody looked: the rest of the old one first, then the new one */
    numbers(log_path, 601, 650);
    assert_int_equal(rename(log_path, path_of("app.log.1")), 0);
    numbers(log_path, 651, 2000); /* longer than the old offset */
    begin(&w, "");
    wait_lines(2000);
    assert_numbers(0, 1, 2000);
    world_end(&w);
    /* shorter than the checkpoint: from its start */
    assert_int_equal(truncate(log_path, 0), 0);
    numbers(log_path, 2001, 2005);
    begin(&w, "");
    wait_lines(2005);
    assert_numbers(2000, 2001, 2005);
    world_end(&w);
}

static void two_rotations_while_nobody_looked_lose_and_repeat_nothing(void **state)
{
    struct world w;

    (void)state;
    numbers(path_of("app.log.9"), 90000, 90100); /* rotated before the first start: is not read */
    usleep(50000);
    numbers(log_path, 1, 500);
    begin(&w, "");
    wait_lines(500);
    world_end(&w);
    numbers(log_path, 501, 550);
    assert_int_equal(rename(log_path, path_of("app.log.8")), 0);
    usleep(50000);
    numbers(log_path, 551, 560);
    assert_int_equal(rename(log_path, path_of("app.log.7")), 0);
    usleep(50000);
    numbers(log_path, 561, 570);
    begin(&w, "");
    wait_lines(570);
    assert_numbers(0, 1, 570);
    world_end(&w);
}

static void the_checkpoint_moves_only_with_settlement(void **state)
{
    struct world w;

    (void)state;
    numbers(log_path, 1, 100);
    begin(&w, "");
    wait_lines(100);
    sink_release(true); /* from now on nobody answers */
    numbers(log_path, 101, 200);
    wait_lines(200);
    world_end(&w);
    sink_forget();
    sink.holds = false;
    begin(&w, "");
    wait_lines(100);
    assert_numbers(0, 101, 200);
    world_end(&w);
}

static bool has_read_much(void *arg)
{
    size_t n;

    (void)arg;
    pthread_mutex_lock(&sink.lock);
    n = sink.n_bytes_held;
    pthread_mutex_unlock(&sink.lock);
    return n >= 8u * 1024 * 1024;
}

static void a_destination_that_does_not_answer_stops_reading_at_the_limit(void **state)
{
    static char line[1001];
    struct world w;
    FILE *f = fopen(log_path, "w");

    (void)state;
    memset(line, 'x', 999);
    line[999] = '\n';
    for (int i = 0; i < 40000; i++) /* 40 MB */
        fwrite(line, 1, 1000, f);
    assert_int_equal(fclose(f), 0);
    sink.n_bytes_held = 0;
    sink.holds = true;
    begin(&w, "");
    wait_until(has_read_much, NULL);
    usleep(500000); /* time in which more would be read */
    assert_in_range(sink_count(), 8000, 9000);
    sink_release(false);
    wait_lines(40000);
    world_balanced(&w);
    world_end(&w);
}

static void what_is_no_file_does_not_hang_and_hurts_nobody(void **state)
{
    struct world w;
    char targets[1024];

    (void)state;
    assert_int_equal(mkfifo(path_of("fifo.log"), 0600), 0);
    assert_int_equal(mkdir(path_of("dir.log"), 0700), 0);
    assert_int_equal(symlink(path_of("nowhere"), path_of("dangling.log")), 0);
    assert_int_equal(symlink(log_path, path_of("link.log")), 0);
    numbers(log_path, 1, 3);
    snprintf(targets, sizeof targets,
             "{\"__path__\" = \"%s\"}, {\"__path__\" = \"%s\"}, {\"__path__\" = \"%s\"}, {\"__path__\" = \"%s\"}, "
             "{\"__path__\" = \"/dev/zero\"}, {\"job\" = \"no path\"}",
             path_of("fifo.log"), path_of("dir.log"), path_of("dangling.log"), path_of("link.log"));
    world_begin(&w, types, storage);
    assert_true(world_load(&w, config_of(targets, "")));
    wait_lines(3);
    assert_numbers(0, 1, 3);
    assert_non_null(strstr(sink.lines[0].labels, "link.log"));
    world_end(&w);
}

static void a_line_without_end_is_cut_and_its_rest_skipped(void **state)
{
    enum { HUGE = 5 * 1024 * 1024 };
    char *huge = mem_alloc(HUGE);
    struct world w;

    (void)state;
    append(log_path, "before\n");
    for (size_t i = 0; i < HUGE; i++)
        huge[i] = (char)(i % 2 == 0 ? 0xc3 : 0xa4); /* ä */
    write_file(log_path, "a", huge, HUGE);
    begin(&w, "");
    wait_lines(2);
    append(log_path, "rest\nafter\n");
    wait_lines(3);
    assert_string_equal(sink.lines[0].line, "before");
    assert_int_equal(sink.lines[1].len, 1024 * 1024);
    assert_memory_equal(sink.lines[1].line, huge, 1024 * 1024);
    assert_string_equal(sink.lines[2].line, "after");
    assert_true(world_metric(&w, "hyagent_source_file_lost_bytes_total", "line_too_long") == HUGE - 1024 * 1024 + 5);
    world_end(&w);
    mem_free(huge);
}

static void bad_characters_are_replaced_and_counted(void **state)
{
    static const char text[] = "\xef\xbb\xbfgood \xc3\xa4\nbad \xff\xfe!\nnul \0.\n";
    struct world w;

    (void)state;
    write_file(log_path, "w", text, sizeof text - 1);
    begin(&w, "");
    wait_lines(3);
    assert_string_equal(sink.lines[0].line, "good \xc3\xa4");
    assert_string_equal(sink.lines[1].line, "bad \xef\xbf\xbd\xef\xbf\xbd!");
    assert_int_equal(sink.lines[2].len, 6);
    assert_true(world_metric(&w, "hyagent_source_file_repaired_bytes_total", "") == 2);
    assert_true(world_metric(&w, "loki_source_file_encoding_failures_total", "") == 1);
    world_end(&w);
}

static void utf16_is_read_by_its_mark_and_by_name(void **state)
{
    static const char le[] = "\xff\xfe"
                             "a\0\x0a\x01\r\0\n\0"
                             "<\xd8\x88\xdf\n\0"; /* aĊ CRLF 🎈 */
    struct world w;

    (void)state;
    write_file(log_path, "w", le, sizeof le - 1);
    begin(&w, "encoding = \"utf-16\"");
    wait_lines(2);
    assert_string_equal(sink.lines[0].line, "a\xc4\x8a");
    assert_string_equal(sink.lines[1].line, "\xf0\x9f\x8e\x88");
    world_end(&w);
    write_file(log_path, "a", "x\0\n\0", 4);
    begin(&w, "encoding = \"utf-16\"");
    wait_lines(3);
    assert_string_equal(sink.lines[2].line, "x");
    world_end(&w);
}

static void compressed_files_are_not_read_as_lines(void **state)
{
    char targets[512];
    struct world w;

    (void)state;
    write_file(path_of("old.gz"), "w", "\x1f\x8b\x08\0\0\n\0\n\0\n", 10);
    numbers(log_path, 1, 1);
    snprintf(targets, sizeof targets, "{\"__path__\" = \"%s\"}, %s", path_of("old.gz"), one_target());
    world_begin(&w, types, storage);
    assert_true(world_load(&w, config_of(targets, "")));
    wait_lines(1);
    assert_numbers(0, 1, 1);
    world_end(&w);
}

static void a_rotated_file_that_a_pattern_finds_again_is_not_read_twice(void **state)
{
    char targets[256];
    struct world w;

    (void)state;
    snprintf(targets, sizeof targets, "{\"__path__\" = \"%s/app.log*\"}", folder);
    numbers(log_path, 1, 100);
    world_begin(&w, types, storage);
    assert_true(world_load(&w, config_of(targets, "file_match {\n enabled = true\n sync_period = \"100ms\"\n}")));
    wait_lines(100);
    assert_int_equal(rename(log_path, path_of("app.log.1")), 0);
    numbers(log_path, 101, 110);
    wait_lines(110);
    usleep(1500000); /* some matches and polls later */
    assert_int_equal(sink_count(), 110);
    assert_numbers(0, 1, 110);
    world_end(&w);
}

static void targets_with_other_labels_read_the_same_file_each_on_its_own(void **state)
{
    char targets[512];
    struct world w;

    (void)state;
    numbers(log_path, 1, 3);
    snprintf(targets, sizeof targets,
             "{\"__path__\" = \"%s\", \"job\" = \"a\"}, {\"__path__\" = \"%s\", \"job\" = \"b\"}", log_path, log_path);
    world_begin(&w, types, storage);
    assert_true(world_load(&w, config_of(targets, "")));
    wait_lines(6);
    world_end(&w);
}

static bool has_no_stale(void *arg)
{
    char text[4096] = {0};
    FILE *f = fopen(arg, "r");
    size_t n = f != NULL ? fread(text, 1, sizeof text - 1, f) : 0;

    if (f != NULL)
        fclose(f);
    return n != 0 && strstr(text, "gone.log") == NULL && strstr(text, "app.log") != NULL;
}

static void positions_of_files_that_are_gone_are_forgotten(void **state)
{
    char both[512], positions[160];
    struct world w;

    (void)state;
    numbers(log_path, 1, 3);
    numbers(path_of("gone.log"), 4, 6);
    snprintf(both, sizeof both, "{\"__path__\" = \"%s\"}, %s", path_of("gone.log"), one_target());
    world_begin(&w, types, storage);
    assert_true(world_load(&w, config_of(both, "")));
    wait_lines(6);
    world_end(&w);
    assert_int_equal(remove(path_of("gone.log")), 0);
    begin(&w, "");
    numbers(log_path, 7, 7);
    wait_lines(7);
    world_end(&w);
    snprintf(positions, sizeof positions, "%s/loki.source.file.f/positions.yml", storage);
    assert_true(has_no_stale(positions));
}

static void a_target_that_leaves_is_read_to_its_end_and_others_stay_open(void **state)
{
    char both[512];
    struct world w;

    (void)state;
    numbers(path_of("a.log"), 1, 10);
    snprintf(both, sizeof both, "{\"__path__\" = \"%s\"}, %s", path_of("a.log"), one_target());
    world_begin(&w, types, storage);
    assert_true(world_load(&w, config_of(both, "")));
    wait_lines(10);
    numbers(path_of("a.log"), 11, 20);
    assert_true(world_load(&w, config_of(one_target(), "")));
    wait_lines(20);
    assert_numbers(0, 1, 20);
    numbers(log_path, 21, 30);
    wait_lines(30);
    numbers(path_of("a.log"), 31, 40);
    assert_true(world_load(&w, config_of(both, ""))); /* comes back: goes on where it stood */
    wait_lines(40);
    assert_numbers(0, 1, 40);
    world_end(&w);
}

static void tail_from_end_begins_behind_what_is_there(void **state)
{
    struct world w;

    (void)state;
    numbers(log_path, 1, 100);
    begin(&w, "tail_from_end = true");
    wait_lines(0);
    usleep(300000);
    numbers(log_path, 101, 105);
    wait_lines(5);
    assert_numbers(0, 101, 105);
    world_end(&w);
}

static void alloys_positions_are_taken_over(void **state)
{
    char text[512];
    struct world w;

    (void)state;
    numbers(log_path, 1, 20); /* lines 1 to 9 are 7 bytes each */
    snprintf(text, sizeof text, "positions:\n  ? path: %s\n    labels: '{job=\"j\"}'\n  : \"63\"\n", log_path);
    append(path_of("legacy.yml"), text);
    snprintf(text, sizeof text, "legacy_positions_file = \"%s\"", path_of("legacy.yml"));
    begin(&w, text);
    wait_lines(11);
    assert_numbers(0, 10, 20);
    world_end(&w);
}

static void a_missing_file_is_read_when_it_comes(void **state)
{
    struct world w;

    (void)state;
    begin(&w, "");
    usleep(400000);
    numbers(log_path, 1, 5);
    wait_lines(5);
    world_end(&w);
}

static void what_is_not_built_is_refused_by_name(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, types, storage);
    assert_false(world_load(&w, config_of(one_target(), "decompression {\n enabled = true\n format = \"gz\"\n}")));
    assert_non_null(strstr(w.errors, "compressed"));
    assert_false(world_load(&w, config_of(one_target(), "encoding = \"shift-jis\"")));
    assert_non_null(strstr(w.errors, "shift-jis"));
    world_end(&w);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(lines_arrive_in_order_with_labels_and_rising_times),
        T(a_part_of_a_line_waits_for_its_end),
        T(rotation_by_rename_loses_and_repeats_nothing),
        T(rotations_faster_than_looks_lose_nothing),
        T(rotation_while_delivery_stalls_loses_nothing),
        T(truncation_starts_over_and_repeats_nothing),
        T(a_file_filled_again_beyond_the_old_end_is_seen),
        T(a_restart_goes_on_at_the_checkpoint),
        T(two_rotations_while_nobody_looked_lose_and_repeat_nothing),
        T(the_checkpoint_moves_only_with_settlement),
        T(a_destination_that_does_not_answer_stops_reading_at_the_limit),
        T(what_is_no_file_does_not_hang_and_hurts_nobody),
        T(a_line_without_end_is_cut_and_its_rest_skipped),
        T(bad_characters_are_replaced_and_counted),
        T(utf16_is_read_by_its_mark_and_by_name),
        T(compressed_files_are_not_read_as_lines),
        T(a_rotated_file_that_a_pattern_finds_again_is_not_read_twice),
        T(targets_with_other_labels_read_the_same_file_each_on_its_own),
        T(positions_of_files_that_are_gone_are_forgotten),
        T(a_target_that_leaves_is_read_to_its_end_and_others_stay_open),
        T(tail_from_end_begins_behind_what_is_there),
        T(alloys_positions_are_taken_over),
        T(a_missing_file_is_read_when_it_comes),
        T(what_is_not_built_is_refused_by_name),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
