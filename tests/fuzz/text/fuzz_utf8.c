#include "agent/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What repair gives is valid, and it changes nothing that was. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice in = slice_make(bytes, size), out;
    struct arena a;
    size_t n = 0;

    arena_init(&a, 0);
    BUG_ON(utf8_valid_prefix(in) > size);
    BUG_ON(utf8_repair_arena(&a, in, &out, &n) != OK);
    BUG_ON(!utf8_is_valid(out));
    BUG_ON((n == 0) != utf8_is_valid(in));
    BUG_ON(utf8_runes(in) != utf8_runes(out));
    arena_release(&a);
    return 0;
}
