/* Tickets, windows, fan-out; a fake component that holds and one that splits, as the issue asks for. */
#include "testing.h"
#include "agent/base/mem.h"
#include "agent/model/admission.h"
#include "agent/model/receiver.h"
#include "agent/model/window.h"
#include <pthread.h>

struct seen {
    struct ticket_result result;
    _Atomic unsigned n;
};

static void note(void *ctx, const struct ticket_result *result)
{
    struct seen *s = ctx;

    s->result = *result;
    atomic_fetch_add(&s->n, 1);
}

static void done_runs_once_when_nothing_is_owed(void **state)
{
    struct seen seen = {0};
    struct ticket *t = ticket_new(3, true, note, &seen);

    (void)state;
    assert_true(ticket_is_waited(t));
    ticket_owe(t, 3);
    ticket_settle(t, "x", 0, SETTLED_ACKED, DROP_RULE, NULL);
    ticket_settle(t, "x", 2, SETTLED_ACKED, DROP_RULE, NULL);
    ticket_settle(t, "y", 3, SETTLED_DURABLE, DROP_RULE, NULL);
    assert_int_equal(seen.n, 0);
    ticket_settle(t, "x", 1, SETTLED_DROPPED, DROP_RULE, NULL);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.result.acked, 2);
    assert_int_equal(seen.result.durable, 3);
    assert_int_equal(seen.result.dropped, 1);
    assert_string_equal(seen.result.worst_text, "");
}

static void the_destination_that_refused_most_answers(void **state)
{
    struct seen seen = {0};
    struct ticket *t = ticket_new(10, false, note, &seen);

    (void)state;
    ticket_owe(t, 10);
    ticket_settle(t, "a", 2, SETTLED_REJECTED, DROP_REJECTED, "a says no");
    ticket_settle(t, "b", 3, SETTLED_REJECTED, DROP_TOO_LARGE, "b says no");
    ticket_settle(t, "a", 8, SETTLED_ACKED, DROP_RULE, NULL);
    ticket_settle(t, "b", 2, SETTLED_REJECTED, DROP_TOO_LARGE, NULL);
    ticket_settle(t, "b", 5, SETTLED_ACKED, DROP_RULE, NULL);
    assert_int_equal(seen.result.rejected, 7);
    assert_int_equal(seen.result.worst_rejected, 5);
    assert_int_equal(seen.result.worst_reason, DROP_TOO_LARGE);
    assert_string_equal(seen.result.worst_text, "b says no");
}

static void refusals_of_many_destinations_are_all_counted(void **state)
{
    struct seen seen = {0};
    struct ticket *t = ticket_new(20, false, note, &seen);
    char name[8];

    (void)state;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "d%d", i);
        ticket_settle(t, name, 1, SETTLED_REJECTED, DROP_REJECTED, name);
    }
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.result.rejected, 20);
}

static void a_child_settles_its_parents_with_its_worst(void **state)
{
    struct seen a = {0}, b = {0};
    struct ticket *first = ticket_new(4, true, note, &a), *second = ticket_new(2, false, note, &b);
    struct ticket *child = ticket_child(6);

    (void)state;
    ticket_child_from(child, first, 4);
    ticket_child_from(child, second, 1);
    ticket_child_from(child, second, 1);
    assert_true(ticket_is_waited(child)); /* a client waits for one of its parents */
    ticket_settle(child, "x", 5, SETTLED_ACKED, DROP_RULE, NULL);
    ticket_settle(child, "x", 1, SETTLED_REJECTED, DROP_INVALID, "bad");
    assert_int_equal(a.n, 1);
    assert_int_equal(a.result.rejected, 4);
    assert_int_equal(a.result.worst_reason, DROP_INVALID);
    assert_string_equal(a.result.worst_text, "bad");
    assert_int_equal(b.n, 1);
    assert_int_equal(b.result.rejected, 2);
}

