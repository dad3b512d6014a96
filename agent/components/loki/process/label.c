/* The stages that set labels and structured metadata: labels, static_labels, structured_metadata(_drop), label_drop,
 * label_keep, tenant. */
#include "agent/base/mem.h"
#include "agent/components/loki/process/process.h"

/* A list of names with what they are filled from; for all stages of this file. */
struct label_stage {
    struct label *pairs; /* owned, with owned texts: name, source */
    size_t n;
    struct regex *regex; /* owned; structured_metadata */
};

static void release(void *self)
{
    struct label_stage *s = self;

    for (size_t i = 0; i < s->n; i++) {
        mem_free_slice(s->pairs[i].name);
        mem_free_slice(s->pairs[i].value);
    }
    mem_free(s->pairs);
    regex_free(s->regex);
    mem_free(s);
}

/* name = "" is filled from what is extracted under the same name. */
static struct label_stage *from_map(const struct river_map *values, bool fill_empty)
{
    struct label_stage *s = mem_zalloc(sizeof *s);

    s->pairs = mem_array(values->n, sizeof *s->pairs);
    for (size_t i = 0; i < values->n; i++) {
        struct slice value = values->items[i].value;

        s->pairs[s->n++] = (struct label){mem_slice(values->items[i].name),
                                          mem_slice(value.len == 0 && fill_empty ? values->items[i].name : value)};
    }
    return s;
}

static struct label_stage *from_names(const struct river_strings *names)
{
    struct label_stage *s = mem_zalloc(sizeof *s);

    s->pairs = mem_array(names->n, sizeof *s->pairs);
    for (size_t i = 0; i < names->n; i++)
        s->pairs[s->n++] = (struct label){mem_slice(names->items[i]), mem_slice((struct slice){0})};
    return s;
}

static enum code check_names(const struct river_map *values, struct error *err)
{
    for (size_t i = 0; i < values->n; i++)
        if (!label_name_is_legacy(values->items[i].name))
            return error_set(err, INVALID, "\"%.*s\" is not a label name", SLICE_ARG(values->items[i].name));
    return OK;
}

static enum verdict labels_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct label_stage *s = self;
    struct slice value;

    (void)p;
    for (size_t i = 0; i < s->n; i++)
        if (entry_get(e, s->pairs[i].value, &value) && value.len != 0 &&
            entry_set_label(e, s->pairs[i].name, value) != OK)
            return FAIL;
    return NEXT;
}

enum code stage_labels_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct map_args *a = args;
    enum code rc = check_names(&a->values, err);

    if (rc == OK)
        (void)pipeline_add(p, labels_run, release, from_map(&a->values, true));
    return rc;
}

static enum verdict static_labels_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct label_stage *s = self;

    (void)p;
    for (size_t i = 0; i < s->n; i++)
        if (entry_set_label(e, s->pairs[i].name, s->pairs[i].value) != OK)
            return FAIL;
    return NEXT;
}

enum code stage_static_labels_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct map_args *a = args;
    enum code rc = check_names(&a->values, err);

    if (rc == OK)
        (void)pipeline_add(p, static_labels_run, release, from_map(&a->values, false));
    return rc;
}

/* Copied: a batch may outlive this stage and the labels. */
static enum code add_meta(struct entry *e, struct slice name, struct slice value)
{
    struct label pair = {arena_copy(e->arena, name), arena_copy(e->arena, value)};

    return pair.name.ptr == NULL || pair.value.ptr == NULL ? NOMEM : entry_add_meta(e, pair.name, pair.value);
}

/* Moves label `from` into the metadata as `name`. */
static enum code move_label(struct entry *e, struct slice name, struct slice from, struct slice value)
{
    enum code rc = add_meta(e, name, value);

    return rc == OK ? entry_set_label(e, from, (struct slice){0}) : rc;
}

static enum code move_matching(struct entry *e, const struct regex *regex)
{
    struct labels_builder all;

    if (e->is_changed)
        all = e->labels;
    else
        labels_builder_init(&all, e->arena, e->start);
    for (size_t i = all.n; i-- > 0;) {
        struct slice name = all.pairs[i].name, value = all.pairs[i].value;

        if (!regex_is_match(regex, name))
            continue;
        name = arena_copy(e->arena, name);
        if (name.ptr == NULL || move_label(e, name, name, value) != OK)
            return NOMEM;
        if (e->is_changed)
            all = e->labels;
        if (i > all.n)
            i = all.n;
    }
    return OK;
}

