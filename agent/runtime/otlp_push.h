/* agent/runtime/otlp_push.h - what otelcol.exporter.otlp and .otlphttp share: OTLP batches into their one endpoint,
 * headers and auth, Alloy's metrics, the life of the component. */
#ifndef AGENT_RUNTIME_OTLP_PUSH_H
#define AGENT_RUNTIME_OTLP_PUSH_H
#include "agent/runtime/otel_args.h"
#include "agent/runtime/otel_auth.h"
#include "agent/runtime/sink.h"

struct otlp_exporter {
    struct host *host;
    struct sink sink;
    struct receiver receiver;
};

/* Headers of every request: those of the arguments, then the auth component's. */
struct otlp_headers {
    struct arena arena;
    struct otel_header *items; /* names in lower case */
    size_t n;
    struct otel_auth *auth; /* NULL: none */
};
void otlp_headers_init(struct otlp_headers *h, const struct river_map *headers, struct otel_auth *auth);
void otlp_headers_release(struct otlp_headers *h);
/* The present ones; out->arena is set by the caller. */
MUST_USE enum code otlp_headers_get(const struct otlp_headers *h, struct otel_headers *out, struct error *err);

/* Fills what both have in common: queue, retry, observer. */
void otlp_endpoint_cfg(struct endpoint_cfg *cfg, struct host *host, const struct otel_queue_args *queue,
                       const struct otel_retry_args *retry, int64_t timeout_ns);
/* Makes the component around its one endpoint. Takes over transport. */
MUST_USE enum code otlp_exporter_new(void **out, struct host *host, struct endpoint_cfg *cfg, struct slice endpoint,
                                     const struct transport *take_transport, struct error *err);
enum wire_compression otlp_compression(int codec);

/* component_type's functions */
void otlp_exporter_start(void *self);
void otlp_exporter_drain(void *self, loop_fn done, void *arg);
void otlp_exporter_close(void *self, loop_fn done, void *arg);
void *otlp_exporter_give(void *self);
void otlp_exporter_take(void *self, void *take_state);
void otlp_exporter_debug(void *self, struct buf *json);
extern const struct component_export otlp_exporter_exports[];
#endif