static void *settle_many(void *arg)
{
    for (int i = 0; i < 1000; i++) {
        ticket_owe(arg, 1);
        ticket_settle(arg, "d", 2, i % 10 == 0 ? SETTLED_REJECTED : SETTLED_ACKED, DROP_REJECTED, "no");
    }
    return NULL;
}

static void threads_settle_one_ticket(void **state)
{
    struct seen seen = {0};
    struct ticket *t = ticket_new(4000, false, note, &seen);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < N_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, settle_many, t), 0);
    for (size_t i = 0; i < N_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.result.acked + seen.result.rejected, 8000);
    assert_int_equal(seen.result.worst_rejected, 800);
}

/* ---- windows: posts wait in a queue until the test runs them ---- */

struct fake_loop {
    pthread_mutex_t lock;
    struct {
        void (*fn)(void *);
        void *arg;
    } posts[4096];
    size_t n, ran;
    int64_t moved;
    unsigned n_moved;
};

static void post(void *loop, void (*fn)(void *), void *arg)
{
    struct fake_loop *l = loop;

    (void)pthread_mutex_lock(&l->lock);
    l->posts[l->n].fn = fn;
    l->posts[l->n++].arg = arg;
    (void)pthread_mutex_unlock(&l->lock);
}

static void run(struct fake_loop *l)
{
    while (l->ran < l->n) {
        l->posts[l->ran].fn(l->posts[l->ran].arg);
        l->ran++;
    }
}

static void moved(void *ctx, int64_t position)
{
    struct fake_loop *l = ctx;

    l->moved = position;
    l->n_moved++;
}

static struct fake_loop *fake_loop_new(void)
{
    struct fake_loop *l = mem_zalloc(sizeof *l);

    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

static void ack(struct ticket *t, uint64_t n)
{
    ticket_settle(t, "x", n, SETTLED_ACKED, DROP_RULE, NULL);
}

static void a_window_moves_over_a_complete_prefix_only(void **state)
{
    struct fake_loop *l = fake_loop_new();
    struct window *w = window_new(post, l, 100, moved, l);
    struct ticket *a, *b, *c;

    (void)state;
    window_skip(w, 105); /* nothing before it is open: moves at once */
    assert_int_equal(l->moved, 105);
    a = window_open(w, 110, 1);
    b = window_open(w, 120, 2);
    window_skip(w, 125);
    window_skip(w, 127);
    c = window_open(w, 130, 1);
    assert_int_equal(window_read(w), 130);
    ack(c, 1);
    ack(b, 2);
    run(l);
    assert_int_equal(window_settled(w), 105);
    assert_int_equal(window_unsettled_entries(w), 1);
    ack(a, 1);
    assert_int_equal(window_settled(w), 105); /* not before the post ran on the window's loop */
    run(l);
    assert_int_equal(window_settled(w), 130);
    assert_int_equal(l->moved, 130);
    assert_int_equal(l->n_moved, 2);
    assert_int_equal(window_unsettled_entries(w), 0);
    window_unref(w);
    mem_free(l);
}

static void an_abandoned_entry_stops_the_window(void **state)
{
    struct fake_loop *l = fake_loop_new(), *successor = fake_loop_new();
    struct window *w = window_new(post, l, 0, moved, l);
    struct ticket *a = window_open(w, 10, 1), *b = window_open(w, 20, 2), *c = window_open(w, 30, 1);

    (void)state;
    ticket_settle(b, "x", 1, SETTLED_ABANDONED, DROP_SHUTDOWN, NULL);
    ack(b, 1);
    ack(c, 1);
    run(l);
    assert_false(window_is_stopped(w));
    window_set_owner(w, moved, successor);
    ack(a, 1);
    run(l);
    assert_true(window_is_stopped(w));
    assert_int_equal(window_settled(w), 10);
    assert_int_equal(successor->moved, 10);
    assert_int_equal(l->n_moved, 0);
    window_unref(w);
    mem_free(l);
    mem_free(successor);
}

static void a_window_outlives_its_owner_until_the_last_ticket(void **state)
{
    struct fake_loop *l = fake_loop_new();
    struct window *w = window_new(post, l, 0, moved, l);
    struct ticket *t = window_open(w, 10, 1);

    (void)state;
    window_set_owner(w, NULL, NULL);
    window_unref(w);
    ack(t, 1);
    run(l); /* frees the window: LeakSanitizer and AddressSanitizer say whether that holds */
    assert_int_equal(l->n_moved, 0);
    mem_free(l);
}

/* ---- edges ---- */

struct sink {
    struct receiver receiver;
    struct ledger ledger;
    struct log_batch *got[16];
    size_t n;
};

static void sink_push(void *self, struct log_batch *take)
{
    struct sink *s = self;

    s->got[s->n++] = take;
}

static void sink_init(struct sink *s, const char *name)
{
    *s = (struct sink){0};
    s->receiver = (struct receiver){
        .kind = RECEIVES_LOGS, .is_sink = true, .self = s, .owner = name, .ledger = &s->ledger, .push.logs = sink_push};
}

static void sink_settle(struct sink *s, enum outcome outcome)
{
    for (size_t i = 0; i < s->n; i++) {
        batch_settle(&s->got[i]->base, s->receiver.owner, outcome, DROP_REJECTED, "no");
        batch_unref(&s->got[i]->base);
    }
    s->n = 0;
}

/* n lines "0", "1", ... with ticket t. */
static struct log_batch *lines(struct ticket *t, uint32_t n)
{
    struct log_batch *b = log_batch_new();
    uint32_t labels = batch_take_labels(&b->base, labels_of("job=test"));

    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(log_batch_add(b, labels, i, slice_str(arena_printf(&b->base.arena, "%u", i)), NULL, 0), OK);
    assert_int_equal(batch_span(&b->base, t, n), OK);
    return b;
}

static struct edge_list *edges(struct sink *a, struct sink *b)
{
    struct receiver *to[2] = {&a->receiver, b != NULL ? &b->receiver : NULL};

