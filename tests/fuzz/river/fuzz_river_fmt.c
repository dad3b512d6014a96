/* Any bytes that parse: the formatted text is the same configuration with the same comments, and formatting it changes
 * nothing. */
#include "agent/river/parser.h"
#include "agent/river/printer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20, TEXT_BYTES = 16 << 20 };

struct text {
    struct arena arena;
    struct diags diags;
    struct ast_file *file;
    struct buf formatted;
};

static enum code open_text(struct text *t, struct slice in)
{
    enum code rc;

    arena_init(&t->arena, ARENA_BYTES);
    diags_init(&t->diags);
    buf_init(&t->formatted, TEXT_BYTES);
    rc = river_parse(in, "fuzz", &t->arena, &t->diags, &t->file);
    return rc == OK ? river_format(t->file, &t->formatted) : rc;
}

static void close_text(struct text *t)
{
    buf_release(&t->formatted);
    diags_release(&t->diags);
    arena_release(&t->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text first, second;

    if (open_text(&first, slice_make(data, size)) == OK) {
        BUG_ON(open_text(&second, buf_slice(&first.formatted)) != OK);
        BUG_ON(!ast_equal(first.file, second.file));
        BUG_ON(!slice_eq(buf_slice(&first.formatted), buf_slice(&second.formatted)));
        close_text(&second);
    }
    close_text(&first);
    return 0;
}
