#include "agent/base/mem.h"
#include "agent/io/codec.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const enum codec all[] = {CODEC_NONE, CODEC_GZIP,   CODEC_ZLIB,          CODEC_DEFLATE,
                                 CODEC_ZSTD, CODEC_SNAPPY, CODEC_SNAPPY_FRAMED, CODEC_LZ4};

static void fill(char *p, size_t n)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (char)(x >> 28) != 0 ? 'a' : (char)(x >> 24);
    }
}

static void what_was_compressed_comes_back(void **state)
{
    const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 1000000};

    (void)state;
    for (size_t c = 0; c < sizeof all / sizeof all[0]; c++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            size_t n = sizes[i];
            char *plain = mem_alloc(n + 1);
            struct error err = {0};
            struct buf packed, out;

            fill(plain, n);
            buf_init(&packed, 4 * 1000 * 1000);
            buf_init(&out, n); /* exactly what is needed */
            assert_int_equal(codec_compress(all[c], 0, slice_make(plain, n), &packed, &err), OK);
            if (codec_decompress(all[c], buf_slice(&packed), &out, &err) != OK)
                fail_msg("%s of %zu: %s", codec_name(all[c]), n, err.text);
            assert_true(slice_eq(buf_slice(&out), slice_make(plain, n)));
            buf_release(&packed);
            buf_release(&out);
            mem_free(plain);
        }
    }
}

static void a_bomb_stops_at_the_limit_and_leaves_the_output_as_it_was(void **state)
{
    size_t n = 50 * 1000 * 1000;
    char *plain = mem_alloc(n);

    (void)state;
    memset(plain, 0, n);
    for (size_t c = 0; c < sizeof all / sizeof all[0]; c++) {
        struct error err = {0};
        struct buf packed, out;

        buf_init(&packed, n * 2);
        buf_init(&out, 100000);
        assert_int_equal(codec_compress(all[c], 0, slice_make(plain, n), &packed, &err), OK);
        buf_add_str(&out, "before");
        assert_int_equal(codec_decompress(all[c], buf_slice(&packed), &out, &err), FULL);
        assert_true(slice_eq_str(buf_slice(&out), "before"));
        assert_true(out.cap <= 100001);
        assert_true(err.text[0] != 0);
        buf_release(&packed);
        buf_release(&out);
    }
    mem_free(plain);
}

static void input_that_is_cut_short_is_corrupt_at_every_length(void **state)
{
    char plain[3000];

    (void)state;
    fill(plain, sizeof plain);
    for (size_t c = 1; c < sizeof all / sizeof all[0]; c++) {
        struct buf packed, out;

        buf_init(&packed, 100000);
        assert_int_equal(codec_compress(all[c], 0, slice_make(plain, sizeof plain), &packed, NULL), OK);
        for (size_t cut = 0; cut < packed.len; cut++) {
            enum code rc;

            /* A framed stream may end between its frames: after the identifier it is whole, and empty. */
            if (all[c] == CODEC_SNAPPY_FRAMED && cut == 10)
                continue;
            buf_init(&out, 100000);
            rc = codec_decompress(all[c], slice_head(buf_slice(&packed), cut), &out, NULL);
            if (rc != CORRUPT)
                fail_msg("%s cut at %zu of %zu: %s", codec_name(all[c]), cut, packed.len, code_name(rc));
            assert_int_equal(out.len, 0);
            buf_release(&out);
        }
        buf_release(&packed);
    }
}

static void damaged_checksums_are_noticed(void **state)
{
    const enum codec checked[] = {CODEC_GZIP, CODEC_ZLIB, CODEC_SNAPPY_FRAMED};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf packed, out;
        size_t at;

        buf_init(&packed, 1000);
        buf_init(&out, 1000);
        assert_int_equal(codec_compress(checked[i], 0, SLICE_LIT("the quick brown fox"), &packed, NULL), OK);
        at = checked[i] == CODEC_GZIP ? packed.len - 8 : checked[i] == CODEC_ZLIB ? packed.len - 1 : 14;
        packed.ptr[at] = (char)(packed.ptr[at] ^ 1);
        assert_int_equal(codec_decompress(checked[i], buf_slice(&packed), &out, NULL), CORRUPT);
        buf_release(&packed);
        buf_release(&out);
    }
}

struct known_row {
    const char *name;
    enum codec codec;
    struct slice in;
    const char *want; /* NULL: CORRUPT */
};

#define BYTES(s)                                                                                                       \
    {                                                                                                                  \
        s, sizeof(s) - 1                                                                                               \
    }
