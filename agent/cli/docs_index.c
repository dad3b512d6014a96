/* Pages of the reference about many things: the index, the functions, and what Alloy has that hyagent lacks. */
#include "agent/cli/catalog.h"
#include "agent/cli/docs.h"
#include "agent/runtime/alloy_names.h"
#include "agent/runtime/config.h"

/* --- the index --- */

static const struct {
    enum catalog_kind kind;
    const char *title;
} sections[] = {
    {CATALOG_COMPONENT, "Components"},
    {CATALOG_CONFIG_BLOCK, "Configuration blocks"},
    {CATALOG_MODULE_BLOCK, "Modules"},
};

static size_t count_lacking(void)
{
    size_t n = 0;

    for (size_t i = 0; alloy_name_at(i) != NULL; i++)
        n += alloy_name_at(i)->kind != ALLOY_REMOVED && catalog_find(slice_str(alloy_name_at(i)->name)).type == NULL;
    return n;
}

static void put_section(struct buf *out, enum catalog_kind kind, bool is_markdown)
{
    for (size_t i = 0; catalog_at(i).type != NULL; i++) {
        struct catalog_entry e = catalog_at(i);
        const char *mark = e.type->stability == STABILITY_GA ? "" : stability_name(e.type->stability);

        if (e.kind != kind)
            continue;
        if (is_markdown)
            buf_printf(out, "- [%s](%s.md): %s%s%s%s\n", e.type->name, e.type->name, e.type->doc,
                       *mark != '\0' ? " (" : "", mark, *mark != '\0' ? ")" : "");
        else
            buf_printf(out, "  %-36s %s\n", e.type->name, e.type->doc);
    }
}

void docs_write_index(struct buf *out, bool is_markdown)
{
    if (is_markdown)
        buf_add_str(out, "# Reference\n\nWritten by `hyagent docs --markdown` from the components' tables; "
                         "`hyagent docs NAME` prints a page, `hyagent docs --json` all of it for programs.\n");
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        buf_printf(out, is_markdown ? "\n## %s\n\n" : "%s\n", sections[i].title);
        put_section(out, sections[i].kind, is_markdown);
        buf_add_str(out, is_markdown ? "" : "\n");
    }
    if (is_markdown)
        buf_printf(out,
                   "\n## More\n\n- [language](language.md): how a configuration is written\n- "
                   "[functions](functions.md): the standard library of the language\n"
                   "- [alloy](alloy.md): every block name of Alloy; the %zu that hyagent lacks, and what to do "
                   "without them\n",
                   count_lacking());
    else
        buf_printf(out,
                   "More\n  %-36s how a configuration is written\n  %-36s the standard library of the language\n"
                   "  %-36s every block name of Alloy; the %zu that hyagent lacks\n",
                   "language", "functions", "alloy", count_lacking());
}

/* --- functions --- */

static struct slice namespace_of(const char *name)
{
    struct slice s = slice_str(name);
    size_t dot = slice_find(s, '.');

    return dot < s.len ? slice_head(s, dot) : slice_str("");
}

static void put_old_names(struct buf *out, const char *name, bool is_markdown)
{
    const char *old, *now;

    for (size_t i = 0; stdlib_deprecated_at(i, &old, &now); i++)
        if (strcmp(now, name) == 0)
            buf_printf(out, is_markdown ? " Its old name `%s` still works." : " Its old name %s still works.", old);
}

static void put_function(struct buf *out, const struct river_function *f, bool is_markdown)
{
    if (is_markdown)
        buf_printf(out, "\n<a id=\"%s\"></a>\n### %s\n\n```river\n%s\n```\n\n%s", f->name, f->name, f->signature,
                   f->doc);
    else
        buf_printf(out, "%s\n    %s", f->signature, f->doc);
    put_old_names(out, f->name, is_markdown);
    if (f->is_experimental)
        buf_add_str(out, " Needs --stability.level=experimental.");
    buf_add_char(out, '\n');
}

static bool put_functions(struct buf *out, struct slice namespace, bool is_markdown)
{
    const struct river_function *f;
    bool is_any = false;

    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++) {
        if (!slice_eq(namespace_of(f->name), namespace))
            continue;
        put_function(out, f, is_markdown);
        is_any = true;
    }
    return is_any;
}

static void put_constants(struct buf *out, bool is_markdown)
{
    buf_add_str(out, is_markdown ? "\n<a id=\"constants\"></a>\n## constants\n\n" : "constants\n    ");
    for (size_t i = 0; stdlib_constant_at(i) != NULL; i++)
        buf_printf(out, is_markdown ? "%s`constants.%s`" : "%sconstants.%s", i > 0 ? ", " : "", stdlib_constant_at(i));
    buf_add_str(out, ": of this machine and program.\n");
}

