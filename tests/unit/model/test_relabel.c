/* Rows follow Prometheus' relabel_config documentation and the semantics of its relabel package. */
#include "testing.h"
#include "agent/model/md5.h"
#include "agent/model/relabel.h"

#define RULE(...)                                                                                                      \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    } /* texts left out get Prometheus' defaults: with_defaults */
#define S(text)                                                                                                        \
    {                                                                                                                  \
        "" text, sizeof(text) - 1                                                                                      \
    }

static const struct slice source_a[] = {S("a")}, source_c[] = {S("c")}, source_ab[] = {S("a"), S("b")},
                          source_none[] = {S("nope")}, source_abc[] = {S("a"), S("b"), S("nope")};

static const struct {
    const char *name, *in;
    struct relabel_rule rule;
    const char *want; /* NULL: dropped */
} rows[] = {
    {"replace with a group", "a=foo b=bar c=baz",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S("f(.*)"), .target_label = S("d"),
          .replacement = S("ch${1}-ch${1}")),
     "{a=\"foo\",b=\"bar\",c=\"baz\",d=\"choo-choo\"}"},
    {"replace joins with the separator", "a=foo b=bar",
     RULE(.source_labels = source_ab, .n_source_labels = 2, .regex = S("f(.*);(.*)r"), .target_label = S("a"),
          .replacement = S("b${1}${2}m")),
     "{a=\"boobam\",b=\"bar\"}"},
    {"an own separator, a missing label is empty", "a=foo b=bar",
     RULE(.source_labels = source_abc, .n_source_labels = 3, .separator = S("-"), .target_label = S("d")),
     "{a=\"foo\",b=\"bar\",d=\"foo-bar-\"}"},
    {"no match changes nothing", "a=foo",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S("oo"), .target_label = S("b"),
          .replacement = S("x")),
     "{a=\"foo\"}"},
    {"an empty replacement deletes", "a=foo b=x",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .replacement = S("")),
     "{a=\"foo\"}"},
    {"no sources set a constant", "a=foo", RULE(.target_label = S("b"), .replacement = S("const")),
     "{a=\"foo\",b=\"const\"}"},
    {"target from a template", "a=some-name-value",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S("some-([^-]+)-([^,]+)"),
          .target_label = S("${1}"), .replacement = S("${2}")),
     "{a=\"some-name-value\",name=\"value\"}"},
    {"an illegal target from a template is skipped", "a=some-na.me-value",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S("some-([^-]+)-([^,]+)"),
          .target_label = S("${1}"), .replacement = S("${2}")),
     "{a=\"some-na.me-value\"}"},
    {"keep matches the whole value", "a=foo",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S("fo"), .action = RELABEL_KEEP), NULL},
    {"keep", "a=foo",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S("f|foo"), .action = RELABEL_KEEP), "{a=\"foo\"}"},
    {"drop", "a=foo",
     RULE(.source_labels = source_a, .n_source_labels = 1, .regex = S(".*o.*"), .action = RELABEL_DROP), NULL},
    {"drop with an absent source matches the empty text", "a=foo",
     RULE(.source_labels = source_none, .n_source_labels = 1, .regex = S(""), .action = RELABEL_DROP), NULL},
    {"hashmod by MD5", "a=foo b=bar c=baz",
     RULE(.source_labels = source_c, .n_source_labels = 1, .target_label = S("d"), .modulus = 1000,
          .action = RELABEL_HASHMOD),
     "{a=\"foo\",b=\"bar\",c=\"baz\",d=\"976\"}"},
    {"labelmap", "a=foo b1=bar b2=baz",
     RULE(.regex = S("b(.*)"), .replacement = S("bar_$1"), .action = RELABEL_LABELMAP),
     "{a=\"foo\",b1=\"bar\",b2=\"baz\",bar_1=\"bar\",bar_2=\"baz\"}"},
    {"labelmap of meta labels", "__meta_my_bar=aaa a=foo",
     RULE(.regex = S("__meta_(my.*)"), .action = RELABEL_LABELMAP), "{__meta_my_bar=\"aaa\",a=\"foo\",my_bar=\"aaa\"}"},
    {"labeldrop", "a=foo b1=bar b2=baz", RULE(.regex = S("(b.*)"), .action = RELABEL_LABELDROP), "{a=\"foo\"}"},
    {"labelkeep", "a=foo b1=bar b2=baz", RULE(.regex = S("(b.*)"), .action = RELABEL_LABELKEEP),
     "{b1=\"bar\",b2=\"baz\"}"},
    {"lowercase", "a=fOo123Bar",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .action = RELABEL_LOWERCASE),
     "{a=\"fOo123Bar\",b=\"foo123bar\"}"},
    {"uppercase", "a=fOoÄ",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .action = RELABEL_UPPERCASE),
     "{a=\"fOoÄ\",b=\"FOOÄ\"}"},
    {"keepequal keeps", "a=x b=x",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .action = RELABEL_KEEPEQUAL),
     "{a=\"x\",b=\"x\"}"},
    {"keepequal drops", "a=x b=y",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .action = RELABEL_KEEPEQUAL), NULL},
    {"dropequal drops", "a=x b=x",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .action = RELABEL_DROPEQUAL), NULL},
    {"dropequal keeps", "a=x b=y",
     RULE(.source_labels = source_a, .n_source_labels = 1, .target_label = S("b"), .action = RELABEL_DROPEQUAL),
     "{a=\"x\",b=\"y\"}"},
};

