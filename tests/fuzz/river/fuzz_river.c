/* Any bytes as a configuration: parsed, its references listed, evaluated; no refusal without a reason. */
#include "agent/river/eval.h"
#include "agent/river/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20, TEXT_BYTES = 16 << 20 };

static bool no_env(void *self, struct slice name, struct slice *out)
{
    (void)self;
    *out = name;
    return name.len % 2 != 0;
}

static const struct river_host host = {
    .env = no_env, .hostname = "box", .os = "linux", .arch = "amd64", .version = "v1.2.3"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct river_context ctx = {.host = &host, .flags = RIVER_ALLOW_EXPERIMENTAL};
    struct ast_refs refs = {0};
    struct ast_file *file;
    struct arena arena, values;
    struct diags diags;
    struct value v;
    struct buf text;

    arena_init(&arena, ARENA_BYTES);
    arena_init(&values, ARENA_BYTES);
    diags_init(&diags);
    buf_init(&text, TEXT_BYTES);
    ctx.arena = &values;
    ctx.diags = &diags;
    if (river_parse(slice_make(data, size), "fuzz", &arena, &diags, &file) == OK) {
        BUG_ON(diags_has_errors(&diags));
        BUG_ON(ast_body_refs(&arena, &file->body, &refs) == INVALID);
        if (river_body_value(&ctx, &file->body, &v) == OK) {
            buf_reset(&text);
            river_body_value_json(&text, &v);
        }
    } else {
        BUG_ON(!diags_has_errors(&diags)); /* no refusal without a reason */
    }
    buf_reset(&text);
    diags_print(&text, &diags, true);
    buf_release(&text);
    diags_release(&diags);
    arena_release(&values);
    arena_release(&arena);
    return 0;
}
