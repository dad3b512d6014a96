#include "agent/io/tls.h"
#include "agent/base/buf.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/tls_int.h"

struct tls_fields {
    struct slice *at[9];
};

static struct tls_fields fields_of(struct tls_options *o)
{
    return (struct tls_fields){{&o->ca_file, &o->ca_pem, &o->cert_file, &o->cert_pem, &o->key_file, &o->key_pem,
                                &o->server_name, &o->client_ca_file, &o->client_ca_pem}};
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
    return OK;
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
    struct file_stat st;

    *out = NULL;
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
