/* discovery.relabel: rewrites, keeps and drops targets. Runs when its arguments change; holds nothing. */
#include "agent/base/mem.h"
#include "agent/runtime/component.h"
#include "agent/runtime/relabel_args.h"
#include <stddef.h>

struct args {
    struct river_targets targets;
    struct river_blocks rules; /* struct relabel_rule_args */
};

struct component {
    struct host *host;
    struct relabel_rules *rules; /* owned reference; exported as a capsule */
};

/* One target through the rules onto arena; *keep false: a rule dropped it. */
static enum code relabel_target(const struct relabel_rules *rules, const struct river_map *target, struct arena *arena,
                                bool *keep, struct value *out)
{
    struct labels_builder b;
    struct slice *names, *texts;
    enum code rc = OK;

    labels_builder_init(&b, arena, NULL);
    for (size_t i = 0; i < target->n && rc == OK; i++)
        if (target->items[i].value.len != 0)
            rc = labels_builder_set(&b, target->items[i].name, target->items[i].value);
    if (rc == OK)
        rc = relabel_apply(rules, &b, keep);
    if (rc != OK || !*keep)
        return rc;
    names = arena_try_array(arena, b.n, sizeof *names);
    texts = arena_try_array(arena, b.n, sizeof *texts);
    if ((names == NULL || texts == NULL) && b.n != 0)
        return NOMEM;
    for (size_t i = 0; i < b.n; i++) {
        names[i] = b.pairs[i].name;
        texts[i] = b.pairs[i].value;
    }
    return value_object_of_strings(arena, names, texts, b.n, out);
}

static enum code evaluate(struct component *c, const struct args *a, struct error *err)
{
    struct relabel_rules *rules;
    struct value *kept;
    struct arena arena;
    size_t n = 0;
    enum code rc = relabel_rules_of(&a->rules, &rules, err);

    if (rc != OK)
        return rc;
    arena_init(&arena, 0);
    kept = arena_try_array(&arena, a->targets.n, sizeof *kept);
    if (kept == NULL && a->targets.n != 0)
        rc = error_set(err, NOMEM, "out of memory for %zu targets", a->targets.n);
    for (size_t i = 0; i < a->targets.n && rc == OK; i++) {
        bool keep = true;

        rc = relabel_target(rules, &a->targets.items[i], &arena, &keep, &kept[n]);
        if (rc == OK && keep)
            n++;
        if (rc != OK)
            (void)error_set(err, rc, "out of memory while relabelling target %zu", i);
    }
    if (rc == OK) {
        struct relabel_rules *old = c->rules;

        c->rules = rules;
        host_export(c->host, "output", value_array(kept, n));
        host_export(c->host, "rules", value_capsule(&capsule_relabel_rules, rules));
        relabel_rules_unref(old);
    } else {
        relabel_rules_unref(rules);
    }
    arena_release(&arena);
    return rc;
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    enum code rc;

    *out = NULL;
    c->host = host;
    rc = evaluate(c, args, err);
    if (rc != OK) {
        mem_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    return evaluate(self, args, err);
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;

    relabel_rules_unref(c->rules);
    mem_free(c);
    done(arg);
}

static const struct river_field fields[] = {
    {.name = "targets",
     .kind = RIVER_TARGETS,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct args, targets),
     .doc = "Targets to relabel."},
    RELABEL_RULES_FIELD(offsetof(struct args, rules)),
    RIVER_FIELDS_END,
};
static const struct river_block args_block = {
    .name = "discovery.relabel", .fields = fields, .size = sizeof(struct args), .doc = "Rewrites targets by rules."};

static const struct component_export exports[] = {
    {"output", "list(map(string))", "The targets that are left, relabelled."},
    {"rules", "RelabelRules", "The rules, for components that take relabel_rules."},
    {0},
};

const struct component_type component_discovery_relabel = {
    .name = "discovery.relabel",
    .stability = STABILITY_GA,
    .doc = "Rewrites, keeps and drops targets by relabelling rules.",
    .args = &args_block,
    .exports = exports,
    .create = create,
    .update = update,
    .close = close_component,
};
