#include "agent/base/mem.h"
#include "agent/io/grpc_server_int.h"
#include "agent/io/tsan.h"
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

static void call_unref(struct rpc_call *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&c->arena);
    rpc_server_unref(c->server);
    mem_free(c);
}

/* The library has told all: what it lent is given back. Under the lock. */
static void end_locked(struct rpc_call *c)
{
    struct rpc_server *s = c->server;

    if (c->grpc != NULL)
        grpc_call_unref(c->grpc);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->incoming);
    if (c->message != NULL)
        grpc_byte_buffer_destroy(c->message);
    if (c->answer != NULL)
        grpc_byte_buffer_destroy(c->answer);
    grpc_slice_unref(c->status_text);
    grpc_slice_unref(c->status_details);
    if (c->is_active) {
        s->active--;
        pthread_cond_broadcast(&s->changed);
    }
}

/* After an event was taken: true when c is gone for the library. Drops the lock. */
static void leave(struct rpc_call *c)
{
    bool is_over = c->pending == 0 && c->is_answered && !c->is_over;

    c->is_over = c->is_over || is_over;
    if (is_over)
        end_locked(c);
    pthread_mutex_unlock(&c->server->lock);
    if (is_over)
        call_unref(c);
}

static bool start_batch(struct rpc_call *c, const grpc_op *ops, size_t n, enum rpc_event_kind kind)
{
    tsan_release(&c->events[kind]);
    if (c->server->is_closed || grpc_call_start_batch(c->grpc, ops, n, &c->events[kind], NULL) != GRPC_CALL_OK)
        return false;
    c->pending++;
    return true;
}

void rpc_call_ask(struct rpc_thread *thread)
{
    struct rpc_server *s = thread->server;
    struct rpc_call *c = mem_zalloc(sizeof *c);

    c->refs = 1;
    c->server = s;
    c->thread = thread;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    list_init(&c->link);
    arena_init(&c->arena, 0); /* holds the metadata, bounded by the library */
    for (int kind = 0; kind < 4; kind++)
        c->events[kind] = (struct rpc_event){(enum rpc_event_kind)kind, c};
    grpc_call_details_init(&c->details);
    grpc_metadata_array_init(&c->incoming);
    c->status_text = grpc_empty_slice();
    c->status_details = grpc_empty_slice();
    pthread_mutex_lock(&s->lock);
    tsan_release(&c->events[EVENT_NEW]);
    if (!s->is_stopping && grpc_server_request_call(s->grpc, &c->grpc, &c->details, &c->incoming, thread->queue,
                                                    thread->queue, &c->events[EVENT_NEW]) == GRPC_CALL_OK)
        c->pending = 1;
    else
        c->is_answered = true;
    leave(c);
}

static grpc_byte_buffer *copy_message(struct slice body)
{
    grpc_slice bytes = grpc_slice_from_copied_buffer(body.ptr != NULL ? body.ptr : "", body.len);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&bytes, 1);

    grpc_slice_unref(bytes);
    return message;
}

static void set_details(struct rpc_call *c, enum rpc_status status, const char *message, uint64_t retry_ms)
{
    struct buf details;

    buf_init(&details, 64 * 1024);
    rpc_put_retry_info(&details, status, message, retry_ms);
    c->status_details = grpc_slice_from_copied_buffer(details.ptr, details.len);
    c->trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
    c->trailer.value = c->status_details;
    buf_release(&details);
}

void rpc_call_answer_locked(struct rpc_call *c, enum rpc_status status, const char *message, struct slice body,
                            uint64_t retry_ms)
{
    grpc_op ops[3];
    size_t n = 0;

    if (c->is_answered)
        return;
    c->is_answered = true;
    if (!list_is_empty(&c->link)) {
        list_remove(&c->link);
        c->server->counts.waiting--;
    }
    memset(ops, 0, sizeof ops);
    ops[n++].op = GRPC_OP_SEND_INITIAL_METADATA;
    if (status == RPC_OK) {
        c->answer = copy_message(body);
        ops[n].op = GRPC_OP_SEND_MESSAGE;
        ops[n++].data.send_message.send_message = c->answer;
    }
    c->status_text = grpc_slice_from_copied_string(message != NULL ? message : "");
    ops[n].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[n].data.send_status_from_server.status = (grpc_status_code)status;
    ops[n].data.send_status_from_server.status_details = &c->status_text;
    if (retry_ms != 0 && status != RPC_OK) {
        set_details(c, status, message, retry_ms);
        ops[n].data.send_status_from_server.trailing_metadata = &c->trailer;
        ops[n].data.send_status_from_server.trailing_metadata_count = 1;
    }
    n++;
    start_batch(c, ops, n, EVENT_SENT); /* where it cannot be sent, the client has gone or will see the end */
}

