#include "agent/io/docker.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include "agent/io/http_client.h"
#include "agent/io/http_url.h"
#include "agent/text/json.h"
#include <stdio.h>
#include <unistd.h>

enum { GET_TIMEOUT_MS = 30000, VERSION_BYTES = 16, WORDS_BYTES = 4096, PATH_BYTES = 64 * 1024 };

struct docker {
    struct http_client *http;
    char *base;   /* "http://docker" for a socket */
    char *socket; /* NULL: TCP */
    docker_prepare_fn prepare;
    void *prepare_ctx;
    struct list calls;
    struct http_transfer *asking; /* GET /version */
    bool has_version;
    char version[VERSION_BYTES]; /* "/v1.43", or "": paths without one */
};

struct docker_call {
    struct list link;
    struct docker *docker;
    char *path;
    uint64_t max_bytes;
    bool is_stream, is_open;
    void (*on_open)(void *arg);
    enum docker_flow (*on_chunk)(void *arg, struct slice chunk);
    docker_done_fn done;
    void *arg;
    struct http_transfer *transfer; /* NULL: waits for the version */
    struct error unprepared;
    struct buf words; /* of a stream that was refused */
};

/* ---- host ---- */

static enum code parse_host(struct slice host, struct http_url *url, struct error *err)
{
    struct error why = {0};

    if (http_url_parse(url, host, &why) != OK)
        return error_set(err, INVALID, "host \"%.*s\": %s (unix:///var/run/docker.sock or tcp://HOST:2375)",
                         SLICE_ARG(host), why.text);
    if (slice_eq_str(url->scheme, "unix") || slice_eq_str(url->scheme, "tcp") || slice_eq_str(url->scheme, "http") ||
        slice_eq_str(url->scheme, "https"))
        return OK;
    return error_set(err, INVALID, "host \"%.*s\": the scheme must be unix, tcp, http or https", SLICE_ARG(host));
}

enum code docker_host_check(struct slice host, struct error *err)
{
    struct http_url url;

    return parse_host(host, &url, err);
}

enum code docker_new(struct docker **out, struct http_client *http, struct slice host, docker_prepare_fn prepare,
                     void *ctx, struct error *err)
{
    struct http_url url;
    struct docker *d;
    enum code rc = parse_host(host, &url, err);

    *out = NULL;
    if (rc != OK)
        return rc;
    d = mem_zalloc(sizeof *d);
    list_init(&d->calls);
    d->http = http;
    d->prepare = prepare;
    d->prepare_ctx = ctx;
    if (slice_eq_str(url.scheme, "unix")) {
        d->socket = mem_strndup(slice_from(host, sizeof "unix://" - 1));
        d->base = mem_strdup("http://docker");
    } else {
        struct slice rest = slice_from(host, url.scheme.len);

        while (slice_ends(rest, SLICE_LIT("/")))
            rest.len--;
        d->base = mem_printf("%s%.*s", slice_eq_str(url.scheme, "https") ? "https" : "http", SLICE_ARG(rest));
    }
    *out = d;
    return OK;
}

static void free_call(struct docker_call *c)
{
    list_remove(&c->link);
    buf_release(&c->words);
    mem_free(c->path);
    mem_free(c);
}

void docker_free(struct docker *d)
{
    if (d == NULL)
        return;
    if (d->asking != NULL)
        http_request_cancel(d->asking);
    LIST_EACH_SAFE (it, &d->calls) {
        docker_cancel(CONTAINER_OF(it, struct docker_call, link));
    }
    mem_free(d->base);
    mem_free(d->socket);
    mem_free(d);
}

/* ---- answers ---- */

/* Docker says what is wrong as {"message":"..."}. */
static void put_words(struct error *err, int status, struct slice body)
{
    struct arena arena;
    struct json j;
    const struct json *message = NULL;

    arena_init(&arena, 256 * 1024);
    if (json_parse(&arena, body, &j, NULL) == OK)
        message = json_get(&j, SLICE_LIT("message"));
    if (message != NULL && message->type == JSON_STRING)
        body = message->text;
    (void)error_set(err, IO, "Docker answered %d: %.*s", status, SLICE_ARG(slice_head(slice_trim(body), 300)));
    if (status == 403)
        error_prefix(err, "a proxy in front of Docker does not allow this request");
    arena_release(&arena);
}

static void put_unreachable(const struct docker *d, struct slice why, struct error *err)
{
    if (d->socket != NULL && access(d->socket, F_OK) != 0)
        (void)error_set(err, IO,
                        "there is no Docker socket at %s: start Docker, mount the socket into this container, or set "
                        "host to where Docker listens",
                        d->socket);
    else if (d->socket != NULL && access(d->socket, R_OK | W_OK) != 0)
        (void)error_set(err, IO,
                        "no permission for the Docker socket %s: give hyagent the socket's group (--group-add, "
                        "SupplementaryGroups=) or use a read-only socket proxy",
                        d->socket);
    else
        (void)error_set(err, IO, "Docker at %s cannot be reached: %.*s", d->socket != NULL ? d->socket : d->base,
                        SLICE_ARG(why));
}

