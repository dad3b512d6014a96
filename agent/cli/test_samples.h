/* agent/cli/test_samples.h - samples written in Prometheus' text format, one after the other; lines may be indented. */
#ifndef AGENT_CLI_TEST_SAMPLES_H
#define AGENT_CLI_TEST_SAMPLES_H
#include "agent/base/arena.h"
#include "agent/model/labels.h"

struct test_sample {
    struct label *labels; /* the name among them as __name__; on the arena */
    size_t n;
    double value;
    int64_t ts_ms;
    bool has_ts;
};

/* INVALID names the line. Not OK of each ends it. */
MUST_USE enum code test_samples_each(struct slice text, struct arena *arena,
                                     enum code (*each)(void *ctx, const struct test_sample *s), void *ctx,
                                     struct error *err);
#endif
