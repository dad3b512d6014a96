/* Parsing and resolving: what a configuration's graph refuses, and how it says so. */
#include "fakes.h"

static const struct {
    const char *name, *text, *want;
} wrong[] = {
    {"unknown component", "fake.sourc \"a\" {\n}\n",
     "test.river:1:1: error: there is no component named \"fake.sourc\""},
    {"unknown component has a suggestion", "fake.sourc \"a\" {\n}\n", "did you mean \"fake.source\"?"},
    {"alloy's component is named", "loki.source.syslog \"a\" {\n}\n",
     "\"loki.source.syslog\" is a component of Alloy that hyagent does not have yet"},
    {"alloy's block is named", "remotecfg {\n}\n",
     "\"remotecfg\" is a configuration block of Alloy that hyagent does not have yet"},
    {"no label", "fake.sink {\n}\n", "component \"fake.sink\" must have a label"},
    {"label on a singleton", "logging \"x\" {\n}\n", "block \"logging\" takes no label"},
    {"twice", "fake.sink \"a\" {\n}\n\nfake.sink \"a\" {\n}\n",
     "test.river:4:1: error: \"fake.sink.a\" is declared twice: first at test.river:1:1"},
    {"attribute outside", "a = 1\n", "attribute \"a\" stands outside of a block"},
    {"unknown reference", "fake.source \"s\" {\n\tforward_to = [fake.sink.b.receiver]\n}\n\nfake.sink \"a\" {\n}\n",
     "test.river:2:16: error: component \"fake.sink.b.receiver\" does not exist"},
    {"unknown reference has a suggestion",
     "fake.source \"s\" {\n\tforward_to = [fake.sink.mian.receiver]\n}\n\nfake.sink \"main\" {\n}\n",
     "did you mean \"fake.sink.main.receiver\"?"},
    {"cycle with its path",
     "fake.hold \"a\" {\n\tforward_to = [fake.hold.b.receiver]\n}\n\nfake.hold \"b\" {\n\tforward_to = "
     "[fake.hold.a.receiver]\n}\n",
     "cycle: fake.hold.a → fake.hold.b → fake.hold.a"},
    {"refers to itself", "fake.hold \"a\" {\n\tforward_to = [fake.hold.a.receiver]\n}\n",
     "cycle: fake.hold.a → fake.hold.a"},
    {"below the stability level", "fake.new \"a\" {\n}\n",
     "component \"fake.new\" is at stability level \"experimental\", which is below the minimum allowed stability "
     "level "
     "\"generally-available\""},
    {"unknown argument", "fake.sink \"a\" {\n\tnam = \"x\"\n}\n", "nam"},
    {"no such export", "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receivr]\n}\n\nfake.sink \"a\" {\n}\n",
     "receivr"},
    {"wrong kind of argument is found though it cannot be evaluated yet elsewhere",
     "fake.value \"v\" {\n}\n\nfake.sink \"a\" {\n\ttext  = encoding.from_json(fake.value.v.content)[\"x\"]\n\tblock = "
     "\"no\"\n}\n",
     "test.river:6:"},
};

static enum code check(const char *text, enum stability stability, struct buf *out)
{
    struct config_options options = {.types = fake_types, .stability = stability};
    struct diags diags;
    enum code rc;

    diags_init(&diags);
    rc = runtime_check(&options, &(struct config_text){"test.river", slice_str(text)}, 1, &diags);
    diags_print(out, &diags, false);
    buf_add_char(out, '\0');
    diags_release(&diags);
    return rc;
}

static void wrong_configurations_are_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf out;

        buf_init(&out, 65536);
        enum code rc = check(wrong[i].text, STABILITY_GA, &out);
        if (rc != INVALID || strstr(out.ptr, wrong[i].want) == NULL)
            fail_msg("%s: wanted \"%s\", got %s:\n%s", wrong[i].name, wrong[i].want, code_name(rc), out.ptr);
        buf_release(&out);
    }
}

static const struct {
    const char *name, *text;
} fine[] = {
    {"nothing", ""},
    {"declared after use", "fake.source \"s\" {\n\tforward_to = [fake.sink.a.receiver]\n}\n\nfake.sink \"a\" {\n}\n"},
    {"library names", "fake.sink \"a\" {\n\ttext = string.to_upper(\"x\") + constants.os\n}\n"},
    {"what is known only when it runs",
     "fake.value \"v\" {\n}\n\nfake.sink \"a\" {\n\ttext = encoding.from_json(fake.value.v.content)[\"x\"]\n}\n"},
    {"logging", "logging {\n\tlevel = \"debug\"\n}\n"},
};

