/* Archives made in memory, read back by minizip's reader. */
#include "agent/io/zip.h"
#include "agent/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <minizip/unzip.h>

static void write_file(char *path, const struct buf *b)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->ptr, b->len), b->len);
    close(fd);
}

static void assert_member(unzFile file, const char *name, const char *want, size_t len)
{
    char *got = mem_zalloc(len + 2);
    unz_file_info info;

    assert_int_equal(unzLocateFile(file, name, 1), UNZ_OK);
    assert_int_equal(unzGetCurrentFileInfo(file, &info, NULL, 0, NULL, 0, NULL, 0), UNZ_OK);
    assert_int_equal(info.uncompressed_size, len);
    assert_int_equal(info.tmu_date.tm_year, 2026);
    assert_int_equal(info.tmu_date.tm_mon, 0);
    assert_int_equal(unzOpenCurrentFile(file), UNZ_OK);
    assert_int_equal(unzReadCurrentFile(file, got, (unsigned)len + 1), (int)len);
    assert_int_equal(unzCloseCurrentFile(file), UNZ_OK); /* checks the sum */
    assert_memory_equal(got, want, len);
    mem_free(got);
}

static void what_goes_in_comes_out(void **state)
{
    const int64_t when = 1767366245; /* 2026-01-02T15:04:05Z */
    char path[] = "/tmp/hyagent-test-XXXXXX", *large = mem_alloc(300000);
    struct error err = {0};
    struct zip *z;
    struct buf out;
    unzFile file;

    (void)state;
    memset(large, 'x', 300000);
    buf_init(&out, 1 << 20);
    assert_int_equal(zip_new(&z, &out, &err), OK);
    assert_int_equal(zip_add(z, "a/one.txt", when, SLICE_LIT("hello"), &err), OK);
    assert_int_equal(zip_add(z, "a/empty", when, SLICE_LIT(""), &err), OK);
    assert_int_equal(zip_add(z, "large", when, slice_make(large, 300000), &err), OK);
    assert_int_equal(zip_close(z, &err), OK);
    assert_in_range(out.len, 100, 5000); /* it is deflated */
    write_file(path, &out);
    file = unzOpen(path);
    assert_non_null(file);
    assert_member(file, "a/one.txt", "hello", 5);
    assert_member(file, "a/empty", "", 0);
    assert_member(file, "large", large, 300000);
    unzClose(file);
    unlink(path);
    buf_release(&out);
    mem_free(large);
}

static void past_its_room_it_is_full(void **state)
{
    struct error err = {0};
    struct zip *z;
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    assert_int_equal(zip_new(&z, &out, &err), OK);
    assert_int_equal(
        zip_add(z, "a-name-that-takes-some-room-in-the-header-and-the-directory", 0, SLICE_LIT("hello"), &err), FULL);
    assert_int_equal(zip_close(z, NULL), FULL);
    buf_release(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(past_its_room_it_is_full),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
