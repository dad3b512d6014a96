/* One value into one C field. */
#include "agent/base/limits.h"
#include "agent/river/eval_int.h"
#include "agent/river/schema_int.h"
#include <inttypes.h>
#include <math.h>

struct convert {
    struct arena *arena;
    const struct river_field *field;
    struct misfit *misfit;
};

bool schema_is_attr(enum river_kind kind)
{
    return kind <= RIVER_VALUE;
}

bool schema_is_block(enum river_kind kind)
{
    return kind == RIVER_BLOCK || kind == RIVER_ENUM_BLOCKS || kind == RIVER_BODY;
}

bool schema_is_end(const struct river_field *field)
{
    return field->name == NULL && field->kind != RIVER_FLATTEN && field->kind != RIVER_LABEL &&
           field->kind != RIVER_ANY_BLOCKS;
}

size_t schema_size(const struct river_field *field)
{
    switch (field->kind) {
    case RIVER_STRING:
    case RIVER_LABEL:
        return sizeof(struct slice);
    case RIVER_BOOL:
        return sizeof(bool);
    case RIVER_INT:
    case RIVER_DURATION:
        return sizeof(int64_t);
    case RIVER_UINT:
    case RIVER_BYTES:
        return sizeof(uint64_t);
    case RIVER_FLOAT:
        return sizeof(double);
    case RIVER_SECRET:
    case RIVER_OPTIONAL_SECRET:
        return sizeof(struct river_secret);
    case RIVER_ENUM:
        return sizeof(int);
    case RIVER_CAPSULE:
    case RIVER_VALUE:
    case RIVER_BODY:
        return sizeof(void *);
    case RIVER_BLOCK:
        if ((field->flags & RIVER_REPEATED) != 0)
            return sizeof(struct river_blocks);
        return (field->flags & RIVER_POINTER) != 0 ? sizeof(void *) : field->block->size;
    case RIVER_FLATTEN:
        return field->block->size;
    case RIVER_STRING_LIST: /* all lists are a pointer and a count */
    case RIVER_ENUM_LIST:
    case RIVER_INT_LIST:
    case RIVER_FLOAT_LIST:
    case RIVER_DURATION_LIST:
    case RIVER_SECRET_LIST:
    case RIVER_STRING_MAP:
    case RIVER_SECRET_MAP:
    case RIVER_STRING_LIST_MAP:
    case RIVER_SECRET_LIST_MAP:
    case RIVER_STRING_MAP_LIST:
    case RIVER_TARGETS:
    case RIVER_CAPSULE_LIST:
    case RIVER_ENUM_BLOCKS:
    case RIVER_ANY_BLOCKS:
        break;
    }
    return sizeof(struct river_strings);
}

static const char *shown_type(const struct value *v)
{
    if (value_is_secret(v))
        return "a secret";
    switch (v->type) {
    case VALUE_NULL:
        return "null";
    case VALUE_BOOL:
        return "a bool";
    case VALUE_NUMBER:
        return "a number";
    case VALUE_STRING:
    case VALUE_SECRET:
    case VALUE_OPTIONAL_SECRET:
        return "a string";
    case VALUE_ARRAY:
        return "a list";
    case VALUE_OBJECT:
        return "an object";
    case VALUE_FUNCTION:
        return "a function";
    case VALUE_CAPSULE:
        break;
    }
    return v->as.capsule.type != NULL ? v->as.capsule.type->name : "a capsule";
}

static enum code misfits(struct convert *c, const char *wanted, const struct value *v)
{
    schema_hint_form(c->field, c->misfit, v);
    /* A secret is one whatever it holds; so are the exports of a component, which somebody wrote for one of them. */
    c->misfit->is_certain = v->type == VALUE_SECRET || (v->type == VALUE_OBJECT && c->field->capsule != NULL);
    if (value_is_secret(v))
        return error_set(&c->misfit->err, INVALID, "expected %s, got a secret", wanted);
    return error_set(&c->misfit->err, INVALID, "expected %s, got %s", wanted, shown_type(v));
}

/* --- texts --- */

static enum code keep(struct convert *c, struct slice s, struct slice *out)
{
    *out = s.len != 0 ? arena_copy(c->arena, s) : SLICE_LIT("");
    return out->ptr == NULL ? NOMEM : OK;
}

