/* The http block: TLS and basic authentication of the admin server. What it says is handed to the server through the
 * admin_link that cli made. A server that could not be set up as asked answers nobody but probes: it must not stand
 * open because a file is missing. */
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/runtime/config_blocks.h"
#include "agent/runtime/runtime_int.h"

struct tls_args {
    struct slice cert_pem, cert_file, key_file, client_ca_pem, client_ca_file;
    struct river_secret key_pem;
    int client_auth, min_version, max_version;
    struct river_ints cipher_suites, curves;
};

struct basic_args {
    struct slice username;
    struct river_secret password;
};

struct filter_args {
    struct river_strings paths;
    bool authenticate_matching_paths;
};

struct auth_args {
    struct basic_args *basic;
    struct filter_args *filter;
};

struct http_args {
    struct tls_args *tls;
    struct auth_args *auth;
};

struct component {
    struct host *host;
    bool is_sealed; /* what was asked for could not be had */
};

static const struct river_enum client_auths[] = {
    {"NoClientCert", TLS_CLIENT_AUTH_NONE},
    {"RequestClientCert", TLS_CLIENT_AUTH_REQUEST},
    {"RequireAnyClientCert", TLS_CLIENT_AUTH_REQUIRE_ANY},
    {"VerifyClientCertIfGiven", TLS_CLIENT_AUTH_VERIFY_IF_GIVEN},
    {"RequireAndVerifyClientCert", TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY},
    {NULL, 0},
};

static const struct river_enum versions[] = {
    {"TLS10", TLS_VERSION_1_0},
    {"TLS11", TLS_VERSION_1_1},
    {"TLS12", TLS_VERSION_1_2},
    {"TLS13", TLS_VERSION_1_3},
    {NULL, 0},
};

/* The names Go's crypto/tls has for what it thinks secure. */
static const struct river_enum ciphers[] = {
    {"TLS_AES_128_GCM_SHA256", TLS_CIPHER_TLS13},
    {"TLS_AES_256_GCM_SHA384", TLS_CIPHER_TLS13},
    {"TLS_CHACHA20_POLY1305_SHA256", TLS_CIPHER_TLS13},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", TLS_CIPHER_ECDSA_AES128_CBC_SHA},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", TLS_CIPHER_ECDSA_AES256_CBC_SHA},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", TLS_CIPHER_RSA_AES128_CBC_SHA},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", TLS_CIPHER_RSA_AES256_CBC_SHA},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", TLS_CIPHER_ECDSA_AES128_GCM},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", TLS_CIPHER_ECDSA_AES256_GCM},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", TLS_CIPHER_RSA_AES128_GCM},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", TLS_CIPHER_RSA_AES256_GCM},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", TLS_CIPHER_RSA_CHACHA20},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", TLS_CIPHER_ECDSA_CHACHA20},
    {NULL, 0},
};

static const struct river_enum curves[] = {
    {"CurveP256", TLS_CURVE_P256},
    {"CurveP384", TLS_CURVE_P384},
    {"CurveP521", TLS_CURVE_P521},
    {"X25519", TLS_CURVE_X25519},
    {NULL, 0},
};

