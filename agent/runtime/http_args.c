#include "agent/runtime/http_args.h"

#define BASIC(member) offsetof(struct http_basic_auth_args, member)
static const struct river_field basic_fields[] = {
    {.name = "username", .kind = RIVER_STRING, .offset = BASIC(username), .doc = "The user's name."},
    {.name = "password", .kind = RIVER_SECRET, .offset = BASIC(password), .doc = "The password."},
    {.name = "password_file",
     .kind = RIVER_STRING,
     .offset = BASIC(password_file),
     .doc = "File with the password; read again when it changes."},
    RIVER_FIELDS_END,
};
static const struct river_block basic_block = {.name = "basic_auth",
                                               .fields = basic_fields,
                                               .size = sizeof(struct http_basic_auth_args),
                                               .doc = "HTTP basic authentication."};

#define AUTHORIZATION(member) offsetof(struct http_authorization_args, member)
static const struct river_field authorization_fields[] = {
    {.name = "type",
     .kind = RIVER_STRING,
     .offset = AUTHORIZATION(type),
     .def = "\"Bearer\"",
     .doc = "The authorization scheme."},
    {.name = "credentials",
     .kind = RIVER_SECRET,
     .offset = AUTHORIZATION(credentials),
     .doc = "What follows the scheme."},
    {.name = "credentials_file",
     .kind = RIVER_STRING,
     .offset = AUTHORIZATION(credentials_file),
     .doc = "File with the credentials; read again when it changes."},
    RIVER_FIELDS_END,
};
static const struct river_block authorization_block = {.name = "authorization",
                                                       .fields = authorization_fields,
                                                       .size = sizeof(struct http_authorization_args),
                                                       .doc = "The Authorization header."};

static const struct river_enum tls_versions[] = {
    {"", TLS_VERSION_DEFAULT},  {"TLS10", TLS_VERSION_1_0}, {"TLS11", TLS_VERSION_1_1},
    {"TLS12", TLS_VERSION_1_2}, {"TLS13", TLS_VERSION_1_3}, {NULL, 0},
};

#define TLS(member) offsetof(struct http_tls_args, member)
static const struct river_field tls_fields[] = {
    {.name = "ca_pem",
     .kind = RIVER_STRING,
     .offset = TLS(ca_pem),
     .doc = "CA certificates the server's is verified with."},
    {.name = "ca_file", .kind = RIVER_STRING, .offset = TLS(ca_file), .doc = "File with CA certificates."},
    {.name = "cert_pem", .kind = RIVER_STRING, .offset = TLS(cert_pem), .doc = "The client's certificate."},
    {.name = "cert_file", .kind = RIVER_STRING, .offset = TLS(cert_file), .doc = "File with the client's certificate."},
    {.name = "key_pem", .kind = RIVER_SECRET, .offset = TLS(key_pem), .doc = "The client's key."},
    {.name = "key_file", .kind = RIVER_STRING, .offset = TLS(key_file), .doc = "File with the client's key."},
    {.name = "server_name",
     .kind = RIVER_STRING,
     .offset = TLS(server_name),
     .doc = "The name to verify instead of the URL's host."},
    {.name = "insecure_skip_verify",
     .kind = RIVER_BOOL,
     .offset = TLS(insecure_skip_verify),
     .doc = "Take any certificate: who listens in can read everything."},
    {.name = "min_version",
     .kind = RIVER_ENUM,
     .offset = TLS(min_version),
     .def = "\"\"",
     .choices = tls_versions,
     .doc = "The lowest TLS version: TLS10 to TLS13; TLS12 when it is not given."},
    RIVER_FIELDS_END,
};
const struct river_block http_tls_block = {
    .name = "tls_config", .fields = tls_fields, .size = sizeof(struct http_tls_args), .doc = "TLS to the server."};

#define OAUTH2(member) offsetof(struct http_oauth2_args, member)
static const struct river_field oauth2_fields[] = {
    {.name = "client_id",
     .kind = RIVER_STRING,
     .offset = OAUTH2(client_id),
     .doc = "The client's name at the token endpoint; needed."},
    {.name = "client_secret", .kind = RIVER_SECRET, .offset = OAUTH2(client_secret), .doc = "The client's secret."},
    {.name = "client_secret_file",
     .kind = RIVER_STRING,
     .offset = OAUTH2(client_secret_file),
     .doc = "File with the client's secret; read again when it changes, a new token is then asked for."},
    {.name = "scopes", .kind = RIVER_STRING_LIST, .offset = OAUTH2(scopes), .doc = "The scopes that are asked for."},
    {.name = "token_url",
     .kind = RIVER_STRING,
     .offset = OAUTH2(token_url),
     .doc = "Where tokens are asked for; needed."},
    {.name = "endpoint_params",
     .kind = RIVER_STRING_MAP,
     .offset = OAUTH2(endpoint_params),
     .doc = "More parameters of the token request."},
    {.name = "proxy_url", .kind = RIVER_STRING, .offset = OAUTH2(proxy_url), .doc = "Proxy for the token requests."},
    {.name = "no_proxy",
     .kind = RIVER_STRING,
     .offset = OAUTH2(no_proxy),
     .doc = "Hosts and domains, comma between, whose tokens are asked for directly."},
    {.name = "proxy_from_environment",
     .kind = RIVER_BOOL,
     .offset = OAUTH2(proxy_from_environment),
     .def = "false",
     .doc = "Use the proxy the environment names (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)."},
    {.name = "proxy_connect_header",
     .kind = RIVER_SECRET_LIST_MAP,
     .offset = OAUTH2(proxy_connect_header),
     .doc = "Headers sent to the proxy with CONNECT."},
    {.name = "tls_config",
     .kind = RIVER_BLOCK,
     .offset = OAUTH2(tls),
     .block = &http_tls_block,
     .doc = "TLS to the token endpoint."},
    RIVER_FIELDS_END,
};
static const struct river_block oauth2_block = {.name = "oauth2",
                                                .fields = oauth2_fields,
                                                .size = sizeof(struct http_oauth2_args),
                                                .doc = "OAuth 2.0 client credentials: a token is got, kept until it "
                                                       "expires and sent with every request."};

