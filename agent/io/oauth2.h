/* agent/io/oauth2.h - tokens by OAuth 2.0 client credentials (RFC 6749, 4.4), for requests of the HTTP client: one
 * cache per set of settings, shared by all loops. A token is used until 10 s before it expires; then each loop that
 * needs one asks for it once, however many requests wait. A request answered 401 asks for a new token and is sent once
 * more. */
#ifndef AGENT_IO_OAUTH2_H
#define AGENT_IO_OAUTH2_H
#include "agent/base/buf.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include "agent/io/http_client.h"

struct clock;
struct oauth2; /* counted, thread-safe */

struct oauth2_param {
    struct slice name, value;
};
/* All borrowed for the call of oauth2_new. */
struct oauth2_options {
    struct slice client_id, client_secret, client_secret_file; /* the file is read again when it changes */
    const struct slice *scopes;
    size_t n_scopes;
    struct slice token_url;
    const struct oauth2_param *params; /* of the token request's form */
    size_t n_params;
    const struct tls_options *tls; /* of the token endpoint; NULL: the system's roots */
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment;
    const struct http_header *proxy_headers;
    size_t n_proxy_headers;
};

/* INVALID: the URL. clock NULL: the system's. */
MUST_USE enum code oauth2_new(struct oauth2 **out, const struct oauth2_options *options, const struct clock *clock,
                              struct error *err);
struct oauth2 *oauth2_ref(struct oauth2 *o);
void oauth2_unref(struct oauth2 *o); /* NULL is fine; the last one overwrites the token */

/* For the HTTP client. Appends "Bearer TOKEN"; serial says which token it is. AGAIN: there is none, ask; IO: the
 * secret's file cannot be read. */
MUST_USE enum code oauth2_header(struct oauth2 *o, struct buf *out, uint64_t *serial, struct error *err);
/* That token was refused; a newer one stays. */
void oauth2_forget(struct oauth2 *o, uint64_t serial);
/* The request for a token, without callbacks; its form is put into body, which must last as long as the request.
 * Headers and texts live in arena. second: the way that was not tried first (RFC 6749, 2.3.1: credentials in the
 * Authorization header, or in the form). */
struct arena;
MUST_USE enum code oauth2_ask(struct oauth2 *o, bool second, struct arena *arena, struct buf *body,
                              struct http_request *request, struct error *err);
/* Takes the answer of an oauth2_ask. IO, with words that hold no secret: no token; may_try_second says whether the
 * other way may help. */
MUST_USE enum code oauth2_take(struct oauth2 *o, bool second, const struct http_result *result, bool *may_try_second,
                               struct error *err);
#endif
