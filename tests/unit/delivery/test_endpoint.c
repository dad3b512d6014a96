#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above */
#include "agent/base/limits.h"
#include "agent/io/codec.h"
#include "agent/model/loki_write.h"
#include "fake.h"
#include <cmocka.h>

enum { LINES_MAX = 8192, RANDOM_RUNS = 200, RANDOM_STEPS = 120 };

struct tally {
    unsigned done;
    struct ticket_result result;
};

static void ticket_done(void *ctx, const struct ticket_result *result)
{
    struct tally *t = ctx;

    t->done++;
    t->result = *result;
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static struct endpoint_cfg base_cfg(void)
{
    return (struct endpoint_cfg){
        .component = "loki.write.test",
        .id = "loki.write.test/a",
        .protocol = &protocol_loki,
        .compression = WIRE_SNAPPY,
        .batch_bytes = 64 * 1024,
        .batch_wait_ms = 1000,
        .timeout_ms = 10000,
        .backoff_min_ms = 500,
        .backoff_max_ms = 300000,
        .retry_on_429 = true,
        .queue_bytes = 10 * 1024 * 1024,
        .max_in_flight = 16,
    };
}

static struct endpoint *open_endpoint(struct fake *f, const struct endpoint_cfg *cfg)
{
    struct delivery_env env = fake_env(f);

    return endpoint_new(cfg, &env);
}

static void close_endpoint(struct fake *f, struct endpoint *e)
{
    bool is_closed = false;

    endpoint_close(e, set_flag, &is_closed);
    fake_run(f);
    assert_true(is_closed);
}

/* Appends n lines "first", "first+1", ... of one stream as one append; extra bytes pad each line. */
static void put(struct endpoint *e, const char *tenant, uint64_t affinity, unsigned first, unsigned n, size_t extra,
                struct ticket *t)
{
    struct log_entry *entries = mem_array(n, sizeof *entries);
    uint32_t *index = mem_array(n, sizeof *index);
    struct record_writer w;

    for (unsigned i = 0; i < n; i++) {
        entries[i].ts_ns = 1;
        entries[i].line = slice_str(mem_printf("%u%*s", first + i, (int)extra, ""));
        index[i] = i;
    }
    endpoint_begin(e, slice_str(tenant), affinity, 0, (struct slice){0}, &w);
    assert_int_equal(loki_stream_write_entries(w.out, SLICE_LIT("{a=\"1\"}"), entries, index, n), OK);
    assert_int_equal(endpoint_items(&w, t, n), OK);
    endpoint_end(&w);
    for (unsigned i = 0; i < n; i++)
        mem_free((void *)(uintptr_t)entries[i].line.ptr);
    mem_free(entries);
    mem_free(index);
}

struct lines {
    unsigned n, number[LINES_MAX];
};

static enum code take_line(void *ctx, const struct log_entry *e, struct error *err)
{
    struct lines *l = ctx;
    uint64_t v;

    (void)err;
    assert_true(slice_to_u64(slice_trim(e->line), &v));
    l->number[l->n++] = (unsigned)v;
    return OK;
}

/* What request i carries, read with the decoder that is tested on its own. */
static void read_lines(const struct fake *f, size_t i, struct lines *out)
{
    const struct loki_push_reader reader = {.entry = take_line, .ctx = out};
    struct buf plain;

    assert_true(i < f->n_requests);
    out->n = 0;
    buf_init(&plain, 64 * 1024 * 1024);
    assert_int_equal(codec_decompress(CODEC_SNAPPY, f->requests[i]->wire.body, &plain, NULL), OK);
    assert_int_equal(loki_push_read(buf_slice(&plain), &reader, NULL), OK);
    buf_release(&plain);
}

static void assert_lines(const struct fake *f, size_t i, unsigned first, unsigned n)
{
    struct lines *l = mem_alloc(sizeof *l);

    read_lines(f, i, l);
    assert_int_equal(l->n, n);
    for (unsigned k = 0; k < n; k++)
        assert_int_equal(l->number[k], first + k);
    mem_free(l);
}

static uint64_t all_dropped(const struct endpoint_books *b)
{
    uint64_t n = 0;

    for (size_t i = 0; i < DROP_REASON_COUNT; i++)
        n += b->dropped[i];
    return n;
}

static void assert_balance(struct endpoint *e, uint64_t enqueued, uint64_t acknowledged, uint64_t queued)
{
    struct endpoint_books b;

    endpoint_books(e, &b);
    assert_int_equal(b.enqueued, enqueued);
    assert_int_equal(b.acknowledged, acknowledged);
    assert_int_equal(b.queued, queued);
    assert_int_equal(b.enqueued, b.acknowledged + all_dropped(&b) + b.queued);
    if (queued == 0)
        assert_int_equal(b.queued_bytes, 0);
}

/* ---- */

static void record_waits_for_batch_wait_and_settles_on_acknowledgement(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;
    struct tally t = {0};

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 3, 0, ticket_new(3, false, ticket_done, &t));
    put(e, "", 1, 3, 2, 0, NULL);
    fake_advance(&f, 999);
    assert_int_equal(f.n_requests, 0);
    fake_advance(&f, 1);
    assert_lines(&f, 0, 0, 5);
    assert_int_equal(t.done, 0);
    fake_status(&f, 0, 204, "", -1);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.result.acked, 3);
    assert_balance(e, 5, 5, 0);
    close_endpoint(&f, e);
}

