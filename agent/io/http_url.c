#include "agent/io/http_url.h"
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include <curl/curl.h>
#include <stdio.h>

enum { RETRY_AFTER_MAX_S = 3600 };

static bool is_scheme(struct slice s)
{
    if (s.len == 0 || !((s.ptr[0] | 0x20) >= 'a' && (s.ptr[0] | 0x20) <= 'z'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && strchr("+-.", c) == NULL)
            return false;
    }
    return true;
}

static enum code parse_port(struct slice text, uint16_t *port, struct error *err)
{
    uint64_t n;

    if (!slice_to_u64(text, &n) || n > 65535)
        return error_set(err, INVALID, "\"%.*s\" is not a port number", SLICE_ARG(text));
    *port = (uint16_t)n;
    return OK;
}

/* "host", "host:1", "[::1]:1"; *port_text is empty without one. */
static enum code split_host(struct slice text, struct slice *host, struct slice *port_text, bool *is_ipv6,
                            struct error *err)
{
    struct slice rest = {0};

    *port_text = (struct slice){0};
    *is_ipv6 = text.len != 0 && text.ptr[0] == '[';
    if (*is_ipv6) {
        if (!slice_cut(slice_from(text, 1), ']', host, &rest))
            return error_set(err, INVALID, "\"%.*s\" has no closing bracket", SLICE_ARG(text));
        if (rest.len != 0 && rest.ptr[0] != ':')
            return error_set(err, INVALID, "\"%.*s\" has something after the bracket", SLICE_ARG(text));
        *port_text = slice_from(rest, 1);
        return OK;
    }
    slice_cut(text, ':', host, port_text);
    if (slice_find(*port_text, ':') != port_text->len)
        return error_set(err, INVALID, "\"%.*s\": an IPv6 address stands in brackets", SLICE_ARG(text));
    return OK;
}

static enum code parse_authority(struct http_url *u, struct slice authority, struct error *err)
{
    struct slice port_text;
    enum code rc;
    size_t at = authority.len;

    while (at > 0 && authority.ptr[at - 1] != '@')
        at--;
    if (at > 0) {
        u->userinfo = slice_head(authority, at - 1);
        authority = slice_from(authority, at);
    }
    rc = split_host(authority, &u->host, &port_text, &u->is_ipv6, err);
    if (rc != OK)
        return rc;
    if (u->host.len == 0)
        return error_set(err, INVALID, "the URL has no host");
    u->port = slice_eq_nocase(u->scheme, SLICE_LIT("https"))  ? 443
              : slice_eq_nocase(u->scheme, SLICE_LIT("http")) ? 80
                                                              : 0;
    if (port_text.len == 0)
        return OK;
    u->has_port = true;
    return parse_port(port_text, &u->port, err);
}

enum code http_url_parse(struct http_url *out, struct slice url, struct error *err)
{
    struct http_url u = {0};
    size_t mark = slice_find_slice(url, SLICE_LIT("://"));
    size_t end = 0;
    struct slice rest;
    enum code rc = OK;

    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f)
            return error_set(err, INVALID, "the URL has a space or a control character in it");
    u.scheme = slice_head(url, mark);
    if (mark == url.len || !is_scheme(u.scheme))
        return error_set(err, INVALID, "the URL does not start with http:// or https://");
    rest = slice_from(url, mark + 3);
    slice_cut(rest, '#', &rest, &u.fragment);
    slice_cut(rest, '?', &rest, &u.query);
    if (slice_eq_nocase(u.scheme, SLICE_LIT("unix"))) {
        u.path = rest;
        if (rest.len == 0)
            rc = error_set(err, INVALID, "the unix URL has no path");
    } else {
        end = slice_find(rest, '/');
        u.path = slice_from(rest, end);
        rc = parse_authority(&u, slice_head(rest, end), err);
    }
    if (rc == OK)
        *out = u;
    return rc;
}

enum code http_url_put_plain(struct buf *out, const struct http_url *url)
{
    char port[8] = "";

    if (url->has_port)
        snprintf(port, sizeof port, ":%u", (unsigned)url->port);
    buf_add(out, url->scheme);
    buf_add_str(out, url->is_ipv6 ? "://[" : "://");
    buf_add(out, url->host);
    buf_add_str(out, url->is_ipv6 ? "]" : "");
    buf_add_str(out, port);
    buf_add(out, url->path);
    return out->is_full ? FULL : OK;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

enum code http_url_escape(struct buf *out, struct slice s)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        char escaped[3] = {'%', digits[c >> 4], digits[c & 15]};

        buf_add(out, is_unreserved(s.ptr[i]) ? slice_make(&s.ptr[i], 1) : slice_make(escaped, 3));
    }
    return out->is_full ? FULL : OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

enum code http_url_unescape(struct buf *out, struct slice s, bool plus_is_space)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = s.len - i > 2 ? hex_digit(s.ptr[i + 1]) : -1, low = s.len - i > 2 ? hex_digit(s.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return CORRUPT;
            c = (char)(high << 4 | low);
            i += 2;
        }
        buf_add_char(out, c);
    }
    return out->is_full ? FULL : OK;
}

int64_t http_retry_after_ms(struct slice value, int64_t wall_now_ns)
{
    char text[64];
    uint64_t seconds;
    time_t when;
    int64_t left;

    value = slice_trim(value);
    if (slice_to_u64(value, &seconds))
        return (int64_t)(seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds) * MS_PER_S;
    if (value.len == 0 || value.len >= sizeof text || slice_find(value, ',') == value.len)
        return -1;
    memcpy(text, value.ptr, value.len);
    text[value.len] = 0;
    when = curl_getdate(text, NULL);
    if (when == -1)
        return -1;
    left = (int64_t)when - wall_now_ns / NS_PER_S;
    return (left < 0 ? 0 : left > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : left) * MS_PER_S;
}

enum code http_listen_parse(struct slice listen, struct slice *host, uint16_t *port, struct error *err)
{
    struct slice port_text;
    bool is_ipv6;
    enum code rc = split_host(listen, host, &port_text, &is_ipv6, err);

    if (rc != OK)
        return rc;
    if (port_text.len == 0)
        return error_set(err, INVALID, "the address \"%.*s\" has no port", SLICE_ARG(listen));
    return parse_port(port_text, port, err);
}