    return edge_list_new(to, b != NULL ? 2 : 1);
}

static void count_tapped(void *ctx, const struct fanout *from, const struct receiver *to, const struct batch *b)
{
    unsigned *n = ctx;

    assert_string_equal(from->owner, "source");
    assert_non_null(to->owner);
    *n += batch_items(b);
}

static void fan_out_owes_for_every_further_receiver(void **state)
{
    struct ledger ledger = {0};
    struct fanout f;
    struct sink a, b;
    struct seen seen = {0};
    unsigned n_first = 0, n_second = 0;
    struct tap first = {.see = count_tapped, .ctx = &n_first, .is_printing = true};
    struct tap second = {.see = count_tapped, .ctx = &n_second};

    (void)state;
    sink_init(&a, "a");
    sink_init(&b, "b");
    fanout_init(&f, "source", &ledger);
    assert_null(fanout_swap(&f, edges(&a, &b)));
    tap_add(&first);
    tap_add(&second);
    assert_true(tap_is_printing());
    fanout_push_logs(&f, lines(ticket_new(5, false, note, &seen), 5));
    tap_remove(&first);
    tap_remove(&first); /* again is fine */
    assert_false(tap_is_printing());
    assert_int_equal(n_first, 10); /* five over each edge */
    assert_int_equal(n_second, 10);
    tap_remove(&second);
    assert_ptr_equal(a.got[0], b.got[0]);
    assert_int_equal(ledger.out, 5);
    assert_int_equal(a.ledger.in, 5);
    assert_int_equal(atomic_load(&f.list)->edges[1].n, 5);
    sink_settle(&a, SETTLED_DURABLE);
    assert_int_equal(seen.n, 0);
    sink_settle(&b, SETTLED_REJECTED);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.result.durable, 5);
    assert_int_equal(seen.result.worst_rejected, 5);
    edge_list_free(fanout_swap(&f, NULL));
}

