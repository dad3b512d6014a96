/* Snappy's block format by the library, the framing format (framing_format.txt of snappy) here. */
#include "agent/base/mem.h"
#include "agent/io/codec_int.h"
#include <snappy-c.h>

enum {
    FRAME_PLAIN_MAX = 65536,
    FRAME_HEADER = 4,
    FRAME_CRC = 4,
    CHUNK_COMPRESSED = 0x00,
    CHUNK_PLAIN = 0x01,
    CHUNK_SKIPPABLE = 0x80,
    CHUNK_STREAM_ID = 0xff,
    COPY_RATIO = 22, /* a copy of 3 bytes makes at most 64 */
};

enum code codec_snappy_split(struct slice block, uint64_t *plain_bytes, struct slice *body)
{
    uint64_t n = 0;

    for (size_t i = 0; i < 5 && i < block.len; i++) {
        unsigned char byte = (unsigned char)block.ptr[i];

        n |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            if (n > UINT32_MAX)
                return CORRUPT;
            *plain_bytes = n;
            *body = slice_from(block, i + 1);
            return OK;
        }
    }
    return CORRUPT;
}

enum code codec_snappy_put_length(struct buf *out, uint64_t plain_bytes)
{
    char bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (char)((plain_bytes & 0x7f) | (plain_bytes > 0x7f ? 0x80 : 0));
        plain_bytes >>= 7;
    } while (plain_bytes != 0);
    return buf_add(out, slice_make(bytes, n));
}

enum code codec_snappy_compress(struct slice in, struct buf *out, struct error *err)
{
    size_t bound = snappy_max_compressed_length(in.len), n = bound;
    char *aside = NULL;
    enum code rc = OK;

    if (in.len > UINT32_MAX)
        return error_set(err, INVALID, "snappy's block format holds at most 4 GiB");
    if (bound <= out->max - out->len)
        rc = buf_reserve(out, bound);
    else if ((aside = mem_try_alloc(bound)) == NULL) /* the library wants room for the worst case */
        rc = NOMEM;
    if (rc != OK)
        return rc;
    if (snappy_compress(in.ptr, in.len, aside != NULL ? aside : out->ptr + out->len, &n) != SNAPPY_OK)
        rc = error_set(err, INVALID, "snappy cannot compress %zu bytes", in.len);
    else if (aside != NULL)
        rc = buf_add(out, slice_make(aside, n));
    else
        out->len += n;
    mem_free(aside);
    return rc;
}

enum code codec_snappy_decompress(struct slice in, struct buf *out, struct error *err)
{
    struct slice body;
    uint64_t claimed;
    size_t n;
    enum code rc;

    if (codec_snappy_split(in, &claimed, &body) != OK)
        return error_set(err, CORRUPT, "the snappy data has no valid length");
    if (claimed > (uint64_t)body.len * COPY_RATIO + 64)
        return error_set(err, CORRUPT, "the snappy data claims %llu bytes, which its %zu bytes cannot hold",
                         (unsigned long long)claimed, in.len);
    if (claimed > out->max - out->len)
        return codec_full(err, CODEC_SNAPPY, out->max);
    n = (size_t)claimed;
    if (n == 0 && body.len == 0)
        return OK;
    rc = buf_reserve(out, n);
    if (rc != OK)
        return rc;
    if (n == 0 || snappy_uncompress(in.ptr, in.len, out->ptr + out->len, &n) != SNAPPY_OK)
        return error_set(err, CORRUPT, "the snappy data is damaged");
    out->len += n;
    return OK;
}

