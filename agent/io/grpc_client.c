#include "agent/io/grpc_client.h"
#include "agent/base/clock.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/grpc_int.h"
#include "agent/io/loop.h"
#include "agent/io/tls_int.h"
#include "agent/io/tsan.h"
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LOOK_EVERY_S = 30, RECONNECT_FIRST_MS = 1000, RECONNECT_MAX_MS = 10000 };
#define AGENT_NAME "hyagent/" HYAGENT_VERSION

/* One completion queue and thread for all channels; there as long as a channel is. */
struct poller {
    grpc_completion_queue *queue;
    pthread_t thread;
    unsigned users; /* under poller_lock */
};

struct rpc_channel {
    atomic_uint refs; /* the owner and every call */
    struct poller *poller;
    struct tls_options *tls;                                        /* owned; NULL: plain */
    char *target, *authority, *server_name, *balancer, *user_agent; /* owned, may be NULL */
    struct rpc_channel_options options;                             /* its slices are not used after start */
    pthread_mutex_t lock;                                           /* for all below */
    grpc_channel *grpc;
    uint64_t stamp; /* of the certificate files that grpc was made with */
    int64_t looked_ns;
};

enum request_state { REQUEST_PENDING, REQUEST_COMPLETE };

struct rpc_request {
    struct rpc_channel *channel; /* one reference */
    struct loop *loop;
    rpc_done_fn done;
    void *arg;
    int64_t started_ns;
    pthread_mutex_t lock;
    enum request_state state; /* under lock */
    bool is_cancelled;        /* under lock */
    struct error error;       /* set when the call could not be started */
    grpc_call *call;
    grpc_metadata *metadata; /* owned */
    size_t n_metadata;
    grpc_byte_buffer *message, *answer;
    grpc_metadata_array head, trailer;
    grpc_status_code status;
    grpc_slice status_text;
    const char *error_string; /* owned by gpr */
};

static pthread_mutex_t poller_lock = PTHREAD_MUTEX_INITIALIZER;
static struct poller *the_poller; /* under poller_lock */

static const char *const status_names[] = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

const char *rpc_status_name(enum rpc_status status)
{
    return (size_t)status < sizeof status_names / sizeof status_names[0] ? status_names[status] : "UNKNOWN";
}

static void request_complete(struct rpc_request *r);

static void *run_poller(void *arg)
{
    struct poller *p = arg;
    grpc_event event;

    pthread_setname_np(pthread_self(), "grpc client");
    while ((event = grpc_completion_queue_next(p->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL)).type !=
           GRPC_QUEUE_SHUTDOWN)
        if (event.type == GRPC_OP_COMPLETE) {
            tsan_acquire(event.tag);
            request_complete(event.tag);
        }
    tsan_acquire(p);
    grpc_completion_queue_destroy(p->queue);
    mem_free(p);
    grpc_shutdown();
    return NULL;
}

static enum code poller_ref(struct poller **out, struct error *err)
{
    enum code rc = OK;

    pthread_mutex_lock(&poller_lock);
    if (the_poller == NULL) {
        struct poller *p = mem_zalloc(sizeof *p);

        rpc_library_init();
        p->queue = grpc_completion_queue_create_for_next(NULL);
        if (pthread_create(&p->thread, NULL, run_poller, p) == 0) {
            the_poller = p;
        } else {
            rc = error_set(err, IO, "cannot start a thread");
            grpc_completion_queue_shutdown(p->queue);
            grpc_completion_queue_destroy(p->queue);
            mem_free(p);
            grpc_shutdown();
        }
    }
    *out = the_poller;
    if (the_poller != NULL)
        the_poller->users++;
    pthread_mutex_unlock(&poller_lock);
    return rc;
}

static void poller_unref(struct poller *p)
{
    grpc_completion_queue *queue;
    pthread_t thread = p->thread;
    bool is_last;

    pthread_mutex_lock(&poller_lock);
    is_last = --p->users == 0;
    if (is_last)
        the_poller = NULL;
    pthread_mutex_unlock(&poller_lock);
    if (!is_last)
        return;
    queue = p->queue;
    tsan_release(p);
    grpc_completion_queue_shutdown(queue); /* the thread ends, and frees p */
    if (pthread_equal(thread, pthread_self()))
        pthread_detach(thread); /* a cancelled call was the last user */
    else
        pthread_join(thread, NULL);
}

