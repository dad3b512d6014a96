#include "agent/ui/admin.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/http_server.h"
#include "agent/ui/api.h"
#include "agent/ui/auth.h"
#include "agent/ui/live.h"
#include "agent/ui/page.h"
#include "agent/ui/redact.h"
#include "agent/ui/support.h"

struct admin {
    struct admin_options options;
    struct http_server *server;
    struct auth *auth;
    struct live *live;
    struct page *page;
    char *api;  /* "/api/v0/web" below the prefix; owned */
    char *root; /* the page's path: the prefix; owned */
};

struct reload {
    struct admin *admin;
    struct http_call *call;
};

/* "host", "host:port" and "[::1]:port" without the port. */
static struct slice host_name(struct slice host)
{
    if (host.len > 0 && host.ptr[0] == '[')
        return slice_head(host, slice_find(host, ']') + 1);
    return slice_head(host, slice_find(host, ':'));
}

static bool is_allowed(const struct admin *a, const struct http_call *call)
{
    struct slice host = http_call_header(call, "Host");

    if (http_call_remote_is_loopback(call))
        return true;
    for (size_t i = 0; a->options.hosts != NULL && a->options.hosts[i] != NULL; i++)
        if (slice_eq_nocase(host, slice_str(a->options.hosts[i])) ||
            slice_eq_nocase(host_name(host), slice_str(a->options.hosts[i])))
            return true;
    return false;
}

/* A page from elsewhere made the browser ask: it sends the page's Origin, or at least says cross-site. */
static bool is_foreign(const struct http_call *call)
{
    struct slice origin = http_call_header(call, "Origin");
    struct slice site = http_call_header(call, "Sec-Fetch-Site");
    struct slice scheme, rest;

    if (slice_eq_nocase(site, SLICE_LIT("cross-site")) || slice_eq_nocase(site, SLICE_LIT("same-site")))
        return true;
    if (origin.ptr == NULL)
        return false;
    if (!slice_cut(origin, ':', &scheme, &rest) || !slice_starts(rest, SLICE_LIT("//")))
        return true;
    return !slice_eq_nocase(slice_from(rest, 2), http_call_header(call, "Host"));
}

static void get_metrics(struct admin *a, struct http_call *call)
{
    struct buf page;

    buf_init(&page, LIMIT_METRICS_PAGE_BYTES);
    runtime_write_metrics(a->options.runtime, &page);
    reply_buf(call, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, &page);
}

static void get_ready(struct admin *a, struct http_call *call)
{
    if (runtime_is_ready(a->options.runtime))
        http_reply_text(call, 200, "hyagent is ready.");
    else
        http_reply_text(call, 503, "hyagent is not ready: no configuration was loaded yet.");
}

static void get_healthy(struct admin *a, struct http_call *call)
{
    struct buf names, text;

    buf_init(&names, LIMIT_METRICS_PAGE_BYTES);
    buf_init(&text, LIMIT_METRICS_PAGE_BYTES);
    runtime_write_unhealthy(a->options.runtime, &names);
    if (names.len == 0)
        buf_add_str(&text, "All components are healthy.\n");
    else
        buf_printf(&text, "unhealthy components: %.*s\n", SLICE_ARG(buf_slice(&names)));
    if (a->options.note != NULL)
        buf_printf(&text, "%s\n", a->options.note);
    reply_buf(call, names.len == 0 ? 200 : 500, "text/plain; charset=utf-8", NULL, &text);
    buf_release(&names);
}

/* Diagnostics quote the lines they are about. */
static void add_masked(struct runtime *rt, const struct diags *diags, struct buf *out)
{
    struct redactor *redactor = redactor_new(rt);
    struct buf plain;

    buf_init(&plain, LIMIT_METRICS_PAGE_BYTES);
    diags_print(&plain, diags, false);
    redact(redactor, buf_slice(&plain), out);
    buf_release(&plain);
    redactor_free(redactor);
}

