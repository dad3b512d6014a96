#include "agent/base/limits.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "agent/components/discovery/process/process.h"

#define LABEL_CONTAINER_ID "__container_id__"

static struct slice after_prefix(struct slice id)
{
    static const char *const prefixes[] = {"docker://", "containerd://", "cri-o://"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (slice_starts(id, slice_str(prefixes[i])))
            return slice_from(id, strlen(prefixes[i]));
    return (struct slice){0};
}

static struct slice get(const struct river_map *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (slice_eq_str(t->items[i].name, name))
            return t->items[i].value;
    return (struct slice){0};
}

static struct slice container_of(const struct river_map *t)
{
    struct slice id = get(t, LABEL_CONTAINER_ID);

    if (id.len == 0 && get(t, "__meta_kubernetes_pod_container_id").len != 0)
        return after_prefix(get(t, "__meta_kubernetes_pod_container_id"));
    return id.len != 0 ? id : get(t, "__meta_docker_container_id");
}

/* The labels of a process, then those of its container, which win. */
static enum code add_merged(struct targets *out, const struct value *process, const struct river_map *container,
                            struct error *err)
{
    size_t n = process->as.object.n + container->n, at = 0;
    struct slice *names = mem_array(2 * n + 1, sizeof *names), *texts = names + n;
    enum code rc;

    for (size_t i = 0; i < process->as.object.n; i++, at++) {
        names[at] = process->as.object.fields[i].name;
        texts[at] = process->as.object.fields[i].value.as.text.bytes;
    }
    for (size_t i = 0; i < container->n; i++, at++) {
        names[at] = container->items[i].name;
        texts[at] = container->items[i].value;
    }
    rc = targets_add(out, names, texts, n, err);
    mem_free(names);
    return rc;
}

enum code processes_join(struct targets *out, const struct targets *processes, const struct river_targets *containers,
                         struct error *err)
{
    static const struct value nobody = {.type = VALUE_OBJECT};
    static const struct river_map nothing;
    struct map by_id;
    enum code rc = OK;

    map_init(&by_id, LIMIT_TARGETS);
    for (size_t i = 0; i < containers->n && rc == OK; i++) {
        struct slice id = container_of(&containers->items[i]);

        if (id.len != 0)
            rc = map_put(&by_id, id, &containers->items[i], NULL);
        else
            rc = add_merged(out, &nobody, &containers->items[i], err);
    }
    for (size_t i = 0; i < processes->n && rc == OK; i++) {
        const struct value *id = value_get_str(&processes->items[i], LABEL_CONTAINER_ID);
        const struct river_map *container = id != NULL ? map_get(&by_id, id->as.text.bytes) : NULL;

        rc = add_merged(out, &processes->items[i], container != NULL ? container : &nothing, err);
    }
    for (struct map_entry *e = map_next(&by_id, NULL); e != NULL && rc == OK; e = map_next(&by_id, e))
        rc = add_merged(out, &nobody, e->value, err);
    map_release(&by_id, NULL);
    return rc;
}
