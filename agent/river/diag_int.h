/* agent/river/diag_int.h - the source line of a diagnostic. */
#ifndef AGENT_RIVER_DIAG_INT_H
#define AGENT_RIVER_DIAG_INT_H
#include "agent/river/diag.h"

/* Sets excerpt, caret and caret_len of diag from its start and end. What lies in hidden (literals with their quotes) is
 * shown as "(secret)", and so are literals that look like a secret's, and passwords in URLs. */
void diag_excerpt(struct arena *arena, const struct source *source, struct diag *diag, const struct span *hidden,
                  size_t n_hidden);
#endif
