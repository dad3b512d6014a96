/* bench/driver/bench.h - one thread, one path, no network: what every path of the driver shares.
 *
 * A path is built of the real components, made from River text as the runtime makes them. host.c stands in for the
 * runtime's host (agent/runtime/component.h) and for the sinks' transports (agent/runtime/sink.h); delivery.c gives the
 * endpoints a virtual clock and a transport that counts the request's bytes, discards them and says yes. So what is
 * counted is the code from the input's bytes to the compressed request, and back to the settled ticket. */
#ifndef BENCH_DRIVER_BENCH_H
#define BENCH_DRIVER_BENCH_H
#include "agent/delivery/env.h"
#include "agent/runtime/component.h"

struct endpoint;

struct path {
    const char *name;
    const char *items; /* what is counted: "lines" */
    void (*open)(void);
    uint32_t (*step)(uint32_t round); /* pushes one batch; how many items it had */
    uint32_t rounds;                  /* of one measurement */
    bool drops;                       /* a stage of it drops items by rule */
};
extern const struct path path_file_loki, path_file_stages_loki, path_scrape_remote_write, path_otlp_otlp,
    path_otlp_json_loki;

_Noreturn void fail(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* ---- host.c ---- */
/* A component of this type from River text (its arguments, without the block around them). Where the text says `next`,
 * it gets the receiver next. Its own receiver, or NULL when it has none. */
struct receiver *component_open(const struct component_type *type, const char *river, struct receiver *next);
/* A host for what is made by hand. */
struct host *host_open(const char *id);
struct receiver *host_receiver_of(const struct host *h);
struct fanout *fanout_to(struct receiver *to);

/* ---- delivery.c ---- */
void delivery_env(struct delivery_env *out);
const struct clock *delivery_clock(void);
void delivery_advance(int64_t ms);                                /* the clock; runs what is due and what was posted */
void delivery_flush(struct endpoint *const *endpoints, size_t n); /* until nothing is queued */
uint64_t delivery_bytes(void);                                    /* of request bodies so far */

/* Every item's ticket must come back, acknowledged unless the path drops. */
struct ticket *bench_ticket(uint32_t n);
/* Of all components so far. */
struct endpoint *const *bench_endpoints(size_t *n);

/* ---- payload.c: made from a fixed seed ---- */
struct random {
    uint64_t state;
};
uint32_t random_below(struct random *r, uint32_t n);
void payload_docker_lines(struct random *r, size_t bytes, struct buf *out);
void payload_exposition(uint32_t target, uint32_t scrape, uint32_t series, struct buf *out);
void payload_spans(struct random *r, uint32_t resources, uint32_t spans, struct buf *out);
void payload_json_logs(struct random *r, uint32_t resources, uint32_t records, struct buf *out);
#endif