static void waited_ticket_is_sent_at_once_when_its_queue_is_idle(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;
    struct tally a = {0}, b = {0};

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 1, 0, ticket_new(1, true, ticket_done, &a));
    fake_run(&f);
    assert_int_equal(f.n_requests, 1);
    put(e, "", 1, 1, 1, 0, ticket_new(1, true, ticket_done, &b)); /* waits while the first is in flight */
    put(e, "", 1, 2, 1, 0, NULL);
    fake_run(&f);
    assert_int_equal(f.n_requests, 1);
    fake_status(&f, 0, 204, "", -1);
    assert_int_equal(a.done, 1);
    assert_lines(&f, 0, 1, 2);
    fake_status(&f, 0, 204, "", -1);
    assert_int_equal(b.done, 1);
    assert_balance(e, 3, 3, 0);
    close_endpoint(&f, e);
}

static void durability_memory_answers_clients_at_once_and_files_on_acknowledgement(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;
    struct tally client = {0}, file = {0};

    (void)state;
    cfg.durability = DURABILITY_MEMORY;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 1, 0, ticket_new(1, true, ticket_done, &client));
    put(e, "", 1, 1, 1, 0, ticket_new(1, false, ticket_done, &file));
    assert_int_equal(client.done, 1);
    assert_int_equal(client.result.durable, 1);
    assert_int_equal(file.done, 0);
    fake_advance(&f, 1000);
    fake_status(&f, 0, 204, "", -1);
    assert_int_equal(file.done, 1);
    close_endpoint(&f, e);
}

static void one_request_of_a_queue_is_in_flight_and_order_holds(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;

    (void)state;
    cfg.batch_bytes = 1; /* every append is a record */
    cfg.max_bytes = 1;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    for (unsigned i = 0; i < 5; i++)
        put(e, "", 7, i, 1, 0, NULL);
    fake_run(&f);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(f.n_requests, 1);
        assert_lines(&f, 0, i, 1);
        fake_status(&f, 0, 204, "", -1);
    }
    assert_balance(e, 5, 5, 0);
    close_endpoint(&f, e);
}

static void neighbours_are_merged_while_a_request_is_in_flight(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;

    (void)state;
    cfg.batch_bytes = 1;
    cfg.max_bytes = 64 * 1024;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    for (unsigned i = 0; i < 9; i++) {
        put(e, "", 7, i, 1, 0, NULL);
        fake_run(&f);
    }
    assert_lines(&f, 0, 0, 1);
    fake_status(&f, 0, 204, "", -1);
    assert_int_equal(f.n_requests, 1);
    assert_lines(&f, 0, 1, 8);
    close_endpoint(&f, e);
}

