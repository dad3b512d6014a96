#include "agent/base/mem.h"
#include "agent/io/codec_int.h"
#include <limits.h>
#include <zlib.h>
#include <zstd.h>

enum { ZSTD_WINDOW_LOG_MAX = 23 };

struct inflater {
    enum codec codec;
    uint64_t left; /* plain bytes still allowed */
    bool is_complete;
    bool is_started; /* zlib: z is initialised */
    bool is_broken;
    z_stream z;
    ZSTD_DStream *zstd;
    unsigned char head[2]; /* deflate: kept back until it is known which of the two forms it is */
    size_t n_head;
};

static void *zlib_alloc(void *self, unsigned n, unsigned size)
{
    (void)self;
    return mem_try_alloc((size_t)n * size);
}

static void zlib_free(void *self, void *ptr)
{
    (void)self;
    mem_free(ptr);
}

static enum code start_zlib(struct inflater *inf, int window_bits)
{
    inf->z.zalloc = zlib_alloc;
    inf->z.zfree = zlib_free;
    if (inflateInit2(&inf->z, window_bits) != Z_OK)
        return NOMEM;
    inf->is_started = true;
    return OK;
}

enum code inflater_new(struct inflater **out, enum codec codec, uint64_t max_plain_bytes, struct error *err)
{
    struct inflater *inf = mem_zalloc(sizeof *inf);
    enum code rc = OK;

    *out = NULL;
    inf->codec = codec;
    inf->left = max_plain_bytes;
    inf->is_complete = codec == CODEC_NONE;
    switch (codec) {
    case CODEC_NONE:
    case CODEC_DEFLATE:
        break;
    case CODEC_GZIP:
        rc = start_zlib(inf, 15 + 16);
        break;
    case CODEC_ZLIB:
        rc = start_zlib(inf, 15);
        break;
    case CODEC_ZSTD:
        inf->zstd = ZSTD_createDStream();
        if (inf->zstd == NULL)
            rc = NOMEM;
        else
            ZSTD_DCtx_setParameter(inf->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        break;
    case CODEC_SNAPPY:
    case CODEC_SNAPPY_FRAMED:
    case CODEC_LZ4:
        rc = error_set(err, INVALID, "%s cannot be decompressed as a stream", codec_name(codec));
        break;
    }
    if (rc != OK) {
        inflater_free(inf);
        return rc == NOMEM ? error_set(err, NOMEM, "no memory to decompress %s data", codec_name(codec)) : rc;
    }
    *out = inf;
    return OK;
}

void inflater_free(struct inflater *inf)
{
    if (inf == NULL)
        return;
    if (inf->is_started)
        inflateEnd(&inf->z);
    ZSTD_freeDStream(inf->zstd);
    mem_free(inf);
}

bool inflater_is_complete(const struct inflater *inf)
{
    return inf->is_complete && !inf->is_broken;
}

/* Looks at the first two bytes: RFC 1950's header is a multiple of 31 and names method 8, else it is bare deflate. */
static enum code choose_deflate(struct inflater *inf, struct slice *in)
{
    unsigned header;

    while (inf->n_head < 2 && in->len != 0) {
        inf->head[inf->n_head++] = (unsigned char)in->ptr[0];
        *in = slice_from(*in, 1);
    }
    if (inf->n_head < 2)
        return AGAIN;
    header = (unsigned)inf->head[0] << 8 | inf->head[1];
    return start_zlib(inf, (inf->head[0] & 0x0f) == 8 && header % 31 == 0 ? 15 : -15);
}

static int inflate_some(struct inflater *inf, const unsigned char *ptr, size_t len, char *out, size_t cap, size_t *used,
                        size_t *n)
{
    int rc;

    inf->z.next_in = (z_const Bytef *)(uintptr_t)ptr;
    inf->z.avail_in = len > UINT_MAX ? UINT_MAX : (unsigned)len;
    inf->z.next_out = (Bytef *)out;
    inf->z.avail_out = cap > UINT_MAX ? UINT_MAX : (unsigned)cap;
    *used = inf->z.avail_in;
    *n = inf->z.avail_out;
    rc = inflate(&inf->z, Z_NO_FLUSH);
    *used -= inf->z.avail_in;
    *n -= inf->z.avail_out;
    return rc;
}

static enum code step_zlib(struct inflater *inf, struct slice *in, char *out, size_t cap, size_t *n, struct error *err)
{
    size_t used = 0;
    int rc;

