/* Golden files: NAME.river gives the diagnostics NAME.errors, NAME.in is formatted as NAME.out (as Alloy formats it).
 */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/river/lexer.h"
#include "agent/river/parser.h"
#include "agent/river/printer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#define GOLDEN "tests/unit/river/golden/"

static void read_file(const char *name, const char *ending, struct buf *out)
{
    char path[256], chunk[4096];
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof path, GOLDEN "%s%s", name, ending);
    f = fopen(path, "rb");
    if (f == NULL)
        fail_msg("%s cannot be read (tests run in the repository's root)", path);
    buf_reset(out);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        (void)buf_add(out, slice_make(chunk, n));
    (void)fclose(f);
}

/* The file's diagnostics, or (wants_text) its formatted text. */
static enum code process(struct slice text, const char *name, bool wants_text, struct buf *out)
{
    struct ast_file *file;
    struct arena arena;
    struct diags diags;
    enum code rc;

    arena_init(&arena, 512u << 20);
    diags_init(&diags);
    buf_reset(out);
    rc = river_parse(text, name, &arena, &diags, &file);
    if (rc == OK && wants_text)
        rc = river_format(file, out);
    else
        diags_print(out, &diags, false);
    diags_release(&diags);
    arena_release(&arena);
    return rc;
}

static void check_same(const char *name, const struct buf *got, const struct buf *want)
{
    if (!slice_eq(buf_slice(got), buf_slice(want)))
        fail_msg("%s gives\n%.*s\nwants\n%.*s", name, SLICE_ARG(buf_slice(got)), SLICE_ARG(buf_slice(want)));
}

static void errors_are_reported_all_at_once_with_place_and_help(void **state)
{
    static const char *const names[] = {"statements", "lists", "texts", "bytes", "braces"};
    struct buf in, got, want;

    (void)state;
    buf_init(&in, 1 << 20);
    buf_init(&got, 1 << 20);
    buf_init(&want, 1 << 20);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[64];

        (void)snprintf(file, sizeof file, "%s.river", names[i]);
        read_file(names[i], ".river", &in);
        read_file(names[i], ".errors", &want);
        assert_int_equal(process(buf_slice(&in), file, false, &got), INVALID);
        check_same(names[i], &got, &want);
    }
    buf_release(&in);
    buf_release(&got);
    buf_release(&want);
}

static void files_are_laid_out_as_alloy_does_it(void **state)
{
    static const char *const names[] = {"layout", "comments", "empty", "crlf"};
    struct buf in, got, want;

    (void)state;
    buf_init(&in, 1 << 20);
    buf_init(&got, 1 << 20);
    buf_init(&want, 1 << 20);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        read_file(names[i], ".in", &in);
        read_file(names[i], ".out", &want);
        assert_int_equal(process(buf_slice(&in), "in", true, &got), OK);
        check_same(names[i], &got, &want);
        assert_int_equal(process(buf_slice(&want), "out", true, &got), OK);
        check_same(names[i], &got, &want); /* and again: nothing changes */
    }
    buf_release(&in);
    buf_release(&got);
    buf_release(&want);
}

/* What Alloy's formatter gave for each, so its surprises too: a comment keeps the blanks at its end, what is joined
 * ends the columns before it, the blank lines of a file with nothing in it. */
