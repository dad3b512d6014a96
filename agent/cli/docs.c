/* hyagent docs: the reference, written from the components' own tables. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/cli/commands.h"
#include "agent/cli/docs.h"
#include "agent/cli/flags.h"
#include "agent/cli/registry.h"
#include "agent/io/file.h"
#include "agent/runtime/config_blocks.h"

enum { PAGE_BYTES = 4 * 1024 * 1024 };

struct args {
    const char *markdown;
    bool is_help;
};

static const struct flag flags[] = {
    {"markdown", 0, FLAG_STRING, offsetof(struct args, markdown), "DIR", "write one page per component into DIR", NULL},
    {"help", 'h', FLAG_BOOL, offsetof(struct args, is_help), NULL, "this text", NULL},
    {NULL, 0, FLAG_BOOL, 0, NULL, NULL, NULL},
};

static int list_all(void)
{
    for (size_t i = 0; registry[i] != NULL; i++)
        printf("%-36s %s\n", registry[i]->name, registry[i]->doc);
    for (size_t i = 0; config_block_types[i] != NULL; i++)
        printf("%-36s %s\n", config_block_types[i]->name, config_block_types[i]->doc);
    return EXIT_OK;
}

static int show_one(const char *name)
{
    const struct component_type *type = component_type_find(registry, slice_str(name));
    struct buf out;
    struct nearest nearest;

    if (type == NULL) {
        nearest_init(&nearest, slice_str(name));
        for (size_t i = 0; registry[i] != NULL; i++)
            nearest_offer(&nearest, slice_str(registry[i]->name));
        if (nearest.best.ptr != NULL)
            fprintf(stderr, "hyagent: docs: there is no component \"%s\": did you mean \"%.*s\"?\n", name,
                    SLICE_ARG(nearest.best));
        else
            fprintf(stderr, "hyagent: docs: there is no component \"%s\"; hyagent docs lists them\n", name);
        return EXIT_FAILED;
    }
    buf_init(&out, PAGE_BYTES);
    docs_write_text(&out, type);
    fwrite(out.ptr, 1, out.len, stdout);
    buf_release(&out);
    return EXIT_OK;
}

static enum code write_page(const char *dir, const char *name, const struct buf *text, struct error *err)
{
    char *path = mem_printf("%s/%s.md", dir, name);
    enum code rc = text->is_full ? error_set(err, FULL, "%s is too long", path)
                                 : file_write_atomic(path, buf_slice(text), 0644, false, err);

    mem_free(path);
    return rc;
}

static enum code write_pages(const char *dir, const struct component_type *const *types, struct buf *index,
                             struct error *err)
{
    enum code rc = OK;

    for (size_t i = 0; types[i] != NULL && rc == OK; i++) {
        struct buf page;

        buf_init(&page, PAGE_BYTES);
        docs_write_markdown(&page, types[i]);
        buf_printf(index, "- [%s](%s.md): %s\n", types[i]->name, types[i]->name, types[i]->doc);
        rc = write_page(dir, types[i]->name, &page, err);
        buf_release(&page);
    }
    return rc;
}

static int write_all(const char *dir)
{
    struct error err = {0};
    struct buf index;
    enum code rc = dir_make(dir, 0755, &err);

    buf_init(&index, PAGE_BYTES);
    buf_add_str(&index, "# Reference\n\nWritten by `hyagent docs --markdown` from the components' tables.\n\n");
    if (rc == OK)
        rc = write_pages(dir, registry, &index, &err);
    buf_add_str(&index, "\nConfiguration blocks:\n\n");
    if (rc == OK)
        rc = write_pages(dir, config_block_types, &index, &err);
    if (rc == OK)
        rc = write_page(dir, "README", &index, &err);
    buf_release(&index);
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
    if (flags_parse(flags, argc, argv, &args, &n_words, &err) != OK)
        return usage_error("docs: %s", err.text);
    if (args.is_help) {
        puts("Usage: hyagent docs [COMPONENT] [flags]\n");
        flags_print(flags, stdout);
        return EXIT_OK;
    }
    if (n_words > 1 || (n_words == 1 && args.markdown != NULL))
        return usage_error("docs: name one component, or --markdown DIR");
    if (args.markdown != NULL)
        return write_all(args.markdown);
    return n_words == 1 ? show_one(argv[1]) : list_all();
}
