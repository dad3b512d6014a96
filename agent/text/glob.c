#include "agent/text/glob.h"
#include "agent/base/arena.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/utf8.h"

struct pattern {
    struct slice *elements; /* between the slashes */
    size_t n;
};

struct glob {
    struct arena arena;       /* all below */
    struct pattern *patterns; /* what the braces unfold to */
    size_t n;
    struct slice base;
    bool is_literal;
};

static enum code broken(struct slice pattern, const char *what, struct error *err)
{
    return error_set(err, INVALID, "pattern \"%.*s\": %s", (int)slice_head(pattern, 256).len, pattern.ptr, what);
}

/* Bytes of the bracket expression at s, 0 when it does not end within its path element. */
static size_t class_bytes(struct slice s)
{
    size_t i = 1;

    if (i < s.len && (s.ptr[i] == '!' || s.ptr[i] == '^'))
        i++;
    for (size_t from = i; i < s.len && s.ptr[i] != '/'; i++) {
        if (s.ptr[i] == ']')
            return i > from ? i + 1 : 0;
        if (s.ptr[i] == '\\' && ++i < s.len && s.ptr[i] == '/')
            return 0;
    }
    return 0;
}

/* Bytes of the one thing at s: an escape, a bracket expression or a single byte. 0 when it does not end. */
static size_t unit_bytes(struct slice s)
{
    if (s.ptr[0] == '\\')
        return s.len > 1 && s.ptr[1] != '/' ? 2 : 0;
    return s.ptr[0] == '[' ? class_bytes(s) : 1;
}

/* Index of the '}' that closes the '{' at s[0], s.len when there is none. */
static size_t brace_end(struct slice s)
{
    size_t depth = 0;

    for (size_t i = 0; i < s.len;) {
        if (s.ptr[i] == '{')
            depth++;
        else if (s.ptr[i] == '}' && --depth == 0)
            return i;
        i += unit_bytes(slice_from(s, i));
    }
    return s.len;
}

/* Index of the next ',' of this level at or after i, or s.len. */
static size_t choice_end(struct slice s, size_t i)
{
    size_t depth = 0;

    for (; i < s.len && (depth != 0 || s.ptr[i] != ','); i += unit_bytes(slice_from(s, i))) {
        if (s.ptr[i] == '{')
            depth++;
        else if (s.ptr[i] == '}')
            depth--;
    }
    return i;
}

static enum code add_pattern(struct glob *g, struct slice text, struct error *err)
{
    struct pattern *p = &g->patterns[g->n];
    size_t n = 1;

    if (g->n == LIMIT_GLOB_BRACES)
        return error_set(err, FULL, "pattern: its braces unfold to more than %d", LIMIT_GLOB_BRACES);
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '/';
    p->elements = arena_alloc(&g->arena, n * sizeof *p->elements);
    p->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice rest;

        (void)slice_cut(text, '/', &p->elements[p->n++], &rest);
        text = rest;
    }
    g->n++;
    return OK;
}

/* Unfolds the first brace and goes on with each result; nesting is bounded by the pattern's length. */
static enum code unfold(struct glob *g, struct slice text, unsigned depth, struct error *err)
{
    size_t open = 0, close;
    enum code rc = OK;

    while (open < text.len && text.ptr[open] != '{')
        open += unit_bytes(slice_from(text, open));
    if (open >= text.len)
        return add_pattern(g, text, err);
    if (depth > 32)
        return error_set(err, FULL, "pattern: more than 32 braces");
    close = open + brace_end(slice_from(text, open));
    for (size_t from = open + 1; rc == OK && from <= close;) {
        struct slice inside = slice_head(text, close);
        size_t to = choice_end(inside, from), size = open + (to - from) + (text.len - close - 1);
        char *whole = arena_alloc(&g->arena, size + 1);

        memcpy(whole, text.ptr, open);
        memcpy(whole + open, text.ptr + from, to - from);
        memcpy(whole + open + (to - from), text.ptr + close + 1, text.len - close - 1);
        rc = unfold(g, slice_make(whole, size), depth + 1, err);
        from = to + 1;
    }
    return rc;
}

static enum code check(struct slice pattern, struct error *err)
{
    size_t n;

    for (size_t i = 0; i < pattern.len; i += n) {
        n = unit_bytes(slice_from(pattern, i));
        if (n == 0)
            return broken(pattern, pattern.ptr[i] == '[' ? "'[' without ']'" : "a backslash at the end or before '/'",
                          err);
    }
    for (size_t i = 0; i < pattern.len; i += unit_bytes(slice_from(pattern, i))) {
        if (pattern.ptr[i] == '{' && i + brace_end(slice_from(pattern, i)) >= pattern.len)
            return broken(pattern, "'{' without '}'", err);
    }
    return OK;
}

static void find_base(struct glob *g, struct slice pattern)
{
    size_t slash = 0, i = 0;
    bool has_slash = false;

    for (; i < pattern.len && strchr("*?[{\\", pattern.ptr[i]) == NULL; i++) {
        if (pattern.ptr[i] == '/') {
            slash = i;
            has_slash = true;
        }
    }
    g->is_literal = i == pattern.len;
    g->base = g->is_literal ? pattern : slice_head(pattern, has_slash && slash == 0 ? 1 : slash);
}

enum code glob_compile(struct glob **out, struct slice pattern, struct error *err)
{
    struct glob *g;
    enum code rc;

