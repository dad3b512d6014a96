#include "agent/cli/storage.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/delivery/positions.h"
#include "agent/io/file.h"
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static enum code in_memory(struct storage *s, const char *path, const char *why)
{
    s->note = mem_printf("storage: %s cannot be used (%s): positions are kept in memory only", path, why);
    log_warn(NULL, "storage cannot be used, positions are kept in memory only", log_str("path", path),
             log_str("error", why), log_str("do", "make it writable for this user, or give another --storage.path"));
    return OK;
}

enum code storage_open(struct storage *s, const char *path, struct error *err)
{
    struct error why = {0};
    enum code rc;

    *s = (struct storage){0};
    if (dir_make(path, 0700, &why) != OK)
        return in_memory(s, path, why.text);
    if (access(path, R_OK | W_OK | X_OK) != 0)
        return in_memory(s, path, strerror(errno));
    if (chmod(path, 0700) != 0 && errno != EPERM) /* another's folder that we may write: a volume's group */
        return in_memory(s, path, strerror(errno));
    rc = dir_lock(&s->lock, path, &why);
    if (rc == AGAIN)
        return error_set(err, rc, "%s; give this one another --storage.path", why.text);
    if (rc != OK)
        return in_memory(s, path, why.text);
    s->path = path;
    return OK;
}

void storage_close(struct storage *s)
{
    dir_unlock(s->lock);
    mem_free(s->note);
    *s = (struct storage){0};
}

struct position_writer {
    struct positions *positions;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_over;
};

static void write_positions(struct position_writer *w, bool force)
{
    struct error err = {0};

    if (positions_write(w->positions, force, &err) != OK)
        log_warn(NULL, "positions cannot be written, tried again every second", log_str("error", err.text),
                 log_str("do", "free space or make --storage.path writable"));
}

static void *run(void *arg)
{
    struct position_writer *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->is_over) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&w->wake, &w->lock, &until);
        pthread_mutex_unlock(&w->lock);
        write_positions(w, false);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct position_writer *position_writer_new(struct positions *positions)
{
    struct position_writer *w = mem_zalloc(sizeof *w);
    pthread_condattr_t attr;

    w->positions = positions;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    BUG_ON(pthread_create(&w->thread, NULL, run, w) != 0);
    return w;
}

void position_writer_free(struct position_writer *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_over = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    write_positions(w, true);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}
