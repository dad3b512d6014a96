/* agent/text/glob.h - doublestar path patterns: `*` and `?` stay within one path element, `**` as a whole element takes
 * any number of them, `[a-z]`, `[!x]`, `[^x]`, `{a,b}` (may nest), `\` quotes the next character. */
#ifndef AGENT_TEXT_GLOB_H
#define AGENT_TEXT_GLOB_H
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct glob; /* immutable once compiled: any thread */

/* INVALID for an open [ or { or a trailing backslash; FULL past LIMIT_GLOB_BYTES or LIMIT_GLOB_BRACES. */
MUST_USE enum code glob_compile(struct glob **out, struct slice pattern, struct error *err);
void glob_free(struct glob *g);
/* The whole path must match. Time is bounded by pattern length times path length, whatever the pattern. */
bool glob_match(const struct glob *g, struct slice path);
/* Can anything below this directory match? For walks that skip what cannot. */
bool glob_may_descend(const struct glob *g, struct slice directory);
/* The leading folder without special characters: "/var/log" of "/var/log/ *.log"; "" when the first element is special,
 * "/" for the root. The whole pattern when it has no special character. Lives as long as g. */
struct slice glob_base(const struct glob *g);
bool glob_is_literal(const struct glob *g);
#endif
