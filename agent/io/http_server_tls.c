#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include "agent/io/http_server_int.h"
#include <gnutls/gnutls.h>
#include <stdio.h>

/* *out: NUL-terminated, or NULL when neither is set. */
static enum code load(char **out, struct slice path, struct slice pem, struct error *err)
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
    if (rc == OK)
        rc = buf_reserve(&content, 1);
    if (rc == OK)
        *out = buf_take(&content, &len);
    mem_free(name);
    buf_release(&content);
    return rc == OK || rc == NOMEM ? rc : IO;
}

enum code http_server_load_tls(struct http_daemon *d, const struct tls_options *tls, struct error *err)
{
    enum code rc = load(&d->cert, tls->cert_file, tls->cert_pem, err);

    if (rc == OK)
        rc = load(&d->key, tls->key_file, tls->key_pem, err);
    if (rc == OK)
        rc = load(&d->client_ca, tls->client_ca_file, tls->client_ca_pem, err);
    return rc;
}

char *http_server_tls_priorities(const struct tls_options *tls)
{
    static const char *const names[] = {"", "+VERS-TLS1.0", "+VERS-TLS1.1", "+VERS-TLS1.2", "+VERS-TLS1.3"};
    unsigned low = tls->min_version != TLS_VERSION_DEFAULT ? tls->min_version : TLS_VERSION_1_2;
    unsigned high = tls->max_version != TLS_VERSION_DEFAULT ? tls->max_version : TLS_VERSION_1_3;
    struct buf text;
    size_t len;

    buf_init(&text, 256);
    buf_add_str(&text, "NORMAL:-VERS-ALL");
    for (unsigned v = high; v >= low && v != 0; v--)
        buf_printf(&text, ":%s", names[v]);
    return buf_take(&text, &len);
}

bool http_server_client_is_verified(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned status = 0;

    return info != NULL && info->tls_session != NULL &&
           gnutls_certificate_verify_peers2((gnutls_session_t)info->tls_session, &status) == GNUTLS_E_SUCCESS &&
           status == 0;
}

uint64_t http_server_tls_stamp(const struct tls_options *tls)
{
    const struct slice paths[3] = {tls->cert_file, tls->key_file, tls->client_ca_file};
    struct file_stat stats[3];

    memset(stats, 0, sizeof stats); /* padding too: it is hashed */
    for (size_t i = 0; i < 3; i++) {
        char *path = mem_strndup(paths[i]);
        struct file_stat st;

        if (paths[i].len != 0 && file_stat_path(path, &st, NULL) == OK) {
            stats[i].id = st.id;
            stats[i].size_bytes = st.size_bytes;
            stats[i].mtime_ns = st.mtime_ns;
        }
        mem_free(path);
    }
    return hash64(slice_make(stats, sizeof stats));
}
