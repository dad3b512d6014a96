#include "agent/base/limits.h"
#include "agent/text/jmespath_int.h"
#include "agent/text/number.h"
#include <math.h>
#include <stdlib.h>

#define FUNCTION(name) static enum code name(struct jeval *e, const struct jargument *args, size_t n, struct json *out)

static enum code wrong_type(struct jeval *e, const char *function, const char *wanted)
{
    return error_set(e->err, INVALID, "jmespath: %s() wants %s", function, wanted);
}

static enum code set_number(struct jeval *e, double v, struct json *out)
{
    char text[NUMBER_TEXT_BYTES];
    size_t n = number_format(v, NUMBER_JSON, text);

    if (!isfinite(v)) {
        *out = (struct json){.type = JSON_NULL};
        return OK;
    }
    *out = (struct json){.type = JSON_NUMBER, .text = arena_copy(e->arena, slice_make(text, n))};
    return out->text.ptr != NULL ? OK : jmespath_no_memory(e);
}

static enum code set_bool(bool v, struct json *out)
{
    *out = (struct json){.type = JSON_BOOL, .boolean = v};
    return OK;
}

static enum code set_array(struct jeval *e, size_t n, struct json *out)
{
    *out = (struct json){.type = JSON_ARRAY};
    out->array.items = arena_try_array(e->arena, n + 1, sizeof *out->array.items);
    out->array.n = n;
    return out->array.items != NULL ? OK : jmespath_no_memory(e);
}

static bool is_array_of(const struct jargument *a, enum json_type type)
{
    if (a->reference != NULL || a->value.type != JSON_ARRAY)
        return false;
    for (size_t i = 0; i < a->value.array.n; i++) {
        if (a->value.array.items[i].type != type)
            return false;
    }
    return true;
}

static bool has_type(const struct jargument *a, enum json_type type)
{
    return a->reference == NULL && a->value.type == type;
}

static double number_of(const struct json *j)
{
    double v = 0;

    (void)json_as_f64(j, &v);
    return v;
}

FUNCTION(length)
{
    const struct json *v = &args[0].value;

    (void)n;
    if (has_type(&args[0], JSON_STRING)) {
        size_t runes = 0; /* code points: all bytes but the continuing ones */

        for (size_t i = 0; i < v->text.len; i++)
            runes += ((unsigned char)v->text.ptr[i] & 0xC0) != 0x80;
        return set_number(e, (double)runes, out);
    }
    if (has_type(&args[0], JSON_ARRAY))
        return set_number(e, (double)v->array.n, out);
    if (has_type(&args[0], JSON_OBJECT))
        return set_number(e, (double)v->object.n, out);
    return wrong_type(e, "length", "a string, an array or an object");
}

FUNCTION(keys)
{
    enum code rc;

    (void)n;
    if (!has_type(&args[0], JSON_OBJECT))
        return wrong_type(e, "keys", "an object");
    rc = set_array(e, args[0].value.object.n, out);
    for (size_t i = 0; rc == OK && i < out->array.n; i++)
        out->array.items[i] = (struct json){.type = JSON_STRING, .text = args[0].value.object.members[i].key};
    return rc;
}

FUNCTION(values)
{
    enum code rc;

    (void)n;
    if (!has_type(&args[0], JSON_OBJECT))
        return wrong_type(e, "values", "an object");
    rc = set_array(e, args[0].value.object.n, out);
    for (size_t i = 0; rc == OK && i < out->array.n; i++)
        out->array.items[i] = args[0].value.object.members[i].value;
    return rc;
}

FUNCTION(to_string)
{
    struct buf text;
    enum code rc = OK;

    (void)n;
    if (args[0].reference != NULL)
        return wrong_type(e, "to_string", "a value");
    *out = args[0].value;
    if (out->type == JSON_STRING)
        return OK;
    buf_init(&text, LIMIT_JSON_TEXT_BYTES);
    if (json_write(&text, &args[0].value) != OK) {
        rc = error_set(e->err, FULL, "jmespath: to_string() of more than %u bytes", LIMIT_JSON_TEXT_BYTES);
    } else {
        *out = (struct json){.type = JSON_STRING, .text = arena_copy(e->arena, buf_slice(&text))};
        if (out->text.ptr == NULL)
            rc = jmespath_no_memory(e);
    }
    buf_release(&text);
    return rc;
}

