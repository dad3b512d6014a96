/* agent/runtime/http_poll.h - one HTTP request, made again and again on the control loop: remote.http, import.http,
 * discovery.http. The next one starts every_ns after the last one did, a failed one likewise; none overlap. */
#ifndef AGENT_RUNTIME_HTTP_POLL_H
#define AGENT_RUNTIME_HTTP_POLL_H
#include "agent/runtime/component.h"
#include "agent/runtime/http_args.h"

struct http_poll;

/* All borrowed for the call of http_poll_new. */
struct http_poll_options {
    struct slice method, url, body;  /* method empty: GET */
    const struct river_map *headers; /* NULL: none; a User-Agent replaces the agent's own, a Host the URL's */
    const struct http_args *client;
    int64_t every_ns, timeout_ns;
    uint64_t max_bytes;
};

/* body and content_type are valid for the call. May free the poll. */
typedef void (*http_poll_got_fn)(void *arg, struct slice body, struct slice content_type);
/* why: words without secrets. May free the poll. */
typedef void (*http_poll_failed_fn)(void *arg, const char *why);

/* Answers other than 200 are failures. INVALID: the URL, the method, a header or the client's settings. */
MUST_USE enum code http_poll_new(struct http_poll **out, struct host *host, const struct http_poll_options *options,
                                 http_poll_got_fn got, http_poll_failed_fn failed, void *arg, struct error *err);
void http_poll_start(struct http_poll *p); /* the first request, at once */
void http_poll_free(struct http_poll *p);  /* NULL is fine; nothing is called any more */

/* The method and the URL, for validate: INVALID says what is wrong. */
MUST_USE enum code http_poll_check(struct slice method, struct slice url, struct error *err);

/* The arguments remote.http and import.http have in common. */
struct http_poll_args {
    struct slice url, method, body;
    struct river_map headers;
    int64_t poll_frequency_ns, poll_timeout_ns;
    struct http_args client;
};
extern const struct river_block http_poll_args_block; /* to FLATTEN */
enum code http_poll_args_check(const struct http_poll_args *args, struct river_problems *problems);
/* http_poll_new with those. */
MUST_USE enum code http_poll_of_args(struct http_poll **out, struct host *host, const struct http_poll_args *args,
                                     http_poll_got_fn got, http_poll_failed_fn failed, void *arg, struct error *err);
#endif