static enum code to_text(struct convert *c, const struct value *v, struct slice *out)
{
    struct slice text;
    bool is_text;
    enum code rc = value_text(c->arena, v, &text, &is_text);

    if (rc == OK && !is_text)
        return misfits(c, "a string", v);
    return rc == OK ? keep(c, text, out) : rc;
}

static enum code to_secret(struct convert *c, const struct value *v, bool is_always_secret, struct river_secret *out)
{
    enum code rc;

    if (value_is_text(v))
        rc = keep(c, v->as.text.bytes, &out->text);
    else
        rc = to_text(c, v, &out->text);
    out->is_secret = is_always_secret || value_is_secret(v);
    return rc;
}

static enum code to_enum(struct convert *c, const struct value *v, int *out)
{
    struct nearest nearest;
    struct slice word;
    size_t at = 0;
    char list[256] = "";

    if (v->type != VALUE_STRING && (v->type != VALUE_OPTIONAL_SECRET || value_is_secret(v)))
        return misfits(c, "a string", v);
    word = v->as.text.bytes;
    nearest_init(&nearest, word);
    for (const struct river_enum *e = c->field->choices; e->word != NULL; e++) {
        if (slice_eq_str(word, e->word) ||
            ((c->field->flags & RIVER_ANY_CASE) != 0 && slice_eq_nocase(word, slice_str(e->word)))) {
            *out = e->value;
            return OK;
        }
        nearest_offer(&nearest, slice_str(e->word));
        for (const char *p = at != 0 ? ", \"" : "\""; *p != '\0' && at < sizeof list - 2; p++)
            list[at++] = *p;
        for (const char *p = e->word; *p != '\0' && at < sizeof list - 2; p++)
            list[at++] = *p;
        if (at < sizeof list - 2)
            list[at++] = '"';
    }
    list[at] = '\0';
    if (nearest.best.ptr != NULL)
        schema_hint(c->misfit, "did you mean \"%.*s\"?", SLICE_ARG(nearest.best));
    return error_set(&c->misfit->err, INVALID, "\"%.*s\" is none of %s", SLICE_ARG(word), list);
}

/* --- numbers --- */

/* A string as a number, the way Alloy reads it: "-" means int64, ". e E" mean float, else uint64. */
static bool number_of_text(struct slice s, struct number *out)
{
    bool is_negative = slice_find(s, '-') != s.len;
    bool is_float = slice_find(s, '.') != s.len || slice_find(s, 'e') != s.len || slice_find(s, 'E') != s.len;
    uint64_t u;

    if (is_negative) {
        out->kind = NUMBER_INT;
        return slice_to_i64(s, &out->as.i);
    }
    if (is_float) {
        out->kind = NUMBER_FLOAT;
        return slice_to_f64(s, &out->as.f);
    }
    if (!slice_to_u64(s, &u))
        return false;
    *out = value_uint(u).as.number;
    return true;
}

static enum code to_number(struct convert *c, const struct value *v, struct number *out)
{
    if (v->type == VALUE_NUMBER) {
        *out = v->as.number;
        return OK;
    }
    if (value_is_text(v) && !value_is_secret(v) && number_of_text(v->as.text.bytes, out))
        return OK;
    return misfits(c, "a number", v);
}

static enum code check_range(struct convert *c, double n, const char *shown)
{
    const struct river_field *f = c->field;
    bool is_low = (f->flags & RIVER_HAS_MIN) != 0 && !(n >= f->min);
    bool is_high = (f->flags & RIVER_HAS_MAX) != 0 && !(n <= f->max);
    struct buf limit;
    enum code rc;

    if (!is_low && !is_high)
        return OK;
    buf_init(&limit, 64);
    if (f->kind == RIVER_DURATION || f->kind == RIVER_DURATION_LIST)
        river_duration_print(&limit, (int64_t)(is_low ? f->min : f->max));
    else
        value_number_print(&limit, value_float(is_low ? f->min : f->max).as.number);
    rc = error_set(&c->misfit->err, INVALID, "%s must be at %s %.*s", shown, is_low ? "least" : "most",
                   SLICE_ARG(buf_slice(&limit)));
    buf_release(&limit);
    return rc;
}

