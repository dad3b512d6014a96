#include "agent/text/logfmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct logfmt l;
    struct logfmt_pair p;
    struct arena a;
    bool is_end = false;
    size_t n = 0;

    arena_init(&a, 0);
    logfmt_init(&l, slice_make(bytes, size));
    while (!is_end) {
        if (logfmt_next(&l, &a, &p, &is_end, NULL) == OK && !is_end)
            BUG_ON(p.key.len == 0);
        BUG_ON(n++ > size);
    }
    arena_release(&a);
    return 0;
}
