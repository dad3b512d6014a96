/* agent/runtime/http_args.h - the arguments every HTTP client of a component has (Prometheus' common HTTP client
 * configuration), as one table to FLATTEN into the component's own, and what makes requests of them.
 *
 *     struct endpoint { struct slice url; struct http_args http; };
 *     {.kind = RIVER_FLATTEN, .offset = offsetof(struct endpoint, http), .block = &http_args_block},
 */
#ifndef AGENT_RUNTIME_HTTP_ARGS_H
#define AGENT_RUNTIME_HTTP_ARGS_H
#include "agent/base/arena.h"
#include "agent/io/http_client.h"
#include "agent/river/schema.h"

struct http_basic_auth_args {
    struct slice username, password_file;
    struct river_secret password;
};
struct http_authorization_args {
    struct slice type, credentials_file;
    struct river_secret credentials;
};
struct http_tls_args {
    struct slice ca_pem, ca_file, cert_pem, cert_file, key_file, server_name;
    struct river_secret key_pem;
    bool insecure_skip_verify;
    int min_version; /* enum tls_version */
};
struct http_oauth2_args {
    struct slice client_id, client_secret_file, token_url;
    struct river_secret client_secret;
    struct river_strings scopes;
    struct river_map endpoint_params;
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment;
    struct river_secret_list_map proxy_connect_header;
    struct http_tls_args tls;
};
struct http_args {
    struct http_basic_auth_args *basic_auth;       /* NULL: absent */
    struct http_authorization_args *authorization; /* NULL: absent */
    struct http_oauth2_args *oauth2;               /* NULL: absent */
    struct river_secret bearer_token;
    struct slice bearer_token_file;
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment;
    struct river_secret_list_map proxy_connect_header;
    struct http_tls_args tls;
    bool follow_redirects, enable_http2;
    struct river_secret_list_map http_headers;
};
extern const struct river_block http_args_block;       /* enable_http2 = true */
extern const struct river_block http_args_http1_block; /* enable_http2 = false: prometheus.remote_write */
extern const struct river_block http_tls_block;        /* name "tls_config", struct http_tls_args */

/* What Alloy checks: at most one of basic_auth, authorization, oauth2, bearer_token(_file); not a value and its file; a
 * proxy's settings without a proxy. To be called from the component's validate. */
enum code http_args_check(const struct http_args *args, struct river_problems *problems);

/* A client's settings, ready for requests; thread-safe. */
struct http_auth;
/* Copies what it needs. INVALID: contradictions in tls_config, a token_url that is none. */
MUST_USE enum code http_auth_new(struct http_auth **out, const struct http_args *args, struct error *err);
void http_auth_free(struct http_auth *a); /* NULL is fine */
/* Fills the request's credentials, TLS, proxy and redirect fields and adds http_headers to the headers it has; files
 * are re-read (credential_file.h). What is not borrowed from a lives in arena until http_request_start has copied it.
 * IO: a file cannot be read now. */
MUST_USE enum code http_auth_apply(struct http_auth *a, struct http_request *request, struct arena *arena,
                                   struct error *err);
#endif
