/* agent/text/yaml.h - YAML as a JSON tree, scalars resolved as Go's yaml.v3 does: YAML 1.2's words (true, null, .inf),
 * 1.1's numbers (0777, 0b1, 1_000), dates, merge keys (<<), explicit tags. Only the first document is read.
 *
 * Limits: LIMIT_YAML_BYTES, LIMIT_YAML_DEPTH, LIMIT_YAML_NODES with every alias counted as what it stands for. */
#ifndef AGENT_TEXT_YAML_H
#define AGENT_TEXT_YAML_H
#include "agent/text/json.h"

enum yaml_scalars {
    YAML_TYPED,   /* as yaml.v3 fills an interface{} */
    YAML_STRINGS, /* as it fills strings: every scalar is a STRING as written, but for an unquoted null */
};

/* The input's value; NULL of an empty one. Nothing in the tree points into input.
 * NUMBER text is decimal: an integer has digits only, a float has a point, an exponent, or is Inf, -Inf, NaN (not
 * JSON). A date is a STRING in RFC 3339. INVALID names line and column; a key twice, a key that is no string (unless
 * YAML_STRINGS) and an alias inside its own anchor are INVALID too. FULL: a limit. NOMEM: the arena's. */
MUST_USE enum code yaml_parse(struct arena *a, struct slice input, enum yaml_scalars scalars, struct json *out,
                              struct error *err);
#endif