static const struct known_row known[] = {
    /* RFC 1951: a stored block; a fixed block that ends at once */
    {"bare deflate, stored", CODEC_DEFLATE,
     BYTES("\x01\x03\x00\xfc\xff"
           "abc"),
     "abc"},
    {"bare deflate, empty", CODEC_DEFLATE, BYTES("\x03\x00"), ""},
    /* RFC 1950 around the same stored block; Adler-32 of abc is 0x024d0127 */
    {"zlib as deflate", CODEC_DEFLATE,
     BYTES("\x78\x01\x01\x03\x00\xfc\xff"
           "abc\x02\x4d\x01\x27"),
     "abc"},
    {"zlib", CODEC_ZLIB,
     BYTES("\x78\x01\x01\x03\x00\xfc\xff"
           "abc\x02\x4d\x01\x27"),
     "abc"},
    {"zlib, wrong sum", CODEC_ZLIB,
     BYTES("\x78\x01\x01\x03\x00\xfc\xff"
           "abc\x02\x4d\x01\x28"),
     NULL},
    {"zlib, something after it", CODEC_ZLIB,
     BYTES("\x78\x01\x01\x03\x00\xfc\xff"
           "abc\x02\x4d\x01\x27x"),
     NULL},
    /* snappy's format_description: varint length, literal tag (len-1)<<2 */
    {"snappy literal", CODEC_SNAPPY,
     BYTES("\x03\x08"
           "abc"),
     "abc"},
    {"snappy copy with a long offset", CODEC_SNAPPY,
     BYTES("\x06\x08"
           "abc\x0a\x03\x00"),
     "abcabc"},
    {"snappy copy from before the start", CODEC_SNAPPY,
     BYTES("\x06\x08"
           "abc\x0a\x04\x00"),
     NULL},
    {"snappy copy of 3 back 3", CODEC_SNAPPY,
     BYTES("\x07\x08"
           "abc\x01\x03"),
     "abcabca"},
    {"snappy empty", CODEC_SNAPPY, BYTES("\x00"), ""},
    {"snappy claims 4 GiB", CODEC_SNAPPY,
     BYTES("\xff\xff\xff\xff\x0f\x08"
           "abc"),
     NULL},
    {"snappy length does not end", CODEC_SNAPPY, BYTES("\xff\xff\xff\xff\xff\xff"), NULL},
    {"framed without identifier", CODEC_SNAPPY_FRAMED,
     BYTES("\x01\x07\x00\x00"
           "0000abc"),
     NULL},
    {"framed, padding and skippable", CODEC_SNAPPY_FRAMED,
     BYTES("\xff\x06\x00\x00sNaPpY\xfe\x02\x00\x00zz\x80\x01\x00\x00z"), ""},
    {"framed, reserved chunk", CODEC_SNAPPY_FRAMED, BYTES("\xff\x06\x00\x00sNaPpY\x02\x00\x00\x00"), NULL},
    {"gzip, nothing", CODEC_GZIP, BYTES(""), NULL},
};

static void known_bytes_give_known_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct buf out;
        enum code rc;

        buf_init(&out, 1000);
        rc = codec_decompress(known[i].codec, known[i].in, &out, NULL);
        if (rc != (known[i].want != NULL ? OK : CORRUPT) ||
            (known[i].want != NULL && !slice_eq_str(buf_slice(&out), known[i].want)))
            fail_msg("%s: %s, %.*s", known[i].name, code_name(rc), SLICE_ARG(buf_slice(&out)));
        buf_release(&out);
    }
}

static void several_members_are_one_text(void **state)
{
    const enum codec joined[] = {CODEC_GZIP, CODEC_ZSTD, CODEC_SNAPPY_FRAMED, CODEC_LZ4};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct buf packed, out;

        buf_init(&packed, 1000);
        buf_init(&out, 1000);
        assert_int_equal(codec_compress(joined[i], 0, SLICE_LIT("first "), &packed, NULL), OK);
        assert_int_equal(codec_compress(joined[i], 0, SLICE_LIT("second"), &packed, NULL), OK);
        assert_int_equal(codec_decompress(joined[i], buf_slice(&packed), &out, NULL), OK);
        assert_true(slice_eq_str(buf_slice(&out), "first second"));
        buf_release(&packed);
        buf_release(&out);
    }
}

