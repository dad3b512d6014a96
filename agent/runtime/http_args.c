#include "agent/runtime/http_args.h"
#include "agent/base/mem.h"
#include "agent/io/credential_file.h"
#include "agent/io/tls.h"

enum { SECRET_BYTES_MAX = 64 * 1024 };

/* ---- the tables ---- */

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
         .kind = RIVER_BODY,                                                                                           \
         .flags = RIVER_REFUSED,                                                                                       \
         .offset = HTTP(oauth2),                                                                                       \
         .doc =                                                                                                        \
             "OAuth 2.0 client credentials; hyagent does not have them yet: use authorization or bearer_token_file"},  \
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
    int kinds = (a->basic_auth != NULL) + (a->authorization != NULL) + has_bearer;

    if (a->bearer_token.text.len != 0 && a->bearer_token_file.len != 0)
        return river_problem(problems, "bearer_token_file",
                             "at most one of bearer_token and bearer_token_file may be set");
    if (kinds > 1)
        return river_problem(problems, has_bearer ? "bearer_token" : "authorization",
                             "at most one of basic_auth, authorization, bearer_token and bearer_token_file may be set");
    return OK;
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
    if (a->no_proxy.len != 0 && a->proxy_url.len == 0)
        rc = river_problem(problems, "no_proxy", "no_proxy needs proxy_url");
    if (a->proxy_from_environment && a->proxy_url.len != 0)
        rc = river_problem(problems, "proxy_from_environment", "not together with proxy_url");
    return rc;
}

/* ---- a client's settings at run time ---- */

struct http_auth {
    struct slice basic_user, secret, scheme; /* secret: the password, token or credentials as written */
    bool has_basic, has_scheme;              /* scheme: an Authorization header of our own making */
    struct credential_file *file;            /* instead of secret */
    struct tls_options *tls;                 /* NULL: the defaults */
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment, follow_redirects, http2;
    struct http_header *proxy_headers, *headers;
    size_t n_proxy_headers, n_headers;
    struct arena arena; /* all texts */
};

static void copy_headers(struct http_auth *a, const struct river_secret_list_map *map, struct http_header **out,
                         size_t *n)
{
    size_t total = 0;

    for (size_t i = 0; i < map->n; i++)
        total += map->items[i].values.n;
    *out = arena_zalloc(&a->arena, (total + 1) * sizeof **out);
    for (size_t i = 0; i < map->n; i++)
        for (size_t j = 0; j < map->items[i].values.n; j++)
            (*out)[(*n)++] = (struct http_header){arena_copy(&a->arena, map->items[i].name),
                                                  arena_copy(&a->arena, map->items[i].values.items[j].text),
                                                  map->items[i].values.items[j].is_secret};
}

static void set_credentials(struct http_auth *a, const struct http_args *args)
{
    struct slice text = args->bearer_token.text, file = args->bearer_token_file;

    if (args->basic_auth != NULL) {
        a->has_basic = true;
        a->basic_user = arena_copy(&a->arena, args->basic_auth->username);
        text = args->basic_auth->password.text;
        file = args->basic_auth->password_file;
    } else if (args->authorization != NULL) {
        text = args->authorization->credentials.text;
        file = args->authorization->credentials_file;
        a->scheme = arena_copy(&a->arena, slice_trim(args->authorization->type));
        a->has_scheme = text.len != 0 || file.len != 0;
    } else if (text.len != 0 || file.len != 0) {
        a->scheme = SLICE_LIT("Bearer");
        a->has_scheme = true;
    }
    a->secret = arena_copy(&a->arena, text);
    if (file.len != 0)
        a->file = credential_file_new(file, NULL);
}

enum code http_auth_new(struct http_auth **out, const struct http_args *args, struct error *err)
{
    const struct http_tls_args *t = &args->tls;
    const struct tls_options tls = {
        .ca_file = t->ca_file,
        .ca_pem = t->ca_pem,
        .cert_file = t->cert_file,
        .cert_pem = t->cert_pem,
        .key_file = t->key_file,
        .key_pem = t->key_pem.text,
        .server_name = t->server_name,
        .insecure_skip_verify = t->insecure_skip_verify,
        .min_version = (enum tls_version)t->min_version,
    };
    struct http_auth *a;

    *out = NULL;
    if (tls_options_check(&tls, false, err) != OK)
        return INVALID;
    a = mem_zalloc(sizeof *a);
    arena_init(&a->arena, 0);
    a->tls = tls_options_copy(&tls);
    set_credentials(a, args);
    a->proxy_url = arena_copy(&a->arena, args->proxy_url);
    a->no_proxy = arena_copy(&a->arena, args->no_proxy);
    a->proxy_from_environment = args->proxy_from_environment;
    a->follow_redirects = args->follow_redirects;
    a->http2 = args->enable_http2;
    copy_headers(a, &args->proxy_connect_header, &a->proxy_headers, &a->n_proxy_headers);
    copy_headers(a, &args->http_headers, &a->headers, &a->n_headers);
    *out = a;
    return OK;
}

void http_auth_free(struct http_auth *a)
{
    if (a == NULL)
        return;
    credential_file_free(a->file);
    tls_options_free(a->tls);
    arena_release(&a->arena);
    mem_free(a);
}

static enum code present_secret(struct http_auth *a, struct arena *arena, struct slice *out, struct error *err)
{
    struct buf b;
    enum code rc;

    *out = a->secret;
    if (a->file == NULL)
        return OK;
    buf_init(&b, SECRET_BYTES_MAX);
    rc = credential_file_get(a->file, &b, err);
    if (rc == OK)
        *out = arena_copy(arena, buf_slice(&b));
    if (b.ptr != NULL)
        memset(b.ptr, 0, b.cap);
    buf_release(&b);
    return rc;
}

enum code http_auth_apply(struct http_auth *a, struct http_request *request, struct arena *arena, struct error *err)
{
    struct http_header *headers = arena_alloc(arena, (request->n_headers + a->n_headers + 1) * sizeof *headers);
    size_t n = request->n_headers;
    struct slice secret;

    if (present_secret(a, arena, &secret, err) != OK)
        return IO;
    if (n != 0)
        memcpy(headers, request->headers, n * sizeof *headers);
    if (a->n_headers != 0)
        memcpy(headers + n, a->headers, a->n_headers * sizeof *headers);
    n += a->n_headers;
    if (a->has_basic) {
        request->has_basic = true;
        request->basic_user = a->basic_user;
        request->basic_password = secret;
    } else if (a->has_scheme) {
        headers[n].name = SLICE_LIT("Authorization");
        headers[n].value = slice_str(arena_printf(arena, "%.*s %.*s", (int)a->scheme.len, a->scheme.ptr,
                                                  (int)secret.len, secret.len != 0 ? secret.ptr : ""));
        headers[n++].is_secret = true;
    }
    request->headers = headers;
    request->n_headers = n;
    request->tls = a->tls;
    request->proxy_url = a->proxy_url;
    request->no_proxy = a->no_proxy;
    request->proxy_from_environment = a->proxy_from_environment;
    request->proxy_headers = a->proxy_headers;
    request->n_proxy_headers = a->n_proxy_headers;
    request->follow_redirects = a->follow_redirects;
    request->http2 = a->http2;
    return OK;
}
