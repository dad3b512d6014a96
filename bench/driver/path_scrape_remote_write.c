/* A target's exposition, every series seen before -> prometheus.scrape's transaction -> prometheus.remote_write 1.0. */
#include "agent/components/prometheus/scrape/scrape.h"
#include "bench/driver/bench.h"
#include <stdio.h>

extern const struct component_type component_prometheus_remote_write;

enum { TARGETS = 4, SCRAPES = 4, SERIES = 1000, PIECE_BYTES = 16 * 1024, BODY_BYTES = 1024 * 1024, ROUNDS = 64 };

static struct {
    struct fanout *to;
    struct settings settings;
    struct {
        const struct labels *labels;
        struct table table;
        struct buf bodies[SCRAPES];
    } targets[TARGETS];
} path;

static void open_path(void)
{
    path.to = fanout_to(component_open(&component_prometheus_remote_write,
                                       "endpoint {\n  url = \"http://prometheus:9090/api/v1/write\"\n}\n"
                                       "external_labels = {cluster = \"bench\"}\n",
                                       NULL));
    path.settings = (struct settings){.honor_timestamps = true};
    for (uint32_t i = 0; i < TARGETS; i++) {
        char instance[32];

        (void)snprintf(instance, sizeof instance, "10.0.0.%u:9100", i);
        path.targets[i].labels = labels_intern((const struct label[]){{SLICE_LIT("instance"), slice_str(instance)},
                                                                      {SLICE_LIT("job"), SLICE_LIT("bench")}},
                                               2);
        table_init(&path.targets[i].table);
        for (uint32_t s = 0; s < SCRAPES; s++) {
            buf_init(&path.targets[i].bodies[s], BODY_BYTES);
            payload_exposition(i, s, SERIES, &path.targets[i].bodies[s]);
        }
    }
}

static uint32_t step(uint32_t round)
{
    uint32_t target = round % TARGETS, n;
    struct slice body = buf_slice(&path.targets[target].bodies[round / TARGETS % SCRAPES]);
    struct sample_batch *b;
    struct transaction t;
    struct error err = {0};

    if (transaction_begin(&t, &path.targets[target].table, &path.settings, path.targets[target].labels,
                          round / TARGETS + 1, clock_wall_ns(delivery_clock()) / NS_PER_MS, false,
                          EXPOSITION_PROMETHEUS) != OK)
        fail("transaction_begin");
    for (; body.len != 0; body = slice_from(body, PIECE_BYTES))
        if (transaction_feed(&t, slice_head(body, PIECE_BYTES), &err) != OK)
            fail("transaction_feed: %s", err.text);
    if (transaction_commit(&t, &err) != OK || transaction_report(&t, "up", 1) != OK)
        fail("transaction_commit: %s", err.text);
    b = transaction_end(&t);
    n = b->n;
    if (n != SERIES + 1 || batch_span(&b->base, bench_ticket(n), n) != OK)
        fail("%u samples instead of %d", n, SERIES + 1);
    fanout_push_metrics(path.to, b);
    return n;
}

const struct path path_scrape_remote_write = {
    .name = "scrape-remote-write", .items = "samples", .open = open_path, .step = step, .rounds = ROUNDS};
