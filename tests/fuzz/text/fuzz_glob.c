#include "agent/text/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The first line is the pattern, the rest the path. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice pattern, path;
    struct glob *g;

    (void)slice_cut(slice_make(bytes, size), '\n', &pattern, &path);
    if (glob_compile(&g, pattern, NULL) != OK)
        return 0;
    (void)glob_match(g, path);
    (void)glob_may_descend(g, path);
    glob_free(g);
    return 0;
}
