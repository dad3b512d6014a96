#include "agent/delivery/retry.h"
#include <stdio.h>

/* gRPC status codes (grpc.io/docs/guides/status-codes) */
enum {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_LAST = 16,
};

/* clang-format off */
const struct retry_row retry_rows[] = {
    /* Loki: a 400 names what was refused, the rest of the push was stored; but a body it could not read is lost whole. */
    {.protocol = PROTOCOL_LOKI, .low = 200, .high = 299, .verdict = VERDICT_ACK},
    {.protocol = PROTOCOL_LOKI, .low = 413, .high = 413, .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 599, .contains = "received message larger than max", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 599, .contains = "trying to send message larger than max", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 400, .contains = "request body too large", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 400, .contains = "snappy:", .verdict = VERDICT_DROP},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 400, .contains = "proto:", .verdict = VERDICT_DROP},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 400, .contains = "unexpected EOF", .verdict = VERDICT_DROP},
    {.protocol = PROTOCOL_LOKI, .low = 400, .high = 400, .verdict = VERDICT_REST_STORED},
    {.protocol = PROTOCOL_LOKI, .low = 429, .high = 429, .verdict = VERDICT_RETRY, .is_429 = true},
    {.protocol = PROTOCOL_LOKI, .low = 500, .high = 599, .verdict = VERDICT_RETRY},
    /* Prometheus rolls the whole request back on a 400; Mimir names one of the bad samples and stores the rest. */
    {.protocol = PROTOCOL_PROMETHEUS, .low = 200, .high = 299, .verdict = VERDICT_ACK},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 413, .high = 413, .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 400, .high = 599, .contains = "larger than max", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 400, .high = 400, .contains = "request body too large", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 400, .high = 400, .contains = "snappy:", .verdict = VERDICT_DROP},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 400, .high = 400, .contains = "proto:", .verdict = VERDICT_DROP},
    {.protocol = PROTOCOL_PROMETHEUS, .backend = BACKEND_MIMIR, .low = 400, .high = 400, .verdict = VERDICT_REST_STORED},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 400, .high = 400, .verdict = VERDICT_BISECT},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 429, .high = 429, .verdict = VERDICT_RETRY, .is_429 = true},
    {.protocol = PROTOCOL_PROMETHEUS, .low = 500, .high = 599, .verdict = VERDICT_RETRY},
    /* OTLP/HTTP: opentelemetry.io/docs/specs/otlp, Failures and Retryable Response Codes. */
    {.protocol = PROTOCOL_OTLP_HTTP, .low = 200, .high = 299, .verdict = VERDICT_ACK},
    {.protocol = PROTOCOL_OTLP_HTTP, .low = 413, .high = 413, .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_OTLP_HTTP, .low = 400, .high = 599, .contains = "larger than max", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_OTLP_HTTP, .low = 400, .high = 400, .contains = "request body too large", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_OTLP_HTTP, .low = 429, .high = 429, .verdict = VERDICT_RETRY, .is_429 = true},
    {.protocol = PROTOCOL_OTLP_HTTP, .low = 502, .high = 504, .verdict = VERDICT_RETRY},
    /* OTLP/gRPC: the same page, table of gRPC codes. */
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_OK, .high = GRPC_OK, .verdict = VERDICT_ACK},
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_CANCELLED, .high = GRPC_LAST, .contains = "larger than max", .verdict = VERDICT_SPLIT},
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_CANCELLED, .high = GRPC_CANCELLED, .verdict = VERDICT_RETRY},
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_DEADLINE_EXCEEDED, .high = GRPC_DEADLINE_EXCEEDED, .verdict = VERDICT_RETRY},
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_RESOURCE_EXHAUSTED, .high = GRPC_RESOURCE_EXHAUSTED, .verdict = VERDICT_RETRY, .needs_retry_info = true},
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_ABORTED, .high = GRPC_OUT_OF_RANGE, .verdict = VERDICT_RETRY},
    {.protocol = PROTOCOL_OTLP_GRPC, .low = GRPC_UNAVAILABLE, .high = GRPC_DATA_LOSS, .verdict = VERDICT_RETRY},
};
/* clang-format on */
const size_t retry_row_count = sizeof retry_rows / sizeof retry_rows[0];

static bool contains_nocase(struct slice s, const char *needle)
{
    size_t n = strlen(needle);

    for (size_t i = 0; i + n <= s.len; i++)
        if (slice_eq_nocase(slice_make(s.ptr + i, n), slice_make(needle, n)))
            return true;
    return false;
}

