/* A running graph: flow, tickets, admission, ledger, changes of exports, failures, the end. */
#include "fakes.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char chain[] = "fake.source \"s\" {\n\tforward_to = [fake.hold.h.receiver]\n}\n"
                            "fake.hold \"h\" {\n\tforward_to = [fake.split.p.receiver]\n}\n"
                            "fake.split \"p\" {\n\tforward_to = [fake.sink.a.receiver, fake.sink.b.receiver]\n}\n"
                            "fake.sink \"a\" {\n}\n"
                            "fake.sink \"b\" {\n}\n";

static void release_held(struct world *w, void *arg)
{
    struct release *r = mem_zalloc(sizeof *r);

    *r = (struct release){fake(arg), world_passed, w};
    loop_post(host_loop(r->f->host), release_on_loop, r);
}

static void let_go(struct world *w, const char *id)
{
    union {
        const char *in;
        char *out;
    } u = {.in = id};

    on_control(w, release_held, u.out);
    wait_done(w);
    settle(w);
}

static int64_t unbalanced(struct world *w)
{
    int64_t difference, held;

    runtime_ledger_totals(w->rt, &difference, &held);
    return difference;
}

static void items_flow_and_tickets_settle_after_every_destination(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, chain));
    emit(&w, "fake.source.s", 5);
    assert_int_equal(fake("fake.hold.h")->n_taken, 5);
    assert_int_equal(window_unsettled_entries(fake("fake.source.s")->window), 1);
    assert_int_equal(unbalanced(&w), 0);
    let_go(&w, "fake.hold.h");
    assert_int_equal(fake("fake.sink.a")->n_taken, 10);
    assert_int_equal(fake("fake.sink.b")->n_taken, 10);
    acknowledge(fake("fake.sink.a"));
    settle(&w);
    assert_int_equal(window_settled(fake("fake.source.s")->window), 0);
    acknowledge(fake("fake.sink.b"));
    settle(&w);
    assert_int_equal(window_settled(fake("fake.source.s")->window), 5);
    assert_int_equal(unbalanced(&w), 0);
    assert_int_equal(atomic_load(&runtime_ledger_of(w.rt, "fake.split.p")->out), 10);
    world_end(&w);
}

static void needed_ones_are_created_first_and_all_before_any_starts(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\nfake.sink \"a\" {\n}\n"));
    assert_string_equal(journal.text, "create fake.sink.a;create fake.source.s;start fake.sink.a;start fake.source.s;");
    assert_int_equal(w.result.n_added, 2);
    assert_true(runtime_is_ready(w.rt));
    world_end(&w);
}

static void a_closed_gate_stops_exactly_the_sources_that_reach_it(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"x\" {\n\tforward_to = [fake.split.p.receiver]\n}\n"
                         "fake.split \"p\" {\n\tforward_to = [fake.sink.full.receiver]\n}\n"
                         "fake.source \"y\" {\n\tforward_to = [fake.sink.free.receiver]\n}\n"
                         "fake.sink \"full\" {\n\tblock = true\n}\n"
                         "fake.sink \"free\" {\n}\n"));
    emit(&w, "fake.source.x", 3);
    emit(&w, "fake.source.y", 4);
    assert_int_equal(fake("fake.source.x")->n_refused, 3);
    assert_int_equal(fake("fake.source.y")->n_refused, 0);
    assert_int_equal(fake("fake.sink.free")->n_taken, 4);
    gate_open(host_gate(fake("fake.sink.full")->host));
    emit(&w, "fake.source.x", 3);
    assert_int_equal(fake("fake.sink.full")->n_taken, 6);
    world_end(&w);
}

static void the_queue_share_is_the_budget_over_the_sinks(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.sink \"a\" {\n}\nfake.sink \"b\" {\n}\nfake.sink \"c\" {\n}\nfake.sink \"d\" {\n}\n"));
    assert_int_equal(host_queue_bytes(fake("fake.sink.a")->host), 250);
    world_end(&w);
}

static void set_hints(struct world *w, void *arg)
{
    struct batch_hint *got = arg;

    (void)w;
    host_set_batch_hint(fake("fake.hold.h")->host, (struct batch_hint){.send_items = 100, .timeout_ns = 5});
    host_set_batch_hint(fake("fake.hold.i")->host,
                        (struct batch_hint){.send_items = 50, .max_items = 70, .timeout_ns = 9});
    got[0] = host_batch_hint(fake("fake.sink.both")->host);
    got[1] = host_batch_hint(fake("fake.sink.one")->host);
    got[2] = host_batch_hint(fake("fake.sink.none")->host);
}

