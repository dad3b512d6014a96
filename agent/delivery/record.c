#include "agent/delivery/record.h"
#include "agent/base/mem.h"

struct record *record_new(unsigned kind, enum record_codec codec, struct slice tenant, struct slice metadata)
{
    struct record *r = mem_zalloc(sizeof *r);

    list_init(&r->node);
    r->kind = kind;
    r->codec = codec;
    if (tenant.len != 0)
        r->tenant = slice_make(mem_strndup(tenant), tenant.len);
    if (metadata.len != 0)
        r->metadata = slice_make(mem_strndup(metadata), metadata.len);
    return r;
}

static void free_copy(struct slice s)
{
    char *owned;

    memcpy(&owned, &s.ptr, sizeof owned); /* slices are const; this one is ours */
    mem_free(owned);
}

void record_free(struct record *r)
{
    if (r == NULL)
        return;
    mem_free(r->payload);
    record_spans_release(&r->spans);
    free_copy(r->tenant);
    free_copy(r->metadata);
    mem_free(r);
}

size_t record_charge(const struct record *r)
{
    return sizeof *r + r->payload_len + r->tenant.len + r->metadata.len + r->spans.cap * sizeof *r->spans.items;
}

enum code record_spans_reserve(struct record_spans *s, uint32_t more)
{
    uint32_t cap = s->cap;
    struct record_span *items;

    if (more > UINT32_MAX / 2 - s->n)
        return NOMEM;
    if (s->n + more <= cap)
        return OK;
    cap = cap == 0 ? 4 : cap * 2;
    if (cap < s->n + more)
        cap = s->n + more;
    items = mem_try_realloc(s->items, cap * sizeof *items);
    if (items == NULL)
        return NOMEM;
    s->items = items;
    s->cap = cap;
    return OK;
}

static void append(struct record_spans *s, struct ticket *ticket, uint32_t n)
{
    if (s->n != 0 && s->items[s->n - 1].ticket == ticket) {
        s->items[s->n - 1].n += n;
        return;
    }
    s->items[s->n++] = (struct record_span){ticket, n};
}

enum code record_spans_add(struct record_spans *s, struct ticket *ticket, uint32_t n)
{
    if (n == 0)
        return OK;
    if (record_spans_reserve(s, 1) != OK)
        return NOMEM;
    append(s, ticket, n);
    return OK;
}

enum code record_spans_join(struct record_spans *dst, struct record_spans *src)
{
    if (record_spans_reserve(dst, src->n) != OK)
        return NOMEM;
    for (uint32_t i = 0; i < src->n; i++)
        append(dst, src->items[i].ticket, src->items[i].n);
    record_spans_release(src);
    return OK;
}

enum code record_spans_cut(struct record_spans *s, uint32_t n, struct record_spans *head)
{
    uint32_t whole = 0;

    *head = (struct record_spans){0};
    while (whole < s->n && n >= s->items[whole].n)
        n -= s->items[whole++].n;
    BUG_ON(whole == s->n && n > 0);
    if (record_spans_reserve(head, whole + 1) != OK)
        return NOMEM;
    memcpy(head->items, s->items, whole * sizeof *s->items);
    head->n = whole;
    if (n > 0) {
        head->items[head->n++] = (struct record_span){s->items[whole].ticket, n};
        s->items[whole].n -= n;
    }
    s->n -= whole;
    memmove(s->items, s->items + whole, s->n * sizeof *s->items);
    return OK;
}

void record_spans_release(struct record_spans *s)
{
    mem_free(s->items);
    *s = (struct record_spans){0};
}

void record_spans_settle(struct record_spans *s, uint32_t first, uint32_t n, const char *destination,
                         enum outcome outcome, enum drop_reason reason, const char *text)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < s->n && n > 0; i++) {
        struct record_span *span = &s->items[i];
        uint32_t skip = first > at ? first - at : 0;
        uint32_t take;

        at += span->n;
        if (skip >= span->n)
            continue;
        take = span->n - skip < n ? span->n - skip : n;
        n -= take;
        first = at;
        span->n -= take;
        if (span->ticket != NULL)
            ticket_settle(span->ticket, destination, take, outcome, reason, text);
    }
}

bool record_spans_waited(const struct record_spans *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i].ticket != NULL && s->items[i].n != 0 && ticket_is_waited(s->items[i].ticket))
            return true;
    return false;
}