static void answer(struct rpc_call *c, enum rpc_status status, const char *message, uint64_t retry_ms)
{
    pthread_mutex_lock(&c->server->lock);
    rpc_call_answer_locked(c, status, message, slice_make(NULL, 0), retry_ms);
    leave(c);
}

static void copy_metadata(struct rpc_call *c)
{
    char *peer = grpc_call_get_peer(c->grpc);

    c->peer = slice_str(arena_strndup(&c->arena, slice_str(peer)));
    gpr_free(peer);
    c->deadline = c->details.deadline;
    c->n_metadata = c->incoming.count;
    c->metadata = arena_zalloc(&c->arena, (c->n_metadata + 1) * sizeof *c->metadata);
    for (size_t i = 0; i < c->n_metadata; i++) {
        struct slice name = rpc_slice(&c->incoming.metadata[i].key), value = rpc_slice(&c->incoming.metadata[i].value);

        c->metadata[i].name = slice_make(arena_strndup(&c->arena, name), name.len);
        c->metadata[i].value = slice_make(arena_strndup(&c->arena, value), value.len);
    }
}

static void receive(struct rpc_call *c)
{
    grpc_op op;
    bool is_started;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &c->message;
    pthread_mutex_lock(&c->server->lock);
    is_started = !c->is_answered && start_batch(c, &op, 1, EVENT_RECEIVED);
    leave(c);
    if (!is_started) {
        if (c->server->handler.on_dropped != NULL)
            c->server->handler.on_dropped(c->server->handler.self, c);
        answer(c, RPC_UNAVAILABLE, "stopping", 0);
        call_unref(c);
    }
}

static bool is_answered(struct rpc_call *c)
{
    bool answered;

    pthread_mutex_lock(&c->server->lock);
    answered = c->is_answered;
    pthread_mutex_unlock(&c->server->lock);
    return answered;
}

static void admit(struct rpc_call *c, const struct rpc_method_entry *method)
{
    struct rpc_server *s = c->server;

    c->method_cookie = method->cookie;
    copy_metadata(c);
    atomic_fetch_add_explicit(&c->refs, 2, memory_order_relaxed); /* the handler's, and ours while we look */
    if (s->handler.on_admit != NULL)
        s->handler.on_admit(s->handler.self, c);
    if (!is_answered(c))
        receive(c);
    call_unref(c);
}

static void on_new(struct rpc_call *c)
{
    struct rpc_server *s = c->server;
    const struct rpc_method_entry *method = map_get(&s->methods, rpc_slice(&c->details.method));
    bool is_over_limit;
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &c->is_cancelled;
    pthread_mutex_lock(&s->lock);
    c->pending--;
    c->is_active = true;
    s->active++;
    s->counts.calls++;
    s->counts.unknown_method += method == NULL ? 1 : 0;
    is_over_limit = s->active > s->options.max_calls;
    if (!start_batch(c, &op, 1, EVENT_CLOSED)) {
        c->is_answered = true;
        leave(c);
        return;
    }
    pthread_mutex_unlock(&s->lock);
    if (method == NULL) {
        char *text = mem_printf("unknown method %.*s", SLICE_ARG(rpc_slice(&c->details.method)));

        answer(c, RPC_UNIMPLEMENTED, text, 0);
        mem_free(text);
    } else if (is_over_limit) {
        answer(c, RPC_RESOURCE_EXHAUSTED, "too many calls at once", 1000);
    } else {
        admit(c, method);
    }
}

/* The handler let it pass, but there will be no on_request. */
static void drop(struct rpc_call *c, enum rpc_status status, const char *text)
{
    struct rpc_server *s = c->server;

    if (s->handler.on_dropped != NULL)
        s->handler.on_dropped(s->handler.self, c);
    answer(c, status, text, 0);
    call_unref(c);
}

