#include "agent/runtime/http_poll.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/http_url.h"
#include <stddef.h>
#include <stdio.h>

struct http_poll {
    struct host *host;
    struct loop *loop;      /* the control loop */
    struct http_auth *auth; /* owned */
    struct arena arena;     /* all texts */
    char *method;
    struct slice url, body, user_agent;
    struct http_header *headers;
    size_t n_headers;
    uint64_t every_ms, timeout_ms, max_bytes;
    struct timer *timer;
    struct http_transfer *request; /* NULL: none under way */
    http_poll_got_fn got;
    http_poll_failed_fn failed;
    void *arg;
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.ptr[i]))
            return false;
    return s.len != 0;
}

enum code http_poll_check(struct slice method, struct slice url, struct error *err)
{
    struct http_url u;
    enum code rc = http_url_parse(&u, url, err);

    if (rc == OK && !slice_eq_nocase(u.scheme, SLICE_LIT("http")) && !slice_eq_nocase(u.scheme, SLICE_LIT("https")))
        rc = error_set(err, INVALID, "the URL's scheme must be http or https");
    if (rc == OK && method.len != 0 && !is_token(method))
        rc = error_set(err, INVALID, "\"%.*s\" is not an HTTP method", SLICE_ARG(method));
    return rc;
}

static enum code copy_headers(struct http_poll *p, const struct river_map *headers, struct error *err)
{
    p->headers = arena_zalloc(&p->arena, ((headers != NULL ? headers->n : 0) + 1) * sizeof *p->headers);
    for (size_t i = 0; headers != NULL && i < headers->n; i++) {
        struct slice name = headers->items[i].name, value = headers->items[i].value;

        if (!is_token(name))
            return error_set(err, INVALID, "\"%.*s\" is not a header's name", SLICE_ARG(name));
        if (slice_eq_nocase(name, SLICE_LIT("User-Agent")))
            p->user_agent = arena_copy(&p->arena, value);
        else
            p->headers[p->n_headers++] =
                (struct http_header){arena_copy(&p->arena, name), arena_copy(&p->arena, value), false};
    }
    return OK;
}

static void begin(void *arg);

enum code http_poll_new(struct http_poll **out, struct host *host, const struct http_poll_options *options,
                        http_poll_got_fn got, http_poll_failed_fn failed, void *arg, struct error *err)
{
    struct http_poll *p;
    enum code rc = http_poll_check(options->method, options->url, err);

    *out = NULL;
    if (rc != OK)
        return rc;
    p = mem_zalloc(sizeof *p);
    p->host = host;
    p->loop = loops_control(host_loops(host));
    arena_init(&p->arena, 0);
    p->method = options->method.len != 0 ? arena_strndup(&p->arena, options->method) : NULL;
    p->url = arena_copy(&p->arena, options->url);
    p->body = arena_copy(&p->arena, options->body);
    p->every_ms = (uint64_t)(options->every_ns / NS_PER_MS);
    p->timeout_ms = (uint64_t)(options->timeout_ns / NS_PER_MS);
    p->max_bytes = options->max_bytes;
    p->got = got;
    p->failed = failed;
    p->arg = arg;
    p->timer = timer_new(p->loop, begin, p);
    rc = copy_headers(p, options->headers, err);
    if (rc == OK)
        rc = http_auth_new(&p->auth, options->client, err);
    if (rc != OK) {
        http_poll_free(p);
        return rc;
    }
    *out = p;
    return OK;
}

void http_poll_free(struct http_poll *p)
{
    if (p == NULL)
        return;
    if (p->request != NULL)
        http_request_cancel(p->request);
    timer_free(p->timer);
    http_auth_free(p->auth);
    arena_release(&p->arena);
    mem_free(p);
}

static void on_done(void *arg, const struct http_result *r)
{
    struct http_poll *p = arg;
    char why[ERROR_TEXT_BYTES];

    p->request = NULL;
    if (r->outcome == HTTP_ANSWERED && r->status == 200) {
        p->got(p->arg, r->body, http_result_header(r, "Content-Type"));
        return;
    }
    if (r->outcome == HTTP_ANSWERED)
        (void)snprintf(why, sizeof why, "unexpected status code %d", r->status);
    else
        (void)snprintf(why, sizeof why, "%.*s", SLICE_ARG(r->error));
    p->failed(p->arg, why);
}

