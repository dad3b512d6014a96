#include "agent/runtime/process_metrics.h"
#include "agent/base/clock.h"
#include "agent/base/budget.h"
#include "agent/io/file.h"
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PROC_BYTES = 4096, STAT_START = 19, STAT_VSIZE = 20, STAT_RSS = 21 }; /* fields after "(comm) ", from 0 */

static void value(struct buf *out, const char *name, const char *type, const char *help, double v)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, v);
}

static bool count_entry(void *arg, const char *name, bool is_dir)
{
    size_t *n = arg;

    (void)name;
    (void)is_dir;
    (*n)++;
    return true;
}

static void write_stat(struct buf *out)
{
    struct buf stat;
    struct slice rest, field;
    struct timespec boot;
    uint64_t fields[STAT_RSS + 1] = {0};
    double ticks = (double)sysconf(_SC_CLK_TCK);

    buf_init(&stat, PROC_BYTES);
    if (file_read_all("/proc/self/stat", &stat, NULL) == OK) {
        rest = buf_slice(&stat);
        while (slice_find(rest, ')') < rest.len) /* the name may hold parentheses */
            rest = slice_from(rest, slice_find(rest, ')') + 1);
        rest = slice_trim(rest);
        for (size_t i = 0; i <= STAT_RSS; i++) {
            slice_cut(rest, ' ', &field, &rest);
            if (!slice_to_u64(field, &fields[i]))
                fields[i] = 0;
        }
        clock_gettime(CLOCK_BOOTTIME, &boot);
        value(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
              (double)fields[STAT_VSIZE]);
        value(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
              (double)fields[STAT_RSS] * (double)sysconf(_SC_PAGESIZE));
        value(out, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.",
              (double)clock_wall_ns(clock_system()) / (double)NS_PER_S - (double)boot.tv_sec -
                  (double)boot.tv_nsec / (double)NS_PER_S + (double)fields[STAT_START] / ticks);
    }
    buf_release(&stat);
}

void process_metrics_write(struct buf *out)
{
    struct rusage usage;
    struct rlimit limit;
    size_t n_fds = 0;

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        value(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
              (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    if (dir_list("/proc/self/fd", count_entry, &n_fds, NULL) == OK)
        value(out, "process_open_fds", "gauge", "Number of open file descriptors.", (double)n_fds);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        value(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.", (double)limit.rlim_cur);
    write_stat(out);
    value(out, "hyagent_memory_budget_bytes", "gauge", "The memory budget (--memory.limit).", (double)budget_limit());
    value(out, "hyagent_memory_used_bytes", "gauge", "What of the budget is in use.", (double)budget_used());
}
