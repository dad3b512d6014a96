/* agent/cli/commands.h - the commands of the hyagent program. Each takes its own arguments (argv[0] is its name) and
 * returns the exit code. */
#ifndef AGENT_CLI_COMMANDS_H
#define AGENT_CLI_COMMANDS_H
#include "agent/base/error.h"
#include "agent/runtime/config.h"
#include <stdio.h>

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CHECK = 3, EXIT_SECOND_SIGNAL = 130 };

/* program: the name hyagent was called by ("alloy" has other defaults). */
int command_run(const char *program, int argc, char **argv);
int command_validate(const char *program, int argc, char **argv);
int command_fmt(const char *program, int argc, char **argv);
int command_healthcheck(const char *program, int argc, char **argv);
int command_docs(const char *program, int argc, char **argv);
int command_help(FILE *out);

/* What is wrong with the command line, on stderr; returns EXIT_USAGE. */
int usage_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* All diagnostics on stderr, coloured on a terminal; notes_too: also those only worth saying in validate. */
void print_diags(const struct diags *diags, bool notes_too);
#endif
