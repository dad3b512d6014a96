/* A request as libcurl's options. */
#include "agent/base/mem.h"
#include "agent/io/http_client_int.h"
#include "agent/io/http_url.h"
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

enum { DNS_CACHE_S = 30, CONNECTION_AGE_S = 60, CONNECT_TIMEOUT_MS = 10000, BUFFER_BYTES = 64 * 1024 };
enum { SYSTEM_CA_CACHE_S = 30 };
#define AGENT_NAME "hyagent/" HYAGENT_VERSION

/* libcurl copies what it is given. */
static void set_text(CURL *easy, CURLoption option, struct slice text)
{
    char *s = mem_strndup(text);

    curl_easy_setopt(easy, option, s);
    mem_free_secret(s, text.len);
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' && s.ptr[i] != '\t')
            return true;
    return false;
}

static enum code add_line(struct curl_slist **list, const char *line, struct error *err)
{
    struct curl_slist *grown = curl_slist_append(*list, line);

    if (grown == NULL)
        return error_set(err, NOMEM, "no memory for the request's headers");
    *list = grown;
    return OK;
}

static enum code add_header(struct curl_slist **list, const struct http_header *h, struct error *err)
{
    struct slice value = slice_trim(h->value);
    char *line;
    enum code rc;

    if (h->name.len == 0 || has_control(h->name) || has_control(value) || slice_find(h->name, ':') != h->name.len ||
        slice_find(h->name, ' ') != h->name.len)
        return error_set(err, INVALID, "the header \"%.*s\" has a character that cannot be sent", SLICE_ARG(h->name));
    /* "Name;" is how libcurl is told of an empty value. */
    line = value.len != 0 ? mem_printf("%.*s: %.*s", (int)h->name.len, h->name.ptr, (int)value.len, value.ptr)
                          : mem_printf("%.*s;", (int)h->name.len, h->name.ptr);
    rc = add_line(list, line, err);
    mem_free_secret(line, strlen(line));
    return rc;
}

static bool is_secret(const struct http_header *h)
{
    return h->is_secret || slice_eq_nocase(h->name, SLICE_LIT("authorization")) ||
           slice_eq_nocase(h->name, SLICE_LIT("cookie")) || slice_eq_nocase(h->name, SLICE_LIT("proxy-authorization"));
}

static enum code set_headers(struct http_transfer *t, const struct http_request *request, struct error *err)
{
    bool has_type = false;
    enum code rc = OK;

    for (size_t i = 0; i < request->n_headers && rc == OK; i++) {
        const struct http_header *h = &request->headers[i];

        has_type = has_type || slice_eq_nocase(h->name, SLICE_LIT("content-type"));
        rc = add_header(&t->headers, h, err);
        if (rc == OK && !is_secret(h) && !slice_eq_nocase(h->name, SLICE_LIT("host")))
            rc = add_header(&t->public_headers, h, err);
    }
    for (int i = 0; i < 2 && rc == OK; i++) {
        struct curl_slist **list = i == 0 ? &t->headers : &t->public_headers;

        rc = add_line(list, "Expect:", err); /* no 100-continue: it costs a round trip */
        if (rc == OK && !has_type)
            rc = add_line(list, "Content-Type:", err);
        if (rc == OK && request->accept_gzip)
            rc = add_line(list, "Accept-Encoding: gzip", err);
    }
    for (size_t i = 0; i < request->n_proxy_headers && rc == OK; i++)
        rc = add_header(&t->proxy_headers, &request->proxy_headers[i], err);
    if (rc != OK)
        return rc;
    if (t->proxy_headers != NULL) {
        curl_easy_setopt(t->easy, CURLOPT_PROXYHEADER, t->proxy_headers);
        curl_easy_setopt(t->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    }
    return OK;
}

static enum code set_method(struct http_transfer *t, const struct http_request *request, struct error *err)
{
    struct slice method = slice_str(request->method != NULL  ? request->method
                                    : request->body.len != 0 ? "POST"
                                                             : "GET");
    CURL *easy = t->easy;

