/* agent/base/hash.h - XXH3 with a seed of this process, so that outside data cannot choose collisions. */
#ifndef AGENT_BASE_HASH_H
#define AGENT_BASE_HASH_H
#include "agent/base/slice.h"
#include <stdint.h>

struct hash128 {
    uint64_t low, high;
};

uint64_t hash64(struct slice s);
struct hash128 hash128(struct slice s);
/* The same in every process and version: for partitions and anything that is stored or shown. */
uint64_t hash64_stable(struct slice s);
#endif
