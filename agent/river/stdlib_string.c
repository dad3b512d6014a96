/* string.*: Go's package strings, and fmt.Sprintf. */
#include "agent/base/limits.h"
#include "agent/river/stdlib_int.h"
#include "agent/text/utf8.h"
#include <locale.h>
#include <wctype.h>

static enum code format(struct river_call *call, struct value *out)
{
    struct slice spec;
    struct buf text;
    enum code rc = arg_text(call, 0, &spec);

    for (size_t i = 1; rc == OK && i < call->n_args; i++) {
        if (value_contains_secret(&call->args[i]))
            rc = river_call_error(call, i,
                                  "argument %zu holds a secret; convert.nonsensitive(...) makes a string of it", i + 1);
    }
    if (rc != OK)
        return rc;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    gofmt_print(&text, spec, call->args + 1, call->n_args - 1);
    rc = eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0}, text.len);
    if (rc == OK)
        rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

static enum code join(struct river_call *call, struct value *out)
{
    const struct value *list = &call->args[0];
    struct slice separator;
    struct buf text;
    enum code rc = list->type == VALUE_NULL ? OK : arg_array(call, 0); /* null is an empty list */

    if (rc == OK)
        rc = arg_text(call, 1, &separator);
    if (rc != OK)
        return rc;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    for (size_t i = 0; rc == OK && list->type == VALUE_ARRAY && i < list->as.array.n && !text.is_full; i++) {
        struct slice item;

        rc = arg_item_text(call, 0, i, &item);
        if (rc != OK)
            break;
        if (i != 0)
            (void)buf_add(&text, separator);
        (void)buf_add(&text, item);
    }
    if (rc == OK)
        rc = eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0}, text.len);
    if (rc == OK)
        rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

/* One byte is looked for without memmem's setting up for every hit. */
static size_t find_next(struct slice s, struct slice needle)
{
    return needle.len == 1 ? slice_find(s, needle.ptr[0]) : slice_find_slice(s, needle);
}

/* An empty `old` stands before every character and at the end. */
static void replace_between(struct buf *text, struct slice s, struct slice new)
{
    while (s.len != 0 && !text->is_full) {
        uint32_t rune;
        size_t n = utf8_decode(s, &rune);

        (void)buf_add(text, new);
        (void)buf_add(text, slice_head(s, n));
        s = slice_from(s, n);
    }
    (void)buf_add(text, new);
}

static enum code replace(struct river_call *call, struct value *out)
{
    struct slice s, old, new;
    struct buf text;
    enum code rc = arg_text(call, 0, &s);

    if (rc == OK)
        rc = arg_text(call, 1, &old);
    if (rc == OK)
        rc = arg_text(call, 2, &new);
    if (rc != OK)
        return rc;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    if (old.len == 0) {
        replace_between(&text, s, new);
    } else {
        while (!text.is_full) {
            size_t at = find_next(s, old);

            (void)buf_add(&text, slice_head(s, at));
            if (at == s.len)
                break;
            (void)buf_add(&text, new);
            s = slice_from(s, at + old.len);
        }
    }
    rc = eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0}, text.len);
    if (rc == OK)
        rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

/* How many pieces s falls into. */
static size_t count_pieces(struct slice s, struct slice separator)
{
    size_t n = 1;

    if (separator.len == 0)
        return utf8_runes(s);
    for (;; n++) {
        size_t at = find_next(s, separator);

        if (at == s.len)
            return n;
        s = slice_from(s, at + separator.len);
    }
}

static enum code split(struct river_call *call, struct value *out)
{
    struct slice s, separator;
    struct value *items;
    size_t n;
    enum code rc = arg_text(call, 0, &s);

    if (rc == OK)
        rc = arg_text(call, 1, &separator);
    if (rc != OK)
        return rc;
    n = count_pieces(s, separator);
    rc = eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0},
                     n * sizeof *items);
    if (rc != OK)
        return rc;
    items = arena_try_array(call->ctx->arena, n, sizeof *items);
    if (items == NULL)
        return call_no_memory(call);
    for (size_t i = 0; i < n; i++) {
        uint32_t rune;
        size_t at = separator.len != 0 ? find_next(s, separator) : utf8_decode(s, &rune);

        items[i] = value_string(slice_head(s, at));
        s = slice_from(s, at + separator.len);
    }
    *out = value_array(items, n);
    return OK;
}

/* --- letters --- */

