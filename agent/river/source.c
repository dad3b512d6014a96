#include "agent/river/source.h"
#include "agent/base/limits.h"
#include "agent/text/utf8.h"

const struct source *source_new(struct arena *arena, struct slice name, struct slice text)
{
    struct source *s;
    size_t n = 1, at = 1;
    char *copy;

    if (text.len > LIMIT_CONFIG_FILE_BYTES)
        return NULL;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    s = arena_try_array(arena, 1, sizeof *s);
    copy = arena_try_alloc(arena, name.len + 1);
    if (s == NULL || copy == NULL)
        return NULL;
    if (name.len != 0)
        memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    s->name = slice_make(copy, name.len);
    s->line_starts = arena_try_array(arena, n, sizeof *s->line_starts);
    s->text = arena_copy(arena, text);
    if (s->line_starts == NULL || (text.len != 0 && s->text.ptr == NULL))
        return NULL;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            s->line_starts[at++] = (uint32_t)(i + 1);
    }
    s->n_lines = n;
    return s;
}

uint32_t source_line_of(const struct source *s, uint32_t offset)
{
    size_t low = 0, high = s->n_lines;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (s->line_starts[mid] <= offset)
            low = mid;
        else
            high = mid;
    }
    return (uint32_t)(low + 1);
}

struct position source_position(const struct source *s, uint32_t offset)
{
    uint32_t line = source_line_of(s, offset);
    uint32_t start = s->line_starts[line - 1];
    struct slice before = slice_head(slice_from(s->text, start), offset - start);

    if (line == 1 && slice_starts(before, SLICE_LIT("\xEF\xBB\xBF"))) /* a byte order mark is not seen */
        before = slice_from(before, 3);
    return (struct position){line, (uint32_t)utf8_runes(before) + 1};
}

struct slice source_line(const struct source *s, uint32_t line)
{
    uint32_t start;
    struct slice text;

    if (line == 0 || line > s->n_lines)
        return (struct slice){0};
    start = s->line_starts[line - 1];
    text = slice_from(s->text, start);
    text = slice_head(text, slice_find(text, '\n'));
    if (slice_ends(text, SLICE_LIT("\r")))
        text.len--;
    if (line == 1 && slice_starts(text, SLICE_LIT("\xEF\xBB\xBF")))
        text = slice_from(text, 3);
    return text;
}
