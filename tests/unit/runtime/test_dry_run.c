/* A configuration run without the world: what is replaced, what runs, and what may be asked of it. */
#include "agent/base/mem.h"
#include "agent/runtime/dry_run.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

/* --- components: a source and a sink that must never be made, one that exports, one that hands on --- */

struct args {
    struct river_capsules forward_to;
    struct slice word;
    int64_t wait_ms;
};

static const struct river_field fields[] = {
    {.name = "forward_to",
     .kind = RIVER_CAPSULE_LIST,
     .offset = offsetof(struct args, forward_to),
     .capsule = &capsule_logs_receiver,
     .doc = "where to"},
    {.name = "word", .kind = RIVER_STRING, .offset = offsetof(struct args, word), .doc = "a word"},
    {.name = "wait", .kind = RIVER_INT, .offset = offsetof(struct args, wait_ms), .doc = "0: at once"},
    RIVER_FIELDS_END,
};
static const struct river_block table = {.name = "fake", .fields = fields, .size = sizeof(struct args), .doc = "fake"};
static const struct river_block plain_table = {
    .name = "fake", .fields = &fields[1], .size = sizeof(struct args), .doc = "it sends nothing"};
static const struct component_export receiver_export[] = {{"receiver", "LogsReceiver", "takes"}, {NULL, NULL, NULL}};
static const struct component_export word_export[] = {{"word", "string", "a word"}, {NULL, NULL, NULL}};

static enum code never(void **out, struct host *host, const void *args, struct error *err)
{
    (void)out;
    (void)args;
    fail_msg("%s was made in a dry run", host_id(host));
    return error_set(err, IO, "no");
}

/* Hands batches on after a time; the last word it was given is kept. */
struct middle {
    struct host *host;
    struct receiver receiver;
    struct fanout *to;
    struct timer *timer;
    struct log_batch *held; /* at most one */
    int64_t wait_ms;
};

static char last_word[32];

static void let_go(void *arg)
{
    struct middle *m = arg;
    struct log_batch *b = m->held;

    m->held = NULL;
    if (b != NULL)
        fanout_push_logs(m->to, b);
}

static void take(void *self, struct log_batch *batch)
{
    struct middle *m = self;

    assert_null(m->held);
    m->held = batch;
    if (m->wait_ms == 0) {
        let_go(m);
        return;
    }
    if (m->timer == NULL)
        m->timer = timer_new(host_loop(m->host), let_go, m);
    timer_start(m->timer, (uint64_t)m->wait_ms, 0);
}

static enum code middle_update(void *self, const void *args, struct error *err)
{
    const struct args *a = args;
    struct middle *m = self;

    m->wait_ms = a->wait_ms;
    snprintf(last_word, sizeof last_word, "%.*s", SLICE_ARG(a->word));
    return host_fanout(m->host, "forward_to", RECEIVES_LOGS, a->forward_to.items, a->forward_to.n, &m->to, err);
}

static enum code middle_create(void **out, struct host *host, const void *args, struct error *err)
{
    struct middle *m = mem_zalloc(sizeof *m);

    *m = (struct middle){.host = host, .receiver = {.kind = RECEIVES_LOGS, .self = m, .push = {.logs = take}}};
    host_receiver(host, &m->receiver);
    host_export(host, "receiver", host_receiver_value(host, &m->receiver));
    *out = m;
    return middle_update(m, args, err);
}

static void middle_close(void *self, loop_fn done, void *arg)
{
    struct middle *m = self;

    timer_free(m->timer);
    if (m->held != NULL)
        batch_unref(&m->held->base);
    mem_free(m);
    done(arg);
}

static const struct component_type source = {
    .name = "fake.source", .doc = "x", .args = &table, .is_source = true, .create = never};
static const struct component_type sink = {
    .name = "fake.sink", .doc = "x", .args = &table, .exports = receiver_export, .is_sink = true, .create = never};
static const struct component_type finder = {
    .name = "fake.finder", .doc = "x", .args = &plain_table, .exports = word_export, .create = never};
