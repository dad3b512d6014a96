/* agent/delivery/retry.h - what an answer means, per protocol and back end, as rows of data (design.md, Retry).
 * The rows are looked through in order; the first that fits decides. */
#ifndef AGENT_DELIVERY_RETRY_H
#define AGENT_DELIVERY_RETRY_H
#include "agent/delivery/env.h"
#include <stddef.h>

enum wire_protocol { PROTOCOL_LOKI, PROTOCOL_PROMETHEUS, PROTOCOL_OTLP_GRPC, PROTOCOL_OTLP_HTTP };

enum backend { BACKEND_ANY, BACKEND_PROMETHEUS, BACKEND_MIMIR };

enum verdict {
    VERDICT_ACK,         /* all of it is the far side's now */
    VERDICT_PARTIAL,     /* n_rejected of it are refused for good, the rest was taken */
    VERDICT_RETRY,       /* the same again, after backoff or retry_after_ms */
    VERDICT_SPLIT,       /* too large: send it in pieces; one item alone is dropped as too_large */
    VERDICT_DROP,        /* all of it is refused for good */
    VERDICT_REST_STORED, /* some were refused, as many as the body names (at least one), the rest was taken */
    VERDICT_BISECT,      /* nothing of it was taken because of some: drop what the body names, else search by halves */
};

struct retry_row {
    enum wire_protocol protocol;
    enum backend backend;
    int low, high;        /* statuses (gRPC: codes), inclusive */
    const char *contains; /* in body or text, ignoring case; NULL: whatever it says */
    enum verdict verdict;
    bool is_429;           /* RETRY only where the configuration retries 429, else DROP */
    bool needs_retry_info; /* RETRY only with retry_after_ms given, else DROP */
};

struct retry_answer {
    enum verdict verdict;
    uint32_t n_rejected;    /* PARTIAL, REST_STORED */
    int64_t retry_after_ms; /* RETRY: at least this long; -1: the backoff decides */
    bool is_throttle;       /* the far side asked for less (429, 503, RESOURCE_EXHAUSTED) */
    char text[200];         /* its words, cut, without control characters; "" when there are none */
};

extern const struct retry_row retry_rows[];
extern const size_t retry_row_count;

enum backend retry_backend(enum wire_protocol protocol, struct slice body);
/* By the rows alone; an answer without a row is DROP (unknown statuses are not retried for ever). Transport failures
 * are RETRY. n_rejected is read from the body for REST_STORED, at least 1 and at most n_items. */
void retry_classify(enum wire_protocol protocol, const struct wire_response *response, uint32_t n_items,
                    bool retry_on_429, struct retry_answer *out);
const char *verdict_name(enum verdict v);

/* Backoff with jitter: full step n (1, 2, ...) is min * 2^(n-1) up to max, of which a random half is taken away. */
int64_t retry_backoff_ms(unsigned attempt, int64_t min_ms, int64_t max_ms, double multiplier, uint64_t random);
#endif
