/* agent/model/ticket.h - who still owes an answer for which items (design.md, Decisions: Tickets).
 *
 * A source opens a ticket over n items; every item owes one settlement per destination it reaches. Fan-out to k
 * receivers adds (k-1)*n with ticket_owe before it pushes; whoever ends an item's way settles it: delivery (durable,
 * acknowledged), a filter (dropped by rule), a destination that refuses (rejected). When nothing is owed any more, done
 * runs once, on the thread of the last settlement, and the ticket is gone. All calls are thread-safe; call them per
 * batch, not per item. */
#ifndef AGENT_MODEL_TICKET_H
#define AGENT_MODEL_TICKET_H
#include "agent/base/ledger.h"
#include "agent/base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct ticket;

enum outcome {
    SETTLED_DURABLE,   /* synced to a spool */
    SETTLED_ACKED,     /* acknowledged by the far side */
    SETTLED_DROPPED,   /* dropped by rule or limit, counted with its reason */
    SETTLED_REJECTED,  /* refused for good by the destination, counted */
    SETTLED_ABANDONED, /* not delivered and not dropped for good (shutdown, memory): the source must read or ask again
                        */
};

struct ticket_result {
    uint64_t durable, acked, dropped, rejected, abandoned; /* over all destinations */
    uint64_t worst_rejected;                               /* items refused by the destination that refused most */
    enum drop_reason worst_reason;
    char worst_text[160]; /* its words, for partial success; "" when nobody refused */
};

typedef void (*ticket_done_fn)(void *ctx, const struct ticket_result *result);

/* n > 0. is_waited: a client waits for the answer, so records that hold it are cut as soon as they can be sent. */
struct ticket *ticket_new(uint64_t n, bool is_waited, ticket_done_fn done, void *ctx);
bool ticket_is_waited(const struct ticket *t);
void ticket_owe(struct ticket *t, uint64_t n);
/* destination: a component or endpoint id for the sums; text: the far side's words, may be NULL. n may be 0. */
void ticket_settle(struct ticket *t, const char *destination, uint64_t n, enum outcome outcome, enum drop_reason reason,
                   const char *text);

/* A component that makes n items of others (split: several of one; multiline: one of several) opens a child over the
 * new items and gives it what they came from. When the child is settled, each parent is settled by its amount with the
 * child's worst outcome (abandoned > rejected > dropped > acked > durable). Add all parents before the child is used.
 */
struct ticket *ticket_child(uint64_t n);
void ticket_child_from(struct ticket *child, struct ticket *parent, uint64_t n_parent);
#endif
