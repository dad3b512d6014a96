/* agent/runtime/target_groups.h - Prometheus' target groups, as file_sd files and http_sd answers hold them:
 *
 *     [{"targets": ["host:port", ...], "labels": {"name": "value", ...}}, ...]
 *
 * Read as strictly as Prometheus does: another member, or a label that is no string, is refused. Targets are values:
 * objects of strings, __address__ first, then the group's labels. */
#ifndef AGENT_RUNTIME_TARGET_GROUPS_H
#define AGENT_RUNTIME_TARGET_GROUPS_H
#include "agent/river/value.h"
#include "agent/text/json.h"

/* Targets on the heap: groups of several files or answers are put together from these. */
struct targets {
    struct arena arena; /* of all texts and values */
    struct value *items;
    size_t n, cap;
};
void targets_init(struct targets *t, size_t max_bytes);
void targets_release(struct targets *t);
/* One target: names[i] = texts[i], copied. FULL past LIMIT_TARGETS, NOMEM. */
MUST_USE enum code targets_add(struct targets *t, const struct slice *names, const struct slice *texts, size_t n,
                               struct error *err);

struct target_label {
    struct slice name, value;
};
enum target_groups_form { TARGET_GROUPS_JSON, TARGET_GROUPS_YAML };
/* Appends the targets of the groups in text; each gets the label more as well (__meta_filepath, __meta_url), which wins
 * over the group's own. INVALID: what is wrong where; FULL, NOMEM: limits. Unless OK out may hold some of them. */
MUST_USE enum code target_groups_read(struct targets *out, enum target_groups_form form, struct slice text,
                                      struct target_label more, struct error *err);
#endif
