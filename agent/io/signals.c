#include "agent/io/signals.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { N_SIGNALS = 3 };
static const int numbers[N_SIGNALS] = {SIGHUP, SIGTERM, SIGINT};

struct signals {
    uv_signal_t handles[N_SIGNALS]; /* closed one by one; the last close frees all */
    unsigned n_open;
    signal_fn fn;
    void *arg;
};

static void on_signal(uv_signal_t *handle, int signum)
{
    struct signals *s = handle->data;

    s->fn(s->arg, signum);
}

static void on_closed(uv_handle_t *handle)
{
    struct signals *s = handle->data;

    if (--s->n_open == 0)
        mem_free(s);
}

void signals_free(struct signals *s)
{
    if (s == NULL)
        return;
    if (s->n_open == 0)
        mem_free(s);
    else
        for (unsigned i = s->n_open; i-- > 0;)
            uv_close((uv_handle_t *)&s->handles[i], on_closed);
}

enum code signals_new(struct signals **out, struct loops *loops, signal_fn fn, void *arg, struct error *err)
{
    struct signals *s = mem_zalloc(sizeof *s);
    int rc = 0;

    *out = NULL;
    s->fn = fn;
    s->arg = arg;
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < N_SIGNALS && rc == 0; i++) {
        rc = uv_signal_init(loop_uv(loops_control(loops)), &s->handles[i]);
        s->handles[i].data = s;
        if (rc == 0) {
            s->n_open++;
            rc = uv_signal_start(&s->handles[i], on_signal, numbers[i]);
        }
    }
    if (rc != 0) {
        signals_free(s);
        return error_set(err, IO, "cannot catch signals: %s", uv_strerror(rc));
    }
    *out = s;
    return OK;
}

enum code sd_notify_send(const char *state, struct error *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = path != NULL ? strlen(path) : 0;
    enum code rc = OK;
    int fd;

    if (n == 0)
        return OK;
    if (n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return error_set(err, INVALID, "NOTIFY_SOCKET \"%s\" is no socket path", path);
    memcpy(address.sun_path, path, n);
    if (path[0] == '@') /* the abstract name space */
        address.sun_path[0] = 0;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set(err, IO, "cannot make a socket: %s", strerror(errno));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        rc = error_set(err, IO, "cannot tell %s \"%s\": %s", path, state, strerror(errno));
    close(fd);
    return rc;
}
