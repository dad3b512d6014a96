/* How Docker is reached. Its arguments are told apart by a hash of all of them, so that an update that changes only
 * targets leaves the streams as they are. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_docker/source_docker.h"

enum { ARGS_BYTES = 16 * 1024 * 1024 };

static void put(struct buf *b, struct slice s)
{
    (void)buf_printf(b, "%zu:", s.len);
    (void)buf_add(b, s);
}

static void put_headers(struct buf *b, const struct river_secret_list_map *m)
{
    (void)buf_printf(b, "%zu;", m->n);
    for (size_t i = 0; i < m->n; i++) {
        put(b, m->items[i].name);
        (void)buf_printf(b, "%zu;", m->items[i].values.n);
        for (size_t k = 0; k < m->items[i].values.n; k++)
            put(b, m->items[i].values.items[k].text);
    }
}

static void put_http(struct buf *b, const struct http_args *h)
{
    const struct slice tls[] = {h->tls.ca_pem,   h->tls.ca_file,     h->tls.cert_pem,    h->tls.cert_file,
                                h->tls.key_file, h->tls.server_name, h->tls.key_pem.text};

    if (h->basic_auth != NULL) {
        (void)buf_add_str(b, "basic;");
        put(b, h->basic_auth->username);
        put(b, h->basic_auth->password_file);
        put(b, h->basic_auth->password.text);
    }
    if (h->authorization != NULL) {
        (void)buf_add_str(b, "authorization;");
        put(b, h->authorization->type);
        put(b, h->authorization->credentials_file);
        put(b, h->authorization->credentials.text);
    }
    put(b, h->bearer_token.text);
    put(b, h->bearer_token_file);
    put(b, h->proxy_url);
    put(b, h->no_proxy);
    put_headers(b, &h->proxy_connect_header);
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        put(b, tls[i]);
    (void)buf_printf(b, "%d%d%d%d;", h->proxy_from_environment, h->tls.insecure_skip_verify, h->tls.min_version,
                     h->follow_redirects);
    put_headers(b, &h->http_headers);
}

static struct hash128 hash_args(const struct source_docker_args *a)
{
    struct hash128 h;
    struct buf b;

    buf_init(&b, ARGS_BYTES);
    put(&b, a->host);
    (void)buf_printf(&b, "%lld;", (long long)a->refresh_ns);
    put_http(&b, &a->http);
    h = hash128(buf_slice(&b));
    if (b.ptr != NULL)
        memset(b.ptr, 0, b.len); /* secrets */
    buf_release(&b);
    return h;
}

bool docker_way_is(const struct docker_way *w, const struct source_docker_args *a)
{
    struct hash128 h = hash_args(a);

    return h.low == w->args.low && h.high == w->args.high;
}

enum code docker_way_new(struct docker_way **out, const struct source_docker_args *a, struct error *err)
{
    struct docker_way *w = mem_zalloc(sizeof *w);
    enum code rc;

    *out = NULL;
    atomic_init(&w->refs, 1);
    w->host = mem_strndup(a->host);
    w->refresh_ms = (uint64_t)(a->refresh_ns / NS_PER_MS);
    w->args = hash_args(a);
    rc = http_auth_new(&w->auth, &a->http, err);
    if (rc != OK) {
        docker_way_unref(w);
        return rc;
    }
    *out = w;
    return OK;
}

struct docker_way *docker_way_ref(struct docker_way *w)
{
    atomic_fetch_add(&w->refs, 1);
    return w;
}

void docker_way_unref(struct docker_way *w)
{
    if (w == NULL || atomic_fetch_sub(&w->refs, 1) != 1)
        return;
    http_auth_free(w->auth);
    mem_free(w->host);
    mem_free(w);
}
