/* array.*: lists and lists of objects. */
#include "agent/base/map.h"
#include "agent/river/stdlib_int.h"

static enum code work(struct river_call *call, uint64_t bytes)
{
    return eval_charge(call->ctx, call->source, call->expr != NULL ? call->expr->span : (struct span){0}, bytes);
}

static enum code concat(struct river_call *call, struct value *out)
{
    struct value *items;
    size_t n = 0;

    for (size_t i = 0; i < call->n_args; i++) {
        enum code rc = arg_array(call, i);

        if (rc != OK)
            return rc;
        n += call->args[i].as.array.n;
    }
    if (call->n_args == 1) {
        *out = call->args[0];
        return OK;
    }
    items = arena_try_array(call->ctx->arena, n, sizeof *items);
    if (items == NULL)
        return call_no_memory(call);
    n = 0;
    for (size_t i = 0; i < call->n_args; i++) {
        size_t more = call->args[i].as.array.n;

        if (more != 0)
            memcpy(items + n, call->args[i].as.array.items, more * sizeof *items);
        n += more;
    }
    *out = value_array(items, n);
    return OK;
}

static enum code all_objects(struct river_call *call, size_t i)
{
    enum code rc = arg_array(call, i);

    for (size_t k = 0; rc == OK && k < call->args[i].as.array.n; k++) {
        const struct value *item = &call->args[i].as.array.items[k];

        if (item->type != VALUE_OBJECT)
            rc = river_call_error(call, i, "element %zu of argument %zu must be an object, not a %s", k, i + 1,
                                  value_type_name(item));
    }
    return rc;
}

/* Do both have all the keys, with equal values? */
static bool is_match(const struct value *left, const struct value *right, const struct value *keys)
{
    for (size_t i = 0; i < keys->as.array.n; i++) {
        struct slice key = keys->as.array.items[i].as.text.bytes;
        const struct value *a = value_get(left, key), *b = value_get(right, key);

        if (a == NULL || b == NULL || !eval_equal(a, b))
            return false;
    }
    return true;
}

static enum code merged(struct arena *arena, const struct value *left, const struct value *right, struct value *out)
{
    size_t n = left->as.object.n + right->as.object.n;
    struct value_field *fields = arena_try_array(arena, n, sizeof *fields);

    if (fields == NULL)
        return NOMEM;
    if (left->as.object.n != 0)
        memcpy(fields, left->as.object.fields, left->as.object.n * sizeof *fields);
    if (right->as.object.n != 0)
        memcpy(fields + left->as.object.n, right->as.object.fields, right->as.object.n * sizeof *fields);
    return value_object(arena, fields, n, out); /* of a key in both the right one wins */
}

static enum code check_combine(struct river_call *call, bool *keeps_left)
{
    const struct value *keys = &call->args[2];
    enum code rc = all_objects(call, 0);

    if (rc == OK)
        rc = all_objects(call, 1);
    if (rc == OK)
        rc = arg_array(call, 2);
    if (rc == OK && keys->as.array.n == 0)
        rc = river_call_error(call, 2, "the list of keys must not be empty");
    for (size_t i = 0; rc == OK && i < keys->as.array.n; i++) {
        if (keys->as.array.items[i].type != VALUE_STRING)
            rc = river_call_error(call, 2, "every key must be a string");
    }
    *keeps_left = false;
    if (rc == OK && call->n_args == 4)
        rc = arg_bool(call, 3, keeps_left);
    return rc;
}

/* Every pair that matches, merged. With keeps_left a left one is kept for every right one that does not match: that is
 * what Alloy does, also where several right ones are there. */
static enum code combine_maps(struct river_call *call, struct value *out)
{
    const struct value *left = &call->args[0], *right = &call->args[1];
    size_t n_left, n_right, n = 0;
    struct value *items;
    bool keeps_left;
    enum code rc = check_combine(call, &keeps_left);

    if (rc != OK)
        return rc;
    n_left = left->as.array.n;
    n_right = right->as.array.n;
    rc = work(call, (uint64_t)n_left * n_right * sizeof *items);
    if (rc != OK)
        return rc;
    for (size_t i = 0; i < n_left; i++) {
        for (size_t k = 0; k < n_right; k++)
            n += keeps_left || is_match(&left->as.array.items[i], &right->as.array.items[k], &call->args[2]);
    }
    items = arena_try_array(call->ctx->arena, n, sizeof *items);
    if (items == NULL)
        return call_no_memory(call);
    n = 0;
    for (size_t i = 0; i < n_left; i++) {
        for (size_t k = 0; k < n_right; k++) {
            const struct value *a = &left->as.array.items[i], *b = &right->as.array.items[k];

            if (!is_match(a, b, &call->args[2])) {
                if (keeps_left)
                    items[n++] = *a;
                continue;
            }
            rc = work(call, (a->as.object.n + b->as.object.n) * sizeof(struct value_field));
            if (rc != OK)
                return rc;
            if (merged(call->ctx->arena, a, b, &items[n++]) != OK)
                return call_no_memory(call);
        }
    }
    *out = value_array(items, n);
    return OK;
}

