#include "agent/text/yaml.h"
#include "agent/base/limits.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "agent/text/base64.h"
#include "agent/text/yaml_int.h"
#include <stdlib.h>
#include <yaml.h>

/* The children of the levels still open lie on one stack; a level that closes moves its own to the arena. Aliases share
 * what they stand for, so the tree stays as small as the text; nodes and depth count it in full, for those who walk it.
 */
struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    enum yaml_scalars scalars;
    struct json_member *stack; /* owned */
    size_t n, cap;
    struct map anchors; /* name -> struct anchor */
    size_t nodes;
    unsigned depth;
    struct error *err;
};

struct anchor {
    struct json value;
    size_t nodes;
    unsigned height;
    bool is_string; /* usable as a key */
    bool is_open;   /* what it names is being read */
};

/* One node of the text and what a parent must know of it. */
struct node {
    struct json json;
    yaml_mark_t mark;
    unsigned height;  /* levels inside */
    struct slice raw; /* of a scalar as written, of an alias its name */
    bool is_scalar, is_alias;
    bool is_string; /* by its type, so usable as a key */
    bool is_merge;  /* << */
};

static enum code fail(struct reader *y, enum code code, yaml_mark_t mark, const char *what)
{
    return error_set(y->err, code, "yaml: line %zu, column %zu: %s", mark.line + 1, mark.column + 1, what);
}

static enum code no_memory(struct reader *y)
{
    return error_set(y->err, NOMEM, "yaml: no memory left for the tree");
}

/* --- events --- */

static enum code next_event(struct reader *y, yaml_event_t *event)
{
    const yaml_parser_t *p = &y->parser;

    if (yaml_parser_parse(&y->parser, event) != 0)
        return OK;
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(y);
    if (p->error == YAML_READER_ERROR)
        return error_set(y->err, INVALID, "yaml: byte %zu: %s", p->problem_offset, p->problem);
    if (p->context != NULL)
        return error_set(y->err, INVALID, "yaml: line %zu, column %zu: %s %s", p->problem_mark.line + 1,
                         p->problem_mark.column + 1, p->context, p->problem);
    return fail(y, INVALID, p->problem_mark, p->problem != NULL ? p->problem : "not YAML");
}

static enum code push(struct reader *y, const struct json_member *m)
{
    if (y->n == y->cap) {
        size_t cap = y->cap != 0 ? y->cap * 2 : 16;
        struct json_member *grown = mem_try_realloc(y->stack, cap * sizeof *grown);

        if (grown == NULL)
            return no_memory(y);
        y->stack = grown;
        y->cap = cap;
    }
    y->stack[y->n++] = *m;
    return OK;
}

static enum code count(struct reader *y, yaml_mark_t mark, size_t nodes, unsigned height)
{
    char text[96];

    y->nodes += nodes;
    if (y->nodes > LIMIT_YAML_NODES)
        snprintf(text, sizeof text, "more than %d values, counting what aliases stand for", LIMIT_YAML_NODES);
    else if (y->depth + height > LIMIT_YAML_DEPTH)
        snprintf(text, sizeof text, "nested deeper than %d levels", LIMIT_YAML_DEPTH);
    else
        return OK;
    return fail(y, FULL, mark, text);
}

/* --- scalars --- */

static const char *short_tag(const yaml_char_t *tag)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *s = (const char *)tag;

    if (s == NULL || strcmp(s, "!") == 0)
        return "";
    return strncmp(s, prefix, sizeof prefix - 1) == 0 ? s + sizeof prefix - 1 : s;
}

