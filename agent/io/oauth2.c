#include "agent/io/oauth2.h"
#include "agent/base/arena.h"
#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/credential_file.h"
#include "agent/io/http_url.h"
#include "agent/text/json.h"
#include <pthread.h>
#include <stdatomic.h>

#define EARLY_S 10
#define FOREVER_S (INT64_C(100) * 365 * 24 * 3600)

struct oauth2 {
    atomic_uint refs;
    const struct clock *clock;
    struct arena arena; /* all texts of the settings */
    struct slice client_id, client_secret, token_url, host;
    struct credential_file *secret_file; /* instead of client_secret; owned */
    struct slice *scopes;
    size_t n_scopes;
    struct oauth2_param *params;
    size_t n_params;
    struct tls_options *tls; /* owned; NULL: the system's roots */
    struct slice proxy_url, no_proxy;
    bool proxy_from_environment;
    struct http_header *proxy_headers;
    size_t n_proxy_headers;

    pthread_mutex_t lock; /* for all below */
    char *token;          /* "Bearer X"; owned; NULL: none */
    size_t token_len;
    uint64_t serial;      /* of token */
    uint64_t secret_hash; /* of the secret it was got with: a changed file means a new token */
    int64_t expires_ns;   /* monotonic */
    bool is_form_first;   /* the endpoint takes the credentials in the form */
};

enum code oauth2_new(struct oauth2 **out, const struct oauth2_options *options, const struct clock *clock,
                     struct error *err)
{
    struct oauth2 *o;
    struct http_url url;

    *out = NULL;
    if (http_url_parse(&url, options->token_url, err) != OK) {
        error_prefix(err, "token_url");
        return INVALID;
    }
    o = mem_zalloc(sizeof *o);
    atomic_init(&o->refs, 1);
    o->clock = clock != NULL ? clock : clock_system();
    arena_init(&o->arena, 0);
    pthread_mutex_init(&o->lock, NULL);
    o->client_id = arena_copy(&o->arena, options->client_id);
    o->client_secret = arena_copy(&o->arena, options->client_secret);
    o->token_url = arena_copy(&o->arena, options->token_url);
    o->host = arena_copy(&o->arena, url.host);
    if (options->client_secret_file.len != 0)
        o->secret_file = credential_file_new(options->client_secret_file, clock);
    o->scopes = arena_zalloc(&o->arena, (options->n_scopes + 1) * sizeof *o->scopes);
    for (; o->n_scopes < options->n_scopes; o->n_scopes++)
        o->scopes[o->n_scopes] = arena_copy(&o->arena, options->scopes[o->n_scopes]);
    o->params = arena_zalloc(&o->arena, (options->n_params + 1) * sizeof *o->params);
    for (; o->n_params < options->n_params; o->n_params++)
        o->params[o->n_params] = (struct oauth2_param){arena_copy(&o->arena, options->params[o->n_params].name),
                                                       arena_copy(&o->arena, options->params[o->n_params].value)};
    o->tls = options->tls != NULL ? tls_options_copy(options->tls) : NULL;
    o->proxy_url = arena_copy(&o->arena, options->proxy_url);
    o->no_proxy = arena_copy(&o->arena, options->no_proxy);
    o->proxy_from_environment = options->proxy_from_environment;
    o->proxy_headers = arena_zalloc(&o->arena, (options->n_proxy_headers + 1) * sizeof *o->proxy_headers);
    for (; o->n_proxy_headers < options->n_proxy_headers; o->n_proxy_headers++) {
        const struct http_header *h = &options->proxy_headers[o->n_proxy_headers];

        o->proxy_headers[o->n_proxy_headers] =
            (struct http_header){arena_copy(&o->arena, h->name), arena_copy(&o->arena, h->value), h->is_secret};
    }
    *out = o;
    return OK;
}

