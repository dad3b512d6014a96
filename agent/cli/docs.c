/* hyagent docs: the reference, written from the components' own tables. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/catalog.h"
#include "agent/cli/commands.h"
#include "agent/cli/docs.h"
#include "agent/io/file.h"

enum { PAGE_BYTES = 4 * 1024 * 1024, JSON_BYTES = 64 * 1024 * 1024 };

struct args {
    const char *markdown;
    bool is_help, is_json;
};

const struct flag docs_flags[] = {
    {"markdown", 0, FLAG_STRING, offsetof(struct args, markdown), "DIR", "write one page per component into DIR", NULL},
    {"json", 0, FLAG_BOOL, offsetof(struct args, is_json), NULL, "the tables of everything, for programs", NULL},
    {"help", 'h', FLAG_BOOL, offsetof(struct args, is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

static int print(struct buf *out)
{
    int status = !out->is_full && fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0
                     ? EXIT_OK
                     : EXIT_FAILED;

    buf_release(out);
    return status;
}

static int list_all(void)
{
    struct buf out;

    buf_init(&out, PAGE_BYTES);
    docs_write_index(&out, false);
    return print(&out);
}

/* loki.write.endpoint.basic_auth: a component, and a block of it. */
static bool write_block(struct buf *out, struct slice name)
{
    for (size_t n = name.len; n > 0; n--) {
        struct catalog_entry e = {NULL, CATALOG_COMPONENT};

        if (name.ptr[n - 1] == '.')
            e = catalog_find(slice_head(name, n - 1));
        if (e.type != NULL)
            return docs_write_block(out, e.type, slice_from(name, n));
    }
    return false;
}

static bool write_one(struct buf *out, struct slice name)
{
    struct catalog_entry e = catalog_find(name);

    if (e.type != NULL)
        docs_write_text(out, e.type);
    else if (slice_eq_str(name, "language"))
        docs_write_language(out, false);
    else if (slice_eq_str(name, "functions"))
        docs_write_functions(out, false);
    else if (slice_eq_str(name, "alloy"))
        docs_write_alloy(out, false);
    else
        return write_block(out, name) || docs_write_lacking(out, name) || docs_write_function(out, name);
    return true;
}

static int unknown_page(const char *name)
{
    const struct river_function *f;
    struct nearest nearest;

    nearest_init(&nearest, slice_str(name));
    for (size_t i = 0; catalog_at(i).type != NULL; i++)
        nearest_offer(&nearest, slice_str(catalog_at(i).type->name));
    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++)
        nearest_offer(&nearest, slice_str(f->name));
    if (nearest.best.ptr != NULL)
        fprintf(stderr, "hyagent: docs: there is nothing called \"%s\": did you mean \"%.*s\"?\n", name,
                SLICE_ARG(nearest.best));
    else
        fprintf(stderr, "hyagent: docs: there is nothing called \"%s\"; hyagent docs lists what there is\n", name);
    return EXIT_FAILED;
}

static int show_one(const char *name)
{
    struct buf out;

    buf_init(&out, PAGE_BYTES);
    if (write_one(&out, slice_str(name)))
        return print(&out);
    buf_release(&out);
    return unknown_page(name);
}

static int show_json(void)
{
    struct buf out;

    buf_init(&out, JSON_BYTES);
    docs_write_json(&out);
    return print(&out);
}

static enum code write_page(const char *dir, const char *name, const struct buf *text, struct error *err)
{
    char *path = mem_printf("%s/%s.md", dir, name);
    enum code rc = text->is_full ? error_set(err, FULL, "%s is too long", path)
                                 : file_write_atomic(path, buf_slice(text), 0644, false, err);

    mem_free(path);
    return rc;
}

static enum code write_types(const char *dir, struct error *err)
{
    enum code rc = OK;

    for (size_t i = 0; catalog_at(i).type != NULL && rc == OK; i++) {
        const struct component_type *type = catalog_at(i).type;
        struct buf page;

        buf_init(&page, PAGE_BYTES);
        docs_write_markdown(&page, type);
        rc = write_page(dir, type->name, &page, err);
        buf_release(&page);
    }
    return rc;
}

static int write_all(const char *dir)
{
    static const struct {
        const char *name;
        void (*write)(struct buf *out, bool is_markdown);
    } others[] = {{"README", docs_write_index},
                  {"alloy", docs_write_alloy},
                  {"functions", docs_write_functions},
                  {"language", docs_write_language}};
    struct error err = {0};
    enum code rc = dir_make(dir, 0755, &err);

    if (rc == OK)
        rc = write_types(dir, &err);
    for (size_t i = 0; i < sizeof others / sizeof others[0] && rc == OK; i++) {
        struct buf page;

        buf_init(&page, PAGE_BYTES);
        others[i].write(&page, true);
        rc = write_page(dir, others[i].name, &page, &err);
        buf_release(&page);
    }
    if (rc == OK)
        return EXIT_OK;
    fprintf(stderr, "hyagent: docs: %s\n", err.text);
    return EXIT_FAILED;
}

int command_docs(const char *program, int argc, char **argv)
{
    struct args args = {0};
    struct error err = {0};
    int n_words;

    (void)program;
    if (flags_parse(docs_flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("docs: %s", err.text);
    if (args.is_help)
        return command_usage(
            "docs",
            "NAME: a component (loki.write), a block of it (loki.write.endpoint), a configuration block (logging),\n"
            "a function (string.format) or all (functions), or alloy: what hyagent has of Alloy's components.");
    if (n_words + (args.markdown != NULL) + args.is_json > 1)
        return usage_error("docs: name one component, or --markdown DIR, or --json");
    if (args.is_json)
        return show_json();
    if (args.markdown != NULL)
        return write_all(args.markdown);
    return n_words == 1 ? show_one(argv[1]) : list_all();
}
