/* A glob that matches app.log and app.log.1 names one file twice when it is rotated: whoever has it first reads it, the
 * other goes on where that one stopped. */
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"

enum { MAX_CLAIMS = 65536 };

struct claim {
    const void *owner; /* NULL: nobody reads it now */
    uint64_t offset;
    struct mark mark;
};

static struct slice key_of(const struct file_identity *id)
{
    return slice_make(id, sizeof *id);
}

void claims_init(struct file_source *s)
{
    (void)pthread_mutex_init(&s->lock, NULL);
    map_init(&s->claims, MAX_CLAIMS);
}

void claims_release(struct file_source *s)
{
    map_release(&s->claims, mem_free);
    (void)pthread_mutex_destroy(&s->lock);
}

/* The oldest one that nobody reads makes room. */
static void forget_one(struct map *claims)
{
    for (struct map_entry *e = map_next(claims, NULL); e != NULL; e = map_next(claims, e)) {
        struct claim *c = e->value;

        if (c->owner != NULL)
            continue;
        mem_free(map_remove(claims, e->key));
        return;
    }
}

bool claims_take(struct file_source *s, const struct file_identity *id, const void *owner, uint64_t *offset,
                 struct mark *mark)
{
    struct claim *c;
    bool is_mine = true;

    (void)pthread_mutex_lock(&s->lock);
    c = map_get(&s->claims, key_of(id));
    *offset = 0;
    *mark = (struct mark){0};
    if (c == NULL) {
        if (map_count(&s->claims) == MAX_CLAIMS)
            forget_one(&s->claims);
        c = mem_zalloc(sizeof *c);
        c->owner = owner;
        if (map_put(&s->claims, key_of(id), c, NULL) != OK)
            mem_free(c); /* more files than claims: this one is not watched over */
    } else if (c->owner == NULL || c->owner == owner) {
        *offset = c->offset;
        *mark = c->mark;
        c->owner = owner;
    } else {
        is_mine = false;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return is_mine;
}

void claims_drop(struct file_source *s, const struct file_identity *id, const void *owner, uint64_t offset,
                 const struct mark *mark, bool is_gone)
{
    struct claim *c;

    (void)pthread_mutex_lock(&s->lock);
    c = map_get(&s->claims, key_of(id));
    if (c != NULL && c->owner == owner) {
        c->owner = NULL;
        c->offset = offset;
        c->mark = *mark;
        if (is_gone)
            mem_free(map_remove(&s->claims, key_of(id)));
    }
    (void)pthread_mutex_unlock(&s->lock);
}
