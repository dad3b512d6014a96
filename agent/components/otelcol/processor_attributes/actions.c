#include "agent/base/mem.h"
#include "agent/components/otelcol/processor_attributes/attributes.h"
#include "agent/text/digest.h"

struct action {
    enum action_kind kind;
    enum converted to;
    struct slice key, from_attribute, from_context; /* owned */
    struct regex *pattern;                          /* owned; NULL: none */
    bool has_value;
    enum { AS_STRING, AS_INT, AS_DOUBLE, AS_BOOL } value_kind;
    struct slice text; /* owned */
    int64_t integer;
    double real;
    bool boolean;
};

struct actions {
    size_t n;
    struct action *list;
};

static enum code set_value(struct action *a, const struct value *v, struct error *err)
{
    a->has_value = true;
    if (value_is_text(v)) {
        a->value_kind = AS_STRING;
        a->text = mem_slice(v->as.text.bytes);
        return OK;
    }
    if (v->type == VALUE_BOOL) {
        a->value_kind = AS_BOOL;
        a->boolean = v->as.boolean;
        return OK;
    }
    if (v->type != VALUE_NUMBER)
        return error_set(err, INVALID, "action value must be a string, a number or a boolean, not %s",
                         value_type_name(v));
    if (value_number_i64(v->as.number, &a->integer)) {
        a->value_kind = AS_INT;
    } else {
        a->value_kind = AS_DOUBLE;
        a->real = value_number_f64(v->as.number);
    }
    return OK;
}

/* Each group becomes an attribute of its name. */
static enum code check_groups(const struct regex *pattern, struct error *err)
{
    size_t n = regex_group_count(pattern);

    for (size_t i = 1; i <= n; i++)
        if (regex_group_name(pattern, i).len == 0)
            return error_set(err, INVALID, "extract: group %zu of the pattern has no name, as in (?P<name>...)", i);
    return n != 0 ? OK : error_set(err, INVALID, "extract: the pattern has no named group, as in (?P<name>...)");
}

enum code actions_new(struct actions **out, const struct river_blocks *list, struct error *err)
{
    const struct action_args *args = list->items;
    struct actions *all = mem_zalloc(sizeof *all);
    enum code rc = OK;

    *out = NULL;
    all->list = mem_array(list->n, sizeof *all->list);
    for (size_t i = 0; i < list->n && rc == OK; i++) {
        struct action *a = &all->list[all->n++];

        a->kind = (enum action_kind)args[i].action;
        a->to = (enum converted)args[i].converted_type;
        a->key = mem_slice(args[i].key);
        a->from_attribute = mem_slice(args[i].from_attribute);
        a->from_context = mem_slice(slice_from(args[i].from_context, strlen("metadata.")));
        if (args[i].pattern.len != 0)
            rc = regex_compile(&a->pattern, args[i].pattern, REGEX_PLAIN, err);
        if (rc == OK && args[i].value != NULL)
            rc = set_value(a, args[i].value, err);
        if (rc == OK && a->kind == ACTION_EXTRACT)
            rc = check_groups(a->pattern, err);
    }
    if (rc != OK)
        actions_free(all);
    else
        *out = all;
    return rc;
}

void actions_free(struct actions *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < a->n; i++) {
        mem_free_slice(a->list[i].key);
        mem_free_slice(a->list[i].from_attribute);
        mem_free_slice(a->list[i].from_context);
        mem_free_slice(a->list[i].text);
        regex_free(a->list[i].pattern);
    }
    mem_free(a->list);
    mem_free(a);
}

/* The value an insert, update or upsert sets; NULL: its source has none. *rc NOMEM when the arena is full. */
static Otlp__AnyValue *wanted_value(const struct action *a, const struct otlp_attrs *attrs, const struct otlp_batch *b,
                                    enum code *rc)
{
    Otlp__AnyValue *v = NULL;

    if (a->has_value) {
        v = a->value_kind == AS_STRING   ? otlp_value_string(attrs->arena, a->text)
            : a->value_kind == AS_INT    ? otlp_value_int(attrs->arena, a->integer)
            : a->value_kind == AS_DOUBLE ? otlp_value_double(attrs->arena, a->real)
                                         : otlp_value_bool(attrs->arena, a->boolean);
        *rc = v != NULL ? OK : NOMEM;
        return v;
    }
    if (a->from_attribute.len != 0)
        return otlp_attrs_get(attrs, a->from_attribute);
    for (uint32_t i = 0; i < b->n_metadata; i++) {
        if (!slice_eq_nocase(b->metadata[i].name, a->from_context))
            continue;
        v = otlp_value_string(attrs->arena, b->metadata[i].value);
        *rc = v != NULL ? OK : NOMEM;
        return v;
    }
    return NULL;
}

/* SHA-256 in hex of the value's bytes: strings as they are, numbers as 8 bytes little-endian, booleans as one byte (the
 * Collector's attraction hasher). */
static enum code hash_value(Otlp__AnyValue **v, struct arena *arena)
{
    uint8_t digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];
    struct slice bytes;
    char one;

    switch ((*v)->value_case) {
    case OTLP__ANY_VALUE__VALUE_STRING_VALUE:
        bytes = slice_str((*v)->string_value);
        break;
    case OTLP__ANY_VALUE__VALUE_BOOL_VALUE:
        one = (*v)->bool_value ? 1 : 0;
        bytes = slice_make(&one, 1);
        break;
    case OTLP__ANY_VALUE__VALUE_INT_VALUE:
        bytes = slice_make(&(*v)->int_value, 8);
        break;
    case OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE:
        bytes = slice_make(&(*v)->double_value, 8);
        break;
    case OTLP__ANY_VALUE__VALUE_BYTES_VALUE:
        bytes = slice_make((*v)->bytes_value.data, (*v)->bytes_value.len);
        break;
    default:
        return OK; /* lists, maps and empty values stay */
    }
    digest_sha256(bytes, (struct slice){0}, digest);
    digest_hex(digest, hex);
    *v = otlp_value_string(arena, slice_str(hex));
    return *v != NULL ? OK : NOMEM;
}

