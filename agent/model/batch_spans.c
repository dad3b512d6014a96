/* What leaves a batch, or becomes another one, and what its tickets are told. */
#include "agent/model/batch.h"

/* Takes the items with keep[i] == 0 out of the spans and settles them. Spans that became empty go. */
static void shrink_spans(struct batch *b, const uint8_t *keep, const char *destination, enum drop_reason reason)
{
    uint32_t item = 0, n_spans = 0;

    for (uint32_t i = 0; i < b->n_spans; i++) {
        struct ticket_span span = b->spans[i];
        uint32_t kept = 0;

        for (uint32_t k = 0; k < span.n; k++)
            kept += keep[item++] != 0;
        if (kept != 0)
            b->spans[n_spans++] = (struct ticket_span){span.ticket, kept};
        ticket_settle(span.ticket, destination, span.n - kept, SETTLED_DROPPED, reason, NULL);
    }
    b->n_spans = n_spans;
}

uint32_t log_batch_keep(struct log_batch *b, const uint8_t *keep, const char *destination, enum drop_reason reason)
{
    uint32_t n = b->n, kept = 0;

    for (uint32_t i = 0; i < n; i++)
        if (keep[i] != 0)
            b->entries[kept++] = b->entries[i];
    b->n = kept;
    if (kept != n)
        shrink_spans(&b->base, keep, destination, reason);
    return n - kept;
}

uint32_t sample_batch_keep(struct sample_batch *b, const uint8_t *keep, const char *destination,
                           enum drop_reason reason)
{
    uint32_t n = b->n, kept = 0;

    for (uint32_t i = 0; i < n; i++)
        if (keep[i] != 0)
            b->samples[kept++] = b->samples[i];
    b->n = kept;
    if (kept != n)
        shrink_spans(&b->base, keep, destination, reason);
    return n - kept;
}

void batch_drop_items(struct batch *b, uint32_t first, uint32_t n, const char *destination, enum drop_reason reason)
{
    uint64_t at = 0, end = (uint64_t)first + n;
    uint32_t n_spans = 0;

    for (uint32_t i = 0; i < b->n_spans; i++) {
        struct ticket_span span = b->spans[i];
        uint64_t from = at > first ? at : first, to = at + span.n < end ? at + span.n : end;
        uint32_t gone = to > from ? (uint32_t)(to - from) : 0;

        at += span.n;
        if (span.n != gone)
            b->spans[n_spans++] = (struct ticket_span){span.ticket, span.n - gone};
        ticket_settle(span.ticket, destination, gone, SETTLED_DROPPED, reason, NULL);
    }
    b->n_spans = n_spans;
    if (b->kind == BATCH_OTLP) {
        struct otlp_batch *o = (struct otlp_batch *)(void *)b; /* base is its first member */

        BUG_ON(n > o->n_items);
        o->n_items -= n;
    }
}

/* Settles the items first .. first+n-1 that became nothing, equal reasons together; became NULL: all of them. */
static void settle_dropped(struct ticket *t, const uint8_t *became, const uint8_t *reasons, uint32_t first, uint32_t n,
                           const char *destination)
{
    uint32_t i = first, end = first + n;

    while (i < end) {
        enum drop_reason reason = reasons != NULL ? (enum drop_reason)reasons[i] : DROP_RULE;
        uint64_t run = 0;

        if (became != NULL && became[i] != 0) {
            i++;
            continue;
        }
        for (; i < end && (became == NULL || became[i] == 0) && (reasons == NULL || reasons[i] == reason); i++)
            run++;
        ticket_settle(t, destination, run, SETTLED_DROPPED, reason, NULL);
    }
}

enum code batch_derive(const struct batch *from, struct batch *to, const uint8_t *became, const uint8_t *reasons,
                       const char *destination)
{
    uint32_t n = batch_items(to), item = 0;
    struct ticket *child;

    if (from->n_spans == 0)
        return OK;
    if (n == 0) { /* nothing came of any of them */
        for (uint32_t i = 0; i < from->n_spans; i++) {
            settle_dropped(from->spans[i].ticket, NULL, reasons, item, from->spans[i].n, destination);
            item += from->spans[i].n;
        }
        return OK;
    }
    child = ticket_child(n);
    if (batch_span(to, child, n) != OK) {
        ticket_settle(child, destination, n, SETTLED_ABANDONED, DROP_MEMORY, NULL); /* has no parents yet: just goes */
        return NOMEM;
    }
    for (uint32_t i = 0; i < from->n_spans; i++) {
        const struct ticket_span *span = &from->spans[i];
        uint32_t kept = span->n;

        if (became != NULL) {
            kept = 0;
            for (uint32_t k = 0; k < span->n; k++)
                kept += became[item + k] != 0;
        }
        ticket_child_from(child, span->ticket, kept);
        if (kept != span->n)
            settle_dropped(span->ticket, became, reasons, item, span->n, destination);
        item += span->n;
    }
    return OK;
}
