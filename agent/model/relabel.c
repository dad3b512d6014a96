#include "agent/model/relabel.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/md5.h"
#include "agent/text/letter.h"
#include "agent/text/regex.h"
#include "agent/text/utf8.h"
#include <stdatomic.h>
#include <stdio.h>

static const struct slice default_separator = {";", 1}, default_regex = {"(.*)", 4}, default_replacement = {"$1", 2};
static const char *const action_names[] = {
    [RELABEL_REPLACE] = "replace",     [RELABEL_KEEP] = "keep",           [RELABEL_DROP] = "drop",
    [RELABEL_HASHMOD] = "hashmod",     [RELABEL_LABELMAP] = "labelmap",   [RELABEL_LABELKEEP] = "labelkeep",
    [RELABEL_LABELDROP] = "labeldrop", [RELABEL_LOWERCASE] = "lowercase", [RELABEL_UPPERCASE] = "uppercase",
    [RELABEL_KEEPEQUAL] = "keepequal", [RELABEL_DROPEQUAL] = "dropequal",
};
enum { N_ACTIONS = sizeof action_names / sizeof action_names[0], STACK_GROUPS = LIMIT_REGEX_GROUPS + 1 };

struct compiled {
    struct relabel_rule rule; /* texts are the rules' arena's */
    struct regex *regex;      /* owned */
    bool is_constant;         /* replace with neither a pattern nor a template in it */
};

struct relabel_rules {
    _Atomic uint32_t refs;
    struct arena arena;
    struct compiled *list; /* in the arena */
    size_t n;
};

struct relabel_rule relabel_rule_default(void)
{
    return (struct relabel_rule){
        .separator = default_separator,
        .regex = default_regex,
        .replacement = default_replacement,
        .action = RELABEL_REPLACE,
    };
}

const char *relabel_action_name(enum relabel_action action)
{
    return action_names[action];
}

enum code relabel_action_parse(struct slice name, enum relabel_action *out, struct error *err)
{
    for (unsigned i = 0; i < N_ACTIONS; i++)
        if (slice_eq_nocase(name, slice_str(action_names[i]))) {
            *out = (enum relabel_action)i;
            return OK;
        }
    return error_set(err, INVALID,
                     "unknown relabel action \"%.*s\": it is one of replace, keep, drop, hashmod, labelmap, labelkeep, "
                     "labeldrop, lowercase, uppercase, keepequal, dropequal",
                     SLICE_ARG(name));
}

static bool has_template(struct slice s)
{
    return slice_find(s, '$') != s.len;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
}

/* Bytes of $name or ${name} at the start of s, 0 when there is none. */
static size_t reference_len(struct slice s)
{
    size_t i = 1, first;
    bool has_brace = s.len > 1 && s.ptr[1] == '{';

    if (s.len == 0 || s.ptr[0] != '$')
        return 0;
    first = i += has_brace;
    while (i < s.len && is_word(s.ptr[i]))
        i++;
    if (i == first || (has_brace && (i == s.len || s.ptr[i] != '}')))
        return 0;
    return i + has_brace;
}

