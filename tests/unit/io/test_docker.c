#include "agent/io/docker.h"
#include "agent/io/http_url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define T1 "2026-01-02T03:04:05.000000001Z "
#define T2 "2026-01-02T03:04:05.000000002Z "
#define NS1 1767323045000000001
enum { MAX_LINE = 40 };

struct got {
    struct buf text;
    unsigned n_bad;
};

/* A line as "o1:text|": stream, nanoseconds since T0, text; '!' when it was cut. */
static void on_line(void *arg, const struct docker_line *l)
{
    struct got *g = arg;

    (void)buf_printf(&g->text, "%c%d:", l->source == DOCKER_STDOUT ? 'o' : 'e', (int)(l->ts_ns - NS1 + 1));
    (void)buf_add(&g->text, l->text);
    (void)buf_add_str(&g->text, l->is_cut ? "!|" : "|");
}

static void on_bad(void *arg, const char *what)
{
    struct got *g = arg;

    (void)what;
    g->n_bad++;
}

/* "1<text>" is a frame of stdout, "2<text>" one of stderr, parts end with NULL. */
static void put_frames(struct buf *out, const char *const *parts)
{
    for (size_t i = 0; parts[i] != NULL; i++) {
        size_t n = strlen(parts[i]) - 1;
        const char head[8] = {(char)(parts[i][0] - '0'), 0, 0, 0, 0, 0, (char)(n >> 8), (char)(n & 255)};

        (void)buf_add(out, slice_make(head, sizeof head));
        (void)buf_add_str(out, parts[i] + 1);
    }
}

static const struct {
    const char *name;
    const char *parts[6];
    const char *want;
    unsigned n_bad;
} frames[] = {
    {"both streams", {"1" T1 "out\n", "2" T2 "err\n"}, "o1:out|e2:err|", 0},
    {"an empty line", {"1" T1 "\n", "1" T2 "x\n"}, "o1:|o2:x|", 0},
    {"spaces stay", {"1" T1 "  a b \n"}, "o1:  a b |", 0},
    {"a carriage return before the newline goes", {"1" T1 "a\r\n"}, "o1:a|", 0},
    {"parts of one line are joined, the first time counts",
     {"1" T1 "abc", "1" T1 "def", "1" T2 "g\n"},
     "o1:abcdefg|",
     0},
    {"parts of two streams between each other",
     {"1" T1 "abc", "2" T2 "x", "1" T1 "def\n", "2" T2 "y\n"},
     "o1:abcdef|e2:xy|",
     0},
    {"a last line without newline", {"1" T1 "abc"}, "o1:abc|", 0},
    {"a line over the maximum is cut",
     {"1" T1 "0123456789012345678901234567890123456789xyz\n", "1" T2 "k\n"},
     "o1:0123456789012345678901234567890123456789!|o2:k|",
     0},
    {"a line without a time is left out", {"1hello world\n", "1" T2 "k\n"}, "o2:k|", 1},
    {"several lines in one frame share its time", {"1" T1 "a\nb\n"}, "o1:a|o1:b|", 0},
    {"what the daemon could not read is no line",
     {"3"
      "broken",
      "1" T1 "a\n"},
     "o1:a|",
     1},
};

static void feed(struct docker_logs *l, struct slice all, size_t step)
{
    struct error err = {0};

    for (size_t at = 0; at < all.len; at += step)
        assert_int_equal(docker_logs_feed(l, slice_head(slice_from(all, at), step), &err), OK);
    docker_logs_end(l);
}

static void frames_become_lines_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct buf all;

        buf_init(&all, 4096);
        put_frames(&all, frames[i].parts);
        for (size_t step = 1; step <= all.len; step++) {
            struct got g = {0};
            struct docker_logs l;

            buf_init(&g.text, 4096);
            docker_logs_init(&l, false, MAX_LINE);
            l.line = on_line;
            l.bad = on_bad;
            l.arg = &g;
            feed(&l, buf_slice(&all), step);
            if (!slice_eq_str(buf_slice(&g.text), frames[i].want) || g.n_bad != frames[i].n_bad)
                fail_msg("%s, by %zu: %.*s, %u bad", frames[i].name, step, SLICE_ARG(buf_slice(&g.text)), g.n_bad);
            docker_logs_release(&l);
            buf_release(&g.text);
        }
        buf_release(&all);
    }
}