static void a_sink_gets_the_least_of_the_hints_that_reach_it(void **state)
{
    struct batch_hint got[3];
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.hold \"h\" {\n\tforward_to = [fake.split.p.receiver, fake.sink.one.receiver]\n}\n"
                         "fake.hold \"i\" {\n\tforward_to = [fake.split.p.receiver]\n}\n"
                         "fake.split \"p\" {\n\tforward_to = [fake.sink.both.receiver]\n}\n"
                         "fake.sink \"both\" {\n}\nfake.sink \"one\" {\n}\nfake.sink \"none\" {\n}\n"));
    on_control(&w, set_hints, got);
    assert_int_equal(got[0].send_items, 50);
    assert_int_equal(got[0].max_items, 70);
    assert_int_equal(got[0].timeout_ns, 5);
    assert_int_equal(got[1].send_items, 100);
    assert_int_equal(got[1].max_items, 0);
    assert_int_equal(got[2].send_items, 0);
    world_end(&w);
}

static void export_twice(struct world *w, void *arg)
{
    (void)w;
    host_export(fake("fake.value.v")->host, "content", value_cstr("one"));
    host_export(fake("fake.value.v")->host, "content", value_cstr(arg));
}

static void a_changed_export_evaluates_its_dependents_once(void **state)
{
    char two[] = "two", same[] = "two", bad[] = "bad";
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w,
                     "fake.value \"v\" {\n\ttext = \"first\"\n}\nfake.sink \"a\" {\n\ttext = fake.value.v.content\n}\n"
                     "fake.sink \"b\" {\n}\n"));
    forget();
    on_control(&w, export_twice, two);
    settle(&w);
    assert_string_equal(journal.text, "update fake.sink.a;");
    forget();
    on_control(&w, export_twice, same);
    settle(&w);
    assert_string_equal(journal.text, ""); /* the value is what it was */
    on_control(&w, export_twice, bad);
    settle(&w);
    struct buf unhealthy;
    buf_init(&unhealthy, 4096);
    runtime_write_unhealthy(w.rt, &unhealthy);
    assert_true(slice_eq_str(buf_slice(&unhealthy), "fake.sink.a"));
    buf_release(&unhealthy);
    world_end(&w);
}

static void arguments_that_stop_evaluating_leave_the_component_as_it_was(void **state)
{
    char broken[] = "{";
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.value \"v\" {\n\ttext = \"{\\\"x\\\": \\\"y\\\"}\"\n}\n"
                         "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n\ttext       = "
                         "encoding.from_json(fake.value.v.content)[\"x\"]\n}\nfake.sink \"a\" {\n}\n"));
    on_control(&w, export_twice, broken);
    settle(&w);
    struct buf page;
    buf_init(&page, 65536);
    assert_true(runtime_write_component(w.rt, SLICE_LIT("fake.source.s"), &page));
    buf_add_char(&page, '\0');
    assert_non_null(strstr(page.ptr, "\"state\":\"unhealthy\""));
    assert_non_null(strstr(page.ptr, "evaluation failed"));
    buf_release(&page);
    emit(&w, "fake.source.s", 2);
    assert_int_equal(fake("fake.sink.a")->n_taken, 2);
    world_end(&w);
}

static void a_component_that_cannot_run_is_unhealthy_and_the_rest_runs(void **state)
{
    struct world w;
    struct buf page;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.good.receiver, fake.sink.bad.receiver]\n}\n"
                         "fake.sink \"good\" {\n}\nfake.sink \"bad\" {\n\tfail = true\n}\n"));
    buf_init(&page, 65536);
    assert_true(runtime_write_component(w.rt, SLICE_LIT("fake.sink.bad"), &page));
    buf_add_char(&page, '\0');
    assert_non_null(strstr(page.ptr, "component cannot run: told to fail"));
    buf_release(&page);
    emit(&w, "fake.source.s", 2);
    assert_int_equal(fake("fake.sink.good")->n_taken, 2);
    world_end(&w);
}

static void nothing_to_send_to_is_counted(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n}\n"));
    emit(&w, "fake.source.s", 7);
    assert_int_equal(atomic_load(&runtime_ledger_of(w.rt, "fake.source.s")->dropped[DROP_NO_RECEIVER]), 7);
    assert_int_equal(unbalanced(&w), 0);
    assert_int_equal(window_settled(fake("fake.source.s")->window), 7);
    world_end(&w);
}

static void the_end_drains_from_the_sources_to_the_sinks(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, chain));
    emit(&w, "fake.source.s", 5);
    forget();
    struct window *window = window_ref(fake("fake.source.s")->window);
    world_end(&w);
    assert_int_equal(window_settled(window), 5);
    window_unref(window);
    assert_true(strncmp(journal.text, "stop fake.source.s;drain fake.hold.h;drain fake.sink.", 53) == 0);
    assert_non_null(strstr(journal.text, "close fake.source.s;close fake.hold.h;close fake.split.p;close fake.sink."));
}

static void what_cannot_be_sent_at_the_end_is_counted_and_will_be_read_again(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(
        load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.dead.receiver]\n}\nfake.sink \"dead\" {\n}\n"));
    emit(&w, "fake.source.s", 5);
    struct window *window = window_ref(fake("fake.source.s")->window);
    world_end(&w);
    assert_int_equal(window_settled(window), 0);
    window_unref(window);
}

