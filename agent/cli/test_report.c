#include "agent/cli/test_report.h"
#include "agent/base/limits.h"
#include "agent/text/json.h"
#include "agent/text/utf8.h"

enum { MS_IN_S = 1000 };

static const char *status_name(enum test_status status)
{
    switch (status) {
    case TEST_PASSED:
        return "passed";
    case TEST_FAILED:
        return "failed";
    case TEST_BROKEN:
        return "broken";
    }
    return "broken";
}

static void flush(struct test_report *r, struct buf *text)
{
    if (text->len != 0)
        (void)fwrite(text->ptr, 1, text->len, r->out);
    buf_reset(text);
}

/* Lines of logs and texts of configurations are shown: they drive no terminal and break no report. Whatever is no
 * character, or one that is not printed, is written as \xNN. */
static void add_printable(struct buf *out, struct slice text)
{
    while (text.len != 0) {
        uint32_t rune;
        size_t n = utf8_decode(text, &rune);
        bool is_bad = (rune == UTF8_REPLACEMENT && n == 1) || rune == 0xfffe || rune == 0xffff;
        bool is_control = (rune < 0x20 && rune != '\n' && rune != '\t') || (rune >= 0x7f && rune < 0xa0);

        for (size_t i = 0; i < n && (is_bad || is_control); i++)
            buf_printf(out, "\\x%02x", (unsigned char)text.ptr[i]);
        if (!is_bad && !is_control)
            buf_add(out, slice_head(text, n));
        text = slice_from(text, n);
    }
}

/* --- text --- */

static void text_test(struct test_report *r, const struct test_file *file, const struct test *test,
                      const struct test_result *result)
{
    if (result->status != TEST_PASSED)
        fprintf(r->out, "%-6s %s:%u:%u %s\n%.*s", result->status == TEST_FAILED ? "FAIL" : "BROKEN", file->path,
                test->at.line, test->at.column, test->name, (int)result->text.len,
                result->text.len != 0 ? result->text.ptr : "");
    else if (r->is_verbose)
        fprintf(r->out, "ok     %s:%u:%u %s (%.0f ms)\n", file->path, test->at.line, test->at.column, test->name,
                result->seconds * MS_IN_S);
}

static void text_end_file(struct test_report *r, const struct test_file *file)
{
    size_t n_bad = r->file.n_failed + r->file.n_broken;

    if (n_bad == 0)
        fprintf(r->out, "ok     %s (%zu test%s, %.0f ms)\n", file->path, r->file.n, r->file.n == 1 ? "" : "s",
                r->file.seconds * MS_IN_S);
    else
        fprintf(r->out, "FAIL   %s (%zu of %zu)\n", file->path, n_bad, r->file.n);
}

static void text_end(struct test_report *r)
{
    fprintf(r->out, "%zu passed", r->n_passed);
    if (r->n_failed != 0)
        fprintf(r->out, ", %zu failed", r->n_failed);
    if (r->n_broken != 0)
        fprintf(r->out, ", %zu could not be run", r->n_broken);
    fprintf(r->out, " (%.0f ms)\n", r->seconds * MS_IN_S);
}

/* --- JSON --- */

static void json_test(struct test_report *r, const char *path, const char *name, const struct test_result *result)
{
    struct buf text;

    buf_init(&text, 8 * LIMIT_TEST_REPORT_BYTES);
    buf_add_str(&text, r->has_written ? ",\n  {\"file\":" : "\n  {\"file\":");
    r->has_written = true;
    json_write_string(&text, slice_str(path));
    buf_add_str(&text, ",\"name\":");
    json_write_string(&text, slice_str(name));
    buf_printf(&text,
               ",\"status\":\"%s\",\"line\":%u,\"column\":%u,\"seconds\":%.6f,\"text\":", status_name(result->status),
               result->at.line, result->at.column, result->seconds);
    json_write_string(&text, buf_slice(&result->text));
    buf_add_char(&text, '}');
    flush(r, &text);
    buf_release(&text);
}

/* --- JUnit --- */

static void put_xml(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '&')
            buf_add_str(out, "&amp;");
        else if (c == '<')
            buf_add_str(out, "&lt;");
        else if (c == '>')
            buf_add_str(out, "&gt;");
        else if (c == '"')
            buf_add_str(out, "&quot;");
        else
            buf_add_char(out, c);
    }
}

static void junit_test(struct test_report *r, const char *path, const char *name, const struct test_result *result)
{
    struct buf *out = &r->file.text;
    const char *word = result->status == TEST_FAILED ? "failure" : "error";

    buf_add_str(out, "    <testcase name=\"");
    put_xml(out, slice_str(name));
    buf_add_str(out, "\" classname=\"");
    put_xml(out, slice_str(path));
    buf_printf(out, "\" time=\"%.6f\"", result->seconds);
    if (result->status == TEST_PASSED) {
        buf_add_str(out, "/>\n");
        return;
    }
    buf_printf(out, ">\n      <%s message=\"line %u\">", word, result->at.line);
    put_xml(out, buf_slice(&result->text));
    buf_printf(out, "</%s>\n    </testcase>\n", word);
}

