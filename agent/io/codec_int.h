/* agent/io/codec_int.h - one pair of functions per library behind codec.h; and each thread's kept library contexts. */
#ifndef AGENT_IO_CODEC_INT_H
#define AGENT_IO_CODEC_INT_H
#include "agent/io/codec.h"

struct libdeflate_compressor;
struct libdeflate_decompressor;
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/* Expensive to make, so each thread keeps its own until it ends. */
struct codec_thread {
    struct libdeflate_compressor *deflater;
    int deflater_level;
    struct libdeflate_decompressor *inflater;
    struct ZSTD_CCtx_s *zstd_compressor;
    struct ZSTD_DCtx_s *zstd_decompressor;
};

struct codec_thread *codec_thread(void);
/* Room for min(want, what max allows) more bytes; FULL when max allows none. *room is what may be written at the end.
 */
enum code codec_room(struct buf *out, size_t want, size_t *room);
static inline enum code codec_full(struct error *err, enum codec codec, size_t max)
{
    return error_set(err, FULL, "the decompressed %s data is larger than the limit of %zu bytes", codec_name(codec),
                     max);
}

enum code codec_zlib_compress(enum codec codec, int level, struct slice in, struct buf *out, struct error *err);
enum code codec_zlib_decompress(enum codec codec, struct slice in, struct buf *out, struct error *err);
enum code codec_zstd_compress(int level, struct slice in, struct buf *out, struct error *err);
enum code codec_zstd_decompress(struct slice in, struct buf *out, struct error *err);
enum code codec_snappy_compress(struct slice in, struct buf *out, struct error *err);
enum code codec_snappy_decompress(struct slice in, struct buf *out, struct error *err);
enum code codec_snappy_framed_compress(struct slice in, struct buf *out, struct error *err);
enum code codec_snappy_framed_decompress(struct slice in, struct buf *out, struct error *err);
enum code codec_lz4_compress(int level, struct slice in, struct buf *out, struct error *err);
enum code codec_lz4_decompress(struct slice in, struct buf *out, struct error *err);
#endif
