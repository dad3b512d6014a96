/* agent/io/http_server.h - HTTP/1.1 listener (libmicrohttpd, TLS by GnuTLS). Receives on its own threads, never waits
 * for an answer: the handler posts the request to a loop and http_reply comes from there.
 *
 * Bounded: header bytes, body bytes, connections, idle time, time for a body (slow clients). An answer given at the
 * headers (413 for a Content-Length over the limit, or the handler's) goes out once the body was read and discarded,
 * since closing on unread bytes would reset the connection and lose it; at once when the body is over twice the limit
 * or the client waits for 100 Continue. A chunked body is cut off at twice the limit. */
#ifndef AGENT_IO_HTTP_SERVER_H
#define AGENT_IO_HTTP_SERVER_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/io/http_client.h"
#include <stdbool.h>
#include <stdint.h>

struct buf;
struct http_server;
struct http_call; /* one request; the handler's until http_reply */

struct http_handler {
    void *self;
    /* Headers are complete; no body byte was taken yet. May be NULL. May answer with http_reply (405, 415, 429, 503
     * ...): the body is then not read, on_request and on_dropped do not run. May set http_call_limit_body and the
     * cookie. */
    void (*on_headers)(void *self, struct http_call *call);
    /* The whole body is there (http_call_body). Must lead to exactly one http_reply, from any thread, now or later. */
    void (*on_request)(void *self, struct http_call *call);
    /* May be NULL. on_headers let it pass but on_request will not run (client gone, body too long, stop): give back
     * what was reserved. The call is gone afterwards. */
    void (*on_dropped)(void *self, struct http_call *call);
};

struct http_server_options {
    struct slice listen;             /* "host:port", ":port", "[::]:port"; port 0: any */
    const struct tls_options *tls;   /* NULL: plain */
    size_t max_header_bytes;         /* 0: LIMIT_HTTP_HEADER_BYTES */
    size_t max_body_bytes;           /* 0: LIMIT_HTTP_BODY_BYTES */
    unsigned max_connections;        /* 0: 1024 */
    unsigned max_connections_per_ip; /* 0: no limit */
    unsigned idle_timeout_s;         /* between requests and between two reads; 0: 60 */
    unsigned body_timeout_s;         /* for a whole body; 0: 60 */
    unsigned n_threads;              /* 0: 1 */
    const char *server_header;       /* NULL: none */
};

/* Called on the server's threads from now on. IO: the address cannot be had (named). */
MUST_USE enum code http_server_start(struct http_server **out, const struct http_server_options *options,
                                     const struct http_handler *handler, struct error *err);
uint16_t http_server_port(const struct http_server *s); /* the actual one */
/* Other TLS settings from now on, or none (NULL): new connections get them, requests in flight are answered as they
 * came. INVALID, IO: the certificate or a file of it cannot be used, nothing changed. Not from a callback. */
MUST_USE enum code http_server_set_tls(struct http_server *s, const struct tls_options *tls, struct error *err);
struct http_server_counts {
    uint64_t requests, rejected_too_large, dropped, open_connections, waiting; /* waiting: for http_reply */
};
struct http_server_counts http_server_counts(const struct http_server *s);
/* No new connections or requests from here on; what waits for http_reply may still be answered. */
void http_server_drain(struct http_server *s);
/* Requests still waiting are answered 503; returns when no callback runs any more. Not from a callback. Late http_reply
 * calls are fine and have no effect. NULL is fine. */
void http_server_free(struct http_server *s);

/* From any thread while the call is the handler's. All slices live until http_reply. */
struct slice http_call_method(const struct http_call *c);
struct slice http_call_path(const struct http_call *c);                                /* percent-decoded */
struct slice http_call_query(const struct http_call *c, const char *name);             /* decoded; ptr NULL: absent */
bool http_call_query_at(const struct http_call *c, size_t i, struct http_header *out); /* false: no more */
struct slice http_call_header(const struct http_call *c, const char *name);            /* ptr NULL: absent */
bool http_call_header_at(const struct http_call *c, size_t i, struct http_header *out);
struct slice http_call_remote(const struct http_call *c); /* "10.0.0.1" or "::1", without port */
bool http_call_remote_is_loopback(const struct http_call *c);
uint64_t http_call_content_length(const struct http_call *c, bool *is_known);
struct slice http_call_body(const struct http_call *c);
/* The body as a heap block for mem_free (or arena_adopt); NULL when empty. */
char *http_call_take_body(struct http_call *c, size_t *len);
/* Appends the body to out, decompressed as Content-Encoding says. INVALID: encoding not supported (415); FULL: over
 * out->max (413); CORRUPT (400). */
MUST_USE enum code http_call_decode_body(const struct http_call *c, struct buf *out, struct error *err);
/* In on_headers: this request's limit, at most the server's max_body_bytes. */
void http_call_limit_body(struct http_call *c, size_t max_bytes);
void http_call_set_cookie(struct http_call *c, void *cookie); /* the handler's own, e.g. what it reserved */
void *http_call_cookie(const struct http_call *c);

struct http_reply {
    int status;
    struct slice media_type;           /* empty: none */
    const struct http_header *headers; /* besides; copied */
    size_t n_headers;
    unsigned retry_after_s; /* 0: no such header */
    struct slice body;      /* copied, unless take_body is set */
    char *take_body;        /* from mem.h, moved: sent and freed; its length is body.len */
};
/* Exactly once per call; afterwards the call is gone for the caller. Any thread. */
void http_reply(struct http_call *c, const struct http_reply *reply);
void http_reply_text(struct http_call *c, int status, const char *text); /* text/plain; a line feed is added */

/* A response without end (live tail): chunks as they come. Any thread, one at a time. */
struct http_stream;
/* In place of http_reply. */
struct http_stream *http_reply_stream(struct http_call *c, const struct http_reply *head);
/* AGAIN: the client reads too slowly (more than 1 MiB waits), nothing was taken; IO: it is gone. */
MUST_USE enum code http_stream_write(struct http_stream *s, struct slice chunk);
void http_stream_close(struct http_stream *s); /* ends the response once all is sent; always, also after IO */
#endif
