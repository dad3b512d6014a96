#include "agent/model/batch.h"
#include "agent/model/otlp_to_prom_int.h"
#include "agent/model/pbwire.h"

enum { SPAN_GAP = 2 }; /* up to this many empty buckets are cheaper as zeros than as a new span */
static const double default_zero_threshold = 1e-128;

struct builder {
    struct histogram_span *spans;
    int64_t *deltas;
    uint32_t n_spans, n_deltas;
    int64_t last_count;
    int64_t next_index; /* the bucket after the last one written */
};

static void add_delta(struct builder *b, int64_t count)
{
    b->deltas[b->n_deltas++] = count - b->last_count;
    b->last_count = count;
    b->spans[b->n_spans - 1].length++;
    b->next_index++;
}

static void add_bucket(struct builder *b, int64_t index, int64_t count)
{
    int64_t gap = index - b->next_index;

    if (b->n_spans == 0 || gap > SPAN_GAP) {
        b->spans[b->n_spans++] = (struct histogram_span){(int32_t)(b->n_spans == 1 ? index : gap), 0};
        b->next_index = index;
    }
    while (b->next_index < index)
        add_delta(b, 0);
    add_delta(b, count);
}

/* OTLP bucket i holds (base^i, base^(i+1)], Prometheus' bucket i holds (base^(i-1), base^i]: one further. */
static bool convert_side(struct arena *a, const Otlp__ExponentialHistogramDataPoint__Buckets *in, int scale_down,
                         struct histogram_buckets *out)
{
    struct builder b = {.next_index = 0};
    size_t room;
    int64_t index = 0, count = 0;

    *out = (struct histogram_buckets){0};
    if (in == NULL || in->n_bucket_counts == 0)
        return true;
    room = in->n_bucket_counts * (1 + SPAN_GAP); /* the zeros of short gaps, too */
    b.spans = arena_try_array(a, in->n_bucket_counts, sizeof *b.spans);
    b.deltas = arena_try_array(a, room, sizeof *b.deltas);
    if (b.spans == NULL || b.deltas == NULL)
        return false;
    for (size_t i = 0; i < in->n_bucket_counts; i++) {
        int64_t at = (((int64_t)in->offset + (int64_t)i) >> scale_down) + 1;

        if (at != index && count != 0) {
            add_bucket(&b, index, count);
            count = 0;
        }
        index = at;
        count += (int64_t)in->bucket_counts[i];
    }
    if (count != 0)
        add_bucket(&b, index, count);
    *out = (struct histogram_buckets){b.spans, b.deltas, NULL, b.n_spans, b.n_deltas};
    return true;
}

enum native_result otlp_to_native(struct arena *a, const Otlp__ExponentialHistogramDataPoint *p, bool is_stale,
                                  struct native_histogram *out)
{
    int scale_down = p->scale > HISTOGRAM_SCHEMA_MAX ? p->scale - HISTOGRAM_SCHEMA_MAX : 0;

    if (p->scale < HISTOGRAM_SCHEMA_MIN || scale_down > 31)
        return NATIVE_UNSUPPORTED;
    *out = (struct native_histogram){
        .schema = p->scale - scale_down,
        .zero_threshold = p->zero_threshold > 0 ? p->zero_threshold : default_zero_threshold,
        .zero_count = p->zero_count,
        .count = p->count,
        .sum = p->has_sum_case == OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT__HAS_SUM_SUM ? p->sum : 0,
    };
    if (is_stale) {
        out->count = STALE_NAN_BITS;
        out->zero_count = 0;
        out->sum = pb_f64(STALE_NAN_BITS);
        return NATIVE_OK;
    }
    if (!convert_side(a, p->positive, scale_down, &out->positive) ||
        !convert_side(a, p->negative, scale_down, &out->negative))
        return NATIVE_NOMEM;
    return NATIVE_OK;
}