    if (method.len == 0 || has_control(method) || slice_find(method, ' ') != method.len)
        return error_set(err, INVALID, "\"%.*s\" is not an HTTP method", SLICE_ARG(method));
    t->has_body = request->body.len != 0 || slice_eq_str(method, "POST") || slice_eq_str(method, "PUT");
    if (t->has_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.len != 0 ? request->body.ptr : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    } else if (slice_eq_str(method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    if (!slice_eq_str(method, "HEAD") && !slice_eq_str(method, t->has_body ? "POST" : "GET"))
        set_text(easy, CURLOPT_CUSTOMREQUEST, method);
    return OK;
}

/* localhost, 127.0.0.0/8, ::1. */
static bool is_this_host(struct slice text)
{
    struct http_url url;
    struct error ignored = {0};
    unsigned char address[sizeof(struct in6_addr)];
    char host[INET6_ADDRSTRLEN];

    if (http_url_parse(&url, text, &ignored) != OK)
        return false;
    if (slice_eq_nocase(url.host, SLICE_LIT("localhost")))
        return true;
    if (url.host.len >= sizeof host)
        return false;
    memcpy(host, url.host.ptr, url.host.len);
    host[url.host.len] = '\0';
    if (inet_pton(AF_INET, host, address) == 1)
        return address[0] == 127;
    return inet_pton(AF_INET6, host, address) == 1 && memcmp(address, &in6addr_loopback, sizeof in6addr_loopback) == 0;
}

static void set_proxy(CURL *easy, const struct http_request *request)
{
    const char *upper = getenv("HTTP_PROXY");

    if (request->proxy_url.len != 0) {
        set_text(easy, CURLOPT_PROXY, request->proxy_url);
        set_text(easy, CURLOPT_NOPROXY, request->no_proxy);
    } else if (!request->proxy_from_environment || is_this_host(request->url)) {
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* Go, too, never asks the environment's proxy for this host */
    } else if (getenv("http_proxy") == NULL && upper != NULL && request->url.len > 5 &&
               slice_eq_nocase(slice_head(request->url, 5), SLICE_LIT("http:"))) {
        curl_easy_setopt(easy, CURLOPT_PROXY, upper); /* libcurl reads the lower-case name only; Go reads both */
    }
}

static CURLcode add_system_roots(CURL *easy, void *context, void *arg)
{
    (void)easy;
    (void)arg;
    return SSL_CTX_set_default_verify_paths(context) == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

static long version_of(enum tls_version version, bool is_max)
{
    switch (version) {
    case TLS_VERSION_1_0:
        return is_max ? CURL_SSLVERSION_MAX_TLSv1_0 : CURL_SSLVERSION_TLSv1_0;
    case TLS_VERSION_1_1:
        return is_max ? CURL_SSLVERSION_MAX_TLSv1_1 : CURL_SSLVERSION_TLSv1_1;
    case TLS_VERSION_1_2:
        return is_max ? CURL_SSLVERSION_MAX_TLSv1_2 : CURL_SSLVERSION_TLSv1_2;
    case TLS_VERSION_1_3:
        return is_max ? CURL_SSLVERSION_MAX_TLSv1_3 : CURL_SSLVERSION_TLSv1_3;
    case TLS_VERSION_DEFAULT:
        break;
    }
    return is_max ? CURL_SSLVERSION_MAX_DEFAULT : CURL_SSLVERSION_TLSv1_2;
}

static void set_pem(CURL *easy, CURLoption file, CURLoption blob, CURLoption type, struct slice path, struct slice pem)
{
    struct curl_blob bytes = {.data = (void *)(uintptr_t)pem.ptr, .len = pem.len, .flags = CURL_BLOB_COPY};

    if (path.len == 0 && pem.len == 0)
        return;
    if (type != CURLOPT_LASTENTRY)
        curl_easy_setopt(easy, type, "PEM");
    if (path.len != 0)
        set_text(easy, file, path);
    else
        curl_easy_setopt(easy, blob, &bytes);
}

/* The name to ask for and to verify becomes the URL's host, the URL's own host the place to connect to. */
static enum code set_server_name(struct http_transfer *t, struct slice name, struct error *err)
{
    struct slice url = slice_str(t->url);
    struct http_url u;
    enum code rc = http_url_parse(&u, url, err);
    char *line, *rewritten;
    size_t after;

    if (rc != OK || !slice_eq_nocase(u.scheme, SLICE_LIT("https")))
        return rc;
    if (has_control(name) || slice_find(name, '/') != name.len || slice_find(name, ':') != name.len)
        return error_set(err, INVALID, "\"%.*s\" is not a server name", SLICE_ARG(name));
    after = (size_t)(u.path.ptr - url.ptr);
    if (u.path.len == 0)
        after = url.len - u.query.len - u.fragment.len - (u.query.len != 0 ? 1 : 0) - (u.fragment.len != 0 ? 1 : 0);
    line = mem_printf("::%s%.*s%s:%u", u.is_ipv6 ? "[" : "", SLICE_ARG(u.host), u.is_ipv6 ? "]" : "", (unsigned)u.port);
    rc = add_line(&t->connect_to, line, err);
    mem_free(line);
    line = mem_printf("Host: %s%.*s%s:%u", u.is_ipv6 ? "[" : "", SLICE_ARG(u.host), u.is_ipv6 ? "]" : "",
                      (unsigned)u.port);
    if (!u.has_port)
        *strrchr(line, ':') = 0;
    if (rc == OK)
        rc = add_line(&t->headers, line, err);
    mem_free(line);
    rewritten = mem_printf("https://%.*s%s%.*s:%u%.*s", SLICE_ARG(u.userinfo), u.userinfo.len != 0 ? "@" : "",
                           SLICE_ARG(name), (unsigned)u.port, (int)(url.len - after), url.ptr + after);
    mem_free(t->url);
    t->url = rewritten;
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
    return rc;
}

enum code http_setup_tls(struct http_transfer *t, const struct tls_options *tls, struct error *err)
{
    static const struct tls_options system_roots;
    const struct tls_options *o = tls != NULL ? tls : &system_roots;
    bool has_ca = o->ca_file.len != 0 || o->ca_pem.len != 0;
    CURL *easy = t->easy;
    enum code rc = tls_options_check(o, false, err);

    if (rc != OK)
        return rc;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, version_of(o->min_version, false) | version_of(o->max_version, true));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, o->insecure_skip_verify ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, o->insecure_skip_verify ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, has_ca ? 0L : (long)SYSTEM_CA_CACHE_S);
    if (has_ca) {
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* the distribution's default would be trusted as well */
        set_pem(easy, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, CURLOPT_LASTENTRY, o->ca_file, o->ca_pem);
        if (o->include_system_ca)
            curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, add_system_roots);
    }
    set_pem(easy, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERTTYPE, o->cert_file, o->cert_pem);
    set_pem(easy, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEYTYPE, o->key_file, o->key_pem);
    if (o->server_name.len != 0)
        rc = set_server_name(t, o->server_name, err);
    return rc;
}

static void set_credentials(CURL *easy, const struct http_request *request)
{
    if (request->has_basic) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        set_text(easy, CURLOPT_USERNAME, request->basic_user);
        set_text(easy, CURLOPT_PASSWORD, request->basic_password);
    } else if (request->bearer.len != 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        set_text(easy, CURLOPT_XOAUTH2_BEARER, request->bearer);
    }
}

