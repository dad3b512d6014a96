#include "agent/ui/redact.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/json.h"
#include "agent/text/regex.h"
#include <stdlib.h>

static const char mask[] = "(secret)";

/* Looked for in this order; each keeps what tells a reader what was there. Those for data leave JSON as it is. */
static const struct {
    const char *pattern, *replacement;
    bool in_free_text_only;
} patterns[] = {
    {"([A-Za-z][A-Za-z0-9+.-]*://[^\\s/?#\"'<>:@]*:)[^\\s/?#\"'<>@]+@", "${1}(secret)@", false},
    {"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----|$)", "${1}(secret)${2}", false},
    {"(?i)((?:proxy-)?authorization[\"']?\\s*[=:]\\s*[\"']?(?:[a-z]+ )?)[^\\s\"',;]+", "${1}(secret)", true},
    {"(?i)\\b((?:bearer|basic) )[a-z0-9+/._~-]{8,}=*", "${1}(secret)", true},
    {"(?i)((?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|credentials)[\"']?\\s*[=:]\\s*\")"
     "(?:[^\"\\\\\n]|\\\\.)+",
     "${1}(secret)", false},
    {"(?i)((?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|credentials)[\"']?\\s*[=:]\\s*'?)"
     "[^\\s\"',;&(){}\\[\\]]+",
     "${1}(secret)", true},
};
enum { N_PATTERNS = sizeof patterns / sizeof patterns[0], HEADS = 1 << 16 };

struct redactor {
    struct regex *regex[N_PATTERNS];
    struct slice *secrets; /* owned, longest first, so that one that holds another goes whole */
    size_t n, cap;
    struct buf ids;  /* of all components */
    uint32_t *first; /* by the first two bytes: number of the first secret that begins so, from 1 */
    uint32_t *next;  /* of the same beginning */
};

static void add(struct redactor *r, struct slice secret)
{
    for (size_t i = 0; i < r->n; i++)
        if (slice_eq(r->secrets[i], secret))
            return;
    if (r->n == LIMIT_KNOWN_SECRETS)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap == 0 ? 32 : 2 * r->cap;
        r->secrets = mem_realloc(r->secrets, r->cap * sizeof *r->secrets);
    }
    r->secrets[r->n++] = mem_slice(secret);
}

static void add_id(void *ctx, const char *id)
{
    buf_add_str(ctx, id);
    buf_add_char(ctx, '\n');
}

/* As it is, and as it stands in JSON and in quoted River. A secret that is a word of a component's name cannot be
 * hidden by taking that word out of everything. */
static void add_secret(void *ctx, struct slice secret)
{
    struct redactor *r = ctx;
    struct slice ids = buf_slice(&r->ids);
    struct buf quoted;

    if (secret.len < REDACT_MIN_BYTES || slice_find_slice(ids, secret) < ids.len)
        return;
    add(r, secret);
    buf_init(&quoted, 8 * (size_t)LIMIT_CONFIG_FILE_BYTES);
    json_write_string(&quoted, secret);
    if (!quoted.is_full && quoted.len - 2 != secret.len)
        add(r, slice_make(quoted.ptr + 1, quoted.len - 2));
    buf_release(&quoted);
}

static int longest_first(const void *a, const void *b)
{
    const struct slice *one = a, *two = b;

    return one->len > two->len ? -1 : one->len < two->len;
}

static unsigned head_of(const char *p)
{
    return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static void index_secrets(struct redactor *r)
{
    if (r->n == 0)
        return;
    qsort(r->secrets, r->n, sizeof *r->secrets, longest_first);
    r->first = mem_array(HEADS, sizeof *r->first);
    r->next = mem_array(r->n + 1, sizeof *r->next);
    for (size_t i = r->n; i > 0; i--) {
        unsigned head = head_of(r->secrets[i - 1].ptr);

        r->next[i] = r->first[head];
        r->first[head] = (uint32_t)i;
    }
}

struct redactor *redactor_new(struct runtime *rt)
{
    struct redactor *r = mem_zalloc(sizeof *r);
    struct error err = {0};

    for (size_t i = 0; i < N_PATTERNS; i++)
        BUG_ON(regex_compile(&r->regex[i], slice_str(patterns[i].pattern), REGEX_PLAIN, &err) != OK);
    buf_init(&r->ids, LIMIT_CONFIG_STRING_BYTES);
    runtime_each_id(rt, add_id, &r->ids);
    runtime_each_secret(rt, add_secret, r);
    buf_release(&r->ids);
    index_secrets(r);
    return r;
}

void redactor_free(struct redactor *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < N_PATTERNS; i++)
        regex_free(r->regex[i]);
    for (size_t i = 0; i < r->n; i++)
        mem_free_secret((void *)(uintptr_t)r->secrets[i].ptr, r->secrets[i].len);
    mem_free(r->secrets);
    mem_free(r->first);
    mem_free(r->next);
    mem_free(r);
}

/* Length of the secret that stands at the start of text; 0: none. */
static size_t secret_at(const struct redactor *r, struct slice text)
{
    for (uint32_t i = r->first[head_of(text.ptr)]; i != 0; i = r->next[i])
        if (slice_starts(text, r->secrets[i - 1]))
            return r->secrets[i - 1].len;
    return 0;
}

static void replace_known(const struct redactor *r, struct slice text, struct buf *out)
{
    size_t from = 0, at = 0;

    while (r->n != 0 && at + REDACT_MIN_BYTES <= text.len) {
        size_t len = secret_at(r, slice_from(text, at));

        if (len == 0) {
            at++;
            continue;
        }
        buf_add(out, slice_make(text.ptr + from, at - from));
        buf_add_str(out, mask);
        at += len;
        from = at;
    }
    buf_add(out, slice_from(text, from));
}

static void replace(const struct redactor *r, struct slice text, bool is_free_text, struct buf *out)
{
    struct buf one, two, *now = &one, *next = &two;

    bool is_full;

    buf_init(&one, out->max);
    buf_init(&two, out->max);
    replace_known(r, text, now);
    is_full = now->is_full;
    for (size_t i = 0; i < N_PATTERNS && !is_full; i++) {
        struct buf *swap = now;

        if (patterns[i].in_free_text_only && !is_free_text)
            continue;
        buf_reset(next);
        is_full = regex_replace_all(r->regex[i], buf_slice(now), slice_str(patterns[i].replacement), next, NULL) != OK;
        now = next;
        next = swap;
    }
    if (is_full) /* rather nothing than a secret */
        out->is_full = true;
    else
        buf_add(out, buf_slice(now));
    buf_release(&one);
    buf_release(&two);
}

void redact(const struct redactor *r, struct slice text, struct buf *out)
{
    replace(r, text, true, out);
}

void redact_known(const struct redactor *r, struct slice text, struct buf *out)
{
    replace(r, text, false, out);
}
