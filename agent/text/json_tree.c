#include "agent/base/mem.h"
#include "agent/text/json.h"
#include "agent/text/number.h"

/* Children of the levels still open lie on one stack; a closing level moves its own to the arena. */
struct builder {
    struct json_reader reader;
    struct arena *arena;
    struct json_member *stack; /* owned */
    size_t n, cap;
    struct error *err;
};

static enum code no_memory(struct error *err)
{
    return error_set(err, NOMEM, "json: no memory left for the tree");
}

static enum code push(struct builder *b, const struct json_member *m)
{
    if (b->n == b->cap) {
        size_t cap = b->cap != 0 ? b->cap * 2 : 16;
        struct json_member *grown = mem_try_realloc(b->stack, cap * sizeof *grown);

        if (grown == NULL)
            return no_memory(b->err);
        b->stack = grown;
        b->cap = cap;
    }
    b->stack[b->n++] = *m;
    return OK;
}

static enum code close_array(struct builder *b, size_t from, struct json *out)
{
    size_t n = b->n - from;

    out->array.n = n;
    out->array.items = NULL;
    if (n == 0)
        return OK;
    out->array.items = arena_try_array(b->arena, n, sizeof *out->array.items);
    if (out->array.items == NULL)
        return no_memory(b->err);
    for (size_t i = 0; i < n; i++)
        out->array.items[i] = b->stack[from + i].value;
    b->n = from;
    return OK;
}

static enum code close_object(struct builder *b, size_t from, struct json *out)
{
    size_t n = b->n - from;

    out->object.n = n;
    out->object.members = NULL;
    if (n == 0)
        return OK;
    out->object.members = arena_try_array(b->arena, n, sizeof *out->object.members);
    if (out->object.members == NULL)
        return no_memory(b->err);
    memcpy(out->object.members, b->stack + from, n * sizeof *out->object.members);
    b->n = from;
    return OK;
}

static enum code build(struct builder *b, struct json *out);

/* Depth is bounded by the reader. */
static enum code build_level(struct builder *b, struct json *out)
{
    bool is_object = b->reader.token == JSON_TOK_OBJECT_BEGIN;
    size_t from = b->n;

    out->type = is_object ? JSON_OBJECT : JSON_ARRAY;
    for (;;) {
        struct json_member m = {0};
        enum code rc = json_next(&b->reader, b->err);

        if (rc != OK)
            return rc;
        if (b->reader.token == JSON_TOK_OBJECT_END)
            return close_object(b, from, out);
        if (b->reader.token == JSON_TOK_ARRAY_END)
            return close_array(b, from, out);
        if (is_object) {
            rc = json_reader_string(&b->reader, b->arena, &m.key);
            if (rc == OK)
                rc = json_next(&b->reader, b->err);
            else
                (void)no_memory(b->err);
        }
        if (rc == OK)
            rc = build(b, &m.value);
        if (rc == OK)
            rc = push(b, &m);
        if (rc != OK)
            return rc;
    }
}

static enum code build(struct builder *b, struct json *out)
{
    switch (b->reader.token) {
    case JSON_TOK_OBJECT_BEGIN:
    case JSON_TOK_ARRAY_BEGIN:
        return build_level(b, out);
    case JSON_TOK_STRING:
        out->type = JSON_STRING;
        return json_reader_string(&b->reader, b->arena, &out->text) == OK ? OK : no_memory(b->err);
    case JSON_TOK_NUMBER:
        out->type = JSON_NUMBER;
        out->text = b->reader.text;
        return OK;
    case JSON_TOK_TRUE:
    case JSON_TOK_FALSE:
        out->type = JSON_BOOL;
        out->boolean = b->reader.token == JSON_TOK_TRUE;
        return OK;
    case JSON_TOK_NULL:
        out->type = JSON_NULL;
        return OK;
    case JSON_TOK_END:
    case JSON_TOK_OBJECT_END:
    case JSON_TOK_ARRAY_END:
    case JSON_TOK_KEY:
        break;
    }
    bug(__FILE__, __LINE__, "the reader gives a value here");
}

static enum code parse(struct builder *b, struct json *out)
{
    enum code rc = json_next(&b->reader, b->err);

    *out = (struct json){.type = JSON_NULL};
    if (rc == OK)
        rc = build(b, out);
    if (rc == OK)
        rc = json_next(&b->reader, b->err);
    mem_free(b->stack);
    return rc;
}

enum code json_parse(struct arena *a, struct slice input, struct json *out, struct error *err)
{
    struct builder b = {.arena = a, .err = err};

    json_reader_init(&b.reader, input);
    return parse(&b, out);
}

enum code json_parse_prefix(struct arena *a, struct slice input, struct json *out, size_t *used, struct error *err)
{
    struct builder b = {.arena = a, .err = err};
    enum code rc;

    json_reader_init_prefix(&b.reader, input);
    rc = parse(&b, out);
    *used = (size_t)(b.reader.at - b.reader.start);
    return rc;
}

const struct json *json_get(const struct json *j, struct slice key)
{
    if (j->type != JSON_OBJECT)
        return NULL;
    for (size_t i = j->object.n; i > 0; i--) {
        if (slice_eq(j->object.members[i - 1].key, key))
            return &j->object.members[i - 1].value;
    }
    return NULL;
}

bool json_as_i64(const struct json *j, int64_t *out)
{
    return j->type == JSON_NUMBER && number_to_i64(j->text, out);
}

bool json_as_f64(const struct json *j, double *out)
{
    return j->type == JSON_NUMBER && slice_to_f64(j->text, out);
}

static bool equal_objects(const struct json *a, const struct json *b)
{
    if (a->object.n != b->object.n)
        return false;
    for (size_t i = 0; i < a->object.n; i++) {
        const struct json *other = json_get(b, a->object.members[i].key);
        const struct json *mine = json_get(a, a->object.members[i].key);

        if (other == NULL || !json_equal(mine, other))
            return false;
    }
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    double x, y;

    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        return a->boolean == b->boolean;
    case JSON_NUMBER:
        return slice_eq(a->text, b->text) || (json_as_f64(a, &x) && json_as_f64(b, &y) && x == y);
    case JSON_STRING:
        return slice_eq(a->text, b->text);
    case JSON_ARRAY:
        if (a->array.n != b->array.n)
            return false;
        for (size_t i = 0; i < a->array.n; i++) {
            if (!json_equal(&a->array.items[i], &b->array.items[i]))
                return false;
        }
        return true;
    case JSON_OBJECT:
        return equal_objects(a, b);
    }
    return false;
}