#define HTTP(member) offsetof(struct http_args, member)
#define HTTP_FIELDS(http2_default)                                                                                     \
    {.name = "basic_auth",                                                                                             \
     .kind = RIVER_BLOCK,                                                                                              \
     .flags = RIVER_POINTER,                                                                                           \
     .offset = HTTP(basic_auth),                                                                                       \
     .block = &basic_block,                                                                                            \
     .doc = "HTTP basic authentication."},                                                                             \
        {.name = "authorization",                                                                                      \
         .kind = RIVER_BLOCK,                                                                                          \
         .flags = RIVER_POINTER,                                                                                       \
         .offset = HTTP(authorization),                                                                                \
         .block = &authorization_block,                                                                                \
         .doc = "The Authorization header."},                                                                          \
        {.name = "oauth2",                                                                                             \
         .kind = RIVER_BLOCK,                                                                                          \
         .flags = RIVER_POINTER,                                                                                       \
         .offset = HTTP(oauth2),                                                                                       \
         .block = &oauth2_block,                                                                                       \
         .doc = "OAuth 2.0 client credentials."},                                                                      \
        {.name = "bearer_token", .kind = RIVER_SECRET, .offset = HTTP(bearer_token), .doc = "Bearer token."},          \
        {.name = "bearer_token_file",                                                                                  \
         .kind = RIVER_STRING,                                                                                         \
         .offset = HTTP(bearer_token_file),                                                                            \
         .doc = "File with the bearer token; read again when it changes."},                                            \
        {.name = "proxy_url", .kind = RIVER_STRING, .offset = HTTP(proxy_url), .doc = "Proxy for the requests."},      \
        {.name = "no_proxy",                                                                                           \
         .kind = RIVER_STRING,                                                                                         \
         .offset = HTTP(no_proxy),                                                                                     \
         .doc = "Hosts and domains, comma between, that are asked directly."},                                         \
        {.name = "proxy_from_environment",                                                                             \
         .kind = RIVER_BOOL,                                                                                           \
         .offset = HTTP(proxy_from_environment),                                                                       \
         .def = "false",                                                                                               \
         .doc = "Use the proxy the environment names (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)."},                           \
        {.name = "proxy_connect_header",                                                                               \
         .kind = RIVER_SECRET_LIST_MAP,                                                                                \
         .offset = HTTP(proxy_connect_header),                                                                         \
         .doc = "Headers sent to the proxy with CONNECT."},                                                            \
        {.name = "tls_config",                                                                                         \
         .kind = RIVER_BLOCK,                                                                                          \
         .offset = HTTP(tls),                                                                                          \
         .block = &http_tls_block,                                                                                     \
         .doc = "TLS to the server."},                                                                                 \
        {.name = "follow_redirects",                                                                                   \
         .kind = RIVER_BOOL,                                                                                           \
         .offset = HTTP(follow_redirects),                                                                             \
         .def = "true",                                                                                                \
         .doc = "Follow redirects; credentials never go to another host."},                                            \
        {.name = "enable_http2",                                                                                       \
         .kind = RIVER_BOOL,                                                                                           \
         .offset = HTTP(enable_http2),                                                                                 \
         .def = http2_default,                                                                                         \
         .doc = "Offer HTTP/2 over TLS."},                                                                             \
        {.name = "http_headers",                                                                                       \
         .kind = RIVER_SECRET_LIST_MAP,                                                                                \
         .offset = HTTP(http_headers),                                                                                 \
         .doc = "Headers sent with every request."},                                                                   \
        RIVER_FIELDS_END

static const struct river_field http_fields[] = {HTTP_FIELDS("true")};
static const struct river_field http1_fields[] = {HTTP_FIELDS("false")};
const struct river_block http_args_block = {
    .name = "http", .fields = http_fields, .size = sizeof(struct http_args), .doc = "Settings of an HTTP client."};
const struct river_block http_args_http1_block = {
    .name = "http", .fields = http1_fields, .size = sizeof(struct http_args), .doc = "Settings of an HTTP client."};

