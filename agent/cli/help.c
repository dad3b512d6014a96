#include "agent/cli/commands.h"
#include <stdarg.h>

static const char introduction[] =
    "hyagent collects logs, metrics and traces and delivers them to Loki, Prometheus and Tempo.\n"
    "It is configured in Alloy's language, with Alloy's component names.\n"
    "\n"
    "Usage:\n";

static const char more[] =
    "  hyagent --config FILE [flags]     the same as run FILE\n"
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
    fputs(introduction, out);
    for (const struct command *c = commands; c->name != NULL; c++) {
        char left[64];

        snprintf(left, sizeof left, "%s %s", c->name, c->usage);
        fprintf(out, "  hyagent %-25s %s\n", left, c->doc);
    }
    fputs(more, out);
    return EXIT_OK;
}

int command_usage(const char *name, const char *text)
{
    const struct command *c = command_find(name);

    printf("Usage: hyagent %s %s%s[flags]\n\n%s.\n%s%s\n", c->name, c->usage, *c->usage != '\0' ? " " : "", c->doc,
           text != NULL ? text : "", text != NULL ? "\n" : "");
    flags_print(c->flags, stdout);
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
