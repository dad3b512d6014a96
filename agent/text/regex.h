/* agent/text/regex.h - regular expressions in RE2's syntax, which is Go's; `(?<n>...)` is taken as `(?P<n>...)`. */
#ifndef AGENT_TEXT_REGEX_H
#define AGENT_TEXT_REGEX_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct regex; /* immutable once compiled: any thread */

enum regex_flags {
    REGEX_PLAIN = 0,
    REGEX_PROMETHEUS = 1, /* whole text must match and `.` takes newlines: ^(?s:pattern)$, as relabelling has it */
};

/* INVALID with RE2's reason; FULL past LIMIT_REGEX_PATTERN_BYTES, LIMIT_REGEX_BYTES or LIMIT_REGEX_GROUPS. */
MUST_USE enum code regex_compile(struct regex **out, struct slice pattern, enum regex_flags flags, struct error *err);
void regex_free(struct regex *r);
struct slice regex_pattern(const struct regex *r); /* as given to regex_compile */

/* Capturing groups without group 0. */
size_t regex_group_count(const struct regex *r);
/* Name of group i (1..count); empty when it has none or i is out of range. */
struct slice regex_group_name(const struct regex *r, size_t i);
/* Index of the group of this name; 0 when there is none. */
size_t regex_group_index(const struct regex *r, struct slice name);

bool regex_is_match(const struct regex *r, struct slice text);
/* Leftmost match at or after byte `from` (`^` still means the start of text). groups[0] is the match, groups[i] group
 * i, up to n_groups; they point into text, and ptr NULL is a group that took no part. The rest of groups is cleared. */
bool regex_match(const struct regex *r, struct slice text, size_t from, struct slice *groups, size_t n_groups);

/* Appends Go's Expand of the template: $1, $name (longest word), ${name}, $$; a group that is not there is empty. */
enum code regex_expand(const struct regex *r, struct slice template_text, const struct slice *groups, size_t n_groups,
                       struct buf *out);
/* Go's ReplaceAllString: every match replaced by the expanded template; *n_matches (may be NULL) counts. FULL, NOMEM.
 */
MUST_USE enum code regex_replace_all(const struct regex *r, struct slice text, struct slice template_text,
                                     struct buf *out, size_t *n_matches);
/* Go's ReplaceAllLiteralString: the replacement is not expanded. */
MUST_USE enum code regex_replace_literal(const struct regex *r, struct slice text, struct slice replacement,
                                         struct buf *out, size_t *n_matches);
#endif
