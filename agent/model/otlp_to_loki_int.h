/* agent/model/otlp_to_loki_int.h - the line of a log record: JSON, logfmt or raw. */
#ifndef AGENT_MODEL_OTLP_TO_LOKI_INT_H
#define AGENT_MODEL_OTLP_TO_LOKI_INT_H
#include "agent/model/otlp_decode.h"

struct record {
    Otlp__LogRecord *log;
    const Otlp__InstrumentationScope *scope; /* may be NULL */
    struct otlp_attrs attributes;            /* without what became labels, and without hints */
    struct otlp_attrs resource;
};

enum record_format { RECORD_JSON, RECORD_LOGFMT, RECORD_RAW };

/* Look at out->is_full. */
void otlp_record_write(const struct record *r, enum record_format format, struct arena *scratch, struct buf *out);
#endif