enum backend retry_backend(enum wire_protocol protocol, struct slice body)
{
    if (protocol != PROTOCOL_PROMETHEUS)
        return BACKEND_ANY;
    return contains_nocase(body, "err-mimir-") ? BACKEND_MIMIR : BACKEND_PROMETHEUS;
}

static bool row_fits(const struct retry_row *row, enum wire_protocol protocol, enum backend backend,
                     const struct wire_response *response)
{
    if (row->protocol != protocol || response->status < row->low || response->status > row->high)
        return false;
    if (row->backend != BACKEND_ANY && row->backend != backend)
        return false;
    return row->contains == NULL || contains_nocase(response->body, row->contains) ||
           contains_nocase(response->text, row->contains);
}

/* Reads the decimal number that starts at s. */
static bool leading_number(struct slice s, uint64_t *out)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    return n != 0 && slice_to_u64(slice_head(s, n), out);
}

/* Loki: "... total ignored: 3 out of 10 for stream: {...}", once per stream. Whoever names one entry names one. */
static uint32_t named_count(struct slice body, uint32_t n_items)
{
    static const char mark[] = "total ignored: ";
    uint64_t total = 0, n;
    size_t at;

    while ((at = slice_find_slice(body, SLICE_LIT("total ignored: "))) < body.len) {
        body = slice_from(body, at + sizeof mark - 1);
        if (leading_number(body, &n) && n <= UINT32_MAX)
            total += n;
    }
    if (total == 0)
        total = 1;
    return total < n_items ? (uint32_t)total : n_items;
}

static void set_text(struct retry_answer *out, struct slice s)
{
    size_t n = s.len < sizeof out->text - 1 ? s.len : sizeof out->text - 1;

    for (size_t i = 0; i < n; i++)
        out->text[i] = (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f ? ' ' : s.ptr[i];
    while (n > 0 && (out->text[n - 1] == ' ' || ((unsigned char)out->text[n - 1] & 0xc0) == 0x80))
        n--; /* no blank and no cut character at the end */
    if (n > 0 && (unsigned char)out->text[n - 1] >= 0xc0)
        n--;
    out->text[n] = '\0';
}

static bool is_throttle(enum wire_protocol protocol, int status)
{
    if (protocol == PROTOCOL_OTLP_GRPC)
        return status == GRPC_RESOURCE_EXHAUSTED;
    return status == 429 || status == 503;
}

void retry_classify(enum wire_protocol protocol, const struct wire_response *response, uint32_t n_items,
                    bool retry_on_429, struct retry_answer *out)
{
    enum backend backend = retry_backend(protocol, response->body);

    *out = (struct retry_answer){.verdict = VERDICT_RETRY, .retry_after_ms = response->retry_after_ms};
    set_text(out, response->text.len != 0 ? response->text : response->body);
    if (response->result != WIRE_ANSWERED)
        return;
    out->verdict = VERDICT_DROP;
    out->is_throttle = is_throttle(protocol, response->status);
    for (size_t i = 0; i < retry_row_count; i++) {
        const struct retry_row *row = &retry_rows[i];

        if (!row_fits(row, protocol, backend, response))
            continue;
        out->verdict = row->verdict;
        if ((row->is_429 && !retry_on_429) || (row->needs_retry_info && response->retry_after_ms < 0))
            out->verdict = VERDICT_DROP;
        break;
    }
    if (out->verdict == VERDICT_REST_STORED)
        out->n_rejected = named_count(response->body, n_items);
}

const char *verdict_name(enum verdict v)
{
    switch (v) {
    case VERDICT_ACK:
        return "ack";
    case VERDICT_PARTIAL:
        return "partial";
    case VERDICT_RETRY:
        return "retry";
    case VERDICT_SPLIT:
        return "split";
    case VERDICT_DROP:
        return "drop";
    case VERDICT_REST_STORED:
        return "rest_stored";
    case VERDICT_BISECT:
        return "bisect";
    }
    return "unknown";
}

int64_t retry_backoff_ms(unsigned attempt, int64_t min_ms, int64_t max_ms, double multiplier, uint64_t random)
{
    double full = (double)(min_ms > 0 ? min_ms : 1);
    double by = multiplier >= 1 ? multiplier : 2;
    int64_t ms, half;

    if (max_ms < min_ms)
        max_ms = min_ms;
    for (unsigned i = 1; i < attempt && by > 1 && full < (double)max_ms; i++)
        full *= by;
    ms = full < (double)max_ms ? (int64_t)full : max_ms;
    if (ms < 1)
        ms = 1;
    half = ms / 2;
    return ms - (half > 0 ? (int64_t)(random % (uint64_t)(half + 1)) : 0);
}
