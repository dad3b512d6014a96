#include "agent/io/work.h"
#include "agent/base/mem.h"
#include "agent/io/tsan.h"
#include <uv.h>

struct work {
    uv_work_t uv;
    void (*fn)(void *arg);
    loop_fn done;
    void *arg;
};

static void on_thread(uv_work_t *uv)
{
    struct work *w;

    tsan_acquire(uv);
    w = uv->data;
    w->fn(w->arg);
    tsan_release(uv);
}

static void on_done(uv_work_t *uv, int status)
{
    struct work *w;
    loop_fn done;
    void *arg;

    (void)status; /* it is never cancelled */
    tsan_acquire(uv);
    w = uv->data;
    done = w->done;
    arg = w->arg;
    mem_free(w);
    done(arg);
}

void work_run(struct loop *loop, void (*fn)(void *arg), loop_fn done, void *arg)
{
    struct work *w = mem_zalloc(sizeof *w);

    w->fn = fn;
    w->done = done;
    w->arg = arg;
    w->uv.data = w;
    tsan_release(&w->uv);
    BUG_ON(uv_queue_work(loop_uv(loop), &w->uv, on_thread, on_done) != 0);
}
