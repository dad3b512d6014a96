#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/io/grpc_int.h"
#include "agent/io/tls_int.h"
#include <pthread.h>
#include <stdio.h>

enum { LOOK_EVERY_S = 10 };

struct rpc_server_tls {
    struct tls_options *tls; /* owned */
    pthread_mutex_t lock;
    uint64_t stamp; /* of what the library has */
    bool has_given;
    int64_t looked_ns;
};

static void free_key(char *key)
{
    if (key != NULL)
        mem_free_secret(key, strlen(key));
}

static enum code check_versions(const struct tls_options *tls, struct error *err)
{
    if (tls->min_version == TLS_VERSION_1_3)
        return error_set(err, INVALID, "min_version TLS13 cannot be had with gRPC: its library offers TLS 1.2 and 1.3");
    if (tls->max_version != TLS_VERSION_DEFAULT && tls->max_version != TLS_VERSION_1_3)
        return error_set(err, INVALID, "max_version below TLS13 cannot be had with gRPC");
    return OK;
}

static grpc_channel_credentials *make_unverified(char *cert, char *key)
{
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    grpc_tls_certificate_verifier *anyone = grpc_tls_certificate_verifier_no_op_create();
    grpc_tls_identity_pairs *pairs = NULL;
    grpc_tls_certificate_provider *provider;

    if (cert != NULL) {
        pairs = grpc_tls_identity_pairs_create();
        grpc_tls_identity_pairs_add_pair(pairs, key, cert);
        provider = grpc_tls_certificate_provider_static_data_create(NULL, pairs);
        grpc_tls_credentials_options_set_certificate_provider(options, provider);
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
        grpc_tls_certificate_provider_release(provider);
    }
    grpc_tls_credentials_options_set_certificate_verifier(options, anyone);
    grpc_tls_certificate_verifier_release(anyone);
    grpc_tls_credentials_options_set_verify_server_cert(options, 0);
    grpc_tls_credentials_options_set_check_call_host(options, 0);
    return grpc_tls_credentials_create(options);
}

static enum code read_roots(char **out, const struct tls_options *tls, struct error *err)
{
    char *own = NULL, *system = NULL;
    enum code rc = tls_read_pem(&own, tls->ca_file, tls->ca_pem, err);

    if (rc == OK && (own == NULL || tls->include_system_ca))
        rc = tls_read_system_roots(&system, err);
    *out = NULL;
    if (rc == OK && (own != NULL || system != NULL))
        *out = mem_printf("%s%s%s", own != NULL ? own : "", own != NULL ? "\n" : "", system != NULL ? system : "");
    mem_free(own);
    mem_free(system);
    return rc;
}

enum code rpc_client_credentials(grpc_channel_credentials **out, const struct tls_options *tls, struct error *err)
{
    char *roots = NULL, *cert = NULL, *key = NULL;
    enum code rc = OK;

    *out = NULL;
    if (tls == NULL) {
        *out = grpc_insecure_credentials_create();
        return OK;
    }
    rc = tls_options_check(tls, false, err);
    if (rc == OK)
        rc = check_versions(tls, err);
    if (rc == OK)
        rc = read_roots(&roots, tls, err);
    if (rc == OK)
        rc = tls_read_pem(&cert, tls->cert_file, tls->cert_pem, err);
    if (rc == OK)
        rc = tls_read_pem(&key, tls->key_file, tls->key_pem, err);
    if (rc == OK && tls->insecure_skip_verify) {
        *out = make_unverified(cert, key);
    } else if (rc == OK) {
        grpc_ssl_pem_key_cert_pair pair = {key, cert};

        *out = grpc_ssl_credentials_create_ex(roots, cert != NULL ? &pair : NULL, NULL, NULL);
    }
    if (rc == OK && *out == NULL)
        rc = error_set(err, INVALID, "the TLS settings are not usable: no roots, or no PEM");
    mem_free(roots);
    mem_free(cert);
    free_key(key);
    return rc;
}

static enum code load(grpc_ssl_server_certificate_config **out, const struct tls_options *tls, struct error *err)
{
    char *roots = NULL, *cert = NULL, *key = NULL;
    enum code rc = tls_read_pem(&roots, tls->client_ca_file, tls->client_ca_pem, err);

    *out = NULL;
    if (rc == OK)
        rc = tls_read_pem(&cert, tls->cert_file, tls->cert_pem, err);
    if (rc == OK)
        rc = tls_read_pem(&key, tls->key_file, tls->key_pem, err);
    if (rc == OK) {
        grpc_ssl_pem_key_cert_pair pair = {key, cert};

        /* The library insists on roots here, also where no client is asked for a certificate. */
        *out = grpc_ssl_server_certificate_config_create(roots != NULL ? roots : cert, &pair, 1);
    }
    mem_free(roots);
    mem_free(cert);
    free_key(key);
    return rc;
}

/* The library asks at every handshake. */
static grpc_ssl_certificate_config_reload_status on_fetch(void *arg, grpc_ssl_server_certificate_config **out)
{
    struct rpc_server_tls *t = arg;
    int64_t now_ns = clock_mono_ns(clock_system());
    grpc_ssl_certificate_config_reload_status status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    struct error err = {0};
    uint64_t stamp;

    pthread_mutex_lock(&t->lock);
    if (!t->has_given || now_ns - t->looked_ns >= (int64_t)LOOK_EVERY_S * NS_PER_S) {
        t->looked_ns = now_ns;
        stamp = tls_stamp(t->tls);
        if (!t->has_given || stamp != t->stamp) {
            if (load(out, t->tls, &err) == OK) {
                t->has_given = true;
                t->stamp = stamp;
                status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
            } else {
                log_error(NULL, "a gRPC certificate cannot be read", log_str("error", err.text));
                status = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL; /* the library keeps the one it has */
            }
        }
    }
    pthread_mutex_unlock(&t->lock);
    return status;
}

enum code rpc_server_credentials(grpc_server_credentials **out, struct rpc_server_tls **keeper,
                                 const struct tls_options *tls, struct error *err)
{
    grpc_ssl_server_certificate_config *config = NULL;
    bool asks_client;
    enum code rc;

    *keeper = NULL;
    *out = NULL;
    if (tls == NULL) {
        *out = grpc_insecure_server_credentials_create();
        return OK;
    }
    rc = tls_options_check(tls, true, err);
    if (rc == OK)
        rc = check_versions(tls, err);
    if (rc == OK)
        rc = load(&config, tls, err); /* a missing file is told now, by name */
    if (rc != OK)
        return rc;
    grpc_ssl_server_certificate_config_destroy(config);
    *keeper = mem_zalloc(sizeof **keeper);
    (*keeper)->tls = tls_options_copy(tls);
    pthread_mutex_init(&(*keeper)->lock, NULL);
    asks_client = tls->client_ca_file.len != 0 || tls->client_ca_pem.len != 0;
    *out =
        grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
            asks_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                        : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            on_fetch, *keeper));
    if (*out != NULL)
        return OK;
    rpc_server_tls_free(*keeper);
    *keeper = NULL;
    return error_set(err, INVALID, "the certificate and the key do not fit, or are no PEM");
}

void rpc_server_tls_free(struct rpc_server_tls *t)
{
    if (t == NULL)
        return;
    tls_options_free(t->tls);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}
