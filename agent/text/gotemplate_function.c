/* Template functions on values: comparison, printing, lists. */
#include "agent/base/limits.h"
#include "agent/text/gotemplate_int.h"

#define FUNCTION(name) static enum code name(struct run *run, const struct value *args, size_t n, struct value *out)

enum { ANY = TEMPLATE_ARGUMENTS };

/* ---- helpers the functions share ---- */

enum code run_string(struct run *run, const struct value *v, struct slice *out)
{
    if (v->kind == VALUE_NIL)
        return run_fail(run, INVALID, "invalid value; expected string");
    if (v->kind != VALUE_STRING)
        return run_fail(run, INVALID, "wrong type for value; expected string; got %s", tvalue_type(v));
    *out = v->text;
    return OK;
}

enum code run_int(struct run *run, const struct value *v, int64_t *out)
{
    if (v->kind != VALUE_INT)
        return run_fail(run, INVALID, "wrong type for value; expected int; got %s", tvalue_type(v));
    *out = v->integer;
    return OK;
}

void run_scratch(struct run *run, struct buf *b)
{
    buf_init(b, run->out->max);
}

enum code run_take(struct run *run, struct buf *b, struct value *out)
{
    struct slice text = {NULL, 0};
    enum code rc = OK;

    if (b->is_full) {
        rc = run_fail(run, FULL, "a value is larger than %zu bytes", b->max);
    } else {
        text = arena_copy(run->arena, buf_slice(b));
        if (text.ptr == NULL && b->len != 0)
            rc = run_fail(run, NOMEM, "no memory left");
    }
    buf_release(b);
    *out = tvalue_string(text);
    return rc;
}

enum code run_list(struct run *run, size_t n, struct value **items, struct value *out)
{
    if (n > LIMIT_TEMPLATE_LIST)
        return run_fail(run, FULL, "a list of %zu elements, at most %d are taken", n, LIMIT_TEMPLATE_LIST);
    *items = arena_try_array(run->arena, n + 1, sizeof **items);
    if (*items == NULL)
        return run_fail(run, NOMEM, "no memory left");
    out->kind = VALUE_LIST;
    out->list.items = *items;
    out->list.n = n;
    out->depth = 1;
    return OK;
}

enum code run_contain(struct run *run, struct value *holder, const struct value *item)
{
    if (holder->depth <= item->depth)
        holder->depth = item->depth + 1;
    if (holder->depth > 2 * LIMIT_JSON_DEPTH)
        return run_fail(run, FULL, "lists nested deeper than %d", 2 * LIMIT_JSON_DEPTH);
    return OK;
}

static enum code text_of(struct run *run, const struct value *v, struct slice *out)
{
    struct value text;
    struct buf b;
    enum code rc;

    if (v->kind == VALUE_STRING) {
        *out = v->text;
        return OK;
    }
    run_scratch(run, &b);
    tvalue_print(&b, v);
    rc = run_take(run, &b, &text);
    *out = text.text;
    return rc;
}

/* ---- logic and comparison ---- */

FUNCTION(negate)
{
    (void)run;
    (void)n;
    *out = tvalue_bool(!tvalue_is_true(&args[0]));
    return OK;
}

static enum code is_equal(struct run *run, const struct value *a, const struct value *b, bool *out)
{
    *out = false;
    if (a->kind == VALUE_NIL || b->kind == VALUE_NIL) {
        *out = a->kind == b->kind;
        return OK;
    }
    if (a->kind == VALUE_LIST || a->kind == VALUE_MAP || a->kind == VALUE_ROOT)
        return run_fail(run, INVALID, "eq: non-comparable type %s", tvalue_type(a));
    if (a->kind != b->kind)
        return run_fail(run, INVALID, "eq: incompatible types for comparison: %s and %s", tvalue_type(a),
                        tvalue_type(b));
    if (a->kind == VALUE_STRING)
        *out = slice_eq(a->text, b->text);
    else if (a->kind == VALUE_BOOL)
        *out = a->boolean == b->boolean;
    else if (a->kind == VALUE_FLOAT)
        *out = a->number == b->number;
    else
        *out = a->integer == b->integer;
    return OK;
}

