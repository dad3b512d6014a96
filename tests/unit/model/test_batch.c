#include "testing.h"

struct seen {
    struct ticket_result result;
    unsigned n;
};

static void note(void *ctx, const struct ticket_result *result)
{
    struct seen *s = ctx;

    s->result = *result;
    s->n++;
}

static struct log_batch *three_tickets(struct seen seen[3])
{
    struct log_batch *b = log_batch_new();
    uint32_t labels = batch_take_labels(&b->base, labels_of("a=1"));

    for (unsigned t = 0; t < 3; t++) {
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(log_batch_add(b, labels, t * 3 + i, SLICE_LIT("line"), NULL, 0), OK);
        assert_int_equal(batch_span(&b->base, ticket_new(3, false, note, &seen[t]), 3), OK);
    }
    return b;
}

static void keep_settles_what_it_drops(void **state)
{
    const uint8_t keep[9] = {1, 1, 1, 0, 1, 0, 0, 0, 0};
    struct seen seen[3] = {0};
    struct log_batch *b = three_tickets(seen);

    (void)state;
    assert_int_equal(log_batch_keep(b, keep, "filter", DROP_RULE), 5);
    assert_int_equal(b->n, 4);
    assert_int_equal(b->entries[3].ts_ns, 4);
    assert_int_equal(b->base.n_spans, 2);
    assert_int_equal(b->base.spans[1].n, 1);
    assert_int_equal(seen[2].n, 1);
    assert_int_equal(seen[2].result.dropped, 3);
    batch_settle(&b->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
    assert_int_equal(seen[0].result.acked, 3);
    assert_int_equal(seen[1].result.dropped, 2);
    assert_int_equal(seen[1].result.acked, 1);
    batch_unref(&b->base);
}

static void drop_items_takes_a_range_out_of_the_spans(void **state)
{
    struct seen seen[3] = {0};
    struct log_batch *b = three_tickets(seen);

    (void)state;
    batch_drop_items(&b->base, 2, 5, "filter", DROP_INVALID);
    assert_int_equal(b->base.n_spans, 2);
    assert_int_equal(b->base.spans[0].n, 2);
    assert_int_equal(b->base.spans[1].n, 2);
    assert_int_equal(seen[1].result.dropped, 3);
    batch_settle(&b->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
    assert_int_equal(seen[0].result.dropped, 1);
    assert_int_equal(seen[2].result.acked, 2);
    batch_unref(&b->base);
}

static void the_only_holder_edits_in_place_another_copies(void **state)
{
    struct seen seen[3] = {0};
    struct log_batch *b = log_batch_own(three_tickets(seen)), *copy;

    (void)state;
    batch_ref(&b->base);
    copy = log_batch_own(b); /* b's reference is the copy's now */
    assert_ptr_not_equal(copy, b);
    copy->entries[0].ts_ns = 99;
    assert_int_equal(b->entries[0].ts_ns, 0);
    assert_int_equal(copy->base.n_spans, 3);
    batch_settle(&b->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
    batch_unref(&b->base);
    assert_ptr_equal(log_batch_own(copy), copy);
    assert_slice(copy->entries[8].line, "line");
    assert_labels(copy->base.labels[0], "{a=\"1\"}");
    batch_unref(&copy->base);
}

static void spans_of_one_ticket_join(void **state)
{
    struct seen seen = {0};
    struct ticket *t = ticket_new(2, false, note, &seen);
    struct sample_batch *b = sample_batch_new();
    struct sample s = {.ts_ms = 1};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sample_batch_add(b, &s), OK);
        assert_int_equal(batch_span(&b->base, t, 1), OK);
    }
    assert_int_equal(batch_items(&b->base), 2);
    assert_int_equal(b->base.n_spans, 1);
    batch_owe(&b->base, 1);
    batch_settle(&b->base, "x", SETTLED_ACKED, DROP_RULE, NULL);
    assert_int_equal(seen.n, 0);
    batch_settle(&b->base, "y", SETTLED_ACKED, DROP_RULE, NULL);
    assert_int_equal(seen.n, 1);
    batch_unref(&b->base);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keep_settles_what_it_drops),
        cmocka_unit_test(drop_items_takes_a_range_out_of_the_spans),
        cmocka_unit_test(the_only_holder_edits_in_place_another_copies),
        cmocka_unit_test(spans_of_one_ticket_join),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
