#include "agent/text/gotemplate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool lookup(void *self, struct slice name, struct slice *value)
{
    (void)self;
    *value = name;
    return name.len % 2 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct gotemplate_data data = {.lookup = lookup};
    struct gotemplate *t;
    struct arena a;
    struct buf out;

    if (gotemplate_compile(&t, slice_make(bytes, size), NULL) != OK)
        return 0;
    arena_init(&a, 4u << 20);
    buf_init(&out, 1u << 16);
    BUG_ON(gotemplate_exec(t, &data, &a, &out, NULL) == OK && out.is_full);
    buf_release(&out);
    arena_release(&a);
    gotemplate_free(t);
    return 0;
}
