/* agent/model/batch_lines.h - items as people read them: one line each, without control characters. */
#ifndef AGENT_MODEL_BATCH_LINES_H
#define AGENT_MODEL_BATCH_LINES_H
#include "agent/model/batch.h"

/* Appends a line per item, each with a line feed. is_coloured: with a terminal's colours. */
void batch_write_lines(struct buf *out, const struct batch *b, bool is_coloured);
/* False: enough. The line has no line feed and is gone after the call. */
typedef bool (*line_fn)(void *ctx, struct slice line);
/* Hands the lines over one by one, long texts cut; what does not fit into scratch is left out. */
void batch_each_line(struct buf *scratch, const struct batch *b, line_fn each, void *ctx);
#endif
