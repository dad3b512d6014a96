#include "agent/text/regex.h"
#include "agent/base/budget.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/regex_int.h"
#include "agent/text/utf8.h"
#include <stdio.h>

enum { MAX_SPANS = LIMIT_REGEX_GROUPS + 1, BYTES_PER_INSTRUCTION = 32 };

struct regex {
    struct regex_program *program; /* owned */
    char *pattern;                 /* owned */
    size_t pattern_len;
    struct slice *names; /* owned, each one too; [0] stays empty */
    size_t n_groups;
    size_t charged_bytes; /* RE2's share of the budget: an estimate from the program's size */
    bool is_full;
};

/* End of the bracket expression that opens at i, after its ']'. */
static size_t class_end(struct slice p, size_t i)
{
    i++;
    if (i < p.len && p.ptr[i] == '^')
        i++;
    if (i < p.len && p.ptr[i] == ']')
        i++;
    while (i < p.len && p.ptr[i] != ']') {
        if (p.ptr[i] == '\\') {
            i++;
        } else if (p.ptr[i] == '[' && i + 1 < p.len && p.ptr[i + 1] == ':') {
            size_t close = slice_find_slice(slice_from(p, i), SLICE_LIT(":]"));

            if (i + close < p.len)
                i += close + 1;
        }
        i++;
    }
    return i < p.len ? i + 1 : p.len;
}

/* End of what must not be looked into at i: an escape, \Q...\E, a bracket expression. i itself when none starts here.
 */
static size_t opaque_end(struct slice p, size_t i)
{
    if (p.ptr[i] == '[')
        return class_end(p, i);
    if (p.ptr[i] != '\\' || i + 1 >= p.len)
        return i;
    if (p.ptr[i + 1] != 'Q')
        return i + 2;
    i += slice_find_slice(slice_from(p, i), SLICE_LIT("\\E"));
    return i < p.len ? i + 2 : p.len;
}

/* Go takes (?<name> since 1.22, this RE2 only (?P<name>. */
static void rewrite(struct slice p, struct buf *out)
{
    static const struct slice group = {"(?<", 3};

    for (size_t i = 0; i < p.len;) {
        size_t end = opaque_end(p, i);

        if (end > i) {
            (void)buf_add(out, slice_head(slice_from(p, i), end - i));
            i = end;
        } else if (slice_starts(slice_from(p, i), group) && i + 3 < p.len && p.ptr[i + 3] != '=' &&
                   p.ptr[i + 3] != '!') {
            (void)buf_add_str(out, "(?P<");
            i += group.len;
        } else {
            (void)buf_add_char(out, p.ptr[i++]);
        }
    }
}

static bool take_name(void *self, int group, const char *name, size_t len)
{
    struct regex *r = self;

    if (group > 0 && (size_t)group <= r->n_groups)
        r->names[group] = slice_make(mem_strndup(slice_make(name, len)), len);
    return true;
}

/* What an engineer may have meant, behind RE2's words. */
static void add_advice(char *reason, size_t size)
{
    static const struct {
        const char *reason, *advice;
    } known[] = {
        {"missing )", "every \"(\" needs its \")\", one that is meant itself is written [(]"},
        {"unexpected )", "one that is meant itself is written [)]"},
        {"missing ]", "every \"[\" needs its \"]\""},
        {"no argument for repetition operator", "one that is meant itself stands in brackets: [*] [+] [?]"},
        {"invalid perl operator", "RE2 has no look-ahead and no look-behind"},
    };
    size_t len = strlen(reason);

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(reason, known[i].reason, strlen(known[i].reason)) == 0)
            (void)snprintf(reason + len, size - len, "; %s", known[i].advice);
    }
}

static enum code compile_program(struct regex *r, struct slice pattern, enum regex_flags flags, struct error *err)
{
    struct buf text;
    char reason[256] = "";
    enum regex_status status;
    size_t len;