static void failure_is_retried_with_growing_backoff_then_the_same_bytes_arrive(void **state)
{
    static const int64_t full_ms[] = {500, 1000, 2000, 4000};
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;

    (void)state;
    fake_init(&f, 42);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 4, 0, NULL);
    fake_advance(&f, 1000);
    for (size_t i = 0; i < sizeof full_ms / sizeof full_ms[0]; i++) {
        fake_status(&f, 0, 500, "ingester down", -1);
        assert_int_equal(f.n_requests, 0);
        fake_advance(&f, full_ms[i] / 2 - 1); /* jitter takes at most half away */
        assert_int_equal(f.n_requests, 0);
        fake_advance(&f, full_ms[i] / 2 + 1);
        assert_int_equal(f.n_requests, 1);
    }
    assert_lines(&f, 0, 0, 4);
    fake_status(&f, 0, 204, "", -1);
    assert_balance(e, 4, 4, 0);
    close_endpoint(&f, e);
}

static void retry_after_is_honoured_and_another_tenant_goes_on(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "slow", 1, 0, 1, 0, NULL);
    fake_advance(&f, 1000);
    assert_string_equal(f.requests[0]->tenant, "slow");
    fake_status(&f, 0, 429, "limit", 60000);
    put(e, "slow", 1, 1, 1, 0, NULL);
    for (unsigned i = 0; i < 20; i++) {
        put(e, "fast", 1, 100 + i, 1, 0, NULL);
        fake_advance(&f, 1000);
        assert_int_equal(f.n_requests, 1);
        assert_string_equal(f.requests[0]->tenant, "fast");
        fake_status(&f, 0, 204, "", -1);
    }
    fake_advance(&f, 60000 - 20000 - 1);
    assert_int_equal(f.n_requests, 0);
    fake_advance(&f, 1);
    assert_string_equal(f.requests[0]->tenant, "slow");
    close_endpoint(&f, e);
}

static void retries_end_where_configured_and_are_counted(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint_books b;
    struct endpoint *e;
    struct tally t = {0};

    (void)state;
    cfg.max_retries = 2;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 3, 0, ticket_new(3, false, ticket_done, &t));
    fake_advance(&f, 1000);
    for (int i = 0; i < 3; i++) {
        fake_status(&f, 0, 503, "", -1);
        fake_advance(&f, 10000);
    }
    assert_int_equal(f.sent, 3);
    endpoint_books(e, &b);
    assert_int_equal(b.dropped[DROP_RETRIES_EXHAUSTED], 3);
    assert_int_equal(t.result.dropped, 3);
    assert_balance(e, 3, 0, 0);
    close_endpoint(&f, e);
}

static void too_large_is_parted_until_it_fits_and_one_item_alone_is_dropped(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint_books b;
    struct endpoint *e;
    unsigned next = 0;
    struct tally t = {0};
    struct lines *l = mem_alloc(sizeof *l);

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 8, 10, ticket_new(8, false, ticket_done, &t));
    put(e, "", 1, 8, 1, 9000, NULL);
    fake_advance(&f, 1000);
    while (f.n_requests != 0) { /* the far side takes two lines, and none of 9000 bytes */
        read_lines(&f, 0, l);
        if (l->n > 2 || l->number[0] == 8 || l->number[l->n - 1] == 8) {
            fake_status(&f, 0, 413, "too big", -1);
            continue;
        }
        for (unsigned i = 0; i < l->n; i++)
            assert_int_equal(l->number[i], next++);
        fake_status(&f, 0, 204, "", -1);
    }
    assert_int_equal(next, 8);
    endpoint_books(e, &b);
    assert_int_equal(b.dropped[DROP_TOO_LARGE], 1);
    assert_balance(e, 9, 8, 0);
    assert_int_equal(t.result.acked, 8);
    mem_free(l);
    close_endpoint(&f, e);
}

