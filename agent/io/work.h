/* agent/io/work.h - what may block (disk, /proc, name services) on a thread of libuv's pool instead of a loop. */
#ifndef AGENT_IO_WORK_H
#define AGENT_IO_WORK_H
#include "agent/io/loop.h"

/* Runs fn(arg) on a thread of the pool, then done(arg) on the loop. From the loop's own thread. It cannot be cancelled:
 * arg lasts until done ran. */
void work_run(struct loop *loop, void (*fn)(void *arg), loop_fn done, void *arg);
#endif
