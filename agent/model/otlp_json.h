/* agent/model/otlp_json.h - OTLP/JSON to protobuf bytes and back (opentelemetry.io/docs/specs/otlp, JSON Protobuf
 * Encoding): lowerCamelCase keys, ids in hex, other bytes in base64, 64-bit integers as text or number, enums as
 * numbers (names are taken too, as the Collector does), unknown keys ignored. Depth is bounded by LIMIT_JSON_DEPTH. */
#ifndef AGENT_MODEL_OTLP_JSON_H
#define AGENT_MODEL_OTLP_JSON_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/model/batch.h"

/* An Export*ServiceRequest; the bytes still go through otlp_scan. scratch takes unescaped texts. INVALID names the
 * field; FULL: too deep or out's max; NOMEM. */
MUST_USE enum code otlp_json_read(enum otlp_signal signal, struct slice json, struct arena *scratch, struct buf *out,
                                  struct error *err);
/* A scanned resource message (ResourceSpans, ...) as one line of OTLP/JSON. CORRUPT when the bytes were not scanned. */
MUST_USE enum code otlp_json_write(enum otlp_signal signal, struct slice resource, struct buf *out);
/* The answers: ExportXServiceResponse, google.rpc.Status. */
MUST_USE enum code otlp_json_response(enum otlp_signal signal, uint64_t rejected, struct slice text, struct buf *out);
MUST_USE enum code otlp_json_status(int32_t code, struct slice message, struct buf *out);
#endif
