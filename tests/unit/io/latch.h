/* tests/unit/io/latch.h - waits for what happens on other threads, with a deadline instead of a sleep. */
#ifndef TESTS_UNIT_IO_LATCH_H
#define TESTS_UNIT_IO_LATCH_H
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum { LATCH_DEADLINE_S = 30 };

struct latch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
};

#define LATCH_INIT                                                                                                     \
    {                                                                                                                  \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                                         \
    }

static inline void latch_hit(struct latch *l)
{
    pthread_mutex_lock(&l->lock);
    l->count++;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* Until it was hit n times in all; false at the deadline. */
static inline bool latch_wait(struct latch *l, unsigned n)
{
    struct timespec until;
    bool is_there;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LATCH_DEADLINE_S;
    pthread_mutex_lock(&l->lock);
    while (l->count < n && rc == 0)
        rc = pthread_cond_timedwait(&l->changed, &l->lock, &until);
    is_there = l->count >= n;
    pthread_mutex_unlock(&l->lock);
    return is_there;
}
#endif
