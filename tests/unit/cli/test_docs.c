/* The reference is written from the tables. */
#include "agent/cli/docs.h"
#include "agent/cli/catalog.h"
#include "agent/text/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

struct inner {
    int64_t wait_ns;
};
struct outer {
    struct slice url;
    struct inner inner;
    int mode;
    struct river_blocks blocks;
};

static const struct river_field inner_fields[] = {
    {.name = "wait",
     .kind = RIVER_DURATION,
     .offset = offsetof(struct inner, wait_ns),
     .def = "\"5s\"",
     .doc = "how long"},
    RIVER_FIELDS_END,
};
static const struct river_block inner_block = {
    .name = "inner", .fields = inner_fields, .size = sizeof(struct inner), .doc = "the inner one"};
static const struct river_enum modes[] = {{"a", 0}, {"b|c", 1}, {"", 2}, {NULL, 0}};
static const struct river_field outer_fields[] = {
    {.name = "url",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct outer, url),
     .doc = "where to"},
    {.name = "mode",
     .kind = RIVER_ENUM,
     .offset = offsetof(struct outer, mode),
     .choices = modes,
     .def = "\"a\"",
     .doc = "how"},
    {.name = "inner",
     .kind = RIVER_BLOCK,
     .offset = offsetof(struct outer, inner),
     .block = &inner_block,
     .doc = "an inner"},
    RIVER_FIELDS_END,
};
static const struct river_block outer_block = {
    .name = "t.x", .fields = outer_fields, .size = sizeof(struct outer), .doc = "x"};
static const struct component_export outputs[] = {{"receiver", "LogsReceiver", "takes logs"}, {NULL, NULL, NULL}};
static const struct component_type type = {
    .name = "t.x", .doc = "Does x.", .args = &outer_block, .exports = outputs, .holds = HOLDS_BOUNDED};

static void expect(void (*write)(struct buf *, const struct component_type *), const char *const *wanted)
{
    struct buf out;

    buf_init(&out, 65536);
    write(&out, &type);
    buf_add_char(&out, '\0');
    for (; *wanted != NULL; wanted++)
        if (strstr(out.ptr, *wanted) == NULL)
            fail_msg("missing \"%s\" in:\n%s", *wanted, out.ptr);
    buf_release(&out);
}

static void the_text_names_arguments_blocks_and_exports(void **state)
{
    static const char *const wanted[] = {
        "t.x \"LABEL\" { … }",
        "Does x.",
        "Stability: generally-available.",
        "  url  (string, required)\n      where to\n",
        "  mode  (string, default \"a\")\n      how; one of a, b|c, \"\"\n",
        "  inner { }  an inner\n    wait  (duration, default \"5s\")\n        how long\n",
        "Exports\n  receiver  (LogsReceiver)\n      takes logs\n",
        NULL};

    (void)state;
    expect(docs_write_text, wanted);
}

static void the_page_is_a_table(void **state)
{
    static const char *const wanted[] = {"# t.x\n",
                                         "| `url` | string | required | where to |\n",
                                         "| `mode` | string | `\"a\"` | how; one of a, b|c, \"\" |\n",
                                         "<a id=\"inner\"></a>\n### inner\n",
                                         "<a id=\"exports\"></a>\n## Exports\n",
                                         "| `wait` | duration | `\"5s\"` | how long |\n",
                                         "| `receiver` | LogsReceiver | takes logs |\n",
                                         NULL};

    (void)state;
    expect(docs_write_markdown, wanted);
}

static void one_block_is_shown_by_its_path(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 65536);
    assert_false(docs_write_block(&out, &type, SLICE_LIT("outer")));
    assert_int_equal(out.len, 0);
    assert_true(docs_write_block(&out, &type, SLICE_LIT("inner")));
    (void)buf_add_char(&out, '\0');
    assert_string_equal(out.ptr, "inner { }  an inner\n  wait  (duration, default \"5s\")\n      how long\n");
    buf_release(&out);
}

