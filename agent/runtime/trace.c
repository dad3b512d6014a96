#include "agent/runtime/trace.h"
#include "agent/base/limits.h"

const struct tracer *_Atomic tracer_current;

void tracer_set(const struct tracer *tracer)
{
    atomic_store(&tracer_current, tracer);
}

static const struct label *copy_labels(struct arena *arena, const struct labels_builder *b)
{
    struct label *copy = arena_alloc(arena, (b->n + 1) * sizeof *copy);

    if (b->n != 0)
        memcpy(copy, b->pairs, b->n * sizeof *copy);
    return copy;
}

void trace_rules(const struct tracer *tracer, const char *component, const struct relabel_rules *rules,
                 const struct labels *in, int64_t ts_ns, struct slice line)
{
    struct labels_builder b;
    struct arena arena;
    bool keep = true;

    arena_init(&arena, 0);
    labels_builder_init(&b, &arena, in);
    for (size_t i = 0; keep && i < relabel_rules_count(rules); i++) {
        struct trace_item before = {.ts_ns = ts_ns, .line = line, .labels = copy_labels(&arena, &b), .n_labels = b.n};
        struct trace_item after = before;
        struct trace_step step = {.component = component,
                                  .kind = "rule",
                                  .number = i + 1,
                                  .rule = relabel_rules_at(rules, i),
                                  .before = &before};
        bool is_match;

        if (relabel_apply_one(rules, i, &b, &keep, &is_match) != OK)
            break;
        step.verdict = !keep ? TRACE_DROPPED : is_match ? TRACE_ON : TRACE_NO_MATCH;
        after.labels = copy_labels(&arena, &b);
        after.n_labels = b.n;
        if (keep)
            step.after = &after;
        tracer->step(tracer->ctx, &step);
    }
    arena_release(&arena);
}