static void loki_400_counts_what_the_body_names_and_acknowledges_the_rest(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;
    struct tally t = {0};

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 10, 0, ticket_new(10, false, ticket_done, &t));
    fake_advance(&f, 1000);
    fake_status(&f, 0, 400, "entry too far behind, user 'fake', total ignored: 3 out of 10 for stream: {a=\"1\"}", -1);
    assert_int_equal(f.n_requests, 0); /* never sent again: the rest was stored */
    assert_balance(e, 10, 7, 0);
    assert_int_equal(t.result.rejected, 3);
    assert_int_equal(t.result.acked, 7);
    close_endpoint(&f, e);
}

static void cap_drops_the_oldest_and_only_that(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint_books b;
    struct endpoint *e;
    struct lines *l = mem_alloc(sizeof *l);

    (void)state;
    cfg.batch_bytes = cfg.max_bytes = 1;
    cfg.queue_bytes = 8000;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    for (unsigned i = 0; i < 100; i++) {
        put(e, "", 3, i, 1, 0, NULL);
        fake_advance(&f, 1);
    }
    endpoint_books(e, &b);
    assert_true(b.queued_bytes <= 8000);
    assert_true(b.dropped[DROP_QUEUE_FULL] > 0);
    assert_int_equal(b.enqueued, b.queued + b.dropped[DROP_QUEUE_FULL]);
    fake_status(&f, 0, 204, "", -1); /* the one in flight is not touched */
    read_lines(&f, 0, l);
    assert_int_equal(l->number[0], b.dropped[DROP_QUEUE_FULL] + 1);
    mem_free(l);
    close_endpoint(&f, e);
}

static void block_closes_the_gate_at_the_cap_and_opens_it_again(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct gate *gate = gate_new();
    struct endpoint *e;

    (void)state;
    cfg.batch_bytes = cfg.max_bytes = 1;
    cfg.queue_bytes = 8000;
    cfg.on_full = ON_FULL_BLOCK;
    cfg.gate = gate;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    for (unsigned i = 0; gate_is_open(gate); i++) {
        assert_true(i < 100);
        put(e, "", 3, i, 1, 0, NULL);
        fake_run(&f);
    }
    assert_false(endpoint_has_room(e));
    while (f.n_requests != 0)
        fake_status(&f, 0, 204, "", -1);
    assert_true(gate_is_open(gate));
    close_endpoint(&f, e);
    gate_unref(gate);
}

static void age_drops_what_waited_too_long(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint_books b;
    struct endpoint *e;

    (void)state;
    cfg.max_age_ms = 60000;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 2, 0, NULL);
    fake_advance(&f, 1000);
    put(e, "", 1, 2, 3, 0, NULL);
    fake_advance(&f, 70000); /* the first is in flight all the time */
    endpoint_books(e, &b);
    assert_int_equal(b.dropped[DROP_TOO_OLD], 3);
    fake_status(&f, 0, 204, "", -1);
    assert_balance(e, 5, 2, 0);
    close_endpoint(&f, e);
}

static void close_abandons_everything_and_counts_shutdown(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;
    struct tally open = {0}, flying = {0}, waiting = {0};

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 1, 0, ticket_new(1, false, ticket_done, &flying));
    fake_advance(&f, 1000);
    put(e, "", 1, 1, 1, 0, ticket_new(1, false, ticket_done, &waiting));
    fake_advance(&f, 1000);
    put(e, "", 1, 2, 1, 0, ticket_new(1, false, ticket_done, &open));
    assert_int_equal(f.n_requests, 1);
    close_endpoint(&f, e);
    assert_int_equal(f.n_requests, 0); /* cancelled */
    assert_int_equal(flying.result.abandoned, 1);
    assert_int_equal(waiting.result.abandoned, 1);
    assert_int_equal(open.result.abandoned, 1);
}

static void flush_ends_when_empty_or_at_its_deadline(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *e;
    bool first = false, second = false;

    (void)state;
    fake_init(&f, 1);
    e = open_endpoint(&f, &cfg);
    put(e, "", 1, 0, 1, 0, NULL);
    endpoint_flush(e, 5000, set_flag, &first);
    fake_run(&f);
    assert_int_equal(f.n_requests, 1); /* cut at once */
    assert_false(first);
    fake_status(&f, 0, 204, "", -1);
    assert_true(first);
    put(e, "", 1, 1, 1, 0, NULL);
    endpoint_flush(e, 5000, set_flag, &second);
    fake_advance(&f, 4999);
    assert_false(second);
    fake_advance(&f, 1);
    assert_true(second);
    close_endpoint(&f, e);
}

