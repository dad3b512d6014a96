/* Diagnostics: what is printed, and what is kept out of it. */
#include "agent/river/diag.h"
#include "agent/river/parser.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>

/* Prints one error about the bytes [start, end) of text. */
static void print(struct buf *out, const char *text, uint32_t start, uint32_t end)
{
    struct arena arena;
    struct diags diags;
    const struct source *source;

    arena_init(&arena, 0);
    diags_init(&diags);
    source = source_new(&arena, SLICE_LIT("f"), slice_str(text));
    (void)diags_error(&diags, source, (struct span){start, end}, "bad");
    buf_init(out, 65536);
    diags_print(out, &diags, false);
    (void)buf_add_char(out, '\0');
    diags_release(&diags);
    arena_release(&arena);
}

static void a_literal_that_sounds_secret_is_not_shown(void **state)
{
    static const struct {
        const char *line, *shown;
    } rows[] = {
        {"password = \"hunter2\"", "password = \"(secret)\""},
        {"password \"hunter2\"", "password \"(secret)\""},
        {"password = \"hunter2", "password = \"(secret)\""},
        {"\tbearer_token=`hunter2`", "\tbearer_token=\"(secret)\""},
        {"basic_auth { password = \"hun\\\"ter2\" }", "basic_auth { password = \"(secret)\" }"},
        {"headers = {\"X-Api-Key\" = \"hunter2\", \"Accept\" = \"text\"}",
         "headers = {\"X-Api-Key\" = \"(secret)\", \"Accept\" = \"text\"}"},
        {"\"Authorization\" = \"Bearer hunter2\",", "\"Authorization\" = \"(secret)\","},
        {"tokens = [\"hunter2\", \"hunter3\"]", "tokens = [\"(secret)\", \"(secret)\"]"},
        {"password_file = \"/etc/pw\"", "password_file = \"/etc/pw\""},
        {"token_url = \"http://h/\"", "token_url = \"http://h/\""},
        {"password = sys.env(\"PW\")", "password = sys.env(\"PW\")"},
        {"password = sys.env(\"PW\") + \"hunter2\"", "password = sys.env(\"PW\") + \"(secret)\""},
        {"url = \"http://me:hunter2@host/a:b@c\"", "url = \"http://me:xxxxx@host/a:b@c\""},
        {"url = \"http://host/?a=b:c@d\"", "url = \"http://host/?a=b:c@d\""},
        {"a = sys.env(x, password = \"hunter2\"", "a = sys.env(x, password = \"(secret)\""},
        {"password = \"hunter2\" = x", "password = \"(secret)\" = x"},
        {"expression = \"password=(.*)\"", "expression = \"password=(.*)\""},
        {"a = \"x\"", "a = \"x\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char want[256];
        struct buf out;

        snprintf(want, sizeof want, "f:1:1: error: bad\n 1 | %s\n   | ^\n", rows[i].shown);
        print(&out, rows[i].line, 0, 1);
        if (rows[i].line[0] != '\t')
            assert_string_equal(out.ptr, want);
        else
            assert_non_null(strstr(out.ptr, rows[i].shown));
        buf_release(&out);
    }
}

static void the_caret_stands_right_beside_a_hidden_literal(void **state)
{
    static const struct {
        const char *line;
        uint32_t start, end;
        const char *want;
    } rows[] = {
        /* inside of it, all of it, after it, across it */
        {"password = \"a-long-hunter2-text\" ]", 15, 16,
         " 1 | password = \"(secret)\" ]\n   |            ^~~~~~~~~~\n"},
        {"password = \"a-long-hunter2-text\" ]", 11, 32,
         " 1 | password = \"(secret)\" ]\n   |            ^~~~~~~~~~\n"},
        {"password = \"a-long-hunter2-text\" ]", 33, 34,
         " 1 | password = \"(secret)\" ]\n   |                       ^\n"},
        {"password = \"a\" + x", 0, 18, " 1 | password = \"(secret)\" + x\n   | ^~~~~~~~~~~~~~~~~~~~~~~~~\n"},
        {"x + \"\xC3\xA4\" + y", 11, 12, " 1 | x + \"\xC3\xA4\" + y\n   |           ^\n"},
        {"x", 1, 1, " 1 | x\n   |  ^\n"},
        {"\tx y", 3, 4, " 1 | \tx y\n   | \t  ^\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;

        print(&out, rows[i].line, rows[i].start, rows[i].end);
        assert_string_equal(strchr(out.ptr, '\n') + 1, rows[i].want);
        buf_release(&out);
    }
}

static void a_line_of_megabytes_costs_nothing(void **state)
{
    enum { BYTES = 1000000 };
    static char text[BYTES + 1];
    struct buf out;

    (void)state;
    memset(text, 'x', BYTES);
    print(&out, text, BYTES - 5, BYTES);
    assert_string_equal(out.ptr, "f:1:999996: error: bad\n 1 | (this line has 1000000 bytes)\n   | ^\n");
    buf_release(&out);
}

static void syntax_errors_show_no_password(void **state)
{
    static const char *const rows[] = {
        "a \"x\" {\n\tpassword = \"hunter2\n}\n",         "a \"x\" {\n\tpassword \"hunter2\"\n}\n",
        "a \"x\" {\n\tpassword: \"hunter2\"\n}\n",        "a \"x\" {\n\tpassword = 'hunter2'\n}\n",
        "a \"x\" {\n\tpassword = \"hunter2\" \"b\"\n}\n", "a \"x\" {\n\tpassword = \"hun\\qter2\"\n}\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct diags diags;
        struct ast_file *file;
        struct buf out;

        arena_init(&arena, 0);
        diags_init(&diags);
        assert_int_equal(river_parse(slice_str(rows[i]), "f", &arena, &diags, &file), INVALID);
        buf_init(&out, 65536);
        diags_print(&out, &diags, false);
        (void)buf_add_char(&out, '\0');
        if (strstr(out.ptr, "hunter2") != NULL || strstr(out.ptr, "ter2") != NULL)
            fail_msg("%s gives\n%s", rows[i], out.ptr);
        buf_release(&out);
        diags_release(&diags);
        arena_release(&arena);
    }
}

static void help_and_page_follow_the_line(void **state)
{
    struct diags diags, copy;
    struct diag *d;
    struct buf out;

    (void)state;
    diags_init(&diags);
    diags_init(&copy);
    d = diags_error(&diags, NULL, (struct span){0, 0}, "bad");
    diag_hint(&diags, d, "write %s", "b");
    diag_page(&diags, d, "loki.write#endpoint.%s", "basic_auth");
    diags_append(&copy, &diags);
    diags_release(&diags);
    buf_init(&out, 4096);
    diags_print(&out, &copy, false);
    (void)buf_add_char(&out, '\0');
    assert_string_equal(
        out.ptr,
        "error: bad\n  = help: write b\n"
        "  = see: docs/reference/loki.write.md#endpoint.basic_auth, or: hyagent docs loki.write.endpoint.basic_auth\n");
    buf_release(&out);
    diags_release(&copy);
}

static void a_copy_counts_what_was_not_kept(void **state)
{
    enum { MANY = 150, KEPT = 100 };
    struct diags diags, copy;

    (void)state;
    diags_init(&diags);
    diags_init(&copy);
    for (int i = 0; i < MANY; i++)
        (void)diags_error(&diags, NULL, (struct span){0, 0}, "error %d", i);
    diags_append(&copy, &diags);
    assert_int_equal(copy.n, KEPT);
    assert_int_equal(copy.n_errors, MANY);
    assert_int_equal(copy.n_dropped, MANY - KEPT);
    diags_release(&diags);
    diags_release(&copy);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_that_sounds_secret_is_not_shown),
        cmocka_unit_test(the_caret_stands_right_beside_a_hidden_literal),
        cmocka_unit_test(a_line_of_megabytes_costs_nothing),
        cmocka_unit_test(syntax_errors_show_no_password),
        cmocka_unit_test(help_and_page_follow_the_line),
        cmocka_unit_test(a_copy_counts_what_was_not_kept),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
