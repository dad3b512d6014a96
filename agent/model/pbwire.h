/* agent/model/pbwire.h - protobuf's wire format, without a schema: bounded readers over bytes, writers into a buf.
 * Groups (wire types 3 and 4) and field number 0 are refused. Specification: protobuf.dev/programming-guides/encoding
 */
#ifndef AGENT_MODEL_PBWIRE_H
#define AGENT_MODEL_PBWIRE_H
#include "agent/base/buf.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };
enum pb_status { PB_END, PB_FIELD, PB_BROKEN };

struct pb_reader {
    const char *at, *end;
};

struct pb_field {
    uint32_t number;
    enum pb_type type;
    uint64_t value;     /* VARINT, FIXED64, FIXED32 */
    struct slice bytes; /* BYTES */
    struct slice whole; /* tag, length and contents as they stand */
};

static inline void pb_reader_init(struct pb_reader *r, struct slice s)
{
    r->at = s.ptr;
    r->end = s.len != 0 ? s.ptr + s.len : s.ptr;
}

/* Advances at. False: cut short or longer than ten bytes. */
bool pb_read_varint_slow(struct pb_reader *r, uint64_t *out);
static inline bool pb_read_varint(struct pb_reader *r, uint64_t *out)
{
    if (r->at < r->end && (unsigned char)*r->at < 0x80) {
        *out = (unsigned char)*r->at++;
        return true;
    }
    return pb_read_varint_slow(r, out);
}
/* BROKEN: the reader is not to be used again. */
MUST_USE enum pb_status pb_next(struct pb_reader *r, struct pb_field *out);

static inline double pb_f64(uint64_t bits)
{
    double v;

    memcpy(&v, &bits, sizeof v);
    return v;
}
static inline uint64_t pb_f64_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return bits;
}
static inline int64_t pb_zigzag_decode(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}
static inline uint64_t pb_zigzag_encode(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

/* ---- writers: a failed append sets b->is_full; check it once at the end ---- */

enum { PB_VARINT_MAX = 10 };
size_t pb_varint_size(uint64_t v);
/* Size of a BYTES field: tag, length and contents. */
size_t pb_bytes_size(uint32_t field, size_t len);
/* To memory with room for PB_VARINT_MAX bytes; returns where it ended. */
char *pb_varint_to(char *at, uint64_t v);
void pb_put_varint(struct buf *b, uint64_t v);
void pb_put_tag(struct buf *b, uint32_t field, enum pb_type type);
void pb_put_u64(struct buf *b, uint32_t field, uint64_t v); /* also int64, bool, enums */
void pb_put_fixed64(struct buf *b, uint32_t field, uint64_t v);
void pb_put_fixed32(struct buf *b, uint32_t field, uint32_t v);
void pb_put_f64(struct buf *b, uint32_t field, double v);
void pb_put_bytes(struct buf *b, uint32_t field, struct slice s);
/* A message whose length is not known yet: contents go between. Closing writes the length in its shortest form, moving
 * the contents where it needs more than one byte. Returns the mark for pb_close. */
size_t pb_open(struct buf *b, uint32_t field);
void pb_close(struct buf *b, size_t mark);
#endif