static void reloaded(void *ctx, const struct load_result *result)
{
    struct reload *r = ctx;
    struct admin *a = r->admin;
    struct buf text;

    if (a->options.on_loaded != NULL)
        a->options.on_loaded(a->options.ctx, result);
    buf_init(&text, LIMIT_METRICS_PAGE_BYTES);
    if (result->is_ok) {
        buf_printf(&text, "config reloaded: %zu components, %zu added, %zu updated, %zu replaced, %zu removed\n",
                   result->n_components, result->n_added, result->n_updated, result->n_replaced, result->n_removed);
        if (diags_has_errors(result->diags)) {
            buf_add_str(&text, "but not all of it runs; what ran there before goes on:\n");
            add_masked(a->options.runtime, result->diags, &text);
        }
    } else {
        buf_add_str(&text, "the configuration was not loaded, the old one goes on:\n");
        add_masked(a->options.runtime, result->diags, &text);
    }
    reply_buf(r->call, result->is_ok ? 200 : 400, "text/plain; charset=utf-8", NULL, &text);
    mem_free(r);
}

static void reload_on_loop(void *arg)
{
    struct reload *r = arg;

    runtime_load_path(r->admin->options.runtime, r->admin->options.config_path, reloaded, r);
}

static void do_reload(struct admin *a, struct http_call *call)
{
    struct reload *r;

    if (is_foreign(call)) {
        http_reply_text(call, 403, "reload is refused: the request comes from a foreign page (Origin)");
        return;
    }
    if (a->options.config_path == NULL) {
        http_reply_text(call, 400, "there is no configuration file to load again");
        return;
    }
    r = mem_zalloc(sizeof *r);
    *r = (struct reload){.admin = a, .call = call};
    loop_post(loops_control(a->options.loops), reload_on_loop, r);
}

static void get_component_metrics(struct admin *a, struct http_call *call, struct slice id)
{
    struct error err = {0};
    struct buf page;
    enum code rc;

    buf_init(&page, LIMIT_METRICS_PAGE_BYTES);
    rc = runtime_scrape(a->options.runtime, id, &page, &err);
    if (rc == OK) {
        reply_buf(call, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, &page);
        return;
    }
    buf_release(&page);
    http_reply_text(call, rc == INVALID ? 404 : 500, err.text);
}

static void get_page(struct admin *a, struct http_call *call)
{
    struct buf page;

    buf_init(&page, LIMIT_METRICS_PAGE_BYTES);
    page_write(a->options.runtime, a->api, &page);
    reply_buf(call, 200, "text/html; charset=utf-8", page_policy(a->page), &page);
}

static void redirect(struct http_call *call, struct slice to)
{
    const struct http_header headers[] = {{SLICE_LIT("Location"), to, false}};

    http_reply(call, &(struct http_reply){.status = 302, .headers = headers, .n_headers = 1});
}

static void get_support(struct admin *a, struct http_call *call)
{
    const struct support_options options = {.runtime = a->options.runtime, .flags = a->options.flags};
    const struct http_header headers[] = {
        {SLICE_LIT("Content-Disposition"), SLICE_LIT("attachment; filename=\"hyagent-support-bundle.zip\""), false},
        {SLICE_LIT("X-Content-Type-Options"), SLICE_LIT("nosniff"), false},
        {SLICE_LIT("Cache-Control"), SLICE_LIT("no-store"), false},
    };
    struct http_reply reply = {
        .status = 200, .media_type = SLICE_LIT("application/zip"), .headers = headers, .n_headers = 3};
    struct error err = {0};
    struct buf zip;

    if (a->options.is_support_disabled) {
        http_reply_text(call, 404, "the support bundle is switched off by --server.http.disable-support-bundle");
        return;
    }
    buf_init(&zip, LIMIT_SUPPORT_BYTES);
    if (support_write(&options, &zip, &err) != OK) {
        buf_release(&zip);
        http_reply_text(call, 500, err.text);
        return;
    }
    reply.body.len = zip.len;
    reply.take_body = buf_take(&zip, &reply.body.len);
    http_reply(call, &reply);
}

/* What a component serves itself: exporters their metrics. */
static void get_own(struct admin *a, struct http_call *call, struct slice path)
{
    const struct slice metrics = SLICE_LIT("/metrics");

    if (slice_ends(path, metrics) && path.len > metrics.len)
        get_component_metrics(a, call, slice_head(path, path.len - metrics.len));
    else
        http_reply_text(call, 404, "components serve /api/v0/component/ID/metrics, nothing else");
}

/* Where Alloy's page has a component, ours has it too. */
static void get_component_page(struct admin *a, struct http_call *call, struct slice id)
{
    char *to = mem_printf("%s#c=%.*s", a->root, SLICE_ARG(id));

    redirect(call, slice_str(to));
    mem_free(to);
}

