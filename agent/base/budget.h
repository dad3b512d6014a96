/* agent/base/budget.h - one memory budget for the process (design.md, Memory). Thread-safe, lock-free. */
#ifndef AGENT_BASE_BUDGET_H
#define AGENT_BASE_BUDGET_H
#include <stdbool.h>
#include <stddef.h>

/* The limit in bytes; 0 (the start value) means none. The high mark is 80 % of it, the low mark 70 %. */
void budget_set_limit(size_t limit_bytes);
size_t budget_limit(void);
size_t budget_used(void);
/* True from the high mark on until usage has come down to the low mark: pull sources pause, push sources refuse. */
bool budget_is_tight(void);
/* True when n more bytes would still be below the limit. Asked before taking bytes whose size was chosen outside. */
bool budget_has_room(size_t n);
/* Memory held outside mem.h (a library's buffers). Every charge needs its release. mem.h calls these itself. */
void budget_charge(size_t n);
void budget_release(size_t n);
/* The limit that fits this process: 90 % of the cgroup's (v2, v1), else 90 % of the machine's memory. */
size_t budget_detect_limit(void);
#endif
