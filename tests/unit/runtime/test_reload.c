/* Reload by diff: what did not change keeps running untouched; what did takes the new arguments or is replaced without
 * losing an item; a configuration that does not load changes nothing. */
#include "fakes.h"

static const char before[] = "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                             "fake.source \"other\" {\n\tforward_to = [fake.sink.b.receiver]\n}\n"
                             "fake.sink \"a\" {\n\tname = \"one\"\n}\n"
                             "fake.sink \"b\" {\n}\n";
static const char replaced[] = "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                               "fake.source \"other\" {\n\tforward_to = [fake.sink.b.receiver]\n}\n"
                               "fake.sink \"a\" {\n\tname = \"two\"\n}\n"
                               "fake.sink \"b\" {\n}\n";

static void the_same_configuration_touches_nothing(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, before));
    forget();
    struct fake *a = fake("fake.sink.a");
    assert_true(load(&w,
                     "// a comment, other layout, other order\nfake.sink \"b\" { }\nfake.sink \"a\" { name = \"o\" + "
                     "\"ne\" }\nfake.source \"other\" {\n\tforward_to = [fake.sink.b.receiver]\n}\n"
                     "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n"));
    assert_string_equal(journal.text, "");
    assert_ptr_equal(a, fake("fake.sink.a"));
    assert_int_equal(w.result.n_components, 4);
    world_end(&w);
}

static const struct {
    const char *name, *text, *want;
} broken[] = {
    {"syntax", "fake.sink \"a\" {", "test.river:1:"},
    {"unknown argument", "fake.sink \"a\" {\n\tnmae = \"x\"\n}\n", "did you mean \"name\"?"},
    {"wrong type", "fake.sink \"a\" {\n\tblock = [1]\n}\n", "test.river:2:"},
    {"missing component", "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n", "does not exist"},
};

static void a_broken_configuration_changes_nothing_and_says_why(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, before));
    forget();
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_false(load(&w, broken[i].text));
        if (strstr(w.errors, broken[i].want) == NULL)
            fail_msg("%s: %s", broken[i].name, w.errors);
    }
    assert_string_equal(journal.text, "");
    emit(&w, "fake.source.s", 3);
    assert_int_equal(fake("fake.sink.a")->n_taken, 3);
    world_end(&w);
}

static void a_change_it_can_take_is_an_update(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.sink \"a\" {\n\ttext = \"x\"\n}\n"));
    forget();
    assert_true(load(&w, "fake.sink \"a\" {\n\ttext = \"y\"\n}\n"));
    assert_string_equal(journal.text, "update fake.sink.a;");
    assert_int_equal(w.result.n_updated, 1);
    world_end(&w);
}

static void a_replaced_sink_hands_its_queue_to_its_successor(void **state)
{
    struct world w;
    struct fake *old, *other;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.dead.receiver]\n}\n"
                         "fake.sink \"dead\" {\n\tname = \"one\"\n}\nfake.sink \"b\" {\n}\n"));
    emit(&w, "fake.source.s", 3);
    old = fake("fake.sink.dead");
    other = fake("fake.sink.b");
    forget();
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.dead.receiver]\n}\n"
                         "fake.sink \"dead\" {\n\tname = \"two\"\n}\nfake.sink \"b\" {\n}\n"));
    assert_string_equal(journal.text,
                        "create fake.sink.dead;update fake.source.s;drain fake.sink.dead;"
                        "give fake.sink.dead;close fake.sink.dead;take fake.sink.dead;start fake.sink.dead;");
    assert_int_equal(w.result.n_replaced, 1);
    assert_ptr_not_equal(old, fake("fake.sink.dead"));
    assert_ptr_equal(other, fake("fake.sink.b"));
    assert_int_equal(fake("fake.sink.dead")->n_held, 1);
    emit(&w, "fake.source.s", 4); /* the pause is over */
    assert_int_equal(fake("fake.source.s")->n_refused, 0);
    assert_int_equal(fake("fake.sink.dead")->n_held, 2);
    acknowledge(fake("fake.sink.dead"));
    settle(&w);
    assert_int_equal(window_settled(fake("fake.source.s")->window), 7);
    assert_int_equal(ledger_difference(runtime_ledger_of(w.rt, "fake.sink.dead")), 0);
    assert_int_equal(atomic_load(&runtime_ledger_of(w.rt, "fake.sink.dead")->in), 7); /* goes on, not from zero */
    world_end(&w);
}

struct probe {
    struct world *w;
    bool was_paused, other_was_paused;
};

static void look_while_draining(void *arg)
{
    struct probe *p = arg;

    p->was_paused = admission_ask(host_admission(fake("fake.source.s")->host), 0) == REFUSE_PAUSED;
    p->other_was_paused = admission_ask(host_admission(fake("fake.source.other")->host), 0) != ADMIT;
}

static void load_and_look(struct world *w, void *arg)
{
    w->text = replaced;
    world_load(w); /* walks at once; the retired sink then waits for its barrier */
    look_while_draining(arg);
}

static void only_the_sources_above_a_replaced_sink_are_paused(void **state)
{
    struct world w;
    struct probe p = {0};

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, before));
    on_control(&w, load_and_look, &p);
    wait_done(&w);
    assert_true(w.result.is_ok);
    assert_true(p.was_paused);
    assert_false(p.other_was_paused);
    look_while_draining(&p);
    assert_false(p.was_paused);
    world_end(&w);
}