static void without_a_receiver_items_are_dropped_and_counted(void **state)
{
    struct ledger ledger = {0};
    struct seen seen = {0};
    struct fanout f;

    (void)state;
    fanout_init(&f, "source", &ledger);
    ledger_created(&ledger, 3);
    fanout_push_logs(&f, lines(ticket_new(3, false, note, &seen), 3));
    assert_int_equal(seen.result.dropped, 3);
    assert_int_equal(ledger.dropped[DROP_NO_RECEIVER], 3);
    assert_int_equal(ledger_difference(&ledger), 0);
    fanout_push_logs(&f, log_batch_new()); /* nothing in it: let go */
}

/* A component that holds what it gets until it is flushed, joining pairs of lines into one (multiline's way). */
struct holder {
    struct receiver receiver;
    struct ledger ledger;
    struct fanout out;
    struct log_batch *held[16];
    size_t n;
};

static void holder_push(void *self, struct log_batch *take)
{
    struct holder *h = self;

    ledger_held(&h->ledger, batch_items(&take->base));
    h->held[h->n++] = take;
}

static void holder_flush(struct holder *h)
{
    struct log_batch *joined = log_batch_new();
    struct ticket *child = ticket_child(1);
    uint32_t n = 0, labels = batch_take_labels(&joined->base, labels_of("job=joined"));

    for (size_t i = 0; i < h->n; i++) {
        const struct batch *b = &h->held[i]->base;

        for (uint32_t k = 0; k < b->n_spans; k++)
            ticket_child_from(child, b->spans[k].ticket, b->spans[k].n);
        n += batch_items(b);
        batch_unref(&h->held[i]->base);
    }
    assert_int_equal(log_batch_add(joined, labels, 0, SLICE_LIT("joined"), NULL, 0), OK);
    assert_int_equal(batch_span(&joined->base, child, 1), OK);
    ledger_held(&h->ledger, -(int64_t)n);
    ledger_merged(&h->ledger, n);
    ledger_created(&h->ledger, 1);
    h->n = 0;
    fanout_push_logs(&h->out, joined);
}

static void a_holding_component_keeps_the_window_open(void **state)
{
    struct fake_loop *l = fake_loop_new();
    struct window *w = window_new(post, l, 0, moved, l);
    struct holder h = {0};
    struct sink a, b;

    (void)state;
    sink_init(&a, "a");
    sink_init(&b, "b");
    h.receiver = (struct receiver){RECEIVES_LOGS, false, &h, "holder", NULL, &h.ledger, {.logs = holder_push}};
    fanout_init(&h.out, "holder", &h.ledger);
    (void)fanout_swap(&h.out, edges(&a, &b));
    for (int64_t i = 1; i <= 3; i++) {
        struct log_batch *batch = lines(window_open(w, i * 10, 2), 2);

        ledger_in(&h.ledger, 2);
        h.receiver.push.logs(&h, batch);
    }
    run(l);
    assert_int_equal(window_settled(w), 0);
    assert_int_equal(ledger_difference(&h.ledger), 0);
    holder_flush(&h);
    sink_settle(&a, SETTLED_ACKED);
    run(l);
    assert_int_equal(window_settled(w), 0); /* b has not answered */
    sink_settle(&b, SETTLED_ACKED);
    run(l);
    assert_int_equal(window_settled(w), 30);
    assert_int_equal(ledger_difference(&h.ledger), 0);
    edge_list_free(fanout_swap(&h.out, NULL));
    window_unref(w);
    mem_free(l);
}

/* A component that makes two items of every one but the first, which it drops. */
static struct log_batch *split(const struct log_batch *in)
{
    struct log_batch *out = log_batch_new();
    uint8_t became[8], reasons[8];
    uint32_t labels = batch_take_labels(&out->base, labels_of("job=split"));

    for (uint32_t i = 0; i < in->n; i++) {
        became[i] = i != 0;
        reasons[i] = DROP_INVALID;
        for (int k = 0; k < 2 && became[i] != 0; k++)
            assert_int_equal(log_batch_add(out, labels, 0, SLICE_LIT("half"), NULL, 0), OK);
    }
    assert_int_equal(batch_derive(&in->base, &out->base, became, reasons, "splitter"), OK);
    return out;
}

