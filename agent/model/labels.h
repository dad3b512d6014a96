/* agent/model/labels.h - interned label sets: equal sets are the same pointer. Thread-safe; reference-counted.
 * Names are sorted bytewise and unique; a label with an empty value does not exist (Prometheus data model). */
#ifndef AGENT_MODEL_LABELS_H
#define AGENT_MODEL_LABELS_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct label {
    struct slice name, value;
};

/* Immutable. Read pairs[0..n) directly. */
struct labels {
    uint64_t hash; /* stable between processes: partitions and affinity use it */
    uint32_t n;
    uint32_t text_bytes; /* names and values together */
    const struct label *pairs;
};

/* Sorts, drops empty values, keeps the last of equal names; bytes are copied. The caller owns one reference. NULL only
 * when the heap refuses. */
MUST_USE const struct labels *labels_intern(const struct label *pairs, size_t n);
const struct labels *labels_ref(const struct labels *l);
void labels_unref(const struct labels *l); /* NULL is fine */
const struct labels *labels_empty(void);   /* the set without labels; needs no reference */
/* {NULL, 0} when absent. */
struct slice labels_get(const struct labels *l, struct slice name);
size_t labels_interned_count(void);
/* {a="1",b="2"} as Loki and Prometheus write it, values escaped as Go's %q does for \ " and newline. */
enum code labels_write(const struct labels *l, struct buf *out);
/* As Go's model.LabelSet prints it, which is how Alloy keys positions: {a="b", c="d"}. For mem_free. */
char *labels_position_key(const struct labels *l);

/* "v" with quotes, escaped as Go's %q has it for ASCII. Look at out->is_full. */
void label_value_write(struct slice value, struct buf *out);

/* Change a set: start from base, set and delete, intern. Slices are borrowed until labels_build. */
struct labels_builder {
    struct label *pairs; /* owned, in the arena given at init */
    size_t n, cap;
    struct arena *arena;
};
void labels_builder_init(struct labels_builder *b, struct arena *arena, const struct labels *base /* may be NULL */);
MUST_USE enum code labels_builder_set(struct labels_builder *b, struct slice name, struct slice value);
void labels_builder_del(struct labels_builder *b, struct slice name);
struct slice labels_builder_get(const struct labels_builder *b, struct slice name);
MUST_USE const struct labels *labels_build(struct labels_builder *b); /* caller owns one reference */

/* [a-zA-Z_][a-zA-Z0-9_]* (Prometheus before UTF-8 names, Loki) */
bool label_name_is_legacy(struct slice name);
/* every other byte becomes '_', a leading digit gets "_" in front */
struct slice label_name_sanitize(struct arena *arena, struct slice name);
#endif
