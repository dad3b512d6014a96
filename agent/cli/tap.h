/* agent/cli/tap.h - hyagent run --tap: every item that reaches a sink as one readable line on standard output, and once
 * a second the rates. */
#ifndef AGENT_CLI_TAP_H
#define AGENT_CLI_TAP_H
#include "agent/base/buf.h"
#include "agent/io/loop.h"
#include "agent/model/receiver.h"

/* Control loop. is_coloured: with terminal colours. on_all (may be NULL) runs there once logs, metrics and traces were
 * all seen. */
void tap_start(struct loops *loops, bool is_coloured, loop_fn on_all, void *arg);
/* After the components are closed. */
void tap_stop(void);
/* Lines of one batch (batch_lines.h); counts what was seen. For tests too. */
struct tap_counts {
    uint64_t logs, samples, spans;
};
void tap_write_batch(struct buf *out, const struct batch *b, bool is_coloured, struct tap_counts *counts);
#endif
