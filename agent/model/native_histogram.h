/* agent/model/native_histogram.h - one sample of a Prometheus native histogram, as remote write carries it
 * (prompb.Histogram): integer buckets as deltas, float buckets as absolute counts. */
#ifndef AGENT_MODEL_NATIVE_HISTOGRAM_H
#define AGENT_MODEL_NATIVE_HISTOGRAM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct histogram_span {
    int32_t offset; /* buckets left out before this run; of the first span: its index */
    uint32_t length;
};

struct histogram_buckets {
    const struct histogram_span *spans;
    const int64_t *deltas; /* integer histograms: first count, then differences; sum of lengths of spans */
    const double *counts;  /* float histograms */
    uint32_t n_spans, n_buckets;
};

enum histogram_reset { HISTOGRAM_RESET_UNKNOWN, HISTOGRAM_RESET_YES, HISTOGRAM_RESET_NO, HISTOGRAM_RESET_GAUGE };
enum { HISTOGRAM_SCHEMA_CUSTOM = -53, HISTOGRAM_SCHEMA_MIN = -4, HISTOGRAM_SCHEMA_MAX = 8 };

struct native_histogram {
    bool is_float;
    int32_t schema; /* MIN..MAX, or CUSTOM: bounds in custom_values */
    enum histogram_reset reset;
    uint64_t count, zero_count;           /* integer histograms */
    double count_float, zero_count_float; /* float histograms */
    double sum, zero_threshold;
    struct histogram_buckets positive, negative;
    const double *custom_values;
    uint32_t n_custom_values;
};
#endif