static enum code to_int(struct convert *c, const struct value *v, int64_t *out)
{
    struct number n = {0};
    enum code rc = to_number(c, v, &n);

    if (rc != OK)
        return rc;
    if (n.kind == NUMBER_FLOAT) {
        if (n.as.f != trunc(n.as.f) || !(n.as.f >= -9.2233720368547758e18 && n.as.f < 9.2233720368547758e18))
            return error_set(&c->misfit->err, INVALID, "expected a whole number, got %g", n.as.f);
        *out = (int64_t)n.as.f;
    } else if (!value_number_i64(n, out)) {
        return error_set(&c->misfit->err, INVALID, "%" PRIu64 " is too large", n.as.u);
    }
    return check_range(c, (double)*out, "the number");
}

static enum code to_uint(struct convert *c, const struct value *v, uint64_t *out)
{
    struct number n = {0};
    enum code rc = to_number(c, v, &n);

    if (rc != OK)
        return rc;
    if (value_number_f64(n) < 0)
        return error_set(&c->misfit->err, INVALID, "the number must not be negative");
    if (n.kind == NUMBER_FLOAT) {
        if (n.as.f != trunc(n.as.f) || !(n.as.f < 1.8446744073709552e19))
            return error_set(&c->misfit->err, INVALID, "expected a whole number, got %g", n.as.f);
        *out = (uint64_t)n.as.f;
    } else {
        (void)value_number_u64(n, out);
    }
    return check_range(c, (double)*out, "the number");
}

static enum code to_float(struct convert *c, const struct value *v, double *out)
{
    struct number n = {0};
    enum code rc = to_number(c, v, &n);

    if (rc != OK)
        return rc;
    *out = value_number_f64(n);
    return check_range(c, *out, "the number");
}

static enum code to_duration(struct convert *c, const struct value *v, int64_t *out)
{
    enum code rc;

    if (!value_is_text(v) || value_is_secret(v))
        return misfits(c, "a duration such as \"30s\"", v);
    rc = river_duration_parse(v->as.text.bytes, out, &c->misfit->err);
    if (rc != OK)
        schema_hint_days(c->misfit, v->as.text.bytes);
    return rc == OK ? check_range(c, (double)*out, "the duration") : rc;
}

static enum code to_bytes(struct convert *c, const struct value *v, uint64_t *out)
{
    enum code rc;

    if (v->type == VALUE_NUMBER)
        return to_uint(c, v, out);
    if (!value_is_text(v) || value_is_secret(v))
        return misfits(c, "a size such as \"5MiB\"", v);
    rc = river_bytes_parse(v->as.text.bytes, out, &c->misfit->err);
    return rc == OK ? check_range(c, (double)*out, "the size") : rc;
}

static enum code to_capsule(struct convert *c, const struct value *v, void **out)
{
    if (v->type != VALUE_CAPSULE || v->as.capsule.type != c->field->capsule)
        return misfits(c, c->field->capsule->name, v);
    *out = v->as.capsule.ptr;
    return OK;
}

/* --- lists --- */

static enum code to_strings(struct convert *c, const struct value *v, struct river_strings *out)
{
    enum code rc = OK;

    if (v->type != VALUE_ARRAY)
        return misfits(c, "a list of strings", v);
    out->n = v->as.array.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        c->misfit->item = i;
        rc = to_text(c, &v->as.array.items[i], &out->items[i]);
    }
    return rc;
}

static enum code to_secrets(struct convert *c, const struct value *v, struct river_secrets *out)
{
    enum code rc = OK;

    if (v->type != VALUE_ARRAY)
        return misfits(c, "a list of secrets", v);
    out->n = v->as.array.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        c->misfit->item = i;
        rc = to_secret(c, &v->as.array.items[i], true, &out->items[i]);
    }
    return rc;
}

static enum code to_ints(struct convert *c, const struct value *v, struct river_ints *out)
{
    enum code rc = OK;

    if (v->type != VALUE_ARRAY)
        return misfits(c, "a list", v);
    out->n = v->as.array.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        const struct value *item = &v->as.array.items[i];
        int word = 0;

