/* agent/model/remote_write.h - Prometheus remote write 1.0 (prometheus.WriteRequest) as bytes. Specification:
 * prometheus.io/docs/specs/prw/remote_write_spec. Encoded series and metadata in a row are a request, so requests join
 * by concatenation. */
#ifndef AGENT_MODEL_REMOTE_WRITE_H
#define AGENT_MODEL_REMOTE_WRITE_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/model/batch.h"
#include "agent/model/native_histogram.h"

/* Why a set of labels may not be sent; NULL when it may: sorted, unique, no empty name or value, __name__ present and a
 * legal metric name, legal label names, UTF-8. is_utf8_names: any UTF-8 name is legal (Prometheus 3). */
const char *rw_labels_refusal(const struct label *pairs, size_t n, bool is_utf8_names);

/* The label block of a series: encode once per set, use for every sample. Pairs must be sorted by name. */
MUST_USE enum code rw_labels_write(struct buf *out, const struct label *pairs, size_t n);
size_t rw_labels_size(const struct label *pairs, size_t n);
/* Appends one TimeSeries: label block, then n samples (floats or native histograms, in time order) with exemplars.
 * FULL or NOMEM: out is as before. */
MUST_USE enum code rw_series_write(struct buf *out, struct slice label_block, const struct sample *samples, size_t n,
                                   bool is_exemplars);
MUST_USE enum code rw_metadata_write(struct buf *out, const struct metric_metadata *m);

struct rw_count {
    uint64_t series, samples, histograms, exemplars, metadata;
};
/* Checks framing and counts without decoding. */
MUST_USE enum code rw_count(struct slice body, struct rw_count *out, struct error *err);
/* Appends to out the series number first .. first+n-1 of body as a request of their own (metadata goes with first 0).
 */
MUST_USE enum code rw_split(struct slice body, uint64_t first, uint64_t n, struct buf *out, struct error *err);

struct rw_series {
    struct slice bytes; /* the TimeSeries message */
    uint32_t n_labels, n_samples, n_histograms, n_exemplars;
};
/* Walks the series in order; not OK from fn stops with that code. */
MUST_USE enum code rw_each_series(struct slice body, enum code (*fn)(void *ctx, const struct rw_series *s), void *ctx,
                                  struct error *err);
/* Labels of a TimeSeries message, pointing into it. FULL: more than cap. */
MUST_USE enum code rw_series_labels(struct slice series, struct label *pairs, size_t cap, size_t *n);
#endif
