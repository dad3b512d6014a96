/* Modules while they run: what is known only then, changes by diff, a broken module. */
#include "fakes.h"
#include <stdlib.h>
#include <unistd.h>

/* --- helpers --- */

struct export_call {
    const char *id, *text;
};

static void export_text(struct world *w, void *arg)
{
    const struct export_call *call = arg;

    (void)w;
    host_export(fake(call->id)->host, "content", value_string(slice_str(call->text)));
}

/* Something a component exports has changed, and everything that follows from it has happened. */
static void change_export(struct world *w, const char *id, const char *text)
{
    on_control(w, export_text, &(struct export_call){id, text});
    settle(w);
    settle(w);
}

struct row {
    const char *id;
    char text[512];
};

static void find_component(void *ctx, const struct component_row *c)
{
    struct row *row = ctx;

    if (strcmp(c->id, row->id) == 0)
        snprintf(row->text, sizeof row->text, "%s: %s", health_name(c->health), c->message);
}

static void find_module(void *ctx, const struct module_row *m)
{
    struct row *row = ctx;

    if (slice_eq_str(m->id, row->id))
        snprintf(row->text, sizeof row->text, "%s: %.*s args=%.*s exports=%.*s", health_name(m->health),
                 SLICE_ARG(m->message), SLICE_ARG(m->arguments), SLICE_ARG(m->exports));
}

static void expect_component(struct world *w, const char *id, const char *want)
{
    struct row row = {.id = id};

    runtime_each_component(w->rt, find_component, &row);
    if (strstr(row.text, want) == NULL)
        fail_msg("%s: wanted \"%s\", is \"%s\"", id, want, row.text);
}

static void expect_module(struct world *w, const char *id, const char *want)
{
    struct row row = {.id = id};

    runtime_each_module(w->rt, find_module, &row);
    if (strstr(row.text, want) == NULL)
        fail_msg("%s: wanted \"%s\", is \"%s\"", id, want, row.text);
}

static void expect_load(struct world *w, const char *text)
{
    if (!load(w, text))
        fail_msg("%s", w->errors);
    settle(w);
}

static void expect_journal(const char *want)
{
    pthread_mutex_lock(&journal.lock);
    if (strcmp(journal.text, want) != 0)
        fail_msg("wanted \"%s\", was \"%s\"", want, journal.text);
    pthread_mutex_unlock(&journal.lock);
}

/* --- tests --- */

static void logs_go_through_a_custom_component(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    expect_load(
        &w,
        "declare \"pipe\" {\n\targument \"to\" {}\n\n\tfake.split \"p\" {\n\t\tforward_to = argument.to.value\n\t}\n\n"
        "\texport \"in\" {\n\t\tvalue = fake.split.p.receiver\n\t}\n}\n\n"
        "fake.source \"s\" {\n\tforward_to = [pipe.one.in]\n}\n\n"
        "pipe \"one\" {\n\tto = [pipe.two.in]\n}\n\npipe \"two\" {\n\tto = [fake.sink.e.receiver]\n}\n\n"
        "fake.sink \"e\" {}\n");
    emit(&w, "fake.source.s", 1);
    assert_int_equal(fake("fake.sink.e")->n_taken, 4);
    assert_non_null(fake("pipe.one/fake.split.p"));
    expect_module(&w, "pipe.one", "healthy");
    expect_module(&w, "pipe.one", "exports={\"in\":\"capsule(\\\"loki.LogsReceiver\\\")\"}");
    world_end(&w);
}

