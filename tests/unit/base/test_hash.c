#include "agent/base/hash.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Published values of XXH3_64bits with seed 0 and no secret: of the empty input, from the XXH3 test vectors. */
static void the_stable_hash_is_xxh3_without_a_seed(void **state)
{
    (void)state;
    assert_true(hash64_stable((struct slice){0}) == 0x2D06800538D394C2u);
}

static void equal_bytes_hash_equal_wherever_they_stand(void **state)
{
    char left[] = "xabc", right[] = "abc";
    struct hash128 a = hash128(slice_make(left + 1, 3)), b = hash128(slice_str(right));

    (void)state;
    assert_true(hash64(slice_make(left + 1, 3)) == hash64(slice_str(right)));
    assert_true(a.low == b.low && a.high == b.high);
    assert_true(hash64_stable(slice_make(left + 1, 3)) == hash64_stable(slice_str(right)));
}

static void one_bit_and_the_length_matter(void **state)
{
    (void)state;
    assert_true(hash64(SLICE_LIT("a")) != hash64(SLICE_LIT("c")));
    assert_true(hash64(slice_make("\0", 1)) != hash64(slice_make("\0\0", 2)));
    assert_true(hash64(SLICE_LIT("a")) != hash64_stable(SLICE_LIT("a"))); /* seeded: outside cannot choose collisions */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stable_hash_is_xxh3_without_a_seed),
        cmocka_unit_test(equal_bytes_hash_equal_wherever_they_stand),
        cmocka_unit_test(one_bit_and_the_length_matter),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
