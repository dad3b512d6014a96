#include "agent/base/limits.h"
#include "agent/text/jmespath_int.h"

static const struct json null = {.type = JSON_NULL};

enum code jmespath_no_memory(struct jeval *e)
{
    return error_set(e->err, NOMEM, "jmespath: no memory left");
}

bool jmespath_is_true(const struct json *j)
{
    switch (j->type) {
    case JSON_NULL:
        return false;
    case JSON_BOOL:
        return j->boolean;
    case JSON_STRING:
        return j->text.len != 0;
    case JSON_ARRAY:
        return j->array.n != 0;
    case JSON_OBJECT:
        return j->object.n != 0;
    case JSON_NUMBER:
        return true;
    }
    return false;
}

static enum code new_array(struct jeval *e, size_t n, struct json *out)
{
    *out = (struct json){.type = JSON_ARRAY};
    out->array.items = arena_try_array(e->arena, n + 1, sizeof *out->array.items);
    return out->array.items != NULL ? OK : jmespath_no_memory(e);
}

static void eval_index(const struct jnode *n, const struct json *in, struct json *out)
{
    int64_t at = n->index;

    *out = null;
    if (in->type != JSON_ARRAY)
        return;
    if (at < 0)
        at += (int64_t)in->array.n;
    if (at >= 0 && at < (int64_t)in->array.n)
        *out = in->array.items[at];
}

/* A bound of a slice within [low, high] (specification, "slices"). */
static int64_t clamp(int64_t v, int64_t size, int64_t low, int64_t high)
{
    if (v < 0)
        v += size;
    return v < low ? low : v > high ? high : v;
}

static enum code eval_slice(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    int64_t size, from, to, low, high;
    enum code rc;

    *out = null;
    if (in->type != JSON_ARRAY)
        return OK;
    size = (int64_t)in->array.n;
    low = n->step > 0 ? 0 : -1;
    high = n->step > 0 ? size : size - 1;
    from = n->has_index ? clamp(n->index, size, low, high) : n->step > 0 ? low : high;
    to = n->has_to ? clamp(n->to, size, low, high) : n->step > 0 ? high : low;
    rc = new_array(e, in->array.n, out);
    while (rc == OK && (n->step > 0 ? from < to : from > to)) {
        out->array.items[out->array.n++] = in->array.items[from];
        if (__builtin_add_overflow(from, n->step, &from))
            break;
    }
    return rc;
}

/* right over each of the items, without the nulls. */
static enum code project(struct jeval *e, const struct jnode *n, const struct json *in, size_t count, struct json *out)
{
    enum code rc = new_array(e, count, out);

    for (size_t i = 0; rc == OK && i < count; i++) {
        const struct json *item = in->type == JSON_ARRAY ? &in->array.items[i] : &in->object.members[i].value;
        struct json kept = {.type = JSON_BOOL, .boolean = true}, result;

        if (n->kind == JNODE_FILTER)
            rc = jmespath_eval_node(e, n->condition, item, &kept);
        if (rc != OK || !jmespath_is_true(&kept))
            continue;
        rc = jmespath_eval_node(e, n->right, item, &result);
        if (rc == OK && result.type != JSON_NULL)
            out->array.items[out->array.n++] = result;
    }
    return rc;
}

static enum code eval_projection(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    struct json left;
    enum code rc = jmespath_eval_node(e, n->left, in, &left);
    bool wants_object = n->kind == JNODE_PROJECT_VALUES;

    *out = null;
    if (rc != OK || left.type != (wants_object ? JSON_OBJECT : JSON_ARRAY))
        return rc;
    return project(e, n, &left, wants_object ? left.object.n : left.array.n, out);
}

static enum code eval_flatten(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    struct json left;
    size_t total = 0;
    enum code rc = jmespath_eval_node(e, n->left, in, &left);

    *out = null;
    if (rc != OK || left.type != JSON_ARRAY)
        return rc;
    for (size_t i = 0; i < left.array.n; i++)
        total += left.array.items[i].type == JSON_ARRAY ? left.array.items[i].array.n : 1;
    rc = new_array(e, total, out);
    for (size_t i = 0; rc == OK && i < left.array.n; i++) {
        const struct json *item = &left.array.items[i];
        size_t count = item->type == JSON_ARRAY ? item->array.n : 1;

        if (count != 0)
            memcpy(out->array.items + out->array.n, item->type == JSON_ARRAY ? item->array.items : item,
                   count * sizeof *item);
        out->array.n += count;
    }
    return rc;
}

static enum code eval_logic(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    enum code rc = jmespath_eval_node(e, n->left, in, out);

    if (rc != OK)
        return rc;
    if (n->kind == JNODE_NOT)
        *out = (struct json){.type = JSON_BOOL, .boolean = !jmespath_is_true(out)};
    else if (jmespath_is_true(out) == (n->kind == JNODE_AND))
        return jmespath_eval_node(e, n->right, in, out);
    return OK;
}

