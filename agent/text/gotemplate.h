/* agent/text/gotemplate.h - Go's text/template over string fields, with Loki's and the common sprig functions.
 *
 * All actions but define, template, block, break and continue, which are refused by name, as is an unknown function.
 * Values are strings, numbers, booleans, lists, maps (fromJson) and nil; what is undefined prints "<no value>". */
#ifndef AGENT_TEXT_GOTEMPLATE_H
#define AGENT_TEXT_GOTEMPLATE_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct gotemplate; /* immutable once compiled: any thread */

/* The fields of the template's dot. */
struct gotemplate_data {
    /* True with *value set when the field is there. The slice lives until the run ends. */
    bool (*lookup)(void *self, struct slice name, struct slice *value);
    void *self;
    int64_t now_ns; /* what `now` gives */
};

/* INVALID with line and reason; FULL past LIMIT_TEMPLATE_BYTES or LIMIT_TEMPLATE_DEPTH. The caller owns *out. */
MUST_USE enum code gotemplate_compile(struct gotemplate **out, struct slice text, struct error *err);
void gotemplate_free(struct gotemplate *t);
/* Appends to out (its max bounds the result) with scratch memory on the arena. INVALID is what Go reports while
 * running, FULL a full buffer or LIMIT_TEMPLATE_STEPS, NOMEM the arena's max; out then holds a part. */
MUST_USE enum code gotemplate_exec(const struct gotemplate *t, const struct gotemplate_data *data, struct arena *a,
                                   struct buf *out, struct error *err);
#endif
