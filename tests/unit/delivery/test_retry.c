#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include "agent/delivery/protocol.h"
#include <cmocka.h>

/* What each answer has to mean, from the protocols' specifications and back ends' documentation, not from the table. */
static const struct {
    enum wire_protocol protocol;
    int status;
    const char *body;
    int64_t retry_after_ms;
    enum verdict verdict;
} answers[] = {
    {PROTOCOL_LOKI, 204, "", -1, VERDICT_ACK},
    {PROTOCOL_LOKI, 200, "", -1, VERDICT_ACK},
    {PROTOCOL_LOKI, 400, "entry too far behind, total ignored: 1 out of 5", -1, VERDICT_REST_STORED},
    {PROTOCOL_LOKI, 400, "Max entry size '262144' bytes exceeded for stream", -1, VERDICT_REST_STORED},
    {PROTOCOL_LOKI, 400, "couldn't parse push request: snappy: corrupt input", -1, VERDICT_DROP},
    {PROTOCOL_LOKI, 400, "proto: illegal wireType 7", -1, VERDICT_DROP},
    {PROTOCOL_LOKI, 401, "no org id", -1, VERDICT_DROP},
    {PROTOCOL_LOKI, 404, "", -1, VERDICT_DROP},
    {PROTOCOL_LOKI, 413, "", -1, VERDICT_SPLIT},
    {PROTOCOL_LOKI, 500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)",
     -1, VERDICT_SPLIT},
    {PROTOCOL_LOKI, 429, "Ingestion rate limit exceeded", 1000, VERDICT_RETRY},
    {PROTOCOL_LOKI, 500, "", -1, VERDICT_RETRY},
    {PROTOCOL_LOKI, 503, "", -1, VERDICT_RETRY},
    {PROTOCOL_LOKI, 302, "", -1, VERDICT_DROP},
    {PROTOCOL_PROMETHEUS, 200, "", -1, VERDICT_ACK},
    {PROTOCOL_PROMETHEUS, 204, "", -1, VERDICT_ACK},
    {PROTOCOL_PROMETHEUS, 400, "out of order sample", -1, VERDICT_BISECT},
    {PROTOCOL_PROMETHEUS, 400, "the sample has been rejected (err-mimir-sample-out-of-order)", -1, VERDICT_REST_STORED},
    {PROTOCOL_PROMETHEUS, 400, "snappy: corrupt input", -1, VERDICT_DROP},
    {PROTOCOL_PROMETHEUS, 401, "", -1, VERDICT_DROP},
    {PROTOCOL_PROMETHEUS, 413, "", -1, VERDICT_SPLIT},
    {PROTOCOL_PROMETHEUS, 429, "", 5000, VERDICT_RETRY},
    {PROTOCOL_PROMETHEUS, 500, "", -1, VERDICT_RETRY},
    {PROTOCOL_PROMETHEUS, 504, "", -1, VERDICT_RETRY},
    {PROTOCOL_OTLP_HTTP, 200, "", -1, VERDICT_ACK},
    {PROTOCOL_OTLP_HTTP, 400, "", -1, VERDICT_DROP},
    {PROTOCOL_OTLP_HTTP, 413, "", -1, VERDICT_SPLIT},
    {PROTOCOL_OTLP_HTTP, 429, "", -1, VERDICT_RETRY},
    {PROTOCOL_OTLP_HTTP, 500, "", -1, VERDICT_DROP}, /* only 429, 502, 503 and 504 are retryable */
    {PROTOCOL_OTLP_HTTP, 501, "", -1, VERDICT_DROP},
    {PROTOCOL_OTLP_HTTP, 502, "", -1, VERDICT_RETRY},
    {PROTOCOL_OTLP_HTTP, 503, "", 2000, VERDICT_RETRY},
    {PROTOCOL_OTLP_HTTP, 504, "", -1, VERDICT_RETRY},
    {PROTOCOL_OTLP_GRPC, 0, "", -1, VERDICT_ACK},
    {PROTOCOL_OTLP_GRPC, 1, "", -1, VERDICT_RETRY},   /* CANCELLED */
    {PROTOCOL_OTLP_GRPC, 2, "", -1, VERDICT_DROP},    /* UNKNOWN */
    {PROTOCOL_OTLP_GRPC, 3, "", -1, VERDICT_DROP},    /* INVALID_ARGUMENT */
    {PROTOCOL_OTLP_GRPC, 4, "", -1, VERDICT_RETRY},   /* DEADLINE_EXCEEDED */
    {PROTOCOL_OTLP_GRPC, 5, "", -1, VERDICT_DROP},    /* NOT_FOUND */
    {PROTOCOL_OTLP_GRPC, 7, "", -1, VERDICT_DROP},    /* PERMISSION_DENIED */
    {PROTOCOL_OTLP_GRPC, 8, "", -1, VERDICT_DROP},    /* RESOURCE_EXHAUSTED without RetryInfo */
    {PROTOCOL_OTLP_GRPC, 8, "", 3000, VERDICT_RETRY}, /* with */
    {PROTOCOL_OTLP_GRPC, 8, "grpc: received message larger than max (5000000 vs. 4194304)", -1, VERDICT_SPLIT},
    {PROTOCOL_OTLP_GRPC, 9, "", -1, VERDICT_DROP},   /* FAILED_PRECONDITION */
    {PROTOCOL_OTLP_GRPC, 10, "", -1, VERDICT_RETRY}, /* ABORTED */
    {PROTOCOL_OTLP_GRPC, 11, "", -1, VERDICT_RETRY}, /* OUT_OF_RANGE */
    {PROTOCOL_OTLP_GRPC, 12, "", -1, VERDICT_DROP},  /* UNIMPLEMENTED */
    {PROTOCOL_OTLP_GRPC, 13, "", -1, VERDICT_DROP},  /* INTERNAL */
    {PROTOCOL_OTLP_GRPC, 14, "", -1, VERDICT_RETRY}, /* UNAVAILABLE */
    {PROTOCOL_OTLP_GRPC, 15, "", -1, VERDICT_RETRY}, /* DATA_LOSS */
    {PROTOCOL_OTLP_GRPC, 16, "", -1, VERDICT_DROP},  /* UNAUTHENTICATED */
};

