#include "agent/cli/test_samples.h"
#include "agent/model/exposition.h"

struct reader {
    struct arena *arena;
    enum code (*each)(void *ctx, const struct test_sample *s);
    void *ctx;
};

static enum code take_sample(void *ctx, const struct exposition_sample *s, struct error *err)
{
    struct reader *r = ctx;
    struct test_sample sample = {.value = s->value, .ts_ms = s->ts_ms, .has_ts = s->has_ts};
    struct slice series = arena_copy(r->arena, s->series);
    enum code rc = exposition_series_parse(series, r->arena, &sample.labels, &sample.n, err);

    return rc == OK ? r->each(r->ctx, &sample) : rc;
}

enum code test_samples_each(struct slice text, struct arena *arena,
                            enum code (*each)(void *ctx, const struct test_sample *s), void *ctx, struct error *err)
{
    struct reader reader = {.arena = arena, .each = each, .ctx = ctx};
    struct exposition_handler handler = {.sample = take_sample, .ctx = &reader};
    struct exposition *e = exposition_new(EXPOSITION_PROMETHEUS, &handler);
    struct slice rest = text, line;
    enum code rc = OK;

    while (rest.len != 0 && rc == OK) {
        (void)slice_cut(rest, '\n', &line, &rest);
        rc = exposition_feed(e, slice_trim(line), err);
        if (rc == OK)
            rc = exposition_feed(e, SLICE_LIT("\n"), err);
    }
    if (rc == OK)
        rc = exposition_end(e, err);
    exposition_free(e);
    return rc;
}
