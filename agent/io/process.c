#include "agent/io/process.h"
#include "agent/base/buf.h"
#include "agent/base/limits.h"
#include "agent/base/mem.h"
#include "agent/io/loop.h"
#include <signal.h>
#include <stdio.h>
#include <uv.h>

enum { N_PIPES = 2, CHUNK_BYTES = 16 * 1024, DRAIN_MS = 1000 };

struct output {
    struct process *process;
    uv_pipe_t pipe;
    struct buf text;
    bool is_open;
    char chunk[CHUNK_BYTES];
};

struct process {
    struct loop *loop;
    uv_process_t uv;
    struct output outputs[N_PIPES]; /* stdout, stderr */
    struct timer *limit;            /* then: how long the pipes may stay open after the end */
    int pid;                        /* 0: not running */
    bool is_started, has_exited, is_timed_out, is_cancelled;
    int64_t exit_status;
    int term_signal;
    unsigned n_handles; /* not closed yet */
    char error[256];
    void (*done)(void *arg, const struct process_result *result);
    void *arg;
    void (*gone)(void *arg);
    void *gone_arg;
};

static enum process_outcome outcome_of(const struct process *p)
{
    if (!p->is_started)
        return PROCESS_NOT_RUN;
    if (p->is_timed_out)
        return PROCESS_TIMED_OUT;
    return p->term_signal != 0 ? PROCESS_KILLED : PROCESS_EXITED;
}

static void finish(struct process *p)
{
    struct process_result result = {
        .outcome = outcome_of(p),
        .status = p->term_signal != 0 ? p->term_signal : (int)p->exit_status,
        .out = buf_slice(&p->outputs[0].text),
        .err = buf_slice(&p->outputs[1].text),
        .error = slice_str(p->error),
    };

    timer_free(p->limit);
    if (!p->is_cancelled)
        p->done(p->arg, &result);
    else if (p->gone != NULL)
        p->gone(p->gone_arg);
    for (unsigned i = 0; i < N_PIPES; i++)
        buf_release(&p->outputs[i].text);
    mem_free(p);
}

static void on_closed(uv_handle_t *handle)
{
    struct process *p = handle->data;

    if (--p->n_handles == 0)
        finish(p);
}

static void on_pipe_closed(uv_handle_t *handle)
{
    struct output *o = handle->data;

    handle->data = o->process;
    on_closed(handle);
}

static void close_pipe(struct output *o)
{
    if (!o->is_open)
        return;
    o->is_open = false;
    uv_close((uv_handle_t *)&o->pipe, on_pipe_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct output *o = handle->data;

    (void)suggested;
    *buf = uv_buf_init(o->chunk, CHUNK_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct output *o = stream->data;
    size_t room = o->text.max - o->text.len;

    if (n > 0) /* what is over the limit is read and thrown away, so that the program does not hang */
        (void)buf_add(&o->text, slice_head(slice_make(buf->base, (size_t)n), room));
    else if (n < 0)
        close_pipe(o);
}

static void kill_group(struct process *p)
{
    if (p->pid > 0)
        (void)kill(-p->pid, SIGKILL);
}

static void on_limit(void *arg)
{
    struct process *p = arg;

    if (!p->has_exited)
        p->is_timed_out = true;
    kill_group(p); /* also what it left behind, with our pipes in its hands */
    if (p->has_exited)
        for (unsigned i = 0; i < N_PIPES; i++)
            close_pipe(&p->outputs[i]);
}

static void on_exit_of(uv_process_t *uv, int64_t status, int term_signal)
{
    struct process *p = uv->data;

    p->has_exited = true;
    p->exit_status = status;
    p->term_signal = term_signal;
    uv_close((uv_handle_t *)uv, on_closed);
    timer_start(p->limit, p->is_timed_out || p->is_cancelled ? 0 : DRAIN_MS, 0);
}

static void begin(struct process *p, const struct process_options *options)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
         .data = {.stream = (uv_stream_t *)&p->outputs[0].pipe}},
        {.flags = (uv_stdio_flags)(UV_CREATE_PIPE | UV_WRITABLE_PIPE),
         .data = {.stream = (uv_stream_t *)&p->outputs[1].pipe}},
    };
    uv_process_options_t uv = {
        .exit_cb = on_exit_of,
        .file = options->argv[0],
        .args = (char **)(uintptr_t)options->argv,
        .env = (char **)(uintptr_t)options->env,
        .cwd = options->folder,
        .flags = UV_PROCESS_DETACHED, /* setsid: a group of its own, no terminal */
        .stdio = stdio,
        .stdio_count = 3,
    };
    int rc = uv_spawn(loop_uv(p->loop), &p->uv, &uv);

    p->n_handles++; /* also after a failure: uv_spawn has made the handle */
    if (rc != 0) {
        (void)snprintf(p->error, sizeof p->error, "%s cannot be run: %s", options->argv[0], uv_strerror(rc));
        uv_close((uv_handle_t *)&p->uv, on_closed);
        for (unsigned i = 0; i < N_PIPES; i++)
            close_pipe(&p->outputs[i]);
        return;
    }
    p->is_started = true;
    p->pid = uv_process_get_pid(&p->uv);
    for (unsigned i = 0; i < N_PIPES; i++)
        if (uv_read_start((uv_stream_t *)&p->outputs[i].pipe, on_alloc, on_read) != 0)
            close_pipe(&p->outputs[i]);
    timer_start(p->limit, options->timeout_ms, 0);
}

struct process *process_start(struct loop *loop, const struct process_options *options)
{
    struct process *p = mem_zalloc(sizeof *p);

    p->loop = loop;
    p->done = options->done;
    p->arg = options->arg;
    p->uv.data = p;
    p->limit = timer_new(loop, on_limit, p);
    for (unsigned i = 0; i < N_PIPES; i++) {
        struct output *o = &p->outputs[i];

        o->process = p;
        buf_init(&o->text, LIMIT_PROGRAM_OUTPUT_BYTES);
        BUG_ON(uv_pipe_init(loop_uv(loop), &o->pipe, 0) != 0);
        o->pipe.data = o;
        o->is_open = true;
        p->n_handles++;
    }
    begin(p, options);
    return p;
}

void process_cancel(struct process *p, void (*gone)(void *arg), void *arg)
{
    p->is_cancelled = true;
    p->gone = gone;
    p->gone_arg = arg;
    kill_group(p);
    if (p->has_exited)
        for (unsigned i = 0; i < N_PIPES; i++)
            close_pipe(&p->outputs[i]);
}
