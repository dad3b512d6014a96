#include "agent/text/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void valid_prefix_stops_at_the_first_bad_byte(void **state)
{
    static const struct {
        const char *name, *in;
        size_t len, want;
    } rows[] = {
        {"ascii", "abcdefghijklmnopqrstuvwxyz", 26, 26},
        {"ascii then bad", "abcdefghijklmnop\xFFq", 18, 16},
        {"two bytes", "\xC3\xA9", 2, 2},
        {"overlong slash", "\xC0\xAF", 2, 0},
        {"overlong three", "\xE0\x80\xAF", 3, 0},
        {"surrogate", "\xED\xA0\x80", 3, 0},
        {"last before surrogates", "\xED\x9F\xBF", 3, 3},
        {"four bytes", "\xF0\x9F\x98\x80", 4, 4},
        {"past U+10FFFF", "\xF4\x90\x80\x80", 4, 0},
        {"U+10FFFF", "\xF4\x8F\xBF\xBF", 4, 4},
        {"cut short", "a\xE2\x82", 3, 1},
        {"lone tail", "\x80", 1, 0},
        {"empty", "", 0, 0},
        {"nul", "a\0b", 3, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (utf8_valid_prefix(slice_make(rows[i].in, rows[i].len)) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

static void repair_replaces_each_bad_byte_and_counts(void **state)
{
    struct slice in = SLICE_LIT("ok\xFF\xFEx\xE2\x82"),
                 want = SLICE_LIT("ok\xEF\xBF\xBD\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD");
    struct arena a;
    struct buf b;
    struct slice out;
    size_t n;

    (void)state;
    buf_init(&b, 1024);
    assert_int_equal(utf8_repair(&b, in, &n), OK);
    assert_true(slice_eq(buf_slice(&b), want));
    assert_int_equal(n, 4);
    buf_release(&b);
    arena_init(&a, 0);
    assert_int_equal(utf8_repair_arena(&a, in, &out, &n), OK);
    assert_true(slice_eq(out, want));
    assert_int_equal(n, 4);
    assert_int_equal(utf8_repair_arena(&a, SLICE_LIT("fine"), &out, &n), OK);
    assert_int_equal(n, 0);
    assert_true(slice_eq_str(out, "fine"));
    arena_release(&a);
}

static void repair_past_the_buffer_is_full(void **state)
{
    struct buf b;
    size_t n;

    (void)state;
    buf_init(&b, 4);
    assert_int_equal(utf8_repair(&b, SLICE_LIT("a\xFF\xFF"), &n), FULL);
    buf_release(&b);
}

static void runes_count_as_go_counts(void **state)
{
    (void)state;
    assert_int_equal(utf8_runes(SLICE_LIT("h\xC3\xA9llo \xF0\x9F\x98\x80")), 7);
    assert_int_equal(utf8_runes(SLICE_LIT("\xE2\x82")), 2);
    assert_int_equal(utf8_rune_offset(SLICE_LIT("\xC3\xA9x"), 1), 2);
    assert_int_equal(utf8_rune_offset(SLICE_LIT("ab"), 9), 2);
}

static void encode_and_decode_are_inverse(void **state)
{
    static const uint32_t runes[] = {0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF};
    char bytes[UTF8_MAX_BYTES];
    uint32_t back;

    (void)state;
    for (size_t i = 0; i < sizeof runes / sizeof *runes; i++) {
        size_t n = utf8_encode(runes[i], bytes);

        assert_int_equal(utf8_decode(slice_make(bytes, n), &back), n);
        assert_int_equal(back, runes[i]);
    }
    assert_int_equal(utf8_encode(0xD800, bytes), 3);
    assert_memory_equal(bytes, "\xEF\xBF\xBD", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_prefix_stops_at_the_first_bad_byte),
        cmocka_unit_test(repair_replaces_each_bad_byte_and_counts),
        cmocka_unit_test(repair_past_the_buffer_is_full),
        cmocka_unit_test(runes_count_as_go_counts),
        cmocka_unit_test(encode_and_decode_are_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
