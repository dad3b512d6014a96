#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/model/loki_write.h"
#include "agent/model/pbwire.h"
#include "agent/text/utf8.h"

struct reading {
    const struct loki_push_reader *to;
    struct arena meta; /* of the entry at hand */
    uint64_t streams, entries;
    struct error *err;
};

static enum code broken(const struct reading *r, const char *why)
{
    return error_set(r->err, INVALID, "push request, stream %llu, entry %llu: %s", (unsigned long long)r->streams,
                     (unsigned long long)r->entries, why);
}

/* One string field of a message; what is not `number` is left alone. */
static enum code take_text(const struct reading *r, const struct pb_field *f, struct slice *out)
{
    if (f->type != PB_BYTES)
        return broken(r, "wrong wire type");
    if (!utf8_is_valid(f->bytes))
        return broken(r, "invalid UTF-8");
    *out = f->bytes;
    return OK;
}

static enum code read_timestamp(const struct reading *r, struct slice bytes, int64_t *ts_ns)
{
    struct pb_reader in;
    struct pb_field f;
    enum pb_status status;
    int64_t s = 0, ns = 0;

    pb_reader_init(&in, bytes);
    while ((status = pb_next(&in, &f)) == PB_FIELD) {
        if (f.number > 2)
            continue;
        if (f.type != PB_VARINT)
            return broken(r, "wrong wire type in a timestamp");
        *(f.number == 1 ? &s : &ns) = (int64_t)f.value;
    }
    if (status == PB_BROKEN)
        return broken(r, "broken timestamp");
    if (ns < 0 || ns >= NS_PER_S || __builtin_mul_overflow(s, (int64_t)NS_PER_S, ts_ns) ||
        __builtin_add_overflow(*ts_ns, ns, ts_ns))
        return broken(r, "timestamp out of range");
    return OK;
}

static enum code read_pair(const struct reading *r, struct slice bytes, struct label *out)
{
    struct pb_reader in;
    struct pb_field f;
    enum pb_status status;
    enum code rc = OK;

    *out = (struct label){0};
    pb_reader_init(&in, bytes);
    while (rc == OK && (status = pb_next(&in, &f)) != PB_END) {
        if (status == PB_BROKEN)
            return broken(r, "broken structured metadata");
        if (f.number <= 2)
            rc = take_text(r, &f, f.number == 1 ? &out->name : &out->value);
    }
    return rc;
}

static enum code read_meta(struct reading *r, struct slice bytes, struct log_entry *e)
{
    uint32_t n = 0;
    struct pb_reader in;
    struct pb_field f;
    struct label *pairs;
    enum code rc = OK;

    pb_reader_init(&in, bytes);
    while (pb_next(&in, &f) == PB_FIELD)
        n += f.number == 3;
    if (n == 0)
        return OK;
    pairs = arena_try_array(&r->meta, n, sizeof *pairs);
    if (pairs == NULL)
        return error_set(r->err, NOMEM, "push request: structured metadata does not fit");
    pb_reader_init(&in, bytes);
    while (rc == OK && pb_next(&in, &f) == PB_FIELD) {
        if (f.number != 3)
            continue;
        rc = f.type == PB_BYTES ? read_pair(r, f.bytes, &pairs[e->n_meta++]) : broken(r, "wrong wire type");
    }
    e->meta = pairs;
    return rc;
}

static enum code read_entry(struct reading *r, struct slice bytes)
{
    struct log_entry e = {0};
    struct pb_reader in;
    struct pb_field f;
    enum pb_status status;
    enum code rc = OK;

    r->entries++;
    pb_reader_init(&in, bytes);
    while (rc == OK && (status = pb_next(&in, &f)) != PB_END) {
        if (status == PB_BROKEN)
            return broken(r, "broken framing");
        if (f.number == 1)
            rc = f.type == PB_BYTES ? read_timestamp(r, f.bytes, &e.ts_ns) : broken(r, "wrong wire type");
        else if (f.number == 2)
            rc = take_text(r, &f, &e.line);
    }
    if (rc == OK)
        rc = read_meta(r, bytes, &e);
    if (rc == OK && r->to->entry != NULL)
        rc = r->to->entry(r->to->ctx, &e, r->err);
    arena_release(&r->meta);
    return rc;
}

/* The labels come first for the caller, wherever they stand in the message. */
static enum code read_stream(struct reading *r, struct slice bytes)
{
    struct slice labels = {0};
    struct pb_reader in;
    struct pb_field f;
    enum pb_status status;
    enum code rc = OK;

    r->streams++;
    r->entries = 0;
    pb_reader_init(&in, bytes);
    while (rc == OK && (status = pb_next(&in, &f)) != PB_END) {
        if (status == PB_BROKEN)
            return broken(r, "broken framing");
        if (f.number == 1)
            rc = take_text(r, &f, &labels);
        else if (f.number == 2 && f.type != PB_BYTES)
            rc = broken(r, "wrong wire type");
    }
    if (rc == OK && r->to->stream != NULL)
        rc = r->to->stream(r->to->ctx, labels, r->err);
    pb_reader_init(&in, bytes);
    while (rc == OK && pb_next(&in, &f) == PB_FIELD)
        if (f.number == 2)
            rc = read_entry(r, f.bytes);
    return rc;
}

enum code loki_push_read(struct slice body, const struct loki_push_reader *reader, struct error *err)
{
    struct reading r = {.to = reader, .err = err};
    struct pb_reader in;
    struct pb_field f;
    enum pb_status status;
    enum code rc = OK;

    arena_init(&r.meta, LIMIT_BATCH_BYTES);
    pb_reader_init(&in, body);
    while (rc == OK && (status = pb_next(&in, &f)) != PB_END) {
        if (status == PB_BROKEN)
            return broken(&r, "broken framing");
        if (f.number == 1)
            rc = f.type == PB_BYTES ? read_stream(&r, f.bytes) : broken(&r, "wrong wire type");
    }
    return rc;
}

static enum code count_stream(void *ctx, struct slice labels, struct error *err)
{
    struct loki_push_count *c = ctx;

    (void)labels;
    (void)err;
    c->streams++;
    return OK;
}

static enum code count_entry(void *ctx, const struct log_entry *e, struct error *err)
{
    struct loki_push_count *c = ctx;

    (void)err;
    c->entries++;
    c->line_bytes += e->line.len;
    return OK;
}

enum code loki_push_count(struct slice body, struct loki_push_count *out, struct error *err)
{
    const struct loki_push_reader r = {count_stream, count_entry, out};

    *out = (struct loki_push_count){0};
    return loki_push_read(body, &r, err);
}
