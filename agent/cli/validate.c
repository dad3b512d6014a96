/* hyagent validate: parses, resolves, evaluates and decodes configurations without running them: no socket is opened,
 * no file is made. */
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/registry.h"
#include "agent/runtime/config_files.h"
#include "agent/runtime/runtime.h"

static const char *const stability_words[] = {"generally-available", "public-preview", "experimental", NULL};
static const char *const format_words[] = {"text", "json", NULL};
static const char *const alloy_words[] = {"alloy", NULL};

enum { FORMAT_TEXT, FORMAT_JSON };

struct args {
    bool is_help;
    int stability, format, is_alloy;
};

const struct flag validate_flags[] = {
    {"format", 0, FLAG_CHOICE, offsetof(struct args, format), "FORMAT", "text (default), or json for editors",
     format_words},
    {"stability.level", 0, FLAG_CHOICE, offsetof(struct args, stability), "LEVEL",
     "generally-available (default), public-preview or experimental", stability_words},
    {"config.format", 0, FLAG_CHOICE, offsetof(struct args, is_alloy), "FORMAT", "only Alloy's language is read: alloy",
     alloy_words},
    {"config.bypass-conversion-errors", 0, FLAG_IGNORED_BOOL, 0, NULL, "nothing is converted", NULL},
    {"config.extra-args", 0, FLAG_IGNORED, 0, "ARGS", "nothing is converted", NULL},
    {"feature.community-components.enabled", 0, FLAG_IGNORED_BOOL, 0, NULL, "hyagent has no community components",
     NULL},
    {"help", 'h', FLAG_BOOL, offsetof(struct args, is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

/* One path is one configuration. */
static enum code check(const struct config_options *options, const char *path, struct diags *diags)
{
    struct config_texts texts = {0};
    enum code rc = config_files_read(path, &texts, diags);

    if (rc == OK)
        rc = runtime_check(options, texts.items, texts.n, diags);
    config_texts_release(&texts);
    return rc;
}

int command_validate(const char *program, int argc, char **argv)
{
    struct args args = {0};
    struct error err = {0};
    struct config_options options = {.types = registry};
    struct diags all;
    int n_words, status = EXIT_OK;

    (void)program;
    if (flags_parse(validate_flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("validate: %s", err.text);
    if (args.is_help)
        return command_usage("validate", "Several paths are several configurations, each checked by itself.");
    if (n_words == 0)
        return usage_error("validate: which configuration? hyagent validate FILE");
    options.stability = (enum stability)args.stability;
    diags_init(&all);
    for (int i = 1; i <= n_words; i++) {
        struct diags diags;

        diags_init(&diags);
        if (check(&options, argv[i], &diags) != OK)
            status = EXIT_FAILED;
        if (args.format == FORMAT_TEXT)
            print_diags(&diags, true);
        else
            diags_append(&all, &diags);
        diags_release(&diags);
    }
    if (args.format == FORMAT_JSON && !print_diags_json(&all))
        status = EXIT_FAILED;
    diags_release(&all);
    return status;
}
