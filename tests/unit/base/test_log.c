#include "agent/base/log.h"
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct bench {
    struct clock clock;
    int64_t now_ns;
    struct buf lines; /* each ended by \n */
};

static int64_t now(void *self)
{
    return ((struct bench *)self)->now_ns;
}

static void keep(void *self, enum log_level level, struct slice line)
{
    struct bench *b = self;

    (void)level;
    (void)buf_add(&b->lines, line);
    (void)buf_add_char(&b->lines, '\n');
}

static int set_up(void **state)
{
    static struct bench b;
    static int64_t start_ns = 1767366245678000000; /* 2026-01-02T15:04:05.678Z */

    start_ns += (int64_t)3600 * NS_PER_S; /* causes outlive a test: each begins an hour later */
    b = (struct bench){.clock = {now, now, &b}, .now_ns = start_ns};
    buf_init(&b.lines, 1 << 20);
    log_set(LOG_INFO, LOG_LOGFMT);
    log_set_sink(keep, &b);
    log_set_clock(&b.clock);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    log_flush();
    log_set_sink(NULL, NULL);
    log_set_clock(NULL);
    buf_release(&b->lines);
    return 0;
}

/* The lines without their time, which is checked once. */
static void assert_lines(struct bench *b, const char *want)
{
    struct slice rest = buf_slice(&b->lines), line;
    struct buf got;

    buf_init(&got, 1 << 20);
    while (rest.len != 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        (void)buf_add(&got, slice_from(line, slice_find(line, ' ') + 1));
        (void)buf_add_char(&got, '\n');
    }
    if (!slice_eq_str(buf_slice(&got), want))
        fail_msg("got:\n%.*swant:\n%s", SLICE_ARG(buf_slice(&got)), want);
    buf_release(&got);
    buf_reset(&b->lines);
}

static void a_line_is_logfmt_with_time_level_component_message_and_fields(void **state)
{
    struct bench *b = *state;

    b->now_ns = 1767366245678000000;
    log_info("loki.write.default", "endpoint is back", log_int("status", 204), log_float("after_s", 1.5),
             log_str("url", "http://loki:3100/x?a=b"), log_str("empty", ""));
    assert_true(
        slice_eq_str(buf_slice(&b->lines),
                     "ts=2026-01-02T15:04:05.678Z level=info component_id=loki.write.default "
                     "msg=\"endpoint is back\" status=204 after_s=1.5 url=\"http://loki:3100/x?a=b\" empty=\"\"\n"));
}

static void values_cannot_forge_a_line_or_a_key(void **state)
{
    log_info(NULL, "m", log_slice("v", SLICE_LIT("a\nlevel=error \"q\" \\ \x1b[0m\x7f")));
    assert_lines(*state, "level=info msg=m v=\"a\\nlevel=error \\\"q\\\" \\\\ \\u001b[0m\\u007f\"\n");
}

static void json_lines_are_one_object(void **state)
{
    struct bench *b = *state;

    log_set(LOG_INFO, LOG_JSON);
    b->now_ns = 1767366245678000000;
    log_info("x", "plain", log_int("n", -3), log_str("s", "a\"b"));
    assert_true(slice_eq_str(buf_slice(&b->lines),
                             "{\"ts\":\"2026-01-02T15:04:05.678Z\",\"level\":\"info\",\"component_id\":\"x\","
                             "\"msg\":\"plain\",\"n\":-3,\"s\":\"a\\\"b\"}\n"));
}

static void lower_levels_are_left_out(void **state)
{
    log_debug(NULL, "fine detail");
    assert_lines(*state, "");
    log_set(LOG_DEBUG, LOG_LOGFMT);
    log_debug(NULL, "fine detail");
    assert_lines(*state, "level=debug msg=\"fine detail\"\n");
    log_set(LOG_ERROR, LOG_LOGFMT);
    log_warn(NULL, "not now");
    assert_lines(*state, "");
    assert_false(log_is_on(LOG_WARN));
}

static void one_cause_is_one_line_in_ten_seconds_with_a_count(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 5; i++)
        log_warn("a", "refused", log_int("i", i));
    log_warn("b", "refused"); /* another component: another cause */
    assert_lines(b, "level=warn component_id=a msg=refused i=0\nlevel=warn component_id=b msg=refused\n");
    b->now_ns += (int64_t)10 * NS_PER_S - 1;
    log_warn("a", "refused", log_int("i", 5));
    assert_lines(b, "");
    b->now_ns += 1;
    log_warn("a", "refused", log_int("i", 6));
    assert_lines(b, "level=warn component_id=a msg=refused i=6 left_out=5\n");
    b->now_ns += (int64_t)10 * NS_PER_S;
    log_warn("a", "refused", log_int("i", 7));
    assert_lines(b, "level=warn component_id=a msg=refused i=7\n");
}

