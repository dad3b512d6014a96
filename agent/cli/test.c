/* hyagent test: runs the *_test.river files it is given, or finds below folders (docs/pipeline-tests.md). */
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/registry.h"
#include "agent/cli/test_report.h"
#include "agent/text/regex.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *const format_words[] = {"text", "json", "junit", "tap", NULL};

struct args {
    const char *run;
    int format;
    bool is_verbose, is_help, has_log;
};

const struct flag test_flags[] = {
    {.name = "run",
     .letter = 'r',
     .kind = FLAG_STRING,
     .offset = offsetof(struct args, run),
     .value = "REGEX",
     .doc = "only tests with a match in FILE:NAME"},
    {.name = "format",
     .kind = FLAG_CHOICE,
     .offset = offsetof(struct args, format),
     .value = "FORMAT",
     .doc = "text (default), json, junit or tap",
     .choices = format_words},
    {.name = "verbose",
     .letter = 'v',
     .kind = FLAG_BOOL,
     .offset = offsetof(struct args, is_verbose),
     .doc = "name the tests that pass, too"},
    {.name = "log", .kind = FLAG_BOOL, .offset = offsetof(struct args, has_log), .doc = "show what the components log"},
    {.name = "help", .letter = 'h', .kind = FLAG_BOOL, .offset = offsetof(struct args, is_help), .doc = "this text"},
    {.name = NULL},
};

struct paths {
    char **items; /* owned */
    size_t n, cap;
};

/* --- finding --- */

static void add_path(struct paths *p, char *take)
{
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 16 : 2 * p->cap;
        p->items = mem_realloc(p->items, p->cap * sizeof(char *));
    }
    p->items[p->n++] = take;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum code find_below(struct paths *found, const char *folder, unsigned depth, struct error *err);

static enum code look_at(struct paths *found, char *take_path, unsigned depth, struct error *err)
{
    struct stat st;
    enum code rc = OK;

    if (lstat(take_path, &st) == 0 && S_ISDIR(st.st_mode)) { /* no links: they may lead in circles */
        rc = find_below(found, take_path, depth + 1, err);
    } else if (slice_ends(slice_str(take_path), SLICE_LIT("_test.river"))) {
        if (found->n == LIMIT_TEST_FILES)
            rc = error_set(err, FULL, "more than %d files of tests", LIMIT_TEST_FILES);
        else {
            add_path(found, take_path);
            return OK;
        }
    }
    mem_free(take_path);
    return rc;
}

static enum code find_below(struct paths *found, const char *folder, unsigned depth, struct error *err)
{
    struct dirent **entries = NULL;
    enum code rc = OK;
    bool has_slash = slice_ends(slice_str(folder), SLICE_LIT("/"));
    int n;

    if (depth > LIMIT_TEST_DEPTH)
        return error_set(err, FULL, "%s: folders are nested too deep", folder);
    n = scandir(folder, &entries, is_wanted, by_bytes);
    if (n < 0)
        return error_set(err, IO, "%s cannot be listed: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (rc == OK)
            rc = look_at(found, mem_printf("%s%s%s", folder, has_slash ? "" : "/", entries[i]->d_name), depth, err);
        free(entries[i]); /* scandir's */
    }
    free(entries);
    return rc;
}

static enum code find(struct paths *found, const char *path, struct error *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return error_set(err, IO, "%s cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return find_below(found, path, 0, err);
    add_path(found, mem_strdup(path));
    return OK;
}

/* --- running --- */

static bool is_picked(const struct regex *filter, const struct test_file *file, const struct test *test)
{
    char *name;
    bool is_match;

    if (filter == NULL)
        return true;
    name = mem_printf("%s:%s", file->path, test->name);
    is_match = regex_is_match(filter, slice_str(name));
    mem_free(name);
    return is_match;
}

static void run_file(struct test_report *report, const char *path, const struct regex *filter)
{
    struct test_file *file = test_file_read(path);

    test_report_begin_file(report);
    if (diags_has_errors(&file->diags))
        test_report_broken_file(report, file);
    for (size_t i = 0; i < file->n && !diags_has_errors(&file->diags); i++) {
        struct test_result result;

        if (!is_picked(filter, file, &file->tests[i]))
            continue;
        test_run(file, &file->tests[i], registry, &result);
        test_report_test(report, file, &file->tests[i], &result);
        buf_release(&result.text);
    }
    test_report_end_file(report, file);
    test_file_free(file);
}

static void forget(void *self, enum log_level level, struct slice line)
{
    (void)self;
    (void)level;
    (void)line;
}

static int run_all(const struct paths *found, const struct args *args, const struct regex *filter)
{
    struct test_report report;

    if (!args->has_log)
        log_set_sink(forget, NULL);
    test_report_begin(&report, (enum test_format)args->format, args->is_verbose, stdout);
    for (size_t i = 0; i < found->n; i++)
        run_file(&report, found->items[i], filter);
    test_report_end(&report);
    log_set_sink(NULL, NULL);
    if (report.n_passed + report.n_failed + report.n_broken == 0)
        return usage_error(filter != NULL ? "test: no test matches --run" : "test: no *_test.river was found");
    return report.n_broken != 0 ? EXIT_USAGE : report.n_failed != 0 ? EXIT_FAILED : EXIT_OK;
}

static const char help[] = "\n"
                           "Given these lines, samples or spans here, these are expected there. The real processing\n"
                           "components run; sources and destinations are replaced. docs/pipeline-tests.md says how a\n"
                           "test is written. Exit codes: 0 all passed, 1 some failed, 2 some could not be run.\n";

int command_test(const char *program, int argc, char **argv)
{
    struct args args = {0};
    struct error err = {0};
    struct paths found = {0};
    struct regex *filter = NULL;
    char run_flag[] = "--run";
    enum code rc = OK;
    int n_words, exit_code;

    (void)program;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "-run") == 0) /* as go test has it */
            argv[i] = run_flag;
    if (flags_parse(test_flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("test: %s", err.text);
    if (args.is_help)
        return command_usage("test", help);
    if (n_words == 0)
        return usage_error("test: name files (NAME_test.river) or folders");
    if (args.run != NULL)
        rc = regex_compile(&filter, slice_str(args.run), REGEX_PLAIN, &err);
    for (int i = 1; i <= n_words && rc == OK; i++)
        rc = find(&found, argv[i], &err);
    exit_code = rc == OK ? run_all(&found, &args, filter) : usage_error("test: %s", err.text);
    for (size_t i = 0; i < found.n; i++)
        mem_free(found.items[i]);
    mem_free(found.items);
    regex_free(filter);
    return exit_code;
}
