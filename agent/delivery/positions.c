#include "agent/delivery/positions.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/log.h"
#include "agent/base/map.h"
#include "agent/base/mem.h"
#include "agent/io/codec.h"
#include "agent/io/file.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_BYTES_MAX = 128 * 1024, WRITE_EVERY_MS = 1000 };

struct positions {
    const struct clock *clock;
    pthread_mutex_t lock;       /* over all that follows and over every file's entries */
    pthread_mutex_t write_lock; /* one writer at a time, taken before lock */
    struct list files;
};

/* "path\0labels" is the key; its value an entry. */
struct entry {
    struct slice path, labels; /* of the key's copy */
    char *key;                 /* owned */
    char *text;                /* owned, NUL-terminated */
};

struct positions_file {
    struct list node;
    struct positions *all;
    char *dir; /* NULL: memory only */
    unsigned refs;
    struct map entries;
    bool is_dirty;
    int64_t written_ms; /* mono */
};

static void free_entry(void *value)
{
    struct entry *e = value;

    if (e == NULL)
        return;
    mem_free(e->key);
    mem_free(e->text);
    mem_free(e);
}

struct positions *positions_new(const struct clock *clock)
{
    struct positions *p = mem_zalloc(sizeof *p);

    p->clock = clock != NULL ? clock : clock_system();
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->write_lock, NULL);
    list_init(&p->files);
    return p;
}

static void free_file(struct positions_file *f)
{
    list_remove(&f->node);
    map_release(&f->entries, free_entry);
    mem_free(f->dir);
    mem_free(f);
}

void positions_free(struct positions *p)
{
    struct error err = {0};

    if (p == NULL)
        return;
    if (positions_write(p, true, &err) != OK)
        log_error(NULL, "positions could not be written", log_str("error", err.text));
    LIST_EACH_SAFE (it, &p->files)
        free_file(CONTAINER_OF(it, struct positions_file, node));
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->write_lock);
    mem_free(p);
}

/* ---- entries, under the lock ---- */

static void put_key(struct buf *key, struct slice path, struct slice labels)
{
    buf_init(key, KEY_BYTES_MAX);
    buf_add(key, path);
    buf_add_char(key, '\0');
    buf_add(key, labels);
}

static struct entry *find(struct positions_file *f, struct slice path, struct slice labels)
{
    struct buf key;
    struct entry *e;

    put_key(&key, path, labels);
    e = map_get(&f->entries, buf_slice(&key));
    buf_release(&key);
    return e;
}

static void set_entry(struct positions_file *f, struct slice path, struct slice labels, struct slice text)
{
    struct entry *e = find(f, path, labels);
    struct buf key;
    size_t len;

    if (e != NULL && slice_eq_str(text, e->text))
        return;
    f->is_dirty = true;
    if (e != NULL) {
        mem_free(e->text);
        e->text = mem_strndup(text);
        return;
    }
    put_key(&key, path, labels);
    if (key.is_full || map_count(&f->entries) >= LIMIT_POSITIONS) { /* paths are far shorter; files far fewer */
        buf_release(&key);
        return;
    }
    e = mem_zalloc(sizeof *e);
    e->key = buf_take(&key, &len);
    e->path = slice_make(e->key, path.len);
    e->labels = slice_make(e->key + path.len + 1, labels.len);
    e->text = mem_strndup(text);
    if (map_put(&f->entries, slice_make(e->key, len), e, NULL) != OK)
        free_entry(e);
}

void positions_set_text(struct positions_file *f, struct slice path, struct slice labels, struct slice text)
{
    pthread_mutex_lock(&f->all->lock);
    set_entry(f, path, labels, text);
    pthread_mutex_unlock(&f->all->lock);
}

void positions_set(struct positions_file *f, struct slice path, struct slice labels, int64_t offset)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)offset);

    positions_set_text(f, path, labels, slice_make(text, (size_t)n));
}

bool positions_get_text(struct positions_file *f, struct slice path, struct slice labels, struct buf *out)
{
    struct entry *e;

    pthread_mutex_lock(&f->all->lock);
    e = find(f, path, labels);
    if (e != NULL)
        buf_add_str(out, e->text);
    pthread_mutex_unlock(&f->all->lock);
    return e != NULL;
}

bool positions_get(struct positions_file *f, struct slice path, struct slice labels, int64_t *offset)
{
    struct entry *e;
    bool is_number;

    pthread_mutex_lock(&f->all->lock);
    e = find(f, path, labels);
    is_number = e != NULL && slice_to_i64(slice_str(e->text), offset);
    pthread_mutex_unlock(&f->all->lock);
    return is_number;
}

void positions_remove(struct positions_file *f, struct slice path, struct slice labels)
{
    struct buf key;
    struct entry *e;

    put_key(&key, path, labels);
    pthread_mutex_lock(&f->all->lock);
    e = map_remove(&f->entries, buf_slice(&key));
    if (e != NULL)
        f->is_dirty = true;
    pthread_mutex_unlock(&f->all->lock);
    buf_release(&key);
    free_entry(e);
}

