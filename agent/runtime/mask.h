/* agent/runtime/mask.h - arguments as they may be shown: a text written for a secret argument is a secret, whatever it
 * was written as, and so is the password in a URL. */
#ifndef AGENT_RUNTIME_MASK_H
#define AGENT_RUNTIME_MASK_H
#include "agent/river/schema.h"

/* body is river_body_value's; what is made lives in arena, the rest is borrowed from body. */
struct value mask_body(struct arena *arena, const struct river_block *type, const struct value *body);
#endif
