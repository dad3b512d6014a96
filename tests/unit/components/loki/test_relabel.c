/* loki.relabel: what the rules make of label sets, and the books of what they drop. Rules themselves are tested in
 * tests/unit/model/test_relabel.c. */
#include "tests/unit/components/harness.h"

extern const struct component_type component_loki_relabel;
static const struct component_type *const types[] = {&component_loki_relabel, NULL};

static const char river[] =
    "test.source.logs \"s\" {\n\tforward_to = [loki.relabel.r.receiver]\n}\n"
    "loki.relabel \"r\" {\n"
    "rule {\n source_labels = [\"app\"]\n regex = \"noise.*\"\n action = \"drop\"\n}\n"
    "rule {\n source_labels = [\"app\", \"env\"]\n separator = \"/\"\n target_label = \"job\"\n}\n"
    "rule {\n regex = \"tmp_.*\"\n action = \"labeldrop\"\n}\n"
    "forward_to = [test.logs.l.receiver]\n}\ntest.logs \"l\" { }\n";

static void entries_are_relabelled_or_dropped(void **state)
{
    static const struct bench_line lines[] = {{"app=a,env=p,tmp_x=1", 1, "1"},
                                              {"app=noise1,env=p", 2, "2"},
                                              {"app=b", 3, "3"},
                                              {"app=a,env=p,tmp_x=1", 4, "4"}};

    (void)state;
    bench_begin(types);
    if (!bench_load(river))
        fail_msg("%s", bench.errors);
    bench_push_lines(lines, 4);
    assert_string_equal(bench_text(), "{app=\"a\",env=\"p\",job=\"a/p\"} 1 1\n{app=\"b\",job=\"b/\"} 3 3\n"
                                      "{app=\"a\",env=\"p\",job=\"a/p\"} 4 4\n");
    assert_int_equal(atomic_load(&runtime_ledger_of(bench.rt, "loki.relabel.r")->dropped[DROP_RULE]), 1);
    assert_int_equal(bench.n_settled, 4);
    bench_end();
}

static void all_may_be_dropped(void **state)
{
    static const struct bench_line lines[] = {{"app=noise", 1, "1"}, {"app=noise", 2, "2"}};

    (void)state;
    bench_begin(types);
    assert_true(bench_load(river));
    bench_push_lines(lines, 2);
    assert_string_equal(bench_text(), "");
    assert_int_equal(bench.n_settled, 2);
    assert_int_equal(bench.last.dropped, 1);
    bench_end();
}

static void without_memory_the_batch_is_abandoned(void **state)
{
    static const struct bench_line lines[] = {{"app=a,env=p", 1, "1"}, {"app=b", 2, "2"}};
    uint64_t n_abandoned = 0;

    (void)state;
    for (uint64_t nth = 1; nth < 12; nth++) {
        struct log_batch *b;
        struct bench_delivery d;

        bench_begin(types);
        assert_true(bench_load(river));
        b = log_batch_new();
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(log_batch_add(b, batch_take_labels(&b->base, bench_labels(lines[i].labels)), 1,
                                           slice_str(lines[i].line), NULL, 0),
                             OK);
        bench.n_opened++;
        assert_int_equal(batch_span(&b->base, ticket_new(2, false, bench_ticket_done, NULL), 2), OK);
        d = (struct bench_delivery){&b->base, RECEIVES_LOGS};
        batch_ref(&b->base);
        mem_fail_nth(nth);
        bench_on(bench_loop(0), bench_deliver, &d);
        mem_fail_nth(0);
        batch_unref(&b->base);
        n_abandoned += bench.last.abandoned;
        bench_end();
    }
    assert_true(n_abandoned >= 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_relabelled_or_dropped),
        cmocka_unit_test(all_may_be_dropped),
        cmocka_unit_test(without_memory_the_batch_is_abandoned),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
