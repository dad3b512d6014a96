/* agent/base/clock.h - time comes in from outside, so that tests and the simulator can give their own. */
#ifndef AGENT_BASE_CLOCK_H
#define AGENT_BASE_CLOCK_H
#include <stdint.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000, MS_PER_S = 1000 };

struct clock {
    int64_t (*wall_ns)(void *self); /* since 1970-01-01 UTC; may step */
    int64_t (*mono_ns)(void *self); /* never goes back */
    void *self;
};

/* The system's clocks. */
const struct clock *clock_system(void);
static inline int64_t clock_wall_ns(const struct clock *c)
{
    return c->wall_ns(c->self);
}
static inline int64_t clock_mono_ns(const struct clock *c)
{
    return c->mono_ns(c->self);
}
/* "2026-01-02T15:04:05.678Z": RFC 3339 in UTC with ms; out holds at least 32 bytes. */
void clock_format_rfc3339(int64_t wall_ns, char *out);
#endif
