/* agent/runtime/mask.h - arguments as they may be shown: a text written for a secret argument is a secret, whatever it
 * was written as, and so is the password in a URL. */
#ifndef AGENT_RUNTIME_MASK_H
#define AGENT_RUNTIME_MASK_H
#include "agent/river/schema.h"

/* body is river_body_value's; what is made lives in arena, the rest is borrowed from body. */
struct value mask_body(struct arena *arena, const struct river_block *type, const struct value *body);
/* One argument's value; field NULL: the table does not know it. */
struct value mask_argument(struct arena *arena, const struct river_field *field, const struct value *v);
/* What a table says of a name written in its body, flattened tables too: the field, and for a block its own table.
 * NULL: it knows none. */
const struct river_field *mask_find_field(const struct river_field *fields, struct slice name,
                                          const struct river_block **block);
/* Is this the row that ends a table? (FLATTEN, ANY_BLOCKS and LABEL have no name either.) */
bool mask_is_end(const struct river_field *f);
#endif
