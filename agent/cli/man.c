/* hyagent man: the manual page, from the tables of commands and flags. */
#include "agent/base/buf.h"
#include "agent/cli/commands.h"

enum { PAGE_BYTES = 1024 * 1024 };

/* Text for roff: backslashes and leading control characters are harmless, hyphens stay hyphens. */
static void put_text(struct buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_add_str(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buf_add_str(out, "\\e");
        else if (*text == '-')
            buf_add_str(out, "\\-");
        else if (*text == '\'')
            buf_add_str(out, "\\(aq");
        else
            buf_add_char(out, *text);
    }
}

static void put_line(struct buf *out, const char *text)
{
    put_text(out, text);
    buf_add_char(out, '\n');
}

static void put_flag(struct buf *out, const struct flag *f)
{
    buf_add_str(out, ".TP\n");
    if (f->letter != 0)
        buf_printf(out, "\\fB\\-%c\\fR, ", f->letter);
    buf_add_str(out, "\\fB\\-\\-");
    put_text(out, f->name);
    buf_add_str(out, "\\fR");
    if (f->value != NULL) {
        buf_add_str(out, "=\\fI");
        put_text(out, f->value);
        buf_add_str(out, "\\fR");
    }
    buf_add_char(out, '\n');
    put_line(out, f->doc);
}

static void put_flags(struct buf *out, const struct command *c, enum flag_kind first, enum flag_kind last)
{
    for (const struct flag *f = c->flags; f->name != NULL; f++)
        if (f->kind >= first && f->kind <= last)
            put_flag(out, f);
}

static void put_command(struct buf *out, const struct command *c)
{
    buf_printf(out, ".SS hyagent %s", c->name);
    if (*c->usage != '\0') {
        buf_add_char(out, ' ');
        put_text(out, c->usage);
    }
    buf_add_char(out, '\n');
    put_text(out, c->doc);
    buf_add_str(out, ".\n");
    put_flags(out, c, FLAG_BOOL, (enum flag_kind)(FLAG_IGNORED - 1));
}

static void put_alloys_flags(struct buf *out)
{
    const struct command *run = command_find("run");

    buf_add_str(out, ".SH FLAGS OF ALLOY\n.SS Accepted without effect\n");
    put_flags(out, run, FLAG_IGNORED, FLAG_IGNORED_BOOL);
    buf_add_str(out, ".SS Refused\n");
    put_flags(out, run, FLAG_REFUSED, FLAG_REFUSED_BOOL);
}

static const char head[] =
    ".SH NAME\nhyagent \\- collects logs, metrics and traces\n"
    ".SH SYNOPSIS\n.B hyagent\n.I COMMAND\n[\\fIFLAGS\\fR]\n[\\fIWORDS\\fR]\n"
    ".SH DESCRIPTION\n"
    "hyagent collects logs, metrics and traces and delivers them to Loki, Prometheus and Tempo.\n"
    "It is configured in Alloy\\(aqs language, with Alloy\\(aqs component names. Called as\n.B alloy\n"
    "it takes Alloy\\(aqs command lines, keeps its data in data\\-alloy/ and ends with 1 whatever went wrong.\n"
    ".SH COMMANDS\n";

static const char tail[] =
    ".SH SIGNALS\n"
    ".TP\nSIGHUP\nLoads the configuration again. One that is broken changes nothing; the log says why.\n"
    ".TP\nSIGTERM, SIGINT\nEnds: takes nothing more in, sends what it has, within \\-\\-shutdown.timeout. "
    "A second one ends at once.\n"
    ".SH ENVIRONMENT\n"
    ".TP\nHYAGENT_MEMORY_LIMIT\nThe memory budget when \\-\\-memory.limit is not given.\n"
    ".TP\nNO_COLOR\nWhen it is set to anything, diagnostics have no colours.\n"
    ".SH EXIT STATUS\n"
    ".TP\n0\nFine.\n.TP\n1\nFailure: the configuration is wrong, the agent cannot start.\n"
    ".TP\n2\nWrong usage.\n.TP\n3\nA check failed: fmt \\-t, healthcheck.\n"
    ".SH SEE ALSO\n"
    "hyagent docs \\fINAME\\fR prints the reference of a component, configuration block or function.\n";

int command_man(const char *program, int argc, char **argv)
{
    bool is_help = false;
    struct error err = {0};
    int n_words, status;
    struct buf out;

    (void)program;
    if (flags_parse(help_flags, argc, argv, &is_help, &n_words, &err) != OK)
        return usage_error("man: %s", err.text);
    if (is_help)
        return command_usage("man", "Try it: hyagent man | man -l -");
    if (n_words != 0)
        return usage_error("man: takes no words");
    buf_init(&out, PAGE_BYTES);
    buf_printf(&out, ".TH HYAGENT 1 \"\" \"hyagent %s\"\n%s", HYAGENT_VERSION, head);
    for (const struct command *c = commands; c->name != NULL; c++)
        put_command(&out, c);
    put_alloys_flags(&out);
    buf_add_str(&out, tail);
    status = !out.is_full && fwrite(out.ptr, 1, out.len, stdout) == out.len ? EXIT_OK : EXIT_FAILED;
    buf_release(&out);
    return status;
}
