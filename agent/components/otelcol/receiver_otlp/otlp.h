/* agent/components/otelcol/receiver_otlp/otlp.h - shared by the files of otelcol.receiver.otlp. Specification:
 * opentelemetry.io/docs/specs/otlp (1.x).
 *
 * Threads: listeners (grpc.c, http.c) run on the servers' threads and see only `struct core`; a request is posted to a
 * worker loop (requests.c), scanned and pushed there, and answered when its ticket is settled or its time is up. */
#ifndef AGENT_COMPONENTS_OTELCOL_RECEIVER_OTLP_OTLP_H
#define AGENT_COMPONENTS_OTELCOL_RECEIVER_OTLP_OTLP_H
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/io/grpc_server.h"
#include "agent/io/http_server.h"
#include "agent/runtime/otel_args.h"
#include "agent/runtime/otel_auth.h"
#include "agent/runtime/otel_output.h"
#include <stdatomic.h>

struct otlp_enforcement_args {
    int64_t min_time_ns;
    bool permit_without_stream;
};

struct otlp_parameters_args {
    int64_t max_connection_age_grace_ns, max_connection_age_ns, max_connection_idle_ns, time_ns, timeout_ns;
};

struct otlp_keepalive_args {
    struct otlp_enforcement_args enforcement;
    struct otlp_parameters_args parameters;
};

struct otlp_grpc_args {
    struct slice endpoint, transport;
    uint64_t max_recv_msg_size, max_concurrent_streams, read_buffer_size, write_buffer_size;
    bool include_metadata;
    struct otlp_keepalive_args keepalive;
    struct otel_server_tls_args *tls; /* NULL: plain */
    struct otel_auth *auth;           /* NULL: none */
};

struct otlp_cors_args {
    struct river_strings allowed_origins, allowed_headers;
    int64_t max_age_s;
};

struct otlp_http_args {
    struct slice endpoint;
    uint64_t max_request_body_size;
    bool include_metadata, keep_alives_enabled;
    struct river_strings compression_algorithms;
    struct slice traces_url_path, metrics_url_path, logs_url_path;
    struct otlp_cors_args *cors;      /* NULL: no cross-origin requests */
    struct otel_server_tls_args *tls; /* NULL: plain */
    struct otel_auth *auth;           /* NULL: none */
};

struct otlp_args {
    struct otlp_grpc_args *grpc; /* NULL: not listening */
    struct otlp_http_args *http; /* NULL: not listening */
    struct otel_output_args output;
    struct otel_debug_metrics_args debug_metrics;
};

extern const struct river_block otlp_args_block;
void otlp_server_tls(const struct otel_server_tls_args *args, struct tls_options *out);

enum transport { TRANSPORT_GRPC, TRANSPORT_HTTP };

/* Why a request was not accepted; decides status and whether the client may try again. */
enum refusal {
    REFUSED_BROKEN,    /* does not decode: never again */
    REFUSED_TOO_LARGE, /* over the limit, plain or inflated */
    REFUSED_ENCODING,  /* a compression that is not spoken */
    REFUSED_BUSY,      /* not now */
    REFUSED_MEMORY,    /* not now: the budget is used up */
    REFUSED_AUTH,
};

/* Requests of one loop that wait for their ticket; touched on that loop. */
struct lane {
    struct loop *loop;
    struct core *core;
    struct list waiting; /* struct request.link */
    struct timer *timer; /* while something waits */
    bool is_closed;
};

/* What outlives the component while answers are owed: reference-counted. */
struct core {
    _Atomic unsigned refs;
    const char *id;              /* owned */
    struct admission *admission; /* owned reference */
    struct otel_output *output;  /* the component's: used on loops, before close only */
    struct ledger *ledger;       /* the same */
    _Atomic bool is_closing;
    _Atomic bool is_wired[3];
    struct loops *loops;
    _Atomic unsigned next_lane;
    struct lane *lanes; /* one per worker; owned */
    unsigned n_lanes;
    struct metric *accepted[2][3], *refused[2][3], *seconds[2], *bytes[2]; /* owned references */
};

struct core *core_new(struct host *host, struct otel_output *output);
void core_ref(struct core *c);
void core_unref(struct core *c);
/* After the listeners are gone: lets go of what waits; done(arg) on the control loop once no loop works on a request of
 * this core any more. */
void core_close(struct core *c, loop_fn done, void *arg);

/* One request, from the listener's thread to its answer. */
struct request {
    struct list link;
    struct core *core; /* owned reference */
    struct lane *lane;
    _Atomic unsigned refs; /* the lane's list and the ticket */
    _Atomic bool is_answered;
    enum transport transport;
    enum otlp_signal signal;
    bool is_json, is_decoded; /* HTTP: JSON body; decoded: body needs no decompression */
    struct rpc_call *rpc;     /* TRANSPORT_GRPC */
    struct http_call *http;   /* TRANSPORT_HTTP */
    size_t max_bytes;         /* of the plain body */
    char *body;               /* gRPC: the message; owned until the batch adopts it */
    size_t body_len;
    struct arena metadata_arena;
    struct label *metadata;
    uint32_t n_metadata;
    const char *allow_origin; /* CORS; in metadata_arena */
    int64_t arrived_ns;
    int64_t wait_ms; /* until the retryable answer */
    uint32_t n_items;
};

struct request *request_new(struct core *core, enum transport transport, enum otlp_signal signal);
/* Posts it to a lane: decode, scan, push. Takes the request. */
void request_submit(struct request *take);
/* grpc.c and http.c: answers, once; called on any thread. */
void grpc_answer(struct request *r, const struct ticket_result *result);
void grpc_refuse(struct request *r, enum refusal why, const char *text);
void http_answer(struct request *r, const struct ticket_result *result);
void http_refuse(struct request *r, enum refusal why, const char *text);

struct grpc_listener;
MUST_USE enum code grpc_listener_start(struct grpc_listener **out, struct core *core, const struct otlp_grpc_args *args,
                                       struct error *err);
void grpc_listener_stop(struct grpc_listener *l); /* NULL is fine */
struct http_listener;
MUST_USE enum code http_listener_start(struct http_listener **out, struct core *core, const struct otlp_http_args *args,
                                       struct error *err);
void http_listener_drain(struct http_listener *l);
void http_listener_stop(struct http_listener *l); /* NULL is fine */
#endif
