/* tests/unit/delivery/fake.h - a delivery environment on virtual time: posts, timers and requests wait in lists until
 * the test lets them happen. Everything follows from the seed. */
#ifndef TESTS_UNIT_DELIVERY_FAKE_H
#define TESTS_UNIT_DELIVERY_FAKE_H
#include "agent/base/mem.h"
#include "agent/delivery/endpoint.h"
#include <stdio.h>
#include <stdlib.h>

enum { FAKE_MAX = 4096, FAKE_TIMERS = 64 };

struct env_timer {
    void (*fn)(void *arg);
    void *arg;
    int64_t due_ms; /* -1: stopped */
};

struct fake_request {
    struct wire_request wire;
    char *body; /* a copy: what was sent */
    char tenant[64];
    wire_done_fn done;
    void *arg;
};

struct fake {
    int64_t now_ms;
    uint64_t random;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } posts[FAKE_MAX];
    size_t first_post, n_posts;
    struct env_timer *timers[FAKE_TIMERS];
    struct fake_request *requests[FAKE_MAX]; /* waiting for an answer, oldest first */
    size_t n_requests;
    unsigned sent;
    struct clock clock;
};

static inline int64_t fake_now_ns(void *self)
{
    return ((struct fake *)self)->now_ms * NS_PER_MS;
}

static inline void fake_post(void *self, void (*fn)(void *arg), void *arg)
{
    struct fake *f = self;

    BUG_ON(f->n_posts == FAKE_MAX);
    f->posts[(f->first_post + f->n_posts) % FAKE_MAX].fn = fn;
    f->posts[(f->first_post + f->n_posts++) % FAKE_MAX].arg = arg;
}

static inline struct env_timer *fake_timer_new(void *self, void (*fn)(void *arg), void *arg)
{
    struct fake *f = self;

    for (size_t i = 0; i < FAKE_TIMERS; i++)
        if (f->timers[i] == NULL) {
            f->timers[i] = mem_alloc(sizeof *f->timers[i]);
            *f->timers[i] = (struct env_timer){fn, arg, -1};
            return f->timers[i];
        }
    BUG_ON(true);
    return NULL;
}

static struct fake *fake_of_timers; /* timers have no way back to their env */

static inline void fake_timer_start(struct env_timer *t, uint64_t after_ms)
{
    t->due_ms = fake_of_timers->now_ms + (int64_t)after_ms;
}

static inline void fake_timer_stop(struct env_timer *t)
{
    t->due_ms = -1;
}

static inline void fake_timer_free(struct env_timer *t)
{
    for (size_t i = 0; t != NULL && i < FAKE_TIMERS; i++)
        if (fake_of_timers->timers[i] == t)
            fake_of_timers->timers[i] = NULL;
    mem_free(t);
}

static inline uint64_t fake_random(void *self)
{
    struct fake *f = self;

    f->random = f->random * 6364136223846793005u + 1442695040888963407u;
    return f->random >> 33;
}

static inline void *fake_send(void *self, const struct wire_request *request, wire_done_fn done, void *arg)
{
    struct fake *f = self;
    struct fake_request *r = mem_zalloc(sizeof *r);

    BUG_ON(f->n_requests == FAKE_MAX);
    r->wire = *request;
    r->body = mem_strndup(request->body);
    r->wire.body.ptr = r->body;
    for (unsigned i = 0; i < request->n_headers; i++)
        if (slice_eq_str(request->headers[i].name, "X-Scope-OrgID"))
            snprintf(r->tenant, sizeof r->tenant, "%.*s", SLICE_ARG(request->headers[i].value));
    r->done = done;
    r->arg = arg;
    f->requests[f->n_requests++] = r;
    f->sent++;
    return r;
}

static inline void fake_forget(struct fake *f, size_t i)
{
    mem_free(f->requests[i]->body);
    mem_free(f->requests[i]);
    for (f->n_requests--; i < f->n_requests; i++)
        f->requests[i] = f->requests[i + 1];
}

static inline void fake_cancel(void *self, void *handle)
{
    struct fake *f = self;

    for (size_t i = 0; i < f->n_requests; i++)
        if (f->requests[i] == handle) {
            fake_forget(f, i);
            return;
        }
    BUG_ON(true);
}

static inline void fake_init(struct fake *f, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->now_ms = 1000000;
    f->random = seed;
    f->clock = (struct clock){fake_now_ns, fake_now_ns, f};
    fake_of_timers = f;
}

static inline struct delivery_env fake_env(struct fake *f)
{
    return (struct delivery_env){
        .clock = &f->clock,
        .self = f,
        .post = fake_post,
        .timer_new = fake_timer_new,
        .timer_start = fake_timer_start,
        .timer_stop = fake_timer_stop,
        .timer_free = fake_timer_free,
        .random = fake_random,
        .transport = {f, fake_send, fake_cancel, NULL},
    };
}

/* Everything that was posted happens. */
static inline void fake_run(struct fake *f)
{
    while (f->n_posts != 0) {
        void (*fn)(void *arg) = f->posts[f->first_post].fn;
        void *arg = f->posts[f->first_post].arg;

        f->first_post = (f->first_post + 1) % FAKE_MAX;
        f->n_posts--;
        fn(arg);
    }
}

/* Time passes; timers fire in order of time. */
static inline void fake_advance(struct fake *f, int64_t ms)
{
    int64_t until_ms = f->now_ms + ms;

    fake_run(f);
    for (;;) {
        struct env_timer *next = NULL;

        for (size_t i = 0; i < FAKE_TIMERS; i++)
            if (f->timers[i] != NULL && f->timers[i]->due_ms >= 0 && f->timers[i]->due_ms <= until_ms &&
                (next == NULL || f->timers[i]->due_ms < next->due_ms))
                next = f->timers[i];
        if (next == NULL)
            break;
        f->now_ms = next->due_ms > f->now_ms ? next->due_ms : f->now_ms;
        next->due_ms = -1;
        next->fn(next->arg);
        fake_run(f);
    }
    f->now_ms = until_ms;
}

static inline void fake_answer(struct fake *f, size_t i, const struct wire_response *response)
{
    struct fake_request r = *f->requests[i];

    r.body = NULL;
    fake_forget(f, i);
    r.done(r.arg, response);
    fake_run(f);
}

/* An HTTP answer to the i-th waiting request. */
static inline void fake_status(struct fake *f, size_t i, int status, const char *body, int64_t retry_after_ms)
{
    struct wire_response response = {
        .result = WIRE_ANSWERED, .status = status, .retry_after_ms = retry_after_ms, .body = slice_str(body)};

    fake_answer(f, i, &response);
}
#endif