struct oauth2 *oauth2_ref(struct oauth2 *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

static void forget(struct oauth2 *o)
{
    mem_free_secret(o->token, o->token_len);
    o->token = NULL;
    o->token_len = 0;
}

void oauth2_unref(struct oauth2 *o)
{
    if (o == NULL || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    forget(o);
    credential_file_free(o->secret_file);
    tls_options_free(o->tls);
    pthread_mutex_destroy(&o->lock);
    arena_release(&o->arena);
    mem_free(o);
}

/* The present secret, into b when it is in a file. */
static enum code present_secret(struct oauth2 *o, struct buf *b, struct slice *out, struct error *err)
{
    *out = o->client_secret;
    if (o->secret_file == NULL)
        return OK;
    if (credential_file_get(o->secret_file, b, err) != OK)
        return IO;
    *out = buf_slice(b);
    return OK;
}

static void wipe(struct buf *b)
{
    if (b->ptr != NULL)
        explicit_bzero(b->ptr, b->cap);
    buf_release(b);
}

enum code oauth2_header(struct oauth2 *o, struct buf *out, uint64_t *serial, struct error *err)
{
    struct slice secret;
    struct buf b;
    enum code rc;

    buf_init(&b, LIMIT_CREDENTIAL_FILE_BYTES);
    rc = present_secret(o, &b, &secret, err);
    pthread_mutex_lock(&o->lock);
    if (rc == OK && o->token != NULL && (clock_mono_ns(o->clock) >= o->expires_ns || hash64(secret) != o->secret_hash))
        forget(o);
    if (rc == OK && o->token == NULL)
        rc = AGAIN;
    if (rc == OK) {
        *serial = o->serial;
        rc = buf_add(out, slice_make(o->token, o->token_len));
    }
    pthread_mutex_unlock(&o->lock);
    wipe(&b);
    return rc;
}

void oauth2_forget(struct oauth2 *o, uint64_t serial)
{
    pthread_mutex_lock(&o->lock);
    if (o->serial == serial)
        forget(o);
    pthread_mutex_unlock(&o->lock);
}

static void add_pair(struct buf *form, const char *name, struct slice value)
{
    if (form->len != 0)
        (void)buf_add_char(form, '&');
    (void)buf_add_str(form, name);
    (void)buf_add_char(form, '=');
    (void)http_url_escape(form, value);
}

static void write_form(const struct oauth2 *o, struct buf *form)
{
    buf_reset(form);
    add_pair(form, "grant_type", SLICE_LIT("client_credentials"));
    if (o->n_scopes != 0) {
        (void)buf_add_str(form, "&scope=");
        for (size_t i = 0; i < o->n_scopes; i++) {
            (void)buf_add_str(form, i != 0 ? "%20" : "");
            (void)http_url_escape(form, o->scopes[i]);
        }
    }
    for (size_t i = 0; i < o->n_params; i++) {
        (void)buf_add_char(form, '&');
        (void)http_url_escape(form, o->params[i].name);
        (void)buf_add_char(form, '=');
        (void)http_url_escape(form, o->params[i].value);
    }
}

/* RFC 6749, 2.3.1: both are form-encoded before they become user and password. */
static void put_basic(struct arena *arena, const struct oauth2 *o, struct slice secret, struct http_request *request)
{
    struct buf text;

    buf_init(&text, 8u * LIMIT_CREDENTIAL_FILE_BYTES);
    (void)http_url_escape(&text, o->client_id);
    request->basic_user = arena_copy(arena, buf_slice(&text));
    buf_reset(&text);
    (void)http_url_escape(&text, secret);
    request->basic_password = arena_copy(arena, buf_slice(&text));
    request->has_basic = true;
    wipe(&text);
}

enum code oauth2_ask(struct oauth2 *o, bool second, struct arena *arena, struct buf *body, struct http_request *request,
                     struct error *err)
{
    struct http_header *type = arena_zalloc(arena, sizeof *type);
    bool in_form;
    struct slice secret;
    struct buf b;

    buf_init(&b, LIMIT_CREDENTIAL_FILE_BYTES);
    if (present_secret(o, &b, &secret, err) != OK) {
        buf_release(&b);
        return IO;
    }
    pthread_mutex_lock(&o->lock);
    in_form = o->is_form_first != second;
    pthread_mutex_unlock(&o->lock);
    *type = (struct http_header){SLICE_LIT("Content-Type"), SLICE_LIT("application/x-www-form-urlencoded"), false};
    *request = (struct http_request){
        .method = "POST",
        .url = o->token_url,
        .headers = type,
        .n_headers = 1,
        .tls = o->tls,
        .proxy_url = o->proxy_url,
        .no_proxy = o->no_proxy,
        .proxy_from_environment = o->proxy_from_environment,
        .proxy_headers = o->proxy_headers,
        .n_proxy_headers = o->n_proxy_headers,
        .http2 = true,
        .max_response_bytes = LIMIT_HTTP_RESPONSE_BYTES,
    };
    write_form(o, body);
    if (in_form) {
        add_pair(body, "client_id", o->client_id);
        add_pair(body, "client_secret", secret);
    } else {
        put_basic(arena, o, secret, request);
    }
    request->body = buf_slice(body);
    wipe(&b);
    return body->is_full ? error_set(err, IO, "the token request is too long") : OK;
}

/* What an endpoint gave. */
struct grant {
    struct slice token, type;
    int64_t expires_s; /* <= 0: it never does */
};

static enum code read_json(struct arena *arena, struct slice body, struct grant *out)
{
    struct json j;
    const struct json *token, *type, *expires;
    double seconds = 0;

    if (json_parse(arena, body, &j, NULL) != OK)
        return CORRUPT;
    token = json_get(&j, SLICE_LIT("access_token"));
    type = json_get(&j, SLICE_LIT("token_type"));
    expires = json_get(&j, SLICE_LIT("expires_in"));
    if (token == NULL || token->type != JSON_STRING)
        return CORRUPT;
    out->token = token->text;
    if (type != NULL && type->type == JSON_STRING)
        out->type = type->text;
    if (expires != NULL && expires->type == JSON_STRING) /* some write it so */
        (void)slice_to_f64(expires->text, &seconds);
    else if (expires != NULL)
        (void)json_as_f64(expires, &seconds);
    if (seconds > 0)
        out->expires_s = seconds < (double)FOREVER_S ? (int64_t)seconds : FOREVER_S;
    return OK;
}

/* Some endpoints answer with a form. */
static enum code read_form(struct arena *arena, struct slice body, struct grant *out)
{
    struct slice pair, name, value;

    while (body.len != 0) {
        struct buf plain;

        (void)slice_cut(body, '&', &pair, &body);
        (void)slice_cut(pair, '=', &name, &value);
        buf_init(&plain, LIMIT_HTTP_RESPONSE_BYTES);
        if (http_url_unescape(&plain, value, true) != OK) {
            buf_release(&plain);
            return CORRUPT;
        }
        value = arena_copy(arena, buf_slice(&plain));
        wipe(&plain);
        if (slice_eq_str(name, "access_token"))
            out->token = value;
        else if (slice_eq_str(name, "token_type"))
            out->type = value;
        else if (slice_eq_str(name, "expires_in"))
            (void)slice_to_i64(value, &out->expires_s);
    }
    return OK;
}

static bool is_printable(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || (unsigned char)s.ptr[i] > '~')
            return false;
    return true;
}

static enum code keep(struct oauth2 *o, bool second, const struct grant *g, struct error *err)
{
    struct slice type =
        g->type.len == 0 || slice_eq_nocase(g->type, SLICE_LIT("bearer")) ? SLICE_LIT("Bearer") : g->type;
    int64_t lasts_s = g->expires_s > EARLY_S ? g->expires_s - EARLY_S : g->expires_s;
    struct slice secret = {0};
    struct buf b;

    if (g->token.len == 0 || !is_printable(g->token) || !is_printable(type))
        return error_set(err, IO, "the token endpoint %.*s gave no token", SLICE_ARG(o->host));
    buf_init(&b, LIMIT_CREDENTIAL_FILE_BYTES);
    (void)present_secret(o, &b, &secret, NULL);
    pthread_mutex_lock(&o->lock);
    forget(o);
    o->token = mem_printf("%.*s %.*s", (int)type.len, type.ptr, (int)g->token.len, g->token.ptr);
    o->token_len = strlen(o->token);
    o->serial++;
    o->secret_hash = hash64(secret);
    o->expires_ns = lasts_s > 0 ? clock_mono_ns(o->clock) + lasts_s * NS_PER_S : INT64_MAX;
    o->is_form_first = o->is_form_first != second;
    pthread_mutex_unlock(&o->lock);
    wipe(&b);
    return OK;
}

/* RFC 6749, 5.2: the error's name, when the endpoint gave one. */
static struct slice error_name(struct arena *arena, struct slice body)
{
    const struct json *name;
    struct json j;

    if (json_parse(arena, body, &j, NULL) != OK)
        return (struct slice){0};
    name = json_get(&j, SLICE_LIT("error"));
    return name != NULL && name->type == JSON_STRING && is_printable(name->text) ? slice_head(name->text, 64)
                                                                                 : (struct slice){0};
}

enum code oauth2_take(struct oauth2 *o, bool second, const struct http_result *result, bool *may_try_second,
                      struct error *err)
{
    struct grant g = {0};
    struct arena arena;
    struct slice type;
    enum code rc;

    *may_try_second = result->outcome == HTTP_ANSWERED && !second && result->status < 500;
    if (result->outcome != HTTP_ANSWERED)
        return error_set(err, IO, "no token from %.*s: %.*s", SLICE_ARG(o->host), SLICE_ARG(result->error));
    arena_init(&arena, 16u * LIMIT_HTTP_RESPONSE_BYTES);
    if (result->status < 200 || result->status > 299) {
        struct slice name = error_name(&arena, result->body);

        rc = error_set(err, IO, "no token from %.*s: it answers %d%s%.*s", SLICE_ARG(o->host), result->status,
                       name.len != 0 ? " " : "", SLICE_ARG(name));
    } else {
        type = http_result_header(result, "Content-Type");
        (void)slice_cut(type, ';', &type, &(struct slice){0});
        type = slice_trim(type);
        if (slice_eq_nocase(type, SLICE_LIT("application/x-www-form-urlencoded")) ||
            slice_eq_nocase(type, SLICE_LIT("text/plain")))
            rc = read_form(&arena, result->body, &g);
        else
            rc = read_json(&arena, result->body, &g);
        rc = rc == OK ? keep(o, second, &g, err)
                      : error_set(err, IO, "no token from %.*s: its answer cannot be read", SLICE_ARG(o->host));
    }
    arena_release(&arena);
    return rc;
}
