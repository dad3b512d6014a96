#include "agent/runtime/target_groups.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/text/utf8.h"
#include "agent/text/yaml.h"

enum { TREE_FACTOR = 16 }; /* a tree's bytes per byte of text, at most */

void targets_init(struct targets *t, size_t max_bytes)
{
    *t = (struct targets){0};
    arena_init(&t->arena, max_bytes);
}

void targets_release(struct targets *t)
{
    arena_release(&t->arena);
    mem_free(t->items);
    *t = (struct targets){0};
}

enum code targets_add(struct targets *t, const struct slice *names, const struct slice *texts, size_t n,
                      struct error *err)
{
    struct slice *copies = arena_try_array(&t->arena, 2 * n + 1, sizeof *copies);

    if (t->n == LIMIT_TARGETS)
        return error_set(err, FULL, "there are more than %d targets", LIMIT_TARGETS);
    for (size_t i = 0; copies != NULL && i < n; i++) {
        copies[i] = arena_copy(&t->arena, names[i]);
        copies[n + i] = arena_copy(&t->arena, texts[i]);
        if ((copies[i].ptr == NULL && names[i].len != 0) || (copies[n + i].ptr == NULL && texts[i].len != 0))
            copies = NULL;
    }
    if (t->n == t->cap) {
        t->cap = t->cap != 0 ? t->cap * 2 : 64;
        t->items = mem_realloc(t->items, t->cap * sizeof *t->items);
    }
    if (copies == NULL || value_object_of_strings(&t->arena, copies, copies + n, n, &t->items[t->n]) != OK)
        return error_set(err, NOMEM, "no memory for the targets");
    t->n++;
    return OK;
}

/* One group as it stands in the text. */
struct group {
    const struct json *targets, *labels; /* NULL: absent */
    struct slice *names, *texts;         /* of a target; [0] is for the address, the last for the label that is added */
    size_t n;
};

static enum code take_labels(struct arena *arena, struct group *g, struct target_label more, struct error *err)
{
    size_t n = g->labels != NULL ? g->labels->object.n : 0;

    g->names = arena_try_array(arena, n + 2, sizeof *g->names);
    g->texts = arena_try_array(arena, n + 2, sizeof *g->texts);
    if (g->names == NULL || g->texts == NULL)
        return error_set(err, NOMEM, "no memory for the labels");
    g->names[0] = SLICE_LIT("__address__");
    g->n = 1;
    for (size_t i = 0; i < n; i++) {
        const struct json_member *m = &g->labels->object.members[i];

        if (m->key.len == 0 || !utf8_is_valid(m->key))
            return error_set(err, INVALID, "a label has the name \"%.*s\"", SLICE_ARG(m->key));
        if (m->value.type != JSON_STRING && m->value.type != JSON_NULL)
            return error_set(err, INVALID, "the label \"%.*s\" is not a string", SLICE_ARG(m->key));
        if (slice_eq_str(m->key, "__address__"))
            continue; /* the target's own wins */
        g->names[g->n] = m->key;
        g->texts[g->n++] = m->value.type == JSON_STRING ? m->value.text : (struct slice){0};
    }
    if (more.name.len != 0) {
        g->names[g->n] = more.name;
        g->texts[g->n++] = more.value;
    }
    return OK;
}

static enum code read_members(const struct json *j, struct group *g, struct error *err)
{
    if (j->type != JSON_OBJECT)
        return error_set(err, INVALID, "it is not an object with \"targets\" and \"labels\"");
    for (size_t i = 0; i < j->object.n; i++) {
        const struct json_member *m = &j->object.members[i];

        if (slice_eq_str(m->key, "targets"))
            g->targets = m->value.type != JSON_NULL ? &m->value : NULL;
        else if (slice_eq_str(m->key, "labels"))
            g->labels = m->value.type != JSON_NULL ? &m->value : NULL;
        else
            return error_set(err, INVALID, "it has \"%.*s\", which is neither \"targets\" nor \"labels\"",
                             SLICE_ARG(m->key));
    }
    if (g->targets != NULL && g->targets->type != JSON_ARRAY)
        return error_set(err, INVALID, "\"targets\" is not a list");
    if (g->labels != NULL && g->labels->type != JSON_OBJECT)
        return error_set(err, INVALID, "\"labels\" is not an object");
    return OK;
}

static enum code read_group(struct targets *out, struct arena *arena, const struct json *j, struct target_label more,
                            struct error *err)
{
    struct group g = {0};
    enum code rc = read_members(j, &g, err);

    if (rc == OK)
        rc = take_labels(arena, &g, more, err);
    for (size_t i = 0; rc == OK && g.targets != NULL && i < g.targets->array.n; i++) {
        const struct json *target = &g.targets->array.items[i];

        if (target->type != JSON_STRING)
            return error_set(err, INVALID, "its target %zu is not a string", i + 1);
        g.texts[0] = target->text;
        rc = targets_add(out, g.names, g.texts, g.n, err);
    }
    return rc;
}

enum code target_groups_read(struct targets *out, enum target_groups_form form, struct slice text,
                             struct target_label more, struct error *err)
{
    struct arena arena;
    struct json j;
    enum code rc;

    arena_init(&arena, (size_t)TREE_FACTOR * LIMIT_TARGET_GROUPS_BYTES);
    if (form == TARGET_GROUPS_JSON)
        rc = json_parse(&arena, text, &j, err);
    else
        rc = yaml_parse(&arena, text, YAML_STRINGS, &j, err);
    if (rc == OK && j.type != JSON_ARRAY && j.type != JSON_NULL)
        rc = error_set(err, INVALID, "it is not a list of target groups");
    for (size_t i = 0; rc == OK && j.type == JSON_ARRAY && i < j.array.n; i++) {
        rc = read_group(out, &arena, &j.array.items[i], more, err);
        if (rc == INVALID)
            error_prefix(err, "target group %zu", i + 1);
    }
    arena_release(&arena);
    return rc;
}