    if (inf->is_complete) {
        if (in->len == 0)
            return OK;
        if (inf->codec != CODEC_GZIP)
            return error_set(err, CORRUPT, "there is something after the end of the %s data", codec_name(inf->codec));
        inflateReset(&inf->z); /* the next member */
        inf->is_complete = false;
    }
    if (inf->n_head != 0) {
        rc = inflate_some(inf, inf->head, inf->n_head, out, cap, &used, n);
        inf->n_head -= used;
        memmove(inf->head, inf->head + used, inf->n_head);
    } else {
        rc = inflate_some(inf, (const unsigned char *)in->ptr, in->len, out, cap, &used, n);
        *in = slice_from(*in, used);
    }
    if (rc == Z_STREAM_END)
        inf->is_complete = true;
    else if (rc == Z_MEM_ERROR)
        return error_set(err, NOMEM, "no memory to decompress %s data", codec_name(inf->codec));
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return error_set(err, CORRUPT, "the %s data is damaged: %s", codec_name(inf->codec),
                         inf->z.msg != NULL ? inf->z.msg : "needs a dictionary");
    return OK;
}

static enum code step_zstd(struct inflater *inf, struct slice *in, char *out, size_t cap, size_t *n, struct error *err)
{
    ZSTD_inBuffer source = {in->ptr, in->len, 0};
    ZSTD_outBuffer target = {out, cap, 0};
    size_t rc;

    if (in->len == 0 && inf->is_complete)
        return OK;
    rc = ZSTD_decompressStream(inf->zstd, &target, &source);
    if (ZSTD_isError(rc))
        return error_set(err, CORRUPT, "the zstd data is damaged: %s", ZSTD_getErrorName(rc));
    *in = slice_from(*in, source.pos);
    *n = target.pos;
    inf->is_complete = rc == 0;
    return OK;
}

static enum code step(struct inflater *inf, struct slice *in, char *out, size_t cap, size_t *n, struct error *err)
{
    enum code rc;

    if (inf->codec == CODEC_NONE) {
        *n = in->len < cap ? in->len : cap;
        if (*n != 0)
            memcpy(out, in->ptr, *n);
        *in = slice_from(*in, *n);
        return OK;
    }
    if (inf->codec == CODEC_ZSTD)
        return step_zstd(inf, in, out, cap, n, err);
    if (!inf->is_started) {
        rc = choose_deflate(inf, in);
        if (rc == AGAIN)
            return OK;
        if (rc != OK)
            return error_set(err, rc, "no memory to decompress deflate data");
    }
    do /* the kept-back bytes give no output of their own */
        rc = step_zlib(inf, in, out, cap, n, err);
    while (rc == OK && *n == 0 && in->len != 0 && !inf->is_complete);
    return rc;
}

enum code inflater_step(struct inflater *inf, struct slice *in, char *out, size_t cap, size_t *n, struct error *err)
{
    enum code rc;

    *n = 0;
    BUG_ON(cap == 0);
    if (inf->is_broken)
        return error_set(err, CORRUPT, "the %s data is damaged", codec_name(inf->codec));
    rc = step(inf, in, out, cap, n, err);
    if (rc == OK && *n > inf->left)
        rc = error_set(err, FULL, "the decompressed %s data is larger than its limit", codec_name(inf->codec));
    if (rc != OK) {
        *n = 0;
        inf->is_broken = true;
        return rc;
    }
    inf->left -= *n;
    return OK;
}