FUNCTION(to_number)
{
    (void)e;
    (void)n;
    if (has_type(&args[0], JSON_NUMBER) || (has_type(&args[0], JSON_STRING) && number_is_json(args[0].value.text)))
        *out = (struct json){.type = JSON_NUMBER, .text = args[0].value.text};
    return OK;
}

FUNCTION(to_array)
{
    enum code rc;

    (void)n;
    *out = args[0].value;
    if (args[0].reference != NULL)
        return wrong_type(e, "to_array", "a value");
    if (out->type == JSON_ARRAY)
        return OK;
    rc = set_array(e, 1, out);
    if (rc == OK)
        out->array.items[0] = args[0].value;
    return rc;
}

FUNCTION(type)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object",
    };

    (void)n;
    if (args[0].reference != NULL)
        return wrong_type(e, "type", "a value");
    *out = (struct json){.type = JSON_STRING, .text = slice_str(names[args[0].value.type])};
    return OK;
}

FUNCTION(not_null)
{
    (void)e;
    for (size_t i = 0; i < n && out->type == JSON_NULL; i++)
        *out = args[i].value;
    return OK;
}

FUNCTION(join)
{
    size_t size = 0;
    char *to;

    (void)n;
    if (!has_type(&args[0], JSON_STRING) || !is_array_of(&args[1], JSON_STRING))
        return wrong_type(e, "join", "a string and an array of strings");
    for (size_t i = 0; i < args[1].value.array.n; i++)
        size += args[1].value.array.items[i].text.len + args[0].value.text.len;
    to = arena_try_alloc(e->arena, size + 1);
    if (to == NULL)
        return jmespath_no_memory(e);
    *out = (struct json){.type = JSON_STRING, .text = {to, 0}};
    for (size_t i = 0; i < args[1].value.array.n; i++) {
        const struct slice parts[2] = {i != 0 ? args[0].value.text : SLICE_LIT(""), args[1].value.array.items[i].text};

        for (size_t k = 0; k < 2; k++) {
            if (parts[k].len != 0)
                memcpy(to + out->text.len, parts[k].ptr, parts[k].len);
            out->text.len += parts[k].len;
        }
    }
    return OK;
}

FUNCTION(contains)
{
    struct slice text = args[0].value.text, part = args[1].value.text;
    bool found = false;

    (void)n;
    if (has_type(&args[0], JSON_STRING))
        return set_bool(has_type(&args[1], JSON_STRING) && (part.len == 0 || slice_find_slice(text, part) < text.len),
                        out);
    if (!has_type(&args[0], JSON_ARRAY))
        return wrong_type(e, "contains", "a string or an array");
    for (size_t i = 0; i < args[0].value.array.n && !found; i++)
        found = json_equal(&args[0].value.array.items[i], &args[1].value);
    return set_bool(found, out);
}

FUNCTION(starts_with)
{
    (void)n;
    if (!has_type(&args[0], JSON_STRING) || !has_type(&args[1], JSON_STRING))
        return wrong_type(e, "starts_with", "two strings");
    return set_bool(slice_starts(args[0].value.text, args[1].value.text), out);
}

FUNCTION(ends_with)
{
    (void)n;
    if (!has_type(&args[0], JSON_STRING) || !has_type(&args[1], JSON_STRING))
        return wrong_type(e, "ends_with", "two strings");
    return set_bool(slice_ends(args[0].value.text, args[1].value.text), out);
}

/* ---- numbers ---- */

static enum code rounded(struct jeval *e, const struct jargument *arg, double (*change)(double), const char *name,
                         struct json *out)
{
    if (!has_type(arg, JSON_NUMBER))
        return wrong_type(e, name, "a number");
    return set_number(e, change(number_of(&arg->value)), out);
}

FUNCTION(absolute)
{
    (void)n;
    return rounded(e, &args[0], fabs, "abs", out);
}

FUNCTION(ceiling)
{
    (void)n;
    return rounded(e, &args[0], ceil, "ceil", out);
}