static void small_texts_are_laid_out_as_alloy_does_it(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"a = {\n}\nlonger = 1\n", "a = {}\nlonger = 1\n"},
        {"a = 1 +\n2\nlonger = 1\n", "a = 1 + 2\nlonger = 1\n"},
        {"x = {\n\ta = [\n\t],\n\tlonger = 1,\n}\n", "x = {\n\ta = [],\n\tlonger = 1,\n}\n"},
        {"x = {a = 1,\nlonger = 2,\n}\n", "x = {a   = 1,\n\tlonger = 2,\n}\n"},
        {"a = 1 // two  \nbb = 2\n", "a  = 1 // two  \nbb = 2\n"},
        {"a = 1 /* x\r\ny */\r\n", "a = 1 /* x\ny */\n"},
        {"", "\n"},
        {"a \"\" { }\n", "a { }\n"},
        {"a./* x */b \"l\" {}\n", "a.b /* x */ \"l\" { }\n"},
        {"a = [1 /* c */, 2]\n", "a = [1, /* c */ 2]\n"},
        {"a = {\"b\" = 1, c = 2}\n", "a = {\"b\" = 1, c = 2}\n"},
        {"a = {`b` = 1}\n", "a = {\"b\" = 1}\n"},
        {"é = 1\nlonger = \"日本\"\n", "é      = 1\nlonger = \"日本\"\n"},
        {"a = 1\n\n\n\nb = 2\n", "a = 1\n\nb = 2\n"},
        {"a { b = 1\nc = 2 }\n", "a {\n\tb = 1\n\tc = 2\n}\n"},
        {"a = f(\n1,\n2,\n)\n", "a = f(\n\t1,\n\t2,\n)\n"},
        {"a = f(1,\n2)\n", "a = f(1,\n\t2)\n"},
        {"a = (\n1)\n", "a = (1)\n"},
        {"a = [1,\n2]\n", "a = [1,\n\t2]\n"},
        {"a = [\n1, 2,\n3,\n]\n", "a = [\n\t1, 2,\n\t3,\n]\n"},
        {"a = -(-1)\nb = !true\n", "a = -(-1)\nb = !true\n"},
        {"a = 1.\nb = a[0].c\n", "a = 1.\nb = a[0].c\n"},
        {"/* x */ a = 1\n", "/* x */ a = 1\n"},
        {"a = 1 /* x */ // y\n", "a = 1 /* x */ // y\n"},
        {"a { // x\n}\n", "a { // x\n}\n"},
        {"a {\n// x\n}\n", "a {\n\t// x\n}\n"},
        {"a {\n\n// x\n\nb = 1\n\n// y\n\n}\n", "a {\n\n\t// x\n\n\tb = 1\n\n\t// y\n\n}\n"},
        {"a = {}\nlonger = 1\n", "a = {}\nlonger = 1\n"},      /* as the first row leaves it */
        {"a = f( // x\n)\n", "a = f() // x\n"},                /* Alloy's would not read again: f(, */
        {"a.// x\nb \"l\" {}\n", "// x\na.b \"l\" { }\n"},     /* nor a newline after a name */
        {"a = `x \n\ty\tz`\n", "a = `x \n\ty\tz`\n"},          /* Alloy's changes raw strings */
        {"a = \"x\ty\"\nbb = 1\n", "a  = \"x\ty\"\nbb = 1\n"}, /* and texts with a tab */
        {"a = {\"\\\"\" = 1}\n", "a = {\"\\\"\" = 1}\n"},      /* and keys with an escape */
    };
    struct buf got;

    (void)state;
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice want = slice_str(rows[i].want);

        if (process(slice_str(rows[i].in), "in", true, &got) != OK || !slice_eq(buf_slice(&got), want))
            fail_msg("%s\ngives\n%.*s\nwants\n%s", rows[i].in, SLICE_ARG(buf_slice(&got)), rows[i].want);
        if (process(want, "out", true, &got) != OK || !slice_eq(buf_slice(&got), want))
            fail_msg("%s\ngives, formatted again,\n%.*s", rows[i].want, SLICE_ARG(buf_slice(&got)));
    }
    buf_release(&got);
}