/* Is i the first function of its namespace? */
static bool is_first(size_t i)
{
    struct slice namespace = namespace_of(stdlib_function_at(i)->name);

    for (size_t k = 0; k < i; k++)
        if (slice_eq(namespace_of(stdlib_function_at(k)->name), namespace))
            return false;
    return true;
}

void docs_write_functions(struct buf *out, bool is_markdown)
{
    if (is_markdown)
        buf_add_str(out, "# Functions\n\nWhat expressions may call.\n");
    for (size_t i = 0; stdlib_function_at(i) != NULL; i++) {
        struct slice namespace = namespace_of(stdlib_function_at(i)->name);

        if (!is_first(i))
            continue;
        if (is_markdown && namespace.len != 0)
            buf_printf(out, "\n<a id=\"%.*s\"></a>\n## %.*s\n", SLICE_ARG(namespace), SLICE_ARG(namespace));
        put_functions(out, namespace, is_markdown);
    }
    put_constants(out, is_markdown);
}

bool docs_write_function(struct buf *out, struct slice name)
{
    const struct river_function *f;
    const char *old, *now;

    for (size_t i = 0; stdlib_deprecated_at(i, &old, &now); i++)
        if (slice_eq_str(name, old))
            name = slice_str(now);
    for (size_t i = 0; (f = stdlib_function_at(i)) != NULL; i++) {
        if (slice_eq_str(name, f->name)) {
            put_function(out, f, false);
            return true;
        }
    }
    if (slice_eq_str(name, "constants")) {
        put_constants(out, false);
        return true;
    }
    return name.len != 0 && put_functions(out, name, false);
}

/* --- Alloy's names --- */

static const char *why_lacking(enum alloy_kind kind)
{
    switch (kind) {
    case ALLOY_COMPONENT:
    case ALLOY_MODULES:
        return "is a component of Alloy that hyagent does not have yet";
    case ALLOY_CONFIG_BLOCK:
        return "is a configuration block of Alloy that hyagent does not have yet";
    case ALLOY_REMOVED:
        return "was removed from Alloy, too";
    case ALLOY_EXCLUDED:
        return "is left out: it is not what hyagent is for";
    }
    return "";
}

bool docs_write_lacking(struct buf *out, struct slice name)
{
    const struct alloy_name *alloy = alloy_name_find(name);

    if (alloy == NULL || catalog_find(name).type != NULL)
        return false;
    buf_printf(out, "%s %s.\n", alloy->name, why_lacking(alloy->kind));
    if (alloy->instead != NULL)
        buf_printf(out, "Instead: %s.\n", alloy->instead);
    return true;
}

/* Names of the catalogue become links. */
static void put_instead(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, " ,;:()");
        struct slice word = slice_make(text, n);

        if (n == 0)
            buf_add_char(out, *text++);
        else if (memchr(text, '.', n) != NULL && catalog_find(word).type != NULL)
            buf_printf(out, "[%.*s](%.*s.md)", SLICE_ARG(word), SLICE_ARG(word));
        else
            buf_add(out, word);
        text += n;
    }
}

void docs_write_alloy(struct buf *out, bool is_markdown)
{
    if (is_markdown)
        buf_add_str(out,
                    "# Alloy's components\n\nEvery block name of Alloy 1.12, what hyagent has of them, and what to "
                    "do without the rest.\n\n| name | in hyagent |\n|---|---|\n");
    for (size_t i = 0; alloy_name_at(i) != NULL; i++) {
        const struct alloy_name *alloy = alloy_name_at(i);
        bool is_built = catalog_find(slice_str(alloy->name)).type != NULL;

        if (!is_markdown) {
            buf_printf(out, "%-44s %s\n", alloy->name,
                       is_built                 ? "built"
                       : alloy->instead != NULL ? alloy->instead
                                                : "");
            continue;
        }
        buf_printf(out, "| <a id=\"%s\"></a>%s | ", alloy->name, alloy->name);
        if (is_built)
            buf_printf(out, "[built](%s.md)", alloy->name);
        else
            buf_add_str(out, alloy->kind == ALLOY_EXCLUDED  ? "left out: "
                             : alloy->kind == ALLOY_REMOVED ? "removed from Alloy, too: "
                                                            : "not yet: ");
        if (!is_built && alloy->instead != NULL)
            put_instead(out, alloy->instead);
        buf_add_str(out, " |\n");
    }
}
