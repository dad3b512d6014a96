/* Template functions on strings: Loki's, sprig's, and Go's escapers. */
#include "agent/base/limits.h"
#include "agent/text/base64.h"
#include "agent/text/digest.h"
#include "agent/text/gotemplate_int.h"
#include "agent/text/letter.h"
#include "agent/text/utf8.h"

#define FUNCTION(name) static enum code name(struct run *run, const struct value *args, size_t n, struct value *out)

/* First line of every function with fixed string parameters: s[0..count) in the order given. */
static enum code strings(struct run *run, const struct value *args, size_t n, struct slice *s)
{
    enum code rc = OK;

    for (size_t i = 0; i < n && rc == OK; i++)
        rc = run_string(run, &args[i], &s[i]);
    return rc;
}

static enum code map_runes(struct run *run, struct slice s, uint32_t (*change)(uint32_t rune), struct value *out)
{
    struct buf b;

    run_scratch(run, &b);
    while (s.len != 0 && !b.is_full) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t rune;

        s = slice_from(s, utf8_decode(s, &rune));
        (void)buf_add(&b, slice_make(bytes, utf8_encode(change(rune), bytes)));
    }
    return run_take(run, &b, out);
}

FUNCTION(to_lower)
{
    struct slice s;
    enum code rc = strings(run, args, n, &s);

    return rc == OK ? map_runes(run, s, letter_lower, out) : rc;
}

FUNCTION(to_upper)
{
    struct slice s;
    enum code rc = strings(run, args, n, &s);

    return rc == OK ? map_runes(run, s, letter_upper, out) : rc;
}

/* strings.Title: a letter that no letter, digit, '_' or '\'' precedes; only the first letter changes. */
FUNCTION(to_title)
{
    struct slice s;
    enum code rc = strings(run, args, n, &s);
    bool is_start = true;
    struct buf b;

    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    while (s.len != 0 && !b.is_full) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t rune;

        s = slice_from(s, utf8_decode(s, &rune));
        (void)buf_add(&b, slice_make(bytes, utf8_encode(is_start ? letter_upper(rune) : rune, bytes)));
        is_start = !letter_is_word(rune);
    }
    return run_take(run, &b, out);
}

static enum code replace_n(struct run *run, struct slice s, struct slice from, struct slice to, int64_t count,
                           struct value *out)
{
    struct buf b;

    run_scratch(run, &b);
    for (int64_t i = 0; (count < 0 || i < count) && !b.is_full; i++) {
        uint32_t rune;
        size_t at = from.len != 0 ? slice_find_slice(s, from) : i != 0 ? utf8_decode(s, &rune) : 0;

        if (from.len != 0 ? at == s.len : (i != 0 && s.len == 0))
            break;
        (void)buf_add(&b, slice_head(s, at));
        (void)buf_add(&b, to);
        s = slice_from(s, at + from.len);
    }
    (void)buf_add(&b, s);
    return run_take(run, &b, out);
}

FUNCTION(loki_replace)
{
    struct slice s[3];
    int64_t count;
    enum code rc = strings(run, args, 3, s);

    (void)n;
    if (rc == OK)
        rc = run_int(run, &args[3], &count);
    return rc == OK ? replace_n(run, s[0], s[1], s[2], count, out) : rc;
}

FUNCTION(sprig_replace)
{
    struct slice s[3];
    enum code rc = strings(run, args, n, s);

    return rc == OK ? replace_n(run, s[2], s[0], s[1], -1, out) : rc;
}

static bool in_set(struct slice set, uint32_t rune)
{
    while (set.len != 0) {
        uint32_t member;

        set = slice_from(set, utf8_decode(set, &member));
        if (member == rune)
            return true;
    }
    return false;
}

static struct slice trim_left(struct slice s, struct slice set)
{
    while (s.len != 0) {
        uint32_t rune;
        size_t width = utf8_decode(s, &rune);

        if (!in_set(set, rune))
            break;
        s = slice_from(s, width);
    }
    return s;
}

static struct slice trim_right(struct slice s, struct slice set)
{
    while (s.len != 0) {
        size_t from = s.len - 1;
        uint32_t rune;

        while (from > 0 && s.len - from < UTF8_MAX_BYTES && ((unsigned char)s.ptr[from] & 0xC0) == 0x80)
            from--;
        if (utf8_decode(slice_from(s, from), &rune) != s.len - from) {
            from = s.len - 1; /* a stray byte stands alone */
            rune = UTF8_REPLACEMENT;
        }
        if (!in_set(set, rune))
            break;
        s.len = from;
    }
    return s;
}