static bool in_order(enum jnode_kind kind, double a, double b)
{
    switch ((unsigned)kind) {
    case JNODE_LT:
        return a < b;
    case JNODE_LE:
        return a <= b;
    case JNODE_GT:
        return a > b;
    default:
        return a >= b;
    }
}

static enum code eval_comparison(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    struct json left, right;
    double a, b;
    enum code rc = jmespath_eval_node(e, n->left, in, &left);

    if (rc == OK)
        rc = jmespath_eval_node(e, n->right, in, &right);
    *out = null;
    if (rc != OK)
        return rc;
    if (n->kind == JNODE_EQ || n->kind == JNODE_NE)
        *out = (struct json){.type = JSON_BOOL, .boolean = json_equal(&left, &right) == (n->kind == JNODE_EQ)};
    else if (json_as_f64(&left, &a) && json_as_f64(&right, &b)) /* the order of anything but numbers is null */
        *out = (struct json){.type = JSON_BOOL, .boolean = in_order(n->kind, a, b)};
    return OK;
}

static enum code eval_items(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    size_t count = 0, at = 0;
    enum code rc = OK;

    *out = null;
    if (in->type == JSON_NULL)
        return OK;
    for (const struct jnode *item = n->items; item != NULL; item = item->next)
        count++;
    if (n->kind == JNODE_LIST) {
        rc = new_array(e, count, out);
        for (const struct jnode *item = n->items; rc == OK && item != NULL; item = item->next)
            rc = jmespath_eval_node(e, item, in, &out->array.items[out->array.n++]);
        return rc;
    }
    out->type = JSON_OBJECT;
    out->object.members = arena_try_array(e->arena, count, sizeof *out->object.members);
    out->object.n = count;
    if (out->object.members == NULL)
        return jmespath_no_memory(e);
    for (const struct jnode *item = n->items; rc == OK && item != NULL; item = item->next) {
        out->object.members[at].key = item->name;
        rc = jmespath_eval_node(e, item, in, &out->object.members[at++].value);
    }
    return rc;
}

static enum code eval_call(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    struct jargument args[JMESPATH_ARGUMENTS];
    size_t count = 0;
    enum code rc = OK;

    for (const struct jnode *item = n->items; rc == OK && item != NULL; item = item->next) {
        struct jargument *arg = &args[count++];

        *arg = (struct jargument){.value = null};
        if (item->kind == JNODE_REFERENCE)
            arg->reference = item->left;
        else
            rc = jmespath_eval_node(e, item, in, &arg->value);
    }
    *out = null;
    return rc == OK ? n->function->call(e, args, count, out) : rc;
}

/* Depth is bounded by the parser: every node knows its height. */
enum code jmespath_eval_node(struct jeval *e, const struct jnode *n, const struct json *in, struct json *out)
{
    const struct json *found;
    struct json left;
    enum code rc;

    if (++e->steps > LIMIT_JMESPATH_STEPS)
        return error_set(e->err, FULL, "jmespath: more than %d steps", LIMIT_JMESPATH_STEPS);
    switch (n->kind) {
    case JNODE_CURRENT:
        *out = *in;
        return OK;
    case JNODE_FIELD:
        found = json_get(in, n->name);
        *out = found != NULL ? *found : null;
        return OK;
    case JNODE_CHAIN:
        rc = jmespath_eval_node(e, n->left, in, &left);
        return rc == OK ? jmespath_eval_node(e, n->right, &left, out) : rc;
    case JNODE_INDEX:
        eval_index(n, in, out);
        return OK;
    case JNODE_SLICE:
        return eval_slice(e, n, in, out);
    case JNODE_PROJECT:
    case JNODE_PROJECT_VALUES:
    case JNODE_FILTER:
        return eval_projection(e, n, in, out);
    case JNODE_FLATTEN:
        return eval_flatten(e, n, in, out);
    case JNODE_OR:
    case JNODE_AND:
    case JNODE_NOT:
        return eval_logic(e, n, in, out);
    case JNODE_EQ:
    case JNODE_NE:
    case JNODE_LT:
    case JNODE_LE:
    case JNODE_GT:
    case JNODE_GE:
        return eval_comparison(e, n, in, out);
    case JNODE_LITERAL:
        *out = n->literal;
        return OK;
    case JNODE_LIST:
    case JNODE_HASH:
        return eval_items(e, n, in, out);
    case JNODE_CALL:
        return eval_call(e, n, in, out);
    case JNODE_REFERENCE:
        break;
    }
    bug(__FILE__, __LINE__, "the parser refuses a reference that is no argument");
}

enum code jmespath_eval(const struct jmespath *j, const struct json *doc, struct arena *a, struct json *out,
                        struct error *err)
{
    struct jeval e = {.arena = a, .err = err};

    *out = null;
    return jmespath_eval_node(&e, j->root, doc, out);
}