static void metrics_say_in_which_module_a_component_stands(void **state)
{
    struct world w;
    struct host *h;
    struct metric *m;
    struct buf out;

    (void)state;
    world_begin(&w, NULL);
    expect_load(&w,
                "declare \"x\" {\n\tdeclare \"y\" {\n\t\tfake.sink \"s\" {}\n\t}\n\n\ty \"j\" {}\n}\n\nx \"i\" {}\n");
    h = fake("x.i/y.j/fake.sink.s")->host;
    m = host_counter(h, "test_total", "A test.", NULL, 0);
    buf_init(&out, 1 << 20);
    metrics_write(w.metrics, &out);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.ptr, "test_total{component_id=\"fake.sink.s\",component_path=\"/x.i/y.j\"} 0"));
    metric_unref(m);
    buf_reset(&out);
    runtime_write_metrics(w.rt, &out);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.ptr,
                           "alloy_component_controller_running_components{controller_id=\"\",controller_path=\"/\","
                           "health_type=\"healthy\"} 1\n"));
    assert_non_null(strstr(out.ptr, "alloy_component_controller_running_components{controller_id=\"y.j\","
                                    "controller_path=\"/x.i\",health_type=\"healthy\"} 1\n"));
    buf_release(&out);
    world_end(&w);
}

static void data_folders_follow_the_path(void **state)
{
    struct world w;
    char folder[] = "/tmp/hy_modules_run_XXXXXX", want[128];

    (void)state;
    assert_non_null(mkdtemp(folder));
    world_begin(&w, folder);
    expect_load(&w, "declare \"x\" {\n\tfake.sink \"s\" {}\n}\n\nx \"i\" {}\n");
    snprintf(want, sizeof want, "%s/x.i/fake.sink.s", folder);
    assert_string_equal(host_data_dir(fake("x.i/fake.sink.s")->host), want);
    world_end(&w);
    assert_int_equal(rmdir(want), 0);
    *strrchr(want, '/') = '\0';
    assert_int_equal(rmdir(want), 0);
    assert_int_equal(rmdir(folder), 0);
}

static const char from_value[] = "fake.value \"v\" {\n\ttext = `%s`\n}\n\nimport.string \"m\" {\n\tcontent = "
                                 "fake.value.v.content\n}\n\nm.a \"i\" {\n\tto = [fake.sink.e.receiver]\n}\n\n"
                                 "fake.source \"s\" {\n\tforward_to = [m.a.i.in]\n}\n\nfake.sink \"e\" {}\n";
static const char module_one[] =
    "declare \"a\" {\n\targument \"to\" {}\n\n\tfake.split \"p\" {\n\t\tforward_to = "
    "argument.to.value\n\t}\n\n\texport \"in\" {\n\t\tvalue = fake.split.p.receiver\n\t}\n}\n";
static const char module_two[] = "declare \"a\" {\n\targument \"to\" {}\n\n\tfake.split \"p\" {\n\t\tforward_to = "
                                 "argument.to.value\n\t}\n\n\tfake.sink \"extra\" {}\n\n\texport \"in\" {\n\t\tvalue = "
                                 "fake.split.p.receiver\n\t}\n}\n";

static void a_module_from_a_component_is_up_at_once(void **state)
{
    struct world w;
    char text[2048];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, from_value, module_one);
    expect_load(&w, text);
    emit(&w, "fake.source.s", 1);
    assert_int_equal(fake("fake.sink.e")->n_taken, 2);
    world_end(&w);
}

static void whoever_uses_a_pending_module_waits_for_it(void **state)
{
    struct world w;
    char text[2048];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, from_value, "");
    expect_load(&w, text);
    assert_null(fake("fake.source.s"));
    expect_component(&w, "fake.source.s", "unknown: waits for import.string.m");
    expect_module(&w, "m.a.i", "unknown: waits for import.string.m");
    forget();
    change_export(&w, "fake.value.v", module_one);
    expect_component(&w, "fake.source.s", "healthy");
    expect_journal("create m.a.i/fake.split.p;create fake.source.s;start m.a.i/fake.split.p;start fake.source.s;");
    emit(&w, "fake.source.s", 1);
    assert_int_equal(fake("fake.sink.e")->n_taken, 2);
    world_end(&w);
}

static void a_changed_module_touches_only_what_differs(void **state)
{
    struct world w;
    char text[2048];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, from_value, module_one);
    expect_load(&w, text);
    forget();
    change_export(&w, "fake.value.v", module_two);
    expect_journal("create m.a.i/fake.sink.extra;start m.a.i/fake.sink.extra;");
    forget();
    change_export(&w, "fake.value.v", module_one);
    assert_null(fake("m.a.i/fake.sink.extra"));
    assert_false(noted("fake.split.p"));
    world_end(&w);
}

