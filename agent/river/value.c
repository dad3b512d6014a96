#include "agent/river/value.h"
#include "agent/base/mem.h"
#include <math.h>
#include <stdlib.h>

/* Below this many fields a walk is as fast as a search. */
enum { SORT_FROM_FIELDS = 17 };

struct value value_null(void)
{
    return (struct value){.type = VALUE_NULL};
}

struct value value_bool(bool b)
{
    return (struct value){.type = VALUE_BOOL, .as.boolean = b};
}

struct value value_int(int64_t i)
{
    return (struct value){.type = VALUE_NUMBER, .as.number = {.kind = NUMBER_INT, .as.i = i}};
}

struct value value_uint(uint64_t u)
{
    if (u <= INT64_MAX)
        return value_int((int64_t)u);
    return (struct value){.type = VALUE_NUMBER, .as.number = {.kind = NUMBER_UINT, .as.u = u}};
}

struct value value_float(double f)
{
    return (struct value){.type = VALUE_NUMBER, .as.number = {.kind = NUMBER_FLOAT, .as.f = f}};
}

struct value value_string(struct slice s)
{
    return (struct value){.type = VALUE_STRING, .as.text = {.bytes = s}};
}

struct value value_cstr(const char *s)
{
    return value_string(slice_str(s != NULL ? s : ""));
}

struct value value_secret(struct slice s)
{
    return (struct value){.type = VALUE_SECRET, .as.text = {.bytes = s, .is_secret = true}};
}

struct value value_optional_secret(struct slice s, bool is_secret)
{
    return (struct value){.type = VALUE_OPTIONAL_SECRET, .as.text = {.bytes = s, .is_secret = is_secret}};
}

struct value value_array(const struct value *items, size_t n)
{
    return (struct value){.type = VALUE_ARRAY, .as.array = {.items = items, .n = n}};
}

struct value value_capsule(const struct capsule_type *type, void *ptr)
{
    return (struct value){.type = VALUE_CAPSULE, .as.capsule = {.type = type, .ptr = ptr}};
}

struct value value_function(const struct river_function *function)
{
    return (struct value){.type = VALUE_FUNCTION, .as.function = function};
}

/* --- objects --- */

static int cmp_fields(const void *a, const void *b, void *fields)
{
    const struct value_field *f = fields;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    int order = slice_cmp(f[i].name, f[j].name);

    if (order != 0)
        return order;
    return i < j ? -1 : i > j;
}

/* Of equal names keeps the first place with the last value; marks the others by a name of {NULL, SIZE_MAX}. */
static size_t drop_repeated(struct value_field *fields, uint32_t *sorted, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n;) {
        size_t last = i;

        while (last + 1 < n && slice_eq(fields[sorted[last + 1]].name, fields[sorted[i]].name))
            last++;
        fields[sorted[i]].value = fields[sorted[last]].value;
        for (size_t k = i + 1; k <= last; k++)
            fields[sorted[k]].name = (struct slice){NULL, SIZE_MAX};
        i = last + 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (fields[i].name.len != SIZE_MAX)
            fields[kept++] = fields[i];
    }
    return kept;
}

static size_t find_in_few(const struct value_field *fields, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(fields[i].name, name))
            return i;
    }
    return n;
}

static void object_of_few(struct value_field *fields, const struct value_field *from, size_t n, struct value *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        size_t at = find_in_few(fields, kept, from[i].name);

        fields[at] = from[i];
        if (at == kept)
            kept++;
    }
    *out = (struct value){.type = VALUE_OBJECT, .as.object = {.fields = fields, .n = kept}};
}

enum code value_object(struct arena *arena, const struct value_field *fields, size_t n, struct value *out)
{
    struct value_field *own;
    uint32_t *sorted;
    size_t kept;

