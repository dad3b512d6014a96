#include "agent/model/pbwire.h"

bool pb_read_varint_slow(struct pb_reader *r, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 70 && r->at < r->end; shift += 7) {
        unsigned char c = (unsigned char)*r->at++;

        if (shift == 63 && c > 1)
            return false; /* more than 64 bits */
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *out = v;
            return true;
        }
    }
    return false;
}

static uint64_t read_little(const char *at, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)(unsigned char)at[i] << (8 * i);
    return v;
}

static bool read_fixed(struct pb_reader *r, unsigned bytes, uint64_t *out)
{
    if ((size_t)(r->end - r->at) < bytes)
        return false;
    *out = read_little(r->at, bytes);
    r->at += bytes;
    return true;
}

enum pb_status pb_next(struct pb_reader *r, struct pb_field *out)
{
    const char *start = r->at;
    uint64_t tag, len;
    bool is_ok;

    if (r->at == r->end)
        return PB_END;
    if (!pb_read_varint(r, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return PB_BROKEN;
    out->number = (uint32_t)(tag >> 3);
    out->type = (enum pb_type)(tag & 7);
    out->bytes = (struct slice){0};
    switch (tag & 7) {
    case PB_VARINT:
        is_ok = pb_read_varint(r, &out->value);
        break;
    case PB_FIXED64:
        is_ok = read_fixed(r, 8, &out->value);
        break;
    case PB_FIXED32:
        is_ok = read_fixed(r, 4, &out->value);
        break;
    case PB_BYTES:
        is_ok = pb_read_varint(r, &len) && len <= (uint64_t)(r->end - r->at);
        if (is_ok) {
            out->bytes = slice_make(r->at, (size_t)len);
            r->at += len;
        }
        break;
    default: /* groups, and what protobuf does not have */
        return PB_BROKEN;
    }
    if (!is_ok)
        return PB_BROKEN;
    out->whole = slice_make(start, (size_t)(r->at - start));
    return PB_FIELD;
}

size_t pb_varint_size(uint64_t v)
{
    size_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

size_t pb_bytes_size(uint32_t field, size_t len)
{
    return pb_varint_size((uint64_t)field << 3) + pb_varint_size(len) + len;
}

char *pb_varint_to(char *at, uint64_t v)
{
    while (v >= 0x80) {
        *at++ = (char)(unsigned char)(v | 0x80);
        v >>= 7;
    }
    *at++ = (char)v;
    return at;
}

void pb_put_varint(struct buf *b, uint64_t v)
{
    char text[PB_VARINT_MAX];

    (void)buf_add(b, slice_make(text, (size_t)(pb_varint_to(text, v) - text)));
}

void pb_put_tag(struct buf *b, uint32_t field, enum pb_type type)
{
    pb_put_varint(b, (uint64_t)field << 3 | (uint64_t)type);
}

void pb_put_u64(struct buf *b, uint32_t field, uint64_t v)
{
    pb_put_tag(b, field, PB_VARINT);
    pb_put_varint(b, v);
}

static void put_little(struct buf *b, uint64_t v, unsigned bytes)
{
    char text[8];

    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(unsigned char)(v >> (8 * i));
    (void)buf_add(b, slice_make(text, bytes));
}

void pb_put_fixed64(struct buf *b, uint32_t field, uint64_t v)
{
    pb_put_tag(b, field, PB_FIXED64);
    put_little(b, v, 8);
}

void pb_put_fixed32(struct buf *b, uint32_t field, uint32_t v)
{
    pb_put_tag(b, field, PB_FIXED32);
    put_little(b, v, 4);
}

void pb_put_f64(struct buf *b, uint32_t field, double v)
{
    pb_put_fixed64(b, field, pb_f64_bits(v));
}

void pb_put_bytes(struct buf *b, uint32_t field, struct slice s)
{
    pb_put_tag(b, field, PB_BYTES);
    pb_put_varint(b, s.len);
    (void)buf_add(b, s);
}

size_t pb_open(struct buf *b, uint32_t field)
{
    pb_put_tag(b, field, PB_BYTES);
    (void)buf_add_char(b, 0); /* the length, if it is a short one */
    return b->len;
}

void pb_close(struct buf *b, size_t mark)
{
    size_t len, more;

    if (b->is_full)
        return; /* mark may not be where it was meant to be; the caller throws the contents away */
    len = b->len - mark;
    more = pb_varint_size(len) - 1;
    if (more != 0) {
        if (buf_reserve(b, more) != OK)
            return;
        memmove(b->ptr + mark + more, b->ptr + mark, len);
        b->len += more;
    }
    (void)pb_varint_to(b->ptr + mark - 1, len);
}