static const struct component_type middle = {.name = "fake.middle",
                                             .doc = "x",
                                             .args = &table,
                                             .exports = receiver_export,
                                             .create = middle_create,
                                             .update = middle_update,
                                             .close = middle_close};
static const struct component_type *const types[] = {&finder, &middle, &sink, &source, NULL};

static const char config[] = "fake.finder \"f\" { }\n"
                             "fake.source \"s\" {\n  forward_to = [fake.middle.m.receiver]\n}\n"
                             "fake.middle \"m\" {\n  forward_to = [fake.sink.e.receiver]\n  wait = 5000\n"
                             "  word = fake.finder.f.word\n}\n"
                             "fake.sink \"e\" { }\n";

/* --- the run --- */

static struct {
    struct dry_run *dry;
    char seen[256]; /* "from>to:items " per batch */
} at;

static void passed(void *ctx, const char *from, const char *to, const struct batch *b)
{
    size_t len = strlen(at.seen);

    assert_ptr_equal(ctx, &at);
    snprintf(at.seen + len, sizeof at.seen - len, "%s>%s:%u ", from, to, batch_items(b));
}

static enum code load(const char *text, char *errors, size_t size)
{
    struct config_text one = {"t.river", slice_str(text)};
    struct diags diags;
    struct buf out;
    enum code rc;

    diags_init(&diags);
    rc = dry_run_load(at.dry, &one, 1, &diags);
    buf_init(&out, 1 << 16);
    diags_print(&out, &diags, false);
    snprintf(errors, size, "%.*s", (int)out.len, out.len != 0 ? out.ptr : "");
    buf_release(&out);
    diags_release(&diags);
    return rc;
}

static int begin(void **state)
{
    struct dry_run_options options = {.types = types, .start_ns = NS_PER_S, .passed = passed, .ctx = &at};

    (void)state;
    at.seen[0] = last_word[0] = '\0';
    at.dry = dry_run_new(&options);
    return 0;
}

static int end(void **state)
{
    (void)state;
    dry_run_free(at.dry);
    return 0;
}

static void load_well(void)
{
    char errors[1024];

    if (load(config, errors, sizeof errors) != OK)
        fail_msg("%s", errors);
}

static struct batch *lines(uint32_t n)
{
    struct log_batch *b = log_batch_new();
    uint32_t labels = batch_take_labels(&b->base, labels_ref(labels_empty()));

    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(log_batch_add(b, labels, 0, SLICE_LIT("x"), NULL, 0), OK);
    return &b->base;
}

static void give(const char *id, uint32_t n)
{
    struct error err = {0};

    if (dry_run_give(at.dry, slice_str(id), lines(n), &err) != OK)
        fail_msg("%s", err.text);
}

static void sources_send_and_sinks_accept_what_they_would(void **state)
{
    (void)state;
    load_well();
    give("fake.source.s", 2);
    assert_string_equal(at.seen, "fake.source.s>fake.middle.m:2 ");
    assert_int_equal(dry_run_pass(at.dry, 5 * (int64_t)NS_PER_S, NULL), OK);
    assert_string_equal(at.seen, "fake.source.s>fake.middle.m:2 fake.middle.m>fake.sink.e:2 ");
    assert_int_equal(clock_wall_ns(dry_run_clock(at.dry)), 6 * (int64_t)NS_PER_S);
}

static void what_is_given_goes_to_the_component_and_its_export(void **state)
{
    (void)state;
    load_well();
    give("fake.middle.m", 1);
    assert_int_equal(dry_run_pass(at.dry, 5 * (int64_t)NS_PER_S, NULL), OK);
    give("fake.sink.e.receiver", 3);
    assert_string_equal(at.seen, ">fake.middle.m:1 fake.middle.m>fake.sink.e:1 >fake.sink.e:3 ");
}