static void a_broken_module_leaves_the_old_one_and_says_so(void **state)
{
    struct world w;
    char text[2048];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, from_value, module_one);
    expect_load(&w, text);
    forget();
    change_export(&w, "fake.value.v", "declare \"a\" {");
    expect_journal("");
    expect_component(&w, "import.string.m",
                     "unhealthy: what it brings cannot be loaded, the old goes on: import.string.m:1:");
    expect_module(&w, "import.string.m", "unhealthy");
    change_export(&w, "fake.value.v", "declare \"b\" {\n}\n"); /* the custom component is gone */
    expect_component(&w, "import.string.m", "unhealthy");
    emit(&w, "fake.source.s", 1);
    assert_int_equal(fake("fake.sink.e")->n_taken, 2);
    change_export(&w, "fake.value.v", module_one);
    expect_component(&w, "import.string.m", "healthy");
    expect_journal("");
    world_end(&w);
}

static void a_broken_module_at_the_first_load_is_waited_for(void **state)
{
    struct world w;
    char text[2048];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, from_value, "declare \"a\" {");
    expect_load(&w, text);
    expect_component(&w, "import.string.m", "unhealthy");
    expect_component(&w, "fake.source.s", "waits for");
    change_export(&w, "fake.value.v", module_one);
    expect_component(&w, "fake.source.s", "healthy");
    world_end(&w);
}

static const char two_arguments[] =
    "declare \"x\" {\n\targument \"a\" {}\n\n\targument \"b\" {}\n\n\tfake.sink \"a\" {\n\t\ttext = "
    "argument.a.value\n\t}\n\n\tfake.sink \"b\" {\n\t\ttext = argument.b.value\n\t}\n}\n\nx \"i\" "
    "{\n\ta = \"%s\"\n\tb = \"%s\"\n}\n\nx \"j\" {\n\ta = \"1\"\n\tb = \"2\"\n}\n";

static void a_changed_argument_touches_only_what_uses_it(void **state)
{
    struct world w;
    char text[1024];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, two_arguments, "1", "2");
    expect_load(&w, text);
    forget();
    snprintf(text, sizeof text, two_arguments, "1", "3");
    expect_load(&w, text);
    expect_journal("update x.i/fake.sink.b;");
    assert_int_equal(w.result.n_updated, 1);
    world_end(&w);
}

static void an_export_that_changes_reaches_through_arguments(void **state)
{
    struct world w;

    (void)state;
    world_begin(&w, NULL);
    expect_load(&w, "fake.value \"v\" {\n\ttext = \"1\"\n}\n\ndeclare \"x\" {\n\targument \"a\" {}\n\n\tfake.value "
                    "\"in\" {\n\t\ttext = "
                    "argument.a.value\n\t}\n\n\texport \"out\" {\n\t\tvalue = fake.value.in.content + "
                    "\"!\"\n\t}\n}\n\nx \"i\" {\n\ta = "
                    "fake.value.v.content\n}\n\nfake.sink \"s\" {\n\ttext = x.i.out\n}\n");
    forget();
    change_export(&w, "fake.value.v", "2");
    expect_journal("update x.i/fake.value.in;update fake.sink.s;");
    expect_module(&w, "x.i", "args={\"a\":\"2\"} exports={\"out\":\"2!\"}");
    world_end(&w);
}

static const char over_export[] =
    "fake.value \"v\" {\n\ttext = `%s`\n}\n\nforeach \"f\" {\n\tcollection = "
    "encoding.from_json(fake.value.v.content)\n\tvar = \"item\"\n\n\ttemplate {\n\t\tfake.sink \"s\" "
    "{\n\t\t\ttext = item\n\t\t}\n\t}\n}\n";

