/* The hyagent program: finds the command and runs it. */
#include "agent/cli/commands.h"
#include "agent/base/slice.h"

static const struct {
    const char *name;
    int (*run)(const char *program, int argc, char **argv);
} commands[] = {
    {"run", command_run},   {"validate", command_validate},       {"fmt", command_fmt},
    {"docs", command_docs}, {"healthcheck", command_healthcheck},
};

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = argc == 0 ? "hyagent" : slash != NULL ? slash + 1 : argv[0];

    if (argc < 2) {
        command_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
        printf("hyagent %s\n", HYAGENT_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return command_help(stdout);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(program, argc - 1, argv + 1);
    if (argv[1][0] == '-') /* hyagent --config FILE */
        return command_run(program, argc, argv);
    if (strcmp(argv[1], "convert") == 0 || strcmp(argv[1], "tools") == 0)
        return usage_error("\"%s\" is a command of Alloy that hyagent does not have yet", argv[1]);
    return usage_error("there is no command \"%s\"; hyagent --help lists them", argv[1]);
}
