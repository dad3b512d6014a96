#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"
#include "agent/text/utf8.h"

static uint32_t unit_at(const char *at, enum file_encoding encoding)
{
    const unsigned char *b = (const unsigned char *)at;

    return encoding == FILE_UTF16_BE ? (uint32_t)b[0] << 8 | b[1] : (uint32_t)b[1] << 8 | b[0];
}

size_t lines_complete(struct slice text, enum file_encoding encoding)
{
    if (encoding == FILE_UTF8) {
        const char *last = text.len != 0 ? memrchr(text.ptr, '\n', text.len) : NULL;

        return last != NULL ? (size_t)(last - text.ptr) + 1 : 0;
    }
    for (size_t n = text.len & ~(size_t)1; n >= 2; n -= 2)
        if (unit_at(text.ptr + n - 2, encoding) == '\n')
            return n;
    return 0;
}

size_t lines_first_end(struct slice text, enum file_encoding encoding)
{
    if (encoding == FILE_UTF8) {
        size_t at = slice_find(text, '\n');

        return at < text.len ? at + 1 : 0;
    }
    for (size_t at = 0; at + 2 <= text.len; at += 2)
        if (unit_at(text.ptr + at, encoding) == '\n')
            return at + 2;
    return 0;
}

size_t lines_cut(struct slice text, size_t n, enum file_encoding encoding)
{
    if (n >= text.len)
        n = text.len;
    if (encoding != FILE_UTF8) {
        n &= ~(size_t)1;
        if (n >= 4 && n < text.len && (unit_at(text.ptr + n - 2, encoding) & 0xFC00) == 0xD800)
            n -= 2; /* the first half of a pair */
        return n;
    }
    for (unsigned back = 0; back < UTF8_MAX_BYTES - 1 && n < text.len && n > 0; back++) {
        if (((unsigned char)text.ptr[n] & 0xC0) != 0x80)
            break;
        n--;
    }
    return n;
}

static struct slice without_cr(struct slice line)
{
    if (line.len != 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* At most three bytes of UTF-8 come of one unit of UTF-16. */
static enum code decode_utf16(struct arena *a, struct slice raw, enum file_encoding encoding, struct slice *out,
                              size_t *n_bad)
{
    char *text = arena_try_alloc(a, raw.len / 2 * 3 + 4), *at = text;

    if (text == NULL)
        return NOMEM;
    for (size_t i = 0; i + 2 <= raw.len; i += 2) {
        uint32_t rune = unit_at(raw.ptr + i, encoding);

        if ((rune & 0xFC00) == 0xD800 && i + 4 <= raw.len && (unit_at(raw.ptr + i + 2, encoding) & 0xFC00) == 0xDC00) {
            rune = 0x10000 + ((rune & 0x3FF) << 10) + (unit_at(raw.ptr + i + 2, encoding) & 0x3FF);
            i += 2;
        } else if ((rune & 0xF800) == 0xD800) {
            rune = UTF8_REPLACEMENT;
            *n_bad += 2;
        }
        at += utf8_encode(rune, at);
    }
    *n_bad += raw.len & 1;
    *out = slice_make(text, (size_t)(at - text));
    return OK;
}

static enum code add_utf16(struct log_batch *b, uint32_t labels, struct slice text, enum file_encoding encoding,
                           int64_t *ts_ns, struct line_counts *counts)
{
    enum code rc = OK;

    while (text.len != 0 && rc == OK) {
        size_t end = lines_first_end(text, encoding);
        struct slice line;

        rc = decode_utf16(&b->base.arena, slice_head(text, end != 0 ? end - 2 : text.len), encoding, &line,
                          &counts->repaired_bytes);
        if (rc == OK)
            rc = log_batch_add(b, labels, (*ts_ns)++, without_cr(line), NULL, 0);
        counts->lines++;
        text = slice_from(text, end != 0 ? end : text.len);
    }
    return rc;
}

enum code lines_add(struct log_batch *b, uint32_t labels, struct slice text, enum file_encoding encoding,
                    int64_t *ts_ns, struct line_counts *counts)
{
    bool is_valid;

    if (encoding != FILE_UTF8)
        return add_utf16(b, labels, text, encoding, ts_ns, counts);
    is_valid = utf8_is_valid(text);
    while (text.len != 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t n = end != NULL ? (size_t)(end - text.ptr) : text.len;
        struct slice line = without_cr(slice_head(text, n));

        if (!is_valid) {
            size_t n_bad = 0;

            if (utf8_repair_arena(&b->base.arena, line, &line, &n_bad) != OK)
                return NOMEM;
            counts->repaired_bytes += n_bad;
        }
        if (log_batch_add(b, labels, (*ts_ns)++, line, NULL, 0) != OK)
            return NOMEM;
        counts->lines++;
        text = slice_from(text, end != NULL ? n + 1 : n);
    }
    return OK;
}
