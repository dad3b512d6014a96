/* The YAML subset positions files are written in: a mapping `positions` whose keys are scalars (Promtail) or mappings
 * of path and labels (Alloy), whose values are scalars. Scalars are plain, 'single' or "double" quoted and may be
 * folded. */
#include "agent/delivery/positions.h"
#include "agent/io/codec.h"
#include <stdio.h>

enum { SCALAR_BYTES_MAX = 64 * 1024 };

struct reader {
    struct slice text;
    size_t at, line_start;
    unsigned line;
    struct buf path, labels, value, other; /* the entry being read */
};

static bool at_end(const struct reader *r)
{
    return r->at >= r->text.len;
}

static char peek(const struct reader *r)
{
    return at_end(r) ? '\0' : r->text.ptr[r->at];
}

static char peek_second(const struct reader *r)
{
    return r->at + 1 < r->text.len ? r->text.ptr[r->at + 1] : '\n';
}

static size_t column(const struct reader *r)
{
    return r->at - r->line_start;
}

static void next_char(struct reader *r)
{
    if (r->text.ptr[r->at++] != '\n')
        return;
    r->line++;
    r->line_start = r->at;
}

static void skip_spaces(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r')
        next_char(r);
}

static bool ends_token(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0';
}

/* To the next thing that is neither white space, a comment nor a document's mark. */
static void skip_blank(struct reader *r)
{
    for (;;) {
        skip_spaces(r);
        if (at_end(r))
            return;
        if (peek(r) == '#' || (column(r) == 0 && slice_starts(slice_from(r->text, r->at), SLICE_LIT("---"))))
            while (!at_end(r) && peek(r) != '\n')
                next_char(r);
        if (at_end(r) || peek(r) != '\n')
            return;
        next_char(r);
    }
}

/* A line break inside a scalar: one becomes a blank, each further one a line break. */
static void fold(struct reader *r, struct buf *out)
{
    unsigned breaks = 0;

    while (out->len != 0 && (out->ptr[out->len - 1] == ' ' || out->ptr[out->len - 1] == '\t'))
        out->len--;
    while (peek(r) == '\n' || peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r') {
        breaks += peek(r) == '\n';
        next_char(r);
    }
    if (breaks == 1)
        buf_add_char(out, ' ');
    for (unsigned i = 1; i < breaks; i++)
        buf_add_char(out, '\n');
}

static bool read_single(struct reader *r, struct buf *out)
{
    next_char(r);
    while (!at_end(r)) {
        if (peek(r) == '\n') {
            fold(r, out);
            continue;
        }
        if (peek(r) == '\'' && peek_second(r) != '\'') {
            next_char(r);
            return true;
        }
        if (peek(r) == '\'')
            next_char(r);
        buf_add_char(out, peek(r));
        next_char(r);
    }
    return false;
}

static bool read_hex(struct reader *r, unsigned digits, struct buf *out)
{
    uint32_t code = 0;

    for (unsigned i = 0; i < digits; i++, next_char(r)) {
        char c = peek(r);
        unsigned d;

        if (c >= '0' && c <= '9')
            d = (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            d = (unsigned)((c | 0x20) - 'a') + 10;
        else
            return false;
        code = code << 4 | d;
    }
    if (code < 0x80) {
        buf_add_char(out, (char)code);
    } else if (code < 0x800) {
        buf_add_char(out, (char)(0xc0 | code >> 6));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buf_add_char(out, (char)(0xe0 | code >> 12));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xf0 | (code >> 18 & 7)));
        buf_add_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    }
    return true;
}

