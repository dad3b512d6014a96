/* agent/model/item.h - the items of a batch as named fields, to be compared with what a person wrote (pipeline tests).
 * A field is a text or a set of names and texts. Numbers are in their shortest form, times in RFC 3339 with as much of
 * a fraction as there is, ids in hex, attribute values as the Collector's AsString gives them. */
#ifndef AGENT_MODEL_ITEM_H
#define AGENT_MODEL_ITEM_H
#include "agent/base/arena.h"
#include "agent/model/batch.h"

enum item_kind {
    ITEM_LOG,    /* line labels structured_metadata timestamp */
    ITEM_SAMPLE, /* name labels value timestamp */
    ITEM_SPAN,   /* name kind trace_id span_id parent_span_id status attributes resource scope */
    ITEM_POINT,  /* name type unit value attributes resource scope */
    ITEM_RECORD, /* OTLP logs: line severity trace_id span_id attributes resource scope timestamp */
    ITEM_TARGET, /* labels: not of a batch, an element of a list of targets */
};

struct item_field {
    const char *name;
    bool is_set;
    struct slice text;
    const struct label *pairs; /* of a set: sorted by name */
    size_t n;
};

enum { ITEM_FIELDS_MAX = 9 };

struct item {
    enum item_kind kind;
    struct item_field fields[ITEM_FIELDS_MAX];
    size_t n;
};

const char *item_kind_name(enum item_kind kind); /* "log", "sample", … */
/* NULL: it has no such field. */
const struct item_field *item_field(const struct item *item, const char *name);
/* each gets the items in order; its texts are on the arena. Not OK ends it with that code. NOMEM: the arena is full. */
MUST_USE enum code batch_each_item(const struct batch *b, struct arena *arena,
                                   enum code (*each)(void *ctx, const struct item *item), void *ctx);

/* As the fields have them. ptr NULL: the arena is full. */
struct slice item_time(struct arena *arena, int64_t ns);
struct slice item_number(struct arena *arena, double v); /* "stale" for the staleness marker */
/* Sorted by name; the texts are borrowed. NULL: the arena is full. */
struct label *item_pairs(struct arena *arena, const struct label *pairs, size_t n);
#endif
