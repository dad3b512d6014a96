/* hyagent completion: scripts for shells, made from the tables of commands, flags and pages. */
#include "agent/base/buf.h"
#include "agent/cli/catalog.h"
#include "agent/cli/commands.h"

enum { SCRIPT_BYTES = 1024 * 1024 };

/* What hyagent has no use for is not offered. */
static bool is_offered(const struct flag *f)
{
    return f->kind < FLAG_IGNORED;
}

static bool takes_value(const struct flag *f)
{
    return f->kind != FLAG_BOOL;
}

static bool takes_path(const struct flag *f)
{
    return f->value != NULL &&
           (strcmp(f->value, "FILE") == 0 || strcmp(f->value, "DIR") == 0 || strcmp(f->value, "PATH") == 0);
}

static void put_pages(struct buf *out)
{
    const struct river_function *f;

    for (size_t i = 0; catalog_at(i).type != NULL; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", catalog_at(i).type->name);
    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++)
        buf_printf(out, " %s", f->name);
    buf_add_str(out, " language functions alloy");
}

static void put_choices(struct buf *out, const struct flag *f)
{
    for (size_t i = 0; f->choices[i] != NULL; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", f->choices[i]);
}

/* The words a command takes; "" for files and for none. */
static void put_words(struct buf *out, const struct command *c)
{
    if (c->words == WORDS_PAGES)
        put_pages(out);
    else if (c->words == WORDS_SHELLS)
        buf_add_str(out, "bash zsh fish");
}

/* --- bash --- */

static void put_bash_flags(struct buf *out, const struct command *c)
{
    for (const struct flag *f = c->flags; f->name != NULL; f++)
        if (is_offered(f))
            buf_printf(out, " --%s%s", f->name, takes_value(f) ? "=" : "");
}

static void put_bash_values(struct buf *out, const struct command *c)
{
    for (const struct flag *f = c->flags; f->name != NULL; f++) {
        if (!is_offered(f) || !takes_value(f))
            continue;
        if (f->kind == FLAG_CHOICE) {
            buf_printf(out, "    %s:--%s) words=\"", c->name, f->name);
            put_choices(out, f);
            buf_add_str(out, "\" ;;\n");
        } else if (takes_path(f)) {
            buf_printf(out, "    %s:--%s) files=1 ;;\n", c->name, f->name);
        }
    }
}

/* Bash splits words at "=", so a flag's value is a word of its own behind it. */
static void put_bash(struct buf *out)
{
    buf_add_str(out, "# Completion of hyagent for bash, printed by: hyagent completion bash\n"
                     "_hyagent()\n{\n"
                     "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
                     "    local command= flag= words= files= i\n"
                     "    COMPREPLY=()\n"
                     "    if [[ $current == \"=\" ]]; then\n"
                     "        flag=$before current=\n"
                     "    elif [[ $before == \"=\" ]]; then\n"
                     "        flag=${COMP_WORDS[COMP_CWORD - 2]}\n"
                     "    fi\n"
                     "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                     "        case ${COMP_WORDS[i]} in\n        ");
    for (const struct command *c = commands; c->name != NULL; c++)
        buf_printf(out, "%s%s", c == commands ? "" : " | ", c->name);
    buf_add_str(out, ") command=${COMP_WORDS[i]} && break ;;\n"
                     "        esac\n    done\n"
                     "    if [[ -n $flag ]]; then\n"
                     "        case $command:$flag in\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        put_bash_values(out, c);
    buf_add_str(out, "        esac\n    elif [[ -z $command && $current != -* ]]; then\n        words=\"");
    for (const struct command *c = commands; c->name != NULL; c++)
        buf_printf(out, "%s%s", c == commands ? "" : " ", c->name);
    buf_add_str(out, "\"\n    elif [[ $current == -* ]]; then\n        case $command in\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_printf(out, "        %s) words=\"", c->name);
        put_bash_flags(out, c);
        buf_add_str(out, "\" ;;\n");
    }
    buf_add_str(
        out, "        *) words=\"--help --version --config=\" ;;\n        esac\n    else\n        case $command in\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_printf(out, "        %s) words=\"", c->name);
        put_words(out, c);
        buf_printf(out, "\"%s ;;\n", c->words == WORDS_FILES ? " files=1" : "");
    }
    buf_add_str(out, "        esac\n    fi\n"
                     "    if [[ -n $files ]]; then\n"
                     "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
                     "        compopt -o filenames 2> /dev/null\n"
                     "    else\n"
                     "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                     "    fi\n"
                     "    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then\n"
                     "        compopt -o nospace 2> /dev/null\n"
                     "    fi\n"
                     "}\n"
                     "complete -F _hyagent hyagent\n");
}

/* --- zsh and fish --- */

