#include "agent/text/jmespath.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The first line is the expression, the rest the document. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice expression, text;
    struct json doc, out;
    struct jmespath *j;
    struct arena a;
    struct buf written;

    (void)slice_cut(slice_make(bytes, size), '\n', &expression, &text);
    if (jmespath_compile(&j, expression, NULL) != OK)
        return 0;
    arena_init(&a, 16u << 20);
    buf_init(&written, 1u << 20);
    if (json_parse(&a, text, &doc, NULL) == OK && jmespath_eval(j, &doc, &a, &out, NULL) == OK)
        (void)json_write(&written, &out);
    buf_release(&written);
    arena_release(&a);
    jmespath_free(j);
    return 0;
}