static enum rpc_status status_of(enum code code)
{
    if (code == FULL || code == NOMEM)
        return RPC_RESOURCE_EXHAUSTED;
    return code == INVALID ? RPC_UNIMPLEMENTED : RPC_INTERNAL;
}

static void on_message(struct rpc_call *c)
{
    struct rpc_server *s = c->server;
    struct error err = {0};
    struct buf payload;
    char *bytes = NULL;
    size_t len = 0;
    enum code rc;

    buf_init(&payload, s->options.max_recv_bytes);
    rc = rpc_flatten(c->message, &payload, &err);
    if (rc == NOMEM)
        error_set(&err, NOMEM, "no memory for the message");
    if (rc == OK && payload.len != 0)
        bytes = buf_take(&payload, &len);
    buf_release(&payload);
    pthread_mutex_lock(&s->lock);
    grpc_byte_buffer_destroy(c->message);
    c->message = NULL;
    s->counts.bad_encoding += rc == INVALID || rc == CORRUPT ? 1 : 0;
    s->counts.too_large += rc == FULL ? 1 : 0;
    if (rc == OK && !c->is_answered && !s->is_closed) {
        list_add_tail(&s->waiting, &c->link);
        s->counts.waiting++;
    } else if (rc == OK) {
        rc = AGAIN;
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == OK) {
        s->handler.on_request(s->handler.self, c, bytes, len);
        return;
    }
    mem_free(bytes);
    if (rc == AGAIN)
        drop(c, RPC_UNAVAILABLE, "stopping");
    else
        drop(c, status_of(rc), err.text);
}

void rpc_call_on_event(struct rpc_event *event, bool is_ok)
{
    struct rpc_call *c = event->call;
    struct rpc_thread *thread = c->thread;
    bool has_message;

    if (event->kind == EVENT_NEW && is_ok) {
        rpc_call_ask(thread);
        on_new(c);
        return;
    }
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    pthread_mutex_lock(&c->server->lock);
    c->pending--;
    if (event->kind == EVENT_NEW) /* the server is stopping */
        c->is_answered = true;
    has_message = event->kind == EVENT_RECEIVED && is_ok && c->message != NULL;
    if (event->kind != EVENT_RECEIVED) {
        leave(c);
    } else {
        c->pending++; /* holds the library's part while the message is looked at */
        pthread_mutex_unlock(&c->server->lock);
        if (has_message)
            on_message(c);
        else /* the client went away, or the library refused the size: then this status is not the one sent */
            drop(c, RPC_CANCELLED, "no message was received");
        pthread_mutex_lock(&c->server->lock);
        c->pending--;
        leave(c);
    }
    call_unref(c);
}

void rpc_call_reply(struct rpc_call *c, enum rpc_status status, const char *message, struct slice body,
                    uint64_t retry_info_ms)
{
    pthread_mutex_lock(&c->server->lock);
    rpc_call_answer_locked(c, status, message, body, retry_info_ms);
    leave(c);
    call_unref(c); /* the handler's */
}

void *rpc_call_method_cookie(const struct rpc_call *c)
{
    return c->method_cookie;
}

struct slice rpc_call_metadata(const struct rpc_call *c, const char *name)
{
    for (size_t i = 0; i < c->n_metadata; i++)
        if (slice_eq_str(c->metadata[i].name, name))
            return c->metadata[i].value;
    return (struct slice){0};
}

bool rpc_call_metadata_at(const struct rpc_call *c, size_t i, struct slice *name, struct slice *value)
{
    if (i >= c->n_metadata)
        return false;
    *name = c->metadata[i].name;
    *value = c->metadata[i].value;
    return true;
}

struct slice rpc_call_peer(const struct rpc_call *c)
{
    return c->peer;
}

int64_t rpc_call_deadline_ms(const struct rpc_call *c)
{
    gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    gpr_timespec deadline = gpr_convert_clock_type(c->deadline, GPR_CLOCK_MONOTONIC);
    int64_t left;

    if (gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0)
        return -1;
    left = gpr_time_to_millis(gpr_time_sub(deadline, now));
    return left < 0 ? 0 : left;
}

void rpc_call_set_cookie(struct rpc_call *c, void *cookie)
{
    c->cookie = cookie;
}

void *rpc_call_cookie(const struct rpc_call *c)
{
    return c->cookie;
}
