/* A request's way on a worker loop: decode, scan, ticket, push; and its answer, when the ticket is settled or, in time
 * for the client to try again, when it is not. */
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/mem.h"
#include "agent/components/otelcol/receiver_otlp/otlp.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"

enum { TICK_MS = 200 };

static const double second_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
static const double byte_bounds[] = {1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};

static void add_metrics(struct core *c, struct host *host)
{
    static const char *const transports[] = {"grpc", "http"};
    static const char *const accepted[] = {"otelcol_receiver_accepted_spans_total",
                                           "otelcol_receiver_accepted_metric_points_total",
                                           "otelcol_receiver_accepted_log_records_total"};
    static const char *const refused[] = {"otelcol_receiver_refused_spans_total",
                                          "otelcol_receiver_refused_metric_points_total",
                                          "otelcol_receiver_refused_log_records_total"};

    for (int t = 0; t < 2; t++) {
        const struct metric_label label = {"transport", transports[t]};

        for (int s = 0; s < 3; s++) {
            c->accepted[t][s] =
                host_counter(host, accepted[s], "Items that were accepted and are delivered.", &label, 1);
            c->refused[t][s] =
                host_counter(host, refused[s],
                             "Items that could not be accepted (requests that do not decode count as one).", &label, 1);
        }
        c->seconds[t] =
            host_histogram(host, "hyagent_receiver_request_duration_seconds", "From a request's arrival to its answer.",
                           second_bounds, sizeof second_bounds / sizeof *second_bounds, &label, 1);
        c->bytes[t] = host_histogram(host, "hyagent_receiver_request_size_bytes", "Bodies as sent.", byte_bounds,
                                     sizeof byte_bounds / sizeof *byte_bounds, &label, 1);
    }
}

struct core *core_new(struct host *host, struct otel_output *output)
{
    struct core *c = mem_zalloc(sizeof *c);

    atomic_store(&c->refs, 1);
    c->id = mem_strdup(host_id(host));
    c->admission = host_admission(host);
    admission_ref(c->admission);
    c->output = output;
    c->ledger = host_ledger(host);
    c->loops = host_loops(host);
    c->n_lanes = loops_count(c->loops);
    c->lanes = mem_array(c->n_lanes, sizeof *c->lanes);
    for (unsigned i = 0; i < c->n_lanes; i++) {
        c->lanes[i].loop = loops_worker(c->loops, i);
        c->lanes[i].core = c;
        list_init(&c->lanes[i].waiting);
    }
    add_metrics(c, host);
    return c;
}

void core_ref(struct core *c)
{
    atomic_fetch_add(&c->refs, 1);
}

void core_unref(struct core *c)
{
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (int t = 0; t < 2; t++) {
        for (int s = 0; s < 3; s++) {
            metric_unref(c->accepted[t][s]);
            metric_unref(c->refused[t][s]);
        }
        metric_unref(c->seconds[t]);
        metric_unref(c->bytes[t]);
    }
    admission_unref(c->admission);
    mem_free((void *)(uintptr_t)c->id);
    mem_free(c->lanes);
    mem_free(c);
}

struct request *request_new(struct core *core, enum transport transport, enum otlp_signal signal)
{
    struct request *r = mem_zalloc(sizeof *r);

    list_init(&r->link);
    core_ref(core);
    r->core = core;
    r->transport = transport;
    r->signal = signal;
    r->arrived_ns = clock_mono_ns(clock_system());
    atomic_store(&r->refs, 1);
    arena_init(&r->metadata_arena, 256 * 1024);
    return r;
}

static void request_unref(struct request *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    mem_free(r->body);
    arena_release(&r->metadata_arena);
    core_unref(r->core);
    mem_free(r);
}

/* Leaves the lane's list; on the lane's loop. */
static void unlink_request(struct request *r)
{
    list_remove(&r->link);
    if (list_is_empty(&r->lane->waiting) && r->lane->timer != NULL)
        timer_stop(r->lane->timer);
    request_unref(r);
}

