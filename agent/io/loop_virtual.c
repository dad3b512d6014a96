#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/loop_int.h"

static int64_t wall(void *self)
{
    return ((struct virtual_time *)self)->wall_ns;
}

static int64_t mono(void *self)
{
    return ((struct virtual_time *)self)->mono_ns;
}

struct virtual_time *virtual_time_new(int64_t wall_ns)
{
    struct virtual_time *time = mem_zalloc(sizeof *time);

    /* Not at 0: a component that takes a time of 0 for "never" would see that once. */
    *time = (struct virtual_time){.wall_ns = wall_ns, .mono_ns = NS_PER_S};
    time->clock = (struct clock){.wall_ns = wall, .mono_ns = mono, .self = time};
    list_init(&time->timers);
    return time;
}

const struct clock *loops_clock(const struct loops *loops)
{
    BUG_ON(loops->time == NULL);
    return &loops->time->clock;
}

static int64_t later(int64_t now_ns, uint64_t ms)
{
    int64_t most_ms = (INT64_MAX - now_ns) / NS_PER_MS;

    return ms > (uint64_t)most_ms ? INT64_MAX : now_ns + (int64_t)ms * NS_PER_MS;
}

/* Behind those due at the same time: most timers are the last ones to come, so the search begins at the end. */
static void insert(struct virtual_time *time, struct timer *t)
{
    struct list *before = time->timers.prev;

    while (before != &time->timers && CONTAINER_OF(before, struct timer, link)->due_ns > t->due_ns)
        before = before->prev;
    list_add_head(before, &t->link);
}

void virtual_timer_start(struct timer *t, uint64_t after_ms, uint64_t repeat_ms)
{
    struct virtual_time *time = t->loop->owner->time;

    list_remove(&t->link);
    t->due_ns = later(time->mono_ns, after_ms);
    t->repeat_ns = repeat_ms == 0 ? 0 : later(0, repeat_ms);
    insert(time, t);
}

static bool run_posts_of(struct loop *l)
{
    struct loop *before = loop_current();
    bool ran;

    loop_set_current(l);
    ran = loop_run_posts(l);
    loop_set_current(before);
    return ran;
}

static void run_all_posts(struct loops *loops)
{
    bool ran = true;

    while (ran) {
        ran = run_posts_of(&loops->control);
        for (unsigned i = 0; i < loops->n; i++)
            ran = run_posts_of(&loops->workers[i]) || ran;
    }
}

static void move_to(struct virtual_time *time, int64_t mono_ns)
{
    if (mono_ns <= time->mono_ns)
        return;
    time->wall_ns += mono_ns - time->mono_ns;
    time->mono_ns = mono_ns;
}

static void run_timer(struct virtual_time *time, struct timer *t)
{
    struct loop *before = loop_current();

    list_remove(&t->link);
    move_to(time, t->due_ns);
    if (t->repeat_ns != 0) { /* before fn, which may stop or free it */
        t->due_ns = t->repeat_ns > INT64_MAX - time->mono_ns ? INT64_MAX : time->mono_ns + t->repeat_ns;
        insert(time, t);
    }
    loop_set_current(t->loop);
    t->fn(t->arg);
    loop_set_current(before);
}

bool loops_turn(struct loops *loops, int64_t until_ns)
{
    struct virtual_time *time = loops->time;
    struct timer *next;

    run_all_posts(loops);
    if (list_is_empty(&time->timers))
        return false;
    next = CONTAINER_OF(time->timers.next, struct timer, link);
    if (next->due_ns > until_ns)
        return false;
    run_timer(time, next);
    return true;
}

enum code loops_pass(struct loops *loops, int64_t ns, struct error *err)
{
    struct virtual_time *time = loops->time;
    int64_t until_ns = ns > INT64_MAX - time->mono_ns ? INT64_MAX : time->mono_ns + ns;
    size_t left = LIMIT_VIRTUAL_TIMERS;

    while (loops_turn(loops, until_ns))
        if (--left == 0)
            return error_set(err, FULL, "more than %d timers ran: this is too long a time to pass",
                             LIMIT_VIRTUAL_TIMERS);
    move_to(time, until_ns);
    return OK;
}