static void junit_end_file(struct test_report *r, const struct test_file *file)
{
    struct buf head;

    buf_init(&head, LIMIT_TEST_REPORT_BYTES);
    buf_add_str(&head, "  <testsuite name=\"");
    put_xml(&head, slice_str(file->path));
    buf_printf(&head, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.6f\">\n", r->file.n, r->file.n_failed,
               r->file.n_broken, r->file.seconds);
    flush(r, &head);
    flush(r, &r->file.text);
    fputs("  </testsuite>\n", r->out);
    buf_release(&head);
}

/* --- TAP --- */

static void tap_test(struct test_report *r, const char *path, const char *name, const struct test_result *result)
{
    struct slice rest = buf_slice(&result->text), line;

    fprintf(r->out, "%s %zu - %s %s\n", result->status == TEST_PASSED ? "ok" : "not ok",
            r->n_passed + r->n_failed + r->n_broken, path, name);
    while (rest.len != 0) {
        (void)slice_cut(rest, '\n', &line, &rest);
        fprintf(r->out, "# %.*s\n", (int)line.len, line.ptr);
    }
}

/* --- all --- */

void test_report_begin(struct test_report *r, enum test_format format, bool is_verbose, FILE *out)
{
    *r = (struct test_report){.format = format, .is_verbose = is_verbose, .out = out};
    if (format == TEST_JSON)
        fputs("{\"tests\":[", out);
    else if (format == TEST_JUNIT)
        fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", out);
    else if (format == TEST_TAP)
        fputs("TAP version 13\n", out);
}

void test_report_begin_file(struct test_report *r)
{
    r->file.n = r->file.n_failed = r->file.n_broken = 0;
    r->file.seconds = 0;
    buf_init(&r->file.text, LIMIT_CONFIG_FILE_BYTES + 64 * LIMIT_TEST_REPORT_BYTES);
}

static void count(struct test_report *r, const struct test_result *result)
{
    size_t is_failed = result->status == TEST_FAILED, is_broken = result->status == TEST_BROKEN;

    r->file.n++;
    r->file.n_failed += is_failed;
    r->file.n_broken += is_broken;
    r->file.seconds += result->seconds;
    r->n_failed += is_failed;
    r->n_broken += is_broken;
    r->n_passed += !is_failed && !is_broken;
    r->seconds += result->seconds;
}

static void put_test(struct test_report *r, const struct test_file *file, const struct test *test,
                     const struct test_result *result)
{
    switch (r->format) {
    case TEST_TEXT:
        text_test(r, file, test, result);
        break;
    case TEST_JSON:
        json_test(r, file->path, test->name, result);
        break;
    case TEST_JUNIT:
        junit_test(r, file->path, test->name, result);
        break;
    case TEST_TAP:
        tap_test(r, file->path, test->name, result);
        break;
    }
}

void test_report_test(struct test_report *r, const struct test_file *file, const struct test *test,
                      const struct test_result *result)
{
    struct test_result shown = *result;

    count(r, result);
    buf_init(&shown.text, 4 * LIMIT_TEST_REPORT_BYTES + 1);
    add_printable(&shown.text, buf_slice(&result->text));
    put_test(r, file, test, &shown);
    buf_release(&shown.text);
}

void test_report_broken_file(struct test_report *r, const struct test_file *file)
{
    struct test_result result = {.status = TEST_BROKEN};
    const struct diags *diags = &file->diags;
    struct buf text;

    if (diags->n != 0)
        result.at = diags->items[0].start;
    buf_init(&text, LIMIT_TEST_REPORT_BYTES);
    diags_print(&text, diags, false);
    buf_init(&result.text, 4 * LIMIT_TEST_REPORT_BYTES + 1);
    add_printable(&result.text, buf_slice(&text));
    buf_release(&text);
    count(r, &result);
    switch (r->format) {
    case TEST_TEXT:
        fprintf(r->out, "BROKEN %s\n%.*s", file->path, (int)result.text.len,
                result.text.len != 0 ? result.text.ptr : "");
        break;
    case TEST_JSON:
        json_test(r, file->path, "", &result);
        break;
    case TEST_JUNIT:
        junit_test(r, file->path, "the file", &result);
        break;
    case TEST_TAP:
        tap_test(r, file->path, "the file", &result);
        break;
    }
    buf_release(&result.text);
}

void test_report_end_file(struct test_report *r, const struct test_file *file)
{
    if (r->format == TEST_TEXT && r->file.n != 0)
        text_end_file(r, file);
    else if (r->format == TEST_JUNIT && r->file.n != 0)
        junit_end_file(r, file);
    buf_release(&r->file.text);
}

void test_report_end(struct test_report *r)
{
    switch (r->format) {
    case TEST_TEXT:
        text_end(r);
        break;
    case TEST_JSON:
        fprintf(r->out, "\n],\"passed\":%zu,\"failed\":%zu,\"broken\":%zu,\"seconds\":%.6f}\n", r->n_passed,
                r->n_failed, r->n_broken, r->seconds);
        break;
    case TEST_JUNIT:
        fputs("</testsuites>\n", r->out);
        break;
    case TEST_TAP:
        fprintf(r->out, "1..%zu\n", r->n_passed + r->n_failed + r->n_broken);
        break;
    }
}