static void leave_lane(void *arg)
{
    struct request *r = arg;

    if (!list_is_empty(&r->link))
        unlink_request(r);
    request_unref(r);
}

static void observe(const struct request *r)
{
    metric_observe(r->core->seconds[r->transport], (double)(clock_mono_ns(clock_system()) - r->arrived_ns) / NS_PER_S);
}

static void answer(struct request *r, const struct ticket_result *result)
{
    if (atomic_exchange(&r->is_answered, true))
        return;
    observe(r);
    if (result->abandoned != 0)
        metric_add(r->core->refused[r->transport][r->signal], r->n_items);
    else
        metric_add(r->core->accepted[r->transport][r->signal], r->n_items);
    if (r->transport == TRANSPORT_GRPC)
        grpc_answer(r, result);
    else
        http_answer(r, result);
}

static void refuse(struct request *r, enum refusal why, const char *text)
{
    if (atomic_exchange(&r->is_answered, true))
        return;
    observe(r);
    metric_add(r->core->refused[r->transport][r->signal], r->n_items != 0 ? r->n_items : 1);
    if (r->transport == TRANSPORT_GRPC)
        grpc_refuse(r, why, text);
    else
        http_refuse(r, why, text);
}

/* The ticket is settled: on whatever thread settled it last. */
static void settled(void *ctx, const struct ticket_result *result)
{
    struct request *r = ctx;

    answer(r, result);
    loop_post(r->lane->loop, leave_lane, r); /* the ticket's reference goes along */
}

/* What has waited too long is answered so that the client tries again; its ticket goes on by itself. */
static void tick(void *arg)
{
    struct lane *lane = arg;
    int64_t now_ns = clock_mono_ns(clock_system());

    LIST_EACH_SAFE (it, &lane->waiting) {
        struct request *r = CONTAINER_OF(it, struct request, link);

        if ((now_ns - r->arrived_ns) / NS_PER_MS < r->wait_ms)
            continue;
        refuse(r, REFUSED_BUSY, "not yet delivered: the destinations do not answer; try again");
        unlink_request(r);
    }
}

static void wait_for_ticket(struct request *r)
{
    struct lane *lane = r->lane;

    if (lane->is_closed)
        return;
    atomic_fetch_add(&r->refs, 1);
    list_add_tail(&lane->waiting, &r->link);
    if (lane->timer == NULL)
        lane->timer = timer_new(lane->loop, tick, lane);
    timer_start(lane->timer, TICK_MS, TICK_MS);
}

/* The request's plain protobuf bytes, as a heap block that the batch adopts. */
static enum code plain_bytes(struct request *r, struct otlp_batch *b, struct slice *out, enum refusal *why,
                             struct error *err)
{
    struct buf plain, wire;
    struct arena scratch;
    size_t len;
    char *bytes;
    enum code rc;

    if (r->transport == TRANSPORT_GRPC) {
        *out = slice_make(r->body, r->body_len);
        arena_adopt(&b->base.arena, r->body, r->body_len);
        r->body = NULL;
        return OK;
    }
    buf_init(&plain, r->max_bytes);
    rc = http_call_decode_body(r->http, &plain, err);
    *why = rc == FULL      ? REFUSED_TOO_LARGE
           : rc == INVALID ? REFUSED_ENCODING
           : rc == NOMEM   ? REFUSED_MEMORY
                           : REFUSED_BROKEN;
    if (rc == OK && r->is_json) {
        buf_init(&wire, r->max_bytes);
        arena_init(&scratch, LIMIT_BATCH_BYTES);
        rc = otlp_json_read(r->signal, buf_slice(&plain), &scratch, &wire, err);
        arena_release(&scratch);
        buf_release(&plain);
        plain = wire;
        *why = rc == NOMEM ? REFUSED_MEMORY : rc == FULL ? REFUSED_TOO_LARGE : REFUSED_BROKEN;
    }
    if (rc != OK) {
        buf_release(&plain);
        return rc;
    }
    bytes = buf_take(&plain, &len);
    *out = slice_make(bytes, len);
    arena_adopt(&b->base.arena, bytes, len);
    return OK;
}

