/* agent/ui/support.h - the support bundle: a zip with what somebody who helps needs to know, without secrets. */
#ifndef AGENT_UI_SUPPORT_H
#define AGENT_UI_SUPPORT_H
#include "agent/runtime/runtime.h"

struct support_options {
    struct runtime *runtime;
    const char *const *flags; /* the command line as it was given; ends with NULL; may be NULL */
};

/* FULL: it is too large; NOMEM. */
MUST_USE enum code support_write(const struct support_options *options, struct buf *out, struct error *err);
#endif
