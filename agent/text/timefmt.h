/* agent/text/timefmt.h - Go's reference-time layouts, compiled once: time.Parse and Time.Format, and Loki's Unix,
 * UnixMs, UnixUs and UnixNs. Times are ns since 1970 in int64_t: 1677 to 2262; others are INVALID. */
#ifndef AGENT_TEXT_TIMEFMT_H
#define AGENT_TEXT_TIMEFMT_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/text/tz.h"

struct timefmt; /* immutable once compiled: any thread */

/* layout is a name (ANSIC UnixDate RubyDate RFC822 RFC822Z RFC850 RFC1123 RFC1123Z RFC3339 RFC3339Nano Unix UnixMs
 * UnixUs UnixNs) or a Go layout. Never INVALID for a Go layout (all text is one); FULL past LIMIT_TIME_LAYOUT_BYTES. */
MUST_USE enum code timefmt_compile(struct timefmt **out, struct slice layout, struct error *err);
void timefmt_free(struct timefmt *f);
/* Holds any part of a date or clock: a caller can refuse a layout that is only literal text. */
bool timefmt_has_fields(const struct timefmt *f);

/* Go's time.ParseInLocation(layout, value, zone). A year the layout lacks is filled from now_ns as Loki does: the
 * current year, the one before for December read in January, the one after for January read in December. */
MUST_USE enum code timefmt_parse(const struct timefmt *f, struct slice value, const struct tz *zone, int64_t now_ns,
                                 int64_t *out_ns, struct error *err);
/* Appends Go's Format of the instant in zone. */
enum code timefmt_format(const struct timefmt *f, int64_t ns, const struct tz *zone, struct buf *out);

/* RFC 3339 with any fraction, without a compiled layout: for docker and CRI lines. False when it is anything else. */
bool timefmt_parse_rfc3339(struct slice value, int64_t *out_ns);

/* The proleptic Gregorian calendar, for others that need it. month 1..12; days since 1970-01-01. */
int64_t timefmt_days(int64_t year, int month, int day);
void timefmt_civil(int64_t days, int64_t *year, int *month, int *day);
#endif
