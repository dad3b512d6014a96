/* agent/text/tz_int.h - what the parts of tz share. */
#ifndef AGENT_TEXT_TZ_INT_H
#define AGENT_TEXT_TZ_INT_H
#include "agent/text/tz.h"

/* One end of daylight saving time in a POSIX TZ string. */
struct tz_change {
    char kind;            /* 'J' day 1..365 without 29 February, 'D' day 0..365, 'M' month.week.day */
    int day, week, month; /* day: of the year for J and D, of the week for M */
    int64_t seconds;      /* of the day, -167 h to 167 h */
};

/* POSIX TZ, as RFC 8536 section 3.3.1 extends it. */
struct tz_rule {
    bool is_set, has_dst;
    struct tz_info standard, daylight;
    struct tz_change start, end; /* of daylight saving time */
};

struct tz {
    char name[64];
    struct tz_info types[256];
    size_t n_types;   /* >= 1 */
    int64_t *at;      /* owned; ascending */
    uint8_t *type_of; /* owned; < n_types */
    size_t n_times;
    struct tz_rule rule; /* for what lies after the last of at */
};

bool tz_rule_parse(struct tz_rule *r, struct slice text);
const struct tz_info *tz_rule_at(const struct tz_rule *r, int64_t unix_s);
#endif
