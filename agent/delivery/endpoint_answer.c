#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/delivery/endpoint_int.h"

/* The far side's state, told once per change. */
static void set_state(struct endpoint *e, bool is_well, const char *text)
{
    if (e->is_unwell == !is_well && strcmp(e->state_text, text) == 0)
        return;
    e->is_unwell = !is_well;
    memcpy(e->state_text, text, strnlen(text, sizeof e->state_text - 1) + 1);
    e->state_text[sizeof e->state_text - 1] = '\0';
    if (e->cfg.observer.state != NULL)
        e->cfg.observer.state(e->cfg.observer.ctx, is_well, e->state_text);
}

/* The record leaves u, which is freed with its slot. */
static struct record *take_record(struct unit *u)
{
    struct record *r = u->record;

    u->record = NULL;
    queue_release(u->queue, u);
    return r;
}

static void log_refused(struct endpoint *e, const struct wire_response *response, const char *text, uint64_t n)
{
    log_warn(e->cfg.component, "the destination refused items for good", log_str("endpoint", e->cfg.id),
             log_int("status", response->status), log_int("items", (int64_t)n), log_str("answer", text));
}

/* n_rejected of the record were refused, the rest is the far side's. Which ones it does not say. */
static void acknowledge(struct unit *u, uint32_t n_rejected, const char *text)
{
    struct endpoint_queue *q = u->queue;
    struct endpoint *e = q->endpoint;
    struct record *r = take_record(u);

    if (n_rejected > r->n_items)
        n_rejected = r->n_items;
    books_dropped(e, r, n_rejected, DROP_REJECTED);
    books_acknowledged(e, r, r->n_items - n_rejected);
    books_bytes(e, r->charged, 0);
    record_spans_settle(&r->spans, 0, n_rejected, e->cfg.id, SETTLED_REJECTED, DROP_REJECTED, text);
    record_spans_settle(&r->spans, 0, r->n_items, e->cfg.id, SETTLED_ACKED, DROP_REJECTED, NULL);
    record_free(r);
    q->not_before_ms = 0;
}

static void refuse(struct unit *u, enum drop_reason reason, const char *text)
{
    struct endpoint_queue *q = u->queue;

    queue_drop_record(q, take_record(u), SETTLED_REJECTED, reason, text);
}

/* Out of its slot and in front of everything that waits. */
static void put_in_front(struct unit *u)
{
    struct endpoint_queue *q = u->queue;

    list_remove(&u->node);
    q->n_slots--;
    u->is_built = false;
    buf_reset(&u->body);
    list_add_head(&q->pieces, &u->node);
}

/* Parts u's record in half; both halves go in front, in order. False: it cannot be parted. */
static bool part(struct unit *u)
{
    struct endpoint_queue *q = u->queue;
    struct endpoint *e = q->endpoint;
    struct record *r = u->record, *head = NULL;
    size_t before = r->charged;
    struct error err = {0};
    struct unit *first;

    if (r->n_items < 2)
        return false;
    if (e->cfg.protocol->split(r, r->n_items / 2, &head, &err) != OK) {
        log_error(e->cfg.component, "a refused request could not be parted", log_str("endpoint", e->cfg.id),
                  log_str("error", err.text));
        return false;
    }
    head->queue = q;
    head->partition = q->partition;
    r->charged = record_charge(r);
    head->charged = record_charge(head);
    books_bytes(e, before, r->charged + head->charged);
    first = unit_new(q, head);
    first->first_ms = u->first_ms;
    first->search = u->search;
    if (first->search != NULL)
        first->search->refs++;
    put_in_front(u);
    list_add_head(&q->pieces, &first->node);
    return true;
}

struct named {
    struct unit *unit;
    const char *text;
    uint32_t removed; /* so far: later runs have moved down by it */
};

static void drop_run(void *ctx, uint32_t first, uint32_t n)
{
    struct named *named = ctx;
    struct unit *u = named->unit;
    struct endpoint *e = u->queue->endpoint;

    books_dropped(e, u->record, n, DROP_REJECTED);
    record_spans_settle(&u->record->spans, first - named->removed, n, e->cfg.id, SETTLED_REJECTED, DROP_REJECTED,
                        named->text);
    named->removed += n;
}

/* Nothing of the request was taken because of some of it. */
static void search(struct unit *u, const struct wire_response *response, const struct retry_answer *a)
{
    struct endpoint *e = u->queue->endpoint;
    struct named named = {u, a->text, 0};
    size_t before = u->record->charged;

    if (u->record->n_items < 2) {
        refuse(u, DROP_REJECTED, a->text);
        return;
    }
    if (u->search == NULL) {
        u->search = mem_zalloc(sizeof *u->search);
        *u->search = (struct search){SEARCH_BUDGET, 1};
    }
    if (u->search->left == 0) {
        refuse(u, DROP_REJECTED_UNPROVEN, a->text);
        return;
    }
    u->search->left--;
    if (e->cfg.protocol->drop_named != NULL &&
        e->cfg.protocol->drop_named(u->record, response->body, drop_run, &named) != 0) {
        u->record->charged = record_charge(u->record);
        books_bytes(e, before, u->record->charged);
        if (u->record->n_items == 0)
            queue_drop_record(u->queue, take_record(u), SETTLED_REJECTED, DROP_REJECTED, NULL);
        else
            put_in_front(u);
        return;
    }
    if (!part(u))
        refuse(u, DROP_REJECTED_UNPROVEN, a->text);
}

static bool is_exhausted(const struct endpoint *e, const struct unit *u, int64_t due_ms)
{
    if (e->cfg.no_retry)
        return true;
    if (e->cfg.max_retries != 0 && u->attempts > e->cfg.max_retries)
        return true;
    return e->cfg.max_elapsed_ms > 0 && due_ms - u->first_ms > e->cfg.max_elapsed_ms;
}

