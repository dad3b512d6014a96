#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/io/credential_file.h"
#include "agent/io/file.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
    char dir[32];
    char *path[8];
    unsigned n;
};

static int set_up(void **state)
{
    struct place *p = mem_zalloc(sizeof *p);

    snprintf(p->dir, sizeof p->dir, "/tmp/hyagent-file-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    for (unsigned i = p->n; i-- > 0;) {
        remove(p->path[i]);
        mem_free(p->path[i]);
    }
    assert_int_equal(rmdir(p->dir), 0); /* nothing else is left behind */
    mem_free(p);
    return 0;
}

static const char *in(struct place *p, const char *name)
{
    char *path = mem_printf("%s/%s", p->dir, name);

    p->path[p->n++] = path;
    return path;
}

static void an_atomic_write_replaces_the_whole_file_with_the_mode_asked_for(void **state)
{
    const char *path = in(*state, "f");
    struct buf out;
    struct stat st;

    buf_init(&out, 100);
    assert_int_equal(file_write_atomic(path, SLICE_LIT("a long first text"), 0644, true, NULL), OK);
    assert_int_equal(file_write_atomic(path, SLICE_LIT("short"), 0600, true, NULL), OK);
    assert_int_equal(file_read_all(path, &out, NULL), OK);
    assert_true(slice_eq_str(buf_slice(&out), "short"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    buf_release(&out);
}

static void a_failed_atomic_write_leaves_nothing(void **state)
{
    struct place *p = *state;
    const char *dir = in(p, "d");
    struct error err = {0};

    assert_int_equal(mkdir(dir, 0700), 0); /* a file cannot replace a directory */
    assert_int_equal(file_write_atomic(dir, SLICE_LIT("x"), 0600, true, &err), IO);
    assert_non_null(strstr(err.text, dir));
}

static void only_regular_files_are_opened_and_fifos_do_not_hang(void **state)
{
    struct place *p = *state;
    const char *fifo = in(p, "fifo"), *file = in(p, "file"), *link = in(p, "link"), *absent = in(p, "absent");
    int fd;

    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(file_write_atomic(file, SLICE_LIT("x"), 0600, false, NULL), OK);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(file_open(&fd, fifo, FILE_READ, NULL), INVALID);
    assert_int_equal(fd, -1);
    assert_int_equal(file_open(&fd, p->dir, FILE_READ, NULL), INVALID);
    assert_int_equal(file_open(&fd, p->dir, FILE_WRITE, NULL), INVALID);
    assert_int_equal(file_open(&fd, "/dev/null", FILE_READ, NULL), INVALID);
    assert_int_equal(file_open(&fd, absent, FILE_READ, NULL), AGAIN);
    assert_int_equal(file_open(&fd, link, FILE_READ | FILE_NOFOLLOW, NULL), INVALID);
    assert_int_equal(file_open(&fd, link, FILE_READ, NULL), OK);
    file_close(&fd);
    assert_int_equal(fd, -1);
    file_close(&fd);
}

static void a_file_larger_than_the_buffer_is_full_and_one_that_fits_exactly_is_read(void **state)
{
    const char *path = in(*state, "f");
    struct buf out;

    buf_init(&out, 5);
    assert_int_equal(file_write_atomic(path, SLICE_LIT("123456"), 0600, false, NULL), OK);
    assert_int_equal(file_read_all(path, &out, NULL), FULL);
    assert_int_equal(out.len, 0);
    assert_int_equal(file_write_atomic(path, SLICE_LIT("12345"), 0600, false, NULL), OK);
    assert_int_equal(file_read_all(path, &out, NULL), OK);
    assert_int_equal(out.len, 5);
    buf_release(&out);
}

static void reads_and_writes_at_offsets_and_identity_survives_a_rename(void **state)
{
    struct place *p = *state;
    const char *a = in(p, "a"), *b = in(p, "b");
    struct file_stat before, after;
    char bytes[16];
    size_t got;
    int fd;

    assert_int_equal(file_open(&fd, a, FILE_WRITE | FILE_CREATE, NULL), OK);
    assert_int_equal(file_write_at(fd, 4, SLICE_LIT("text"), NULL), OK);
    assert_int_equal(file_read_at(fd, 2, bytes, sizeof bytes, &got, NULL), OK);
    assert_int_equal(got, 6);
    assert_memory_equal(bytes, "\0\0text", 6);
    assert_int_equal(file_stat_fd(fd, &before, NULL), OK);
    assert_true(before.is_regular);
    assert_int_equal(before.size_bytes, 8);
    assert_int_equal(rename(a, b), 0);
    assert_int_equal(file_stat_path(b, &after, NULL), OK);
    assert_memory_equal(&before.id, &after.id, sizeof before.id);
    assert_int_equal(file_stat_path(a, &after, NULL), AGAIN);
    file_close(&fd);
    assert_int_equal(file_remove(b, NULL), OK);
    assert_int_equal(file_remove(b, NULL), OK);
}

static bool note(void *arg, const char *name, bool is_dir)
{
    snprintf(arg, 64, "%s%s", name, is_dir ? "/" : "");
    return false;
}

static void directories_are_made_with_what_is_above_them(void **state)
{
    struct place *p = *state;
    const char *a = in(p, "x"), *b = in(p, "x/y"), *c = in(p, "x/y/z");
    char seen[64] = "";
    struct stat st;

    assert_int_equal(dir_make(c, 0700, NULL), OK);
    assert_int_equal(dir_make(c, 0700, NULL), OK);
    assert_int_equal(stat(a, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(dir_list(b, note, seen, NULL), OK);
    assert_string_equal(seen, "z/");
    assert_int_equal(dir_list("/nonexistent", note, seen, NULL), AGAIN);
    assert_int_equal(dir_make("/dev/null/x", 0700, NULL), IO);
}

static void a_second_process_cannot_lock_the_directory_and_is_told_who_has_it(void **state)
{
    struct place *p = *state;
    struct dir_lock *lock = NULL;
    int status;
    pid_t child;

    in(p, "lock");
    assert_int_equal(dir_lock(&lock, p->dir, NULL), OK);
    child = fork();
    if (child == 0) {
        struct dir_lock *second = NULL;
        struct error err = {0};
        char number[32];

        snprintf(number, sizeof number, "%ld", (long)getppid());
        _exit(dir_lock(&second, p->dir, &err) == AGAIN && strstr(err.text, p->dir) != NULL &&
                      strstr(err.text, number) != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    dir_unlock(lock);
    assert_int_equal(dir_lock(&lock, p->dir, NULL), OK);
    dir_unlock(lock);
}

static int64_t fake_now(void *self)
{
    return *(int64_t *)self;
}

static void a_secret_is_read_again_when_its_file_changes_but_looked_at_once_a_second(void **state)
{
    const char *path = in(*state, "secret");
    int64_t now_ns = 0;
    struct clock clock = {fake_now, fake_now, &now_ns};
    struct credential_file *f = credential_file_new(slice_str(path), &clock);
    struct buf out;

    buf_init(&out, 1000);
    assert_int_equal(credential_file_get(f, &out, NULL), IO);
    assert_int_equal(file_write_atomic(path, SLICE_LIT("one\r\n"), 0600, false, NULL), OK);
    assert_int_equal(credential_file_get(f, &out, NULL), OK); /* there was none: looked at at once */
    assert_true(slice_eq_str(buf_slice(&out), "one"));
    assert_int_equal(file_write_atomic(path, SLICE_LIT("two two\n"), 0600, false, NULL), OK);
    now_ns += NS_PER_S - 1;
    assert_int_equal(credential_file_get(f, &out, NULL), OK);
    assert_true(slice_eq_str(buf_slice(&out), "one"));
    now_ns += 1;
    assert_int_equal(credential_file_get(f, &out, NULL), OK);
    assert_true(slice_eq_str(buf_slice(&out), "two two"));
    assert_int_equal(unlink(path), 0);
    now_ns += NS_PER_S;
    assert_int_equal(credential_file_get(f, &out, NULL), IO);
    buf_release(&out);
    credential_file_free(f);
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(an_atomic_write_replaces_the_whole_file_with_the_mode_asked_for),
        PLACE_TEST(a_failed_atomic_write_leaves_nothing),
        PLACE_TEST(only_regular_files_are_opened_and_fifos_do_not_hang),
        PLACE_TEST(a_file_larger_than_the_buffer_is_full_and_one_that_fits_exactly_is_read),
        PLACE_TEST(reads_and_writes_at_offsets_and_identity_survives_a_rename),
        PLACE_TEST(directories_are_made_with_what_is_above_them),
        PLACE_TEST(a_second_process_cannot_lock_the_directory_and_is_told_who_has_it),
        PLACE_TEST(a_secret_is_read_again_when_its_file_changes_but_looked_at_once_a_second),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
