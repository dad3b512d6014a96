/* Arguments as they may be shown. */
#include "agent/river/eval.h"
#include "agent/river/parser.h"
#include "agent/runtime/mask.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct auth {
    struct river_secret password;
};
struct args {
    struct slice url;
    struct river_secret token;
    struct river_secret_map headers;
    struct river_secrets keys;
    struct river_blocks auth;
    struct river_enum_blocks stages;
    struct auth flat;
};

static const struct river_field auth_fields[] = {
    {.name = "password", .kind = RIVER_SECRET, .offset = offsetof(struct auth, password), .doc = "x"},
    RIVER_FIELDS_END,
};
static const struct river_block auth_block = {.name = "auth", .fields = auth_fields, .size = sizeof(struct auth)};
static const struct river_field flat_fields[] = {
    {.name = "flat_password", .kind = RIVER_SECRET, .offset = offsetof(struct auth, password), .doc = "x"},
    RIVER_FIELDS_END,
};
static const struct river_block flat_block = {.name = "flat", .fields = flat_fields, .size = sizeof(struct auth)};
static const struct river_block kind_block = {.name = "kind", .fields = auth_fields, .size = sizeof(struct auth)};
static const struct river_block *const kinds[] = {&kind_block, NULL};
static const struct river_field fields[] = {
    {.name = "url", .kind = RIVER_STRING, .offset = offsetof(struct args, url), .doc = "x"},
    {.name = "token", .kind = RIVER_SECRET, .offset = offsetof(struct args, token), .doc = "x"},
    {.name = "headers", .kind = RIVER_SECRET_MAP, .offset = offsetof(struct args, headers), .doc = "x"},
    {.name = "keys", .kind = RIVER_SECRET_LIST, .offset = offsetof(struct args, keys), .doc = "x"},
    {.name = "auth",
     .kind = RIVER_BLOCK,
     .flags = RIVER_REPEATED,
     .offset = offsetof(struct args, auth),
     .block = &auth_block,
     .doc = "x"},
    {.name = "stage", .kind = RIVER_ENUM_BLOCKS, .offset = offsetof(struct args, stages), .blocks = kinds, .doc = "x"},
    {.kind = RIVER_FLATTEN, .offset = offsetof(struct args, flat), .block = &flat_block},
    RIVER_FIELDS_END,
};
static const struct river_block block = {.name = "x", .fields = fields, .size = sizeof(struct args)};

static const struct {
    const char *text;
    const char *shown; /* must be there; NULL: nothing */
} rows[] = {
    {"token = \"SECRET\"\n", "(secret)"},
    {"headers = { a = \"SECRET\" }\n", "(secret)"},
    {"keys = [\"SECRET\", \"SECRET\"]\n", "(secret)"},
    {"auth {\n password = \"SECRET\"\n}\n", "(secret)"},
    {"stage.kind {\n password = \"SECRET\"\n}\n", "(secret)"},
    {"flat_password = \"SECRET\"\n", "(secret)"},
    {"url = \"http://user:SECRET@host:80/p?q=a@b\"\n", "http://user:xxxxx@host:80/p?q=a@b"},
    {"url = \"http://us:SEC@RET:SECRET@host/\"\n", "http://us:xxxxx@host/"},
    {"url = \"http://host:80/a:b@c\"\n", "http://host:80/a:b@c"},
    {"url = \"http://user@host\"\n", "http://user@host"},
    {"url = \"plain\"\n", "plain"},
};

static void no_secret_is_shown_and_everything_else_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct diags diags;
        struct ast_file *file;
        struct value body, shown;
        struct buf json;
        struct river_context ctx = {.arena = &arena, .diags = &diags};

        arena_init(&arena, 0);
        diags_init(&diags);
        buf_init(&json, 65536);
        assert_int_equal(river_parse(slice_str(rows[i].text), "t", &arena, &diags, &file), OK);
        assert_int_equal(river_body_value(&ctx, &file->body, &body), OK);
        shown = mask_body(&arena, &block, &body);
        river_body_value_json(&json, &shown);
        buf_add_char(&json, '\0');
        if (strstr(json.ptr, "SEC") != NULL || strstr(json.ptr, rows[i].shown) == NULL)
            fail_msg("%s: %s", rows[i].text, json.ptr);
        buf_release(&json);
        diags_release(&diags);
        arena_release(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_secret_is_shown_and_everything_else_is),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