static void a_terminal_has_no_frames_and_long_lines_are_joined(void **state)
{
    enum { PART = 16 * 1024 };
    struct buf all, text;
    struct got g = {0};
    struct docker_logs l;

    (void)state;
    buf_init(&all, 64 * 1024);
    buf_init(&text, 64 * 1024);
    (void)buf_add_str(&all, T1 "short\r\n" T2);
    for (size_t i = 0; i < PART; i++)
        (void)buf_add_char(&all, 'x');
    (void)buf_add_str(&all, T2 "tail of it\r\n" T1 "next\n");
    for (size_t step = 1; step < 3 * PART; step = step * 3 + 1) {
        buf_init(&g.text, 64 * 1024);
        docker_logs_init(&l, true, 4 * PART);
        l.line = on_line;
        l.bad = on_bad;
        l.arg = &g;
        feed(&l, buf_slice(&all), step);
        assert_int_equal(g.n_bad, 0);
        assert_int_equal(g.text.len, sizeof "o1:short|o2:|o1:next|" - 1 + PART + sizeof "tail of it" - 1);
        assert_true(slice_starts(buf_slice(&g.text), SLICE_LIT("o1:short|o2:xxx")));
        assert_true(slice_ends(buf_slice(&g.text), SLICE_LIT("xtail of it|o1:next|")));
        docker_logs_release(&l);
        buf_release(&g.text);
    }
    buf_release(&all);
    buf_release(&text);
}

static void what_is_no_frame_is_corrupt(void **state)
{
    static const char *const heads[] = {"HTTP/1.1 ", "\x01\x01\x01\x01\x01\x01\x01\x01\x01", "\x04zzzzzzzz"};

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct docker_logs l;
        struct error err = {0};

        docker_logs_init(&l, false, MAX_LINE);
        assert_int_equal(docker_logs_feed(&l, slice_str(heads[i]), &err), CORRUPT);
        assert_true(err.text[0] != '\0');
        docker_logs_release(&l);
    }
}

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abffff"
static const struct {
    const char *name, *cgroup, *mounts;
    bool is_found;
} selves[] = {
    {"cgroup v1", "12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", "", true},
    {"systemd's cgroups", "0::/system.slice/docker-" ID ".scope\n", "", true},
    {"a private cgroup namespace, the hostname is mounted", "0::/\n",
     "700 650 8:1 /var/lib/docker/containers/" ID "/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw\n", true},
    {"another container's folder is mounted", "0::/\n",
     "700 650 8:1 / /host/var/lib/docker/containers/" OTHER "/mounts/shm rw - tmpfs shm rw\n"
     "701 650 8:1 /var/lib/docker/containers/" ID "/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw\n",
     true},
    {"on the host", "0::/user.slice\n",
     "700 650 0:1 / /var/lib/docker/containers/" OTHER "/mounts/shm rw - tmpfs shm rw\n", false},
    {"nothing", "", "", false},
};

static void its_own_container_is_told_from_proc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof selves / sizeof *selves; i++) {
        struct slice id = {0};
        bool is_found = docker_find_self(slice_str(selves[i].cgroup), slice_str(selves[i].mounts), &id);

        if (is_found != selves[i].is_found || (is_found && !slice_eq_str(id, ID)))
            fail_msg("%s: %.*s", selves[i].name, SLICE_ARG(id));
    }
}

static void hosts_are_checked(void **state)
{
    static const char *const good[] = {"unix:///var/run/docker.sock", "tcp://proxy:2375", "http://proxy:2375",
                                       "https://docker.example:2376", "tcp://[::1]:2375/"};
    static const char *const bad[] = {"", "docker", "npipe:////./pipe/docker", "ssh://host", "tcp://"};
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (docker_host_check(slice_str(good[i]), &err) != OK)
            fail_msg("%s: %s", good[i], err.text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (docker_host_check(slice_str(bad[i]), &err) != INVALID)
            fail_msg("%s is taken", bad[i]);
}

static void filters_of_one_name_are_joined(void **state)
{
    const struct slice a[] = {{"x=1", 3}, {"y\"", 2}}, b[] = {{"running", 7}}, c[] = {{"z", 1}};
    const struct docker_filter filters[] = {
        {SLICE_LIT("label"), a, 2}, {SLICE_LIT("status"), b, 1}, {SLICE_LIT("label"), c, 1}};
    struct buf path, plain;

    (void)state;
    buf_init(&path, 1024);
    buf_init(&plain, 1024);
    (void)buf_add_str(&path, "/containers/json?all=1");
    assert_int_equal(docker_add_filters(&path, filters, 3), OK);
    assert_int_equal(http_url_unescape(&plain, buf_slice(&path), false), OK);
    assert_true(slice_eq_str(buf_slice(&plain), "/containers/json?all=1&filters={\"label\":[\"x=1\",\"y\\\"\",\"z\"],"
                                                "\"status\":[\"running\"]}"));
    assert_true(slice_find(buf_slice(&path), '"') == path.len);
    buf_release(&path);
    buf_release(&plain);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_become_lines_however_they_are_cut),
        cmocka_unit_test(a_terminal_has_no_frames_and_long_lines_are_joined),
        cmocka_unit_test(what_is_no_frame_is_corrupt),
        cmocka_unit_test(its_own_container_is_told_from_proc),
        cmocka_unit_test(hosts_are_checked),
        cmocka_unit_test(filters_of_one_name_are_joined),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