void positions_each(struct positions_file *f,
                    bool (*fn)(void *ctx, struct slice path, struct slice labels, struct slice text), void *ctx)
{
    pthread_mutex_lock(&f->all->lock);
    for (struct map_entry *it = map_next(&f->entries, NULL); it != NULL; it = map_next(&f->entries, it)) {
        struct entry *e = it->value;

        if (!fn(ctx, e->path, e->labels, slice_str(e->text)))
            break;
    }
    pthread_mutex_unlock(&f->all->lock);
}

/* ---- the file ---- */

static void put_quoted(struct buf *out, struct slice s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == '"' || c == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_add_char(out, (char)c);
        }
    }
    buf_add_char(out, '"');
}

static enum code write_text(const struct positions_file *f, struct buf *out)
{
    buf_add_str(out, map_count(&f->entries) == 0 ? "positions: {}\n" : "positions:\n");
    for (struct map_entry *it = map_next(&f->entries, NULL); it != NULL; it = map_next(&f->entries, it)) {
        const struct entry *e = it->value;

        buf_add_str(out, "  ? path: ");
        put_quoted(out, e->path);
        buf_add_str(out, "\n    labels: ");
        put_quoted(out, e->labels);
        buf_add_str(out, "\n  : ");
        put_quoted(out, slice_str(e->text));
        buf_add_char(out, '\n');
    }
    return buf_printf(out, "# crc32c %08x\n", crc32c_update(0, buf_slice(out)));
}

/* The present file becomes the generation before, without a moment in which there is none. */
static void keep_generation(const char *path)
{
    char *older = mem_printf("%s.1", path), *linked = mem_printf("%s.1.tmp", path);

    unlink(linked);
    if (link(path, linked) == 0 && rename(linked, older) != 0)
        unlink(linked);
    mem_free(older);
    mem_free(linked);
}

/* Called with write_lock held, without lock. */
static enum code write_file(const char *dir, struct slice text, struct error *err)
{
    char *path = mem_printf("%s/positions.yml", dir);
    enum code rc;

    keep_generation(path);
    rc = file_write_atomic(path, text, 0600, true, err);
    mem_free(path);
    return rc;
}

static enum code write_one(struct positions *p, struct positions_file *f, struct error *err)
{
    struct buf text;
    enum code rc;

    buf_init(&text, LIMIT_POSITIONS_FILE_BYTES);
    pthread_mutex_lock(&p->lock);
    rc = write_text(f, &text);
    f->is_dirty = false;
    f->written_ms = clock_mono_ns(p->clock) / NS_PER_MS;
    pthread_mutex_unlock(&p->lock);
    if (rc != OK)
        rc =
            error_set(err, rc, "%s/positions.yml: more than %u bytes of positions", f->dir, LIMIT_POSITIONS_FILE_BYTES);
    else
        rc = write_file(f->dir, buf_slice(&text), err);
    buf_release(&text);
    if (rc != OK) {
        pthread_mutex_lock(&p->lock);
        f->is_dirty = true;
        pthread_mutex_unlock(&p->lock);
    }
    return rc;
}

/* The next file to write, with a reference; NULL: none. */
static struct positions_file *next_dirty(struct positions *p, bool force, int64_t before_ms)
{
    struct positions_file *found = NULL;