static void a_replaced_source_hands_on_its_window(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, before));
    emit(&w, "fake.source.s", 3);
    assert_true(load(&w, "fake.source \"s\" {\n\tname = \"new\"\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                         "fake.sink \"a\" {\n\tname = \"one\"\n}\n"));
    assert_int_equal(window_read(fake("fake.source.s")->window), 3);
    assert_int_equal(window_unsettled_entries(fake("fake.source.s")->window), 1);
    emit(&w, "fake.source.s", 2);
    acknowledge(fake("fake.sink.a"));
    settle(&w);
    assert_int_equal(window_settled(fake("fake.source.s")->window), 5);
    world_end(&w);
}

static void what_a_replaced_holder_held_goes_on_to_the_sink(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.hold.h.receiver]\n}\n"
                         "fake.hold \"h\" {\n\tforward_to = [fake.sink.a.receiver]\n}\nfake.sink \"a\" {\n}\n"));
    emit(&w, "fake.source.s", 3);
    assert_int_equal(fake("fake.sink.a")->n_taken, 0);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.hold.h.receiver]\n}\n"
                         "fake.hold \"h\" {\n\tname = \"new\"\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                         "fake.sink \"a\" {\n}\n"));
    settle(&w);
    assert_int_equal(fake("fake.sink.a")->n_taken, 3);
    assert_int_equal(ledger_difference(runtime_ledger_of(w.rt, "fake.hold.h")), 0);
    world_end(&w);
}

static void removed_ones_run_dry_and_are_closed(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, before));
    emit(&w, "fake.source.s", 3);
    struct window *window = window_ref(fake("fake.source.s")->window);
    forget();
    assert_true(load(&w, "fake.source \"other\" {\n\tforward_to = [fake.sink.b.receiver]\n}\nfake.sink \"b\" {\n}\n"));
    assert_int_equal(w.result.n_removed, 2);
    assert_string_equal(journal.text, "stop fake.source.s;drain fake.sink.a;give fake.sink.a;give fake.source.s;"
                                      "close fake.source.s;close fake.sink.a;");
    settle(&w);
    assert_null(fake("fake.sink.a"));
    assert_int_equal(window_settled(window), 3);
    window_unref(window);
    world_end(&w);
}

static void who_cannot_follow_a_replaced_receiver_is_stopped_not_left_dangling(void **state)
{
    struct world w;
    struct buf page;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, before));
    /* the update of s is refused ("bad"), but the sink it sends to is replaced */
    assert_true(load(&w, "fake.source \"s\" {\n\ttext = \"bad\"\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                         "fake.sink \"a\" {\n\tname = \"two\"\n}\n"));
    assert_null(fake("fake.source.s"));
    buf_init(&page, 65536);
    assert_true(runtime_write_component(w.rt, SLICE_LIT("fake.source.s"), &page));
    buf_add_char(&page, '\0');
    assert_non_null(strstr(page.ptr, "\"state\":\"unhealthy\""));
    buf_release(&page);
    assert_true(load(&w, before)); /* and comes back with good arguments */
    emit(&w, "fake.source.s", 2);
    assert_int_equal(fake("fake.sink.a")->n_taken, 2);
    world_end(&w);
}

static void a_component_that_failed_runs_after_a_reload_that_mends_it(void **state)
{
    struct world w;
    struct buf unhealthy;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                         "fake.sink \"a\" {\n\tfail = true\n}\n"));
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n"
                         "fake.sink \"a\" {\n}\n"));
    buf_init(&unhealthy, 4096);
    runtime_write_unhealthy(w.rt, &unhealthy);
    assert_int_equal(unhealthy.len, 0);
    buf_release(&unhealthy);
    emit(&w, "fake.source.s", 2);
    assert_int_equal(fake("fake.sink.a")->n_taken, 2);
    world_end(&w);
}

/* What an endpoint drains can belong to the successor when the drain ends. */
static void a_drain_that_ends_after_its_component_is_gone_is_fine(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.sink \"late\" {\n\tname = \"one\"\n}\n"));
    late_drain.done = NULL;
    assert_true(load(&w, "fake.sink \"late\" {\n\tname = \"two\"\n}\n"));
    settle(&w);
    assert_non_null(late_drain.done);
    on_control(&w, end_late_drain, NULL);
    world_end(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_configuration_touches_nothing),
        cmocka_unit_test(a_broken_configuration_changes_nothing_and_says_why),
        cmocka_unit_test(a_change_it_can_take_is_an_update),
        cmocka_unit_test(a_replaced_sink_hands_its_queue_to_its_successor),
        cmocka_unit_test(only_the_sources_above_a_replaced_sink_are_paused),
        cmocka_unit_test(a_replaced_source_hands_on_its_window),
        cmocka_unit_test(what_a_replaced_holder_held_goes_on_to_the_sink),
        cmocka_unit_test(removed_ones_run_dry_and_are_closed),
        cmocka_unit_test(who_cannot_follow_a_replaced_receiver_is_stopped_not_left_dangling),
        cmocka_unit_test(a_drain_that_ends_after_its_component_is_gone_is_fine),
        cmocka_unit_test(a_component_that_failed_runs_after_a_reload_that_mends_it),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
