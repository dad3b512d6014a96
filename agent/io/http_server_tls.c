#include "agent/io/http_server_int.h"
#include "agent/io/tls_int.h"
#include <gnutls/gnutls.h>

enum code http_server_load_tls(struct http_daemon *d, const struct tls_options *tls, struct error *err)
{
    enum code rc = tls_read_pem(&d->cert, tls->cert_file, tls->cert_pem, err);

    if (rc == OK)
        rc = tls_read_pem(&d->key, tls->key_file, tls->key_pem, err);
    if (rc == OK)
        rc = tls_read_pem(&d->client_ca, tls->client_ca_file, tls->client_ca_pem, err);
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
