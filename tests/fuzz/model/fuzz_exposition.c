/* Exposition text: first byte picks the format and the size of the pieces; whole and in pieces must agree. */
#include "agent/model/exposition.h"
#include "agent/base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum code on_sample(void *ctx, const struct exposition_sample *s, struct error *err)
{
    uint64_t *sum = ctx;
    struct label *pairs;
    struct arena a;
    size_t n;
    enum code rc;

    arena_init(&a, 1 << 20);
    rc = exposition_series_parse(s->series, &a, &pairs, &n, err);
    if (rc == OK && s->has_exemplar)
        rc = exposition_series_parse(s->exemplar_labels, &a, &pairs, &n, err);
    *sum = *sum * 31 + hash64_stable(s->series) + (uint64_t)s->ts_ms;
    arena_release(&a);
    return rc;
}

static enum code on_meta(void *ctx, enum exposition_meta kind, struct slice family, struct slice text,
                         enum metric_type type, struct error *err)
{
    uint64_t *sum = ctx;

    (void)err;
    *sum = *sum * 31 + hash64_stable(family) + hash64_stable(text) + (uint64_t)kind + (uint64_t)type;
    return OK;
}

static enum code read_body(enum exposition_format format, struct slice body, size_t step, uint64_t *sum)
{
    const struct exposition_handler handler = {on_sample, on_meta, sum};
    struct exposition *e = exposition_new(format, &handler);
    struct error err = {0};
    enum code rc = OK;

    *sum = 0;
    for (size_t at = 0; at < body.len && rc == OK; at += step)
        rc = exposition_feed(e, slice_head(slice_from(body, at), step), &err);
    if (rc == OK)
        rc = exposition_end(e, &err);
    exposition_free(e);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole, pieces;
    enum exposition_format format;
    enum code rc;

    if (size == 0)
        return 0;
    format = data[0] & 1 ? EXPOSITION_OPENMETRICS : EXPOSITION_PROMETHEUS;
    rc = read_body(format, slice_make(data + 1, size - 1), size, &whole);
    BUG_ON(read_body(format, slice_make(data + 1, size - 1), (data[0] >> 1) % 16 + 1u, &pieces) != rc);
    BUG_ON(whole != pieces);
    return 0;
}