    buf_init(&text, 2 * LIMIT_REGEX_PATTERN_BYTES);
    rewrite(pattern, &text);
    status = regex_program_new(&r->program, text.len != 0 ? text.ptr : "", text.len, (flags & REGEX_PROMETHEUS) != 0,
                               LIMIT_REGEX_BYTES, reason, sizeof reason);
    len = strlen(reason);
    if (text.len != 0 && len > text.len + 2 && memcmp(reason + len - text.len, text.ptr, text.len) == 0)
        reason[len - text.len - 2] = '\0'; /* "missing ): " and all of the pattern, which is named anyway */
    add_advice(reason, sizeof reason);
    buf_release(&text);
    switch (status) {
    case REGEX_STATUS_OK:
        return OK;
    case REGEX_STATUS_SYNTAX:
        return error_set(err, INVALID, "regular expression \"%.*s\": %s", (int)slice_head(pattern, 128).len,
                         pattern.ptr, reason);
    case REGEX_STATUS_TOO_BIG:
        return error_set(err, FULL, "regular expression \"%.*s\" needs more than %d bytes",
                         (int)slice_head(pattern, 128).len, pattern.ptr, LIMIT_REGEX_BYTES);
    case REGEX_STATUS_NOMEM:
        return error_set(err, NOMEM, "regular expression: %s", reason);
    }
    return INVALID;
}

enum code regex_compile(struct regex **out, struct slice pattern, enum regex_flags flags, struct error *err)
{
    struct regex *r;
    enum code rc;

    *out = NULL;
    if (pattern.len > LIMIT_REGEX_PATTERN_BYTES)
        return error_set(err, FULL, "regular expression of %zu bytes, at most %d are taken", pattern.len,
                         LIMIT_REGEX_PATTERN_BYTES);
    if (pattern.ptr == NULL)
        pattern = SLICE_LIT("");
    r = mem_zalloc(sizeof *r);
    r->pattern = mem_strndup(pattern);
    r->pattern_len = pattern.len;
    r->is_full = (flags & REGEX_PROMETHEUS) != 0;
    rc = compile_program(r, pattern, flags, err);
    if (rc != OK)
        goto done;
    r->n_groups = (size_t)regex_program_groups(r->program);
    if (r->n_groups > LIMIT_REGEX_GROUPS) {
        rc = error_set(err, FULL, "regular expression with %zu groups, at most %d are taken", r->n_groups,
                       LIMIT_REGEX_GROUPS);
        r->n_groups = 0;
        goto done;
    }
    r->names = mem_array(r->n_groups + 1, sizeof *r->names);
    regex_program_names(r->program, take_name, r);
    r->charged_bytes = (size_t)regex_program_size(r->program) * BYTES_PER_INSTRUCTION;
    budget_charge(r->charged_bytes);
    *out = r;
    r = NULL;
done:
    regex_free(r);
    return rc;
}

/* The names were made by mem_strndup and are const only to readers. */
static void free_name(struct slice name)
{
    union {
        const char *read;
        char *own;
    } u = {.read = name.ptr};

    mem_free(u.own);
}

void regex_free(struct regex *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; r->names != NULL && i <= r->n_groups; i++)
        free_name(r->names[i]);
    budget_release(r->charged_bytes);
    regex_program_free(r->program);
    mem_free(r->names);
    mem_free(r->pattern);
    mem_free(r);
}

struct slice regex_pattern(const struct regex *r)
{
    return slice_make(r->pattern, r->pattern_len);
}

size_t regex_group_count(const struct regex *r)
{
    return r->n_groups;
}

struct slice regex_group_name(const struct regex *r, size_t i)
{
    return i <= r->n_groups ? r->names[i] : slice_make(NULL, 0);
}

size_t regex_group_index(const struct regex *r, struct slice name)
{
    for (size_t i = 1; name.len != 0 && i <= r->n_groups; i++) {
        if (slice_eq(r->names[i], name))
            return i;
    }
    return 0;
}

bool regex_is_match(const struct regex *r, struct slice text)
{
    return regex_program_match(r->program, text.ptr != NULL ? text.ptr : "", text.len, 0, r->is_full, NULL, 0);
}

