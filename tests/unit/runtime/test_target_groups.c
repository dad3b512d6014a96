/* Prometheus' target groups, by its documentation of file_sd and http_sd. */
#include "agent/runtime/target_groups.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct target_label more = {{"__meta_url", 10}, {"u", 1}};

static void write(struct buf *out, const struct targets *t)
{
    for (size_t i = 0; i < t->n; i++) {
        value_to_json(out, &t->items[i], true);
        (void)buf_add_char(out, '\n');
    }
    (void)buf_add_char(out, '\0');
}

static void groups_become_targets(void **state)
{
    static const struct {
        const char *name;
        enum target_groups_form form;
        const char *in, *want;
    } rows[] = {
        {"json", TARGET_GROUPS_JSON, "[{\"targets\":[\"a:1\",\"b\"],\"labels\":{\"x\":\"y\"}},{\"targets\":[\"c\"]}]",
         "{\"__address__\":\"a:1\",\"x\":\"y\",\"__meta_url\":\"u\"}\n"
         "{\"__address__\":\"b\",\"x\":\"y\",\"__meta_url\":\"u\"}\n{\"__address__\":\"c\",\"__meta_url\":\"u\"}\n"},
        {"yaml", TARGET_GROUPS_YAML, "- targets:\n  - a:1\n  - 'b'\n  labels:\n    x: y\n    port: 80\n    no: true\n",
         "{\"__address__\":\"a:1\",\"x\":\"y\",\"port\":\"80\",\"no\":\"true\",\"__meta_url\":\"u\"}\n"
         "{\"__address__\":\"b\",\"x\":\"y\",\"port\":\"80\",\"no\":\"true\",\"__meta_url\":\"u\"}\n"},
        {"the added label wins", TARGET_GROUPS_JSON,
         "[{\"targets\":[\"a\"],\"labels\":{\"__meta_url\":\"own\",\"__address__\":\"own\"}}]",
         "{\"__address__\":\"a\",\"__meta_url\":\"u\"}\n"},
        {"no targets", TARGET_GROUPS_JSON, "[{\"labels\":{\"x\":\"y\"}},{\"targets\":null,\"labels\":null},{}]", ""},
        {"empty list", TARGET_GROUPS_JSON, "[]", ""},
        {"empty file", TARGET_GROUPS_YAML, "", ""},
        {"null", TARGET_GROUPS_JSON, "null", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error err = {0};
        struct targets t;
        struct buf out;

        targets_init(&t, 0);
        buf_init(&out, 4096);
        if (target_groups_read(&t, rows[i].form, slice_str(rows[i].in), more, &err) != OK)
            fail_msg("%s: %s", rows[i].name, err.text);
        write(&out, &t);
        if (strcmp(out.ptr, rows[i].want) != 0)
            fail_msg("%s: %s", rows[i].name, out.ptr);
        buf_release(&out);
        targets_release(&t);
    }
}

static void what_is_no_target_group_is_refused_in_words(void **state)
{
    static const struct {
        enum target_groups_form form;
        const char *in, *why;
    } rows[] = {
        {TARGET_GROUPS_JSON, "[{", "json"},
        {TARGET_GROUPS_JSON, "{\"targets\":[]}", "not a list of target groups"},
        {TARGET_GROUPS_JSON, "[null]", "target group 1: it is not an object"},
        {TARGET_GROUPS_JSON, "[{},{\"targets\":\"a\"}]", "target group 2: \"targets\" is not a list"},
        {TARGET_GROUPS_JSON, "[{\"targets\":[\"a\",1]}]", "target 2 is not a string"},
        {TARGET_GROUPS_JSON, "[{\"labels\":[]}]", "\"labels\" is not an object"},
        {TARGET_GROUPS_JSON, "[{\"labels\":{\"a\":1}}]", "the label \"a\" is not a string"},
        {TARGET_GROUPS_JSON, "[{\"labels\":{\"\":\"x\"}}]", "a label has the name \"\""},
        {TARGET_GROUPS_JSON, "[{\"target\":[]}]", "\"target\", which is neither"},
        {TARGET_GROUPS_YAML, "- targets: [a\n", "line"},
        {TARGET_GROUPS_YAML, "- labels: {a: [1]}\n", "the label \"a\" is not a string"},
        {TARGET_GROUPS_YAML, "targets: [a]\n", "not a list of target groups"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error err = {0};
        struct targets t;

        targets_init(&t, 0);
        assert_int_equal(target_groups_read(&t, rows[i].form, slice_str(rows[i].in), more, &err), INVALID);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].in, err.text);
        targets_release(&t);
    }
}

static void more_targets_than_the_limit_are_refused(void **state)
{
    struct error err = {0};
    struct targets t;
    struct buf text;

    (void)state;
    targets_init(&t, 0);
    buf_init(&text, LIMIT_TARGET_GROUPS_BYTES);
    (void)buf_add_str(&text, "[{\"targets\":[\"a\"");
    for (size_t i = 0; i < LIMIT_TARGETS; i++)
        (void)buf_add_str(&text, ",\"a\"");
    (void)buf_add_str(&text, "]}]");
    assert_int_equal(target_groups_read(&t, TARGET_GROUPS_JSON, buf_slice(&text), more, &err), FULL);
    assert_non_null(strstr(err.text, "more than 200000 targets"));
    buf_release(&text);
    targets_release(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_become_targets),
        cmocka_unit_test(what_is_no_target_group_is_refused_in_words),
        cmocka_unit_test(more_targets_than_the_limit_are_refused),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