static void a_data_folder_is_private(void **state)
{
    char root[] = "/tmp/hyagent-test-XXXXXX";
    struct stat st;
    struct world w;

    (void)state;
    assert_non_null(mkdtemp(root));
    world_begin(&w, root);
    assert_true(load(&w, "fake.sink \"a\" {\n}\n"));
    const char *dir = host_data_dir(fake("fake.sink.a")->host);
    assert_non_null(dir);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(dir), 0);
    world_end(&w);
    assert_int_equal(rmdir(root), 0);
}

static void without_storage_there_is_no_data_folder(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.sink \"a\" {\n}\n"));
    assert_null(host_data_dir(fake("fake.sink.a")->host));
    world_end(&w);
}

static const struct {
    const char *path;
    enum code want;
} scrapes[] = {
    {"/api/v0/component/fake.value.v/metrics", OK},
    {"/api/v0/component/fake.value.x/metrics", INVALID},
    {"/api/v0/component/fake.sink.a/metrics", INVALID}, /* has none of its own */
    {"/api/v0/component//metrics", INVALID},
    {"/api/v0/component/metrics", INVALID},
    {"/metrics", INVALID},
};

static void exporters_are_scraped_in_process_by_their_id(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.value \"v\" {\n}\nfake.sink \"a\" {\n}\n"));
    for (size_t i = 0; i < sizeof scrapes / sizeof scrapes[0]; i++) {
        struct error err = {0};
        struct buf out;

        buf_init(&out, 65536);
        assert_int_equal(host_scrape_internal(fake("fake.sink.a")->host, slice_str(scrapes[i].path), &out, &err),
                         scrapes[i].want);
        assert_true(slice_eq_str(buf_slice(&out), scrapes[i].want == OK ? "fake_metric 1\n" : ""));
        buf_release(&out);
    }
    world_end(&w);
}

static void the_metrics_page_shows_ledger_controller_and_configuration(void **state)
{
    static const char *const wanted[] = {
        "hyagent_component_items_total{component_id=\"fake.source.s\",component_path=\"/\",direction=\"created\"} 5\n",
        "hyagent_component_items_total{component_id=\"fake.sink.a\",component_path=\"/\",direction=\"in\"} 5\n",
        "hyagent_component_items_held{component_id=\"fake.sink.a\",component_path=\"/\"} 5\n",
        "alloy_component_controller_running_components{controller_id=\"\",controller_path=\"/"
        "\",health_type=\"healthy\"} 2\n",
        "alloy_config_last_load_successful 0\n",
        "hyagent_config_load_failures_total 1\n",
        "alloy_component_evaluation_seconds_count",
        "process_open_fds ",
        "alloy_build_info{version=\"v",
    };
    struct world w;
    struct buf page;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\nfake.sink \"a\" {\n}\n"));
    emit(&w, "fake.source.s", 5);
    assert_false(load(&w, "nonsense"));
    buf_init(&page, 1 << 20);
    runtime_write_metrics(w.rt, &page);
    buf_add_char(&page, '\0');
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strstr(page.ptr, wanted[i]) == NULL)
            fail_msg("missing %s in\n%s", wanted[i], page.ptr);
    buf_release(&page);
    world_end(&w);
}

static void metrics_carry_the_component_and_its_path(void **state)
{
    struct world w;
    struct buf page;

    (void)state;
    world_begin(&w, NULL);
    assert_true(load(&w, "fake.sink \"a\" {\n}\n"));
    struct metric *m = host_counter(fake("fake.sink.a")->host, "x_total", "x", &(struct metric_label){"to", "y"}, 1);
    metric_inc(m);
    buf_init(&page, 1 << 20);
    runtime_write_metrics(w.rt, &page);
    buf_add_char(&page, '\0');
    assert_non_null(strstr(page.ptr, "x_total{component_id=\"fake.sink.a\",component_path=\"/\",to=\"y\"} 1\n"));
    buf_release(&page);
    metric_unref(m);
    world_end(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_flow_and_tickets_settle_after_every_destination),
        cmocka_unit_test(needed_ones_are_created_first_and_all_before_any_starts),
        cmocka_unit_test(a_closed_gate_stops_exactly_the_sources_that_reach_it),
        cmocka_unit_test(the_queue_share_is_the_budget_over_the_sinks),
        cmocka_unit_test(a_sink_gets_the_least_of_the_hints_that_reach_it),
        cmocka_unit_test(a_changed_export_evaluates_its_dependents_once),
        cmocka_unit_test(arguments_that_stop_evaluating_leave_the_component_as_it_was),
        cmocka_unit_test(a_component_that_cannot_run_is_unhealthy_and_the_rest_runs),
        cmocka_unit_test(nothing_to_send_to_is_counted),
        cmocka_unit_test(the_end_drains_from_the_sources_to_the_sinks),
        cmocka_unit_test(what_cannot_be_sent_at_the_end_is_counted_and_will_be_read_again),
        cmocka_unit_test(a_data_folder_is_private),
        cmocka_unit_test(without_storage_there_is_no_data_folder),
        cmocka_unit_test(exporters_are_scraped_in_process_by_their_id),
        cmocka_unit_test(the_metrics_page_shows_ledger_controller_and_configuration),
        cmocka_unit_test(metrics_carry_the_component_and_its_path),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
