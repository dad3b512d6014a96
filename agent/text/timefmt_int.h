/* agent/text/timefmt_int.h - a compiled layout, shared by the parser and the formatter. */
#ifndef AGENT_TEXT_TIMEFMT_INT_H
#define AGENT_TEXT_TIMEFMT_INT_H
#include "agent/base/limits.h"
#include "agent/text/timefmt.h"

enum time_field {
    FIELD_TEXT, /* literal */
    FIELD_YEAR4,
    FIELD_YEAR2,
    FIELD_MONTH_LONG,
    FIELD_MONTH_SHORT,
    FIELD_MONTH,
    FIELD_MONTH_ZERO,
    FIELD_WEEKDAY_LONG,
    FIELD_WEEKDAY_SHORT,
    FIELD_DAY,
    FIELD_DAY_SPACE,
    FIELD_DAY_ZERO,
    FIELD_YEARDAY_SPACE,
    FIELD_YEARDAY_ZERO,
    FIELD_HOUR24,
    FIELD_HOUR12,
    FIELD_HOUR12_ZERO,
    FIELD_MINUTE,
    FIELD_MINUTE_ZERO,
    FIELD_SECOND,
    FIELD_SECOND_ZERO,
    FIELD_FRACTION_0, /* n digits, always */
    FIELD_FRACTION_9, /* up to n digits, none when zero */
    FIELD_PM_UPPER,
    FIELD_PM_LOWER,
    FIELD_ZONE_NAME,
    FIELD_ZONE_OFFSET,
};

struct time_op {
    enum time_field field;
    struct slice text; /* FIELD_TEXT: into timefmt.layout */
    unsigned n;        /* FIELD_FRACTION_x: digits */
    char separator;    /* FIELD_FRACTION_x: '.' or ',' */
    /* FIELD_ZONE_OFFSET */
    bool takes_z, has_colon, has_minutes, has_seconds;
};

enum timefmt_kind { KIND_LAYOUT, KIND_UNIX, KIND_UNIX_MS, KIND_UNIX_US, KIND_UNIX_NS };

struct timefmt {
    enum timefmt_kind kind;
    bool is_rfc3339; /* try the fast path first */
    char layout[LIMIT_TIME_LAYOUT_BYTES + 1];
    struct time_op ops[LIMIT_TIME_LAYOUT_BYTES + 1];
    size_t n_ops;
};

extern const char *const timefmt_months[12];
extern const char *const timefmt_weekdays[7];
#endif