/* Unicode's simple case mapping, whatever the process's own locale is. */
static uint32_t map_case(uint32_t rune, bool to_upper)
{
    static locale_t unicode;
    locale_t fresh;

    if (rune < 0x80) {
        bool is_other = to_upper ? rune >= 'a' && rune <= 'z' : rune >= 'A' && rune <= 'Z';

        return is_other ? rune ^ 0x20 : rune;
    }
    if (__atomic_load_n(&unicode, __ATOMIC_ACQUIRE) == (locale_t)0) {
        locale_t none = (locale_t)0;

        fresh = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        if (fresh == (locale_t)0)
            return rune;
        if (!__atomic_compare_exchange_n(&unicode, &none, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            freelocale(fresh);
    }
    fresh = __atomic_load_n(&unicode, __ATOMIC_ACQUIRE);
    return (uint32_t)(to_upper ? towupper_l((wint_t)rune, fresh) : towlower_l((wint_t)rune, fresh));
}

static enum code change_case(struct river_call *call, bool to_upper, struct value *out)
{
    struct slice s;
    struct buf text;
    enum code rc = arg_text(call, 0, &s);

    if (rc != OK)
        return rc;
    buf_init(&text, LIMIT_CONFIG_STRING_BYTES);
    while (s.len != 0 && !text.is_full) {
        char bytes[UTF8_MAX_BYTES];
        uint32_t rune;
        size_t n = utf8_decode(s, &rune);

        (void)buf_add(&text, slice_make(bytes, utf8_encode(map_case(rune, to_upper), bytes)));
        s = slice_from(s, n);
    }
    rc = call_result_text(call, &text, out);
    buf_release(&text);
    return rc;
}

static enum code to_lower(struct river_call *call, struct value *out)
{
    return change_case(call, false, out);
}

static enum code to_upper(struct river_call *call, struct value *out)
{
    return change_case(call, true, out);
}

/* --- ends --- */

static bool is_space(uint32_t r)
{
    return (r >= 9 && r <= 13) || r == ' ' || r == 0x85 || r == 0xA0 || r == 0x1680 || (r >= 0x2000 && r <= 0x200A) ||
           r == 0x2028 || r == 0x2029 || r == 0x202F || r == 0x205F || r == 0x3000;
}

/* cutset NULL: white space. */
static bool is_cut(uint32_t rune, const struct slice *cutset)
{
    struct slice set;

    if (cutset == NULL)
        return is_space(rune);
    set = *cutset;
    while (set.len != 0) {
        uint32_t one;
        size_t n = utf8_decode(set, &one);

        if (one == rune)
            return true;
        set = slice_from(set, n);
    }
    return false;
}

/* The last character of s; returns its bytes. */
static size_t last_rune(struct slice s, uint32_t *rune)
{
    size_t n = 1;

    while (n < s.len && n < UTF8_MAX_BYTES && ((unsigned char)s.ptr[s.len - n] & 0xC0) == 0x80)
        n++;
    if (utf8_decode(slice_from(s, s.len - n), rune) == n)
        return n;
    *rune = UTF8_REPLACEMENT;
    return 1;
}

static struct slice trim_ends(struct slice s, const struct slice *cutset)
{
    uint32_t rune;
    size_t n;

    while (s.len != 0) {
        n = utf8_decode(s, &rune);
        if (!is_cut(rune, cutset))
            break;
        s = slice_from(s, n);
    }
    while (s.len != 0) {
        n = last_rune(s, &rune);
        if (!is_cut(rune, cutset))
            break;
        s.len -= n;
    }
    return s;
}

static enum code trim(struct river_call *call, struct value *out)
{
    struct slice s, cutset;
    enum code rc = arg_text(call, 0, &s);

    if (rc == OK)
        rc = arg_text(call, 1, &cutset);
    if (rc == OK) /* at worst every character is looked for in the whole set */
        rc = eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0},
                         cutset.len > 64 ? (uint64_t)s.len * cutset.len : 0);
    if (rc == OK)
        *out = value_string(trim_ends(s, &cutset));
    return rc;
}

static enum code trim_space(struct river_call *call, struct value *out)
{
    struct slice s;
    enum code rc = arg_text(call, 0, &s);

    if (rc == OK)
        *out = value_string(trim_ends(s, NULL));
    return rc;
}

static enum code trim_prefix(struct river_call *call, struct value *out)
{
    struct slice s, prefix;
    enum code rc = arg_text(call, 0, &s);

    if (rc == OK)
        rc = arg_text(call, 1, &prefix);
    if (rc == OK)
        *out = value_string(slice_starts(s, prefix) ? slice_from(s, prefix.len) : s);
    return rc;
}

static enum code trim_suffix(struct river_call *call, struct value *out)
{
    struct slice s, suffix;
    enum code rc = arg_text(call, 0, &s);

    if (rc == OK)
        rc = arg_text(call, 1, &suffix);
    if (rc == OK)
        *out = value_string(slice_ends(s, suffix) ? slice_head(s, s.len - suffix.len) : s);
    return rc;
}

#define FUNCTION(fn, arguments, n_min, n_max, text)                                                                    \
    {                                                                                                                  \
        .name = "string." #fn, .signature = "string." #fn "(" arguments ")", .doc = text, .min_args = n_min,           \
        .max_args = n_max, .call = fn                                                                                  \
    }

const struct river_function stdlib_string[] = {
    FUNCTION(format, "spec, value...", 1, SIZE_MAX,
             "The values written into spec, with Go's verbs: %s %d %q %v %.2f ..."),
    FUNCTION(join, "list, separator", 2, 2, "The strings of a list, with the separator between them."),
    FUNCTION(replace, "string, old, new", 3, 3, "Every occurrence of old replaced by new."),
    FUNCTION(split, "string, separator", 2, 2, "The list of what stands between the separators."),
    FUNCTION(to_lower, "string", 1, 1, "In lower case."),
    FUNCTION(to_upper, "string", 1, 1, "In upper case."),
    FUNCTION(trim, "string, characters", 2, 2, "Without any of these characters at both ends."),
    FUNCTION(trim_prefix, "string, prefix", 2, 2, "Without the prefix, if it has it."),
    FUNCTION(trim_suffix, "string, suffix", 2, 2, "Without the suffix, if it has it."),
    FUNCTION(trim_space, "string", 1, 1, "Without white space at both ends."),
    {.name = NULL},
};