    pthread_mutex_lock(&p->lock);
    LIST_EACH (it, &p->files) {
        struct positions_file *f = CONTAINER_OF(it, struct positions_file, node);

        if (f->dir == NULL || !f->is_dirty || (!force && f->written_ms > before_ms))
            continue;
        found = f;
        found->refs++;
        list_remove(&f->node); /* to the end, so that one that fails does not keep the others from being written */
        list_add_tail(&p->files, &f->node);
        break;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void unref(struct positions_file *f)
{
    struct positions *p = f->all;

    pthread_mutex_lock(&p->lock);
    if (--f->refs == 0)
        free_file(f);
    pthread_mutex_unlock(&p->lock);
}

enum code positions_write(struct positions *p, bool force, struct error *err)
{
    int64_t before_ms = clock_mono_ns(p->clock) / NS_PER_MS - WRITE_EVERY_MS;
    struct positions_file *f;
    size_t n = 0, most = 0;
    enum code rc = OK;

    pthread_mutex_lock(&p->write_lock);
    pthread_mutex_lock(&p->lock);
    LIST_EACH (it, &p->files)
        most++;
    pthread_mutex_unlock(&p->lock);
    while (n++ < most && (f = next_dirty(p, force, before_ms)) != NULL) {
        enum code one = write_one(p, f, rc == OK ? err : NULL);

        rc = rc == OK ? one : rc;
        unref(f);
    }
    pthread_mutex_unlock(&p->write_lock);
    return rc;
}

/* ---- opening ---- */

static void load_entry(void *ctx, struct slice path, struct slice labels, struct slice value)
{
    set_entry(ctx, path, labels, value);
}

/* AGAIN: there is no such file. CORRUPT: it is set aside. */
static enum code load(struct positions_file *f, const char *path, struct error *err)
{
    struct buf text;
    enum code rc;
    char *aside;

    buf_init(&text, LIMIT_POSITIONS_FILE_BYTES);
    rc = file_read_all(path, &text, err);
    if (rc == FULL)
        rc = CORRUPT;
    if (rc == OK)
        rc = positions_parse(buf_slice(&text), load_entry, f, err);
    buf_release(&text);
    if (rc != CORRUPT)
        return rc;
    error_prefix(err, "%s", path);
    map_release(&f->entries, free_entry);
    map_init(&f->entries, 0);
    aside = mem_printf("%s.unreadable", path);
    if (rename(path, aside) != 0)
        rc = error_set(err, IO, "%s: unreadable, and it cannot be set aside: %s", path, strerror(errno));
    mem_free(aside);
    return rc;
}

static enum code load_generations(struct positions_file *f, bool *is_older, struct error *err)
{
    char *path = mem_printf("%s/positions.yml", f->dir), *older = mem_printf("%s/positions.yml.1", f->dir);
    struct error first_err = {0}, older_err = {0};
    enum code first = load(f, path, &first_err), rc = first;

    if (first == CORRUPT || first == AGAIN) {
        rc = load(f, older, &older_err);
        *is_older = rc == OK;
        if (rc == AGAIN) /* no older one: the first one's state counts */
            rc = first == AGAIN ? OK : CORRUPT;
        if (rc == IO || rc == INVALID || rc == NOMEM)
            first_err = older_err;
    }
    if (rc == INVALID)
        rc = IO; /* no regular file */
    if (rc != OK)
        error_set(err, rc, "%s", first_err.text);
    f->is_dirty = *is_older;
    mem_free(path);
    mem_free(older);
    return rc;
}

static struct positions_file *find_open(struct positions *p, const char *dir)
{
    LIST_EACH (it, &p->files) {
        struct positions_file *f = CONTAINER_OF(it, struct positions_file, node);

        if (dir != NULL && f->dir != NULL && strcmp(f->dir, dir) == 0)
            return f;
    }
    return NULL;
}

enum code positions_open(struct positions *p, const char *dir, struct positions_file **out, bool *is_older,
                         struct error *err)
{
    struct positions_file *f;
    bool older = false;
    enum code rc = OK;

    *out = NULL;
    pthread_mutex_lock(&p->lock);
    f = find_open(p, dir);
    if (f == NULL) {
        f = mem_zalloc(sizeof *f);
        f->all = p;
        f->dir = dir != NULL ? mem_strdup(dir) : NULL;
        map_init(&f->entries, 0);
        list_add_tail(&p->files, &f->node);
        f->written_ms = clock_mono_ns(p->clock) / NS_PER_MS - WRITE_EVERY_MS;
        if (dir != NULL)
            rc = load_generations(f, &older, err);
    }
    if (rc == OK || rc == CORRUPT) {
        f->refs++;
        *out = f;
    } else {
        free_file(f);
    }
    pthread_mutex_unlock(&p->lock);
    if (is_older != NULL)
        *is_older = older;
    return rc;
}

struct import {
    struct positions_file *file;
};

static void import_entry(void *ctx, struct slice path, struct slice labels, struct slice value)
{
    struct import *i = ctx;

    if (find(i->file, path, labels) == NULL)
        set_entry(i->file, path, labels, value);
}

static void ignore_entry(void *ctx, struct slice path, struct slice labels, struct slice value)
{
    (void)ctx;
    (void)path;
    (void)labels;
    (void)value;
}

enum code positions_import(struct positions_file *f, const char *path, struct error *err)
{
    struct import import = {f};
    struct buf text;
    enum code rc;

    buf_init(&text, LIMIT_POSITIONS_FILE_BYTES);
    rc = file_read_all(path, &text, err);
    if (rc == OK)
        rc = positions_parse(buf_slice(&text), ignore_entry, NULL, err); /* all of it or nothing */
    pthread_mutex_lock(&f->all->lock);
    if (rc == OK && map_count(&f->entries) == 0)
        rc = positions_parse(buf_slice(&text), import_entry, &import, err);
    pthread_mutex_unlock(&f->all->lock);
    buf_release(&text);
    return rc;
}

void positions_close(struct positions_file *f)
{
    struct error err = {0};
    bool is_last;

    if (f == NULL)
        return;
    pthread_mutex_lock(&f->all->lock);
    is_last = f->refs == 1 && f->dir != NULL && f->is_dirty;
    pthread_mutex_unlock(&f->all->lock);
    if (is_last) {
        pthread_mutex_lock(&f->all->write_lock);
        if (write_one(f->all, f, &err) != OK)
            log_error(NULL, "positions could not be written", log_str("error", err.text));
        pthread_mutex_unlock(&f->all->write_lock);
    }
    unref(f);
}
