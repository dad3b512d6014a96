/* agent/io/tls.h - TLS settings, the same for HTTP client and server (libcurl, GnuTLS in libmicrohttpd) and for gRPC on
 * both sides. All slices are borrowed for the call they are given to, which copies what it keeps. Files are read again
 * when they change, at the latest after 60 s. Verification is on and TLS is >= 1.2 unless asked for otherwise. */
#ifndef AGENT_IO_TLS_H
#define AGENT_IO_TLS_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>

enum tls_version { TLS_VERSION_DEFAULT, TLS_VERSION_1_0, TLS_VERSION_1_1, TLS_VERSION_1_2, TLS_VERSION_1_3 };

/* What a server asks of its clients, in Go's words. */
enum tls_client_auth {
    TLS_CLIENT_AUTH_DEFAULT, /* REQUIRE_AND_VERIFY where client_ca is set, else NONE */
    TLS_CLIENT_AUTH_NONE,
    TLS_CLIENT_AUTH_REQUEST,     /* asked for, looked at by nobody */
    TLS_CLIENT_AUTH_REQUIRE_ANY, /* any certificate, even one that nobody vouches for */
    TLS_CLIENT_AUTH_VERIFY_IF_GIVEN,
    TLS_CLIENT_AUTH_REQUIRE_AND_VERIFY,
};

/* Suites of TLS 1.2 that a server may be restricted to. */
enum tls_cipher {
    TLS_CIPHER_ECDSA_AES128_CBC_SHA,
    TLS_CIPHER_ECDSA_AES256_CBC_SHA,
    TLS_CIPHER_ECDSA_AES128_GCM,
    TLS_CIPHER_ECDSA_AES256_GCM,
    TLS_CIPHER_ECDSA_CHACHA20,
    TLS_CIPHER_RSA_AES128_CBC_SHA,
    TLS_CIPHER_RSA_AES256_CBC_SHA,
    TLS_CIPHER_RSA_AES128_GCM,
    TLS_CIPHER_RSA_AES256_GCM,
    TLS_CIPHER_RSA_CHACHA20,
    TLS_CIPHER_TLS13, /* one of TLS 1.3's: Go accepts their names, and they choose nothing */
};

enum tls_curve { TLS_CURVE_P256, TLS_CURVE_P384, TLS_CURVE_P521, TLS_CURVE_X25519 };

struct tls_options {
    struct slice ca_file, ca_pem;     /* at most one; none: the system's roots */
    struct slice cert_file, cert_pem; /* own certificate chain */
    struct slice key_file, key_pem;   /* its key */
    struct slice server_name;         /* client: the name to ask for and to verify instead of the URL's host */
    struct slice client_ca_file, client_ca_pem; /* server: a client must show a certificate signed by one of these */
    bool insecure_skip_verify;                  /* client */
    bool include_system_ca;                     /* client: the system's roots besides ca_file/ca_pem */
    enum tls_version min_version;               /* DEFAULT: 1.2 */
    enum tls_version max_version;               /* DEFAULT: no limit */
    enum tls_client_auth client_auth;           /* server */
    unsigned cipher_suites;                     /* server: bits of enum tls_cipher; 0: what the library thinks good */
    unsigned curves;                            /* server: bits of enum tls_curve; 0: the library's */
};

/* Contradictions (a value and its file, a certificate without key, min above max) and cipher suites that cannot be had
 * alone, named. For configuration checks. */
MUST_USE enum code tls_options_check(const struct tls_options *options, bool is_server, struct error *err);
/* Both NULL are equal. */
bool tls_options_equal(const struct tls_options *a, const struct tls_options *b);
/* A copy that owns its strings. */
struct tls_options *tls_options_copy(const struct tls_options *options);
void tls_options_free(struct tls_options *options); /* NULL is fine; overwrites the key */
#endif
