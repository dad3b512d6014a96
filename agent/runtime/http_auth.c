/* What makes requests of http_args. */
#include "agent/base/mem.h"
#include "agent/io/credential_file.h"
#include "agent/io/oauth2.h"
#include "agent/io/tls.h"
#include "agent/runtime/http_args.h"

enum { SECRET_BYTES_MAX = 64 * 1024 };

struct http_auth {
    struct slice basic_user, secret, scheme; /* secret: the password, token or credentials as written */
    bool has_basic, has_scheme;              /* scheme: an Authorization header of our own making */
    struct credential_file *file;            /* instead of secret */
    struct oauth2 *oauth2;                   /* NULL: none */
    struct tls_options *tls;                 /* NULL: the defaults */
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment, follow_redirects, http2;
    struct http_header *proxy_headers, *headers;
    size_t n_proxy_headers, n_headers;
    struct arena arena; /* all texts */
};

/* Texts live in arena. */
static void copy_headers(struct arena *arena, const struct river_secret_list_map *map, struct http_header **out,
                         size_t *n)
{
    size_t total = 0;

    for (size_t i = 0; i < map->n; i++)
        total += map->items[i].values.n;
    *out = arena_zalloc(arena, (total + 1) * sizeof **out);
    for (size_t i = 0; i < map->n; i++)
        for (size_t j = 0; j < map->items[i].values.n; j++)
            (*out)[(*n)++] = (struct http_header){arena_copy(arena, map->items[i].name),
                                                  arena_copy(arena, map->items[i].values.items[j].text),
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

static struct tls_options tls_of(const struct http_tls_args *t)
{
    return (struct tls_options){
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
}

static enum code make_oauth2(struct oauth2 **out, const struct http_oauth2_args *args, struct error *err)
{
    const struct tls_options tls = tls_of(&args->tls);
    struct oauth2_param *params;
    struct http_header *headers;
    struct arena scratch;
    size_t n_headers = 0;
    enum code rc = tls_options_check(&tls, false, err);

    *out = NULL;
    if (rc != OK) {
        error_prefix(err, "oauth2");
        return rc;
    }
    arena_init(&scratch, 0);
    copy_headers(&scratch, &args->proxy_connect_header, &headers, &n_headers);
    params = arena_zalloc(&scratch, (args->endpoint_params.n + 1) * sizeof *params);
    for (size_t i = 0; i < args->endpoint_params.n; i++)
        params[i] = (struct oauth2_param){args->endpoint_params.items[i].name, args->endpoint_params.items[i].value};
    rc = oauth2_new(out,
                    &(struct oauth2_options){
                        .client_id = args->client_id,
                        .client_secret = args->client_secret.text,
                        .client_secret_file = args->client_secret_file,
                        .scopes = args->scopes.items,
                        .n_scopes = args->scopes.n,
                        .token_url = args->token_url,
                        .params = params,
                        .n_params = args->endpoint_params.n,
                        .tls = &tls,
                        .proxy_url = args->proxy_url,
                        .no_proxy = args->no_proxy,
                        .proxy_from_environment = args->proxy_from_environment,
                        .proxy_headers = headers,
                        .n_proxy_headers = n_headers,
                    },
                    NULL, err);
    arena_release(&scratch);
    return rc;
}

enum code http_auth_new(struct http_auth **out, const struct http_args *args, struct error *err)
{
    const struct tls_options tls = tls_of(&args->tls);
    struct oauth2 *oauth2 = NULL;
    struct http_auth *a;

    *out = NULL;
    if (tls_options_check(&tls, false, err) != OK)
        return INVALID;
    if (args->oauth2 != NULL && make_oauth2(&oauth2, args->oauth2, err) != OK)
        return INVALID;
    a = mem_zalloc(sizeof *a);
    arena_init(&a->arena, 0);
    a->oauth2 = oauth2;
    a->tls = tls_options_copy(&tls);
    set_credentials(a, args);
    a->proxy_url = arena_copy(&a->arena, args->proxy_url);
    a->no_proxy = arena_copy(&a->arena, args->no_proxy);
    a->proxy_from_environment = args->proxy_from_environment;
    a->follow_redirects = args->follow_redirects;
    a->http2 = args->enable_http2;
    copy_headers(&a->arena, &args->proxy_connect_header, &a->proxy_headers, &a->n_proxy_headers);
    copy_headers(&a->arena, &args->http_headers, &a->headers, &a->n_headers);
    *out = a;
    return OK;
}

void http_auth_free(struct http_auth *a)
{
    if (a == NULL)
        return;
    credential_file_free(a->file);
    oauth2_unref(a->oauth2);
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
    request->oauth2 = a->oauth2;
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
