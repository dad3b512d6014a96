#include "agent/model/remote_write.h"
#include "agent/model/pbwire.h"
#include "agent/text/utf8.h"

static bool is_metric_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';

        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len != 0;
}

const char *rw_labels_refusal(const struct label *pairs, size_t n, bool is_utf8_names)
{
    bool has_name = false;

    for (size_t i = 0; i < n; i++) {
        const struct label *p = &pairs[i];

        if (p->name.len == 0 || p->value.len == 0)
            return "a label without a name or value";
        if (i != 0 && slice_cmp(pairs[i - 1].name, p->name) >= 0)
            return "labels are not sorted, or one occurs twice";
        if (!utf8_is_valid(p->name) || !utf8_is_valid(p->value))
            return "a label is not valid UTF-8";
        if (!is_utf8_names && !label_name_is_legacy(p->name))
            return "a label name has other characters than letters, digits and _";
        if (!slice_eq_str(p->name, "__name__"))
            continue;
        has_name = true;
        if (!is_utf8_names && !is_metric_name(p->value))
            return "the metric name has other characters than letters, digits, _ and :";
    }
    return has_name ? NULL : "no metric name";
}

static size_t label_size(const struct label *p)
{
    return pb_bytes_size(1, p->name.len) + pb_bytes_size(2, p->value.len);
}

size_t rw_labels_size(const struct label *pairs, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += pb_bytes_size(1, label_size(&pairs[i]));
    return bytes;
}

static void put_labels(struct buf *out, const struct label *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pb_put_tag(out, 1, PB_BYTES);
        pb_put_varint(out, label_size(&pairs[i]));
        pb_put_bytes(out, 1, pairs[i].name);
        pb_put_bytes(out, 2, pairs[i].value);
    }
}

enum code rw_labels_write(struct buf *out, const struct label *pairs, size_t n)
{
    enum code rc = buf_reserve(out, rw_labels_size(pairs, n));

    if (rc == OK)
        put_labels(out, pairs, n);
    return rc;
}

static size_t u64_size(uint64_t v)
{
    return 1 + pb_varint_size(v);
}

/* Sample: both fields are written, also when 0, as the Go clients' readers expect a timestamp. */
static void put_sample(struct buf *out, const struct sample *s)
{
    char text[32], *at = text;
    uint64_t bits = pb_f64_bits(s->value);

    at = pb_varint_to(at, 2u << 3 | PB_BYTES);
    at = pb_varint_to(at, 9 + u64_size((uint64_t)s->ts_ms));
    *at++ = 1 << 3 | PB_FIXED64;
    for (unsigned i = 0; i < 8; i++)
        *at++ = (char)(unsigned char)(bits >> (8 * i));
    *at++ = 2 << 3 | PB_VARINT;
    at = pb_varint_to(at, (uint64_t)s->ts_ms);
    (void)buf_add(out, slice_make(text, (size_t)(at - text)));
}

static void put_exemplars(struct buf *out, const struct sample *s)
{
    for (uint32_t i = 0; i < s->n_exemplars; i++) {
        const struct exemplar *e = &s->exemplars[i];
        size_t mark = pb_open(out, 3);

        put_labels(out, e->labels, e->n_labels);
        pb_put_f64(out, 2, e->value);
        pb_put_u64(out, 3, (uint64_t)(e->ts_ms != 0 ? e->ts_ms : s->ts_ms));
        pb_close(out, mark);
    }
}

static void put_doubles(struct buf *out, uint32_t field, const double *v, uint32_t n)
{
    if (n == 0)
        return;
    pb_put_tag(out, field, PB_BYTES);
    pb_put_varint(out, (uint64_t)n * 8);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bits = pb_f64_bits(v[i]);
        char text[8];

        for (unsigned k = 0; k < 8; k++)
            text[k] = (char)(unsigned char)(bits >> (8 * k));
        (void)buf_add(out, slice_make(text, sizeof text));
    }
}

/* Fields spans, deltas, counts stand in a row: 8, 9, 10 for the negative buckets, 11, 12, 13 for the positive. */
static void put_buckets(struct buf *out, uint32_t field, const struct histogram_buckets *b, bool is_float)
{
    size_t mark;

    for (uint32_t i = 0; i < b->n_spans; i++) {
        mark = pb_open(out, field);
        pb_put_u64(out, 1, pb_zigzag_encode(b->spans[i].offset));
        pb_put_u64(out, 2, b->spans[i].length);
        pb_close(out, mark);
    }
    if (is_float) {
        put_doubles(out, field + 2, b->counts, b->n_buckets);
        return;
    }
    if (b->n_buckets == 0)
        return;
    mark = pb_open(out, field + 1);
    for (uint32_t i = 0; i < b->n_buckets; i++)
        pb_put_varint(out, pb_zigzag_encode(b->deltas[i]));
    pb_close(out, mark);
}

static void put_histogram(struct buf *out, const struct native_histogram *h, int64_t ts_ms)
{
    size_t mark = pb_open(out, 4);

    if (h->is_float)
        pb_put_f64(out, 2, h->count_float);
    else
        pb_put_u64(out, 1, h->count);
    pb_put_f64(out, 3, h->sum);
    pb_put_u64(out, 4, pb_zigzag_encode(h->schema));
    pb_put_f64(out, 5, h->zero_threshold);
    if (h->is_float)
        pb_put_f64(out, 7, h->zero_count_float);
    else
        pb_put_u64(out, 6, h->zero_count);
    put_buckets(out, 8, &h->negative, h->is_float);
    put_buckets(out, 11, &h->positive, h->is_float);
    if (h->reset != HISTOGRAM_RESET_UNKNOWN)
        pb_put_u64(out, 14, (uint64_t)h->reset);
    pb_put_u64(out, 15, (uint64_t)ts_ms);
    put_doubles(out, 16, h->custom_values, h->n_custom_values);
    pb_close(out, mark);
}

enum code rw_series_write(struct buf *out, struct slice label_block, const struct sample *samples, size_t n,
                          bool is_exemplars)
{
    size_t start = out->len, mark = pb_open(out, 1);

    (void)buf_add(out, label_block);
    for (size_t i = 0; i < n; i++) /* in order of field numbers, as other encoders write them */
        if (samples[i].kind == SAMPLE_FLOAT)
            put_sample(out, &samples[i]);
    for (size_t i = 0; i < n && is_exemplars; i++)
        put_exemplars(out, &samples[i]);
    for (size_t i = 0; i < n; i++)
        if (samples[i].kind == SAMPLE_HISTOGRAM)
            put_histogram(out, samples[i].histogram, samples[i].ts_ms);
    pb_close(out, mark);
    if (!out->is_full)
        return OK;
    out->len = start;
    return FULL;
}

enum code rw_metadata_write(struct buf *out, const struct metric_metadata *m)
{
    size_t start = out->len, mark = pb_open(out, 3);

    if (m->type != METRIC_UNKNOWN)
        pb_put_u64(out, 1, (uint64_t)m->type);
    pb_put_bytes(out, 2, m->family);
    if (m->help.len != 0)
        pb_put_bytes(out, 4, m->help);
    if (m->unit.len != 0)
        pb_put_bytes(out, 5, m->unit);
    pb_close(out, mark);
    if (!out->is_full)
        return OK;
    out->len = start;
    return FULL;
}