static enum code code_of(const struct http_result *r)
{
    if (r->outcome == HTTP_TOO_LARGE)
        return FULL;
    if (r->outcome != HTTP_ANSWERED)
        return IO;
    if (r->status >= 200 && r->status < 300)
        return OK;
    if (r->status == 404)
        return AGAIN;
    return r->status >= 400 && r->status < 500 ? INVALID : IO;
}

static void end_call(struct docker_call *c, struct docker_answer *answer)
{
    docker_done_fn done = c->done;
    void *arg = c->arg;

    list_remove(&c->link);
    done(arg, answer);
    free_call(c);
}

static void call_done(void *arg, const struct http_result *r)
{
    struct docker_call *c = arg;
    struct docker *d = c->docker;
    struct error err = {0};
    struct docker_answer answer = {.code = code_of(r), .status = r->status};

    c->transfer = NULL;
    if (answer.code == OK && !c->is_stream)
        answer.body = r->body;
    else if (c->unprepared.text[0] != '\0')
        err = c->unprepared;
    else if (r->outcome == HTTP_UNREACHABLE)
        put_unreachable(d, r->error, &err);
    else if (r->outcome == HTTP_ANSWERED && answer.code != OK)
        put_words(&err, r->status, c->is_stream ? buf_slice(&c->words) : r->body);
    else if (r->outcome != HTTP_ANSWERED)
        (void)error_set(&err, IO, "%.*s", SLICE_ARG(r->error));
    if (r->outcome == HTTP_UNREACHABLE || r->status == 400)
        d->has_version = false; /* another Docker may answer next time */
    answer.error = slice_str(err.text);
    end_call(c, &answer);
}

static enum http_flow call_head(void *arg, const struct http_result *head)
{
    struct docker_call *c = arg;

    c->is_open = head->status >= 200 && head->status < 300;
    if (c->is_open && c->on_open != NULL)
        c->on_open(c->arg);
    return HTTP_CONTINUE;
}

static enum http_flow call_body(void *arg, struct slice chunk)
{
    struct docker_call *c = arg;

    if (c->is_open)
        return c->on_chunk(c->arg, chunk) == DOCKER_PAUSE ? HTTP_PAUSE : HTTP_CONTINUE;
    (void)buf_add(&c->words, slice_head(chunk, WORDS_BYTES - c->words.len));
    return HTTP_CONTINUE;
}

/* ---- requests ---- */

/* Starts a request for path; what cannot be prepared is sent without a URL, so that it ends in done, later. */
static struct http_transfer *start(struct docker *d, const char *version, const char *path,
                                   struct http_request *request, struct error *unprepared)
{
    struct http_transfer *t;
    struct arena arena;

    arena_init(&arena, 0);
    request->url = slice_str(arena_printf(&arena, "%s%s%s", d->base, version, path));
    request->unix_socket = slice_str(d->socket);
    if (d->prepare != NULL && d->prepare(d->prepare_ctx, request, &arena, unprepared) != OK)
        request->url = (struct slice){0};
    /* A paused stream would hold up the others of its connection. */
    request->http2 = request->http2 && !request->is_stream;
    t = http_request_start(d->http, request);
    arena_release(&arena);
    return t;
}

static void start_call(struct docker_call *c)
{
    struct http_request request = {
        .max_response_bytes = c->max_bytes,
        .is_stream = c->is_stream,
        .arg = c,
        .done = call_done,
        .timeout_ms = c->is_stream ? 0 : GET_TIMEOUT_MS,
    };

    if (c->is_stream) {
        request.on_head = call_head;
        request.on_body = call_body;
    }
    c->transfer = start(c->docker, c->docker->version, c->path, &request, &c->unprepared);
}

/* "ApiVersion": digits and one dot; else paths without a version are asked for. */
static void take_version(struct docker *d, struct slice body)
{
    struct arena arena;
    struct json j;
    const struct json *v = NULL;

    arena_init(&arena, 1024 * 1024);
    d->version[0] = '\0';
    if (json_parse(&arena, body, &j, NULL) == OK)
        v = json_get(&j, SLICE_LIT("ApiVersion"));
    if (v != NULL && v->type == JSON_STRING && v->text.len != 0 && v->text.len < VERSION_BYTES - 2) {
        bool is_plain = true;

        for (size_t i = 0; i < v->text.len; i++)
            is_plain = is_plain && (v->text.ptr[i] == '.' || (v->text.ptr[i] >= '0' && v->text.ptr[i] <= '9'));
        if (is_plain)
            (void)snprintf(d->version, sizeof d->version, "/v%.*s", SLICE_ARG(v->text));
    }
    d->has_version = true;
    arena_release(&arena);
}

