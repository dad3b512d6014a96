/* gzip, zlib and deflate: whole buffers by libdeflate (2 to 3 times as fast), streams by zlib. */
#include "agent/base/mem.h"
#include "agent/io/codec_int.h"
#include <libdeflate.h>

enum { DEFAULT_LEVEL = 6, MAX_RATIO = 1032, STEP_BYTES = 64 * 1024 };

enum code codec_zlib_compress(enum codec codec, int level, struct slice in, struct buf *out, struct error *err)
{
    struct codec_thread *t = codec_thread();
    size_t bound, room, n;
    enum code rc;

    if (level < 0 || level > 12)
        return error_set(err, INVALID, "%s compression level %d is not between 1 and 12", codec_name(codec), level);
    level = level == 0 ? DEFAULT_LEVEL : level;
    if (t->deflater == NULL || t->deflater_level != level) {
        libdeflate_free_compressor(t->deflater);
        t->deflater = libdeflate_alloc_compressor(level);
        t->deflater_level = level;
        if (t->deflater == NULL)
            return NOMEM;
    }
    bound = codec == CODEC_GZIP ? libdeflate_gzip_compress_bound(t->deflater, in.len)
                                : libdeflate_zlib_compress_bound(t->deflater, in.len);
    rc = codec_room(out, bound, &room);
    if (rc != OK)
        return rc;
    n = codec == CODEC_GZIP ? libdeflate_gzip_compress(t->deflater, in.ptr, in.len, out->ptr + out->len, room)
                            : libdeflate_zlib_compress(t->deflater, in.ptr, in.len, out->ptr + out->len, room);
    if (n == 0)
        return FULL;
    out->len += n;
    return OK;
}

/* What gzip's last four bytes claim, where deflate could reach it at all; 0: not to be relied on. */
static size_t claimed_bytes(enum codec codec, struct slice in)
{
    const unsigned char *tail;
    uint32_t n;

    if (codec != CODEC_GZIP || in.len < 18)
        return 0;
    tail = (const unsigned char *)in.ptr + in.len - 4;
    n = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24;
    return n / MAX_RATIO > in.len ? 0 : n;
}

/* The common case, one member of the size it claims. False: the stream decoder has to look. */
static bool decompress_whole(struct slice in, size_t claimed, struct buf *out)
{
    struct codec_thread *t = codec_thread();
    size_t room, used = 0, n = 0;

    if (t->inflater == NULL)
        t->inflater = libdeflate_alloc_decompressor();
    if (t->inflater == NULL || claimed > out->max - out->len || codec_room(out, claimed, &room) != OK)
        return false;
    if (libdeflate_gzip_decompress_ex(t->inflater, in.ptr, in.len, out->ptr + out->len, claimed, &used, &n) !=
            LIBDEFLATE_SUCCESS ||
        used != in.len)
        return false;
    out->len += n;
    return true;
}

static enum code decompress_stream(struct inflater *inf, enum codec codec, struct slice in, struct buf *out,
                                   struct error *err)
{
    char spare; /* written to when out is at its max: the stream may end here, or it is too long */
    enum code rc = OK;
    size_t n;

    for (;;) {
        size_t room = 0;
        bool is_at_max = out->len == out->max;

        if (!is_at_max)
            rc = codec_room(out, STEP_BYTES, &room);
        if (rc == OK)
            rc = inflater_step(inf, &in, is_at_max ? &spare : out->ptr + out->len, is_at_max ? 1 : room, &n, err);
        if (rc != OK)
            return rc;
        if (is_at_max && n != 0)
            return codec_full(err, codec, out->max);
        if (n == 0 && in.len == 0)
            break;
        out->len += n;
    }
    if (!inflater_is_complete(inf))
        return error_set(err, CORRUPT, "the %s data is cut short", codec_name(codec));
    return OK;
}

enum code codec_zlib_decompress(enum codec codec, struct slice in, struct buf *out, struct error *err)
{
    size_t claimed = claimed_bytes(codec, in);
    struct inflater *inf;
    enum code rc;

    if (claimed != 0 && decompress_whole(in, claimed, out))
        return OK;
    rc = inflater_new(&inf, codec, UINT64_MAX, err);
    if (rc != OK)
        return rc;
    rc = decompress_stream(inf, codec, in, out, err);
    inflater_free(inf);
    return rc;
}
