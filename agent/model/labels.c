#include "agent/model/labels.h"
#include "agent/base/hash.h"
#include "agent/base/limits.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SHARDS = 64, SHARD_BITS = 6, STACK_PAIRS = 48, STACK_TEXT = 2048 };

/* One block: node, pairs, text. */
struct node {
    struct labels set;
    _Atomic uint32_t refs; /* goes to 0 only under the shard's lock */
    uint64_t key;          /* seeded hash: outside data cannot choose collisions in the table */
    struct node *next;
    struct label pairs[];
};

struct shard {
    pthread_mutex_t lock;
    struct node **places;
    size_t n_places, n; /* n_places: 0 or a power of two */
};

static struct shard shards[SHARDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic size_t interned;
static const struct labels empty = {0};

static void make_shards(void)
{
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&shards[i].lock, NULL);
}

static struct node *node_of(const struct labels *l)
{
    return CONTAINER_OF((uintptr_t)l, struct node, set);
}

static struct shard *shard_of(uint64_t key)
{
    return &shards[key >> (64 - SHARD_BITS)];
}

const struct labels *labels_empty(void)
{
    return &empty;
}

size_t labels_interned_count(void)
{
    return atomic_load(&interned);
}

const struct labels *labels_ref(const struct labels *l)
{
    if (l != NULL && l != &empty)
        atomic_fetch_add_explicit(&node_of(l)->refs, 1, memory_order_relaxed);
    return l;
}

static void unlink_node(struct shard *s, struct node *node)
{
    struct node **at = &s->places[node->key & (s->n_places - 1)];

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    s->n--;
    atomic_fetch_sub(&interned, 1);
}

void labels_unref(const struct labels *l)
{
    struct node *node;
    struct shard *s;
    uint32_t refs;

    if (l == NULL || l == &empty)
        return;
    node = node_of(l);
    refs = atomic_load_explicit(&node->refs, memory_order_relaxed);
    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&node->refs, &refs, refs - 1, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return;
    s = shard_of(node->key);
    (void)pthread_mutex_lock(&s->lock); /* perhaps the last: nobody may find it while it goes */
    refs = atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel);
    BUG_ON(refs == 0);
    if (refs == 1)
        unlink_node(s, node);
    (void)pthread_mutex_unlock(&s->lock);
    if (refs == 1)
        mem_free(node);
}

