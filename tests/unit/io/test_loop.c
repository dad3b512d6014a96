#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/loop.h"
#include "agent/io/signals.h"
#include "agent/io/watch.h"
#include "tests/unit/io/latch.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

enum { N_POSTS = 10000 };

struct order {
    struct loop *loop;
    unsigned next;
    bool is_wrong;
    struct latch done;
};

struct item {
    struct order *order;
    unsigned number;
};

static void take_item(void *arg)
{
    struct item *item = arg;
    struct order *o = item->order;

    o->is_wrong = o->is_wrong || item->number != o->next || loop_current() != o->loop;
    if (++o->next == N_POSTS)
        latch_hit(&o->done);
}

static void posts_run_on_their_loop_in_order(void **state)
{
    struct item *items = mem_array(N_POSTS, sizeof *items);
    struct order o = {.done = LATCH_INIT};
    struct loops *loops = NULL;

    (void)state;
    assert_int_equal(loops_new(&loops, 3, NULL), OK);
    assert_int_equal(loops_count(loops), 3);
    assert_null(loop_current());
    o.loop = loops_worker(loops, 4);
    assert_int_equal(loop_index(o.loop), 1);
    assert_int_equal(loop_index(loops_control(loops)), 3);
    for (unsigned i = 0; i < N_POSTS; i++) {
        items[i] = (struct item){&o, i};
        loop_post(o.loop, take_item, &items[i]);
    }
    assert_true(latch_wait(&o.done, 1));
    assert_false(o.is_wrong);
    loops_free(loops);
    mem_free(items);
}

struct chain {
    struct loops *loops;
    atomic_uint hops;
};

static void hop(void *arg)
{
    struct chain *c = arg;

    if (atomic_fetch_add(&c->hops, 1) < 999)
        loop_post(loops_worker(c->loops, atomic_load(&c->hops)), hop, c);
}

static void what_was_posted_before_the_end_still_runs(void **state)
{
    struct chain c = {0};

    (void)state;
    assert_int_equal(loops_new(&c.loops, 2, NULL), OK);
    loop_post(loops_worker(c.loops, 0), hop, &c);
    loops_free(c.loops);
    assert_int_equal(atomic_load(&c.hops), 1000);
}

struct barrier_case {
    struct loops *loops;
    atomic_uint ran;
    unsigned ran_at_barrier;
    bool on_control;
};

static void count_one(void *arg)
{
    struct barrier_case *b = arg;

    atomic_fetch_add(&b->ran, 1);
}

static void at_barrier(void *arg)
{
    struct barrier_case *b = arg;

    b->ran_at_barrier = atomic_load(&b->ran);
    b->on_control = loop_current() == loops_control(b->loops);
    loops_stop(b->loops);
}

static void a_barrier_comes_after_all_that_was_posted_to_any_loop(void **state)
{
    struct barrier_case b = {0};

    (void)state;
    assert_int_equal(loops_new(&b.loops, 3, NULL), OK);
    for (unsigned i = 0; i < 3000; i++)
        loop_post(loops_worker(b.loops, i), count_one, &b);
    loops_barrier(b.loops, at_barrier, &b);
    loops_run(b.loops);
    assert_int_equal(b.ran_at_barrier, 3000);
    assert_true(b.on_control);
    loops_free(b.loops);
}

struct timers {
    struct loops *loops;
    struct timer *once, *repeated, *stopped;
    unsigned n_once, n_repeated, n_stopped;
};

static void on_once(void *arg)
{
    struct timers *t = arg;

    t->n_once++;
}

static void on_stopped(void *arg)
{
    struct timers *t = arg;

    t->n_stopped++;
}

static void on_repeated(void *arg)
{
    struct timers *t = arg;

    if (++t->n_repeated < 5)
        return;
    timer_free(t->repeated); /* from its own callback */
    timer_free(t->once);
    timer_free(t->stopped);
    loops_stop(t->loops);
}

static void start_timers(void *arg)
{
    struct timers *t = arg;
    struct loop *control = loops_control(t->loops);

    t->once = timer_new(control, on_once, t);
    t->repeated = timer_new(control, on_repeated, t);
    t->stopped = timer_new(control, on_stopped, t);
    timer_start(t->stopped, 1, 1);
    timer_stop(t->stopped);
    timer_start(t->once, 1, 0);
    timer_start(t->repeated, 5, 1);
}

static void timers_run_once_repeat_and_stop(void **state)
{
    struct timers t = {0};

    (void)state;
    assert_int_equal(loops_new(&t.loops, 1, NULL), OK);
    loop_post(loops_control(t.loops), start_timers, &t);
    loops_run(t.loops);
    assert_int_equal(t.n_once, 1);
    assert_int_equal(t.n_repeated, 5);
    assert_int_equal(t.n_stopped, 0);
    loops_free(t.loops);
}

struct signalled {
    struct loops *loops;
    struct signals *signals;
    int seen[3];
    unsigned n;
};

static void on_signal(void *arg, int signum)
{
    struct signalled *s = arg;

    s->seen[s->n++] = signum;
    if (s->n < 3) {
        kill(getpid(), s->n == 1 ? SIGTERM : SIGINT);
    } else {
        signals_free(s->signals);
        loops_stop(s->loops);
    }
}

