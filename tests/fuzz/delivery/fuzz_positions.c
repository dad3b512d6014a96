#include "agent/delivery/positions.h"

static void each(void *ctx, struct slice path, struct slice labels, struct slice value)
{
    size_t *sum = ctx;

    *sum += path.len + labels.len + value.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    size_t sum = 0;
    enum code rc = positions_parse(slice_make(data, size), each, &sum, &err);

    return rc == OK || rc == CORRUPT ? 0 : -1;
}