static enum code copy_metadata(const struct request *r, struct otlp_batch *b)
{
    struct label *copy;

    if (r->n_metadata == 0)
        return OK;
    copy = arena_try_array(&b->base.arena, r->n_metadata, sizeof *copy);
    if (copy == NULL)
        return NOMEM;
    for (uint32_t i = 0; i < r->n_metadata; i++)
        copy[i] = (struct label){arena_copy(&b->base.arena, r->metadata[i].name),
                                 arena_copy(&b->base.arena, r->metadata[i].value)};
    b->metadata = copy;
    b->n_metadata = r->n_metadata;
    return OK;
}

/* A batch of what the request holds, without tickets; NULL: refused already. */
static struct otlp_batch *make_batch(struct request *r)
{
    struct otlp_batch *b = otlp_batch_new(r->signal);
    enum refusal why = REFUSED_BROKEN;
    struct error err = {0};
    struct slice bytes;
    enum code rc;

    if (b == NULL) {
        refuse(r, REFUSED_MEMORY, "out of memory; try again");
        return NULL;
    }
    rc = plain_bytes(r, b, &bytes, &why, &err);
    if (rc == OK) {
        rc = otlp_scan(b, bytes, &err);
        why = rc == NOMEM || rc == FULL ? REFUSED_MEMORY : REFUSED_BROKEN;
    }
    if (rc == OK && copy_metadata(r, b) != OK) {
        rc = NOMEM;
        why = REFUSED_MEMORY;
    }
    if (rc == OK)
        return b;
    refuse(r, why, err.text[0] != '\0' ? err.text : "the request cannot be read");
    batch_unref(&b->base);
    return NULL;
}

static void process(void *arg)
{
    struct request *r = arg;
    const struct ticket_result nothing = {0};
    struct otlp_batch *b;
    struct ticket *t;

    if (atomic_load(&r->core->is_closing)) {
        refuse(r, REFUSED_BUSY, "the receiver is going away; try again");
        request_unref(r);
        return;
    }
    b = make_batch(r);
    if (b == NULL || b->n_items == 0) {
        if (b != NULL) {
            answer(r, &nothing);
            batch_unref(&b->base);
        }
        request_unref(r);
        return;
    }
    r->n_items = b->n_items;
    t = ticket_new(b->n_items, true, settled, r); /* takes over the reference */
    if (batch_span(&b->base, t, b->n_items) != OK) {
        batch_unref(&b->base);
        ticket_settle(t, r->core->id, r->n_items, SETTLED_ABANDONED, DROP_MEMORY, NULL);
        return;
    }
    wait_for_ticket(r); /* before the push: it may settle at once */
    ledger_created(r->core->ledger, b->n_items);
    otel_output_push(r->core->output, b);
}

void request_submit(struct request *take)
{
    unsigned lane = atomic_fetch_add_explicit(&take->core->next_lane, 1, memory_order_relaxed);

    take->lane = &take->core->lanes[lane % take->core->n_lanes];
    loop_post(take->lane->loop, process, take);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void close_lane(void *arg)
{
    struct lane *lane = arg;
    struct core *core = lane->core;

    lane->is_closed = true;
    LIST_EACH_SAFE (it, &lane->waiting) {
        struct request *r = CONTAINER_OF(it, struct request, link);

        refuse(r, REFUSED_BUSY, "the receiver is going away; try again");
        list_remove(&r->link);
        request_unref(r);
    }
    timer_free(lane->timer);
    lane->timer = NULL;
    core_unref(core);
}

void core_close(struct core *c, loop_fn done, void *arg)
{
    atomic_store(&c->is_closing, true);
    for (unsigned i = 0; i < c->n_lanes; i++) {
        core_ref(c);
        loop_post(c->lanes[i].loop, close_lane, &c->lanes[i]);
    }
    loops_barrier(c->loops, done, arg);
}
