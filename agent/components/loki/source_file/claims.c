/* A glob that matches app.log and app.log.1 names one file twice when it is rotated: whoever has it first reads it, the
 * other goes on where that one stopped. Targets with other labels are other readers. */
#include "agent/base/hash.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"

enum { MAX_CLAIMS = 65536 };

struct claim {
    const struct follower *owner; /* NULL: nobody reads it now */
    uint64_t offset;
    struct mark mark;
};

struct claim_key {
    struct file_identity id;
    uint64_t labels;
};

static struct claim_key key_of(const struct follower *f, const struct file_identity *id)
{
    return (struct claim_key){*id, hash64(slice_str(f->labels_text))};
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

bool claims_take(struct follower *f, const struct file_identity *id, uint64_t *offset, struct mark *mark)
{
    struct file_source *s = f->source;
    struct claim_key place = key_of(f, id);
    struct slice key = slice_make(&place, sizeof place);
    struct claim *c;
    bool is_mine = true;

    (void)pthread_mutex_lock(&s->lock);
    c = map_get(&s->claims, key);
    *offset = 0;
    *mark = (struct mark){0};
    if (c == NULL) {
        if (map_count(&s->claims) == MAX_CLAIMS)
            forget_one(&s->claims);
        c = mem_zalloc(sizeof *c);
        c->owner = f;
        if (map_put(&s->claims, key, c, NULL) != OK)
            mem_free(c); /* more files than claims: this one is not watched over */
    } else if (c->owner == NULL || c->owner == f) {
        *offset = c->offset;
        *mark = c->mark;
        c->owner = f;
    } else {
        is_mine = false;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return is_mine;
}

void claims_drop(struct follower *f, const struct file_identity *id, uint64_t offset, const struct mark *mark,
                 bool is_gone)
{
    struct file_source *s = f->source;
    struct claim_key place = key_of(f, id);
    struct slice key = slice_make(&place, sizeof place);
    struct claim *c;

    (void)pthread_mutex_lock(&s->lock);
    c = map_get(&s->claims, key);
    if (c != NULL && c->owner == f) {
        c->owner = NULL;
        c->offset = offset;
        c->mark = *mark;
        if (is_gone)
            mem_free(map_remove(&s->claims, key));
    }
    (void)pthread_mutex_unlock(&s->lock);
}
