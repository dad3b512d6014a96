/* The endpoints' outside: one queue of posted calls, timers on a virtual clock, a transport that discards. The few
 * calls of agent/io/loop.h that components make end in the same queue and timers. */
#include "bench/driver/bench.h"
#include "agent/base/list.h"
#include "agent/base/mem.h"
#include "agent/delivery/endpoint.h"

enum { START_S = 1760000000, FLUSH_MS = 60000, FLUSH_STEPS = 1000, OK_NO_CONTENT = 204 };

struct call {
    void (*fn)(void *arg);
    void *arg;
};

static struct {
    struct call *items; /* owned */
    size_t at, n, cap;
} posted;

struct env_timer {
    struct list node;
    void (*fn)(void *arg);
    void *arg;
    int64_t due_ms;   /* INT64_MAX: stopped */
    int64_t every_ms; /* 0: once */
};

static struct list timers = {&timers, &timers};
static int64_t now_ns = (int64_t)START_S * NS_PER_S;
static uint64_t bytes_sent, chance = 88172645463325252u;

static int64_t read_now(void *self)
{
    (void)self;
    return now_ns;
}

const struct clock *delivery_clock(void)
{
    static const struct clock clock = {.wall_ns = read_now, .mono_ns = read_now};

    return &clock;
}

uint64_t delivery_bytes(void)
{
    return bytes_sent;
}

static void post(void *self, void (*fn)(void *arg), void *arg)
{
    (void)self;
    if (posted.n == posted.cap) {
        posted.cap = posted.cap != 0 ? posted.cap * 2 : 1024;
        posted.items = mem_realloc(posted.items, posted.cap * sizeof *posted.items);
    }
    posted.items[posted.n++] = (struct call){fn, arg};
}

static void run_posted(void)
{
    while (posted.at < posted.n) {
        struct call call = posted.items[posted.at++];

        call.fn(call.arg);
    }
    posted.at = posted.n = 0;
}

static struct env_timer *timer_make(void *self, void (*fn)(void *arg), void *arg)
{
    struct env_timer *t = mem_alloc(sizeof *t);

    (void)self;
    *t = (struct env_timer){.fn = fn, .arg = arg, .due_ms = INT64_MAX};
    list_add_tail(&timers, &t->node);
    return t;
}

static void start(struct env_timer *t, uint64_t after_ms)
{
    t->due_ms = now_ns / NS_PER_MS + (int64_t)after_ms;
}

static void stop(struct env_timer *t)
{
    t->due_ms = INT64_MAX;
}

static void timer_end(struct env_timer *t)
{
    if (t == NULL)
        return;
    list_remove(&t->node);
    mem_free(t);
}

static uint64_t next_random(void *self)
{
    (void)self;
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return chance;
}

/* One timer at a time: its function may free others. */
static bool run_due(void)
{
    for (struct list *it = timers.next; it != &timers; it = it->next) {
        struct env_timer *t = (struct env_timer *)(void *)((char *)it - offsetof(struct env_timer, node));

        if (t->due_ms > now_ns / NS_PER_MS)
            continue;
        t->due_ms = t->every_ms != 0 ? now_ns / NS_PER_MS + t->every_ms : INT64_MAX;
        t->fn(t->arg);
        return true;
    }
    return false;
}

void delivery_advance(int64_t ms)
{
    now_ns += ms * NS_PER_MS;
    do
        run_posted();
    while (run_due());
}

/* ---- agent/io/loop.h ---- */

struct timer {
    struct env_timer *timer;
};

void loop_post(struct loop *loop, loop_fn fn, void *arg)
{
    post(loop, fn, arg);
}

struct loop *loops_control(struct loops *loops)
{
    (void)loops;
    return NULL;
}

struct timer *timer_new(struct loop *loop, loop_fn fn, void *arg)
{
    struct timer *t = mem_alloc(sizeof *t);

    t->timer = timer_make(loop, fn, arg);
    return t;
}

void timer_start(struct timer *t, uint64_t after_ms, uint64_t repeat_ms)
{
    start(t->timer, after_ms);
    t->timer->every_ms = (int64_t)repeat_ms;
}

void timer_stop(struct timer *t)
{
    stop(t->timer);
}

void timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    timer_end(t->timer);
    mem_free(t);
}

/* ---- the transport ---- */

struct sent {
    wire_done_fn done;
    void *arg;
    bool is_grpc, is_cancelled;
};

static void answer(void *arg)
{
    struct sent *s = arg;
    struct wire_response response = {
        .result = WIRE_ANSWERED, .is_grpc = s->is_grpc, .status = s->is_grpc ? 0 : OK_NO_CONTENT, .retry_after_ms = -1};

    if (!s->is_cancelled)
        s->done(s->arg, &response);
    mem_free(s);
}

static void *send_request(void *self, const struct wire_request *request, wire_done_fn done, void *arg)
{
    struct sent *s = mem_alloc(sizeof *s);

    (void)self;
    /* gRPC's request has no media type */
    *s = (struct sent){.done = done, .arg = arg, .is_grpc = request->media_type.len == 0};
    bytes_sent += request->body.len;
    post(NULL, answer, s);
    return s;
}

static void cancel(void *self, void *handle)
{
    (void)self;
    ((struct sent *)handle)->is_cancelled = true;
}

void delivery_env(struct delivery_env *out)
{
    *out = (struct delivery_env){
        .clock = delivery_clock(),
        .post = post,
        .timer_new = timer_make,
        .timer_start = start,
        .timer_stop = stop,
        .timer_free = timer_end,
        .random = next_random,
        .transport = {.send = send_request, .cancel = cancel},
    };
}

static void count_done(void *arg)
{
    (*(size_t *)arg)++;
}

void delivery_flush(struct endpoint *const *endpoints, size_t n)
{
    size_t done = 0;

    for (size_t i = 0; i < n; i++)
        endpoint_flush(endpoints[i], FLUSH_MS, count_done, &done);
    for (int i = 0; i < FLUSH_STEPS && done < n; i++)
        delivery_advance(1);
    if (done < n)
        fail("an endpoint does not come to rest");
}
