/* agent/model/window.h - a source's ordered window of unsettled positions. The settled position moves only over a
 * complete prefix: out-of-order settlements wait. An abandoned entry stops it for good (the rest is read again after a
 * restart). The window outlives its component: a replaced source hands it to its successor of the same name.
 * Owned by one loop; settlements from other threads are posted to it. Reference-counted. */
#ifndef AGENT_MODEL_WINDOW_H
#define AGENT_MODEL_WINDOW_H
#include "agent/model/ticket.h"

struct window;

/* moved(ctx, position): the settled position is now this; on the window's loop. post(loop, fn, arg) is loop_post, given
 * as a function so that the simulator can stand in. */
struct window *window_new(void (*post)(void *loop, void (*fn)(void *), void *arg), void *loop, int64_t settled,
                          void (*moved)(void *ctx, int64_t position), void *ctx);
struct window *window_ref(struct window *w);
void window_unref(struct window *w); /* NULL is fine */
/* A new owner: later moves go to it. On the window's loop. */
void window_set_owner(struct window *w, void (*moved)(void *ctx, int64_t position), void *ctx);

/* Opens an entry of n items (n > 0) that ends at position; positions rise. The ticket settles the entry. */
struct ticket *window_open(struct window *w, int64_t position, uint64_t n);
/* Read over without making items (a blank, a line cut away): moves on with the entries before it. */
void window_skip(struct window *w, int64_t position);
int64_t window_settled(const struct window *w);
int64_t window_read(const struct window *w); /* the highest position opened or skipped */
uint64_t window_unsettled_entries(const struct window *w);
bool window_is_stopped(const struct window *w); /* an entry was abandoned */
#endif