static void lines_end_statements_only_where_they_can(void **state)
{
    static const struct {
        const char *in;
        bool is_good;
    } rows[] = {
        {"a = 1", true},
        {"a =\n1", true},
        {"a = 1 +\n2", true},
        {"a = 1\n+ 2", false},
        {"a = b.\nc", true},
        {"a = b\n.c", false},
        {"a = [\n1,\n2,\n]", true},
        {"a = [\n1,\n2\n]", false},
        {"a = f(1,\n2)", true},
        {"a = f(1\n)", false},
        {"a = {\nb = 1,\n}", true},
        {"a = {\nb = 1\n}", false},
        {"a = (1 +\n2)", true},
        {"a { b = 1 }", true},
        {"a { b = 1\nc = 2 }", true},
        {"a\n{ }", false},
        {"a { } b { }", false},
        {"a \"l\" { }", true},
        {"a \"\" { }", true},
        {"a.b.c \"l\" { }", true},
        {"\xC3\xA9t\xC3\xA9 = 1", true},
        {"a-b = 1", false},
        {"true = 1", false},
        {"a = 0x10", false},
        {"a = 1_000", false},
        {"a = 1 /* x */ /* y\n*/ b = 2", true}, /* a comment with a newline ends the line */
        {"a = 1 // x", true},
        {"\xEF\xBB\xBF"
         "a = 1",
         true},
        {"a = { \"\" = 1 }", true},
        {"", true},
        {"// only\n/* this */", true},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((process(slice_str(rows[i].in), "t", false, &out) == OK) != rows[i].is_good)
            fail_msg("%s: %.*s", rows[i].in, SLICE_ARG(buf_slice(&out)));
    }
    buf_release(&out);
}

static void references_are_listed_with_their_places(void **state)
{
    struct ast_refs refs = {0};
    struct ast_file *file;
    struct arena arena;
    struct diags diags;

    (void)state;
    arena_init(&arena, 0);
    diags_init(&diags);
    assert_int_equal(
        river_parse(SLICE_LIT("a = [loki.write.x.receiver]\nb {\n\tc = sys.env(d.e[0].f) + {g = h}.i\n}\n"), "t",
                    &arena, &diags, &file),
        OK);
    assert_int_equal(ast_body_refs(&arena, &file->body, &refs), OK);
    assert_int_equal(refs.n, 4);
    assert_int_equal(refs.items[0].n, 4);
    assert_true(slice_eq_str(refs.items[0].parts[3], "receiver"));
    assert_int_equal(source_position(refs.items[0].source, refs.items[0].span.start).column, 6);
    assert_int_equal(source_position(refs.items[0].source, refs.items[0].spans[3].start).column, 19);
    assert_true(slice_eq_str(refs.items[1].parts[0], "sys"));
    assert_true(slice_eq_str(refs.items[2].parts[1], "e"));
    assert_int_equal(refs.items[2].n, 2);
    assert_true(slice_eq_str(refs.items[3].parts[0], "h"));
    diags_release(&diags);
    arena_release(&arena);
}

/* n times the unit, between the two ends. */
static void repeat(struct buf *out, const char *before, const char *unit, size_t n, const char *after)
{
    buf_reset(out);
    (void)buf_add_str(out, before);
    for (size_t i = 0; i < n; i++)
        (void)buf_add_str(out, unit);
    (void)buf_add_str(out, after);
}

static void hostile_texts_end_soon(void **state)
{
    static const struct {
        const char *before, *unit, *after;
        size_t n;
        enum code want;
    } rows[] = {
        {"a = ", "[", "", 4000000, FULL},          {"", "a {", "", 1300000, FULL},
        {"a = ", "!", "true", 4000000, FULL},      {"a = ", "1^", "1", 2000000, FULL},
        {"a = b", ".c", "", 2000000, FULL},        {"a = [", "1,", "]", 1500000, FULL},
        {"a = 1 ", "/**/", "x", 1000000, INVALID}, {"", "}", "", 4000000, INVALID},
        {"", "\"", "", 4000000, INVALID},          {"", "a = [\n", "", 600000, INVALID},
        {"a = {", "b = 1, ", "}", 200000, OK},     {"", "// c\n", "", 700000, OK},
    };
    struct buf in, out;

    (void)state;
    buf_init(&in, LIMIT_CONFIG_FILE_BYTES);
    buf_init(&out, 64u << 20);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        clock_t start = clock();
        enum code rc;

        repeat(&in, rows[i].before, rows[i].unit, rows[i].n, rows[i].after);
        rc = process(buf_slice(&in), "t", rows[i].want == OK, &out);
        if (rc != rows[i].want)
            fail_msg("row %zu gives %s: %.*s", i, code_name(rc), SLICE_ARG(slice_head(buf_slice(&out), 300)));
        if ((double)(clock() - start) / CLOCKS_PER_SEC > 10) /* a second without the sanitizers */
            fail_msg("row %zu took %.1f s", i, (double)(clock() - start) / CLOCKS_PER_SEC);
    }
    repeat(&in, "", "x", LIMIT_CONFIG_FILE_BYTES, "");
    buf_reset(&out);
    assert_int_equal(process(slice_make(in.ptr, LIMIT_CONFIG_FILE_BYTES), "t", false, &out), INVALID);
    buf_release(&in);
    buf_release(&out);
}

