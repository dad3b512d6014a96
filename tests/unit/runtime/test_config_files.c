/* Which files make a configuration. */
#include "agent/base/mem.h"
#include "agent/runtime/config_files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const names[] = {"b.river", "a.alloy", "x_test.river", "notes.txt", ".hidden.river"};

static int set_up(void **state)
{
    static char root[64];
    char path[256];

    snprintf(root, sizeof root, "/tmp/hyagent-test-XXXXXX");
    *state = mkdtemp(root);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, names[i]);
        FILE *f = fopen(path, "w");
        fprintf(f, "// %s\n", names[i]);
        fclose(f);
    }
    snprintf(path, sizeof path, "%s/sub.river", root);
    return mkdir(path, 0700);
}

static int tear_down(void **state)
{
    char path[256];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", (char *)*state, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/sub.river", (char *)*state);
    rmdir(path);
    return rmdir(*state);
}

static void a_folder_is_its_river_and_alloy_files_in_order(void **state)
{
    struct config_texts texts;
    struct diags diags;

    diags_init(&diags);
    assert_int_equal(config_files_read(*state, &texts, &diags), OK);
    assert_int_equal(texts.n, 2);
    assert_true(slice_eq_str(texts.items[0].text, "// a.alloy\n"));
    assert_true(slice_eq_str(texts.items[1].text, "// b.river\n"));
    config_texts_release(&texts);
    diags_release(&diags);
}

static void what_cannot_be_read_is_named(void **state)
{
    struct config_texts texts;
    struct diags diags;
    char path[256];

    diags_init(&diags);
    snprintf(path, sizeof path, "%s/none.river", (char *)*state);
    assert_int_equal(config_files_read(path, &texts, &diags), IO);
    assert_string_equal(diags.items[0].file, path);
    assert_non_null(strstr(diags.items[0].text, "No such file"));
    config_texts_release(&texts);
    diags_release(&diags);
}

static void a_folder_without_configuration_is_refused(void **state)
{
    struct config_texts texts;
    struct diags diags;
    char path[256];

    diags_init(&diags);
    snprintf(path, sizeof path, "%s/sub.river", (char *)*state);
    assert_int_equal(config_files_read(path, &texts, &diags), INVALID);
    config_texts_release(&texts);
    diags_release(&diags);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_is_its_river_and_alloy_files_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_without_configuration_is_refused, set_up, tear_down),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
