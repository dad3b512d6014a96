/* agent/delivery/env.h - everything delivery needs from outside, in one struct of functions, so that a simulator (or a
 * test) can stand in for clock, loop, timers, chance and transport. The real one is made by driver.h on agent/io.
 *
 * The core of an endpoint runs only on its owner loop: post is called from any thread, everything else there only.
 * Completions never run inline in the call that started them. */
#ifndef AGENT_DELIVERY_ENV_H
#define AGENT_DELIVERY_ENV_H
#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

/* One header of a request; both borrowed. */
struct wire_header {
    struct slice name, value;
};

enum { WIRE_HEADERS_MAX = 8 };

/* A request as the protocol built it; borrowed by send until its completion or its cancel. */
struct wire_request {
    unsigned kind;                                /* the record's kind: which of the transport's URLs or methods */
    struct slice body;                            /* already in the codec named by encoding */
    struct slice encoding;                        /* Content-Encoding or grpc-encoding; "" for none */
    struct slice media_type;                      /* Content-Type; "" for gRPC */
    struct wire_header headers[WIRE_HEADERS_MAX]; /* without credentials: the transport adds those */
    unsigned n_headers;
    uint64_t timeout_ms;
};

enum wire_result {
    WIRE_ANSWERED,    /* status is the far side's */
    WIRE_UNREACHABLE, /* no connection: name, refused, TLS */
    WIRE_TIMEOUT,
    WIRE_BROKEN,     /* the connection ended, or what came back was no answer */
    WIRE_UNPREPARED, /* not sent: credentials could not be read, or the request could not be built */
};

struct wire_response {
    enum wire_result result;
    bool is_grpc; /* status is a gRPC code, else an HTTP status */
    int status;
    int64_t retry_after_ms; /* Retry-After or RetryInfo; -1: none given */
    struct slice body;      /* borrowed for the call; cut at LIMIT_HTTP_RESPONSE_BYTES */
    struct slice text;      /* words for a person: gRPC message or transport error */
};

typedef void (*wire_done_fn)(void *arg, const struct wire_response *response);

/* Sends one endpoint's requests. */
struct transport {
    void *self;
    /* Starts a request; done(arg, response) runs later on the owner loop, once. The handle is for cancel; never NULL.
     */
    void *(*send)(void *self, const struct wire_request *request, wire_done_fn done, void *arg);
    /* done does not run any more, and the request is not looked at again. */
    void (*cancel)(void *self, void *handle);
    /* After every request ended or was cancelled. NULL is fine. On the owner loop. */
    void (*free)(void *self);
};

struct env_timer;

struct delivery_env {
    const struct clock *clock;
    void *self;
    /* Runs fn(arg) on the owner loop, in order of posting. From any thread. */
    void (*post)(void *self, void (*fn)(void *arg), void *arg);
    struct env_timer *(*timer_new)(void *self, void (*fn)(void *arg), void *arg);
    void (*timer_start)(struct env_timer *timer, uint64_t after_ms); /* once; restarts */
    void (*timer_stop)(struct env_timer *timer);
    void (*timer_free)(struct env_timer *timer); /* NULL is fine */
    uint64_t (*random)(void *self);
    struct transport transport;
    /* Called last, on the owner loop, when the endpoint is gone. May be NULL. */
    void (*free)(void *self);
};

static inline int64_t env_mono_ms(const struct delivery_env *env)
{
    return clock_mono_ns(env->clock) / NS_PER_MS;
}
static inline int64_t env_wall_ms(const struct delivery_env *env)
{
    return clock_wall_ns(env->clock) / NS_PER_MS;
}
#endif
