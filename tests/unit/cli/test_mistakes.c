/* Typical mistakes: what `hyagent validate` says to each is kept as a text and compared byte for byte. Started with
 * HYAGENT_WRITE_GOLDEN set it writes the texts instead: read them aloud before keeping them. */
#include "agent/base/mem.h"
#include "agent/cli/registry.h"
#include "agent/io/file.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/runtime.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER "tests/golden/mistakes/"

static void check(const char *path, struct buf *said)
{
    const struct config_options options = {.types = registry};
    struct config_text text = {.name = path + strlen(FOLDER)};
    struct diags diags;
    struct error err = {0};
    struct buf file = {0};

    diags_init(&diags);
    assert_int_equal(config_file_read(path, &file, &err), OK);
    text.text = buf_slice(&file);
    assert_int_equal(runtime_check(&options, &text, 1, &diags), INVALID);
    diags_sort(&diags);
    buf_init(said, 1024 * 1024);
    diags_print(said, &diags, false);
    diags_release(&diags);
    buf_release(&file);
}

static bool is_as_kept(const char *path)
{
    char *kept_path = mem_printf("%.*s.txt", (int)(strlen(path) - strlen(".river")), path);
    struct buf said, kept = {0};
    struct error err = {0};
    bool is_same;

    check(path, &said);
    if (getenv("HYAGENT_WRITE_GOLDEN") != NULL)
        assert_int_equal(file_write_atomic(kept_path, buf_slice(&said), 0644, false, &err), OK);
    if (config_file_read(kept_path, &kept, &err) != OK)
        fail_msg("%s %s", kept_path, err.text);
    is_same = slice_eq(buf_slice(&said), buf_slice(&kept));
    if (!is_same)
        print_error("%s now gives\n%.*s", path, (int)said.len, said.ptr);
    buf_release(&said);
    buf_release(&kept);
    mem_free(kept_path);
    return is_same;
}

static void every_typical_mistake_is_told_what_to_type(void **state)
{
    glob_t found;
    size_t n_other = 0;

    (void)state;
    unsetenv("HYAGENT_GOLDEN_UNSET");
    assert_int_equal(glob(FOLDER "*.river", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 15);
    for (size_t i = 0; i < found.gl_pathc; i++)
        n_other += !is_as_kept(found.gl_pathv[i]);
    globfree(&found);
    assert_int_equal(n_other, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_typical_mistake_is_told_what_to_type)};

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
