/* Which container is this process in? Its own log is not read: what it says about what it reads would feed back. */
#include "agent/io/docker.h"
#include "agent/io/file.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { ID_BYTES = 64, SHORT_ID_BYTES = 12, PROC_BYTES = 4 * 1024 * 1024 };

static char own_id[ID_BYTES + 1];
static pthread_once_t own_once = PTHREAD_ONCE_INIT;

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The last run of exactly 64 hex digits. */
static bool find_id(struct slice s, struct slice *id)
{
    bool is_found = false;

    for (size_t at = 0; at < s.len;) {
        size_t n = 0;

        while (at + n < s.len && is_hex(s.ptr[at + n]))
            n++;
        if (n == ID_BYTES) {
            *id = slice_make(s.ptr + at, n);
            is_found = true;
        }
        at += n + 1;
    }
    return is_found;
}

/* proc(5): "36 35 98:0 /root /mount/point options - type source". Docker mounts a container's own files over these
 * three; other containers' folders may be mounted elsewhere. */
static bool find_in_mount(struct slice line, struct slice *id)
{
    struct slice field[5];

    for (size_t i = 0; i < 5; i++)
        if (!slice_cut(line, ' ', &field[i], &line))
            return false;
    if (!slice_eq_str(field[4], "/etc/hostname") && !slice_eq_str(field[4], "/etc/hosts") &&
        !slice_eq_str(field[4], "/etc/resolv.conf"))
        return false;
    return find_id(field[3], id);
}

bool docker_find_self(struct slice cgroup, struct slice mountinfo, struct slice *id)
{
    struct slice line;

    if (find_id(cgroup, id))
        return true;
    while (mountinfo.len != 0) {
        (void)slice_cut(mountinfo, '\n', &line, &mountinfo);
        if (find_in_mount(line, id))
            return true;
    }
    return false;
}

static void look(void)
{
    struct error err = {0};
    struct buf cgroup, mounts;
    struct slice id;

    buf_init(&cgroup, PROC_BYTES);
    buf_init(&mounts, PROC_BYTES);
    (void)!file_read_all("/proc/self/cgroup", &cgroup, &err);
    (void)!file_read_all("/proc/self/mountinfo", &mounts, &err);
    if (docker_find_self(buf_slice(&cgroup), buf_slice(&mounts), &id))
        (void)snprintf(own_id, sizeof own_id, "%.*s", SLICE_ARG(id));
    else if (gethostname(own_id, sizeof own_id) != 0 || strlen(own_id) != SHORT_ID_BYTES)
        own_id[0] = '\0';
    buf_release(&cgroup);
    buf_release(&mounts);
}

bool docker_is_self(struct slice id)
{
    (void)pthread_once(&own_once, look);
    return own_id[0] != '\0' && slice_starts(id, slice_str(own_id));
}
