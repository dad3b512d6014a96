#include "agent/io/codec_int.h"
#include <lz4frame.h>

enum { STEP_BYTES = 64 * 1024 };

enum code codec_lz4_compress(int level, struct slice in, struct buf *out, struct error *err)
{
    LZ4F_preferences_t prefs = LZ4F_INIT_PREFERENCES;
    size_t room, bound, n;
    enum code rc;

    if (level < 0 || level > 12)
        return error_set(err, INVALID, "lz4 compression level %d is not between 1 and 12", level);
    prefs.compressionLevel = level;
    prefs.frameInfo.contentSize = in.len;
    bound = LZ4F_compressFrameBound(in.len, &prefs);
    rc = codec_room(out, bound, &room);
    if (rc != OK)
        return rc;
    if (room < bound)
        return FULL; /* the library wants room for the worst case */
    n = LZ4F_compressFrame(out->ptr + out->len, room, in.ptr, in.len, &prefs);
    if (LZ4F_isError(n))
        return error_set(err, INVALID, "lz4 cannot compress: %s", LZ4F_getErrorName(n));
    out->len += n;
    return OK;
}

static enum code decompress_stream(LZ4F_dctx *ctx, struct slice in, struct buf *out, struct error *err)
{
    size_t left = 1;
    char spare; /* written to when out is at its max: the frame may end here, or it is too long */

    for (;;) {
        bool is_at_max = out->len == out->max;
        size_t room = 1, taken = in.len, n;
        enum code rc = OK;

        if (!is_at_max)
            rc = codec_room(out, STEP_BYTES, &room);
        if (rc != OK)
            return rc;
        n = room;
        left = LZ4F_decompress(ctx, is_at_max ? &spare : out->ptr + out->len, &n, in.ptr, &taken, NULL);
        if (LZ4F_isError(left))
            return error_set(err, CORRUPT, "the lz4 data is damaged: %s", LZ4F_getErrorName(left));
        if (is_at_max && n != 0)
            return codec_full(err, CODEC_LZ4, out->max);
        out->len += n;
        in = slice_from(in, taken);
        if (in.len == 0 && (left == 0 || n < room))
            break;
        if (n == 0 && taken == 0 && !is_at_max)
            return error_set(err, CORRUPT, "the lz4 data makes no progress");
    }
    if (left != 0)
        return error_set(err, CORRUPT, "the lz4 data is cut short");
    return OK;
}

enum code codec_lz4_decompress(struct slice in, struct buf *out, struct error *err)
{
    LZ4F_dctx *ctx = NULL;
    enum code rc;

    if (in.len == 0)
        return error_set(err, CORRUPT, "the lz4 data is empty");
    if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
        return NOMEM;
    rc = decompress_stream(ctx, in, out, err);
    LZ4F_freeDecompressionContext(ctx);
    return rc;
}
