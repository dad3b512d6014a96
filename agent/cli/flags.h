/* agent/cli/flags.h - command lines as tables: --name=value, --name value, --name, --no-name; Alloy's flags that
 * hyagent has no use for are accepted or refused by name, each with its reason. */
#ifndef AGENT_CLI_FLAGS_H
#define AGENT_CLI_FLAGS_H
#include "agent/base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum flag_kind {
    FLAG_BOOL,         /* bool */
    FLAG_STRING,       /* const char *, of argv */
    FLAG_DURATION,     /* int64_t ns */
    FLAG_BYTES,        /* uint64_t */
    FLAG_CHOICE,       /* int: index into choices */
    FLAG_LIST,         /* struct flag_list, of argv: may be given again and again */
    FLAG_IGNORED,      /* accepted without effect: doc says why */
    FLAG_IGNORED_BOOL, /* the same, without a value */
    FLAG_REFUSED,      /* doc says why */
    FLAG_REFUSED_BOOL,
};

struct flag_list {
    const char *items[64];
    size_t n;
};

struct flag {
    const char *name; /* without dashes; NULL ends the table */
    char letter;      /* 0: none */
    enum flag_kind kind;
    size_t offset;
    const char *value; /* how the help calls its value; NULL for switches */
    const char *doc;
    const char *const *choices; /* ends with NULL */
};

/* Fills args; words that are no flags are moved to the front of argv[1..] and counted in *n_words. INVALID: err says
 * it. */
MUST_USE enum code flags_parse(const struct flag *flags, int argc, char **argv, void *args, int *n_words,
                               struct error *err);
void flags_print(const struct flag *flags, FILE *out);
#endif