static uint32_t masked_crc(struct slice s)
{
    uint32_t crc = crc32c_update(0, s);

    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static void put_chunk_header(struct buf *out, unsigned type, size_t len)
{
    char header[FRAME_HEADER] = {(char)type, (char)(len & 0xff), (char)(len >> 8 & 0xff), (char)(len >> 16 & 0xff)};

    buf_add(out, slice_make(header, sizeof header));
}

static enum code put_chunk(struct slice part, struct buf *scratch, struct buf *out, struct error *err)
{
    uint32_t crc = masked_crc(part);
    char crc_bytes[FRAME_CRC] = {(char)(crc & 0xff), (char)(crc >> 8 & 0xff), (char)(crc >> 16 & 0xff),
                                 (char)(crc >> 24 & 0xff)};
    struct slice body;
    enum code rc;
    bool is_smaller;

    buf_reset(scratch);
    rc = codec_snappy_compress(part, scratch, err);
    if (rc != OK)
        return rc;
    is_smaller = scratch->len < part.len - part.len / 8;
    body = is_smaller ? buf_slice(scratch) : part;
    rc = buf_reserve(out, FRAME_HEADER + FRAME_CRC + body.len);
    if (rc != OK)
        return rc;
    put_chunk_header(out, is_smaller ? CHUNK_COMPRESSED : CHUNK_PLAIN, FRAME_CRC + body.len);
    buf_add(out, slice_make(crc_bytes, sizeof crc_bytes));
    return buf_add(out, body);
}

enum code codec_snappy_framed_compress(struct slice in, struct buf *out, struct error *err)
{
    struct buf scratch;
    enum code rc = buf_add(out, slice_make("\xff\x06\0\0sNaPpY", 10));

    buf_init(&scratch, snappy_max_compressed_length(FRAME_PLAIN_MAX));
    while (rc == OK && in.len != 0) {
        struct slice part = slice_head(in, FRAME_PLAIN_MAX);

        rc = put_chunk(part, &scratch, out, err);
        in = slice_from(in, part.len);
    }
    buf_release(&scratch);
    return rc;
}

static enum code take_chunk(unsigned type, struct slice chunk, struct buf *out, struct error *err)
{
    size_t before = out->len;
    struct slice body = slice_from(chunk, FRAME_CRC);
    const unsigned char *p = (const unsigned char *)chunk.ptr;
    uint64_t claimed = body.len;
    struct slice ignored;
    uint32_t crc;
    enum code rc;

    if (chunk.len < FRAME_CRC)
        return error_set(err, CORRUPT, "a snappy frame is too short");
    if (type == CHUNK_COMPRESSED && codec_snappy_split(body, &claimed, &ignored) != OK)
        return error_set(err, CORRUPT, "a snappy frame has no valid length");
    if (claimed > FRAME_PLAIN_MAX)
        return error_set(err, CORRUPT, "a snappy frame is larger than 64 KiB");
    if (claimed > out->max - out->len)
        return codec_full(err, CODEC_SNAPPY_FRAMED, out->max);
    rc = type == CHUNK_COMPRESSED ? codec_snappy_decompress(body, out, err) : buf_add(out, body);
    if (rc != OK)
        return rc;
    crc = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    if (masked_crc(slice_from(buf_slice(out), before)) != crc)
        return error_set(err, CORRUPT, "a snappy frame's checksum does not match");
    return OK;
}

enum code codec_snappy_framed_decompress(struct slice in, struct buf *out, struct error *err)
{
    bool is_first = true;
    enum code rc = OK;

    while (rc == OK && in.len != 0) {
        const unsigned char *p = (const unsigned char *)in.ptr;
        struct slice chunk;
        size_t len;

        if (in.len < FRAME_HEADER)
            return error_set(err, CORRUPT, "the x-snappy-framed data is cut short");
        len = (size_t)p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16;
        in = slice_from(in, FRAME_HEADER);
        if (len > in.len)
            return error_set(err, CORRUPT, "the x-snappy-framed data is cut short");
        chunk = slice_head(in, len);
        in = slice_from(in, len);
        if (p[0] == CHUNK_STREAM_ID ? !slice_eq(chunk, SLICE_LIT("sNaPpY")) : is_first)
            return error_set(err, CORRUPT, "the x-snappy-framed data does not start with its stream identifier");
        is_first = false;
        if (p[0] == CHUNK_COMPRESSED || p[0] == CHUNK_PLAIN)
            rc = take_chunk(p[0], chunk, out, err);
        else if (p[0] < CHUNK_SKIPPABLE)
            rc = error_set(err, CORRUPT, "the x-snappy-framed data has an unknown chunk type %u", p[0]);
    }
    if (rc == OK && is_first)
        return error_set(err, CORRUPT, "the x-snappy-framed data is empty");
    return rc;
}
