/* agent/io/http_server_int.h - a server's parts: http_server.c holds the daemons and their end, http_call.c one
 * request's life, http_stream.c live tails, http_server_tls.c what concerns GnuTLS.
 *
 * One lock per server. It may be held while libmicrohttpd's suspend and resume are called, never while a handler is. */
#ifndef AGENT_IO_HTTP_SERVER_INT_H
#define AGENT_IO_HTTP_SERVER_INT_H
#include "agent/base/arena.h"
#include "agent/base/buf.h"
#include "agent/base/list.h"
#include "agent/io/http_server.h"
#include "agent/io/tls.h"
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* One MHD daemon. A changed certificate starts another one on the same address; the old one is retired. */
struct http_daemon {
    struct list link; /* in http_server.daemons, newest first */
    struct http_server *server;
    struct MHD_Daemon *mhd;
    char *cert, *key, *client_ca; /* owned; MHD reads them as long as it lives */
    enum tls_client_auth client_auth;
    int64_t retired_ms; /* 0: the present one */
    bool is_closing;    /* nothing may be suspended any more */
    unsigned active;    /* calls between their headers and their end */
};

/* One TCP connection; libmicrohttpd's idle time starts anew with every byte, so slow clients are timed here. */
struct http_conn {
    struct list link; /* in http_server.conns */
    int fd;
    int64_t since_ms; /* start of the wait for headers, or for a body */
    bool is_busy;     /* a whole request is there: the handler has all time */
    bool is_in_body;
};

struct http_server {
    atomic_uint refs; /* the owner and every call */
    struct http_handler handler;
    struct http_server_options options; /* all defaults filled in; its borrowed parts are not used after start */
    pthread_mutex_t tls_lock;           /* for tls and its stamp; taken before lock */
    struct tls_options *tls;            /* owned; NULL: plain */
    uint64_t tls_stamp;
    int fd; /* the listening socket, duplicated for every daemon */
    uint16_t port;
    pthread_t keeper; /* closes slow connections, watches the certificate, retires daemons */
    bool has_keeper;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    struct list daemons, conns;
    struct list waiting; /* suspended calls; all are resumed before their daemon stops */
    bool is_draining, is_stopping;
    unsigned active;
    struct http_server_counts counts;
};

enum call_state {
    CALL_HEADERS,  /* in on_headers */
    CALL_BODY,     /* the body is coming */
    CALL_HANDLED,  /* on_request ran or runs; the connection is suspended, or already answered */
    CALL_ANSWERED, /* the response is set */
};

struct http_call {
    atomic_uint refs; /* libmicrohttpd and the handler */
    struct http_server *server;
    struct http_daemon *daemon;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    struct arena arena;
    struct slice method, path, remote;
    bool is_loopback;
    struct http_header *headers, *query; /* in arena */
    size_t n_headers, n_query;
    uint64_t content_length;
    bool has_content_length;
    bool is_too_large;
    size_t max_body;
    uint64_t seen_bytes; /* of the body, discarded ones too */
    struct buf body;
    void *cookie;
    /* under the server's lock */
    struct list link; /* in waiting */
    enum call_state state;
    bool is_suspended;
    bool is_ended; /* libmicrohttpd has let go: mhd is not valid */
    struct MHD_Response *response;
    unsigned status;
    struct http_stream *stream; /* NULL: none */
};

struct http_stream {
    struct http_call *call; /* which owns it */
    struct buf data;        /* under the server's lock, like all */
    bool is_closed;         /* by the handler or the server's stop */
};

int64_t http_server_now_ms(void);
void http_server_unref(struct http_server *s);

/* http_call.c */
enum MHD_Result http_call_on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
                                    const char *version, const char *data, size_t *n_data, void **private);
void http_call_on_completed(void *arg, struct MHD_Connection *mhd, void **private, enum MHD_RequestTerminationCode why);
/* Under the lock: the response is `status` with a text, and the connection goes on if it was suspended. */
void http_call_answer_locked(struct http_call *c, unsigned status, struct MHD_Response *take_response);
struct MHD_Response *http_call_text_response(const char *text);
void http_call_unref(struct http_call *c);
void http_call_add_headers(struct http_call *c, struct MHD_Response *r, const struct http_reply *reply);
void http_call_resume_locked(struct http_call *c);

/* http_stream.c */
void http_stream_end_locked(struct http_call *c);
void http_stream_free(struct http_stream *st);

/* http_server_tls.c */
MUST_USE enum code http_server_load_tls(struct http_daemon *d, const struct tls_options *tls, struct error *err);
char *http_server_tls_priorities(const struct tls_options *tls);
/* Could a daemon be started with these? INVALID or IO says why not. */
MUST_USE enum code http_server_check_tls(const struct tls_options *tls, struct error *err);
void http_server_release_tls(struct http_daemon *d);
/* As a connection begins, before its handshake. */
void http_server_ask_for_certificate(const struct http_daemon *d, struct MHD_Connection *mhd);
/* The client has shown what its daemon's client_auth asks for. */
bool http_server_client_is_welcome(const struct http_daemon *d, struct MHD_Connection *mhd);
#endif