/* Prometheus' ^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$: a label name in which parts may be references. */
static bool is_name_template(struct slice s)
{
    size_t i = 0;

    while (i < s.len) {
        size_t len = reference_len(slice_from(s, i));

        if (len == 0 && !is_word(s.ptr[i]))
            return false;
        if (len == 0 && i == 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9')
            return false;
        i += len != 0 ? len : 1;
    }
    return s.len != 0;
}

static bool has_default_texts(const struct relabel_rule *r)
{
    return r->modulus == 0 && slice_eq(r->separator, default_separator) &&
           slice_eq(r->replacement, default_replacement);
}

static enum code check_target(const struct relabel_rule *r, const char *action, struct error *err)
{
    bool is_template = r->action == RELABEL_REPLACE && has_template(r->target_label);

    if (r->target_label.len == 0)
        return error_set(err, INVALID, "relabel configuration for %s action requires 'target_label' value", action);
    if (is_template ? !is_name_template(r->target_label) : !label_name_is_legacy(r->target_label))
        return error_set(err, INVALID, "\"%.*s\" is invalid 'target_label' for %s action", SLICE_ARG(r->target_label),
                         action);
    return OK;
}

/* What Prometheus' relabel.Config.Validate refuses. */
static enum code check(const struct relabel_rule *r, struct error *err)
{
    const char *action = action_names[r->action];
    enum code rc = OK;

    switch (r->action) {
    case RELABEL_KEEP:
    case RELABEL_DROP:
        return OK;
    case RELABEL_REPLACE:
        return check_target(r, action, err);
    case RELABEL_HASHMOD:
        if (r->modulus == 0)
            return error_set(err, INVALID, "relabel configuration for hashmod requires non-zero modulus");
        return check_target(r, action, err);
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        rc = check_target(r, action, err);
        if (rc == OK && !slice_eq(r->replacement, default_replacement))
            rc = error_set(err, INVALID, "'replacement' can not be set for %s action", action);
        return rc;
    case RELABEL_KEEPEQUAL:
    case RELABEL_DROPEQUAL:
        rc = check_target(r, action, err);
        if (rc == OK && (!has_default_texts(r) || !slice_eq(r->regex, default_regex)))
            rc = error_set(err, INVALID,
                           "%s action requires only 'source_labels' and 'target_label', and no other fields", action);
        return rc;
    case RELABEL_LABELMAP:
        if (!is_name_template(r->replacement))
            rc = error_set(err, INVALID, "\"%.*s\" is invalid 'replacement' for %s action", SLICE_ARG(r->replacement),
                           action);
        return rc;
    case RELABEL_LABELKEEP:
    case RELABEL_LABELDROP:
        if (r->n_source_labels != 0 || r->target_label.len != 0 || !has_default_texts(r))
            rc = error_set(err, INVALID, "%s action requires only 'regex', and no other fields", action);
        return rc;
    }
    return rc;
}

static struct slice keep_text(struct arena *a, struct slice s)
{
    return slice_make(arena_strndup(a, s), s.len);
}

static enum code compile(struct compiled *c, struct arena *a, const struct relabel_rule *r, struct error *err)
{
    struct slice *sources;
    enum code rc = check(r, err);

    if (rc != OK)
        return rc;
    c->rule = *r;
    sources = arena_zalloc(a, (r->n_source_labels + 1) * sizeof *sources);
    for (size_t i = 0; i < r->n_source_labels; i++)
        sources[i] = keep_text(a, r->source_labels[i]);
    c->rule.source_labels = sources;
    c->rule.separator = keep_text(a, r->separator);
    c->rule.regex = keep_text(a, r->regex);
    c->rule.target_label = keep_text(a, r->target_label);
    c->rule.replacement = keep_text(a, r->replacement);
    c->is_constant =
        slice_eq(r->regex, default_regex) && !has_template(r->target_label) && !has_template(r->replacement);
    return regex_compile(&c->regex, r->regex, REGEX_PROMETHEUS, err);
}

enum code relabel_rules_new(struct relabel_rules **out, const struct relabel_rule *rules, size_t n, struct error *err)
{
    struct relabel_rules *r = mem_zalloc(sizeof *r);
    enum code rc = OK;

    *out = NULL;
    atomic_init(&r->refs, 1);
    arena_init(&r->arena, 0);
    r->list = arena_zalloc(&r->arena, (n != 0 ? n : 1) * sizeof *r->list);
    for (size_t i = 0; i < n && rc == OK; i++) {
        rc = compile(&r->list[i], &r->arena, &rules[i], err);
        r->n = i + 1;
        if (rc != OK && n > 1)
            error_prefix(err, "rule %zu", i + 1);
    }
    if (rc == OK) {
        *out = r;
        r = NULL;
    }
    relabel_rules_unref(r);
    return rc;
}

struct relabel_rules *relabel_rules_ref(struct relabel_rules *r)
{
    if (r != NULL)
        atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void relabel_rules_unref(struct relabel_rules *r)
{
    if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < r->n; i++)
        regex_free(r->list[i].regex);
    arena_release(&r->arena);
    mem_free(r);
}

size_t relabel_rules_count(const struct relabel_rules *r)
{
    return r != NULL ? r->n : 0;
}

const struct relabel_rule *relabel_rules_at(const struct relabel_rules *r, size_t i)
{
    return &r->list[i].rule;
}

/* The values of the source labels, joined; ptr NULL with *rc NOMEM when the arena is full. */
static struct slice join_sources(const struct relabel_rule *r, const struct labels_builder *b, enum code *rc)
{
    size_t len = 0;
    char *text, *at;

    if (r->n_source_labels == 1)
        return labels_builder_get(b, r->source_labels[0]);
    for (size_t i = 0; i < r->n_source_labels; i++)
        len += labels_builder_get(b, r->source_labels[i]).len + (i != 0 ? r->separator.len : 0);
    if (len == 0)
        return SLICE_LIT("");
    at = text = arena_try_alloc(b->arena, len);
    if (text == NULL) {
        *rc = NOMEM;
        return (struct slice){0};
    }
    for (size_t i = 0; i < r->n_source_labels; i++) {
        struct slice value = labels_builder_get(b, r->source_labels[i]);

        if (i != 0 && r->separator.len != 0)
            at = mempcpy(at, r->separator.ptr, r->separator.len);
        if (value.len != 0)
            at = mempcpy(at, value.ptr, value.len);
    }
    return slice_make(text, len);
}

static enum code expand(const struct compiled *c, struct slice template_text, const struct slice *groups, size_t n,
                        struct arena *a, struct slice *out)
{
    struct buf text;
    enum code rc;

    *out = template_text;
    if (!has_template(template_text))
        return OK;
    buf_init(&text, LIMIT_LOG_ENTRY_BYTES);
    rc = regex_expand(c->regex, template_text, groups, n, &text);
    *out = arena_copy(a, buf_slice(&text));
    if (rc == OK && out->ptr == NULL && text.len != 0)
        rc = NOMEM;
    buf_release(&text);
    return rc == OK ? OK : NOMEM;
}

static enum code replace(const struct compiled *c, struct labels_builder *b, struct slice value)
{
    struct slice groups[STACK_GROUPS], target, text;
    size_t n = regex_group_count(c->regex) + 1;
    enum code rc;

    if (value.len == 0 && c->is_constant)
        return labels_builder_set(b, c->rule.target_label, c->rule.replacement);
    if (!regex_match(c->regex, value, 0, groups, n))
        return OK;
    rc = expand(c, c->rule.target_label, groups, n, b->arena, &target);
    if (rc != OK || !label_name_is_legacy(target))
        return rc;
    rc = expand(c, c->rule.replacement, groups, n, b->arena, &text);
    return rc == OK ? labels_builder_set(b, target, text) : rc;
}

static enum code change_case(const struct compiled *c, struct labels_builder *b, struct slice value,
                             uint32_t (*change)(uint32_t rune))
{
    enum { GROWTH = 3 }; /* of one byte: what is not UTF-8 becomes U+FFFD, as in Go */
    char *text = value.len < SIZE_MAX / 8 ? arena_try_alloc(b->arena, value.len * GROWTH + UTF8_MAX_BYTES) : NULL;
    size_t len = 0;

    if (text == NULL)
        return NOMEM;
    while (value.len != 0) {
        uint32_t rune;
        size_t n = utf8_decode(value, &rune);

        len += utf8_encode(change(rune), text + len);
        value = slice_from(value, n);
    }
    return labels_builder_set(b, c->rule.target_label, slice_make(text, len));
}

/* Prometheus takes the last 8 bytes of the MD5, big endian. */
static enum code hashmod(const struct compiled *c, struct labels_builder *b, struct slice value)
{
    uint8_t digest[MD5_BYTES];
    uint64_t v = 0;
    char *text = arena_try_alloc(b->arena, 24);

    if (text == NULL)
        return NOMEM;
    md5(value, digest);
    for (unsigned i = 8; i < 16; i++)
        v = v << 8 | digest[i];
    return labels_builder_set(
        b, c->rule.target_label,
        slice_make(text, (size_t)snprintf(text, 24, "%llu", (unsigned long long)(v % c->rule.modulus))));
}

/* Over the labels as they were before the rule, as Prometheus' Range does. */
static enum code map_names(const struct compiled *c, struct labels_builder *b)
{
    size_t n = b->n, n_groups = regex_group_count(c->regex) + 1;
    struct label *before = arena_try_alloc(b->arena, (n + 1) * sizeof *before);
    struct slice groups[STACK_GROUPS], name;
    enum code rc = OK;

    if (before == NULL)
        return NOMEM;
    if (n != 0)
        memcpy(before, b->pairs, n * sizeof *before);
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (!regex_match(c->regex, before[i].name, 0, groups, n_groups))
            continue;
        rc = expand(c, c->rule.replacement, groups, n_groups, b->arena, &name);
        if (rc == OK)
            rc = labels_builder_set(b, name, before[i].value);
    }
    return rc;
}

