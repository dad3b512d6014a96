/* agent/io/http_client_int.h - a client's parts: http_client.c drives libcurl on the loop, http_transfer.c is one
 * request's life, http_setup.c turns a request into libcurl's options, http_oauth2.c lets requests wait for tokens. */
#ifndef AGENT_IO_HTTP_CLIENT_INT_H
#define AGENT_IO_HTTP_CLIENT_INT_H
#include "agent/base/buf.h"
#include "agent/base/list.h"
#include "agent/io/codec.h"
#include "agent/io/http_client.h"
#include "agent/io/oauth2.h"
#include <curl/curl.h>

struct timer;

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct timer *curl_timer; /* libcurl's own */
    struct timer *kick;       /* runs what may not run inline */
    struct list transfers;    /* handed to libcurl */
    struct list to_start;     /* started from inside a callback, or again after a redirect */
    struct list failed;       /* cannot be sent: done is owed */
    struct list to_resume;    /* by resume_link */
    struct list cancelled;    /* cancelled from inside a callback */
    struct list token_waits;  /* http_oauth2.c: struct token_wait */
    unsigned depth;           /* > 0: inside libcurl or a callback; nothing may be freed or added */
    bool is_freed;
};

/* Why our write callback ended a transfer. */
enum transfer_end { END_NONE, END_STOPPED, END_CUT, END_TOO_LARGE, END_DAMAGED };

struct http_transfer {
    struct list link;        /* in one of the client's lists */
    struct list resume_link; /* in to_resume */
    struct http_client *client;
    CURL *easy;
    /* what of the request is needed later */
    void *arg;
    enum http_flow (*on_head)(void *arg, const struct http_result *head);
    enum http_flow (*on_body)(void *arg, struct slice chunk);
    void (*done)(void *arg, const struct http_result *result);
    bool follow_redirects, accept_gzip, cut_response, is_stream;
    uint64_t max_bytes, timeout_ms;
    char *url;                                                                /* as given to libcurl, owned */
    struct curl_slist *headers, *public_headers, *proxy_headers, *connect_to; /* owned */
    bool has_body;
    /* OAuth 2.0 */
    struct oauth2 *oauth2; /* one reference; NULL: none, or a redirect led elsewhere */
    uint64_t token_serial;
    struct curl_slist token_line; /* .data owned; .next is headers */
    unsigned n_token_asks;
    bool is_unauthorized;  /* this response is not for the caller: a new token is asked for */
    bool was_unauthorized; /* that was done once */
    /* its life */
    int64_t started_ns;
    bool is_added;    /* in the multi handle */
    bool is_told;     /* on_head ran */
    bool is_redirect; /* this response is not for the caller */
    bool is_paused;
    bool is_cancelled;
    bool is_finished;     /* libcurl is done, but the caller has paused */
    CURLcode finish_code; /* of those in failed: what they failed with */
    unsigned n_redirects;
    enum transfer_end end;
    struct inflater *inflater; /* NULL: plain */
    bool is_inflater_chosen;
    bool has_more;      /* the inflater may have more output without more input */
    struct buf pending; /* what came before the pause and was not inflated yet */
    struct buf body;
    uint64_t received_bytes, plain_bytes, redirect_bytes;
    struct error error;
    char curl_error[CURL_ERROR_SIZE];
};

/* http_setup.c */
MUST_USE enum code http_setup(struct http_transfer *t, const struct http_request *request, struct error *err);
MUST_USE enum code http_setup_tls(struct http_transfer *t, const struct tls_options *tls, struct error *err);
MUST_USE enum code http_setup_redirect(struct http_transfer *t, struct error *err); /* INVALID: not to be followed */

/* http_transfer.c */
size_t http_transfer_on_header(char *ptr, size_t size, size_t n, void *arg);
size_t http_transfer_on_write(char *ptr, size_t size, size_t n, void *arg);
void http_transfer_finish(struct http_transfer *t, CURLcode code); /* frees t, or keeps it for later */
void http_transfer_pump(struct http_transfer *t);                  /* after a resume */
void http_transfer_free(struct http_transfer *t);

/* http_oauth2.c */
void http_oauth2_start(
    struct http_transfer *t); /* puts the token in and adds it to libcurl, now or when there is one */
void http_oauth2_cancel_waits(struct http_client *c);
void http_oauth2_release(struct http_transfer *t);

/* http_client.c */
void http_client_fail(struct http_transfer *t, CURLcode code); /* t->error says why; done follows, not inline */
void http_client_add(struct http_transfer *t);                 /* (again) to libcurl, or later when inside a callback */
void http_client_kick(struct http_client *c);
#endif