static void begin(void *arg)
{
    struct http_poll *p = arg;
    struct http_request request = {
        .method = p->method,
        .url = p->url,
        .body = p->body,
        .headers = p->headers,
        .n_headers = p->n_headers,
        .user_agent = p->user_agent,
        .accept_gzip = true,
        .max_response_bytes = p->max_bytes,
        .timeout_ms = p->timeout_ms,
        .connect_timeout_ms = p->timeout_ms,
        .arg = p,
        .done = on_done,
    };
    struct error err = {0};
    struct arena scratch;

    timer_start(p->timer, p->every_ms, 0);
    if (p->request != NULL)
        return; /* still under way: its own timeout ends it */
    arena_init(&scratch, 0);
    if (http_auth_apply(p->auth, &request, &scratch, &err) == OK)
        p->request = http_request_start(host_http(p->host, p->loop), &request);
    else
        p->failed(p->arg, err.text);
    arena_release(&scratch);
}

void http_poll_start(struct http_poll *p)
{
    timer_start(p->timer, 0, 0);
}

#define ARG(member) offsetof(struct http_poll_args, member)
static const struct river_field client_fields[] = {
    {.kind = RIVER_FLATTEN, .offset = 0, .block = &http_args_block},
    RIVER_FIELDS_END,
};
static const struct river_block client_block = {
    .name = "client", .fields = client_fields, .size = sizeof(struct http_args), .doc = "How the request is made."};

static const struct river_field fields[] = {
    {.name = "url",
     .kind = RIVER_STRING,
     .flags = RIVER_REQUIRED | RIVER_NOT_EMPTY,
     .offset = ARG(url),
     .doc = "What is fetched."},
    {.name = "poll_frequency",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = ARG(poll_frequency_ns),
     .def = "\"1m\"",
     .doc = "How often it is fetched."},
    {.name = "poll_timeout",
     .kind = RIVER_DURATION,
     .flags = RIVER_HAS_MIN,
     .min = 1000000,
     .offset = ARG(poll_timeout_ns),
     .def = "\"10s\"",
     .doc = "How long one fetch may take; less than poll_frequency."},
    {.name = "method", .kind = RIVER_STRING, .offset = ARG(method), .def = "\"GET\"", .doc = "The HTTP method."},
    {.name = "headers",
     .kind = RIVER_STRING_MAP,
     .offset = ARG(headers),
     .doc = "Headers of the request; a User-Agent replaces the agent's own."},
    {.name = "body", .kind = RIVER_STRING, .offset = ARG(body), .doc = "The body of the request."},
    {.name = "client", .kind = RIVER_BLOCK, .offset = ARG(client), .block = &client_block, .doc = "How it is fetched."},
    RIVER_FIELDS_END,
};
const struct river_block http_poll_args_block = {.name = "http_poll",
                                                 .fields = fields,
                                                 .size = sizeof(struct http_poll_args),
                                                 .doc = "A request made again and again."};

enum code http_poll_args_check(const struct http_poll_args *a, struct river_problems *problems)
{
    struct error why = {0};
    enum code rc = http_args_check(&a->client, problems);

    if (http_poll_check(a->method, a->url, &why) != OK)
        rc = river_problem(problems, "url", "url or method: %s", why.text);
    if (a->poll_timeout_ns >= a->poll_frequency_ns)
        rc = river_problem(problems, "poll_timeout", "poll_timeout must be less than poll_frequency");
    return rc;
}

enum code http_poll_of_args(struct http_poll **out, struct host *host, const struct http_poll_args *args,
                            http_poll_got_fn got, http_poll_failed_fn failed, void *arg, struct error *err)
{
    return http_poll_new(out, host,
                         &(struct http_poll_options){
                             .method = args->method,
                             .url = args->url,
                             .body = args->body,
                             .headers = &args->headers,
                             .client = &args->client,
                             .every_ns = args->poll_frequency_ns,
                             .timeout_ns = args->poll_timeout_ns,
                             .max_bytes = LIMIT_REMOTE_CONTENT_BYTES,
                         },
                         got, failed, arg, err);
}
