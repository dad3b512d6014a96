/* agent/text/jmespath.h - JMESPath (jmespath.org specification) over json.h trees.
 *
 * The whole expression grammar and the functions length keys values to_string to_number to_array type not_null join
 * contains starts_with ends_with max min max_by min_by sort sort_by sum avg abs ceil floor reverse map merge. A name
 * that is no function of this list is refused at compile time. */
#ifndef AGENT_TEXT_JMESPATH_H
#define AGENT_TEXT_JMESPATH_H
#include "agent/base/arena.h"
#include "agent/base/error.h"
#include "agent/text/json.h"

struct jmespath; /* immutable once compiled: any thread */

/* INVALID with position and reason; FULL past LIMIT_JMESPATH_BYTES or LIMIT_JMESPATH_DEPTH. The caller owns *out. */
MUST_USE enum code jmespath_compile(struct jmespath **out, struct slice expression, struct error *err);
void jmespath_free(struct jmespath *j);
/* The name, when the whole expression is one plain identifier (then json_get does the same), else the empty slice. */
struct slice jmespath_plain_name(const struct jmespath *j);
/* *out may share parts of doc and of j and lives as long as doc, j and the arena. An absent thing is JSON_NULL.
 * INVALID on a wrong argument type, FULL past LIMIT_JMESPATH_STEPS, NOMEM at the arena's max. */
MUST_USE enum code jmespath_eval(const struct jmespath *j, const struct json *doc, struct arena *a, struct json *out,
                                 struct error *err);
#endif