    *out = NULL;
    if (pattern.len > LIMIT_GLOB_BYTES)
        return error_set(err, FULL, "pattern of %zu bytes, at most %d are taken", pattern.len, LIMIT_GLOB_BYTES);
    if (slice_find(pattern, '\0') != pattern.len)
        return error_set(err, INVALID, "pattern: holds a NUL byte");
    rc = check(pattern, err);
    if (rc != OK)
        return rc;
    g = mem_zalloc(sizeof *g);
    arena_init(&g->arena, 0);
    g->patterns = arena_alloc(&g->arena, LIMIT_GLOB_BRACES * sizeof *g->patterns);
    pattern = slice_make(arena_strndup(&g->arena, pattern), pattern.len);
    find_base(g, pattern);
    rc = unfold(g, pattern, 0, err);
    if (rc == OK) {
        *out = g;
        return OK;
    }
    glob_free(g);
    return rc;
}

void glob_free(struct glob *g)
{
    if (g == NULL)
        return;
    arena_release(&g->arena);
    mem_free(g);
}

struct slice glob_base(const struct glob *g)
{
    return g->base;
}

bool glob_is_literal(const struct glob *g)
{
    return g->is_literal;
}

/* One rune of a bracket expression, a backslash quoting it. */
static size_t class_rune(struct slice s, uint32_t *rune)
{
    if (s.len > 1 && s.ptr[0] == '\\')
        return 1 + utf8_decode(slice_from(s, 1), rune);
    return utf8_decode(s, rune);
}

/* s is the whole expression with its brackets. */
static bool class_has(struct slice s, uint32_t rune)
{
    bool is_negated = s.ptr[1] == '!' || s.ptr[1] == '^', is_found = false;
    struct slice in = slice_make(s.ptr + 1 + is_negated, s.len - 2 - is_negated);

    while (in.len != 0) {
        uint32_t low, high;

        in = slice_from(in, class_rune(in, &low));
        high = low;
        if (in.len > 1 && in.ptr[0] == '-')
            in = slice_from(in, 1 + class_rune(slice_from(in, 1), &high));
        if (low <= rune && rune <= high)
            is_found = true;
    }
    return is_found != is_negated;
}

/* Matches one unit of p (not '*') against the start of s. */
static bool match_unit(struct slice *p, struct slice *s)
{
    size_t n = unit_bytes(*p), width;
    uint32_t rune;

    if (s->len == 0)
        return false;
    width = utf8_decode(*s, &rune);
    if (p->ptr[0] == '[') {
        if (!class_has(slice_head(*p, n), rune))
            return false;
    } else if (p->ptr[0] != '?') {
        width = 1;
        if (s->ptr[0] != p->ptr[n - 1])
            return false;
    }
    *p = slice_from(*p, n);
    *s = slice_from(*s, width);
    return true;
}

/* Within one path element. Only the last '*' can need another try. */
static bool match_element(struct slice p, struct slice s)
{
    struct slice retry_p = {NULL, 0}, retry_s = {NULL, 0};

    while (p.len != 0 || s.len != 0) {
        uint32_t rune;

        if (p.len != 0 && p.ptr[0] == '*') {
            p = slice_from(p, 1);
            retry_p = p;
            retry_s = s;
            continue;
        }
        if (p.len != 0 && match_unit(&p, &s))
            continue;
        if (retry_p.ptr == NULL || retry_s.len == 0)
            return false;
        retry_s = slice_from(retry_s, utf8_decode(retry_s, &rune));
        p = retry_p;
        s = retry_s;
    }
    return true;
}

static bool is_any(struct slice element)
{
    return slice_eq_str(element, "**");
}

/* The element at the start of *path; *is_last when none follows. */
static struct slice next_element(struct slice *path, bool *is_last)
{
    struct slice head, rest;

    *is_last = !slice_cut(*path, '/', &head, &rest);
    *path = rest;
    return head;
}

/* The same scheme one level up: "**" is the star, an element the character. */
static bool match_pattern(const struct pattern *p, struct slice path)
{
    size_t at = 0, retry_at = SIZE_MAX;
    struct slice rest = path, retry_rest = path;
    bool is_over = false, retry_over = false;

    while (at < p->n || !is_over) {
        struct slice after = rest;
        bool is_last = false;

        if (at < p->n && is_any(p->elements[at])) {
            retry_at = ++at;
            retry_rest = rest;
            retry_over = is_over;
            continue;
        }
        if (at < p->n && !is_over && match_element(p->elements[at], next_element(&after, &is_last))) {
            at++;
            rest = after;
            is_over = is_last;
            continue;
        }
        if (retry_at == SIZE_MAX || retry_over)
            return false;
        (void)next_element(&retry_rest, &retry_over);
        at = retry_at;
        rest = retry_rest;
        is_over = retry_over;
    }
    return true;
}

bool glob_match(const struct glob *g, struct slice path)
{
    for (size_t i = 0; i < g->n; i++) {
        if (match_pattern(&g->patterns[i], path))
            return true;
    }
    return false;
}

static bool may_descend(const struct pattern *p, struct slice directory)
{
    bool is_last = false;

    for (size_t i = 0; i < p->n; i++) {
        if (is_any(p->elements[i]) || is_last)
            return true;
        if (!match_element(p->elements[i], next_element(&directory, &is_last)))
            return false;
    }
    return false;
}

bool glob_may_descend(const struct glob *g, struct slice directory)
{
    if (directory.len == 0)
        return true;
    if (directory.ptr[directory.len - 1] == '/')
        directory.len--;
    for (size_t i = 0; i < g->n; i++) {
        if (may_descend(&g->patterns[i], directory))
            return true;
    }
    return false;
}
