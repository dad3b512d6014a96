#include "agent/cli/tap.h"
#include "agent/base/clock.h"
#include "agent/base/mem.h"
#include "agent/model/batch_lines.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { TAP_BYTES = 64 * 1024 * 1024, RATE_MS = 1000 };

static struct {
    pthread_mutex_t lock; /* batches come from every loop */
    struct loops *loops;
    struct timer *timer;
    struct tap_counts counts, last;
    bool is_coloured, has_told;
    loop_fn on_all;
    void *arg;
} tap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void write_out(const struct buf *text)
{
    size_t at = 0;

    while (at < text->len) {
        ssize_t n = write(STDOUT_FILENO, text->ptr + at, text->len - at);

        if (n <= 0)
            return; /* nobody reads any more: the pipeline goes on */
        at += (size_t)n;
    }
}

void tap_write_batch(struct buf *out, const struct batch *b, bool is_coloured, struct tap_counts *counts)
{
    const struct otlp_batch *otlp = (const void *)b;

    batch_write_lines(out, b, is_coloured);
    switch (b->kind) {
    case BATCH_LOGS:
        counts->logs += batch_items(b);
        break;
    case BATCH_SAMPLES:
        counts->samples += batch_items(b);
        break;
    case BATCH_OTLP:
        *(otlp->signal == OTLP_TRACES ? &counts->spans
          : otlp->signal == OTLP_LOGS ? &counts->logs
                                      : &counts->samples) += otlp->n_items;
        break;
    }
}

static void see(void *ctx, const struct fanout *from, const struct receiver *to, const struct batch *b)
{
    struct tap_counts counts = {0};
    struct buf text;
    bool is_all;

    (void)ctx;
    (void)from;
    if (!to->is_sink)
        return;
    buf_init(&text, TAP_BYTES);
    tap_write_batch(&text, b, tap.is_coloured, &counts);
    pthread_mutex_lock(&tap.lock);
    tap.counts.logs += counts.logs;
    tap.counts.samples += counts.samples;
    tap.counts.spans += counts.spans;
    is_all = !tap.has_told && tap.counts.logs != 0 && tap.counts.samples != 0 && tap.counts.spans != 0;
    tap.has_told = tap.has_told || is_all;
    write_out(&text);
    pthread_mutex_unlock(&tap.lock);
    if (is_all && tap.on_all != NULL)
        loop_post(loops_control(tap.loops), tap.on_all, tap.arg);
    buf_release(&text);
}

static void write_rates(void *arg)
{
    struct tap_counts now, last;
    struct buf text;

    (void)arg;
    buf_init(&text, TAP_BYTES);
    pthread_mutex_lock(&tap.lock);
    now = tap.counts;
    last = tap.last;
    tap.last = now;
    if (memcmp(&now, &last, sizeof now) != 0) {
        buf_printf(&text, "%s-- %" PRIu64 " logs/s, %" PRIu64 " samples/s, %" PRIu64 " spans/s%s\n",
                   tap.is_coloured ? "\033[2m" : "", now.logs - last.logs, now.samples - last.samples,
                   now.spans - last.spans, tap.is_coloured ? "\033[0m" : "");
        write_out(&text);
    }
    pthread_mutex_unlock(&tap.lock);
    buf_release(&text);
}

static struct tap listener = {.see = see, .is_printing = true};

void tap_start(struct loops *loops, bool is_coloured, loop_fn on_all, void *arg)
{
    tap.loops = loops;
    tap.is_coloured = is_coloured;
    tap.on_all = on_all;
    tap.arg = arg;
    tap.timer = timer_new(loops_control(loops), write_rates, NULL);
    timer_start(tap.timer, RATE_MS, RATE_MS);
    tap_add(&listener);
}

void tap_stop(void)
{
    if (tap.timer == NULL)
        return;
    tap_remove(&listener);
    timer_free(tap.timer);
    tap.timer = NULL;
}
