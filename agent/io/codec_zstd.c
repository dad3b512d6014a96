#include "agent/io/codec_int.h"
#include <zstd.h>
#include <zstd_errors.h>

enum { WINDOW_LOG_MAX = 23, STEP_BYTES = 64 * 1024 };

enum code codec_zstd_compress(int level, struct slice in, struct buf *out, struct error *err)
{
    struct codec_thread *t = codec_thread();
    size_t room, n;
    enum code rc;

    if (level < 0 || level > 19)
        return error_set(err, INVALID, "zstd compression level %d is not between 1 and 19", level);
    if (t->zstd_compressor == NULL)
        t->zstd_compressor = ZSTD_createCCtx();
    if (t->zstd_compressor == NULL)
        return NOMEM;
    rc = codec_room(out, ZSTD_compressBound(in.len), &room);
    if (rc != OK)
        return rc;
    n = ZSTD_compressCCtx(t->zstd_compressor, out->ptr + out->len, room, in.ptr, in.len,
                          level == 0 ? ZSTD_CLEVEL_DEFAULT : level);
    if (ZSTD_isError(n)) {
        if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
            return FULL;
        return ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation
                   ? NOMEM
                   : error_set(err, INVALID, "zstd cannot compress: %s", ZSTD_getErrorName(n));
    }
    out->len += n;
    return OK;
}

static enum code failed(size_t rc, struct error *err)
{
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
        return NOMEM;
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return error_set(err, FULL, "the zstd data needs a window over %d MiB", 1 << (WINDOW_LOG_MAX - 20));
    return error_set(err, CORRUPT, "the zstd data is damaged: %s", ZSTD_getErrorName(rc));
}

static enum code decompress_stream(ZSTD_DCtx *ctx, struct slice in, struct buf *out, struct error *err)
{
    ZSTD_inBuffer source = {in.ptr, in.len, 0};
    size_t left = 1;
    char spare; /* written to when out is at its max: the frame may end here, or it is too long */

    for (;;) {
        bool is_at_max = out->len == out->max;
        ZSTD_outBuffer target = {&spare, 1, 0};
        size_t before = source.pos;
        enum code rc = OK;

        if (!is_at_max)
            rc = codec_room(out, STEP_BYTES, &target.size);
        if (rc != OK)
            return rc;
        if (!is_at_max)
            target.dst = out->ptr + out->len;
        left = ZSTD_decompressStream(ctx, &target, &source);
        if (ZSTD_isError(left))
            return failed(left, err);
        if (is_at_max && target.pos != 0)
            return codec_full(err, CODEC_ZSTD, out->max);
        out->len += target.pos;
        if (source.pos == source.size && (left == 0 || target.pos < target.size))
            break;
        if (target.pos == 0 && source.pos == before && !is_at_max)
            return error_set(err, CORRUPT, "the zstd data makes no progress");
    }
    if (left != 0)
        return error_set(err, CORRUPT, "the zstd data is cut short");
    return OK;
}

enum code codec_zstd_decompress(struct slice in, struct buf *out, struct error *err)
{
    struct codec_thread *t = codec_thread();
    unsigned long long claimed;

    if (in.len == 0)
        return error_set(err, CORRUPT, "the zstd data is empty");
    claimed = ZSTD_getFrameContentSize(in.ptr, in.len);
    if (claimed != ZSTD_CONTENTSIZE_UNKNOWN && claimed != ZSTD_CONTENTSIZE_ERROR && claimed > out->max - out->len)
        return codec_full(err, CODEC_ZSTD, out->max);
    if (t->zstd_decompressor == NULL)
        t->zstd_decompressor = ZSTD_createDCtx();
    if (t->zstd_decompressor == NULL)
        return NOMEM;
    ZSTD_DCtx_reset(t->zstd_decompressor, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(t->zstd_decompressor, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    return decompress_stream(t->zstd_decompressor, in, out, err);
}
