/* agent/io/codec.h - compression, bounded. Any thread. Nothing here reads more than it was given or writes more than
 * the output buffer's max, so a bomb costs at most that. */
#ifndef AGENT_IO_CODEC_H
#define AGENT_IO_CODEC_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum codec {
    CODEC_NONE,
    CODEC_GZIP,          /* RFC 1952, several members */
    CODEC_ZLIB,          /* RFC 1950 */
    CODEC_DEFLATE,       /* HTTP "deflate": reads RFC 1950 and bare RFC 1951, writes RFC 1950 */
    CODEC_ZSTD,          /* RFC 8878, several frames, window at most 8 MiB */
    CODEC_SNAPPY,        /* block format */
    CODEC_SNAPPY_FRAMED, /* "x-snappy-framed" */
    CODEC_LZ4,           /* frame format */
};

/* Content-Encoding or grpc-encoding: "", "identity", "none", "gzip", "zlib", "deflate", "zstd", "snappy",
 * "x-snappy-framed", "lz4". False for any other. Case does not matter. */
bool codec_from_name(struct slice name, enum codec *out);
const char *codec_name(enum codec codec); /* CODEC_NONE: "" */

/* Appends the plain bytes to out. FULL: more than out->max (a bomb, or a limit); CORRUPT: damaged or cut short; NOMEM.
 * On failure out is as long as before. */
MUST_USE enum code codec_decompress(enum codec codec, struct slice in, struct buf *out, struct error *err);
/* Appends the compressed bytes to out. level 0: the codec's default. FULL, NOMEM leave out as long as before. */
MUST_USE enum code codec_compress(enum codec codec, int level, struct slice in, struct buf *out, struct error *err);

/* Snappy blocks join without decompressing: split each, write the sum of the lengths, append the bodies. */
MUST_USE enum code codec_snappy_split(struct slice block, uint64_t *plain_bytes, struct slice *body);
enum code codec_snappy_put_length(struct buf *out, uint64_t plain_bytes); /* as buf_add */

/* Inflates a stream piece by piece (gzip, zlib, deflate, zstd; none copies). One thread at a time. */
struct inflater;
MUST_USE enum code inflater_new(struct inflater **out, enum codec codec, uint64_t max_plain_bytes, struct error *err);
/* Takes bytes from the front of *in and writes up to cap bytes to out, *n of them. Call until *in is empty and *n is 0.
 * FULL past max_plain_bytes, CORRUPT on damage: the inflater is then of no more use. */
MUST_USE enum code inflater_step(struct inflater *inf, struct slice *in, char *out, size_t cap, size_t *n,
                                 struct error *err);
bool inflater_is_complete(const struct inflater *inf); /* at the end of a member: the stream may end here */
void inflater_free(struct inflater *inf);              /* NULL is fine */

/* CRC-32C (Castagnoli). Start with 0, feed the previous result to go on. */
uint32_t crc32c_update(uint32_t crc, struct slice s);
#endif
