/* hyagent validate: parses, resolves, evaluates and decodes a configuration without running it. */
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/flags.h"
#include "agent/cli/registry.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/runtime.h"

static const char *const stability_words[] = {"generally-available", "public-preview", "experimental", NULL};

struct args {
    bool is_help;
    int stability;
};

static const struct flag flags[] = {
    {"stability.level", 0, FLAG_CHOICE, offsetof(struct args, stability), "LEVEL",
     "generally-available (default), public-preview or experimental", stability_words},
    {"config.format", 0, FLAG_IGNORED, 0, "FORMAT", "only Alloy's language is read", NULL},
    {"config.bypass-conversion-errors", 0, FLAG_IGNORED_BOOL, 0, NULL, "nothing is converted", NULL},
    {"config.extra-args", 0, FLAG_IGNORED, 0, "ARGS", "nothing is converted", NULL},
    {"feature.community-components.enabled", 0, FLAG_IGNORED_BOOL, 0, NULL, "hyagent has no community components",
     NULL},
    {"help", 'h', FLAG_BOOL, offsetof(struct args, is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

int command_validate(const char *program, int argc, char **argv)
{
    struct args args = {0};
    struct error err = {0};
    struct config_texts texts = {0};
    struct config_options options = {.types = registry};
    struct diags diags;
    int n_words;
    enum code rc;

    (void)program;
    if (flags_parse(flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("validate: %s", err.text);
    if (args.is_help) {
        puts("Usage: hyagent validate FILE|DIR [flags]\n");
        flags_print(flags, stdout);
        return EXIT_OK;
    }
    if (n_words != 1)
        return usage_error("validate: name one file or folder");
    options.stability = (enum stability)args.stability;
    diags_init(&diags);
    rc = config_files_read(argv[1], &texts, &diags);
    if (rc == OK)
        rc = runtime_check(&options, texts.items, texts.n, &diags);
    print_diags(&diags, true);
    diags_release(&diags);
    config_texts_release(&texts);
    return rc == OK ? EXIT_OK : EXIT_FAILED;
}