    *out = (struct value){.type = VALUE_OBJECT};
    if (n == 0)
        return OK;
    if (n > UINT32_MAX)
        return NOMEM;
    own = arena_try_array(arena, n, sizeof *own);
    if (own == NULL)
        return NOMEM;
    if (n < SORT_FROM_FIELDS) {
        object_of_few(own, fields, n, out);
        return OK;
    }
    sorted = arena_try_array(arena, n, sizeof *sorted);
    if (sorted == NULL)
        return NOMEM;
    memcpy(own, fields, n * sizeof *own);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (uint32_t)i;
    qsort_r(sorted, n, sizeof *sorted, cmp_fields, own);
    kept = drop_repeated(own, sorted, n);
    if (kept != n) {
        for (size_t i = 0; i < kept; i++)
            sorted[i] = (uint32_t)i;
        qsort_r(sorted, kept, sizeof *sorted, cmp_fields, own);
    }
    *out = (struct value){.type = VALUE_OBJECT, .as.object = {.fields = own, .n = kept, .sorted = sorted}};
    return OK;
}

enum code value_object_of_strings(struct arena *arena, const struct slice *names, const struct slice *texts, size_t n,
                                  struct value *out)
{
    struct value_field *fields;

    *out = (struct value){.type = VALUE_OBJECT};
    if (n == 0)
        return OK;
    fields = arena_try_array(arena, n, sizeof *fields);
    if (fields == NULL)
        return NOMEM;
    for (size_t i = 0; i < n; i++)
        fields[i] = (struct value_field){names[i], value_string(texts[i])};
    return value_object(arena, fields, n, out);
}

const struct value *value_get(const struct value *v, struct slice name)
{
    const struct value_field *fields;
    size_t low = 0, high;

    if (v->type != VALUE_OBJECT)
        return NULL;
    fields = v->as.object.fields;
    high = v->as.object.n;
    if (v->as.object.sorted == NULL) {
        low = find_in_few(fields, high, name);
        return low < high ? &fields[low].value : NULL;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct value_field *f = &fields[v->as.object.sorted[mid]];
        int order = slice_cmp(f->name, name);

        if (order == 0)
            return &f->value;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct value *value_get_str(const struct value *v, const char *name)
{
    return value_get(v, slice_str(name));
}

/* --- copies --- */

static enum code copy_text(struct arena *arena, struct slice s, struct slice *out)
{
    *out = arena_copy(arena, s);
    return s.len != 0 && out->ptr == NULL ? NOMEM : OK;
}

static enum code copy_object(struct arena *arena, const struct value *v, struct value *out)
{
    size_t n = v->as.object.n;
    struct value_field *fields = arena_try_array(arena, n, sizeof *fields);
    uint32_t *sorted = NULL;

    if (fields == NULL)
        return NOMEM;
    if (v->as.object.sorted != NULL) {
        sorted = arena_try_array(arena, n, sizeof *sorted);
        if (sorted == NULL)
            return NOMEM;
        memcpy(sorted, v->as.object.sorted, n * sizeof *sorted);
    }
    for (size_t i = 0; i < n; i++) {
        enum code rc = copy_text(arena, v->as.object.fields[i].name, &fields[i].name);

        if (rc == OK)
            rc = value_copy(arena, &v->as.object.fields[i].value, &fields[i].value);
        if (rc != OK)
            return rc;
    }
    *out = (struct value){.type = VALUE_OBJECT, .as.object = {.fields = fields, .n = n, .sorted = sorted}};
    return OK;
}

static enum code copy_array(struct arena *arena, const struct value *v, struct value *out)
{
    size_t n = v->as.array.n;
    struct value *items = arena_try_array(arena, n, sizeof *items);

    if (items == NULL)
        return NOMEM;
    for (size_t i = 0; i < n; i++) {
        enum code rc = value_copy(arena, &v->as.array.items[i], &items[i]);

        if (rc != OK)
            return rc;
    }
    *out = value_array(items, n);
    return OK;
}

enum code value_copy(struct arena *arena, const struct value *v, struct value *out)
{
    switch (v->type) {
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET: {
        struct slice copy;
        enum code rc = copy_text(arena, v->as.text.bytes, &copy);

        *out = *v;
        out->as.text.bytes = copy;
        return rc;
    }
    case VALUE_ARRAY:
        return copy_array(arena, v, out);
    case VALUE_OBJECT:
        return copy_object(arena, v, out);
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_NUMBER:
    case VALUE_FUNCTION:
    case VALUE_CAPSULE:
        break;
    }
    *out = *v;
    return OK;
}

/* --- questions --- */

bool value_is_text(const struct value *v)
{
    return v->type == VALUE_STRING || v->type == VALUE_SECRET || v->type == VALUE_OPTIONAL_SECRET;
}

bool value_is_secret(const struct value *v)
{
    return value_is_text(v) && v->as.text.is_secret;
}

bool value_contains_secret(const struct value *v)
{
    if (v->type == VALUE_ARRAY) {
        for (size_t i = 0; i < v->as.array.n; i++) {
            if (value_contains_secret(&v->as.array.items[i]))
                return true;
        }
        return false;
    }
    if (v->type == VALUE_OBJECT) {
        for (size_t i = 0; i < v->as.object.n; i++) {
            if (value_contains_secret(&v->as.object.fields[i].value))
                return true;
        }
        return false;
    }
    return value_is_secret(v);
}

void *value_as_capsule(const struct value *v, const struct capsule_type *type)
{
    return v->type == VALUE_CAPSULE && v->as.capsule.type == type ? v->as.capsule.ptr : NULL;
}

double value_number_f64(struct number n)
{
    switch (n.kind) {
    case NUMBER_INT:
        return (double)n.as.i;
    case NUMBER_UINT:
        return (double)n.as.u;
    case NUMBER_FLOAT:
        break;
    }
    return n.as.f;
}

bool value_number_i64(struct number n, int64_t *out)
{
    if (n.kind == NUMBER_FLOAT || (n.kind == NUMBER_UINT && n.as.u > INT64_MAX))
        return false;
    *out = n.kind == NUMBER_INT ? n.as.i : (int64_t)n.as.u;
    return true;
}

bool value_number_u64(struct number n, uint64_t *out)
{
    if (n.kind == NUMBER_FLOAT || (n.kind == NUMBER_INT && n.as.i < 0))
        return false;
    *out = n.kind == NUMBER_UINT ? n.as.u : (uint64_t)n.as.i;
    return true;
}

static int cmp_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) ? -!isnan(b) : 1;
    return a < b ? -1 : a > b;
}

