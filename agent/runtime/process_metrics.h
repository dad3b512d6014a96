/* agent/runtime/process_metrics.h - process_*: what Prometheus clients say about their own process, from /proc/self. */
#ifndef AGENT_RUNTIME_PROCESS_METRICS_H
#define AGENT_RUNTIME_PROCESS_METRICS_H
#include "agent/base/buf.h"

/* What cannot be read is left out. */
void process_metrics_write(struct buf *out);
#endif
