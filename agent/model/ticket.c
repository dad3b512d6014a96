#include "agent/model/ticket.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include <pthread.h>
#include <stdio.h>

enum { DESTINATION_BYTES = 96 };

/* What one destination refused; only made when something is refused. */
struct refusal {
    char destination[DESTINATION_BYTES];
    uint64_t n;
    enum drop_reason reason;
    char text[160];
};

struct parent {
    struct ticket *ticket;
    uint64_t n;
};

struct ticket {
    pthread_mutex_t lock;
    uint64_t owed; /* settlements still to come; 0: done ran */
    bool is_waited;
    ticket_done_fn done;
    void *ctx;
    struct ticket_result sums;
    enum drop_reason dropped_for; /* of the latest drop */
    struct refusal *refusals;     /* owned; LIMIT_TICKET_DESTINATIONS of them, or NULL */
    unsigned n_refusals;
    struct parent *parents; /* owned */
    size_t n_parents, cap_parents;
};

struct ticket *ticket_new(uint64_t n, bool is_waited, ticket_done_fn done, void *ctx)
{
    struct ticket *t = mem_zalloc(sizeof *t);

    BUG_ON(n == 0);
    (void)pthread_mutex_init(&t->lock, NULL);
    t->owed = n;
    t->is_waited = is_waited;
    t->done = done;
    t->ctx = ctx;
    return t;
}

bool ticket_is_waited(const struct ticket *t)
{
    return t->is_waited;
}

void ticket_owe(struct ticket *t, uint64_t n)
{
    (void)pthread_mutex_lock(&t->lock);
    BUG_ON(t->owed == 0);
    t->owed += n;
    (void)pthread_mutex_unlock(&t->lock);
}

/* Past the last place all further destinations share it: the sums stay right, the name is then the first one's. */
static void note_refusal(struct ticket *t, const char *destination, uint64_t n, enum drop_reason reason,
                         const char *text)
{
    struct refusal *r;
    unsigned i = 0;

    if (t->refusals == NULL)
        t->refusals = mem_array(LIMIT_TICKET_DESTINATIONS, sizeof *t->refusals);
    while (i < t->n_refusals && strncmp(t->refusals[i].destination, destination, DESTINATION_BYTES - 1) != 0)
        i++;
    if (i == LIMIT_TICKET_DESTINATIONS)
        i = LIMIT_TICKET_DESTINATIONS - 1;
    r = &t->refusals[i];
    if (i == t->n_refusals) {
        t->n_refusals++;
        (void)snprintf(r->destination, sizeof r->destination, "%s", destination);
    }
    r->n += n;
    r->reason = reason;
    if (text != NULL)
        (void)snprintf(r->text, sizeof r->text, "%s", text);
}

static const struct refusal *worst_refusal(const struct ticket *t)
{
    const struct refusal *worst = NULL;

    for (unsigned i = 0; i < t->n_refusals; i++)
        if (worst == NULL || t->refusals[i].n > worst->n)
            worst = &t->refusals[i];
    return worst;
}

static enum outcome worst_outcome(const struct ticket_result *r)
{
    if (r->abandoned != 0)
        return SETTLED_ABANDONED;
    if (r->rejected != 0)
        return SETTLED_REJECTED;
    if (r->dropped != 0)
        return SETTLED_DROPPED;
    return r->acked != 0 ? SETTLED_ACKED : SETTLED_DURABLE;
}

/* The last settlement was made: nobody else holds t any more. */
static void finish(struct ticket *t)
{
    const struct refusal *worst = worst_refusal(t);
    enum outcome outcome = worst_outcome(&t->sums);
    enum drop_reason reason = outcome == SETTLED_REJECTED && worst != NULL ? worst->reason : t->dropped_for;

    if (worst != NULL) {
        t->sums.worst_rejected = worst->n;
        t->sums.worst_reason = worst->reason;
        memcpy(t->sums.worst_text, worst->text, sizeof t->sums.worst_text);
    }
    if (t->done != NULL)
        t->done(t->ctx, &t->sums);
    for (size_t i = 0; i < t->n_parents; i++)
        ticket_settle(t->parents[i].ticket, worst != NULL ? worst->destination : "", t->parents[i].n, outcome, reason,
                      worst != NULL && worst->text[0] != '\0' ? worst->text : NULL);
    (void)pthread_mutex_destroy(&t->lock);
    mem_free(t->refusals);
    mem_free(t->parents);
    mem_free(t);
}

void ticket_settle(struct ticket *t, const char *destination, uint64_t n, enum outcome outcome, enum drop_reason reason,
                   const char *text)
{
    bool is_last;

    if (t == NULL || n == 0)
        return;
    (void)pthread_mutex_lock(&t->lock);
    BUG_ON(n > t->owed);
    switch (outcome) {
    case SETTLED_DURABLE:
        t->sums.durable += n;
        break;
    case SETTLED_ACKED:
        t->sums.acked += n;
        break;
    case SETTLED_DROPPED:
        t->sums.dropped += n;
        t->dropped_for = reason;
        break;
    case SETTLED_REJECTED:
        t->sums.rejected += n;
        note_refusal(t, destination, n, reason, text);
        break;
    case SETTLED_ABANDONED:
        t->sums.abandoned += n;
        break;
    }
    t->owed -= n;
    is_last = t->owed == 0;
    (void)pthread_mutex_unlock(&t->lock);
    if (is_last)
        finish(t);
}

struct ticket *ticket_child(uint64_t n)
{
    return ticket_new(n, false, NULL, NULL);
}

void ticket_child_from(struct ticket *child, struct ticket *parent, uint64_t n_parent)
{
    if (parent == NULL || n_parent == 0)
        return;
    for (size_t i = 0; i < child->n_parents; i++)
        if (child->parents[i].ticket == parent) {
            child->parents[i].n += n_parent;
            return;
        }
    if (child->n_parents == child->cap_parents) {
        child->cap_parents = child->cap_parents != 0 ? child->cap_parents * 2 : 4;
        child->parents = mem_realloc(child->parents, child->cap_parents * sizeof *child->parents);
    }
    child->parents[child->n_parents++] = (struct parent){parent, n_parent};
    child->is_waited |= parent->is_waited; /* a client waits for what became of its items */
}