int value_number_cmp(struct number a, struct number b)
{
    uint64_t u, w;

    if (a.kind == NUMBER_FLOAT || b.kind == NUMBER_FLOAT)
        return cmp_doubles(value_number_f64(a), value_number_f64(b));
    if (a.kind == NUMBER_INT && b.kind == NUMBER_INT)
        return a.as.i < b.as.i ? -1 : a.as.i > b.as.i;
    if (!value_number_u64(a, &u)) /* a is negative, b is not */
        return -1;
    if (!value_number_u64(b, &w))
        return 1;
    return u < w ? -1 : u > w;
}

static bool equal_arrays(const struct value *a, const struct value *b)
{
    if (a->as.array.n != b->as.array.n)
        return false;
    for (size_t i = 0; i < a->as.array.n; i++) {
        if (!value_equal(&a->as.array.items[i], &b->as.array.items[i]))
            return false;
    }
    return true;
}

static bool equal_objects(const struct value *a, const struct value *b)
{
    if (a->as.object.n != b->as.object.n)
        return false;
    for (size_t i = 0; i < a->as.object.n; i++) {
        const struct value *other = value_get(b, a->as.object.fields[i].name);

        if (other == NULL || !value_equal(&a->as.object.fields[i].value, other))
            return false;
    }
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->as.boolean == b->as.boolean;
    case VALUE_NUMBER:
        return value_number_cmp(a->as.number, b->as.number) == 0;
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        return a->as.text.is_secret == b->as.text.is_secret && slice_eq(a->as.text.bytes, b->as.text.bytes);
    case VALUE_ARRAY:
        return equal_arrays(a, b);
    case VALUE_OBJECT:
        return equal_objects(a, b);
    case VALUE_FUNCTION:
        return a->as.function == b->as.function;
    case VALUE_CAPSULE:
        return a->as.capsule.type == b->as.capsule.type && a->as.capsule.ptr == b->as.capsule.ptr;
    }
    return false;
}

const char *value_type_name(const struct value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        return "null";
    case VALUE_BOOL:
        return "bool";
    case VALUE_NUMBER:
        return "number";
    case VALUE_STRING:
        return "string";
    case VALUE_ARRAY:
        return "array";
    case VALUE_OBJECT:
        return "object";
    case VALUE_FUNCTION:
        return "function";
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
    case VALUE_CAPSULE:
        break;
    }
    return "capsule";
}
