#include "agent/base/clock.h"
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t wall(void *self)
{
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t mono(void *self)
{
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
    static const struct clock system_clock = {.wall_ns = wall, .mono_ns = mono};

    return &system_clock;
}

void clock_format_rfc3339(int64_t wall_ns, char *out)
{
    int64_t seconds = wall_ns / NS_PER_S, rest = wall_ns % NS_PER_S;
    struct tm tm;
    time_t t;

    if (rest < 0) {
        rest += NS_PER_S;
        seconds--;
    }
    t = (time_t)seconds;
    (void)gmtime_r(&t, &tm);
    (void)snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (tm.tm_year + 1900) % 10000, tm.tm_mon + 1,
                   tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(rest / NS_PER_MS));
}