static struct docker_call *first_waiting(struct docker *d)
{
    LIST_EACH (it, &d->calls) {
        struct docker_call *c = CONTAINER_OF(it, struct docker_call, link);

        if (c->transfer == NULL)
            return c;
    }
    return NULL;
}

static void version_done(void *arg, const struct http_result *r)
{
    struct docker *d = arg;
    struct docker_call *c;
    struct error err = {0};
    struct docker_answer answer = {.code = code_of(r), .status = r->status};

    d->asking = NULL;
    if (answer.code == OK)
        take_version(d, r->body);
    else if (answer.code == AGAIN || answer.code == INVALID)
        take_version(d, (struct slice){0}); /* a proxy that keeps /version to itself */
    if (d->has_version) {
        while ((c = first_waiting(d)) != NULL)
            start_call(c);
        return;
    }
    if (r->outcome == HTTP_UNREACHABLE)
        put_unreachable(d, r->error, &err);
    else if (r->outcome == HTTP_ANSWERED)
        put_words(&err, r->status, r->body);
    else
        (void)error_set(&err, IO, "Docker at %s: %.*s", d->socket != NULL ? d->socket : d->base, SLICE_ARG(r->error));
    answer.error = slice_str(err.text);
    while (d->asking == NULL && (c = first_waiting(d)) != NULL)
        end_call(c, &answer);
}

static void ask_version(struct docker *d)
{
    struct http_request request = {.timeout_ms = GET_TIMEOUT_MS, .arg = d, .done = version_done};
    struct error unprepared = {0};

    d->asking = start(d, "", "/version", &request, &unprepared);
}

static struct docker_call *add_call(struct docker *d, struct docker_call *c, struct slice path)
{
    c->docker = d;
    c->path = mem_strndup(path);
    buf_init(&c->words, WORDS_BYTES);
    list_add_tail(&d->calls, &c->link);
    if (d->has_version)
        start_call(c);
    else if (d->asking == NULL)
        ask_version(d);
    return c;
}

struct docker_call *docker_get(struct docker *d, struct slice path, uint64_t max_bytes, docker_done_fn done, void *arg)
{
    struct docker_call *c = mem_zalloc(sizeof *c);

    c->max_bytes = max_bytes;
    c->done = done;
    c->arg = arg;
    return add_call(d, c, path);
}

struct docker_call *docker_stream(struct docker *d, struct slice path, void (*on_open)(void *arg),
                                  enum docker_flow (*on_chunk)(void *arg, struct slice chunk), docker_done_fn done,
                                  void *arg)
{
    struct docker_call *c = mem_zalloc(sizeof *c);

    c->is_stream = true;
    c->on_open = on_open;
    c->on_chunk = on_chunk;
    c->done = done;
    c->arg = arg;
    return add_call(d, c, path);
}

void docker_cancel(struct docker_call *call)
{
    if (call == NULL)
        return;
    if (call->transfer != NULL)
        http_request_cancel(call->transfer);
    free_call(call);
}

void docker_resume(struct docker_call *call)
{
    if (call->transfer != NULL)
        http_request_resume(call->transfer);
}

/* ---- filters ---- */

enum code docker_add_filters(struct buf *path, const struct docker_filter *filters, size_t n)
{
    struct buf json;

    if (n == 0)
        return OK;
    buf_init(&json, PATH_BYTES);
    (void)buf_add_char(&json, '{');
    for (size_t i = 0; i < n; i++) {
        bool is_said = false;
        const char *comma = "";

        for (size_t k = 0; k < i; k++)
            is_said = is_said || slice_eq(filters[k].name, filters[i].name);
        if (is_said)
            continue;
        if (json.len > 1)
            (void)buf_add_char(&json, ',');
        (void)json_write_string(&json, filters[i].name);
        (void)buf_add_str(&json, ":[");
        for (size_t k = i; k < n; k++) {
            if (!slice_eq(filters[k].name, filters[i].name))
                continue;
            for (size_t v = 0; v < filters[k].n_values; v++) {
                (void)buf_add_str(&json, comma);
                (void)json_write_string(&json, filters[k].values[v]);
                comma = ",";
            }
        }
        (void)buf_add_char(&json, ']');
    }
    (void)buf_add_char(&json, '}');
    (void)buf_add_str(path, memchr(path->ptr, '?', path->len) != NULL ? "&filters=" : "?filters=");
    (void)http_url_escape(path, buf_slice(&json));
    if (json.is_full)
        path->is_full = true;
    buf_release(&json);
    return path->is_full ? FULL : OK;
}
