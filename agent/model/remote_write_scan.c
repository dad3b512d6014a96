#include "agent/model/pbwire.h"
#include "agent/model/remote_write.h"

static bool count_series(struct slice bytes, struct rw_series *s)
{
    uint32_t *const counts[5] = {NULL, &s->n_labels, &s->n_samples, &s->n_exemplars, &s->n_histograms};
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;

    *s = (struct rw_series){.bytes = bytes};
    pb_reader_init(&r, bytes);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        if (f.number > 4)
            continue;
        if (f.type != PB_BYTES)
            return false;
        ++*counts[f.number];
    }
    return status == PB_END;
}

static enum code broken(struct error *err, uint64_t series)
{
    return error_set(err, INVALID, "remote write request: broken at series %llu", (unsigned long long)series + 1);
}

enum code rw_each_series(struct slice body, enum code (*fn)(void *ctx, const struct rw_series *s), void *ctx,
                         struct error *err)
{
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;
    uint64_t n = 0;

    pb_reader_init(&r, body);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        struct rw_series s;
        enum code rc;

        if (f.number != 1)
            continue;
        if (f.type != PB_BYTES || !count_series(f.bytes, &s))
            return broken(err, n);
        rc = fn(ctx, &s);
        if (rc != OK)
            return rc;
        n++;
    }
    return status == PB_END ? OK : broken(err, n);
}

static enum code add_counts(void *ctx, const struct rw_series *s)
{
    struct rw_count *c = ctx;

    c->series++;
    c->samples += s->n_samples;
    c->histograms += s->n_histograms;
    c->exemplars += s->n_exemplars;
    return OK;
}

enum code rw_count(struct slice body, struct rw_count *out, struct error *err)
{
    struct pb_reader r;
    struct pb_field f;
    enum code rc;

    *out = (struct rw_count){0};
    rc = rw_each_series(body, add_counts, out, err);
    pb_reader_init(&r, body);
    while (rc == OK && pb_next(&r, &f) == PB_FIELD)
        out->metadata += f.number == 3;
    return rc;
}

enum code rw_split(struct slice body, uint64_t first, uint64_t n, struct buf *out, struct error *err)
{
    size_t start = out->len;
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;
    uint64_t at = 0;

    pb_reader_init(&r, body);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        bool is_series = f.number == 1;

        if (is_series ? at >= first && at - first < n : first == 0)
            (void)buf_add(out, f.whole);
        at += is_series;
    }
    if (status == PB_END && !out->is_full)
        return OK;
    out->len = start;
    if (status == PB_BROKEN)
        return broken(err, at);
    return error_set(err, FULL, "remote write request: no room for the part");
}

enum code rw_series_labels(struct slice series, struct label *pairs, size_t cap, size_t *n)
{
    struct pb_reader r, inner;
    struct pb_field f, g;
    enum pb_status status;

    *n = 0;
    pb_reader_init(&r, series);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        struct label p = {0};

        if (f.number != 1 || f.type != PB_BYTES)
            continue;
        pb_reader_init(&inner, f.bytes);
        while ((status = pb_next(&inner, &g)) == PB_FIELD) {
            if (g.number == 1 && g.type == PB_BYTES)
                p.name = g.bytes;
            else if (g.number == 2 && g.type == PB_BYTES)
                p.value = g.bytes;
        }
        if (status == PB_BROKEN)
            return INVALID;
        if (*n == cap)
            return FULL;
        pairs[(*n)++] = p;
    }
    return status == PB_END ? OK : INVALID;
}