static void a_splitting_component_answers_for_what_it_made(void **state)
{
    struct seen seen = {0}, second = {0};
    struct ticket *t = ticket_new(2, true, note, &seen);
    struct log_batch *in = lines(t, 2), *out;

    (void)state;
    assert_int_equal(log_batch_add(in, 0, 0, SLICE_LIT("2"), NULL, 0), OK);
    assert_int_equal(batch_span(&in->base, ticket_new(1, false, note, &second), 1), OK);
    out = split(in);
    batch_unref(&in->base);
    assert_int_equal(out->n, 4);
    assert_int_equal(out->base.n_spans, 1);
    assert_int_equal(out->base.spans[0].n, 4);
    assert_true(ticket_is_waited(out->base.spans[0].ticket));
    ticket_settle(out->base.spans[0].ticket, "x", 3, SETTLED_ACKED, DROP_RULE, NULL);
    assert_int_equal(seen.n, 0);
    ticket_settle(out->base.spans[0].ticket, "x", 1, SETTLED_ABANDONED, DROP_RULE, NULL);
    batch_unref(&out->base);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.result.dropped, 1);
    assert_int_equal(seen.result.abandoned, 1);
    assert_int_equal(second.result.abandoned, 1);
}

static void nothing_derived_settles_everything(void **state)
{
    struct seen seen = {0};
    struct log_batch *in = lines(ticket_new(3, false, note, &seen), 3), *out = log_batch_new();

    (void)state;
    assert_int_equal(batch_derive(&in->base, &out->base, NULL, NULL, "x"), OK);
    assert_int_equal(seen.result.dropped, 3);
    batch_unref(&in->base);
    batch_unref(&out->base);
}

/* ---- admission ---- */

static void admission_asks_every_gate(void **state)
{
    struct admission *a = admission_new();
    struct gate *gates[2] = {gate_new(), gate_new()};

    (void)state;
    assert_int_equal(admission_ask(a, 10), ADMIT);
    admission_set(a, gates, 2);
    assert_int_equal(admission_ask(a, 10), ADMIT);
    gate_close(gates[1]);
    gate_close(gates[1]);
    gate_open(gates[1]);
    assert_int_equal(admission_ask(a, 10), REFUSE_SINK);
    gate_open(gates[1]);
    admission_pause(a);
    assert_int_equal(admission_ask(a, 0), REFUSE_PAUSED);
    admission_resume(a);
    assert_int_equal(admission_ask(a, 0), ADMIT);
    gate_unref(gates[0]);
    gate_close(gates[1]);
    gate_unref(gates[1]); /* the admission still holds it */
    assert_int_equal(admission_ask(a, 0), REFUSE_SINK);
    admission_set(a, NULL, 0);
    assert_int_equal(admission_ask(a, 0), ADMIT);
    admission_unref(a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_runs_once_when_nothing_is_owed),
        cmocka_unit_test(the_destination_that_refused_most_answers),
        cmocka_unit_test(refusals_of_many_destinations_are_all_counted),
        cmocka_unit_test(a_child_settles_its_parents_with_its_worst),
        cmocka_unit_test(threads_settle_one_ticket),
        cmocka_unit_test(a_window_moves_over_a_complete_prefix_only),
        cmocka_unit_test(an_abandoned_entry_stops_the_window),
        cmocka_unit_test(a_window_outlives_its_owner_until_the_last_ticket),
        cmocka_unit_test(fan_out_owes_for_every_further_receiver),
        cmocka_unit_test(without_a_receiver_items_are_dropped_and_counted),
        cmocka_unit_test(a_holding_component_keeps_the_window_open),
        cmocka_unit_test(a_splitting_component_answers_for_what_it_made),
        cmocka_unit_test(nothing_derived_settles_everything),
        cmocka_unit_test(admission_asks_every_gate),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
