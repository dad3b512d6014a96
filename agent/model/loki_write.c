#include "agent/model/loki_write.h"
#include "agent/base/clock.h"
#include "agent/model/pbwire.h"

enum { TIMESTAMP_MAX = 2 + 2 * (1 + PB_VARINT_MAX) };

/* google.protobuf.Timestamp: seconds may be negative, nanoseconds are 0 to 999999999. Returns its length in text. */
static size_t make_timestamp(char text[TIMESTAMP_MAX], int64_t ts_ns)
{
    int64_t s = ts_ns / NS_PER_S, ns = ts_ns % NS_PER_S;
    char *at = text;

    if (ns < 0) {
        s--;
        ns += NS_PER_S;
    }
    if (s != 0) {
        *at++ = 1 << 3 | PB_VARINT;
        at = pb_varint_to(at, (uint64_t)s);
    }
    if (ns != 0) {
        *at++ = 2 << 3 | PB_VARINT;
        at = pb_varint_to(at, (uint64_t)ns);
    }
    return (size_t)(at - text);
}

static size_t pair_size(const struct label *p)
{
    return pb_bytes_size(1, p->name.len) + pb_bytes_size(2, p->value.len);
}

static size_t body_size(const struct log_entry *e, size_t timestamp_len)
{
    size_t bytes = pb_bytes_size(1, timestamp_len) + pb_bytes_size(2, e->line.len);

    for (uint32_t i = 0; i < e->n_meta; i++)
        bytes += pb_bytes_size(3, pair_size(&e->meta[i]));
    return bytes;
}

size_t loki_entry_size(const struct log_entry *e)
{
    char text[TIMESTAMP_MAX];

    return pb_bytes_size(2, body_size(e, make_timestamp(text, e->ts_ns)));
}

enum code loki_entry_write(struct buf *out, const struct log_entry *e)
{
    char text[TIMESTAMP_MAX];
    size_t timestamp_len = make_timestamp(text, e->ts_ns), body = body_size(e, timestamp_len);
    enum code rc = buf_reserve(out, pb_bytes_size(2, body));

    if (rc != OK)
        return rc;
    pb_put_tag(out, 2, PB_BYTES);
    pb_put_varint(out, body);
    pb_put_bytes(out, 1, slice_make(text, timestamp_len));
    pb_put_bytes(out, 2, e->line);
    for (uint32_t i = 0; i < e->n_meta; i++) {
        pb_put_tag(out, 3, PB_BYTES);
        pb_put_varint(out, pair_size(&e->meta[i]));
        pb_put_bytes(out, 1, e->meta[i].name);
        pb_put_bytes(out, 2, e->meta[i].value);
    }
    return OK;
}

size_t loki_stream_size(size_t labels_len, size_t entries_bytes)
{
    return pb_bytes_size(1, pb_bytes_size(1, labels_len) + entries_bytes);
}

/* Tag, length and labels of a stream; room for all of it is made. */
static enum code begin_stream(struct buf *out, struct slice labels, size_t entries_bytes)
{
    enum code rc = buf_reserve(out, loki_stream_size(labels.len, entries_bytes));

    if (rc != OK)
        return rc;
    pb_put_tag(out, 1, PB_BYTES);
    pb_put_varint(out, pb_bytes_size(1, labels.len) + entries_bytes);
    pb_put_bytes(out, 1, labels);
    return OK;
}

enum code loki_stream_write(struct buf *out, struct slice labels, struct slice entries)
{
    enum code rc = begin_stream(out, labels, entries.len);

    return rc == OK ? buf_add(out, entries) : rc;
}

enum code loki_stream_write_entries(struct buf *out, struct slice labels, const struct log_entry *entries,
                                    const uint32_t *index, size_t n)
{
    size_t bytes = 0;
    enum code rc;

    for (size_t i = 0; i < n; i++)
        bytes += loki_entry_size(&entries[index[i]]);
    rc = begin_stream(out, labels, bytes);
    for (size_t i = 0; i < n && rc == OK; i++)
        rc = loki_entry_write(out, &entries[index[i]]);
    return rc;
}

enum code loki_labels_write(const struct labels *l, struct buf *out)
{
    size_t start = out->len;

    (void)buf_add_char(out, '{');
    for (uint32_t i = 0; i < l->n; i++) {
        if (i != 0)
            (void)buf_add_str(out, ", ");
        (void)buf_add(out, l->pairs[i].name);
        (void)buf_add_char(out, '=');
        label_value_write(l->pairs[i].value, out);
    }
    (void)buf_add_char(out, '}');
    if (!out->is_full)
        return OK;
    out->len = start;
    return FULL;
}