#define SPACES                                                                                                         \
    SLICE_LIT("\t\n\v\f\r \xC2\x85\xC2\xA0\xE1\x9A\x80\xE2\x80\x80\xE2\x80\x81\xE2\x80\x82\xE2\x80\x83\xE2\x80\x84"    \
              "\xE2\x80\x85\xE2\x80\x86\xE2\x80\x87\xE2\x80\x88\xE2\x80\x89\xE2\x80\x8A\xE2\x80\xA8\xE2\x80\xA9"       \
              "\xE2\x80\xAF\xE2\x81\x9F\xE3\x80\x80")

FUNCTION(loki_trim)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_string(trim_right(trim_left(s[0], s[1]), s[1]));
    return rc;
}

FUNCTION(loki_trim_left)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_string(trim_left(s[0], s[1]));
    return rc;
}

FUNCTION(loki_trim_right)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_string(trim_right(s[0], s[1]));
    return rc;
}

static struct slice without_prefix(struct slice s, struct slice prefix)
{
    return slice_starts(s, prefix) ? slice_from(s, prefix.len) : s;
}

static struct slice without_suffix(struct slice s, struct slice suffix)
{
    return slice_ends(s, suffix) ? slice_head(s, s.len - suffix.len) : s;
}

FUNCTION(loki_trim_prefix)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_string(without_prefix(s[0], s[1]));
    return rc;
}

FUNCTION(loki_trim_suffix)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_string(without_suffix(s[0], s[1]));
    return rc;
}

FUNCTION(trim_space)
{
    struct slice s;
    enum code rc = strings(run, args, n, &s);

    if (rc == OK)
        *out = tvalue_string(trim_right(trim_left(s, SPACES), SPACES));
    return rc;
}

FUNCTION(sprig_trim_all)
{
    struct value swapped[2] = {args[1], args[0]};

    return loki_trim(run, swapped, n, out);
}

FUNCTION(sprig_trim_prefix)
{
    struct value swapped[2] = {args[1], args[0]};

    return loki_trim_prefix(run, swapped, n, out);
}

FUNCTION(sprig_trim_suffix)
{
    struct value swapped[2] = {args[1], args[0]};

    return loki_trim_suffix(run, swapped, n, out);
}

FUNCTION(contains)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_bool(s[0].len == 0 || slice_find_slice(s[1], s[0]) < s[1].len);
    return rc;
}

FUNCTION(has_prefix)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_bool(slice_starts(s[1], s[0]));
    return rc;
}

FUNCTION(has_suffix)
{
    struct slice s[2];
    enum code rc = strings(run, args, n, s);

    if (rc == OK)
        *out = tvalue_bool(slice_ends(s[1], s[0]));
    return rc;
}

FUNCTION(trunc_text)
{
    struct slice s;
    int64_t c;
    enum code rc = run_int(run, &args[0], &c);

    (void)n;
    if (rc == OK)
        rc = run_string(run, &args[1], &s);
    if (rc != OK)
        return rc;
    if (c < 0 && c > -(int64_t)s.len)
        s = slice_from(s, s.len - (size_t)-c);
    else if (c >= 0)
        s = slice_head(s, (size_t)c);
    *out = tvalue_string(s);
    return OK;
}

FUNCTION(substr)
{
    struct slice s;
    int64_t from, to;
    enum code rc = run_int(run, &args[0], &from);

    (void)n;
    if (rc == OK)
        rc = run_int(run, &args[1], &to);
    if (rc == OK)
        rc = run_string(run, &args[2], &s);
    if (rc != OK)
        return rc;
    if (from < 0)
        from = 0;
    else if (to < 0 || to > (int64_t)s.len)
        to = (int64_t)s.len;
    if (to < from || to > (int64_t)s.len)
        return run_fail(run, INVALID, "substr: %lld to %lld is out of range", (long long)from, (long long)to);
    *out = tvalue_string(slice_make(s.ptr + from, (size_t)(to - from)));
    return OK;
}

static enum code indent_text(struct run *run, const struct value *args, bool starts_line, struct value *out)
{
    struct slice s;
    int64_t spaces;
    enum code rc = run_int(run, &args[0], &spaces);
    struct buf b;

