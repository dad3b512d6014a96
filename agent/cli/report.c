/* Diagnostics on the terminal, and for editors. */
#include "agent/base/limits.h"
#include "agent/cli/commands.h"
#include "agent/text/json.h"
#include <stdlib.h>
#include <unistd.h>

enum { REPORT_VERSION = 1, REPORT_BYTES = 16 * LIMIT_CONFIG_FILE_BYTES };

void print_diags(const struct diags *diags, bool notes_too)
{
    const char *no_color = getenv("NO_COLOR");
    bool is_coloured = isatty(STDERR_FILENO) && (no_color == NULL || no_color[0] == '\0');
    struct diags shown;
    struct diags picked = *diags;
    struct buf text;

    diags_init(&shown);
    picked.items = diags->items;
    for (size_t i = 0; i < diags->n; i++) {
        if (!notes_too && diags->items[i].kind == DIAG_ONLY_VALIDATE)
            continue;
        picked.items = &diags->items[i];
        picked.n = 1;
        picked.n_errors = diags->items[i].severity == SEVERITY_ERROR;
        picked.n_dropped = i + 1 == diags->n ? diags->n_dropped : 0;
        diags_append(&shown, &picked);
    }
    diags_sort(&shown);
    buf_init(&text, REPORT_BYTES);
    diags_print(&text, &shown, is_coloured);
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stderr);
    buf_release(&text);
    diags_release(&shown);
}

/* --- JSON --- */

static const char *kind_name(enum diag_kind kind)
{
    switch (kind) {
    case DIAG_PLAIN:
        return "plain";
    case DIAG_ONLY_VALIDATE:
        return "only_validate";
    case DIAG_NO_EFFECT:
        return "no_effect";
    case DIAG_DEPRECATED:
        return "deprecated";
    }
    return "plain";
}

static void put_string(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ", \"%s\": ", key);
    json_write_string(out, slice_str(text));
}

static void put_range(struct buf *out, const struct diag *d)
{
    struct position end = d->end.line != 0 ? d->end : d->start;

    if (d->start.line == 0) {
        buf_add_str(out, ", \"range\": null");
        return;
    }
    buf_printf(out, ", \"range\": {\"start\": {\"line\": %u, \"column\": %u}, \"end\": {\"line\": %u, \"column\": %u}}",
               d->start.line, d->start.column, end.line, end.column);
}

static void put_diag(struct buf *out, const struct diag *d, bool is_first)
{
    buf_printf(out, "%s\n    {\"severity\": \"%s\"", is_first ? "" : ",",
               d->severity == SEVERITY_ERROR ? "error" : "warning");
    put_string(out, "kind", kind_name(d->kind));
    put_string(out, "file", d->file);
    put_range(out, d);
    put_string(out, "message", d->text);
    if (d->hint != NULL)
        put_string(out, "hint", d->hint);
    if (d->page != NULL) {
        buf_add_str(out, ", \"page\": \"");
        diag_print_page(out, d);
        buf_add_str(out, "\", \"command\": \"hyagent docs ");
        diag_print_topic(out, d);
        buf_add_char(out, '"');
    }
    buf_add_char(out, '}');
}

bool print_diags_json(const struct diags *diags)
{
    struct diags sorted;
    struct buf out;
    bool is_written;

    diags_init(&sorted);
    diags_append(&sorted, diags);
    diags_sort(&sorted);
    buf_init(&out, REPORT_BYTES);
    buf_printf(&out, "{\n  \"schema\": %d,\n  \"valid\": %s,\n  \"errors\": %zu,\n  \"warnings\": %zu,\n",
               REPORT_VERSION, diags->n_errors == 0 ? "true" : "false", diags->n_errors,
               diags->n + diags->n_dropped - diags->n_errors);
    buf_printf(&out, "  \"not_shown\": %zu,\n  \"diagnostics\": [", diags->n_dropped);
    for (size_t i = 0; i < sorted.n; i++)
        put_diag(&out, &sorted.items[i], i == 0);
    buf_add_str(&out, sorted.n > 0 ? "\n  ]\n}\n" : "]\n}\n");
    is_written = !out.is_full && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_release(&out);
    diags_release(&sorted);
    return is_written;
}