static void snappy_blocks_join_without_decompressing(void **state)
{
    struct buf a, b, joined, out;
    struct slice body_a, body_b;
    uint64_t len_a, len_b;

    (void)state;
    buf_init(&a, 1000);
    buf_init(&b, 1000);
    buf_init(&joined, 1000);
    buf_init(&out, 1000);
    assert_int_equal(codec_compress(CODEC_SNAPPY, 0, SLICE_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), &a, NULL), OK);
    assert_int_equal(codec_compress(CODEC_SNAPPY, 0, SLICE_LIT("bcbcbcbcbcbcbcbcbcbcbcbcbcbcbc"), &b, NULL), OK);
    assert_int_equal(codec_snappy_split(buf_slice(&a), &len_a, &body_a), OK);
    assert_int_equal(codec_snappy_split(buf_slice(&b), &len_b, &body_b), OK);
    codec_snappy_put_length(&joined, len_a + len_b);
    buf_add(&joined, body_a);
    buf_add(&joined, body_b);
    assert_int_equal(codec_decompress(CODEC_SNAPPY, buf_slice(&joined), &out, NULL), OK);
    assert_true(slice_eq_str(buf_slice(&out), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcbcbcbcbcbcbcbcbcbcbcbcbcbcbc"));
    buf_release(&a);
    buf_release(&b);
    buf_release(&joined);
    buf_release(&out);
}

static void a_stream_inflates_in_any_pieces(void **state)
{
    const enum codec streams[] = {CODEC_NONE, CODEC_GZIP, CODEC_ZLIB, CODEC_DEFLATE, CODEC_ZSTD};
    char plain[20000];

    (void)state;
    fill(plain, sizeof plain);
    for (size_t c = 0; c < 5; c++) {
        for (size_t piece = 1; piece < 50; piece += 16) {
            struct inflater *inf;
            struct buf packed, out;
            struct slice left;
            char some[7];
            size_t n;

            buf_init(&packed, 100000);
            buf_init(&out, sizeof plain);
            assert_int_equal(codec_compress(streams[c], 0, slice_make(plain, sizeof plain), &packed, NULL), OK);
            assert_int_equal(inflater_new(&inf, streams[c], sizeof plain, NULL), OK);
            for (left = buf_slice(&packed); left.len != 0; left = slice_from(left, piece)) {
                struct slice in = slice_head(left, piece);

                do {
                    assert_int_equal(inflater_step(inf, &in, some, sizeof some, &n, NULL), OK);
                    buf_add(&out, slice_make(some, n));
                } while (n != 0 || in.len != 0);
            }
            assert_true(inflater_is_complete(inf));
            assert_true(slice_eq(buf_slice(&out), slice_make(plain, sizeof plain)));
            inflater_free(inf);
            buf_release(&packed);
            buf_release(&out);
        }
    }
}

static void a_stream_past_its_limit_is_full_and_stays_so(void **state)
{
    char zeros[5000] = {0}, some[5000];
    struct inflater *inf;
    struct buf packed;
    struct slice in;
    size_t n;

    (void)state;
    buf_init(&packed, 100000);
    assert_int_equal(codec_compress(CODEC_GZIP, 0, slice_make(zeros, sizeof zeros), &packed, NULL), OK);
    assert_int_equal(inflater_new(&inf, CODEC_GZIP, 4999, NULL), OK);
    in = buf_slice(&packed);
    assert_int_equal(inflater_step(inf, &in, some, sizeof some, &n, NULL), FULL);
    assert_int_equal(n, 0);
    assert_int_equal(inflater_step(inf, &in, some, sizeof some, &n, NULL), CORRUPT);
    assert_false(inflater_is_complete(inf));
    inflater_free(inf);
    buf_release(&packed);
}

static void names_are_those_of_http(void **state)
{
    enum codec codec;

    (void)state;
    for (size_t c = 0; c < sizeof all / sizeof all[0]; c++) {
        assert_true(codec_from_name(slice_str(codec_name(all[c])), &codec));
        assert_int_equal(codec, all[c]);
    }
    assert_true(codec_from_name(SLICE_LIT(" GZip "), &codec) && codec == CODEC_GZIP);
    assert_true(codec_from_name(SLICE_LIT("identity"), &codec) && codec == CODEC_NONE);
    assert_false(codec_from_name(SLICE_LIT("br"), &codec));
}

static void crc32c_is_that_of_rfc3720(void **state)
{
    char bytes[32];

    (void)state;
    memset(bytes, 0, 32); /* RFC 3720, B.4 */
    assert_int_equal(crc32c_update(0, slice_make(bytes, 32)), 0x8a9136aau);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c_update(0, slice_make(bytes, 32)), 0x62a8ab43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    assert_int_equal(crc32c_update(0, slice_make(bytes, 32)), 0x46dd794eu);
    assert_int_equal(crc32c_update(crc32c_update(0, slice_make(bytes, 13)), slice_make(bytes + 13, 19)), 0x46dd794eu);
    assert_int_equal(crc32c_update(0, SLICE_LIT("123456789")), 0xe3069283u);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_compressed_comes_back),
        cmocka_unit_test(a_bomb_stops_at_the_limit_and_leaves_the_output_as_it_was),
        cmocka_unit_test(input_that_is_cut_short_is_corrupt_at_every_length),
        cmocka_unit_test(damaged_checksums_are_noticed),
        cmocka_unit_test(known_bytes_give_known_text),
        cmocka_unit_test(several_members_are_one_text),
        cmocka_unit_test(snappy_blocks_join_without_decompressing),
        cmocka_unit_test(a_stream_inflates_in_any_pieces),
        cmocka_unit_test(a_stream_past_its_limit_is_full_and_stays_so),
        cmocka_unit_test(names_are_those_of_http),
        cmocka_unit_test(crc32c_is_that_of_rfc3720),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
