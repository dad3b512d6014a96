/* tests/unit/io/certs.h - certificates made when the test runs: no key is kept in the repository. */
#ifndef TESTS_UNIT_IO_CERTS_H
#define TESTS_UNIT_IO_CERTS_H
#include "agent/base/mem.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct cert {
    EVP_PKEY *key;
    X509 *x509;
    char *cert_pem, *key_pem; /* NUL-terminated */
};

static inline char *certs_text(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = mem_strndup(slice_make(data, (size_t)n));

    BIO_free(bio);
    return text;
}

static inline void certs_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    BUG_ON(ext == NULL);
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
}

/* alt: "DNS:server.test,IP:127.0.0.1"; issuer NULL: an authority that signs itself. */
static inline struct cert certs_make(const char *name, const char *alt, const struct cert *issuer)
{
    static long serial = 1;
    struct cert c = {.key = EVP_EC_gen("P-256"), .x509 = X509_new()};
    X509_NAME *subject = X509_get_subject_name(c.x509);
    BIO *bio;

    X509_set_version(c.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), 24 * 3600);
    X509_set_pubkey(c.x509, c.key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(c.x509, issuer != NULL ? X509_get_subject_name(issuer->x509) : subject);
    certs_extend(c.x509, issuer != NULL ? issuer->x509 : c.x509, NID_basic_constraints,
                 issuer != NULL ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (issuer == NULL)
        certs_extend(c.x509, c.x509, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
    if (alt != NULL)
        certs_extend(c.x509, issuer != NULL ? issuer->x509 : c.x509, NID_subject_alt_name, alt);
    BUG_ON(X509_sign(c.x509, issuer != NULL ? issuer->key : c.key, EVP_sha256()) == 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, c.x509);
    c.cert_pem = certs_text(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, c.key, NULL, NULL, 0, NULL, NULL);
    c.key_pem = certs_text(bio);
    return c;
}

static inline void certs_release(struct cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x509);
    mem_free(c->cert_pem);
    mem_free(c->key_pem);
}
#endif