/* The root, the prefix without its slash, and pages of Alloy's that ours has all in one. */
static bool is_page(const struct admin *a, struct slice path)
{
    struct slice root = slice_str(a->root), below = slice_from(path, root.len);

    if (slice_eq_str(path, "/") || slice_eq(path, slice_head(root, root.len - 1)))
        return true;
    return slice_starts(path, root) && (slice_eq_str(below, "graph") || slice_eq_str(below, "clustering"));
}

/* Paths that lead to the page. */
static void page_paths(struct admin *a, struct http_call *call, struct slice path)
{
    struct slice root = slice_str(a->root), below = slice_from(path, root.len);
    const struct slice component = SLICE_LIT("component/");

    if (is_page(a, path))
        redirect(call, root);
    else if (slice_starts(path, root) && slice_starts(below, component) && below.len > component.len)
        get_component_page(a, call, slice_from(below, component.len));
    else
        http_reply_text(call, 404, "there is no such page");
}

/* Paths that only those who are allowed may ask for. */
static void guarded(struct admin *a, struct http_call *call, struct slice path)
{
    const struct slice own = SLICE_LIT("/api/v0/component/");
    struct slice api = slice_str(a->api);

    if (!is_allowed(a, call))
        http_reply_text(call, 403, "only from this machine, or by a Host named in --server.http.allowed-hosts");
    else if (slice_eq_str(path, "/-/reload"))
        do_reload(a, call);
    else if (slice_eq_str(path, "/-/support"))
        get_support(a, call);
    else if (slice_starts(path, api) && path.len > api.len && path.ptr[api.len] == '/')
        api_answer(a->options.runtime, a->live, call, slice_from(path, api.len));
    else if (slice_starts(path, own) && path.len > own.len)
        get_own(a, call, slice_from(path, own.len));
    else if (slice_starts(path, SLICE_LIT("/debug/pprof")))
        http_reply_text(call, 404,
                        "hyagent is no Go program, it has no pprof; use perf or gdb with build/hyagent.debug");
    else if (slice_eq_str(path, a->root))
        get_page(a, call);
    else
        page_paths(a, call, path);
}

static void on_request(void *self, struct http_call *call)
{
    struct admin *a = self;
    struct slice method = http_call_method(call), path = http_call_path(call);
    bool is_get = slice_eq_str(method, "GET") || slice_eq_str(method, "HEAD");

    if (!auth_check(a->auth, call))
        return;
    if (!is_get && !(slice_eq_str(method, "POST") && slice_eq_str(path, "/-/reload")))
        http_reply_text(call, 405, "only GET (and POST for /-/reload)");
    else if (slice_eq_str(path, "/metrics"))
        get_metrics(a, call);
    else if (slice_eq_str(path, "/-/ready"))
        get_ready(a, call);
    else if (slice_eq_str(path, "/-/healthy"))
        get_healthy(a, call);
    else
        guarded(a, call, path);
}

enum code admin_start(struct admin **out, const struct admin_options *options, struct error *err)
{
    struct admin *a = mem_zalloc(sizeof *a);
    struct http_handler handler = {.self = a, .on_request = on_request};
    struct http_server_options server = {.listen = options->listen,
                                         .max_body_bytes = 64 * 1024,
                                         .max_connections = 256,
                                         .idle_timeout_s = 10,
                                         .body_timeout_s = 10};
    struct slice prefix = options->path_prefix;

    *out = NULL;
    a->options = *options;
    a->auth = auth_new();
    a->live = live_new(options->runtime, options->loops);
    a->page = page_new();
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    a->api = mem_printf("%.*s/api/v0/web", SLICE_ARG(prefix));
    a->root = mem_printf("%.*s/", SLICE_ARG(prefix));
    if (http_server_start(&a->server, &server, &handler, err) != OK) {
        admin_free(a);
        return IO;
    }
    *out = a;
    return OK;
}

uint16_t admin_port(const struct admin *a)
{
    return http_server_port(a->server);
}

static enum code apply_http(void *self, const struct http_settings *settings, struct error *err)
{
    struct admin *a = self;
    enum code rc = settings->sealed == NULL ? http_server_set_tls(a->server, settings->tls, err) : OK;

    if (rc == OK)
        auth_set(a->auth, settings);
    return rc;
}

struct admin_link admin_link(struct admin *a)
{
    return (struct admin_link){.self = a, .apply_http = apply_http};
}

void admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    http_server_free(a->server);
    live_free(a->live);
    page_free(a->page);
    auth_free(a->auth);
    mem_free(a->root);
    mem_free(a->api);
    mem_free(a);
}