/* --- group_by --- */

struct group {
    struct slice key;
    size_t n, at; /* members; where the next one goes */
    struct value *items;
};

/* The key's text in an object: "" when it has none. False: reported. */
static enum code key_of(struct river_call *call, size_t i, struct slice name, struct slice *key, bool *is_missing)
{
    const struct value *v = value_get(&call->args[0].as.array.items[i], name);

    *is_missing = v == NULL;
    *key = SLICE_LIT("");
    if (v == NULL)
        return OK;
    if (v->type != VALUE_STRING)
        return river_call_error(call, 0, "\"%.*s\" of element %zu must be a string, not a %s", SLICE_ARG(name), i,
                                value_type_name(v));
    *key = v->as.text.bytes;
    return OK;
}

/* Counts the members of every group, in order of first appearance. */
static enum code count_groups(struct river_call *call, struct map *by_key, struct slice name, bool drops_missing)
{
    for (size_t i = 0; i < call->args[0].as.array.n; i++) {
        struct slice key;
        struct group *group;
        bool is_missing;
        enum code rc = key_of(call, i, name, &key, &is_missing);

        if (rc != OK)
            return rc;
        if (is_missing && drops_missing)
            continue;
        group = map_get(by_key, key);
        if (group == NULL) {
            group = arena_try_array(call->ctx->arena, 1, sizeof *group);
            if (group == NULL || map_put(by_key, key, group, NULL) != OK)
                return call_no_memory(call);
            group->key = key;
        }
        group->n++;
    }
    return OK;
}

static enum code fill_groups(struct river_call *call, struct map *by_key, struct slice name, bool drops_missing)
{
    for (size_t i = 0; i < call->args[0].as.array.n; i++) {
        struct slice key;
        struct group *group;
        bool is_missing;

        if (key_of(call, i, name, &key, &is_missing) != OK)
            return INVALID;
        group = map_get(by_key, key);
        if (group == NULL || (is_missing && drops_missing))
            continue;
        if (group->items == NULL)
            group->items = arena_try_array(call->ctx->arena, group->n, sizeof *group->items);
        if (group->items == NULL)
            return call_no_memory(call);
        group->items[group->at++] = call->args[0].as.array.items[i];
    }
    return OK;
}

static enum code list_groups(struct river_call *call, struct map *by_key, struct slice name, struct value *out)
{
    struct value *items = arena_try_array(call->ctx->arena, map_count(by_key), sizeof *items);
    size_t n = 0;

    if (items == NULL)
        return call_no_memory(call);
    for (struct map_entry *e = map_next(by_key, NULL); e != NULL; e = map_next(by_key, e)) {
        const struct group *group = e->value;
        struct value_field fields[2] = {{name, value_string(group->key)},
                                        {SLICE_LIT("items"), value_array(group->items, group->n)}};

        if (value_object(call->ctx->arena, fields, 2, &items[n++]) != OK)
            return call_no_memory(call);
    }
    *out = value_array(items, n);
    return OK;
}

static enum code group_by(struct river_call *call, struct value *out)
{
    struct map by_key;
    struct slice name;
    bool drops_missing;
    enum code rc = all_objects(call, 0);

    if (rc == OK)
        rc = arg_text(call, 1, &name);
    if (rc == OK)
        rc = arg_bool(call, 2, &drops_missing);
    if (rc != OK)
        return rc;
    map_init(&by_key, 0);
    rc = count_groups(call, &by_key, name, drops_missing);
    if (rc == OK)
        rc = fill_groups(call, &by_key, name, drops_missing);
    if (rc == OK)
        rc = list_groups(call, &by_key, name, out);
    map_release(&by_key, NULL);
    return rc;
}

const struct river_function stdlib_array[] = {
    {.name = "array.concat",
     .signature = "array.concat(list...)",
     .doc = "The lists one after the other.",
     .max_args = SIZE_MAX,
     .call = concat},
    {.name = "array.combine_maps",
     .signature = "array.combine_maps(left, right, keys, [keeps_left])",
     .doc = "The objects of two lists that agree in the keys, merged; the right one wins.",
     .min_args = 3,
     .max_args = 4,
     .is_experimental = true,
     .call = combine_maps},
    {.name = "array.group_by",
     .signature = "array.group_by(list, key, drop_missing)",
     .doc = "The objects of a list in groups of equal key: objects of the key and items.",
     .min_args = 3,
     .max_args = 3,
     .is_experimental = true,
     .call = group_by},
    {.name = NULL},
};