static const char *failure_text(const struct wire_response *response, const struct retry_answer *a)
{
    if (a->text[0] != '\0')
        return a->text;
    switch (response->result) {
    case WIRE_ANSWERED:
        return "the destination answered with an error";
    case WIRE_UNREACHABLE:
        return "the destination cannot be reached";
    case WIRE_TIMEOUT:
        return "the destination did not answer in time";
    case WIRE_BROKEN:
        return "the connection broke";
    case WIRE_UNPREPARED:
        return "the request could not be prepared";
    }
    return "failed";
}

static void try_again(struct unit *u, const struct wire_response *response, const struct retry_answer *a)
{
    struct endpoint_queue *q = u->queue;
    struct endpoint *e = q->endpoint;
    int64_t now_ms = env_mono_ms(&e->env);
    int64_t wait_ms = retry_backoff_ms(u->attempts + 1, e->cfg.backoff_min_ms, e->cfg.backoff_max_ms,
                                       e->cfg.backoff_multiplier, e->env.random(e->env.self));
    const char *text = failure_text(response, a);

    u->attempts++;
    u->is_far_wait = a->retry_after_ms > wait_ms;
    if (u->is_far_wait)
        wait_ms = a->retry_after_ms;
    set_state(e, false, text);
    if (is_exhausted(e, u, now_ms + wait_ms)) {
        log_warn(e->cfg.component, "gave up retrying", log_str("endpoint", e->cfg.id), log_str("error", text),
                 log_int("items", u->record->n_items));
        struct record *r = take_record(u);
        queue_drop_record(q, r, SETTLED_DROPPED, DROP_RETRIES_EXHAUSTED, text);
        return;
    }
    log_warn(e->cfg.component, "could not send, will try again", log_str("endpoint", e->cfg.id),
             log_int("status", response->status), log_str("error", text), log_int("wait_ms", wait_ms));
    if (e->m_retries != NULL)
        metric_inc(e->m_retries);
    if (e->cfg.observer.retried != NULL)
        e->cfg.observer.retried(e->cfg.observer.ctx, u->record->tenant, u->record->kind, u->record->n_items);
    u->due_ms = now_ms + wait_ms;
    if (a->is_throttle && u->due_ms > q->not_before_ms)
        q->not_before_ms = u->due_ms; /* K > 1: the others of this queue wait as well */
}

/* One more at once while it goes well, half when the far side fails; a throttle is its tenant's own affair. */
static void adapt(struct endpoint *e, const struct retry_answer *a)
{
    unsigned least = e->cfg.max_in_flight < IN_FLIGHT_LEAST ? e->cfg.max_in_flight : IN_FLIGHT_LEAST;

    if (e->cfg.protocol->one_queue)
        return;
    if (a->verdict == VERDICT_ACK && e->limit < e->cfg.max_in_flight)
        e->limit++;
    else if (a->verdict == VERDICT_RETRY && !a->is_throttle)
        e->limit = e->limit / 2 > least ? e->limit / 2 : least;
}

/* Requests become smaller when one was too large and grow again, slowly, while they are taken. */
static void adapt_size(struct endpoint *e, const struct record *r, enum verdict verdict)
{
    size_t soft = atomic_load(&e->soft_bytes), half = r->plain_len / 2;

    if (verdict == VERDICT_SPLIT && half < soft)
        atomic_store(&e->soft_bytes, half > SOFT_LEAST_BYTES ? half : SOFT_LEAST_BYTES);
    else if (verdict == VERDICT_ACK && soft < e->cfg.max_bytes && r->plain_len >= soft / 2)
        atomic_store(&e->soft_bytes, soft + soft / 16 < e->cfg.max_bytes ? soft + soft / 16 : e->cfg.max_bytes);
}

static void act(struct unit *u, const struct wire_response *response, const struct retry_answer *a)
{
    struct endpoint *e = u->queue->endpoint;

    switch (a->verdict) {
    case VERDICT_ACK:
        acknowledge(u, 0, NULL);
        set_state(e, true, "");
        return;
    case VERDICT_PARTIAL:
    case VERDICT_REST_STORED:
        log_refused(e, response, a->text, a->n_rejected);
        acknowledge(u, a->n_rejected, a->text);
        return;
    case VERDICT_RETRY:
        try_again(u, response, a);
        return;
    case VERDICT_SPLIT:
        if (!part(u)) {
            log_refused(e, response, a->text, 1);
            refuse(u, DROP_TOO_LARGE, a->text);
        }
        return;
    case VERDICT_DROP:
        log_refused(e, response, a->text, u->record->n_items);
        set_state(e, false, a->text);
        refuse(u, DROP_REJECTED, a->text);
        return;
    case VERDICT_BISECT:
        log_refused(e, response, a->text, 1);
        search(u, response, a);
        return;
    }
}

void unit_answered(void *unit, const struct wire_response *response)
{
    struct unit *u = unit;
    struct endpoint *e = u->queue->endpoint;
    struct retry_answer a;
    double seconds = (double)(env_mono_ms(&e->env) - u->started_ms) / MS_PER_S;

    u->handle = NULL;
    e->in_flight--;
    e->cfg.protocol->classify(response, u->record->n_items, e->cfg.retry_on_429, &a);
    if (e->cfg.observer.request != NULL)
        e->cfg.observer.request(e->cfg.observer.ctx, u->record->tenant, u->record->kind,
                                response->result == WIRE_ANSWERED ? response->status : 0, u->request.body.len, seconds);
    adapt(e, &a);
    adapt_size(e, u->record, a.verdict);
    act(u, response, &a);
    endpoint_schedule(e);
}
