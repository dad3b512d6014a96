#include "agent/base/buf.h"
#include "agent/base/limits.h"
#include "agent/cli/commands.h"
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "hyagent collects logs, metrics and traces and delivers them to Loki, Prometheus and Tempo.\n"
    "It is configured in Alloy's language, with Alloy's component names.\n"
    "\n"
    "Usage:\n"
    "  hyagent run FILE|DIR [flags]      run a configuration (a folder: all its *.river and *.alloy)\n"
    "  hyagent --config FILE [flags]     the same\n"
    "  hyagent validate FILE|DIR         say everything that is wrong with a configuration, run nothing\n"
    "  hyagent fmt [-w|-t] [FILE]        lay out a configuration; - or no file: standard input\n"
    "  hyagent docs [COMPONENT]          what a component takes and exports; no name: list them\n"
    "  hyagent docs --markdown DIR       write the reference pages\n"
    "  hyagent healthcheck [--ready]     ask a running agent whether it is well\n"
    "  hyagent COMMAND --help            the flags of a command\n"
    "  hyagent --version\n"
    "\n"
    "Try it: hyagent run pipelines/quickstart.river --tap\n"
    "prints every item that reaches a destination. While it runs, http://127.0.0.1:12345/ shows the components,\n"
    "/metrics the agent's own metrics; SIGHUP or POST /-/reload loads a changed configuration, a broken one changes\n"
    "nothing and says why.\n"
    "\n"
    "Exit codes: 0 fine, 1 failure, 2 wrong usage, 3 a check failed (fmt -t, healthcheck).\n";

int command_help(FILE *out)
{
    fputs(help, out);
    return EXIT_OK;
}

int usage_error(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("hyagent: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

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
    buf_init(&text, 16 * LIMIT_CONFIG_FILE_BYTES);
    diags_print(&text, &shown, is_coloured);
    if (text.len > 0)
        fwrite(text.ptr, 1, text.len, stderr);
    buf_release(&text);
    diags_release(&shown);
}