static void right_configurations_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        struct buf out;

        buf_init(&out, 65536);
        if (check(fine[i].text, STABILITY_GA, &out) != OK)
            fail_msg("%s:\n%s", fine[i].name, out.ptr);
        buf_release(&out);
    }
}

static void a_refused_block_makes_no_further_errors(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_int_equal(check("loki.source.syslog \"x\" {\n}\n\nfake.sink \"a\" {\n\ttext = loki.source.syslog.x.y\n}\n",
                           STABILITY_GA, &out),
                     INVALID);
    assert_null(strstr(out.ptr, "does not exist"));
    buf_release(&out);
}

/* A check is of the text, not of this machine: what only an unset variable leaves wrong is a note. */
static void an_unset_environment_variable_breaks_no_check(void **state)
{
    static const char *const rows[] = {
        "fake.sink \"a\" {\n\ttext = encoding.from_json(sys.env(\"HYAGENT_NOT_SET\"))[\"x\"]\n}\n",
        "fake.sink \"a\" {\n\ttext = encoding.from_json(\"\")[\"x\"]\n}\n",
        "fake.sink \"a\" {\n\ttext  = sys.env(\"HYAGENT_NOT_SET\")\n\tblock = \"no\"\n}\n",
    };
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_int_equal(check(rows[0], STABILITY_GA, &out), OK);
    assert_non_null(strstr(out.ptr, "HYAGENT_NOT_SET is not set"));
    assert_int_equal(check(rows[1], STABILITY_GA, &out), INVALID);
    assert_int_equal(check(rows[2], STABILITY_GA, &out), INVALID); /* another argument's mistake stays one */
    buf_release(&out);
}

static void the_stability_level_opens_experimental_components(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_int_equal(check("fake.new \"a\" {\n}\n", STABILITY_EXPERIMENTAL, &out), OK);
    buf_release(&out);
}

static void needed_blocks_come_first(void **state)
{
    struct config_options options = {.types = fake_types};
    struct config *c;
    struct diags diags;
    const char *text =
        "fake.source \"s\" {\n\tforward_to = [fake.hold.h.receiver]\n}\n\nfake.hold \"h\" {\n\tforward_to = "
        "[fake.sink.a.receiver, fake.sink.b.receiver]\n}\n\nfake.sink \"a\" {\n}\n\nfake.sink \"b\" {\n}\n";

    (void)state;
    diags_init(&diags);
    assert_int_equal(config_load(&c, &options, &(struct config_text){"t", slice_str(text)}, 1, &diags), OK);
    assert_int_equal(c->n_ordered, 4);
    assert_true(slice_eq_str(c->blocks[c->order[3]].id, "fake.source.s"));
    assert_true(slice_eq_str(c->blocks[c->order[2]].id, "fake.hold.h"));
    config_unref(c);
    diags_release(&diags);
}

static void a_collision_names_both_files(void **state)
{
    struct config_options options = {.types = fake_types};
    struct config_text texts[] = {{"a.river", SLICE_LIT("fake.sink \"x\" {\n}\n")},
                                  {"b.alloy", SLICE_LIT("\nfake.sink \"x\" {\n}\n")}};
    struct diags diags;
    struct buf out;

    (void)state;
    diags_init(&diags);
    buf_init(&out, 65536);
    assert_int_equal(runtime_check(&options, texts, 2, &diags), INVALID);
    diags_print(&out, &diags, false);
    buf_add_char(&out, '\0');
    assert_non_null(strstr(out.ptr, "b.alloy:2:1: error: \"fake.sink.x\" is declared twice: first at a.river:1:1"));
    buf_release(&out);
    diags_release(&diags);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_configurations_are_refused_in_words),
        cmocka_unit_test(right_configurations_pass),
        cmocka_unit_test(a_refused_block_makes_no_further_errors),
        cmocka_unit_test(an_unset_environment_variable_breaks_no_check),
        cmocka_unit_test(the_stability_level_opens_experimental_components),
        cmocka_unit_test(needed_blocks_come_first),
        cmocka_unit_test(a_collision_names_both_files),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    (void)emit;
    (void)world_begin;
    (void)noted;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