/* For a word in single quotes; zsh's _arguments also reads brackets and colons. */
static void put_quoted(struct buf *out, const char *text, const char *escaped)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            buf_add_str(out, "'\\''");
            continue;
        }
        if (strchr(escaped, *text) != NULL)
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

static void put_zsh_flag(struct buf *out, const struct flag *f)
{
    buf_printf(out, " \\\n            '--%s%s[", f->name, takes_value(f) ? "=" : "");
    put_quoted(out, f->doc, "[]:\\");
    buf_add_char(out, ']');
    if (takes_value(f)) {
        buf_printf(out, ":%s:", f->value);
        if (f->kind == FLAG_CHOICE) {
            buf_add_char(out, '(');
            put_choices(out, f);
            buf_add_char(out, ')');
        } else if (takes_path(f)) {
            buf_add_str(out, "_files");
        }
    }
    buf_add_char(out, '\'');
}

static void put_zsh(struct buf *out)
{
    buf_add_str(out, "#compdef hyagent\n# Completion of hyagent for zsh, printed by: hyagent completion zsh\n"
                     "_hyagent()\n{\n"
                     "    local -a commands\n    commands=(");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_printf(out, "\n        '%s:", c->name);
        put_quoted(out, c->doc, ":\\");
        buf_add_char(out, '\'');
    }
    buf_add_str(out, "\n    )\n"
                     "    if ((CURRENT == 2)); then\n"
                     "        _describe command commands\n        return\n    fi\n"
                     "    local command=$words[2]\n    shift words\n    ((CURRENT--))\n"
                     "    case $command in\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_printf(out, "    %s)\n        _arguments", c->name);
        for (const struct flag *f = c->flags; f->name != NULL; f++)
            if (is_offered(f))
                put_zsh_flag(out, f);
        if (c->words == WORDS_FILES) {
            buf_add_str(out, " \\\n            '*:file:_files'");
        } else if (c->words != WORDS_NONE) {
            buf_add_str(out, " \\\n            '1:name:(");
            put_words(out, c);
            buf_add_str(out, ")'");
        }
        buf_add_str(out, "\n        ;;\n");
    }
    buf_add_str(out, "    esac\n}\ncompdef _hyagent hyagent\n");
}

static void put_fish_flag(struct buf *out, const struct command *c, const struct flag *f)
{
    buf_printf(out, "complete -c hyagent -n '__fish_seen_subcommand_from %s' -l %s", c->name, f->name);
    if (f->letter != 0)
        buf_printf(out, " -s %c", f->letter);
    if (takes_value(f))
        buf_add_str(out, takes_path(f) ? " -r -F" : " -x");
    if (f->kind == FLAG_CHOICE) {
        buf_add_str(out, " -a '");
        put_choices(out, f);
        buf_add_char(out, '\'');
    }
    buf_add_str(out, " -d '");
    put_quoted(out, f->doc, "\\");
    buf_add_str(out, "'\n");
}

static void put_fish(struct buf *out)
{
    buf_add_str(out, "# Completion of hyagent for fish, printed by: hyagent completion fish\n"
                     "complete -c hyagent -f\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        buf_printf(out, "complete -c hyagent -n __fish_use_subcommand -a %s -d '", c->name);
        put_quoted(out, c->doc, "\\");
        buf_add_str(out, "'\n");
        for (const struct flag *f = c->flags; f->name != NULL; f++)
            if (is_offered(f))
                put_fish_flag(out, c, f);
        if (c->words == WORDS_NONE)
            continue;
        buf_printf(out, "complete -c hyagent -n '__fish_seen_subcommand_from %s' ", c->name);
        if (c->words == WORDS_FILES) {
            buf_add_str(out, "-F\n");
            continue;
        }
        buf_add_str(out, "-a '");
        put_words(out, c);
        buf_add_str(out, "'\n");
    }
}

int command_completion(const char *program, int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*put)(struct buf *out);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    bool is_help = false;
    struct error err = {0};
    int n_words, status;

    (void)program;
    if (flags_parse(help_flags, argc, argv, &is_help, &n_words, &err) != OK)
        return usage_error("completion: %s", err.text);
    if (is_help)
        return command_usage("completion", "Try it: source <(hyagent completion bash)");
    for (size_t i = 0; n_words == 1 && i < sizeof shells / sizeof shells[0]; i++) {
        struct buf out;

        if (strcmp(argv[1], shells[i].shell) != 0)
            continue;
        buf_init(&out, SCRIPT_BYTES);
        shells[i].put(&out);
        status = !out.is_full && fwrite(out.ptr, 1, out.len, stdout) == out.len ? EXIT_OK : EXIT_FAILED;
        buf_release(&out);
        return status;
    }
    return usage_error("completion: name a shell: bash, zsh or fish");
}