        c->misfit->item = i;
        if (c->field->kind == RIVER_DURATION_LIST) {
            rc = to_duration(c, item, &out->items[i]);
        } else if (c->field->kind == RIVER_ENUM_LIST) {
            rc = to_enum(c, item, &word);
            out->items[i] = word;
        } else {
            rc = to_int(c, item, &out->items[i]);
        }
    }
    return rc;
}

static enum code to_floats(struct convert *c, const struct value *v, struct river_floats *out)
{
    enum code rc = OK;

    if (v->type != VALUE_ARRAY)
        return misfits(c, "a list of numbers", v);
    out->n = v->as.array.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        c->misfit->item = i;
        rc = to_float(c, &v->as.array.items[i], &out->items[i]);
    }
    return rc;
}

/* Nulls are left out: a component that exports nothing yet is no receiver. */
static enum code to_capsules(struct convert *c, const struct value *v, struct river_capsules *out)
{
    enum code rc = OK;

    if (v->type != VALUE_ARRAY)
        return misfits(c, "a list", v);
    out->items = arena_try_array(c->arena, v->as.array.n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < v->as.array.n && rc == OK; i++) {
        c->misfit->item = i;
        if (v->as.array.items[i].type == VALUE_NULL)
            continue;
        rc = to_capsule(c, &v->as.array.items[i], &out->items[out->n]);
        if (rc == OK && out->items[out->n] != NULL)
            out->n++;
    }
    return rc;
}

/* --- maps --- */

static enum code to_map(struct convert *c, const struct value *v, struct river_map *out)
{
    enum code rc = OK;

    if (v->type != VALUE_OBJECT)
        return misfits(c, "an object of strings", v);
    out->n = v->as.object.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        const struct value_field *f = &v->as.object.fields[i];

        c->misfit->key = f->name;
        rc = keep(c, f->name, &out->items[i].name);
        if (rc == OK)
            rc = to_text(c, &f->value, &out->items[i].value);
    }
    return rc;
}

static enum code to_secret_map(struct convert *c, const struct value *v, struct river_secret_map *out)
{
    enum code rc = OK;

    if (v->type != VALUE_OBJECT)
        return misfits(c, "an object of secrets", v);
    out->n = v->as.object.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        const struct value_field *f = &v->as.object.fields[i];

        c->misfit->key = f->name;
        rc = keep(c, f->name, &out->items[i].name);
        if (rc == OK)
            rc = to_secret(c, &f->value, true, &out->items[i].value);
    }
    return rc;
}

static enum code to_list_map(struct convert *c, const struct value *v, struct river_list_map *out)
{
    enum code rc = OK;

    if (v->type != VALUE_OBJECT)
        return misfits(c, "an object of lists of strings", v);
    out->n = v->as.object.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        const struct value_field *f = &v->as.object.fields[i];

        c->misfit->key = f->name;
        rc = keep(c, f->name, &out->items[i].name);
        if (rc == OK)
            rc = to_strings(c, &f->value, &out->items[i].values);
    }
    return rc;
}

static enum code to_secret_list_map(struct convert *c, const struct value *v, struct river_secret_list_map *out)
{
    enum code rc = OK;

    if (v->type != VALUE_OBJECT)
        return misfits(c, "an object of lists of secrets", v);
    out->n = v->as.object.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        const struct value_field *f = &v->as.object.fields[i];

        c->misfit->key = f->name;
        rc = keep(c, f->name, &out->items[i].name);
        if (rc == OK)
            rc = to_secrets(c, &f->value, &out->items[i].values);
    }
    return rc;
}

static enum code to_targets(struct convert *c, const struct value *v, struct river_targets *out)
{
    enum code rc = OK;

    if (v->type != VALUE_ARRAY)
        return misfits(c, "a list of objects", v);
    out->n = v->as.array.n;
    out->items = arena_try_array(c->arena, out->n, sizeof *out->items);
    if (out->items == NULL)
        return NOMEM;
    for (size_t i = 0; i < out->n && rc == OK; i++) {
        rc = to_map(c, &v->as.array.items[i], &out->items[i]);
        c->misfit->item = i;
    }
    return rc;
}

static enum code to_value(struct convert *c, const struct value *v, const struct value **out)
{
    struct value *copy = arena_try_array(c->arena, 1, sizeof *copy);

