/* Any line with an error anywhere in it: what is shown stays short, the caret stands under it, and the value of a
 * password does not appear. The first two bytes are where the error is, the rest is what stands around the password. */
#include "agent/river/diag.h"
#include "agent/text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_SHOWN = 160 };

static const char secret[] = "hunter2-hunter2";

static bool has_secret(struct slice s)
{
    return slice_find_slice(s, slice_str(secret)) != s.len;
}

static bool has_quote(struct slice s)
{
    return slice_find(s, '"') != s.len || slice_find(s, '`') != s.len || slice_find(s, '\'') != s.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct source *source;
    const struct diag *diag;
    struct slice before, after;
    struct arena arena;
    struct diags diags;
    struct span at;
    struct buf text;

    if (size < 2)
        return 0;
    arena_init(&arena, 0);
    diags_init(&diags);
    buf_init(&text, 16 << 20);
    before = slice_head(slice_make(data + 2, size - 2), (size - 2) / 2);
    after = slice_from(slice_make(data + 2, size - 2), before.len);
    (void)buf_add(&text, before);
    (void)buf_printf(&text, " password = \"%s\"", secret);
    (void)buf_add(&text, after);
    source = source_new(&arena, SLICE_LIT("f"), buf_slice(&text));
    at.start = (uint32_t)(data[0] * text.len / 256);
    at.end = at.start + data[1];
    if (at.end > text.len)
        at.end = (uint32_t)text.len;
    diag = diags_error(&diags, source, at, "bad");
    BUG_ON(utf8_runes(slice_str(diag->excerpt)) > MOST_SHOWN);
    BUG_ON(diag->caret_len == 0 || diag->caret > MOST_SHOWN);
    buf_reset(&text);
    diags_print(&text, &diags, true);
    /* a quote before it may make other words of it */
    if (!has_quote(before) && !has_secret(before) && !has_secret(after))
        BUG_ON(has_secret(buf_slice(&text)));
    buf_release(&text);
    diags_release(&diags);
    arena_release(&arena);
    return 0;
}
