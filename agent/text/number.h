/* agent/text/number.h - decimal texts of numbers. */
#ifndef AGENT_TEXT_NUMBER_H
#define AGENT_TEXT_NUMBER_H
#include "agent/base/slice.h"

enum { NUMBER_TEXT_BYTES = 40 };

enum number_style {
    NUMBER_JSON, /* Go's encoding/json: an exponent below 1e-6 and from 1e21 on; NaN and infinities give "null" */
    NUMBER_GO,   /* Go's %v: an exponent below 1e-4 and from 1e6 on, two digits at least; NaN, +Inf, -Inf */
};

/* The shortest text that reads back the same; returns its length, a NUL follows. */
size_t number_format(double v, enum number_style style, char out[NUMBER_TEXT_BYTES]);
/* An integer written as JSON allows it: 12, 12.0, 1.2e1. Exact; false for fractions and what does not fit. */
bool number_to_i64(struct slice text, int64_t *out);
bool number_to_u64(struct slice text, uint64_t *out);
/* Is all of text a number by RFC 8259's grammar? */
bool number_is_json(struct slice text);
#endif