static void filter_names(const struct compiled *c, struct labels_builder *b, bool is_kept)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->n; i++)
        if (regex_is_match(c->regex, b->pairs[i].name) == is_kept)
            b->pairs[kept++] = b->pairs[i];
    b->n = kept;
}

static enum code apply_one(const struct compiled *c, struct labels_builder *b, bool *keep)
{
    enum code rc = OK;
    struct slice value = join_sources(&c->rule, b, &rc);

    if (rc != OK)
        return rc;
    switch (c->rule.action) {
    case RELABEL_REPLACE:
        return replace(c, b, value);
    case RELABEL_KEEP:
        *keep = regex_is_match(c->regex, value);
        break;
    case RELABEL_DROP:
        *keep = !regex_is_match(c->regex, value);
        break;
    case RELABEL_HASHMOD:
        return hashmod(c, b, value);
    case RELABEL_LABELMAP:
        return map_names(c, b);
    case RELABEL_LABELKEEP:
        filter_names(c, b, true);
        break;
    case RELABEL_LABELDROP:
        filter_names(c, b, false);
        break;
    case RELABEL_LOWERCASE:
        return change_case(c, b, value, letter_lower);
    case RELABEL_UPPERCASE:
        return change_case(c, b, value, letter_upper);
    case RELABEL_KEEPEQUAL:
        *keep = slice_eq(labels_builder_get(b, c->rule.target_label), value);
        break;
    case RELABEL_DROPEQUAL:
        *keep = !slice_eq(labels_builder_get(b, c->rule.target_label), value);
        break;
    }
    return OK;
}

