#include "agent/text/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Lines: pattern, replacement, text. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice pattern, with, text, rest, groups[8];
    struct regex *r;
    struct buf b;

    (void)slice_cut(slice_make(bytes, size), '\n', &pattern, &rest);
    (void)slice_cut(rest, '\n', &with, &text);
    if (regex_compile(&r, pattern, size % 2 != 0 ? REGEX_PROMETHEUS : REGEX_PLAIN, NULL) != OK)
        return 0;
    buf_init(&b, 1u << 16);
    if (regex_match(r, text, 0, groups, 8)) {
        BUG_ON(groups[0].ptr < text.ptr && text.len != 0);
        (void)regex_expand(r, with, groups, 8, &b);
    }
    BUG_ON(regex_replace_all(r, text, with, &b, NULL) == OK && b.is_full);
    buf_release(&b);
    regex_free(r);
    return 0;
}
