/* agent/base/ledger.h - the accounts that must balance (design.md, Ledger).
 *
 * Component:  in + created = out + dropped{reason} + merged + held
 * Endpoint:   enqueued = acknowledged + dropped{reason} + queued
 * Counts are items: log entries, samples (with exemplars apart), spans, data points, log records. */
#ifndef AGENT_BASE_LEDGER_H
#define AGENT_BASE_LEDGER_H
#include <stdatomic.h>
#include <stdint.h>

/* Every reason for which an item may be dropped. Whoever adds a drop adds its reason here. */
#define DROP_REASONS(X)                                                                                                \
    X(RULE, "rule")                           /* a stage, relabel rule or filter said so */                            \
    X(NO_RECEIVER, "no_receiver")             /* forward_to is empty */                                                \
    X(SHUTDOWN, "shutdown")                   /* could not be sent before the process had to end */                    \
    X(QUEUE_FULL, "queue_full")               /* drop_oldest at the endpoint's cap */                                  \
    X(TOO_OLD, "too_old")                     /* older than the endpoint's age cap */                                  \
    X(RETRIES_EXHAUSTED, "retries_exhausted") /* the configured number or time of retries is over */                   \
    X(REJECTED, "rejected")                   /* the far side refused it for good */                                   \
    X(REJECTED_UNPROVEN, "rejected_unproven") /* refused together with others, beyond the budget of searching */       \
    X(TOO_LARGE, "too_large")                 /* over the far side's or the protocol's size limit */                   \
    X(LINE_TOO_LONG, "line_too_long")         /* over the line limit */                                                \
    X(INVALID, "invalid")                     /* cannot be expressed in the destination's protocol */                  \
    X(INVALID_UTF8, "invalid_utf8")           /* refused for broken UTF-8 where it cannot be repaired */               \
    X(OUT_OF_ORDER, "out_of_order")           /* older than what was sent for its series or stream */                  \
    X(DUPLICATE, "duplicate")                 /* same series and timestamp twice in one scrape */                      \
    X(SAMPLE_LIMIT, "sample_limit")           /* a limit of samples per scrape or request */                           \
    X(LABEL_LIMIT, "label_limit")             /* too many labels, or one too long */                                   \
    X(STREAM_LIMIT, "stream_limit")           /* max_streams of a sink */                                              \
    X(TENANT_LIMIT, "tenant_limit")           /* more tenants than queues */                                           \
    X(UNSUPPORTED, "unsupported")             /* a kind of data this path cannot carry */                              \
    X(MEMORY, "memory")                       /* an allocation failed or the budget is used up */                      \
    X(TRUNCATED, "truncated")                 /* a file was truncated before it was read */                            \
    X(FILE_RELEASED, "file_released")         /* a deleted file was let go with an unread rest */                      \
    X(CONTAINER_GONE, "container_gone")       /* a container was removed before it could be read */                    \
    X(SCRAPE_FAILED, "scrape_failed")         /* the scrape's transaction did not commit */                            \
    X(STALE_DELTA, "stale_delta")             /* a delta point that cannot be added up */                              \
    X(CORRUPT, "corrupt")                     /* does not check: checksum, framing */

enum drop_reason {
#define X(name, text) DROP_##name,
    DROP_REASONS(X)
#undef X
        DROP_REASON_COUNT
};

const char *drop_reason_name(enum drop_reason reason); /* as the `reason` label shows it */

struct ledger {
    _Atomic uint64_t in, created, out, merged;
    _Atomic int64_t held;
    _Atomic uint64_t dropped[DROP_REASON_COUNT];
};

/* One call per batch, never per item. */
static inline void ledger_in(struct ledger *l, uint64_t n)
{
    atomic_fetch_add_explicit(&l->in, n, memory_order_relaxed);
}
static inline void ledger_created(struct ledger *l, uint64_t n)
{
    atomic_fetch_add_explicit(&l->created, n, memory_order_relaxed);
}
static inline void ledger_out(struct ledger *l, uint64_t n)
{
    atomic_fetch_add_explicit(&l->out, n, memory_order_relaxed);
}
static inline void ledger_merged(struct ledger *l, uint64_t n)
{
    atomic_fetch_add_explicit(&l->merged, n, memory_order_relaxed);
}
static inline void ledger_held(struct ledger *l, int64_t delta)
{
    atomic_fetch_add_explicit(&l->held, delta, memory_order_relaxed);
}
static inline void ledger_dropped(struct ledger *l, enum drop_reason reason, uint64_t n)
{
    atomic_fetch_add_explicit(&l->dropped[reason], n, memory_order_relaxed);
}
/* in + created - out - dropped - merged - held: 0 when it balances (exact only while nothing runs). */
int64_t ledger_difference(const struct ledger *l);
#endif
