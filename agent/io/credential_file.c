#include "agent/io/credential_file.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/file.h"
#include <pthread.h>

struct credential_file {
    char *path; /* owned */
    const struct clock *clock;
    pthread_mutex_t lock; /* for all below */
    char *secret;         /* owned; NULL until read */
    size_t len;
    struct file_stat seen; /* of what secret was read from */
    int64_t looked_ns;
    bool has_looked;
};

struct credential_file *credential_file_new(struct slice path, const struct clock *clock)
{
    struct credential_file *f = mem_zalloc(sizeof *f);

    f->path = mem_strndup(path);
    f->clock = clock != NULL ? clock : clock_system();
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

static void forget(struct credential_file *f)
{
    mem_free_secret(f->secret, f->len);
    f->secret = NULL;
    f->len = 0;
}

void credential_file_free(struct credential_file *f)
{
    if (f == NULL)
        return;
    forget(f);
    pthread_mutex_destroy(&f->lock);
    mem_free(f->path);
    mem_free(f);
}

static bool is_same(const struct file_stat *a, const struct file_stat *b)
{
    return a->id.device == b->id.device && a->id.inode == b->id.inode && a->size_bytes == b->size_bytes &&
           a->mtime_ns == b->mtime_ns;
}

static enum code read_again(struct credential_file *f, const struct file_stat *now, struct error *err)
{
    struct buf content;
    enum code rc;

    buf_init(&content, LIMIT_CREDENTIAL_FILE_BYTES);
    rc = file_read_all(f->path, &content, err);
    if (rc == OK) {
        struct slice text = buf_slice(&content);

        while (text.len != 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL)
            text.len--;
        forget(f);
        f->secret = mem_strndup(text);
        f->len = text.len;
        f->seen = *now;
    }
    if (content.len != 0)
        explicit_bzero(content.ptr, content.len);
    buf_release(&content);
    return rc;
}

static enum code refresh(struct credential_file *f, struct error *err)
{
    int64_t now_ns = clock_mono_ns(f->clock);
    struct file_stat st;
    enum code rc;

    if (f->secret != NULL && f->has_looked && now_ns - f->looked_ns < NS_PER_S)
        return OK;
    f->looked_ns = now_ns;
    f->has_looked = true;
    rc = file_stat_path(f->path, &st, err);
    if (rc == OK && (f->secret == NULL || !is_same(&st, &f->seen)))
        rc = read_again(f, &st, err);
    if (rc != OK)
        forget(f);
    return rc == OK ? OK : IO;
}

enum code credential_file_get(struct credential_file *f, struct buf *out, struct error *err)
{
    enum code rc;

    pthread_mutex_lock(&f->lock);
    rc = refresh(f, err);
    if (rc == OK) {
        buf_reset(out);
        rc = buf_add(out, slice_make(f->secret, f->len));
        if (rc != OK)
            error_set(err, rc, "the secret in %s is too long", f->path);
    }
    pthread_mutex_unlock(&f->lock);
    return rc;
}