static void answers_mean_what_the_specifications_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct wire_response response = {.result = WIRE_ANSWERED,
                                         .status = answers[i].status,
                                         .retry_after_ms = answers[i].retry_after_ms,
                                         .body = slice_str(answers[i].body)};
        struct retry_answer a;

        retry_classify(answers[i].protocol, &response, 5, true, &a);
        if (a.verdict != answers[i].verdict)
            fail_msg("row %zu (status %d): %s instead of %s", i, answers[i].status, verdict_name(a.verdict),
                     verdict_name(answers[i].verdict));
    }
}

static void every_row_is_reached_by_some_answer(void **state)
{
    (void)state;
    for (size_t r = 0; r < retry_row_count; r++) { /* a row no answer can reach says nothing: the one before hides it */
        const struct retry_row *row = &retry_rows[r];
        bool is_hidden = false;

        for (size_t before = 0; before < r; before++) {
            const struct retry_row *b = &retry_rows[before];

            is_hidden = is_hidden || (b->protocol == row->protocol && b->low <= row->low && b->high >= row->high &&
                                      b->contains == NULL && (b->backend == BACKEND_ANY || b->backend == row->backend));
        }
        if (is_hidden)
            fail_msg("row %zu is hidden by one before it", r);
    }
}

static void transport_failures_are_retried(void **state)
{
    static const enum wire_result results[] = {WIRE_UNREACHABLE, WIRE_TIMEOUT, WIRE_BROKEN, WIRE_UNPREPARED};

    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        struct wire_response response = {.result = results[i], .retry_after_ms = -1};
        struct retry_answer a;

        retry_classify(PROTOCOL_LOKI, &response, 1, true, &a);
        assert_int_equal(a.verdict, VERDICT_RETRY);
    }
}

static void a_429_is_dropped_where_the_configuration_says_so(void **state)
{
    struct wire_response response = {.result = WIRE_ANSWERED, .status = 429, .retry_after_ms = -1};
    struct retry_answer a;

    (void)state;
    retry_classify(PROTOCOL_PROMETHEUS, &response, 1, false, &a);
    assert_int_equal(a.verdict, VERDICT_DROP);
}

static void rejected_count_is_the_one_the_body_names(void **state)
{
    static const struct {
        const char *body;
        uint32_t n_items, want;
    } rows[] = {
        {"total ignored: 3 out of 10", 10, 3},
        {"x total ignored: 3 out of 4 for stream: {a=\"1\"}\ny total ignored: 2 out of 6 for stream: {b=\"1\"}", 10, 5},
        {"Max entry size exceeded", 10, 1},
        {"total ignored: 99999999999999999999 out of 1", 10, 1},
        {"total ignored: 50 out of 50", 10, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_response response = {
            .result = WIRE_ANSWERED, .status = 400, .retry_after_ms = -1, .body = slice_str(rows[i].body)};
        struct retry_answer a;

        retry_classify(PROTOCOL_LOKI, &response, rows[i].n_items, true, &a);
        assert_int_equal(a.n_rejected, rows[i].want);
    }
}

static void backoff_doubles_to_its_maximum_and_jitter_takes_at_most_half(void **state)
{
    (void)state;
    assert_int_equal(retry_backoff_ms(1, 500, 300000, 2, 0), 500);
    assert_int_equal(retry_backoff_ms(4, 500, 300000, 2, 0), 4000);
    assert_int_equal(retry_backoff_ms(3, 1000, 300000, 1.5, 0), 2250);
    assert_int_equal(retry_backoff_ms(1000000000, 500, 300000, 1, 0), 500); /* OpenTelemetry's way to say: always */
    assert_int_equal(retry_backoff_ms(100, 500, 300000, 2, 0), 300000);
    assert_int_equal(retry_backoff_ms(1, 0, 0, 2, 7), 1); /* never zero: no spinning */
    for (uint64_t random = 0; random < 5000; random++) {
        int64_t ms = retry_backoff_ms(2, 500, 300000, 2, random);

        assert_in_range(ms, 500, 1000);
    }
}

static void words_of_the_far_side_lose_control_characters_and_are_cut(void **state)
{
    char body[400];
    struct wire_response response = {.result = WIRE_ANSWERED, .status = 400, .retry_after_ms = -1};
    struct retry_answer a;

    (void)state;
    memset(body, 'x', sizeof body);
    body[0] = '\n';
    body[3] = '\x1b';
    response.body = slice_make(body, sizeof body);
    retry_classify(PROTOCOL_LOKI, &response, 1, true, &a);
    assert_int_equal(strlen(a.text), sizeof a.text - 1);
    assert_int_equal(a.text[3], ' ');
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_mean_what_the_specifications_say),
        cmocka_unit_test(every_row_is_reached_by_some_answer),
        cmocka_unit_test(transport_failures_are_retried),
        cmocka_unit_test(a_429_is_dropped_where_the_configuration_says_so),
        cmocka_unit_test(rejected_count_is_the_one_the_body_names),
        cmocka_unit_test(backoff_doubles_to_its_maximum_and_jitter_takes_at_most_half),
        cmocka_unit_test(words_of_the_far_side_lose_control_characters_and_are_cut),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