/* The kind an explicit tag asks for; false for tags that leave the text as it is. */
static bool tagged_kind(const char *tag, enum yaml_kind *kind)
{
    static const struct {
        const char *tag;
        enum yaml_kind kind;
    } kinds[] = {{"null", YAML_KIND_NULL},
                 {"bool", YAML_KIND_BOOL},
                 {"int", YAML_KIND_INT},
                 {"float", YAML_KIND_FLOAT},
                 {"timestamp", YAML_KIND_TIME}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(tag, kinds[i].tag) == 0) {
            *kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static enum code read_tagged(struct reader *y, enum yaml_kind want, struct node *out)
{
    enum yaml_kind kind;
    double v = 0;
    enum code rc = yaml_resolve(y->arena, out->raw, &out->json, &kind);

    if (rc == OK && kind == YAML_KIND_INT && want == YAML_KIND_FLOAT && json_as_f64(&out->json, &v)) {
        kind = YAML_KIND_FLOAT;
        rc = yaml_float(y->arena, v, &out->json);
    }
    if (rc != OK)
        return no_memory(y);
    if (kind != want)
        return fail(y, INVALID, out->mark, "the text is not of the type its tag names");
    return OK;
}

static enum code read_binary(struct reader *y, struct node *out)
{
    enum code rc;

    out->json.type = JSON_STRING;
    rc = base64_decode_as_go(y->arena, out->raw, BASE64_STANDARD, &out->json.text, NULL);
    if (rc == INVALID)
        return fail(y, INVALID, out->mark, "!!binary holds no base64");
    return rc == OK ? OK : no_memory(y);
}

static enum code resolve_scalar(struct reader *y, const char *tag, bool is_plain, struct node *out)
{
    enum yaml_kind kind;

    if (strcmp(tag, "binary") == 0)
        return read_binary(y, out);
    if (tagged_kind(tag, &kind))
        return read_tagged(y, kind, out);
    if (is_plain && *tag == '\0' && !out->is_merge) {
        if (yaml_resolve(y->arena, out->raw, &out->json, &kind) != OK)
            return no_memory(y);
        out->is_string = kind == YAML_KIND_STRING;
        return OK;
    }
    out->json = (struct json){.type = JSON_STRING};
    out->json.text = out->raw;
    out->is_string = *tag == '\0' || strcmp(tag, "str") == 0;
    return OK;
}

static enum code read_scalar(struct reader *y, const yaml_event_t *event, struct node *out)
{
    bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *tag = short_tag(event->data.scalar.tag);
    struct slice text = slice_make(event->data.scalar.value, event->data.scalar.length);
    enum code rc;

    out->raw = arena_copy(y->arena, text);
    if (out->raw.ptr == NULL && text.len != 0)
        return no_memory(y);
    out->is_scalar = true;
    out->is_merge = slice_eq_str(text, "<<") && ((is_plain && *tag == '\0') || strcmp(tag, "merge") == 0);
    rc = resolve_scalar(y, tag, is_plain, out);
    if (rc == OK && y->scalars == YAML_STRINGS && out->json.type != JSON_NULL) {
        if (out->json.type != JSON_STRING || strcmp(tag, "binary") != 0)
            out->json.text = out->raw;
        out->json.type = JSON_STRING;
    }
    return rc;
}

/* --- anchors --- */

static enum code open_anchor(struct reader *y, const yaml_char_t *name, struct anchor **out)
{
    struct anchor *anchor;

    *out = NULL;
    if (name == NULL)
        return OK;
    anchor = arena_try_array(y->arena, 1, sizeof *anchor);
    if (anchor == NULL || map_put(&y->anchors, slice_str((const char *)name), anchor, NULL) != OK)
        return no_memory(y);
    anchor->is_open = true;
    *out = anchor;
    return OK;
}

static enum code read_alias(struct reader *y, const yaml_event_t *event, struct node *out)
{
    struct slice name = slice_str((const char *)event->data.alias.anchor);
    const struct anchor *anchor = map_get(&y->anchors, name);

    if (anchor == NULL)
        return fail(y, INVALID, out->mark, "an alias of an anchor that was not defined");
    if (anchor->is_open)
        return fail(y, INVALID, out->mark, "an alias inside what its anchor names");
    out->raw = arena_copy(y->arena, name);
    if (out->raw.ptr == NULL)
        return no_memory(y);
    out->is_alias = true;
    out->is_string = anchor->is_string;
    out->json = anchor->value;
    out->height = anchor->height;
    return count(y, out->mark, anchor->nodes, anchor->height);
}

/* --- collections --- */

static enum code read_node(struct reader *y, const yaml_event_t *event, struct node *out);

/* *is_end: the event that was read ends the collection. */
static enum code read_child(struct reader *y, yaml_event_type_t end, struct node *out, bool *is_end)
{
    yaml_event_t event;
    enum code rc = next_event(y, &event);

    if (rc != OK)
        return rc;
    *is_end = event.type == end;
    if (!*is_end)
        rc = read_node(y, &event, out);
    yaml_event_delete(&event);
    return rc;
}

static void grow_height(struct node *out, const struct node *child)
{
    if (child->height + 1 > out->height)
        out->height = child->height + 1;
}

static enum code read_sequence(struct reader *y, struct node *out)
{
    size_t from = y->n, n;
    bool is_end = false;
    enum code rc = OK;

    while (rc == OK && !is_end) {
        struct node child = {0};
        struct json_member m = {0};

        rc = read_child(y, YAML_SEQUENCE_END_EVENT, &child, &is_end);
        if (rc != OK || is_end)
            continue;
        grow_height(out, &child);
        m.value = child.json;
        rc = push(y, &m);
    }
    if (rc != OK)
        return rc;
    n = y->n - from;
    out->json = (struct json){.type = JSON_ARRAY};
    out->json.array.items = arena_try_array(y->arena, n, sizeof(struct json));
    if (out->json.array.items == NULL && n != 0)
        return no_memory(y);
    out->json.array.n = n;
    for (size_t i = 0; i < n; i++)
        out->json.array.items[i] = y->stack[from + i].value;
    y->n = from;
    return OK;
}

/* The keys of a mapping while it is read. */
struct mapping {
    struct map written; /* keys as written, for those given twice */
    size_t from;        /* the first member on the stack */
    struct node merge;  /* the value of <<; its mark stands for "there is one" */
    bool has_merge;
};

/* yaml.v3 compares keys as they are written, by their kind: "1" and 1 are the same key, *a and a are not. */
static enum code check_key(struct reader *y, struct mapping *m, const struct node *key)
{
    static char seen;
    char prefix = key->is_alias ? '*' : ' ';
    struct buf text;
    void *previous;
    enum code rc;

    if (!key->is_scalar && !key->is_alias)
        return fail(y, INVALID, key->mark, "a list or a mapping cannot be a key");
    if (key->json.type != JSON_STRING && key->is_alias && y->scalars == YAML_STRINGS)
        return fail(y, INVALID, key->mark, "the alias stands for nothing that can be a key");
    if (!key->is_string && !key->is_merge && y->scalars == YAML_TYPED)
        return fail(y, INVALID, key->mark, "a key that is no string: write it in quotes");
    buf_init(&text, LIMIT_YAML_BYTES + 1);
    (void)buf_add_char(&text, prefix);
    (void)buf_add(&text, key->raw);
    rc = text.is_full ? NOMEM : map_put(&m->written, buf_slice(&text), &seen, &previous);
    buf_release(&text);
    if (rc != OK)
        return no_memory(y);
    return previous == NULL ? OK : fail(y, INVALID, key->mark, "this key was given before in the same mapping");
}

static enum code read_pair(struct reader *y, struct mapping *m, struct node *out, bool *is_end)
{
    struct node key = {0}, value = {0};
    struct json_member member;
    bool is_value_end;
    enum code rc = read_child(y, YAML_MAPPING_END_EVENT, &key, is_end);

    if (rc != OK || *is_end)
        return rc;
    rc = check_key(y, m, &key);
    if (rc == OK)
        rc = read_child(y, YAML_MAPPING_END_EVENT, &value, &is_value_end);
    if (rc != OK)
        return rc;
    grow_height(out, &value);
    if (key.is_merge) {
        m->merge = value;
        m->has_merge = true;
        return OK;
    }
    member.key = key.json.type == JSON_STRING ? key.json.text : key.raw;
    member.value = value.json;
    return push(y, &member);
}

static enum code merge_object(struct reader *y, struct map *names, const struct json *object)
{
    static char seen;
    enum code rc = OK;

    for (size_t i = 0; i < object->object.n && rc == OK; i++) {
        const struct json_member *member = &object->object.members[i];

        if (map_get(names, member->key) != NULL)
            continue;
        if (map_put(names, member->key, &seen, NULL) != OK)
            return no_memory(y);
        rc = push(y, member);
    }
    return rc;
}

/* What a mapping says itself goes before what it merges, and the first of several before the next. */
static enum code merge(struct reader *y, const struct mapping *m)
{
    const struct json *from = &m->merge.json;
    bool is_list = from->type == JSON_ARRAY && !m->merge.is_alias;
    size_t n = is_list ? from->array.n : 1;
    static char seen;
    struct map names;
    enum code rc = OK;

    map_init(&names, 0);
    for (size_t i = m->from; i < y->n && rc == OK; i++)
        rc = map_put(&names, y->stack[i].key, &seen, NULL) == OK ? OK : no_memory(y);
    for (size_t i = 0; i < n && rc == OK; i++) {
        const struct json *object = is_list ? &from->array.items[i] : from;

        if (object->type != JSON_OBJECT)
            rc = fail(y, INVALID, m->merge.mark, "<< takes a mapping or a list of mappings");
        else
            rc = merge_object(y, &names, object);
    }
    map_release(&names, NULL);
    return rc;
}

static enum code read_mapping(struct reader *y, struct node *out)
{
    struct mapping m = {.from = y->n};
    bool is_end = false;
    enum code rc = OK;
    size_t n;

    map_init(&m.written, 0);
    while (rc == OK && !is_end)
        rc = read_pair(y, &m, out, &is_end);
    map_release(&m.written, NULL);
    if (rc == OK && m.has_merge)
        rc = merge(y, &m);
    if (rc != OK)
        return rc;
    n = y->n - m.from;
    out->json = (struct json){.type = JSON_OBJECT};
    out->json.object.members = arena_try_array(y->arena, n, sizeof(struct json_member));
    if (out->json.object.members == NULL && n != 0)
        return no_memory(y);
    out->json.object.n = n;
    if (n != 0)
        memcpy(out->json.object.members, y->stack + m.from, n * sizeof(struct json_member));
    y->n = m.from;
    return OK;
}

/* --- nodes --- */

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        return event->data.scalar.anchor;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return event->data.sequence_start.anchor;
    return event->data.mapping_start.anchor;
}

static enum code read_node(struct reader *y, const yaml_event_t *event, struct node *out)
{
    struct anchor *anchor;
    size_t nodes = y->nodes;
    enum code rc;

    *out = (struct node){.mark = event->start_mark};
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(y, event, out);
    y->depth++;
    rc = count(y, out->mark, 1, 0);
    if (rc == OK)
        rc = open_anchor(y, anchor_of(event), &anchor);
    if (rc != OK)
        return rc;
    if (event->type == YAML_SCALAR_EVENT)
        rc = read_scalar(y, event, out);
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        rc = read_sequence(y, out);
    else
        rc = read_mapping(y, out);
    y->depth--;
    if (rc == OK && anchor != NULL) {
        anchor->value = out->json;
        anchor->nodes = y->nodes - nodes;
        anchor->height = out->height;
        anchor->is_string = out->is_string;
        anchor->is_open = false;
    }
    return rc;
}

/* Up to the first node of the first document, whose end must follow it. */
static enum code read_document(struct reader *y, struct json *out)
{
    yaml_event_t event;
    yaml_event_type_t type;
    struct node root = {0};
    bool is_end;
    enum code rc;

    do {
        rc = next_event(y, &event);
        if (rc != OK)
            return rc;
        type = event.type;
        yaml_event_delete(&event);
    } while (type == YAML_STREAM_START_EVENT);
    if (type == YAML_STREAM_END_EVENT) {
        *out = (struct json){.type = JSON_NULL};
        return OK;
    }
    rc = read_child(y, YAML_DOCUMENT_END_EVENT, &root, &is_end);
    if (rc == OK)
        *out = root.json;
    if (rc == OK)
        rc = next_event(y, &event);
    if (rc == OK)
        yaml_event_delete(&event);
    return rc;
}

enum code yaml_parse(struct arena *a, struct slice input, enum yaml_scalars scalars, struct json *out,
                     struct error *err)
{
    struct reader y = {.arena = a, .scalars = scalars, .err = err};
    enum code rc;

    if (input.len > LIMIT_YAML_BYTES)
        return error_set(err, FULL, "yaml: %zu bytes are more than the limit of %u", input.len, LIMIT_YAML_BYTES);
    if (yaml_parser_initialize(&y.parser) == 0)
        return error_set(err, NOMEM, "yaml: no memory");
    map_init(&y.anchors, 0);
    yaml_parser_set_input_string(&y.parser, (const unsigned char *)(input.ptr != NULL ? input.ptr : ""), input.len);
    rc = read_document(&y, out);
    yaml_parser_delete(&y.parser);
    map_release(&y.anchors, NULL);
    mem_free(y.stack);
    return rc;
}