enum code relabel_apply(const struct relabel_rules *rules, struct labels_builder *b, bool *keep)
{
    enum code rc = OK;

    *keep = true;
    for (size_t i = 0; rules != NULL && i < rules->n && rc == OK && *keep; i++)
        rc = apply_one(&rules->list[i], b, keep);
    return rc;
}

static bool matches(const struct compiled *c, const struct labels_builder *b, struct slice value)
{
    switch (c->rule.action) {
    case RELABEL_REPLACE:
    case RELABEL_KEEP:
    case RELABEL_DROP:
        return (value.len == 0 && c->is_constant) || regex_is_match(c->regex, value);
    case RELABEL_KEEPEQUAL:
    case RELABEL_DROPEQUAL:
        return slice_eq(labels_builder_get(b, c->rule.target_label), value);
    case RELABEL_LABELMAP:
    case RELABEL_LABELKEEP:
    case RELABEL_LABELDROP:
        for (size_t i = 0; i < b->n; i++)
            if (regex_is_match(c->regex, b->pairs[i].name))
                return true;
        return false;
    case RELABEL_HASHMOD:
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        break;
    }
    return true;
}

enum code relabel_apply_one(const struct relabel_rules *rules, size_t i, struct labels_builder *b, bool *keep,
                            bool *is_match)
{
    enum code rc = OK;
    struct slice value = join_sources(&rules->list[i].rule, b, &rc);

    *keep = true;
    *is_match = rc == OK && matches(&rules->list[i], b, value);
    return rc == OK ? apply_one(&rules->list[i], b, keep) : rc;
}

enum code relabel_labels(const struct relabel_rules *rules, const struct labels *in, const struct labels **out)
{
    struct labels_builder b;
    struct arena a;
    bool keep;
    enum code rc;

    *out = NULL;
    arena_init(&a, LIMIT_BATCH_BYTES);
    labels_builder_init(&b, &a, in);
    rc = relabel_apply(rules, &b, &keep);
    if (rc == OK && keep) {
        *out = labels_build(&b);
        rc = *out != NULL ? OK : NOMEM;
    }
    arena_release(&a);
    return rc;
}
