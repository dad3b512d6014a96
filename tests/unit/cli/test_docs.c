/* The reference is written from the tables. */
#include "agent/cli/docs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

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
static const struct river_enum modes[] = {{"a", 0}, {"b|c", 1}, {NULL, 0}};
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
        "  mode  (string, default \"a\")\n      how; one of a, b|c\n",
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
                                         "| `mode` | string | `\"a\"` | how; one of a, b|c |\n",
                                         "### inner\n",
                                         "| `wait` | duration | `\"5s\"` | how long |\n",
                                         "| `receiver` | LogsReceiver | takes logs |\n",
                                         NULL};

    (void)state;
    expect(docs_write_markdown, wanted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_names_arguments_blocks_and_exports),
        cmocka_unit_test(the_page_is_a_table),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