static void what_nobody_takes_is_refused(void **state)
{
    static const struct {
        const char *id, *wants;
        bool is_otlp;
    } rows[] = {
        {"fake.finder.f", "fake.finder.f does not take log lines", false},
        {"fake.middle.n", "did you mean \"fake.middle.m\"?", false},
        {"fake.middle.m", "fake.middle.m does not take traces", true},
        {"fake.source.s", "fake.source.s does not send traces", true},
        {"fake.middle.m.input", "no component \"fake.middle.m.input\"", false},
        {"", "no component \"\"", false},
    };

    (void)state;
    load_well();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct batch *b = rows[i].is_otlp ? &otlp_batch_new(OTLP_TRACES)->base : lines(1);
        struct error err = {0};

        assert_int_equal(dry_run_give(at.dry, slice_str(rows[i].id), b, &err), INVALID);
        if (strstr(err.text, rows[i].wants) == NULL)
            fail_msg("%s: %s", rows[i].id, err.text);
    }
    assert_string_equal(at.seen, "");
}

static void exports_are_set_before_and_after_the_load(void **state)
{
    const struct value one = value_cstr("one"), two = value_cstr("two"), number = value_int(5);
    struct error err = {0};

    (void)state;
    assert_int_equal(dry_run_set(at.dry, SLICE_LIT("fake.finder.f"), SLICE_LIT("word"), &one, &err), OK);
    load_well();
    assert_string_equal(last_word, "one");
    assert_int_equal(dry_run_set(at.dry, SLICE_LIT("fake.finder.f"), SLICE_LIT("word"), &two, &err), OK);
    assert_string_equal(last_word, "two");
    assert_true(
        slice_eq_str(value_get_str(dry_run_exports(at.dry, SLICE_LIT("fake.finder.f")), "word")->as.text.bytes, "two"));
    assert_int_equal(dry_run_set(at.dry, SLICE_LIT("fake.finder.f"), SLICE_LIT("wort"), &two, &err), INVALID);
    assert_non_null(strstr(err.text, "did you mean \"word\"?"));
    assert_int_equal(dry_run_set(at.dry, SLICE_LIT("fake.finder.f"), SLICE_LIT("word"), &number, &err), INVALID);
    assert_int_equal(dry_run_set(at.dry, SLICE_LIT("fake.middle.m"), SLICE_LIT("receiver"), &two, &err), INVALID);
    assert_int_equal(dry_run_set(at.dry, SLICE_LIT("fake.sink.e"), SLICE_LIT("receiver"), &two, &err), INVALID);
    assert_string_equal(last_word, "two");
}

static void a_refused_load_changes_nothing(void **state)
{
    char errors[1024];

    (void)state;
    load_well();
    assert_int_equal(load("fake.middle \"m\" {\n  wort = 5\n}\n", errors, sizeof errors), INVALID);
    assert_non_null(strstr(errors, "t.river:2:3"));
    give("fake.source.s", 1);
    assert_string_equal(at.seen, "fake.source.s>fake.middle.m:1 ");
}

static void the_arguments_of_sources_can_be_looked_at(void **state)
{
    const struct component_type *type = NULL;
    const struct args *args;

    (void)state;
    load_well();
    args = dry_run_source_args(at.dry, SLICE_LIT("fake.source.s"), &type);
    assert_non_null(args);
    assert_ptr_equal(type->args, &table);
    assert_int_equal(args->forward_to.n, 1);
    assert_null(dry_run_source_args(at.dry, SLICE_LIT("fake.middle.m"), &type));
    assert_null(dry_run_source_args(at.dry, SLICE_LIT("fake.source.x"), &type));
}

static void one_that_never_loaded_ends_well(void **state)
{
    char errors[1024];

    (void)state;
    assert_int_equal(load("fake.nothing \"x\" { }", errors, sizeof errors), INVALID);
    assert_null(dry_run_find(at.dry, SLICE_LIT("fake.source.s"), NULL));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sources_send_and_sinks_accept_what_they_would, begin, end),
        cmocka_unit_test_setup_teardown(what_is_given_goes_to_the_component_and_its_export, begin, end),
        cmocka_unit_test_setup_teardown(what_nobody_takes_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(exports_are_set_before_and_after_the_load, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_load_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(the_arguments_of_sources_can_be_looked_at, begin, end),
        cmocka_unit_test_setup_teardown(one_that_never_loaded_ends_well, begin, end),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
