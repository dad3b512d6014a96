#include "agent/delivery/driver.h"
#include "agent/base/mem.h"
#include <sys/random.h>

struct driver {
    struct loop *loop;
    uint64_t chance; /* state of the jitter's generator (splitmix64) */
};

struct env_timer {
    struct timer *timer;
};

static void post(void *self, void (*fn)(void *arg), void *arg)
{
    struct driver *d = self;

    loop_post(d->loop, fn, arg);
}

static struct env_timer *new_timer(void *self, void (*fn)(void *arg), void *arg)
{
    struct driver *d = self;
    struct env_timer *t = mem_alloc(sizeof *t);

    t->timer = timer_new(d->loop, fn, arg);
    return t;
}

static void start_timer(struct env_timer *t, uint64_t after_ms)
{
    timer_start(t->timer, after_ms, 0);
}

static void stop_timer(struct env_timer *t)
{
    timer_stop(t->timer);
}

static void free_timer(struct env_timer *t)
{
    if (t == NULL)
        return;
    timer_free(t->timer);
    mem_free(t);
}

static uint64_t next_random(void *self)
{
    struct driver *d = self;
    uint64_t z = d->chance += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void free_driver(void *self)
{
    mem_free(self);
}

void driver_env(struct delivery_env *out, struct loop *owner, const struct clock *clock, struct transport transport)
{
    struct driver *d = mem_zalloc(sizeof *d);

    d->loop = owner;
    if (getrandom(&d->chance, sizeof d->chance, GRND_NONBLOCK) != (ssize_t)sizeof d->chance)
        d->chance = (uint64_t)clock_mono_ns(clock_system()); /* only jitter hangs on it */
    *out = (struct delivery_env){
        .clock = clock != NULL ? clock : clock_system(),
        .self = d,
        .post = post,
        .timer_new = new_timer,
        .timer_start = start_timer,
        .timer_stop = stop_timer,
        .timer_free = free_timer,
        .random = next_random,
        .transport = transport,
        .free = free_driver,
    };
}
