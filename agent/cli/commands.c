/* The table of commands, in the order people need them. */
#include "agent/cli/commands.h"

const struct flag help_flags[] = {
    {"help", 'h', FLAG_BOOL, 0, NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

const struct command commands[] = {
    {"run", "FILE|DIR", "run a configuration (a folder: all its *.river and *.alloy)", run_flags, WORDS_FILES,
     command_run},
    {"validate", "FILE|DIR...", "say everything that is wrong with a configuration, run nothing", validate_flags,
     WORDS_FILES, command_validate},
    {"explain", "FILE|DIR", "print the graph, where values come from, and what would happen to a log line",
     explain_flags, WORDS_FILES, command_explain},
    {"test", "FILE|DIR...",
     "run the tests of pipelines: *_test.river, on a clock of their own, nothing is opened or sent", test_flags,
     WORDS_FILES, command_test},
    {"fmt", "[FILE...]", "lay out a configuration; - or no file: standard input", fmt_flags, WORDS_FILES, command_fmt},
    {"docs", "[NAME]", "what a component, block or function takes and gives; no name: list them", docs_flags,
     WORDS_PAGES, command_docs},
    {"healthcheck", "", "ask a running agent whether it is well", healthcheck_flags, WORDS_NONE, command_healthcheck},
    {"completion", "bash|zsh|fish", "print the completion script of a shell", help_flags, WORDS_SHELLS,
     command_completion},
    {"man", "", "print the manual page", help_flags, WORDS_NONE, command_man},
    {NULL, NULL, NULL, NULL, WORDS_NONE, NULL},
};

const struct command *command_find(const char *name)
{
    if (strcmp(name, "format") == 0)
        name = "fmt";
    for (const struct command *c = commands; c->name != NULL; c++) {
        if (strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}