static struct relabel_rule with_defaults(struct relabel_rule rule)
{
    struct relabel_rule defaults = relabel_rule_default();

    if (rule.separator.ptr == NULL)
        rule.separator = defaults.separator;
    if (rule.regex.ptr == NULL)
        rule.regex = defaults.regex;
    if (rule.replacement.ptr == NULL)
        rule.replacement = defaults.replacement;
    return rule;
}

static void rules_do_what_prometheus_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        const struct labels *in = labels_of(rows[i].in), *out = NULL;
        struct relabel_rule rule = with_defaults(rows[i].rule);
        struct relabel_rules *rules = NULL;
        struct error err = {0};
        struct buf text;

        if (relabel_rules_new(&rules, &rule, 1, &err) != OK)
            fail_msg("%s: %s", rows[i].name, err.text);
        assert_int_equal(relabel_labels(rules, in, &out), OK);
        if ((out == NULL) != (rows[i].want == NULL))
            fail_msg("%s: %s", rows[i].name, out == NULL ? "dropped" : "kept");
        if (out != NULL) {
            labels_text(out, &text);
            if (!slice_eq_str(buf_slice(&text), rows[i].want))
                fail_msg("%s: got %.*s", rows[i].name, SLICE_ARG(buf_slice(&text)));
            buf_release(&text);
        }
        labels_unref(in);
        labels_unref(out);
        relabel_rules_unref(rules);
    }
}

static const struct {
    struct relabel_rule rule;
    const char *want;
} refused[] = {
    {RULE(.action = RELABEL_REPLACE), "replace action requires 'target_label'"},
    {RULE(.target_label = S("a-b")), "\"a-b\" is invalid 'target_label' for replace action"},
    {RULE(.target_label = S("a${1}-")), "is invalid 'target_label'"},
    {RULE(.target_label = S("${1")), "is invalid 'target_label'"},
    {RULE(.target_label = S("a"), .action = RELABEL_HASHMOD), "hashmod requires non-zero modulus"},
    {RULE(.target_label = S("a$1"), .modulus = 1, .action = RELABEL_HASHMOD), "is invalid 'target_label'"},
    {RULE(.target_label = S("a"), .replacement = S("x"), .action = RELABEL_LOWERCASE),
     "'replacement' can not be set for lowercase action"},
    {RULE(.replacement = S("-"), .action = RELABEL_LABELMAP), "\"-\" is invalid 'replacement' for labelmap action"},
    {RULE(.target_label = S("a"), .action = RELABEL_LABELDROP), "labeldrop action requires only 'regex'"},
    {RULE(.separator = S(","), .action = RELABEL_LABELKEEP), "labelkeep action requires only 'regex'"},
    {RULE(.target_label = S("a"), .regex = S("x"), .action = RELABEL_KEEPEQUAL),
     "keepequal action requires only 'source_labels' and 'target_label'"},
    {RULE(.target_label = S("a"), .regex = S("(")), ")"},
};

static void what_prometheus_refuses_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(refused); i++) {
        struct relabel_rule rule = with_defaults(refused[i].rule);
        struct relabel_rules *rules = NULL;
        struct error err = {0};

        assert_int_equal(relabel_rules_new(&rules, &rule, 1, &err), INVALID);
        assert_null(rules);
        if (strstr(err.text, refused[i].want) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void the_error_names_the_rule(void **state)
{
    struct relabel_rule two[2] = {relabel_rule_default(), relabel_rule_default()};
    struct relabel_rules *rules;
    struct error err = {0};

    (void)state;
    two[0].target_label = SLICE_LIT("a");
    assert_int_equal(relabel_rules_new(&rules, two, 2, &err), INVALID);
    assert_non_null(strstr(err.text, "rule 2: "));
}

static void actions_have_names(void **state)
{
    enum relabel_action action;
    struct error err = {0};

    (void)state;
    for (unsigned i = 0; i <= RELABEL_DROPEQUAL; i++) {
        assert_int_equal(relabel_action_parse(slice_str(relabel_action_name((enum relabel_action)i)), &action, &err),
                         OK);
        assert_int_equal(action, i);
    }
    assert_int_equal(relabel_action_parse(SLICE_LIT("LabelMap"), &action, &err), OK);
    assert_int_equal(relabel_action_parse(SLICE_LIT("keeep"), &action, &err), INVALID);
    assert_non_null(strstr(err.text, "keeep"));
}

/* RFC 1321, A.5. */
static void md5_gives_the_rfc_values(void **state)
{
    static const struct {
        const char *in, *want;
    } sums[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };

    (void)state;
    for (size_t i = 0; i < N_OF(sums); i++) {
        uint8_t digest[MD5_BYTES];
        char text[33];

        md5(slice_str(sums[i].in), digest);
        for (unsigned k = 0; k < MD5_BYTES; k++)
            (void)snprintf(text + 2 * k, 3, "%02x", digest[k]);
        assert_string_equal(text, sums[i].want);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_do_what_prometheus_documents), cmocka_unit_test(what_prometheus_refuses_is_refused),
        cmocka_unit_test(the_error_names_the_rule),           cmocka_unit_test(actions_have_names),
        cmocka_unit_test(md5_gives_the_rfc_values),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
