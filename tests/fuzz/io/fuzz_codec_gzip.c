/* Whatever comes in, at most the output's maximum comes out, and a whole and a piecewise reader agree where there are
 * both. */
#include "agent/io/codec.h"
#include <stdlib.h>

enum { MAX_PLAIN = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True: the stream was taken to its end. */
static bool inflate_in_pieces(enum codec codec, struct slice in, struct buf *out)
{
    struct inflater *inf;
    char some[100];
    size_t n = 1;
    bool is_ok = inflater_new(&inf, codec, MAX_PLAIN, NULL) == OK;

    while (is_ok && (in.len != 0 || n != 0)) {
        struct slice piece = slice_head(in, 3);
        size_t before = piece.len;

        is_ok = inflater_step(inf, &piece, some, sizeof some, &n, NULL) == OK;
        in = slice_from(in, before - piece.len);
        buf_add(out, slice_make(some, n));
    }
    is_ok = is_ok && inflater_is_complete(inf);
    inflater_free(inf);
    return is_ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum codec codecs[] = {CODEC_GZIP, CODEC_ZLIB, CODEC_DEFLATE};

    for (size_t i = 0; i < 3; i++) {
        struct buf whole, pieces;
        enum code rc;

        buf_init(&whole, MAX_PLAIN);
        buf_init(&pieces, MAX_PLAIN);
        rc = codec_decompress(codecs[i], slice_make(data, size), &whole, NULL);
        if (rc != OK && whole.len != 0)
            abort();
        if (inflate_in_pieces(codecs[i], slice_make(data, size), &pieces) != (rc == OK))
            abort();
        if (rc == OK && !slice_eq(buf_slice(&whole), buf_slice(&pieces)))
            abort();
        buf_release(&whole);
        buf_release(&pieces);
    }
    return 0;
}