static void a_file_past_the_limit_is_refused(void **state)
{
    char *text = mem_alloc(LIMIT_CONFIG_FILE_BYTES + 1);
    struct buf out;

    (void)state;
    memset(text, ' ', LIMIT_CONFIG_FILE_BYTES + 1);
    buf_init(&out, 4096);
    assert_int_equal(process(slice_make(text, LIMIT_CONFIG_FILE_BYTES + 1), "big.river", false, &out), FULL);
    assert_int_equal(strncmp(out.ptr, "big.river: error: the file is larger", 36), 0);
    buf_release(&out);
    mem_free(text);
}

static void the_nearest_word_is_suggested(void **state)
{
    struct nearest n;

    (void)state;
    assert_int_equal(edit_distance(SLICE_LIT("kitten"), SLICE_LIT("sitting"), 9), 3);
    assert_int_equal(edit_distance(SLICE_LIT("ab"), SLICE_LIT("ba"), 9), 1);
    assert_int_equal(edit_distance(SLICE_LIT("abc"), SLICE_LIT("xyz"), 1), 2);
    nearest_init(&n, SLICE_LIT("forward_too"));
    nearest_offer(&n, SLICE_LIT("targets"));
    nearest_offer(&n, SLICE_LIT("forward_to"));
    assert_true(slice_eq_str(n.best, "forward_to"));
    nearest_init(&n, SLICE_LIT("a"));
    nearest_offer(&n, SLICE_LIT("b"));
    assert_null(n.best.ptr);
}

static void a_full_list_keeps_errors_rather_than_warnings(void **state)
{
    struct span at = {0, 0};
    struct arena arena;
    struct diags d;
    const struct source *s;

    (void)state;
    arena_init(&arena, 0);
    diags_init(&d);
    s = source_new(&arena, SLICE_LIT("f"), SLICE_LIT("text"));
    for (int i = 0; i < LIMIT_CONFIG_DIAGS + 5; i++)
        (void)diags_warn(&d, s, at, "warning %d", i);
    (void)diags_error(&d, s, at, "the error");
    (void)diags_error(&d, s, at, "the error"); /* the same again is not kept */
    assert_int_equal(d.n, LIMIT_CONFIG_DIAGS);
    assert_int_equal(d.n_errors, 1);
    assert_string_equal(d.items[d.n - 1].text, "the error");
    diags_release(&d);
    arena_release(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_reported_all_at_once_with_place_and_help),
        cmocka_unit_test(files_are_laid_out_as_alloy_does_it),
        cmocka_unit_test(small_texts_are_laid_out_as_alloy_does_it),
        cmocka_unit_test(lines_end_statements_only_where_they_can),
        cmocka_unit_test(references_are_listed_with_their_places),
        cmocka_unit_test(hostile_texts_end_soon),
        cmocka_unit_test(a_file_past_the_limit_is_refused),
        cmocka_unit_test(the_nearest_word_is_suggested),
        cmocka_unit_test(a_full_list_keeps_errors_rather_than_warnings),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
