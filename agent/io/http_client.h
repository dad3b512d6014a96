/* agent/io/http_client.h - HTTP requests on a loop (libcurl multi on libuv). One client per loop and purpose; it pools
 * connections (DNS cache 30 s, connections live at most 60 s, so a moved name is followed within 90 s). Everything here
 * on the client's loop only. Callbacks never run inline in the call that started the request.
 *
 * Redirects are followed here: to another scheme, host or port go no credentials, no cookies, no header marked secret
 * and no client certificate. */
#ifndef AGENT_IO_HTTP_CLIENT_H
#define AGENT_IO_HTTP_CLIENT_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/io/tls.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct oauth2;
struct http_client;
struct http_transfer; /* a request under way; gone when done has run or after http_request_cancel */

struct http_header {
    struct slice name, value;
    bool is_secret; /* not sent to another host on a redirect */
};

enum http_outcome {
    HTTP_ANSWERED,    /* a whole response; status is set */
    HTTP_UNREACHABLE, /* no connection: name, refused, TLS */
    HTTP_TIMEOUT,
    HTTP_BROKEN,     /* the connection ended early, or what came back was no HTTP, or damaged gzip */
    HTTP_TOO_LARGE,  /* the response is over max_response_bytes */
    HTTP_UNPREPARED, /* not sent: bad URL, TLS files that cannot be read */
    HTTP_STOPPED,    /* a callback said stop */
};

struct http_result {
    enum http_outcome outcome;
    int status;                     /* 0 when there was no answer */
    struct slice body;              /* borrowed for the call; empty when on_body took it */
    bool is_body_cut;               /* cut_response: there was more */
    struct slice error;             /* words for a person; empty when ANSWERED */
    uint64_t received_bytes;        /* of the body, as on the wire */
    uint64_t plain_bytes;           /* after decompression */
    int64_t duration_ns;            /* since the start */
    struct http_transfer *transfer; /* for http_result_header */
};

enum http_flow {
    HTTP_CONTINUE,
    HTTP_PAUSE, /* the chunk was taken; no more until http_request_resume */
    HTTP_STOP,  /* end the transfer: done follows with HTTP_STOPPED */
};

struct http_request {
    const char *method; /* NULL: GET, or POST when there is a body */
    struct slice url;
    struct slice body; /* borrowed until done or cancel; all else is copied */
    const struct http_header *headers;
    size_t n_headers;
    struct slice user_agent; /* empty: the agent's own */
    /* credentials, at most one kind */
    struct slice basic_user, basic_password; /* used when has_basic */
    bool has_basic;
    struct slice bearer;
    struct oauth2 *oauth2;         /* oauth2.h; NULL: none. Gets and keeps its token; counted while the request lives */
    const struct tls_options *tls; /* NULL: the system's roots */
    struct slice unix_socket;      /* path: connect there; the URL gives Host and path (Docker) */
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment; /* HTTP_PROXY, HTTPS_PROXY, NO_PROXY; else the environment is not looked at */
    const struct http_header *proxy_headers; /* sent with CONNECT */
    size_t n_proxy_headers;
    bool follow_redirects;       /* at most 10 */
    bool http2;                  /* offered over TLS */
    bool accept_gzip;            /* asks for gzip and inflates within max_response_bytes */
    bool cut_response;           /* a longer response is cut at max_response_bytes, else TOO_LARGE */
    bool is_stream;              /* max_response_bytes does not count (with on_body) */
    uint64_t max_response_bytes; /* plain bytes; 0: LIMIT_HTTP_RESPONSE_BYTES */
    uint64_t timeout_ms;         /* of the whole request; 0: none */
    uint64_t connect_timeout_ms; /* 0: 10 s */

    void *arg;
    /* May be NULL. Once, before the first body byte, after redirects. */
    enum http_flow (*on_head)(void *arg, const struct http_result *head);
    /* May be NULL: the body is then collected for done. Called with plain bytes. */
    enum http_flow (*on_body)(void *arg, struct slice chunk);
    /* Once, unless cancelled. Must not be NULL. May start other requests, may free what arg points to. */
    void (*done)(void *arg, const struct http_result *result);
};

MUST_USE enum code http_client_new(struct http_client **out, struct loop *loop, struct error *err);
/* Requests still under way are cancelled: their done does not run. NULL is fine. */
void http_client_free(struct http_client *c);
/* Most connections to one host kept or opened at once; 0 (at first): no limit. */
void http_client_limit_host_connections(struct http_client *c, unsigned n);
/* Never fails: what cannot be sent ends in done with HTTP_UNPREPARED. */
struct http_transfer *http_request_start(struct http_client *c, const struct http_request *request);
/* No callback runs any more. From a callback of the same transfer: only in on_head and on_body, not in done. */
void http_request_cancel(struct http_transfer *t);
void http_request_resume(struct http_transfer *t);
/* The first header of that name (any case) of the last response, or the empty slice. In on_head and done. */
struct slice http_result_header(const struct http_result *result, const char *name);
const char *http_outcome_name(enum http_outcome outcome);
#endif
