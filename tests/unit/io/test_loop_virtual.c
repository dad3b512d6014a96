/* Loops on virtual time: order, the clock, and what does not come in there. */
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { START_S = 1000, TRACE_BYTES = 256 };

static struct {
    struct loops *loops;
    char trace[TRACE_BYTES]; /* a letter per event */
} at;

static void mark(char letter)
{
    size_t len = strlen(at.trace);

    assert_true(len + 1 < sizeof at.trace);
    at.trace[len] = letter;
    at.trace[len + 1] = '\0';
}

struct event {
    char letter;
    struct loop *loop;
    struct timer *timer; /* its own */
    unsigned n_left;     /* runs until it is freed; 0: never */
    int64_t ran_at_ns;
    struct event *posts; /* on its loop */
};

static void run(void *arg)
{
    struct event *e = arg;

    mark(e->letter);
    e->ran_at_ns = clock_wall_ns(loops_clock(at.loops));
    assert_ptr_equal(loop_current(), e->loop);
    if (e->posts != NULL)
        loop_post(e->posts->loop, run, e->posts);
    if (e->n_left != 0 && --e->n_left == 0) {
        timer_free(e->timer);
        e->timer = NULL;
    }
}

static void start(struct event *e, uint64_t after_ms, uint64_t repeat_ms)
{
    e->timer = timer_new(e->loop, run, e);
    timer_start(e->timer, after_ms, repeat_ms);
}

static int begin(void **state)
{
    (void)state;
    at.trace[0] = '\0';
    at.loops = loops_new_virtual(2, (int64_t)START_S * NS_PER_S);
    return 0;
}

static int end(void **state)
{
    (void)state;
    loops_free(at.loops);
    return 0;
}

static void pass(int64_t ns)
{
    assert_int_equal(loops_pass(at.loops, ns, NULL), OK);
}

static void timers_run_by_time_and_then_by_order_of_starting(void **state)
{
    struct event e[] = {{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}, {.letter = 'd'}};
    static const uint64_t after_ms[] = {20, 10, 20, 0};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        e[i].loop = i % 2 == 0 ? loops_worker(at.loops, 0) : loops_control(at.loops);
        start(&e[i], after_ms[i], 0);
    }
    assert_string_equal(at.trace, "");
    pass(15 * NS_PER_MS);
    assert_string_equal(at.trace, "db");
    pass(5 * NS_PER_MS);
    assert_string_equal(at.trace, "dbac");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(e[i].ran_at_ns, (int64_t)START_S * NS_PER_S + (int64_t)after_ms[i] * NS_PER_MS);
        timer_free(e[i].timer);
    }
}

static void the_clock_stands_while_anything_is_posted(void **state)
{
    struct event last = {.letter = 'z', .loop = loops_control(at.loops)};
    struct event second = {.letter = 'y', .loop = loops_worker(at.loops, 1), .posts = &last};
    struct event first = {.letter = 'x', .loop = loops_worker(at.loops, 0), .posts = &second};
    struct event timer = {.letter = 't', .loop = loops_worker(at.loops, 0)};

    (void)state;
    start(&timer, 1, 0);
    loop_post(first.loop, run, &first);
    pass(NS_PER_S);
    assert_string_equal(at.trace, "xyzt");
    assert_int_equal(last.ran_at_ns, (int64_t)START_S * NS_PER_S);
    assert_int_equal(clock_wall_ns(loops_clock(at.loops)), (int64_t)(START_S + 1) * NS_PER_S);
    timer_free(timer.timer);
}

static void a_repeating_timer_runs_until_it_frees_itself(void **state)
{
    struct event e = {.letter = 'r', .loop = loops_worker(at.loops, 0), .n_left = 4};

    (void)state;
    start(&e, 5, 10);
    pass(25 * NS_PER_MS);
    assert_string_equal(at.trace, "rrr");
    pass(NS_PER_S);
    assert_string_equal(at.trace, "rrrr");
    assert_null(e.timer);
    assert_int_equal(e.ran_at_ns, (int64_t)START_S * NS_PER_S + 35 * NS_PER_MS);
}

static void a_stopped_timer_does_not_run_and_starts_anew(void **state)
{
    struct event e = {.letter = 's', .loop = loops_worker(at.loops, 0)};

    (void)state;
    start(&e, 5, 0);
    timer_stop(e.timer);
    pass(10 * NS_PER_MS);
    assert_string_equal(at.trace, "");
    timer_start(e.timer, 5, 0);
    timer_start(e.timer, 50, 0);
    pass(49 * NS_PER_MS);
    assert_string_equal(at.trace, "");
    pass(NS_PER_MS);
    assert_string_equal(at.trace, "s");
    assert_int_equal(loop_now_ms(e.loop), clock_mono_ns(loops_clock(at.loops)) / NS_PER_MS);
    timer_free(e.timer);
}

static void a_barrier_passes_without_time(void **state)
{
    struct event e = {.letter = 'b', .loop = loops_control(at.loops)};

    (void)state;
    loops_barrier(at.loops, run, &e);
    pass(0);
    assert_string_equal(at.trace, "b");
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

static void a_year_of_milliseconds_is_refused(void **state)
{
    unsigned n = 0;
    struct timer *t = timer_new(loops_worker(at.loops, 0), count, &n);
    struct error err = {0};
    int64_t year_ns = 365 * 86400 * (int64_t)NS_PER_S;

    (void)state;
    timer_start(t, 1, 1);
    assert_int_equal(loops_pass(at.loops, year_ns, &err), FULL);
    assert_int_equal(n, LIMIT_VIRTUAL_TIMERS);
    assert_non_null(strstr(err.text, "too long a time"));
    timer_start(t, UINT64_MAX, UINT64_MAX);
    assert_int_equal(loops_pass(at.loops, INT64_MAX / 2, &err), OK);
    timer_free(t);
}

static void descriptors_are_refused(void **state)
{
    struct poll_handle *p;
    struct error err = {0};

    (void)state;
    assert_int_equal(poll_new(&p, loops_control(at.loops), 0, count, NULL, &err), IO);
    assert_null(p);
    assert_non_null(strstr(err.text, "virtual time"));
}

static void what_is_left_runs_when_they_are_freed(void **state)
{
    unsigned n = 0;
    struct loops *loops = loops_new_virtual(1, 0);

    (void)state;
    loop_post(loops_worker(loops, 0), count, &n);
    loop_post(loops_control(loops), count, &n);
    loops_free(loops);
    assert_int_equal(n, 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_run_by_time_and_then_by_order_of_starting, begin, end),
        cmocka_unit_test_setup_teardown(the_clock_stands_while_anything_is_posted, begin, end),
        cmocka_unit_test_setup_teardown(a_repeating_timer_runs_until_it_frees_itself, begin, end),
        cmocka_unit_test_setup_teardown(a_stopped_timer_does_not_run_and_starts_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_barrier_passes_without_time, begin, end),
        cmocka_unit_test_setup_teardown(a_year_of_milliseconds_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(descriptors_are_refused, begin, end),
        cmocka_unit_test(what_is_left_runs_when_they_are_freed),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
