/* Walks the list of all components: names, documentation, tables. */
#include "agent/cli/registry.h"
#include "agent/runtime/alloy_names.h"
#include "agent/runtime/config_blocks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void names_are_sorted_and_unique(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL && registry[i + 1] != NULL; i++)
        if (strcmp(registry[i]->name, registry[i + 1]->name) >= 0)
            fail_msg("%s stands before %s", registry[i]->name, registry[i + 1]->name);
}

static void no_name_is_a_prefix_of_another(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++)
        for (size_t k = 0; registry[k] != NULL; k++) {
            size_t len = strlen(registry[i]->name);

            if (strncmp(registry[i]->name, registry[k]->name, len) == 0 && registry[k]->name[len] == '.')
                fail_msg("%s is a prefix of %s", registry[i]->name, registry[k]->name);
        }
}

static void check(const struct component_type *type)
{
    struct error err = {0};

    if (type->doc == NULL || type->doc[0] == '\0')
        fail_msg("%s has no doc", type->name);
    if (type->create == NULL || type->close == NULL)
        fail_msg("%s lacks create or close", type->name);
    if (type->args == NULL || river_block_check(type->args, &err) != OK)
        fail_msg("%s: %s", type->name, err.text);
    if ((type->give_state == NULL) != (type->take_state == NULL))
        fail_msg("%s gives state that it does not take", type->name);
    for (size_t i = 0; type->exports != NULL && type->exports[i].name != NULL; i++)
        if (type->exports[i].type == NULL || type->exports[i].doc == NULL || type->exports[i].doc[0] == '\0')
            fail_msg("%s: export %s has no type or doc", type->name, type->exports[i].name);
}

static void every_table_is_whole_and_documented(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++)
        check(registry[i]);
    for (size_t i = 0; config_block_types[i] != NULL; i++)
        check(config_block_types[i]);
}

static void defaults_decode(void **state)
{
    (void)state;
    for (size_t i = 0; registry[i] != NULL; i++) {
        struct arena arena;
        void *args;

        arena_init(&arena, 0);
        args = arena_zalloc(&arena, registry[i]->args->size);
        if (river_defaults(&arena, registry[i]->args, args) != OK)
            fail_msg("%s: a default does not decode", registry[i]->name);
        arena_release(&arena);
    }
}

static void alloys_names_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 0; alloy_name_at(i + 1) != NULL; i++)
        if (strcmp(alloy_name_at(i)->name, alloy_name_at(i + 1)->name) >= 0)
            fail_msg("%s stands before %s", alloy_name_at(i)->name, alloy_name_at(i + 1)->name);
    assert_non_null(alloy_name_find(SLICE_LIT("loki.write")));
    assert_null(alloy_name_find(SLICE_LIT("loki.writ")));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_unique),
        cmocka_unit_test(no_name_is_a_prefix_of_another),
        cmocka_unit_test(every_table_is_whole_and_documented),
        cmocka_unit_test(defaults_decode),
        cmocka_unit_test(alloys_names_are_sorted),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
