/* However the stream is cut into chunks, the same lines come out, none longer than the maximum. The first byte says
 * whether it is a terminal's, and where the cuts are. */
#include "agent/io/docker.h"
#include <stdlib.h>

enum { MAX_LINE = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    uint64_t n, hash;
};

static void on_line(void *arg, const struct docker_line *l)
{
    struct sum *s = arg;

    if (l->text.len > MAX_LINE || l->source >= DOCKER_SOURCES)
        abort();
    s->n++;
    s->hash = s->hash * 31 + (uint64_t)l->ts_ns + (uint64_t)l->source + l->is_cut;
    for (size_t i = 0; i < l->text.len; i++)
        s->hash = s->hash * 31 + (unsigned char)l->text.ptr[i];
}

static void on_bad(void *arg, const char *what)
{
    struct sum *s = arg;

    (void)what;
    s->hash = s->hash * 31 + 7;
}

static struct sum run(bool is_raw, struct slice all, size_t step)
{
    struct sum s = {0};
    struct docker_logs l;
    enum code rc = OK;

    docker_logs_init(&l, is_raw, MAX_LINE);
    l.line = on_line;
    l.bad = on_bad;
    l.arg = &s;
    for (size_t at = 0; at < all.len && rc == OK; at += step)
        rc = docker_logs_feed(&l, slice_head(slice_from(all, at), step), NULL);
    if (rc == OK)
        docker_logs_end(&l);
    docker_logs_release(&l);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all;
    struct sum whole, cut;

    if (size < 2)
        return 0;
    all = slice_make(data + 1, size - 1);
    whole = run((data[0] & 1) != 0, all, all.len);
    cut = run((data[0] & 1) != 0, all, (size_t)(data[0] >> 1) + 1);
    if (whole.n != cut.n || whole.hash != cut.hash)
        abort();
    return 0;
}