static void channel_unref(struct rpc_channel *ch)
{
    if (atomic_fetch_sub_explicit(&ch->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (ch->grpc != NULL)
        grpc_channel_destroy(ch->grpc);
    if (ch->poller != NULL)
        poller_unref(ch->poller);
    tls_options_free(ch->tls);
    mem_free(ch->target);
    mem_free(ch->authority);
    mem_free(ch->server_name);
    mem_free(ch->balancer);
    mem_free(ch->user_agent);
    pthread_mutex_destroy(&ch->lock);
    mem_free(ch);
}

static grpc_compression_algorithm algorithm_of(enum codec codec)
{
    return codec == CODEC_GZIP      ? GRPC_COMPRESS_GZIP
           : codec == CODEC_DEFLATE ? GRPC_COMPRESS_DEFLATE
                                    : GRPC_COMPRESS_NONE;
}

static void add_if(struct rpc_args *a, const char *key, uint64_t value)
{
    if (value != 0)
        rpc_args_int(a, key, value);
}

static void fill_args(struct rpc_args *a, const struct rpc_channel *ch)
{
    const struct rpc_channel_options *o = &ch->options;

    rpc_args_init(a);
    rpc_args_int(a, GRPC_ARG_ENABLE_RETRIES, 0); /* delivery has its own table */
    rpc_args_int(a, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    rpc_args_int(a, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0); /* done here, bounded */
    rpc_args_int(a, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_FIRST_MS);
    rpc_args_int(a, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, RECONNECT_FIRST_MS);
    rpc_args_int(a, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MAX_MS);
    rpc_args_int(a, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, o->max_recv_bytes);
    if (o->max_send_bytes != 0)
        rpc_args_int(a, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, o->max_send_bytes);
    else
        a->at[a->args.num_args++] = (grpc_arg){
            .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, .value.integer = -1};
    /* Without this, bytes that are compressed already would go out labelled as plain. */
    if (o->compression != CODEC_NONE)
        rpc_args_int(a, GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM, algorithm_of(o->compression));
    add_if(a, GRPC_ARG_KEEPALIVE_TIME_MS, o->keepalive_time_ms);
    if (o->keepalive_time_ms > 0)
        rpc_args_int(a, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* go on pinging; the library stops after two */
    add_if(a, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, o->keepalive_timeout_ms);
    if (o->keepalive_without_calls)
        rpc_args_int(a, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    add_if(a, GRPC_ARG_TCP_READ_CHUNK_SIZE, o->read_buffer_bytes);
    add_if(a, GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, o->write_buffer_bytes);
    rpc_args_text(a, GRPC_ARG_PRIMARY_USER_AGENT_STRING, ch->user_agent);
    if (ch->balancer != NULL)
        rpc_args_text(a, GRPC_ARG_LB_POLICY_NAME, ch->balancer);
    if (ch->authority != NULL)
        rpc_args_text(a, GRPC_ARG_DEFAULT_AUTHORITY, ch->authority);
    if (ch->server_name != NULL)
        rpc_args_text(a, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, ch->server_name);
}

/* Makes or replaces the channel; calls under way keep the old one alive. Under the lock. */
static enum code connect_locked(struct rpc_channel *ch, struct error *err)
{
    grpc_channel_credentials *creds;
    struct rpc_args args;
    grpc_channel *made;
    enum code rc = rpc_client_credentials(&creds, ch->tls, err);

    if (rc != OK)
        return rc;
    fill_args(&args, ch);
    made = grpc_channel_create(ch->target, creds, &args.args);
    grpc_channel_credentials_release(creds);
    if (made == NULL)
        return error_set(err, INVALID, "cannot make a channel to %s", ch->target);
    if (ch->grpc != NULL)
        grpc_channel_destroy(ch->grpc);
    ch->grpc = made;
    return OK;
}

static void look_at_files_locked(struct rpc_channel *ch)
{
    int64_t now_ns = clock_mono_ns(clock_system());
    uint64_t stamp;

    if (ch->tls == NULL || now_ns - ch->looked_ns < (int64_t)LOOK_EVERY_S * NS_PER_S)
        return;
    ch->looked_ns = now_ns;
    stamp = tls_stamp(ch->tls);
    if (stamp != ch->stamp && connect_locked(ch, NULL) == OK) /* else the old one goes on; tried again */
        ch->stamp = stamp;
}

static char *text_or_null(struct slice s)
{
    return s.len != 0 ? mem_strndup(s) : NULL;
}

enum code rpc_channel_new(struct rpc_channel **out, const struct rpc_channel_options *options, struct error *err)
{
    struct rpc_channel *ch;
    enum code rc;

    *out = NULL;
    if (options->target.len == 0)
        return error_set(err, INVALID, "the gRPC endpoint is empty");
    if (options->compression != CODEC_NONE && algorithm_of(options->compression) == GRPC_COMPRESS_NONE)
        return error_set(err, INVALID, "gRPC's library cannot compress with %s: use gzip or none",
                         codec_name(options->compression));
    ch = mem_zalloc(sizeof *ch);
    ch->refs = 1;
    ch->options = *options;
    if (ch->options.max_recv_bytes == 0)
        ch->options.max_recv_bytes = LIMIT_HTTP_RESPONSE_BYTES;
    ch->tls = options->tls != NULL ? tls_options_copy(options->tls) : NULL;
    ch->target = mem_strndup(options->target);
    ch->authority = text_or_null(options->authority);
    ch->balancer = text_or_null(options->balancer);
    ch->server_name = ch->tls != NULL ? text_or_null(ch->tls->server_name) : NULL;
    ch->user_agent = options->user_agent.len != 0 ? mem_strndup(options->user_agent) : mem_strdup(AGENT_NAME);
    pthread_mutex_init(&ch->lock, NULL);
    rc = poller_ref(&ch->poller, err);
    if (rc == OK) {
        ch->looked_ns = clock_mono_ns(clock_system());
        ch->stamp = ch->tls != NULL ? tls_stamp(ch->tls) : 0;
        rc = connect_locked(ch, err);
    }
    if (rc != OK) {
        channel_unref(ch);
        return rc;
    }
    *out = ch;
    return OK;
}

void rpc_channel_free(struct rpc_channel *ch)
{
    if (ch != NULL)
        channel_unref(ch);
}

static void request_free(struct rpc_request *r)
{
    if (r->call != NULL)
        grpc_call_unref(r->call);
    if (r->message != NULL)
        grpc_byte_buffer_destroy(r->message);
    if (r->answer != NULL)
        grpc_byte_buffer_destroy(r->answer);
    for (size_t i = 0; i < r->n_metadata; i++) {
        grpc_slice_unref(r->metadata[i].key);
        grpc_slice_unref(r->metadata[i].value);
    }
    mem_free(r->metadata);
    grpc_metadata_array_destroy(&r->head);
    grpc_metadata_array_destroy(&r->trailer);
    grpc_slice_unref(r->status_text);
    gpr_free((void *)(uintptr_t)r->error_string);
    pthread_mutex_destroy(&r->lock);
    channel_unref(r->channel);
    mem_free(r);
}

static int64_t retry_info_of(const struct rpc_request *r)
{
    for (size_t i = 0; i < r->trailer.count; i++)
        if (slice_eq_str(rpc_slice(&r->trailer.metadata[i].key), "grpc-status-details-bin"))
            return rpc_find_retry_info(rpc_slice(&r->trailer.metadata[i].value));
    return -1;
}

/* The library does not say who made a status up, except in its text for debugging. */
static bool is_from_peer(const struct rpc_request *r)
{
    return r->status == GRPC_STATUS_OK || r->head.count != 0 || r->trailer.count != 0 ||
           (r->error_string != NULL && strstr(r->error_string, "rror received from peer") != NULL);
}

static void tell(void *arg)
{
    struct rpc_request *r = arg;
    struct rpc_result result = {0};
    struct buf body;
    struct error err = {0};
    bool is_cancelled;

    pthread_mutex_lock(&r->lock);
    is_cancelled = r->is_cancelled;
    pthread_mutex_unlock(&r->lock);
    if (is_cancelled) {
        request_free(r);
        return;
    }
    buf_init(&body, r->channel->options.max_recv_bytes);
    result.retry_info_ms = -1;
    result.duration_ns = clock_mono_ns(clock_system()) - r->started_ns;
    if (r->error.text[0] != 0) {
        result.status = RPC_INVALID_ARGUMENT;
        result.message = slice_str(r->error.text);
    } else {
        result.status = (enum rpc_status)r->status;
        result.message = rpc_slice(&r->status_text);
        result.is_from_peer = is_from_peer(r);
        result.retry_info_ms = retry_info_of(r);
    }
    if (r->answer != NULL && rpc_flatten(r->answer, &body, &err) != OK) {
        result.status = RPC_INTERNAL;
        result.message = slice_str(err.text);
    }
    if (result.status == RPC_OK)
        result.body = buf_slice(&body);
    r->done(r->arg, &result);
    buf_release(&body);
    request_free(r);
}

/* On the poller's thread, or where the call could not be started. */
static void request_complete(struct rpc_request *r)
{
    bool is_cancelled;

    pthread_mutex_lock(&r->lock);
    r->state = REQUEST_COMPLETE;
    is_cancelled = r->is_cancelled;
    if (!is_cancelled)
        loop_post(r->loop, tell, r);
    pthread_mutex_unlock(&r->lock);
    if (is_cancelled) /* the loop may be gone by now */
        request_free(r);
}

static enum code copy_metadata(struct rpc_request *r, const struct rpc_request_options *o)
{
    r->metadata = mem_array(o->n_metadata + 1, sizeof *r->metadata);
    for (size_t i = 0; i < o->n_metadata; i++) {
        const struct rpc_metadata *m = &o->metadata[i];
        grpc_slice key = grpc_slice_from_copied_buffer(m->name.ptr, m->name.len);
        grpc_slice value = grpc_slice_from_copied_buffer(m->value.ptr != NULL ? m->value.ptr : "", m->value.len);

        r->metadata[i] = (grpc_metadata){.key = key, .value = value};
        r->n_metadata++;
        if (!grpc_header_key_is_legal(key) ||
            (!grpc_is_binary_header(key) && !grpc_header_nonbin_value_is_legal(value)))
            return error_set(&r->error, INVALID, "the metadata \"%.*s\" has a character that cannot be sent",
                             SLICE_ARG(m->name));
    }
    return OK;
}

static enum code set_message(struct rpc_request *r, const struct rpc_request_options *o)
{
    enum codec compression = r->channel->options.compression;
    grpc_slice payload;

    if (o->payload_codec != CODEC_NONE && o->payload_codec != compression)
        return error_set(&r->error, INVALID, "the payload is %s, but the channel sends %s",
                         codec_name(o->payload_codec), compression != CODEC_NONE ? codec_name(compression) : "plain");
    payload = grpc_slice_from_copied_buffer(o->payload.ptr != NULL ? o->payload.ptr : "", o->payload.len);
    r->message = grpc_raw_compressed_byte_buffer_create(&payload, 1, algorithm_of(o->payload_codec));
    grpc_slice_unref(payload);
    return OK;
}

static grpc_call *make_call(struct rpc_request *r, const struct rpc_request_options *o)
{
    struct rpc_channel *ch = r->channel;
    gpr_timespec deadline = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    grpc_slice method = grpc_slice_from_copied_string(o->method);
    grpc_call *call;

    if (o->timeout_ms != 0)
        deadline = gpr_time_add(
            gpr_now(GPR_CLOCK_MONOTONIC),
            gpr_time_from_millis((int64_t)(o->timeout_ms < INT32_MAX ? o->timeout_ms : INT32_MAX), GPR_TIMESPAN));
    pthread_mutex_lock(&ch->lock);
    look_at_files_locked(ch);
    call = grpc_channel_create_call(ch->grpc, NULL, GRPC_PROPAGATE_DEFAULTS, ch->poller->queue, method, NULL, deadline,
                                    NULL);
    pthread_mutex_unlock(&ch->lock);
    grpc_slice_unref(method);
    return call;
}

static enum code start(struct rpc_request *r, const struct rpc_request_options *o)
{
    grpc_op ops[6];
    enum code rc = copy_metadata(r, o);

    if (rc == OK)
        rc = set_message(r, o);
    if (rc != OK)
        return rc;
    r->call = make_call(r, o);
    if (r->call == NULL)
        return error_set(&r->error, INVALID, "cannot make a call of %s", o->method);
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET |
                   (o->wait_for_ready ? (uint32_t)GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0u);
    ops[0].data.send_initial_metadata.count = r->n_metadata;
    ops[0].data.send_initial_metadata.metadata = r->metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = r->message;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &r->head;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &r->answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &r->trailer;
    ops[5].data.recv_status_on_client.status = &r->status;
    ops[5].data.recv_status_on_client.status_details = &r->status_text;
    ops[5].data.recv_status_on_client.error_string = &r->error_string;
    tsan_release(r);
    if (grpc_call_start_batch(r->call, ops, 6, r, NULL) != GRPC_CALL_OK)
        return error_set(&r->error, INVALID, "cannot start a call of %s", o->method);
    return OK;
}

struct rpc_request *rpc_request_start(struct rpc_channel *ch, const struct rpc_request_options *options)
{
    struct rpc_request *r = mem_zalloc(sizeof *r);

    BUG_ON(options->done == NULL || options->loop == NULL);
    atomic_fetch_add_explicit(&ch->refs, 1, memory_order_relaxed);
    r->channel = ch;
    r->loop = options->loop;
    r->done = options->done;
    r->arg = options->arg;
    r->started_ns = clock_mono_ns(clock_system());
    pthread_mutex_init(&r->lock, NULL);
    grpc_metadata_array_init(&r->head);
    grpc_metadata_array_init(&r->trailer);
    r->status_text = grpc_empty_slice();
    if (start(r, options) != OK)
        request_complete(r);
    return r;
}

void rpc_request_cancel(struct rpc_request *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_cancelled = true;
    if (r->state == REQUEST_PENDING)
        grpc_call_cancel(r->call, NULL); /* under the lock: its completion frees r */
    pthread_mutex_unlock(&r->lock);
}