#define TLS(member) offsetof(struct tls_args, member)
static const struct river_field tls_fields[] = {
    {.name = "cert_pem", .kind = RIVER_STRING, .offset = TLS(cert_pem), .doc = "the server's certificate, as text"},
    {.name = "cert_file",
     .kind = RIVER_STRING,
     .offset = TLS(cert_file),
     .doc = "file of the server's certificate; read again when it changes"},
    {.name = "key_pem", .kind = RIVER_SECRET, .offset = TLS(key_pem), .doc = "its key, as text"},
    {.name = "key_file",
     .kind = RIVER_STRING,
     .offset = TLS(key_file),
     .doc = "file of its key; read again when it changes"},
    {.name = "client_ca_pem",
     .kind = RIVER_STRING,
     .offset = TLS(client_ca_pem),
     .doc = "authorities of client certificates, as text"},
    {.name = "client_ca_file",
     .kind = RIVER_STRING,
     .offset = TLS(client_ca_file),
     .doc = "file of the authorities of client certificates"},
    {.name = "client_auth_type",
     .kind = RIVER_ENUM,
     .offset = TLS(client_auth),
     .choices = client_auths,
     .def = "\"NoClientCert\"",
     .doc = "what is asked of clients; who does not have it gets 403"},
    {.name = "cipher_suites",
     .kind = RIVER_ENUM_LIST,
     .offset = TLS(cipher_suites),
     .choices = ciphers,
     .doc = "the only cipher suites on offer, by Go's names; they narrow TLS 1.3 too; empty: the library's choice"},
    {.name = "curve_preferences",
     .kind = RIVER_ENUM_LIST,
     .offset = TLS(curves),
     .choices = curves,
     .doc = "the only elliptic curves on offer; empty: the library's choice"},
    {.name = "min_version",
     .kind = RIVER_ENUM,
     .offset = TLS(min_version),
     .choices = versions,
     .doc = "the lowest version of TLS; unset: TLS12"},
    {.name = "max_version",
     .kind = RIVER_ENUM,
     .offset = TLS(max_version),
     .choices = versions,
     .doc = "the highest version of TLS; unset: the highest there is"},
    {.name = "windows_certificate_filter",
     .kind = RIVER_BODY,
     .flags = RIVER_REFUSED,
     .doc = "Windows' certificate store: hyagent runs on Linux."},
    RIVER_FIELDS_END,
};

static unsigned bits_of(const struct river_ints *list)
{
    unsigned bits = 0;

    for (size_t i = 0; i < list->n; i++)
        bits |= 1u << list->items[i];
    return bits;
}

static struct tls_options options_of(const struct tls_args *a)
{
    return (struct tls_options){
        .cert_pem = a->cert_pem,
        .cert_file = a->cert_file,
        .key_pem = a->key_pem.text,
        .key_file = a->key_file,
        .client_ca_pem = a->client_ca_pem,
        .client_ca_file = a->client_ca_file,
        .client_auth = (enum tls_client_auth)a->client_auth,
        .min_version = (enum tls_version)a->min_version,
        .max_version = (enum tls_version)a->max_version,
        .cipher_suites = bits_of(&a->cipher_suites),
        .curves = bits_of(&a->curves),
    };
}

static enum code check_tls(const void *args, struct river_problems *problems)
{
    const struct tls_args *a = args;
    struct tls_options options = options_of(a);
    struct error err = {0};

    if (a->client_auth == TLS_CLIENT_AUTH_NONE && (a->client_ca_pem.len != 0 || a->client_ca_file.len != 0))
        return river_problem(problems, a->client_ca_pem.len != 0 ? "client_ca_pem" : "client_ca_file",
                             "a client_ca is of no use while client_auth_type is \"NoClientCert\": set "
                             "client_auth_type = \"RequireAndVerifyClientCert\"");
    if (tls_options_check(&options, true, &err) != OK)
        return river_problem(problems, NULL, "%s", err.text);
    return OK;
}

static const struct river_block tls_block = {
    .name = "tls",
    .fields = tls_fields,
    .size = sizeof(struct tls_args),
    .doc = "Serve with TLS.",
    .validate = check_tls,
};

static const struct river_field basic_fields[] = {
    {.name = "username",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct basic_args, username),
     .doc = "the name that is asked for"},
    {.name = "password",
     .kind = RIVER_SECRET,
     .flags = RIVER_REQUIRED,
     .offset = offsetof(struct basic_args, password),
     .doc = "the password that is asked for"},
    RIVER_FIELDS_END,
};

static const struct river_block basic_block = {
    .name = "basic",
    .fields = basic_fields,
    .size = sizeof(struct basic_args),
    .doc = "Ask for a name and a password (HTTP basic authentication).",
};

static const struct river_field filter_fields[] = {
    {.name = "paths",
     .kind = RIVER_STRING_LIST,
     .offset = offsetof(struct filter_args, paths),
     .doc = "beginnings of paths"},
    {.name = "authenticate_matching_paths",
     .kind = RIVER_BOOL,
     .offset = offsetof(struct filter_args, authenticate_matching_paths),
     .def = "true",
     .doc = "true: only these paths ask for a password; false: all but these"},
    RIVER_FIELDS_END,
};

static enum code check_filter(const void *args, struct river_problems *problems)
{
    const struct filter_args *a = args;

