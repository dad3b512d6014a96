/* agent/text/logfmt.h - logfmt records, read as go-logfmt reads them. No allocation unless a value has escapes. */
#ifndef AGENT_TEXT_LOGFMT_H
#define AGENT_TEXT_LOGFMT_H
#include "agent/base/arena.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct logfmt {
    struct slice line;
    size_t at;
};

struct logfmt_pair {
    struct slice key;
    struct slice value; /* empty for a bare key and for key= */
    bool has_value;     /* a '=' followed the key */
};

/* line must outlive the reader; it holds one record (a newline inside is white space). */
void logfmt_init(struct logfmt *l, struct slice line);
/* The next pair; *is_end when there is none. Unescaped values go to the arena. INVALID names the column and ends the
 * record, what came before stands; NOMEM at the arena's max. */
MUST_USE enum code logfmt_next(struct logfmt *l, struct arena *a, struct logfmt_pair *out, bool *is_end,
                               struct error *err);
#endif