FUNCTION(floor_of)
{
    (void)n;
    return rounded(e, &args[0], floor, "floor", out);
}

static double total(const struct json *array)
{
    double sum = 0;

    for (size_t i = 0; i < array->array.n; i++)
        sum += number_of(&array->array.items[i]);
    return sum;
}

FUNCTION(sum)
{
    (void)n;
    if (!is_array_of(&args[0], JSON_NUMBER))
        return wrong_type(e, "sum", "an array of numbers");
    return set_number(e, total(&args[0].value), out);
}

FUNCTION(average)
{
    (void)n;
    if (!is_array_of(&args[0], JSON_NUMBER))
        return wrong_type(e, "avg", "an array of numbers");
    if (args[0].value.array.n == 0)
        return OK;
    return set_number(e, total(&args[0].value) / (double)args[0].value.array.n, out);
}

/* ---- order ---- */

struct keyed {
    struct json key, value;
    size_t at; /* keeps equal ones in order: sort_by is stable */
};

static int compare(const struct json *a, const struct json *b)
{
    double x, y;

    if (a->type == JSON_STRING)
        return slice_cmp(a->text, b->text);
    x = number_of(a);
    y = number_of(b);
    return (x > y) - (x < y);
}

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = compare(&x->key, &y->key);

    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* Each item with its key: itself, or what the reference gives. All keys must be numbers, or all strings. */
static enum code take_keys(struct jeval *e, const struct jargument *args, size_t n, const char *name,
                           struct keyed **out)
{
    const struct json *array = &args[0].value;
    struct keyed *keys;

    if (!has_type(&args[0], JSON_ARRAY) || (n == 2 && args[1].reference == NULL))
        return wrong_type(e, name, n == 2 ? "an array and an &expression" : "an array of numbers or strings");
    keys = arena_try_array(e->arena, array->array.n + 1, sizeof *keys);
    if (keys == NULL)
        return jmespath_no_memory(e);
    for (size_t i = 0; i < array->array.n; i++) {
        enum code rc = OK;

        keys[i] = (struct keyed){.key = array->array.items[i], .value = array->array.items[i], .at = i};
        if (n == 2)
            rc = jmespath_eval_node(e, args[1].reference, &keys[i].value, &keys[i].key);
        if (rc != OK)
            return rc;
        if ((keys[i].key.type != JSON_NUMBER && keys[i].key.type != JSON_STRING) ||
            keys[i].key.type != keys[0].key.type)
            return wrong_type(e, name, "keys that are all numbers or all strings");
    }
    *out = keys;
    return OK;
}

static enum code sorted(struct jeval *e, const struct jargument *args, size_t n, const char *name, struct json *out)
{
    struct keyed *keys;
    enum code rc = take_keys(e, args, n, name, &keys);

    if (rc == OK)
        rc = set_array(e, args[0].value.array.n, out);
    if (rc != OK)
        return rc;
    qsort(keys, out->array.n, sizeof *keys, by_key);
    for (size_t i = 0; i < out->array.n; i++)
        out->array.items[i] = keys[i].value;
    return OK;
}

static enum code extreme(struct jeval *e, const struct jargument *args, size_t n, int sign, const char *name,
                         struct json *out)
{
    struct keyed *keys;
    size_t best = 0;
    enum code rc = take_keys(e, args, n, name, &keys);

    if (rc != OK || args[0].value.array.n == 0)
        return rc;
    for (size_t i = 1; i < args[0].value.array.n; i++) {
        if (compare(&keys[i].key, &keys[best].key) * sign > 0)
            best = i;
    }
    *out = keys[best].value;
    return OK;
}

FUNCTION(sort)
{
    return sorted(e, args, n, "sort", out);
}

FUNCTION(sort_by)
{
    return sorted(e, args, n, "sort_by", out);
}

FUNCTION(max)
{
    return extreme(e, args, n, 1, "max", out);
}

FUNCTION(max_by)
{
    return extreme(e, args, n, 1, "max_by", out);
}

FUNCTION(min)
{
    return extreme(e, args, n, -1, "min", out);
}

FUNCTION(min_by)
{
    return extreme(e, args, n, -1, "min_by", out);
}

/* ---- arrays and objects ---- */

