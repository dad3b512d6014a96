#include "agent/base/mem.h"
#include "agent/io/http_server_int.h"
#include "agent/io/tls_int.h"
#include <gnutls/gnutls.h>

static bool verifies(enum tls_client_auth auth)
{
    return auth == TLS_CLIENT_AUTH_VERIFY_IF_GIVEN || auth == TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY;
}

enum code http_server_load_tls(struct http_daemon *d, const struct tls_options *tls, struct error *err)
{
    enum code rc = tls_read_pem(&d->cert, tls->cert_file, tls->cert_pem, err);

    if (rc == OK)
        rc = tls_read_pem(&d->key, tls->key_file, tls->key_pem, err);
    if (rc == OK)
        rc = tls_read_pem(&d->client_ca, tls->client_ca_file, tls->client_ca_pem, err);
    if (rc != OK)
        return rc;
    d->client_auth = tls->client_auth;
    if (tls->client_auth == TLS_CLIENT_AUTH_DEFAULT)
        d->client_auth = d->client_ca != NULL ? TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY : TLS_CLIENT_AUTH_NONE;
    if (verifies(d->client_auth) && d->client_ca == NULL)
        rc = tls_read_system_roots(&d->client_ca, err);
    return rc;
}

enum code http_server_check_tls(const struct tls_options *tls, struct error *err)
{
    struct http_daemon d = {0};
    gnutls_certificate_credentials_t credentials = NULL;
    enum code rc = tls_options_check(tls, true, err);
    int status;

    if (rc == OK)
        rc = http_server_load_tls(&d, tls, err);
    if (rc == OK && gnutls_certificate_allocate_credentials(&credentials) == GNUTLS_E_SUCCESS) {
        const gnutls_datum_t cert = {(unsigned char *)d.cert, (unsigned)strlen(d.cert)};
        const gnutls_datum_t key = {(unsigned char *)d.key, (unsigned)strlen(d.key)};

        status = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
        if (status != GNUTLS_E_SUCCESS)
            rc = error_set(err, INVALID, "the certificate and its key cannot be used: %s", gnutls_strerror(status));
        gnutls_certificate_free_credentials(credentials);
    }
    http_server_release_tls(&d);
    return rc;
}

void http_server_release_tls(struct http_daemon *d)
{
    mem_free_secret(d->key, d->key != NULL ? strlen(d->key) : 0);
    mem_free(d->cert);
    mem_free(d->client_ca);
}

static void add_versions(struct buf *text, const struct tls_options *tls)
{
    static const char *const names[] = {"", "+VERS-TLS1.0", "+VERS-TLS1.1", "+VERS-TLS1.2", "+VERS-TLS1.3"};
    unsigned low = tls->min_version != TLS_VERSION_DEFAULT ? tls->min_version : TLS_VERSION_1_2;
    unsigned high = tls->max_version != TLS_VERSION_DEFAULT ? tls->max_version : TLS_VERSION_1_3;

    buf_add_str(text, ":-VERS-ALL");
    for (unsigned v = high; v >= low && v != 0; v--)
        buf_printf(text, ":%s", names[v]);
}

/* GnuTLS has one list for TLS 1.2 and 1.3: what is not named is not offered in 1.3 either. */
static void add_ciphers(struct buf *text, unsigned suites)
{
    static const struct {
        unsigned bits;
        const char *words;
    } rows[] = {
        {1u << TLS_CIPHER_ECDSA_AES256_GCM | 1u << TLS_CIPHER_RSA_AES256_GCM, ":+AES-256-GCM"},
        {1u << TLS_CIPHER_ECDSA_CHACHA20 | 1u << TLS_CIPHER_RSA_CHACHA20, ":+CHACHA20-POLY1305"},
        {1u << TLS_CIPHER_ECDSA_AES128_GCM | 1u << TLS_CIPHER_RSA_AES128_GCM, ":+AES-128-GCM"},
        {1u << TLS_CIPHER_ECDSA_AES256_CBC_SHA | 1u << TLS_CIPHER_RSA_AES256_CBC_SHA, ":+AES-256-CBC:+SHA1"},
        {1u << TLS_CIPHER_ECDSA_AES128_CBC_SHA | 1u << TLS_CIPHER_RSA_AES128_CBC_SHA, ":+AES-128-CBC:+SHA1"},
    };
    unsigned chosen = suites & ~(1u << TLS_CIPHER_TLS13);

    if (chosen == 0)
        return;
    buf_add_str(text, ":-CIPHER-ALL:-KX-ALL:-MAC-ALL:+AEAD");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (chosen & rows[i].bits)
            buf_add_str(text, rows[i].words);
    if (chosen & ((1u << TLS_CIPHER_RSA_AES128_CBC_SHA) - 1))
        buf_add_str(text, ":+ECDHE-ECDSA");
    if (chosen >> TLS_CIPHER_RSA_AES128_CBC_SHA != 0)
        buf_add_str(text, ":+ECDHE-RSA");
}

static void add_curves(struct buf *text, unsigned curves)
{
    static const char *const words[] = {
        [TLS_CURVE_P256] = ":+GROUP-SECP256R1",
        [TLS_CURVE_P384] = ":+GROUP-SECP384R1",
        [TLS_CURVE_P521] = ":+GROUP-SECP521R1",
        [TLS_CURVE_X25519] = ":+GROUP-X25519",
    };

    if (curves == 0)
        return;
    buf_add_str(text, ":-GROUP-ALL");
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (curves & 1u << i)
            buf_add_str(text, words[i]);
}

char *http_server_tls_priorities(const struct tls_options *tls)
{
    struct buf text;
    size_t len;

    buf_init(&text, 1024);
    buf_add_str(&text, "NORMAL");
    add_versions(&text, tls);
    add_ciphers(&text, tls->cipher_suites);
    add_curves(&text, tls->curves);
    return buf_take(&text, &len);
}

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info != NULL ? (gnutls_session_t)info->tls_session : NULL;
}

void http_server_ask_for_certificate(const struct http_daemon *d, struct MHD_Connection *mhd)
{
    gnutls_session_t session = session_of(mhd);

    if (session == NULL || d->client_auth <= TLS_CLIENT_AUTH_NONE)
        return;
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    if (!verifies(d->client_auth)) /* any authority will do: a client must not be led to think otherwise */
        gnutls_certificate_send_x509_rdn_sequence(session, 1);
}

bool http_server_client_is_welcome(const struct http_daemon *d, struct MHD_Connection *mhd)
{
    gnutls_session_t session = session_of(mhd);
    unsigned n = 0, status = 0;

    if (d->client_auth <= TLS_CLIENT_AUTH_REQUEST)
        return true;
    if (session == NULL)
        return false;
    (void)gnutls_certificate_get_peers(session, &n);
    if (d->client_auth == TLS_CLIENT_AUTH_REQUIRE_ANY)
        return n != 0;
    if (n == 0)
        return d->client_auth == TLS_CLIENT_AUTH_VERIFY_IF_GIVEN;
    return gnutls_certificate_verify_peers2(session, &status) == GNUTLS_E_SUCCESS && status == 0;
}