    if (a->paths.n == 0 && a->authenticate_matching_paths)
        river_problem_warn(problems, NULL,
                           "no path asks for a password: \"paths\" is empty and authenticate_matching_paths is true");
    return OK;
}

static const struct river_block filter_block = {
    .name = "filter",
    .fields = filter_fields,
    .size = sizeof(struct filter_args),
    .doc = "Which paths ask for a password; without this block all do.",
    .validate = check_filter,
};

static const struct river_field auth_fields[] = {
    {.name = "basic",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct auth_args, basic),
     .block = &basic_block,
     .doc = "a name and a password"},
    {.name = "filter",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct auth_args, filter),
     .block = &filter_block,
     .doc = "which paths are meant"},
    RIVER_FIELDS_END,
};

static const struct river_block auth_block = {
    .name = "auth",
    .fields = auth_fields,
    .size = sizeof(struct auth_args),
    .doc = "Who may use the admin server.",
};

static const struct river_field http_fields[] = {
    {.name = "auth",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct http_args, auth),
     .block = &auth_block,
     .doc = "ask for a password"},
    {.name = "tls",
     .kind = RIVER_BLOCK,
     .flags = RIVER_POINTER,
     .offset = offsetof(struct http_args, tls),
     .block = &tls_block,
     .doc = "serve with TLS"},
    RIVER_FIELDS_END,
};

static const struct river_block http_block = {
    .name = "http",
    .fields = http_fields,
    .size = sizeof(struct http_args),
    .doc = "TLS and authentication of the admin server.",
};

static enum code apply(struct host *host, const struct http_args *a, struct error *err)
{
    const struct admin_link *admin = host->rt->options.admin;
    struct http_settings settings = {0};
    struct tls_options tls;

    if (admin == NULL || admin->apply_http == NULL)
        return OK;
    if (a->tls != NULL) {
        tls = options_of(a->tls);
        settings.tls = &tls;
    }
    if (a->auth != NULL && a->auth->basic != NULL) {
        settings.has_basic = true;
        settings.username = a->auth->basic->username;
        settings.password = a->auth->basic->password.text;
    }
    if (settings.has_basic && a->auth->filter != NULL) {
        settings.paths = a->auth->filter->paths;
        settings.authenticate_matching_paths = a->auth->filter->authenticate_matching_paths;
    }
    return admin->apply_http(admin->self, &settings, err);
}

static void seal(struct host *host, const char *why)
{
    const struct admin_link *admin = host->rt->options.admin;
    struct http_settings settings = {.sealed = why};
    struct error err = {0};

    if (admin->apply_http(admin->self, &settings, &err) != OK)
        log_error("http", "the admin server cannot be closed", log_str("error", err.text));
}

static enum code create(void **out, struct host *host, const void *args, struct error *err)
{
    struct component *c = mem_zalloc(sizeof *c);
    struct error why = {0};

    (void)err;
    c->host = host;
    *out = c;
    if (apply(host, args, &why) == OK)
        return OK;
    c->is_sealed = true;
    log_error("http", "the http block cannot be applied: the admin server answers probes only",
              log_str("error", why.text), log_str("do", "mend it and reload with SIGHUP"));
    host_set_health(host, HEALTH_UNHEALTHY, "cannot be applied: %s", why.text);
    seal(host, why.text);
    return OK;
}

static enum code update(void *self, const void *args, struct error *err)
{
    struct component *c = self;
    enum code rc = apply(c->host, args, err);

    if (rc != OK)
        return rc;
    if (c->is_sealed)
        host_set_health(c->host, HEALTH_HEALTHY, "could be applied now");
    c->is_sealed = false;
    return OK;
}

static void close_component(void *self, loop_fn done, void *arg)
{
    struct component *c = self;
    struct error err = {0};

    if (!c->host->rt->is_stopping && apply(c->host, &(struct http_args){0}, &err) != OK)
        log_error("http", "the admin server keeps the settings of the http block that is gone",
                  log_str("error", err.text));
    mem_free(c);
    done(arg);
}

const struct component_type component_http = {
    .name = "http",
    .stability = STABILITY_GA,
    .doc = "TLS and authentication of the admin server.",
    .args = &http_block,
    .is_singleton = true,
    .create = create,
    .update = update,
    .close = close_component,
};
