/* hyagent_bench: `PATH` measures once (under callgrind, which collects inside bench_measure only) and prints
 * "items N bytes M"; `PATH --wall` prints "ns NS" per item, the median of five; `--list` prints the paths. */
#include "bench/driver/bench.h"
#include "agent/base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { WARM_UP_ROUNDS = 40, STEP_MS = 100, RUNS = 5 };

static const struct path *const paths[] = {&path_file_loki, &path_file_stages_loki, &path_scrape_remote_write,
                                           &path_otlp_otlp, &path_otlp_json_loki};
static uint64_t acknowledged, dropped;
static uint32_t next_round;

/* The agent's hash tables take their seed from here: a constant, so that counts repeat. */
ssize_t getrandom(void *buffer, size_t length, unsigned flags)
{
    (void)flags;
    memset(buffer, 0x5a, length);
    return (ssize_t)length;
}

void fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fputs("hyagent_bench: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void settled(void *ctx, const struct ticket_result *result)
{
    (void)ctx;
    acknowledged += result->acked;
    dropped += result->dropped;
}

struct ticket *bench_ticket(uint32_t n)
{
    return ticket_new(n, false, settled, NULL);
}

static uint64_t run(const struct path *path, uint32_t rounds)
{
    uint64_t items = 0;
    struct endpoint *const *endpoints;
    size_t n;

    for (uint32_t i = 0; i < rounds; i++) {
        items += path->step(next_round++);
        delivery_advance(STEP_MS);
    }
    endpoints = bench_endpoints(&n);
    delivery_flush(endpoints, n);
    return items;
}

/* What callgrind looks at: named, not inlined, not cloned. */
uint64_t bench_measure(const struct path *path);
__attribute__((noinline, noclone)) uint64_t bench_measure(const struct path *path)
{
    return run(path, path->rounds);
}

static uint64_t measure(const struct path *path)
{
    uint64_t items;

    acknowledged = dropped = 0;
    items = bench_measure(path);
    if (acknowledged == 0 || acknowledged + dropped != items || (dropped != 0) != path->drops)
        fail("%s: %llu items went in, %llu were acknowledged, %llu dropped", path->name, (unsigned long long)items,
             (unsigned long long)acknowledged, (unsigned long long)dropped);
    return items;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure_wall(const struct path *path)
{
    double ns[RUNS];

    for (int i = 0; i < RUNS; i++) {
        struct timespec from, to;
        uint64_t items;

        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        items = measure(path);
        (void)clock_gettime(CLOCK_MONOTONIC, &to);
        ns[i] = ((double)(to.tv_sec - from.tv_sec) * NS_PER_S + (double)(to.tv_nsec - from.tv_nsec)) / (double)items;
    }
    qsort(ns, RUNS, sizeof ns[0], by_value);
    (void)printf("ns %.1f\n", ns[RUNS / 2]);
}

int main(int argc, char **argv)
{
    const struct path *path = NULL;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            (void)printf("%s %s\n", paths[i]->name, paths[i]->items);
        else if (argc >= 2 && strcmp(argv[1], paths[i]->name) == 0)
            path = paths[i];
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return 0;
    if (path == NULL || argc > 3 || (argc == 3 && strcmp(argv[2], "--wall") != 0)) {
        (void)fputs("usage: hyagent_bench PATH [--wall] | --list\n", stderr);
        return 2;
    }
    log_set_clock(delivery_clock());
    path->open();
    run(path, WARM_UP_ROUNDS); /* tables filled, caches made: what a running agent has */
    if (argc == 3) {
        measure_wall(path);
    } else {
        uint64_t before = delivery_bytes(), items = measure(path);

        (void)printf("items %llu bytes %llu\n", (unsigned long long)items,
                     (unsigned long long)(delivery_bytes() - before));
    }
    return 0;
}