static bool read_escape(struct reader *r, struct buf *out)
{
    static const char from[] = "ntr0abefv\"\\/ ";
    static const char to[] = "\n\t\r\0\a\b\033\f\v\"\\/ ";
    char c = peek(r);
    const char *found;

    if (at_end(r))
        return false;
    next_char(r);
    if (c == '\n') { /* the line goes on without a blank */
        skip_spaces(r);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U')
        return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
    found = c != '\0' ? strchr(from, c) : NULL;
    if (found == NULL)
        return false;
    buf_add_char(out, to[found - from]);
    return true;
}

static bool read_double(struct reader *r, struct buf *out)
{
    next_char(r);
    while (!at_end(r)) {
        char c = peek(r);

        if (c == '\n') {
            fold(r, out);
            continue;
        }
        next_char(r);
        if (c == '"')
            return true;
        if (c == '\\' && !read_escape(r, out))
            return false;
        if (c != '\\')
            buf_add_char(out, c);
    }
    return false;
}

/* Goes on over lines that stand further in than column `parent`. */
static bool read_plain(struct reader *r, size_t parent, struct buf *out)
{
    while (!at_end(r)) {
        char c = peek(r);

        if ((c == ':' && ends_token(peek_second(r))) || (c == '#' && r->at != 0 && r->text.ptr[r->at - 1] == ' '))
            break;
        if (c == '\n') {
            struct reader before = *r;

            skip_blank(r);
            if (at_end(r) || column(r) <= parent || peek(r) == ':' || peek(r) == '?') {
                *r = before;
                break;
            }
            buf_add_char(out, ' ');
            continue;
        }
        if (c != '\r')
            buf_add_char(out, c);
        next_char(r);
    }
    while (out->len != 0 && (out->ptr[out->len - 1] == ' ' || out->ptr[out->len - 1] == '\t'))
        out->len--;
    return true;
}

static bool read_scalar(struct reader *r, size_t parent, struct buf *out)
{
    bool is_good;

    buf_reset(out);
    if (peek(r) == '\'')
        is_good = read_single(r, out);
    else if (peek(r) == '"')
        is_good = read_double(r, out);
    else
        is_good = read_plain(r, parent, out);
    return is_good && !out->is_full;
}

/* The ':' after a key, and the blanks around it. */
static bool read_colon(struct reader *r)
{
    skip_spaces(r);
    if (peek(r) != ':' || !ends_token(peek_second(r)))
        return false;
    next_char(r);
    skip_spaces(r);
    return true;
}

/* `? path: …` with `labels: …` below it, or `? scalar`; ends in front of the ':' of the value. */
static bool read_complex_key(struct reader *r, size_t indent)
{
    size_t inner;

    next_char(r);
    skip_spaces(r);
    inner = column(r);
    for (unsigned i = 0; i < 2; i++) {
        if (!read_scalar(r, indent, &r->other))
            return false;
        if (!read_colon(r)) { /* a long plain key */
            buf_reset(&r->path);
            buf_add(&r->path, buf_slice(&r->other));
            skip_blank(r);
            return i == 0;
        }
        if (!slice_eq_str(buf_slice(&r->other), i == 0 ? "path" : "labels") &&
            !slice_eq_str(buf_slice(&r->other), i == 0 ? "labels" : "path"))
            return false;
        if (!read_scalar(r, inner, slice_eq_str(buf_slice(&r->other), "path") ? &r->path : &r->labels))
            return false;
        skip_blank(r);
        if (column(r) != inner)
            return true;
    }
    return true;
}

static bool read_entry(struct reader *r)
{
    size_t indent = column(r);

    buf_reset(&r->path);
    buf_reset(&r->labels);
    if (peek(r) == '?' && ends_token(peek_second(r))) {
        if (!read_complex_key(r, indent) || column(r) != indent)
            return false;
    } else if (!read_scalar(r, indent, &r->path)) {
        return false;
    }
    if (!read_colon(r) || peek(r) == '\n' || at_end(r) || !read_scalar(r, indent, &r->value))
        return false;
    skip_spaces(r);
    if (peek(r) == '#')
        while (!at_end(r) && peek(r) != '\n')
            next_char(r);
    return at_end(r) || peek(r) == '\n';
}

static bool read_all(struct reader *r,
                     void (*each)(void *ctx, struct slice path, struct slice labels, struct slice value), void *ctx)
{
    skip_blank(r);
    if (at_end(r))
        return true;
    if (column(r) != 0 || !read_scalar(r, 0, &r->other) || !slice_eq_str(buf_slice(&r->other), "positions") ||
        !read_colon(r))
        return false;
    if (slice_starts(slice_from(r->text, r->at), SLICE_LIT("{}")))
        r->at += 2;
    skip_blank(r);
    while (!at_end(r)) {
        if (column(r) == 0 || !read_entry(r) || r->path.len == 0)
            return false;
        each(ctx, buf_slice(&r->path), buf_slice(&r->labels), buf_slice(&r->value));
        skip_blank(r);
    }
    return true;
}

/* The checksum is the last line and covers everything in front of it. */
static enum code check_sum(struct slice text, struct error *err)
{
    static const char mark[] = "# crc32c ";
    struct slice trimmed = slice_trim(text);
    size_t at = trimmed.len;
    char want[9];

    while (at > 0 && trimmed.ptr[at - 1] != '\n')
        at--;
    if (!slice_starts(slice_from(trimmed, at), SLICE_LIT("# crc32c ")))
        return OK;
    snprintf(want, sizeof want, "%08x", crc32c_update(0, slice_make(text.ptr, (size_t)(trimmed.ptr + at - text.ptr))));
    if (!slice_eq_str(slice_from(trimmed, at + sizeof mark - 1), want))
        return error_set(err, CORRUPT, "the checksum in the last line does not fit");
    return OK;
}

enum code positions_parse(struct slice text,
                          void (*each)(void *ctx, struct slice path, struct slice labels, struct slice value),
                          void *ctx, struct error *err)
{
    struct reader r = {.text = text, .line = 1};
    enum code rc = check_sum(text, err);

    if (rc != OK)
        return rc;
    buf_init(&r.path, SCALAR_BYTES_MAX);
    buf_init(&r.labels, SCALAR_BYTES_MAX);
    buf_init(&r.value, SCALAR_BYTES_MAX);
    buf_init(&r.other, SCALAR_BYTES_MAX);
    if (!read_all(&r, each, ctx))
        rc = error_set(err, CORRUPT, "line %u is not an entry of a positions file", r.line);
    buf_release(&r.path);
    buf_release(&r.labels);
    buf_release(&r.value);
    buf_release(&r.other);
    return rc;
}
