/* agent/base/metrics.h - self-metrics: families of counters, gauges and histograms with labels, written in the
 * Prometheus text format 0.0.4. Thread-safe: registering takes a lock, adding is one relaxed atomic. A family never
 * grows past LIMIT_METRIC_SERIES_PER_FAMILY: further label sets share one series labelled {overflow="true"} (P-H6). */
#ifndef AGENT_BASE_METRICS_H
#define AGENT_BASE_METRICS_H
#include "agent/base/buf.h"
#include "agent/base/slice.h"
#include <stdint.h>

struct metrics; /* a registry */
struct metric;  /* one series; lives until its last metric_unref */

struct metric_label {
    const char *name;
    const char *value; /* copied */
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* NULL is fine */

/* The series of this family and label set: created with value 0 or, when it exists already, shared. The caller owns one
 * reference. name and help are copied. All series of a name must be of one kind (a BUG otherwise). */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *help, const struct metric_label *labels,
                               size_t n_labels);
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help, const struct metric_label *labels,
                             size_t n_labels);
/* bounds: upper bounds in rising order, without +Inf; copied. */
struct metric *metrics_histogram(struct metrics *m, const char *name, const char *help, const double *bounds,
                                 size_t n_bounds, const struct metric_label *labels, size_t n_labels);
/* A gauge or counter whose value is asked for when the page is written; fn must stay valid until metric_unref. */
struct metric *metrics_func(struct metrics *m, const char *name, const char *help, bool is_counter,
                            double (*fn)(void *self), void *self, const struct metric_label *labels, size_t n_labels);
void metric_unref(struct metric *metric); /* the series leaves the page with its last reference; NULL is fine */

void metric_add(struct metric *metric, double n); /* counters (n >= 0) and gauges */
void metric_inc(struct metric *metric);
void metric_set(struct metric *metric, double value); /* gauges */
void metric_observe(struct metric *metric, double value);
double metric_value(const struct metric *metric); /* counter, gauge; histogram: its count */

/* Writes every family in order of name. FULL when out's max is reached: what is there ends at a line's end. */
enum code metrics_write(struct metrics *m, struct buf *out);
#endif
