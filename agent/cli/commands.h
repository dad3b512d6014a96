/* agent/cli/commands.h - the commands of the hyagent program: one table drives finding, help, completion and the man
 * page. Each takes its own arguments (argv[0] is its name) and returns the exit code. */
#ifndef AGENT_CLI_COMMANDS_H
#define AGENT_CLI_COMMANDS_H
#include "agent/base/error.h"
#include "agent/cli/flags.h"
#include "agent/runtime/config.h"
#include <stdio.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CHECK = 3, EXIT_SECOND_SIGNAL = 130 };

/* What the words of a command are, for completion. */
enum command_words { WORDS_NONE, WORDS_FILES, WORDS_PAGES, WORDS_SHELLS };

struct command {
    const char *name;
    const char *usage; /* its words: "FILE|DIR"; "" for none */
    const char *doc;   /* one line */
    const struct flag *flags;
    enum command_words words;
    /* program: the name hyagent was called by ("alloy" has other defaults). */
    int (*run)(const char *program, int argc, char **argv);
};

/* Ends with a name of NULL. A new command adds a row in commands.c, and its function and flags here. */
extern const struct command commands[];
const struct command *command_find(const char *name); /* NULL: there is none; knows Alloy's alias "format" */

int command_run(const char *program, int argc, char **argv);
int command_validate(const char *program, int argc, char **argv);
int command_explain(const char *program, int argc, char **argv);
int command_test(const char *program, int argc, char **argv);
int command_fmt(const char *program, int argc, char **argv);
int command_healthcheck(const char *program, int argc, char **argv);
int command_docs(const char *program, int argc, char **argv);
int command_completion(const char *program, int argc, char **argv);
int command_man(const char *program, int argc, char **argv);
int command_help(FILE *out);

extern const struct flag run_flags[], validate_flags[], explain_flags[], test_flags[], fmt_flags[], healthcheck_flags[],
    docs_flags[], help_flags[];

/* What is wrong with the command line, on stderr; returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* "Usage: hyagent NAME ...", more (may be NULL) and the flags on stdout; returns EXIT_OK. */
int command_usage(const char *name, const char *more);
/* All diagnostics on stderr, coloured on a terminal; notes_too: also those only worth saying in validate. */
void print_diags(const struct diags *diags, bool notes_too);
/* All diagnostics as one JSON document on stdout: docs/cli.md has the shape. False: it could not be written. */
bool print_diags_json(const struct diags *diags);
#endif