    if (rc == OK)
        rc = run_string(run, &args[1], &s);
    if (rc != OK)
        return rc;
    if (spaces < 0 || spaces > LIMIT_TEMPLATE_LIST)
        return run_fail(run, INVALID, "indent: %lld spaces", (long long)spaces);
    run_scratch(run, &b);
    if (starts_line)
        (void)buf_add_char(&b, '\n');
    for (bool is_more = true; is_more && !b.is_full;) {
        struct slice line;

        is_more = slice_cut(s, '\n', &line, &s);
        (void)buf_printf(&b, "%*s", (int)spaces, "");
        (void)buf_add(&b, line);
        if (is_more)
            (void)buf_add_char(&b, '\n');
    }
    return run_take(run, &b, out);
}

FUNCTION(indent)
{
    (void)n;
    return indent_text(run, args, false, out);
}

FUNCTION(nindent)
{
    (void)n;
    return indent_text(run, args, true, out);
}

FUNCTION(repeat)
{
    struct slice s;
    int64_t count;
    enum code rc = run_int(run, &args[0], &count);
    struct buf b;

    (void)n;
    if (rc == OK)
        rc = run_string(run, &args[1], &s);
    if (rc != OK)
        return rc;
    if (count < 0)
        return run_fail(run, INVALID, "repeat: negative count");
    run_scratch(run, &b);
    for (int64_t i = 0; i < count && s.len != 0 && !b.is_full; i++)
        (void)buf_add(&b, s);
    return run_take(run, &b, out);
}

/* ---- regular expressions ---- */

static enum code replace_regex(struct run *run, const struct value *args, bool is_literal, struct value *out)
{
    const struct regex *r = run->regex;
    struct regex *own = NULL;
    struct slice s[3];
    enum code rc = strings(run, args, 3, s);
    struct buf b;

    if (rc == OK && r == NULL) {
        rc = regex_compile(&own, s[0], REGEX_PLAIN, run->err);
        r = own;
    }
    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    if (is_literal)
        rc = regex_replace_literal(r, s[1], s[2], &b, NULL);
    else
        rc = regex_replace_all(r, s[1], s[2], &b, NULL);
    (void)rc; /* a full buffer is what run_take reports */
    regex_free(own);
    return run_take(run, &b, out);
}

FUNCTION(regex_replace_all_text)
{
    (void)n;
    return replace_regex(run, args, false, out);
}

FUNCTION(regex_replace_all_literal)
{
    (void)n;
    return replace_regex(run, args, true, out);
}

/* ---- digests and codes ---- */

static enum code take_digest(struct run *run, const uint8_t digest[DIGEST_BYTES], struct value *out)
{
    char hex[2 * DIGEST_BYTES + 1];
    struct buf b;

    digest_hex(digest, hex);
    run_scratch(run, &b);
    (void)buf_add_str(&b, hex);
    return run_take(run, &b, out);
}

FUNCTION(hash_sha3)
{
    struct slice s[2];
    uint8_t digest[DIGEST_BYTES];
    enum code rc = strings(run, args, n, s);

    if (rc != OK)
        return rc;
    digest_sha3_256(s[0], s[1], digest);
    return take_digest(run, digest, out);
}

FUNCTION(hash_sha2)
{
    struct slice s[2] = {{NULL, 0}, {NULL, 0}};
    uint8_t digest[DIGEST_BYTES];
    enum code rc = strings(run, args, n, s);

    if (rc != OK)
        return rc;
    digest_sha256(s[0], s[1], digest);
    return take_digest(run, digest, out);
}

FUNCTION(base64_encode_text)
{
    struct slice s;
    enum code rc = strings(run, args, n, &s);
    struct buf b;

    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    (void)base64_encode(&b, s);
    return run_take(run, &b, out);
}

/* sprig gives the error's text as the result. */
FUNCTION(base64_decode_text)
{
    struct slice s, bytes;
    enum code rc = strings(run, args, n, &s);

    if (rc != OK)
        return rc;
    rc = base64_decode(run->arena, s, &bytes, run->err);
    if (rc == NOMEM)
        return rc;
    *out = tvalue_string(rc == OK ? bytes : SLICE_LIT("illegal base64 data"));
    return OK;
}

static const char *escape_html(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&#34;";
    case '\'':
        return "&#39;";
    case '\0':
        return "\xEF\xBF\xBD";
    default:
        return NULL;
    }
}