static enum code reverse_text(struct jeval *e, struct slice s, struct json *out)
{
    char *copy = arena_try_alloc(e->arena, s.len + 1);
    size_t end = s.len;

    if (copy == NULL)
        return jmespath_no_memory(e);
    *out = (struct json){.type = JSON_STRING, .text = {copy, s.len}};
    for (size_t i = s.len; i > 0; i--) { /* whole code points move */
        if (((unsigned char)s.ptr[i - 1] & 0xC0) == 0x80 && i > 1)
            continue;
        memcpy(copy, s.ptr + i - 1, end - (i - 1));
        copy += end - (i - 1);
        end = i - 1;
    }
    return OK;
}

FUNCTION(reverse)
{
    const struct json *v = &args[0].value;
    enum code rc;

    (void)n;
    if (has_type(&args[0], JSON_STRING))
        return reverse_text(e, v->text, out);
    if (!has_type(&args[0], JSON_ARRAY))
        return wrong_type(e, "reverse", "a string or an array");
    rc = set_array(e, v->array.n, out);
    for (size_t i = 0; rc == OK && i < v->array.n; i++)
        out->array.items[i] = v->array.items[v->array.n - 1 - i];
    return rc;
}

FUNCTION(map)
{
    enum code rc;

    (void)n;
    if (args[0].reference == NULL || !has_type(&args[1], JSON_ARRAY))
        return wrong_type(e, "map", "an &expression and an array");
    rc = set_array(e, args[1].value.array.n, out);
    for (size_t i = 0; rc == OK && i < out->array.n; i++)
        rc = jmespath_eval_node(e, args[0].reference, &args[1].value.array.items[i], &out->array.items[i]);
    return rc;
}

/* Keys stay in the order of their first appearance; the last value counts. */
FUNCTION(merge)
{
    struct json merged = {.type = JSON_OBJECT};
    size_t total_members = 0;

    for (size_t i = 0; i < n; i++) {
        if (!has_type(&args[i], JSON_OBJECT))
            return wrong_type(e, "merge", "objects");
        total_members += args[i].value.object.n;
    }
    merged.object.members = arena_try_array(e->arena, total_members + 1, sizeof *merged.object.members);
    if (merged.object.members == NULL)
        return jmespath_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < args[i].value.object.n; k++) {
            const struct json_member *m = &args[i].value.object.members[k];
            size_t at = 0;

            while (at < merged.object.n && !slice_eq(merged.object.members[at].key, m->key))
                at++;
            e->steps += (unsigned)(at / 16);
            if (e->steps > LIMIT_JMESPATH_STEPS)
                return error_set(e->err, FULL, "jmespath: more than %d steps", LIMIT_JMESPATH_STEPS);
            merged.object.members[at] = *m;
            merged.object.n += at == merged.object.n;
        }
    }
    *out = merged;
    return OK;
}

static const struct jfunction functions[] = {
    {"length", 1, 1, length},
    {"keys", 1, 1, keys},
    {"values", 1, 1, values},
    {"to_string", 1, 1, to_string},
    {"to_number", 1, 1, to_number},
    {"to_array", 1, 1, to_array},
    {"type", 1, 1, type},
    {"not_null", 1, JMESPATH_ARGUMENTS, not_null},
    {"join", 2, 2, join},
    {"contains", 2, 2, contains},
    {"starts_with", 2, 2, starts_with},
    {"ends_with", 2, 2, ends_with},
    {"abs", 1, 1, absolute},
    {"ceil", 1, 1, ceiling},
    {"floor", 1, 1, floor_of},
    {"sum", 1, 1, sum},
    {"avg", 1, 1, average},
    {"sort", 1, 1, sort},
    {"sort_by", 2, 2, sort_by},
    {"max", 1, 1, max},
    {"max_by", 2, 2, max_by},
    {"min", 1, 1, min},
    {"min_by", 2, 2, min_by},
    {"reverse", 1, 1, reverse},
    {"map", 2, 2, map},
    {"merge", 1, JMESPATH_ARGUMENTS, merge},
};

const struct jfunction *jmespath_function(struct slice name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (slice_eq_str(name, functions[i].name))
            return &functions[i];
    }
    return NULL;
}