static void signals_arrive_on_the_control_loop(void **state)
{
    struct signalled s = {0};

    (void)state;
    assert_int_equal(loops_new(&s.loops, 2, NULL), OK);
    assert_int_equal(signals_new(&s.signals, s.loops, on_signal, &s, NULL), OK);
    kill(getpid(), SIGHUP);
    loops_run(s.loops);
    assert_int_equal(s.seen[0], SIGHUP);
    assert_int_equal(s.seen[1], SIGTERM);
    assert_int_equal(s.seen[2], SIGINT);
    loops_free(s.loops);
}

static void the_service_manager_gets_the_state(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    char text[64] = "";

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(sd_notify_send("READY=1", NULL), OK);
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/hyagent-notify-%ld", (long)getpid());
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    assert_int_equal(sd_notify_send("READY=1", NULL), OK);
    assert_int_equal(recv(fd, text, sizeof text, 0), 7);
    assert_string_equal(text, "READY=1");
    unlink(address.sun_path);
    close(fd);
    assert_int_equal(sd_notify_send("READY=1", NULL), IO);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(sd_notify_send("READY=1", NULL), INVALID);
    unsetenv("NOTIFY_SOCKET");
}

struct watched {
    struct loops *loops;
    struct watcher *watcher;
    struct watch *dir, *file, *absent;
    char dir_path[32], file_path[64], absent_path[64];
    char log[512];
    struct timer *deadline;
    unsigned step;
    bool is_late;
};

static void note(struct watched *w, const char *who, unsigned events, struct slice name)
{
    size_t n = strlen(w->log);

    snprintf(w->log + n, sizeof w->log - n, "%s:%s%s%s%s%s%.*s ", who, (events & WATCH_CHANGED) != 0 ? "c" : "",
             (events & WATCH_CREATED) != 0 ? "n" : "", (events & WATCH_REMOVED) != 0 ? "r" : "",
             (events & WATCH_CLOSED) != 0 ? "x" : "", (events & WATCH_RESCAN) != 0 ? "!" : "", SLICE_ARG(name));
}

static void finish(struct watched *w)
{
    watch_free(w->dir);
    watch_free(w->file);
    watch_free(w->absent);
    watcher_free(w->watcher);
    timer_free(w->deadline);
    loops_stop(w->loops);
}

static void on_file(void *arg, unsigned events, struct slice name)
{
    note(arg, "file", events, name);
}

static void on_dir(void *arg, unsigned events, struct slice name)
{
    struct watched *w = arg;

    note(w, "dir", events, name);
    if ((events & WATCH_CREATED) != 0) {
        FILE *f = fopen(w->file_path, "w");

        w->file = watch_new(w->watcher, w->file_path, on_file, w);
        fputs("x", f);
        fclose(f);
    } else if ((events & WATCH_CLOSED) != 0 && w->step++ == 1) {
        unlink(w->file_path);
    } else if ((events & WATCH_REMOVED) != 0) {
        finish(w);
    }
}

static void on_absent(void *arg, unsigned events, struct slice name)
{
    struct watched *w = arg;
    FILE *f;

    note(w, "absent", events, name);
    f = fopen(w->file_path, "w"); /* the rest starts from here */
    fclose(f);
}

static void on_deadline(void *arg)
{
    struct watched *w = arg;

    w->is_late = true;
    finish(w);
}

static void start_watching(void *arg)
{
    struct watched *w = arg;
    struct loop *control = loops_control(w->loops);

    assert_int_equal(watcher_new(&w->watcher, control, NULL), OK);
    w->dir = watch_new(w->watcher, w->dir_path, on_dir, w);
    w->absent = watch_new(w->watcher, w->absent_path, on_absent, w);
    assert_int_equal(watcher_counts(w->watcher).refused_watches, 1);
    w->deadline = timer_new(control, on_deadline, w);
    timer_start(w->deadline, 20000, 0);
}

static void changes_are_told_and_what_cannot_be_watched_asks_for_a_rescan(void **state)
{
    struct watched w = {0};

    (void)state;
    snprintf(w.dir_path, sizeof w.dir_path, "/tmp/hyagent-watch-XXXXXX");
    assert_non_null(mkdtemp(w.dir_path));
    snprintf(w.file_path, sizeof w.file_path, "%s/file", w.dir_path);
    snprintf(w.absent_path, sizeof w.absent_path, "%s/absent", w.dir_path);
    assert_int_equal(loops_new(&w.loops, 1, NULL), OK);
    loop_post(loops_control(w.loops), start_watching, &w);
    loops_run(w.loops);
    if (w.is_late)
        fail_msg("late: %s", w.log);
    assert_non_null(strstr(w.log, "absent:! "));
    assert_non_null(strstr(w.log, "dir:nfile "));
    assert_non_null(strstr(w.log, "file:c "));
    assert_non_null(strstr(w.log, "file:x "));
    assert_non_null(strstr(w.log, "dir:rfile "));
    assert_int_equal(rmdir(w.dir_path), 0);
    loops_free(w.loops);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_on_their_loop_in_order),
        cmocka_unit_test(what_was_posted_before_the_end_still_runs),
        cmocka_unit_test(a_barrier_comes_after_all_that_was_posted_to_any_loop),
        cmocka_unit_test(timers_run_once_repeat_and_stop),
        cmocka_unit_test(signals_arrive_on_the_control_loop),
        cmocka_unit_test(the_service_manager_gets_the_state),
        cmocka_unit_test(changes_are_told_and_what_cannot_be_watched_asks_for_a_rescan),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
