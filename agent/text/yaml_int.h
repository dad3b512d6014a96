/* agent/text/yaml_int.h - plain scalars of YAML. */
#ifndef AGENT_TEXT_YAML_INT_H
#define AGENT_TEXT_YAML_INT_H
#include "agent/text/json.h"

enum yaml_kind { YAML_KIND_STRING, YAML_KIND_NULL, YAML_KIND_BOOL, YAML_KIND_INT, YAML_KIND_FLOAT, YAML_KIND_TIME };

/* What an unquoted scalar stands for. *kind tells integers from floats. Text that changes is the arena's. NOMEM. */
MUST_USE enum code yaml_resolve(struct arena *a, struct slice text, struct json *out, enum yaml_kind *kind);
/* A NUMBER with the text of a float. */
MUST_USE enum code yaml_float(struct arena *a, double v, struct json *out);
#endif
