/* agent/text/tz.h - IANA time zones from TZif files (RFC 8536), their POSIX TZ footer included. */
#ifndef AGENT_TEXT_TZ_H
#define AGENT_TEXT_TZ_H
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct tz; /* immutable: any thread */

enum { TZ_ABBREV_BYTES = 16 };

struct tz_info {
    int32_t offset_s; /* east of UTC */
    bool is_dst;
    char abbrev[TZ_ABBREV_BYTES];
};

const struct tz *tz_utc(void);
/* The zone of this name, read once per process and kept for good; thread-safe. "" and "UTC" are UTC, "Local" is $TZ or
 * /etc/localtime (UTC when there is neither). INVALID for a name with "..", a leading '/' or '\\', or that no zone has;
 * FULL past LIMIT_TIME_ZONES. */
MUST_USE enum code tz_load(const struct tz **out, struct slice name, struct error *err);
/* From the bytes of a TZif file. The caller owns *out. INVALID when the bytes do not hold together. */
MUST_USE enum code tz_parse(struct tz **out, struct slice name, struct slice bytes, struct error *err);
void tz_free(struct tz *z);

struct slice tz_name(const struct tz *z);
void tz_lookup(const struct tz *z, int64_t unix_s, struct tz_info *out);
/* Wall-clock seconds (counted as if they were UTC) to Unix seconds. In a gap or an overlap the choice is Go's
 * time.Date: one of the two offsets in use around the change. */
int64_t tz_to_unix(const struct tz *z, int64_t wall_s);
/* Offset of an abbreviation such as "KST" in this zone near unix_s; false when the zone never used it. */
bool tz_abbrev_offset(const struct tz *z, struct slice abbrev, int64_t unix_s, int32_t *offset_s);
#endif
