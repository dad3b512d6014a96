/* Files that left the path while nobody looked: during a restart they are known by their inodes; between two looks,
 * when rotation was faster than we, by their names and by when they were made. */
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/components/loki/source_file/source_file.h"
#include <stdlib.h>

enum { CLOCK_SLACK_NS = 10 * NS_PER_MS, MAX_BETWEEN = 64 };

bool file_is_same(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

struct search {
    const struct record *record;
    char *folder;              /* owned */
    char *found[RECORD_TAILS]; /* owned paths */
};

static bool search_entry(void *arg, const char *name, bool is_dir)
{
    struct search *s = arg;
    struct error err = {0};
    struct file_stat st;
    char *path;

    if (is_dir)
        return true;
    path = mem_printf("%s/%s", s->folder, name);
    if (file_stat_path(path, &st, &err) == OK && st.is_regular)
        for (size_t i = 0; i < s->record->n; i++)
            if (s->found[i] == NULL && file_is_same(&s->record->at[i].id, &st.id) &&
                st.size_bytes >= s->record->at[i].offset) { /* a shorter one is another file with that inode */
                s->found[i] = path;
                return true;
            }
    mem_free(path);
    return true;
}

/* Files that were rotated away while nobody looked stay in their folder. */
static void search_folder(struct follower *f, struct search *s)
{
    const char *slash = strrchr(f->path, '/');
    struct error err = {0};

    s->folder = slash != NULL ? mem_strndup(slice_make(f->path, (size_t)(slash - f->path))) : mem_strdup(".");
    if (dir_list(s->folder[0] != '\0' ? s->folder : "/", search_entry, s, &err) != OK)
        follower_say(f, "rotated files cannot be searched", err.text);
    mem_free(s->folder);
}

/* Opens what the record names, oldest first: the files that were rotated away, and the one at the path. */
void rotated_open_recorded(struct follower *f, struct record *r)
{
    struct search search = {.record = r};
    struct file_stat here = {0};
    struct error err = {0};
    bool is_here = file_stat_path(f->path, &here, &err) == OK && here.is_regular;
    int64_t plain, born_ns;

    f->known_ns = clock_wall_ns(host_clock(f->source->host));
    if (positions_get(f->source->positions, slice_str(f->path), slice_str(f->labels_text), &plain) && plain > 0 &&
        (uint64_t)plain > r->at[r->n - 1].offset && is_here && file_is_same(&r->at[r->n - 1].id, &here.id))
        r->at[r->n - 1].offset = (uint64_t)plain; /* Alloy read on from here in between */
    if (r->n != 1 || !is_here || !file_is_same(&r->at[0].id, &here.id))
        search_folder(f, &search);
    for (size_t i = 0; i < r->n; i++) {
        bool is_at_path = is_here && file_is_same(&r->at[i].id, &here.id);
        const char *path = is_at_path ? f->path : search.found[i];
        struct mark mark;
        uint64_t known;

        if (path != NULL && claims_take(f, &r->at[i].id, &known, &mark)) {
            if (!follower_add_tail(f, path, &r->at[i].id, r->at[i].offset, r->at[i].is_cut, NULL, is_at_path))
                claims_drop(f, &r->at[i].id, 0, &mark, true);
            else if (i == r->n - 1 && file_born_ns(path, &born_ns))
                f->known_ns = born_ns + CLOCK_SLACK_NS; /* what came to the path after it is not known yet */
        }
        mem_free(search.found[i]);
    }
    f->has_started_once = true;
}

/* --- between two looks ----------------------------------------------------------------------------------------------
 */

struct between {
    struct follower *f;
    const char *folder;
    struct slice base; /* the path's last part */
    int64_t born_after_ns;
    struct {
        char *path; /* owned */
        struct file_identity id;
        int64_t born_ns;
    } found[MAX_BETWEEN];
    size_t n;
};

/* app.log.1, app.log-20261121, app.log.2026-11-21T10: the base and then nothing but a number or a date. */
static bool is_rotated_name(struct slice name, struct slice base)
{
    struct slice rest = slice_from(name, base.len);
    bool has_digit = false;

    if (!slice_starts(name, base) || rest.len < 2 || (rest.ptr[0] != '.' && rest.ptr[0] != '-'))
        return false;
    for (size_t i = 0; i < rest.len; i++) {
        if (memchr("0123456789.-_T:Z", rest.ptr[i], 16) == NULL)
            return false;
        has_digit |= rest.ptr[i] >= '0' && rest.ptr[i] <= '9';
    }
    return has_digit;
}

static bool is_ours(const struct follower *f, const struct file_identity *id)
{
    LIST_EACH (it, &f->tails)
        if (CONTAINER_OF(it, struct tail, link)->fd >= 0 && file_is_same(&CONTAINER_OF(it, struct tail, link)->id, id))
            return true;
    return false;
}

static bool between_entry(void *arg, const char *name, bool is_dir)
{
    struct between *b = arg;
    struct error err = {0};
    struct file_stat st;
    int64_t born_ns;
    char *path;

    if (is_dir || b->n == MAX_BETWEEN || !is_rotated_name(slice_str(name), b->base))
        return true;
    path = mem_printf("%s/%s", b->folder, name);
    if (file_stat_path(path, &st, &err) == OK && st.is_regular && !is_ours(b->f, &st.id) &&
        file_born_ns(path, &born_ns) && born_ns > b->born_after_ns) {
        b->found[b->n].path = path;
        b->found[b->n].id = st.id;
        b->found[b->n++].born_ns = born_ns;
        return true;
    }
    mem_free(path);
    return true;
}

void rotated_open_between(struct follower *f)
{
    const char *slash = strrchr(f->path, '/');
    struct between b = {.f = f, .born_after_ns = f->known_ns - CLOCK_SLACK_NS};
    char *folder = slash != NULL ? mem_strndup(slice_make(f->path, (size_t)(slash - f->path))) : mem_strdup(".");
    struct error err = {0};

    b.folder = folder;
    b.base = slice_str(slash != NULL ? slash + 1 : f->path);
    if (dir_list(folder[0] != '\0' ? folder : "/", between_entry, &b, &err) != OK)
        follower_say(f, "rotated files cannot be searched", err.text);
    for (size_t left = b.n; left > 0; left--) {
        size_t oldest = b.n;
        struct mark mark;
        uint64_t offset;

        for (size_t i = 0; i < b.n; i++)
            if (b.found[i].path != NULL && (oldest == b.n || b.found[i].born_ns < b.found[oldest].born_ns))
                oldest = i;
        if (f->n_tails < RECORD_TAILS - 1 && claims_take(f, &b.found[oldest].id, &offset, &mark) &&
            !follower_add_tail(f, b.found[oldest].path, &b.found[oldest].id, offset, false, &mark, false))
            claims_drop(f, &b.found[oldest].id, 0, &mark, true);
        mem_free(b.found[oldest].path);
        b.found[oldest].path = NULL;
    }
    mem_free(folder);
}
