/* hyagent fmt: the one layout of a configuration. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/river/parser.h"
#include "agent/river/printer.h"
#include "agent/runtime/config_files.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct args {
    bool is_help, is_write, is_test;
    int format;
};

static const char *const format_words[] = {"text", "json", NULL};

enum { FORMAT_TEXT, FORMAT_JSON };

const struct flag fmt_flags[] = {
    {"write", 'w', FLAG_BOOL, offsetof(struct args, is_write), NULL, "write the result to the file it came from", NULL},
    {"test", 't', FLAG_BOOL, offsetof(struct args, is_test), NULL,
     "name the files whose layout would change on stderr, and exit with 3", NULL},
    {"format", 0, FLAG_CHOICE, offsetof(struct args, format), "FORMAT",
     "of errors: text (default, on stderr), or json for editors (on stdout, nothing else)", format_words},
    {"help", 'h', FLAG_BOOL, offsetof(struct args, is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

static enum code write_all(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);

        if (n < 0 && errno != EINTR)
            return IO;
        text = slice_from(text, n > 0 ? (size_t)n : 0);
    }
    return OK;
}

/* Beside it, then renamed over it: a crash leaves the old file or the new one. */
static enum code replace_file(const char *path, struct slice text, struct error *err)
{
    char *temporary = mem_printf("%s.hyagent-fmt", path);
    struct stat st;
    enum code rc = IO;
    int fd = -1;

    if (stat(path, &st) == 0)
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, st.st_mode & 0777);
    if (fd >= 0) {
        rc = write_all(fd, text);
        if (rc == OK && (fsync(fd) != 0 || rename(temporary, path) != 0))
            rc = IO;
        close(fd);
    }
    if (rc != OK) {
        error_set(err, rc, "%s cannot be written: %s", path, strerror(errno));
        if (fd >= 0)
            unlink(temporary);
    }
    mem_free(temporary);
    return rc;
}

static int finish(const struct args *args, const char *path, struct slice old, struct slice new)
{
    struct error err = {0};

    if (args->is_test && !slice_eq(old, new))
        fprintf(stderr, "hyagent: fmt: %s is not laid out as fmt would\n", path);
    if (args->is_test)
        return slice_eq(old, new) ? EXIT_OK : EXIT_CHECK;
    if (args->format == FORMAT_JSON && !args->is_write)
        return EXIT_OK; /* only the errors were asked for */
    if (!args->is_write)
        return new.len == 0 || fwrite(new.ptr, 1, new.len, stdout) == new.len ? EXIT_OK : EXIT_FAILED;
    if (slice_eq(old, new))
        return EXIT_OK;
    if (replace_file(path, new, &err) == OK)
        return EXIT_OK;
    fprintf(stderr, "hyagent: fmt: %s\n", err.text);
    return EXIT_FAILED;
}

static int format(const struct args *args, const char *path, struct diags *diags)
{
    const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    struct arena arena;
    struct buf text = {0}, out;
    struct error err = {0};
    struct ast_file *file;
    int status = EXIT_FAILED;

    arena_init(&arena, 0);
    buf_init(&out, 16 * LIMIT_CONFIG_FILE_BYTES);
    if (config_file_read(path, &text, &err) != OK)
        diags_error_file(diags, name, "%s", err.text);
    else if (river_parse(buf_slice(&text), name, &arena, diags, &file) != OK)
        status = EXIT_FAILED; /* diags say why */
    else if (river_format(file, &out) != OK)
        diags_error_file(diags, name, "the result is too large");
    else
        status = finish(args, path, buf_slice(&text), buf_slice(&out));
    buf_release(&out);
    buf_release(&text);
    arena_release(&arena);
    return status;
}

static int format_all(const struct args *args, int n, char *const *paths)
{
    int status = EXIT_OK;
    struct diags all;

    diags_init(&all);
    for (int i = 0; i < n; i++) {
        struct diags diags;
        int one;

        diags_init(&diags);
        one = format(args, paths[i], &diags);
        if (status == EXIT_OK || one == EXIT_FAILED)
            status = one; /* a failure weighs more than another layout */
        if (args->format == FORMAT_TEXT)
            print_diags(&diags, true);
        else
            diags_append(&all, &diags);
        diags_release(&diags);
    }
    if (args->format == FORMAT_JSON && !print_diags_json(&all))
        status = EXIT_FAILED;
    diags_release(&all);
    return status;
}

int command_fmt(const char *program, int argc, char **argv)
{
    static char standard_input[] = "-";
    static char *const nothing_named[] = {standard_input};
    struct args args = {0};
    struct error err = {0};
    int n_words;

    (void)program;
    if (flags_parse(fmt_flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("fmt: %s", err.text);
    if (args.is_help)
        return command_usage("fmt", NULL);
    if (args.is_write && args.is_test)
        return usage_error("fmt: --write and --test exclude each other");
    for (int i = 0; args.is_write && i <= n_words; i++) {
        if (n_words == 0 || (i > 0 && strcmp(argv[i], "-") == 0))
            return usage_error("fmt: --write needs a file, standard input cannot be replaced");
    }
    return n_words == 0 ? format_all(&args, 1, nothing_named) : format_all(&args, n_words, argv + 1);
}