static enum code check_kinds(const struct http_args *a, struct river_problems *problems)
{
    bool has_bearer = a->bearer_token.text.len != 0 || a->bearer_token_file.len != 0;
    int kinds = (a->basic_auth != NULL) + (a->authorization != NULL) + (a->oauth2 != NULL) + has_bearer;

    if (a->bearer_token.text.len != 0 && a->bearer_token_file.len != 0)
        return river_problem(problems, "bearer_token_file",
                             "at most one of bearer_token and bearer_token_file may be set");
    if (kinds > 1)
        return river_problem(problems,
                             has_bearer          ? "bearer_token"
                             : a->oauth2 != NULL ? "oauth2"
                                                 : "authorization",
                             "at most one of basic_auth, authorization, oauth2, bearer_token and bearer_token_file may "
                             "be set");
    return OK;
}

struct proxy_args {
    struct slice url, no_proxy;
    bool from_environment;
    size_t n_headers;
    bool is_oauth2;
};

static enum code check_proxy(struct proxy_args p, struct river_problems *problems)
{
    const char *where = p.is_oauth2 ? "oauth2" : NULL, *of = p.is_oauth2 ? "oauth2: " : "";
    enum code rc = OK;

    if (p.no_proxy.len != 0 && p.from_environment)
        rc =
            river_problem(problems, where != NULL ? where : "no_proxy",
                          "%sno_proxy may not be set with proxy_from_environment: set NO_PROXY in the environment", of);
    else if (p.no_proxy.len != 0 && p.url.len == 0)
        rc = river_problem(problems, where != NULL ? where : "no_proxy", "%sno_proxy needs proxy_url", of);
    if (p.from_environment && p.url.len != 0)
        rc = river_problem(problems, where != NULL ? where : "proxy_from_environment",
                           "%sproxy_from_environment may not be set together with proxy_url", of);
    if (p.n_headers != 0 && !p.from_environment && p.url.len == 0)
        rc = river_problem(problems, where != NULL ? where : "proxy_connect_header",
                           "%sproxy_connect_header needs proxy_url or proxy_from_environment", of);
    return rc;
}

/* What the client, or what is sent, decides itself: Prometheus refuses them too. */
static const char *const reserved[] = {
    "Accept-Encoding",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Host",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "User-Agent",
    "Www-Authenticate",
    "X-Amz-Content-Sha256",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
};

static enum code check_headers(const struct river_secret_list_map *headers, struct river_problems *problems)
{
    enum code rc = OK;

    for (size_t i = 0; i < headers->n; i++)
        for (size_t k = 0; k < sizeof reserved / sizeof reserved[0]; k++)
            if (slice_eq_nocase(headers->items[i].name, slice_str(reserved[k])))
                rc = river_problem(problems, "http_headers", "http_headers may not set %s", reserved[k]);
    return rc;
}

static enum code check_oauth2(const struct http_oauth2_args *o, struct river_problems *problems)
{
    enum code rc = OK;

    if (o->client_id.len == 0)
        rc = river_problem(problems, "oauth2", "oauth2: client_id must be set");
    if (o->client_secret.text.len == 0 && o->client_secret_file.len == 0)
        rc = river_problem(problems, "oauth2", "oauth2: client_secret or client_secret_file must be set");
    if (o->client_secret.text.len != 0 && o->client_secret_file.len != 0)
        rc =
            river_problem(problems, "oauth2", "oauth2: at most one of client_secret and client_secret_file may be set");
    if (o->token_url.len == 0)
        rc = river_problem(problems, "oauth2", "oauth2: token_url must be set");
    if (check_proxy(
            (struct proxy_args){o->proxy_url, o->no_proxy, o->proxy_from_environment, o->proxy_connect_header.n, true},
            problems) != OK)
        rc = INVALID;
    return rc;
}

enum code http_args_check(const struct http_args *a, struct river_problems *problems)
{
    enum code rc = check_kinds(a, problems);

    if (a->basic_auth != NULL && a->basic_auth->password.text.len != 0 && a->basic_auth->password_file.len != 0)
        rc = river_problem(problems, "basic_auth", "at most one of password and password_file may be set");
    if (a->authorization != NULL && a->authorization->credentials.text.len != 0 &&
        a->authorization->credentials_file.len != 0)
        rc = river_problem(problems, "authorization", "at most one of credentials and credentials_file may be set");
    if (a->authorization != NULL && slice_eq_nocase(a->authorization->type, SLICE_LIT("basic")))
        rc = river_problem(problems, "authorization", "type may not be \"basic\": use basic_auth");
    if (a->oauth2 != NULL && check_oauth2(a->oauth2, problems) != OK)
        rc = INVALID;
    if (check_headers(&a->http_headers, problems) != OK)
        rc = INVALID;
    if (check_proxy(
            (struct proxy_args){a->proxy_url, a->no_proxy, a->proxy_from_environment, a->proxy_connect_header.n, false},
            problems) != OK)
        rc = INVALID;
    return rc;
}