/* By name; equal names in the order given, which is the order of their addresses. */
static int compare_names(const void *a, const void *b)
{
    const struct label *const *x = a, *const *y = b;
    int order = slice_cmp((*x)->name, (*y)->name);

    return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

static bool is_sorted(const struct label *pairs, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (slice_cmp(pairs[i - 1].name, pairs[i].name) >= 0)
            return false;
    return true;
}

/* Copies to `to` sorted, unique (the last of equal names stays), without empty values; order has room for n. */
static size_t normalize(struct label *to, const struct label **order, const struct label *pairs, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        order[i] = &pairs[i];
    if (!is_sorted(pairs, n))
        qsort(order, n, sizeof(const struct label *), compare_names);
    for (size_t i = 0; i < n; i++) {
        bool is_last = i + 1 == n || !slice_eq(order[i]->name, order[i + 1]->name);

        if (is_last && order[i]->value.len != 0)
            to[kept++] = *order[i];
    }
    return kept;
}

/* Names and values with their lengths between, so that different sets have different texts. */
static size_t join_text(char *to, const struct label *pairs, size_t n)
{
    char *at = to;

    for (size_t i = 0; i < n; i++) {
        const struct slice parts[2] = {pairs[i].name, pairs[i].value};

        for (size_t k = 0; k < 2; k++) {
            uint32_t len = (uint32_t)parts[k].len;

            memcpy(at, &len, sizeof len);
            at += sizeof len;
            if (len != 0)
                memcpy(at, parts[k].ptr, len);
            at += len;
        }
    }
    return (size_t)(at - to);
}

static bool same_pairs(const struct node *node, const struct label *pairs, size_t n)
{
    if (node->set.n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!slice_eq(node->pairs[i].name, pairs[i].name) || !slice_eq(node->pairs[i].value, pairs[i].value))
            return false;
    return true;
}

static bool grow(struct shard *s)
{
    size_t n_places = s->n_places != 0 ? s->n_places * 2 : 16;
    struct node **places;

    if (s->n < s->n_places)
        return true;
    places = mem_try_alloc(n_places * sizeof(struct node *));
    if (places == NULL)
        return s->n_places != 0; /* longer chains, still correct */
    memset(places, 0, n_places * sizeof(struct node *));
    for (size_t i = 0; i < s->n_places; i++) {
        struct node *node = s->places[i];

        while (node != NULL) {
            struct node *next = node->next;

            node->next = places[node->key & (n_places - 1)];
            places[node->key & (n_places - 1)] = node;
            node = next;
        }
    }
    mem_free(s->places);
    s->places = places;
    s->n_places = n_places;
    return true;
}

static struct node *make_node(const struct label *pairs, size_t n, struct slice joined, uint64_t key)
{
    size_t text_bytes = joined.len - n * 2 * sizeof(uint32_t);
    struct node *node = mem_try_alloc(sizeof *node + n * sizeof *pairs + text_bytes);
    char *text;

    if (node == NULL)
        return NULL;
    text = (char *)&node->pairs[n];
    node->set = (struct labels){hash64_stable(joined), (uint32_t)n, (uint32_t)text_bytes, node->pairs};
    node->key = key;
    atomic_init(&node->refs, 1);
    for (size_t i = 0; i < n; i++) {
        const struct label *p = &pairs[i];

        if (p->name.len != 0)
            memcpy(text, p->name.ptr, p->name.len);
        node->pairs[i].name = slice_make(text, p->name.len);
        text += p->name.len;
        memcpy(text, p->value.ptr, p->value.len);
        node->pairs[i].value = slice_make(text, p->value.len);
        text += p->value.len;
    }
    return node;
}

static const struct labels *find_or_add(const struct label *pairs, size_t n, struct slice joined)
{
    uint64_t key = hash64(joined);
    struct shard *s = shard_of(key);
    struct node *node = NULL;

    (void)pthread_once(&once, make_shards);
    (void)pthread_mutex_lock(&s->lock);
    if (s->n_places != 0)
        node = s->places[key & (s->n_places - 1)];
    while (node != NULL && (node->key != key || !same_pairs(node, pairs, n)))
        node = node->next;
    if (node != NULL) {
        atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
    } else if (atomic_load(&interned) < LIMIT_LABEL_SETS && grow(s)) {
        node = make_node(pairs, n, joined, key);
        if (node != NULL) {
            struct node **place = &s->places[key & (s->n_places - 1)];

            node->next = *place;
            *place = node;
            s->n++;
            atomic_fetch_add(&interned, 1);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return node != NULL ? &node->set : NULL;
}

const struct labels *labels_intern(const struct label *pairs, size_t n)
{
    const struct label *few_order[STACK_PAIRS], **order = few_order;
    struct label few[STACK_PAIRS], *sorted = few;
    const struct labels *found = NULL;
    char few_text[STACK_TEXT], *text = few_text;
    size_t bytes = 0;

    if (n > UINT32_MAX)
        return NULL;
    if (n > STACK_PAIRS) {
        sorted = mem_try_alloc(n * (sizeof *pairs + sizeof(const struct label *)));
        if (sorted == NULL)
            return NULL;
        order = (const struct label **)(void *)&sorted[n];
    }
    n = normalize(sorted, order, pairs, n);
    for (size_t i = 0; i < n; i++)
        bytes += sorted[i].name.len + sorted[i].value.len + 2 * sizeof(uint32_t);
    if (n == 0) {
        found = &empty;
        goto done;
    }
    if (bytes > sizeof few_text)
        text = bytes <= UINT32_MAX ? mem_try_alloc(bytes) : NULL;
    if (text != NULL)
        found = find_or_add(sorted, n, slice_make(text, join_text(text, sorted, n)));
done:
    if (sorted != few)
        mem_free(sorted);
    if (text != few_text)
        mem_free(text);
    return found;
}

struct slice labels_get(const struct labels *l, struct slice name)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = slice_cmp(l->pairs[mid].name, name);

        if (order == 0)
            return l->pairs[mid].value;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return (struct slice){0};
}

void label_value_write(struct slice s, struct buf *out)
{
    size_t plain = 0;

    (void)buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        (void)buf_add(out, slice_make(s.ptr + plain, i - plain));
        plain = i + 1;
        if (c == '\n' || c == '\t' || c == '\r')
            (void)buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (c == '"' || c == '\\')
            (void)buf_printf(out, "\\%c", c);
        else
            (void)buf_printf(out, "\\x%02x", c);
    }
    (void)buf_add(out, slice_from(s, plain));
    (void)buf_add_char(out, '"');
}

enum code labels_write(const struct labels *l, struct buf *out)
{
    size_t start = out->len;

    (void)buf_add_char(out, '{');
    for (size_t i = 0; i < l->n; i++) {
        if (i != 0)
            (void)buf_add_char(out, ',');
        if (label_name_is_legacy(l->pairs[i].name))
            (void)buf_add(out, l->pairs[i].name);
        else
            label_value_write(l->pairs[i].name, out);
        (void)buf_add_char(out, '=');
        label_value_write(l->pairs[i].value, out);
    }
    if (buf_add_char(out, '}') == OK && !out->is_full)
        return OK;
    out->len = start;
    return FULL;
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

bool label_name_is_legacy(struct slice name)
{
    if (name.len == 0 || !is_name_start(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_name_char(name.ptr[i]))
            return false;
    return true;
}

struct slice label_name_sanitize(struct arena *arena, struct slice name)
{
    size_t lead = name.len != 0 && name.ptr[0] >= '0' && name.ptr[0] <= '9' ? 1 : 0;
    char *to;

    if (name.len == 0 || label_name_is_legacy(name))
        return name;
    to = arena_try_alloc(arena, name.len + lead);
    if (to == NULL)
        return (struct slice){0};
    to[0] = '_';
    for (size_t i = 0; i < name.len; i++)
        to[lead + i] = is_name_char(name.ptr[i]) ? name.ptr[i] : '_';
    return slice_make(to, name.len + lead);
}

char *labels_position_key(const struct labels *l)
{
    struct buf text;

    buf_init(&text, LIMIT_LOG_ENTRY_BYTES);
    (void)buf_add_char(&text, '{');
    for (uint32_t i = 0; i < l->n; i++) {
        (void)buf_printf(&text, "%s%.*s=", i != 0 ? ", " : "", SLICE_ARG(l->pairs[i].name));
        label_value_write(l->pairs[i].value, &text);
    }
    (void)buf_add_char(&text, '}');
    return buf_take(&text, NULL);
}