    if (copy == NULL)
        return NOMEM;
    *out = copy;
    return value_copy(c->arena, v, copy);
}

static enum code dispatch(struct convert *c, const struct value *v, void *dst)
{
    switch (c->field->kind) {
    case RIVER_STRING:
        return to_text(c, v, dst);
    case RIVER_BOOL:
        if (v->type != VALUE_BOOL)
            return misfits(c, "true or false", v);
        *(bool *)dst = v->as.boolean;
        return OK;
    case RIVER_INT:
        return to_int(c, v, dst);
    case RIVER_UINT:
        return to_uint(c, v, dst);
    case RIVER_FLOAT:
        return to_float(c, v, dst);
    case RIVER_DURATION:
        return to_duration(c, v, dst);
    case RIVER_BYTES:
        return to_bytes(c, v, dst);
    case RIVER_SECRET:
        return to_secret(c, v, true, dst);
    case RIVER_OPTIONAL_SECRET:
        return to_secret(c, v, false, dst);
    case RIVER_ENUM:
        return to_enum(c, v, dst);
    case RIVER_STRING_LIST:
        return to_strings(c, v, dst);
    case RIVER_ENUM_LIST:
    case RIVER_INT_LIST:
    case RIVER_DURATION_LIST:
        return to_ints(c, v, dst);
    case RIVER_FLOAT_LIST:
        return to_floats(c, v, dst);
    case RIVER_SECRET_LIST:
        return to_secrets(c, v, dst);
    case RIVER_STRING_MAP:
        return to_map(c, v, dst);
    case RIVER_SECRET_MAP:
        return to_secret_map(c, v, dst);
    case RIVER_STRING_LIST_MAP:
        return to_list_map(c, v, dst);
    case RIVER_SECRET_LIST_MAP:
        return to_secret_list_map(c, v, dst);
    case RIVER_STRING_MAP_LIST:
    case RIVER_TARGETS:
        return to_targets(c, v, dst);
    case RIVER_CAPSULE:
        return to_capsule(c, v, dst);
    case RIVER_CAPSULE_LIST:
        return to_capsules(c, v, dst);
    case RIVER_VALUE:
        return to_value(c, v, dst);
    case RIVER_LABEL:
    case RIVER_BLOCK:
    case RIVER_ENUM_BLOCKS:
    case RIVER_FLATTEN:
    case RIVER_BODY:
    case RIVER_ANY_BLOCKS:
        break;
    }
    return error_set(&c->misfit->err, INVALID, "this field takes no value");
}

/* Texts, lists and maps are all {pointer, count}; a secret starts with its text. */
static bool is_empty(const struct river_field *field, const void *dst)
{
    struct slice s;

    if (field->kind != RIVER_STRING && field->kind != RIVER_SECRET && field->kind != RIVER_OPTIONAL_SECRET &&
        (field->kind < RIVER_STRING_LIST || field->kind > RIVER_TARGETS) && field->kind != RIVER_CAPSULE_LIST)
        return false;
    memcpy(&s, dst, sizeof s);
    return s.len == 0;
}

enum code schema_convert(struct arena *arena, const struct river_field *field, const struct value *v, void *dst,
                         struct misfit *misfit)
{
    struct convert c = {arena, field, misfit};
    enum code rc = OK;

    *misfit = (struct misfit){.item = SIZE_MAX};
    memset(dst, 0, schema_size(field));
    if (v->type != VALUE_NULL) /* null is the zero value of every kind */
        rc = dispatch(&c, v, dst);
    if (rc != OK)
        return rc;
    misfit->item = SIZE_MAX;
    misfit->key = (struct slice){0};
    if ((field->flags & RIVER_NOT_EMPTY) != 0 && is_empty(field, dst))
        return error_set(&misfit->err, INVALID, "this must not be empty");
    return OK;
}

enum code river_decode_value(struct river_context *ctx, const struct river_field *field, const struct value *v,
                             void *out, struct error *err)
{
    struct misfit misfit;
    enum code rc = schema_convert(ctx->arena, field, v, out, &misfit);

    if (rc == INVALID)
        return error_set(err, INVALID, "%s", misfit.err.text);
    return rc == OK ? OK : error_set(err, rc, "no memory left for this value");
}
