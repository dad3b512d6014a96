#include "testing.h"
#include <pthread.h>

static void equal_sets_are_the_same_pointer(void **state)
{
    const struct label a[] = {{SLICE_LIT("b"), SLICE_LIT("2")}, {SLICE_LIT("a"), SLICE_LIT("1")}};
    const struct label b[] = {{SLICE_LIT("a"), SLICE_LIT("0")},
                              {SLICE_LIT("c"), SLICE_LIT("")},
                              {SLICE_LIT("a"), SLICE_LIT("1")},
                              {SLICE_LIT("b"), SLICE_LIT("2")}};
    size_t before = labels_interned_count();
    const struct labels *x = labels_intern(a, 2), *y = labels_intern(b, 4);

    (void)state;
    assert_ptr_equal(x, y);
    assert_int_equal(x->n, 2);
    assert_int_equal(x->text_bytes, 4);
    assert_slice(labels_get(x, SLICE_LIT("a")), "1");
    assert_null(labels_get(x, SLICE_LIT("c")).ptr);
    assert_int_equal(labels_interned_count(), before + 1);
    labels_unref(x);
    assert_int_equal(labels_interned_count(), before + 1);
    labels_unref(y);
    assert_int_equal(labels_interned_count(), before);
}

static void texts_that_join_alike_are_different_sets(void **state)
{
    const struct labels *x = labels_of("a=bc"), *y = labels_of("ab=c");

    (void)state;
    assert_ptr_not_equal(x, y);
    assert_true(x->hash != y->hash);
    labels_unref(x);
    labels_unref(y);
}

static void no_labels_is_the_empty_set(void **state)
{
    const struct label gone[] = {{SLICE_LIT("a"), SLICE_LIT("")}};

    (void)state;
    assert_ptr_equal(labels_intern(NULL, 0), labels_empty());
    assert_ptr_equal(labels_intern(gone, 1), labels_empty());
    labels_unref(labels_ref(labels_empty()));
    assert_labels(labels_empty(), "{}");
}

static void a_thousand_labels_are_sorted(void **state)
{
    static char names[1000][8];
    static struct label pairs[1000];
    const struct labels *l;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%03zu", (i * 379) % 1000);
        pairs[i] = (struct label){slice_str(names[i]), slice_str(names[i])};
    }
    l = labels_intern(pairs, 1000);
    assert_int_equal(l->n, 1000);
    for (uint32_t i = 1; i < l->n; i++)
        assert_true(slice_cmp(l->pairs[i - 1].name, l->pairs[i].name) < 0);
    labels_unref(l);
}

static void values_are_quoted_as_go_does(void **state)
{
    const struct label pairs[] = {{SLICE_LIT("a"), SLICE_LIT("x\"y\\z\nq\t\x01")}, {SLICE_LIT("b.c"), SLICE_LIT("ü")}};
    const struct labels *l = labels_intern(pairs, 2);

    (void)state;
    assert_labels(l, "{a=\"x\\\"y\\\\z\\nq\\t\\x01\",\"b.c\"=\"ü\"}");
    labels_unref(l);
}

static void a_builder_changes_a_copy(void **state)
{
    const struct labels *base = labels_of("a=1 b=2 c=3"), *changed;
    struct labels_builder b;
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    labels_builder_init(&b, &arena, base);
    labels_builder_del(&b, SLICE_LIT("b"));
    assert_int_equal(labels_builder_set(&b, SLICE_LIT("a"), SLICE_LIT("9")), OK);
    assert_int_equal(labels_builder_set(&b, SLICE_LIT("c"), SLICE_LIT("")), OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(labels_builder_set(&b, slice_str(arena_printf(&arena, "z%d", i)), SLICE_LIT("v")), OK);
    for (int i = 1; i < 40; i++)
        labels_builder_del(&b, slice_str(arena_printf(&arena, "z%d", i)));
    assert_slice(labels_builder_get(&b, SLICE_LIT("a")), "9");
    assert_int_equal(labels_builder_get(&b, SLICE_LIT("b")).len, 0);
    changed = labels_build(&b);
    arena_release(&arena);
    assert_labels(changed, "{a=\"9\",z0=\"v\"}");
    assert_labels(base, "{a=\"1\",b=\"2\",c=\"3\"}");
    labels_unref(base);
    labels_unref(changed);
}

static void names_are_checked_and_sanitized(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {{"a_b9", "a_b9"}, {"9a", "_9a"}, {"a.b-c", "a_b_c"}, {"", ""}, {"é", "__"}};
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < N_OF(rows); i++)
        assert_slice(label_name_sanitize(&arena, slice_str(rows[i].in)), rows[i].want);
    arena_release(&arena);
    assert_false(label_name_is_legacy(SLICE_LIT("a:b")));
    assert_false(label_name_is_legacy(SLICE_LIT("")));
}

static void *churn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4000; i++) {
        char value[16];
        struct label pair = {SLICE_LIT("k"), {value, 0}};
        const struct labels *l;

        pair.value.len = (size_t)snprintf(value, sizeof value, "%d", i % 7);
        l = labels_intern(&pair, 1);
        labels_unref(labels_ref(l));
        assert_slice(labels_get(l, SLICE_LIT("k")), value);
        labels_unref(l);
    }
    return NULL;
}

static void threads_share_and_free_sets(void **state)
{
    size_t before = labels_interned_count();
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < N_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (size_t i = 0; i < N_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(labels_interned_count(), before);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sets_are_the_same_pointer), cmocka_unit_test(texts_that_join_alike_are_different_sets),
        cmocka_unit_test(no_labels_is_the_empty_set),      cmocka_unit_test(a_thousand_labels_are_sorted),
        cmocka_unit_test(values_are_quoted_as_go_does),    cmocka_unit_test(a_builder_changes_a_copy),
        cmocka_unit_test(names_are_checked_and_sanitized), cmocka_unit_test(threads_share_and_free_sets),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