static void items_that_come_and_go_leave_the_others_alone(void **state)
{
    struct world w;
    char text[1024];

    (void)state;
    world_begin_at(&w, NULL, STABILITY_EXPERIMENTAL);
    snprintf(text, sizeof text, over_export, "[\"a\", \"b\"]");
    expect_load(&w, text);
    assert_non_null(fake("foreach.f/foreach_a_1/fake.sink.s"));
    forget();
    change_export(&w, "fake.value.v", "[\"c\", \"b\", \"a\"]");
    expect_journal("create foreach.f/foreach_c_1/fake.sink.s;start foreach.f/foreach_c_1/fake.sink.s;");
    forget();
    change_export(&w, "fake.value.v", "[\"b\"]");
    assert_null(fake("foreach.f/foreach_a_1/fake.sink.s"));
    assert_null(fake("foreach.f/foreach_c_1/fake.sink.s"));
    assert_false(noted("foreach_b_1"));
    change_export(&w, "fake.value.v", "{}"); /* no list */
    expect_component(&w, "foreach.f", "unhealthy");
    assert_non_null(fake("foreach.f/foreach_b_1/fake.sink.s"));
    change_export(&w, "fake.value.v", "[]");
    expect_component(&w, "foreach.f", "healthy");
    assert_null(fake("foreach.f/foreach_b_1/fake.sink.s"));
    world_end(&w);
}

static void what_never_started_may_go_again_in_the_same_change(void **state)
{
    struct world w;
    char text[1024];

    (void)state;
    world_begin_at(&w, NULL, STABILITY_EXPERIMENTAL);
    expect_load(&w, "fake.value \"v\" {\n\ttext = `[\"a\"]`\n}\n");
    forget();
    /* The foreach is new and first sees what is exported now; then the value changes, in the same load. */
    snprintf(text, sizeof text, over_export, "[\"b\"]");
    expect_load(&w, text);
    assert_true(noted("create foreach.f/foreach_a_1/fake.sink.s"));
    assert_false(noted("start foreach.f/foreach_a_1/fake.sink.s"));
    assert_true(noted("close foreach.f/foreach_a_1/fake.sink.s"));
    assert_true(noted("start foreach.f/foreach_b_1/fake.sink.s"));
    world_end(&w);
}

static const char measured[] =
    "foreach \"f\" {\n\tcollection = [\"a\"]\n\tvar = \"v\"\n\tenable_metrics = %s\n\n\ttemplate {\n\t\tfake.sink "
    "\"s\" {}\n\t}\n}\n";

static bool is_measured(struct world *w, const char *id)
{
    struct metric *m = host_counter(fake(id)->host, "test_total", "A test.", NULL, 0);
    struct buf out;
    bool is_there;

    buf_init(&out, 1 << 20);
    metrics_write(w->metrics, &out);
    buf_add_char(&out, '\0');
    is_there =
        strstr(out.ptr, "test_total{component_id=\"fake.sink.s\",component_path=\"/foreach.f/foreach_a_1\"}") != NULL;
    metric_unref(m);
    buf_release(&out);
    return is_there;
}

static void items_have_metrics_only_when_told(void **state)
{
    struct world w;
    char text[512];

    (void)state;
    world_begin_at(&w, NULL, STABILITY_EXPERIMENTAL);
    snprintf(text, sizeof text, measured, "false");
    expect_load(&w, text);
    assert_false(is_measured(&w, "foreach.f/foreach_a_1/fake.sink.s"));
    snprintf(text, sizeof text, measured, "true");
    expect_load(&w, text);
    assert_true(is_measured(&w, "foreach.f/foreach_a_1/fake.sink.s"));
    world_end(&w);
}