/* The escapers take any values, printed one after the other as `print` has them. */
static enum code print_all(struct run *run, const struct value *args, size_t n, struct value *text)
{
    struct buf b;

    run_scratch(run, &b);
    for (size_t i = 0; i < n; i++) {
        if (i != 0 && args[i].kind != VALUE_STRING && args[i - 1].kind != VALUE_STRING)
            (void)buf_add_char(&b, ' ');
        tvalue_print(&b, &args[i]);
    }
    return run_take(run, &b, text);
}

FUNCTION(html)
{
    struct value text;
    enum code rc = print_all(run, args, n, &text);
    struct buf b;

    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    for (size_t i = 0; i < text.text.len; i++) {
        const char *escaped = escape_html((unsigned char)text.text.ptr[i]);

        if (escaped != NULL)
            (void)buf_add_str(&b, escaped);
        else
            (void)buf_add_char(&b, text.text.ptr[i]);
    }
    return run_take(run, &b, out);
}

FUNCTION(js)
{
    static const char plain[] = "\\'\"", coded[] = "<>&=";
    struct value text;
    enum code rc = print_all(run, args, n, &text);
    struct buf b;

    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    for (size_t i = 0; i < text.text.len; i++) {
        unsigned char c = (unsigned char)text.text.ptr[i];

        if (c != 0 && strchr(plain, c) != NULL)
            (void)buf_printf(&b, "\\%c", c);
        else if (c < 0x20 || strchr(coded, c) != NULL)
            (void)buf_printf(&b, "\\u%04X", c);
        else
            (void)buf_add_char(&b, (char)c);
    }
    return run_take(run, &b, out);
}

FUNCTION(urlquery)
{
    struct value text;
    enum code rc = print_all(run, args, n, &text);
    struct buf b;

    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    for (size_t i = 0; i < text.text.len; i++) {
        unsigned char c = (unsigned char)text.text.ptr[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c != 0 && strchr("-_.~", c) != NULL))
            (void)buf_add_char(&b, (char)c);
        else if (c == ' ')
            (void)buf_add_char(&b, '+');
        else
            (void)buf_printf(&b, "%%%02X", c);
    }
    return run_take(run, &b, out);
}

const struct template_function template_string_functions[] = {
    {"ToLower", 1, 1, to_lower},
    {"ToUpper", 1, 1, to_upper},
    {"Replace", 4, 4, loki_replace},
    {"Trim", 2, 2, loki_trim},
    {"TrimLeft", 2, 2, loki_trim_left},
    {"TrimRight", 2, 2, loki_trim_right},
    {"TrimPrefix", 2, 2, loki_trim_prefix},
    {"TrimSuffix", 2, 2, loki_trim_suffix},
    {"TrimSpace", 1, 1, trim_space},
    {"regexReplaceAll", 3, 3, regex_replace_all_text},
    {"regexReplaceAllLiteral", 3, 3, regex_replace_all_literal},
    {"Hash", 2, 2, hash_sha3},
    {"Sha2Hash", 2, 2, hash_sha2},
    {"sha256sum", 1, 1, hash_sha2},
    {"lower", 1, 1, to_lower},
    {"upper", 1, 1, to_upper},
    {"title", 1, 1, to_title},
    {"trim", 1, 1, trim_space},
    {"trimAll", 2, 2, sprig_trim_all},
    {"trimPrefix", 2, 2, sprig_trim_prefix},
    {"trimSuffix", 2, 2, sprig_trim_suffix},
    {"trunc", 2, 2, trunc_text},
    {"substr", 3, 3, substr},
    {"contains", 2, 2, contains},
    {"hasPrefix", 2, 2, has_prefix},
    {"hasSuffix", 2, 2, has_suffix},
    {"indent", 2, 2, indent},
    {"nindent", 2, 2, nindent},
    {"replace", 3, 3, sprig_replace},
    {"repeat", 2, 2, repeat},
    {"b64enc", 1, 1, base64_encode_text},
    {"b64dec", 1, 1, base64_decode_text},
    {"html", 1, TEMPLATE_ARGUMENTS, html},
    {"js", 1, TEMPLATE_ARGUMENTS, js},
    {"urlquery", 1, TEMPLATE_ARGUMENTS, urlquery},
    {NULL, 0, 0, NULL},
};
