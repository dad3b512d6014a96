#include "agent/io/tls.h"
#include "agent/base/buf.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/tls_int.h"
#include <stdlib.h>

struct tls_fields {
    struct slice *at[9];
};

static struct tls_fields fields_of(struct tls_options *o)
{
    return (struct tls_fields){{&o->ca_file, &o->ca_pem, &o->cert_file, &o->cert_pem, &o->key_file, &o->key_pem,
                                &o->server_name, &o->client_ca_file, &o->client_ca_pem}};
}

enum { CIPHERS_PER_KIND = TLS_CIPHER_RSA_AES128_CBC_SHA };

/* GnuTLS takes ciphers and kinds of key apart: whoever names both kinds gets every cipher for both. */
static enum code check_suites(unsigned suites, struct error *err)
{
    unsigned all = (1u << CIPHERS_PER_KIND) - 1;
    unsigned ecdsa = suites & all, rsa = (suites >> CIPHERS_PER_KIND) & all;

    if (ecdsa != 0 && rsa != 0 && ecdsa != rsa)
        return error_set(
            err, INVALID,
            "cipher_suites: the same ciphers have to be named for ECDHE_ECDSA and for ECDHE_RSA, or one of "
            "the two left out: they cannot be chosen apart");
    return OK;
}

enum code tls_options_check(const struct tls_options *o, bool is_server, struct error *err)
{
    bool has_cert = o->cert_file.len != 0 || o->cert_pem.len != 0;
    bool has_key = o->key_file.len != 0 || o->key_pem.len != 0;

    if (o->ca_file.len != 0 && o->ca_pem.len != 0)
        return error_set(err, INVALID, "at most one of ca_file and ca_pem must be configured");
    if (o->cert_file.len != 0 && o->cert_pem.len != 0)
        return error_set(err, INVALID, "at most one of cert_file and cert_pem must be configured");
    if (o->key_file.len != 0 && o->key_pem.len != 0)
        return error_set(err, INVALID, "at most one of key_file and key_pem must be configured");
    if (o->client_ca_file.len != 0 && o->client_ca_pem.len != 0)
        return error_set(err, INVALID, "at most one of client_ca_file and client_ca_pem must be configured");
    if (has_cert && !has_key)
        return error_set(err, INVALID, "a certificate is configured without its key: set key_file or key_pem");
    if (has_key && !has_cert)
        return error_set(err, INVALID, "a key is configured without its certificate: set cert_file or cert_pem");
    if (is_server && !has_cert)
        return error_set(err, INVALID, "a TLS listener needs cert_file and key_file (or cert_pem and key_pem)");
    if (o->min_version != TLS_VERSION_DEFAULT && o->max_version != TLS_VERSION_DEFAULT &&
        o->min_version > o->max_version)
        return error_set(err, INVALID, "min_version is above max_version");
    return check_suites(o->cipher_suites, err);
}

bool tls_options_equal(const struct tls_options *a, const struct tls_options *b)
{
    union {
        const struct tls_options *borrowed;
        struct tls_options *options;
    } one = {.borrowed = a}, two = {.borrowed = b};
    struct tls_fields fields_a, fields_b;

    if (a == NULL || b == NULL)
        return a == b;
    fields_a = fields_of(one.options);
    fields_b = fields_of(two.options);
    for (size_t i = 0; i < sizeof fields_a.at / sizeof fields_a.at[0]; i++)
        if (!slice_eq(*fields_a.at[i], *fields_b.at[i]))
            return false;
    return a->insecure_skip_verify == b->insecure_skip_verify && a->include_system_ca == b->include_system_ca &&
           a->min_version == b->min_version && a->max_version == b->max_version && a->client_auth == b->client_auth &&
           a->cipher_suites == b->cipher_suites && a->curves == b->curves;
}

struct tls_options *tls_options_copy(const struct tls_options *options)
{
    struct tls_options *copy = mem_alloc(sizeof *copy);
    struct tls_fields fields;

    *copy = *options;
    fields = fields_of(copy);
    for (size_t i = 0; i < sizeof fields.at / sizeof fields.at[0]; i++)
        if (fields.at[i]->len != 0)
            fields.at[i]->ptr = mem_strndup(*fields.at[i]);
        else
            *fields.at[i] = slice_make(NULL, 0);
    return copy;
}

void tls_options_free(struct tls_options *options)
{
    struct tls_fields fields;

    if (options == NULL)
        return;
    fields = fields_of(options);
    for (size_t i = 0; i < sizeof fields.at / sizeof fields.at[0]; i++)
        mem_free_secret((void *)(uintptr_t)fields.at[i]->ptr, fields.at[i]->len);
    mem_free(options);
}

enum code tls_read_pem(char **out, struct slice path, struct slice pem, struct error *err)
{
    struct buf content;
    char *name;
    size_t len;
    enum code rc;

    *out = NULL;
    if (pem.len != 0)
        *out = mem_strndup(pem);
    if (path.len == 0)
        return OK;
    buf_init(&content, LIMIT_TLS_FILE_BYTES);
    name = mem_strndup(path);
    rc = file_read_all(name, &content, err);
    if (rc == OK && content.len == 0)
        rc = error_set(err, IO, "%s is empty", name);
    if (rc == OK)
        *out = buf_take(&content, &len);
    mem_free(name);
    buf_release(&content);
    return rc == OK || rc == NOMEM ? rc : IO;
}

enum code tls_read_system_roots(char **out, struct error *err)
{
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                         "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    const char *own = getenv("SSL_CERT_FILE"); /* as OpenSSL and Go look for them */
    struct file_stat st;

    *out = NULL;
    if (own != NULL && own[0] != '\0')
        return tls_read_pem(out, slice_str(own), slice_make(NULL, 0), err);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (file_stat_path(places[i], &st, NULL) == OK)
            return tls_read_pem(out, slice_str(places[i]), slice_make(NULL, 0), err);
    return OK;
}

uint64_t tls_stamp(const struct tls_options *tls)
{
    const struct slice paths[4] = {tls->cert_file, tls->key_file, tls->client_ca_file, tls->ca_file};
    uint64_t values[4][4] = {{0}};

    for (size_t i = 0; i < 4; i++) {
        char *path = mem_strndup(paths[i]);
        struct file_stat st;

        if (paths[i].len != 0 && file_stat_path(path, &st, NULL) == OK) {
            values[i][0] = st.id.device;
            values[i][1] = st.id.inode;
            values[i][2] = st.size_bytes;
            values[i][3] = (uint64_t)st.mtime_ns;
        }
        mem_free(path);
    }
    return hash64(slice_make(values, sizeof values));
}