static void information_is_never_held_back(void **state)
{
    log_info(NULL, "started");
    log_info(NULL, "started");
    assert_lines(*state, "level=info msg=started\nlevel=info msg=started\n");
}

static void counts_still_open_are_told_at_the_end(void **state)
{
    log_error("c", "gone");
    log_error("c", "gone");
    log_error("c", "gone");
    log_flush();
    log_flush(); /* told once */
    assert_lines(*state,
                 "level=error component_id=c msg=gone\n"
                 "level=error msg=\"the same was logged more often than shown\" cause=\"c: gone\" left_out=2\n");
}

static void many_causes_do_not_hold_each_other_back(void **state)
{
    struct bench *b = *state;
    char message[32];
    size_t lines = 0;

    for (int i = 0; i < 1000; i++) { /* more than are remembered */
        (void)snprintf(message, sizeof message, "cause %d", i);
        log_warn(NULL, message);
    }
    for (size_t i = 0; i < b->lines.len; i++)
        lines += b->lines.ptr[i] == '\n';
    assert_int_equal(lines, 1000);
}

static void a_huge_value_is_cut(void **state)
{
    struct bench *b = *state;
    static char huge[100000];

    memset(huge, 'x', sizeof huge);
    log_info(NULL, "m", log_slice("v", slice_make(huge, sizeof huge)), log_int("after", 1));
    assert_true(b->lines.len < 5000);
    assert_true(slice_ends(buf_slice(&b->lines), SLICE_LIT("x after=1\n")));
}

static void rooms_are_traced_by_name(void **state)
{
    (void)state;
    assert_int_equal(setenv("HYAGENT_TRACE", "spool, http", 1), 0);
    assert_true(log_is_traced("spool"));
    assert_true(log_is_traced("http"));
    assert_false(log_is_traced("htt"));
    assert_int_equal(unsetenv("HYAGENT_TRACE"), 0);
    assert_false(log_is_traced("spool"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void keep_copy(void *self, const struct log_line *line)
{
    struct buf *to = self;

    (void)buf_printf(to, "%s:%d:%.*s\n", line->component != NULL ? line->component : "-", (int)line->level,
                     SLICE_ARG(slice_from(line->text, slice_find_slice(line->text, SLICE_LIT("msg=")))));
}

static void a_copy_gets_what_was_kept_and_what_comes(void **state)
{
    struct buf copy;

    (void)state;
    buf_init(&copy, 4096);
    log_info(NULL, "before keeping");
    log_keep(1024);
    log_info(NULL, "kept");
    log_set_copy(keep_copy, &copy, true);
    log_warn("loki.write.x", "copied");
    log_set_copy(NULL, NULL, false);
    log_info(NULL, "after");
    log_keep(0);
    (void)buf_add_char(&copy, '\0');
    assert_string_equal(copy.ptr, "-:1:msg=kept\nloki.write.x:2:msg=copied\n");
    buf_release(&copy);
}

static void the_kept_end_of_the_log_is_bounded(void **state)
{
    struct buf kept;

    (void)state;
    buf_init(&kept, 1 << 20);
    log_keep(500);
    for (int i = 0; i < 100; i++)
        log_info(NULL, "line", log_int("n", i));
    log_write_kept(&kept);
    assert_in_range(kept.len, 300, 520);
    (void)buf_add_char(&kept, '\0');
    assert_null(strstr(kept.ptr, "n=90\n"));
    assert_non_null(strstr(kept.ptr, "n=98\n"));
    assert_non_null(strstr(kept.ptr, "n=99\n"));
    log_keep(0);
    buf_reset(&kept);
    log_write_kept(&kept);
    assert_int_equal(kept.len, 0);
    buf_release(&kept);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_logfmt_with_time_level_component_message_and_fields),
        TEST(values_cannot_forge_a_line_or_a_key),
        TEST(json_lines_are_one_object),
        TEST(lower_levels_are_left_out),
        TEST(one_cause_is_one_line_in_ten_seconds_with_a_count),
        TEST(information_is_never_held_back),
        TEST(counts_still_open_are_told_at_the_end),
        TEST(many_causes_do_not_hold_each_other_back),
        TEST(a_huge_value_is_cut),
        TEST(rooms_are_traced_by_name),
        cmocka_unit_test_setup_teardown(a_copy_gets_what_was_kept_and_what_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kept_end_of_the_log_is_bounded, set_up, tear_down),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
