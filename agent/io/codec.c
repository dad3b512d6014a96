#include "agent/io/codec.h"
#include "agent/base/mem.h"
#include "agent/io/codec_int.h"
#include <libdeflate.h>
#include <pthread.h>
#include <zstd.h>

struct codec_row {
    const char *name;
    enum codec codec;
};

static const struct codec_row names[] = {
    {"", CODEC_NONE},           {"identity", CODEC_NONE},
    {"none", CODEC_NONE},       {"gzip", CODEC_GZIP},
    {"x-gzip", CODEC_GZIP},     {"zlib", CODEC_ZLIB},
    {"deflate", CODEC_DEFLATE}, {"zstd", CODEC_ZSTD},
    {"snappy", CODEC_SNAPPY},   {"x-snappy-framed", CODEC_SNAPPY_FRAMED},
    {"lz4", CODEC_LZ4},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;

bool codec_from_name(struct slice name, enum codec *out)
{
    name = slice_trim(name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (slice_eq_nocase(name, slice_str(names[i].name))) {
            *out = names[i].codec;
            return true;
        }
    }
    return false;
}

const char *codec_name(enum codec codec)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].codec == codec)
            return names[i].name;
    return "";
}

static void free_thread(void *arg)
{
    struct codec_thread *t = arg;

    libdeflate_free_compressor(t->deflater);
    libdeflate_free_decompressor(t->inflater);
    ZSTD_freeCCtx(t->zstd_compressor);
    ZSTD_freeDCtx(t->zstd_decompressor);
    mem_free(t);
}

static void start(void)
{
    pthread_key_create(&thread_key, free_thread);
    libdeflate_set_memory_allocator(mem_try_alloc, mem_free);
}

struct codec_thread *codec_thread(void)
{
    struct codec_thread *t;

    pthread_once(&once, start);
    t = pthread_getspecific(thread_key);
    if (t == NULL) {
        t = mem_zalloc(sizeof *t);
        pthread_setspecific(thread_key, t);
    }
    return t;
}

enum code codec_room(struct buf *out, size_t want, size_t *room)
{
    size_t allowed = out->max - out->len;
    enum code rc;

    if (allowed == 0)
        return FULL;
    rc = buf_reserve(out, want < allowed ? want : allowed);
    if (rc == OK)
        *room = out->cap - out->len < allowed ? out->cap - out->len : allowed;
    return rc;
}

static enum code decompress(enum codec codec, struct slice in, struct buf *out, struct error *err)
{
    switch (codec) {
    case CODEC_NONE:
        if (in.len > out->max - out->len)
            return error_set(err, FULL, "the data is larger than the limit of %zu bytes", out->max);
        return buf_add(out, in);
    case CODEC_GZIP:
    case CODEC_ZLIB:
    case CODEC_DEFLATE:
        return codec_zlib_decompress(codec, in, out, err);
    case CODEC_ZSTD:
        return codec_zstd_decompress(in, out, err);
    case CODEC_SNAPPY:
        return codec_snappy_decompress(in, out, err);
    case CODEC_SNAPPY_FRAMED:
        return codec_snappy_framed_decompress(in, out, err);
    case CODEC_LZ4:
        return codec_lz4_decompress(in, out, err);
    }
    return error_set(err, INVALID, "unknown compression %d", (int)codec);
}

static enum code compress(enum codec codec, int level, struct slice in, struct buf *out, struct error *err)
{
    switch (codec) {
    case CODEC_NONE:
        return buf_add(out, in);
    case CODEC_GZIP:
    case CODEC_ZLIB:
    case CODEC_DEFLATE:
        return codec_zlib_compress(codec, level, in, out, err);
    case CODEC_ZSTD:
        return codec_zstd_compress(level, in, out, err);
    case CODEC_SNAPPY:
        return codec_snappy_compress(in, out, err);
    case CODEC_SNAPPY_FRAMED:
        return codec_snappy_framed_compress(in, out, err);
    case CODEC_LZ4:
        return codec_lz4_compress(level, in, out, err);
    }
    return error_set(err, INVALID, "unknown compression %d", (int)codec);
}

enum code codec_decompress(enum codec codec, struct slice in, struct buf *out, struct error *err)
{
    size_t before = out->len;
    enum code rc = decompress(codec, in, out, err);

    if (rc != OK)
        out->len = before;
    if (rc == NOMEM)
        return error_set(err, NOMEM, "no memory to decompress %s data", codec_name(codec));
    return rc;
}

enum code codec_compress(enum codec codec, int level, struct slice in, struct buf *out, struct error *err)
{
    size_t before = out->len;
    enum code rc = compress(codec, level, in, out, err);

    if (rc != OK)
        out->len = before;
    if (rc == NOMEM)
        return error_set(err, NOMEM, "no memory to compress %zu bytes as %s", in.len, codec_name(codec));
    if (rc == FULL)
        return error_set(err, FULL, "the %s form of %zu bytes is larger than the limit of %zu bytes", codec_name(codec),
                         in.len, out->max);
    return rc;
}