static void successor_takes_over_in_order_and_balances(void **state)
{
    struct fake f;
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint *old, *next;
    struct tally t = {0};

    (void)state;
    fake_init(&f, 1);
    old = open_endpoint(&f, &cfg);
    put(old, "", 1, 0, 2, 0, ticket_new(2, false, ticket_done, &t));
    fake_advance(&f, 1000); /* in flight, never answered */
    put(old, "", 1, 2, 2, 0, NULL);
    fake_advance(&f, 1000);
    put(old, "", 1, 4, 2, 0, NULL); /* open */
    next = open_endpoint(&f, &cfg);
    endpoint_succeed(next, old);
    endpoint_close(old, set_flag, &(bool){false});
    put(next, "", 1, 6, 2, 0, NULL);
    fake_advance(&f, 499);
    assert_int_equal(f.sent, 1);
    fake_advance(&f, 1001);
    assert_int_equal(f.n_requests, 1);
    assert_lines(&f, 0, 0, 6);
    fake_status(&f, 0, 204, "", -1);
    fake_advance(&f, 1000);
    assert_lines(&f, 0, 6, 2);
    fake_status(&f, 0, 204, "", -1);
    assert_int_equal(t.result.acked, 2);
    assert_balance(next, 8, 8, 0);
    close_endpoint(&f, next);
}

/* ---- random actions against a model ---- */

enum { TENANTS = 3, AFFINITIES = 2 };

struct model {
    unsigned next[TENANTS][AFFINITIES];    /* number of the next line */
    unsigned last_ok[TENANTS][AFFINITIES]; /* highest acknowledged + 1 */
    uint64_t put, acked, tickets_open;
    unsigned tickets_done;
    uint64_t settled;
};

static void model_ticket_done(void *ctx, const struct ticket_result *r)
{
    struct model *m = ctx;

    m->tickets_done++;
    m->settled += r->durable + r->acked + r->dropped + r->rejected + r->abandoned;
}

/* Lines carry tenant and affinity: number = count * 10 + affinity, the tenant is in the header. */
static void model_put(struct model *m, struct fake *f, struct endpoint *e)
{
    static const char *const tenants[TENANTS] = {"", "x", "y"};
    unsigned t = (unsigned)fake_random(f) % TENANTS, a = (unsigned)fake_random(f) % AFFINITIES;
    unsigned n = 1 + (unsigned)fake_random(f) % 5;
    bool is_waited = fake_random(f) % 3 == 0;

    for (unsigned i = 0; i < n; i++) {
        struct ticket *ticket = ticket_new(1, is_waited, model_ticket_done, m);

        m->tickets_open++;
        put(e, tenants[t], a, m->next[t][a]++ * 10 + a, 1, (size_t)(fake_random(f) % 300), ticket);
        m->put++;
    }
}

static void model_answer(struct model *m, struct fake *f, struct lines *l)
{
    static const int statuses[] = {204, 204, 204, 204, 500, 429, 413, 503};
    size_t i = (size_t)(fake_random(f) % f->n_requests);
    int status = statuses[fake_random(f) % (sizeof statuses / sizeof statuses[0])];
    unsigned t = f->requests[i]->tenant[0] == '\0' ? 0 : f->requests[i]->tenant[0] == 'x' ? 1 : 2;

    read_lines(f, i, l);
    if (status == 204)
        for (unsigned k = 0; k < l->n; k++) {
            unsigned a = l->number[k] % 10, number = l->number[k] / 10;

            assert_true(number >= m->last_ok[t][a]); /* never out of order, never twice */
            m->last_ok[t][a] = number + 1;
            m->acked++;
        }
    fake_status(f, i, status, "", fake_random(f) % 4 == 0 ? 3000 : -1);
}

