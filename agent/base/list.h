/* agent/base/list.h - intrusive doubly linked list. A head or an unlinked node points to itself. */
#ifndef AGENT_BASE_LIST_H
#define AGENT_BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
/* The body may not unlink `it`; use LIST_EACH_SAFE for that. */
#define LIST_EACH(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_EACH_SAFE(it, head)                                                                                       \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_add_head(struct list *head, struct list *node)
{
    list_add_tail(head->next, node);
}

/* Fine for a node that is in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
#endif