FUNCTION(eq)
{
    bool same = false;
    enum code rc = OK;

    for (size_t i = 1; i < n && rc == OK && !same; i++)
        rc = is_equal(run, &args[0], &args[i], &same);
    *out = tvalue_bool(same);
    return rc;
}

FUNCTION(ne)
{
    enum code rc = eq(run, args, n, out);

    out->boolean = !out->boolean;
    return rc;
}

static enum code order(struct run *run, const struct value *args, int *out)
{
    const struct value *a = &args[0], *b = &args[1];

    if (a->kind != b->kind || (a->kind != VALUE_STRING && a->kind != VALUE_INT && a->kind != VALUE_FLOAT))
        return run_fail(run, INVALID, "incompatible types for comparison: %s and %s", tvalue_type(a), tvalue_type(b));
    if (a->kind == VALUE_STRING)
        *out = slice_cmp(a->text, b->text);
    else if (a->kind == VALUE_INT)
        *out = (a->integer > b->integer) - (a->integer < b->integer);
    else
        *out = (a->number > b->number) - (a->number < b->number);
    return OK;
}

#define ORDER_FUNCTION(name, condition)                                                                                \
    FUNCTION(name)                                                                                                     \
    {                                                                                                                  \
        int sign = 0;                                                                                                  \
        enum code rc = order(run, args, &sign);                                                                        \
                                                                                                                       \
        (void)n;                                                                                                       \
        *out = tvalue_bool(condition);                                                                                 \
        return rc;                                                                                                     \
    }

ORDER_FUNCTION(lt, sign < 0)
ORDER_FUNCTION(le, sign <= 0)
ORDER_FUNCTION(gt, sign > 0)
ORDER_FUNCTION(ge, sign >= 0)

FUNCTION(sprig_default)
{
    (void)run;
    *out = n == 2 && tvalue_is_true(&args[1]) ? args[1] : args[0];
    return OK;
}

FUNCTION(ternary)
{
    (void)n;
    if (args[2].kind != VALUE_BOOL)
        return run_fail(run, INVALID, "ternary: expected bool; got %s", tvalue_type(&args[2]));
    *out = args[2].boolean ? args[0] : args[1];
    return OK;
}

FUNCTION(empty)
{
    (void)run;
    (void)n;
    *out = tvalue_bool(!tvalue_is_true(&args[0]));
    return OK;
}

FUNCTION(coalesce)
{
    (void)run;
    for (size_t i = 0; i < n; i++) {
        if (tvalue_is_true(&args[i])) {
            *out = args[i];
            break;
        }
    }
    return OK;
}

/* ---- printing ---- */

/* fmt.Sprint: a space between two operands when neither is a string. */
FUNCTION(print)
{
    struct buf b;

    run_scratch(run, &b);
    for (size_t i = 0; i < n; i++) {
        if (i != 0 && args[i].kind != VALUE_STRING && args[i - 1].kind != VALUE_STRING)
            (void)buf_add_char(&b, ' ');
        tvalue_print(&b, &args[i]);
    }
    return run_take(run, &b, out);
}

FUNCTION(println)
{
    struct buf b;

    run_scratch(run, &b);
    for (size_t i = 0; i < n; i++) {
        if (i != 0)
            (void)buf_add_char(&b, ' ');
        tvalue_print(&b, &args[i]);
    }
    (void)buf_add_char(&b, '\n');
    return run_take(run, &b, out);
}

FUNCTION(print_format)
{
    struct slice format;
    enum code rc = run_string(run, &args[0], &format);
    struct buf b;

    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    rc = tvalue_printf(run, format, args + 1, n - 1, &b);
    if (rc == OK)
        return run_take(run, &b, out);
    buf_release(&b);
    return rc;
}

FUNCTION(to_string)
{
    struct slice text;
    enum code rc = text_of(run, &args[0], &text);

    (void)n;
    *out = tvalue_string(text);
    return rc;
}

FUNCTION(quote)
{
    struct buf b;

    run_scratch(run, &b);
    for (size_t i = 0; i < n; i++) {
        struct slice text;

        if (args[i].kind == VALUE_NIL || text_of(run, &args[i], &text) != OK)
            continue;
        if (b.len != 0)
            (void)buf_add_char(&b, ' ');
        tvalue_quote(&b, text);
    }
    return run_take(run, &b, out);
}

