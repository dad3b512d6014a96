/* The steps a tracer is told of relabelling rules. Expectations are Prometheus' relabel_config. */
#include "agent/runtime/trace.h"
#include "agent/base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct slice app[] = {{"app", 3}};

struct told {
    char text[1024];
};

static const char *const verdicts[] = {
    [TRACE_ON] = "on",     [TRACE_NO_MATCH] = "no match", [TRACE_DROPPED] = "dropped",
    [TRACE_HELD] = "held", [TRACE_RELEASED] = "released", [TRACE_FAILED] = "failed",
};

/* "1 on {app=a,b=c};" per step */
static void write_down(void *ctx, const struct trace_step *s)
{
    struct told *told = ctx;
    size_t len = strlen(told->text);

    assert_string_equal(s->component, "loki.relabel.x");
    assert_string_equal(s->kind, "rule");
    assert_non_null(s->rule);
    len += (size_t)snprintf(told->text + len, sizeof told->text - len, "%zu %s", s->number, verdicts[s->verdict]);
    if (s->after != NULL) {
        len += (size_t)snprintf(told->text + len, sizeof told->text - len, " {");
        for (size_t i = 0; i < s->after->n_labels; i++)
            len += (size_t)snprintf(told->text + len, sizeof told->text - len, "%s%.*s=%.*s", i != 0 ? "," : "",
                                    SLICE_ARG(s->after->labels[i].name), SLICE_ARG(s->after->labels[i].value));
        len += (size_t)snprintf(told->text + len, sizeof told->text - len, "}");
    }
    (void)snprintf(told->text + len, sizeof told->text - len, ";");
}

static void trace(const struct relabel_rule *rules, size_t n, struct told *told)
{
    const struct label pairs[] = {{{"app", 3}, {"shop", 4}}, {{"env", 3}, {"dev", 3}}};
    const struct labels *labels = labels_intern(pairs, 2);
    const struct tracer tracer = {.step = write_down, .ctx = told};
    struct relabel_rules *compiled = NULL;
    struct error err = {0};

    told->text[0] = '\0';
    if (relabel_rules_new(&compiled, rules, n, &err) != OK)
        fail_msg("%s", err.text);
    trace_rules(&tracer, "loki.relabel.x", compiled, labels, 0, (struct slice){0});
    relabel_rules_unref(compiled);
    labels_unref(labels);
}

static void each_action_says_whether_it_matched_and_what_it_left(void **state)
{
    static const struct {
        enum relabel_action action;
        bool has_source;
        const char *regex, *target, *replacement;
        uint64_t modulus;
        const char *want;
    } rows[] = {
        {RELABEL_REPLACE, true, "sh(.*)", "kind", "x-$1", 0, "1 on {app=shop,env=dev,kind=x-op};"},
        {RELABEL_REPLACE, true, "no(.*)", "kind", "x-$1", 0, "1 no match {app=shop,env=dev};"},
        {RELABEL_REPLACE, false, "(.*)", "env", "fixed", 0, "1 on {app=shop,env=fixed};"},
        {RELABEL_KEEP, true, "shop", "", "$1", 0, "1 on {app=shop,env=dev};"},
        {RELABEL_KEEP, true, "other", "", "$1", 0, "1 dropped;"},
        {RELABEL_DROP, true, "shop", "", "$1", 0, "1 dropped;"},
        {RELABEL_DROP, true, "other", "", "$1", 0, "1 no match {app=shop,env=dev};"},
        {RELABEL_HASHMOD, true, "(.*)", "h", "$1", 1, "1 on {app=shop,env=dev,h=0};"},
        {RELABEL_UPPERCASE, true, "(.*)", "env", "$1", 0, "1 on {app=shop,env=SHOP};"},
        {RELABEL_LABELMAP, false, "a(.*)", "", "b$1", 0, "1 on {app=shop,env=dev,bpp=shop};"},
        {RELABEL_LABELMAP, false, "z(.*)", "", "b$1", 0, "1 no match {app=shop,env=dev};"},
        {RELABEL_LABELDROP, false, "env", "", "$1", 0, "1 on {app=shop};"},
        {RELABEL_LABELDROP, false, "zone", "", "$1", 0, "1 no match {app=shop,env=dev};"},
        {RELABEL_LABELKEEP, false, "env", "", "$1", 0, "1 on {env=dev};"},
        {RELABEL_KEEPEQUAL, true, "(.*)", "env", "$1", 0, "1 dropped;"},
        {RELABEL_DROPEQUAL, true, "(.*)", "env", "$1", 0, "1 no match {app=shop,env=dev};"},
        {RELABEL_DROPEQUAL, true, "(.*)", "app", "$1", 0, "1 dropped;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct relabel_rule rule = relabel_rule_default();
        struct told told;

        rule.action = rows[i].action;
        rule.source_labels = app;
        rule.n_source_labels = rows[i].has_source;
        rule.regex = slice_str(rows[i].regex);
        rule.target_label = slice_str(rows[i].target);
        rule.replacement = slice_str(rows[i].replacement);
        rule.modulus = rows[i].modulus;
        trace(&rule, 1, &told);
        if (strcmp(told.text, rows[i].want) != 0)
            fail_msg("row %zu: %s", i, told.text);
    }
}

static void nothing_is_told_behind_a_rule_that_drops(void **state)
{
    struct relabel_rule rules[] = {relabel_rule_default(), relabel_rule_default(), relabel_rule_default()};
    struct told told;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        rules[i].source_labels = app;
        rules[i].n_source_labels = 1;
        rules[i].target_label = SLICE_LIT("copy");
    }
    rules[1].action = RELABEL_DROP;
    trace(rules, 3, &told);
    assert_string_equal(told.text, "1 on {app=shop,env=dev,copy=shop};2 dropped;");
}

static void a_tracer_is_there_only_while_it_is_set(void **state)
{
    const struct tracer tracer = {.step = write_down};

    (void)state;
    assert_null(tracer_get());
    tracer_set(&tracer);
    assert_ptr_equal(tracer_get(), &tracer);
    tracer_set(NULL);
    assert_null(tracer_get());
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_says_whether_it_matched_and_what_it_left),
        cmocka_unit_test(nothing_is_told_behind_a_rule_that_drops),
        cmocka_unit_test(a_tracer_is_there_only_while_it_is_set),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