static enum code apply_hash(const struct action *a, const struct otlp_attrs *attrs)
{
    for (size_t i = 0; i < *attrs->n; i++) {
        Otlp__KeyValue *kv = (*attrs->list)[i];
        struct slice key = slice_str(kv->key);
        bool is_wanted = slice_eq(key, a->key) || (a->pattern != NULL && regex_is_match(a->pattern, key));

        if (is_wanted && kv->value != NULL && hash_value(&kv->value, attrs->arena) != OK)
            return NOMEM;
    }
    return OK;
}

static void apply_delete(const struct action *a, const struct otlp_attrs *attrs)
{
    size_t kept = 0;

    for (size_t i = 0; i < *attrs->n; i++) {
        struct slice key = slice_str((*attrs->list)[i]->key);

        if ((a->key.len == 0 || !slice_eq(key, a->key)) && (a->pattern == NULL || !regex_is_match(a->pattern, key)))
            (*attrs->list)[kept++] = (*attrs->list)[i];
    }
    *attrs->n = kept;
}

static enum code apply_extract(const struct action *a, const struct otlp_attrs *attrs)
{
    enum { MAX_GROUPS = 64 };
    struct slice groups[MAX_GROUPS];
    const Otlp__AnyValue *v = otlp_attrs_get(attrs, a->key);
    size_t n = regex_group_count(a->pattern) + 1;

    if (n > MAX_GROUPS)
        n = MAX_GROUPS;
    if (v == NULL || v->value_case != OTLP__ANY_VALUE__VALUE_STRING_VALUE ||
        !regex_match(a->pattern, slice_str(v->string_value), 0, groups, n))
        return OK;
    for (size_t i = 1; i < n; i++) {
        struct slice name = regex_group_name(a->pattern, i);
        Otlp__AnyValue *text;

        if (name.len == 0)
            continue;
        text = otlp_value_string(attrs->arena, groups[i]);
        if (text == NULL || otlp_attrs_set(attrs, name, text) != OK)
            return NOMEM;
    }
    return OK;
}

/* What cannot be converted stays as it is. */
static enum code apply_convert(const struct action *a, const struct otlp_attrs *attrs)
{
    Otlp__AnyValue *v = otlp_attrs_get(attrs, a->key), *converted = NULL;
    struct buf text;
    int64_t integer;
    double real;
    enum code rc = OK;

    if (v == NULL)
        return OK;
    buf_init(&text, 256 * 1024);
    if (otlp_value_text(v, &text) != OK) {
        buf_release(&text);
        return OK;
    }
    if (a->to == CONVERT_STRING) {
        converted = otlp_value_string(attrs->arena, buf_slice(&text));
        rc = converted != NULL ? OK : NOMEM;
    } else if (v->value_case == OTLP__ANY_VALUE__VALUE_BOOL_VALUE) {
        converted = a->to == CONVERT_INT ? otlp_value_int(attrs->arena, v->bool_value ? 1 : 0)
                                         : otlp_value_double(attrs->arena, v->bool_value ? 1 : 0);
    } else if (a->to == CONVERT_INT && v->value_case == OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE) {
        if (v->double_value > -9.2e18 && v->double_value < 9.2e18)
            converted = otlp_value_int(attrs->arena, (int64_t)v->double_value);
    } else if (a->to == CONVERT_INT && slice_to_i64(buf_slice(&text), &integer)) {
        converted = otlp_value_int(attrs->arena, integer);
    } else if (a->to == CONVERT_DOUBLE && slice_to_f64(buf_slice(&text), &real)) {
        converted = otlp_value_double(attrs->arena, real);
    }
    buf_release(&text);
    return converted != NULL ? otlp_attrs_set(attrs, a->key, converted) : rc;
}

static enum code apply_set(const struct action *a, const struct otlp_attrs *attrs, const struct otlp_batch *b)
{
    enum code rc = OK;
    Otlp__AnyValue *v = wanted_value(a, attrs, b, &rc);
    bool is_there;

    if (v == NULL)
        return rc;
    is_there = otlp_attrs_get(attrs, a->key) != NULL;
    if ((a->kind == ACTION_INSERT && is_there) || (a->kind == ACTION_UPDATE && !is_there))
        return OK;
    return otlp_attrs_set(attrs, a->key, v);
}

enum code actions_apply(const struct actions *all, const struct otlp_attrs *attrs, const struct otlp_batch *b)
{
    enum code rc = OK;

    for (size_t i = 0; i < all->n && rc == OK; i++) {
        const struct action *a = &all->list[i];

        switch (a->kind) {
        case ACTION_INSERT:
        case ACTION_UPDATE:
        case ACTION_UPSERT:
            rc = apply_set(a, attrs, b);
            break;
        case ACTION_DELETE:
            apply_delete(a, attrs);
            break;
        case ACTION_HASH:
            rc = apply_hash(a, attrs);
            break;
        case ACTION_EXTRACT:
            rc = apply_extract(a, attrs);
            break;
        case ACTION_CONVERT:
            rc = apply_convert(a, attrs);
            break;
        }
    }
    return rc;
}
