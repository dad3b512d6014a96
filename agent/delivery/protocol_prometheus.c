/* Prometheus remote write 1.0 (prometheus.io/docs/specs/prw/remote_write_spec). */
#include "agent/base/mem.h"
#include "agent/delivery/protocol_int.h"
#include "agent/model/pbwire.h"
#include "agent/model/remote_write.h"

enum { NAMED_LABELS_MAX = 128, FIELD_TIMESERIES = 1, FIELD_SAMPLES = 2, FIELD_HISTOGRAMS = 4 };

static enum code split(struct record *r, uint32_t n_head, struct record **head, struct error *err)
{
    return protocol_split(r, &reframe_prometheus, n_head, head, err);
}

static enum code build(const struct record *r, enum wire_compression compression, int level, struct slice tenant,
                       struct buf *body_buf, struct wire_request *out, struct error *err)
{
    (void)compression;
    (void)level;
    (void)body_buf;
    (void)err;
    *out = (struct wire_request){.kind = r->kind,
                                 .body = slice_make(r->payload, r->payload_len),
                                 .encoding = SLICE_LIT("snappy"),
                                 .media_type = SLICE_LIT("application/x-protobuf")};
    protocol_add_header(out, SLICE_LIT("X-Prometheus-Remote-Write-Version"), SLICE_LIT("0.1.0"));
    if (tenant.len != 0)
        protocol_add_header(out, SLICE_LIT("X-Scope-OrgID"), tenant);
    return OK;
}

static void classify(const struct wire_response *response, uint32_t n_items, bool retry_on_429,
                     struct retry_answer *out)
{
    retry_classify(PROTOCOL_PROMETHEUS, response, n_items, retry_on_429, out);
}

/* ---- the series a body names ---- */

/* One {name="value", ...} as Prometheus prints label sets; values may hold \" \\ and \n. scratch holds the values; it
 * has room for the whole body from the start and so never moves. */
struct named_series {
    struct label pairs[NAMED_LABELS_MAX];
    size_t n;
    struct buf scratch;
};

static bool skip_char(struct slice *s, char c)
{
    while (s->len != 0 && (*s->ptr == ' ' || *s->ptr == ','))
        *s = slice_from(*s, 1);
    if (s->len == 0 || *s->ptr != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

/* Appends the quoted text's bytes to scratch; s stands behind the opening quote and ends behind the closing one. */
static bool read_quoted(struct slice *s, struct buf *scratch)
{
    while (s->len != 0 && *s->ptr != '"') {
        char c = *s->ptr;

        *s = slice_from(*s, 1);
        if (c == '\\' && s->len != 0) {
            c = *s->ptr == 'n' ? '\n' : *s->ptr;
            *s = slice_from(*s, 1);
        }
        buf_add_char(scratch, c);
    }
    if (s->len == 0 || scratch->is_full)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool read_pair(struct slice *s, struct named_series *out)
{
    struct slice name;
    size_t start;

    while (s->len != 0 && (*s->ptr == ' ' || *s->ptr == ','))
        *s = slice_from(*s, 1);
    if (!slice_cut(*s, '=', &name, s) || !skip_char(s, '"') || out->n == NAMED_LABELS_MAX)
        return false;
    start = out->scratch.len;
    if (!read_quoted(s, &out->scratch))
        return false;
    out->pairs[out->n++] = (struct label){slice_trim(name), slice_from(buf_slice(&out->scratch), start)};
    return true;
}

/* Reads the next label set of the body; false when there is none. */
static bool next_named(struct slice *body, struct named_series *out)
{
    size_t at;

    while ((at = slice_find(*body, '{')) < body->len) {
        struct slice s = slice_from(*body, at + 1);
        bool is_good = true;

        *body = s;
        out->n = 0;
        buf_reset(&out->scratch);
        while (is_good && !skip_char(&s, '}'))
            is_good = read_pair(&s, out);
        if (!is_good || out->n == 0)
            continue;
        *body = s;
        return true;
    }
    return false;
}

static bool same_labels(const struct named_series *named, struct slice series)
{
    struct label pairs[NAMED_LABELS_MAX];
    size_t n, found = 0;

    if (rw_series_labels(series, pairs, NAMED_LABELS_MAX, &n) != OK || n != named->n)
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (slice_eq(pairs[i].name, named->pairs[j].name) && slice_eq(pairs[i].value, named->pairs[j].value))
                found++;
    return found == n;
}

static uint32_t count_items(struct slice series)
{
    struct pb_reader r;
    struct pb_field f;
    uint32_t n = 0;

    pb_reader_init(&r, series);
    while (pb_next(&r, &f) == PB_FIELD)
        n += f.number == FIELD_SAMPLES || f.number == FIELD_HISTOGRAMS;
    return n;
}

struct dropping {
    void (*dropped)(void *ctx, uint32_t first, uint32_t n);
    void *ctx;
    uint32_t at, n; /* items seen, items taken out */
};

/* Copies the request without the named series; tells of each when `d->dropped` is set. */
static enum code without(struct slice plain, const struct named_series *named, struct buf *out, struct dropping *d)
{
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;

    d->at = d->n = 0;
    pb_reader_init(&r, plain);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        uint32_t n = 0;

        if (f.number == FIELD_TIMESERIES && f.type == PB_BYTES) {
            n = count_items(f.bytes);
            if (same_labels(named, f.bytes)) {
                if (d->dropped != NULL)
                    d->dropped(d->ctx, d->at, n);
                d->at += n;
                d->n += n;
                continue;
            }
        }
        d->at += n;
        if (out != NULL)
            buf_add(out, f.whole);
    }
    return status == PB_END && (out == NULL || !out->is_full) ? OK : CORRUPT;
}

/* The body names one series, rarely more: those after the first are met by the next answer. */
static uint32_t drop_named(struct record *r, struct slice body, void (*dropped)(void *ctx, uint32_t first, uint32_t n),
                           void *ctx)
{
    struct named_series *named = mem_zalloc(sizeof *named);
    struct dropping quiet = {0}, told = {dropped, ctx, 0, 0};
    struct buf scratch, kept;
    struct slice plain;

    buf_init(&named->scratch, body.len + 1);
    buf_init(&scratch, r->plain_len);
    buf_init(&kept, r->plain_len);
    if (buf_reserve(&named->scratch, body.len + 1) != OK || protocol_plain(r, &scratch, &plain, NULL) != OK)
        goto done;
    while (quiet.n == 0 && next_named(&body, named))
        if (without(plain, named, NULL, &quiet) != OK)
            goto done;
    if (quiet.n == 0 || without(plain, named, &kept, &quiet) != OK ||
        protocol_set_plain(r, buf_slice(&kept), NULL) != OK) {
        quiet.n = 0;
        goto done;
    }
    if (without(plain, named, NULL, &told) != OK)
        quiet.n = 0;
    r->n_items -= told.n;
done:
    buf_release(&named->scratch);
    mem_free(named);
    buf_release(&scratch);
    buf_release(&kept);
    return quiet.n;
}

const struct protocol protocol_prometheus = {
    .name = "prometheus",
    .wire = PROTOCOL_PROMETHEUS,
    .codec = RECORD_SNAPPY,
    .merge = protocol_merge,
    .split = split,
    .build = build,
    .classify = classify,
    .drop_named = drop_named,
};
