/* hyagent fmt: the one layout of a configuration. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/flags.h"
#include "agent/river/parser.h"
#include "agent/river/printer.h"
#include "agent/runtime/config_files.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct args {
    bool is_help, is_write, is_test;
};

static const struct flag flags[] = {
    {"write", 'w', FLAG_BOOL, offsetof(struct args, is_write), NULL, "write the result to the file it came from", NULL},
    {"test", 't', FLAG_BOOL, offsetof(struct args, is_test), NULL, "print nothing; exit 3 when the layout would change",
     NULL},
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

    if (args->is_test)
        return slice_eq(old, new) ? EXIT_OK : EXIT_CHECK;
    if (!args->is_write)
        return new.len == 0 || fwrite(new.ptr, 1, new.len, stdout) == new.len ? EXIT_OK : EXIT_FAILED;
    if (slice_eq(old, new))
        return EXIT_OK;
    if (replace_file(path, new, &err) == OK)
        return EXIT_OK;
    fprintf(stderr, "hyagent: fmt: %s\n", err.text);
    return EXIT_FAILED;
}

static int format(const struct args *args, const char *path)
{
    struct arena arena;
    struct diags diags;
    struct buf text = {0}, out;
    struct error err = {0};
    struct ast_file *file;
    int status = EXIT_FAILED;

    arena_init(&arena, 0);
    diags_init(&diags);
    buf_init(&out, 16 * LIMIT_CONFIG_FILE_BYTES);
    if (config_file_read(path, &text, &err) != OK)
        fprintf(stderr, "hyagent: fmt: %s %s\n", path, err.text);
    else if (river_parse(buf_slice(&text), strcmp(path, "-") == 0 ? "<stdin>" : path, &arena, &diags, &file) != OK)
        print_diags(&diags, true);
    else if (river_format(file, &out) != OK)
        fprintf(stderr, "hyagent: fmt: %s is too large\n", path);
    else
        status = finish(args, path, buf_slice(&text), buf_slice(&out));
    buf_release(&out);
    buf_release(&text);
    diags_release(&diags);
    arena_release(&arena);
    return status;
}

int command_fmt(const char *program, int argc, char **argv)
{
    struct args args = {0};
    struct error err = {0};
    int n_words;

    (void)program;
    if (flags_parse(flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("fmt: %s", err.text);
    if (args.is_help) {
        puts("Usage: hyagent fmt [flags] [FILE]\n\nWithout a file, or with -, standard input is read.\n");
        flags_print(flags, stdout);
        return EXIT_OK;
    }
    if (n_words > 1)
        return usage_error("fmt: name one file");
    if (args.is_write && args.is_test)
        return usage_error("fmt: --write and --test exclude each other");
    if (args.is_write && (n_words == 0 || strcmp(argv[1], "-") == 0))
        return usage_error("fmt: --write needs a file, standard input cannot be replaced");
    return format(&args, n_words == 0 ? "-" : argv[1]);
}