static void set_common(struct http_transfer *t, const struct http_request *request)
{
    CURL *easy = t->easy;
    uint64_t connect_ms = request->connect_timeout_ms != 0 ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_CACHE_S);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_AGE_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long)(request->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_transfer_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_transfer_on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    set_text(easy, CURLOPT_USERAGENT, request->user_agent.len != 0 ? request->user_agent : slice_str(AGENT_NAME));
    if (request->unix_socket.len != 0)
        set_text(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
}

enum code http_setup(struct http_transfer *t, const struct http_request *request, struct error *err)
{
    struct http_url u;
    enum code rc = http_url_parse(&u, request->url, err);

    t->follow_redirects = request->follow_redirects;
    t->accept_gzip = request->accept_gzip;
    t->cut_response = request->cut_response;
    t->is_stream = request->is_stream;
    t->timeout_ms = request->timeout_ms;
    if (rc != OK)
        return rc;
    t->easy = curl_easy_init();
    if (t->easy == NULL)
        return error_set(err, NOMEM, "no memory for a request");
    t->url = mem_strndup(request->url);
    set_common(t, request);
    set_proxy(t->easy, request);
    set_credentials(t->easy, request);
    rc = set_method(t, request, err);
    if (rc == OK)
        rc = set_headers(t, request, err);
    if (rc == OK)
        rc = http_setup_tls(t, request->tls, err);
    if (rc != OK)
        return rc;
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    return OK;
}

static bool is_same_origin(const struct http_url *a, const struct http_url *b)
{
    return slice_eq_nocase(a->scheme, b->scheme) && slice_eq_nocase(a->host, b->host) && a->port == b->port;
}

static void drop_credentials(struct http_transfer *t)
{
    CURL *easy = t->easy;

    curl_easy_setopt(easy, CURLOPT_USERNAME, NULL);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, NULL);
    curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, NULL);
    curl_easy_setopt(easy, CURLOPT_SSLCERT, NULL);
    curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, NULL);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, NULL);
    curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, NULL);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->public_headers);
    http_oauth2_release(t);
}

enum code http_setup_redirect(struct http_transfer *t, struct error *err)
{
    struct http_url from, to;
    char *target = NULL;
    long status = 0;
    double spent_s = 0;
    enum code rc;

    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME, &spent_s);
    if (target == NULL)
        return error_set(err, INVALID, "the redirect leads nowhere");
    rc = http_url_parse(&to, slice_str(target), err);
    if (rc == OK)
        rc = http_url_parse(&from, slice_str(t->url), err);
    if (rc != OK) {
        error_prefix(err, "the redirect");
        return rc;
    }
    if (!is_same_origin(&from, &to))
        drop_credentials(t);
    /* RFC 9110, 15.4: 303 always becomes GET; 301 and 302 turn a POST into one, as every client does. */
    if (t->has_body && status != 307 && status != 308) {
        t->has_body = false;
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    }
    if (t->timeout_ms != 0) {
        uint64_t spent_ms = (uint64_t)(spent_s * 1000);

        t->timeout_ms = t->timeout_ms > spent_ms ? t->timeout_ms - spent_ms : 1;
        curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
    }
    mem_free(t->url);
    t->url = mem_strndup(slice_str(target));
    curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    return OK;
}
