/* Loki push bodies; what reads is written again and must read as the same. Label texts go through their parser, and the
 * same bytes through the remote write scanner. */
#include "agent/model/loki_write.h"
#include "agent/model/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct copy {
    struct buf out, entries, labels;
    bool has_stream;
};

static void end_stream(struct copy *c)
{
    if (c->has_stream && loki_stream_write(&c->out, buf_slice(&c->labels), buf_slice(&c->entries)) != OK)
        c->out.is_full = true;
    buf_reset(&c->labels);
    buf_reset(&c->entries);
}

static enum code on_stream(void *ctx, struct slice labels, struct error *err)
{
    struct copy *c = ctx;
    struct label *pairs;
    struct arena a;
    size_t n;

    end_stream(c);
    c->has_stream = true;
    (void)buf_add(&c->labels, labels);
    arena_init(&a, 1 << 20);
    if (loki_labels_parse(labels, &a, &pairs, &n, err) == OK)
        labels_unref(labels_intern(pairs, n));
    arena_release(&a);
    return OK;
}

static enum code on_entry(void *ctx, const struct log_entry *e, struct error *err)
{
    struct copy *c = ctx;

    (void)err;
    return loki_entry_write(&c->entries, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct loki_push_count before, after;
    struct copy c = {.has_stream = false};
    const struct loki_push_reader reader = {on_stream, on_entry, &c};
    struct slice body = slice_make(data, size);
    struct rw_count count;
    struct error err = {0};

    buf_init(&c.out, 16 << 20);
    buf_init(&c.entries, 16 << 20);
    buf_init(&c.labels, 16 << 20);
    if (loki_push_read(body, &reader, &err) == OK) {
        end_stream(&c);
        BUG_ON(loki_push_count(body, &before, &err) != OK);
        BUG_ON(loki_push_count(buf_slice(&c.out), &after, &err) != OK);
        BUG_ON(before.entries != after.entries || before.streams != after.streams ||
               before.line_bytes != after.line_bytes);
    }
    buf_reset(&c.out);
    if (rw_count(body, &count, &err) == OK)
        BUG_ON(rw_split(body, 1, 2, &c.out, &err) != OK);
    buf_release(&c.out);
    buf_release(&c.entries);
    buf_release(&c.labels);
    return 0;
}