bool regex_match(const struct regex *r, struct slice text, size_t from, struct slice *groups, size_t n_groups)
{
    struct regex_span spans[MAX_SPANS];
    size_t n = n_groups < r->n_groups + 1 ? n_groups : r->n_groups + 1;

    for (size_t i = 0; i < n_groups; i++)
        groups[i] = slice_make(NULL, 0);
    if (from > text.len)
        return false;
    if (!regex_program_match(r->program, text.ptr != NULL ? text.ptr : "", text.len, from, r->is_full, spans, (int)n))
        return false;
    for (size_t i = 0; i < n; i++)
        groups[i] = slice_make(spans[i].ptr, spans[i].len);
    return true;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static struct slice group_named(const struct regex *r, struct slice name, const struct slice *groups, size_t n_groups)
{
    uint64_t index = 0;
    bool is_number = name.len != 0 && slice_to_u64(name, &index) && name.ptr[0] != '+';

    if (!is_number)
        index = regex_group_index(r, name);
    if ((!is_number && index == 0) || index >= n_groups)
        return slice_make(NULL, 0);
    return groups[index];
}

/* The name after a '$' at text[0] and the bytes it takes, 0 when it is malformed. */
static size_t read_name(struct slice text, struct slice *name)
{
    bool in_braces = text.len > 1 && text.ptr[1] == '{';
    size_t from = in_braces ? 2 : 1, i = from;

    while (i < text.len && is_word(text.ptr[i]))
        i++;
    *name = slice_make(text.ptr + from, i - from);
    if (name->len == 0 || (in_braces && (i >= text.len || text.ptr[i] != '}')))
        return 0;
    return i + (in_braces ? 1 : 0);
}

enum code regex_expand(const struct regex *r, struct slice template_text, const struct slice *groups, size_t n_groups,
                       struct buf *out)
{
    enum code rc = OK;

    while (template_text.len != 0 && rc == OK) {
        size_t plain = slice_find(template_text, '$'), used;
        struct slice name;

        rc = buf_add(out, slice_head(template_text, plain));
        template_text = slice_from(template_text, plain);
        if (rc != OK || template_text.len == 0)
            break;
        if (template_text.len > 1 && template_text.ptr[1] == '$') {
            rc = buf_add_char(out, '$');
            template_text = slice_from(template_text, 2);
            continue;
        }
        used = read_name(template_text, &name);
        if (used == 0) {
            rc = buf_add_char(out, '$'); /* malformed: the rest is plain text */
            used = 1;
        } else {
            rc = buf_add(out, group_named(r, name, groups, n_groups));
        }
        template_text = slice_from(template_text, used);
    }
    return rc;
}

static enum code replace(const struct regex *r, struct slice text, struct slice with, bool is_literal, struct buf *out,
                         size_t *n_matches)
{
    struct slice groups[MAX_SPANS];
    size_t n_groups = is_literal ? 1 : r->n_groups + 1, last = 0, at = 0, count = 0;
    enum code rc = OK;

    if (text.ptr == NULL)
        text = SLICE_LIT("");
    while (at <= text.len && rc == OK && regex_match(r, text, at, groups, n_groups)) {
        size_t start = (size_t)(groups[0].ptr - text.ptr), end = start + groups[0].len, width;
        uint32_t rune;

        rc = buf_add(out, slice_make(text.ptr + last, start - last));
        if (rc == OK && (end > last || start == 0)) { /* Go: no empty match right after another one */
            rc = is_literal ? buf_add(out, with) : regex_expand(r, with, groups, n_groups, out);
            count++;
        }
        last = end;
        width = utf8_decode(slice_from(text, at), &rune);
        if (at + width > end)
            at += width;
        else
            at = at + 1 > end ? at + 1 : end;
    }
    if (rc == OK)
        rc = buf_add(out, slice_from(text, last));
    if (n_matches != NULL)
        *n_matches = count;
    return rc;
}

enum code regex_replace_all(const struct regex *r, struct slice text, struct slice template_text, struct buf *out,
                            size_t *n_matches)
{
    return replace(r, text, template_text, false, out, n_matches);
}

enum code regex_replace_literal(const struct regex *r, struct slice text, struct slice replacement, struct buf *out,
                                size_t *n_matches)
{
    return replace(r, text, replacement, true, out, n_matches);
}
