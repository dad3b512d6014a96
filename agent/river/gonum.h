/* agent/river/gonum.h - floats as Go's strconv.FormatFloat writes them. (agent/text/number.h has JSON's form.) */
#ifndef AGENT_RIVER_GONUM_H
#define AGENT_RIVER_GONUM_H
#include "agent/base/slice.h"

enum {
    GONUM_TEXT_BYTES = 1600, /* room for the longest: %f of the largest double at the largest precision */
    GONUM_MAX_PRECISION = 1100,
};

/* FormatFloat(v, 'f', -1, 64): shortest digits, never an exponent. Each returns the length; no NUL is promised. */
size_t gonum_plain(double v, char out[GONUM_TEXT_BYTES]);
/* FormatFloat(v, verb, precision, 64) for verb e, E, f, g, G; precision -1: the shortest that reads back the same, else
 * at most GONUM_MAX_PRECISION. */
size_t gonum_format(double v, char verb, int precision, char out[GONUM_TEXT_BYTES]);
#endif
