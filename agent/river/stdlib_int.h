/* agent/river/stdlib_int.h - the parts of the standard library. Each list ends with a name of NULL. */
#ifndef AGENT_RIVER_STDLIB_INT_H
#define AGENT_RIVER_STDLIB_INT_H
#include "agent/river/eval_int.h"

extern const struct river_function stdlib_general[];
extern const struct river_function stdlib_string[];
extern const struct river_function stdlib_encoding[];
extern const struct river_function stdlib_array[];

/* Go's fmt.Sprintf over values; out is cut (is_full) past its maximum. No secrets among the arguments. */
void gofmt_print(struct buf *out, struct slice format, const struct value *args, size_t n);

/* The nodes of a JSON text that a JSONPath names, as an array. INVALID sets err. */
MUST_USE enum code jsonpath_get(struct arena *arena, struct slice json, struct slice path, struct value *out,
                                struct error *err);
struct json;
/* is_int_kept: 1 is the integer 1; else a float, as Go's encoding/json has it. */
MUST_USE enum code value_from_json(struct arena *arena, const struct json *json, bool is_int_kept, struct value *out);
#endif
