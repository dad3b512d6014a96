#include "agent/delivery/reframe.h"
#include "agent/model/pbwire.h"

#define BIT(n) (1u << (n))

/* PushRequest.streams, StreamAdapter.entries */
const struct reframe_path reframe_loki = {2, {{BIT(1), 0}, {BIT(2), 0}}};
/* WriteRequest.timeseries (metadata goes along once), TimeSeries.samples and .histograms (exemplars once) */
const struct reframe_path reframe_prometheus = {2, {{BIT(1), BIT(3)}, {BIT(2) | BIT(4), BIT(3)}}};
/* resource_spans, scope_spans, spans */
const struct reframe_path reframe_otlp_spans = {3, {{BIT(1), 0}, {BIT(2), 0}, {BIT(2), 0}}};
/* resource_metrics, scope_metrics, metrics, the kind of metric, data_points */
const struct reframe_path reframe_otlp_points = {
    5, {{BIT(1), 0}, {BIT(2), 0}, {BIT(2), 0}, {BIT(5) | BIT(7) | BIT(9) | BIT(10) | BIT(11), 0}, {BIT(1), 0}}};
/* resource_logs, scope_logs, log_records */
const struct reframe_path reframe_otlp_logs = {3, {{BIT(1), 0}, {BIT(2), 0}, {BIT(2), 0}}};

static bool is_in(uint32_t bits, const struct pb_field *f)
{
    return f->number < 32 && (bits & BIT(f->number)) != 0 && f->type == PB_BYTES;
}

static enum code count(struct slice msg, const struct reframe_path *path, unsigned level, uint32_t *n)
{
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;
    uint32_t total = 0, inside;

    pb_reader_init(&r, msg);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        if (!is_in(path->levels[level].path, &f))
            continue;
        inside = 1;
        if (level + 1 < path->n_levels && count(f.bytes, path, level + 1, &inside) != OK)
            return CORRUPT;
        if (total > UINT32_MAX - inside)
            return CORRUPT;
        total += inside;
    }
    *n = total;
    return status == PB_END ? OK : CORRUPT;
}

enum code reframe_count(struct slice request, const struct reframe_path *path, uint32_t *n_items)
{
    return count(request, path, 0, n_items);
}

struct cutting {
    const struct reframe_path *path;
    uint32_t left; /* items the first half still gets */
    struct buf *head, *rest;
};

static enum code cut(struct cutting *c, struct slice msg, unsigned level);

/* A field on the way to the items: whole to one half where it can be, else opened in both. */
static enum code cut_child(struct cutting *c, const struct pb_field *f, unsigned level)
{
    bool is_item = level + 1 == c->path->n_levels;
    uint32_t n = 1;
    size_t head_mark, rest_mark;
    enum code rc;

    if (!is_item && count(f->bytes, c->path, level + 1, &n) != OK)
        return CORRUPT;
    if (n <= c->left && c->left > 0) {
        c->left -= n;
        buf_add(c->head, f->whole);
        return OK;
    }
    if (c->left == 0 || is_item) {
        buf_add(c->rest, f->whole);
        return OK;
    }
    head_mark = pb_open(c->head, f->number);
    rest_mark = pb_open(c->rest, f->number);
    rc = cut(c, f->bytes, level + 1);
    pb_close(c->head, head_mark);
    pb_close(c->rest, rest_mark);
    return rc;
}

static enum code cut(struct cutting *c, struct slice msg, unsigned level)
{
    const struct reframe_level *l = &c->path->levels[level];
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;

    pb_reader_init(&r, msg);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        if (is_in(l->path, &f)) {
            if (cut_child(c, &f, level) != OK)
                return CORRUPT;
            continue;
        }
        buf_add(c->head, f.whole);
        if (!is_in(l->head_only, &f))
            buf_add(c->rest, f.whole);
    }
    return status == PB_END ? OK : CORRUPT;
}

static enum code room(const struct buf *b)
{
    if (!b->is_full)
        return OK;
    return b->len + b->len / 2 >= b->max ? FULL : NOMEM;
}

enum code reframe_cut(struct slice request, const struct reframe_path *path, uint32_t n_head, struct buf *head,
                      struct buf *rest)
{
    struct cutting c = {path, n_head, head, rest};
    enum code rc = cut(&c, request, 0);

    if (rc == OK)
        rc = room(head);
    return rc == OK ? room(rest) : rc;
}

struct removing {
    const struct reframe_path *path;
    uint64_t at, first, end; /* item numbers: of the next item, of the run to remove */
    struct buf *out;
};

static enum code keep(struct removing *c, struct slice msg, unsigned level);

static enum code keep_child(struct removing *c, const struct pb_field *f, unsigned level)
{
    bool is_item = level + 1 == c->path->n_levels;
    uint32_t n = 1;
    size_t mark;
    enum code rc;

    if (!is_item && count(f->bytes, c->path, level + 1, &n) != OK)
        return CORRUPT;
    if (c->at >= c->end || c->at + n <= c->first) { /* none of the run is inside */
        c->at += n;
        buf_add(c->out, f->whole);
        return OK;
    }
    if (c->at >= c->first && c->at + n <= c->end) { /* all of it goes */
        c->at += n;
        return OK;
    }
    mark = pb_open(c->out, f->number);
    rc = keep(c, f->bytes, level + 1);
    pb_close(c->out, mark);
    return rc;
}

static enum code keep(struct removing *c, struct slice msg, unsigned level)
{
    struct pb_reader r;
    struct pb_field f;
    enum pb_status status;

    pb_reader_init(&r, msg);
    while ((status = pb_next(&r, &f)) == PB_FIELD) {
        if (!is_in(c->path->levels[level].path, &f))
            buf_add(c->out, f.whole);
        else if (keep_child(c, &f, level) != OK)
            return CORRUPT;
    }
    return status == PB_END ? OK : CORRUPT;
}

enum code reframe_remove(struct slice request, const struct reframe_path *path, uint32_t first, uint32_t n,
                         struct buf *out)
{
    struct removing c = {path, 0, first, (uint64_t)first + n, out};
    enum code rc = keep(&c, request, 0);

    return rc == OK ? room(out) : rc;
}