static void random_run(uint64_t seed)
{
    struct fake f;
    struct model m = {0};
    struct endpoint_cfg cfg = base_cfg();
    struct endpoint_books b;
    struct endpoint *e;
    struct lines *l = mem_alloc(sizeof *l);

    fake_init(&f, seed);
    cfg.batch_bytes = 200 + (size_t)(fake_random(&f) % 2000);
    cfg.queue_bytes = fake_random(&f) % 2 == 0 ? 6000 : 1000000;
    cfg.max_age_ms = fake_random(&f) % 3 == 0 ? 5000 : 0;
    cfg.max_retries = (unsigned)(fake_random(&f) % 4);
    cfg.max_in_flight = 1 + (unsigned)(fake_random(&f) % 8);
    e = open_endpoint(&f, &cfg);
    for (unsigned step = 0; step < RANDOM_STEPS; step++) {
        unsigned action = (unsigned)(fake_random(&f) % 10);

        if (action < 4)
            model_put(&m, &f, e);
        else if (action < 8 && f.n_requests != 0)
            model_answer(&m, &f, l);
        else
            fake_advance(&f, (int64_t)(fake_random(&f) % 1500));
        if (fake_random(&f) % 2 == 0)
            fake_run(&f);
        endpoint_books(e, &b);
        if (b.enqueued != b.acknowledged + b.queued + all_dropped(&b) || b.enqueued != m.put ||
            b.acknowledged != m.acked)
            fail_msg("seed %llu step %u: books do not balance", (unsigned long long)seed, step);
    }
    if (fake_random(&f) % 2 == 0) { /* a successor takes over in the middle */
        struct endpoint *next = open_endpoint(&f, &cfg);

        endpoint_succeed(next, e);
        endpoint_close(e, set_flag, &(bool){false});
        fake_advance(&f, 600);
        e = next;
        while (f.n_requests != 0)
            model_answer(&m, &f, l);
    }
    close_endpoint(&f, e);
    if (m.tickets_done != m.tickets_open || m.settled != m.put)
        fail_msg("seed %llu: %u of %llu tickets settled", (unsigned long long)seed, m.tickets_done,
                 (unsigned long long)m.tickets_open);
    mem_free(l);
}

static void random_actions_keep_order_balance_and_settle_every_ticket_once(void **state)
{
    const char *one = getenv("HY_SEED");

    (void)state;
    if (one != NULL) {
        random_run(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= RANDOM_RUNS; seed++)
        random_run(seed);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_waits_for_batch_wait_and_settles_on_acknowledgement),
        cmocka_unit_test(waited_ticket_is_sent_at_once_when_its_queue_is_idle),
        cmocka_unit_test(durability_memory_answers_clients_at_once_and_files_on_acknowledgement),
        cmocka_unit_test(one_request_of_a_queue_is_in_flight_and_order_holds),
        cmocka_unit_test(neighbours_are_merged_while_a_request_is_in_flight),
        cmocka_unit_test(failure_is_retried_with_growing_backoff_then_the_same_bytes_arrive),
        cmocka_unit_test(retry_after_is_honoured_and_another_tenant_goes_on),
        cmocka_unit_test(retries_end_where_configured_and_are_counted),
        cmocka_unit_test(too_large_is_parted_until_it_fits_and_one_item_alone_is_dropped),
        cmocka_unit_test(loki_400_counts_what_the_body_names_and_acknowledges_the_rest),
        cmocka_unit_test(cap_drops_the_oldest_and_only_that),
        cmocka_unit_test(block_closes_the_gate_at_the_cap_and_opens_it_again),
        cmocka_unit_test(age_drops_what_waited_too_long),
        cmocka_unit_test(close_abandons_everything_and_counts_shutdown),
        cmocka_unit_test(flush_ends_when_empty_or_at_its_deadline),
        cmocka_unit_test(successor_takes_over_in_order_and_balances),
        cmocka_unit_test(random_actions_keep_order_balance_and_settle_every_ticket_once),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
