/* match stages' selectors: the first line is the selector, the rest an entry's line. */
#include "agent/components/loki/process/process.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice text, line;
    struct selector *s = NULL;
    struct error err = {0};

    (void)slice_cut(slice_make(bytes, size), '\n', &text, &line);
    if (selector_parse(&s, text, &err) == OK) {
        const struct log_entry from = {.line = line};
        struct arena arena;
        struct entry e;

        arena_init(&arena, 0);
        entry_init(&e, &arena, &from, labels_empty(), NULL);
        BUG_ON(selector_matches(s, &e) != selector_matches(s, &e));
        if (entry_set_label(&e, SLICE_LIT("app"), line) == OK)
            (void)selector_matches(s, &e);
        arena_release(&arena);
    } else {
        BUG_ON(s != NULL || err.text[0] == '\0');
    }
    selector_free(s);
    return 0;
}