static void a_receiver_may_be_an_item(void **state)
{
    struct world w;

    (void)state;
    world_begin_at(&w, NULL, STABILITY_EXPERIMENTAL);
    expect_load(&w, "fake.sink \"e\" {\n\tname = \"1\"\n}\n\nforeach \"f\" {\n\tcollection = "
                    "[fake.sink.e.receiver]\n\tvar = \"to\"\n\n\ttemplate "
                    "{\n\t\tfake.hold \"h\" {\n\t\t\tforward_to = [to]\n\t\t}\n\t}\n}\n");
    /* The sink is replaced: whoever sent to the old one sends to the new one, in the same change. */
    expect_load(&w, "fake.sink \"e\" {\n\tname = \"2\"\n}\n\nforeach \"f\" {\n\tcollection = "
                    "[fake.sink.e.receiver]\n\tvar = \"to\"\n\n\ttemplate "
                    "{\n\t\tfake.hold \"h\" {\n\t\t\tforward_to = [to]\n\t\t}\n\t}\n}\n");
    assert_string_equal(fake("fake.sink.e")->kept_name, "2");
    world_end(&w);
}

static void a_failed_load_changes_nothing(void **state)
{
    struct world w;
    char text[1024];

    (void)state;
    world_begin(&w, NULL);
    snprintf(text, sizeof text, two_arguments, "1", "2");
    expect_load(&w, text);
    forget();
    assert_false(load(&w, "declare \"x\" {\n\targument \"a\" {}\n}\n\nx \"i\" {}\n"));
    assert_false(load(&w, "import.file \"m\" {\n\tfilename = \"/nowhere/at/all\"\n}\n"));
    expect_journal("");
    assert_non_null(fake("x.i/fake.sink.a"));
    world_end(&w);
}

static void want_expansion(struct world *w, void *arg)
{
    (void)w;
    host_want_expansion(((struct fake *)arg)->host);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_false(fputs(text, file) < 0);
    fclose(file);
}

static void an_edited_file_is_loaded_when_its_import_asks(void **state)
{
    struct world w;
    char folder[] = "/tmp/hy_modules_run_XXXXXX", path[128], text[512];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.alloy", folder);
    write_file(path, "declare \"a\" {\n\tfake.sink \"one\" {}\n}\n");
    snprintf(text, sizeof text, "import.file \"m\" {\n\tfilename = \"%s\"\n}\n\nm.a \"i\" {}\n\nfake.sink \"z\" {}\n",
             path);
    world_begin(&w, NULL);
    expect_load(&w, text);
    assert_non_null(fake("m.a.i/fake.sink.one"));
    write_file(path, "declare \"a\" {\n\tfake.sink \"one\" {}\n\n\tfake.sink \"two\" {}\n}\n");
    on_control(&w, want_expansion, fake("fake.sink.z"));
    settle(&w);
    assert_non_null(fake("m.a.i/fake.sink.two"));
    write_file(path, "declare \"a\" {\n\tfake.snk \"one\" {}\n}\n");
    on_control(&w, want_expansion, fake("fake.sink.z"));
    settle(&w);
    expect_component(&w, "import.file.m", "unhealthy");
    assert_non_null(fake("m.a.i/fake.sink.two"));
    world_end(&w);
    assert_int_equal(remove(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_go_through_a_custom_component),
        cmocka_unit_test(metrics_say_in_which_module_a_component_stands),
        cmocka_unit_test(data_folders_follow_the_path),
        cmocka_unit_test(a_module_from_a_component_is_up_at_once),
        cmocka_unit_test(whoever_uses_a_pending_module_waits_for_it),
        cmocka_unit_test(a_changed_module_touches_only_what_differs),
        cmocka_unit_test(a_broken_module_leaves_the_old_one_and_says_so),
        cmocka_unit_test(a_broken_module_at_the_first_load_is_waited_for),
        cmocka_unit_test(a_changed_argument_touches_only_what_uses_it),
        cmocka_unit_test(an_export_that_changes_reaches_through_arguments),
        cmocka_unit_test(items_that_come_and_go_leave_the_others_alone),
        cmocka_unit_test(what_never_started_may_go_again_in_the_same_change),
        cmocka_unit_test(items_have_metrics_only_when_told),
        cmocka_unit_test(a_receiver_may_be_an_item),
        cmocka_unit_test(a_failed_load_changes_nothing),
        cmocka_unit_test(an_edited_file_is_loaded_when_its_import_asks),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