/* ---- lists and maps ---- */

FUNCTION(length)
{
    (void)n;
    if (args[0].kind == VALUE_STRING)
        *out = tvalue_int((int64_t)args[0].text.len);
    else if (args[0].kind == VALUE_LIST)
        *out = tvalue_int((int64_t)args[0].list.n);
    else if (args[0].kind == VALUE_MAP)
        *out = tvalue_int((int64_t)args[0].map.n);
    else
        return run_fail(run, INVALID, "len of type %s", tvalue_type(&args[0]));
    return OK;
}

static enum code index_one(struct run *run, struct value *in, const struct value *key)
{
    struct slice name, text;
    size_t size = in->kind == VALUE_LIST ? in->list.n : in->text.len;

    if (in->kind == VALUE_MAP || in->kind == VALUE_ROOT) {
        enum code rc = run_string(run, key, &name);

        if (rc != OK)
            return rc;
        if (in->kind == VALUE_MAP ? !tvalue_member(in, name, in) : !run->data->lookup(run->data->self, name, &text))
            *in = (struct value){.kind = VALUE_NIL};
        else if (in->kind == VALUE_ROOT)
            *in = tvalue_string(text);
        return OK;
    }
    if (in->kind != VALUE_LIST && in->kind != VALUE_STRING)
        return run_fail(run, INVALID, "can't index item of type %s", tvalue_type(in));
    if (key->kind != VALUE_INT)
        return run_fail(run, INVALID, "cannot index with type %s", tvalue_type(key));
    if (key->integer < 0 || (uint64_t)key->integer >= size)
        return run_fail(run, INVALID, "index out of range: %lld", (long long)key->integer);
    *in = in->kind == VALUE_LIST ? in->list.items[key->integer] : tvalue_int((unsigned char)in->text.ptr[key->integer]);
    return OK;
}

FUNCTION(index_of)
{
    enum code rc = OK;

    *out = args[0];
    if (out->kind == VALUE_NIL)
        return run_fail(run, INVALID, "index of untyped nil");
    for (size_t i = 1; i < n && rc == OK; i++)
        rc = index_one(run, out, &args[i]);
    return rc;
}

FUNCTION(slice_of)
{
    bool is_list = args[0].kind == VALUE_LIST;
    int64_t size = (int64_t)(is_list ? args[0].list.n : args[0].text.len), from = 0, to = size;
    enum code rc = OK;

    if (!is_list && args[0].kind != VALUE_STRING)
        return run_fail(run, INVALID, "can't slice item of type %s", tvalue_type(&args[0]));
    if (n > 1)
        rc = run_int(run, &args[1], &from);
    if (n > 2 && rc == OK)
        rc = run_int(run, &args[2], &to);
    if (rc != OK)
        return rc;
    if (from < 0 || to > size || from > to)
        return run_fail(run, INVALID, "slice index out of range: %lld to %lld", (long long)from, (long long)to);
    *out = args[0];
    if (is_list) {
        out->list.items += from;
        out->list.n = (size_t)(to - from);
    } else {
        out->text = slice_make(args[0].text.ptr + from, (size_t)(to - from));
    }
    return OK;
}

FUNCTION(list)
{
    struct value *items;
    enum code rc = run_list(run, n, &items, out);

    for (size_t i = 0; i < n && rc == OK; i++) {
        items[i] = args[i];
        rc = run_contain(run, out, &args[i]);
    }
    return rc;
}

FUNCTION(first)
{
    (void)n;
    if (args[0].kind != VALUE_LIST)
        return run_fail(run, INVALID, "first: %s is no list", tvalue_type(&args[0]));
    if (args[0].list.n != 0)
        *out = args[0].list.items[0];
    return OK;
}

FUNCTION(last)
{
    (void)n;
    if (args[0].kind != VALUE_LIST)
        return run_fail(run, INVALID, "last: %s is no list", tvalue_type(&args[0]));
    if (args[0].list.n != 0)
        *out = args[0].list.items[args[0].list.n - 1];
    return OK;
}

