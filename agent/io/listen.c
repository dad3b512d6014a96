#include "agent/io/listen.h"
#include "agent/base/mem.h"
#include "agent/io/http_url.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_one(const struct addrinfo *at, uint16_t *port)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0, reason;
    struct sockaddr_storage actual;
    socklen_t len = sizeof actual;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0 &&
        getsockname(fd, (struct sockaddr *)&actual, &len) == 0) {
        *port = ntohs(actual.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&actual)->sin6_port
                                                   : ((struct sockaddr_in *)&actual)->sin_port);
        return fd;
    }
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* For all addresses the IPv6 socket serves both families; for a name IPv4 comes first, as in Go. */
static int open_first(const struct addrinfo *list, bool is_any, uint16_t *port)
{
    const int order[2] = {is_any ? AF_INET6 : AF_INET, is_any ? AF_INET : AF_INET6};
    int fd = -1;

    for (size_t i = 0; i < 2; i++)
        for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
            if (at->ai_family == order[i])
                fd = open_one(at, port);
    return fd;
}

enum code listen_open(int *fd, uint16_t *port, struct slice listen, struct error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    struct slice host;
    char service[8];
    char *name;
    enum code rc = http_listen_parse(listen, &host, port, err);
    int failed;

    *fd = -1;
    if (rc != OK)
        return rc;
    snprintf(service, sizeof service, "%u", (unsigned)*port);
    name = mem_strndup(host);
    failed = getaddrinfo(host.len != 0 ? name : NULL, service, &hints, &list);
    if (failed != 0) {
        rc = error_set(err, IO, "cannot listen on %.*s: %s", SLICE_ARG(listen), gai_strerror(failed));
        goto done;
    }
    *fd = open_first(list, host.len == 0, port);
    if (*fd < 0)
        rc = error_set(err, IO, "cannot listen on %.*s: %s", SLICE_ARG(listen), strerror(errno));
    freeaddrinfo(list);
done:
    mem_free(name);
    return rc;
}
