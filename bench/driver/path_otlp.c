/* OTLP requests as otelcol.receiver.otlp takes them: traces in protobuf -> otelcol.exporter.otlp with gzip; logs in
 * JSON
 * -> otelcol.exporter.loki -> loki.write. */
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/model/otlp_json.h"
#include "agent/model/otlp_scan.h"
#include "bench/driver/bench.h"
#include "agent/runtime/otlp_push.h"

extern const struct component_type component_otelcol_exporter_loki, component_loki_write;

enum { REQUESTS = 8, RESOURCES = 4, ITEMS = 25, REQUEST_BYTES = 1024 * 1024, ROUNDS = 64, TIMEOUT_S = 5, SEED = 3 };

static struct {
    struct fanout *to;
    enum otlp_signal signal;
    struct buf requests[REQUESTS];
} path;

/* otelcol.exporter.otlp as its create makes it, less the gRPC channel: the endpoint, its protocol and compression. */
static struct receiver *open_exporter(void)
{
    static struct arena arena;
    struct host *h = host_open("otelcol.exporter.otlp");
    struct endpoint_cfg cfg = {.protocol = &protocol_otlp_grpc, .compression = otlp_compression(CODEC_GZIP)};
    struct otel_queue_args *queue = arena_zalloc(&arena, otel_queue_block.size);
    struct otel_retry_args *retry = arena_zalloc(&arena, otel_retry_block.size);
    const struct transport none = {0};
    struct error err = {0};
    void *self;

    if (river_defaults(&arena, &otel_queue_block, queue) != OK ||
        river_defaults(&arena, &otel_retry_block, retry) != OK)
        fail("the defaults of sending_queue and retry_on_failure do not decode");
    otlp_endpoint_cfg(&cfg, h, queue, retry, (int64_t)TIMEOUT_S * NS_PER_S);
    if (otlp_exporter_new(&self, h, &cfg, SLICE_LIT("tempo:4317"), &none, &err) != OK)
        fail("otelcol.exporter.otlp: %s", err.text);
    otlp_exporter_start(self);
    return host_receiver_of(h);
}

static void open_traces(void)
{
    struct random random = {.state = SEED};

    path.to = fanout_to(open_exporter());
    path.signal = OTLP_TRACES;
    for (unsigned i = 0; i < REQUESTS; i++) {
        buf_init(&path.requests[i], REQUEST_BYTES);
        payload_spans(&random, RESOURCES, ITEMS, &path.requests[i]);
    }
}

static void open_json_logs(void)
{
    struct random random = {.state = SEED};
    struct receiver *sink =
        component_open(&component_loki_write, "endpoint {\n  url = \"http://loki:3100/loki/api/v1/push\"\n}\n", NULL);

    path.to = fanout_to(component_open(&component_otelcol_exporter_loki, "forward_to = [next]\n", sink));
    path.signal = OTLP_LOGS;
    for (unsigned i = 0; i < REQUESTS; i++) {
        buf_init(&path.requests[i], REQUEST_BYTES);
        payload_json_logs(&random, RESOURCES, ITEMS, &path.requests[i]);
    }
}

static uint32_t push(struct otlp_batch *b, char *take_bytes, size_t len)
{
    struct error err = {0};
    uint32_t n;

    arena_adopt(&b->base.arena, take_bytes, len);
    if (otlp_scan(b, slice_make(take_bytes, len), &err) != OK)
        fail("otlp_scan: %s", err.text);
    n = b->n_items;
    if (n != RESOURCES * ITEMS || batch_span(&b->base, bench_ticket(n), n) != OK)
        fail("%u items instead of %d", n, RESOURCES * ITEMS);
    fanout_push_otlp(path.to, b);
    return n;
}

static uint32_t step_protobuf(uint32_t round)
{
    struct slice request = buf_slice(&path.requests[round % REQUESTS]);

    return push(otlp_batch_new(path.signal), mem_strndup(request),
                request.len); /* the message as the server flattens it */
}

static uint32_t step_json(uint32_t round)
{
    struct slice request = buf_slice(&path.requests[round % REQUESTS]);
    struct arena scratch;
    struct error err = {0};
    struct buf wire;
    char *bytes;
    size_t len;

    buf_init(&wire, REQUEST_BYTES);
    arena_init(&scratch, LIMIT_BATCH_BYTES);
    if (otlp_json_read(path.signal, request, &scratch, &wire, &err) != OK)
        fail("otlp_json_read: %s", err.text);
    arena_release(&scratch);
    bytes = buf_take(&wire, &len);
    return push(otlp_batch_new(path.signal), bytes, len);
}

const struct path path_otlp_otlp = {
    .name = "otlp-otlp", .items = "spans", .open = open_traces, .step = step_protobuf, .rounds = ROUNDS};
const struct path path_otlp_json_loki = {
    .name = "otlp-json-loki", .items = "records", .open = open_json_logs, .step = step_json, .rounds = ROUNDS};