/* All of the program's tables as one document: a reader finds every component with its arguments. */
static void the_schema_is_one_document_of_everything(void **state)
{
    struct arena arena;
    struct buf out;
    struct json doc;
    struct error err = {0};
    const struct json *all, *functions;

    (void)state;
    arena_init(&arena, 0);
    buf_init(&out, 64 * 1024 * 1024);
    docs_write_json(&out);
    assert_false(out.is_full);
    assert_int_equal(json_parse(&arena, buf_slice(&out), &doc, &err), OK);
    assert_true(slice_eq_str(json_get(&doc, SLICE_LIT("schema"))->text, "1"));
    all = json_get(&doc, SLICE_LIT("components"));
    for (size_t i = 0; i < all->array.n; i++) {
        const struct json *c = &all->array.items[i];
        struct catalog_entry e = catalog_at(i);
        const struct json *arguments = json_get(c, SLICE_LIT("arguments"));

        assert_true(slice_eq_str(json_get(c, SLICE_LIT("name"))->text, e.type->name));
        assert_non_null(json_get(c, SLICE_LIT("blocks")));
        assert_non_null(json_get(c, SLICE_LIT("exports")));
        for (size_t k = 0; k < arguments->array.n; k++) {
            const struct json *a = &arguments->array.items[k];
            struct slice effect = json_get(a, SLICE_LIT("effect"))->text;

            assert_true(json_get(a, SLICE_LIT("doc"))->text.len > 0);
            assert_true(json_get(a, SLICE_LIT("type"))->text.len > 0);
            assert_true(slice_eq_str(effect, "normal") == (json_get(a, SLICE_LIT("reason")) == NULL));
        }
    }
    assert_null(catalog_at(all->array.n).type);
    functions = json_get(&doc, SLICE_LIT("functions"));
    assert_null(stdlib_function_at(functions->array.n));
    arena_release(&arena);
    buf_release(&out);
}

static const struct json *find_path(const struct json *rows, const char *path)
{
    for (size_t i = 0; i < rows->array.n; i++)
        if (slice_eq_str(json_get(&rows->array.items[i], SLICE_LIT("path"))->text, path))
            return &rows->array.items[i];
    fail_msg("there is no %s", path);
    return NULL;
}

static void an_argument_has_its_path_type_default_and_effect(void **state)
{
    static const struct {
        const char *path, *type, *effect, *def; /* def NULL: null */
        bool is_required;
    } rows[] = {
        {"endpoint.url", "string", "normal", NULL, true},
        {"endpoint.batch_wait", "duration", "normal", "\"1s\"", false},
        {"endpoint.basic_auth.password", "secret", "normal", NULL, false},
        {"external_labels", "map(string)", "normal", NULL, false},
    };
    struct arena arena;
    struct buf out;
    struct json doc;
    struct error err = {0};
    const struct json *all, *write = NULL;

    (void)state;
    arena_init(&arena, 0);
    buf_init(&out, 64 * 1024 * 1024);
    docs_write_json(&out);
    assert_int_equal(json_parse(&arena, buf_slice(&out), &doc, &err), OK);
    all = json_get(&doc, SLICE_LIT("components"));
    for (size_t i = 0; i < all->array.n; i++)
        if (slice_eq_str(json_get(&all->array.items[i], SLICE_LIT("name"))->text, "loki.write"))
            write = &all->array.items[i];
    assert_non_null(write);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct json *a = find_path(json_get(write, SLICE_LIT("arguments")), rows[i].path);
        const struct json *def = json_get(a, SLICE_LIT("default"));

        assert_true(slice_eq_str(json_get(a, SLICE_LIT("type"))->text, rows[i].type));
        assert_true(slice_eq_str(json_get(a, SLICE_LIT("effect"))->text, rows[i].effect));
        assert_int_equal(json_get(a, SLICE_LIT("required"))->boolean, rows[i].is_required);
        assert_int_equal(def->type, rows[i].def == NULL ? JSON_NULL : JSON_STRING);
        if (rows[i].def != NULL)
            assert_true(slice_eq_str(def->text, rows[i].def));
    }
    assert_true(json_get(find_path(json_get(write, SLICE_LIT("blocks")), "endpoint"), SLICE_LIT("repeated"))->boolean);
    arena_release(&arena);
    buf_release(&out);
}

static void functions_are_found_by_old_and_new_names(void **state)
{
    static const struct {
        const char *name, *part; /* NULL: there is none */
    } rows[] = {
        {"string.format", "string.format("},
        {"format", "string.format("},
        {"sys.env", "Its old name env still works."},
        {"string", "string.split("},
        {"constants", "constants.hostname"},
        {"nothing", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out;
        bool is_there;

        buf_init(&out, 65536);
        is_there = docs_write_function(&out, slice_str(rows[i].name));
        (void)buf_add_char(&out, '\0');
        if (is_there != (rows[i].part != NULL) || (is_there && strstr(out.ptr, rows[i].part) == NULL))
            fail_msg("%s: %s", rows[i].name, out.ptr);
        buf_release(&out);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_names_arguments_blocks_and_exports),
        cmocka_unit_test(the_page_is_a_table),
        cmocka_unit_test(one_block_is_shown_by_its_path),
        cmocka_unit_test(the_schema_is_one_document_of_everything),
        cmocka_unit_test(an_argument_has_its_path_type_default_and_effect),
        cmocka_unit_test(functions_are_found_by_old_and_new_names),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
