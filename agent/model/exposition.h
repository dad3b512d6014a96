/* agent/model/exposition.h - Prometheus text format 0.0.4 and OpenMetrics 1.0, read as the body arrives.
 *
 * The parser finds lines and gives each sample with its series as raw bytes (name{labels}); a caller that knows those
 * bytes already looks them up, for any other it calls exposition_series_parse, which is what checks names and escapes.
 * So a caller must call it for every series it has not seen (or reject the body itself). */
#ifndef AGENT_MODEL_EXPOSITION_H
#define AGENT_MODEL_EXPOSITION_H
#include "agent/base/arena.h"
#include "agent/base/error.h"
#include "agent/model/batch.h"

enum exposition_format { EXPOSITION_PROMETHEUS, EXPOSITION_OPENMETRICS };

struct exposition_sample {
    struct slice series; /* as it stands: name{a="b"}; valid until the handler returns */
    double value;
    int64_t ts_ms;
    bool has_ts;
    bool has_exemplar;
    struct slice exemplar_labels; /* {trace_id="x"} as it stands: exposition_series_parse takes it */
    double exemplar_value;
    int64_t exemplar_ts_ms;
    bool has_exemplar_ts;
};

enum exposition_meta { EXPOSITION_TYPE, EXPOSITION_HELP, EXPOSITION_UNIT };

struct exposition_handler {
    /* Not OK stops the parser with that code. */
    enum code (*sample)(void *ctx, const struct exposition_sample *s, struct error *err);
    /* text: HELP (unescaped) or UNIT; type: of TYPE. Slices are valid until it returns. May be NULL. */
    enum code (*meta)(void *ctx, enum exposition_meta kind, struct slice family, struct slice text,
                      enum metric_type type, struct error *err);
    void *ctx;
};

struct exposition; /* one body; one thread at a time */

/* The format a Content-Type names; anything unknown is PROMETHEUS (0.0.4), as Prometheus' fallback. */
enum exposition_format exposition_format_of(struct slice content_type);
struct exposition *exposition_new(enum exposition_format format, const struct exposition_handler *handler);
void exposition_free(struct exposition *e); /* NULL is fine */
/* Any cut of the body. INVALID names the line; FULL: a line over LIMIT_EXPOSITION_LINE_BYTES. Not callable after. */
MUST_USE enum code exposition_feed(struct exposition *e, struct slice bytes, struct error *err);
/* The body is over; a last line without its newline is read. INVALID: that line, or a missing # EOF (OpenMetrics). */
MUST_USE enum code exposition_end(struct exposition *e, struct error *err);

/* Labels of a raw series, the name as __name__ (left out when there is none: exemplars), unescaped onto the arena, in
 * the order written. Strict: names, escapes, UTF-8, a name twice. FULL: more than LIMIT_SERIES_LABELS. */
MUST_USE enum code exposition_series_parse(struct slice series, struct arena *a, struct label **pairs, size_t *n,
                                           struct error *err);
/* A value as Go's ParseFloat reads it without hexadecimal and underscores; correctly rounded. */
bool exposition_f64(struct slice text, double *out);
#endif
