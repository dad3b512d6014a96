/* agent/model/relabel.h - relabelling rules with Prometheus' semantics, as discovery.relabel, prometheus.relabel,
 * loki.relabel and write_relabel_config have them. Specification: prometheus.io, Configuration, relabel_config.
 * Rules are immutable once made and may be applied from any thread. */
#ifndef AGENT_MODEL_RELABEL_H
#define AGENT_MODEL_RELABEL_H
#include "agent/base/error.h"
#include "agent/model/labels.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum relabel_action {
    RELABEL_REPLACE,
    RELABEL_KEEP,
    RELABEL_DROP,
    RELABEL_HASHMOD,
    RELABEL_LABELMAP,
    RELABEL_LABELKEEP,
    RELABEL_LABELDROP,
    RELABEL_LOWERCASE,
    RELABEL_UPPERCASE,
    RELABEL_KEEPEQUAL,
    RELABEL_DROPEQUAL,
};

/* One rule as written in a configuration. relabel_rule_default() gives Prometheus' defaults; slices are borrowed. */
struct relabel_rule {
    const struct slice *source_labels;
    size_t n_source_labels;
    struct slice separator;    /* ";" */
    struct slice regex;        /* "(.*)" */
    struct slice target_label; /* "" */
    struct slice replacement;  /* "$1" */
    uint64_t modulus;          /* 0 */
    enum relabel_action action;
};

struct relabel_rules; /* refcounted */

struct relabel_rule relabel_rule_default(void);
/* By name, lower or upper case as Prometheus takes it; INVALID names what is known. */
MUST_USE enum code relabel_action_parse(struct slice name, enum relabel_action *out, struct error *err);
const char *relabel_action_name(enum relabel_action action);
/* Compiles and checks as Prometheus does; INVALID says which rule (from 1) and why. Copies everything. */
MUST_USE enum code relabel_rules_new(struct relabel_rules **out, const struct relabel_rule *rules, size_t n,
                                     struct error *err);
struct relabel_rules *relabel_rules_ref(struct relabel_rules *r); /* NULL gives NULL */
void relabel_rules_unref(struct relabel_rules *r);                /* NULL is fine */
size_t relabel_rules_count(const struct relabel_rules *r);        /* NULL: 0 */
/* i < count. Slices live as long as r. */
const struct relabel_rule *relabel_rules_at(const struct relabel_rules *r, size_t i);

/* Applies all rules in order; new texts go to b's arena. *keep false: a rule dropped it, b is then undefined.
 * NOMEM: the arena's max. rules NULL keeps everything. */
MUST_USE enum code relabel_apply(const struct relabel_rules *rules, struct labels_builder *b, bool *keep);
/* Rule i alone, for whoever explains: *is_match says whether it had something to act on (its expression fits the
 * source labels, or for labelmap, labelkeep and labeldrop at least one name). */
MUST_USE enum code relabel_apply_one(const struct relabel_rules *rules, size_t i, struct labels_builder *b, bool *keep,
                                     bool *is_match);
/* The same from set to set. *out is a reference the caller owns (in itself when nothing changed), NULL when dropped or
 * when the heap refuses (NOMEM). */
MUST_USE enum code relabel_labels(const struct relabel_rules *rules, const struct labels *in,
                                  const struct labels **out);
#endif
