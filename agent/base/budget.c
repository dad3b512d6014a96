#include "agent/base/budget.h"
#include "agent/base/error.h"
#include "agent/base/slice.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static _Atomic size_t limit;
static _Atomic size_t used;
static _Atomic bool is_tight;

void budget_set_limit(size_t limit_bytes)
{
    atomic_store(&limit, limit_bytes);
}

size_t budget_limit(void)
{
    return atomic_load_explicit(&limit, memory_order_relaxed);
}

size_t budget_used(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed);
}

bool budget_is_tight(void)
{
    size_t max = budget_limit(), now = budget_used();
    bool tight = atomic_load_explicit(&is_tight, memory_order_relaxed);

    if (max == 0)
        return false;
    if (!tight && now >= max / 10 * 8)
        tight = true;
    else if (tight && now <= max / 10 * 7)
        tight = false;
    atomic_store_explicit(&is_tight, tight, memory_order_relaxed);
    return tight;
}

bool budget_has_room(size_t n)
{
    size_t max = budget_limit(), now = budget_used();

    return max == 0 || (now < max && n <= max - now);
}

void budget_charge(size_t n)
{
    atomic_fetch_add_explicit(&used, n, memory_order_relaxed);
}

void budget_release(size_t n)
{
    size_t before = atomic_fetch_sub_explicit(&used, n, memory_order_relaxed);

    BUG_ON(before < n);
}

/* One number from a one-line file, as cgroup limits are kept; false for "max" or an absent file. */
static bool read_number(const char *path, size_t *out)
{
    char line[64];
    uint64_t value;
    FILE *f = fopen(path, "re");
    bool is_read;

    if (f == NULL)
        return false;
    is_read = fgets(line, sizeof line, f) != NULL;
    (void)fclose(f);
    if (!is_read || !slice_to_u64(slice_trim(slice_str(line)), &value))
        return false;
    *out = (size_t)value;
    return true;
}

size_t budget_detect_limit(void)
{
    size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    size_t group;

    if ((read_number("/sys/fs/cgroup/memory.max", &group) ||
         read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", &group)) &&
        group < machine)
        machine = group;
    return machine / 10 * 9;
}
