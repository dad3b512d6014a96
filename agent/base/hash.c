#include "agent/base/hash.h"
#include <pthread.h>
#include <sys/random.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t seed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose_seed(void)
{
    struct timespec now;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed)
        return;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* no entropy yet at early boot: still not a constant */
    seed = (uint64_t)now.tv_nsec * 0x9E3779B97F4A7C15u;
}

uint64_t hash64(struct slice s)
{
    (void)pthread_once(&once, choose_seed);
    return XXH3_64bits_withSeed(s.ptr, s.len, seed);
}

struct hash128 hash128(struct slice s)
{
    XXH128_hash_t h;

    (void)pthread_once(&once, choose_seed);
    h = XXH3_128bits_withSeed(s.ptr, s.len, seed);
    return (struct hash128){h.low64, h.high64};
}

uint64_t hash64_stable(struct slice s)
{
    return XXH3_64bits(s.ptr, s.len);
}
