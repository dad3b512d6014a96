/* Programs that are run, by what a shell can do. */
#include "agent/io/process.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include "tests/unit/io/latch.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

static struct loops *loops;

struct run {
    const char *script;
    uint64_t timeout_ms;
    bool is_cancelled;
    struct process *process;
    struct latch done, gone;
    enum process_outcome outcome;
    int status;
    size_t out_len;
    char out[256], err[256], error[256];
};

static void on_done(void *arg, const struct process_result *r)
{
    struct run *x = arg;

    x->outcome = r->outcome;
    x->status = r->status;
    x->out_len = r->out.len;
    snprintf(x->out, sizeof x->out, "%.*s", SLICE_ARG(r->out));
    snprintf(x->err, sizeof x->err, "%.*s", SLICE_ARG(r->err));
    snprintf(x->error, sizeof x->error, "%.*s", SLICE_ARG(r->error));
    latch_hit(&x->done);
}

static void on_gone(void *arg)
{
    struct run *x = arg;

    latch_hit(&x->gone);
}

static void start(void *arg)
{
    static const char *const env[] = {"WORD=one two", "PATH=/usr/bin:/bin", NULL};
    struct run *x = arg;
    const char *const argv[] = {x->script[0] == '?' ? "no-such-program" : "sh", "-c", x->script, NULL};

    x->process = process_start(
        loops_worker(loops, 0),
        &(struct process_options){
            .argv = argv, .env = env, .folder = "/", .timeout_ms = x->timeout_ms, .done = on_done, .arg = x});
    if (x->is_cancelled)
        process_cancel(x->process, on_gone, x);
}

static struct run *run(const char *script, uint64_t timeout_ms, bool is_cancelled)
{
    struct run *x = mem_zalloc(sizeof *x);

    *x = (struct run){.script = script,
                      .timeout_ms = timeout_ms,
                      .is_cancelled = is_cancelled,
                      .done = LATCH_INIT,
                      .gone = LATCH_INIT};
    loop_post(loops_worker(loops, 0), start, x);
    assert_true(latch_wait(is_cancelled ? &x->gone : &x->done, 1));
    return x;
}

static void it_says_how_a_program_ended_and_what_it_wrote(void **state)
{
    static const struct {
        const char *script;
        enum process_outcome outcome;
        int status;
        const char *out, *err;
    } rows[] = {
        {"echo $WORD; pwd; echo wrong >&2; exit 3", PROCESS_EXITED, 3, "one two\n/\n", "wrong\n"},
        {"exit 0", PROCESS_EXITED, 0, "", ""},
        {"cat; echo end", PROCESS_EXITED, 0, "end\n", ""}, /* standard input is empty */
        {"kill -TERM $$", PROCESS_KILLED, SIGTERM, "", ""},
        {"? no such program", PROCESS_NOT_RUN, 0, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run *x = run(rows[i].script, 20000, false);

        assert_int_equal(x->outcome, rows[i].outcome);
        assert_int_equal(x->status, rows[i].status);
        assert_string_equal(x->out, rows[i].out);
        assert_string_equal(x->err, rows[i].err);
        if (rows[i].outcome == PROCESS_NOT_RUN)
            assert_non_null(strstr(x->error, "no-such-program"));
        mem_free(x);
    }
}

static void more_output_than_the_limit_is_cut_and_the_program_goes_on(void **state)
{
    struct run *x = run("head -c 10000000 /dev/zero; echo end >&2", 20000, false);

    (void)state;
    assert_int_equal(x->outcome, PROCESS_EXITED);
    assert_int_equal(x->status, 0);
    assert_int_equal(x->out_len, LIMIT_PROGRAM_OUTPUT_BYTES);
    assert_string_equal(x->err, "end\n");
    mem_free(x);
}

/* Its children too: the last line would come after them. */
static void the_time_limit_ends_the_whole_group(void **state)
{
    int64_t began = clock_mono_ns(clock_system());
    struct run *x = run("sleep 300 & sleep 300", 200, false);

    (void)state;
    assert_int_equal(x->outcome, PROCESS_TIMED_OUT);
    assert_true(clock_mono_ns(clock_system()) - began < (int64_t)10 * NS_PER_S);
    mem_free(x);
}

static void a_child_that_keeps_the_pipes_does_not_hold_us_up(void **state)
{
    int64_t began = clock_mono_ns(clock_system());
    struct run *x = run("sleep 300 & echo done", 60000, false);

    (void)state;
    assert_int_equal(x->outcome, PROCESS_EXITED);
    assert_string_equal(x->out, "done\n");
    assert_true(clock_mono_ns(clock_system()) - began < (int64_t)10 * NS_PER_S);
    mem_free(x);
}

static void a_cancelled_one_is_killed_and_not_told(void **state)
{
    struct run *x = run("sleep 300", 60000, true);

    (void)state;
    assert_int_equal(x->done.count, 0);
    mem_free(x);
}

static int set_up(void **state)
{
    (void)state;
    return loops_new(&loops, 1, NULL) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loops_free(loops);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_a_program_ended_and_what_it_wrote),
        cmocka_unit_test(more_output_than_the_limit_is_cut_and_the_program_goes_on),
        cmocka_unit_test(the_time_limit_ends_the_whole_group),
        cmocka_unit_test(a_child_that_keeps_the_pipes_does_not_hold_us_up),
        cmocka_unit_test(a_cancelled_one_is_killed_and_not_told),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
