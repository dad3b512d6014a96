#include "agent/base/map.h"
#include "agent/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void get_put_remove_by_bytes(void **state)
{
    int one = 1, two = 2;
    void *previous;
    struct map m;

    (void)state;
    map_init(&m, 0);
    assert_null(map_get(&m, SLICE_LIT("a")));
    assert_null(map_remove(&m, SLICE_LIT("a")));
    assert_int_equal(map_put(&m, SLICE_LIT("a"), &one, &previous), OK);
    assert_null(previous);
    assert_int_equal(map_put(&m, SLICE_LIT("a"), &two, &previous), OK);
    assert_ptr_equal(previous, &one);
    assert_int_equal(map_put(&m, (struct slice){0}, &one, NULL), OK); /* the empty key is a key */
    assert_int_equal(map_put(&m, slice_make("a\0b", 3), &one, NULL), OK);
    assert_int_equal(map_count(&m), 3);
    assert_ptr_equal(map_get(&m, SLICE_LIT("a")), &two);
    assert_ptr_equal(map_get(&m, SLICE_LIT("")), &one);
    assert_ptr_equal(map_remove(&m, SLICE_LIT("a")), &two);
    assert_null(map_get(&m, SLICE_LIT("a")));
    assert_ptr_equal(map_get(&m, slice_make("a\0b", 3)), &one);
    map_release(&m, NULL);
}

static void at_its_maximum_it_is_full_and_unchanged(void **state)
{
    int value;
    struct map m;

    (void)state;
    map_init(&m, 2);
    assert_int_equal(map_put(&m, SLICE_LIT("a"), &value, NULL), OK);
    assert_int_equal(map_put(&m, SLICE_LIT("b"), &value, NULL), OK);
    assert_int_equal(map_put(&m, SLICE_LIT("c"), &value, NULL), FULL);
    assert_int_equal(map_put(&m, SLICE_LIT("b"), &m, NULL), OK); /* replacing needs no room */
    assert_int_equal(map_count(&m), 2);
    assert_null(map_get(&m, SLICE_LIT("c")));
    (void)map_remove(&m, SLICE_LIT("a"));
    assert_int_equal(map_put(&m, SLICE_LIT("c"), &value, NULL), OK);
    map_release(&m, NULL);
}

static void refused_memory_leaves_it_unchanged(void **state)
{
    int value;
    struct map m;

    (void)state;
    for (uint64_t nth = 1; nth <= 3; nth++) {
        map_init(&m, 0);
        mem_fail_nth(nth);
        assert_int_equal(map_put(&m, SLICE_LIT("a"), &value, NULL), NOMEM);
        assert_int_equal(map_count(&m), 0);
        assert_null(map_get(&m, SLICE_LIT("a")));
        assert_int_equal(map_put(&m, SLICE_LIT("a"), &value, NULL), OK);
        assert_ptr_equal(map_get(&m, SLICE_LIT("a")), &value);
        map_release(&m, NULL);
    }
    mem_fail_nth(0);
}

static void release_frees_each_value_once(void **state)
{
    char key[8];
    struct map m;

    (void)state;
    map_init(&m, 0);
    for (int i = 0; i < 100; i++) {
        void *previous;

        (void)snprintf(key, sizeof key, "%d", i % 60);
        assert_int_equal(map_put(&m, slice_str(key), mem_alloc(1), &previous), OK);
        mem_free(previous);
    }
    mem_free(map_remove(&m, SLICE_LIT("7")));
    map_release(&m, mem_free); /* a leak or a second free would be reported by AddressSanitizer */
    assert_int_equal(map_count(&m), 0);
}

/* The model: an array in order of insertion. */
struct model {
    char keys[300][8];
    uintptr_t values[300];
    size_t n;
};

static size_t model_find(const struct model *m, const char *key)
{
    size_t i = 0;

    while (i < m->n && strcmp(m->keys[i], key) != 0)
        i++;
    return i;
}

static void model_put(struct model *m, const char *key, uintptr_t value)
{
    size_t i = model_find(m, key);

    if (i == m->n) {
        (void)snprintf(m->keys[i], sizeof m->keys[i], "%s", key);
        m->n++;
    }
    m->values[i] = value;
}

static void model_remove(struct model *m, const char *key)
{
    size_t i = model_find(m, key);

    if (i == m->n)
        return;
    memmove(m->keys[i], m->keys[i + 1], (m->n - i - 1) * sizeof m->keys[0]);
    memmove(&m->values[i], &m->values[i + 1], (m->n - i - 1) * sizeof m->values[0]);
    m->n--;
}

static void assert_same(const struct map *m, const struct model *model)
{
    size_t i = 0;

    assert_int_equal(map_count(m), model->n);
    for (struct map_entry *e = map_next(m, NULL); e != NULL; e = map_next(m, e)) {
        assert_true(i < model->n);
        assert_true(slice_eq_str(e->key, model->keys[i]));
        assert_int_equal((uintptr_t)e->value, model->values[i]);
        assert_ptr_equal(map_get(m, e->key), e->value);
        i++;
    }
    assert_int_equal(i, model->n);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_actions_agree_with_a_model(void **state)
{
    (void)state;
    for (uint32_t first_seed = 1; first_seed <= 20; first_seed++) {
        static struct model model;
        uint32_t seed = first_seed;
        struct map m;

        map_init(&m, 0);
        model.n = 0;
        for (int step = 0; step < 2000; step++) {
            char key[8];

            (void)snprintf(key, sizeof key, "k%u", (unsigned)(next_random(&seed) % 300));
            if (next_random(&seed) % 100 < (step / 500 % 2 == 0 ? 70u : 20u)) { /* grows, shrinks, grows, shrinks */
                uintptr_t value = (uintptr_t)step + 1;

                assert_int_equal(map_put(&m, slice_str(key), (void *)value, NULL), OK);
                model_put(&model, key, value);
            } else {
                size_t i = model_find(&model, key);
                uintptr_t want = i < model.n ? model.values[i] : 0;

                assert_int_equal((uintptr_t)map_remove(&m, slice_str(key)), want);
                model_remove(&model, key);
            }
            if (step % 97 == 0)
                assert_same(&m, &model);
        }
        assert_same(&m, &model);
        map_release(&m, NULL);
    }
}

static void entries_may_be_removed_while_walking(void **state)
{
    char key[8];
    struct map m;

    (void)state;
    map_init(&m, 0);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        assert_int_equal(map_put(&m, slice_str(key), &m, NULL), OK);
    }
    for (struct map_entry *e = map_next(&m, NULL); e != NULL; e = map_next(&m, e))
        assert_ptr_equal(map_remove(&m, e->key), &m);
    assert_int_equal(map_count(&m), 0);
    map_release(&m, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_put_remove_by_bytes),
        cmocka_unit_test(at_its_maximum_it_is_full_and_unchanged),
        cmocka_unit_test(refused_memory_leaves_it_unchanged),
        cmocka_unit_test(release_frees_each_value_once),
        cmocka_unit_test(random_actions_agree_with_a_model),
        cmocka_unit_test(entries_may_be_removed_while_walking),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
