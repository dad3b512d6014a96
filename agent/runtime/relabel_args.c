#include "agent/runtime/relabel_args.h"
#include "agent/base/mem.h"
#include <stddef.h>

static enum code rule_of(const struct relabel_rule_args *a, struct relabel_rule *out, struct error *err)
{
    *out = relabel_rule_default();
    out->source_labels = a->source_labels.items;
    out->n_source_labels = a->source_labels.n;
    out->separator = a->separator;
    out->regex = a->regex;
    out->target_label = a->target_label;
    out->replacement = a->replacement;
    out->modulus = a->modulus;
    return relabel_action_parse(a->action, &out->action, err);
}

enum code relabel_rules_of(const struct river_blocks *blocks, struct relabel_rules **out, struct error *err)
{
    const struct relabel_rule_args *args = blocks->items;
    struct relabel_rule *rules = mem_array(blocks->n, sizeof *rules);
    enum code rc = OK;

    *out = NULL;
    for (size_t i = 0; i < blocks->n && rc == OK; i++)
        rc = rule_of(&args[i], &rules[i], err);
    if (rc == OK)
        rc = relabel_rules_new(out, rules, blocks->n, err);
    mem_free(rules);
    return rc;
}

static void hint_action(struct river_problems *problems, const struct relabel_rule_args *args)
{
    struct nearest nearest;

    nearest_init(&nearest, args->action);
    for (unsigned i = RELABEL_REPLACE; i <= RELABEL_DROPEQUAL; i++)
        nearest_offer(&nearest, slice_str(relabel_action_name((enum relabel_action)i)));
    if (nearest.best.ptr != NULL)
        river_problem_hint(problems, "did you mean \"%.*s\"?", SLICE_ARG(nearest.best));
}

/* One rule alone, so that the error stands at its own block. */
static enum code validate(const void *args, struct river_problems *problems)
{
    struct relabel_rules *compiled = NULL;
    struct relabel_rule rule;
    struct error err = {0};
    enum code rc = rule_of(args, &rule, &err);

    if (rc != OK) {
        (void)river_problem(problems, "action", "%s", err.text);
        hint_action(problems, args);
        return INVALID;
    }
    rc = relabel_rules_new(&compiled, &rule, 1, &err);
    relabel_rules_unref(compiled);
    if (rc == OK)
        return OK;
    return river_problem(problems, strncmp(err.text, "regular expression", 18) == 0 ? "regex" : NULL, "%s", err.text);
}

#define R(member) offsetof(struct relabel_rule_args, member)
static const struct river_field fields[] = {
    {.name = "source_labels",
     .kind = RIVER_STRING_LIST,
     .offset = R(source_labels),
     .doc = "Labels whose values, joined by separator, are matched."},
    {.name = "separator",
     .kind = RIVER_STRING,
     .offset = R(separator),
     .def = "\";\"",
     .doc = "What stands between the values."},
    {.name = "regex",
     .kind = RIVER_STRING,
     .offset = R(regex),
     .def = "\"(.*)\"",
     .doc = "RE2 expression that the whole text must match."},
    {.name = "modulus", .kind = RIVER_UINT, .offset = R(modulus), .doc = "hashmod: the hash is taken modulo this."},
    {.name = "target_label", .kind = RIVER_STRING, .offset = R(target_label), .doc = "The label that is written."},
    {.name = "replacement",
     .kind = RIVER_STRING,
     .offset = R(replacement),
     .def = "\"$1\"",
     .doc = "What is written; $1 and ${name} stand for groups."},
    {.name = "action",
     .kind = RIVER_STRING,
     .offset = R(action),
     .def = "\"replace\"",
     .doc =
         "replace, keep, drop, hashmod, labelmap, labelkeep, labeldrop, lowercase, uppercase, keepequal, dropequal."},
    RIVER_FIELDS_END,
};
const struct river_block relabel_rule_block = {.name = "rule",
                                               .fields = fields,
                                               .size = sizeof(struct relabel_rule_args),
                                               .validate = validate,
                                               .doc = "A relabelling rule; they are applied in order."};
const struct river_block relabel_write_rule_block = {.name = "write_relabel_config",
                                                     .fields = fields,
                                                     .size = sizeof(struct relabel_rule_args),
                                                     .validate = validate,
                                                     .doc = "A relabelling rule for what is written."};
