/* The hyagent program: finds the command and runs it. */
#include "agent/cli/commands.h"
#include "agent/river/diag.h"

/* Commands of Alloy that hyagent lacks, and what to do. */
static const struct {
    const char *name, *instead;
} alloys[] = {
    {"convert", "alloy convert makes a configuration that hyagent reads"},
    {"tools", "they look into the write-ahead log of Alloy's prometheus.remote_write, which hyagent does not have"},
    {"gql", "GET /api/v0/web/components of a running agent has what it asks for"},
};

static int unknown_command(const char *name)
{
    struct nearest nearest;

    for (size_t i = 0; i < sizeof alloys / sizeof alloys[0]; i++) {
        if (strcmp(name, alloys[i].name) == 0)
            return usage_error("\"%s\" is a command of Alloy that hyagent does not have: %s", name, alloys[i].instead);
    }
    nearest_init(&nearest, slice_str(name));
    for (const struct command *c = commands; c->name != NULL; c++)
        nearest_offer(&nearest, slice_str(c->name));
    if (nearest.best.ptr != NULL)
        return usage_error("there is no command \"%s\": did you mean \"%.*s\"?", name, SLICE_ARG(nearest.best));
    return usage_error("there is no command \"%s\"; hyagent --help lists them", name);
}

static int run_command(const char *program, int argc, char **argv)
{
    const struct command *command;

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
    command = command_find(argv[1]);
    if (command != NULL)
        return command->run(program, argc - 1, argv + 1);
    if (argv[1][0] == '-') /* hyagent --config FILE */
        return command_run(program, argc, argv);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = argc == 0 ? "hyagent" : slash != NULL ? slash + 1 : argv[0];
    int status = run_command(program, argc, argv);

    /* Alloy knows one exit code for everything that goes wrong. */
    if (strcmp(program, "alloy") == 0 && (status == EXIT_USAGE || status == EXIT_CHECK))
        return EXIT_FAILED;
    return status;
}
