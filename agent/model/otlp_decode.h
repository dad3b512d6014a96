/* agent/model/otlp_decode.h - decoded OTLP for components that edit or inspect: protobuf-c on an arena, unknown fields
 * kept. Only bytes that passed otlp_scan may come here. Structs are of generated/proto/otlp.pb-c.h (Otlp__Span ...). */
#ifndef AGENT_MODEL_OTLP_DECODE_H
#define AGENT_MODEL_OTLP_DECODE_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/model/batch.h"
#include "proto/otlp.pb-c.h"

/* NULL: the arena is full or the bytes do not decode (then they were not scanned). Never freed: it is the arena's. */
Otlp__ResourceSpans *otlp_decode_spans(struct arena *a, struct slice bytes);
Otlp__ResourceMetrics *otlp_decode_metrics(struct arena *a, struct slice bytes);
Otlp__ResourceLogs *otlp_decode_logs(struct arena *a, struct slice bytes);
/* Encodes onto the arena; ptr NULL when it is full. */
struct slice otlp_encode(struct arena *a, const ProtobufCMessage *m);

/* Attribute lists: every attributes field of every message. */
struct otlp_attrs {
    Otlp__KeyValue ***list;
    size_t *n;
    struct arena *arena; /* takes what set and insert make */
};
#define OTLP_ATTRS(arena_, message_) ((struct otlp_attrs){&(message_)->attributes, &(message_)->n_attributes, (arena_)})

Otlp__AnyValue *otlp_attrs_get(const struct otlp_attrs *a, struct slice key); /* NULL: absent, or without a value */
MUST_USE enum code otlp_attrs_set(const struct otlp_attrs *a, struct slice key, Otlp__AnyValue *value); /* upsert */
/* *done (may be NULL): it was absent and is set now. */
MUST_USE enum code otlp_attrs_insert(const struct otlp_attrs *a, struct slice key, Otlp__AnyValue *value, bool *done);
bool otlp_attrs_delete(const struct otlp_attrs *a, struct slice key); /* true: it was there */

/* New values on the arena; NULL when it is full. Texts are copied. */
Otlp__AnyValue *otlp_value_string(struct arena *a, struct slice s);
Otlp__AnyValue *otlp_value_int(struct arena *a, int64_t v);
Otlp__AnyValue *otlp_value_double(struct arena *a, double v);
Otlp__AnyValue *otlp_value_bool(struct arena *a, bool v);
/* The text of a value as the Collector's AsString gives it: strings as they are, numbers and booleans in JSON's form,
 * bytes in base64, lists and maps as JSON, nothing for an empty value. FULL, NOMEM; or look at out->is_full at the end.
 */
enum code otlp_value_text(const Otlp__AnyValue *v, struct buf *out);
/* The same as JSON: strings quoted, an empty value is null. */
enum code otlp_value_json(const Otlp__AnyValue *v, struct buf *out);
enum code otlp_attrs_json(const struct otlp_attrs *a, struct buf *out); /* {"k":v,...} in the list's order */
#endif