static enum verdict metadata_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct label_stage *s = self;

    (void)p;
    for (size_t i = 0; i < s->n; i++) {
        struct slice source = s->pairs[i].value, value = entry_label(e, source);
        enum code rc = OK;

        if (value.len != 0)
            rc = move_label(e, s->pairs[i].name, source, value);
        else if (entry_get(e, source, &value) && value.len != 0)
            rc = add_meta(e, s->pairs[i].name, value);
        if (rc != OK)
            return FAIL;
    }
    return s->regex == NULL || move_matching(e, s->regex) == OK ? NEXT : FAIL;
}

enum code stage_structured_metadata_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct metadata_args *a = args;
    struct label_stage *s = from_map(&a->values, true);
    enum code rc = check_names(&a->values, err);

    if (rc == OK && a->regex.len != 0)
        rc = regex_compile(&s->regex, a->regex, REGEX_PLAIN, err);
    if (rc != OK) {
        release(s);
        return rc;
    }
    (void)pipeline_add(p, metadata_run, release, s);
    return OK;
}

static bool has_name(const struct label_stage *s, struct slice name)
{
    for (size_t i = 0; i < s->n; i++)
        if (slice_eq(s->pairs[i].name, name))
            return true;
    return false;
}

static enum verdict metadata_drop_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct label_stage *s = self;
    struct label *kept = arena_try_array(e->arena, e->n_meta, sizeof *kept);
    size_t n = 0;

    (void)p;
    if (kept == NULL && e->n_meta != 0)
        return FAIL;
    for (size_t i = 0; i < e->n_meta; i++)
        if (!has_name(s, e->meta[i].name))
            kept[n++] = e->meta[i];
    e->meta = kept;
    e->cap_meta = e->n_meta;
    e->n_meta = n;
    return NEXT;
}

enum code stage_structured_metadata_drop_build(struct pipeline *p, const void *args, struct error *err)
{
    (void)err;
    (void)pipeline_add(p, metadata_drop_run, release, from_names(&((const struct names_args *)args)->values));
    return OK;
}

static enum verdict label_drop_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct label_stage *s = self;

    (void)p;
    for (size_t i = 0; i < s->n; i++)
        if (entry_label(e, s->pairs[i].name).len != 0 && entry_set_label(e, s->pairs[i].name, (struct slice){0}) != OK)
            return FAIL;
    return NEXT;
}

enum code stage_label_drop_build(struct pipeline *p, const void *args, struct error *err)
{
    (void)err;
    (void)pipeline_add(p, label_drop_run, release, from_names(&((const struct names_args *)args)->values));
    return OK;
}

static enum verdict label_keep_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct label_stage *s = self;

    (void)p;
    if (!e->is_changed) {
        labels_builder_init(&e->labels, e->arena, e->start);
        e->is_changed = true;
    }
    for (size_t i = e->labels.n; i-- > 0;)
        if (!has_name(s, e->labels.pairs[i].name))
            labels_builder_del(&e->labels, e->labels.pairs[i].name);
    return NEXT;
}

enum code stage_label_keep_build(struct pipeline *p, const void *args, struct error *err)
{
    (void)err;
    (void)pipeline_add(p, label_keep_run, release, from_names(&((const struct names_args *)args)->values));
    return OK;
}

/* --- tenant ---------------------------------------------------------------------------------------------------------
 */

struct tenant_stage {
    struct slice label, source, value; /* owned; one of them is set */
};

static enum verdict tenant_run(void *self, struct entry *e, struct pipeline *p)
{
    const struct tenant_stage *s = self;
    struct slice tenant = s->value;

    (void)p;
    if (s->label.len != 0)
        tenant = entry_label(e, s->label);
    else if (s->source.len != 0 && !entry_get(e, s->source, &tenant))
        return NEXT;
    if (tenant.len == 0)
        return NEXT;
    return entry_set_label(e, SLICE_LIT("__tenant_id__"), tenant) == OK ? NEXT : FAIL;
}

static void tenant_release(void *self)
{
    struct tenant_stage *s = self;

    mem_free_slice(s->label);
    mem_free_slice(s->source);
    mem_free_slice(s->value);
    mem_free(s);
}

enum code stage_tenant_build(struct pipeline *p, const void *args, struct error *err)
{
    const struct tenant_args *a = args;
    struct tenant_stage *s;

    if ((a->label.len != 0) + (a->source.len != 0) + (a->value.len != 0) != 1)
        return error_set(err, INVALID, "exactly one of label, source and value must be given");
    s = mem_zalloc(sizeof *s);
    s->label = mem_slice(a->label);
    s->source = mem_slice(a->source);
    s->value = mem_slice(a->value);
    (void)pipeline_add(p, tenant_run, tenant_release, s);
    return OK;
}
