/* agent/runtime/otel_auth.h - what an otelcol.auth.* component hands to clients (exporters) and servers (receivers) as
 * its `handler` export. The component keeps it alive; all functions are thread-safe and never block. */
#ifndef AGENT_RUNTIME_OTEL_AUTH_H
#define AGENT_RUNTIME_OTEL_AUTH_H
#include "agent/base/arena.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"

struct otel_header {
    struct slice name, value; /* name in lower case */
};

enum { OTEL_AUTH_HEADERS_MAX = 32 };

/* Filled by a client's auth; texts live in the arena. */
struct otel_headers {
    struct arena *arena;
    struct otel_header items[OTEL_AUTH_HEADERS_MAX];
    size_t n;
};

/* A server's request as its auth may look at it: the value of a header by lower-case name, {NULL, 0} when absent. */
struct otel_request {
    struct slice (*header)(void *self, const char *name);
    void *self;
};

/* name in lower case, in place: how gRPC and HTTP/2 want header names. */
void otel_header_lower(char *name);

struct otel_auth {
    const char *id; /* of the component */
    void *self;
    /* Appends this request's credentials. IO: they cannot be read now (try again later). NULL: not for clients. */
    enum code (*add_headers)(void *self, struct otel_headers *out, struct error *err);
    /* OK, or INVALID: answer 401 / UNAUTHENTICATED. NULL: not for servers. */
    enum code (*verify)(void *self, const struct otel_request *request, struct error *err);
};
#endif