FUNCTION(join)
{
    struct slice separator, text;
    enum code rc = run_string(run, &args[0], &separator);
    struct buf b;

    (void)n;
    if (rc != OK)
        return rc;
    run_scratch(run, &b);
    for (size_t i = 0; args[1].kind == VALUE_LIST && i < args[1].list.n && rc == OK; i++) {
        if (args[1].list.items[i].kind == VALUE_NIL)
            continue;
        rc = text_of(run, &args[1].list.items[i], &text);
        if (i != 0)
            (void)buf_add(&b, separator);
        (void)buf_add(&b, rc == OK ? text : separator);
    }
    if (args[1].kind != VALUE_LIST && args[1].kind != VALUE_NIL)
        tvalue_print(&b, &args[1]);
    if (rc == OK)
        return run_take(run, &b, out);
    buf_release(&b);
    return rc;
}

FUNCTION(split_list)
{
    struct slice separator, s;
    struct value *items;
    size_t count = 1, at = 0;
    enum code rc = run_string(run, &args[0], &separator);

    (void)n;
    if (rc == OK)
        rc = run_string(run, &args[1], &s);
    if (rc == OK && separator.len == 0)
        rc = run_fail(run, INVALID, "splitList: an empty separator is not supported");
    if (rc != OK)
        return rc;
    for (struct slice rest = s; slice_find_slice(rest, separator) < rest.len; count++)
        rest = slice_from(rest, slice_find_slice(rest, separator) + separator.len);
    rc = run_list(run, count, &items, out);
    for (; rc == OK && at < count; at++) {
        size_t cut = at + 1 < count ? slice_find_slice(s, separator) : s.len;

        items[at] = tvalue_string(slice_head(s, cut));
        s = slice_from(s, cut + separator.len);
    }
    return rc;
}

/* sprig gives nil for text that is no JSON. */
FUNCTION(from_json)
{
    struct slice text;
    struct json j;
    enum code rc = run_string(run, &args[0], &text);

    (void)n;
    if (rc == OK) {
        rc = json_parse(run->arena, text, &j, NULL);
        if (rc == NOMEM)
            return run_fail(run, NOMEM, "no memory left");
        return rc == OK ? tvalue_from_json(run, &j, out) : OK;
    }
    return rc;
}

FUNCTION(to_json)
{
    struct buf b;

    (void)n;
    run_scratch(run, &b);
    tvalue_to_json(&b, &args[0]);
    return run_take(run, &b, out);
}

const struct template_function template_value_functions[] = {
    {"and", 1, ANY, NULL}, /* the executor's own: they do not evaluate all arguments */
    {"or", 1, ANY, NULL},
    {"not", 1, 1, negate},
    {"eq", 2, ANY, eq},
    {"ne", 2, 2, ne},
    {"lt", 2, 2, lt},
    {"le", 2, 2, le},
    {"gt", 2, 2, gt},
    {"ge", 2, 2, ge},
    {"print", 0, ANY, print},
    {"printf", 1, ANY, print_format},
    {"println", 0, ANY, println},
    {"len", 1, 1, length},
    {"index", 1, ANY, index_of},
    {"slice", 1, 3, slice_of},
    {"default", 1, 2, sprig_default},
    {"ternary", 3, 3, ternary},
    {"empty", 1, 1, empty},
    {"coalesce", 0, ANY, coalesce},
    {"toString", 1, 1, to_string},
    {"quote", 0, ANY, quote},
    {"list", 0, ANY, list},
    {"first", 1, 1, first},
    {"last", 1, 1, last},
    {"join", 2, 2, join},
    {"splitList", 2, 2, split_list},
    {"fromJson", 1, 1, from_json},
    {"toJson", 1, 1, to_json},
    {NULL, 0, 0, NULL},
};

static const struct template_function *find(const struct template_function *table, struct slice name)
{
    for (; table->name != NULL; table++) {
        if (slice_eq_str(name, table->name))
            return table;
    }
    return NULL;
}

const struct template_function *template_function(struct slice name)
{
    const struct template_function *f = find(template_string_functions, name);

    if (f == NULL)
        f = find(template_number_functions, name);
    return f != NULL ? f : find(template_value_functions, name);
}
