/* agent/io/http_url.h - http, https and unix URLs taken apart (RFC 3986), and small HTTP texts. */
#ifndef AGENT_IO_HTTP_URL_H
#define AGENT_IO_HTTP_URL_H
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct buf;

/* All point into the URL that was parsed. */
struct http_url {
    struct slice scheme;   /* as written */
    struct slice userinfo; /* "user:password", still percent-encoded; without '@' */
    struct slice host;     /* without brackets */
    bool is_ipv6;          /* it stood in brackets */
    uint16_t port;         /* the scheme's default when none is written: 80, 443, else 0 */
    bool has_port;
    struct slice path, query, fragment; /* query and fragment without their mark */
};

/* Needs scheme "://" and a host (unix: a path). INVALID names what is wrong. */
MUST_USE enum code http_url_parse(struct http_url *out, struct slice url, struct error *err);
/* The URL without user info, query and fragment: for names and messages. */
enum code http_url_put_plain(struct buf *out, const struct http_url *url); /* as buf_add */
/* Percent-encodes all but unreserved characters. */
enum code http_url_escape(struct buf *out, struct slice s); /* as buf_add */
/* %XX decoded; plus_is_space for query parts. CORRUPT for a bad escape. */
MUST_USE enum code http_url_unescape(struct buf *out, struct slice s, bool plus_is_space);
/* Retry-After: seconds or an HTTP date; -1 when it is neither. At most one hour. */
int64_t http_retry_after_ms(struct slice value, int64_t wall_now_ns);
/* "host:port", ":port", "[::]:port", "port missing" is INVALID. host is empty for all addresses. */
MUST_USE enum code http_listen_parse(struct slice listen, struct slice *host, uint16_t *port, struct error *err);
#endif
