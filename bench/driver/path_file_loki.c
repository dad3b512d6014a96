/* A container's json-file log, as loki.source.file reads it -> loki.process (stage.docker; a second
 * path adds json, labels, timestamp and drop) -> loki.write. */
#include "agent/components/loki/source_file/source_file.h"
#include "bench/driver/bench.h"
#include <stdio.h>

extern const struct component_type component_loki_process, component_loki_write;

enum { FILES = 16, CHUNK_BYTES = 64 * 1024, ROUNDS = 64 };

static struct {
    struct fanout *to;
    const struct labels *labels[FILES];
    struct buf chunks[FILES];
} path;

static const struct labels *file_labels(unsigned i)
{
    char name[32], file[64];

    (void)snprintf(name, sizeof name, "container-%u", i);
    (void)snprintf(file, sizeof file, "/var/lib/docker/containers/%u/%u-json.log", i, i);
    return labels_intern((const struct label[]){{SLICE_LIT("container"), slice_str(name)},
                                                {SLICE_LIT("filename"), slice_str(file)},
                                                {SLICE_LIT("job"), SLICE_LIT("docker")}},
                         3);
}

static void open_with(const char *stages)
{
    struct random random = {.state = 1};
    struct receiver *sink = component_open(&component_loki_write,
                                           "endpoint {\n  url = \"http://loki:3100/loki/api/v1/push\"\n}\n"
                                           "external_labels = {cluster = \"bench\"}\n",
                                           NULL);

    path.to = fanout_to(component_open(&component_loki_process, stages, sink));
    for (unsigned i = 0; i < FILES; i++) {
        path.labels[i] = file_labels(i);
        buf_init(&path.chunks[i], 2 * CHUNK_BYTES);
        payload_docker_lines(&random, CHUNK_BYTES, &path.chunks[i]);
    }
}

static void open_plain(void)
{
    open_with("forward_to = [next]\nstage.docker { }\n");
}

static void open_stages(void)
{
    open_with("forward_to = [next]\n"
              "stage.docker { }\n"
              "stage.json { expressions = {level = \"\", path = \"RequestPath\", time = \"\"} }\n"
              "stage.labels { values = {level = \"\"} }\n"
              "stage.timestamp {\n  source = \"time\"\n  format = \"RFC3339\"\n}\n"
              "stage.drop {\n  source = \"path\"\n  expression = \"^/healthz$\"\n}\n");
}

static uint32_t step(uint32_t round)
{
    struct slice chunk = buf_slice(&path.chunks[round % FILES]);
    const struct labels *labels = path.labels[round % FILES];
    struct log_batch *b = log_batch_new();
    struct line_counts counts = {0};
    int64_t ts = clock_wall_ns(delivery_clock());
    struct slice text = arena_copy(&b->base.arena, chunk); /* read(2) into the batch's block */
    uint32_t index, n;

    b->base.affinity = labels->hash;
    index = batch_take_labels(&b->base, labels_ref(labels));
    if (lines_add(b, index, text, FILE_UTF8, &ts, &counts) != OK)
        fail("lines_add");
    n = b->n;
    if (batch_span(&b->base, bench_ticket(n), n) != OK)
        fail("batch_span");
    fanout_push_logs(path.to, b);
    return n;
}

const struct path path_file_loki = {
    .name = "file-loki", .items = "lines", .open = open_plain, .step = step, .rounds = ROUNDS};
const struct path path_file_stages_loki = {
    .name = "file-stages-loki", .items = "lines", .open = open_stages, .step = step, .rounds = ROUNDS, .drops = true};
