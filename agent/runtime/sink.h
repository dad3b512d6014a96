/* agent/runtime/sink.h - what all sinks share: their endpoints, made, flushed, closed and handed over together; the
 * HTTP transport of the endpoint arguments they have in common. Control loop only, except where said. */
#ifndef AGENT_RUNTIME_SINK_H
#define AGENT_RUNTIME_SINK_H
#include "agent/delivery/endpoint.h"
#include "agent/delivery/transport.h"
#include "agent/runtime/component.h"
#include "agent/runtime/http_args.h"

enum { SINK_ENDPOINTS_MAX = 32, SINK_FLUSH_MS = 5000 };

struct sink {
    struct host *host;
    size_t n; /* endpoints; read-only while batches come */
    struct endpoint *items[SINK_ENDPOINTS_MAX];
    struct together *draining; /* a drain that has not ended; control loop */
};

void sink_init(struct sink *s, struct host *host);
/* The loop that will own the endpoint with this name and URL. */
struct loop *sink_loop(const struct sink *s, struct slice name, struct slice url);
/* Makes an endpoint. cfg: component, id, gate, metrics and labels are filled here; queue_bytes 0: the host's share
 * divided by n_planned. Takes over transport and the observer's ctx. FULL: too many endpoints (both are freed then). */
MUST_USE enum code sink_add(struct sink *s, struct endpoint_cfg *cfg, struct slice name, struct slice url,
                            size_t n_planned, const struct transport *take_transport, struct error *err);
/* POST with http_args and plain headers; urls by record kind (an empty one repeats the first). */
MUST_USE enum code sink_http(const struct sink *s, struct loop *owner, const struct slice urls[TRANSPORT_KINDS],
                             const struct http_args *args, const struct river_map *headers, struct transport *out,
                             struct error *err);
/* "host:port" of a URL, as the `host` or `endpoint` label shows it; the caller frees. */
char *sink_host_of(struct slice url);
/* INVALID, in words, when url is no http or https URL. */
MUST_USE enum code sink_check_url(struct slice url, struct error *err);

/* component_type's drain, close, give_state, take_state and free_state. After give_state, close has nothing to end.
 * close takes back a drain that has not ended: its done does not run any more. */
void sink_drain(struct sink *s, loop_fn done, void *arg);
void sink_close(struct sink *s, loop_fn done, void *arg);
void *sink_give_state(struct sink *s);
void sink_take_state(struct sink *s, void *take_state);
void sink_free_state(void *state);
/* Endpoints and their books as JSON object members, for the component's page. Any thread. */
void sink_write_debug(struct sink *s, struct buf *json);
#endif
