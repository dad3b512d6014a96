/* The docker and cri stages over arbitrary lines: what goes in comes out, joined or not, and nothing is held in the
 * end. */
#include "agent/components/loki/process/process.h"
#include "agent/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct sums {
    uint64_t in, out;
};

static void run_line(struct pipeline *p, struct log_batch *b, struct slice line, struct sums *sums)
{
    const struct log_entry from = {.ts_ns = 1, .line = line};
    struct log_entry stored = from;
    struct entry e;

    entry_init(&e, &b->base.arena, &from, labels_empty(), NULL);
    sums->in++;
    switch (pipeline_run(p, &e, 0)) {
    case NEXT:
        BUG_ON(!entry_store(&e, b, &stored));
        BUG_ON(stored.line.len > 2 * (size_t)LIMIT_LINE_BYTES);
        sums->out++;
        break;
    case HOLD:
        break;
    case JUMP:
    case DROP:
    case FAIL:
        BUG_ON(true);
    }
}

static void run_stages(enum code (*build)(struct pipeline *, const void *, struct error *), const void *args,
                       struct slice text)
{
    struct pipeline p = {0};
    struct ledger ledger = {0};
    struct error err = {0};
    struct sums sums = {0};
    struct log_batch *b = log_batch_new();
    struct slice line;

    p.ledger = &ledger;
    BUG_ON(build(&p, args, &err) != OK);
    while (text.len != 0) {
        (void)slice_cut(text, '\n', &line, &text);
        run_line(&p, b, line, &sums);
    }
    p.late = b;
    for (size_t i = 0; i < p.n; i++)
        p.ops[i].flush(p.ops[i].self, &p, INT64_MAX);
    sums.out += b->n;
    BUG_ON(atomic_load(&ledger.held) != 0);
    BUG_ON(sums.in != sums.out + atomic_load(&ledger.merged));
    batch_unref(&b->base);
    for (size_t i = 0; i < p.n; i++) {
        p.ops[i].release(p.ops[i].self);
        mem_free(p.about[i].reason);
    }
    mem_free(p.ops);
    mem_free(p.about);
    mem_free(p.next_reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct cri_args cri = {.max_partial_lines = 2, .max_partial_line_size = 64};

    run_stages(stage_docker_build, NULL, slice_make(bytes, size));
    run_stages(stage_cri_build, &cri, slice_make(bytes, size));
    return 0;
}
