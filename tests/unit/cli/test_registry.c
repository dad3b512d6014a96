/* Walks the list of all components: names, documentation, tables. */
#include "agent/cli/catalog.h"
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
    if (type->is_source != (type->recovers != RECOVERS_UNSAID))
        fail_msg("%s: a source says what it recovers at a restart, and only a source does", type->name);
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

static bool has_page(struct slice name)
{
    return catalog_find(name).type != NULL;
}

/* Whoever is told to use something else must find it. */
static void what_to_use_instead_exists(void **state)
{
    static const char *const not_ours[] = {"host.id", "imjournal", NULL};

    (void)state;
    for (size_t i = 0; alloy_name_at(i) != NULL; i++) {
        const struct alloy_name *alloy = alloy_name_at(i);
        struct slice word, rest = slice_str(alloy->instead);

        if (has_page(slice_str(alloy->name)) != (alloy->instead == NULL))
            fail_msg("%s: say what to use instead exactly when hyagent lacks it", alloy->name);
        while (rest.len > 0) {
            bool is_ours = true;

            (void)slice_cut(rest, ' ', &word, &rest);
            while (word.len > 0 && strchr(",:;()", word.ptr[word.len - 1]) != NULL)
                word.len--;
            if (slice_find(word, '.') == word.len || slice_find(word, '/') != word.len || word.ptr[0] == '-')
                continue;
            for (size_t k = 0; not_ours[k] != NULL; k++)
                is_ours = is_ours && !slice_eq_str(word, not_ours[k]);
            if (slice_starts(word, SLICE_LIT("stage.")))
                word = SLICE_LIT("loki.process");
            if (is_ours && !has_page(word))
                fail_msg("%s: \"%.*s\" is nothing hyagent has", alloy->name, SLICE_ARG(word));
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_unique),
        cmocka_unit_test(no_name_is_a_prefix_of_another),
        cmocka_unit_test(every_table_is_whole_and_documented),
        cmocka_unit_test(defaults_decode),
        cmocka_unit_test(alloys_names_are_sorted),
        cmocka_unit_test(what_to_use_instead_exists),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
